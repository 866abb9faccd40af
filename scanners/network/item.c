/* Options and targets as bytes. */
#include "scanners/network/item.h"

#include "agent/base/wire.h"
#include "scanners/network/dns.h"
#include "scanners/network/exclude.h"
#include "scanners/network/proxy.h"

#include <stdlib.h>

#define NAME_BYTES_MAX 1024
#define COMPLAINT_BYTES_MAX 2048
#define SCANNER_BYTES_MAX 64
#define PROTOCOL_BYTES_MAX 32
#define ITEM_BYTES_MAX (8 * 1024)

enum {
	TARGET_UNNAMED = 1,
	TARGET_QUIET = 2,
	TARGET_SUGGESTED = 4,
	TARGET_CONFIGURED = 8,
	TARGET_LISTED = 16
};

void probe_options_encode(struct buffer *out, const struct probe_options *o)
{
	wire_put_text(out, o->scanner);
	wire_put_i64(out, o->timeout_ms);
	wire_put_u32(out, o->concurrency);
	wire_put_bool(out, o->is_paced);
	wire_put_u32(out, o->per_address);
	wire_put_u32(out, o->per_address_rate);
	wire_put_i64(out, o->dns_timeout_ms);
	wire_put_strings(out, &o->resolvers);
	wire_put_strings(out, &o->exclusions);
	wire_put_text(out, o->proxy_tls);
	wire_put_text(out, o->proxy_other);
	wire_put_bool(out, o->is_proxy_meant);
	wire_put_bool(out, o->is_direct);
	wire_put_strings(out, &o->no_proxy);
	wire_put_text(out, o->http_path);
	wire_put_bool(out, o->is_certificates_only);
	identities_encode(out, &o->identities);
	discoveries_encode(out, &o->discoveries);
}

enum err probe_options_decode(struct slice bytes, struct probe_options *out)
{
	struct wire w = wire_of(bytes);
	struct probe_options o = { 0 };
	bool is_good;

	o.scanner = wire_get_text(&w, SCANNER_BYTES_MAX);
	o.timeout_ms = wire_get_i64(&w);
	o.concurrency = wire_get_u32(&w);
	o.is_paced = wire_get_bool(&w);
	o.per_address = wire_get_u32(&w);
	o.per_address_rate = wire_get_u32(&w);
	o.dns_timeout_ms = wire_get_i64(&w);
	wire_get_strings(&w, &o.resolvers, DNS_SERVERS_MAX, EXCLUSION_BYTES_MAX);
	wire_get_strings(&w, &o.exclusions, EXCLUSIONS_MAX, EXCLUSION_BYTES_MAX);
	o.proxy_tls = wire_get_text(&w, PROXY_BYTES_MAX);
	o.proxy_other = wire_get_text(&w, PROXY_BYTES_MAX);
	o.is_proxy_meant = wire_get_bool(&w);
	o.is_direct = wire_get_bool(&w);
	wire_get_strings(&w, &o.no_proxy, EXCLUSIONS_MAX, EXCLUSION_BYTES_MAX);
	o.http_path = wire_get_text(&w, PROBE_HTTP_PATH_BYTES_MAX);
	o.is_certificates_only = wire_get_bool(&w);
	identities_decode(&w, &o.identities);
	discoveries_decode(&w, &o.discoveries);
	is_good = wire_end(&w) == ERR_OK && o.scanner && o.timeout_ms >= PROBE_TIMEOUT_MS_MIN &&
		  o.timeout_ms <= PROBE_TIMEOUT_MS_MAX && o.concurrency >= 1 &&
		  o.concurrency <= PROBE_CONCURRENCY_MAX &&
		  o.dns_timeout_ms >= PROBE_TIMEOUT_MS_MIN &&
		  o.dns_timeout_ms <= PROBE_TIMEOUT_MS_MAX;
	if (!is_good) {
		probe_options_fini(&o);
		return ERR_MALFORMED;
	}
	*out = o;
	return ERR_OK;
}

void probe_options_fini(struct probe_options *o)
{
	free(o->scanner);
	strings_fini(&o->resolvers);
	strings_fini(&o->exclusions);
	strings_fini(&o->no_proxy);
	free(o->proxy_tls);
	free(o->proxy_other);
	free(o->http_path);
	identities_fini(&o->identities);
	discoveries_fini(&o->discoveries);
	*o = (struct probe_options){ 0 };
}

const struct protocol *target_protocol(const struct target *t)
{
	return t->protocol ? t->protocol : protocols[0];
}

void target_fini(struct target *t)
{
	free(t->name);
	free(t->host);
	free(t->complaint);
	process_fini(&t->process);
	*t = (struct target){ 0 };
}

