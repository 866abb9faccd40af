/* One pass of one job. */
#include "agent/pass_internal.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/wire.h"
#include "scanners/completion_case.h"

#include <stdio.h>
#include <stdlib.h>

#define WORK_ATTEMPTS_MAX 2     /* then the work itself is to blame */
#define RESTARTS_MAX 3          /* of role processes in one pass; then it ends incomplete */
#define WORKER_SILENCE_MS 60000 /* roles report progress each second */
#define BATCH_RECORDS 2000
#define PASS_MESSAGE_BYTES 200

static const struct child_events worker_events;
static enum err start_workers(struct pass *p, struct why *why);

void pass_fail(struct pass *p, enum err e, const struct why *why)
{
	if (p->is_failed)
		return;
	p->is_failed = true;
	(void)why_fail(&p->why, e, "%s", why_text(why, e));
}

/* ---- work ------------------------------------------------------------------------------------- */

/* Work handed out ahead to each process. */
static unsigned window_each(const struct pass *p)
{
	const struct scanner *scanner = p->conf.scanner;
	unsigned window;

	if (!scanner->window_of)
		return scanner->window;
	window = scanner->window_of(p->conf.conf) / p->workers_count;
	return window ? window : 1;
}

static bool may_follow(const struct pass *p)
{
	return p->conf.scanner->follow && !p->has_followed && !p->is_failed;
}

void pass_feed(struct worker *w)
{
	struct pass *p = w->pass;
	const unsigned window = window_each(p);

	while (w->child && !w->was_told_finish && w->under_way_count < window) {
		struct piece_of_work *work = pass_next_work(p);

		if (!work)
			break;
		work->next = *pass_bucket(w, work->id);
		*pass_bucket(w, work->id) = work;
		w->under_way_count++;
		if (pass_send_work(w, work) != ERR_OK)
			pass_fail(p, ERR_MEMORY, NULL);
	}
	if (w->child && p->plan_ended && !p->again && !w->was_told_finish && !may_follow(p)) {
		w->was_told_finish = true;
		if (child_send(w->child, MESSAGE_FINISH, slice_of(NULL, 0)) != ERR_OK)
			pass_fail(p, ERR_MEMORY, NULL);
	}
}

/* ---- storing ---------------------------------------------------------------------------------- */

static void commit(struct pass *p)
{
	struct why why = { 0 };
	enum err e = inventory_commit(p->conf.inventory, &why);

	p->batch = 0;
	if (e != ERR_OK)
		pass_fail(p, e, &why);
}

enum err pass_keep(struct pass *p, const struct keep *what)
{
	struct why why = { 0 };
	enum err e = inventory_keep(p->conf.inventory, p->id, what, NULL, &why);

	if (e != ERR_OK)
		pass_fail(p, e, &why);
	else if (++p->batch >= BATCH_RECORDS)
		commit(p);
	return e;
}

#define LEFT_OUT                                                                                  \
	"chains across places do without it and those that follow: 50,000 certificates or 64 MiB" \
	" of its kind are kept"

enum err pass_store(struct pass *p, const struct record *r)
{
	struct keep known = { .uri = r->location.uri, .below = true, .stale = true };
	struct why why = { 0 };
	enum err e;

	if (r->kind == RECORD_PROBLEM && reason_keeps_known(r->problem.reason)) {
		e = pass_keep(p, &known);
		if (e != ERR_OK)
			return e;
	}
	/* Issuers that were fetched lie at the place that was asked. */
	if (r->kind == RECORD_REVOCATION && r->revocation.is_unmodified) {
		known.below = false;
		known.stale = false;
		e = pass_keep(p, &known);
		if (e != ERR_OK)
			return e;
	}
	e = inventory_put(p->conf.inventory, p->id, r, clock_now_s(), &why);
	if (e != ERR_OK) {
		pass_fail(p, e, &why);
		return e;
	}
	if (r->kind == RECORD_CERTIFICATE && inventory_left_out(p->conf.inventory) &&
		!p->has_left_out) {
		p->has_left_out = true;
		pass_store_problem(p, r->location.uri, REASON_LIMIT_REACHED, LEFT_OUT);
	}
	p->stats.certificates += r->kind == RECORD_CERTIFICATE;
	p->stats.endpoints += r->kind == RECORD_ENDPOINT && !record_is_plain_listener(r);
	p->stats.problems += r->kind == RECORD_PROBLEM;
	if (++p->batch >= BATCH_RECORDS)
		commit(p);
	return ERR_OK;
}

void pass_store_problem(struct pass *p, const char *uri, enum reason reason, const char *message)
{
	struct record r;

	if (record_problem(&r, p->conf.scanner->name, uri, reason, message) != ERR_OK) {
		pass_fail(p, ERR_MEMORY, NULL);
		return;
	}
	(void)pass_store(p, &r);
	record_fini(&r);
}

