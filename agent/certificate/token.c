/* PKCS#11 modules through GnuTLS. */
#include "agent/certificate/token.h"

#include "agent/base/clock.h"
#include "agent/certificate/token_internal.h"

#include <gnutls/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NOLINTNEXTLINE(readability-function-size): of the type that GnuTLS has for it */
int token_on_pin(void *arg, int attempt, const char *url, const char *label, unsigned flags,
	char *out, size_t max)
{
	struct token_pin_given *pin = arg;

	(void)url;
	(void)label;
	if (flags & GNUTLS_PIN_FINAL_TRY)
		pin->is_final_try = true;
	if (!pin->text || attempt || pin->asked++ || pin->is_final_try || (flags & GNUTLS_PIN_SO) ||
		strlen(pin->text) >= max)
		return GNUTLS_E_PKCS11_PIN_ERROR;
	memcpy(out, pin->text, strlen(pin->text) + 1);
	return 0;
}

enum err token_fail(struct why *why, int code, const char *what)
{
	enum err e = ERR_IO;

	if (code == GNUTLS_E_MEMORY_ERROR)
		e = ERR_MEMORY;
	if (code == GNUTLS_E_PKCS11_PIN_ERROR || code == GNUTLS_E_PKCS11_PIN_EXPIRED)
		e = ERR_PASSWORD;
	if (code == GNUTLS_E_PKCS11_PIN_LOCKED)
		e = ERR_DENIED;
	if (code == GNUTLS_E_PKCS11_USER_ERROR)
		e = ERR_BUSY;
	return why_fail(why, e, "%s: %s", what, gnutls_strerror(code));
}

enum err token_module_load(const char *path, struct why *why)
{
	int code;

	if (access(path, R_OK) != 0)
		return why_fail(why, ERR_NOT_FOUND, "the module %s cannot be read: %m", path);
	code = gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_MANUAL, NULL);
	if (code == 0)
		code = gnutls_pkcs11_add_provider(path, NULL);
	if (code == 0)
		return ERR_OK;
	gnutls_pkcs11_deinit();
	return why_fail(why, ERR_UNSUPPORTED, "%s is no PKCS#11 module that starts: %s", path,
		gnutls_strerror(code));
}

void token_module_unload(void)
{
	gnutls_pkcs11_set_pin_function(NULL, NULL);
	gnutls_pkcs11_deinit();
}

/* GnuTLS's texts are its own to free. */
static enum err take_text(char *text, char **out)
{
	*out = text ? strdup(text) : NULL;
	gnutls_free(text);
	return *out ? ERR_OK : ERR_MEMORY;
}

void token_fini(struct token *t)
{
	free(t->uri);
	free(t->library);
	*t = (struct token){ 0 };
}

static enum err token_uri(unsigned n, gnutls_pkcs11_url_type_t type, char **out, struct why *why)
{
	char *url = NULL;
	int code = gnutls_pkcs11_token_get_url(n, type, &url);

	if (code == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
		return ERR_END;
	if (code != 0)
		return token_fail(why, code, "its tokens cannot be listed");
	return take_text(url, out);
}

enum err token_at(unsigned n, struct token *out, struct why *why)
{
	struct token t = { 0 };
	unsigned flags = 0;
	enum err e;
	int code;

	if (n >= TOKENS_CEILING)
		return ERR_END;
	e = token_uri(n, GNUTLS_PKCS11_URL_GENERIC, &t.uri, why);
	if (e == ERR_OK)
		e = token_uri(n, GNUTLS_PKCS11_URL_LIB_VERSION, &t.library, why);
	if (e != ERR_OK) {
		token_fini(&t);
		return e;
	}
	code = gnutls_pkcs11_token_get_flags(t.uri, &flags);
	if (code != 0) {
		token_fini(&t);
		return token_fail(why, code, "a token cannot be asked what it is");
	}
	t.is_initialized = flags & GNUTLS_PKCS11_TOKEN_INITIALIZED;
	t.is_trust_store = flags & GNUTLS_PKCS11_TOKEN_TRUSTED;
	t.needs_login = flags & GNUTLS_PKCS11_TOKEN_LOGIN_REQUIRED;
	t.has_pin = flags & GNUTLS_PKCS11_TOKEN_USER_PIN_INITIALIZED;
	t.has_keypad = flags & GNUTLS_PKCS11_TOKEN_PROTECTED_AUTHENTICATION_PATH;
	t.is_final_try = flags & GNUTLS_PKCS11_TOKEN_USER_PIN_FINAL_TRY;
	t.is_locked = flags & GNUTLS_PKCS11_TOKEN_USER_PIN_LOCKED;
	*out = t;
	return ERR_OK;
}

/* --- objects --------------------------------------------------------------------------------------- */

static void object_fini(struct token_object *o)
{
	free(o->uri);
	free(o->label);
	free(o->id);
	free(o->key_uri);
	free(o->der);
}

void token_objects_fini(struct token_objects *o)
{
	for (size_t i = 0; i < o->count; i++)
		object_fini(&o->items[i]);
	free(o->items);
	*o = (struct token_objects){ 0 };
}

/* A text that the object may lack. */
static enum err object_text(gnutls_pkcs11_obj_t object, gnutls_pkcs11_obj_info_t what, char **out)
{
	size_t size = 0;
	char *text;
	int code = gnutls_pkcs11_obj_get_info(object, what, NULL, &size);

