/* What issuers answered to records: what holds of each certificate that was asked about. */
#include "agent/base/text.h"
#include "agent/certificate/crl.h"
#include "agent/certificate/ocsp.h"
#include "scanners/fetch.h"
#include "scanners/parser_finding.h"

#include <gnutls/gnutls.h>
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

/* --- revocation lists ----------------------------------------------------------------------------- */

/* One certificate by its serial, for the walk through a list. */
struct wanted {
	uint8_t serial[REVOCATION_SERIAL_BYTES];
	size_t size;
	struct revocation_result *result;
};

static int by_serial(const void *a, const void *b)
{
	const struct wanted *x = a;
	const struct wanted *y = b;

	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return memcmp(x->serial, y->serial, x->size);
}

static bool find(const struct wanted *all, size_t count, struct slice serial, size_t *out)
{
	struct wanted key = { 0 };
	const struct wanted *found;

	/* Some lists write serials with needless octets in front. */
	while (serial.size > 1 && !serial.data[0] && !(serial.data[1] & 0x80))
		serial = slice_after(serial, 1);
	if (!serial.size || serial.size > sizeof(key.serial))
		return false;
	memcpy(key.serial, serial.data, serial.size);
	key.size = serial.size;
	found = bsearch(&key, all, count, sizeof(*all), by_serial);
	if (found)
		*out = (size_t)(found - all);
	return found;
}

/* NULL, or why the list's entries cannot be relied on. */
static const char *walk(const struct crl *list, const struct wanted *all, size_t count)
{
	struct slice left = list->entries;
	struct crl_entry entry;
	size_t at;

	while (crl_next(&left, &entry)) {
		/* RFC 5280 5.3: then it tells nothing of any certificate. */
		if (entry.has_unknown_critical)
			return "a critical extension of an entry is not known";
		if (!find(all, count, entry.serial, &at))
			continue;
		all[at].result->status = REVOCATION_REVOKED;
		all[at].result->reason = (uint8_t)entry.reason;
		all[at].result->revoked_at = entry.revoked_at;
	}
	return left.size ? "an entry of it is malformed" : NULL;
}

/* Those it speaks of are good until the walk finds them. */
static size_t prepare_wanted(const struct answer *a, const struct crl *list, struct wanted *out)
{
	size_t count = 0;

	for (size_t i = 0; i < a->fetch.subjects_count; i++) {
		const struct fetch_subject *s = &a->fetch.subjects[i];

		struct revocation_result *r = &a->said.results[i];

		if ((list->only_users && s->is_ca) || (list->only_cas && !s->is_ca) ||
			!revocation_serial(s->serial, out[count].serial, &out[count].size)) {
			r->reason = REVOCATION_OUT_OF_SCOPE;
			continue;
		}
		out[count].result = r;
		/* A list of some reasons only can condemn, but not acquit. */
		if (list->reasons == CRL_REASONS_ALL)
			r->status = REVOCATION_GOOD;
		else
			r->reason = REVOCATION_SOME_REASONS;
		count++;
	}
	qsort(out, count, sizeof(*out), by_serial);
	return count;
}

static enum err look_up(struct answer *a, const struct crl *list)
{
	struct wanted *all = calloc(a->fetch.subjects_count, sizeof(*all));
	const char *fault;
	size_t count;

	if (!all)
		return ERR_MEMORY;
	count = prepare_wanted(a, list, all);
	fault = walk(list, all, count);
	free(all);
	if (fault)
		for (size_t i = 0; i < a->said.count; i++) {
			a->said.results[i].status = REVOCATION_UNKNOWN;
			a->said.results[i].reason = REVOCATION_NO_ANSWER;
		}
	return fault ? say_why(a, fault) : ERR_OK;
}

static enum err read_der(struct answer *a, struct slice der, struct slice issuer_der)
{
	const struct crl_question q = { .signer = issuer_der, .now = clock_now_s() };
	struct crl_answer answer;
	struct why why = { 0 };
	struct crl list;
	enum err e = crl_parse(der, &list, NULL, &why);

