/* A URL in a certificate is a stranger's: it must not make this host ask its own cloud for secrets. */
#include "scanners/revocation/address.h"

#include <netinet/in.h>
#include <string.h>

struct range {
	uint32_t first; /* host byte order */
	unsigned bits;
};

static bool is_forbidden_v4(uint32_t address)
{
	static const struct range ranges[] = {
		{ 0x00000000, 8 },  /* "this network" */
		{ 0xa9fe0000, 16 }, /* link-local; 169.254.169.254 is most clouds' */
		{ 0xe0000000, 4 },  /* multicast */
		{ 0xf0000000, 4 },  /* reserved, broadcast */
		{ 0x646464c8, 32 }, /* 100.100.100.200, Alibaba's */
		{ 0xc0000000, 24 }, /* 192.0.0.192 and kin, Oracle's */
		{ 0xa83f8110, 32 }, /* 168.63.129.16, Azure's */
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if ((address ^ ranges[i].first) >> (32 - ranges[i].bits) == 0)
			return true;
	return false;
}

static bool is_forbidden_v6(const struct in6_addr *a)
{
	/* fd00:ec2::254, Amazon's; fd20:ce::254, Google's */
	static const uint8_t amazon[16] = { 0xfd, 0, 0x0e, 0xc2, [14] = 0x02, 0x54 };
	static const uint8_t google[16] = { 0xfd, 0x20, 0, 0xce, [14] = 0x02, 0x54 };
	uint32_t v4;

	if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a)) {
		memcpy(&v4, a->s6_addr + 12, sizeof(v4));
		/* ::1 looks like a compatible address, but is the loopback. */
		return !IN6_IS_ADDR_LOOPBACK(a) && is_forbidden_v4(ntohl(v4));
	}
	return IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_MULTICAST(a) ||
	       memcmp(a->s6_addr, amazon, sizeof(amazon)) == 0 ||
	       memcmp(a->s6_addr, google, sizeof(google)) == 0;
}

bool address_is_forbidden(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return is_forbidden_v4(ntohl(
			((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
	if (address->sa_family == AF_INET6)
		return is_forbidden_v6(
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	return true;
}
