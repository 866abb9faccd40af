/* A file's content to its records: formats take certificates out, neighbours help to judge them. */
#include "scanners/parser_finding.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/revocation.h"
#include "scanners/formats/format.h"
#include "scanners/formats/label.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Certificates judged together. Beyond it a bundle is taken in batches, so that memory (24 KiB a
 * handle) stays bounded and the cost linear. */
#define BATCH_MAX 256
#define ITEMS_STEP 16
#define READ_MESSAGE_BYTES 160
/* CA certificates kept from earlier batches: a bundle's issuers may stand far from its leaves. */
#define ISSUERS_MAX 64
/* Self-issued CAs in one file that make it somebody's trust store. */
#define BUNDLE_ROOTS_MIN 10

struct item {
	struct record record; /* of a certificate: only its location until it is judged */
	struct parsed_certificate parsed; /* of a certificate */
	uint8_t *der;                     /* owned */
	char *trust_flags;                /* owned, until it is in the record */
	bool is_x509;                     /* to be judged; else the record is told as it is */
};

/* Members in members; what lies deeper is told by the archive's own ceiling long before. */
#define LEVELS_MAX (FORMAT_ARCHIVE_DEPTH_CEILING + FORMAT_DEPTH_CEILING)

/* What holds again when a member is left. */
struct outside {
	const char *uri;
	const struct format *format;
	struct label *label;
	uint32_t index;
	uint32_t keys;
	struct buffer member; /* the uri of the member */
};

struct gather {
	const struct parser_context *context;
	const struct parser_place *place;
	struct item *items;   /* owned: issuers of earlier batches, then this batch */
	size_t issuers_count; /* judged and told already */
	bool is_bundle;       /* of roots: a trust store */
	size_t count;
	size_t capacity;
	const struct format *format;
	const char *uri; /* of the member being read, or the place's */
	uint32_t index;
	uint32_t references;
	uint32_t keys;
	unsigned depth;
	struct format_budget budget;
	struct outside outside[LEVELS_MAX];
	size_t levels; /* members that are entered */
	size_t certificates;
	size_t problems;
	struct strings passwords;  /* borrowed: those that are tried */
	size_t passwords_left_out; /* candidates besides */
	bool is_late;              /* it took too long: what comes is not taken any more */
	char *trust_flags;         /* owned, or NULL: of the certificate that comes next */
	struct label *label;       /* borrowed: of the text being read */
	const char *layer;         /* borrowed: of which image's layer it is part; or NULL */
	enum err status;           /* the first failure, which ends everything */
};

static void item_fini(struct item *i)
{
	parsed_certificate_fini(&i->parsed);
	record_fini(&i->record);
	free(i->der);
	free(i->trust_flags);
	*i = (struct item){ 0 };
}

static char *copy_of(const char *text)
{
	return text ? text_escaped(slice_text(text)) : NULL;
}

static bool copied(const char *text, const char *copy)
{
	return !text || copy;
}

/* In front of the name that it has there. */
static enum err put_layer(const char *layer, char **alias)
{
	struct buffer text;
	char *own = *alias;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	buffer_text(&text, layer);
	if (own && *own) {
		buffer_text(&text, " alias: ");
		buffer_text(&text, own);
	}
	/* Both do not fit: then the layer alone. */
	if (buffer_status(&text) == ERR_LIMIT) {
		buffer_clear(&text);
		buffer_text(&text, layer);
	}
	*alias = buffer_take_string(&text);
	free(own);
	return *alias ? ERR_OK : ERR_MEMORY;
}

static enum err locate(
	struct gather *g, struct location *out, const char *alias, const char *integrity)
{
	const char *format = g->format ? g->format->name : NULL;
	enum err e;

	*out = (struct location){ .index = g->index };
	out->scanner = copy_of(g->place->scanner);
	out->uri = copy_of(g->uri);
	out->format = copy_of(format);
	out->integrity = copy_of(integrity);
	e = label_alias(g->label, alias, &out->alias);
	if (e == ERR_OK && g->layer)
		e = put_layer(g->layer, &out->alias);
	if (e == ERR_OK && out->scanner && out->uri && copied(format, out->format) &&
		copied(integrity, out->integrity))
		return ERR_OK;
	location_fini(out);
	return ERR_MEMORY;
}

/* --- judging and telling ---------------------------------------------------------------------- */

