/* Records as bytes and back. */
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/record.h"

#include <stdlib.h>
#include <string.h>

/* First byte of every record: an inventory written by another layout is refused, not misread. */
#define RECORD_LAYOUT 4

/* Year 0 to 9999 with a day on either side, so that arithmetic on dates cannot overflow. */
#define DATE_MIN_S (-62167219200LL - 86400)
#define DATE_MAX_S (253402300799LL + 86400)

static void put_required(struct buffer *out, const char *text)
{
	wire_put_text(out, text ? text : "");
}

static void put_fingerprints(struct buffer *out, const struct fingerprints *f)
{
	wire_put_u32(out, (uint32_t)f->count);
	for (size_t i = 0; i < f->count; i++)
		buffer_append(out, f->items[i], FINGERPRINT_BYTES);
}

static void put_location(struct buffer *out, const struct location *l)
{
	put_required(out, l->scanner);
	put_required(out, l->uri);
	wire_put_text(out, l->format);
	wire_put_text(out, l->alias);
	wire_put_text(out, l->integrity);
	wire_put_u32(out, l->index);
	wire_put_text(out, l->trust_flags);
}

static void put_facts(struct buffer *out, const struct certificate *c)
{
	buffer_append(out, c->fingerprint, FINGERPRINT_BYTES);
	buffer_append(out, c->spki_sha256, FINGERPRINT_BYTES);
	put_required(out, c->subject);
	put_required(out, c->issuer);
	wire_put_text(out, c->subject_cn);
	wire_put_text(out, c->issuer_cn);
	put_required(out, c->serial);
	wire_put_i64(out, c->not_before);
	wire_put_i64(out, c->not_after);
	wire_put_strings(out, &c->names);
	put_required(out, c->key_algorithm);
	wire_put_u32(out, c->key_bits);
	put_required(out, c->signature_algorithm);
	wire_put_bool(out, c->is_ca);
	wire_put_bool(out, c->is_self_issued);
	wire_put_strings(out, &c->key_usage);
	wire_put_strings(out, &c->extended_key_usage);
	wire_put_strings(out, &c->crl_urls);
	wire_put_strings(out, &c->ocsp_urls);
	wire_put_strings(out, &c->issuer_urls);
}

static uint32_t storable(uint32_t problems)
{
	return problems &
	       ~(uint32_t)(PROBLEM_BIT(PROBLEM_EXPIRED) | PROBLEM_BIT(PROBLEM_NOT_YET_VALID));
}

static void put_verdict(struct buffer *out, const struct verdict *v)
{
	wire_put_bool(out, v->is_checked);
	wire_put_bool(out, v->is_anchor);
	wire_put_bool(out, v->is_bundled);
	wire_put_text(out, v->trust);
	wire_put_u32(out, storable(v->problems));
	put_fingerprints(out, &v->chain);
	wire_put_i64(out, v->expires);
	buffer_append(out, v->expires_because, FINGERPRINT_BYTES);
	wire_put_i64(out, v->boundary);
	wire_put_bool(out, v->has_issuer_id);
	if (v->has_issuer_id) {
		buffer_append(out, v->issuer_id.name_sha1, ISSUER_HASH_BYTES);
		buffer_append(out, v->issuer_id.key_sha1, ISSUER_HASH_BYTES);
	}
}

static void put_stores(struct buffer *out, const struct store_verdicts *s)
{
	wire_put_u8(out, (uint8_t)s->count);
	for (size_t i = 0; i < s->count; i++) {
		put_required(out, s->items[i].store);
		wire_put_u32(out, storable(s->items[i].problems));
		wire_put_i64(out, s->items[i].expires);
	}
}

static void put_rules(struct buffer *out, const struct rules *r)
{
	for (size_t i = 0; i < RULES_WORDS; i++)
		wire_put_u64(out, r->bits[i]);
}

static void put_presented(struct buffer *out, const struct presented *p)
{
	wire_put_bool(out, p->is_given);
	if (!p->is_given)
		return;
	buffer_append(out, p->fingerprint, FINGERPRINT_BYTES);
	wire_put_u8(out, (uint8_t)p->accepted);
	wire_put_text(out, p->evidence);
}

void process_encode(struct buffer *out, const struct process *p)
{
	wire_put_u32(out, p->pid);
	wire_put_text(out, p->name);
	wire_put_text(out, p->unit);
	wire_put_text(out, p->container);
	wire_put_i64(out, p->pid ? p->started : TIME_UNKNOWN);
	wire_put_i64(out, p->pid ? p->worker_started : TIME_UNKNOWN);
}

