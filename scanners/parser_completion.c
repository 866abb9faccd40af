/* A certificate that misses an issuer to a verdict with those that lie elsewhere. */
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
	for (size_t i = 0; i < c->count; i++)
		wire_put_bytes(out, c->candidates[i]);
}

enum err completion_case_decode(struct slice bytes, struct completion_case *out)
{
	struct wire w = wire_of(bytes);

	out->purpose = (enum purpose)wire_get_u8(&w);
	out->leaf = wire_get_bytes(&w, RECORD_DER_BYTES_MAX);
	out->count = wire_get_u32(&w);
	if (out->purpose >= PURPOSE_COUNT || out->count > COMPLETION_CANDIDATES_MAX)
		return ERR_MALFORMED;
	for (size_t i = 0; i < out->count; i++)
		out->candidates[i] = wire_get_bytes(&w, RECORD_DER_BYTES_MAX);
	return wire_end(&w);
}

/* Those that can be parsed; they could be before, so nothing is told of one that cannot. */
static size_t parse_candidates(const struct parser_context *c, const struct completion_case *given,
	struct parsed_certificate *parsed, const struct parsed_certificate **candidates)
{
	size_t count = 0;

	for (size_t i = 0; i < given->count; i++)
		if (certificate_parse_known(
			    c->known, given->candidates[i], &parsed[count], NULL, NULL) == ERR_OK) {
			candidates[count] = &parsed[count];
			count++;
		}
	return count;
}

static enum err judge_and_tell(const struct parser_context *c, const struct parser_place *place,
	const struct completion_case *given, const struct parsed_certificate *leaf)
{
	const struct parsed_certificate *candidates[COMPLETION_CANDIDATES_MAX];
	struct parsed_certificate *parsed = calloc(given->count + 1, sizeof(*parsed));
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct judge_question q = { .leaf = leaf,
		.candidates = candidates,
		.stores = &c->judging->stores,
		.purpose = given->purpose,
		.now = clock_now_s() };
	enum err e;

	r.location.scanner = text_escaped(slice_text(place->scanner));
	r.location.uri = text_escaped(slice_text(place->uri));
	if (!parsed || !r.location.scanner || !r.location.uri) {
		free(parsed);
		record_fini(&r);
		return ERR_MEMORY;
	}
	q.candidates_count = parse_candidates(c, given, parsed, candidates);
	e = judge(c->trust, c->cache, &q, &r.certificate.verdict);
	if (e == ERR_OK)
		e = judge_stores(c->trust, c->cache, &q, &r.certificate.verdict);
	if (e == ERR_OK) {
		revocation_note_issuer(c->trust, &q, &r.certificate.verdict);
		r.certificate.facts = leaf->facts; /* lent */
		e = c->record(c->arg, &r);
		r.certificate.facts = (struct certificate){ 0 };
	}
	record_fini(&r);
	for (size_t i = 0; i < q.candidates_count; i++)
		parsed_certificate_fini(&parsed[i]);
	free(parsed);
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
