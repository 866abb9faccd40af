/* The probe role: work from main in, attempts in one loop, what they saw out. */
#include "scanners/network/probe.h"

#include "agent/base/clock.h"
#include "agent/certificate/certificate.h"
#include "agent/process/channel.h"
#include "scanners/network/attempt.h"
#include "scanners/network/tls_own.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRESS_MS 500
#define QUEUE_MAX PROBE_CONCURRENCY_MAX
#define STARTS_A_ROUND 32 /* so that answers are looked at between the starts */
#define LOOKUPS_MAX 512
#define FINDING_BYTES_MAX (4 * 1024 * 1024)
#define BURST_S 0.05 /* of the rate that may be caught up with */

struct waiting {
	uint64_t id;
	char *place;          /* owned */
	struct target target; /* owned */
	struct waiting *next;
};

struct probe {
	struct channel channel;
	uv_loop_t loop;
	uv_poll_t in;      /* the channel */
	uv_idle_t starter; /* runs while something can be started */
	uv_timer_t pacer;  /* runs while the rate forbids it */
	uv_timer_t ticker; /* progress */
	struct probe_options options;
	struct attempts attempts;
	struct tls_shared *tls;
	struct waiting *first; /* queue, owned */
	struct waiting **last;
	size_t queued;
	size_t under_way;
	uint64_t tried;
	uint64_t next_finding;
	char *at;         /* owned: the place last started */
	double rate;      /* of this process; 0 = no limit */
	int64_t paced_ms; /* when the bucket was last filled */
	double tokens;
	bool is_reading;
	bool was_told_finish;
	bool is_over;
	enum err status; /* what ended it */
	struct why *why; /* borrowed */
};

static void pump(struct probe *p);

/* ---- talking to main -------------------------------------------------------------------------- */

static void stop(struct probe *p, enum err e)
{
	if (p->is_over)
		return;
	p->is_over = true;
	p->status = e;
	uv_stop(&p->loop);
}

/* Writes that main's slowness blocks take nobody's time away. */
static int64_t stall_begin(void)
{
	return clock_monotonic_ms();
}

static void stall_end(struct probe *p, int64_t begin)
{
	p->attempts.stalled_ms += clock_monotonic_ms() - begin;
}

static void checked(struct probe *p, enum err e)
{
	if (e != ERR_OK)
		stop(p, e);
}

static enum err send_number(struct probe *p, enum message type, uint64_t number)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(number >> (8 * i));
	return channel_write(&p->channel, (uint16_t)type, slice_of(bytes, sizeof(bytes)));
}

static enum err send_session(struct probe *p, const char *place, const struct session *seen)
{
	const struct finding_piece head = { .id = ++p->next_finding,
		.kind = FINDING_ENDPOINT,
		.scanner = slice_text(p->options.scanner),
		.place = slice_text(place) };
	struct buffer out;
	enum err e;

	buffer_init(&out, FINDING_BYTES_MAX);
	session_encode(&out, seen);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_finding(&p->channel, &head, buffer_bytes(&out));
	else
		e = channel_problem(&p->channel, p->options.scanner, place, REASON_LIMIT_REACHED,
			"what the server sent is too large to record");
	buffer_fini(&out);
	return e;
}

static void on_tick(uv_timer_t *timer)
{
	struct probe *p = timer->data;
	const struct progress progress = { .items = p->tried, .at = slice_text(p->at) };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	progress_encode(&out, &progress);
	e = buffer_status(&out);
	if (e == ERR_OK) {
		int64_t begin = stall_begin();

		e = channel_write(&p->channel, MESSAGE_PROGRESS, buffer_bytes(&out));
		stall_end(p, begin);
	}
	buffer_fini(&out);
	checked(p, e);
}

static void finish_if_done(struct probe *p)
{
	if (!p->was_told_finish || p->queued || p->under_way || p->is_over)
		return;
	on_tick(&p->ticker);
	checked(p, channel_write(&p->channel, MESSAGE_FINISHED, slice_of(NULL, 0)));
	stop(p, ERR_OK);
}

