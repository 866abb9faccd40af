/* What the processes of a pass say. */
#include "agent/pass_internal.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

static uint8_t judging_at(const struct pass_conf *conf, struct slice place)
{
	size_t entries = ((const struct scan_job *)conf->conf)->target_trust.count;
	size_t entry = entries && conf->scanner->trust_of
			       ? conf->scanner->trust_of(conf->conf, place)
			       : entries;

	return entry < entries ? conf->judgings.targets[entry] : conf->judgings.common;
}

/* Without its file a finding is empty, of which the parser has nothing to say. */
static void tell_lost_file(struct worker *w, const struct finding_piece *piece)
{
	char *place = text_escaped(piece->place);

	if (place)
		pass_store_problem(w->pass, place, REASON_UNREADABLE,
			"it was opened, but could not be handed on: too many files are open, or it is none");
	free(place);
}

static enum err hand_on(struct worker *w, struct finding *finding,
	const struct finding_piece *piece, struct why *why)
{
	struct parsers *parsers = w->pass->conf.parsers;
	struct child_file *file = piece->has_file ? child_take_file(w->child) : NULL;
	enum err e;

	if (piece->has_file && !file)
		tell_lost_file(w, piece);
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
		pass_fail(p, e, &why);
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
			pass_fail(p, e, &why);
			return e;
		}
		w->open[at].id = piece.id;
		w->open_count++;
		p->outstanding_findings++;
	}
	if (piece.is_cut)
		parsers_cut(w->open[at].finding);
	e = hand_on(w, w->open[at].finding, &piece, &why);
	if (e != ERR_OK)
		pass_fail(p, e, &why);
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
		(void)pass_store(p, &r);
	record_fini(&r);
	return e;
}

static enum err on_kept(struct worker *w, struct slice payload, bool is_stale)
{
	char *uri = text_is_clean(payload) ? string_of(payload) : NULL;
	struct keep known = { .uri = uri, .stale = is_stale };

	if (!uri)
		return ERR_MALFORMED;
	(void)pass_keep(w->pass, &known);
	free(uri);
	return ERR_OK;
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

static void on_key_word(void *arg, unsigned which, uint16_t type, struct slice payload)
{
	struct pass *p = arg;

	if (p->workers[which].child && child_send(p->workers[which].child, type, payload) != ERR_OK)
		pass_fail(p, ERR_MEMORY, NULL);
}

static void on_signer_layer(void *arg, const char *role, const char *layer, bool is_active)
{
	const struct pass *p = arg;

	p->conf.sandbox(p->conf.arg, role, layer, is_active);
}

static enum err on_key_wish(struct worker *w, uint16_t type, struct slice payload)
{
	struct pass *p = w->pass;
	const struct signers_conf conf = { .loop = p->conf.loop,
		.in_thread = p->conf.in_thread,
		.inventory = p->conf.inventory,
		.scanner = p->conf.scanner,
		.conf = p->conf.conf,
		.answer = on_key_word,
		.sandbox = on_signer_layer,
		.arg = p };

	if (!p->signers && signers_new(&conf, &p->signers) != ERR_OK)
		return ERR_MEMORY;
	return signers_ask(p->signers, (unsigned)(w - p->workers), type, payload);
}

static enum err on_work_done(struct worker *w, struct slice payload)
{
	struct pass *p = w->pass;
	struct wire wire = wire_of(payload);
	struct piece_of_work *work = pass_take_work(w, wire_get_u64(&wire));

	if (!work)
		return ERR_MALFORMED;
	pass_work_free(work);
	w->under_way_count--;
	pass_follow(p);
	pass_feed(w);
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

enum err pass_on_frame(void *worker, uint16_t type, struct slice payload)
{
	struct worker *w = worker;

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
	case MESSAGE_KEY_OPEN:
	case MESSAGE_SIGN:
		return on_key_wish(w, type, payload);
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
