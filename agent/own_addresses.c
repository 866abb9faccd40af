/* The addresses of this host. */
#include "agent/own_addresses.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

#define OWN_ADDRESSES_MAX 65536
#define LOOPBACK_V4 127

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
	*out = (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), v4->s_addr } };
}

static bool parse(const char *text, struct in6_addr *out)
{
	char bare[INET6_ADDRSTRLEN];
	size_t size = strcspn(text, "%");
	struct in_addr v4;

	if (size >= sizeof(bare))
		return false;
	memcpy(bare, text, size);
	bare[size] = '\0';
	if (inet_pton(AF_INET6, bare, out) == 1)
		return true;
	if (inet_pton(AF_INET, bare, &v4) != 1)
		return false;
	map_v4(&v4, out);
	return true;
}

static bool take(const struct ifaddrs *i, struct in6_addr *out)
{
	if (!i->ifa_addr)
		return false;
	if (i->ifa_addr->sa_family == AF_INET6) {
		*out = ((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
		return true;
	}
	if (i->ifa_addr->sa_family != AF_INET)
		return false;
	map_v4(&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, out);
	return true;
}

enum err own_addresses_read(struct own_addresses *out, struct why *why)
{
	struct ifaddrs *all = NULL;
	size_t count = 0;

	if (getifaddrs(&all) != 0)
		return why_fail(
			why, ERR_IO, "this host's addresses cannot be read: %s", strerror(errno));
	for (const struct ifaddrs *i = all; i && count < OWN_ADDRESSES_MAX; i = i->ifa_next)
		count++;
	out->items = calloc(count + 1, sizeof(*out->items));
	if (out->items)
		for (const struct ifaddrs *i = all; i && out->count < count; i = i->ifa_next)
			out->count += take(i, &out->items[out->count]);
	freeifaddrs(all);
	return out->items ? ERR_OK : ERR_MEMORY;
}

void own_addresses_fini(struct own_addresses *o)
{
	free(o->items);
	*o = (struct own_addresses){ 0 };
}

bool own_addresses_have(const struct own_addresses *o, const char *address)
{
	struct in6_addr a;

	if (!address || !parse(address, &a))
		return false;
	if (IN6_IS_ADDR_LOOPBACK(&a) || (IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == LOOPBACK_V4))
		return true;
	for (size_t i = 0; i < o->count; i++)
		if (IN6_ARE_ADDR_EQUAL(&a, &o->items[i]))
			return true;
	return false;
}