/* A name that was only guessed is told when it is served: with a certificate of its own. */
static bool is_not_served(const struct target *t, const struct session *seen)
{
	const struct blob *leaf = seen->certificates.items;
	uint8_t fingerprint[FINGERPRINT_BYTES];

	if (!seen->certificates.count)
		return true;
	if (t->is_configured)
		return false;
	fingerprint_of(slice_of(leaf->data, leaf->size), fingerprint);
	return memcmp(fingerprint, t->usual_leaf, FINGERPRINT_BYTES) == 0;
}

/* Is there nothing to tell of a target that nobody said speaks TLS? */
static bool is_silent(const struct target *t, const struct session *seen)
{
	if (t->is_suggested)
		return is_not_served(t, seen);
	if (!seen->has_problem || seen->certificates.count)
		return false;
	/* In a network that is swept most addresses are nobody's. */
	if (t->is_unnamed && !seen->facts.is_reachable)
		return true;
	if (!t->is_quiet)
		return false;
	/* A TLS record, if only an alert, makes it worth telling. */
	return seen->reason != REASON_HANDSHAKE_FAILED ||
	       strcmp(seen->facts.handshake, "closed") == 0 ||
	       strcmp(seen->facts.handshake, "reset") == 0;
}

static void on_done(void *arg, uint64_t id, const char *place, const struct target *target,
	const struct session *seen, enum err failure)
{
	struct probe *p = arg;
	int64_t begin = stall_begin();
	enum err e = ERR_OK;

	p->under_way--;
	p->tried++;
	if (p->is_over)
		return;
	if (failure != ERR_OK)
		e = channel_problem(&p->channel, p->options.scanner, place, REASON_LIMIT_REACHED,
			err_text(failure));
	else if (!is_silent(target, seen))
		e = send_session(p, place, seen);
	if (e == ERR_OK)
		e = send_number(p, MESSAGE_WORK_DONE, id);
	stall_end(p, begin);
	checked(p, e);
	pump(p);
}

/* ---- starting --------------------------------------------------------------------------------- */

static void start_first(struct probe *p)
{
	struct waiting *w = p->first;
	enum err e;

	p->first = w->next;
	if (!p->first)
		p->last = &p->first;
	p->queued--;
	free(p->at);
	p->at = strdup(w->place);
	p->under_way++;
	e = attempt_start(&p->attempts, w->id, w->place, &w->target);
	free(w);
	checked(p, e);
}

static bool has_room(const struct probe *p)
{
	return p->queued && p->under_way < p->options.concurrency && !p->is_over &&
	       dns_pending(p->attempts.dns) < LOOKUPS_MAX;
}

/* Takes one start out of the bucket; false when the rate forbids it now. */
static bool may_start(struct probe *p)
{
	int64_t now = clock_monotonic_ms();
	double most = p->rate * BURST_S > 1 ? p->rate * BURST_S : 1;

	if (p->rate <= 0)
		return true;
	p->tokens += (double)(now - p->paced_ms) / 1000.0 * p->rate;
	p->paced_ms = now;
	if (p->tokens > most)
		p->tokens = most;
	if (p->tokens < 1)
		return false;
	p->tokens -= 1;
	return true;
}

static void on_pace(uv_timer_t *timer)
{
	pump(timer->data);
}

static void on_start(uv_idle_t *idle)
{
	struct probe *p = idle->data;

	for (unsigned i = 0; i < STARTS_A_ROUND && has_room(p); i++) {
		if (!may_start(p)) {
			(void)uv_timer_start(
				&p->pacer, on_pace, (uint64_t)(1000.0 / p->rate) + 1, 0);
			(void)uv_idle_stop(idle);
			return;
		}
		start_first(p);
	}
	if (!has_room(p))
		(void)uv_idle_stop(idle);
	pump(p);
}

/* ---- reading main's frames -------------------------------------------------------------------- */

