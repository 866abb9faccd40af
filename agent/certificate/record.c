/* Records: their words, their ownership, and problems ready to send. */
#include "agent/certificate/record.h"

#include "agent/base/text.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	const char *meaning;
} problems[PROBLEM_COUNT] = {
#define PROBLEM(name, word, served, any, meaning) [name] = { word, meaning },
#include "agent/certificate/words.def"
#undef PROBLEM
};

static const struct {
	const char *word;
	bool keeps;
	const char *meaning;
} reasons[REASON_COUNT] = {
#define REASON(name, word, keeps, meaning) [name] = { word, keeps, meaning },
#include "agent/certificate/words.def"
#undef REASON
};

static const struct {
	const char *word;
	const char *use;
} roles[REFERENCE_ROLE_COUNT] = {
#define REFERENCE_ROLE(name, word, use) [name] = { word, use },
#include "agent/certificate/words.def"
#undef REFERENCE_ROLE
};

/* An index past its table comes from our own code only; the word then still prints. */
static const char *word_at(const char *const *words, size_t count, size_t i)
{
	return i < count ? words[i] : "unknown";
}

const char *problem_word(enum problem p)
{
	return (size_t)p < PROBLEM_COUNT ? problems[p].word : "unknown";
}

const char *problem_meaning(enum problem p)
{
	return (size_t)p < PROBLEM_COUNT ? problems[p].meaning : "unknown";
}

const char *reason_word(enum reason r)
{
	return (size_t)r < REASON_COUNT ? reasons[r].word : "unknown";
}

const char *reason_meaning(enum reason r)
{
	return (size_t)r < REASON_COUNT ? reasons[r].meaning : "unknown";
}

bool reason_keeps_known(enum reason r)
{
	return (size_t)r < REASON_COUNT && reasons[r].keeps;
}

const char *status_word(enum status s)
{
	static const char *const words[STATUS_COUNT] = { "ok", "warning", "critical", "expired",
		"broken", "unchecked" };

	return word_at(words, STATUS_COUNT, (size_t)s);
}

const char *client_certificate_word(enum client_certificate c)
{
	static const char *const words[CLIENT_CERTIFICATE_COUNT] = { "unknown", "none", "optional",
		"required" };

	return word_at(words, CLIENT_CERTIFICATE_COUNT, (size_t)c);
}

const char *revocation_status_word(enum revocation_status s)
{
	static const char *const words[REVOCATION_STATUS_COUNT] = { "unknown", "good", "revoked" };

	return word_at(words, REVOCATION_STATUS_COUNT, (size_t)s);
}

const char *stapled_ocsp_word(enum stapled_ocsp s)
{
	static const char *const words[STAPLED_OCSP_COUNT] = { "unknown", "none", "good", "revoked",
		"stale", "invalid" };

	return word_at(words, STAPLED_OCSP_COUNT, (size_t)s);
}

const char *reference_role_word(enum reference_role r)
{
	return (size_t)r < REFERENCE_ROLE_COUNT ? roles[r].word : "unknown";
}

const char *reference_role_use(enum reference_role r)
{
	return (size_t)r < REFERENCE_ROLE_COUNT ? roles[r].use : "unknown";
}

void location_fini(struct location *l)
{
	free(l->scanner);
	free(l->uri);
	free(l->format);
	free(l->alias);
	free(l->integrity);
	free(l->trust_flags);
	*l = (struct location){ 0 };
}

void certificate_fini(struct certificate *c)
{
	free(c->subject);
	free(c->issuer);
	free(c->subject_cn);
	free(c->issuer_cn);
	free(c->serial);
	strings_fini(&c->names);
	free(c->key_algorithm);
	free(c->signature_algorithm);
	strings_fini(&c->key_usage);
	strings_fini(&c->extended_key_usage);
	strings_fini(&c->crl_urls);
	strings_fini(&c->ocsp_urls);
	strings_fini(&c->issuer_urls);
	*c = (struct certificate){ 0 };
}

void crl_fini(struct crl_record *c)
{
	free(c->issuer);
	free(c->issuer_cn);
	free(c->number);
	free(c->signature_algorithm);
	*c = (struct crl_record){ 0 };
}

void verdict_fini(struct verdict *v)
{
	free(v->trust);
	free(v->chain.items);
	store_verdicts_fini(&v->stores);
	*v = (struct verdict){ 0 };
}

const char *served_needs_word(enum served_needs n)
{
	static const char *const words[SERVED_NEEDS_COUNT] = { "reload", "configuration" };

	return word_at(words, SERVED_NEEDS_COUNT, (size_t)n);
}

void served_differs_fini(struct served_differs *d)
{
	free(d->file);
	free(d->message);
	*d = (struct served_differs){ 0 };
}

void key_notes_fini(struct key_notes *n)
{
	for (size_t i = 0; i < n->count; i++) {
		free(n->items[i].uri);
		free(n->items[i].message);
	}
	free(n->items);
	*n = (struct key_notes){ 0 };
}

