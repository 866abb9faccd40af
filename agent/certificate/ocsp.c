/* OCSP: GnuTLS reads and verifies, this decides what the answer is worth. */
#include "agent/certificate/ocsp.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"

#include <gnutls/crypto.h>
#include <gnutls/ocsp.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_MAX 256 /* single responses in one answer that are looked at */
#define HASH_BYTES_MAX 64
#define REQUEST_BYTES_MAX 512

/* --- serials ------------------------------------------------------------------------------------ */

static bool same_serial(struct slice theirs, const char *text)
{
	uint8_t ours[REVOCATION_SERIAL_BYTES];
	size_t size;

	/* Some write the serial with needless octets in front. */
	while (theirs.size > 1 && theirs.data[0] == 0 && !(theirs.data[1] & 0x80))
		theirs = slice_after(theirs, 1);
	return revocation_serial(text, ours, &size) && theirs.size == size &&
	       memcmp(theirs.data, ours, size) == 0;
}

/* --- the request -------------------------------------------------------------------------------- */

static void put_tlv(struct buffer *out, uint8_t tag, struct slice content)
{
	buffer_byte(out, tag);
	if (content.size >= 0x100) {
		buffer_byte(out, 0x82);
		buffer_byte(out, (uint8_t)(content.size >> 8));
	} else if (content.size >= 0x80) {
		buffer_byte(out, 0x81);
	}
	buffer_byte(out, (uint8_t)content.size);
	buffer_slice(out, content);
}

/* Wraps what `inner` holds and empties it. */
static void wrap(struct buffer *inner, uint8_t tag)
{
	struct buffer outer;

	buffer_init(&outer, REQUEST_BYTES_MAX);
	put_tlv(&outer, tag, buffer_bytes(inner));
	if (inner->status != ERR_OK)
		outer.status = inner->status;
	buffer_fini(inner);
	*inner = outer;
}

/* Extensions { { id-pkix-ocsp-nonce, OCTET STRING { OCTET STRING nonce } } }, RFC 8954 2.1 */
static void put_nonce(struct buffer *out, struct slice nonce)
{
	static const uint8_t oid[] = { 0x06, 0x09, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01,
		0x02 };
	struct buffer value;
	struct buffer extension;

	buffer_init(&value, REQUEST_BYTES_MAX);
	put_tlv(&value, 0x04, nonce);
	wrap(&value, 0x04);
	buffer_init(&extension, REQUEST_BYTES_MAX);
	buffer_append(&extension, oid, sizeof(oid));
	buffer_slice(&extension, buffer_bytes(&value));
	buffer_fini(&value);
	wrap(&extension, 0x30);
	wrap(&extension, 0x30);
	wrap(&extension, 0xa2);
	buffer_slice(out, buffer_bytes(&extension));
	buffer_fini(&extension);
}

bool ocsp_request(
	struct buffer *out, const struct issuer_id *issuer, const char *serial, struct slice nonce)
{
	static const uint8_t sha1_identifier[] = { 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02,
		0x1a, 0x05, 0x00 };
	uint8_t number[REVOCATION_SERIAL_BYTES];
	struct buffer request;
	size_t size;

	if (!revocation_serial(serial, number, &size))
		return false;
	buffer_init(&request, REQUEST_BYTES_MAX);
	buffer_append(&request, sha1_identifier, sizeof(sha1_identifier));
	put_tlv(&request, 0x04, slice_of(issuer->name_sha1, ISSUER_HASH_BYTES));
	put_tlv(&request, 0x04, slice_of(issuer->key_sha1, ISSUER_HASH_BYTES));
	put_tlv(&request, 0x02, slice_of(number, size));
	wrap(&request, 0x30); /* CertID */
	wrap(&request, 0x30); /* Request */
	wrap(&request, 0x30); /* requestList */
	if (nonce.size)
		put_nonce(&request, nonce);
	wrap(&request, 0x30); /* TBSRequest */
	wrap(&request, 0x30); /* OCSPRequest */
	if (request.status != ERR_OK)
		out->status = out->status == ERR_OK ? request.status : out->status;
	else
		buffer_slice(out, buffer_bytes(&request));
	buffer_fini(&request);
	return true;
}

/* --- the answer --------------------------------------------------------------------------------- */

