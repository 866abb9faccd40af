/* Durations and sizes as users write them. */
#include "agent/base/units.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct unit {
	const char *name;
	uint64_t factor;
};

#define UNIT_NUMBER_MAX 1000000000000ULL
#define DURATION_MS_MAX (100LL * 366 * 86400 * 1000)

static const struct unit duration_units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	{ "min", 60000 }, { "h", 3600000 }, { "d", 86400000 }, { "w", 604800000 }, { NULL, 0 } };
static const struct unit size_units[] = { { "B", 1 }, { "KiB", 1024 }, { "MiB", 1048576 },
	{ "GiB", 1073741824 }, { "TiB", 1099511627776 }, { "kB", 1000 }, { "KB", 1000 },
	{ "MB", 1000000 }, { "GB", 1000000000 }, { "TB", 1000000000000 }, { NULL, 0 } };

static bool read_number(const char **at, uint64_t *number)
{
	const char *p = *at;
	uint64_t value = 0;

	while (isdigit((unsigned char)*p) && value < UNIT_NUMBER_MAX)
		value = value * 10 + (uint64_t)(*p++ - '0');
	if (p == *at || isdigit((unsigned char)*p))
		return false;
	*at = p;
	*number = value;
	return true;
}

static const struct unit *read_unit(const char **at, const struct unit *units)
{
	size_t length = 0;

	while (isalpha((unsigned char)(*at)[length]))
		length++;
	for (const struct unit *u = units; length && u->name; u++) {
		if (strlen(u->name) == length && strncmp(u->name, *at, length) == 0) {
			*at += length;
			return u;
		}
	}
	return NULL;
}

enum err units_duration_ms(const char *text, int64_t *out_ms, struct why *why)
{
	const char *at = text;
	const struct unit *unit;
	uint64_t number;
	uint64_t sum = 0;

	if (strcmp(text, "0") == 0) {
		*out_ms = 0;
		return ERR_OK;
	}
	do {
		if (!read_number(&at, &number))
			return why_fail(why, ERR_MALFORMED,
				"\"%s\" is not a duration; write it like 90s, 15m, 1h or 30d",
				text);
		unit = read_unit(&at, duration_units);
		if (!unit)
			return why_fail(why, ERR_MALFORMED,
				"\"%s\" has no unit of time; write it like 90s, 15m, 1h or 30d",
				text);
		if (number > (uint64_t)DURATION_MS_MAX / unit->factor)
			return why_fail(why, ERR_MALFORMED, "\"%s\" is over 100 years", text);
		sum += number * unit->factor;
	} while (*at && sum <= (uint64_t)DURATION_MS_MAX);
	if (sum > (uint64_t)DURATION_MS_MAX)
		return why_fail(why, ERR_MALFORMED, "\"%s\" is over 100 years", text);
	*out_ms = (int64_t)sum;
	return ERR_OK;
}

enum err units_size_bytes(const char *text, uint64_t *out_bytes, struct why *why)
{
	const char *at = text;
	const struct unit *unit;
	uint64_t number;

	if (!read_number(&at, &number))
		return why_fail(why, ERR_MALFORMED,
			"\"%s\" is not a size; write it like 64KiB or 8MiB", text);
	unit = read_unit(&at, size_units);
	if (!unit || *at)
		return why_fail(why, ERR_MALFORMED,
			"\"%s\" has no unit of size; write it like 64KiB or 8MiB", text);
	if (number > UINT64_MAX / unit->factor)
		return why_fail(why, ERR_MALFORMED, "\"%s\" is too large", text);
	*out_bytes = number * unit->factor;
	return ERR_OK;
}
