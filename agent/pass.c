/* One pass of one job. */
#include "agent/pass.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/completion.h"
#include "agent/permits.h"
#include "agent/process/child.h"
#include "agent/version.h"
#include "scanners/completion_case.h"

#include <stdio.h>
#include <stdlib.h>

#define WORKERS_MAX 64
#define WORK_ATTEMPTS_MAX 2     /* then the work itself is to blame */
#define RESTARTS_MAX 3          /* of role processes in one pass; then it ends incomplete */
#define WORKER_SILENCE_MS 60000 /* roles report progress each second */
#define OUTSTANDING_BYTES_MAX (1024 * 1024) /* of findings; then the scanner waits */
#define BATCH_RECORDS 2000
#define MEMORY_BYTES_MAX (256U * 1024 * 1024)
#define MEMORY_PIECE_BYTES (256 * 1024)
#define FINDINGS_OPEN_MAX 256 /* of one worker, not whole yet */
#define PASS_MESSAGE_BYTES 200
#define WORK_BUCKETS 1024 /* a power of two */

struct piece_of_work {
	struct piece_of_work *next;
	uint64_t id;
	char *place; /* owned */
	struct buffer item;
	unsigned attempts;
};

struct open_finding {
	uint64_t id; /* the worker's */
	struct finding *finding;
};

struct worker {
	struct pass *pass;
	struct child *child;                           /* NULL = gone */
	struct piece_of_work *under_way[WORK_BUCKETS]; /* owned lists, by id */
	unsigned under_way_count;
	struct open_finding open[FINDINGS_OPEN_MAX];
	unsigned open_count;
	uint64_t items;
	int64_t heard_ms;
	char *at; /* owned: where it last said it was */
	bool was_told_finish;
	bool has_finished;
	bool is_paused;
};

struct pass {
	struct pass_conf conf;
	int64_t id;
	void *plan;
	struct worker workers[WORKERS_MAX];
	unsigned workers_count;
	struct piece_of_work *again; /* owned list: from processes that died */
	struct permits *permits;     /* owned; NULL: no rate */
	struct buffer memory_in;
	struct buffer memory_out;
	uint64_t next_work_id;
	uint64_t items_of_the_dead;
	uint64_t outstanding_findings;
	unsigned batch;
	unsigned restarts;
	int64_t started_ms;
	struct pass_stats stats;
	struct why why;
	bool plan_ended;
	bool has_started;  /* the processes: there is work, or was */
	bool has_followed; /* the plan was asked whether it goes on */
	bool is_failed;    /* it cannot be complete any more */
	bool had_crash;    /* something unchanged may have been missed: look again next time */
	bool is_ending;
	bool has_left_out; /* a certificate, of the chains across places; said once */
	/* What its end brought for certificates elsewhere; owned, NULL when there is no more. */
	struct completion *completion;
	struct buffer completion_case;
};

static const struct child_events worker_events;
static enum err start_workers(struct pass *p, struct why *why);

static const struct scan_job *job_of(const struct pass *p)
{
	return p->conf.conf;
}

static void fail(struct pass *p, enum err e, const struct why *why)
{
	if (p->is_failed)
		return;
	p->is_failed = true;
	(void)why_fail(&p->why, e, "%s", why_text(why, e));
}

/* ---- work ------------------------------------------------------------------------------------- */

static void work_free(struct piece_of_work *work)
{
	buffer_wipe(&work->item);
	free(work->place);
	free(work);
}

static struct piece_of_work **bucket_of(struct worker *w, uint64_t id)
{
	return &w->under_way[id & (WORK_BUCKETS - 1)];
}

static struct piece_of_work *take_work(struct worker *w, uint64_t id)
{
	for (struct piece_of_work **at = bucket_of(w, id); *at; at = &(*at)->next) {
		struct piece_of_work *work = *at;

		if (work->id == id) {
			*at = work->next;
			return work;
		}
	}
	return NULL;
}

