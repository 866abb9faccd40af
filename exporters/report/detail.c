/* -o detail: everything known of each record, a fact a line. What `show` prints. */
#include "exporters/report/paint.h"

#include "exporters/report/place.h"

#include "agent/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_CELLS 22
#define LIST_LINES_MAX 200
#define FINGERPRINT_SHORT_DIGITS 16

struct detail {
	struct paint *paint;
	const struct view *view;
	uint64_t records;
};

static void fact(struct detail *d, const char *label, const char *value, enum ink ink)
{
	size_t width = cells_of(label);

	if (!value || !value[0])
		return;
	paint_text(d->paint, "  ", INK_PLAIN);
	paint_text(d->paint, label, INK_DIM);
	for (; width < LABEL_CELLS; width++)
		paint_text(d->paint, " ", INK_PLAIN);
	paint_text(d->paint, value, ink);
	paint_end(d->paint);
}

/* A fact put together in a buffer, which is freed. */
static void fact_buffer(struct detail *d, const char *label, struct buffer *text, enum ink ink)
{
	paint_note(d->paint, buffer_status(text));
	fact(d, label, buffer_string(text), ink);
	buffer_fini(text);
}

static void fact_time(struct detail *d, const char *label, int64_t t)
{
	char when[TIME_TEXT_BYTES];
	char span[TIME_TEXT_BYTES];
	struct buffer text;

	if (t == TIME_UNKNOWN)
		return;
	time_rfc3339(t, when);
	time_span(t > d->view->now ? t - d->view->now : d->view->now - t, span);
	buffer_init(&text, 4 * TIME_TEXT_BYTES);
	buffer_format(&text, "%s  (%s%s)", when, t > d->view->now ? "in " : span,
		t > d->view->now ? span : " ago");
	fact_buffer(d, label, &text, INK_PLAIN);
}

static void fact_count(struct detail *d, uint64_t count, const char *of_what)
{
	struct buffer text;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	buffer_format(&text, "%" PRIu64 " %s", count, of_what);
	fact_buffer(d, "", &text, INK_DIM);
}

static void fact_list(struct detail *d, const char *label, const struct strings *list)
{
	size_t shown = list->count > LIST_LINES_MAX ? LIST_LINES_MAX : list->count;

	for (size_t i = 0; i < shown; i++)
		fact(d, i ? "" : label, list->items[i], INK_PLAIN);
	if (shown < list->count)
		fact_count(d, list->count - shown, "more, all of them with -o json");
}

static void fact_fingerprints(struct detail *d, const char *label, const struct fingerprints *list)
{
	for (size_t i = 0; i < list->count; i++) {
		char hex[FINGERPRINT_TEXT_BYTES];

		text_hex(hex, list->items[i], FINGERPRINT_BYTES);
		fact(d, i ? "" : label, hex, INK_PLAIN);
	}
}

static void place(struct detail *d, const struct sighting *s)
{
	const struct location *l = &s->record->location;
	struct buffer text;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX * 4);
	buffer_text(&text, l->uri);
	if (l->index)
		buffer_format(&text, "#%" PRIu32, l->index);
	fact_buffer(d, "place", &text, INK_BOLD);
	fact(d, "format", l->format, INK_PLAIN);
	fact(d, "alias", l->alias, INK_PLAIN);
	fact(d, "integrity", l->integrity, INK_YELLOW);
	fact(d, "trust flags", l->trust_flags, INK_PLAIN);
	fact_time(d, "first seen", s->first_seen);
	fact_time(d, "last seen", s->last_seen);
	if (s->gone_at != TIME_UNKNOWN)
		fact_time(d, "gone", s->gone_at);
	if (s->is_stale)
		fact(d, "stale", "it could not be looked at; this is what was known", INK_YELLOW);
}

