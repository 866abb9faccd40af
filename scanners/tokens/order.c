/* Orders for signatures, gathered and as bytes. */
#include "scanners/tokens/order.h"

#include "agent/base/wire.h"
#include "agent/process/messages.h"
#include "scanners/tokens/gather.h"
#include "scanners/tokens/stores.h"
#include "scanners/tokens/uri.h"

#include <stdlib.h>
#include <string.h>

#define ORDER_VERSION 1

typedef enum err parse_fn(const char *text, struct token_uri *out, struct why *why);

static enum err check(const char *text, parse_fn *parse, struct why *why)
{
	struct token_uri uri = { 0 };
	struct why inner = { 0 };
	char *pin = NULL;
	enum err e = parse(text, &uri, &inner);

	if (e == ERR_OK)
		e = token_uri_pin_file(&uri, &pin, &inner);
	if (e == ERR_OK && token_uri_is_any(&uri))
		e = why_fail(&inner, ERR_CONFIG, "it names neither a token nor what is in it");
	token_uri_fini(&uri);
	free(pin);
	/* The URI itself might hold a PIN. */
	return e == ERR_OK ? e : why_fail(why, e, "a pkcs11: URI: %s", why_text(&inner, e));
}

enum err token_order_check_certificate(const char *uri, struct why *why)
{
	return check(uri, token_uri_parse, why);
}

enum err token_order_check_key(const char *uri, struct why *why)
{
	return check(uri, token_uri_parse_key, why);
}

/* The PIN and the module that a URI names, unless one before it named a PIN. */
static enum err gather_uri(
	struct token_order *o, const char *text, parse_fn *parse, char **copy, struct why *why)
{
	struct token_uri uri = { 0 };
	char *file = NULL;
	enum err e;

	if (!text)
		return ERR_OK;
	*copy = strdup(text);
	if (!*copy)
		return ERR_MEMORY;
	e = parse(text, &uri, why);
	if (e == ERR_OK)
		e = token_uri_pin_file(&uri, &file, why);
	if (e == ERR_OK && file && !o->work.pin.text && !o->work.pin.complaint)
		e = token_pin_take(file, &o->work.pin);
	if (e == ERR_OK && uri.values[TOKEN_MODULE_PATH].bytes)
		e = token_add_module(&o->work, uri.values[TOKEN_MODULE_PATH].bytes);
	token_uri_fini(&uri);
	free(file);
	return e;
}

enum err token_order_gather(
	const char *certificate, const char *key, struct token_order *out, struct why *why)
{
	enum err e;

	*out = (struct token_order){ .work.timeout_ms = TOKEN_ORDER_TIMEOUT_MS };
	buffer_init(&out->file, TOKEN_ORDER_FILE_BYTES_MAX + 1);
	e = gather_uri(out, key, token_uri_parse_key, &out->key, why);
	if (e == ERR_OK)
		e = gather_uri(out, certificate, token_uri_parse, &out->certificate, why);
	out->work.named_modules = out->work.modules.count;
	if (e == ERR_OK)
		e = token_add_discovered(&out->work);
	return e == ERR_OK ? token_stores_add(&out->work.writable) : e;
}

void token_order_fini(struct token_order *o)
{
	token_work_fini(&o->work);
	free(o->certificate);
	free(o->key);
	buffer_fini(&o->file);
	*o = (struct token_order){ 0 };
}

void token_order_encode(struct buffer *out, const struct token_order *o)
{
	struct buffer work;

	buffer_init(&work, TOKEN_WORK_BYTES_MAX);
	/* At once: growing would leave PINs behind in freed memory. */
	if (buffer_reserve(&work, TOKEN_WORK_BYTES_MAX - 1) &&
		buffer_reserve(out, TOKEN_WORK_BYTES_MAX)) {
		token_work_encode(&work, &o->work);
		wire_put_u8(out, ORDER_VERSION);
		wire_put_bytes(out, buffer_bytes(&work));
		wire_put_text(out, o->certificate);
		wire_put_bytes(out, buffer_bytes(&o->file));
		wire_put_text(out, o->key);
		wire_put_bool(out, o->is_pin_refused);
	}
	if (buffer_status(&work) != ERR_OK && out->status == ERR_OK)
		out->status = work.status;
	buffer_wipe(&work);
}

enum err token_order_decode(struct slice bytes, struct token_order *out)
{
	struct wire w = wire_of(bytes);
	struct token_order o = { 0 };
	bool is_known = wire_get_u8(&w) == ORDER_VERSION;
	struct slice work = wire_get_bytes(&w, TOKEN_WORK_BYTES_MAX);
	enum err e = is_known ? token_work_decode(work, &o.work) : ERR_MALFORMED;

	buffer_init(&o.file, TOKEN_ORDER_FILE_BYTES_MAX + 1);
	if (e == ERR_OK) {
		o.certificate = wire_get_text(&w, TOKEN_URI_BYTES_MAX);
		buffer_slice(&o.file, wire_get_bytes(&w, TOKEN_ORDER_FILE_BYTES_MAX));
		o.key = wire_get_text(&w, TOKEN_URI_BYTES_MAX);
		o.is_pin_refused = wire_get_bool(&w);
		e = wire_end(&w);
	}
	if (e == ERR_OK)
		e = buffer_status(&o.file);
	if (e == ERR_OK && !o.key && !o.certificate)
		e = ERR_MALFORMED;
	if (e != ERR_OK)
		token_order_fini(&o);
	else
		*out = o;
	return e;
}
