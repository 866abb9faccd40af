/* Names to addresses: c-ares in a libuv loop. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_DNS_H
#define LEAFWATCH_SCANNERS_NETWORK_DNS_H

#include "agent/base/err.h"
#include "agent/base/strings.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Addresses of one name that are looked at; what is beyond is told. */
#define DNS_ADDRESSES_MAX 256
#define DNS_SERVERS_MAX 8

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct dns;
struct dns_lookup;

/* All addresses of both families, each once, borrowed for the call. */
struct dns_answer {
	const union address *addresses;
	size_t count;
	bool is_cut; /* there were more than DNS_ADDRESSES_MAX */
	const char *
		failure; /* why there are none, or (with some) none of one family; NULL: nothing failed */
};
typedef void dns_fn(void *arg, const struct dns_answer *answer);

struct dns_conf {
	int64_t timeout_ms; /* of one lookup, over all tries and servers */
	const struct strings
		*servers; /* "ADDRESS" or "ADDRESS:PORT"; empty: those of resolv.conf */
};
/* The hosts file and resolv.conf are honoured. */
enum err dns_new(
	uv_loop_t *loop, const struct dns_conf *conf, struct dns **out, struct why *why) MUST_CHECK;
/* Ends all lookups without their callbacks. Its handles close in the loop, which must run on. */
void dns_free(struct dns *d);
/* Is it an address with or without a port? */
enum err dns_check_server(const char *text, struct why *why) MUST_CHECK;

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
bool address_equal(const union address *a, const union address *b);
bool address_is_loopback(const union address *a);
/* Of the address without the port. */
uint32_t address_hash(const union address *a);
/* Numeric text (INET6_ADDRSTRLEN bytes). */
void address_text(const union address *a, char *out);

#endif