enum reason complaint_reason(enum complaint kind)
{
	static const enum reason reasons[COMPLAINT_COUNT] = {
		[COMPLAINT_MALFORMED] = REASON_MALFORMED,
		[COMPLAINT_DENIED] = REASON_PERMISSION_DENIED,
		[COMPLAINT_LIMIT] = REASON_LIMIT_REACHED,
	};

	return reasons[kind];
}

void target_uri(struct buffer *out, const struct target *t)
{
	buffer_format(out, "%s://", t->is_listed ? "udp" : target_protocol(t)->name);
	if (t->name)
		buffer_format(out, "%s@", t->name);
	if (strchr(t->host, ':')) {
		const char *zone = strchr(t->host, '%');

		/* RFC 6874 2: the zone of an address, its '%' encoded. */
		buffer_byte(out, '[');
		buffer_append(out, t->host, zone ? (size_t)(zone - t->host) : strlen(t->host));
		if (zone)
			buffer_format(out, "%%25%s", zone + 1);
		buffer_format(out, "]:%u", t->port);
	} else
		buffer_format(out, "%s:%u", t->host, t->port);
}

void target_encode(struct buffer *out, const struct target *t)
{
	wire_put_text(out, t->name);
	/* The place says where that of ours lies. */
	wire_put_text(out, t->own || t->discovery ? NULL : t->host);
	wire_put_u16(out, t->port);
	wire_put_text(out, target_protocol(t)->name);
	wire_put_u8(out,
		(uint8_t)((t->is_unnamed ? TARGET_UNNAMED : 0) | (t->is_quiet ? TARGET_QUIET : 0) |
			  (t->is_suggested ? TARGET_SUGGESTED : 0) |
			  (t->is_configured ? TARGET_CONFIGURED : 0) |
			  (t->is_listed ? TARGET_LISTED : 0)));
	wire_put_text(out, t->complaint);
	wire_put_u16(out, t->own);
	wire_put_u16(out, t->discovery);
	wire_put_u8(out, (uint8_t)t->complaint_kind);
	process_encode(out, &t->process);
	if (t->is_suggested)
		buffer_append(out, t->usual_leaf, FINGERPRINT_BYTES);
}

enum err target_decode(struct slice bytes, struct target *out)
{
	struct wire w = wire_of(bytes);
	struct target t = { 0 };
	char *protocol;
	uint8_t flags;
	uint8_t kind;

	t.name = wire_get_text(&w, NAME_BYTES_MAX);
	/* Of a complaint it is a place. */
	t.host = wire_get_text(&w, ITEM_BYTES_MAX);
	t.port = wire_get_u16(&w);
	protocol = wire_get_text(&w, PROTOCOL_BYTES_MAX);
	t.protocol = protocol ? protocol_find(slice_text(protocol)) : NULL;
	free(protocol);
	flags = wire_get_u8(&w);
	t.complaint = wire_get_text(&w, COMPLAINT_BYTES_MAX);
	t.own = wire_get_u16(&w);
	t.discovery = wire_get_u16(&w);
	kind = wire_get_u8(&w);
	process_decode(&w, &t.process);
	t.is_unnamed = flags & TARGET_UNNAMED;
	t.is_quiet = flags & TARGET_QUIET;
	t.is_suggested = flags & TARGET_SUGGESTED;
	t.is_configured = flags & TARGET_CONFIGURED;
	t.is_listed = flags & TARGET_LISTED;
	if (t.is_suggested)
		(void)wire_get_raw(&w, t.usual_leaf, FINGERPRINT_BYTES);
	t.complaint_kind = (enum complaint)kind;
	if (wire_end(&w) != ERR_OK || kind >= COMPLAINT_COUNT || flags >= 2 * TARGET_LISTED ||
		(!t.complaint && !t.own && !t.discovery && (!t.host || !t.port || !t.protocol))) {
		target_fini(&t);
		return ERR_MALFORMED;
	}
	*out = t;
	return ERR_OK;
}

enum err target_item(const struct target *t, struct scan_item *out)
{
	struct scan_item item = { 0 };
	struct buffer place;
	enum err e;

	buffer_init(&place, ITEM_BYTES_MAX);
	buffer_init(&item.item, ITEM_BYTES_MAX);
	/* A complaint's host is the place it is about. */
	if (t->complaint || t->own || t->discovery)
		buffer_text(&place, t->host);
	else
		target_uri(&place, t);
	target_encode(&item.item, t);
	e = buffer_status(&item.item);
	item.place = buffer_take_string(&place);
	if (e == ERR_OK && !item.place)
		e = ERR_MEMORY;
	if (e != ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
		return e;
	}
	*out = item;
	return ERR_OK;
}
