/* The machine that runs a protocol's states. */
#include "scanners/network/dialogue.h"

#include "agent/base/strings.h"
#include "scanners/network/starttls/parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define READ_BYTES 4096
#define OUTPUT_BYTES_MAX 8192
#define RECORD_HANDSHAKE 22 /* RFC 8446 5.1 */
#define RECORD_ALERT 21
#define RECORD_MAJOR 3

struct dialogue {
	const struct protocol *protocol; /* borrowed */
	const struct state *state;       /* within protocol->states */
	char *host;                      /* owned */
	char own[PROTOCOL_OWN_BYTES];
	struct buffer input;
	struct buffer output;
	size_t received;
	unsigned units;
	enum dialogue_status status;
	const char *word; /* static */
	struct refusal refusal;
};

/* ---- the end ---------------------------------------------------------------------------------- */

static void fail(struct dialogue *d, enum reason reason, const char *word, const char *format, ...)
	PRINTF_LIKE(4, 5);
static void fail(struct dialogue *d, enum reason reason, const char *word, const char *format, ...)
{
	char text[PROTOCOL_SENTENCE_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	d->status = DIALOGUE_FAILED;
	d->word = word;
	d->refusal.reason = reason;
	(void)snprintf(d->refusal.text, sizeof(d->refusal.text), "%s", text);
}

static void refused(struct dialogue *d)
{
	d->status = DIALOGUE_FAILED;
	d->word = reason_word(d->refusal.reason);
}

void dialogue_time_is_up(struct dialogue *d)
{
	if (d->status == DIALOGUE_DONE || d->status == DIALOGUE_FAILED)
		return;
	fail(d, REASON_TIMEOUT, "timeout", "%s: connected, but %s was not complete in time%s",
		d->protocol->name, d->state->awaits,
		d->received              ? ""
		: d->protocol->is_silent ? ": the server has said nothing"
					 : ": the server has said nothing; the source of one that "
					   "speaks TLS from the first byte is written "
					   "tls://HOST:PORT");
}

const struct refusal *dialogue_refusal(const struct dialogue *d)
{
	return &d->refusal;
}

const char *dialogue_word(const struct dialogue *d)
{
	return d->word;
}

/* ---- states ----------------------------------------------------------------------------------- */

/* Enters a state, and on through those that wait for nothing. */
static void enter(struct dialogue *d, int next)
{
	while (next >= 0) {
		const struct words words = { .host = d->host, .own = d->own, .path = "/" };

		d->state = &d->protocol->states[next];
		say_write(&d->state->say, &words, &d->output);
		if (d->state->frame)
			return;
		next = d->state->next;
	}
	if (next == MOVE_TLS)
		d->status = DIALOGUE_DONE;
}

/* A TLS record where the protocol's own words were expected. */
static bool is_record(struct slice s)
{
	return s.size > 1 && (s.data[0] == RECORD_HANDSHAKE || s.data[0] == RECORD_ALERT) &&
	       s.data[1] == RECORD_MAJOR;
}

static int not_this(struct dialogue *d, struct slice unit)
{
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];

	if (is_record(slice_of(d->input.data, d->input.size)) || is_record(unit)) {
		(void)snprintf(sentence, sizeof(sentence),
			"%s: the server speaks TLS from the first byte; its source is written tls://HOST:PORT",
			d->protocol->name);
		return part_refuse(&d->refusal, REASON_NOT_TLS, sentence, slice_of(NULL, 0));
	}
	(void)snprintf(sentence, sizeof(sentence), "%s: instead of %s the server says",
		d->protocol->name, d->state->awaits);
	return part_refuse(&d->refusal, REASON_NOT_TLS, sentence, unit);
}

static int refuse_by(struct dialogue *d, const struct answer *answer, struct slice unit)
{
	size_t size = strlen(answer->refusal);
	bool is_quoting = size && answer->refusal[size - 1] == ':';
	char sentence[PROTOCOL_SENTENCE_BYTES / 2];

	(void)snprintf(sentence, sizeof(sentence), "%s: %.*s", d->protocol->name, (int)size,
		answer->refusal);
	return part_refuse(
		&d->refusal, REASON_NOT_TLS, sentence, is_quoting ? unit : slice_of(NULL, 0));
}

