/* Client certificates of ours: read, handed over, matched to targets. */
#include "scanners/network/identity.h"

#include "agent/base/text.h"
#include "agent/certificate/token.h"
#include "agent/config/read_file.h"
#include "scanners/tokens/uri.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PASSWORD_BYTES_MAX 1024
#define PATTERN_BYTES_MAX 1100
#define PATTERNS_MAX 1024
#define URI_BYTES_MAX (16 * 1024)

static bool is_token(const char *value)
{
	return value && strncmp(value, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) == 0;
}

enum err identity_check_certificate(const char *value, struct why *why)
{
	return is_token(value) ? token_order_check_certificate(value, why) : ERR_OK;
}

enum err identity_check_key(const char *value, struct why *why)
{
	return is_token(value) ? token_order_check_key(value, why) : ERR_OK;
}

const struct schema_field identity_fields[] = {
	{ .key = "targets",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct identity_conf, targets),
		.standard = "[\"*\"]",
		.help = "Servers that are shown it: host or host:port, with * and ? for any characters." },
	{ .key = "cert",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct identity_conf, cert),
		.is_required = true,
		.check = identity_check_certificate,
		.help = "File with the certificate and its intermediates (PEM, DER, or PKCS#12), or the pkcs11: URI "
			"of one in a token." },
	{ .key = "key",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct identity_conf, key),
		.check = identity_check_key,
		.help = "File with its private key (PEM or DER), or the pkcs11: URI of one in a token; not given: it "
			"is where the certificate is." },
	{ .key = "password",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct identity_conf, password),
		.help = "Password of a file with key or PKCS#12; a PIN stands in the file that pin-source in the URI "
			"names." },
	{ .key = "network",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct identity_conf, network),
		.standard = "no",
		.help = "Let the module of a key in a token use the network, as those of network HSMs must." },
	{ .key = NULL },
};

static void identity_fini(struct identity *i)
{
	strings_fini(&i->targets);
	free(i->uri);
	free(i->key_uri);
	buffer_wipe(&i->certificate);
	buffer_wipe(&i->key);
	buffer_wipe(&i->password);
}

void identities_fini(struct identities *i)
{
	for (size_t k = 0; k < i->count; k++)
		identity_fini(&i->items[k]);
	free(i->items);
	*i = (struct identities){ 0 };
}

static struct identity *add(struct identities *to)
{
	struct identity *items = reallocarray(to->items, to->count + 1, sizeof(*items));

	if (!items)
		return NULL;
	to->items = items;
	items[to->count] = (struct identity){ 0 };
	return &items[to->count++];
}

char *identity_uri(const char *path)
{
	char *whole;
	struct buffer out;

	if (is_token(path))
		return token_uri_place(path);
	whole = realpath(path, NULL);

	buffer_init(&out, URI_BYTES_MAX);
	buffer_text(&out, "file://");
	text_uri_encode(&out, slice_text(whole ? whole : path));
	free(whole);
	return buffer_take_string(&out);
}

/* A key in a token, with its certificate beside it or in a file. */
static enum err check_pair(const struct identity_conf *from, struct why *why)
{
	if (from->key && is_token(from->cert) && !is_token(from->key))
		return why_fail(why, ERR_CONFIG,
			"%s: the private key of a certificate in a token is in a token too",
			from->key);
	/* One PIN for all that a URI names, in a file that says when it changed. */
	if ((is_token(from->cert) || is_token(from->key)) && secret_is_set(&from->password))
		return why_fail(why, ERR_CONFIG,
			"the PIN of a token stands in the file that pin-source in its URI names, not in a password");
	return ERR_OK;
}

enum err identity_order(const struct identity_conf *from, struct token_order *out, struct why *why)
{
	bool is_both = is_token(from->cert);
	enum err e;

	*out = (struct token_order){ 0 };
	if (!is_both && !is_token(from->key))
		return ERR_NOT_FOUND;
	e = token_order_gather(
		is_both ? from->cert : NULL, is_token(from->key) ? from->key : NULL, out, why);
	out->work.has_network = from->network;
	if (e == ERR_OK && !is_both)
		e = read_file(from->cert, TOKEN_ORDER_FILE_BYTES_MAX, &out->file, why);
	return e;
}

