/* Both ends of mutual TLS tied together: which client certificates of this host which servers accept, by
 * the CA names that servers send and the names in the chains of certificates. Pure computation: what was
 * seen goes in, facts come out. Names are compared as RFC 5280 7.1 says; whether a signature would verify
 * is not asked, for servers, too, name CAs and no keys. */
#ifndef LEAFWATCH_AGENT_LINKS_H
#define LEAFWATCH_AGENT_LINKS_H

#include "agent/base/err.h"
#include "agent/inventory.h"
#include "exporters/exporter.h"
#include "exporters/link_facts.h"

#include <stdint.h>

/* Different certificates, different names, endpoints, and pairs of them that are worked with; what is
 * beyond is left out, and said in the log. */
#define LINKS_ITEMS_MAX 1000000
#define LINKS_PAIRS_MAX 4000000
/* Names in the chain of one certificate. */
#define LINKS_CHAIN_NAMES_MAX 64

struct links;

enum err links_new(struct links **out) MUST_CHECK;
void links_free(struct links *l);
/* Takes in a certificate or an endpoint, in any order, but the references of configurations before them.
 * Others, and what is gone, are left alone. */
enum err links_add(struct links *l, const struct sighting *s) MUST_CHECK;
/* After the last one: works out what belongs together at `now`. Once. */
enum err links_settle(struct links *l, int64_t now) MUST_CHECK;
/* All of it over an inventory. */
enum err links_of_inventory(
	struct inventory *i, int64_t now, struct links **out, struct why *why) MUST_CHECK;

/* Facts; `out` is {0} where nothing is known. To be freed by the caller. */
enum err links_certificate(const struct links *l, const uint8_t fingerprint[FINGERPRINT_BYTES],
	struct certificate_links *out) MUST_CHECK;
/* Is the file at `uri` named by a configuration as its client certificate? */
bool links_names(const struct links *l, const char *uri);
/* Facts of whatever client certificate that issuer (RFC 4514) signs. */
enum err links_issuer(
	const struct links *l, const char *issuer, struct certificate_links *out) MUST_CHECK;
enum err links_endpoint(
	const struct links *l, const struct location *at, struct endpoint_links *out) MUST_CHECK;

#endif