/* "nginx /etc/nginx/sites-enabled/api:12, the server certificate of api.example.org" */
static void append_reference(struct buffer *out, const struct record *r)
{
	const struct location at = { .uri = r->location.uri };
	const struct reference_record *f = &r->reference;
	char *path = place_text(&at);

	buffer_format(out, "%s %s:%" PRIu32 ", %s", r->location.format ? r->location.format : "",
		path ? path : "", f->line, reference_role_use(f->role));
	free(path);
	for (size_t i = 0; i < f->names.count; i++)
		buffer_format(out, "%s%s", i ? ", " : " ", f->names.items[i]);
	if (!f->names.count)
		buffer_text(out, " it");
	for (size_t i = 0; i < f->ports_count; i++)
		buffer_format(out, "%s%u", i ? ", " : " on port ", f->ports[i]);
}

static enum err used_by(void *arg, const struct sighting *s)
{
	struct buffer text;

	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	buffer_init(&text, RECORD_BYTES_MAX);
	append_reference(&text, s->record);
	fact_buffer(arg, "used by", &text, INK_PLAIN);
	return ERR_OK;
}

static void users(struct detail *d, const struct location *l)
{
	if (d->view->each_user)
		paint_note(d->paint, d->view->each_user(d->view->ctx, l->uri, used_by, d));
}

static void problems(struct detail *d, uint32_t bits)
{
	for (unsigned p = 0; p < PROBLEM_COUNT; p++) {
		struct buffer text;

		if (!(bits & PROBLEM_BIT(p)))
			continue;
		buffer_init(&text, RECORD_TEXT_BYTES_MAX);
		buffer_format(&text, "%s: %s", problem_word((enum problem)p),
			problem_meaning((enum problem)p));
		fact_buffer(d, "problem", &text, INK_RED);
	}
}

static void broken_rules(
	struct detail *d, const char *label, const struct rules *rules, enum ink ink)
{
	for (int i = 0; i < RULE_COUNT; i++) {
		struct buffer text;

		if (!rules_have(rules, (enum rule)i))
			continue;
		buffer_init(&text, RECORD_TEXT_BYTES_MAX);
		buffer_format(&text, "%s: %s (%s)", rule_word((enum rule)i),
			rule_meaning((enum rule)i), rule_source((enum rule)i));
		fact_buffer(d, label, &text, ink);
	}
}

static void key_fact(struct detail *d, const struct certificate *c)
{
	char hex[FINGERPRINT_TEXT_BYTES];
	struct buffer text;

	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	buffer_text(&text, c->key_algorithm ? c->key_algorithm : "");
	if (c->key_bits)
		buffer_format(&text, " %" PRIu32 " bits", c->key_bits);
	fact_buffer(d, "key", &text, INK_PLAIN);
	text_hex(hex, c->spki_sha256, FINGERPRINT_BYTES);
	fact(d, "key sha256", hex, INK_PLAIN);
}

/* ---- what ties both ends together -------------------------------------------------------------- */

static void client_facts(struct detail *d, const struct certificate_links *l)
{
	struct buffer text;

	fact_list(d, "accepted by", &l->accepted_by);
	if (l->accepted_by_count > l->accepted_by.count)
		fact_count(d, l->accepted_by_count - l->accepted_by.count, "more");
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	link_say_client(&text, l);
	fact_buffer(d, "in short", &text, INK_PLAIN);
	if (l->open_count)
		fact_count(d, l->open_count, "endpoints ask and name no CA: nobody can tell");
}

static void ca_facts(
	struct detail *d, const struct certificate_links *l, const struct certificate *c)
{
	struct buffer text;

	fact_list(d, "its clients go to", &l->trusted_by);
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	link_say_ca(&text, l, c->not_after);
	fact_buffer(d, "in short", &text, INK_PLAIN);
}

static enum err certificate_links(struct detail *d, const struct certificate *c)
{
	struct certificate_links l = { 0 };
	enum err e;

	if (!d->view->links_of_certificate)
		return ERR_OK;
	e = d->view->links_of_certificate(d->view->ctx, c, &l);
	if (e == ERR_OK && l.is_client)
		client_facts(d, &l);
	if (e == ERR_OK && l.is_ca)
		ca_facts(d, &l, c);
	certificate_links_fini(&l);
	return e;
}

