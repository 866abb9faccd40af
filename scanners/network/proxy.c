/* HTTP CONNECT (RFC 9110 9.3.6) and SOCKS5 (RFC 1928, RFC 1929), as clients. */
#include "scanners/network/proxy.h"

#include "agent/base/buffer.h"
#include "agent/base/text.h"
#include "scanners/network/dns.h"
#include "scanners/network/shape.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CREDENTIAL_BYTES_MAX 255 /* RFC 1929 2 */
#define REQUEST_BYTES_MAX (4 * 1024)
#define SOCKS_VERSION 5
#define SOCKS_NO_PASSWORD 0
#define SOCKS_PASSWORD 2
#define SOCKS_NONE_GOOD 0xff

struct proxy_talk {
	const struct proxy *proxy; /* borrowed */
	char *host;                /* owned */
	uint16_t port;
	struct buffer out; /* what is to be sent; wiped, for it may hold a password */
	size_t sent;
	struct buffer in;
	unsigned stage; /* of the kind */
	struct refusal why;
	bool is_targets_fault;
};

struct proxy_kind {
	const char *scheme;
	uint16_t port;
	/* What is sent first. */
	void (*begin)(struct proxy_talk *t);
	/* How many bytes of what is in the socket (after `in`) may be taken: `peeked` is looked at. 0: more has
	 * to come, all of `peeked` is taken. */
	size_t (*wants)(const struct proxy_talk *t, struct slice peeked);
	/* A whole answer is in `in`. */
	enum dialogue_status (*answered)(struct proxy_talk *t);
};

/* ---- words ------------------------------------------------------------------------------------ */

static enum dialogue_status refuse(struct proxy_talk *t, enum reason reason, const char *what)
{
	t->why.reason = reason;
	(void)snprintf(t->why.text, sizeof(t->why.text), "proxy %s: %s", t->proxy->shown, what);
	return DIALOGUE_FAILED;
}

/* ---- HTTP ------------------------------------------------------------------------------------- */

static void put_credentials(struct proxy_talk *t)
{
	struct buffer pair;
	gnutls_datum_t plain, encoded = { 0 };

	if (!t->proxy->user)
		return;
	buffer_init(&pair, 2 * CREDENTIAL_BYTES_MAX + 2);
	buffer_format(&pair, "%s:%s", t->proxy->user, t->proxy->password);
	plain = (gnutls_datum_t){ pair.data, (unsigned)pair.size };
	/* RFC 7617 2 */
	if (buffer_status(&pair) == ERR_OK && gnutls_base64_encode2(&plain, &encoded) == 0) {
		buffer_text(&t->out, "Proxy-Authorization: Basic ");
		buffer_append(&t->out, encoded.data, encoded.size);
		buffer_text(&t->out, "\r\n");
		gnutls_memset(encoded.data, 0, encoded.size);
	}
	gnutls_free(encoded.data);
	buffer_wipe(&pair);
}

static void http_begin(struct proxy_talk *t)
{
	const char *left = strchr(t->host, ':') ? "[" : "";
	const char *right = *left ? "]" : "";

	buffer_format(&t->out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", left, t->host,
		right, t->port, left, t->host, right, t->port);
	put_credentials(t);
	buffer_text(&t->out, "\r\n");
}

/* Up to and with the empty line. */
static size_t http_wants(const struct proxy_talk *t, struct slice peeked)
{
	/* The end may lie across what was taken before: its last bytes are looked at again. */
	size_t before = t->in.size < 3 ? t->in.size : 3;
	uint8_t window[3 + 4096];
	size_t size = peeked.size < 4096 ? peeked.size : 4096;

	memcpy(window, t->in.data ? t->in.data + t->in.size - before : window, before);
	memcpy(window + before, peeked.data, size);
	for (size_t i = 0; i + 1 < before + size; i++) {
		size_t end = 0;

		if (window[i] == '\n' && window[i + 1] == '\n')
			end = i + 2;
		else if (i + 2 < before + size && memcmp(window + i, "\n\r\n", 3) == 0)
			end = i + 3;
		if (end > before)
			return end - before;
	}
	return 0;
}

/* RFC 9112 4: a space and three digits; -1: it is none. */
static long status_code(const char *text)
{
	char *end;
	long code = *text == ' ' && isdigit((unsigned char)text[1]) ? strtol(text, &end, 10) : -1;

	return code >= 100 && code <= 999 ? code : -1;
}

static enum dialogue_status http_answered(struct proxy_talk *t)
{
	const char *head = buffer_string(&t->in);
	char line[PROTOCOL_QUOTE_BYTES + 1];
	char text[PROTOCOL_SENTENCE_BYTES];
	char *shown;
	long code;

