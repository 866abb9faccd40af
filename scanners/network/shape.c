/* The grammar of targets. */
#include "scanners/network/shape.h"

#include "agent/base/text.h"
#include "scanners/network/protocol.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_BYTES_MAX 253 /* RFC 1035 3.1, without the root's dot */
#define LABEL_BYTES_MAX 63

/* The scheme's name, without its end; empty where the source has none. */
static struct slice scheme_of(const char *source)
{
	const char *end = strstr(source, "://");

	return slice_of(source, end ? (size_t)(end - source) : 0);
}

/* The address and the digits after the slash; ports may follow. */
static bool looks_like_cidr(const char *source)
{
	const char *slash, *at = strchr(source, '@');
	size_t size;

	if (at && !memchr(source, '/', (size_t)(at - source)))
		source = at + 1;
	slash = strchr(source, '/');
	size = slash ? (size_t)(slash - source) : 0;

	return size && strspn(source, "0123456789abcdefABCDEF.:[]") == size &&
	       strpbrk(source, ".:") < slash &&
	       slash[1 + strspn(slash + 1, "0123456789:,")] == '\0';
}

bool shape_is_likely(const char *source)
{
	if (strstr(source, "://"))
		return protocol_find(scheme_of(source));
	return !strchr(source, '/') || looks_like_cidr(source);
}

void shape_fini(struct shape *s)
{
	free(s->name);
	free(s->host);
	*s = (struct shape){ 0 };
}

/* ---- ports, names, addresses ------------------------------------------------------------------ */

/* Decimal digits up to `end` (exclusive); false when there are none, others, or it is over `max`. */
static bool number(const char *text, const char *end, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (text == end)
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return true;
}