enum err pass_record(void *pass, const struct record *r)
{
	struct pass *p = pass;
	struct why why = { 0 };
	enum err e;

	if (p->is_ending) {
		e = completion_answer(p->conf.inventory, r, &why);
		p->batch++;
		if (e != ERR_OK)
			pass_complain(p, e, &why);
		return ERR_OK;
	}
	/* A store that failed is not the parser's fault: the pass has noted it. */
	(void)pass_store(pass, r);
	return ERR_OK;
}

/* ---- the end ---------------------------------------------------------------------------------- */

static void pass_free(struct pass *p)
{
	if (p->conf.scanner->close)
		p->conf.scanner->close(p->plan);
	while (p->again) {
		struct piece_of_work *work = p->again;

		p->again = work->next;
		pass_work_free(work);
	}
	permits_free(p->permits);
	signers_free(p->signers);
	buffer_fini(&p->memory_in);
	buffer_fini(&p->memory_out);
	buffer_fini(&p->completion_case);
	completion_free(p->completion);
	free(p);
}

static void end(struct pass *p)
{
	struct pass_result result = { .is_complete = !p->is_failed };
	struct why why = { 0 };
	enum err e;

	p->is_ending = true;
	pass_stats(p, &p->stats);
	result.items = p->stats.items;
	result.seconds = p->stats.seconds;
	e = pass_memory_save(p, &why);
	if (e == ERR_OK)
		e = inventory_pass_end(p->conf.inventory, p->id, &result, clock_now_s(), &why);
	if (e != ERR_OK)
		pass_fail(p, e, &why);
	p->id = 0;
	p->stats.is_complete = !p->is_failed;
	p->stats.vanished = result.vanished;
	p->stats.appeared = result.appeared;
}

static void maybe_finish(struct pass *p)
{
	if (p->completion || p->outstanding_findings)
		return;
	commit(p);
	p->conf.done(p->conf.arg, &p->stats, &p->why);
	pass_free(p);
}

static void maybe_end(struct pass *p)
{
	if (p->is_ending) {
		maybe_finish(p);
		return;
	}
	if (p->outstanding_findings || (!p->has_started && may_follow(p)))
		return;
	for (unsigned i = 0; i < p->workers_count; i++)
		if (p->workers[i].child)
			return;
	end(p);
	pass_begin_completion(p);
	maybe_finish(p);
}

/* In a scan nothing is known that the scan itself does not find, so it waits for all of it. An agent will
 * look again, and knows what was found before. */
#define FOLLOW_WAIT_MS 60000

static bool is_idle(const struct pass *p)
{
	if (!p->plan_ended || p->again || p->outstanding_findings)
		return false;
	for (unsigned i = 0; i < p->workers_count; i++)
		if (p->workers[i].under_way_count || p->workers[i].open_count)
			return false;
	return true;
}

/* The plan goes on where what was found says more. */
void pass_follow(struct pass *p)
{
	struct why why = { 0 };
	enum err e;

	if (!may_follow(p) || !is_idle(p))
		return;
	/* Passes that began after that are not waited for: where they follow each other closely, there is always
	 * one. */
	if (!p->idle_ms)
		p->idle_ms = clock_monotonic_ms();
	if (p->conf.must_wait && p->conf.must_wait(p->conf.arg, p->idle_ms) &&
		(p->conf.is_transient || clock_monotonic_ms() - p->started_ms < FOLLOW_WAIT_MS))
		return;
	p->has_followed = true;
	e = p->conf.scanner->follow(p->plan, &p->conf.hints, &why);
	if (e != ERR_OK)
		pass_fail(p, e, &why);
	else
		p->plan_ended = false;
	if (!p->has_started && e == ERR_OK) {
		e = start_workers(p, &why);
		if (e != ERR_OK)
			pass_fail(p, e, &why);
	}
	for (unsigned i = 0; i < p->workers_count; i++)
		pass_feed(&p->workers[i]);
}

void pass_finding_done(void *pass, bool crashed)
{
	struct pass *p = pass;

	p->outstanding_findings--;
	p->had_crash = p->had_crash || crashed;
	/* After a crash the next ones wait for the tick, so that a parser that does not start is not asked
	 * over and over. */
	if (p->is_ending && !crashed)
		pass_complete(p);
	if (parsers_outstanding_bytes(p->conf.parsers) < OUTSTANDING_BYTES_MAX / 2)
		for (unsigned i = 0; i < p->workers_count; i++) {
			struct worker *w = &p->workers[i];

			if (w->child && w->is_paused) {
				w->is_paused = false;
				child_pause(w->child, false);
			}
		}
	pass_follow(p);
	maybe_end(p);
}

