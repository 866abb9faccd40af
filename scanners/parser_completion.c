/* A certificate to a verdict with issuers that lie elsewhere. */
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/revocation.h"
#include "scanners/completion_case.h"
#include "scanners/parser_finding.h"

#include <stdlib.h>

void completion_case_encode(struct buffer *out, const struct completion_case *c)
{
	wire_put_u8(out, (uint8_t)c->purpose);
	wire_put_bytes(out, c->leaf);
	wire_put_u32(out, (uint32_t)c->count);
	wire_put_u32(out, (uint32_t)c->shunned);
	for (size_t i = 0; i < c->count; i++)
		wire_put_bytes(out, c->candidates[i]);
}

enum err completion_case_decode(struct slice bytes, struct completion_case *out)
{
	struct wire w = wire_of(bytes);

	out->purpose = (enum purpose)wire_get_u8(&w);
	out->leaf = wire_get_bytes(&w, RECORD_DER_BYTES_MAX);
	out->count = wire_get_u32(&w);
	out->shunned = wire_get_u32(&w);
	if (out->purpose >= PURPOSE_COUNT || out->count > COMPLETION_CANDIDATES_MAX ||
		out->shunned > out->count)
		return ERR_MALFORMED;
	for (size_t i = 0; i < out->count; i++)
		out->candidates[i] = wire_get_bytes(&w, RECORD_DER_BYTES_MAX);
	return wire_end(&w);
}

/* Issuers that can be parsed, and how many of them come before the shunned ones. */
struct candidates {
	struct parsed_certificate parsed[COMPLETION_CANDIDATES_MAX];
	const struct parsed_certificate *items[COMPLETION_CANDIDATES_MAX];
	size_t count;
	size_t preferred;
};

/* They could be parsed before, so nothing is told of one that cannot. */
static void parse_candidates(
	const struct parser_context *c, const struct completion_case *given, struct candidates *out)
{
	for (size_t i = 0; i < given->count; i++) {
		struct parsed_certificate *p = &out->parsed[out->count];

		if (certificate_parse_known(c->known, given->candidates[i], p, NULL, NULL) !=
			ERR_OK)
			continue;
		out->items[out->count++] = p;
		if (i < given->count - given->shunned)
			out->preferred = out->count;
	}
}

/* A path around what is revoked, if there is one. */
static enum err judge_case(const struct parser_context *c, struct judge_question *q,
	const struct candidates *candidates, struct verdict *out)
{
	enum err e;

	q->candidates = candidates->items;
	q->candidates_count = candidates->preferred;
	e = judge(c->trust, c->cache, q, out);
	if (e == ERR_OK && !out->trust && candidates->preferred < candidates->count) {
		verdict_fini(out);
		q->candidates_count = candidates->count;
		e = judge(c->trust, c->cache, q, out);
	}
	return e == ERR_OK ? judge_stores(c->trust, c->cache, q, out) : e;
}

static enum err judge_and_tell(const struct parser_context *c, const struct parser_place *place,
	const struct completion_case *given, const struct parsed_certificate *leaf)
{
	struct candidates *candidates = calloc(1, sizeof(*candidates));
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct judge_question q = { .leaf = leaf,
		.stores = &c->judging->stores,
		.purpose = given->purpose,
		.now = clock_now_s() };
	enum err e = ERR_MEMORY;

	r.location.scanner = text_escaped(slice_text(place->scanner));
	r.location.uri = text_escaped(slice_text(place->uri));
	if (candidates && r.location.scanner && r.location.uri) {
		parse_candidates(c, given, candidates);
		e = judge_case(c, &q, candidates, &r.certificate.verdict);
	}
	if (e == ERR_OK) {
		revocation_note_issuer(c->trust, &q, &r.certificate.verdict);
		r.certificate.facts = leaf->facts; /* lent */
		e = c->record(c->arg, &r);
		r.certificate.facts = (struct certificate){ 0 };
	}
	record_fini(&r);
	for (size_t i = 0; candidates && i < candidates->count; i++)
		parsed_certificate_fini(&candidates->parsed[i]);
	free(candidates);
	return e;
}

enum err parser_completion(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct completion_case given;
	struct parsed_certificate leaf;
	struct why why = { 0 };
	enum err e = completion_case_decode(bytes, &given);

	if (e == ERR_OK)
		e = certificate_parse_known(c->known, given.leaf, &leaf, NULL, &why);
	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return parser_problem(c, place, REASON_MALFORMED, why_text(&why, e));
	e = judge_and_tell(c, place, &given, &leaf);
	parsed_certificate_fini(&leaf);
	return e;
}