static void put_endpoint(struct buffer *out, const struct endpoint_record *e)
{
	wire_put_text(out, e->address);
	wire_put_u16(out, e->port);
	wire_put_text(out, e->server_name);
	wire_put_text(out, e->protocol);
	wire_put_text(out, e->cipher_suite);
	wire_put_bool(out, e->is_reachable);
	wire_put_text(out, e->handshake);
	wire_put_u8(out, (uint8_t)e->client_certificate);
	wire_put_text(out, e->client_certificate_evidence);
	wire_put_strings(out, &e->acceptable_cas);
	put_fingerprints(out, &e->chain);
	wire_put_u8(out, (uint8_t)e->stapled_ocsp);
	wire_put_text(out, e->stapled_ocsp_detail);
	wire_put_i64(out, e->stapled_ocsp_next_update);
	wire_put_text(out, e->acceptable_cas_from);
	put_presented(out, &e->presented);
	wire_put_text(out, e->proxy);
	process_encode(out, &e->process);
	wire_put_u32(out, e->duration_ms);
}

static void put_problem(struct buffer *out, const struct problem_record *p)
{
	wire_put_u8(out, (uint8_t)p->reason);
	put_required(out, p->message);
	wire_put_bool(out, p->has_fingerprint);
	buffer_append(out, p->fingerprint, FINGERPRINT_BYTES);
	wire_put_i64(out, p->not_before);
	wire_put_i64(out, p->not_after);
}

static void put_reference(struct buffer *out, const struct reference_record *r)
{
	wire_put_u8(out, (uint8_t)r->role);
	put_required(out, r->directive);
	wire_put_u32(out, r->line);
	wire_put_text(out, r->file);
	wire_put_bool(out, r->is_folder);
	wire_put_bool(out, r->is_active);
	wire_put_text(out, r->password_file);
	wire_put_strings(out, &r->names);
	wire_put_u8(out, (uint8_t)r->ports_count);
	for (size_t i = 0; i < r->ports_count; i++)
		wire_put_u16(out, r->ports[i]);
}

static void put_crl(struct buffer *out, const struct crl_record *c)
{
	buffer_append(out, c->fingerprint, FINGERPRINT_BYTES);
	put_required(out, c->issuer);
	wire_put_text(out, c->issuer_cn);
	wire_put_text(out, c->number);
	put_required(out, c->signature_algorithm);
	wire_put_i64(out, c->this_update);
	wire_put_i64(out, c->next_update);
	wire_put_u64(out, c->revoked_count);
	wire_put_bool(out, c->is_delta);
}

static void put_key(struct buffer *out, const struct key_record *k)
{
	wire_put_bool(out, k->is_known);
	buffer_append(out, k->spki_sha256, FINGERPRINT_BYTES);
	wire_put_text(out, k->algorithm);
	wire_put_u32(out, k->bits);
	wire_put_bool(out, k->is_encrypted);
	wire_put_bool(out, k->has_owner);
	wire_put_u16(out, k->mode);
	wire_put_u32(out, k->uid);
	wire_put_u32(out, k->gid);
}

static void put_revocation(struct buffer *out, const struct revocation_record *r)
{
	wire_put_text(out, r->etag);
	wire_put_text(out, r->last_modified);
	wire_put_bool(out, r->is_unmodified);
	wire_put_i64(out, r->this_update);
	wire_put_i64(out, r->next_update);
	wire_put_text(out, r->message);
	wire_put_u32(out, (uint32_t)r->count);
	for (size_t i = 0; i < r->count; i++) {
		buffer_append(out, r->results[i].fingerprint, FINGERPRINT_BYTES);
		wire_put_u8(out, (uint8_t)r->results[i].status);
		wire_put_u8(out, r->results[i].reason);
		wire_put_i64(out, r->results[i].revoked_at);
	}
}

