/* Exclusions: rules in the grammar of targets. */
#include "scanners/network/exclude.h"

#include "agent/base/text.h"
#include "scanners/network/shape.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct exclusion {
	struct shape shape; /* owned; no host and no family: any place */
	bool is_suffix;     /* what ends in a dot and the host */
};

struct exclusions {
	struct exclusion *items; /* owned */
	size_t count;
};

/* An address is a network of one. */
static void settle_host(struct shape *s)
{
	if (!s->host)
		return;
	s->prefix = 32;
	s->family = inet_pton(AF_INET, s->host, s->base) == 1 ? AF_INET : 0;
	if (s->family == 0 && inet_pton(AF_INET6, s->host, s->base) == 1) {
		s->family = AF_INET6;
		s->prefix = 128;
	}
}

static enum err parse(const char *text, struct exclusion *out, struct why *why)
{
	struct exclusion rule = { .is_suffix = strncmp(text, "*.", 2) == 0 };
	char copy[sizeof("::/0") + EXCLUSION_BYTES_MAX];
	char *place = copy;
	enum err e;

	if (strlen(text) > EXCLUSION_BYTES_MAX - 1)
		return why_fail(why, ERR_USAGE, "longer than %d bytes", EXCLUSION_BYTES_MAX - 1);
	/* Ports alone are those of every place: the grammar knows no such place, so it gets a network. */
	if (text[0] == ':' && text[1] != ':') {
		(void)snprintf(copy, sizeof(copy), "::/0%s", text);
	} else {
		memcpy(copy, text + (rule.is_suffix ? 2 : 0),
			strlen(text) + 1 - (rule.is_suffix ? 2 : 0));
	}
	e = shape_parse_place(place, &rule.shape, why);
	if (e != ERR_OK)
		return e;
	settle_host(&rule.shape);
	if (text[0] == ':' && text[1] != ':')
		rule.shape.family = 0;
	if (rule.is_suffix && (rule.shape.family || !rule.shape.host)) {
		shape_fini(&rule.shape);
		return why_fail(why, ERR_USAGE, "a name follows the \"*.\"");
	}
	*out = rule;
	return ERR_OK;
}

static enum err parse_rule(const char *text, struct exclusion *out, struct why *why)
{
	struct why inner = { 0 };
	enum err e = parse(text, out, &inner);
	char *shown;

	if (e == ERR_OK || e == ERR_MEMORY)
		return e;
	shown = text_escaped(slice_of(text, text_cut(text, 80)));
	(void)why_fail(why, e, "exclusion \"%s\": %s", shown ? shown : "?", why_text(&inner, e));
	free(shown);
	return e;
}

enum err exclusion_check(const char *text, struct why *why)
{
	struct exclusion rule;
	enum err e = parse_rule(text, &rule, why);

	if (e == ERR_OK)
		shape_fini(&rule.shape);
	return e;
}

void exclusions_free(struct exclusions *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->count; i++)
		shape_fini(&x->items[i].shape);
	free(x->items);
	free(x);
}

enum err exclusions_new(const struct strings *rules, struct exclusions **out, struct why *why)
{
	struct exclusions *x = calloc(1, sizeof(*x));
	enum err e = x ? ERR_OK : ERR_MEMORY;

	if (e == ERR_OK && rules->count > EXCLUSIONS_MAX)
		e = why_fail(why, ERR_LIMIT, "more than %d exclusions", EXCLUSIONS_MAX);
	if (e == ERR_OK) {
		x->items = calloc(rules->count + 1, sizeof(*x->items));
		e = x->items ? ERR_OK : ERR_MEMORY;
	}
	for (size_t i = 0; e == ERR_OK && i < rules->count; i++) {
		e = parse_rule(rules->items[i], &x->items[i], why);
		x->count += e == ERR_OK;
	}
	if (e == ERR_OK)
		*out = x;
	else
		exclusions_free(x);
	return e;
}

/* ---- asking ----------------------------------------------------------------------------------- */

static bool has_port(const struct shape *s, uint16_t port)
{
	if (!s->ports_count)
		return true;
	for (size_t i = 0; i < s->ports_count; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

static bool covers_bytes(const struct exclusion *r, int family, const uint8_t *bytes)
{
	const unsigned whole = r->shape.prefix / 8;
	const unsigned rest = r->shape.prefix % 8;
	const uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (r->shape.family == 0 && !r->shape.host)
		return true;
	return r->shape.family == family && memcmp(r->shape.base, bytes, whole) == 0 &&
	       (rest == 0 || ((r->shape.base[whole] ^ bytes[whole]) & mask) == 0);
}

static bool covers_name(const struct exclusion *r, const char *name)
{
	size_t size = strlen(name);
	const char *rule = r->shape.host;
	size_t rule_size;

	if (r->shape.family)
		return false;
	if (!rule)
		return true;
	rule_size = strlen(rule);
	/* The root's dot makes no other name. */
	size -= size && name[size - 1] == '.';
	rule_size -= rule_size && rule[rule_size - 1] == '.';
	if (!r->is_suffix)
		return size == rule_size && memcmp(name, rule, size) == 0;
	return size > rule_size + 1 && name[size - rule_size - 1] == '.' &&
	       memcmp(name + size - rule_size, rule, rule_size) == 0;
}

bool exclusions_cover_address(const struct exclusions *x, const union address *a)
{
	const bool is_v6 = a->any.sa_family == AF_INET6;
	const uint8_t *bytes = is_v6 ? a->v6.sin6_addr.s6_addr : (const uint8_t *)&a->v4.sin_addr;
	const uint16_t port = ntohs(is_v6 ? a->v6.sin6_port : a->v4.sin_port);

	for (size_t i = 0; x && i < x->count; i++)
		if (has_port(&x->items[i].shape, port) &&
			covers_bytes(&x->items[i], a->any.sa_family, bytes))
			return true;
	return false;
}

bool exclusions_cover(const struct exclusions *x, const char *host, uint16_t port)
{
	union address numeric;

	if (!x)
		return false;
	if (address_parse(host, port, &numeric))
		return exclusions_cover_address(x, &numeric);
	for (size_t i = 0; i < x->count; i++)
		if (has_port(&x->items[i].shape, port) && covers_name(&x->items[i], host))
			return true;
	return false;
}
