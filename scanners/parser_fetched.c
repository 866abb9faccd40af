/* What issuers answered to records: what holds of each certificate that was asked about. */
#include "agent/base/text.h"
#include "agent/certificate/ocsp.h"
#include "scanners/fetch.h"
#include "scanners/parser_finding.h"

#include <stdlib.h>

struct answer {
	const struct parser_context *context;
	const struct parser_place *place;
	struct fetch fetch;
	struct slice body;
	struct fetch_trailer trailer;
	struct revocation_record said;
};

static enum err prepare(struct answer *a)
{
	a->said = (struct revocation_record){ .this_update = TIME_UNKNOWN,
		.next_update = TIME_UNKNOWN };
	a->said.results = calloc(a->fetch.subjects_count + 1, sizeof(*a->said.results));
	if (!a->said.results)
		return ERR_MEMORY;
	a->said.count = a->fetch.subjects_count;
	for (size_t i = 0; i < a->said.count; i++) {
		struct revocation_result *r = &a->said.results[i];

		*r = (struct revocation_result){ .revoked_at = TIME_UNKNOWN };
		memcpy(r->fingerprint, a->fetch.subjects[i].fingerprint, FINGERPRINT_BYTES);
	}
	return ERR_OK;
}

static enum err say_why(struct answer *a, const char *why)
{
	a->said.message = text_escaped(slice_text(why));
	return a->said.message ? ERR_OK : ERR_MEMORY;
}

/* --- OCSP ---------------------------------------------------------------------------------------- */

static enum err read_ocsp(struct answer *a, struct slice issuer_der)
{
	struct revocation_result *r = a->said.results;
	const struct ocsp_question q = { .issuer_der = issuer_der,
		.serial = a->fetch.subjects[0].serial,
		.nonce = a->trailer.nonce,
		.now = clock_now_s() };
	struct ocsp_answer answer;
	enum err e = ocsp_read(a->body, &q, &answer);

	if (e != ERR_OK)
		return e;
	a->said.this_update = answer.this_update;
	a->said.next_update = answer.next_update;
	if (answer.word == OCSP_GOOD) {
		r->status = REVOCATION_GOOD;
	} else if (answer.word == OCSP_REVOKED) {
		r->status = REVOCATION_REVOKED;
		r->reason = (uint8_t)answer.reason;
		r->revoked_at = answer.revoked_at;
	} else {
		return say_why(a, answer.why);
	}
	return ERR_OK;
}

/* --- telling ------------------------------------------------------------------------------------- */

static enum err read_body(struct answer *a)
{
	struct slice issuer = trust_der(a->context->trust, a->fetch.issuer);

	if (!a->fetch.subjects_count)
		return say_why(a, "nothing was asked about");
	if (!issuer.size)
		return say_why(a, "the issuer's certificate is not known any more");
	if (a->fetch.kind == FETCH_OCSP)
		return read_ocsp(a, issuer);
	return say_why(a, "lists are not read");
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static enum err tell(struct answer *a)
{
	struct record r = { .kind = RECORD_REVOCATION };
	enum err e;

	a->said.etag = copy(a->trailer.etag);
	a->said.last_modified = copy(a->trailer.last_modified);
	r.location.scanner = text_escaped(slice_text(a->place->scanner));
	r.location.uri = text_escaped(slice_text(a->place->uri));
	r.revocation = a->said;
	a->said = (struct revocation_record){ 0 };
	e = r.location.scanner && r.location.uri ? a->context->record(a->context->arg, &r)
						 : ERR_MEMORY;
	record_fini(&r);
	return e;
}

static enum err take(struct answer *a)
{
	enum err e = prepare(a);

	if (e != ERR_OK)
		return e;
	if (a->trailer.outcome == FETCH_FAILED) {
		e = parser_problem(a->context, a->place, a->trailer.reason, a->trailer.message);
		if (e == ERR_OK)
			e = say_why(a, a->trailer.message);
	} else if (a->trailer.outcome == FETCH_UNMODIFIED) {
		a->said.is_unmodified = true;
		a->said.count = 0;
	} else {
		e = read_body(a);
	}
	return e == ERR_OK ? tell(a) : e;
}

enum err parser_fetched(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct answer a = { .context = c, .place = place };
	enum err e = fetched_decode(bytes, &a.fetch, &a.body, &a.trailer);

	if (e == ERR_MALFORMED)
		return parser_problem(
			c, place, REASON_MALFORMED, "what the fetcher sent cannot be read");
	if (e != ERR_OK)
		return e;
	e = take(&a);
	free(a.said.message);
	free(a.said.etag);
	free(a.said.last_modified);
	free(a.said.results);
	fetch_fini(&a.fetch);
	fetch_trailer_fini(&a.trailer);
	return e;
}
