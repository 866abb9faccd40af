/* The scanner of this host's own listening sockets: plans the work, the probe does it. */
#include "scanners/network/fan_out.h"
#include "scanners/network/item.h"
#include "scanners/network/listeners.h"
#include "scanners/network/probe.h"
#include "scanners/scanner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTENERS_TIMEOUT_MS 3000
#define LISTENERS_CONCURRENCY 64
#define COMPLAINT_BYTES 200
#define PROC "/proc"

static const char place[] = "listeners:";

struct listeners_conf {
	struct scan_job job;
	bool fan_out;
};

struct plan {
	struct listeners listeners;
	size_t next;
	bool has_complained;
	struct fan_out *fan_out;            /* owned; NULL: none, or not yet */
	const struct format_limits *limits; /* borrowed, or NULL */
	bool is_fanning;                    /* wanted */
};

static const struct schema_field fields[] = {
	SCAN_JOB_FIELDS(struct listeners_conf, "5m"),
	SCAN_TRUST_FIELD(struct listeners_conf),
	SCAN_COMMON_NAME_FIELD(struct listeners_conf),
	{ .key = "fan_out",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct listeners_conf, fan_out),
		.standard = "true",
		.help = "Asks each TLS server for the names that certificates and configurations suggest." },
	{ .key = NULL },
};

static bool accepts(const char *source)
{
	return strcmp(source, place) == 0;
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
	char name[] = SCANNER_LISTENERS;
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
	struct sockets sockets = { 0 };
	struct socket_units units = { 0 };
	enum err e;

	(void)hints;
	if (!plan)
		return ERR_MEMORY;
	plan->is_fanning = own && own->fan_out;
	plan->limits = own ? own->job.limits : NULL;
	e = sockets_read(&sockets, why);
	if (e == ERR_OK)
		e = socket_units_read(socket_unit_folders, socket_unit_folders_count, &units);
	if (e == ERR_OK)
		e = listeners_from(&sockets, &units, PROC, &plan->listeners, why);
	socket_units_fini(&units);
	sockets_fini(&sockets);
	if (e != ERR_OK) {
		close_plan(plan);
		return e;
	}
	*expected = plan->listeners.count;
	*out = plan;
	return ERR_OK;
}

/* A datagram that nobody understands may be logged, or counted as an attack, so only what is known for DTLS is asked:
 * CoAP (RFC 7252), STUN and TURN (RFC 7350), RADIUS (RFC 7360), SNMP (RFC 6353), syslog (RFC 6012), IPFIX (RFC
 * 7011), DNS (RFC 8094 has 853, which is QUIC's today: not asked), RDP's gateway, and openssl's own. */
static bool speaks_dtls(const struct listener *l)
{
	static const uint16_t ports[] = { 5684, 5349, 2083, 10161, 10162, 6514, 4740, 3391, 4433 };
	static const char *const names[] = { "turnserver", "gnutls-serv", "openssl" };

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == l->port)
			return true;
	for (size_t i = 0; l->process.name && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(l->process.name, names[i]) == 0)
			return true;
	return false;
}

/* Said once a pass: whose sockets these are could not be told of all. */
static enum err complaint_item(const struct listeners *l, struct scan_item *out)
{
	char at[sizeof(place)];
	char text[COMPLAINT_BYTES];
	const struct target target = { .host = at,
		.complaint = text,
		.complaint_kind = l->is_cut ? COMPLAINT_LIMIT : COMPLAINT_DENIED };

	memcpy(at, place, sizeof(place));
	if (l->is_cut)
		(void)snprintf(text, sizeof(text),
			"this host has too many open descriptors to tell the process of every listening socket");
	else
		(void)snprintf(text, sizeof(text),
			"the processes of %llu of its listening sockets may not be seen by this user",
			(unsigned long long)l->unowned);
	return target_item(&target, out);
}

/* A server asked for a name is the process that listens there. */
static enum err next_name(const struct plan *plan, struct scan_item *out)
{
	struct scan_item item = { 0 };
	struct target target;
	enum err e = fan_out_next(plan->fan_out, &item);

	if (e != ERR_OK)
		return e;
	e = target_decode(buffer_bytes(&item.item), &target);
	free(item.place);
	buffer_fini(&item.item);
	if (e != ERR_OK)
		return e;
	for (size_t i = 0; e == ERR_OK && !target.process.pid && i < plan->listeners.count; i++) {
		const struct listener *l = &plan->listeners.items[i];

		if (target.host && !l->is_datagram && l->port == target.port &&
			strcmp(l->host, target.host) == 0) {
			process_fini(&target.process);
			e = process_copy(&target.process, &l->process);
			break;
		}
	}
	if (e == ERR_OK)
		e = target_item(&target, out);
	target_fini(&target);
	return e;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	struct plan *plan = arg;
	const struct listener *l;
	struct target target;

	(void)why;
	if (plan->next == plan->listeners.count) {
		if (plan->fan_out)
			return next_name(plan, out);
		if (plan->has_complained || !(plan->listeners.unowned || plan->listeners.is_cut))
			return ERR_END;
		plan->has_complained = true;
		return complaint_item(&plan->listeners, out);
	}
	l = &plan->listeners.items[plan->next++];
	target = (struct target){ .host = (char *)(uintptr_t)l->host,
		.port = l->port,
		.is_unnamed = true,
		.is_quiet = true,
		.process = l->process };
	if (l->is_datagram) {
		target.protocol = protocol_find(slice_text("dtls"));
		target.is_listed = !speaks_dtls(l);
	}
	return target_item(&target, out);
}

static enum err follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct plan *plan = arg;

	return plan->is_fanning ? fan_out_new(hints, plan->limits, &plan->fan_out, why) : ERR_OK;
}

const struct scanner listeners_scanner = {
	.name = SCANNER_LISTENERS,
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
