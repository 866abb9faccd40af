/* Listening sockets to listeners. */
#include "scanners/network/listeners.h"

#include "scanners/network/owners.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define INIT_PID 1

/* A socket with its process. */
struct owned {
	const struct listening_socket *socket; /* borrowed */
	const struct process *process;         /* borrowed */
};

struct gathering {
	const struct socket_units *units; /* borrowed */
	struct listeners *out;
	size_t room;
};

static int compare_inodes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* v4 before v6, so that a v6 socket bound to any knows whether v4 has its port. */
static int compare_sockets(const void *a, const void *b)
{
	const struct listening_socket *x = ((const struct owned *)a)->socket;
	const struct listening_socket *y = ((const struct owned *)b)->socket;
	int order;

	if (x->is_datagram != y->is_datagram)
		return x->is_datagram ? 1 : -1;
	if (x->family != y->family)
		return x->family == AF_INET ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	order = memcmp(&x->address, &y->address, sizeof(x->address));
	if (order)
		return order;
	return (x->inode > y->inode) - (x->inode < y->inode);
}

/* ---- where to connect --------------------------------------------------------------------------- */

static bool write_v4(uint32_t address, char *out)
{
	const struct in_addr in = { .s_addr = address == htonl(INADDR_ANY) ? htonl(INADDR_LOOPBACK)
									   : address };

	return inet_ntop(AF_INET, &in, out, INET_ADDRSTRLEN) != NULL;
}

/* False: there is no way to connect to it. */
static bool write_host(const struct listening_socket *s, char out[LISTENER_HOST_BYTES])
{
	char interface[IF_NAMESIZE];
	size_t size;

	if (s->family == AF_INET)
		return write_v4(s->address.s6_addr32[0], out);
	if (IN6_IS_ADDR_V4MAPPED(&s->address))
		return write_v4(s->address.s6_addr32[3], out);
	if (!inet_ntop(AF_INET6,
		    IN6_IS_ADDR_UNSPECIFIED(&s->address) ? &in6addr_loopback : &s->address, out,
		    INET6_ADDRSTRLEN))
		return false;
	if (!IN6_IS_ADDR_LINKLOCAL(&s->address))
		return true;
	/* RFC 4007 11: it means nothing without its zone. */
	if (!s->interface || !if_indextoname(s->interface, interface))
		return false;
	size = strlen(out);
	(void)snprintf(out + size, LISTENER_HOST_BYTES - size, "%%%s", interface);
	return true;
}

/* ---- one listener a place ------------------------------------------------------------------------ */

static struct listener *find(
	const struct listeners *l, const char *host, const struct listening_socket *s)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].port == s->port && l->items[i].is_datagram == s->is_datagram &&
			strcmp(l->items[i].host, host) == 0)
			return &l->items[i];
	return NULL;
}

static bool is_same_process(const struct process *a, const struct process *b)
{
	return a->pid == b->pid;
}

/* A socket of v6 bound to any takes v4 in too, or is the twin of one that does. */
static bool is_twin(const struct listeners *l, const struct owned *o)
{
	const struct listener *v4;

	if (o->socket->family != AF_INET6 || !IN6_IS_ADDR_UNSPECIFIED(&o->socket->address))
		return false;
	v4 = find(l, "127.0.0.1", o->socket);
	return v4 && is_same_process(&v4->process, o->process);
}

static bool is_older(const struct process *a, const struct process *b)
{
	if (!a->pid || !b->pid)
		return a->pid != 0;
	return a->started != b->started ? a->started < b->started : a->pid < b->pid;
}

static int64_t youngest(const struct process *p)
{
	return p->worker_started > p->started ? p->worker_started : p->started;
}

/* Another socket at the same place: the oldest process is the master, the youngest tells of a reload. */
static enum err merge(struct listener *l, const struct process *p)
{
	struct process *held = &l->process;
	int64_t latest;
	enum err e = ERR_OK;