/* Some work of the worker, taken from it; NULL when it has none. */
static struct piece_of_work *any_work(struct worker *w)
{
	for (size_t i = 0; i < WORK_BUCKETS; i++) {
		struct piece_of_work *work = w->under_way[i];

		if (work) {
			w->under_way[i] = work->next;
			return work;
		}
	}
	return NULL;
}

/* The next piece of work, from the dead first, then from the plan; NULL when there is none. */
static struct piece_of_work *next_work(struct pass *p)
{
	struct piece_of_work *work = p->again;
	struct scan_item item = { 0 };
	struct why why = { 0 };
	enum err e;

	if (work) {
		p->again = work->next;
		return work;
	}
	if (p->plan_ended)
		return NULL;
	e = p->conf.scanner->next(p->plan, &item, &why);
	if (e != ERR_OK) {
		p->plan_ended = true;
		if (e != ERR_END)
			fail(p, e, &why);
		return NULL;
	}
	work = calloc(1, sizeof(*work));
	if (!work) {
		free(item.place);
		buffer_fini(&item.item);
		p->plan_ended = true;
		fail(p, ERR_MEMORY, NULL);
		return NULL;
	}
	work->id = ++p->next_work_id;
	work->place = item.place;
	work->item = item.item;
	return work;
}

static enum err send_work(struct worker *w, const struct piece_of_work *work)
{
	const struct work message = {
		.id = work->id, .place = slice_text(work->place), .item = buffer_bytes(&work->item)
	};
	struct buffer frame;
	enum err e;

	buffer_init(&frame, FRAME_BYTES_MAX);
	work_encode(&frame, &message);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(w->child, MESSAGE_WORK, buffer_bytes(&frame));
	buffer_wipe(&frame);
	return e;
}

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

static void feed(struct worker *w)
{
	struct pass *p = w->pass;
	const unsigned window = window_each(p);

	while (w->child && !w->was_told_finish && w->under_way_count < window) {
		struct piece_of_work *work = next_work(p);

		if (!work)
			break;
		work->next = *bucket_of(w, work->id);
		*bucket_of(w, work->id) = work;
		w->under_way_count++;
		if (send_work(w, work) != ERR_OK)
			fail(p, ERR_MEMORY, NULL);
	}
	if (w->child && p->plan_ended && !p->again && !w->was_told_finish && !may_follow(p)) {
		w->was_told_finish = true;
		if (child_send(w->child, MESSAGE_FINISH, slice_of(NULL, 0)) != ERR_OK)
			fail(p, ERR_MEMORY, NULL);
	}
}

/* ---- storing ---------------------------------------------------------------------------------- */

static void commit(struct pass *p)
{
	struct why why = { 0 };
	enum err e = inventory_commit(p->conf.inventory, &why);

	p->batch = 0;
	if (e != ERR_OK)
		fail(p, e, &why);
}

static enum err keep(struct pass *p, const struct keep *what)
{
	struct why why = { 0 };
	enum err e = inventory_keep(p->conf.inventory, p->id, what, NULL, &why);

	if (e != ERR_OK)
		fail(p, e, &why);
	else if (++p->batch >= BATCH_RECORDS)
		commit(p);
	return e;
}

static void store_problem(struct pass *p, const char *uri, enum reason reason, const char *message);

#define LEFT_OUT                                                                                  \
	"chains across places do without it and those that follow: 50,000 certificates or 64 MiB" \
	" of its kind are kept"

static enum err store(struct pass *p, const struct record *r)
{
	struct keep known = { .uri = r->location.uri, .below = true, .stale = true };
	struct why why = { 0 };
	enum err e;