static void say(struct ocsp_answer *out, enum ocsp_word word, const char *why)
{
	out->word = word;
	(void)snprintf(out->why, sizeof(out->why), "%s", why);
}

/* OCSPResponseStatus, RFC 6960 4.2.1 */
static const char *refusal(int status)
{
	switch (status) {
	case GNUTLS_OCSP_RESP_MALFORMEDREQUEST:
		return "the responder answered: malformedRequest";
	case GNUTLS_OCSP_RESP_INTERNALERROR:
		return "the responder answered: internalError";
	case GNUTLS_OCSP_RESP_TRYLATER:
		return "the responder answered: tryLater";
	case GNUTLS_OCSP_RESP_SIGREQUIRED:
		return "the responder answered: sigRequired";
	case GNUTLS_OCSP_RESP_UNAUTHORIZED:
		return "the responder answered: unauthorized";
	default:
		return "the responder answered with an unknown status";
	}
}

static const char *complaint(unsigned verify)
{
	if (verify & GNUTLS_OCSP_VERIFY_SIGNER_KEYUSAGE_ERROR)
		return "its signer lacks the OCSPSigning usage";
	if (verify & GNUTLS_OCSP_VERIFY_UNTRUSTED_SIGNER)
		return "its signer was not appointed by the issuer";
	if (verify & GNUTLS_OCSP_VERIFY_INSECURE_ALGORITHM)
		return "it is signed with a broken algorithm";
	if (verify & (GNUTLS_OCSP_VERIFY_CERT_EXPIRED | GNUTLS_OCSP_VERIFY_CERT_NOT_ACTIVATED))
		return "its signer's certificate is not valid now";
	if (verify & GNUTLS_OCSP_VERIFY_SIGNER_NOT_FOUND)
		return "its signer was not found";
	return "its signature does not verify";
}

/* GnuTLS looks at the clock by itself. */
static time_t pinned_time(time_t *t)
{
	time_t now = (time_t)clock_now_s();

	if (t)
		*t = now;
	return now;
}

static enum err verify(gnutls_ocsp_resp_t r, struct slice issuer_der, struct ocsp_answer *out)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)issuer_der.data,
		(unsigned)issuer_der.size };
	gnutls_x509_crt_t issuer = NULL;
	unsigned flags = 0;
	int rc = gnutls_x509_crt_init(&issuer);

	if (clock_pinned() != TIME_UNKNOWN)
		gnutls_global_set_time_function(pinned_time);
	if (rc == 0)
		rc = gnutls_x509_crt_import(issuer, &der, GNUTLS_X509_FMT_DER);
	if (rc == 0)
		rc = gnutls_ocsp_resp_verify_direct(r, issuer, &flags, 0);
	gnutls_x509_crt_deinit(issuer);
	if (rc == GNUTLS_E_MEMORY_ERROR)
		return ERR_MEMORY;
	if (rc != 0)
		say(out, OCSP_INVALID, "its signature cannot be verified");
	else if (flags)
		say(out, OCSP_INVALID, complaint(flags));
	return ERR_OK;
}

static bool same_hash(gnutls_digest_algorithm_t digest, struct slice bytes, gnutls_datum_t theirs)
{
	uint8_t hash[HASH_BYTES_MAX];
	size_t size = gnutls_hash_get_len(digest);

	return size && size <= sizeof(hash) && theirs.size == size &&
	       gnutls_hash_fast(digest, bytes.data, bytes.size, hash) == 0 &&
	       memcmp(hash, theirs.data, size) == 0;
}

struct single {
	gnutls_digest_algorithm_t digest;
	gnutls_datum_t name;
	gnutls_datum_t key;
	gnutls_datum_t serial;
	unsigned status;
	time_t this_update;
	time_t next_update;
	time_t revoked_at;
	unsigned reason;
};

static int single_get(gnutls_ocsp_resp_t r, unsigned i, struct single *s)
{
	*s = (struct single){ 0 };
	return gnutls_ocsp_resp_get_single(r, i, &s->digest, &s->name, &s->key, &s->serial,
		&s->status, &s->this_update, &s->next_update, &s->revoked_at, &s->reason);
}

static void single_fini(struct single *s)
{
	gnutls_free(s->name.data);
	gnutls_free(s->key.data);
	gnutls_free(s->serial.data);
}

