/* What some of a job's targets trust: from the place of an endpoint to the entry that is for it. */
#include "scanners/network/target_trust.h"

#include "scanners/network/identity.h"

#include <stdlib.h>
#include <string.h>

#define HOST_BYTES_MAX 1100

const struct schema_field target_trust_fields[] = {
	{ .key = "targets",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct target_trust, targets),
		.is_required = true,
		.help = "Servers that are judged by it: host or host:port, with * and ? for any characters." },
	{ .key = "trust",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct target_trust, trust),
		.is_required = true,
		.help = "What these trust: system, names of trust.stores, files and folders of CAs." },
	{ .key = NULL },
};

static bool is_port(const char *text, uint16_t *port)
{
	unsigned long value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > UINT16_MAX)
			return false;
		value = value * 10 + (unsigned long)(*text - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

/* The host that was meant, a name before its address; false for a place that is no endpoint's. */
static bool read_place(struct slice place, char host[HOST_BYTES_MAX], uint16_t *port)
{
	char text[HOST_BYTES_MAX];
	char *start;
	char *colon;
	char *at;
	size_t size;

	if (place.size >= sizeof(text) || slice_starts(place, "file:", 5))
		return false;
	memcpy(text, place.data, place.size);
	text[place.size] = 0;
	start = strstr(text, "://");
	colon = strrchr(text, ':');
	if (!start || colon < start + 3 || !is_port(colon + 1, port))
		return false;
	start += 3;
	*colon = 0;
	at = strchr(start, '@');
	if (at)
		*at = 0;
	size = strlen(start);
	if (size >= 2 && start[0] == '[' && start[size - 1] == ']') {
		start[size - 1] = 0;
		start++;
	}
	memcpy(host, start, strlen(start) + 1);
	return *host;
}

size_t target_trust_find(const struct sections *all, struct slice place)
{
	char host[HOST_BYTES_MAX];
	uint16_t port;

	if (!all->count || !read_place(place, host, &port))
		return all->count;
	for (size_t i = 0; i < all->count; i++)
		if (identity_is_for(
			    &((const struct target_trust *)all->items[i])->targets, host, port))
			return i;
	return all->count;
}