/* ---- the life of workers ---------------------------------------------------------------------- */

static enum err send_setup(struct worker *w, struct why *why)
{
	struct setup setup = { .pinned_now = clock_pinned(),
		.log_level = (uint8_t)log_level(),
		.is_transient = w->pass->conf.is_transient,
		.processes = (uint16_t)w->pass->workers_count };
	struct buffer options;
	struct buffer frame;
	enum err e;

	buffer_init(&options, FRAME_BYTES_MAX);
	buffer_init(&frame, FRAME_BYTES_MAX);
	e = w->pass->conf.scanner->encode_options(w->pass->conf.conf, &options, why);
	if (e == ERR_OK)
		e = buffer_status(&options);
	setup.options = buffer_bytes(&options);
	setup_encode(&frame, &setup);
	if (e == ERR_OK)
		e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(w->child, MESSAGE_SETUP, buffer_bytes(&frame));
	if (e == ERR_OK)
		e = pass_memory_hand(w);
	buffer_wipe(&options);
	buffer_wipe(&frame);
	return e;
}

static enum err start_worker(struct worker *w, struct why *why)
{
	struct pass *p = w->pass;
	struct child_start start = { .loop = p->conf.loop,
		.role = p->conf.scanner->role,
		.in_thread = p->conf.in_thread,
		.events = &worker_events,
		.arg = w };
	enum err e = child_new(&start, &w->child, why);

	if (e != ERR_OK)
		return e;
	w->heard_ms = clock_monotonic_ms();
	w->was_told_finish = false;
	w->has_finished = false;
	w->is_paused = false;
	e = send_setup(w, why);
	if (e == ERR_OK)
		pass_feed(w);
	return e;
}

static enum reason crash_reason(const struct pass *p)
{
	return p->conf.scanner->role->needs & ROLE_NEEDS_NETWORK ? REASON_PROBE_CRASHED
								 : REASON_READER_CRASHED;
}

/* Its work goes to others; work that already killed a process before becomes a problem. */
static void reap_work(struct worker *w, const char *how)
{
	struct pass *p = w->pass;
	char message[PASS_MESSAGE_BYTES];

	(void)snprintf(message, sizeof(message), "the %s did not finish it: %s",
		p->conf.scanner->role->name, how);
	for (struct piece_of_work *work; (work = pass_any_work(w));) {
		if (++work->attempts < WORK_ATTEMPTS_MAX) {
			work->next = p->again;
			p->again = work;
			continue;
		}
		pass_store_problem(p, work->place, crash_reason(p), message);
		pass_work_free(work);
	}
	w->under_way_count = 0;
	if (w->at) {
		pass_store_problem(p, w->at, crash_reason(p), message);
		free(w->at);
		w->at = NULL;
	}
}

static void on_gone(void *arg, bool in_order, const char *how)
{
	struct worker *w = arg;
	struct pass *p = w->pass;
	struct why why = { 0 };
	enum err e;

	w->child = NULL;
	if (p->permits)
		permits_forget(p->permits, (unsigned)(w - p->workers));
	if (p->signers)
		signers_forget(p->signers, (unsigned)(w - p->workers));
	for (; w->open_count; w->open_count--)
		parsers_abandon(p->conf.parsers, w->open[w->open_count - 1].finding);
	if (in_order && w->has_finished) {
		free(w->at);
		w->at = NULL;
		maybe_end(p);
		return;
	}
	log_warn("the %s of job %s is gone: %s", p->conf.scanner->role->name, pass_job(p)->name,
		how);
	p->had_crash = true;
	p->items_of_the_dead += w->items;
	w->items = 0;
	buffer_clear(&p->memory_out);
	reap_work(w, how);
	if (!p->is_failed && ++p->restarts <= RESTARTS_MAX) {
		e = start_worker(w, &why);
		if (e != ERR_OK)
			pass_fail(p, e, &why);
		return;
	}
	(void)why_fail(&why, ERR_IO, "the %s died %u times: %s", p->conf.scanner->role->name,
		p->restarts, how);
	pass_fail(p, ERR_IO, &why);
	maybe_end(p);
}

static const struct child_events worker_events = { .frame = pass_on_frame, .gone = on_gone };

void pass_tick(struct pass *p)
{
	int64_t now = clock_monotonic_ms();

	if (p->batch)
		commit(p);
	if (p->is_ending) {
		pass_complete(p);
		maybe_finish(p);
		return;
	}
	pass_follow(p);
	if (p->signers)
		signers_tick(p->signers);
	for (unsigned i = 0; i < p->workers_count; i++) {
		struct worker *w = &p->workers[i];

		if (!w->child)
			continue;
		if (w->is_paused)
			w->heard_ms = now;
		else if (now - w->heard_ms > WORKER_SILENCE_MS)
			child_kill(w->child, "no word for a minute");
		if (w->child)
			pass_feed(w);
	}
	/* Last: it may free the pass. */
	maybe_end(p);
}