/* What may be missing elsewhere, and what may have a better path: at once, or when a CA is revoked. */
static bool is_worth_keeping(const struct certificate_record *r)
{
	const struct verdict *v = &r->verdict;

	if (!v->is_checked && !v->chain.count)
		return false;
	if (v->is_anchor || v->is_bundled)
		return false;
	return r->facts.is_ca || verdict_lacks_issuer(v) || v->is_revocable ||
	       (!r->is_served && verdict_may_be_bettered(v));
}

enum err parser_tell_lent(
	const struct parser_context *c, struct record *r, const struct parsed_certificate *parsed)
{
	enum err e;

	r->certificate.facts = parsed->facts;
	r->certificate.verdict.judging = c->judging->id;
	if (is_worth_keeping(&r->certificate) && parsed->der.size <= RECORD_DER_BYTES_MAX) {
		r->certificate.der = (uint8_t *)(uintptr_t)parsed->der.data;
		r->certificate.der_size = parsed->der.size;
	}
	e = c->record(c->arg, r);
	r->certificate.facts = (struct certificate){ 0 };
	r->certificate.der = NULL;
	r->certificate.der_size = 0;
	return e;
}

static enum err judge_item(struct gather *g, struct item *item,
	const struct parsed_certificate *const *all, size_t count)
{
	struct judge_question q = { .leaf = &item->parsed,
		.candidates = all,
		.candidates_count = count,
		.purpose = PURPOSE_ANY,
		.stores = &g->context->judging->stores,
		.now = clock_now_s() };

	struct verdict *v = &item->record.certificate.verdict;
	enum err e = judge(g->context->trust, g->context->cache, &q, v);

	if (e == ERR_OK)
		e = judge_stores(g->context->trust, g->context->cache, &q, v);
	if (e == ERR_OK)
		revocation_note_issuer(g->context->trust, &q, v);
	return e;
}

static bool is_root(const struct item *item)
{
	return item->parsed.facts.is_ca && item->parsed.facts.is_self_issued;
}

/* So many roots in one file are what a program trusts, not what this host has issued. */
static bool is_bundle(const struct gather *g)
{
	size_t roots = 0;

	for (size_t i = 0; i < g->count; i++)
		if (g->items[i].is_x509 && is_root(&g->items[i]))
			roots++;
	return roots >= BUNDLE_ROOTS_MIN;
}

/* The facts are lent to the record for the telling: verdicts of others still need them. */
static enum err tell_certificate(struct gather *g, struct item *item,
	const struct parsed_certificate *const *all, size_t count)
{
	enum err e = judge_item(g, item, all, count);

	if (e != ERR_OK)
		return e;
	item->record.certificate.verdict.is_bundled = g->is_bundle && is_root(item);
	return parser_tell_lent(g->context, &item->record, &item->parsed);
}

static enum err tell_all(struct gather *g)
{
	const struct parsed_certificate **all =
		calloc(g->count + 1, sizeof(const struct parsed_certificate *));
	size_t count = 0;
	enum err e = ERR_OK;

	if (!all)
		return ERR_MEMORY;
	for (size_t i = 0; i < g->count; i++)
		if (g->items[i].is_x509)
			all[count++] = &g->items[i].parsed;
	g->is_bundle = g->is_bundle || is_bundle(g);
	for (size_t i = g->issuers_count; e == ERR_OK && i < g->count; i++) {
		struct item *item = &g->items[i];

		if (item->is_x509)
			e = tell_certificate(g, item, all, count);
		else
			e = g->context->record(g->context->arg, &item->record);
	}
	free(all);
	return e;
}

/* Tells the batch and forgets it, all but some CAs. */
static enum err flush(struct gather *g)
{
	enum err e = tell_all(g);
	size_t kept = g->issuers_count;

	for (size_t i = g->issuers_count; i < g->count; i++) {
		struct item *item = &g->items[i];

		if (kept < ISSUERS_MAX && item->is_x509 && item->parsed.facts.is_ca) {
			struct item moved = *item;

			*item = (struct item){ 0 };
			g->items[kept++] = moved;
		} else {
			item_fini(item);
		}
	}
	g->issuers_count = kept;
	g->count = kept;
	return e;
}

static enum err add_item(struct gather *g, struct item *item)
{
	struct item *items;

	if (g->count == BATCH_MAX) {
		enum err e = flush(g);

		if (e != ERR_OK)
			return e;
	}
	if (g->count == g->capacity) {
		items = reallocarray(g->items, g->capacity + ITEMS_STEP, sizeof(*items));
		if (!items)
			return ERR_MEMORY;
		g->items = items;
		g->capacity += ITEMS_STEP;
	}
	g->items[g->count++] = *item;
	*item = (struct item){ 0 };
	return ERR_OK;
}

