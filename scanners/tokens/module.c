/* One module: its tokens, which of them are wanted, what they show and with what PIN. */
#include "scanners/tokens/module.h"

#include "agent/base/wire.h"
#include "agent/certificate/token.h"
#include "scanners/token_finding.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_BYTES 640

/* A token at work. */
struct visit {
	const struct module_look *m;
	struct token token;
	struct token_uri parts; /* of the token, with its library's */
	bool wants[TOKEN_URIS_MAX];
	bool wants_all;              /* of its certificates */
	const struct token_pin *pin; /* or NULL */
};

static enum err send(struct channel *to, enum module_message type, struct buffer *payload)
{
	enum err e = buffer_status(payload);

	if (e == ERR_OK)
		e = channel_write(to, (uint16_t)type, buffer_bytes(payload));
	buffer_wipe(payload);
	return e;
}

static enum err send_texts(
	struct channel *to, enum module_message type, const char *one, const char *other)
{
	struct buffer out;

	buffer_init(&out, FRAME_BYTES_MAX);
	wire_put_text(&out, one);
	if (other)
		wire_put_text(&out, other);
	return send(to, type, &out);
}

static enum err send_problem(
	const struct module_look *m, const char *uri, enum reason reason, const char *message)
{
	struct buffer out;

	buffer_init(&out, FRAME_BYTES_MAX);
	wire_put_text(&out, uri);
	wire_put_u8(&out, (uint8_t)reason);
	wire_put_text(&out, message);
	return send(m->to, MODULE_PROBLEM, &out);
}

static enum err module_problem(
	const struct module_look *m, enum reason reason, const struct why *why, enum err e)
{
	char *place = token_module_place(m->path);
	enum err sent = ERR_MEMORY;

	if (place)
		sent = send_problem(m, place, reason, why_text(why, e));
	free(place);
	return sent;
}

static enum err token_problem(const struct visit *v, enum reason reason, const char *message)
{
	return send_problem(v->m, v->token.uri, reason, message);
}

static enum err tell_wish(const struct visit *v, size_t wish)
{
	struct buffer out;

	buffer_init(&out, sizeof(uint32_t));
	wire_put_u32(&out, (uint32_t)wish);
	return send(v->m->to, MODULE_WISH, &out);
}

/* --- what it shows --------------------------------------------------------------------------------- */

static enum err tell_certificate(const struct visit *v, const struct token_object *o)
{
	const struct token_certificate c = { .uri = o->uri,
		.label = o->label,
		.key_uri = o->key_uri,
		.is_trusted = o->is_trusted,
		.der = slice_of(o->der, o->der_size) };
	struct token_uri parts;
	bool is_wanted = v->wants_all;
	struct buffer out;
	enum err e = token_uri_parse(o->uri, &parts, NULL);

	if (e != ERR_OK)
		return e == ERR_MEMORY ? e
				       : token_problem(v, REASON_MALFORMED,
						 "a certificate's URI cannot be read");
	for (size_t i = 0; e == ERR_OK && i < v->m->work->wishes_count; i++)
		if (v->wants[i] && token_uri_has_object(&v->m->wishes[i], &parts)) {
			is_wanted = true;
			e = tell_wish(v, i);
		}
	token_uri_fini(&parts);
	if (e != ERR_OK || !is_wanted)
		return e;
	buffer_init(&out, FRAME_BYTES_MAX);
	token_certificate_encode(&out, &c);
	return send(v->m->to, MODULE_CERTIFICATE, &out);
}

static enum err tell_objects(const struct visit *v, const struct token_objects *o)
{
	char message[MESSAGE_BYTES];
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < o->count; i++)
		e = tell_certificate(v, &o->items[i]);
	if (e == ERR_OK && o->is_cut) {
		(void)snprintf(message, sizeof(message),
			"it holds more than %u certificates (limits.token_certificates)",
			v->m->work->certificates_max);
		e = token_problem(v, REASON_LIMIT_REACHED, message);
	}
	if (e == ERR_OK && o->too_large) {
		(void)snprintf(message, sizeof(message),
			"%zu of its certificates are larger than %u bytes (limits.token_certificate_size)",
			o->too_large, v->m->work->certificate_bytes_max);
		e = token_problem(v, REASON_LIMIT_REACHED, message);
	}
	if (e == ERR_OK && o->skipped) {
		(void)snprintf(message, sizeof(message),
			"%zu of its certificates have no value on the token", o->skipped);
		e = token_problem(v, REASON_UNSUPPORTED, message);
	}
	return e;
}

