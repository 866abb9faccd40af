/* Private keys that formats come upon: read, told as records, wiped. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_KEYS_H
#define LEAFWATCH_SCANNERS_FORMATS_KEYS_H

#include "agent/certificate/private_key.h"
#include "scanners/formats/asn1.h"
#include "scanners/formats/format.h"
#include "scanners/formats/pbe.h"

/* Starts as { .in, .sink, .budget }. */
struct keys {
	const struct format_input *in;
	const struct format_sink *sink;
	struct pbe_budget budget; /* of all passwords on all keys */
	const char *likely;       /* the password that opened the container, or NULL */
	const char *alias;        /* of the key that comes next, or NULL */
	struct slice suffix; /* of every password: what Bouncy Castle's FIPS store uses it for */
	size_t count;
	bool has_locked; /* one that was taken could not be opened */
	char unsupported
		[ASN1_OID_TEXT_BYTES]; /* what one is encrypted with; "" where all is known */
	bool is_limited;               /* that too much derivation was asked for is told */
};

/* Each reads one key and tells it; one that no password opens is told too, as locked, and is no problem: its
 * certificate lies elsewhere. ERR_NOT_FOUND: it is no key. All else is the sink's.
 * keys_take: DER of any form. `is_encrypted`: the container around it is. */
enum err keys_take(struct keys *k, struct slice der, bool is_encrypted) MUST_CHECK;
/* A PEM block, from BEGIN to END, that OpenSSL's own way encrypts ("Proc-Type: 4,ENCRYPTED"). */
enum err keys_take_openssl(struct keys *k, struct slice pem) MUST_CHECK;
/* One whose public half lies open beside it. */
enum err keys_take_public(
	struct keys *k, const struct public_key *half, bool is_encrypted) MUST_CHECK;
/* "openssh-key-v1" (OpenSSH's PROTOCOL.key): only its open part is read. */
enum err keys_take_openssh(struct keys *k, struct slice bytes) MUST_CHECK;
/* One that a store has sealed in a way of its own; what comes out is wiped. `strip` finds the key in it, in DER:
 * false where it is another thing, which is not told. */
struct keys_seal {
	const struct pbe *pbe;
	struct slice secret;
	bool (*strip)(struct slice plain, struct slice *der);
	bool is_surely_key; /* it is told as locked where it cannot be opened */
};
enum err keys_take_sealed(struct keys *k, const struct keys_seal *seal) MUST_CHECK;
/* A key that is there, but cannot be opened. */
enum err keys_take_locked(struct keys *k) MUST_CHECK;

#endif