	if (r->kind == RECORD_PROBLEM && reason_keeps_known(r->problem.reason)) {
		e = keep(p, &known);
		if (e != ERR_OK)
			return e;
	}
	/* Issuers that were fetched lie at the place that was asked. */
	if (r->kind == RECORD_REVOCATION && r->revocation.is_unmodified) {
		known.below = false;
		known.stale = false;
		e = keep(p, &known);
		if (e != ERR_OK)
			return e;
	}
	e = inventory_put(p->conf.inventory, p->id, r, clock_now_s(), &why);
	if (e != ERR_OK) {
		fail(p, e, &why);
		return e;
	}
	if (r->kind == RECORD_CERTIFICATE && inventory_left_out(p->conf.inventory) &&
		!p->has_left_out) {
		p->has_left_out = true;
		store_problem(p, r->location.uri, REASON_LIMIT_REACHED, LEFT_OUT);
	}
	p->stats.certificates += r->kind == RECORD_CERTIFICATE;
	p->stats.endpoints += r->kind == RECORD_ENDPOINT && !record_is_plain_listener(r);
	p->stats.problems += r->kind == RECORD_PROBLEM;
	if (++p->batch >= BATCH_RECORDS)
		commit(p);
	return ERR_OK;
}

static void store_problem(struct pass *p, const char *uri, enum reason reason, const char *message)
{
	struct record r;

	if (record_problem(&r, p->conf.scanner->name, uri, reason, message) != ERR_OK) {
		fail(p, ERR_MEMORY, NULL);
		return;
	}
	(void)store(p, &r);
	record_fini(&r);
}

/* A verdict is worth less than the pass that brought it: what fails here is only said. */
static void complain(struct pass *p, enum err e, const struct why *why)
{
	log_error("job %s: chains across places: %s", job_of(p)->name, why_text(why, e));
	completion_free(p->completion);
	p->completion = NULL;
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
			complain(p, e, &why);
		return ERR_OK;
	}
	/* A store that failed is not the parser's fault: the pass has noted it. */
	(void)store(pass, r);
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
		work_free(work);
	}
	permits_free(p->permits);
	buffer_fini(&p->memory_in);
	buffer_fini(&p->memory_out);
	buffer_fini(&p->completion_case);
	completion_free(p->completion);
	free(p);
}

/* What a memory belongs to: another build may find more in a file, other options may look elsewhere. */
static enum err memory_owner(const struct pass *p, uint8_t out[FINGERPRINT_BYTES], struct why *why)
{
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, FRAME_BYTES_MAX);
	wire_put_text(&bytes, version_text());
	wire_put_text(&bytes, version_revision());
	e = p->conf.scanner->encode_options(p->conf.conf, &bytes, why);
	if (e == ERR_OK)
		e = buffer_status(&bytes);
	if (e == ERR_OK)
		fingerprint_of(buffer_bytes(&bytes), out);
	buffer_wipe(&bytes);
	return e;
}

static enum err save_memory(struct pass *p, struct why *why)
{
	const struct scanner *scanner = p->conf.scanner;
	uint8_t owner[FINGERPRINT_BYTES];
	struct buffer kept;
	enum err e;

	if (!scanner->keeps_memory || p->conf.is_transient || p->is_failed ||
		p->memory_out.status != ERR_OK)
		return ERR_OK;
	e = memory_owner(p, owner, why);
	if (e != ERR_OK)
		return e;
	buffer_init(&kept, MEMORY_BYTES_MAX);
	buffer_append(&kept, owner, sizeof(owner));
	if (p->had_crash)
		e = scanner->forget_holders(buffer_bytes(&p->memory_out), &kept);
	else
		buffer_slice(&kept, buffer_bytes(&p->memory_out));
	if (e == ERR_OK && buffer_status(&kept) == ERR_OK)
		e = inventory_memory_save(p->conf.inventory, job_of(p)->name, buffer_bytes(&kept),
			p->conf.context, why);
	buffer_fini(&kept);
	return e;
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
	e = save_memory(p, &why);
	if (e == ERR_OK)
		e = inventory_pass_end(p->conf.inventory, p->id, &result, clock_now_s(), &why);
	if (e != ERR_OK)
		fail(p, e, &why);
	p->id = 0;
	p->stats.is_complete = !p->is_failed;
	p->stats.vanished = result.vanished;
	p->stats.appeared = result.appeared;
}

/* ---- chains across places --------------------------------------------------------------------- */

