/* c-ares: its sockets as polls, its time-outs by one timer. */
#include "scanners/network/dns.h"

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "scanners/network/shape.h"

#include <ares.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 2    /* for each name server */
#define TICK_MS 50 /* how often c-ares looks at its own time-outs, and we at ours */
#define QUERY_MS_MIN 50
#define RECEIVE_BYTES (1024 * 1024) /* for the answers to many questions at once */
#define SERVER_BYTES_MAX 80

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
	int64_t timeout_ms;
	struct dns_lookup *first; /* those whose answer is out, in the order of their deadlines */
	struct dns_lookup **last;
	size_t pending;
	bool is_ending;
};

/* One question for each family: only so is it known when one of them failed. */
struct query {
	struct dns_lookup *lookup;
	bool is_out;
};

struct dns_lookup {
	struct dns *dns;
	struct dns_lookup *next; /* in dns->first's list, until it is answered */
	struct dns_lookup **link;
	dns_fn *done; /* NULL once cancelled or called */
	void *arg;
	uint16_t port;
	int64_t deadline_ms;
	struct query queries[2];
	union address *addresses; /* owned */
	size_t count;
	bool is_cut;
	const char *failure; /* static text: of the last family that failed */
	bool is_linked;
	bool is_starting; /* dns_resolve is at work on it */
};

/* ---- addresses -------------------------------------------------------------------------------- */

/* "fe80::1%eth0", with the interface's name or number (RFC 4007 11.2). */
static int parse_zoned(const char *text, const char *zone, union address *out)
{
	char address[INET6_ADDRSTRLEN];
	size_t size = (size_t)(zone - text);
	char *end;

	if (size >= sizeof(address) || !zone[1])
		return 0;
	memcpy(address, text, size);
	address[size] = '\0';
	out->v6.sin6_scope_id = if_nametoindex(zone + 1);
	if (!out->v6.sin6_scope_id) {
		unsigned long number = strtoul(zone + 1, &end, 10);

		if (*end || number > UINT32_MAX)
			return 0;
		out->v6.sin6_scope_id = (uint32_t)number;
	}
	return inet_pton(AF_INET6, address, &out->v6.sin6_addr) == 1;
}

int address_parse(const char *text, uint16_t port, union address *out)
{
	const char *zone = strchr(text, '%');

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(port);
		return 1;
	}
	if (zone ? parse_zoned(text, zone, out)
		 : inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
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

bool address_equal(const union address *a, const union address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET6)
		return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
	return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
}

