/* Names to addresses: c-ares in a libuv loop. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_DNS_H
#define LEAFWATCH_SCANNERS_NETWORK_DNS_H

#include "agent/base/err.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Addresses of one name that are tried. */
#define DNS_ADDRESSES_MAX 16

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct dns;
struct dns_lookup;

/* `addresses` (RFC 6724 order) is borrowed for the call. None: `failure` is the sentence why. */
typedef void dns_fn(void *arg, const union address *addresses, size_t count, const char *failure);

/* `timeout_ms` bounds one lookup over all tries. The hosts file and resolv.conf are honoured. */
enum err dns_new(uv_loop_t *loop, int64_t timeout_ms, struct dns **out, struct why *why) MUST_CHECK;
/* Ends all lookups without their callbacks. Its handles close in the loop, which must run on. */
void dns_free(struct dns *d);

/* Calls `done` once, perhaps before it returns. `port` goes into the addresses. On success `lookup` (if
 * the answer is still out, else NULL) is for dns_cancel. */
enum err dns_resolve(struct dns *d, const char *host, uint16_t port, dns_fn *done, void *arg,
	struct dns_lookup **lookup) MUST_CHECK;
/* `done` will not be called any more. NULL is allowed. */
void dns_cancel(struct dns_lookup *lookup);
/* Lookups whose answer is still out. */
size_t dns_pending(const struct dns *d);

/* A numeric address without a lookup: 1 = yes. */
int address_parse(const char *text, uint16_t port, union address *out);
size_t address_size(const union address *a);
/* Numeric text (INET6_ADDRSTRLEN bytes). */
void address_text(const union address *a, char *out);

#endif
