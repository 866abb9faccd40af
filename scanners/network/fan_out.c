/* Asking the TLS servers of this host for each name that they may serve. */
#include "scanners/network/fan_out.h"

#include "scanners/formats/format.h"
#include "scanners/network/item.h"
#include "scanners/network/listeners.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define ADDRESS_BYTES 64
#define TEXT_BYTES 192
#define NAME_BYTES 254 /* RFC 1035 2.3.4 */
/* What stands for the asterisk of a wildcard. */
#define BELOW_WILDCARD "leafwatch"

struct name {
	char *text;    /* owned */
	uint16_t port; /* 0: any */
};

struct server {
	char address[ADDRESS_BYTES];
	uint16_t port;
	const struct protocol *protocol;
	uint8_t leaf[FINGERPRINT_BYTES];
};

struct fan_out {
	struct name *names; /* owned */
	size_t names_count;
	struct server *servers; /* owned */
	size_t servers_count;
	/* Of the server under way. */
	size_t server;
	struct strings asked; /* configured ones first */
	size_t configured_count;
	size_t next;
	bool is_ready;
	size_t servers_max;
	size_t servers_left;            /* that were left out, ... */
	char first_left[ADDRESS_BYTES]; /* ... the first of them ... */
	uint16_t first_left_port;
	size_t names_max;      /* of all servers together ... */
	size_t names_each_max; /* ... and of one */
	const char *cut_by; /* the limit that left some out, and there the first server; or NULL */
	size_t cut_at;
};

/* What a client may ask for (RFC 6066 3): a host's full name, no address; a lone label is nobody's to know. */
static bool asked_name(const char *name, char out[NAME_BYTES])
{
	const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
	int size = snprintf(out, NAME_BYTES, "%s%s", rest == name ? "" : BELOW_WILDCARD ".", rest);

	if (size <= 0 || size >= NAME_BYTES || !strchr(rest, '.') || rest[0] == '.' ||
		rest[strlen(rest) - 1] == '.' || strspn(rest, "0123456789.") == strlen(rest))
		return false;
	for (int i = 0; i < size; i++) {
		if (!isalnum((unsigned char)out[i]) && !strchr("-_.", out[i]))
			return false;
		out[i] = (char)tolower((unsigned char)out[i]);
	}
	return true;
}

static enum err add_name(void *arg, const char *text, uint16_t port)
{
	struct fan_out *f = arg;
	char asked[NAME_BYTES];
	struct name *names;

	if (!asked_name(text, asked))
		return ERR_OK;
	for (size_t i = 0; i < f->names_count; i++)
		if (f->names[i].port == port && strcmp(f->names[i].text, asked) == 0)
			return ERR_OK;
	if (f->names_count >= f->names_max) {
		f->cut_by = "listener_names_total";
		return ERR_OK;
	}
	names = reallocarray(f->names, f->names_count + 1, sizeof(*names));
	if (!names)
		return ERR_MEMORY;
	f->names = names;
	names[f->names_count] = (struct name){ .text = strdup(asked), .port = port };
	return names[f->names_count++].text ? ERR_OK : ERR_MEMORY;
}

static enum err add_server(void *arg, const struct scan_served *served)
{
	struct fan_out *f = arg;
	const struct protocol *protocol = protocol_find(slice_text(served->scheme));
	struct server *servers;

	if (!protocol || strlen(served->address) >= ADDRESS_BYTES)
		return ERR_OK;
	if (f->servers_count == f->servers_max) {
		if (!f->servers_left++) {
			(void)snprintf(f->first_left, sizeof(f->first_left), "%s", served->address);
			f->first_left_port = served->port;
		}
		return ERR_OK;
	}
	servers = reallocarray(f->servers, f->servers_count + 1, sizeof(*servers));
	if (!servers)
		return ERR_MEMORY;
	f->servers = servers;
	servers += f->servers_count++;
	*servers = (struct server){ .port = served->port, .protocol = protocol };
	(void)snprintf(servers->address, sizeof(servers->address), "%s", served->address);
	memcpy(servers->leaf, served->leaf, FINGERPRINT_BYTES);
	return ERR_OK;
}

