/* The token role as a signer: finds the key's module, passes requests on, with a deadline each. */
#include "scanners/tokens/signing.h"

#include "agent/base/clock.h"
#include "agent/certificate/token.h"
#include "agent/certificate/token_key.h"
#include "scanners/tokens/launch.h"
#include "scanners/tokens/signer.h"
#include "scanners/tokens/uri.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define MESSAGE_BYTES 512
#define SIGNER_CPU_S 3600 /* over a whole pass */

struct signing {
	const struct token_order *order;
	struct token_uri certificate;
	struct token_uri key;
	struct channel *to; /* main */
	const char *path;   /* of the module that is tried, or has the key */
	struct module_process process;
	/* Why there is no key, or no more. */
	bool is_dead;
	enum reason reason;
	char message[MESSAGE_BYTES];
};

/* --- what may be signed ---------------------------------------------------------------------------- */

#define PADDING 64 /* of blanks */
#define HASH_BYTES_MIN 32
#define HASH_BYTES_MAX 64

static bool is_tls_13(struct slice data)
{
	static const char context[] = "TLS 1.3, client CertificateVerify";

	if (data.size < PADDING + sizeof(context) + HASH_BYTES_MIN ||
		data.size > PADDING + sizeof(context) + HASH_BYTES_MAX)
		return false;
	for (size_t i = 0; i < PADDING; i++)
		if (data.data[i] != ' ')
			return false;
	/* With its NUL byte. */
	return memcmp(data.data + PADDING, context, sizeof(context)) == 0;
}

/* All messages of the handshake so far, of which the first is our ClientHello: its type, its length, and in
 * DTLS its number and fragment; then its version, which is never another's. */
static bool is_tls_12(struct slice data)
{
	enum { HEAD = 4, DATAGRAM_HEAD = 12, HELLO = 1 };
	size_t size;

	if (data.size < DATAGRAM_HEAD + 2 || data.data[0] != HELLO)
		return false;
	size = (size_t)data.data[1] << 16 | (size_t)data.data[2] << 8 | data.data[3];
	if (size + HEAD >= data.size)
		return false;
	return (data.data[HEAD] == 3 && data.data[HEAD + 1] == 3) ||
	       (data.data[DATAGRAM_HEAD] == 0xfe && data.data[DATAGRAM_HEAD + 1] == 0xfd);
}

bool signing_is_tls(struct slice data)
{
	return is_tls_13(data) || is_tls_12(data);
}

/* --- the module ------------------------------------------------------------------------------------ */

static void run(void *arg, struct channel *to, const struct why *refused)
{
	const struct signing *s = arg;
	enum err e = refused ? signer_refuse(to, REASON_UNREADABLE, refused->text)
			     : signer_serve(s->path, s->order, to);

	(void)e;
}

static void die(struct signing *s, enum reason reason, const char *message)
{
	s->is_dead = true;
	s->reason = reason;
	(void)snprintf(s->message, sizeof(s->message), "%s", message);
}