	*out = NULL;
	if (code != GNUTLS_E_SHORT_MEMORY_BUFFER || size == 0)
		return ERR_OK;
	text = calloc(1, size + 1);
	if (!text)
		return ERR_MEMORY;
	if (gnutls_pkcs11_obj_get_info(object, what, text, &size) != 0 || !*text) {
		free(text);
		return ERR_OK;
	}
	*out = text;
	return ERR_OK;
}

static enum err object_der(gnutls_pkcs11_obj_t object, size_t bytes_max, struct token_object *out)
{
	gnutls_datum_t der = { 0 };
	enum err e = ERR_OK;

	if (gnutls_pkcs11_obj_export2(object, &der) != 0)
		return ERR_NOT_FOUND;
	if (der.size == 0)
		e = ERR_NOT_FOUND;
	else if (der.size > bytes_max)
		e = ERR_LIMIT;
	else if (!(out->der = malloc(der.size)))
		e = ERR_MEMORY;
	if (e == ERR_OK) {
		memcpy(out->der, der.data, der.size);
		out->der_size = der.size;
	}
	gnutls_free(der.data);
	return e;
}

/* ERR_NOT_FOUND: a certificate that has no value, as where only its URL is stored. ERR_LIMIT: too large a one. */
static enum err object_read(gnutls_pkcs11_obj_t object, size_t bytes_max, struct token_object *out)
{
	unsigned flags = 0;
	char *url = NULL;
	enum err e = object_der(object, bytes_max, out);

	if (e != ERR_OK)
		return e;
	if (gnutls_pkcs11_obj_export_url(object, GNUTLS_PKCS11_URL_GENERIC, &url) != 0)
		return ERR_NOT_FOUND;
	e = take_text(url, &out->uri);
	if (e == ERR_OK)
		e = object_text(object, GNUTLS_PKCS11_OBJ_LABEL, &out->label);
	if (e == ERR_OK)
		e = object_text(object, GNUTLS_PKCS11_OBJ_ID_HEX, &out->id);
	if (gnutls_pkcs11_obj_get_flags(object, &flags) == 0)
		out->is_trusted = flags & GNUTLS_PKCS11_OBJ_FLAG_MARK_TRUSTED;
	return e;
}

struct listing {
	gnutls_pkcs11_obj_t *items;
	unsigned count;
};

static void listing_free(struct listing *l)
{
	for (unsigned i = 0; i < l->count; i++)
		gnutls_pkcs11_obj_deinit(l->items[i]);
	gnutls_free(l->items);
}

/* One login at most: the PIN is given anew only after the token took it before. */
static enum err list(const struct token *t, struct token_pin_given *pin, unsigned flags,
	struct listing *out, struct why *why)
{
	int code;

