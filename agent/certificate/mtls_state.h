/* What an endpoint asked of its clients over time: the mode and the list of CAs that hold, and what
 * changed last. One odd look changes nothing: what is weaker, or another list, must be seen twice. */
#ifndef LEAFWATCH_CERTIFICATE_MTLS_STATE_H
#define LEAFWATCH_CERTIFICATE_MTLS_STATE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Looks in a row that must agree. */
#define MTLS_LOOKS 2
/* Names kept of those added to a list, and of those gone from it; more are only counted. */
#define MTLS_NAMES_MAX 32

struct mtls_change {
	int64_t at; /* TIME_UNKNOWN = never */
	struct strings added;
	struct strings gone;
	uint32_t added_count;
	uint32_t gone_count;
};

/* Starts as mtls_state_none(). */
struct mtls_state {
	enum client_certificate mode; /* UNKNOWN until a look could tell */
	enum client_certificate pending_mode;
	uint8_t pending_mode_looks;
	int64_t mode_changed; /* TIME_UNKNOWN = never */
	int64_t weakened; /* since when it no longer requires what it required; TIME_UNKNOWN = it does */
	bool has_list;      /* a look showed a list, an empty one perhaps */
	uint64_t list_hash; /* of the names in any order, below 2^48; 0 for an empty list */
	uint64_t pending_hash;
	uint8_t pending_list_looks;
	struct mtls_change change; /* the last one of the list */
	/* The list that holds, while the last look did not show it. */
	bool is_list_kept;
	struct strings list;
};

struct mtls_state mtls_state_none(void);
void mtls_state_fini(struct mtls_state *s);
/* Nothing is pending: a look that equals the one before changes nothing. */
bool mtls_state_is_quiet(const struct mtls_state *s);
/* Takes a look in. `before` is what the last look saw, NULL for the first. */
enum err mtls_state_look(struct mtls_state *s, const struct endpoint_record *before,
	const struct endpoint_record *seen, int64_t now) MUST_CHECK;

/* Does the record say that the endpoint asked for a certificate? */
bool endpoint_asks(const struct endpoint_record *e);
/* The mode and the list that hold: the state's, where there is one (`s` may be NULL). */
enum client_certificate mtls_mode(const struct mtls_state *s, const struct endpoint_record *e);
const struct strings *mtls_list(const struct mtls_state *s, const struct endpoint_record *e);

/* Bytes and back. Decoding what is not ours is ERR_MALFORMED; `out` is written only on success. */
void mtls_state_encode(struct buffer *out, const struct mtls_state *s);
enum err mtls_state_decode(struct slice bytes, struct mtls_state *out) MUST_CHECK;

#endif
