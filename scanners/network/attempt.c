/* The state machine of one target. */
#include "scanners/network/attempt.h"

#include "agent/base/clock.h"
#include "scanners/network/dialogue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RETRY_MS 50        /* between tries when descriptors or ports are used up */
#define ADDRESS_MS_MIN 100 /* for one of several addresses to connect */
#define MESSAGE_BYTES 512
/* Protocols tried on a listening socket that does not speak TLS at once. */
#define SUGGESTED_MAX 2
#define PLACE_BYTES 2048

enum phase {
	PHASE_CONNECT,
	PHASE_RETRY,
	PHASE_PROXY,
	PHASE_DIALOGUE,
	PHASE_HANDSHAKE,
	PHASE_LISTEN,
	PHASE_OVER
};

/* What is called in a thread where it may wait for a token. */
typedef enum tls_status tls_call_fn(struct tls *t);

struct attempt {
	struct attempts *all; /* borrowed */
	struct attempt *next; /* in all->first's list */
	struct attempt *previous;
	uv_timer_t timer;
	enum phase phase;
	void *ctx;
	struct attempt_start what; /* owned */
	int64_t deadline_ms;       /* monotonic */
	int64_t stalled_ms;        /* all->stalled_ms up to which the deadline was moved */
	int64_t spent_ms;          /* on protocols that were tried before this one */
	int64_t connect_ms;        /* when the connection was asked for */
	int64_t round_trip_ms;
	int64_t patience_ms; /* the TLS session's, that the timer runs for; 0 = none */
	size_t address;      /* the one under way */
	int fd;              /* owned, or -1 */
	struct watch watch;
	struct proxy_talk *talk;     /* owned, or NULL */
	struct dialogue *dialogue;   /* owned, or NULL */
	struct transport *transport; /* owned, or NULL */
	struct tls *tls;             /* owned, or NULL */
	int connect_errno;           /* of the last address that failed */
	bool was_crowded;            /* waited for descriptors or ports */
	struct session seen;         /* owned */
	/* What else is tried where nobody said what is spoken. */
	const struct protocol *suggested[SUGGESTED_MAX];
	size_t suggested_count;
	size_t suggested_next;
	bool has_asked; /* for suggestions */
	/* A call that another thread is making; nobody touches `tls` and `transport` then. */
	uv_work_t call;
	tls_call_fn *called;
	enum tls_status call_status;
	uint64_t call_due_ms; /* when the timer would have woken up, by the loop's clock */
	bool is_calling;
	bool is_dropped; /* while it was: what is left goes with the call's end and the timer's */
	bool is_timer_closed;
};

static void connect_next(struct attempt *a);
static bool restart(struct attempt *a);
static void on_timer(uv_timer_t *timer);

/* ---- the end ---------------------------------------------------------------------------------- */

static void socket_drop(struct attempt *a)
{
	proxy_talk_free(a->talk);
	a->talk = NULL;
	dialogue_free(a->dialogue);
	a->dialogue = NULL;
	tls_leave(a->tls);
	transport_free(a->transport);
	a->transport = NULL;
	watch_stop(a->all->watches, &a->watch, true);
	if (a->fd >= 0)
		(void)close(a->fd);
	a->fd = -1;
}

static void on_closed(uv_handle_t *handle)
{
	struct attempt *a = handle->data;

	a->is_timer_closed = true;
	if (!a->is_calling)
		free(a);
}

static void link_in(struct attempt *a)
{
	a->next = a->all->first;
	if (a->next)
		a->next->previous = a;
	a->all->first = a;
}

static void link_out(struct attempt *a)
{
	if (a->previous)
		a->previous->next = a->next;
	else
		a->all->first = a->next;
	if (a->next)
		a->next->previous = a->previous;
}

static void let_go(struct attempt *a)
{
	socket_drop(a);
	tls_free(a->tls);
	a->tls = NULL;
	session_fini(&a->seen);
	attempt_start_fini(&a->what);
}

/* Frees all but the attempt itself, whose timer closes first. */
static void drop(struct attempt *a)
{
	uv_close((uv_handle_t *)&a->timer, on_closed);
	a->is_dropped = true;
	if (!a->is_calling)
		let_go(a);
}

/* Did somebody answer, or keep silent, without TLS where nobody said that there must be any? */
static bool is_open_question(const struct attempt *a)
{
	const struct session *seen = &a->seen;

	/* One that is asked for a name has spoken TLS before. */
	return a->what.target.is_quiet && !a->what.target.is_suggested &&
	       seen->facts.is_reachable && session_is_without_tls(seen);
}

