/* Time. */
#include "agent/base/clock.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_S 86400
#define YEAR_MIN_S (-62167219200LL) /* 0000-01-01T00:00:00Z */
#define YEAR_MAX_S 253402300799LL   /* 9999-12-31T23:59:59Z */

/* The one pinned clock of a process: set before anything else runs. */
static _Atomic int64_t pinned = TIME_UNKNOWN;

int64_t clock_now_s(void)
{
	int64_t at = atomic_load_explicit(&pinned, memory_order_relaxed);

	return at == TIME_UNKNOWN ? (int64_t)time(NULL) : at;
}

void clock_pin(int64_t at)
{
	atomic_store(&pinned, at);
}

int64_t clock_pinned(void)
{
	return atomic_load(&pinned);
}

void clock_sleep_ms(int64_t ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&pause, NULL);
}

int64_t clock_monotonic_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t era;
	int64_t year_of_era;
	int64_t day_of_year;

	/* Years start in March, so that the leap day is the last one. */
	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static unsigned days_in_month(int year, int month)
{
	static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

bool time_from_civil(const int f[6], int64_t *out)
{
	if (f[0] < 0 || f[0] > 9999 || f[1] < 1 || f[1] > 12 || f[2] < 1 ||
		f[2] > (int)days_in_month(f[0], f[1]))
		return false;
	if (f[3] < 0 || f[3] > 23 || f[4] < 0 || f[4] > 59 || f[5] < 0 || f[5] > 60)
		return false;
	*out = time_days_from_civil(f[0], (unsigned)f[1], (unsigned)f[2]) * DAY_S + f[3] * 3600 +
	       f[4] * 60 + (f[5] == 60 ? 59 : f[5]);
	return true;
}

static void civil_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t shifted = (5 * day_of_year + 2) / 153;

	*day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
	*month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
	*year = (int)(year_of_era + era * 400 + (*month <= 2));
}

static char *put_digits(char *to, unsigned count, unsigned value, char after)
{
	for (unsigned i = count; i > 0; i--, value /= 10)
		to[i - 1] = (char)('0' + value % 10);
	to[count] = after;
	return to + count + 1;
}

/* By hand: a report has five of them a certificate. */
void time_rfc3339(int64_t t, char out[TIME_TEXT_BYTES])
{
	int64_t days;
	int64_t rest;
	int year;
	int month;
	int day;

	if (t == TIME_UNKNOWN) {
		out[0] = 0;
		return;
	}
	t = t < YEAR_MIN_S ? YEAR_MIN_S : t > YEAR_MAX_S ? YEAR_MAX_S : t;
	days = (t >= 0 ? t : t - (DAY_S - 1)) / DAY_S;
	rest = t - days * DAY_S;
	civil_from_days(days, &year, &month, &day);
	out = put_digits(out, 4, (unsigned)year, '-');
	out = put_digits(out, 2, (unsigned)month, '-');
	out = put_digits(out, 2, (unsigned)day, 'T');
	out = put_digits(out, 2, (unsigned)(rest / 3600), ':');
	out = put_digits(out, 2, (unsigned)(rest / 60 % 60), ':');
	out = put_digits(out, 2, (unsigned)(rest % 60), 'Z');
	*out = 0;
}

/* Reads exactly `digits` digits; false where there are fewer. */
static bool read_digits(const char **at, unsigned digits, int *out)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*at += digits;
	*out = value;
	return true;
}

static bool read_mark(const char **at, char mark)
{
	if (**at != mark)
		return false;
	(*at)++;
	return true;
}

static bool read_date(const char **at, int f[6])
{
	return read_digits(at, 4, &f[0]) && read_mark(at, '-') && read_digits(at, 2, &f[1]) &&
	       read_mark(at, '-') && read_digits(at, 2, &f[2]);
}

static bool read_clock(const char **at, int f[6])
{
	if (!read_digits(at, 2, &f[3]) || !read_mark(at, ':') || !read_digits(at, 2, &f[4]) ||
		!read_mark(at, ':') || !read_digits(at, 2, &f[5]))
		return false;
	if (read_mark(at, '.'))
		*at += strspn(*at, "0123456789");
	return true;
}

static bool read_offset(const char *at, int64_t *offset)
{
	int sign = *at == '-' ? -1 : 1;
	int hours;
	int minutes;

	if ((*at == 'Z' || *at == 'z') && !at[1]) {
		*offset = 0;
		return true;
	}
	if (*at != '+' && *at != '-')
		return false;
	at++;
	if (!read_digits(&at, 2, &hours) || !read_mark(&at, ':') ||
		!read_digits(&at, 2, &minutes) || *at)
		return false;
	*offset = sign * (hours * 3600 + minutes * 60);
	return hours <= 23 && minutes <= 59;
}

static enum err parse_unix(const char *text, int64_t *out)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (end == text || *end)
		return ERR_MALFORMED;
	*out = value;
	return ERR_OK;
}

enum err time_parse(const char *text, int64_t *out)
{
	int f[6] = { 0 };
	int64_t offset = 0;
	int64_t value;

	if (*text == '@')
		return parse_unix(text + 1, out);
	if (!read_date(&text, f))
		return ERR_MALFORMED;
	if (*text) {
		if (!strchr("Tt ", *text))
			return ERR_MALFORMED;
		text++;
		if (!read_clock(&text, f) || !read_offset(text, &offset))
			return ERR_MALFORMED;
	}
	if (!time_from_civil(f, &value))
		return ERR_MALFORMED;
	*out = value - offset;
	return ERR_OK;
}

void time_span(int64_t seconds, char out[TIME_TEXT_BYTES])
{
	const char *sign = seconds < 0 ? "-" : "";
	int64_t s = seconds < 0 ? -seconds : seconds;

	if (s >= 10 * (int64_t)DAY_S)
		(void)snprintf(out, TIME_TEXT_BYTES, "%s%" PRId64 " d", sign, s / DAY_S);
	else if (s >= DAY_S)
		(void)snprintf(out, TIME_TEXT_BYTES, "%s%" PRId64 " d %" PRId64 " h", sign,
			s / DAY_S, s % DAY_S / 3600);
	else if (s >= 3600)
		(void)snprintf(out, TIME_TEXT_BYTES, "%s%" PRId64 " h %" PRId64 " min", sign,
			s / 3600, s % 3600 / 60);
	else if (s >= 60)
		(void)snprintf(out, TIME_TEXT_BYTES, "%s%" PRId64 " min", sign, s / 60);
	else
		(void)snprintf(out, TIME_TEXT_BYTES, "%s%" PRId64 " s", sign, s);
}