int64_t pass_started_ms(const struct pass *p)
{
	return p->started_ms;
}

void pass_stats(const struct pass *p, struct pass_stats *out)
{
	struct pass_stats stats = p->stats;

	stats.job = pass_job(p)->name;
	stats.scanner = p->conf.scanner->name;
	stats.items = p->items_of_the_dead;
	for (unsigned i = 0; i < p->workers_count; i++)
		stats.items += p->workers[i].items;
	stats.seconds = (double)(clock_monotonic_ms() - p->started_ms) / 1000.0;
	*out = stats;
}

/* ---- the start -------------------------------------------------------------------------------- */

static void on_grant(void *arg, unsigned which, uint64_t count)
{
	struct pass *p = arg;
	struct worker *w = &p->workers[which];
	struct buffer number;

	if (!w->child)
		return;
	buffer_init(&number, 8);
	wire_put_u64(&number, count);
	if (child_send(w->child, MESSAGE_GRANT, buffer_bytes(&number)) != ERR_OK)
		pass_fail(p, ERR_MEMORY, NULL);
	buffer_fini(&number);
}

static enum err begin(struct pass *p, struct why *why)
{
	const struct scanner *scanner = p->conf.scanner;
	double rate;
	enum err e = scanner->open(p->conf.conf, &p->conf.hints, &p->plan, &p->stats.expected, why);

	if (e == ERR_OK)
		e = inventory_pass_begin(p->conf.inventory, scanner->name, pass_job(p)->name,
			clock_now_s(), &p->id, why);
	if (e == ERR_OK)
		e = pass_memory_load(p, why);
	rate = scanner->rate_of ? scanner->rate_of(p->conf.conf) : 0;
	if (e == ERR_OK && rate > 0)
		e = permits_new(p->conf.loop, rate, on_grant, p, &p->permits);
	return e;
}

/* A plan without work needs no process. */
static enum err start_workers(struct pass *p, struct why *why)
{
	struct piece_of_work *first = pass_next_work(p);
	enum err e = ERR_OK;

	if (!first)
		return ERR_OK;
	first->next = p->again;
	p->again = first;
	p->has_started = true;
	for (unsigned i = 0; e == ERR_OK && i < p->workers_count; i++)
		e = start_worker(&p->workers[i], why);
	return e;
}

static unsigned processes_of(const struct pass_conf *conf)
{
	const struct scanner *scanner = conf->scanner;
	unsigned count = scanner->is_parallel ? conf->processes_max : 1;
	unsigned most = scanner->processes_of ? scanner->processes_of(conf->conf) : WORKERS_MAX;

	if (most > WORKERS_MAX)
		most = WORKERS_MAX;
	return count < most ? count : most;
}

enum err pass_start(const struct pass_conf *conf, struct pass **out, struct why *why)
{
	struct pass *p = calloc(1, sizeof(*p));
	enum err e;

	if (!p)
		return ERR_MEMORY;
	p->conf = *conf;
	p->started_ms = clock_monotonic_ms();
	buffer_init(&p->memory_in, MEMORY_BYTES_MAX);
	buffer_init(&p->memory_out, MEMORY_BYTES_MAX);
	buffer_init(&p->completion_case, COMPLETION_CASE_BYTES_MAX);
	p->workers_count = processes_of(conf);
	for (unsigned i = 0; i < p->workers_count; i++)
		p->workers[i].pass = p;
	e = begin(p, why);
	if (e == ERR_OK)
		e = start_workers(p, why);
	if (e != ERR_OK) {
		pass_stop(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}

void pass_stop(struct pass *p)
{
	struct pass_result result = { .is_complete = false };
	struct why why = { 0 };

	parsers_disown(p->conf.parsers, p);
	for (unsigned i = 0; i < p->workers_count; i++) {
		struct worker *w = &p->workers[i];

		if (w->child)
			child_abandon(w->child);
		for (; w->open_count; w->open_count--)
			parsers_abandon(p->conf.parsers, w->open[w->open_count - 1].finding);
		for (struct piece_of_work *work; (work = pass_any_work(w));)
			pass_work_free(work);
		free(w->at);
	}
	pass_stats(p, &p->stats);
	result.items = p->stats.items;
	result.seconds = p->stats.seconds;
	if (p->id && inventory_pass_end(p->conf.inventory, p->id, &result, clock_now_s(), &why) !=
			     ERR_OK)
		log_error("cannot store the end of a pass: %s", why.text);
	pass_free(p);
}