/* What the banner suggests, or else, for a server that took our first word for an error, the port. */
static void ask_for_suggestions(struct attempt *a)
{
	struct slice head = a->tls ? tls_head(a->tls) : slice_of(NULL, 0);

	a->has_asked = true;
	a->suggested_count =
		protocol_suggest(a->what.target.port, head, a->suggested, SUGGESTED_MAX);
	if (!a->suggested_count)
		a->suggested_count = protocol_suggest(
			a->what.target.port, slice_of(NULL, 0), a->suggested, SUGGESTED_MAX);
}

/* The place follows what is spoken there. */
static bool move(struct attempt *a, const struct protocol *protocol)
{
	struct buffer place;
	char *text;

	a->what.target.protocol = protocol;
	buffer_init(&place, PLACE_BYTES);
	target_uri(&place, &a->what.target);
	text = buffer_take_string(&place);
	if (!text)
		return false;
	free(a->what.place);
	a->what.place = text;
	return true;
}

/* Begins again with the next protocol that the banner or the port suggests. After the last, the place is
 * that of a server that speaks no TLS. False: there is nothing else to try. */
static bool try_another(struct attempt *a)
{
	if (!is_open_question(a))
		return false;
	if (!a->has_asked)
		ask_for_suggestions(a);
	if (a->suggested_next < a->suggested_count)
		return move(a, a->suggested[a->suggested_next++]) && restart(a);
	if (a->suggested_count)
		(void)move(a, NULL);
	return false;
}

/* Whatever follows, the address has answered. */
static enum err note_reached(struct attempt *a)
{
	char address[INET6_ADDRSTRLEN];

	address_text(&a->what.addresses[a->address], address);
	a->seen.facts.is_reachable = true;
	/* Which address a proxy takes is not known. */
	if (!a->what.proxy && !a->seen.facts.address)
		a->seen.facts.address = strdup(address);
	return a->what.proxy || a->seen.facts.address ? ERR_OK : ERR_MEMORY;
}

static bool is_datagram(const struct attempt *a)
{
	return target_protocol(&a->what.target)->is_datagram;
}

/* Of its own time: what moved the deadline is not counted. */
static int64_t used_ms(const struct attempt *a)
{
	int64_t stalled = a->all->stalled_ms - a->stalled_ms;
	int64_t ms = clock_monotonic_ms() - stalled - (a->deadline_ms - a->all->timeout_ms);

	return ms > 0 ? ms : 0;
}

/* The only way out. */
static void finish(struct attempt *a, enum err e)
{
	if (e == ERR_OK && a->tls && !a->seen.facts.is_reachable && tls_has_heard(a->tls))
		e = note_reached(a);
	if (e == ERR_OK && a->tls)
		e = tls_report(a->tls, &a->seen);
	if (e == ERR_OK && try_another(a))
		return;
	a->phase = PHASE_OVER;
	a->seen.facts.duration_ms = (uint32_t)(a->spent_ms + used_ms(a));
	link_out(a);
	/* Before the report, so that a main that is slow to read does not hold the server's connection. */
	socket_drop(a);
	a->all->done(a->all->arg, a->ctx, &a->what, &a->seen, e);
	drop(a);
}

void attempts_stop(struct attempts *all)
{
	while (all->first) {
		struct attempt *a = all->first;

		link_out(a);
		all->dropped(a->ctx);
		drop(a);
	}
}

/* Ended before TLS: `text` is the sentence, `word` what is told of the handshake. */
static void fail_as(struct attempt *a, enum reason reason, const char *word, const char *text)
{
	a->seen.has_problem = true;
	a->seen.reason = reason;
	a->seen.message = strdup(text);
	a->seen.facts.handshake = strdup(word);
	finish(a, a->seen.message && a->seen.facts.handshake ? ERR_OK : ERR_MEMORY);
}

static void fail(struct attempt *a, enum reason reason, const char *text)
{
	fail_as(a, reason, reason_word(reason), text);
}

/* ---- time ------------------------------------------------------------------------------------- */

static int64_t left_ms(struct attempt *a)
{
	int64_t left;

	a->deadline_ms += a->all->stalled_ms - a->stalled_ms;
	a->stalled_ms = a->all->stalled_ms;
	left = a->deadline_ms - clock_monotonic_ms();
	return left > 0 ? left : 0;
}

