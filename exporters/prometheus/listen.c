/* Addresses to listen on, and the sockets that listen there. */
#include "exporters/prometheus/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define PORT_MAX 65535

static enum err refuse(const char *text, struct why *why)
{
	return why_fail(why, ERR_CONFIG,
		"\"%s\" is no address to listen on: ADDRESS:PORT, [ADDRESS]:PORT or :PORT", text);
}

static bool parse_port(const char *text, uint16_t *port)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || value > PORT_MAX)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool set_v4(struct listen_address *a, const char *host, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&a->address;

	v4->sin_family = AF_INET;
	v4->sin_port = htons(port);
	a->size = sizeof(*v4);
	if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
		return false;
	a->is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return true;
}

static bool set_v6(struct listen_address *a, const char *host, uint16_t port)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->address;

	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	a->size = sizeof(*v6);
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) != 1)
		return false;
	a->is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return true;
}

enum err listen_parse(const char *text, struct listen_address *out, struct why *why)
{
	const char *colon = strrchr(text, ':');
	struct listen_address a = { 0 };
	char host[INET6_ADDRSTRLEN];
	size_t size;
	uint16_t port;
	bool good;

	if (!colon || !parse_port(colon + 1, &port))
		return refuse(text, why);
	size = (size_t)(colon - text);
	if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
		text++;
		size -= 2;
		if (size >= sizeof(host))
			return refuse(text - 1, why);
		memcpy(host, text, size);
		host[size] = 0;
		good = set_v6(&a, host, port);
		text--;
	} else {
		if (size >= sizeof(host))
			return refuse(text, why);
		memcpy(host, text, size);
		host[size] = 0;
		a.is_any = !size;
		good = a.is_any ? set_v6(&a, "::", port)
				: set_v4(&a, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
					  port);
	}
	if (!good)
		return refuse(text, why);
	*out = a;
	return ERR_OK;
}

static bool set_up(int fd, const struct listen_address *a)
{
	int on = 1;
	int only_v6 = a->is_any ? 0 : 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return false;
	if (a->address.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_v6, sizeof(only_v6)) != 0)
		return false;
	return bind(fd, (const struct sockaddr *)&a->address, a->size) == 0 &&
	       listen(fd, BACKLOG) == 0;
}

enum err listen_open(const char *text, const struct listen_address *a, int *fd, struct why *why)
{
	struct listen_address v4 = { 0 };
	int kind = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	int s = socket(a->address.ss_family, kind, 0);

	if (s < 0 && errno == EAFNOSUPPORT && a->is_any) {
		/* A kernel without IPv6. */
		uint16_t port = ntohs(((const struct sockaddr_in6 *)&a->address)->sin6_port);

		if (set_v4(&v4, "0.0.0.0", port)) {
			a = &v4;
			s = socket(AF_INET, kind, 0);
		}
	}
	if (s >= 0 && set_up(s, a)) {
		*fd = s;
		return ERR_OK;
	}
	(void)why_fail(why, ERR_IO, "cannot listen on %s: %s", text, strerror(errno));
	if (s >= 0)
		(void)close(s);
	return ERR_IO;
}

enum err listen_url(int fd, char out[LISTEN_TEXT_BYTES])
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN];

	if (getsockname(fd, (struct sockaddr *)&address, &size) != 0)
		return ERR_IO;
	if (address.ss_family == AF_INET) {
		memcpy(&v4, &address, sizeof(v4));
		if (v4.sin_addr.s_addr == htonl(INADDR_ANY))
			v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (!inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host)))
			return ERR_IO;
		(void)snprintf(out, LISTEN_TEXT_BYTES, "http://%s:%u/", host, ntohs(v4.sin_port));
		return ERR_OK;
	}
	memcpy(&v6, &address, sizeof(v6));
	if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
		v6.sin6_addr = in6addr_loopback;
	if (!inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host)))
		return ERR_IO;
	(void)snprintf(out, LISTEN_TEXT_BYTES, "http://[%s]:%u/", host, ntohs(v6.sin6_port));
	return ERR_OK;
}
