/* What a token holds to records: each certificate at its own URI, judged with the others of the token. */
#include "scanners/parser_finding.h"

#include "agent/base/text.h"
#include "agent/certificate/revocation.h"
#include "agent/certificate/token.h"
#include "scanners/token_finding.h"

#include <stdlib.h>

/* As in a file: so many roots are somebody's trust store, as p11-kit's own is. */
#define TRUST_STORE_ROOTS_MIN 10

struct member {
	struct token_certificate certificate; /* its DER lies in the finding */
	struct parsed_certificate parsed;
	uint32_t index; /* among those of the same URI */
	bool is_parsed;
	struct why why;
	enum err why_not;
};

struct holding {
	const struct parser_context *context;
	const struct parser_place *place;
	struct member *members; /* owned */
	size_t count;
	const struct parsed_certificate **all; /* owned: those that are parsed */
	size_t all_count;
	size_t roots;
};

static void holding_fini(struct holding *h)
{
	for (size_t i = 0; i < h->count; i++) {
		token_certificate_fini(&h->members[i].certificate);
		parsed_certificate_fini(&h->members[i].parsed);
	}
	free(h->members);
	free(h->all);
}

static enum err locate(
	const struct holding *h, const struct member *m, const char *uri, struct location *out)
{
	struct location l = { .index = m->index };
	const char *label = m->certificate.label;

	l.scanner = text_escaped(slice_text(h->place->scanner));
	l.uri = text_escaped(slice_text(uri));
	l.format = text_escaped(slice_text(TOKEN_FORMAT));
	l.alias = label ? text_escaped(slice_text(label)) : NULL;
	l.trust_flags = m->certificate.is_trusted ? text_escaped(slice_text("trusted")) : NULL;
	if (l.scanner && l.uri && l.format && (!label || l.alias) &&
		(!m->certificate.is_trusted || l.trust_flags)) {
		*out = l;
		return ERR_OK;
	}
	location_fini(&l);
	return ERR_MEMORY;
}

static enum err gather(struct holding *h, struct slice bytes)
{
	struct wire w = wire_of(bytes);

	h->members = calloc(TOKEN_OBJECTS_MAX, sizeof(*h->members));
	h->all = calloc(TOKEN_OBJECTS_MAX, sizeof(const struct parsed_certificate *));
	if (!h->members || !h->all)
		return ERR_MEMORY;
	while (h->count < TOKEN_OBJECTS_MAX) {
		struct member *m = &h->members[h->count];

		if (!token_certificate_next(&w, &m->certificate))
			break;
		/* They come sorted by URI. */
		if (h->count && strcmp(m[-1].certificate.uri, m->certificate.uri) == 0)
			m->index = m[-1].index + 1;
		h->count++;
	}
	return wire_end(&w);
}

static enum err parse(struct holding *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct member *m = &h->members[i];
		size_t trailing;

		m->why_not = certificate_parse_known(
			h->context->known, m->certificate.der, &m->parsed, &trailing, &m->why);
		if (m->why_not == ERR_MEMORY)
			return ERR_MEMORY;
		m->is_parsed = m->why_not == ERR_OK;
		if (!m->is_parsed)
			continue;
		h->all[h->all_count++] = &m->parsed;
		h->roots += m->parsed.facts.is_ca && m->parsed.facts.is_self_issued;
	}
	return ERR_OK;
}

/* The private key beside it, whose public half is the certificate's. */
static enum err tell_key(const struct holding *h, const struct member *m)
{
	const struct certificate *facts = &m->parsed.facts;
	struct record r = { .kind = RECORD_KEY };
	enum err e = locate(h, m, m->certificate.key_uri, &r.location);

	if (e == ERR_OK) {
		r.key.is_known = true;
		r.key.is_encrypted = true;
		memcpy(r.key.spki_sha256, facts->spki_sha256, FINGERPRINT_BYTES);
		r.key.bits = facts->key_bits;
		r.key.algorithm = facts->key_algorithm
					  ? text_escaped(slice_text(facts->key_algorithm))
					  : NULL;
		e = facts->key_algorithm && !r.key.algorithm
			    ? ERR_MEMORY
			    : h->context->record(h->context->arg, &r);
	}
	record_fini(&r);
	return e;
}

static enum err tell_certificate(const struct holding *h, const struct member *m)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	const struct judge_question q = { .leaf = &m->parsed,
		.candidates = h->all,
		.candidates_count = h->all_count,
		.purpose = PURPOSE_ANY,
		.stores = &h->context->judging->stores,
		.now = clock_now_s() };
	struct verdict *v = &r.certificate.verdict;
	enum err e = locate(h, m, m->certificate.uri, &r.location);

	if (e == ERR_OK)
		e = judge(h->context->trust, h->context->cache, &q, v);
	if (e == ERR_OK)
		e = judge_stores(h->context->trust, h->context->cache, &q, v);
	if (e == ERR_OK) {
		revocation_note_issuer(h->context->trust, &q, v);
		v->is_bundled = h->roots >= TRUST_STORE_ROOTS_MIN && m->parsed.facts.is_ca &&
				m->parsed.facts.is_self_issued;
		e = parser_tell_lent(h->context, &r, &m->parsed);
	}
	record_fini(&r);
	return e;
}

static enum err tell_malformed(const struct holding *h, const struct member *m)
{
	const struct parser_place place = { .scanner = h->place->scanner,
		.uri = m->certificate.uri };

	return parser_problem(h->context, &place,
		m->why_not == ERR_LIMIT ? REASON_LIMIT_REACHED : REASON_MALFORMED,
		why_text(&m->why, m->why_not));
}

/* A ceiling was reached: what is recorded of it is not all. */
static enum err tell_cut(const struct holding *h, const struct member *m)
{
	const struct parser_place place = { .scanner = h->place->scanner,
		.uri = m->certificate.uri };
	char text[CERTIFICATE_CUT_BYTES];

	if (!parsed_certificate_cut(&m->parsed, text))
		return ERR_OK;
	return parser_problem(h->context, &place, REASON_LIMIT_REACHED, text);
}

enum err parser_token(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct holding h = { .context = c, .place = place };
	enum err e = gather(&h, bytes);

	if (e == ERR_OK)
		e = parse(&h);
	for (size_t i = 0; e == ERR_OK && i < h.count; i++) {
		const struct member *m = &h.members[i];

		e = m->is_parsed ? tell_certificate(&h, m) : tell_malformed(&h, m);
		if (e == ERR_OK && m->is_parsed)
			e = tell_cut(&h, m);
		if (e == ERR_OK && m->is_parsed && m->certificate.key_uri)
			e = tell_key(&h, m);
	}
	holding_fini(&h);
	return e == ERR_MALFORMED ? parser_problem(c, place, REASON_MALFORMED,
					    "what was found in the token cannot be read")
				  : e;
}
