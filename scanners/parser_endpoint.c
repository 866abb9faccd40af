/* A probe's session to its records: the endpoint, and the chain as it was sent. */
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/ocsp.h"
#include "agent/certificate/revocation.h"
#include "scanners/parser_finding.h"
#include "scanners/session.h"

#include <stdlib.h>

struct chain {
	const struct parser_context *context;
	const struct parser_place *place;
	const struct session *session;
	struct parsed_certificate *parsed; /* owned; one a certificate sent */
	bool *is_parsed;                   /* owned */
	struct why *why;                   /* owned */
	size_t count;
	const struct parsed_certificate **all; /* owned; those that were parsed */
	size_t all_count;
	bool is_revoked; /* the stapled answer says so of the leaf */
};

static void chain_fini(struct chain *c)
{
	for (size_t i = 0; c->is_parsed && i < c->count; i++)
		if (c->is_parsed[i])
			parsed_certificate_fini(&c->parsed[i]);
	free(c->parsed);
	free(c->is_parsed);
	free(c->why);
	free(c->all);
}

static struct slice der_of(const struct chain *c, size_t i)
{
	const struct blob *b = &c->session->certificates.items[i];

	return slice_of(b->data, b->size);
}

static enum err chain_parse(struct chain *c)
{
	c->count = c->session->certificates.count;
	c->parsed = calloc(c->count + 1, sizeof(*c->parsed));
	c->is_parsed = calloc(c->count + 1, sizeof(*c->is_parsed));
	c->why = calloc(c->count + 1, sizeof(*c->why));
	c->all = calloc(c->count + 1, sizeof(const struct parsed_certificate *));
	if (!c->parsed || !c->is_parsed || !c->why || !c->all)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->count; i++) {
		enum err e = certificate_parse_known(
			c->context->known, der_of(c, i), &c->parsed[i], NULL, &c->why[i]);

		if (e == ERR_MEMORY)
			return e;
		c->is_parsed[i] = e == ERR_OK;
		if (c->is_parsed[i])
			c->all[c->all_count++] = &c->parsed[i];
	}
	return ERR_OK;
}

static void fingerprint_at(const struct chain *c, size_t i, struct evident_certificate *out)
{
	*out = (struct evident_certificate){ .not_before = TIME_UNKNOWN,
		.not_after = TIME_UNKNOWN };
	if (c->is_parsed[i])
		memcpy(out->fingerprint, c->parsed[i].facts.fingerprint, FINGERPRINT_BYTES);
	else if (!certificate_is_evident(der_of(c, i), out))
		fingerprint_of(der_of(c, i), out->fingerprint);
}

static enum err locate(const struct chain *c, size_t index, struct location *out)
{
	*out = (struct location){ .index = (uint32_t)index };
	out->scanner = text_escaped(slice_text(c->place->scanner));
	out->uri = text_escaped(slice_text(c->place->uri));
	if (out->scanner && out->uri)
		return ERR_OK;
	location_fini(out);
	return ERR_MEMORY;
}

/* --- the endpoint ----------------------------------------------------------------------------- */

static enum err fill_chain(const struct chain *c, struct fingerprints *out)
{
	if (!c->count)
		return ERR_OK;
	out->items = calloc(c->count, sizeof(*out->items));
	if (!out->items)
		return ERR_MEMORY;
	for (size_t i = 0; i < c->count; i++) {
		struct evident_certificate e;

		fingerprint_at(c, i, &e);
		memcpy(out->items[i], e.fingerprint, FINGERPRINT_BYTES);
	}
	out->count = c->count;
	return ERR_OK;
}