static int judge(struct dialogue *d, struct slice unit)
{
	struct slice word = unit;

	if (d->state->judge) {
		int next = d->state->judge(unit, &d->refusal);
		char text[PROTOCOL_SENTENCE_BYTES];

		if (next != MOVE_REFUSED)
			return next;
		if (!d->refusal.text[0])
			return not_this(d, unit);
		memcpy(text, d->refusal.text, sizeof(text));
		(void)snprintf(d->refusal.text, sizeof(d->refusal.text), "%s: %.480s",
			d->protocol->name, text);
		return next;
	}
	if (d->protocol->strip)
		word = d->protocol->strip(unit);
	for (const struct answer *a = d->state->answers; a->begins; a++) {
		if (!part_fits(word, a->begins, a->holds))
			continue;
		return a->next == MOVE_REFUSED ? refuse_by(d, a, word) : a->next;
	}
	return not_this(d, word);
}

/* One unit off the input; false when there is none yet or it was the last that counts. */
static bool take_unit(struct dialogue *d)
{
	struct slice got = buffer_bytes(&d->input);
	size_t size = got.size ? d->state->frame(got) : 0;
	bool is_tls = d->units == 0 && is_record(got);
	int next;

	if (size == 0 && !is_tls)
		return false;
	if (is_tls || size == FRAME_NEVER || size > got.size)
		next = not_this(d, got);
	else if (++d->units > DIALOGUE_UNITS_MAX) {
		fail(d, REASON_LIMIT_REACHED, "limit-reached",
			"%s: more than %d lines before TLS, and no end of %s", d->protocol->name,
			DIALOGUE_UNITS_MAX, d->state->awaits);
		return false;
	} else
		next = judge(d, slice_of(got.data, size));
	if (next == MOVE_REFUSED) {
		refused(d);
		return false;
	}
	buffer_consume(&d->input, size);
	if (next == MOVE_STAY)
		return true;
	/* RFC 2595 2.1 and its kin: nothing may come between the answer and TLS; a man in the middle
	 * would put his own words there. */
	enter(d, next);
	if (d->status != DIALOGUE_DONE)
		return true;
	if (d->input.size)
		fail(d, REASON_HANDSHAKE_FAILED, "plaintext-injected",
			"%s: plaintext follows the answer to STARTTLS: somebody puts words into the session",
			d->protocol->name);
	return false;
}

static void settle(struct dialogue *d)
{
	if (d->status == DIALOGUE_DONE || d->status == DIALOGUE_FAILED)
		return;
	if (d->received >= DIALOGUE_BYTES_MAX) {
		fail(d, REASON_LIMIT_REACHED, "limit-reached",
			"%s: the server said 64 KiB before TLS, and %s was not complete",
			d->protocol->name, d->state->awaits);
		return;
	}
	d->status = d->output.size ? DIALOGUE_WANT_WRITE : DIALOGUE_WANT_READ;
}

static void closed(struct dialogue *d, const char *how)
{
	fail(d, REASON_HANDSHAKE_FAILED, how,
		"%s: the server %s the connection before TLS, where %s %s", d->protocol->name,
		strcmp(how, "reset") == 0 ? "reset" : "closed", d->state->awaits,
		d->input.size ? "was not complete" : "was expected");
}

enum err dialogue_feed(struct dialogue *d, struct slice bytes, enum dialogue_status *status)
{
	if (d->status == DIALOGUE_DONE || d->status == DIALOGUE_FAILED) {
		*status = d->status;
		return ERR_OK;
	}
	if (!bytes.size) {
		closed(d, "closed");
	} else {
		d->received += bytes.size;
		buffer_slice(&d->input, bytes);
		if (buffer_status(&d->input) != ERR_OK)
			return buffer_status(&d->input);
		while (take_unit(d))
			continue;
		if (buffer_status(&d->output) != ERR_OK)
			return buffer_status(&d->output);
	}
	settle(d);
	*status = d->status;
	return ERR_OK;
}

