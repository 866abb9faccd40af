/* GnuTLS's word on a path. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_VERIFY_H
#define LEAFWATCH_CERTIFICATE_VERIFY_H

#include "agent/certificate/judge.h"

/* The problems GnuTLS finds in `path` (leaf first, at least one) when `anchor` is all it trusts. Time is
 * not looked at, weak algorithms are let through. PROBLEM_UNTRUSTED_ISSUER: `anchor` did not issue the
 * last one. ERR_MEMORY or, when it could not be asked at all, ERR_UNSUPPORTED. */
enum err verify_path(const struct parsed_certificate *const *path, size_t count,
	gnutls_x509_crt_t anchor, enum purpose purpose, uint32_t *problems) MUST_CHECK;

/* Did its own key sign this certificate? */
bool verify_is_self_signed(const struct parsed_certificate *p);

/* Weak keys and signatures by its facts; `is_leaf` also looks at a self-issued one's signature. */
uint32_t verify_weakness(const struct parsed_certificate *p, bool is_leaf);

/* Is its signature made with an algorithm that GnuTLS can verify? */
bool verify_is_possible(const struct parsed_certificate *p);

/* PROBLEM_NAME_MISMATCH or nothing. */
uint32_t verify_name(const struct parsed_certificate *leaf, const char *server_name);
/* PROBLEM_WRONG_USAGE or nothing, by the leaf's own extended key usage. */
uint32_t verify_usage(const struct parsed_certificate *leaf, enum purpose purpose);

#endif