	code = strncmp(head, "HTTP/1.", 7) == 0 ? status_code(head + 8) : -1;
	if (code < 0)
		return refuse(t, REASON_UNREACHABLE, "what answers is no HTTP proxy");
	/* RFC 9110 9.3.6: any 2xx opens the tunnel. */
	if (code / 100 == 2)
		return DIALOGUE_DONE;
	/* 401 is for servers (RFC 9110 15.5.2), but some proxies say it. */
	if (code == 407 || code == 401)
		return refuse(t, REASON_UNREACHABLE,
			t->proxy->user ? "it refuses user and password"
				       : "it wants a user and a password");
	(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(head + 9, "\r\n"), head + 9);
	shown = text_escaped(slice_of(line, text_cut(line, sizeof(line) - 1)));
	(void)snprintf(text, sizeof(text), "it does not connect to %.255s port %u: %s", t->host,
		t->port, shown ? shown : "");
	free(shown);
	t->is_targets_fault = true;
	return refuse(t, code == 504 ? REASON_TIMEOUT : REASON_UNREACHABLE, text);
}

/* ---- SOCKS5 ----------------------------------------------------------------------------------- */

enum { SOCKS_METHOD, SOCKS_LOGIN, SOCKS_REPLY };

static void socks_begin(struct proxy_talk *t)
{
	buffer_byte(&t->out, SOCKS_VERSION);
	buffer_byte(&t->out, t->proxy->user ? 2 : 1);
	buffer_byte(&t->out, SOCKS_NO_PASSWORD);
	if (t->proxy->user)
		buffer_byte(&t->out, SOCKS_PASSWORD);
}

static size_t socks_size(const struct proxy_talk *t)
{
	const uint8_t *in = t->in.data;

	if (t->stage != SOCKS_REPLY)
		return 2;
	/* RFC 1928 6: four bytes, the address by its kind, two of the port. */
	if (t->in.size < 5)
		return 5;
	return 4 + (in[3] == 1 ? 4U : in[3] == 4 ? 16U : 1U + in[4]) + 2;
}

static size_t socks_wants(const struct proxy_talk *t, struct slice peeked)
{
	size_t missing = socks_size(t) - t->in.size;

	return peeked.size < missing ? 0 : missing;
}

static void socks_request(struct proxy_talk *t)
{
	union address a;

	buffer_byte(&t->out, SOCKS_VERSION);
	buffer_byte(&t->out, 1); /* CONNECT */
	buffer_byte(&t->out, 0);
	if (!address_parse(t->host, 0, &a)) {
		buffer_byte(&t->out, 3);
		buffer_byte(&t->out, (uint8_t)strlen(t->host));
		buffer_text(&t->out, t->host);
	} else if (a.any.sa_family == AF_INET) {
		buffer_byte(&t->out, 1);
		buffer_append(&t->out, &a.v4.sin_addr, 4);
	} else {
		buffer_byte(&t->out, 4);
		buffer_append(&t->out, &a.v6.sin6_addr, 16);
	}
	buffer_byte(&t->out, (uint8_t)(t->port >> 8));
	buffer_byte(&t->out, (uint8_t)t->port);
	t->stage = SOCKS_REPLY;
}

static void socks_login(struct proxy_talk *t)
{
	buffer_byte(&t->out, 1); /* RFC 1929 2 */
	buffer_byte(&t->out, (uint8_t)strlen(t->proxy->user));
	buffer_text(&t->out, t->proxy->user);
	buffer_byte(&t->out, (uint8_t)strlen(t->proxy->password));
	buffer_text(&t->out, t->proxy->password);
	t->stage = SOCKS_LOGIN;
}

static enum dialogue_status socks_replied(struct proxy_talk *t, uint8_t code)
{
	static const struct {
		const char *text;
		enum reason reason;
	} replies[] = {
		{ NULL, REASON_UNREACHABLE },
		{ "general failure", REASON_UNREACHABLE },
		{ "not allowed by its rules", REASON_UNREACHABLE },
		{ "network unreachable", REASON_UNREACHABLE },
		{ "host unreachable", REASON_UNREACHABLE },
		{ "connection refused", REASON_REFUSED },
		{ "TTL expired", REASON_TIMEOUT },
		{ "command not supported", REASON_UNREACHABLE },
		{ "address type not supported", REASON_UNREACHABLE },
	};
	const char *word = code < sizeof(replies) / sizeof(replies[0]) ? replies[code].text : NULL;
	char text[PROTOCOL_SENTENCE_BYTES];

	if (code == 0)
		return DIALOGUE_DONE;
	(void)snprintf(text, sizeof(text), "it does not connect to %.255s port %u: %s (%u)",
		t->host, t->port, word ? word : "unknown reply", code);
	t->is_targets_fault = true;
	return refuse(t, word ? replies[code].reason : REASON_UNREACHABLE, text);
}