enum err identities_read(struct identities *to, const struct identity_conf *from, struct why *why)
{
	struct identity *i;
	enum err e = check_pair(from, why);

	if (e != ERR_OK)
		return e;
	if (to->count == IDENTITIES_MAX)
		return why_fail(
			why, ERR_CONFIG, "more than %d client certificates", IDENTITIES_MAX);
	i = add(to);
	if (!i)
		return ERR_MEMORY;
	e = strings_copy(&i->targets, &from->targets);
	if (e == ERR_OK && !i->targets.count)
		e = strings_add(&i->targets, "*");
	i->uri = identity_uri(from->cert);
	if (e == ERR_OK && !i->uri)
		e = ERR_MEMORY;
	i->is_in_token = is_token(from->cert) || is_token(from->key);
	if (e == ERR_OK && i->is_in_token &&
		!(i->key_uri = token_uri_place(from->key ? from->key : from->cert)))
		e = ERR_MEMORY;
	if (e == ERR_OK && !is_token(from->cert))
		e = read_file(from->cert, IDENTITY_BYTES_MAX, &i->certificate, why);
	if (e == ERR_OK && from->key && !i->is_in_token)
		e = read_file(from->key, IDENTITY_BYTES_MAX, &i->key, why);
	if (e == ERR_OK && secret_is_set(&from->password))
		e = secret_read(&from->password, PASSWORD_BYTES_MAX, &i->password, why);
	return e;
}

void identities_encode(struct buffer *out, const struct identities *i)
{
	wire_put_u32(out, (uint32_t)i->count);
	for (size_t k = 0; k < i->count; k++) {
		const struct identity *one = &i->items[k];

		wire_put_strings(out, &one->targets);
		wire_put_text(out, one->uri);
		wire_put_bool(out, one->is_in_token);
		wire_put_text(out, one->key_uri);
		wire_put_bytes(out, buffer_bytes(&one->certificate));
		wire_put_bytes(out, buffer_bytes(&one->key));
		wire_put_bytes(out, buffer_bytes(&one->password));
	}
}

static void get_buffer(struct wire *w, struct buffer *out, size_t max)
{
	struct slice bytes = wire_get_bytes(w, max);

	/* One allocation that is never moved, so that wiping it leaves nothing behind. */
	buffer_init(out, max + 1);
	if (bytes.size && buffer_reserve(out, bytes.size))
		buffer_slice(out, bytes);
	if (buffer_status(out) != ERR_OK)
		w->bad = true;
}

void identities_decode(struct wire *w, struct identities *out)
{
	size_t count = wire_get_u32(w);

	if (count > IDENTITIES_MAX)
		w->bad = true;
	for (size_t k = 0; !w->bad && k < count; k++) {
		struct identity *one = add(out);

		if (!one) {
			w->bad = true;
			return;
		}
		wire_get_strings(w, &one->targets, PATTERNS_MAX, PATTERN_BYTES_MAX);
		one->uri = wire_get_text(w, URI_BYTES_MAX);
		one->is_in_token = wire_get_bool(w);
		one->key_uri = wire_get_text(w, URI_BYTES_MAX);
		get_buffer(w, &one->certificate, IDENTITY_BYTES_MAX);
		get_buffer(w, &one->key, IDENTITY_BYTES_MAX);
		get_buffer(w, &one->password, PASSWORD_BYTES_MAX);
		if (!one->uri || one->is_in_token != (one->key_uri != NULL))
			w->bad = true;
	}
}

bool identity_is_for(const struct strings *patterns, const char *host, uint16_t port)
{
	char whole[PATTERN_BYTES_MAX];

	(void)snprintf(whole, sizeof(whole), "%s:%u", host, port);
	for (size_t i = 0; i < patterns->count; i++)
		if (fnmatch(patterns->items[i], host, FNM_CASEFOLD) == 0 ||
			fnmatch(patterns->items[i], whole, FNM_CASEFOLD) == 0)
			return true;
	return false;
}