static bool has_port(const struct shape *s, uint16_t port)
{
	for (size_t i = 0; i < s->ports_count; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

/* "443" or "443,8443"; each counts once. */
static enum err parse_ports(const char *text, struct shape *s, struct why *why)
{
	for (;;) {
		const char *end = strchrnul(text, ',');
		unsigned port;

		if (!number(text, end, UINT16_MAX, &port) || port == 0)
			return why_fail(why, ERR_USAGE,
				"\"%.*s\" is no port: it is a number from 1 to 65535",
				(int)(end - text), text);
		if (s->ports_count == TARGET_PORTS_MAX)
			return why_fail(why, ERR_USAGE, "more than %d ports", TARGET_PORTS_MAX);
		if (!has_port(s, (uint16_t)port))
			s->ports[s->ports_count++] = (uint16_t)port;
		if (!*end)
			return ERR_OK;
		text = end + 1;
	}
}

static bool label_is_good(const char *label, size_t size)
{
	if (size == 0 || size > LABEL_BYTES_MAX || label[0] == '-' || label[size - 1] == '-')
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_')
			return false;
	return true;
}

static bool name_is_good(const char *name)
{
	size_t size = strlen(name);
	bool is_digits = false;

	if (size && name[size - 1] == '.')
		size--;
	if (size == 0 || size > HOST_BYTES_MAX)
		return false;
	for (size_t at = 0; at <= size;) {
		size_t label = strcspn(name + at, ".");

		if (at + label > size)
			label = size - at;
		if (!label_is_good(name + at, label))
			return false;
		is_digits = strspn(name + at, "0123456789") == label;
		at += label + 1;
	}
	/* A last label of digits alone is a mistyped IPv4 address, never a name (RFC 3696 2). */
	return !is_digits;
}

/* A DNS name in its ASCII form, lower case, owned. */
static enum err parse_name(const char *text, char **out, struct why *why)
{
	bool is_ascii = true;
	char *name = NULL;

	for (const char *p = text; *p; p++)
		is_ascii = is_ascii && (unsigned char)*p < 0x80;
	if (is_ascii) {
		name = strdup(text);
	} else {
		gnutls_datum_t mapped = { 0 };

		if (gnutls_idna_map(text, (unsigned)strlen(text), &mapped, 0) < 0)
			return why_fail(why, ERR_USAGE, "the name has no ASCII form (IDNA)");
		name = string_of(slice_of(mapped.data, mapped.size));
		gnutls_free(mapped.data);
	}
	if (!name)
		return ERR_MEMORY;
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (!name_is_good(name)) {
		free(name);
		return why_fail(why, ERR_USAGE, "it is neither a host name nor an address");
	}
	*out = name;
	return ERR_OK;
}

/* The canonical text of a numeric address, owned, or NULL when it is none (or memory is out). */
static char *numeric(const char *text, int *family)
{
	char canonical[INET6_ADDRSTRLEN];
	uint8_t bytes[SHAPE_ADDRESS_BYTES];

	for (*family = AF_INET; inet_pton(*family, text, bytes) != 1; *family = AF_INET6)
		if (*family == AF_INET6)
			return NULL;
	if (!inet_ntop(*family, bytes, canonical, sizeof(canonical)))
		return NULL;
	return strdup(canonical);
}

static enum err parse_host(const char *text, struct shape *s, struct why *why)
{
	int family;

	if (strchr(text, '%'))
		return why_fail(why, ERR_UNSUPPORTED, "addresses with a zone are not supported");
	s->addresses = 1;
	s->host = numeric(text, &family);
	return s->host ? ERR_OK : parse_name(text, &s->host, why);
}

/* "base/prefix"; `prefix` is NUL-terminated. */
static enum err parse_cidr(const char *base, const char *prefix, struct shape *s, struct why *why)
{
	unsigned bits, length, free_bits;

	s->family = inet_pton(AF_INET, base, s->base) == 1 ? AF_INET : AF_INET6;
	if (s->family == AF_INET6 && inet_pton(AF_INET6, base, s->base) != 1)
		return why_fail(why, ERR_USAGE, "\"%s\" is no address", base);
	bits = s->family == AF_INET ? 32 : 128;
	if (!number(prefix, prefix + strlen(prefix), bits, &length))
		return why_fail(why, ERR_USAGE,
			"\"/%s\" is no prefix length: it is a number from 0 to %u", prefix, bits);
	free_bits = bits - length;
	s->prefix = length;
	s->addresses = free_bits > 63 ? UINT64_MAX : UINT64_C(1) << free_bits;
	for (unsigned bit = length; bit < bits; bit++)
		s->base[bit / 8] &= (uint8_t) ~(0x80U >> (bit % 8));
	return ERR_OK;
}

/* ---- the grammar ------------------------------------------------------------------------------ */

/* Cuts "host", "host:ports", "[v6]", "[v6]:ports" or a bare v6 in place. */
static enum err cut_ports(char *text, char **host, char **ports, struct why *why)
{
	char *colon;

	*host = text;
	*ports = NULL;
	if (text[0] == '[') {
		char *end = strchr(text, ']');

		if (!end || (end[1] && end[1] != ':'))
			return why_fail(
				why, ERR_USAGE, "an address in brackets reads [ADDRESS]:PORT");
		*host = text + 1;
		*end = '\0';
		*ports = end[1] ? end + 2 : NULL;
		if (!strchr(*host, ':'))
			return why_fail(why, ERR_USAGE, "only IPv6 addresses stand in brackets");
		return ERR_OK;
	}
	colon = strchr(text, ':');
	if (!colon || strchr(colon + 1, ':'))
		return ERR_OK;
	*colon = '\0';
	*ports = colon + 1;
	return ERR_OK;
}

static enum err parse_network(char *text, char *slash, struct shape *s, struct why *why)
{
	char *ports = strchr(slash + 1, ':');
	char *base = text;
	size_t size = (size_t)(slash - text);
	enum err e;

	*slash = '\0';
	if (base[0] == '[' && size > 1 && base[size - 1] == ']') {
		base[size - 1] = '\0';
		base++;
	}
	if (ports)
		*ports++ = '\0';
	e = parse_cidr(base, slash + 1, s, why);
	return e == ERR_OK && ports ? parse_ports(ports, s, why) : e;
}

static enum err parse_place(char *text, struct shape *s, struct why *why)
{
	char *slash = strchr(text, '/');
	char *host, *ports;
	enum err e;

	if (slash)
		return parse_network(text, slash, s, why);
	e = cut_ports(text, &host, &ports, why);
	if (e == ERR_OK)
		e = parse_host(host, s, why);
	return e == ERR_OK && ports ? parse_ports(ports, s, why) : e;
}

enum err shape_parse_place(char *text, struct shape *out, struct why *why)
{
	struct shape s = { 0 };
	enum err e = parse_place(text, &s, why);

	if (e == ERR_OK)
		*out = s;
	else
		shape_fini(&s);
	return e;
}

static enum err parse_authority(char *text, struct shape *s, struct why *why)
{
	char *at = strchr(text, '@');
	enum err e = ERR_OK;

	if (at) {
		*at = '\0';
		e = parse_name(text, &s->name, why);
		if (e != ERR_OK)
			return e;
		text = at + 1;
	}
	e = parse_place(text, s, why);
	if (e == ERR_OK && s->addresses > TARGET_ADDRESSES_MAX)
		return why_fail(why, ERR_USAGE,
			"a network of more than %" PRIu64
			" addresses (/%u) is too large for one target",
			TARGET_ADDRESSES_MAX, (s->family == AF_INET ? 32U : 128U) - 24);
	if (e == ERR_OK && !s->ports_count)
		s->ports[s->ports_count++] = s->protocol->port;
	return e;
}

/* Prefixes the sentence with the source it is about. */
static enum err about(const char *source, enum err e, const struct why *inner, struct why *why)
{
	char *shown = text_escaped(slice_of(source, text_cut(source, 80)));

	(void)why_fail(why, e, "target \"%s\": %s", shown ? shown : "?", why_text(inner, e));
	free(shown);
	return e;
}

static enum err parse_text(const char *source, struct shape *s, struct why *why)
{
	struct slice scheme = scheme_of(source);
	char text[TARGET_SOURCE_BYTES_MAX + 1];

	s->protocol = protocols[0];
	if (strstr(source, "://")) {
		s->protocol = protocol_find(scheme);
		if (!s->protocol)
			return why_fail(
				why, ERR_USAGE, "this scheme is not known; write tls://HOST:PORT");
		source = strstr(source, "://") + 3;
	}
	if (strlen(source) > TARGET_SOURCE_BYTES_MAX)
		return why_fail(why, ERR_USAGE, "longer than %d bytes", TARGET_SOURCE_BYTES_MAX);
	memcpy(text, source, strlen(source) + 1);
	/* A URI may end in an empty path. */
	if (scheme.size && text[0] && text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = '\0';
	if (!text[0])
		return why_fail(why, ERR_USAGE, "nothing is named");
	return parse_authority(text, s, why);
}

enum err shape_parse(const char *source, struct shape *out, struct why *why)
{
	struct shape s = { 0 };
	struct why inner = { 0 };
	enum err e = parse_text(source, &s, &inner);

	if (e != ERR_OK) {
		shape_fini(&s);
		return about(source, e, &inner, why);
	}
	*out = s;
	return ERR_OK;
}

/* ---- the targets of a shape ------------------------------------------------------------------- */

uint64_t shape_size(const struct shape *s)
{
	return s->addresses * s->ports_count;
}

static char *nth_address(const struct shape *s, uint64_t n)
{
	size_t size = s->family == AF_INET ? 4 : SHAPE_ADDRESS_BYTES;
	uint8_t bytes[SHAPE_ADDRESS_BYTES];
	char text[INET6_ADDRSTRLEN];

	memcpy(bytes, s->base, sizeof(bytes));
	/* The host bits of `base` are zero and n lies within them: nothing carries. */
	for (size_t i = size; n; n >>= 8)
		bytes[--i] |= (uint8_t)n;
	return inet_ntop(s->family, bytes, text, sizeof(text)) ? strdup(text) : NULL;
}

enum err shape_target(const struct shape *s, uint64_t n, struct target *out)
{
	struct target target = { .port = s->ports[n % s->ports_count],
		.protocol = s->protocol,
		.is_unnamed = !s->host && !s->name };

	target.host = s->host ? strdup(s->host) : nth_address(s, n / s->ports_count);
	target.name = s->name ? strdup(s->name) : NULL;
	if (!target.host || (s->name && !target.name)) {
		target_fini(&target);
		return ERR_MEMORY;
	}
	*out = target;
	return ERR_OK;
}
