/* The probe role: work from main in, attempts in one loop, what they saw out. */
#include "scanners/network/probe.h"

#include "agent/base/clock.h"
#include "agent/base/curl_library.h"
#include "agent/base/wire.h"
#include "scanners/network/probe_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PROGRESS_MS 500

void probe_stop(struct probe *p, enum err e)
{
	if (p->is_over)
		return;
	p->is_over = true;
	p->status = e;
	uv_stop(&p->loop);
}

void probe_checked(struct probe *p, enum err e)
{
	if (e != ERR_OK)
		probe_stop(p, e);
}

/* ---- reading main's frames -------------------------------------------------------------------- */

static enum err take_grant(struct probe *p, struct slice payload)
{
	struct wire w = wire_of(payload);
	uint64_t count = wire_get_u64(&w);

	if (count > p->asked)
		return ERR_MALFORMED;
	p->asked -= count;
	p->permits += count;
	return wire_end(&w);
}

static void on_start(uv_idle_t *idle)
{
	struct probe *p = idle->data;

	start_some(p);
	if (!start_has_room(p))
		(void)uv_idle_stop(idle);
	probe_pump(p);
}

static enum err take_frame(struct probe *p)
{
	struct slice payload;
	uint16_t type;
	enum err e = channel_read(&p->channel, &type, &payload);

	if (e != ERR_OK)
		return e;
	if (type == MESSAGE_WORK)
		return start_take(p, payload);
	if (type == MESSAGE_GRANT)
		return take_grant(p, payload);
	if (type == MESSAGE_KEY || type == MESSAGE_SIGNED)
		return probe_keys_take(p, type, payload);
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
		probe_stop(p, e);
	probe_pump(p);
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
		probe_stop(p, ERR_IO);
}

static void finish_if_done(struct probe *p)
{
	if (!p->was_told_finish || start_queued(p) || p->under_way || p->fetching || p->is_over)
		return;
	probe_checked(p, probe_tell_progress(p));
	probe_checked(p, channel_write(&p->channel, MESSAGE_FINISHED, slice_of(NULL, 0)));
	probe_stop(p, ERR_OK);
}

/* Main's word on a key, and signatures, come the same way as work, of which main hands out a bounded number. */
static bool may_read(struct probe *p)
{
	return start_queued(p) < PROBE_QUEUE_MAX || p->for_keys.count ||
	       remote_keys_are_awaited(p->remote);
}

void probe_pump(struct probe *p)
{
	/* What goes on may come back here. */
	if (p->is_pumping)
		return;
	p->is_pumping = true;
	while (!p->is_over && may_read(p) && channel_has_frame(&p->channel))
		probe_checked(p, take_frame(p));
	if (!p->is_over) {
		start_go_on(p);
		set_reading(p, may_read(p));
		if (start_has_room(p))
			(void)uv_idle_start(&p->starter, on_start);
		finish_if_done(p);
	}
	p->is_pumping = false;
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
	p->processes = setup.processes;
	if (e != ERR_OK)
		return why_fail(p->why, e, "the setup cannot be read");
	return ERR_OK;
}

static void on_tick(uv_timer_t *timer)
{
	struct probe *p = timer->data;

	probe_checked(p, probe_tell_progress(p));
}

static void on_round(uv_prepare_t *prepare)
{
	struct probe *p = prepare->data;

	probe_checked(p, probe_tell_gathered(p));
}

static enum err prepare_tls(struct probe *p)
{
	const struct tls_options options = { .http_path = p->options.http_path,
		.is_certificates_only = p->options.is_certificates_only,
		.identities = &p->options.identities,
		.remote = p->remote };
	enum err e = tls_shared_new(&options, &p->tls, p->why);

	/* Keys and passwords are wiped; what is left of them is GnuTLS's. */
	identities_fini(&p->options.identities);
	return e;
}

