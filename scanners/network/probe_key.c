/* Client keys in tokens: what main says of them. */
#include "scanners/network/probe_internal.h"
#include "scanners/network/tls_own.h"

#include <stdio.h>

enum err probe_keys_open(struct probe *p)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < tls_owns_count(p->tls); i++) {
		const struct tls_own *own = tls_own_at(p->tls, i);

		if (own->is_opening)
			e = remote_keys_open(p->remote, own->number);
	}
	return e;
}

static struct tls_own *own_of(struct probe *p, uint16_t number)
{
	struct tls_own *own =
		number && number <= tls_owns_count(p->tls) ? tls_own_at(p->tls, number - 1U) : NULL;

	return own && own->remote ? own : NULL;
}

static enum err on_key(struct probe *p, struct slice payload)
{
	struct key_answer answer;
	struct tls_own *own;
	enum err e = key_answer_decode(payload, &answer);

	if (e != ERR_OK)
		return e;
	own = own_of(p, answer.number);
	if (!own)
		return ERR_MALFORMED;
	e = tls_own_opened(own, &answer);
	return e == ERR_OK ? start_after_key(p) : e;
}

/* A key that signs no more is told once; who waits is told each. */
static enum err on_signed(struct probe *p, struct slice payload)
{
	struct sign_answer said;
	struct tls_own *own;
	char text[OWN_FAILURE_BYTES];
	enum err e = remote_keys_take(p->remote, payload, &said);

	if (e != ERR_OK || !said.is_final)
		return e;
	own = own_of(p, said.number);
	if (!own)
		return ERR_MALFORMED;
	if (own->has_failed)
		return ERR_OK;
	(void)snprintf(text, sizeof(text), "%.*s", (int)said.message.size,
		(const char *)said.message.data);
	tls_own_fail(own, (enum reason)said.reason, text);
	return probe_tell_problem(p, own->key_uri, own->reason, own->failure);
}

enum err probe_keys_take(struct probe *p, uint16_t type, struct slice payload)
{
	return type == MESSAGE_KEY ? on_key(p, payload) : on_signed(p, payload);
}