void record_encode(struct buffer *out, const struct record *r)
{
	wire_put_u8(out, RECORD_LAYOUT);
	wire_put_u8(out, (uint8_t)r->kind);
	put_location(out, &r->location);
	switch (r->kind) {
	case RECORD_CERTIFICATE:
		put_facts(out, &r->certificate.facts);
		put_verdict(out, &r->certificate.verdict);
		wire_put_bool(out, r->certificate.is_served);
		wire_put_i64(out, r->certificate.verdict.starts);
		put_rules(out, &r->certificate.verdict.violations);
		put_rules(out, &r->certificate.verdict.lint);
		wire_put_bytes(out, slice_of(r->certificate.der, r->certificate.der_size));
		put_stores(out, &r->certificate.verdict.stores);
		wire_put_u64(out, r->certificate.verdict.judging);
		break;
	case RECORD_ENDPOINT:
		put_endpoint(out, &r->endpoint);
		break;
	case RECORD_PROBLEM:
		put_problem(out, &r->problem);
		break;
	case RECORD_REFERENCE:
		put_reference(out, &r->reference);
		break;
	case RECORD_CRL:
		put_crl(out, &r->crl);
		break;
	case RECORD_KEY:
		put_key(out, &r->key);
		break;
	case RECORD_REVOCATION:
		put_revocation(out, &r->revocation);
		break;
	}
}

/* A text or NULL; one that is not clean is bad. */
static char *get_optional(struct wire *w)
{
	char *text = wire_get_text(w, RECORD_TEXT_BYTES_MAX);

	if (text && !text_is_clean(slice_text(text)))
		w->bad = true;
	return text;
}

static char *get_required(struct wire *w)
{
	char *text = get_optional(w);

	if (!text)
		w->bad = true;
	return text;
}

static void get_strings(struct wire *w, struct strings *s, size_t count_max)
{
	wire_get_strings(w, s, count_max, RECORD_TEXT_BYTES_MAX);
	for (size_t i = 0; !w->bad && i < s->count; i++)
		if (!text_is_clean(slice_text(s->items[i])))
			w->bad = true;
}

static uint8_t get_enum(struct wire *w, unsigned count)
{
	uint8_t v = wire_get_u8(w);

	if (v < count)
		return v;
	w->bad = true;
	return 0;
}

static int64_t get_date(struct wire *w)
{
	int64_t t = wire_get_i64(w);

	if (t != TIME_UNKNOWN && (t < DATE_MIN_S || t > DATE_MAX_S))
		w->bad = true;
	return t;
}

static void get_fingerprints(struct wire *w, struct fingerprints *f)
{
	size_t count = wire_get_u32(w);

	if (count > RECORD_CHAIN_MAX)
		w->bad = true;
	if (w->bad || !count)
		return;
	f->items = calloc(count, FINGERPRINT_BYTES);
	if (!f->items) {
		w->bad = true;
		return;
	}
	f->count = count;
	for (size_t i = 0; i < count; i++)
		(void)wire_get_raw(w, f->items[i], FINGERPRINT_BYTES);
}

static void get_location(struct wire *w, struct location *l)
{
	l->scanner = get_required(w);
	l->uri = get_required(w);
	l->format = get_optional(w);
	l->alias = get_optional(w);
	l->integrity = get_optional(w);
	l->index = wire_get_u32(w);
	l->trust_flags = get_optional(w);
}

static void get_facts(struct wire *w, struct certificate *c)
{
	(void)wire_get_raw(w, c->fingerprint, FINGERPRINT_BYTES);
	(void)wire_get_raw(w, c->spki_sha256, FINGERPRINT_BYTES);
	c->subject = get_required(w);
	c->issuer = get_required(w);
	c->subject_cn = get_optional(w);
	c->issuer_cn = get_optional(w);
	c->serial = get_required(w);
	c->not_before = get_date(w);
	c->not_after = get_date(w);
	get_strings(w, &c->names, RECORD_NAMES_MAX);
	c->key_algorithm = get_required(w);
	c->key_bits = wire_get_u32(w);
	c->signature_algorithm = get_required(w);
	c->is_ca = wire_get_bool(w);
	c->is_self_issued = wire_get_bool(w);
	get_strings(w, &c->key_usage, RECORD_USAGES_MAX);
	get_strings(w, &c->extended_key_usage, RECORD_USAGES_MAX);
	get_strings(w, &c->crl_urls, RECORD_URLS_MAX);
	get_strings(w, &c->ocsp_urls, RECORD_URLS_MAX);
	get_strings(w, &c->issuer_urls, RECORD_URLS_MAX);
}

