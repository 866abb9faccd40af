/* c-ares: its sockets as polls, its time-outs by one timer. */
#include "scanners/network/dns.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 2    /* for each name server */
#define TICK_MS 50 /* how often c-ares looks at its own time-outs */
#define QUERY_MS_MIN 50

struct dns_socket {
	uv_poll_t poll;
	struct dns *dns;
	ares_socket_t fd;
	struct dns_socket *next;
};

struct dns {
	uv_loop_t *loop; /* borrowed */
	uv_timer_t timer;
	ares_channel channel;
	struct dns_socket *sockets; /* owned until their handles are closed */
	size_t pending;
};

struct dns_lookup {
	struct dns *dns;
	dns_fn *done; /* NULL once cancelled */
	void *arg;
	bool is_returned; /* dns_resolve has handed it out */
	bool is_answered;
};

/* ---- addresses -------------------------------------------------------------------------------- */

int address_parse(const char *text, uint16_t port, union address *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		return 1;
	}
	if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(port);
		return 1;
	}
	return 0;
}

size_t address_size(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->v6) : sizeof(a->v4);
}

void address_text(const union address *a, char *out)
{
	const void *bytes = a->any.sa_family == AF_INET6 ? (const void *)&a->v6.sin6_addr
							 : (const void *)&a->v4.sin_addr;

	if (!inet_ntop(a->any.sa_family, bytes, out, INET6_ADDRSTRLEN))
		out[0] = '\0';
}

/* ---- c-ares in the loop ----------------------------------------------------------------------- */

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct dns_socket *s = poll->data;
	bool is_bad = status < 0;

	ares_process_fd(s->dns->channel, is_bad || (events & UV_READABLE) ? s->fd : ARES_SOCKET_BAD,
		is_bad || (events & UV_WRITABLE) ? s->fd : ARES_SOCKET_BAD);
}

static void on_socket_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void socket_close(struct dns *d, struct dns_socket *s)
{
	for (struct dns_socket **p = &d->sockets; *p; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			break;
		}
	uv_close((uv_handle_t *)&s->poll, on_socket_closed);
}

static struct dns_socket *socket_open(struct dns *d, ares_socket_t fd)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dns = d;
	s->fd = fd;
	if (uv_poll_init_socket(d->loop, &s->poll, fd) != 0) {
		free(s);
		return NULL;
	}
	s->poll.data = s;
	s->next = d->sockets;
	d->sockets = s;
	return s;
}

static void on_socket_state(void *arg, ares_socket_t fd, int is_readable, int is_writable)
{
	struct dns *d = arg;
	struct dns_socket *s = d->sockets;
	int events = (is_readable ? UV_READABLE : 0) | (is_writable ? UV_WRITABLE : 0);

	while (s && s->fd != fd)
		s = s->next;
	if (!events) {
		if (s)
			socket_close(d, s);
		return;
	}
	if (!s)
		s = socket_open(d, fd);
	/* Without a poll the query runs into its time-out, which is reported. */
	if (s)
		(void)uv_poll_start(&s->poll, events, on_socket);
}

static void on_tick(uv_timer_t *timer)
{
	struct dns *d = timer->data;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

enum err dns_new(uv_loop_t *loop, int64_t timeout_ms, struct dns **out, struct why *why)
{
	struct ares_options options = { .sock_state_cb = on_socket_state, .tries = TRIES };
	struct dns *d = calloc(1, sizeof(*d));
	int status;

	if (!d)
		return ERR_MEMORY;
	d->loop = loop;
	options.sock_state_cb_data = d;
	/* c-ares doubles the time of each further try: 1 + 2 shares. */
	options.timeout = (int)(timeout_ms / 3);
	if (options.timeout < QUERY_MS_MIN)
		options.timeout = QUERY_MS_MIN;
	status = ares_init_options(&d->channel, &options,
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
	if (status != ARES_SUCCESS) {
		free(d);
		return why_fail(
			why, ERR_NETWORK, "cannot set the resolver up: %s", ares_strerror(status));
	}
	(void)uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	*out = d;
	return ERR_OK;
}

static void on_dns_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	ares_destroy(d->channel);
	while (d->sockets)
		socket_close(d, d->sockets);
	uv_close((uv_handle_t *)&d->timer, on_dns_closed);
}

/* ---- lookups ---------------------------------------------------------------------------------- */

size_t dns_pending(const struct dns *d)
{
	return d->pending;
}

static size_t take_addresses(const struct ares_addrinfo *info, union address *out)
{
	size_t count = 0;

	for (const struct ares_addrinfo_node *n = info->nodes; n && count < DNS_ADDRESSES_MAX;
		n = n->ai_next) {
		if (n->ai_addrlen > sizeof(out[count]) ||
			(n->ai_family != AF_INET && n->ai_family != AF_INET6))
			continue;
		memset(&out[count], 0, sizeof(out[count]));
		memcpy(&out[count++], n->ai_addr, n->ai_addrlen);
	}
	return count;
}

static const char *failure_text(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
		return "no such name";
	case ARES_ENODATA:
		return "the name has no address";
	case ARES_ETIMEOUT:
		return "the name server did not answer in time";
	case ARES_ECONNREFUSED:
		return "no name server could be reached";
	default:
		return ares_strerror(status);
	}
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct dns_lookup *l = arg;
	union address addresses[DNS_ADDRESSES_MAX];
	size_t count = 0;

	(void)timeouts;
	l->is_answered = true;
	if (--l->dns->pending == 0)
		(void)uv_timer_stop(&l->dns->timer);
	if (status == ARES_SUCCESS && info)
		count = take_addresses(info, addresses);
	if (l->done && status != ARES_EDESTRUCTION)
		l->done(l->arg, addresses, count,
			count                    ? NULL
			: status == ARES_SUCCESS ? "the name has no address"
						 : failure_text(status));
	if (info)
		ares_freeaddrinfo(info);
	/* Answered within dns_resolve: that still looks at it. */
	if (l->is_returned)
		free(l);
}

enum err dns_resolve(struct dns *d, const char *host, uint16_t port, dns_fn *done, void *arg,
	struct dns_lookup **lookup)
{
	const struct ares_addrinfo_hints hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = ARES_AI_NUMERICSERV
	};
	struct dns_lookup *l = calloc(1, sizeof(*l));
	char service[8];

	*lookup = NULL;
	if (!l)
		return ERR_MEMORY;
	l->dns = d;
	l->done = done;
	l->arg = arg;
	(void)snprintf(service, sizeof(service), "%u", port);
	if (d->pending++ == 0)
		(void)uv_timer_start(&d->timer, on_tick, TICK_MS, TICK_MS);
	ares_getaddrinfo(d->channel, host, service, &hints, on_answer, l);
	if (l->is_answered) {
		free(l);
		return ERR_OK;
	}
	l->is_returned = true;
	*lookup = l;
	return ERR_OK;
}

void dns_cancel(struct dns_lookup *lookup)
{
	if (lookup)
		lookup->done = NULL;
}
