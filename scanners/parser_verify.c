/* A case of `leafwatch verify` to its records: the certificate with its verdict, then its path, leaf first. */
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "scanners/formats/format.h"
#include "scanners/parser_finding.h"
#include "scanners/verify_case.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>

/* Of all files; that there are more is told. Without a key, as VERIFY_FILES_MAX. */
#define CERTIFICATES_MAX 4096

/* Files that were given, but help nobody. */
#define NOTES_MAX (2 * VERIFY_FILES_MAX)
#define OPTION_UNTRUSTED "untrusted"
#define OPTION_CRL "crl"
struct note {
	const char *option;
	size_t file;
	const char *message; /* borrowed */
};

/* A revocation list, and the file that it came in. */
struct list {
	gnutls_datum_t der; /* owned */
	size_t file;
};

struct verifying {
	const struct parser_context *context;
	const struct parser_place *place;
	struct verify_case given;
	struct parsed_certificate *parsed;            /* owned; the one asked about first */
	const struct parsed_certificate **candidates; /* owned */
	uint8_t **ders;                               /* owned, one each */
	size_t count;
	struct crl *crls;   /* owned */
	struct list *lists; /* owned: what `crls` point into */
	size_t crls_count;
	size_t file; /* that is being read, among those of its option */
	struct note notes[NOTES_MAX];
	size_t notes_count;
	bool is_full;      /* there was no room for a certificate of the file */
	bool is_first_bad; /* what should have been verified could not be read */
	char *complaint;   /* owned: why */
	enum reason reason;
};

static void verifying_fini(struct verifying *v)
{
	for (size_t i = 0; i < v->count; i++) {
		parsed_certificate_fini(&v->parsed[i]);
		free(v->ders[i]);
	}
	free(v->parsed);
	free(v->candidates);
	free(v->ders);
	for (size_t i = 0; i < v->crls_count; i++)
		gnutls_free(v->lists[i].der.data);
	free(v->lists);
	free(v->crls);
	free(v->complaint);
	verify_case_fini(&v->given);
}

static void note(struct verifying *v, const char *option, const char *message)
{
	if (v->notes_count < NOTES_MAX)
		v->notes[v->notes_count++] = (struct note){ option, v->file, message };
}

/* --- what is given ------------------------------------------------------------------------------- */

static enum err complain(struct verifying *v, enum reason reason, const char *message)
{
	if (v->count || v->complaint)
		return ERR_OK;
	/* The first certificate is what was asked about: another one must not stand in for it. */
	v->is_first_bad = true;
	v->reason = reason;
	v->complaint = text_escaped(slice_text(message));
	return v->complaint ? ERR_OK : ERR_MEMORY;
}

static enum err on_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	struct verifying *v = arg;
	struct why why = { 0 };
	uint8_t *copy;
	enum err e;

	(void)alias;
	(void)integrity;
	v->is_full = v->count == CERTIFICATES_MAX;
	if (v->is_full)
		return ERR_OK;
	copy = malloc(der.size + 1);
	if (!copy)
		return ERR_MEMORY;
	if (der.size)
		memcpy(copy, der.data, der.size);
	e = certificate_parse(slice_of(copy, der.size), &v->parsed[v->count], NULL, &why);
	if (e != ERR_OK) {
		free(copy);
		return e == ERR_MEMORY ? e : complain(v, REASON_MALFORMED, why_text(&why, e));
	}
	v->candidates[v->count] = &v->parsed[v->count];
	v->ders[v->count++] = copy;
	return ERR_OK;
}

static enum err on_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	(void)bytes;
	return complain(arg, reason, message);
}

static enum err read_certificates(struct verifying *v, struct slice bytes, unsigned depth);

struct nest {
	struct verifying *verifying;
	unsigned depth;
};

static enum err nested_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	return on_certificate(((struct nest *)arg)->verifying, der, alias, integrity);
}