static enum err send_case(struct pass *p, const char *place, uint8_t judging, struct why *why)
{
	const struct finding_piece head = { .kind = FINDING_COMPLETION,
		.scanner = slice_text(p->conf.scanner->name),
		.place = slice_text(place),
		.judging = judging };
	struct slice left = buffer_bytes(&p->completion_case);
	struct finding *finding;
	enum err e = parsers_open(p->conf.parsers, p, &head, &finding, why);

	if (e != ERR_OK)
		return e;
	p->outstanding_findings++;
	do {
		size_t size = left.size < FINDING_PIECE_BYTES ? left.size : FINDING_PIECE_BYTES;
		struct slice piece = slice_of(left.data, size);

		left = slice_after(left, size);
		e = parsers_piece(p->conf.parsers, finding, piece, !left.size, why);
	} while (e == ERR_OK && left.size);
	return e;
}

/* Certificates whose issuers lie elsewhere are judged again, as fast as the parsers go. */
static void complete(struct pass *p)
{
	char place[COMPLETION_PLACE_BYTES];
	uint8_t judging;
	struct why why = { 0 };
	enum err e = ERR_OK;

	while (p->completion && e == ERR_OK &&
		parsers_outstanding_bytes(p->conf.parsers) < OUTSTANDING_BYTES_MAX) {
		e = completion_next(p->completion, place, &judging, &p->completion_case, &why);
		if (e == ERR_OK)
			e = send_case(p, place, judging, &why);
	}
	if (e == ERR_END) {
		completion_free(p->completion);
		p->completion = NULL;
	} else if (e != ERR_OK) {
		complain(p, e, &why);
	}
}