static int64_t wait_for_address(void *arg, const union address *to)
{
	struct probe *p = arg;

	return pace_wait_ms(p->pace, to, clock_monotonic_ms());
}

static enum err prepare_pace(struct probe *p)
{
	if (!p->options.per_address_rate)
		return ERR_OK;
	p->pace = pace_new(p->options.per_address_rate, p->processes);
	if (!p->pace)
		return ERR_MEMORY;
	p->attempts.wait_ms = wait_for_address;
	return ERR_OK;
}

static void prepare_handles(struct probe *p)
{
	p->in.data = p;
	(void)uv_idle_init(&p->loop, &p->starter);
	p->starter.data = p;
	(void)uv_timer_init(&p->loop, &p->ticker);
	p->ticker.data = p;
	(void)uv_timer_start(&p->ticker, on_tick, PROGRESS_MS, PROGRESS_MS);
	(void)uv_prepare_init(&p->loop, &p->sender);
	p->sender.data = p;
	(void)uv_prepare_start(&p->sender, on_round);
}

static enum err prepare(struct probe *p)
{
	struct dns_conf dns = { .servers = &p->options.resolvers };
	enum err e = read_setup(p);

	dns.timeout_ms = p->options.dns_timeout_ms;

	if (e == ERR_OK)
		e = remote_keys_new(&p->channel, &p->remote);
	if (e == ERR_OK)
		e = prepare_tls(p);
	if (e == ERR_OK)
		e = probe_keys_open(p);
	if (e == ERR_OK)
		e = dns_new(&p->loop, &dns, &p->dns, p->why);
	if (e == ERR_OK)
		e = exclusions_new(&p->options.exclusions, &p->exclusions, p->why);
	if (e == ERR_OK)
		e = routes_new(&p->options, &p->routes, p->why);
	if (e == ERR_OK && !(p->peers = peers_new()))
		e = ERR_MEMORY;
	if (e == ERR_OK)
		e = prepare_pace(p);
	if (e == ERR_OK)
		e = watches_new(&p->loop, attempt_on_ready, &p->attempts.watches);
	if (e == ERR_OK && uv_poll_init(&p->loop, &p->in, p->channel.fd) != 0)
		e = why_fail(p->why, ERR_IO, "cannot watch the channel");
	if (e != ERR_OK)
		return e;
	p->attempts.loop = &p->loop;
	p->attempts.tls = p->tls;
	p->attempts.timeout_ms = p->options.timeout_ms;
	p->attempts.done = start_on_done;
	p->attempts.dropped = start_on_dropped;
	p->attempts.arg = p;
	prepare_handles(p);
	channel_gather(&p->channel);
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
	if (p->remote)
		remote_keys_stop(p->remote);
	attempts_stop(&p->attempts);
	fetching_stop(p);
	if (p->peers)
		start_fini(p);
	dns_free(p->dns);
	/* What closes with a callback of its own is closing by now; the rest is ours. */
	uv_walk(&p->loop, close_handle, NULL);
	/* A uv_stop that nobody has seen yet makes the first run return at once. */
	while (uv_loop_close(&p->loop) == UV_EBUSY)
		(void)uv_run(&p->loop, UV_RUN_DEFAULT);
	watches_free(p->attempts.watches);
	tls_shared_free(p->tls);
	remote_keys_free(p->remote);
	exclusions_free(p->exclusions);
	routes_free(p->routes);
	pace_free(p->pace);
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
	start_init(p);
	raise_descriptors();
	if (uv_loop_init(&p->loop) != 0) {
		free(p);
		return ERR_MEMORY;
	}
	e = channel_init(&p->channel, fd);
	if (e == ERR_OK)
		e = prepare(p);
	if (e == ERR_OK) {
		probe_pump(p);
		if (!p->is_over)
			(void)uv_run(&p->loop, UV_RUN_DEFAULT);
		e = probe_tell_gathered(p);
		if (p->status != ERR_OK)
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
	.prepare = curl_library_load,
	.run = probe_run,
};