/* Wakes up in `ms`, at the deadline at the latest. */
static void wake_in(struct attempt *a, int64_t ms)
{
	int64_t left = left_ms(a);

	/* The loop's clock may be a busy round old. */
	uv_update_time(a->all->loop);
	(void)uv_timer_start(&a->timer, on_timer, (uint64_t)(ms < left ? ms : left), 0);
}

/* ---- TLS -------------------------------------------------------------------------------------- */

static void wait_for(struct attempt *a, unsigned events)
{
	if (watch_for(a->all->watches, &a->watch, a->fd, events) != ERR_OK)
		finish(a, ERR_IO);
}

/* Datagrams may be lost: then nothing comes, and what was said has to be said again. */
static void wake_to_resend(struct attempt *a)
{
	int64_t ms = tls_resend_ms(a->tls);

	if (ms)
		wake_in(a, ms);
}

static void connect_failed(struct attempt *a, int error);

/* Of a closed port one is told only after something was sent to it. */
static void over(struct attempt *a)
{
	int error = tls_socket_error(a->tls);

	if (!is_datagram(a) || !error || tls_has_heard(a->tls)) {
		finish(a, ERR_OK);
		return;
	}
	socket_drop(a);
	tls_free(a->tls);
	a->tls = NULL;
	connect_failed(a, error);
}

static void follow(struct attempt *a, enum tls_status status)
{
	switch (status) {
	case TLS_WANT_READ:
		wake_to_resend(a);
		wait_for(a, WATCH_READABLE);
		return;
	case TLS_WANT_WRITE:
		wait_for(a, WATCH_WRITABLE);
		return;
	case TLS_LISTENING:
		if (a->patience_ms != tls_patience_ms(a->tls)) {
			a->phase = PHASE_LISTEN;
			a->patience_ms = tls_patience_ms(a->tls);
			wake_in(a, a->patience_ms);
		}
		wait_for(a, WATCH_READABLE);
		return;
	case TLS_AGAIN:
		socket_drop(a);
		connect_next(a);
		return;
	case TLS_OVER:
		over(a);
		return;
	}
}

/* ---- calls that may wait for a token ----------------------------------------------------------- */

static void time_is_up(struct attempt *a);

static void on_call(uv_work_t *call)
{
	struct attempt *a = call->data;

	a->call_status = a->called(a->tls);
}

static void on_call_over(uv_work_t *call, int status)
{
	struct attempt *a = call->data;
	uint64_t now;

	(void)status;
	a->is_calling = false;
	if (a->is_dropped) {
		let_go(a);
		if (a->is_timer_closed)
			free(a);
		return;
	}
	uv_update_time(a->all->loop);
	now = uv_now(a->all->loop);
	if (a->call_status != TLS_OVER && left_ms(a) == 0) {
		time_is_up(a);
		return;
	}
	(void)uv_timer_start(
		&a->timer, on_timer, a->call_due_ms > now ? a->call_due_ms - now : 0, 0);
	follow(a, a->call_status);
}

/* In a thread: its timer and its socket are not looked at meanwhile. The call ends by the deadline by itself. */
static void call_elsewhere(struct attempt *a, tls_call_fn *fn)
{
	a->called = fn;
	a->call.data = a;
	a->call_due_ms = uv_now(a->all->loop) + uv_timer_get_due_in(&a->timer);
	tls_block_until(a->tls, clock_monotonic_ms() + left_ms(a));
	(void)uv_timer_stop(&a->timer);
	watch_stop(a->all->watches, &a->watch, false);
	if (uv_queue_work(a->all->loop, &a->call, on_call, on_call_over) != 0) {
		finish(a, ERR_MEMORY);
		return;
	}
	a->is_calling = true;
}

static void call(struct attempt *a, tls_call_fn *fn)
{
	if (tls_may_block(a->tls))
		call_elsewhere(a, fn);
	else
		follow(a, fn(a->tls));
}

static void step(struct attempt *a)
{
	call(a, tls_step);
}

static enum err session_begin(struct attempt *a)
{
	const struct tls_target target = { .server_name = a->seen.facts.server_name,
		.host = a->seen.facts.server_name ? a->seen.facts.server_name
			: a->seen.facts.address   ? a->seen.facts.address
						  : a->what.target.host,
		.port = a->what.target.port,
		.protocol = target_protocol(&a->what.target),
		.round_trip_ms = a->round_trip_ms };