static void begin_completion(struct pass *p)
{
	const struct completion_terms terms = {
		.context = p->conf.context, .now = clock_now_s(), .options = p->conf.options
	};
	struct why why = { 0 };
	enum err e = completion_new(p->conf.inventory, &terms, &p->completion, &why);

	if (e != ERR_OK)
		complain(p, e, &why);
	complete(p);
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
	begin_completion(p);
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
static void follow(struct pass *p)
{
	struct why why = { 0 };
	enum err e;

	if (!may_follow(p) || !is_idle(p))
		return;
	if (p->conf.must_wait && p->conf.must_wait(p->conf.arg) &&
		(p->conf.is_transient || clock_monotonic_ms() - p->started_ms < FOLLOW_WAIT_MS))
		return;
	p->has_followed = true;
	e = p->conf.scanner->follow(p->plan, &p->conf.hints, &why);
	if (e != ERR_OK)
		fail(p, e, &why);
	else
		p->plan_ended = false;
	if (!p->has_started && e == ERR_OK) {
		e = start_workers(p, &why);
		if (e != ERR_OK)
			fail(p, e, &why);
	}
	for (unsigned i = 0; i < p->workers_count; i++)
		feed(&p->workers[i]);
}

void pass_finding_done(void *pass, bool crashed)
{
	struct pass *p = pass;

	p->outstanding_findings--;
	p->had_crash = p->had_crash || crashed;
	/* After a crash the next ones wait for the tick, so that a parser that does not start is not asked
	 * over and over. */
	if (p->is_ending && !crashed)
		complete(p);
	if (parsers_outstanding_bytes(p->conf.parsers) < OUTSTANDING_BYTES_MAX / 2)
		for (unsigned i = 0; i < p->workers_count; i++) {
			struct worker *w = &p->workers[i];

			if (w->child && w->is_paused) {
				w->is_paused = false;
				child_pause(w->child, false);
			}
		}
	follow(p);
	maybe_end(p);
}

/* ---- what workers say ------------------------------------------------------------------------- */

static uint8_t judging_at(const struct pass_conf *conf, struct slice place)
{
	size_t entries = ((const struct scan_job *)conf->conf)->target_trust.count;
	size_t entry = entries && conf->scanner->trust_of
			       ? conf->scanner->trust_of(conf->conf, place)
			       : entries;

	return entry < entries ? conf->judgings.targets[entry] : conf->judgings.common;
}

/* A file that is none any more, or never was, leaves its finding empty: the parser says what it thinks of that. */
static enum err hand_on(struct worker *w, struct finding *finding,
	const struct finding_piece *piece, struct why *why)
{
	struct parsers *parsers = w->pass->conf.parsers;
	struct child_file *file = piece->has_file ? child_take_file(w->child) : NULL;
	enum err e;

	if (!file)
		return parsers_piece(parsers, finding, piece->data, piece->is_last, why);
	e = parsers_file(parsers, finding, file, why);
	child_file_drop(file);
	return e;
}

/* A file is looked at once more, with passwords: that there were none is no news any more. */
static void looks_again(struct pass *p, struct slice place)
{
	struct why why = { 0 };
	char *uri = string_of(place);
	enum err e =
		uri ? inventory_forget_locked(p->conf.inventory, p->id, uri, &why) : ERR_MEMORY;

	if (e != ERR_OK)
		fail(p, e, &why);
	free(uri);
}

static enum err on_finding(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;
	struct finding_piece piece;
	struct why why = { 0 };
	unsigned at = 0;
	enum err e = finding_piece_decode(payload, &piece);

	if (e != ERR_OK || piece.is_abandoned || (piece.has_file && !piece.is_first))
		return ERR_MALFORMED;
	while (at < w->open_count && w->open[at].id != piece.id)
		at++;
	if (piece.is_first != (at == w->open_count) || at == FINDINGS_OPEN_MAX)
		return ERR_MALFORMED;
	if (piece.is_first) {
		/* Not the child's to say. */
		piece.judging = judging_at(&p->conf, piece.place);
		if (piece.kind == FINDING_LOCKED)
			looks_again(p, piece.place);
		e = parsers_open(p->conf.parsers, p, &piece, &w->open[at].finding, &why);
		if (e != ERR_OK) {
			fail(p, e, &why);
			return e;
		}
		w->open[at].id = piece.id;
		w->open_count++;
		p->outstanding_findings++;
	}
	e = hand_on(w, w->open[at].finding, &piece, &why);
	if (e != ERR_OK)
		fail(p, e, &why);
	if (piece.is_last)
		w->open[at] = w->open[--w->open_count];
	if (parsers_outstanding_bytes(p->conf.parsers) > OUTSTANDING_BYTES_MAX && !w->open_count) {
		w->is_paused = true;
		child_pause(w->child, true);
	}
	return ERR_OK;
}

static enum err on_problem(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;
	struct record r;
	enum err e = record_decode(payload, &r);

	if (e != ERR_OK)
		return e;
	if (r.kind != RECORD_PROBLEM || !r.location.uri || !r.location.scanner ||
		strcmp(r.location.scanner, p->conf.scanner->name) != 0)
		e = ERR_MALFORMED;
	else
		(void)store(p, &r);
	record_fini(&r);
	return e;
}

static enum err on_kept(struct worker *w, struct slice payload, bool is_stale)
{
	char *uri = text_is_clean(payload) ? string_of(payload) : NULL;
	struct keep known = { .uri = uri, .stale = is_stale };

	if (!uri)
		return ERR_MALFORMED;
	(void)keep(w->pass, &known);
	free(uri);
	return ERR_OK;
}

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
		fail(p, ERR_MEMORY, NULL);
	buffer_fini(&number);
}

static enum err on_want(struct worker *w, struct slice payload)
{
	struct wire wire = wire_of(payload);
	uint64_t count = wire_get_u64(&wire);

	if (!w->pass->permits)
		return ERR_MALFORMED;
	permits_want(w->pass->permits, (unsigned)(w - w->pass->workers), count);
	return wire_end(&wire);
}

static enum err on_work_done(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;
	struct wire wire = wire_of(payload);
	struct piece_of_work *work = take_work(w, wire_get_u64(&wire));

	if (!work)
		return ERR_MALFORMED;
	work_free(work);
	w->under_way_count--;
	follow(p);
	feed(w);
	return wire_end(&wire);
}

static enum err on_progress(struct worker *w, struct slice payload)
{
	struct progress progress;
	enum err e = progress_decode(payload, &progress);

	if (e != ERR_OK)
		return e;
	w->items = progress.items;
	if (progress.expected)
		w->pass->stats.expected = progress.expected;
	free(w->at);
	w->at = progress.at.size ? text_escaped(progress.at) : NULL;
	return ERR_OK;
}