/* --- the PIN --------------------------------------------------------------------------------------- */

bool token_pin_is_barred(const struct token *t, bool has_pin, bool is_refused, enum reason *reason,
	const char **text)
{
	*reason = REASON_WRONG_PASSWORD;
	if (t->is_locked) {
		*reason = REASON_PERMISSION_DENIED;
		*text = "its PIN is locked after too many wrong ones";
	} else if (t->has_keypad) {
		*reason = REASON_NEEDS_PASSWORD;
		*text = "its PIN is typed at the token itself: what needs it was not seen";
	} else if (!has_pin) {
		*reason = REASON_NEEDS_PASSWORD;
		*text = "it may hold more than it shows without its PIN, and none was given";
	} else if (t->is_final_try) {
		*text = "one more wrong PIN would lock it: the PIN was not tried";
	} else if (is_refused) {
		*text = "it has refused this PIN: it is not tried again until its file changes";
	} else {
		return false;
	}
	return true;
}

/* Tells why the PIN is not given to it; false: there is nothing against it. */
static bool is_barred(const struct visit *v, enum err *e)
{
	bool is_refused =
		v->pin && token_memory_has_refused(v->m->memory, v->token.uri, v->pin->stamp);
	enum reason reason;
	const char *text;

	if (!token_pin_is_barred(&v->token, v->pin, is_refused, &reason, &text))
		return false;
	*e = token_problem(v, reason, text);
	return true;
}

static enum err tell_refused(const struct visit *v, enum err refusal, const struct why *why)
{
	enum err e = ERR_OK;

	if (refusal != ERR_PASSWORD)
		return token_problem(v, REASON_PERMISSION_DENIED, why_text(why, refusal));
	if (v->pin->stamp)
		e = send_texts(v->m->to, MODULE_REFUSED, v->token.uri, v->pin->stamp);
	if (e == ERR_OK)
		e = token_problem(v, REASON_WRONG_PASSWORD, "the PIN given is not its PIN");
	return e;
}

/* With the PIN where one is needed and may be given; else, and where that fails, what it shows to all. */
static enum err read_token(const struct visit *v, struct token_objects *out, struct why *why)
{
	const struct token *t = &v->token;
	size_t max = v->m->work->certificates_max;
	size_t bytes_max = v->m->work->certificate_bytes_max;
	enum err told = ERR_OK;
	enum err e;

	if (!t->needs_login || !t->has_pin || is_barred(v, &told)) {
		if (told != ERR_OK)
			return ERR_CLOSED;
		return token_read(t, NULL, max, bytes_max, out, why);
	}
	e = token_read(t, v->pin->text, max, bytes_max, out, why);
	if (e != ERR_PASSWORD && e != ERR_DENIED)
		return e;
	if (tell_refused(v, e, why) != ERR_OK)
		return ERR_CLOSED;
	return token_read(t, NULL, max, bytes_max, out, why);
}

/* --- tokens ---------------------------------------------------------------------------------------- */

/* Which wishes are for this token; false: none, and not all are wanted. */
static bool choose(struct visit *v)
{
	const struct token_work *work = v->m->work;
	bool is_meant = work->wishes_count == 0;

	v->wants_all = is_meant;
	for (size_t i = 0; i < work->wishes_count; i++) {
		const struct token_uri *wish = &v->m->wishes[i];

		v->wants[i] = token_uri_has_module(wish, v->m->path) &&
			      token_uri_has_token(wish, &v->parts);
		if (!v->wants[i])
			continue;
		is_meant = true;
		if (!token_uri_is_of_object(wish))
			v->wants_all = true;
		if (!v->pin && work->wishes[i].pin.text)
			v->pin = &work->wishes[i].pin;
	}
	if (!v->pin && work->pin.text)
		v->pin = &work->pin;
	return is_meant;
}