	if (!p->pid || p->pid == held->pid)
		return ERR_OK;
	latest = youngest(p) > youngest(held) || !held->pid ? youngest(p) : youngest(held);
	if (is_older(p, held)) {
		struct process copy;

		e = process_copy(&copy, p);
		if (e != ERR_OK)
			return e;
		process_fini(held);
		*held = copy;
	}
	if (latest > held->started)
		held->worker_started = latest;
	return ERR_OK;
}

/* systemd opened it and has started no service for it yet: it is its .socket unit's. */
static enum err name_unit(
	const struct socket_units *units, const struct listening_socket *s, struct process *p)
{
	const char *unit =
		p->pid == INIT_PID && !s->is_datagram ? socket_units_find(units, s) : NULL;

	if (!unit)
		return ERR_OK;
	free(p->unit);
	p->unit = strdup(unit);
	return p->unit ? ERR_OK : ERR_MEMORY;
}

static enum err add(struct gathering *g, const struct owned *o)
{
	char host[LISTENER_HOST_BYTES];
	struct listeners *l = g->out;
	struct listener *held;
	enum err e;

	if (!write_host(o->socket, host) || is_twin(l, o))
		return ERR_OK;
	held = find(l, host, o->socket);
	if (held)
		return merge(held, o->process);
	if (l->count == g->room) {
		size_t room = g->room ? 2 * g->room : 64;
		struct listener *items = reallocarray(l->items, room, sizeof(*items));

		if (!items)
			return ERR_MEMORY;
		l->items = items;
		g->room = room;
	}
	held = &l->items[l->count];
	*held = (struct listener){ .port = o->socket->port, .is_datagram = o->socket->is_datagram };
	memcpy(held->host, host, sizeof(host));
	l->count++;
	e = process_copy(&held->process, o->process);
	return e == ERR_OK ? name_unit(g->units, o->socket, &held->process) : e;
}

static const struct process *owner_of(
	const struct owners *owners, const uint64_t *inodes, uint64_t inode)
{
	static const struct process nobody = { .started = TIME_UNKNOWN,
		.worker_started = TIME_UNKNOWN };
	const uint64_t *at =
		bsearch(&inode, inodes, owners->count, sizeof(*inodes), compare_inodes);

	return at && owners->items[at - inodes].pid ? &owners->items[at - inodes] : &nobody;
}

static enum err gather(const struct sockets *sockets, const struct owners *owners,
	const uint64_t *inodes, struct gathering *g)
{
	struct listeners *out = g->out;
	struct owned *all = calloc(sockets->count + 1, sizeof(*all));
	enum err e = ERR_OK;

	if (!all)
		return ERR_MEMORY;
	for (size_t i = 0; i < sockets->count; i++) {
		all[i] = (struct owned){ .socket = &sockets->items[i],
			.process = owner_of(owners, inodes, sockets->items[i].inode) };
		out->unowned += owners->denied && !all[i].process->pid;
	}
	qsort(all, sockets->count, sizeof(*all), compare_sockets);
	for (size_t i = 0; e == ERR_OK && i < sockets->count; i++)
		e = add(g, &all[i]);
	free(all);
	return e;
}

enum err listeners_from(const struct sockets *sockets, const struct socket_units *units,
	const char *proc, struct listeners *out, struct why *why)
{
	struct gathering g = { .units = units, .out = out };
	uint64_t *inodes = calloc(sockets->count + 1, sizeof(*inodes));
	struct owners owners = { 0 };
	enum err e;

	if (!inodes)
		return ERR_MEMORY;
	for (size_t i = 0; i < sockets->count; i++)
		inodes[i] = sockets->items[i].inode;
	qsort(inodes, sockets->count, sizeof(*inodes), compare_inodes);
	e = owners_find(proc, inodes, sockets->count, &owners, why);
	if (e == ERR_OK) {
		out->is_cut = owners.is_cut;
		e = gather(sockets, &owners, inodes, &g);
	}
	owners_fini(&owners);
	free(inodes);
	return e;
}

void listeners_fini(struct listeners *l)
{
	for (size_t i = 0; i < l->count; i++)
		process_fini(&l->items[i].process);
	free(l->items);
	*l = (struct listeners){ 0 };
}
