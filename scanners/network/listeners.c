/* The scanner of this host's own listening sockets: plans the work, the probe does it. */
#include "scanners/network/listeners.h"

#include "agent/base/text.h"
#include "scanners/network/fan_out.h"
#include "scanners/network/item.h"
#include "scanners/network/probe.h"
#include "scanners/scanner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 512
#define STATE_LISTEN "0A" /* TCP_LISTEN of include/net/tcp_states.h, in hex */
#define LISTENERS_TIMEOUT_MS 3000
#define LISTENERS_CONCURRENCY 64

struct listeners_conf {
	struct scan_job job;
	bool fan_out;
};

/* ---- the kernel's table ----------------------------------------------------------------------- */

static bool has(const struct listeners *l, const char *address, uint16_t port)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].port == port && strcmp(l->items[i].address, address) == 0)
			return true;
	return false;
}

static enum err add(struct listeners *l, const char *address, uint16_t port)
{
	struct listener *items;

	if (has(l, address, port))
		return ERR_OK;
	if (l->count == LISTENERS_MAX)
		return ERR_LIMIT;
	items = reallocarray(l->items, l->count + 1, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	l->items = items;
	items[l->count] = (struct listener){ .port = port };
	(void)snprintf(items[l->count].address, sizeof(items[l->count].address), "%s", address);
	l->count++;
	return ERR_OK;
}

/* "0100007F" or 32 such digits: the address as words of the host's byte order, each in hex. */
static bool read_address(const char *hex, int family, struct in6_addr *out)
{
	size_t words = family == AF_INET ? 1 : 4;
	uint32_t *to = out->s6_addr32;

	if (strlen(hex) != 8 * words)
		return false;
	for (size_t i = 0; i < words; i++) {
		uint8_t bytes[4];
		char digits[9] = { 0 };

		memcpy(digits, hex + 8 * i, 8);
		if (!text_unhex(bytes, sizeof(bytes), digits))
			return false;
		to[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			(uint32_t)bytes[2] << 8 | bytes[3];
	}
	return true;
}

static bool read_port(const char *hex, uint16_t *out)
{
	uint8_t bytes[2];

	if (strlen(hex) != 4 || !text_unhex(bytes, sizeof(bytes), hex))
		return false;
	*out = (uint16_t)(bytes[0] << 8 | bytes[1]);
	return *out != 0;
}

static enum err add_v4(struct listeners *l, uint32_t address, uint16_t port)
{
	const struct in_addr in = { .s_addr = address == htonl(INADDR_ANY) ? htonl(INADDR_LOOPBACK)
									   : address };
	char text[INET6_ADDRSTRLEN];

	return inet_ntop(AF_INET, &in, text, sizeof(text)) ? add(l, text, port) : ERR_OK;
}

static enum err add_v6(struct listeners *l, const struct in6_addr *address, uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(address))
		return add_v4(l, address->s6_addr32[3], port);
	/* The table does not say which interface a link-local address belongs to. */
	if (IN6_IS_ADDR_LINKLOCAL(address))
		return ERR_OK;
	if (IN6_IS_ADDR_UNSPECIFIED(address)) {
		if (has(l, "127.0.0.1", port))
			return ERR_OK;
		return add(l, "::1", port);
	}
	return inet_ntop(AF_INET6, address, text, sizeof(text)) ? add(l, text, port) : ERR_OK;
}

/* "  0: 0100007F:1F90 00000000:0000 0A ..." */
static enum err read_line(char *line, int family, struct listeners *out)
{
	struct in6_addr address;
	char *rest = line;
	char *fields[4]; /* number, local, remote, state */
	char *colon;
	uint16_t port;

	for (size_t i = 0; i < 4; i++) {
		do {
			fields[i] = strsep(&rest, " \n");
		} while (fields[i] && !*fields[i]);
		if (!fields[i])
			return ERR_OK;
	}
	colon = strchr(fields[1], ':');
	if (!colon || strcmp(fields[3], STATE_LISTEN) != 0)
		return ERR_OK;
	*colon = '\0';
	if (!read_address(fields[1], family, &address) || !read_port(colon + 1, &port))
		return ERR_OK;
	if (family == AF_INET)
		return add_v4(out, address.s6_addr32[0], port);
	return add_v6(out, &address, port);
}

enum err listeners_read(FILE *table, int family, struct listeners *out)
{
	char line[LINE_BYTES_MAX];
	enum err e = ERR_OK;