void fan_out_free(struct fan_out *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->names_count; i++)
		free(f->names[i].text);
	free(f->names);
	free(f->servers);
	strings_fini(&f->asked);
	free(f);
}

enum err fan_out_new(const struct scan_hints *hints, const struct format_limits *limits,
	struct fan_out **out, struct why *why)
{
	struct fan_out *f = calloc(1, sizeof(*f));
	enum err e = ERR_OK;

	if (!f)
		return ERR_MEMORY;
	limits = limits ? limits : &format_limits_standard;
	f->servers_max = (size_t)limits->listeners;
	f->names_max = (size_t)limits->listener_names_total;
	f->names_each_max = (size_t)limits->listener_names;
	if (hints->each_name && hints->each_served) {
		e = hints->each_served(hints->ctx, add_server, f, why);
		if (e == ERR_OK && f->servers_count)
			e = hints->each_name(hints->ctx, add_name, f, why);
	}
	if (e != ERR_OK) {
		fan_out_free(f);
		return e;
	}
	*out = f;
	return ERR_OK;
}

static enum err choose(struct fan_out *f, uint16_t port)
{
	for (size_t i = 0; i < f->names_count; i++) {
		enum err e;

		if (f->names[i].port != port || strings_contain(&f->asked, f->names[i].text))
			continue;
		if (f->asked.count >= f->names_each_max) {
			if (!f->cut_by)
				f->cut_at = f->server;
			f->cut_by = f->cut_by ? f->cut_by : "listener_names";
			return ERR_OK;
		}
		e = strings_add(&f->asked, f->names[i].text);
		if (e != ERR_OK)
			return e;
	}
	return ERR_OK;
}

static enum err choose_names(struct fan_out *f)
{
	uint16_t port = f->servers[f->server].port;
	enum err e;

	strings_fini(&f->asked);
	f->asked = (struct strings){ 0 };
	f->next = 0;
	e = choose(f, port);
	f->configured_count = f->asked.count;
	if (e == ERR_OK)
		e = choose(f, 0);
	f->is_ready = true;
	return e;
}

static enum err complain(const char *text, struct scan_item *out)
{
	char place[] = "listeners:";
	const struct target t = { .host = place,
		.complaint = (char *)(uintptr_t)text,
		.complaint_kind = COMPLAINT_LIMIT,
		.is_suggested = true };

	return target_item(&t, out);
}

static enum err tell_cut(struct fan_out *f, struct scan_item *out)
{
	const struct server *s = &f->servers[f->cut_at];
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
		"more names than %s port %u is asked for: some were left out (limits.%s)",
		s->address, s->port, f->cut_by);
	f->cut_by = NULL;
	return complain(text, out);
}

static enum err tell_left(struct fan_out *f, struct scan_item *out)
{
	char text[TEXT_BYTES];

	(void)snprintf(text, sizeof(text),
		"more servers than are asked for names: %zu were left out, %s port %u the first (limits.listeners)",
		f->servers_left, f->first_left, f->first_left_port);
	f->servers_left = 0;
	return complain(text, out);
}

enum err fan_out_next(struct fan_out *f, struct scan_item *out)
{
	for (; f->server < f->servers_count; f->server++, f->is_ready = false) {
		struct server *s = &f->servers[f->server];
		struct target t = { .host = s->address,
			.port = s->port,
			.protocol = s->protocol,
			.is_quiet = true,
			.is_suggested = true };
		enum err e = f->is_ready ? ERR_OK : choose_names(f);

		if (e != ERR_OK)
			return e;
		if (f->next == f->asked.count)
			continue;
		t.is_configured = f->next < f->configured_count;
		t.name = f->asked.items[f->next++];
		memcpy(t.usual_leaf, s->leaf, FINGERPRINT_BYTES);
		return target_item(&t, out);
	}
	if (f->servers_left)
		return tell_left(f, out);
	return f->cut_by ? tell_cut(f, out) : ERR_END;
}