static void accepted_facts(struct detail *d, const struct endpoint_links *l)
{
	struct buffer text;

	for (size_t i = 0; i < l->accepts.count; i++) {
		char hex[FINGERPRINT_TEXT_BYTES];

		text_hex(hex, l->accepts.items[i], FINGERPRINT_BYTES);
		buffer_init(&text, RECORD_TEXT_BYTES_MAX);
		buffer_format(&text, "%.*s  %s", FINGERPRINT_SHORT_DIGITS, hex,
			l->accepts_names.items[i]);
		fact_buffer(d, i ? "" : "accepts", &text, INK_PLAIN);
	}
	if (l->accepts_count > l->accepts.count)
		fact_count(d, l->accepts_count - l->accepts.count, "more");
}

static void client_ca_facts(struct detail *d, const struct endpoint_links *l)
{
	struct buffer text;
	char when[TIME_TEXT_BYTES];

	for (size_t i = 0; i < l->cas_count; i++) {
		time_rfc3339(l->cas[i].not_after, when);
		buffer_init(&text, RECORD_TEXT_BYTES_MAX * 2);
		buffer_format(&text, "%s: all clients of it fail together on %s", l->cas[i].subject,
			when);
		fact_buffer(d, i ? "" : "client CAs here", &text, INK_PLAIN);
	}
}

static enum err endpoint_links(struct detail *d, const struct sighting *s)
{
	const struct endpoint_record *r = &s->record->endpoint;
	struct endpoint_links l = { 0 };
	enum err e;

	if (!d->view->links_of_endpoint)
		return ERR_OK;
	e = d->view->links_of_endpoint(d->view->ctx, &s->record->location, &l);
	if (e != ERR_OK || !l.asks) {
		endpoint_links_fini(&l);
		return e;
	}
	accepted_facts(d, &l);
	client_ca_facts(d, &l);
	if (l.is_open)
		fact(d, "accepts", "it names no CA: nobody can tell whose certificates", INK_DIM);
	else if (!l.valid_count)
		fact(d, "in short",
			mtls_mode(s->mtls, r) == CLIENT_CERTIFICATE_REQUIRED
				? "no certificate of this host would be let in"
				: "no certificate of this host matches",
			INK_YELLOW);
	endpoint_links_fini(&l);
	return ERR_OK;
}

static void history_facts(struct detail *d, const struct mtls_state *m)
{
	if (!m)
		return;
	fact_time(d, "weakened", m->weakened);
	if (m->weakened == TIME_UNKNOWN)
		fact_time(d, "mode changed", m->mode_changed);
	fact_time(d, "CAs changed", m->change.at);
	fact_list(d, "CAs added", &m->change.added);
	fact_list(d, "CAs gone", &m->change.gone);
}

static void revocation(struct detail *d, const struct revocation *r)
{
	fact(d, "revocation", revocation_status_word(r->status),
		r->status == REVOCATION_REVOKED ? INK_RED : INK_PLAIN);
	fact(d, "said by", r->source, INK_PLAIN);
	fact_time(d, "revoked", r->revoked_at);
	fact(d, "reason", r->reason, INK_PLAIN);
	fact(d, r->status == REVOCATION_UNKNOWN ? "not known, for" : "that is", r->message,
		INK_YELLOW);
	fact_time(d, "asked", r->checked);
	fact_time(d, "holds until", r->next_update);
}

static void stores(struct detail *d, const struct store_verdicts *s)
{
	struct buffer text;

	for (size_t i = 0; i < s->count; i++) {
		buffer_init(&text, RECORD_TEXT_BYTES_MAX);
		buffer_format(&text, "%s: %s", s->items[i].store,
			store_verdict_word(&s->items[i], d->view->now));
		fact_buffer(d, i ? "" : "by trust store", &text, INK_PLAIN);
	}
}

