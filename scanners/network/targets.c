/* Sources that name endpoints: grammar, CIDR and list iterators. Nothing is expanded in memory. */
#include "scanners/network/targets.h"

#include "agent/base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOST_BYTES_MAX 253 /* RFC 1035 3.1, without the root's dot */
#define LABEL_BYTES_MAX 63
#define LINE_BYTES_MAX (TARGET_SOURCE_BYTES_MAX + 256)
#define ADDRESS_BYTES 16

/* What a source means: addresses from `base` on, or one host, times ports. */
struct shape {
	char *name; /* owned: SNI, or NULL */
	char *host; /* owned; NULL for a CIDR */
	const struct protocol *protocol;
	int family; /* of a CIDR: AF_INET or AF_INET6 */
	uint8_t base[ADDRESS_BYTES];
	uint64_t addresses; /* 1 for a host */
	uint16_t ports[TARGET_PORTS_MAX];
	size_t ports_count;
};

struct targets {
	const struct strings *sources; /* borrowed */
	size_t source;                 /* the next one */
	struct shape shape;
	uint64_t address; /* index of the next target within shape */
	size_t port;
	bool has_shape;
	FILE *list;            /* open while a list is read */
	const char *list_name; /* borrowed from sources */
	uint64_t line;
	enum err failure; /* the first list that could not be read */
	struct why failure_why;
};

/* The scheme's name, without its end; empty where the source has none. */
static struct slice scheme_of(const char *source)
{
	const char *end = strstr(source, "://");

	return slice_of(source, end ? (size_t)(end - source) : 0);
}

/* Known, and refused by name. */
static bool is_missing(struct slice scheme)
{
	return scheme.size == strlen("dtls") &&
	       strncasecmp((const char *)scheme.data, "dtls", scheme.size) == 0;
}

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* The address and the digits after the slash; ports may follow. */
static bool looks_like_cidr(const char *source)
{
	const char *slash = strchr(source, '/');
	size_t size = slash ? (size_t)(slash - source) : 0;

	return size && strspn(source, "0123456789abcdefABCDEF.:[]") == size &&
	       strpbrk(source, ".:") < slash &&
	       slash[1 + strspn(slash + 1, "0123456789:,")] == '\0';
}