static enum err on_sandbox(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;
	struct sandbox_layer layer;
	enum err e = sandbox_layer_decode(payload, &layer);
	char *name = e == ERR_OK ? text_escaped(layer.layer) : NULL;

	if (!name)
		return e != ERR_OK ? e : ERR_MEMORY;
	p->conf.sandbox(p->conf.arg, p->conf.scanner->role->name, name, layer.is_active);
	free(name);
	return ERR_OK;
}

static enum err on_plan(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;

	return p->conf.scanner->hear ? p->conf.scanner->hear(p->plan, payload) : ERR_MALFORMED;
}

static enum err on_frame(void *arg, uint16_t type, struct slice payload)
{
	struct worker *w = arg;

	w->heard_ms = clock_monotonic_ms();
	switch (type) {
	case MESSAGE_FINDING:
		return on_finding(w, payload);
	case MESSAGE_RECORD:
		return on_problem(w, payload);
	case MESSAGE_UNCHANGED:
		return on_kept(w, payload, false);
	case MESSAGE_KEPT:
		return on_kept(w, payload, true);
	case MESSAGE_WANT:
		return on_want(w, payload);
	case MESSAGE_WORK_DONE:
		return on_work_done(w, payload);
	case MESSAGE_PLAN:
		return on_plan(w, payload);
	case MESSAGE_PROGRESS:
		return on_progress(w, payload);
	case MESSAGE_MEMORY:
		/* An inventory that ends with this process has no next pass to remember for. */
		if (!w->pass->conf.is_transient)
			buffer_slice(&w->pass->memory_out, payload);
		return ERR_OK;
	case MESSAGE_SANDBOX:
		return on_sandbox(w, payload);
	case MESSAGE_FINISHED:
		w->has_finished = w->was_told_finish && !w->under_way_count;
		return w->has_finished ? ERR_OK : ERR_MALFORMED;
	default:
		return ERR_MALFORMED;
	}
}

/* ---- the life of workers ---------------------------------------------------------------------- */

static enum err hand_memory(struct worker *w)
{
	struct slice left = buffer_bytes(&w->pass->memory_in);
	enum err e = ERR_OK;

	while (e == ERR_OK && left.size) {
		size_t size = left.size < MEMORY_PIECE_BYTES ? left.size : MEMORY_PIECE_BYTES;

		e = child_send(w->child, MESSAGE_MEMORY, slice_of(left.data, size));
		left = slice_after(left, size);
	}
	return e;
}

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
		e = hand_memory(w);
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
		feed(w);
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
	for (struct piece_of_work *work; (work = any_work(w));) {
		if (++work->attempts < WORK_ATTEMPTS_MAX) {
			work->next = p->again;
			p->again = work;
			continue;
		}
		store_problem(p, work->place, crash_reason(p), message);
		work_free(work);
	}
	w->under_way_count = 0;
	if (w->at) {
		store_problem(p, w->at, crash_reason(p), message);
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
	for (; w->open_count; w->open_count--)
		parsers_abandon(p->conf.parsers, w->open[w->open_count - 1].finding);
	if (in_order && w->has_finished) {
		free(w->at);
		w->at = NULL;
		maybe_end(p);
		return;
	}
	log_warn("the %s of job %s is gone: %s", p->conf.scanner->role->name, job_of(p)->name, how);
	p->had_crash = true;
	p->items_of_the_dead += w->items;
	w->items = 0;
	buffer_clear(&p->memory_out);
	reap_work(w, how);
	if (!p->is_failed && ++p->restarts <= RESTARTS_MAX) {
		e = start_worker(w, &why);
		if (e != ERR_OK)
			fail(p, e, &why);
		return;
	}
	(void)why_fail(&why, ERR_IO, "the %s died %u times: %s", p->conf.scanner->role->name,
		p->restarts, how);
	fail(p, ERR_IO, &why);
	maybe_end(p);
}

static const struct child_events worker_events = { .frame = on_frame, .gone = on_gone };

