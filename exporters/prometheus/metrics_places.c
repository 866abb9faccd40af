/* Certificates, endpoints, revocation lists and problems as metrics. */
#include "agent/base/text.h"
#include "exporters/prometheus/metrics_internal.h"
#include "exporters/prometheus/places.h"

#include <stdio.h>
#include <string.h>

#define ENDPOINT_SERIES_LEAST (3 + CLIENT_CERTIFICATE_COUNT)
#define LABELS_BYTES_MAX 16384
#define FILE_SCHEME "file:"
#define NUMBER_BYTES 16

struct collecting {
	struct rendering *r; /* borrowed */
	struct places certificates;
	struct places endpoints;
	struct places crls;
	struct buffer labels; /* scratch */
};

/* Copies the scratch labels to the texts and empties them. */
static struct piece keep_labels(struct collecting *c, struct places *places)
{
	struct piece piece = { places->texts.size, c->labels.size };

	buffer_slice(&places->texts, buffer_bytes(&c->labels));
	buffer_clear(&c->labels);
	return piece;
}

static void keep_info(struct collecting *c, struct place *place, const struct certificate *f)
{
	char fingerprint[FINGERPRINT_TEXT_BYTES];
	char bits[NUMBER_BYTES] = "";

	text_hex(fingerprint, f->fingerprint, FINGERPRINT_BYTES);
	if (f->key_bits)
		(void)snprintf(bits, sizeof(bits), "%u", f->key_bits);
	exposition_label(&c->labels, "fingerprint", fingerprint);
	exposition_label(&c->labels, "subject", f->subject);
	exposition_label(&c->labels, "issuer", f->issuer);
	exposition_label(&c->labels, "serial", f->serial);
	exposition_label(&c->labels, "key_algorithm", f->key_algorithm);
	exposition_label(&c->labels, "key_bits", bits);
	exposition_label(&c->labels, "signature_algorithm", f->signature_algorithm);
	place->info = keep_labels(c, &c->certificates);
}

static int64_t renewal_due(const struct certificate *f, const struct threshold *warning)
{
	if (f->not_before == TIME_UNKNOWN || f->not_after == TIME_UNKNOWN)
		return TIME_UNKNOWN;
	return f->not_after - threshold_span(warning, f->not_before, f->not_after);
}

static void keep_times(
	struct place *place, const struct certificate_record *r, const struct view *view)
{
	place->certificate.not_before = r->facts.not_before;
	place->certificate.not_after = r->facts.not_after;
	place->certificate.renewal_due = renewal_due(&r->facts, &view->thresholds.warning);
	place->certificate.chain_expires = r->verdict.expires;
	place->certificate.problems = record_problems_at(r, view->now);
}

static uint64_t certificate_series(const struct place *p)
{
	uint64_t series = 1 + (uint64_t)__builtin_popcount(p->certificate.problems);

	series += p->certificate.not_before != TIME_UNKNOWN;
	series += p->certificate.not_after != TIME_UNKNOWN;
	series += p->certificate.renewal_due != TIME_UNKNOWN;
	series += p->certificate.chain_expires != TIME_UNKNOWN;
	series += p->certificate.is_client;
	return series;
}

static enum err keep_accepting(
	struct collecting *c, struct place *place, const struct certificate *f)
{
	const struct view *view = c->r->view;
	struct certificate_links l = { 0 };
	enum err e =
		view->links_of_certificate ? view->links_of_certificate(view->ctx, f, &l) : ERR_OK;

	place->certificate.is_client = l.is_client;
	place->certificate.accepting = l.accepted_by_count;
	certificate_links_fini(&l);
	return e;
}

static enum err each_certificate(void *arg, const struct sighting *s)
{
	struct collecting *c = arg;
	const struct certificate_record *r = &s->record->certificate;
	const struct view *view = c->r->view;
	struct scanner_counts *counts;
	struct place *place;
	struct place left_out = { .index = 0 };
	enum err e;