	if (a->tls)
		return tls_again(a->tls, a->transport);
	return tls_new(a->all->tls, a->transport, &target, &a->tls);
}

static void begin_tls(struct attempt *a)
{
	transport_new_fn *transport = target_protocol(&a->what.target)->transport;
	enum err e = (transport ? transport : transport_tcp_new)(a->fd, &a->transport);

	if (e == ERR_OK)
		e = session_begin(a);
	if (e == ERR_NETWORK && !a->tls) {
		fail(a, REASON_UNSUPPORTED, "the name cannot be sent as a TLS server name");
		return;
	}
	if (e != ERR_OK) {
		finish(a, e);
		return;
	}
	a->phase = PHASE_HANDSHAKE;
	a->patience_ms = 0;
	wake_in(a, INT64_MAX);
	step(a);
}

/* ---- what comes before TLS -------------------------------------------------------------------- */

static void dialogue_failed(struct attempt *a)
{
	const struct refusal *why = dialogue_refusal(a->dialogue);

	/* TLS was reached before: what was seen then stands. */
	if (a->tls) {
		finish(a, ERR_OK);
		return;
	}
	fail_as(a, why->reason, dialogue_word(a->dialogue), why->text);
}

static void step_dialogue(struct attempt *a)
{
	enum dialogue_status status = DIALOGUE_FAILED;
	enum err e = dialogue_step(a->dialogue, a->fd, &status);

	if (e != ERR_OK)
		finish(a, e);
	else if (status == DIALOGUE_DONE)
		begin_tls(a);
	else if (status == DIALOGUE_FAILED)
		dialogue_failed(a);
	else
		wait_for(a, status == DIALOGUE_WANT_READ ? WATCH_READABLE : WATCH_WRITABLE);
}

static void begin_dialogue(struct attempt *a)
{
	char own[PROTOCOL_OWN_BYTES];
	const struct words words = {
		.host = a->seen.facts.server_name ? a->seen.facts.server_name : a->what.target.host,
		.own = own,
		.path = "/",
	};
	enum err e;

	dialogue_own_name(a->fd, own);
	e = dialogue_new(target_protocol(&a->what.target), &words, &a->dialogue);
	if (e != ERR_OK) {
		finish(a, e);
		return;
	}
	a->phase = PHASE_DIALOGUE;
	wake_in(a, INT64_MAX);
	step_dialogue(a);
}

static void begin(struct attempt *a)
{
	a->round_trip_ms = clock_monotonic_ms() - a->connect_ms;
	if (!is_datagram(a) && note_reached(a) != ERR_OK)
		finish(a, ERR_MEMORY);
	else if (target_protocol(&a->what.target)->states)
		begin_dialogue(a);
	else
		begin_tls(a);
}

/* ---- through a proxy -------------------------------------------------------------------------- */

static void step_proxy(struct attempt *a)
{
	enum dialogue_status status = proxy_talk_step(a->talk, a->fd);
	const struct refusal *why = proxy_talk_refusal(a->talk);

	if (status == DIALOGUE_DONE)
		begin(a);
	else if (status == DIALOGUE_FAILED && a->tls)
		/* TLS was reached before: what was seen then stands. */
		finish(a, ERR_OK);
	else if (status == DIALOGUE_FAILED)
		fail_as(a, why->reason,
			proxy_talk_blames_target(a->talk) ? reason_word(why->reason) : "proxy",
			why->text);
	else
		wait_for(a, status == DIALOGUE_WANT_READ ? WATCH_READABLE : WATCH_WRITABLE);
}

static void connected(struct attempt *a)
{
	enum err e;

	if (!a->what.proxy) {
		begin(a);
		return;
	}
	e = proxy_talk_new(a->what.proxy, a->what.target.host, a->what.target.port, &a->talk);
	if (e != ERR_OK) {
		finish(a, e);
		return;
	}
	a->phase = PHASE_PROXY;
	wake_in(a, INT64_MAX);
	step_proxy(a);
}

/* ---- connecting ------------------------------------------------------------------------------- */

static enum reason connect_reason(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REASON_REFUSED;
	case ETIMEDOUT:
		return REASON_TIMEOUT;
	default:
		return REASON_UNREACHABLE;
	}
}