static enum err fill_authorities(const struct blobs *names, struct strings *out)
{
	for (size_t i = 0; i < names->count && i < RECORD_CAS_MAX; i++) {
		struct slice der = slice_of(names->items[i].data, names->items[i].size);
		char *name = certificate_name_text(der);
		enum err e;

		/* What is no Name is shown as what it is, so that their number is right. */
		e = name ? strings_take(out, name) : strings_add(out, "(malformed)");
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

/* Takes the facts out of the session. */
static enum err tell_endpoint(const struct chain *c, struct session *session)
{
	struct record r = { .kind = RECORD_ENDPOINT, .endpoint = session->facts };
	enum err e = locate(c, 0, &r.location);

	/* clang's analyser loses sight of what moved out of the session. */
	/* NOLINTBEGIN(clang-analyzer-unix.Malloc) */
	session->facts = (struct endpoint_record){ 0 };
	if (e == ERR_OK)
		e = fill_chain(c, &r.endpoint.chain);
	if (e == ERR_OK)
		e = fill_authorities(&session->authorities, &r.endpoint.acceptable_cas);
	if (e == ERR_OK)
		e = c->context->record(c->context->arg, &r);
	/* NOLINTEND(clang-analyzer-unix.Malloc) */
	record_fini(&r);
	return e;
}

/* --- its certificates ------------------------------------------------------------------------- */

static enum err tell_malformed(const struct chain *c, size_t i)
{
	struct record r = { .kind = RECORD_PROBLEM,
		.problem = { .reason = REASON_MALFORMED, .has_fingerprint = true } };
	struct evident_certificate evident;
	enum err e = locate(c, i, &r.location);

	fingerprint_at(c, i, &evident);
	memcpy(r.problem.fingerprint, evident.fingerprint, FINGERPRINT_BYTES);
	r.problem.not_before = evident.not_before;
	r.problem.not_after = evident.not_after;
	r.problem.message = text_escaped(slice_text(why_text(&c->why[i], ERR_MALFORMED)));
	if (e == ERR_OK)
		e = r.problem.message ? c->context->record(c->context->arg, &r) : ERR_MEMORY;
	record_fini(&r);
	return e;
}

static struct judge_question question(
	const struct chain *c, size_t i, const struct parsed_certificate *const *all, size_t count)
{
	return (struct judge_question){ .leaf = &c->parsed[i],
		.candidates = all,
		.candidates_count = count,
		.server_name = i ? NULL : c->session->verify_name,
		.use_common_name = c->context->judging->use_common_name,
		.stores = &c->context->judging->stores,
		.purpose = i ? PURPOSE_ANY : PURPOSE_SERVER,
		.now = clock_now_s() };
}

static enum err tell_certificate(
	const struct chain *c, size_t i, const struct parsed_certificate *const *all, size_t count)
{
	struct record r = { .kind = RECORD_CERTIFICATE, .certificate = { .is_served = true } };
	const struct judge_question q = question(c, i, all, count);
	struct verdict *v = &r.certificate.verdict;
	enum err e = locate(c, i, &r.location);

	if (e == ERR_OK)
		e = judge(c->context->trust, c->context->cache, &q, v);
	if (e == ERR_OK)
		e = judge_stores(c->context->trust, c->context->cache, &q, v);
	if (e == ERR_OK) {
		revocation_note_issuer(c->context->trust, &q, v);
		if (i == 0 && c->is_revoked)
			v->problems |= PROBLEM_BIT(PROBLEM_REVOKED);
		e = parser_tell_lent(c->context, &r, &c->parsed[i]);
	}
	record_fini(&r);
	return e;
}

/* The record of a certificate does not show all that it says: this is told. */
static enum err tell_cut(const struct chain *c, size_t i)
{
	char text[CERTIFICATE_CUT_BYTES];
	struct record r;
	enum err e;

	if (!parsed_certificate_cut(&c->parsed[i], text))
		return ERR_OK;
	e = record_problem(&r, c->place->scanner, c->place->uri, REASON_LIMIT_REACHED, text);
	if (e != ERR_OK)
		return e;
	r.location.index = (uint32_t)i;
	e = c->context->record(c->context->arg, &r);
	record_fini(&r);
	return e;
}

static enum err tell_chain(const struct chain *c)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < c->count; i++) {
		e = c->is_parsed[i] ? tell_certificate(c, i, c->all, c->all_count)
				    : tell_malformed(c, i);
		if (e == ERR_OK && c->is_parsed[i])
			e = tell_cut(c, i);
	}
	return e;
}

enum err parser_problem(const struct parser_context *c, const struct parser_place *place,
	enum reason reason, const char *message)
{
	struct record r;
	enum err e = record_problem(&r, place->scanner, place->uri, reason, message);

	if (e != ERR_OK)
		return e;
	e = c->record(c->arg, &r);
	record_fini(&r);
	return e;
}

/* --- the stapled answer ------------------------------------------------------------------------ */

static enum stapled_ocsp staple_word(enum ocsp_word word)
{
	switch (word) {
	case OCSP_GOOD:
		return STAPLED_OCSP_GOOD;
	case OCSP_REVOKED:
		return STAPLED_OCSP_REVOKED;
	case OCSP_STALE:
		return STAPLED_OCSP_STALE;
	default:
		return STAPLED_OCSP_INVALID;
	}
}

/* Judges what was stapled by the issuer that the leaf's chain names. */
static enum err read_staple(struct chain *c, struct session *session)
{
	const struct blob *staple = &session->ocsp_response;
	struct judge_question q;
	struct ocsp_question ask = { .now = clock_now_s() };
	struct ocsp_answer answer = { .word = OCSP_INVALID,
		.next_update = TIME_UNKNOWN,
		.why = "the certificate's issuer is not known" };
	struct verdict v = { 0 };
	enum err e;

	session->facts.stapled_ocsp_next_update = TIME_UNKNOWN;
	if (!staple->size || !c->count || !c->is_parsed[0])
		return ERR_OK;
	q = question(c, 0, c->all, c->all_count);
	e = judge(c->context->trust, c->context->cache, &q, &v);
	ask.issuer_der = revocation_issuer(c->context->trust, &q, &v);
	ask.serial = c->parsed[0].facts.serial;
	if (e == ERR_OK && ask.issuer_der.size)
		e = ocsp_read(slice_of(staple->data, staple->size), &ask, &answer);
	verdict_fini(&v);
	if (e != ERR_OK)
		return e;
	session->facts.stapled_ocsp = staple_word(answer.word);
	session->facts.stapled_ocsp_next_update = answer.next_update;
	c->is_revoked = answer.word == OCSP_REVOKED;
	if (!answer.why[0])
		return ERR_OK;
	session->facts.stapled_ocsp_detail = strdup(answer.why);
	return session->facts.stapled_ocsp_detail ? ERR_OK : ERR_MEMORY;
}

enum err parser_endpoint(
	const struct parser_context *context, const struct parser_place *place, struct slice bytes)
{
	struct session session = { 0 };
	struct chain c = { .context = context, .place = place, .session = &session };
	enum err e = session_decode(bytes, &session);

	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return parser_problem(
			context, place, REASON_MALFORMED, "what the probe sent cannot be read");
	e = chain_parse(&c);
	if (e == ERR_OK)
		e = read_staple(&c, &session);
	if (e == ERR_OK)
		e = tell_endpoint(&c, &session);
	if (e == ERR_OK)
		e = tell_chain(&c);
	if (e == ERR_OK && session.has_problem)
		e = parser_problem(
			context, place, session.reason, session.message ? session.message : "");
	chain_fini(&c);
	session_fini(&session);
	return e;
}