static void get_verdict(struct wire *w, struct verdict *v)
{
	v->is_checked = wire_get_bool(w);
	v->is_anchor = wire_get_bool(w);
	v->is_bundled = wire_get_bool(w);
	v->trust = get_optional(w);
	v->problems = wire_get_u32(w);
	if (v->problems >= PROBLEM_BIT(PROBLEM_COUNT) || v->problems != storable(v->problems))
		w->bad = true;
	get_fingerprints(w, &v->chain);
	v->expires = get_date(w);
	(void)wire_get_raw(w, v->expires_because, FINGERPRINT_BYTES);
	v->boundary = get_date(w);
	v->has_issuer_id = wire_get_bool(w);
	if (v->has_issuer_id) {
		(void)wire_get_raw(w, v->issuer_id.name_sha1, ISSUER_HASH_BYTES);
		(void)wire_get_raw(w, v->issuer_id.key_sha1, ISSUER_HASH_BYTES);
	}
}

static void get_stores(struct wire *w, struct store_verdicts *s)
{
	size_t count = get_enum(w, RECORD_STORES_MAX + 1);

	if (w->bad || !count)
		return;
	s->items = calloc(count, sizeof(*s->items));
	if (!s->items) {
		w->bad = true;
		return;
	}
	s->count = count;
	for (size_t i = 0; i < count; i++) {
		s->items[i].store = get_required(w);
		s->items[i].problems = wire_get_u32(w);
		if (s->items[i].problems >= PROBLEM_BIT(PROBLEM_COUNT) ||
			s->items[i].problems != storable(s->items[i].problems))
			w->bad = true;
		s->items[i].expires = get_date(w);
	}
}

static void get_rules(struct wire *w, struct rules *r)
{
	for (size_t i = 0; i < RULES_WORDS; i++)
		r->bits[i] = wire_get_u64(w);
	for (int i = RULE_COUNT; i < 64 * RULES_WORDS; i++)
		if (rules_have(r, (enum rule)i))
			w->bad = true;
}

static void get_der(struct wire *w, struct certificate_record *r)
{
	struct slice der = wire_get_bytes(w, RECORD_DER_BYTES_MAX);

	if (w->bad || !der.size)
		return;
	r->der = malloc(der.size);
	if (!r->der) {
		w->bad = true;
		return;
	}
	memcpy(r->der, der.data, der.size);
	r->der_size = der.size;
}

static void get_presented(struct wire *w, struct presented *p)
{
	p->is_given = wire_get_bool(w);
	if (!p->is_given)
		return;
	(void)wire_get_raw(w, p->fingerprint, FINGERPRINT_BYTES);
	p->accepted = get_enum(w, ACCEPTANCE_COUNT);
	p->evidence = get_optional(w);
}

void process_decode(struct wire *w, struct process *out)
{
	out->pid = wire_get_u32(w);
	out->name = get_optional(w);
	out->unit = get_optional(w);
	out->container = get_optional(w);
	out->started = get_date(w);
	out->worker_started = get_date(w);
}

static void get_endpoint(struct wire *w, struct endpoint_record *e)
{
	e->address = get_optional(w);
	e->port = wire_get_u16(w);
	e->server_name = get_optional(w);
	e->protocol = get_optional(w);
	e->cipher_suite = get_optional(w);
	e->is_reachable = wire_get_bool(w);
	e->handshake = get_optional(w);
	e->client_certificate = get_enum(w, CLIENT_CERTIFICATE_COUNT);
	e->client_certificate_evidence = get_optional(w);
	get_strings(w, &e->acceptable_cas, RECORD_CAS_MAX);
	get_fingerprints(w, &e->chain);
	e->stapled_ocsp = get_enum(w, STAPLED_OCSP_COUNT);
	e->stapled_ocsp_detail = get_optional(w);
	e->stapled_ocsp_next_update = get_date(w);
	e->acceptable_cas_from = get_optional(w);
	get_presented(w, &e->presented);
	e->proxy = get_optional(w);
	process_decode(w, &e->process);
	e->duration_ms = wire_get_u32(w);
}

static void get_problem(struct wire *w, struct problem_record *p)
{
	p->reason = get_enum(w, REASON_COUNT);
	p->message = get_required(w);
	p->has_fingerprint = wire_get_bool(w);
	(void)wire_get_raw(w, p->fingerprint, FINGERPRINT_BYTES);
	p->not_before = get_date(w);
	p->not_after = get_date(w);
}

