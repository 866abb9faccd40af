/* A record as the JSON object of the documentation. */
#include "exporters/report/record_json.h"

#include "agent/base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PRINT_FIRST_BYTES 4096
/* cJSON_PrintPreallocated wants some bytes more than it writes. */
#define PRINT_SLACK_BYTES 64

/* Takes `item`; `key` lives for ever. NULL items are memory that ran out. */
static bool put(cJSON *to, const char *key, cJSON *item)
{
	if (item && cJSON_AddItemToObjectCS(to, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

/* Absent means not known: NULL adds nothing. */
static bool put_text(cJSON *to, const char *key, const char *text)
{
	return !text || put(to, key, cJSON_CreateString(text));
}

/* The same with a key that is copied. */
static bool put_named(cJSON *to, const char *key, const char *text)
{
	cJSON *item = cJSON_CreateString(text);

	if (item && cJSON_AddItemToObject(to, key, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool put_time(cJSON *to, const char *key, int64_t t)
{
	char text[TIME_TEXT_BYTES];

	if (t == TIME_UNKNOWN)
		return true;
	time_rfc3339(t, text);
	return put_text(to, key, text);
}

static bool put_true(cJSON *to, const char *key, bool value)
{
	return !value || put(to, key, cJSON_CreateTrue());
}

static bool put_number(cJSON *to, const char *key, uint32_t value)
{
	return put(to, key, cJSON_CreateNumber(value));
}

static bool push(cJSON *array, cJSON *item)
{
	if (item && cJSON_AddItemToArray(array, item))
		return true;
	cJSON_Delete(item);
	return false;
}

static bool put_strings(cJSON *to, const char *key, const struct strings *s)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (size_t i = 0; good && i < s->count; i++)
		good = push(array, cJSON_CreateString(s->items[i]));
	if (good)
		return put(to, key, array);
	cJSON_Delete(array);
	return false;
}

/* The same, but an empty list says nothing. */
static bool put_some(cJSON *to, const char *key, const struct strings *s)
{
	return !s->count || put_strings(to, key, s);
}

static bool put_fingerprint(cJSON *to, const char *key, const uint8_t bytes[FINGERPRINT_BYTES])
{
	char text[FINGERPRINT_TEXT_BYTES];

	text_hex(text, bytes, FINGERPRINT_BYTES);
	return put_text(to, key, text);
}

static bool put_chain(cJSON *to, const struct fingerprints *chain)
{
	char text[FINGERPRINT_TEXT_BYTES];
	cJSON *array;
	bool good;

	if (!chain->count)
		return true;
	array = cJSON_CreateArray();
	good = array != NULL;
	for (size_t i = 0; good && i < chain->count; i++) {
		text_hex(text, chain->items[i], FINGERPRINT_BYTES);
		good = push(array, cJSON_CreateString(text));
	}
	if (good)
		return put(to, "chain", array);
	cJSON_Delete(array);
	return false;
}

static bool put_problems(cJSON *to, uint32_t problems)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (unsigned p = 0; good && p < PROBLEM_COUNT; p++)
		if (problems & PROBLEM_BIT(p))
			good = push(array, cJSON_CreateString(problem_word((enum problem)p)));
	if (good)
		return put(to, "problems", array);
	cJSON_Delete(array);
	return false;
}

/* Absent where there is none. */
static bool put_rules(cJSON *to, const char *key, const struct rules *r)
{
	cJSON *array;
	bool good;

	if (rules_are_empty(r))
		return true;
	array = cJSON_CreateArray();
	good = array != NULL;
	for (int i = 0; good && i < RULE_COUNT; i++)
		if (rules_have(r, (enum rule)i))
			good = push(array, cJSON_CreateString(rule_word((enum rule)i)));
	if (good)
		return put(to, key, array);
	cJSON_Delete(array);
	return false;
}

/* Adds an object that `fill` fills from `from`. */
static bool put_object(
	cJSON *to, const char *key, bool (*fill)(cJSON *, const void *), const void *from)
{
	cJSON *object = cJSON_CreateObject();

	if (object && fill(object, from))
		return put(to, key, object);
	cJSON_Delete(object);
	return false;
}

static bool fill_location(cJSON *to, const void *from)
{
	const struct record *r = from;
	const struct location *l = &r->location;

	/* Only a certificate always has a position; elsewhere 0 says nothing. */
	return put_text(to, "scanner", l->scanner) && put_text(to, "uri", l->uri) &&
	       put_text(to, "format", l->format) &&
	       ((r->kind != RECORD_CERTIFICATE && !l->index) ||
		       put_number(to, "index", l->index)) &&
	       put_text(to, "alias", l->alias) && put_text(to, "integrity", l->integrity) &&
	       put_text(to, "trust_flags", l->trust_flags);
}

static bool fill_key(cJSON *to, const void *from)
{
	static const uint8_t unknown[FINGERPRINT_BYTES];
	const struct certificate *c = from;

	return put_text(to, "algorithm", c->key_algorithm) &&
	       (!c->key_bits || put_number(to, "bits", c->key_bits)) &&
	       (memcmp(c->spki_sha256, unknown, sizeof(unknown)) == 0 ||
		       put_fingerprint(to, "spki_sha256", c->spki_sha256));
}

static bool fill_revocation(cJSON *to, const void *from)
{
	const struct revocation *r = from;

	return put_text(to, "status", revocation_status_word(r->status)) &&
	       put_text(to, "source", r->source) && put_time(to, "checked", r->checked) &&
	       put_time(to, "next_update", r->next_update) &&
	       put_time(to, "revoked_at", r->revoked_at) && put_text(to, "reason", r->reason) &&
	       put_text(to, "message", r->message);
}

struct verdict_source {
	const struct certificate_record *record;
	const struct thresholds *thresholds;
	int64_t now;
};

/* One word for each: of several problems the first of the list. */
static bool fill_stores(cJSON *to, const void *from)
{
	const struct verdict_source *s = from;
	const struct store_verdicts *stores = &s->record->verdict.stores;
	bool good = true;

	for (size_t i = 0; good && i < stores->count; i++)
		good = put_named(
			to, stores->items[i].store, store_verdict_word(&stores->items[i], s->now));
	return good;
}

static bool fill_verdict(cJSON *to, const void *from)
{
	const struct verdict_source *s = from;
	const struct verdict *v = &s->record->verdict;
	enum status status = record_status_at(s->record, s->thresholds, s->now);

	return put_text(to, "status", status_word(status)) &&
	       put_problems(to, record_problems_at(s->record, s->now)) &&
	       put_rules(to, "violations", &v->violations) && put_rules(to, "lint", &v->lint) &&
	       put_chain(to, &v->chain) && put_time(to, "expires", v->expires) &&
	       (v->expires == TIME_UNKNOWN ||
		       put_fingerprint(to, "expires_because", v->expires_because)) &&
	       (!v->stores.count || put_object(to, "stores", fill_stores, s)) &&
	       (!verdict_is_public_root(v) || put(to, "public_root", cJSON_CreateTrue()));
}

static bool fill_differs(cJSON *to, const void *from)
{
	const struct served_differs *d = from;

	return put_text(to, "file", d->file) && (!d->index || put_number(to, "index", d->index)) &&
	       put_fingerprint(to, "fingerprint", d->fingerprint) &&
	       put_time(to, "not_after", d->not_after) && put_time(to, "since", d->since) &&
	       put_text(to, "needs", served_needs_word(d->needs)) &&
	       put_text(to, "message", d->message);
}

static bool fill_key_note(cJSON *to, const void *from)
{
	const struct key_note *n = from;

	return (n->problem == PROBLEM_COUNT || put_text(to, "problem", problem_word(n->problem))) &&
	       put_text(to, "uri", n->uri) && put_text(to, "message", n->message);
}

static bool put_key_notes(cJSON *to, const struct key_notes *notes)
{
	cJSON *array;
	bool good;

	if (!notes->count)
		return true;
	array = cJSON_CreateArray();
	good = array != NULL;
	for (size_t i = 0; good && i < notes->count; i++) {
		cJSON *item = cJSON_CreateObject();

		good = item && fill_key_note(item, &notes->items[i]);
		if (good)
			good = push(array, item);
		else
			cJSON_Delete(item);
	}
	if (good)
		return put(to, "key_notes", array);
	cJSON_Delete(array);
	return false;
}

static bool fill_certificate(cJSON *to, const struct record *r, const struct verdict_source *v)
{
	const struct certificate *c = &r->certificate.facts;

	return put_text(to, "type", "certificate") &&
	       put_fingerprint(to, "fingerprint", c->fingerprint) &&
	       put_text(to, "subject", c->subject) && put_text(to, "issuer", c->issuer) &&
	       put_text(to, "serial", c->serial) && put_time(to, "not_before", c->not_before) &&
	       put_time(to, "not_after", c->not_after) && put_strings(to, "names", &c->names) &&
	       put_object(to, "key", fill_key, c) &&
	       put_text(to, "signature_algorithm", c->signature_algorithm) &&
	       put(to, "is_ca", cJSON_CreateBool(c->is_ca)) &&
	       put_strings(to, "key_usage", &c->key_usage) &&
	       put_strings(to, "extended_key_usage", &c->extended_key_usage) &&
	       put_some(to, "crl_distribution_points", &c->crl_urls) &&
	       put_some(to, "ocsp_responders", &c->ocsp_urls) &&
	       put_some(to, "ca_issuers", &c->issuer_urls) &&
	       put_object(to, "location", fill_location, r) &&
	       put_object(to, "verdict", fill_verdict, v) &&
	       (!v->record->differs ||
		       put_object(to, "served_differs", fill_differs, v->record->differs)) &&
	       put_key_notes(to, &v->record->key_notes);
}

static bool fill_process(cJSON *to, const void *from)
{
	const struct process *p = from;

	return put_number(to, "pid", p->pid) && put_text(to, "name", p->name) &&
	       put_text(to, "unit", p->unit) && put_text(to, "container", p->container) &&
	       put_time(to, "started", p->started) &&
	       put_time(to, "worker_started", p->worker_started);
}

static bool fill_presented(cJSON *to, const void *from)
{
	const struct presented *p = from;

	return put_fingerprint(to, "fingerprint", p->fingerprint) &&
	       (p->accepted == ACCEPTANCE_UNKNOWN ||
		       put(to, "accepted", cJSON_CreateBool(p->accepted == ACCEPTANCE_ACCEPTED))) &&
	       put_text(to, "evidence", p->evidence);
}

static bool fill_endpoint(cJSON *to, const struct record *r)
{
	const struct endpoint_record *e = &r->endpoint;

	return put_text(to, "type", "endpoint") && put_object(to, "location", fill_location, r) &&
	       put_text(to, "address", e->address) && put_text(to, "proxy", e->proxy) &&
	       put_number(to, "port", e->port) && put_text(to, "server_name", e->server_name) &&
	       put_text(to, "protocol", e->protocol) &&
	       put_text(to, "cipher_suite", e->cipher_suite) &&
	       put(to, "reachable", cJSON_CreateBool(e->is_reachable)) &&
	       put_text(to, "handshake", e->handshake) &&
	       put(to, "duration_seconds", cJSON_CreateNumber(e->duration_ms / 1000.0)) &&
	       put_text(to, "client_certificate", client_certificate_word(e->client_certificate)) &&
	       put_text(to, "client_certificate_evidence", e->client_certificate_evidence) &&
	       put_strings(to, "acceptable_cas", &e->acceptable_cas) &&
	       put_text(to, "acceptable_cas_from", e->acceptable_cas_from) &&
	       (!e->presented.is_given ||
		       put_object(to, "presented", fill_presented, &e->presented)) &&
	       put_chain(to, &e->chain) &&
	       (e->stapled_ocsp == STAPLED_OCSP_UNKNOWN ||
		       put_text(to, "stapled_ocsp", stapled_ocsp_word(e->stapled_ocsp))) &&
	       put_text(to, "stapled_ocsp_detail", e->stapled_ocsp_detail) &&
	       (e->stapled_ocsp <= STAPLED_OCSP_NONE ||
		       put_time(to, "stapled_ocsp_next_update", e->stapled_ocsp_next_update)) &&
	       (!e->process.pid || put_object(to, "process", fill_process, &e->process));
}

static bool fill_problem(cJSON *to, const struct record *r)
{
	const struct problem_record *p = &r->problem;

	return put_text(to, "type", "problem") && put_object(to, "location", fill_location, r) &&
	       put_text(to, "reason", reason_word(p->reason)) &&
	       put_text(to, "message", p->message) &&
	       (!p->has_fingerprint || put_fingerprint(to, "fingerprint", p->fingerprint)) &&
	       put_time(to, "not_before", p->not_before) && put_time(to, "not_after", p->not_after);
}

static bool put_ports(cJSON *to, const struct reference_record *r)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array != NULL;

	for (size_t i = 0; good && i < r->ports_count; i++)
		good = push(array, cJSON_CreateNumber(r->ports[i]));
	if (good)
		return put(to, "ports", array);
	cJSON_Delete(array);
	return false;
}

static bool fill_reference(cJSON *to, const struct record *r)
{
	const struct reference_record *f = &r->reference;

	return put_text(to, "type", "reference") && put_object(to, "location", fill_location, r) &&
	       put_text(to, "role", reference_role_word(f->role)) &&
	       put_text(to, "directive", f->directive) && put_number(to, "line", f->line) &&
	       put_text(to, "file", f->file) && put_true(to, "folder", f->is_folder) &&
	       put(to, "active", cJSON_CreateBool(f->is_active)) &&
	       put_text(to, "password_file", f->password_file) &&
	       put_strings(to, "names", &f->names) && put_ports(to, f);
}

static bool fill_crl(cJSON *to, const struct record *r)
{
	const struct crl_record *c = &r->crl;

	return put_text(to, "type", "crl") && put_fingerprint(to, "fingerprint", c->fingerprint) &&
	       put_text(to, "issuer", c->issuer) && put_text(to, "number", c->number) &&
	       put_text(to, "signature_algorithm", c->signature_algorithm) &&
	       put_time(to, "this_update", c->this_update) &&
	       put_time(to, "next_update", c->next_update) &&
	       put(to, "revoked", cJSON_CreateNumber((double)c->revoked_count)) &&
	       put(to, "is_delta", cJSON_CreateBool(c->is_delta)) &&
	       put_object(to, "location", fill_location, r);
}

static bool fill_private_key(cJSON *to, const struct record *r)
{
	const struct key_record *k = &r->key;
	char mode[8];

	(void)snprintf(mode, sizeof(mode), "%04o", k->mode & 07777U);
	return put_text(to, "type", "key") && put_text(to, "algorithm", k->algorithm) &&
	       (!k->bits || put_number(to, "bits", k->bits)) &&
	       (!k->is_known || put_fingerprint(to, "spki_sha256", k->spki_sha256)) &&
	       put(to, "encrypted", cJSON_CreateBool(k->is_encrypted)) &&
	       put_true(to, "locked", k->is_encrypted && !k->is_known) &&
	       (!k->has_owner || (put_text(to, "mode", mode) && put_number(to, "uid", k->uid) &&
					 put_number(to, "gid", k->gid))) &&
	       put_object(to, "location", fill_location, r);
}

static bool fill_kind(cJSON *to, const struct record *r, const struct verdict_source *v)
{
	switch (r->kind) {
	case RECORD_CERTIFICATE:
		return fill_certificate(to, r, v);
	case RECORD_ENDPOINT:
		return fill_endpoint(to, r);
	case RECORD_PROBLEM:
		return fill_problem(to, r);
	case RECORD_REFERENCE:
		return fill_reference(to, r);
	case RECORD_CRL:
		return fill_crl(to, r);
	case RECORD_KEY:
		return fill_private_key(to, r);
	case RECORD_REVOCATION:
		return false; /* part of certificates, never shown alone */
	}
	return false;
}

cJSON *record_json(const struct sighting *s, const struct thresholds *t, int64_t now)
{
	struct verdict_source v = { &s->record->certificate, t, now };
	cJSON *to = cJSON_CreateObject();

	if (to && fill_kind(to, s->record, &v) &&
		(!s->revocation || put_object(to, "revocation", fill_revocation, s->revocation)) &&
		put_time(to, "first_seen", s->first_seen) &&
		put_time(to, "last_seen", s->last_seen) && put_time(to, "gone", s->gone_at) &&
		put_true(to, "stale", s->is_stale))
		return to;
	cJSON_Delete(to);
	return NULL;
}

enum err record_json_print(struct buffer *out, const cJSON *json)
{
	/* cJSON's arguments are int and it takes its items without const; it changes none. */
	cJSON *item = (cJSON *)(uintptr_t)json;
	size_t room = PRINT_FIRST_BYTES;

	if (out->capacity > out->size + room)
		room = out->capacity - out->size - 1;
	for (; room <= INT_MAX; room *= 2) {
		uint8_t *to = buffer_reserve(out, room);

		if (!to)
			return buffer_status(out);
		if (room > PRINT_SLACK_BYTES &&
			cJSON_PrintPreallocated(item, (char *)to, (int)room, 0)) {
			out->size += strlen((char *)to);
			return ERR_OK;
		}
	}
	return ERR_LIMIT;
}
