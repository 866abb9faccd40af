/* DER to facts. With trust.h and judge.h the only users of gnutls/x509.h. */
#ifndef LEAFWATCH_CERTIFICATE_CERTIFICATE_H
#define LEAFWATCH_CERTIFICATE_CERTIFICATE_H

#include "agent/base/slice.h"
#include "agent/certificate/record.h"

#include <gnutls/gnutls.h>

/* SHA-256 of bytes. */
void fingerprint_of(struct slice bytes, uint8_t out[FINGERPRINT_BYTES]);

/* A parsed certificate: facts to tell, handle to verify. Handles are costly (24 KiB): drop them soon.
 * NULL where the certificate was known before, or is larger than 64 KiB: GnuTLS is not asked then. */
struct parsed_certificate {
	struct certificate facts;
	gnutls_x509_crt_t handle; /* owned, or NULL */
	struct slice der;         /* borrowed: exactly the certificate, without trailing bytes */
	bool is_cut;       /* a ceiling of record.h was reached: facts show less than there is */
	size_t names_seen; /* names it has, those that are not shown too */

	/* Where its parts lie in `der`, for the judge; borrowed, possibly empty. */
	struct slice subject;
	struct slice issuer;
	struct slice subject_key_id;
	struct slice authority_key_id;
	uint64_t subject_hash; /* of names that are equal by RFC 5280 7.1 */
	uint64_t issuer_hash;
};
void parsed_certificate_fini(struct parsed_certificate *p);
/* The sentence that tells what facts do not show of it; false where they show all. */
#define CERTIFICATE_CUT_BYTES 160
bool parsed_certificate_cut(const struct parsed_certificate *p, char text[CERTIFICATE_CUT_BYTES]);

/* What bytes show of a certificate that GnuTLS refuses, read by a small DER walk of our own. */
struct evident_certificate {
	size_t der_size; /* of the outer SEQUENCE, at most the bytes given */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_before; /* or TIME_UNKNOWN */
	int64_t not_after;
};
/* Do these bytes have the form of a certificate: SEQUENCE { SEQUENCE { [0]? INTEGER SEQUENCE SEQUENCE
 * SEQUENCE(two times) ...? Fills what it could read and returns true, also where the end is cut off. */
bool certificate_is_evident(struct slice bytes, struct evident_certificate *out);

/* Parses one certificate at the start of `bytes`; `*trailing` (may be NULL) counts bytes after it.
 * ERR_MALFORMED or ERR_UNSUPPORTED with GnuTLS's reason in `why`. */
enum err certificate_parse(struct slice bytes, struct parsed_certificate *out, size_t *trailing,
	struct why *why) MUST_CHECK;

/* Certificates met before, by fingerprint: what GnuTLS took once it need not be asked again. */
struct known_certificates;
enum err known_certificates_new(size_t entries_max, struct known_certificates **out) MUST_CHECK;
void known_certificates_free(struct known_certificates *k);
/* certificate_parse with the same outcome, but a certificate that is in `known` (may be NULL) has no
 * handle. One that is not is put there when it parses. */
enum err certificate_parse_known(struct known_certificates *known, struct slice bytes,
	struct parsed_certificate *out, size_t *trailing, struct why *why) MUST_CHECK;

/* A DER Name as RFC 4514 with control bytes and invalid UTF-8 escaped; owned. Never fails on odd content:
 * what cannot be shown as text is shown as "#hex". NULL only when out of memory or not a Name at all. */
char *certificate_name_text(struct slice der_name);

#endif
