/* From a name's addresses to the places that are looked at. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PLACES_H
#define LEAFWATCH_SCANNERS_NETWORK_PLACES_H

#include "agent/base/err.h"
#include "scanners/network/dns.h"
#include "scanners/network/exclude.h"

#include <stdbool.h>
#include <stddef.h>

enum address_use {
	ADDRESS_PROBED,
	ADDRESS_EXCLUDED, /* the user does not want it */
	ADDRESS_UNROUTED, /* this host has no route to its family, but to others of the name */
};

struct places {
	enum address_use uses[DNS_ADDRESSES_MAX];
	size_t probed;
	/* They are the two loopback addresses of this host: one place, where the first that accepts stands for the name. */
	bool is_local;
};

/* What is done with each address. */
void places_plan(
	const struct dns_answer *answer, const struct exclusions *except, struct places *out);

#endif