static enum err nested_problem(
	void *arg, enum reason reason, struct slice bytes, const char *message)
{
	return on_problem(((struct nest *)arg)->verifying, reason, bytes, message);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_DEPTH_MAX */
static enum err on_nested(void *arg, const char *member, struct slice bytes)
{
	struct nest *n = arg;

	(void)member;
	if (n->depth >= FORMAT_DEPTH_MAX)
		return ERR_OK;
	return read_certificates(n->verifying, bytes, n->depth + 1);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as FORMAT_DEPTH_MAX */
static enum err read_certificates(struct verifying *v, struct slice bytes, unsigned depth)
{
	struct nest n = { .verifying = v, .depth = depth };
	const struct format_sink sink = { .arg = &n,
		.certificate = nested_certificate,
		.problem = nested_problem,
		.nested = on_nested };
	struct format_input in = {
		.bytes = bytes, .passwords = v->context->passwords, .depth = depth
	};
	const struct format *which;

	return formats_parse(&in, &sink, &which);
}

static enum err add_crl(struct verifying *v, gnutls_datum_t *der)
{
	struct crl *crls = reallocarray(v->crls, v->crls_count + 1, sizeof(*crls));
	struct list *lists = NULL;

	if (crls) {
		v->crls = crls;
		lists = reallocarray(v->lists, v->crls_count + 1, sizeof(*lists));
	}
	if (!lists) {
		gnutls_free(der->data);
		return ERR_MEMORY;
	}
	v->lists = lists;
	if (crl_parse(slice_of(der->data, der->size), &crls[v->crls_count], NULL, NULL) != ERR_OK) {
		note(v, OPTION_CRL, "it is no revocation list, or a damaged one");
		gnutls_free(der->data);
		return ERR_OK;
	}
	v->lists[v->crls_count++] = (struct list){ *der, v->file };
	return ERR_OK;
}

/* PEM, of which there may be several, or DER. */
static enum err read_crls(struct verifying *v, struct slice bytes)
{
	static const char begin[] = "-----BEGIN X509 CRL-----";
	const uint8_t *at = memmem(bytes.data, bytes.size, begin, sizeof(begin) - 1);
	gnutls_datum_t der = { 0 };
	enum err e = ERR_OK;

	if (!at) {
		der.data = gnutls_malloc(bytes.size + 1);
		if (!der.data)
			return ERR_MEMORY;
		memcpy(der.data, bytes.data, bytes.size);
		der.size = (unsigned)bytes.size;
		return add_crl(v, &der);
	}
	while (e == ERR_OK && at && v->crls_count < VERIFY_FILES_MAX) {
		gnutls_datum_t pem;

		bytes = slice_after(bytes, (size_t)(at - bytes.data));
		pem = (gnutls_datum_t){ (unsigned char *)(uintptr_t)bytes.data,
			(unsigned)bytes.size };
		if (gnutls_pem_base64_decode2("X509 CRL", &pem, &der) == 0)
			e = add_crl(v, &der);
		else
			note(v, OPTION_CRL, "a PEM block of it is damaged");
		bytes = slice_after(bytes, sizeof(begin) - 1);
		at = bytes.size ? memmem(bytes.data, bytes.size, begin, sizeof(begin) - 1) : NULL;
	}
	if (at && e == ERR_OK)
		note(v, OPTION_CRL,
			"not all of it is used: more than 256 revocation lists are given");
	return e;
}

static enum err read_all(struct verifying *v)
{
	enum err e = read_certificates(v, v->given.certificate, 0);

	if ((e == ERR_OK || e == ERR_NOT_FOUND) && !v->count && !v->complaint)
		e = complain(v, REASON_MALFORMED, "it holds no certificate");
	for (v->file = 0; e != ERR_MEMORY && v->file < v->given.untrusted_count; v->file++) {
		size_t before = v->count;

		v->is_full = false;
		e = read_certificates(v, v->given.untrusted[v->file], 0);
		if (v->is_full)
			note(v, OPTION_UNTRUSTED,
				"not all of it is used: more than 4096 certificates are given");
		else if (v->count == before)
			note(v, OPTION_UNTRUSTED, "it holds no certificate");
	}
	for (v->file = 0; e != ERR_MEMORY && v->file < v->given.crls_count; v->file++)
		e = read_crls(v, v->given.crls[v->file]);
	return e == ERR_MEMORY ? e : ERR_OK;
}

/* --- what is told -------------------------------------------------------------------------------- */

static enum err locate(const struct verifying *v, size_t index, struct location *out)
{
	*out = (struct location){ .index = (uint32_t)index };
	out->scanner = text_escaped(slice_text(v->place->scanner));
	out->uri = text_escaped(slice_text(v->place->uri));
	if (out->scanner && out->uri)
		return ERR_OK;
	location_fini(out);
	return ERR_MEMORY;
}

/* Takes the verdict. */
static enum err tell(const struct verifying *v, size_t index, const struct parsed_certificate *p,
	struct verdict *verdict)
{
	struct record r = { .kind = RECORD_CERTIFICATE, .certificate = { .is_served = true } };
	enum err e = locate(v, index, &r.location);

	r.certificate.verdict = *verdict;
	*verdict = (struct verdict){ 0 };
	if (e == ERR_OK) {
		r.certificate.facts = p->facts; /* lent */
		e = v->context->record(v->context->arg, &r);
		r.certificate.facts = (struct certificate){ 0 };
	}
	record_fini(&r);
	return e;
}

/* One of the path above the leaf: among what was given, or in a trust store. */
static enum err tell_issuer(
	const struct verifying *v, size_t index, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	struct verdict none = {
		.expires = TIME_UNKNOWN, .boundary = TIME_UNKNOWN, .starts = TIME_UNKNOWN
	};
	struct parsed_certificate p;
	struct slice der = trust_der(v->context->trust, fingerprint);
	enum err e;

	none.trust = NULL;
	none.is_anchor = der.size;
	for (size_t i = 0; i < v->count; i++)
		if (memcmp(v->parsed[i].facts.fingerprint, fingerprint, FINGERPRINT_BYTES) == 0)
			return tell(v, index, &v->parsed[i], &none);
	if (!der.size || certificate_parse(der, &p, NULL, NULL) != ERR_OK)
		return ERR_OK;
	e = tell(v, index, &p, &none);
	parsed_certificate_fini(&p);
	return e;
}

/* Which lists said nothing, and why. */
static void note_lists(struct verifying *v)
{
	for (size_t i = 0; v->given.revocation != REVOCATION_OFF && i < v->crls_count; i++) {
		const struct crl *c = &v->crls[i];

		v->file = v->lists[i].file;
		if (!c->has_spoken)
			note(v, OPTION_CRL,
				c->fault && *c->fault ? c->fault
						      : "it is of no issuer in the path");
	}
}

static enum err tell_notes(const struct verifying *v)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < v->notes_count; i++) {
		const struct note *n = &v->notes[i];
		struct record r = { 0 };

		e = record_problem(
			&r, v->place->scanner, v->place->uri, REASON_UNSUPPORTED, n->message);
		r.location.index = (uint32_t)n->file;
		r.location.alias = strdup(n->option);
		if (e == ERR_OK && !r.location.alias)
			e = ERR_MEMORY;
		if (e == ERR_OK)
			e = v->context->record(v->context->arg, &r);
		record_fini(&r);
	}
	return e;
}

