/* Client certificates of ours, each with its key and the servers that are shown it. main reads the files
 * and hands them to the probe, which parses them before it meets a server. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_IDENTITY_H
#define LEAFWATCH_SCANNERS_NETWORK_IDENTITY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/base/wire.h"
#include "agent/config/schema.h"
#include "scanners/tokens/order.h"

#include <stdbool.h>
#include <stdint.h>

#define IDENTITIES_MAX 64
#define IDENTITY_BYTES_MAX ((size_t)128 * 1024) /* of one file */

/* As configured. */
struct identity_conf {
	struct strings targets;
	char *cert;
	char *key;
	struct secret password;
	bool network;
};
/* The keys of struct identity_conf, NULL-terminated. */
extern const struct schema_field identity_fields[];

/* As handed to the probe. */
struct identity {
	struct strings targets; /* patterns of "host" or "host:port"; owned */
	char *uri;              /* where the certificate lies; owned */
	bool is_in_token;       /* its key is: main has signatures made by it */
	char *key_uri;          /* then: where; owned */
	struct buffer
		certificate; /* PEM, DER or PKCS#12; owned, wiped; empty: it is in the token too */
	struct buffer key;   /* PEM or DER; empty: it is in the same file, or in a token */
	struct buffer password;
};
struct identities {
	struct identity *items; /* owned */
	size_t count;
};

/* Config values: a file, or a pkcs11: URI (RFC 7512) of a certificate, or of a private key. */
enum err identity_check_certificate(const char *value, struct why *why) MUST_CHECK;
enum err identity_check_key(const char *value, struct why *why) MUST_CHECK;
/* The certificate's place as a uri: of a file, absolute; of a token, without where the PIN lies. Owned, or NULL. */
char *identity_uri(const char *path);
/* What the token role needs to sign by the key of one. ERR_NOT_FOUND: it is in no token. To be freed whatever
 * happens. */
enum err identity_order(
	const struct identity_conf *from, struct token_order *out, struct why *why) MUST_CHECK;
/* Reads the files of one into the list. */
enum err identities_read(
	struct identities *to, const struct identity_conf *from, struct why *why) MUST_CHECK;
void identities_fini(struct identities *i);
void identities_encode(struct buffer *out, const struct identities *i);
/* A failure sticks in `w`; `out` is the caller's to free whatever happens. */
void identities_decode(struct wire *w, struct identities *out);

/* Is the one with these patterns for the target? A pattern without a port fits every port. */
bool identity_is_for(const struct strings *patterns, const char *host, uint16_t port);

#endif