void pass_tick(struct pass *p)
{
	int64_t now = clock_monotonic_ms();

	if (p->batch)
		commit(p);
	if (p->is_ending) {
		complete(p);
		maybe_finish(p);
		return;
	}
	follow(p);
	for (unsigned i = 0; i < p->workers_count; i++) {
		struct worker *w = &p->workers[i];

		if (!w->child)
			continue;
		if (w->is_paused)
			w->heard_ms = now;
		else if (now - w->heard_ms > WORKER_SILENCE_MS)
			child_kill(w->child, "no word for a minute");
		if (w->child)
			feed(w);
	}
	/* Last: it may free the pass. */
	maybe_end(p);
}

void pass_stats(const struct pass *p, struct pass_stats *out)
{
	struct pass_stats stats = p->stats;

	stats.job = job_of(p)->name;
	stats.scanner = p->conf.scanner->name;
	stats.items = p->items_of_the_dead;
	for (unsigned i = 0; i < p->workers_count; i++)
		stats.items += p->workers[i].items;
	stats.seconds = (double)(clock_monotonic_ms() - p->started_ms) / 1000.0;
	*out = stats;
}

/* ---- the start -------------------------------------------------------------------------------- */

/* Takes over what the scanner remembers, as far as it still holds. */
static enum err adopt_memory(struct pass *p, const struct buffer *memory,
	const uint8_t context[FINGERPRINT_BYTES], struct why *why)
{
	struct slice bytes = slice_after(buffer_bytes(memory), FINGERPRINT_BYTES);
	uint8_t owner[FINGERPRINT_BYTES];
	int64_t boundary = TIME_UNKNOWN;
	enum err e = memory_owner(p, owner, why);

	if (e == ERR_OK)
		e = inventory_boundary(p->conf.inventory, job_of(p)->name, &boundary, why);
	if (e != ERR_OK || !slice_starts(buffer_bytes(memory), owner, sizeof(owner)))
		return e;
	if (memcmp(context, p->conf.context, FINGERPRINT_BYTES) != 0 ||
		(boundary != TIME_UNKNOWN && boundary <= clock_now_s()))
		return p->conf.scanner->forget_holders(bytes, &p->memory_in);
	buffer_slice(&p->memory_in, bytes);
	return buffer_status(&p->memory_in);
}

static enum err load_memory(struct pass *p, struct why *why)
{
	uint8_t context[FINGERPRINT_BYTES];
	struct buffer memory;
	enum err e;

	if (!p->conf.scanner->keeps_memory)
		return ERR_OK;
	buffer_init(&memory, MEMORY_BYTES_MAX);
	e = inventory_memory_load(p->conf.inventory, job_of(p)->name, &memory, context, why);
	if (e == ERR_OK)
		e = adopt_memory(p, &memory, context, why);
	buffer_fini(&memory);
	/* Without memory everything is read again, which is slow but never wrong. */
	if (e == ERR_NOT_FOUND || e == ERR_MALFORMED) {
		buffer_clear(&p->memory_in);
		e = ERR_OK;
	}
	return e;
}

static enum err begin(struct pass *p, struct why *why)
{
	const struct scanner *scanner = p->conf.scanner;
	double rate;
	enum err e = scanner->open(p->conf.conf, &p->conf.hints, &p->plan, &p->stats.expected, why);

	if (e == ERR_OK)
		e = inventory_pass_begin(p->conf.inventory, scanner->name, job_of(p)->name,
			clock_now_s(), &p->id, why);
	if (e == ERR_OK)
		e = load_memory(p, why);
	rate = scanner->rate_of ? scanner->rate_of(p->conf.conf) : 0;
	if (e == ERR_OK && rate > 0)
		e = permits_new(p->conf.loop, rate, on_grant, p, &p->permits);
	return e;
}

/* A plan without work needs no process. */
static enum err start_workers(struct pass *p, struct why *why)
{
	struct piece_of_work *first = next_work(p);
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
		for (struct piece_of_work *work; (work = any_work(w));)
			work_free(work);
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