	if (s->gone_at != TIME_UNKNOWN)
		return ERR_OK;
	counts = rendering_scanner(c->r, s->record->location.scanner);
	if (!counts)
		return ERR_MEMORY;
	counts->statuses[record_status_at(r, &view->thresholds, view->now)]++;
	if (verdict_is_public_root(&r->verdict))
		return ERR_OK;
	place = places_add(&c->certificates, s->record->location.uri, s->record->location.index);
	if (!place) {
		keep_times(&left_out, r, view);
		c->r->metrics->series_dropped += certificate_series(&left_out);
		return places_status(&c->certificates);
	}
	keep_times(place, r, view);
	exposition_label(&c->labels, "subject_cn", r->facts.subject_cn);
	place->labels = keep_labels(c, &c->certificates);
	keep_info(c, place, &r->facts);
	e = keep_accepting(c, place, &r->facts);
	return e == ERR_OK ? places_status(&c->certificates) : e;
}

static void keep_history(struct place *place, const struct sighting *s)
{
	const struct mtls_state *m = s->mtls;

	place->endpoint.mode_changed = m ? m->mode_changed : TIME_UNKNOWN;
	place->endpoint.list_changed = m ? m->change.at : TIME_UNKNOWN;
	place->endpoint.is_weakened = m && m->weakened != TIME_UNKNOWN;
	place->endpoint.has_list = m && m->has_list;
	place->endpoint.list_hash = m ? m->list_hash : 0;
}

static enum err keep_links(struct collecting *c, struct place *place, const struct sighting *s)
{
	const struct view *view = c->r->view;
	struct endpoint_links l = { 0 };
	enum err e = view->links_of_endpoint
			     ? view->links_of_endpoint(view->ctx, &s->record->location, &l)
			     : ERR_OK;

	place->endpoint.matches = l.asks && !l.is_open ? (int64_t)l.valid_count : -1;
	place->endpoint.ca_expires = l.cas_count ? l.cas[0].not_after : TIME_UNKNOWN;
	endpoint_links_fini(&l);
	return e;
}

static uint64_t endpoint_series(const struct place *p)
{
	uint64_t series = ENDPOINT_SERIES_LEAST + 1;

	series += p->endpoint.has_list;
	series += p->endpoint.mode_changed != TIME_UNKNOWN;
	series += p->endpoint.list_changed != TIME_UNKNOWN;
	series += p->endpoint.matches >= 0;
	series += p->endpoint.ca_expires != TIME_UNKNOWN;
	return series;
}

static enum err each_endpoint(void *arg, const struct sighting *s)
{
	struct collecting *c = arg;
	const struct endpoint_record *e = &s->record->endpoint;
	struct place *place;

	if (s->gone_at != TIME_UNKNOWN || record_is_plain_listener(s->record))
		return ERR_OK;
	place = places_add(&c->endpoints, s->record->location.uri, 0);
	if (!place) {
		c->r->metrics->series_dropped += ENDPOINT_SERIES_LEAST;
		return places_status(&c->endpoints);
	}
	/* TLS was spoken when the handshake ended well, or far enough for a certificate to be seen. */
	place->endpoint.is_up =
		e->is_reachable &&
		(e->chain.count || (e->handshake && strcmp(e->handshake, "ok") == 0));
	place->endpoint.mode = e->client_certificate;
	place->endpoint.acceptable_cas = e->acceptable_cas.count;
	place->endpoint.duration_ms = e->duration_ms;
	keep_history(place, s);
	return keep_links(c, place, s);
}

static enum err each_crl(void *arg, const struct sighting *s)
{
	struct collecting *c = arg;
	const struct crl_record *r = &s->record->crl;
	struct place *place;

	if (s->gone_at != TIME_UNKNOWN || r->next_update == TIME_UNKNOWN)
		return ERR_OK;
	place = places_add(&c->crls, s->record->location.uri, s->record->location.index);
	if (!place) {
		c->r->metrics->series_dropped++;
		return places_status(&c->crls);
	}
	place->crl.next_update = r->next_update;
	exposition_label(&c->labels, "issuer_cn", r->issuer_cn);
	place->labels = keep_labels(c, &c->crls);
	return places_status(&c->crls);
}