enum err key_notes_add(
	struct key_notes *n, enum problem problem, const char *uri, const char *message)
{
	struct key_note *items = reallocarray(n->items, n->count + 1, sizeof(*items));

	if (!items)
		return ERR_MEMORY;
	n->items = items;
	items += n->count++;
	*items = (struct key_note){
		.problem = problem, .uri = strdup(uri), .message = strdup(message)
	};
	return items->uri && items->message ? ERR_OK : ERR_MEMORY;
}

void store_verdicts_fini(struct store_verdicts *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->items[i].store);
	free(s->items);
	*s = (struct store_verdicts){ 0 };
}

void process_fini(struct process *p)
{
	free(p->name);
	free(p->unit);
	free(p->container);
	*p = (struct process){ 0 };
}

static void endpoint_fini(struct endpoint_record *e)
{
	free(e->address);
	free(e->server_name);
	free(e->protocol);
	free(e->cipher_suite);
	free(e->handshake);
	free(e->client_certificate_evidence);
	free(e->stapled_ocsp_detail);
	free(e->acceptable_cas_from);
	free(e->presented.evidence);
	free(e->proxy);
	strings_fini(&e->acceptable_cas);
	free(e->chain.items);
	process_fini(&e->process);
}

static void reference_fini(struct reference_record *r)
{
	free(r->directive);
	free(r->file);
	free(r->password_file);
	strings_fini(&r->names);
}

void record_fini(struct record *r)
{
	switch (r->kind) {
	case RECORD_CERTIFICATE:
		certificate_fini(&r->certificate.facts);
		verdict_fini(&r->certificate.verdict);
		if (r->certificate.differs)
			served_differs_fini(r->certificate.differs);
		free(r->certificate.differs);
		free(r->certificate.der);
		key_notes_fini(&r->certificate.key_notes);
		break;
	case RECORD_ENDPOINT:
		endpoint_fini(&r->endpoint);
		break;
	case RECORD_PROBLEM:
		free(r->problem.message);
		break;
	case RECORD_REFERENCE:
		reference_fini(&r->reference);
		break;
	case RECORD_CRL:
		crl_fini(&r->crl);
		break;
	case RECORD_KEY:
		free(r->key.algorithm);
		break;
	case RECORD_REVOCATION:
		free(r->revocation.etag);
		free(r->revocation.last_modified);
		free(r->revocation.message);
		free(r->revocation.results);
		break;
	}
	location_fini(&r->location);
	*r = (struct record){ 0 };
}

static bool copy_text(char **to, const char *from)
{
	if (!from)
		return true;
	*to = strdup(from);
	return *to != NULL;
}

enum err location_copy(struct location *to, const struct location *from)
{
	struct location copy = { .index = from->index };

	if (!copy_text(&copy.scanner, from->scanner) || !copy_text(&copy.uri, from->uri) ||
		!copy_text(&copy.format, from->format) || !copy_text(&copy.alias, from->alias) ||
		!copy_text(&copy.integrity, from->integrity) ||
		!copy_text(&copy.trust_flags, from->trust_flags)) {
		location_fini(&copy);
		return ERR_MEMORY;
	}
	*to = copy;
	return ERR_OK;
}

enum err process_copy(struct process *to, const struct process *from)
{
	struct process copy = *from;

	copy.name = copy.unit = copy.container = NULL;
	if (!copy_text(&copy.name, from->name) || !copy_text(&copy.unit, from->unit) ||
		!copy_text(&copy.container, from->container)) {
		process_fini(&copy);
		return ERR_MEMORY;
	}
	*to = copy;
	return ERR_OK;
}

bool record_is_listener(const struct record *r)
{
	return r->kind == RECORD_ENDPOINT && r->location.scanner &&
	       strcmp(r->location.scanner, SCANNER_LISTENERS) == 0;
}

bool record_is_plain_listener(const struct record *r)
{
	const struct endpoint_record *e = &r->endpoint;

	if (!record_is_listener(r) || e->chain.count)
		return false;
	return !e->is_reachable ||
	       (e->handshake && strcmp(e->handshake, reason_word(REASON_NOT_TLS)) == 0);
}

/* Clean and within the ceiling of a text; what was too long is cut between characters. */
static char *shown(const char *text)
{
	char *clean = text_escaped(slice_text(text));

	if (clean)
		clean[text_cut(clean, RECORD_TEXT_BYTES_MAX)] = 0;
	return clean;
}

enum err record_problem(struct record *out, const char *scanner, const char *uri,
	enum reason reason, const char *message)
{
	struct record r = { .kind = RECORD_PROBLEM };

	r.location.scanner = shown(scanner);
	r.location.uri = shown(uri);
	r.problem = (struct problem_record){ .reason = reason,
		.message = shown(message ? message : reason_meaning(reason)),
		.not_before = TIME_UNKNOWN,
		.not_after = TIME_UNKNOWN };
	if (!r.location.scanner || !r.location.uri || !r.problem.message) {
		record_fini(&r);
		return ERR_MEMORY;
	}
	*out = r;
	return ERR_OK;
}