static void get_reference(struct wire *w, struct reference_record *r)
{
	r->role = get_enum(w, REFERENCE_ROLE_COUNT);
	r->directive = get_required(w);
	r->line = wire_get_u32(w);
	r->file = get_optional(w);
	r->is_folder = wire_get_bool(w);
	r->is_active = wire_get_bool(w);
	r->password_file = get_optional(w);
	get_strings(w, &r->names, REFERENCE_NAMES_MAX);
	r->ports_count = get_enum(w, REFERENCE_PORTS_MAX + 1);
	for (size_t i = 0; i < r->ports_count; i++)
		r->ports[i] = wire_get_u16(w);
}

static void get_crl(struct wire *w, struct crl_record *c)
{
	(void)wire_get_raw(w, c->fingerprint, FINGERPRINT_BYTES);
	c->issuer = get_required(w);
	c->issuer_cn = get_optional(w);
	c->number = get_optional(w);
	c->signature_algorithm = get_required(w);
	c->this_update = get_date(w);
	c->next_update = get_date(w);
	c->revoked_count = wire_get_u64(w);
	c->is_delta = wire_get_bool(w);
}

static void get_key(struct wire *w, struct key_record *k)
{
	k->is_known = wire_get_bool(w);
	(void)wire_get_raw(w, k->spki_sha256, FINGERPRINT_BYTES);
	k->algorithm = get_optional(w);
	k->bits = wire_get_u32(w);
	k->is_encrypted = wire_get_bool(w);
	k->has_owner = wire_get_bool(w);
	k->mode = wire_get_u16(w);
	k->uid = wire_get_u32(w);
	k->gid = wire_get_u32(w);
	if (k->mode & ~07777U)
		w->bad = true;
}

static void get_results(struct wire *w, struct revocation_record *r)
{
	size_t count = wire_get_u32(w);

	if (count > RECORD_RESULTS_MAX)
		w->bad = true;
	if (w->bad || !count)
		return;
	r->results = calloc(count, sizeof(*r->results));
	if (!r->results) {
		w->bad = true;
		return;
	}
	r->count = count;
	for (size_t i = 0; i < count; i++) {
		(void)wire_get_raw(w, r->results[i].fingerprint, FINGERPRINT_BYTES);
		r->results[i].status = get_enum(w, REVOCATION_STATUS_COUNT);
		r->results[i].reason = wire_get_u8(w);
		r->results[i].revoked_at = get_date(w);
	}
}

static void get_revocation(struct wire *w, struct revocation_record *r)
{
	r->etag = get_optional(w);
	r->last_modified = get_optional(w);
	r->is_unmodified = wire_get_bool(w);
	r->this_update = get_date(w);
	r->next_update = get_date(w);
	r->message = get_optional(w);
	get_results(w, r);
}

enum err record_decode(struct slice bytes, struct record *out)
{
	struct wire w = wire_of(bytes);
	struct record r = { 0 };

	if (bytes.size > RECORD_BYTES_MAX || wire_get_u8(&w) != RECORD_LAYOUT)
		return ERR_MALFORMED;
	r.kind = (enum record_kind)wire_get_u8(&w);
	get_location(&w, &r.location);
	switch (r.kind) {
	case RECORD_CERTIFICATE:
		get_facts(&w, &r.certificate.facts);
		get_verdict(&w, &r.certificate.verdict);
		r.certificate.is_served = wire_get_bool(&w);
		r.certificate.verdict.starts = get_date(&w);
		get_rules(&w, &r.certificate.verdict.violations);
		get_rules(&w, &r.certificate.verdict.lint);
		get_der(&w, &r.certificate);
		get_stores(&w, &r.certificate.verdict.stores);
		r.certificate.verdict.judging = wire_get_u64(&w);
		break;
	case RECORD_ENDPOINT:
		get_endpoint(&w, &r.endpoint);
		break;
	case RECORD_PROBLEM:
		get_problem(&w, &r.problem);
		break;
	case RECORD_REFERENCE:
		get_reference(&w, &r.reference);
		break;
	case RECORD_CRL:
		get_crl(&w, &r.crl);
		break;
	case RECORD_KEY:
		get_key(&w, &r.key);
		break;
	case RECORD_REVOCATION:
		get_revocation(&w, &r.revocation);
		break;
	default:
		w.bad = true;
		break;
	}
	if (wire_end(&w) != ERR_OK) {
		record_fini(&r);
		return ERR_MALFORMED;
	}
	*out = r;
	return ERR_OK;
}
