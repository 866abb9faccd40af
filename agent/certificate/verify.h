/* GnuTLS's word on a path. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_VERIFY_H
#define LEAFWATCH_CERTIFICATE_VERIFY_H

#include "agent/certificate/judge.h"

/* A certificate's handle, or one made because it has none. Starts as {0}. */
struct lent_handle {
	gnutls_x509_crt_t handle;
	bool is_made;
};
enum err lent_handle_of(const struct parsed_certificate *p, struct lent_handle *out) MUST_CHECK;
void lent_handle_fini(struct lent_handle *h);

/* The problems GnuTLS finds in `path` (leaf first, at least one) when `anchor` is all it trusts. Time is
 * not looked at, weak algorithms are let through. PROBLEM_UNTRUSTED_ISSUER: `anchor` did not issue the
 * last one. ERR_MEMORY or, when it could not be asked at all, ERR_UNSUPPORTED. */
enum err verify_path(const gnutls_x509_crt_t *path, size_t count, gnutls_x509_crt_t anchor,
	enum purpose purpose, uint32_t *problems) MUST_CHECK;

/* Did its own key sign this certificate? */
bool verify_is_self_signed(const struct parsed_certificate *p, gnutls_x509_crt_t handle);

/* Weak keys and signatures by its facts; `is_leaf` also looks at a self-issued one's signature. */
uint32_t verify_weakness(const struct parsed_certificate *p, bool is_leaf);

/* Is its signature made with an algorithm that GnuTLS can verify? */
bool verify_is_possible(gnutls_x509_crt_t handle);

/* Puts PROBLEM_NAME_MISMATCH or nothing into `problems`. */
enum err verify_name(const struct parsed_certificate *leaf, const char *server_name,
	uint32_t *problems) MUST_CHECK;
/* PROBLEM_WRONG_USAGE or nothing, by the leaf's own extended key usage. */
uint32_t verify_usage(const struct parsed_certificate *leaf, enum purpose purpose);

#endif