static enum dialogue_status socks_answered(struct proxy_talk *t)
{
	uint8_t in[5] = { 0 };

	/* The head of a reply says how long it is. */
	if (t->in.size < socks_size(t))
		return DIALOGUE_WANT_READ;
	memcpy(in, t->in.data, t->in.size < sizeof(in) ? t->in.size : sizeof(in));
	buffer_clear(&t->in);
	if (t->stage == SOCKS_LOGIN && in[1] != 0)
		return refuse(t, REASON_UNREACHABLE, "it refuses user and password");
	if (t->stage == SOCKS_LOGIN) {
		socks_request(t);
		return DIALOGUE_WANT_WRITE;
	}
	if (in[0] != SOCKS_VERSION)
		return refuse(t, REASON_UNREACHABLE, "what answers is no SOCKS5 proxy");
	if (t->stage == SOCKS_REPLY)
		return socks_replied(t, in[1]);
	if (in[1] == SOCKS_NO_PASSWORD)
		socks_request(t);
	else if (in[1] == SOCKS_PASSWORD && t->proxy->user)
		socks_login(t);
	else
		return refuse(t, REASON_UNREACHABLE,
			in[1] == SOCKS_NONE_GOOD && !t->proxy->user
				? "it wants a user and a password"
				: "it wants another way to log in");
	return DIALOGUE_WANT_WRITE;
}

/* ---- the dialogue ----------------------------------------------------------------------------- */

static const struct proxy_kind kinds[] = {
	{ "http", 3128, http_begin, http_wants, http_answered },
	{ "socks5", 1080, socks_begin, socks_wants, socks_answered },
	{ "socks5h", 1080, socks_begin, socks_wants, socks_answered },
};

enum err proxy_talk_new(
	const struct proxy *proxy, const char *host, uint16_t port, struct proxy_talk **out)
{
	struct proxy_talk *t = calloc(1, sizeof(*t));
	size_t size = strlen(host);

	if (!t)
		return ERR_MEMORY;
	t->proxy = proxy;
	t->port = port;
	t->host = strdup(host);
	buffer_init(&t->out, REQUEST_BYTES_MAX);
	buffer_init(&t->in, PROXY_ANSWER_BYTES_MAX);
	if (!t->host) {
		proxy_talk_free(t);
		return ERR_MEMORY;
	}
	/* The root's dot is not for proxies. */
	if (size && t->host[size - 1] == '.')
		t->host[size - 1] = '\0';
	proxy->kind->begin(t);
	*out = t;
	return ERR_OK;
}

void proxy_talk_free(struct proxy_talk *t)
{
	if (!t)
		return;
	free(t->host);
	buffer_wipe(&t->out);
	buffer_fini(&t->in);
	free(t);
}

const struct refusal *proxy_talk_refusal(const struct proxy_talk *t)
{
	return &t->why;
}

bool proxy_talk_blames_target(const struct proxy_talk *t)
{
	return t->is_targets_fault;
}

/* Sends what is left; DIALOGUE_WANT_READ when all is out. */
static enum dialogue_status push(struct proxy_talk *t, int fd)
{
	if (buffer_status(&t->out) != ERR_OK)
		return refuse(t, REASON_UNSUPPORTED, "the request is too long");
	while (t->sent < t->out.size) {
		ssize_t ret = send(fd, t->out.data + t->sent, t->out.size - t->sent, MSG_NOSIGNAL);

		if (ret < 0 && errno == EINTR)
			continue;
		if (ret < 0 && errno == EAGAIN)
			return DIALOGUE_WANT_WRITE;
		if (ret < 0)
			return refuse(t, REASON_UNREACHABLE, strerror(errno));
		t->sent += (size_t)ret;
	}
	buffer_clear(&t->out);
	t->sent = 0;
	return DIALOGUE_WANT_READ;
}

/* Takes one answer, or what there is of it. */
static enum dialogue_status pull(struct proxy_talk *t, int fd)
{
	uint8_t bytes[4096];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_PEEK);
	size_t whole;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR
			       ? DIALOGUE_WANT_READ
			       : refuse(t, REASON_UNREACHABLE, strerror(errno));
	if (got == 0)
		return refuse(t, REASON_UNREACHABLE, "it closed the connection before it was open");
	whole = t->proxy->kind->wants(t, slice_of(bytes, (size_t)got));
	got = recv(fd, bytes, whole ? whole : (size_t)got, 0);
	if (got <= 0)
		return refuse(t, REASON_UNREACHABLE, "reading from it failed");
	buffer_append(&t->in, bytes, (size_t)got);
	if (buffer_status(&t->in) != ERR_OK)
		return refuse(t, REASON_LIMIT_REACHED, "its answer does not come to an end");
	return whole ? t->proxy->kind->answered(t) : DIALOGUE_WANT_READ;
}

