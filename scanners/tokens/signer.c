/* A private key at work: found in one module, checked against its certificate, asked for signatures. */
#include "scanners/tokens/signer.h"

#include "agent/certificate/token.h"
#include "agent/certificate/token_key.h"
#include "scanners/tokens/module.h"
#include "scanners/tokens/uri.h"

#include <stdio.h>
#include <stdlib.h>

struct seeking {
	const char *path;
	const struct token_order *order;
	struct channel *to;
	/* The order's URIs, taken apart. */
	struct token_uri certificate;
	struct token_uri key;
	const char *pin;            /* borrowed: to be given, or NULL */
	struct token_key *found;    /* owned */
	struct token_object object; /* owned: the certificate, where it is in the token */
	struct buffer chain;        /* owned: from it on */
	char *key_uri;              /* owned */
	bool has_told;
};

static enum err tell_key(struct channel *to, const struct key_answer *answer)
{
	struct key_answer a = *answer;
	struct buffer out;
	enum err e;

	a.number = 1; /* main knows which */
	buffer_init(&out, FRAME_BYTES_MAX);
	key_answer_encode(&out, &a);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(to, MESSAGE_KEY, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

enum err signer_refuse(struct channel *to, enum reason reason, const char *message)
{
	const struct key_answer answer = { .reason = (uint8_t)reason,
		.message = slice_text(message) };

	return tell_key(to, &answer);
}

static enum err refuse(struct seeking *s, enum reason reason, const char *message)
{
	s->has_told = true;
	return signer_refuse(s->to, reason, message);
}

/* What went wrong with the key, told. */
static enum err tell_failure(struct seeking *s, enum err e, const struct why *why)
{
	struct key_answer answer = { .reason = REASON_UNREADABLE,
		.message = slice_text(why_text(why, e)) };

	if (e == ERR_PASSWORD) {
		answer.reason = REASON_WRONG_PASSWORD;
		answer.message = slice_text("the PIN given is not its PIN");
		answer.has_refused_pin = s->pin != NULL;
	}
	if (e == ERR_PASSWORD && !s->pin) {
		answer.reason = REASON_NEEDS_PASSWORD;
		answer.message = slice_text("its private key needs a PIN, and none was given");
	}
	if (e == ERR_DENIED)
		answer.reason = REASON_PERMISSION_DENIED;
	if (e == ERR_NOT_FOUND)
		answer.reason = REASON_MISSING;
	if (e == ERR_MALFORMED)
		answer.reason = REASON_MALFORMED;
	s->has_told = true;
	return tell_key(s->to, &answer);
}

/* --- which key ------------------------------------------------------------------------------------- */

/* May the PIN be given to the token? Else the reason is told. */
static enum err choose_pin(struct seeking *s, const struct token *t)
{
	const struct token_pin *pin = &s->order->work.pin;
	enum reason reason;
	const char *text;

	s->pin = NULL;
	if (!t->needs_login || !t->has_pin)
		return ERR_OK;
	if (pin->complaint)
		return refuse(s, REASON_UNREADABLE, pin->complaint);
	/* Without a PIN it may do, where the key is for everybody. */
	if (!pin->text && !t->is_locked && !t->has_keypad)
		return ERR_OK;
	if (token_pin_is_barred(t, pin->text, s->order->is_pin_refused, &reason, &text))
		return refuse(s, reason, text);
	s->pin = pin->text;
	return ERR_OK;
}

/* The first certificate of the token that is meant, and has its key where none is named: moved to s->object. */
static bool take_object(struct seeking *s, struct token_objects *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct token_object *o = &all->items[i];
		struct token_uri parts;

		if ((!s->order->key && !o->key_uri) ||
			token_uri_parse(o->uri, &parts, NULL) != ERR_OK)
			continue;
		if (token_uri_has_object(&s->certificate, &parts)) {
			token_chain(all, slice_of(o->der, o->der_size), &s->chain);
			s->object = *o;
			*o = (struct token_object){ 0 };
		}
		token_uri_fini(&parts);
		if (s->object.uri)
			return true;
	}
	return false;
}

/* ERR_NOT_FOUND with a sentence. */
static enum err find_certificate(struct seeking *s, const struct token *t, struct why *why)
{
	struct token_objects all = { 0 };
	enum err e;

	if (!s->order->certificate)
		return ERR_OK;
	e = token_read(t, s->pin, TOKEN_OBJECTS_CEILING, TOKEN_DER_BYTES_CEILING, &all, why);
	if (e == ERR_OK && !take_object(s, &all))
		e = why_fail(why, ERR_NOT_FOUND,
			s->order->key
				? "the token shows no such certificate"
				: "the token shows no such certificate with its private key beside it");
	token_objects_fini(&all);
	return e;
}

/* The URI of the key: as it is written, without what only says where its module and PIN are. */
static enum err name_key(struct seeking *s)
{
	const char *text = s->order->key ? s->order->key : s->object.key_uri;
	char *place = token_uri_place(text);