	for (size_t i = 0;
		e == ERR_OK && i < LISTENERS_LINES_MAX && fgets(line, sizeof(line), table); i++)
		e = read_line(line, family, out);
	return e;
}

void listeners_fini(struct listeners *l)
{
	free(l->items);
	*l = (struct listeners){ 0 };
}

/* ---- the scanner ------------------------------------------------------------------------------ */

struct plan {
	struct listeners listeners;
	size_t next;
	struct fan_out *fan_out; /* owned; NULL: none, or not yet */
	bool is_fanning;         /* wanted */
};

static const struct schema_field fields[] = {
	SCAN_JOB_FIELDS(struct listeners_conf, "5m"),
	{ .key = "fan_out",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct listeners_conf, fan_out),
		.standard = "true",
		.help = "Asks each TLS server for the names that certificates and configurations suggest." },
	{ .key = NULL },
};

static bool accepts(const char *source)
{
	return strcmp(source, "listeners:") == 0;
}

static enum err add_source(void *conf, const char *source, struct why *why)
{
	(void)conf;
	(void)source;
	(void)why;
	return ERR_OK;
}

/* A job needs no more than to exist. */
static enum err add_default(void *conf, struct why *why)
{
	(void)conf;
	(void)why;
	return ERR_OK;
}

static enum err encode_options(const void *conf, struct buffer *out, struct why *why)
{
	char name[] = "listeners";
	char path[] = "/";
	const struct probe_options options = { .scanner = name,
		.timeout_ms = LISTENERS_TIMEOUT_MS,
		.concurrency = LISTENERS_CONCURRENCY,
		.dns_timeout_ms = PROBE_DNS_TIMEOUT_MS,
		.http_path = path };

	(void)conf;
	(void)why;
	probe_options_encode(out, &options);
	return buffer_status(out);
}

static enum err read_table(const char *path, int family, struct listeners *out, struct why *why)
{
	FILE *table = fopen(path, "re");
	enum err e;

	if (!table) {
		/* A kernel without IPv6 has no such table. */
		if (errno == ENOENT && family == AF_INET6)
			return ERR_OK;
		return why_fail(why, ERR_IO, "%s: %s", path, strerror(errno));
	}
	e = listeners_read(table, family, out);
	(void)fclose(table);
	if (e == ERR_LIMIT)
		return why_fail(why, e, "more than %d listening sockets", LISTENERS_MAX);
	return e;
}

static void close_plan(void *arg)
{
	struct plan *plan = arg;

	if (!plan)
		return;
	listeners_fini(&plan->listeners);
	fan_out_free(plan->fan_out);
	free(plan);
}

static enum err open_plan(const void *conf, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	const struct listeners_conf *own = conf;
	struct plan *plan = calloc(1, sizeof(*plan));
	enum err e;

	(void)hints;
	if (!plan)
		return ERR_MEMORY;
	plan->is_fanning = own && own->fan_out;
	e = read_table("/proc/net/tcp", AF_INET, &plan->listeners, why);
	if (e == ERR_OK)
		e = read_table("/proc/net/tcp6", AF_INET6, &plan->listeners, why);
	if (e != ERR_OK) {
		close_plan(plan);
		return e;
	}
	*expected = plan->listeners.count;
	*out = plan;
	return ERR_OK;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	struct plan *plan = arg;
	const struct listener *l;
	struct target target;

	(void)why;
	if (plan->next == plan->listeners.count)
		return plan->fan_out ? fan_out_next(plan->fan_out, out) : ERR_END;
	l = &plan->listeners.items[plan->next++];
	target = (struct target){ .host = (char *)(uintptr_t)l->address,
		.port = l->port,
		.is_unnamed = true,
		.is_quiet = true };
	return target_item(&target, out);
}

static enum err follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct plan *plan = arg;

	return plan->is_fanning ? fan_out_new(hints, &plan->fan_out, why) : ERR_OK;
}

const struct scanner listeners_scanner = {
	.name = "listeners",
	.help = "the TLS servers of this host, found by its listening sockets",
	.role = &probe_role,
	.window = LISTENERS_CONCURRENCY,
	.fields = fields,
	.conf_bytes = sizeof(struct listeners_conf),
	.accepts = accepts,
	.add_source = add_source,
	.add_default = add_default,
	.encode_options = encode_options,
	.open = open_plan,
	.next = next_item,
	.follow = follow,
	.close = close_plan,
};