	pin->asked = 0;
	gnutls_pkcs11_set_pin_function(token_on_pin, pin);
	if (pin->text)
		flags |= GNUTLS_PKCS11_OBJ_FLAG_LOGIN;
	code = gnutls_pkcs11_obj_list_import_url4(&out->items, &out->count, t->uri, flags);
	gnutls_pkcs11_set_pin_function(NULL, NULL);
	if (pin->is_final_try)
		return why_fail(why, ERR_DENIED, "one more wrong PIN would lock it");
	return code == 0 ? ERR_OK : token_fail(why, code, "its objects cannot be listed");
}

/* After an unclear failure nobody knows whether the PIN has cost a try: it is not given again. */
static enum err list_settled(const struct token *t, struct token_pin_given *pin, unsigned flags,
	struct listing *out, struct why *why)
{
	for (unsigned tries = 1;; tries++) {
		enum err e = list(t, pin, flags, out, why);
		bool is_doubtful = e == ERR_BUSY || (e == ERR_IO && !pin->asked) ||
				   (e == ERR_OK && !out->count && pin->text);

		if (!is_doubtful || tries == TOKEN_TRIES_MAX)
			return e;
		listing_free(out);
		*out = (struct listing){ 0 };
		clock_sleep_ms(TOKEN_PAUSE_MS);
	}
}

static enum err add_object(struct token_objects *o, gnutls_pkcs11_obj_t object, size_t bytes_max)
{
	enum err e;

	o->items[o->count] = (struct token_object){ 0 };
	e = object_read(object, bytes_max, &o->items[o->count]);
	if (e == ERR_OK) {
		o->count++;
		return ERR_OK;
	}
	object_fini(&o->items[o->count]);
	if (e != ERR_NOT_FOUND && e != ERR_LIMIT)
		return e;
	o->skipped += e == ERR_NOT_FOUND;
	o->too_large += e == ERR_LIMIT;
	return ERR_OK;
}

static enum err mark_key(struct token_objects *o, gnutls_pkcs11_obj_t key)
{
	char *url = NULL;
	char *id = NULL;
	enum err e = object_text(key, GNUTLS_PKCS11_OBJ_ID_HEX, &id);

	if (id && gnutls_pkcs11_obj_export_url(key, GNUTLS_PKCS11_URL_GENERIC, &url) == 0)
		for (size_t i = 0; e == ERR_OK && i < o->count; i++) {
			struct token_object *c = &o->items[i];

			if (!c->id || c->key_uri || strcmp(c->id, id) != 0)
				continue;
			c->key_uri = strdup(url);
			e = c->key_uri ? ERR_OK : ERR_MEMORY;
		}
	gnutls_free(url);
	free(id);
	return e;
}

/* Keys are a fact more; a token that does not tell them has told its certificates. */
static enum err mark_keys(
	const struct token *t, struct token_pin_given *pin, size_t max, struct token_objects *o)
{
	struct listing keys = { 0 };
	enum err e = list_settled(t, pin, GNUTLS_PKCS11_OBJ_FLAG_PRIVKEY, &keys, NULL);

	if (e == ERR_OK)
		for (unsigned i = 0; e == ERR_OK && i < keys.count && i < max; i++)
			e = mark_key(o, keys.items[i]);
	else if (e != ERR_MEMORY)
		e = ERR_OK;
	listing_free(&keys);
	return e;
}

/* By uri, then by bytes: a token may list them in another order next time. */
static int by_uri(const void *a, const void *b)
{
	const struct token_object *one = a, *other = b;
	int order = strcmp(one->uri, other->uri);

	if (order)
		return order;
	if (one->der_size != other->der_size)
		return one->der_size < other->der_size ? -1 : 1;
	return memcmp(one->der, other->der, one->der_size);
}

enum err token_read(const struct token *t, const char *pin_text, size_t max, size_t bytes_max,
	struct token_objects *out, struct why *why)
{
	struct token_objects o = { 0 };
	struct token_pin_given pin = { .text = pin_text };
	struct listing certificates = { 0 };
	enum err e = list_settled(t, &pin, GNUTLS_PKCS11_OBJ_FLAG_CRT, &certificates, why);

	if (e == ERR_OK) {
		o.is_cut = certificates.count > max;
		o.items = calloc(certificates.count + 1, sizeof(*o.items));
		e = o.items ? ERR_OK : ERR_MEMORY;
	}
	for (unsigned i = 0; e == ERR_OK && i < certificates.count && i < max; i++)
		e = add_object(&o, certificates.items[i], bytes_max);
	listing_free(&certificates);
	if (e == ERR_OK)
		e = mark_keys(t, &pin, max, &o);
	if (e != ERR_OK) {
		token_objects_fini(&o);
		return e;
	}
	qsort(o.items, o.count, sizeof(*o.items), by_uri);
	*out = o;
	return ERR_OK;
}