struct slice dialogue_output(const struct dialogue *d)
{
	return buffer_bytes(&d->output);
}

void dialogue_sent(struct dialogue *d, size_t size)
{
	buffer_consume(&d->output, size);
}

/* ---- the socket ------------------------------------------------------------------------------- */

/* All that is to be sent; false when the socket takes no more now. */
static bool flush(struct dialogue *d, int fd)
{
	while (d->output.size) {
		ssize_t n = send(fd, d->output.data, d->output.size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		/* A server that is gone may have said why: reading finds out. */
		dialogue_sent(d, n < 0 ? d->output.size : (size_t)n);
	}
	return true;
}

/* Words that came in a packet of their own before the ClientHello was sent. */
static void look_for_injection(struct dialogue *d, int fd)
{
	uint8_t byte;

	if (d->status == DIALOGUE_DONE &&
		recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) > 0)
		fail(d, REASON_HANDSHAKE_FAILED, "plaintext-injected",
			"%s: plaintext follows the answer to STARTTLS: somebody puts words into the session",
			d->protocol->name);
}

static enum err read_once(struct dialogue *d, int fd, bool *would_wait)
{
	uint8_t bytes[READ_BYTES];
	size_t room = DIALOGUE_BYTES_MAX - d->received;
	enum dialogue_status status;
	ssize_t n = recv(fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return ERR_OK;
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		*would_wait = true;
		return ERR_OK;
	}
	if (n < 0) {
		closed(d, "reset");
		return ERR_OK;
	}
	return dialogue_feed(d, slice_of(bytes, (size_t)n), &status);
}

static bool is_over(const struct dialogue *d)
{
	return d->status == DIALOGUE_DONE || d->status == DIALOGUE_FAILED;
}

enum err dialogue_step(struct dialogue *d, int fd, enum dialogue_status *status)
{
	bool would_wait = false;

	while (!would_wait) {
		enum err e;

		/* Also what goes before TLS without an answer (MySQL). */
		if (d->status != DIALOGUE_FAILED && !flush(d, fd)) {
			*status = DIALOGUE_WANT_WRITE;
			return ERR_OK;
		}
		if (is_over(d))
			break;
		e = read_once(d, fd, &would_wait);
		if (e != ERR_OK)
			return e;
	}
	look_for_injection(d, fd);
	*status = is_over(d) ? d->status : DIALOGUE_WANT_READ;
	return ERR_OK;
}

/* ---- life ------------------------------------------------------------------------------------- */

enum err dialogue_new(const struct protocol *p, const struct words *words, struct dialogue **out)
{
	struct dialogue *d = calloc(1, sizeof(*d));

	if (!d)
		return ERR_MEMORY;
	d->protocol = p;
	d->host = strdup(words->host);
	(void)snprintf(d->own, sizeof(d->own), "%s", words->own);
	buffer_init(&d->input, DIALOGUE_BYTES_MAX);
	buffer_init(&d->output, OUTPUT_BYTES_MAX);
	if (d->host)
		enter(d, 0);
	if (!d->host || buffer_status(&d->output) != ERR_OK) {
		dialogue_free(d);
		return ERR_MEMORY;
	}
	settle(d);
	*out = d;
	return ERR_OK;
}

void dialogue_free(struct dialogue *d)
{
	if (!d)
		return;
	buffer_fini(&d->input);
	buffer_fini(&d->output);
	free(d->host);
	free(d);
}

void dialogue_own_name(int fd, char out[PROTOCOL_OWN_BYTES])
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = { 0 };
	socklen_t size = sizeof(a);
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";

	if (getsockname(fd, &a.any, &size) == 0 && a.any.sa_family == AF_INET)
		(void)inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof(text));
	else if (a.any.sa_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof(text));
	(void)snprintf(out, PROTOCOL_OWN_BYTES, strchr(text, ':') ? "[IPv6:%s]" : "[%s]", text);
}