static void connect_failed(struct attempt *a, int error)
{
	char address[INET6_ADDRSTRLEN];
	char text[MESSAGE_BYTES];

	a->connect_errno = error;
	socket_drop(a);
	/* It did connect before: what was seen then stands. */
	if (a->tls) {
		finish(a, ERR_OK);
		return;
	}
	if (a->address + 1 < a->what.addresses_count) {
		a->address++;
		connect_next(a);
		return;
	}
	if (a->what.proxy) {
		(void)snprintf(text, sizeof(text), "connecting to the proxy %s: %s",
			a->what.proxy->shown, strerror(error));
		fail_as(a, REASON_UNREACHABLE, "proxy", text);
		return;
	}
	address_text(&a->what.addresses[a->address], address);
	(void)snprintf(text, sizeof(text), "connecting to %s port %u: %s%s", address,
		a->what.target.port, strerror(error),
		a->what.addresses_count > 1 ? " (the last of several addresses)" : "");
	fail(a, connect_reason(error), text);
}

/* Nothing is wrong with the target; this host has run out of something that comes back. */
static bool is_crowded(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM ||
	       error == EADDRNOTAVAIL || error == EAGAIN;
}

static void crowded(struct attempt *a)
{
	socket_drop(a);
	a->was_crowded = true;
	a->phase = PHASE_RETRY;
	wake_in(a, RETRY_MS);
}

static void on_connected(struct attempt *a)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error == 0)
		connected(a);
	else if (is_crowded(error))
		crowded(a);
	else
		connect_failed(a, error);
}