/* A client certificate of ours goes the way of one in a file, so that its own expiry is watched. */
static enum err tell_own(struct probe *p, const struct waiting *w)
{
	const struct tls_own *own;
	struct finding_piece head = { .kind = FINDING_FILE };
	enum err e;

	if (w->target.own > tls_owns_count(p->tls))
		return ERR_MALFORMED;
	own = tls_own_at(p->tls, w->target.own - 1U);
	head.id = ++p->next_finding;
	head.scanner = slice_text(p->options.scanner);
	head.place = slice_text(w->place);
	if (own->credentials)
		e = channel_finding(&p->channel, &head, buffer_bytes(&own->pem));
	else
		e = channel_problem(
			&p->channel, p->options.scanner, w->place, own->reason, own->failure);
	return e == ERR_OK ? send_number(p, MESSAGE_WORK_DONE, w->id) : e;
}

static enum err tell_complaint(struct probe *p, const struct waiting *w)
{
	enum err e = channel_problem(
		&p->channel, p->options.scanner, w->place, REASON_MALFORMED, w->target.complaint);

	return e == ERR_OK ? send_number(p, MESSAGE_WORK_DONE, w->id) : e;
}

static enum err take_work(struct probe *p, struct slice payload)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct work work;
	enum err e;

	if (!w)
		return ERR_MEMORY;
	e = work_decode(payload, &work);
	if (e == ERR_OK)
		e = target_decode(work.item, &w->target);
	if (e != ERR_OK) {
		free(w);
		return e;
	}
	w->id = work.id;
	w->place = string_of(work.place);
	if (!w->place)
		e = ERR_MEMORY;
	else if (w->target.own)
		e = tell_own(p, w);
	else if (w->target.complaint)
		e = tell_complaint(p, w);
	if (!w->place || w->target.own || w->target.complaint) {
		target_fini(&w->target);
		free(w->place);
		free(w);
		return e;
	}
	*p->last = w;
	p->last = &w->next;
	p->queued++;
	return ERR_OK;
}

static enum err take_frame(struct probe *p)
{
	struct slice payload;
	uint16_t type;
	enum err e = channel_read(&p->channel, &type, &payload);

	if (e != ERR_OK)
		return e;
	if (type == MESSAGE_WORK)
		return take_work(p, payload);
	if (type == MESSAGE_FINISH) {
		p->was_told_finish = true;
		return ERR_OK;
	}
	return why_fail(p->why, ERR_MALFORMED, "unexpected message %u from main", type);
}

static void on_channel(uv_poll_t *poll, int status, int events)
{
	struct probe *p = poll->data;
	enum err e = status < 0 ? ERR_CLOSED : channel_fill(&p->channel);

	(void)events;
	if (e != ERR_OK && e != ERR_BUSY)
		stop(p, e);
	pump(p);
}

/* Reads on while the queue has room; without reading, main's sending comes to a stop. */
static void set_reading(struct probe *p, bool is_reading)
{
	if (p->is_reading == is_reading)
		return;
	p->is_reading = is_reading;
	if (!is_reading)
		(void)uv_poll_stop(&p->in);
	else if (uv_poll_start(&p->in, UV_READABLE, on_channel) != 0)
		stop(p, ERR_IO);
}

/* Whatever can go on now, goes on. */
static void pump(struct probe *p)
{
	while (!p->is_over && p->queued < QUEUE_MAX && channel_has_frame(&p->channel))
		checked(p, take_frame(p));
	if (p->is_over)
		return;
	set_reading(p, p->queued < QUEUE_MAX);
	if (has_room(p) && !uv_is_active((uv_handle_t *)&p->pacer))
		(void)uv_idle_start(&p->starter, on_start);
	finish_if_done(p);
}