/* --- what formats say ------------------------------------------------------------------------- */

static enum err fail(struct gather *g, enum err e)
{
	if (g->status == ERR_OK)
		g->status = e;
	return e;
}

/* `bytes` are an evident certificate's: then the problem says which, and has a position of its own. */
static enum err add_problem(
	struct gather *g, enum reason reason, struct slice bytes, const char *message)
{
	struct evident_certificate evident = { .not_before = TIME_UNKNOWN,
		.not_after = TIME_UNKNOWN };
	struct problem_record *p;
	struct item item = { 0 };
	enum err e;

	if (++g->problems > (size_t)g->budget.limits->problems + 1)
		return ERR_OK;
	if (g->problems > (size_t)g->budget.limits->problems) {
		reason = REASON_LIMIT_REACHED;
		bytes = slice_of(NULL, 0);
		message = "more is wrong with it than is told of one file (limits.problems)";
	}
	item.record.kind = RECORD_PROBLEM;
	p = &item.record.problem;
	*p = (struct problem_record){
		.reason = reason, .not_before = TIME_UNKNOWN, .not_after = TIME_UNKNOWN
	};
	p->message = text_escaped(slice_text(message));
	e = p->message ? locate(g, &item.record.location, NULL, NULL) : ERR_MEMORY;
	if (e == ERR_OK && bytes.size) {
		if (!certificate_is_evident(bytes, &evident))
			fingerprint_of(bytes, evident.fingerprint);
		memcpy(p->fingerprint, evident.fingerprint, FINGERPRINT_BYTES);
		p->has_fingerprint = true;
		p->not_before = evident.not_before;
		p->not_after = evident.not_after;
		g->index++;
	}
	if (e == ERR_OK)
		e = add_item(g, &item);
	item_fini(&item);
	return e;
}

/* At the place of the whole file, since it is of all that comes that nothing is told: what is known there stays known. */
static enum err add_file_limit(struct gather *g, const char *message)
{
	const char *uri = g->uri;
	struct label *label = g->label;
	const struct format *format = g->format;
	enum err e;

	g->uri = g->place->uri;
	g->label = NULL;
	if (g->levels)
		g->format = g->outside[0].format;
	e = add_problem(g, REASON_LIMIT_REACHED, slice_of(NULL, 0), message);
	g->uri = uri;
	g->label = label;
	g->format = format;
	return e;
}

/* Told once; then the formats are to end. An archive that has spent all it had has said so. */
static bool is_late(struct gather *g)
{
	if (g->is_late || !format_budget_is_late(&g->budget))
		return g->is_late;
	g->is_late = true;
	if (!g->budget.is_spent)
		(void)!fail(
			g, add_file_limit(g, "it takes too long: what is behind was not looked at "
					     "(limits.file_time)"));
	g->budget.is_spent = true;
	return true;
}

static enum err on_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	struct gather *g = arg;

	return fail(g, add_problem(g, reason, bytes, message));
}

static enum err refused(struct gather *g, struct slice der, enum err why_not, const struct why *why)
{
	if (why_not == ERR_MEMORY)
		return why_not;
	return add_problem(g, why_not == ERR_LIMIT ? REASON_LIMIT_REACHED : REASON_MALFORMED, der,
		why_text(why, why_not));
}

static bool is_too_many(struct gather *g)
{
	return ++g->certificates > (size_t)g->budget.limits->certificates;
}

/* Once, where the first was too many. */
static enum err tell_too_many(struct gather *g)
{
	if (g->certificates > (size_t)g->budget.limits->certificates + 1)
		return ERR_OK;
	return add_file_limit(
		g, "it holds more certificates than are told of one file (limits.certificates)");
}

static enum err add_certificate(
	struct gather *g, struct slice der, const char *alias, const char *integrity)
{
	struct item item = { 0 };
	struct why why = { 0 };
	char message[CERTIFICATE_CUT_BYTES];
	size_t trailing = 0;
	bool is_cut;
	enum err e;

