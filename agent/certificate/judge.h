/* The verdict on a certificate: a path to an anchor, and all that is wrong. */
#ifndef LEAFWATCH_CERTIFICATE_JUDGE_H
#define LEAFWATCH_CERTIFICATE_JUDGE_H

#include "agent/certificate/certificate.h"
#include "agent/certificate/crl.h"
#include "agent/certificate/trust.h"

enum purpose {
	PURPOSE_ANY,
	PURPOSE_SERVER,
	PURPOSE_CLIENT,
	PURPOSE_CA,
	PURPOSE_EMAIL,
	PURPOSE_CODE,
	PURPOSE_TIMESTAMP,
	PURPOSE_COUNT
};
/* "server", "client" ...; PURPOSE_COUNT for a word that is none. */
enum purpose purpose_parse(const char *word);
const char *purpose_word(enum purpose p);

/* What kind of name is asked for: a host is a DNS name or a numeric address. */
enum name_kind { NAME_HOST, NAME_EMAIL, NAME_URI };

/* What becomes of a certificate on which no list has the last word. */
enum revocation_mode {
	REVOCATION_OFF,  /* lists are not asked */
	REVOCATION_SOFT, /* it is only said */
	REVOCATION_GIVEN, /* it breaks the path where a list of its issuer is given but cannot be used */
	REVOCATION_HARD, /* it breaks the path */
	REVOCATION_COUNT
};

/* Everything but `leaf` and `now` may be left empty. */
struct judge_question {
	const struct parsed_certificate *leaf;
	/* Neighbours that may be its issuers (same file, same handshake); may include the leaf. */
	const struct parsed_certificate *const *candidates;
	size_t candidates_count;
	const struct trust
		*pool; /* further CA certificates that may be its issuers, trusted by nobody */
	const uint64_t *stores;  /* those of the trust that count, a bit each; NULL: all */
	const char *server_name; /* what it was asked for, or NULL */
	enum name_kind name_kind;
	bool use_common_name; /* where it has no alternative names of hosts */
	enum purpose purpose;
	/* Whatever RFC 5280 demands of certificates breaks the path, not only what TLS stacks mind. */
	bool is_strict;
	unsigned
		intermediates_limit; /* 1 + the CAs that may be between leaf and anchor; 0 = none */
	struct crl *crls;            /* asked of every certificate below the anchor */
	size_t crls_count;
	enum revocation_mode revocation;
	int64_t now;
};

/* Writes the verdict (to be freed with verdict_fini). Remembers what it judged in `cache` when given. */
struct judge_cache;
enum err judge_cache_new(size_t entries_max, struct judge_cache **out) MUST_CHECK;
void judge_cache_free(struct judge_cache *c);
enum err judge(const struct trust *trust, struct judge_cache *cache, const struct judge_question *q,
	struct verdict *out) MUST_CHECK;
/* Adds to the verdict on the same question what each store alone makes of it, where there are several. */
enum err judge_stores(const struct trust *trust, struct judge_cache *cache,
	const struct judge_question *q, struct verdict *v) MUST_CHECK;

#endif