	if (!place)
		return ERR_MEMORY;
	s->key_uri = place;
	if (s->key.values[TOKEN_TYPE].bytes || !s->order->key)
		return ERR_OK;
	if (asprintf(&s->key_uri, "%s;type=private", place) < 0)
		s->key_uri = NULL;
	free(place);
	return s->key_uri ? ERR_OK : ERR_MEMORY;
}

static enum err tell_usable(struct seeking *s, bool has_pss)
{
	const struct key_answer answer = { .is_usable = true,
		.algorithm = token_key_algorithm(s->found),
		.bits = token_key_bits(s->found),
		.has_pss = has_pss,
		.chain = buffer_bytes(&s->chain) };
	enum err e = buffer_status(&s->chain);

	s->has_told = true;
	if (e == ERR_LIMIT)
		return signer_refuse(s->to, REASON_TOO_LARGE, "its chain is over 256 KiB");
	return e == ERR_OK ? tell_key(s->to, &answer) : e;
}

static enum err use_token(struct seeking *s, const struct token *t)
{
	struct why why = { 0 };
	bool has_pss = false;
	enum err e = choose_pin(s, t);

	if (e != ERR_OK || s->has_told)
		return e;
	e = find_certificate(s, t, &why);
	if (e == ERR_OK)
		e = name_key(s);
	if (e == ERR_OK)
		e = token_key_open(s->key_uri, s->pin, &s->found, &why);
	if (e == ERR_OK)
		e = token_key_check(s->found,
			s->object.der ? slice_of(s->object.der, s->object.der_size)
				      : buffer_bytes(&s->order->file),
			&has_pss, &why);
	if (e == ERR_OK)
		return tell_usable(s, has_pss);
	token_key_free(s->found);
	s->found = NULL;
	return e == ERR_MEMORY ? e : tell_failure(s, e, &why);
}

/* Is it the token that the order means? */
static bool is_meant(const struct seeking *s, const struct token *t)
{
	struct token_uri parts;
	bool is_it;

	if (!t->is_initialized || token_uri_parse(t->library, &parts, NULL) != ERR_OK)
		return false;
	is_it = token_uri_has_token(&s->key, &parts) &&
		token_uri_has_token(&s->certificate, &parts);
	token_uri_fini(&parts);
	return is_it;
}

static enum err seek(struct seeking *s)
{
	struct why why = { 0 };
	enum err e = ERR_OK;

	for (unsigned n = 0; e == ERR_OK && !s->has_told; n++) {
		struct token t = { 0 };

		e = token_at(n, &t, &why);
		if (e == ERR_OK && is_meant(s, &t))
			e = use_token(s, &t);
		token_fini(&t);
	}
	if (e == ERR_END)
		return channel_write(s->to, MESSAGE_FINISHED, slice_of(NULL, 0));
	if (e != ERR_OK && e != ERR_MEMORY && e != ERR_CLOSED && !s->has_told)
		return refuse(s, REASON_UNREADABLE, why_text(&why, e));
	return e;
}

/* --- signatures ------------------------------------------------------------------------------------ */

static enum err tell_signed(struct channel *to, const struct sign_answer *answer)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	sign_answer_encode(&out, answer);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(to, MESSAGE_SIGNED, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err answer(struct seeking *s, struct slice payload)
{
	struct sign_answer said = { 0 };
	struct sign_request asked;
	struct buffer signature;
	struct why why = { 0 };
	enum err e = sign_request_decode(payload, &asked);

	if (e != ERR_OK)
		return e;
	buffer_init(&signature, SIGNATURE_BYTES_MAX);
	e = token_key_sign(s->found, asked.scheme, asked.data, &signature, &why);
	said.id = asked.id;
	said.number = asked.number;
	said.is_signed = e == ERR_OK && signature.size;
	if (said.is_signed) {
		said.signature = buffer_bytes(&signature);
	} else {
		said.reason = e == ERR_PASSWORD ? REASON_WRONG_PASSWORD : REASON_UNREADABLE;
		said.message = slice_text(why_text(&why, e));
		/* A PIN that it takes no longer is not tried again. */
		said.is_final = e == ERR_PASSWORD || e == ERR_DENIED;
	}
	e = tell_signed(s->to, &said);
	buffer_fini(&signature);
	return e;
}

static enum err serve(struct seeking *s)
{
	struct slice payload;
	uint16_t type;
	enum err e = ERR_OK;

	while (e == ERR_OK) {
		e = channel_read(s->to, &type, &payload);
		if (e == ERR_OK)
			e = type == MESSAGE_SIGN ? answer(s, payload) : ERR_MALFORMED;
	}
	return e;
}

enum err signer_serve(const char *path, const struct token_order *order, struct channel *to)
{
	struct seeking s = { .path = path, .order = order, .to = to };
	struct why why = { 0 };
	enum err e = order->key ? token_uri_parse_key(order->key, &s.key, &why) : ERR_OK;

	buffer_init(&s.chain, KEY_CHAIN_BYTES_MAX);
	if (e == ERR_OK && order->certificate)
		e = token_uri_parse(order->certificate, &s.certificate, &why);
	if (e != ERR_OK)
		return e;
	e = token_module_load(path, &why);
	if (e != ERR_OK)
		return refuse(&s, e == ERR_NOT_FOUND ? REASON_MISSING : REASON_UNREADABLE,
			why_text(&why, e));
	e = seek(&s);
	return e == ERR_OK && s.found ? serve(&s) : e;
}