/* The module failed in the time that it had: its process ends. */
static void bury(struct signing *s, enum err e, int64_t ms)
{
	char message[MESSAGE_BYTES];
	int status = module_process_stop(&s->process);

	if (e == ERR_TIMEOUT)
		(void)snprintf(message, sizeof(message), "its module %s did not answer within %g s",
			s->path, (double)ms / 1000.0);
	else if (e == ERR_CLOSED)
		(void)snprintf(message, sizeof(message),
			"its module %s died on it: killed by signal %d (%s)", s->path,
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(message, sizeof(message), "its module %s sent garbage", s->path);
	die(s, e == ERR_TIMEOUT ? REASON_TIMEOUT : REASON_MODULE_CRASHED, message);
}

/* Waits for the module's next frame: ERR_TIMEOUT, or ERR_CLOSED and the like of the module. ERR_END: main is
 * gone. */
static enum err module_read(
	struct signing *s, int64_t deadline_ms, uint16_t *type, struct slice *payload)
{
	struct channel *module = &s->process.channel;

	while (!channel_has_frame(module)) {
		int64_t left = deadline_ms - clock_monotonic_ms();
		struct pollfd fds[] = { { .fd = module->fd, .events = POLLIN },
			{ .fd = s->to->fd, .events = POLLRDHUP } };
		enum err e;

		if (left <= 0)
			return ERR_TIMEOUT;
		if (poll(fds, 2, (int)left) <= 0)
			continue;
		if (fds[1].revents)
			return ERR_END;
		e = channel_fill(module);
		if (e != ERR_OK && e != ERR_BUSY)
			return e;
	}
	return channel_read(module, type, payload);
}

/* --- finding the key ------------------------------------------------------------------------------- */

/* The module's word on the key: told to main if it is good, else kept as the reason. ERR_NOT_FOUND: another module
 * may have it. */
static enum err take_key(struct signing *s, struct slice payload, bool *was_refused)
{
	struct key_answer answer;
	enum err e = key_answer_decode(payload, &answer);

	if (e != ERR_OK)
		return e;
	if (answer.is_usable) {
		s->is_dead = false;
		return channel_write(s->to, MESSAGE_KEY, payload) == ERR_OK ? ERR_OK : ERR_END;
	}
	*was_refused = answer.has_refused_pin;
	s->is_dead = true;
	s->reason = (enum reason)answer.reason;
	(void)snprintf(s->message, sizeof(s->message), "%.*s", (int)answer.message.size,
		(const char *)answer.message.data);
	(void)module_process_stop(&s->process);
	return ERR_NOT_FOUND;
}

/* ERR_OK: main was told of a usable key. ERR_NOT_FOUND: not here. ERR_END: main is gone. */
static enum err try_module(struct signing *s, int64_t deadline_ms, bool *was_refused)
{
	const struct module_start start = {
		.work = &s->order->work, .cpu_s = SIGNER_CPU_S, .run = run, .arg = s
	};
	struct slice payload;
	uint16_t type = 0;
	enum err e = module_process_start(&s->process, &start);

	if (e != ERR_OK)
		return e;
	e = module_read(s, deadline_ms, &type, &payload);
	if (e == ERR_OK && type == MESSAGE_FINISHED) {
		(void)module_process_stop(&s->process);
		return ERR_NOT_FOUND;
	}
	if (e == ERR_OK)
		e = type == MESSAGE_KEY ? take_key(s, payload, was_refused) : ERR_MALFORMED;
	if (e == ERR_OK || e == ERR_NOT_FOUND || e == ERR_END)
		return e;
	bury(s, e, s->order->work.timeout_ms);
	return ERR_NOT_FOUND;
}

static enum err tell_dead(struct signing *s, bool was_refused)
{
	const struct key_answer answer = { .number = 1,
		.reason = (uint8_t)s->reason,
		.message = slice_text(s->message),
		.has_refused_pin = was_refused };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	key_answer_encode(&out, &answer);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(s->to, MESSAGE_KEY, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err try_modules(struct signing *s, int64_t deadline_ms, bool *was_refused)
{
	const struct strings *modules = &s->order->work.modules;
	enum err e = ERR_NOT_FOUND;

	for (size_t i = 0; e == ERR_NOT_FOUND && !*was_refused && i < modules->count; i++) {
		s->path = modules->items[i];
		if (token_uri_has_module(&s->key, s->path) &&
			token_uri_has_module(&s->certificate, s->path))
			e = try_module(s, deadline_ms, was_refused);
	}
	return e;
}

/* May what was not found be there a little later (token.h)? */
static bool is_doubtful(const struct signing *s)
{
	return !s->is_dead || s->reason == REASON_MISSING;
}

static enum err find(struct signing *s)
{
	const struct token_work *work = &s->order->work;
	int64_t deadline_ms = clock_monotonic_ms() + work->timeout_ms;
	bool was_refused = false;
	enum err e = try_modules(s, deadline_ms, &was_refused);

	for (unsigned tries = 1;
		e == ERR_NOT_FOUND && !was_refused && is_doubtful(s) && tries < TOKEN_TRIES_MAX;
		tries++) {
		clock_sleep_ms(TOKEN_PAUSE_MS);
		s->is_dead = false;
		e = try_modules(s, deadline_ms, &was_refused);
	}
	if (e != ERR_NOT_FOUND)
		return e == ERR_END ? ERR_CLOSED : e;
	if (!s->is_dead && work->complaint)
		die(s, work->is_limited ? REASON_LIMIT_REACHED : REASON_UNREADABLE,
			work->complaint);
	else if (!s->is_dead)
		die(s, REASON_MISSING, "no such token is there");
	return tell_dead(s, was_refused);
}

/* --- signatures ------------------------------------------------------------------------------------ */

static enum err tell_refused(struct signing *s, const struct sign_request *asked,
	enum reason reason, const char *message)
{
	const struct sign_answer said = { .id = asked->id,
		.number = asked->number,
		.reason = (uint8_t)reason,
		.message = slice_text(message),
		.is_final = s->is_dead };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	sign_answer_encode(&out, &said);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(s->to, MESSAGE_SIGNED, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

/* The module's answer to this very request, handed to main. */
static enum err pass_on(struct signing *s, const struct sign_request *asked)
{
	struct sign_answer said;
	struct slice payload;
	uint16_t type = 0;
	enum err e = module_read(s, clock_monotonic_ms() + TOKEN_SIGN_MS, &type, &payload);

	if (e == ERR_END)
		return ERR_CLOSED;
	if (e == ERR_OK)
		e = type == MESSAGE_SIGNED ? sign_answer_decode(payload, &said) : ERR_MALFORMED;
	if (e == ERR_OK && (said.id != asked->id || said.number != asked->number))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		return channel_write(s->to, MESSAGE_SIGNED, payload);
	bury(s, e, TOKEN_SIGN_MS);
	return tell_refused(s, asked, s->reason, s->message);
}

/* Whoever may ask the probe's questions gets no signature but of the kind that a TLS client makes. Of a digest nothing
 * more can be seen. */
static bool may_sign(const struct sign_request *asked)
{
	size_t size = token_key_digest_bytes(asked->scheme);

	return size == SIZE_MAX ? signing_is_tls(asked->data) : size && asked->data.size == size;
}

static enum err on_sign(struct signing *s, struct slice payload)
{
	struct sign_request asked;
	enum err e = sign_request_decode(payload, &asked);

	if (e != ERR_OK)
		return e;
	if (s->is_dead)
		return tell_refused(s, &asked, s->reason, s->message);
	if (!may_sign(&asked))
		return tell_refused(s, &asked, REASON_UNSUPPORTED,
			"only handshakes of TLS 1.2 and 1.3 are signed");
	if (channel_write(&s->process.channel, MESSAGE_SIGN, payload) != ERR_OK) {
		bury(s, ERR_CLOSED, 0);
		return tell_refused(s, &asked, s->reason, s->message);
	}
	return pass_on(s, &asked);
}

static enum err serve(struct signing *s)
{
	struct slice payload;
	uint16_t type;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		e = channel_read(s->to, &type, &payload);
		if (e == ERR_OK)
			e = type == MESSAGE_SIGN ? on_sign(s, payload) : ERR_MALFORMED;
	}
	return e;
}

enum err signing_serve(const struct token_order *order, struct channel *to)
{
	struct signing s = { .order = order, .to = to };
	enum err e = order->key ? token_uri_parse_key(order->key, &s.key, NULL) : ERR_OK;

	if (e == ERR_OK && order->certificate)
		e = token_uri_parse(order->certificate, &s.certificate, NULL);
	if (e == ERR_OK)
		e = find(&s);
	if (e == ERR_OK)
		e = serve(&s);
	(void)module_process_stop(&s.process);
	token_uri_fini(&s.certificate);
	token_uri_fini(&s.key);
	return e;
}