	if (is_too_many(g))
		return tell_too_many(g);
	/* What the format lent is gone after the call; the handle's neighbours need it longer. */
	item.der = malloc(der.size + 1);
	if (!item.der)
		return ERR_MEMORY;
	item.trust_flags = g->trust_flags;
	g->trust_flags = NULL;
	if (der.size)
		memcpy(item.der, der.data, der.size);
	e = certificate_parse_known(
		g->context->known, slice_of(item.der, der.size), &item.parsed, &trailing, &why);
	if (e != ERR_OK) {
		item_fini(&item);
		return refused(g, der, e, &why);
	}
	is_cut = parsed_certificate_cut(&item.parsed, message);
	item.record.kind = RECORD_CERTIFICATE;
	item.is_x509 = true;
	e = locate(g, &item.record.location, alias, integrity);
	if (e == ERR_OK) {
		item.record.location.trust_flags = item.trust_flags;
		item.trust_flags = NULL;
		g->index++;
		e = add_item(g, &item);
	}
	item_fini(&item);
	if (e == ERR_OK && is_cut)
		e = add_problem(g, REASON_LIMIT_REACHED, slice_of(NULL, 0), message);
	if (e != ERR_OK || !trailing)
		return e;
	(void)snprintf(message, sizeof(message), "%zu bytes follow the certificate", trailing);
	return add_problem(g, REASON_MALFORMED, slice_of(NULL, 0), message);
}

static enum err on_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	struct gather *g = arg;

	return is_late(g) ? ERR_LIMIT : fail(g, add_certificate(g, der, alias, integrity));
}

static enum err add_record(struct gather *g, struct record *r)
{
	char *alias = r->location.alias;
	struct item item = { .record = *r };
	enum err e;

	*r = (struct record){ 0 };
	item.record.location = (struct location){ 0 };
	if (is_too_many(g)) {
		free(alias);
		item_fini(&item);
		return tell_too_many(g);
	}
	e = locate(g, &item.record.location, alias, NULL);
	free(alias);
	if (e == ERR_OK) {
		g->index++;
		e = add_item(g, &item);
	}
	item_fini(&item);
	return e;
}

/* Keys have positions of their own too. */
static enum err add_key(struct gather *g, struct record *r)
{
	char *alias = r->location.alias;
	enum err e;

	r->location = (struct location){ 0 };
	e = locate(g, &r->location, alias, NULL);
	free(alias);
	if (e == ERR_OK) {
		r->location.index = g->keys++;
		r->key.has_owner = g->place->owner.is_known;
		r->key.mode = g->place->owner.mode & 07777;
		r->key.uid = g->place->owner.uid;
		r->key.gid = g->place->owner.gid;
		e = g->context->record(g->context->arg, r);
	}
	record_fini(r);
	return e;
}

static enum err on_record(void *arg, struct record *r)
{
	struct gather *g = arg;

	if (is_late(g)) {
		record_fini(r);
		*r = (struct record){ 0 };
		return ERR_LIMIT;
	}
	return fail(g, r->kind == RECORD_KEY ? add_key(g, r) : add_record(g, r));
}

static void on_trust(void *arg, const char *flags)
{
	struct gather *g = arg;

	free(g->trust_flags);
	g->trust_flags = copy_of(flags);
}

static void on_format(void *arg, const struct format *format)
{
	struct gather *g = arg;

	label_place(g->label, NULL);
	/* What lies in base64 or PEM at the same place, packed or not, goes by the outer format's name. */
	if (g->depth == 0 || !g->format)
		g->format = format;
}

static void on_layer(void *arg, const char *label)
{
	struct gather *g = arg;

	g->layer = label ? label : g->place->label;
}

static void on_place(void *arg, const uint8_t *at)
{
	struct gather *g = arg;

	label_place(g->label, at);
}

/* References have positions of their own: a file with both is rare, and neither is to shift the other. */
static enum err add_reference(struct gather *g, const struct reference_record *reference)
{
	struct record r = { .kind = RECORD_REFERENCE, .reference = *reference };
	enum err e;

	label_place(g->label, NULL);
	e = locate(g, &r.location, NULL, NULL);
	r.location.index = g->references++;
	if (e == ERR_OK)
		e = g->context->record(g->context->arg, &r);
	location_fini(&r.location);
	return e;
}

static enum err on_reference(void *arg, const struct reference_record *reference)
{
	struct gather *g = arg;

	return fail(g, add_reference(g, reference));
}

static enum err parse(struct gather *g, struct slice bytes, const struct format_file *file);

static enum err on_enter(void *arg, const char *member)
{
	struct gather *g = arg;
	struct outside *o = &g->outside[g->levels];
	enum err e;