/* A trust store that p11-kit made is no token somebody put certificates of this host on. */
static bool is_foreign(const struct visit *v)
{
	if (!v->token.is_trust_store || v->m->is_named)
		return false;
	for (size_t i = 0; i < v->m->work->wishes_count; i++)
		if (v->wants[i] && !token_uri_is_any(&v->m->wishes[i]))
			return false;
	return true;
}

static enum err tell_token(const struct visit *v)
{
	struct token_objects objects = { 0 };
	struct why why = { 0 };
	enum err e = send_texts(v->m->to, MODULE_TOKEN, v->token.uri, NULL);

	for (size_t i = 0; e == ERR_OK && i < v->m->work->wishes_count; i++)
		if (v->wants[i] && !token_uri_is_of_object(&v->m->wishes[i]))
			e = tell_wish(v, i);
	if (e != ERR_OK)
		return e;
	e = read_token(v, &objects, &why);
	if (e == ERR_MEMORY || e == ERR_CLOSED)
		return e;
	if (e == ERR_OK)
		e = tell_objects(v, &objects);
	else
		e = token_problem(v, REASON_UNREADABLE, why_text(&why, e));
	token_objects_fini(&objects);
	return e == ERR_OK ? channel_write(v->m->to, MODULE_TOKEN_END, slice_of(NULL, 0)) : e;
}

static enum err visit(struct visit *v)
{
	struct why why = { 0 };
	enum err e;

	/* An empty slot's token, to be made one yet. */
	if (!v->token.is_initialized)
		return ERR_OK;
	e = token_uri_parse(v->token.library, &v->parts, &why);
	if (e != ERR_OK)
		return e == ERR_MEMORY ? e : token_problem(v, REASON_MALFORMED, why.text);
	if (choose(v) && !is_foreign(v))
		e = tell_token(v);
	token_uri_fini(&v->parts);
	return e;
}

enum err module_refuse(const char *path, struct channel *to, const struct why *why)
{
	const struct module_look m = { .path = path, .to = to };
	enum err e = module_problem(&m, REASON_UNREADABLE, why, ERR_IO);

	return e == ERR_OK ? channel_write(to, MODULE_END, slice_of(NULL, 0)) : e;
}

/* ERR_END: it was told. */
static enum err tell_too_many(const struct module_look *m)
{
	struct why why = { 0 };
	enum err e = why_fail(
		&why, ERR_LIMIT, "it has more than %u tokens (limits.tokens)", m->work->tokens_max);

	e = module_problem(m, REASON_LIMIT_REACHED, &why, e);
	return e == ERR_OK ? ERR_END : e;
}

enum err module_look(const struct module_look *m)
{
	struct why why = { 0 };
	enum err e = token_module_load(m->path, &why);

	if (e != ERR_OK) {
		e = module_problem(
			m, e == ERR_NOT_FOUND ? REASON_MISSING : REASON_UNREADABLE, &why, e);
		return e == ERR_OK ? channel_write(m->to, MODULE_END, slice_of(NULL, 0)) : e;
	}
	for (unsigned n = 0; e == ERR_OK; n++) {
		struct visit v = { .m = m };

		e = token_at(n, &v.token, &why);
		if (e == ERR_OK && n >= m->work->tokens_max)
			e = tell_too_many(m);
		else if (e == ERR_OK)
			e = visit(&v);
		else if (e != ERR_END && e != ERR_MEMORY) {
			e = module_problem(m, REASON_UNREADABLE, &why, e);
			e = e == ERR_OK ? ERR_END : e;
		}
		token_fini(&v.token);
	}
	/* What it does when it is put away is its own affair: all has been told before. */
	if (e == ERR_END)
		e = channel_write(m->to, MODULE_END, slice_of(NULL, 0));
	token_module_unload();
	return e;
}