static enum err certificate(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct certificate_record *r = &s->record->certificate;
	const struct certificate *c = &r->facts;
	enum status status = record_status_at(r, &d->view->thresholds, d->view->now);
	char hex[FINGERPRINT_TEXT_BYTES];
	enum err e;

	if (d->records++)
		paint_end(d->paint);
	text_hex(hex, c->fingerprint, FINGERPRINT_BYTES);
	paint_text(d->paint, c->subject_cn ? c->subject_cn : c->subject, INK_BOLD);
	paint_text(d->paint, "  ", INK_PLAIN);
	paint_text(d->paint, status_word(status), ink_of_status(status));
	paint_end(d->paint);
	problems(d, record_problems_at(r, d->view->now));
	if (r->differs)
		fact(d, "newer on disk", r->differs->message, INK_YELLOW);
	for (size_t i = 0; i < r->key_notes.count; i++)
		fact(d, "private key", r->key_notes.items[i].message, INK_YELLOW);
	broken_rules(d, "because", &r->verdict.violations, INK_RED);
	broken_rules(d, "lint", &r->verdict.lint, INK_DIM);
	place(d, s);
	fact(d, "fingerprint sha256", hex, INK_PLAIN);
	fact(d, "subject", c->subject, INK_PLAIN);
	fact(d, "issuer", c->issuer, INK_PLAIN);
	fact(d, "serial", c->serial, INK_PLAIN);
	fact_time(d, "not before", c->not_before);
	fact_time(d, "not after", c->not_after);
	fact_time(d, "chain breaks", r->verdict.expires);
	stores(d, &r->verdict.stores);
	fact_list(d, "names", &c->names);
	key_fact(d, c);
	fact(d, "signature", c->signature_algorithm, INK_PLAIN);
	fact(d, "CA", c->is_ca ? "yes" : "no", INK_PLAIN);
	fact_list(d, "key usage", &c->key_usage);
	fact_list(d, "extended key usage", &c->extended_key_usage);
	fact_list(d, "CRL at", &c->crl_urls);
	fact_list(d, "OCSP at", &c->ocsp_urls);
	fact_list(d, "issuer at", &c->issuer_urls);
	fact(d, "trusted by", r->verdict.trust, INK_PLAIN);
	if (s->revocation)
		revocation(d, s->revocation);
	fact_fingerprints(d, "chain", &r->verdict.chain);
	users(d, &s->record->location);
	e = certificate_links(d, c);
	return e == ERR_OK ? paint_status(d->paint) : e;
}

static void fact_presented(struct detail *d, const struct presented *p)
{
	static const char *const words[ACCEPTANCE_COUNT] = { [ACCEPTANCE_UNKNOWN] = "unknown",
		[ACCEPTANCE_REFUSED] = "refused",
		[ACCEPTANCE_ACCEPTED] = "accepted" };
	char hex[FINGERPRINT_TEXT_BYTES];

	if (!p->is_given)
		return;
	text_hex(hex, p->fingerprint, FINGERPRINT_BYTES);
	fact(d, "presented", hex, INK_PLAIN);
	fact(d, "and was", words[p->accepted],
		p->accepted == ACCEPTANCE_REFUSED ? INK_RED : INK_PLAIN);
	fact(d, "because of", p->evidence, INK_PLAIN);
}

static void process_facts(struct detail *d, const struct process *p)
{
	struct buffer text;

	if (!p->pid)
		return;
	buffer_init(&text, RECORD_TEXT_BYTES_MAX + TIME_TEXT_BYTES);
	buffer_format(&text, "%s (pid %" PRIu32 ")", p->name ? p->name : "", p->pid);
	fact_buffer(d, "process", &text, INK_PLAIN);
	fact(d, "unit", p->unit, INK_PLAIN);
	fact(d, "container", p->container, INK_PLAIN);
	fact_time(d, "process started", p->started);
	fact_time(d, "newest worker", p->worker_started);
}