uint32_t address_hash(const union address *a)
{
	const bool is_v6 = a->any.sa_family == AF_INET6;
	const uint8_t *bytes = is_v6 ? a->v6.sin6_addr.s6_addr : (const uint8_t *)&a->v4.sin_addr;
	uint32_t hash = 2166136261U; /* FNV-1a */

	for (size_t i = 0; i < (is_v6 ? 16U : 4U); i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	return hash ^ (hash >> 16);
}

bool address_is_loopback(const union address *a)
{
	if (a->any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
	return ntohl(a->v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
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

static void lookup_end(struct dns_lookup *l);

static void on_tick(uv_timer_t *timer)
{
	struct dns *d = timer->data;
	int64_t now = clock_monotonic_ms();

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	/* lookup_end() unlinks it, which clang's analyser does not follow. */
	while (d->first && d->first->deadline_ms <= now) { /* NOLINT(clang-analyzer-unix.Malloc) */
		d->first->failure = "the name server did not answer in time";
		lookup_end(d->first);
	}
}

/* ---- life ------------------------------------------------------------------------------------- */

/* "192.0.2.1", "192.0.2.1:53", "2001:db8::1" or "[2001:db8::1]:53", as c-ares wants it. */
enum err dns_check_server(const char *text, struct why *why)
{
	struct shape s = { 0 };
	char copy[SERVER_BYTES_MAX];
	union address address;
	bool is_good;
	enum err e;

	if (strlen(text) >= sizeof(copy))
		return why_fail(why, ERR_USAGE, "no name server has so long an address");
	memcpy(copy, text, strlen(text) + 1);
	e = shape_parse_place(copy, &s, why);
	if (e != ERR_OK)
		return e;
	is_good = s.host && s.ports_count <= 1 && address_parse(s.host, 0, &address);
	shape_fini(&s);
	return is_good ? ERR_OK
		       : why_fail(why, ERR_USAGE,
				 "\"%s\": a name server is an ADDRESS or ADDRESS:PORT", text);
}

static enum err set_servers(struct dns *d, const struct strings *servers, struct why *why)
{
	struct buffer all;
	enum err e = ERR_OK;

	if (!servers || !servers->count)
		return ERR_OK;
	if (servers->count > DNS_SERVERS_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d name servers", DNS_SERVERS_MAX);
	buffer_init(&all, DNS_SERVERS_MAX * SERVER_BYTES_MAX);
	for (size_t i = 0; e == ERR_OK && i < servers->count; i++) {
		e = dns_check_server(servers->items[i], why);
		buffer_format(&all, "%s%s", i ? "," : "", servers->items[i]);
	}
	if (e == ERR_OK)
		e = buffer_status(&all);
	if (e == ERR_OK &&
		ares_set_servers_ports_csv(d->channel, buffer_string(&all)) != ARES_SUCCESS)
		e = why_fail(why, ERR_USAGE, "the name servers \"%s\" cannot be used",
			buffer_string(&all));
	buffer_fini(&all);
	return e;
}

enum err dns_new(uv_loop_t *loop, const struct dns_conf *conf, struct dns **out, struct why *why)
{
	char lookups[] = "b"; /* the hosts file is asked here */
	struct ares_options options = { .sock_state_cb = on_socket_state,
		.tries = TRIES,
		.lookups = lookups,
		.socket_receive_buffer_size = RECEIVE_BYTES };
	struct dns *d = calloc(1, sizeof(*d));
	enum err e;
	int status;

	if (!d)
		return ERR_MEMORY;
	d->loop = loop;
	d->timeout_ms = conf->timeout_ms;
	d->last = &d->first;
	options.sock_state_cb_data = d;
	/* c-ares doubles the time of each further try: 1 + 2 shares. */
	options.timeout = (int)(conf->timeout_ms / 3);
	if (options.timeout < QUERY_MS_MIN)
		options.timeout = QUERY_MS_MIN;
	status = ares_init_options(&d->channel, &options,
		ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
			ARES_OPT_SOCK_RCVBUF);
	if (status != ARES_SUCCESS) {
		free(d);
		return why_fail(
			why, ERR_NETWORK, "cannot set the resolver up: %s", ares_strerror(status));
	}
	e = set_servers(d, conf->servers, why);
	if (e != ERR_OK) {
		ares_destroy(d->channel);
		free(d);
		return e;
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
	d->is_ending = true;
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

static void lookup_add(struct dns_lookup *l, const union address *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (address_equal(&l->addresses[i], a))
			return;
	if (l->count == DNS_ADDRESSES_MAX) {
		l->is_cut = true;
		return;
	}
	/* Room for 1, 2, 4, 8 ... */
	if ((l->count & (l->count - 1)) == 0) {
		union address *more =
			reallocarray(l->addresses, l->count ? 2 * l->count : 1, sizeof(*more));

		if (!more) {
			l->is_cut = true;
			return;
		}
		l->addresses = more;
	}
	l->addresses[l->count++] = *a;
}

static void set_port(union address *a, uint16_t port)
{
	if (a->any.sa_family == AF_INET6)
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

static void take_addresses(struct dns_lookup *l, const struct ares_addrinfo *info)
{
	for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next) {
		union address a = { 0 };

		if (n->ai_addrlen > sizeof(a) ||
			(n->ai_family != AF_INET && n->ai_family != AF_INET6))
			continue;
		memcpy(&a, n->ai_addr, n->ai_addrlen);
		set_port(&a, l->port);
		lookup_add(l, &a);
	}
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
		return "no name server gave an answer: none was reached, or all failed (SERVFAIL)";
	case ARES_ESERVFAIL:
		return "the name server could not find out (SERVFAIL)";
	case ARES_EREFUSED:
		return "the name server refused to answer";
	default:
		return ares_strerror(status);
	}
}

static void lookup_free(struct dns_lookup *l)
{
	if (l->queries[0].is_out || l->queries[1].is_out || l->is_starting || l->is_linked)
		return;
	free(l->addresses);
	free(l);
}

/* It counts no longer, whatever c-ares may still find. */
static void lookup_unlink(struct dns_lookup *l)
{
	struct dns *d = l->dns;

	if (!l->is_linked)
		return;
	l->is_linked = false;
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	else
		d->last = l->link;
	if (--d->pending == 0)
		(void)uv_timer_stop(&d->timer);
}

/* Answers, once. */
static void lookup_end(struct dns_lookup *l)
{
	dns_fn *done = l->done;
	const struct dns_answer answer = { .addresses = l->addresses,
		.count = l->count,
		.is_cut = l->is_cut,
		.failure = l->count || l->failure ? l->failure : "the name has no address" };

	lookup_unlink(l);
	l->done = NULL;
	if (done)
		done(l->arg, &answer);
	lookup_free(l);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct query *q = arg;
	struct dns_lookup *l = q->lookup;

	(void)timeouts;
	q->is_out = false;
	if (status == ARES_SUCCESS && info && l->done)
		take_addresses(l, info);
	if (info)
		ares_freeaddrinfo(info);
	/* A family that a name has not is no failure, unless it has none at all. */
	if (status != ARES_SUCCESS && status != ARES_ENODATA)
		l->failure = failure_text(status);
	if (l->dns->is_ending) {
		lookup_unlink(l);
		lookup_free(l);
	} else if (!l->done) {
		lookup_free(l);
	} else if (!l->is_starting && !l->queries[0].is_out && !l->queries[1].is_out) {
		lookup_end(l);
	}
}

/* The hosts file overrides the name servers. */
static void ask_hosts_file(struct dns_lookup *l, const char *host, int family)
{
	struct hostent *found = NULL;

	if (ares_gethostbyname_file(l->dns->channel, host, family, &found) != ARES_SUCCESS)
		return;
	for (char **p = found->h_addr_list; p && *p; p++) {
		union address a = { 0 };

		a.any.sa_family = (sa_family_t)family;
		if (family == AF_INET)
			memcpy(&a.v4.sin_addr, *p, sizeof(a.v4.sin_addr));
		else
			memcpy(&a.v6.sin6_addr, *p, sizeof(a.v6.sin6_addr));
		set_port(&a, l->port);
		lookup_add(l, &a);
	}
	ares_free_hostent(found);
}

static void ask(struct dns_lookup *l, const char *host)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct ares_addrinfo_hints hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = ARES_AI_NOSORT };

	for (size_t i = 0; i < 2; i++)
		ask_hosts_file(l, host, families[i]);
	if (l->count)
		return;
	for (size_t i = 0; i < 2; i++) {
		l->queries[i] = (struct query){ .lookup = l, .is_out = true };
		hints.ai_family = families[i];
		ares_getaddrinfo(l->dns->channel, host, NULL, &hints, on_answer, &l->queries[i]);
	}
}

static struct dns_lookup *lookup_new(struct dns *d, uint16_t port, dns_fn *done, void *arg)
{
	struct dns_lookup *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->dns = d;
	l->port = port;
	l->done = done;
	l->arg = arg;
	l->deadline_ms = clock_monotonic_ms() + d->timeout_ms;
	l->link = d->last;
	*d->last = l;
	d->last = &l->next;
	l->is_linked = true;
	l->is_starting = true;
	if (d->pending++ == 0)
		(void)uv_timer_start(&d->timer, on_tick, TICK_MS, TICK_MS);
	return l;
}

enum err dns_resolve(struct dns *d, const char *host, uint16_t port, dns_fn *done, void *arg,
	struct dns_lookup **lookup)
{
	struct dns_lookup *l = lookup_new(d, port, done, arg);

	*lookup = NULL;
	if (!l)
		return ERR_MEMORY;
	ask(l, host);
	l->is_starting = false;
	if (!l->queries[0].is_out && !l->queries[1].is_out)
		lookup_end(l);
	else
		*lookup = l;
	return ERR_OK;
}

void dns_cancel(struct dns_lookup *lookup)
{
	if (!lookup)
		return;
	lookup->done = NULL;
	lookup_unlink(lookup);
}