/* Did the endpoint not answer with TLS? Its record may be the one that was known before. */
static bool tells_down(enum reason reason)
{
	return reason == REASON_TIMEOUT || reason == REASON_REFUSED ||
	       reason == REASON_UNREACHABLE || reason == REASON_UNRESOLVED ||
	       reason == REASON_NOT_TLS || reason == REASON_HANDSHAKE_FAILED;
}

static enum err each_problem(void *arg, const struct sighting *s)
{
	struct collecting *c = arg;
	const struct location *l = &s->record->location;
	enum reason reason = s->record->problem.reason;
	struct scanner_counts *counts;
	struct place *place;

	if (s->gone_at != TIME_UNKNOWN || (unsigned)reason >= REASON_COUNT)
		return ERR_OK;
	counts = rendering_scanner(c->r, l->scanner);
	if (!counts)
		return ERR_MEMORY;
	counts->reasons[reason]++;
	if (!tells_down(reason) || strncmp(l->uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0)
		return ERR_OK;
	place = places_find(&c->endpoints, l->uri);
	if (place)
		place->endpoint.is_up = false;
	return ERR_OK;
}

/* One sample whose labels are those in the scratch buffer. */
static void sample(struct collecting *c, enum metrics_family f, int64_t value)
{
	exposition_sample_i64(&c->r->metrics->samples[f], metrics_families[f].name,
		buffer_bytes(&c->labels), value);
}

/* The location and further labels, as they are. */
static void with_location(struct collecting *c, struct slice location, struct slice more)
{
	buffer_clear(&c->labels);
	buffer_slice(&c->labels, location);
	if (more.size) {
		buffer_byte(&c->labels, ',');
		buffer_slice(&c->labels, more);
	}
}

static void sample_time(struct collecting *c, enum metrics_family f, int64_t t)
{
	if (t != TIME_UNKNOWN)
		sample(c, f, t);
}

static void write_certificate(struct collecting *c, const struct place *p, struct slice location)
{
	with_location(c, location, places_text(&c->certificates, p->labels));
	sample_time(c, METRICS_NOT_AFTER, p->certificate.not_after);
	sample_time(c, METRICS_NOT_BEFORE, p->certificate.not_before);
	sample_time(c, METRICS_RENEWAL_DUE, p->certificate.renewal_due);
	with_location(c, location, places_text(&c->certificates, p->info));
	sample(c, METRICS_CERTIFICATE_INFO, 1);
	with_location(c, location, slice_of(NULL, 0));
	sample_time(c, METRICS_CHAIN_EXPIRES, p->certificate.chain_expires);
	if (p->certificate.is_client)
		sample(c, METRICS_CERTIFICATE_ACCEPTING, (int64_t)p->certificate.accepting);
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		if (!(p->certificate.problems & PROBLEM_BIT(i)))
			continue;
		with_location(c, location, slice_of(NULL, 0));
		exposition_label(&c->labels, "problem", problem_word((enum problem)i));
		sample(c, METRICS_CERTIFICATE_PROBLEM, 1);
	}
}