bool target_accepts(const char *source)
{
	static const char *const others[] = { "pkcs11:", "nss:", "listeners:", "file:" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (starts(source, others[i]))
			return false;
	if (strcmp(source, "-") == 0 || (source[0] == '@' && source[1]))
		return true;
	if (!source[0] || source[0] == '.' || source[0] == '-' || source[0] == '~')
		return false;
	if (strstr(source, "://"))
		return is_missing(scheme_of(source)) || protocol_find(scheme_of(source));
	return !strchr(source, '/') || looks_like_cidr(source);
}

static void shape_fini(struct shape *s)
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

/* "443" or "443,8443", or NULL: the protocol's standard port. */
static enum err parse_ports(const char *text, struct shape *s, struct why *why)
{
	if (!text) {
		s->ports[s->ports_count++] = s->protocol->port;
		return ERR_OK;
	}
	for (;;) {
		const char *end = strchrnul(text, ',');
		unsigned port;

		if (!number(text, end, UINT16_MAX, &port) || port == 0)
			return why_fail(why, ERR_USAGE,
				"\"%.*s\" is no port: it is a number from 1 to 65535",
				(int)(end - text), text);
		if (s->ports_count == TARGET_PORTS_MAX)
			return why_fail(why, ERR_USAGE, "more than %d ports", TARGET_PORTS_MAX);
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
	uint8_t bytes[ADDRESS_BYTES];

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
	if (free_bits > 24)
		return why_fail(why, ERR_USAGE,
			"a network of more than %" PRIu64
			" addresses (/%u) is too large for one target",
			TARGET_ADDRESSES_MAX, bits - 24);
	s->addresses = UINT64_C(1) << free_bits;
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
	return e == ERR_OK ? parse_ports(ports, s, why) : e;
}

static enum err parse_authority(char *text, struct shape *s, struct why *why)
{
	char *at = strchr(text, '@');
	char *slash, *host, *ports;
	enum err e = ERR_OK;

	if (at) {
		*at = '\0';
		e = parse_name(text, &s->name, why);
		if (e != ERR_OK)
			return e;
		text = at + 1;
	}
	slash = strchr(text, '/');
	if (slash)
		return parse_network(text, slash, s, why);
	e = cut_ports(text, &host, &ports, why);
	if (e == ERR_OK)
		e = parse_host(host, s, why);
	return e == ERR_OK ? parse_ports(ports, s, why) : e;
}

static bool is_list(const char *source)
{
	return source[0] == '@' || strcmp(source, "-") == 0;
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
		if (is_missing(scheme))
			return why_fail(
				why, ERR_UNSUPPORTED, "DTLS is not supported by this version");
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

static enum err parse_source(const char *source, struct shape *out, struct why *why)
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

enum err target_check(const char *source, struct why *why)
{
	struct shape s = { 0 };
	enum err e;

	if (strcmp(source, "@") == 0)
		return why_fail(why, ERR_USAGE, "target \"@\": a file name follows the @");
	if (is_list(source))
		return ERR_OK;
	e = parse_source(source, &s, why);
	shape_fini(&s);
	return e;
}

/* ---- the iterator ----------------------------------------------------------------------------- */

enum err targets_open(
	const struct strings *sources, struct targets **out, uint64_t *expected, struct why *why)
{
	struct targets *t = calloc(1, sizeof(*t));
	uint64_t total = 0;
	bool is_known = true;

	if (!t)
		return ERR_MEMORY;
	t->sources = sources;
	for (size_t i = 0; i < sources->count; i++) {
		struct shape s = { 0 };
		enum err e;

		if (is_list(sources->items[i])) {
			is_known = false;
			continue;
		}
		e = parse_source(sources->items[i], &s, why);
		if (e != ERR_OK) {
			targets_free(t);
			return e;
		}
		total += s.addresses * s.ports_count;
		shape_fini(&s);
	}
	*expected = is_known ? total : 0;
	*out = t;
	return ERR_OK;
}

void targets_free(struct targets *t)
{
	if (!t)
		return;
	shape_fini(&t->shape);
	if (t->list && t->list != stdin)
		(void)fclose(t->list);
	free(t);
}

static enum err nth_address(const struct shape *s, uint64_t n, char **out)
{
	size_t size = s->family == AF_INET ? 4 : ADDRESS_BYTES;
	uint8_t bytes[ADDRESS_BYTES];
	char text[INET6_ADDRSTRLEN];

	memcpy(bytes, s->base, sizeof(bytes));
	/* The host bits of `base` are zero and n lies within them: nothing carries. */
	for (size_t i = size; n; n >>= 8)
		bytes[--i] |= (uint8_t)n;
	if (!inet_ntop(s->family, bytes, text, sizeof(text)))
		return ERR_MALFORMED;
	*out = strdup(text);
	return *out ? ERR_OK : ERR_MEMORY;
}

/* The next target of the shape under way; ends the shape with its last one. */
static enum err from_shape(struct targets *t, struct target *out)
{
	struct shape *s = &t->shape;
	struct target target = { .port = s->ports[t->port],
		.protocol = s->protocol,
		.is_unnamed = !s->host && !s->name };
	enum err e = ERR_OK;

	if (s->host)
		target.host = strdup(s->host);
	else
		e = nth_address(s, t->address, &target.host);
	if (s->name)
		target.name = strdup(s->name);
	if (e == ERR_OK && (!target.host || (s->name && !target.name)))
		e = ERR_MEMORY;
	if (e != ERR_OK) {
		target_fini(&target);
		return e;
	}
	if (++t->port == s->ports_count) {
		t->port = 0;
		t->address++;
	}
	if (t->address == s->addresses) {
		t->has_shape = false;
		shape_fini(s);
	}
	*out = target;
	return ERR_OK;
}

static void take_shape(struct targets *t, const struct shape *s)
{
	t->shape = *s;
	t->has_shape = true;
	t->address = 0;
	t->port = 0;
}

/* A bad line is told at a place of its own: the list and the line's number. */
static enum err complain(const struct targets *t, const char *sentence, struct target *out)
{
	struct target target = { 0 };
	struct buffer place;

	buffer_init(&place, 4 * TARGET_SOURCE_BYTES_MAX);
	buffer_text(&place, "file://");
	text_uri_encode(&place, slice_text(t->list == stdin ? "/dev/stdin" : t->list_name));
	buffer_format(&place, "!/%" PRIu64, t->line);
	target.host = buffer_take_string(&place);
	target.complaint = strdup(sentence);
	if (!target.host || !target.complaint) {
		target_fini(&target);
		return ERR_MEMORY;
	}
	*out = target;
	return ERR_OK;
}

static void list_failed(struct targets *t, const char *name, const char *what)
{
	if (t->failure != ERR_OK)
		return;
	t->failure = ERR_IO;
	(void)why_fail(&t->failure_why, ERR_IO, "list of targets \"%s\": %s", name, what);
}

static void list_open(struct targets *t, const char *source)
{
	struct stat st;
	int fd;

	t->line = 0;
	t->list_name = source[0] == '@' ? source + 1 : source;
	if (source[0] != '@') {
		t->list = stdin;
		return;
	}
	fd = open(t->list_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		(void)close(fd);
		list_failed(t, t->list_name, "is a directory");
		return;
	}
	if (fd >= 0)
		t->list = fdopen(fd, "r");
	if (t->list)
		return;
	list_failed(t, t->list_name, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
}

static void list_close(struct targets *t)
{
	if (ferror(t->list))
		list_failed(t, t->list_name, "reading it failed");
	if (t->list != stdin)
		(void)fclose(t->list);
	t->list = NULL;
}

/* Reads the rest of a line that is too long. */
static void skip_line(FILE *list)
{
	int c;

	do {
		c = getc(list);
	} while (c != EOF && c != '\n');
}

/* The line without its comment and the blanks around it. A '#' opens a comment at the start or after a
 * blank. */
static char *trim(char *line)
{
	char *end;

	line += strspn(line, " \t\r\n\xef\xbb\xbf");
	for (char *p = line; *p; p++)
		if (*p == '#' && (p == line || isblank((unsigned char)p[-1])))
			*p = '\0';
	end = line + strlen(line);
	while (end > line && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return line;
}

/* One line: a shape, a complaint in `out`, or neither (ERR_NOT_FOUND). ERR_END at the list's end. */
static enum err from_line(struct targets *t, struct target *out)
{
	char line[LINE_BYTES_MAX];
	struct shape s = { 0 };
	struct why why = { 0 };
	char *text;
	enum err e;

	if (!fgets(line, sizeof(line), t->list))
		return ERR_END;
	t->line++;
	if (!strchr(line, '\n') && strlen(line) == sizeof(line) - 1) {
		skip_line(t->list);
		return complain(t, "the line is too long for a target", out);
	}
	text = trim(line);
	if (!*text)
		return ERR_NOT_FOUND;
	if (is_list(text))
		return complain(t, "a list cannot name another list", out);
	e = parse_source(text, &s, &why);
	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return complain(t, why_text(&why, e), out);
	take_shape(t, &s);
	return ERR_NOT_FOUND;
}

static enum err next_source(struct targets *t, struct why *why)
{
	const char *source;
	struct shape s = { 0 };
	enum err e;

	if (t->source == t->sources->count) {
		if (t->failure == ERR_OK)
			return ERR_END;
		return why_fail(why, t->failure, "%s", t->failure_why.text);
	}
	source = t->sources->items[t->source++];
	if (is_list(source)) {
		list_open(t, source);
		return ERR_OK;
	}
	e = parse_source(source, &s, why);
	if (e == ERR_OK)
		take_shape(t, &s);
	return e;
}

enum err targets_next(struct targets *t, struct target *out, struct why *why)
{
	for (;;) {
		enum err e;

		if (t->has_shape)
			return from_shape(t, out);
		if (!t->list) {
			e = next_source(t, why);
			if (e != ERR_OK)
				return e;
			continue;
		}
		e = from_line(t, out);
		if (e == ERR_END)
			list_close(t);
		else if (e != ERR_NOT_FOUND)
			return e;
	}
}
