/* Prometheus' http_sd: its keys, and what main hands to the probe. */
#include "scanners/network/discovery.h"

#include "agent/config/read_file.h"
#include "agent/process/messages.h"
#include "scanners/network/identity.h"
#include "scanners/network/route.h"

#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES_MAX 8192
#define URL_BYTES_MAX 2048 /* so that its place, all of it encoded, is one that a target may have */
#define HEADER_BYTES_MAX (2 * SECRET_BYTES_MAX + 64)
#define PLACE_BYTES (4 * SECRET_BYTES_MAX)
#define CA_BYTES_MAX (256 * 1024) /* of all together: they go in one frame */
#define CREDENTIAL "credential:"

static enum err check_url(const char *value, struct why *why)
{
	if (!http_url_is_spoken(value))
		return why_fail(why, ERR_CONFIG, "only http:// and https:// are spoken");
	return ERR_OK;
}

const struct schema_field discovery_fields[] = {
	{ .key = "url",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct discovery_conf, url),
		.is_required = true,
		.check = check_url,
		.help = "Where the list is: http or https." },
	{ .key = "authorization",
		.type = SCHEMA_SECTION,
		.fields = http_authorization_fields,
		.section_bytes = sizeof(struct http_authorization),
		.offset = offsetof(struct discovery_conf, authorization),
		.help = "An Authorization header." },
	{ .key = "basic_auth",
		.type = SCHEMA_SECTION,
		.fields = http_basic_fields,
		.section_bytes = sizeof(struct http_basic),
		.offset = offsetof(struct discovery_conf, basic_auth),
		.help = "HTTP basic authentication." },
	{ .key = "ca_file",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct discovery_conf, ca_file),
		.help = "PEM bundle to verify the server with, instead of the system's." },
	{ .key = "proxy",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct discovery_conf, proxy),
		.check = route_check,
		.help = "Proxy to ask through, or none; without it, the environment's." },
	{ .key = NULL },
};

enum err discoveries_check(const struct sections *all, struct why *why)
{
	enum err e = ERR_OK;

	if (all->count > DISCOVERIES_MAX)
		return why_fail(why, ERR_CONFIG, "http_sd: more than %d", DISCOVERIES_MAX);
	for (size_t i = 0; e == ERR_OK && i < all->count; i++) {
		const struct discovery_conf *conf = all->items[i];

		e = http_credentials_check(&conf->authorization, &conf->basic_auth, why);
		if (e == ERR_OK && secret_is_set(&conf->basic_auth.password) &&
			!conf->basic_auth.username)
			e = why_fail(why, ERR_CONFIG, "basic_auth: a password without username");
	}
	return e;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static enum err check_line(const char *text, const char *key, struct why *why)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			return why_fail(why, ERR_CONFIG,
				"http_sd: %s holds a control character, or more than one line",
				key);
	return ERR_OK;
}

/* NULL where it is not given. */
static enum err read_secret(const struct secret *s, const char *key, char **out, struct why *why)
{
	struct buffer bytes;
	enum err e;

	if (!secret_is_set(s))
		return ERR_OK;
	e = secret_read(s, SECRET_BYTES_MAX, &bytes, why);
	if (e == ERR_OK)
		e = check_line(buffer_string(&bytes), key, why);
	if (e == ERR_OK && !(*out = strdup(buffer_string(&bytes))))
		e = ERR_MEMORY;
	buffer_wipe(&bytes);
	return e;
}

enum err discovery_url(const struct discovery_conf *conf, char **out, struct why *why)
{
	char *url = NULL;
	enum err e = read_secret(&conf->url, "url", &url, why);

	if (e == ERR_OK && (!url || !http_url_is_spoken(url)))
		e = why_fail(why, ERR_CONFIG, "http_sd: url: only http:// and https:// are spoken");
	if (e == ERR_OK && url && strlen(url) > URL_BYTES_MAX)
		e = why_fail(why, ERR_CONFIG, "http_sd: url: over %d bytes long", URL_BYTES_MAX);
	if (e == ERR_OK)
		*out = url;
	else
		discovery_wipe(url);
	return e;
}

static enum err read_authorization(const struct http_authorization *a, char **out, struct why *why)
{
	char *credentials = NULL;
	struct buffer header;
	enum err e = read_secret(&a->credentials, "credentials", &credentials, why);

	if (e != ERR_OK || !credentials)
		return e;
	buffer_init(&header, HEADER_BYTES_MAX);
	buffer_format(&header, "Authorization: %s %s", a->type, credentials);
	e = buffer_status(&header);
	if (e == ERR_OK)
		e = check_line(buffer_string(&header), "authorization", why);
	if (e == ERR_OK && !(*out = strdup(buffer_string(&header))))
		e = ERR_MEMORY;
	buffer_wipe(&header);
	discovery_wipe(credentials);
	return e;
}

static enum err copy_text(const char *from, char **to)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? ERR_MEMORY : ERR_OK;
}

/* The probe reaches no files but those that resolving names needs. */
static enum err read_ca(const char *path, char **out, struct why *why)
{
	struct buffer bytes;
	enum err e;

	if (!path)
		return ERR_OK;
	e = read_file(path, CA_BYTES_MAX, &bytes, why);
	if (e == ERR_OK && !strstr(buffer_string(&bytes), "-----BEGIN"))
		e = why_fail(why, ERR_CONFIG, "%s: holds no PEM", path);
	if (e == ERR_OK)
		e = copy_text(buffer_string(&bytes), out);
	buffer_fini(&bytes);
	return e;
}

