/* The extensions of a certificate (RFC 5280 4.2), read once for the path's rules. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_EXTENSIONS_H
#define LEAFWATCH_CERTIFICATE_EXTENSIONS_H

#include "agent/certificate/der.h"

enum extension {
	EXTENSION_SUBJECT_KEY_ID,
	EXTENSION_KEY_USAGE,
	EXTENSION_SUBJECT_NAMES,
	EXTENSION_ISSUER_NAMES,
	EXTENSION_BASIC_CONSTRAINTS,
	EXTENSION_NAME_CONSTRAINTS,
	EXTENSION_CRL_POINTS,
	EXTENSION_POLICIES,
	EXTENSION_POLICY_MAPPINGS,
	EXTENSION_AUTHORITY_KEY_ID,
	EXTENSION_POLICY_CONSTRAINTS,
	EXTENSION_PURPOSES,
	EXTENSION_FRESHEST_CRL,
	EXTENSION_INHIBIT_ANY,
	EXTENSION_DIRECTORY_ATTRIBUTES,
	EXTENSION_AUTHORITY_ACCESS,
	EXTENSION_SUBJECT_ACCESS,
	EXTENSION_TOLERATED, /* understood as far as it must be: nothing hangs on it here */
	EXTENSION_COUNT
};

/* Bits of a key usage, first bit first (4.2.1.3). */
#define USAGE_DIGITAL_SIGNATURE (1u << 0)
#define USAGE_KEY_CERT_SIGN (1u << 5)
#define USAGE_CRL_SIGN (1u << 6)

/* Bits of an extended key usage (4.2.1.12). */
#define EKU_SERVER (1u << 0)
#define EKU_CLIENT (1u << 1)
#define EKU_CODE (1u << 2)
#define EKU_EMAIL (1u << 3)
#define EKU_TIMESTAMP (1u << 4)
#define EKU_OCSP (1u << 5)
#define EKU_ANY (1u << 6)
#define EKU_OTHER (1u << 7)

#define NO_NUMBER (-1)
/* Larger ones in certificates read as this: no path is ever that long. */
#define NUMBER_MAX 1000000

/* All slices are borrowed from the certificate. */
struct extensions {
	uint32_t present; /* 1 << enum extension, as are the next three */
	uint32_t critical;
	uint32_t malformed;
	uint32_t repeated;
	bool has_unknown_critical;
	bool is_broken; /* the list itself cannot be read to its end */
	struct slice values[EXTENSION_COUNT];
	int version; /* 1 to 3 */
	bool has_unique_ids;

	bool is_ca;
	bool has_explicit_false; /* cA encoded though FALSE is its default */
	int path_length;         /* or NO_NUMBER, as the next */
	int require_explicit;
	int inhibit_mapping;
	int inhibit_any;
	uint16_t key_usage;
	uint16_t purposes;
	struct slice subject_key_id;
	struct slice authority_key_id;
	bool authority_has_issuer;
	bool authority_has_serial;
	struct slice permitted; /* contents of GeneralSubtrees */
	struct slice excluded;
};

static inline bool extension_is_present(const struct extensions *x, enum extension which)
{
	return x->present & 1u << which;
}
static inline bool extension_is_critical(const struct extensions *x, enum extension which)
{
	return x->critical & 1u << which;
}

/* The EKU_ bit of a purpose's identifier. */
uint16_t extension_purpose(struct slice oid);
/* An extension that a store attaches to an anchor, in place of the certificate's own: the content of its
 * SEQUENCE. False where it cannot be read; then nothing is changed. */
bool extension_attach(struct slice extension, struct extensions *x);
void extensions_read(const struct der_certificate *c, struct extensions *out);

#endif