static bool is_about(
	const struct single *s, const struct ocsp_question *q, struct slice name, struct slice key)
{
	return same_serial(slice_of(s->serial.data, s->serial.size), q->serial) &&
	       same_hash(s->digest, name, s->name) && same_hash(s->digest, key, s->key);
}

static int64_t time_or_unknown(time_t t)
{
	return t == (time_t)-1 ? TIME_UNKNOWN : (int64_t)t;
}

static void take(const struct single *s, int64_t now, struct ocsp_answer *out)
{
	out->this_update = time_or_unknown(s->this_update);
	out->next_update = time_or_unknown(s->next_update);
	if (!revocation_is_current(out->this_update, out->next_update, now)) {
		say(out, OCSP_STALE,
			out->this_update != TIME_UNKNOWN && out->this_update > now
				? "its thisUpdate lies ahead"
				: "its nextUpdate has passed");
	} else if (s->status == GNUTLS_OCSP_CERT_REVOKED) {
		out->word = OCSP_REVOKED;
		out->revoked_at = time_or_unknown(s->revoked_at);
		out->reason = s->reason;
	} else if (s->status == GNUTLS_OCSP_CERT_GOOD) {
		out->word = OCSP_GOOD;
	} else {
		say(out, OCSP_UNKNOWN, "the responder does not know the certificate");
	}
}

/* The single response about this certificate. */
static void find(gnutls_ocsp_resp_t r, const struct ocsp_question *q, struct ocsp_answer *out)
{
	struct issuer_parts parts;

	if (!issuer_parts_of(q->issuer_der, &parts)) {
		say(out, OCSP_INVALID, "the issuer's certificate cannot be read");
		return;
	}
	say(out, OCSP_INVALID, "it speaks of another certificate");
	for (unsigned i = 0; i < ENTRIES_MAX; i++) {
		struct single s;
		int rc = single_get(r, i, &s);
		bool is_it = rc == 0 && is_about(&s, q, parts.name, parts.key);

		if (is_it) {
			out->why[0] = '\0';
			take(&s, q->now, out);
		}
		single_fini(&s);
		if (is_it || rc != 0)
			return;
	}
}

/* A nonce that is not ours is an old answer played back; none at all is allowed (RFC 6960 4.4.1). */
static bool has_foreign_nonce(gnutls_ocsp_resp_t r, struct slice nonce)
{
	gnutls_datum_t theirs = { 0 };
	bool is_foreign;

	if (!nonce.size || gnutls_ocsp_resp_get_nonce(r, NULL, &theirs) != 0)
		return false;
	is_foreign = theirs.size != nonce.size || memcmp(theirs.data, nonce.data, nonce.size) != 0;
	gnutls_free(theirs.data);
	return is_foreign;
}

enum err ocsp_read(struct slice response, const struct ocsp_question *q, struct ocsp_answer *out)
{
	const gnutls_datum_t der = { (unsigned char *)(uintptr_t)response.data,
		(unsigned)response.size };
	gnutls_ocsp_resp_t r = NULL;
	enum err e = ERR_OK;
	int status;

	*out = (struct ocsp_answer){
		.revoked_at = TIME_UNKNOWN, .this_update = TIME_UNKNOWN, .next_update = TIME_UNKNOWN
	};
	if (response.size > OCSP_BYTES_MAX) {
		say(out, OCSP_INVALID, "it is larger than 64 KiB");
		return ERR_OK;
	}
	if (gnutls_ocsp_resp_init(&r) != 0)
		return ERR_MEMORY;
	if (gnutls_ocsp_resp_import2(r, &der, GNUTLS_X509_FMT_DER) != 0) {
		say(out, OCSP_INVALID, "it cannot be read");
		goto out;
	}
	status = gnutls_ocsp_resp_get_status(r);
	if (status != GNUTLS_OCSP_RESP_SUCCESSFUL) {
		say(out, OCSP_UNKNOWN, refusal(status));
		goto out;
	}
	if (has_foreign_nonce(r, q->nonce)) {
		say(out, OCSP_INVALID, "its nonce is not ours: an old answer played back");
		goto out;
	}
	find(r, q, out);
	if (out->word != OCSP_INVALID)
		e = verify(r, q->issuer_der, out);
out:
	gnutls_ocsp_resp_deinit(r);
	return e;
}