static enum err read_one(const struct discovery_conf *conf, struct discovery *d, struct why *why)
{
	enum err e = discovery_url(conf, &d->url, why);

	if (e == ERR_OK)
		e = read_authorization(&conf->authorization, &d->authorization, why);
	if (e == ERR_OK)
		e = copy_text(conf->basic_auth.username, &d->username);
	if (e == ERR_OK)
		e = read_secret(&conf->basic_auth.password, "password", &d->password, why);
	if (e == ERR_OK)
		e = read_ca(conf->ca_file, &d->ca, why);
	if (e == ERR_OK)
		e = read_secret(&conf->proxy, "proxy", &d->proxy, why);
	if (e == ERR_OK && d->proxy)
		e = route_check(d->proxy, why);
	if (e == ERR_OK && d->proxy && strcmp(d->proxy, "none") == 0)
		d->proxy[0] = '\0';
	return e;
}

enum err discoveries_read(const struct sections *all, struct discoveries *out, struct why *why)
{
	enum err e = discoveries_check(all, why);
	size_t size = 0;

	for (size_t i = 0; e == ERR_OK && i < all->count; i++) {
		struct discovery *d = &out->items[out->count++];

		e = read_one(all->items[i], d, why);
		size += d->ca ? strlen(d->ca) : 0;
	}
	if (e == ERR_OK && size > CA_BYTES_MAX)
		e = why_fail(why, ERR_LIMIT, "http_sd: all ca_file together are over %d KiB",
			CA_BYTES_MAX / 1024);
	return e;
}

/* ---- places ----------------------------------------------------------------------------------- */

static void put_printable(struct buffer *out, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] > ' ' && text[i] <= '~')
			buffer_byte(out, (uint8_t)text[i]);
		else
			buffer_format(out, "%%%02X", (unsigned char)text[i]);
}

char *discovery_place(const struct discovery_conf *conf)
{
	const char *url = conf->url.value;
	const char *authority, *path;
	struct buffer out;

	if (!url) {
		bool is_credential = strncmp(conf->url.file, CREDENTIAL, strlen(CREDENTIAL)) == 0;

		return is_credential ? strdup(conf->url.file) : identity_uri(conf->url.file);
	}
	authority = strstr(url, "://") + strlen("://");
	path = authority + strcspn(authority, "/?#");
	buffer_init(&out, PLACE_BYTES);
	buffer_append(&out, url, (size_t)(authority - url));
	for (const char *p = authority; p < path; p++)
		if (*p == '@')
			authority = p + 1;
	put_printable(&out, authority, (size_t)(path - authority) + strcspn(path, "?#"));
	return buffer_take_string(&out);
}

/* ---- life and bytes --------------------------------------------------------------------------- */

void discovery_wipe(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void discoveries_fini(struct discoveries *d)
{
	for (size_t i = 0; i < DISCOVERIES_MAX; i++) {
		discovery_wipe(d->items[i].url);
		discovery_wipe(d->items[i].authorization);
		discovery_wipe(d->items[i].username);
		discovery_wipe(d->items[i].password);
		free(d->items[i].ca);
		discovery_wipe(d->items[i].proxy);
	}
	*d = (struct discoveries){ 0 };
}

void discoveries_encode(struct buffer *out, const struct discoveries *d)
{
	wire_put_u8(out, (uint8_t)d->count);
	wire_put_i64(out, d->refresh_ms);
	for (size_t i = 0; i < d->count; i++) {
		wire_put_text(out, d->items[i].url);
		wire_put_text(out, d->items[i].authorization);
		wire_put_text(out, d->items[i].username);
		wire_put_text(out, d->items[i].password);
		wire_put_text(out, d->items[i].ca);
		wire_put_text(out, d->items[i].proxy);
	}
}

void discoveries_decode(struct wire *w, struct discoveries *out)
{
	out->count = wire_get_u8(w);
	out->refresh_ms = wire_get_i64(w);
	if (out->count > DISCOVERIES_MAX) {
		w->bad = true;
		out->count = 0;
	}
	for (size_t i = 0; i < out->count; i++) {
		struct discovery *d = &out->items[i];

		d->url = wire_get_text(w, SECRET_BYTES_MAX);
		d->authorization = wire_get_text(w, HEADER_BYTES_MAX);
		d->username = wire_get_text(w, SECRET_BYTES_MAX);
		d->password = wire_get_text(w, SECRET_BYTES_MAX);
		d->ca = wire_get_text(w, CA_BYTES_MAX);
		d->proxy = wire_get_text(w, SECRET_BYTES_MAX);
		if (!d->url)
			w->bad = true;
	}
}

void discovery_part_encode(struct buffer *out, const struct discovery_part *part)
{
	wire_put_u16(out, part->number);
	wire_put_bool(out, part->is_first);
	wire_put_bool(out, part->is_last);
	wire_put_bytes(out, part->text);
}

enum err discovery_part_decode(struct slice bytes, struct discovery_part *out)
{
	struct wire w = wire_of(bytes);

	out->number = wire_get_u16(&w);
	out->is_first = wire_get_bool(&w);
	out->is_last = wire_get_bool(&w);
	out->text = wire_get_bytes(&w, FRAME_BYTES_MAX);
	return wire_end(&w);
}