	if (e == ERR_MALFORMED)
		return say_why(a, why_text(&why, e));
	if (e != ERR_OK)
		return e;
	crl_believe(&list, &q, &answer);
	if (answer.word != CRL_GOOD)
		return say_why(a, answer.why);
	if (!crl_covers_point(&list, a->fetch.url))
		return say_why(a, "it covers another distribution point");
	a->said.this_update = list.this_update;
	a->said.next_update = list.next_update;
	return look_up(a, &list);
}

/* RFC 5280 4.2.1.13 wants DER; some serve PEM all the same. */
static enum err read_list(struct answer *a, struct slice issuer_der)
{
	static const char pem[] = "-----BEGIN ";
	const gnutls_datum_t text = { (unsigned char *)(uintptr_t)a->body.data,
		(unsigned)a->body.size };
	gnutls_datum_t der = { 0 };
	enum err e;

	if (!slice_starts(a->body, pem, sizeof(pem) - 1))
		return read_der(a, a->body, issuer_der);
	if (gnutls_pem_base64_decode2("X509 CRL", &text, &der) != 0)
		return say_why(a, "it is PEM, but no revocation list");
	e = read_der(a, slice_of(der.data, der.size), issuer_der);
	gnutls_free(der.data);
	return e;
}

/* --- issuers -------------------------------------------------------------------------------------- */

/* CA certificates taken from one answer: more than there is room for in FETCH_SMALL_BYTES_MAX. */
#define ISSUERS_MAX 1024

struct issuers {
	const struct parser_context *context;
	size_t count;
};

static enum err on_issuer(void *arg, const struct record *r)
{
	struct issuers *i = arg;

	if (r->kind != RECORD_CERTIFICATE || !r->certificate.facts.is_ca || i->count == ISSUERS_MAX)
		return ERR_OK;
	i->count++;
	return i->context->record(i->context->arg, r);
}

/* DER, PEM or PKCS#7, as files are read (RFC 5280 4.2.2.1). They are trusted by nobody: a chain over them counts
 * where their signatures hold. */
static enum err read_issuers(struct answer *a)
{
	static const char none[] = "no certificate of a CA is in what was fetched";
	const struct strings no_passwords = { 0 };
	struct issuers issuers = { .context = a->context };
	struct parser_context context = *a->context;
	enum err e;

	context.passwords = &no_passwords;
	context.record = on_issuer;
	context.arg = &issuers;
	e = parser_file(&context, a->place, a->body);
	/* Nothing in what is no container at all. */
	if (e == ERR_NOT_FOUND)
		e = ERR_OK;
	if (e != ERR_OK || issuers.count)
		return e;
	e = parser_problem(a->context, a->place, REASON_MALFORMED, none);
	return e == ERR_OK ? say_why(a, none) : e;
}

/* --- telling ------------------------------------------------------------------------------------- */

/* main gives the bytes of one that is no anchor; that it is trusted follows from the chains that led here. */
static struct slice issuer_of(const struct answer *a)
{
	struct slice given = slice_of(a->fetch.issuer_der, a->fetch.issuer_der_size);
	uint8_t fingerprint[FINGERPRINT_BYTES];

	if (!given.size)
		return trust_der(a->context->trust, a->fetch.issuer);
	fingerprint_of(given, fingerprint);
	if (memcmp(fingerprint, a->fetch.issuer, FINGERPRINT_BYTES) != 0)
		return slice_of(NULL, 0);
	return given;
}

static enum err read_body(struct answer *a)
{
	struct slice issuer = issuer_of(a);

	if (a->fetch.kind == FETCH_ISSUERS)
		return read_issuers(a);
	if (!a->fetch.subjects_count)
		return say_why(a, "nothing was asked about");
	if (!issuer.size)
		return say_why(a, "the issuer's certificate is not known any more");
	if (a->fetch.kind == FETCH_OCSP)
		return read_ocsp(a, issuer);
	return read_list(a, issuer);
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
