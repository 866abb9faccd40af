/* Which newer certificate on disk counts, and what is said of it. */
#include "agent/served_internal.h"

#include "agent/base/buffer.h"
#include "agent/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES_MAX (4 * 1024)
#define NAME_BYTES_MAX 512

/* ---- the choice --------------------------------------------------------------------------------- */

static bool is_sure(const struct lying *l)
{
	return l->held_it || l->named_by || l->is_on_command || l->is_open || l->is_deleted;
}

/* Is the served one kept at a place of its own, away from the newer one? Then it may be another server's. */
static bool is_kept_elsewhere(const struct served *s, const struct lying *l)
{
	for (size_t i = 0; i < s->holders.count; i++)
		if (!served_is_history(s->holders.items[i]) &&
			!served_is_same_folder(s->holders.items[i], l->uri))
			return true;
	return false;
}

static bool is_likely(const struct served *s, const struct lying *l)
{
	if (!(l->relation & RELATION_ISSUER) || !(l->relation & (RELATION_KEY | RELATION_NAMES)))
		return false;
	/* A server may have one of each kind, RSA beside ECDSA: they are no successors of each other. */
	if (!(l->relation & RELATION_KIND))
		return false;
	/* Names that every host gives itself, or that everybody may sign for, prove nothing. */
	if (!(l->relation & RELATION_KEY) &&
		(s->like.is_self_issued || likeness_is_generic(&s->like)))
		return false;
	return !is_kept_elsewhere(s, l);
}

static bool counts(const struct served *s, const struct lying *l)
{
	/* One file may hold both: then the server takes its pick. */
	if (strings_contain(&s->holders, l->uri))
		return false;
	return is_sure(l) || is_likely(s, l);
}

/* The better proof, then the newer one, then the place in use. */
static bool is_better(const struct lying *a, const struct lying *b)
{
	unsigned proof_a =
		4U * (a->named_by != NULL) + 2U * is_sure(a) + !served_is_history(a->uri);
	unsigned proof_b =
		4U * (b->named_by != NULL) + 2U * is_sure(b) + !served_is_history(b->uri);

	if (proof_a != proof_b)
		return proof_a > proof_b;
	if (a->not_before != b->not_before)
		return a->not_before > b->not_before;
	return strcmp(a->uri, b->uri) < 0;
}

const struct lying *served_choose(const struct served *s)
{
	const struct lying *best = NULL;

	/* A configuration names where the served one lies: it is served as it should be. */
	if (s->is_configured)
		return NULL;
	for (size_t i = 0; i < s->lying_count; i++)
		if (counts(s, &s->lying[i]) && (!best || is_better(&s->lying[i], best)))
			best = &s->lying[i];
	return best;
}

/* ---- the sentence ------------------------------------------------------------------------------- */

static void put_place(struct buffer *out, const char *uri)
{
	char *path = served_path(uri);

	text_escape(out, slice_text(path ? path : uri));
	free(path);
}

static void put_time(struct buffer *out, const char *before, int64_t at)
{
	char text[TIME_TEXT_BYTES];

	if (at == TIME_UNKNOWN)
		return;
	time_rfc3339(at, text);
	buffer_format(out, "%s%s", before, text);
}

static void put_process(struct buffer *out, const struct process *p)
{
	if (!p->pid) {
		buffer_text(out, "its process");
		return;
	}
	buffer_format(
		out, "%.*s (pid %" PRIu32, NAME_BYTES_MAX, p->name ? p->name : "a process", p->pid);
	if (p->unit)
		buffer_format(out, ", %.*s", NAME_BYTES_MAX, p->unit);
	if (p->container)
		buffer_format(out, ", container %.*s", NAME_BYTES_MAX, p->container);
	buffer_text(out, ")");
}

static void say_file(struct buffer *out, const struct lying *l, int64_t since)
{
	if (!is_sure(l)) {
		buffer_format(out, "a newer one with the same %s lies at ",
			l->relation & RELATION_NAMES ? "names" : "key");
		put_place(out, l->uri);
		put_time(out, " since ", since);
		return;
	}
	put_place(out, l->uri);
	if (l->named_by) {
		buffer_text(out, ", which ");
		put_place(out, l->named_by);
		buffer_text(out, " names,");
	} else if (l->held_it) {
		buffer_text(out, ", where this one was,");
	}
	buffer_text(out, " holds a newer one");
	put_time(out, " since ", since);
}

/* Where the served one still lies, in use and not put away; NULL: nowhere. */
static const char *place_in_use(const struct served *s)
{
	for (size_t i = 0; i < s->holders.count; i++)
		if (!served_is_history(s->holders.items[i]))
			return s->holders.items[i];
	return NULL;
}

static int64_t youngest(const struct process *p)
{
	return p->worker_started > p->started ? p->worker_started : p->started;
}

static void say_started(struct buffer *out, const struct process *p)
{
	bool has_reloaded = p->worker_started > p->started;

	buffer_text(out, ", and ");
	put_process(out, p);
	put_time(out, has_reloaded ? " has started workers " : " was started ", youngest(p));
	buffer_text(out, ", after that, and still serves this one: does its configuration name "
			 "another file?");
}

static void say_running(struct buffer *out, const struct process *p)
{
	buffer_text(out, ", but ");
	put_process(out, p);
	if (p->pid && p->started != TIME_UNKNOWN)
		put_time(out,
			youngest(p) > p->started ? ", whose youngest worker runs since "
						 : ", which runs since ",
			youngest(p));
	buffer_format(out, "%s still serves this one: reload it",
		p->pid && p->started != TIME_UNKNOWN ? "," : "");
}

enum err served_explain(
	const struct served *s, const struct lying *l, int64_t changed, struct served_differs *out)
{
	int64_t since = changed != TIME_UNKNOWN ? changed : l->first_seen;
	const char *in_use = is_sure(l) ? NULL : place_in_use(s);
	struct buffer text;

	buffer_init(&text, SENTENCE_BYTES_MAX);
	say_file(&text, l, since);
	out->needs = SERVED_NEEDS_CONFIGURATION;
	if (in_use) {
		buffer_text(&text, ", but ");
		put_process(&text, &s->process);
		buffer_text(&text, " serves this one, which lies at ");
		put_place(&text, in_use);
	} else if (s->process.pid && youngest(&s->process) > since) {
		say_started(&text, &s->process);
	} else {
		say_running(&text, &s->process);
		out->needs = SERVED_NEEDS_RELOAD;
	}
	if (l->is_deleted)
		buffer_text(&text, " (it has the file open that was deleted there)");
	out->file = strdup(l->uri);
	out->index = l->index;
	memcpy(out->fingerprint, l->fingerprint, FINGERPRINT_BYTES);
	out->not_after = l->not_after;
	out->since = since;
	out->message = buffer_take_string(&text);
	return out->file && out->message ? ERR_OK : ERR_MEMORY;
}