static void write_endpoint(struct collecting *c, const struct place *p, struct slice location)
{
	with_location(c, location, slice_of(NULL, 0));
	sample(c, METRICS_ENDPOINT_UP, p->endpoint.is_up);
	exposition_sample(&c->r->metrics->samples[METRICS_ENDPOINT_DURATION],
		metrics_families[METRICS_ENDPOINT_DURATION].name, buffer_bytes(&c->labels),
		p->endpoint.duration_ms / 1000.0);
	sample(c, METRICS_ENDPOINT_CAS, (int64_t)p->endpoint.acceptable_cas);
	sample(c, METRICS_ENDPOINT_WEAKENED, p->endpoint.is_weakened);
	sample_time(c, METRICS_ENDPOINT_MODE_CHANGED, p->endpoint.mode_changed);
	if (p->endpoint.matches >= 0)
		sample(c, METRICS_ENDPOINT_MATCHES, p->endpoint.matches);
	if (p->endpoint.has_list)
		sample(c, METRICS_ENDPOINT_CAS_HASH, (int64_t)p->endpoint.list_hash);
	sample_time(c, METRICS_ENDPOINT_CAS_CHANGED, p->endpoint.list_changed);
	sample_time(c, METRICS_ENDPOINT_CA_EXPIRES, p->endpoint.ca_expires);
	for (unsigned i = 0; i < CLIENT_CERTIFICATE_COUNT; i++) {
		with_location(c, location, slice_of(NULL, 0));
		exposition_label(
			&c->labels, "mode", client_certificate_word((enum client_certificate)i));
		sample(c, METRICS_ENDPOINT_CLIENT, i == (unsigned)p->endpoint.mode);
	}
}

/* All series of a place or none of them. */
static bool take_series(struct rendering *r, uint64_t wanted)
{
	if (wanted > r->series_left) {
		r->series_left = 0; /* what comes later by location does not get in before */
		r->metrics->series_dropped += wanted;
		return false;
	}
	r->series_left -= wanted;
	return true;
}

static void write_places(struct collecting *c)
{
	struct buffer location;

	buffer_init(&location, (size_t)8 * EXPOSITION_LOCATION_BYTES_MAX);
	for (size_t i = 0; i < c->certificates.count; i++) {
		const struct place *p = &c->certificates.items[i];

		if (!take_series(c->r, certificate_series(p)))
			continue;
		buffer_clear(&location);
		places_location(&c->certificates, p, &location);
		write_certificate(c, p, buffer_bytes(&location));
	}
	for (size_t i = 0; i < c->endpoints.count; i++) {
		const struct place *p = &c->endpoints.items[i];

		if (!take_series(c->r, endpoint_series(p)))
			continue;
		buffer_clear(&location);
		places_location(&c->endpoints, p, &location);
		write_endpoint(c, p, buffer_bytes(&location));
	}
	for (size_t i = 0; i < c->crls.count; i++) {
		const struct place *p = &c->crls.items[i];

		if (!take_series(c->r, 1))
			continue;
		buffer_clear(&location);
		places_location(&c->crls, p, &location);
		with_location(c, buffer_bytes(&location), places_text(&c->crls, p->labels));
		sample(c, METRICS_CRL_NEXT_UPDATE, p->crl.next_update);
	}
	buffer_fini(&location);
}

static enum err collect(struct collecting *c)
{
	const struct view *v = c->r->view;
	enum err e = v->each_sighting(v->ctx, RECORD_CERTIFICATE, each_certificate, c);

	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_ENDPOINT, each_endpoint, c);
	if (e == ERR_OK)
		e = v->each_sighting(v->ctx, RECORD_CRL, each_crl, c);
	if (e != ERR_OK)
		return e;
	places_settle(&c->certificates);
	places_settle(&c->endpoints);
	places_settle(&c->crls);
	return v->each_sighting(v->ctx, RECORD_PROBLEM, each_problem, c);
}

enum err metrics_render_places(struct rendering *r)
{
	struct collecting c = { .r = r };
	enum err e;

	/* Each place has at least one series: no more of them can ever be shown. */
	places_init(&c.certificates, r->series_left);
	places_init(&c.endpoints, r->series_left);
	places_init(&c.crls, r->series_left);
	buffer_init(&c.labels, LABELS_BYTES_MAX);
	e = collect(&c);
	if (e == ERR_OK) {
		write_places(&c);
		e = buffer_status(&c.labels);
	}
	places_fini(&c.certificates);
	places_fini(&c.endpoints);
	places_fini(&c.crls);
	buffer_fini(&c.labels);
	return e;
}
