/* What a client wants: Accept and Accept-Encoding (RFC 9110 12.5). */
#include "exporters/prometheus/negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define WEIGHT_MAX 1000
#define SPACE " \t"

/* Text up to a separator, blanks around it taken off. */
struct token {
	const char *at; /* borrowed */
	size_t size;
};

struct range {
	struct token name;
	struct token version;
	bool has_escaping;
	int weight; /* q in thousandths */
};

static bool is(struct token t, const char *text)
{
	return t.size == strlen(text) && strncasecmp(t.at, text, t.size) == 0;
}

/* The next token before one of `ends`; moves to that end. */
static struct token next(const char **at, const char *ends)
{
	struct token t;

	*at += strspn(*at, SPACE);
	t.at = *at;
	t.size = strcspn(*at, ends);
	*at += t.size;
	while (t.size && strchr(SPACE, t.at[t.size - 1]))
		t.size--;
	return t;
}

/* "0", "1", "0.5", "0.125"; anything else is taken as 0. */
static int weight_of(struct token t)
{
	int value = 0;
	int unit = WEIGHT_MAX;

	if (!t.size || (t.at[0] != '0' && t.at[0] != '1') || (t.size > 1 && t.at[1] != '.'))
		return 0;
	value = (t.at[0] - '0') * WEIGHT_MAX;
	for (size_t i = 2; i < t.size && i < 5; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return 0;
		unit /= 10;
		value += (t.at[i] - '0') * unit;
	}
	return value > WEIGHT_MAX ? WEIGHT_MAX : value;
}

static struct token unquoted(struct token t)
{
	if (t.size >= 2 && t.at[0] == '"' && t.at[t.size - 1] == '"')
		return (struct token){ t.at + 1, t.size - 2 };
	return t;
}

static void read_parameter(const char **at, struct range *r)
{
	struct token key = next(at, "=;,");
	struct token value = { "", 0 };

	if (**at == '=') {
		(*at)++;
		value = unquoted(next(at, ";,"));
	}
	if (is(key, "q"))
		r->weight = weight_of(value);
	else if (is(key, "version"))
		r->version = value;
	else if (is(key, "escaping"))
		r->has_escaping = true;
}

/* Reads one range of a list; false at its end. */
static bool next_range(const char **at, struct range *r)
{
	*at += strspn(*at, SPACE ",");
	if (!**at)
		return false;
	*r = (struct range){ .name = next(at, ";,"), .version = { "", 0 }, .weight = WEIGHT_MAX };
	while (**at == ';') {
		(*at)++;
		read_parameter(at, r);
	}
	return true;
}

bool negotiate_openmetrics(const char *header, bool *wants_escaping)
{
	struct range r;
	int openmetrics = 0;
	int text = 0;
	bool has_escaping = false;

	for (const char *at = header ? header : ""; next_range(&at, &r);) {
		if (is(r.name, "application/openmetrics-text") &&
			(!r.version.size || is(r.version, "1.0.0")) && r.weight > openmetrics) {
			openmetrics = r.weight;
			has_escaping = r.has_escaping;
		}
		if ((is(r.name, "text/plain") || is(r.name, "text/*")) &&
			(!r.version.size || is(r.version, "0.0.4")) && r.weight > text)
			text = r.weight;
	}
	if (wants_escaping)
		*wants_escaping = has_escaping;
	return openmetrics && openmetrics >= text;
}

bool negotiate_gzip(const char *header)
{
	struct range r;

	for (const char *at = header ? header : ""; next_range(&at, &r);)
		if (is(r.name, "gzip") || is(r.name, "x-gzip"))
			return r.weight > 0;
	return false;
}