/* ---- life ------------------------------------------------------------------------------------- */

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Too few are waited for, target by target. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static enum err read_setup(struct probe *p)
{
	struct slice payload;
	struct setup setup;
	uint16_t type;
	enum err e = channel_read(&p->channel, &type, &payload);

	if (e != ERR_OK)
		return e;
	if (type != MESSAGE_SETUP)
		return why_fail(p->why, ERR_MALFORMED, "message %u before the setup", type);
	e = setup_decode(payload, &setup);
	if (e == ERR_OK)
		e = probe_options_decode(setup.options, &p->options);
	if (e != ERR_OK)
		return why_fail(p->why, e, "the setup cannot be read");
	return ERR_OK;
}

static enum err prepare_tls(struct probe *p)
{
	const struct tls_options options = { .http_path = p->options.http_path,
		.is_certificates_only = p->options.is_certificates_only,
		.identities = &p->options.identities };
	enum err e = tls_shared_new(&options, &p->tls, p->why);

	/* Keys and passwords are wiped; what is left of them is GnuTLS's. */
	identities_fini(&p->options.identities);
	return e;
}

static enum err prepare(struct probe *p)
{
	enum err e = read_setup(p);

	if (e == ERR_OK)
		e = prepare_tls(p);
	if (e == ERR_OK)
		e = dns_new(&p->loop, p->options.timeout_ms, &p->attempts.dns, p->why);
	if (e == ERR_OK && uv_poll_init(&p->loop, &p->in, p->channel.fd) != 0)
		e = why_fail(p->why, ERR_IO, "cannot watch the channel");
	if (e != ERR_OK)
		return e;
	p->in.data = p;
	/* The rate is for all processes; main runs one a core. */
	p->rate = (double)p->options.rate / uv_available_parallelism();
	p->paced_ms = clock_monotonic_ms();
	p->tokens = 1;
	p->attempts.loop = &p->loop;
	p->attempts.tls = p->tls;
	p->attempts.timeout_ms = p->options.timeout_ms;
	p->attempts.done = on_done;
	p->attempts.arg = p;
	(void)uv_idle_init(&p->loop, &p->starter);
	p->starter.data = p;
	(void)uv_timer_init(&p->loop, &p->pacer);
	p->pacer.data = p;
	(void)uv_timer_init(&p->loop, &p->ticker);
	p->ticker.data = p;
	(void)uv_timer_start(&p->ticker, on_tick, PROGRESS_MS, PROGRESS_MS);
	return ERR_OK;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void clean_up(struct probe *p)
{
	attempts_stop(&p->attempts);
	dns_free(p->attempts.dns);
	/* What closes with a callback of its own is closing by now; the rest is ours. */
	uv_walk(&p->loop, close_handle, NULL);
	/* A uv_stop that nobody has seen yet makes the first run return at once. */
	while (uv_loop_close(&p->loop) == UV_EBUSY)
		(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	while (p->first) {
		struct waiting *w = p->first;

		p->first = w->next;
		target_fini(&w->target);
		free(w->place);
		free(w);
	}
	tls_shared_free(p->tls);
	probe_options_fini(&p->options);
	free(p->at);
	channel_fini(&p->channel);
}

static enum err probe_run(int fd, struct why *why)
{
	struct probe *p = calloc(1, sizeof(*p));
	enum err e;

	if (!p)
		return ERR_MEMORY;
	p->why = why;
	p->last = &p->first;
	raise_descriptors();
	if (uv_loop_init(&p->loop) != 0) {
		free(p);
		return ERR_MEMORY;
	}
	e = channel_init(&p->channel, fd);
	if (e == ERR_OK)
		e = prepare(p);
	if (e == ERR_OK) {
		pump(p);
		if (!p->is_over)
			(void)uv_run(&p->loop, UV_RUN_DEFAULT);
		e = p->status;
	}
	clean_up(p);
	free(p);
	/* main going away ends the work; it is no failure of ours. */
	return e == ERR_CLOSED ? ERR_OK : e;
}

const struct role probe_role = {
	.name = "probe",
	.needs = ROLE_NEEDS_NETWORK,
	.run = probe_run,
};