enum dialogue_status proxy_talk_step(struct proxy_talk *t, int fd)
{
	enum dialogue_status status = push(t, fd);

	/* One round reads one answer at most; what is left in the socket wakes us again. */
	if (status == DIALOGUE_WANT_READ)
		status = pull(t, fd);
	if (status == DIALOGUE_WANT_WRITE)
		status = push(t, fd);
	return status;
}

/* ---- what a user writes ----------------------------------------------------------------------- */

void proxy_fini(struct proxy *p)
{
	free(p->host);
	free(p->user);
	if (p->password)
		gnutls_memset(p->password, 0, strlen(p->password));
	free(p->password);
	free(p->shown);
	*p = (struct proxy){ 0 };
}

/* "user:password", percent-encoded. */
static enum err parse_credentials(const char *text, struct proxy *p, struct why *why)
{
	const char *colon = strchr(text, ':');
	size_t size = colon ? (size_t)(colon - text) : strlen(text);
	struct buffer user, password;
	bool is_good;

	buffer_init(&user, CREDENTIAL_BYTES_MAX);
	buffer_init(&password, CREDENTIAL_BYTES_MAX);
	is_good = text_uri_decode(&user, slice_of(text, size)) &&
		  text_uri_decode(&password, slice_text(colon ? colon + 1 : ""));
	is_good = is_good && buffer_status(&user) == ERR_OK && buffer_status(&password) == ERR_OK &&
		  user.size && !memchr(user.data, 0, user.size) &&
		  !memchr(user.data, ':', user.size);
	if (is_good) {
		p->user = strdup(buffer_string(&user));
		p->password = strdup(buffer_string(&password));
	}
	buffer_wipe(&user);
	buffer_wipe(&password);
	if (!is_good)
		return why_fail(why, ERR_USAGE,
			"the proxy's user and password: at most %d bytes each, %%XX for what is no letter",
			CREDENTIAL_BYTES_MAX);
	return p->user && p->password ? ERR_OK : ERR_MEMORY;
}

static enum err parse_place(char *text, struct proxy *p, struct why *why)
{
	struct shape s = { 0 };
	enum err e;

	if (*text && text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = '\0';
	e = shape_parse_place(text, &s, why);
	if (e == ERR_OK && (!s.host || s.ports_count > 1))
		e = why_fail(why, ERR_USAGE, "a proxy is one HOST:PORT");
	if (e == ERR_OK) {
		p->host = s.host;
		s.host = NULL;
		p->port = s.ports_count ? s.ports[0] : p->kind->port;
	}
	shape_fini(&s);
	return e;
}

static enum err parse(char *text, struct proxy *p, struct why *why)
{
	char *rest = strstr(text, "://");
	size_t size = rest ? (size_t)(rest - text) : 0;
	char *at;
	enum err e = ERR_OK;

	p->kind = rest ? NULL : &kinds[0];
	for (size_t i = 0; rest && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strlen(kinds[i].scheme) == size &&
			strncasecmp(text, kinds[i].scheme, size) == 0)
			p->kind = &kinds[i];
	if (!p->kind)
		return why_fail(why, ERR_USAGE,
			"a proxy is written http://HOST:PORT or socks5://HOST:PORT");
	rest = rest ? rest + 3 : text;
	at = strrchr(rest, '@');
	if (at) {
		*at = '\0';
		e = parse_credentials(rest, p, why);
		rest = at + 1;
	}
	return e == ERR_OK ? parse_place(rest, p, why) : e;
}

enum err proxy_parse(const char *url, struct proxy *out, struct why *why)
{
	struct proxy p = { 0 };
	char text[PROXY_BYTES_MAX + 1];
	enum err e;

	if (strlen(url) > PROXY_BYTES_MAX)
		return why_fail(
			why, ERR_USAGE, "a proxy's URL has at most %d bytes", PROXY_BYTES_MAX);
	memcpy(text, url, strlen(url) + 1);
	e = parse(text, &p, why);
	gnutls_memset(text, 0, sizeof(text));
	if (e == ERR_OK && p.host) {
		const bool is_v6 = strchr(p.host, ':');

		if (asprintf(&p.shown, "%s://%s%s%s:%u", p.kind->scheme, is_v6 ? "[" : "", p.host,
			    is_v6 ? "]" : "", p.port) < 0) {
			p.shown = NULL;
			e = ERR_MEMORY;
		}
	}
	if (e == ERR_OK)
		*out = p;
	else
		proxy_fini(&p);
	return e;
}