static int socket_for(const union address *to, bool is_for_datagrams)
{
	int kind = is_for_datagrams ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(to->any.sa_family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	/* A flight may be several records: Nagle would hold the second until the first is acknowledged. */
	if (fd >= 0 && !is_for_datagrams)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* Has the address had its share of this second? What is waited for is not the server's fault. */
static bool is_too_early(struct attempt *a)
{
	int64_t ms = 0;

	/* A proxy's limits are its own. */
	if (a->all->wait_ms && !a->what.proxy)
		ms = a->all->wait_ms(a->all->arg, &a->what.addresses[a->address]);
	if (!ms)
		return false;
	(void)left_ms(a);
	a->deadline_ms += ms;
	a->phase = PHASE_RETRY;
	wake_in(a, ms);
	return true;
}

static void connect_next(struct attempt *a)
{
	const union address *to = &a->what.addresses[a->address];
	int64_t share = left_ms(a) / (int64_t)(a->what.addresses_count - a->address);
	int ret;

	if (is_too_early(a))
		return;
	a->phase = PHASE_CONNECT;
	a->connect_ms = clock_monotonic_ms();
	a->fd = socket_for(to, is_datagram(a));
	ret = a->fd < 0 ? -1 : connect(a->fd, &to->any, (socklen_t)address_size(to));
	if (ret != 0 && errno != EINPROGRESS) {
		if (is_crowded(errno))
			crowded(a);
		else
			connect_failed(a, errno);
		return;
	}
	if (ret != 0 && watch_for(a->all->watches, &a->watch, a->fd, WATCH_WRITABLE) != ERR_OK) {
		crowded(a);
		return;
	}
	wake_in(a, share > ADDRESS_MS_MIN ? share : ADDRESS_MS_MIN);
	if (ret == 0)
		on_connected(a);
}

void attempt_on_ready(void *attempt)
{
	struct attempt *a = attempt;

	/* Also on errors: the socket itself tells what is wrong. */
	if (a->phase == PHASE_CONNECT)
		on_connected(a);
	else if (a->phase == PHASE_PROXY)
		step_proxy(a);
	else if (a->phase == PHASE_DIALOGUE)
		step_dialogue(a);
	else
		step(a);
}

/* ---- the timer -------------------------------------------------------------------------------- */

/* After a busy round the answer may lie in the socket although the time is over: it counts. */
static bool last_look(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };

	/* There is no time left to wait for a token. */
	return !tls_may_block(a->tls) && poll(&p, 1, 0) == 1 && tls_step(a->tls) == TLS_OVER;
}

static void time_is_up(struct attempt *a)
{
	if (a->what.proxy && !a->seen.facts.is_reachable) {
		char text[MESSAGE_BYTES];

		(void)snprintf(
			text, sizeof(text), "proxy %s: no answer in time", a->what.proxy->shown);
		fail_as(a, REASON_TIMEOUT, "proxy", text);
		return;
	}
	if (a->phase == PHASE_DIALOGUE) {
		dialogue_time_is_up(a->dialogue);
		dialogue_failed(a);
		return;
	}
	if (!a->tls) {
		fail(a, REASON_TIMEOUT,
			a->was_crowded && a->fd < 0
				? "no descriptor or local port became free in time"
				: "no answer to the attempt to connect in time");
		return;
	}
	if (!last_look(a))
		tls_time_is_up(a->tls);
	finish(a, ERR_OK);
}

static void listened_long_enough(struct attempt *a)
{
	struct pollfd p = { .fd = a->fd, .events = POLLIN };
	bool has_word = poll(&p, 1, 0) == 1;

	a->patience_ms = 0;
	/* Whatever comes next, the deadline stands. */
	wake_in(a, INT64_MAX);
	call(a, has_word ? tls_step : tls_silence);
}

static void on_timer(uv_timer_t *timer)
{
	struct attempt *a = timer->data;
	bool is_over = left_ms(a) == 0;

	if (!is_over && a->phase == PHASE_RETRY)
		connect_next(a);
	else if (!is_over && a->phase == PHASE_CONNECT && a->address + 1 < a->what.addresses_count)
		connect_failed(a, ETIMEDOUT);
	else if (!is_over && a->phase == PHASE_LISTEN)
		listened_long_enough(a);
	else if (!is_over && a->phase == PHASE_HANDSHAKE && is_datagram(a))
		step(a);
	else if (!is_over)
		wake_in(a, INT64_MAX);
	else
		time_is_up(a);
}

/* ---- the start -------------------------------------------------------------------------------- */

static bool copy(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return *to || !text;
}

/* What is known before anything was sent. */
static enum err expect(struct attempt *a, bool is_numeric)
{
	struct target *t = &a->what.target;
	const char *name = t->name ? t->name : is_numeric ? NULL : t->host;
	size_t size = name ? strlen(name) : 0;

	a->seen.facts.port = t->port;
	if (!copy(&a->seen.facts.server_name, name) ||
		!copy(&a->seen.verify_name, name            ? name
					    : t->is_unnamed ? NULL
							    : t->host))
		return ERR_MEMORY;
	if (!copy(&a->seen.facts.proxy, a->what.proxy ? a->what.proxy->shown : NULL))
		return ERR_MEMORY;
	/* RFC 6066 3: the name is sent without a trailing dot. */
	if (size && name[size - 1] == '.') {
		a->seen.facts.server_name[size - 1] = '\0';
		a->seen.verify_name[size - 1] = '\0';
	}
	return process_copy(&a->seen.facts.process, &t->process);
}

void attempt_start_fini(struct attempt_start *s)
{
	free(s->place);
	target_fini(&s->target);
	free(s->addresses);
	free(s->failure);
	*s = (struct attempt_start){ 0 };
}

/* The same target once more: its addresses are known. */
static bool restart(struct attempt *a)
{
	a->spent_ms += used_ms(a);
	socket_drop(a);
	tls_free(a->tls);
	a->tls = NULL;
	session_fini(&a->seen);
	a->address = 0;
	a->patience_ms = 0;
	a->deadline_ms = clock_monotonic_ms() + a->all->timeout_ms;
	a->stalled_ms = a->all->stalled_ms;
	if (expect(a, true) != ERR_OK)
		return false;
	connect_next(a);
	return true;
}

enum err attempt_start(struct attempts *all, void *ctx, struct attempt_start *what)
{
	struct attempt *a = calloc(1, sizeof(*a));
	union address numeric;
	enum err e;

	if (!a) {
		attempt_start_fini(what);
		return ERR_MEMORY;
	}
	a->all = all;
	a->ctx = ctx;
	a->what = *what;
	*what = (struct attempt_start){ 0 };
	a->fd = -1;
	a->watch.arg = a;
	a->stalled_ms = all->stalled_ms;
	a->deadline_ms = clock_monotonic_ms() + all->timeout_ms;
	(void)uv_timer_init(all->loop, &a->timer);
	a->timer.data = a;
	link_in(a);
	e = expect(a, address_parse(a->what.target.host, a->what.target.port, &numeric));
	if (e != ERR_OK)
		finish(a, e);
	else if (!a->what.addresses_count)
		fail(a, REASON_UNRESOLVED, a->what.failure ? a->what.failure : "no address");
	else
		connect_next(a);
	return ERR_OK;
}