static enum err verify(struct verifying *v)
{
	const struct verify_case *c = &v->given;
	struct judge_question q = { .leaf = &v->parsed[0],
		.candidates = v->candidates,
		.candidates_count = v->count,
		.server_name = c->name,
		.name_kind = c->name_kind,
		.use_common_name = c->use_common_name,
		.purpose = c->purpose,
		.stores = &v->context->judging->stores,
		.is_strict = true,
		.intermediates_limit = c->intermediates_limit,
		.crls = v->crls,
		.crls_count = v->crls_count,
		.revocation = c->revocation,
		.now = clock_now_s() };
	uint8_t path[RECORD_CHAIN_MAX][FINGERPRINT_BYTES];
	struct verdict verdict;
	size_t count;
	enum err e = judge(v->context->trust, NULL, &q, &verdict);

	if (e != ERR_OK)
		return e;
	e = judge_stores(v->context->trust, NULL, &q, &verdict);
	if (e != ERR_OK) {
		verdict_fini(&verdict);
		return e;
	}
	count = verdict.chain.count < RECORD_CHAIN_MAX ? verdict.chain.count : RECORD_CHAIN_MAX;
	if (count)
		memcpy(path, verdict.chain.items, count * FINGERPRINT_BYTES);
	e = tell(v, 0, &v->parsed[0], &verdict);
	for (size_t i = 1; e == ERR_OK && i < count; i++)
		e = tell_issuer(v, i, path[i]);
	note_lists(v);
	return e == ERR_OK ? tell_notes(v) : e;
}

enum err parser_verify(
	const struct parser_context *context, const struct parser_place *place, struct slice bytes)
{
	struct verifying v = { .context = context, .place = place };
	enum err e = verify_case_decode(bytes, &v.given);

	if (e != ERR_OK)
		return e == ERR_MEMORY ? e
				       : parser_problem(context, place, REASON_MALFORMED,
						 "what was asked cannot be read");
	v.parsed = calloc(CERTIFICATES_MAX, sizeof(*v.parsed));
	v.candidates = calloc(CERTIFICATES_MAX, sizeof(const struct parsed_certificate *));
	v.ders = calloc(CERTIFICATES_MAX, sizeof(*v.ders));
	e = v.parsed && v.candidates && v.ders ? read_all(&v) : ERR_MEMORY;
	if (e == ERR_OK && v.is_first_bad)
		e = parser_problem(context, place, v.reason, v.complaint);
	else if (e == ERR_OK)
		e = verify(&v);
	verifying_fini(&v);
	return e;
}