static void fact_duration(struct detail *d, uint32_t ms)
{
	struct buffer text;

	buffer_init(&text, LABEL_CELLS);
	buffer_format(&text, "%" PRIu32 " ms", ms);
	fact_buffer(d, "probe took", &text, INK_PLAIN);
}

static enum err endpoint(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct endpoint_record *r = &s->record->endpoint;
	enum err e;

	if (d->records++)
		paint_end(d->paint);
	paint_text(d->paint, "endpoint  ", INK_BOLD);
	paint_text(
		d->paint, r->handshake ? r->handshake : "", r->is_reachable ? INK_GREEN : INK_RED);
	paint_end(d->paint);
	place(d, s);
	process_facts(d, &r->process);
	fact(d, "address", r->address, INK_PLAIN);
	fact(d, "through proxy", r->proxy, INK_PLAIN);
	fact(d, "server name", r->server_name, INK_PLAIN);
	fact_duration(d, r->duration_ms);
	fact(d, "protocol", r->protocol, INK_PLAIN);
	fact(d, "cipher suite", r->cipher_suite, INK_PLAIN);
	fact(d, "client certificate", client_certificate_word(r->client_certificate), INK_PLAIN);
	fact(d, "evidence", r->client_certificate_evidence, INK_PLAIN);
	fact_list(d, "acceptable CAs", &r->acceptable_cas);
	if (r->protocol && r->acceptable_cas_from &&
		strcmp(r->protocol, r->acceptable_cas_from) != 0)
		fact(d, "acceptable CAs from", r->acceptable_cas_from, INK_PLAIN);
	fact_presented(d, &r->presented);
	fact(d, "stapled OCSP", stapled_ocsp_word(r->stapled_ocsp), INK_PLAIN);
	fact(d, "", r->stapled_ocsp_detail, INK_YELLOW);
	if (r->stapled_ocsp > STAPLED_OCSP_NONE)
		fact_time(d, "OCSP next update", r->stapled_ocsp_next_update);
	fact_fingerprints(d, "chain", &r->chain);
	history_facts(d, s->mtls);
	e = endpoint_links(d, s);
	return e == ERR_OK ? paint_status(d->paint) : e;
}

static enum err crl(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct crl_record *r = &s->record->crl;
	bool is_stale = r->next_update != TIME_UNKNOWN && d->view->now > r->next_update;
	char hex[FINGERPRINT_TEXT_BYTES];
	struct buffer text;

	if (d->records++)
		paint_end(d->paint);
	paint_text(d->paint, "revocation list  ", INK_BOLD);
	paint_text(d->paint, is_stale ? "out of date" : "ok", is_stale ? INK_RED : INK_GREEN);
	paint_end(d->paint);
	place(d, s);
	text_hex(hex, r->fingerprint, FINGERPRINT_BYTES);
	fact(d, "fingerprint sha256", hex, INK_PLAIN);
	fact(d, "issuer", r->issuer, INK_PLAIN);
	fact(d, "number", r->number, INK_PLAIN);
	fact_time(d, "this update", r->this_update);
	fact_time(d, "next update", r->next_update);
	buffer_init(&text, LABEL_CELLS);
	buffer_format(&text, "%" PRIu64, r->revoked_count);
	fact_buffer(d, "revoked", &text, INK_PLAIN);
	fact(d, "signature", r->signature_algorithm, INK_PLAIN);
	fact(d, "delta", r->is_delta ? "yes" : NULL, INK_PLAIN);
	return paint_status(d->paint);
}