	if (g->levels == LEVELS_MAX)
		return ERR_LIMIT;
	*o = (struct outside){ .uri = g->uri,
		.format = g->format,
		.label = g->label,
		.index = g->index,
		.keys = g->keys };
	buffer_init(&o->member, RECORD_TEXT_BYTES_MAX);
	buffer_text(&o->member, g->uri);
	buffer_text(&o->member, "!/");
	text_uri_encode(&o->member, slice_text(member));
	e = buffer_status(&o->member);
	if (e == ERR_OK) {
		g->levels++;
		g->uri = buffer_string(&o->member);
		g->format = NULL;
		g->label = NULL; /* what a member holds is named by the member */
		g->index = 0;
		g->keys = 0;
		return ERR_OK;
	}
	buffer_fini(&o->member);
	if (e == ERR_LIMIT && fail(g, add_problem(g, REASON_LIMIT_REACHED, slice_of(NULL, 0),
					      "a member's name is too long")) != ERR_OK)
		return g->status;
	return e;
}

static void on_leave(void *arg)
{
	struct gather *g = arg;
	struct outside *o = &g->outside[--g->levels];

	g->uri = o->uri;
	g->format = o->format;
	g->label = o->label;
	g->index = o->index;
	g->keys = o->keys;
	buffer_fini(&o->member);
}

static enum err parse_member(struct gather *g, const char *member, struct slice bytes)
{
	enum err e = on_enter(g, member);

	if (e != ERR_OK)
		return e == ERR_LIMIT ? ERR_OK : e;
	e = parse(g, bytes, NULL);
	on_leave(g);
	return e;
}

static enum err on_nested(void *arg, const char *member, struct slice bytes)
{
	struct gather *g = arg;
	enum err e;

	if (is_late(g))
		return ERR_LIMIT;
	if (g->depth >= (unsigned)g->budget.limits->nesting)
		return fail(g, add_problem(g, REASON_LIMIT_REACHED, slice_of(NULL, 0),
				       "it is nested too deeply (limits.nesting)"));
	g->depth++;
	e = member ? parse_member(g, member, bytes) : parse(g, bytes, NULL);
	g->depth--;
	return e == ERR_NOT_FOUND ? e : fail(g, e);
}

static enum err parse(struct gather *g, struct slice bytes, const struct format_file *file)
{
	const struct format_sink sink = { .arg = g,
		.certificate = on_certificate,
		.problem = on_problem,
		.nested = on_nested,
		.enter = on_enter,
		.leave = on_leave,
		.record = on_record,
		.trust = on_trust,
		.place = on_place,
		.layer = on_layer,
		.reference = on_reference,
		.format = on_format };
	struct label label = { .text = bytes, .above = g->label };
	struct format_input in = { .bytes = bytes,
		.file = file,
		.passwords = &g->passwords,
		.passwords_left_out = g->passwords_left_out,
		.depth = g->depth,
		.uri = g->place->uri,
		.is_cut = g->place->is_cut && !g->depth,
		.budget = &g->budget };
	const struct format *which;
	enum err e;

	g->label = &label;
	e = formats_parse(&in, &sink, &which);
	g->label = label.above;
	label_fini(&label);
	return g->status != ERR_OK ? g->status : e;
}

static enum err parse_where_it_lies(struct gather *g)
{
	const struct format_file *file = g->place->file;
	uint8_t head[SNIFF_HEAD_BYTES];
	char message[READ_MESSAGE_BYTES];
	ssize_t n;

	do {
		n = pread(file->fd, head, sizeof(head), 0);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return parse(g, slice_of(head, (size_t)n), file);
	(void)snprintf(message, sizeof(message), "cannot be read: %m");
	return add_problem(g, REASON_UNREADABLE, slice_of(NULL, 0), message);
}

enum err parser_file(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct gather g = {
		.context = c, .place = place, .uri = place->uri, .layer = place->label
	};
	size_t tried;
	enum err e;

	format_budget_init(&g.budget, c->limits, place->file ? place->file->size : bytes.size);
	tried = (size_t)g.budget.limits->passwords;
	if (c->passwords)
		g.passwords = *c->passwords;
	if (g.passwords.count > tried) {
		g.passwords_left_out = g.passwords.count - tried;
		g.passwords.count = tried;
	}
	e = place->file ? parse_where_it_lies(&g) : parse(&g, bytes, NULL);
	if (e == ERR_OK || e == ERR_NOT_FOUND || (g.is_late && g.status == ERR_OK))
		e = tell_all(&g);
	for (size_t i = 0; i < g.count; i++)
		item_fini(&g.items[i]);
	free(g.items);
	free(g.trust_flags);
	return e;
}
