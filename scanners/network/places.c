/* Which addresses of a name are looked at. */
#include "scanners/network/places.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Would a packet leave this host? Connecting a datagram socket asks the routing table, and sends nothing. */
static bool has_route(const union address *a)
{
	int fd = socket(a->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_good = fd >= 0 && connect(fd, &a->any, (socklen_t)address_size(a)) == 0;

	/* Whatever else is wrong shows when it is tried. */
	if (!is_good && errno != ENETUNREACH && errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
		is_good = true;
	if (fd >= 0)
		(void)close(fd);
	return is_good;
}

/* A family none of whose addresses can be reached from here is not what is wrong with the server, as long
 * as the other family can. */
static void leave_out_family(const struct dns_answer *answer, struct places *p)
{
	bool has[2] = { false, false };
	bool is_routed[2] = { false, false };

	for (size_t i = 0; i < answer->count; i++) {
		size_t family = answer->addresses[i].any.sa_family == AF_INET6;

		if (p->uses[i] != ADDRESS_PROBED)
			continue;
		has[family] = true;
		is_routed[family] = is_routed[family] || has_route(&answer->addresses[i]);
	}
	if (!has[0] || !has[1] || is_routed[0] == is_routed[1])
		return;
	for (size_t i = 0; i < answer->count; i++)
		if (p->uses[i] == ADDRESS_PROBED &&
			!is_routed[answer->addresses[i].any.sa_family == AF_INET6])
			p->uses[i] = ADDRESS_UNROUTED;
}

void places_plan(
	const struct dns_answer *answer, const struct exclusions *except, struct places *out)
{
	out->probed = 0;
	out->is_local = answer->count > 0;
	for (size_t i = 0; i < answer->count; i++) {
		out->uses[i] = exclusions_cover_address(except, &answer->addresses[i])
				       ? ADDRESS_EXCLUDED
				       : ADDRESS_PROBED;
		out->is_local = out->is_local && address_is_loopback(&answer->addresses[i]);
	}
	/* "localhost" in both families is one server; more loopback addresses are servers of their own. */
	out->is_local = out->is_local && answer->count == 2 &&
			answer->addresses[0].any.sa_family != answer->addresses[1].any.sa_family;
	leave_out_family(answer, out);
	for (size_t i = 0; i < answer->count; i++)
		out->probed += out->uses[i] == ADDRESS_PROBED;
}