static enum err key(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct key_record *r = &s->record->key;
	const char *state = !r->is_encrypted ? "open" : r->is_known ? "encrypted" : "locked";
	char hex[FINGERPRINT_TEXT_BYTES];
	struct buffer text;

	if (d->records++)
		paint_end(d->paint);
	paint_text(d->paint, "private key  ", INK_BOLD);
	paint_text(d->paint, state, INK_PLAIN);
	paint_end(d->paint);
	place(d, s);
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	if (r->algorithm)
		buffer_format(&text, r->bits ? "%s %" PRIu32 : "%s", r->algorithm, r->bits);
	fact_buffer(d, "key", &text, INK_PLAIN);
	text_hex(hex, r->spki_sha256, FINGERPRINT_BYTES);
	fact(d, "spki sha256", r->is_known ? hex : NULL, INK_PLAIN);
	buffer_init(&text, LABEL_CELLS * 4);
	if (r->has_owner)
		buffer_format(
			&text, "%04o, owner %" PRIu32 ", group %" PRIu32, r->mode, r->uid, r->gid);
	fact_buffer(d, "mode", &text, INK_PLAIN);
	return paint_status(d->paint);
}

static enum err problem(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct problem_record *r = &s->record->problem;
	char hex[FINGERPRINT_TEXT_BYTES];

	if (d->records++)
		paint_end(d->paint);
	paint_text(d->paint, "could not be seen  ", INK_BOLD);
	paint_text(d->paint, reason_word(r->reason), INK_YELLOW);
	paint_end(d->paint);
	fact(d, "meaning", reason_meaning(r->reason), INK_PLAIN);
	fact(d, "message", r->message, INK_PLAIN);
	place(d, s);
	if (r->has_fingerprint) {
		text_hex(hex, r->fingerprint, FINGERPRINT_BYTES);
		fact(d, "fingerprint sha256", hex, INK_PLAIN);
	}
	fact_time(d, "not before", r->not_before);
	fact_time(d, "not after", r->not_after);
	return paint_status(d->paint);
}

static enum err reference(void *arg, const struct sighting *s)
{
	struct detail *d = arg;
	const struct reference_record *r = &s->record->reference;
	struct buffer text;

	if (d->records++)
		paint_end(d->paint);
	paint_text(d->paint, "reference  ", INK_BOLD);
	paint_text(d->paint, reference_role_word(r->role), INK_PLAIN);
	paint_end(d->paint);
	place(d, s);
	buffer_init(&text, RECORD_BYTES_MAX);
	buffer_format(&text, "%s in line %" PRIu32, r->directive, r->line);
	fact_buffer(d, "directive", &text, INK_PLAIN);
	fact(d, r->is_folder ? "all files in" : "file", r->file, INK_PLAIN);
	fact(d, "password in", r->password_file, INK_PLAIN);
	fact_list(d, "names", &r->names);
	buffer_init(&text, RECORD_TEXT_BYTES_MAX);
	for (size_t i = 0; i < r->ports_count; i++)
		buffer_format(&text, "%s%u", i ? ", " : "", r->ports[i]);
	fact_buffer(d, "ports", &text, INK_PLAIN);
	return paint_status(d->paint);
}

static enum err detail_write(const struct view *view, const struct report_options *options,
	const struct report_summary *summary, FILE *to)
{
	struct paint paint;
	struct detail d = { .paint = &paint, .view = view };
	enum err e;

	(void)summary;
	paint_init(&paint, to, options);
	e = view->each_sighting(view->ctx, RECORD_CERTIFICATE, certificate, &d);
	if (e == ERR_OK)
		e = view->each_sighting(view->ctx, RECORD_ENDPOINT, endpoint, &d);
	if (e == ERR_OK)
		e = view->each_sighting(view->ctx, RECORD_CRL, crl, &d);
	if (e == ERR_OK)
		e = view->each_sighting(view->ctx, RECORD_KEY, key, &d);
	if (e == ERR_OK)
		e = view->each_sighting(view->ctx, RECORD_PROBLEM, problem, &d);
	if (e == ERR_OK)
		e = view->each_sighting(view->ctx, RECORD_REFERENCE, reference, &d);
	if (e == ERR_OK)
		e = paint_status(&paint);
	if (e == ERR_OK && fflush(to) != 0)
		e = ERR_IO;
	paint_fini(&paint);
	return e;
}

const struct report detail_report = {
	.name = "detail",
	.help = "every fact, a line each",
	.write = detail_write,
};
