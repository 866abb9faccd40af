/* Private keys in tokens that sign for the probes of one pass. */
#include "agent/signers.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/process/child.h"
#include "agent/process/messages.h"
#include "scanners/tokens/order.h"
#include "scanners/tokens/role.h"

#include <stdio.h>
#include <stdlib.h>

#define SIGNERS_MAX 64
/* Requests of one asker at once: its threads that may wait for one are fewer. */
#define REQUESTS_MAX 64
/* The role keeps its own deadlines; one that does not even do that is ended after them. */
#define SLACK_MS 5000
#define MESSAGE_BYTES 256

struct request {
	uint64_t id;       /* what the role is told */
	uint64_t asked_id; /* what the asker calls it */
	unsigned which;
	int64_t deadline_ms;
	struct request *next;
};

struct signer {
	struct signers *all;
	uint16_t number; /* 0: free */
	struct child *child;
	struct token_order order; /* owned, without its PIN once that was sent */
	struct buffer word;       /* owned: the role's MESSAGE_KEY, for those who ask later */
	bool is_known;
	bool is_usable;
	bool was_late;    /* and so was ended */
	uint64_t waiting; /* a bit for each asker */
	int64_t deadline_ms;
	struct request *requests; /* owned list */
	size_t requests_count;
	int64_t pin; /* what tells the PIN from others; 0: none */
};

struct signers {
	struct signers_conf conf;
	struct signer items[SIGNERS_MAX];
	uint64_t next_id;
};

static const struct child_events signer_events;

/* ---- answers ---------------------------------------------------------------------------------- */

static void answer_signed(struct signers *s, unsigned which, const struct sign_answer *said)
{
	struct buffer out;

	buffer_init(&out, FRAME_BYTES_MAX);
	sign_answer_encode(&out, said);
	if (buffer_status(&out) == ERR_OK)
		s->conf.answer(s->conf.arg, which, MESSAGE_SIGNED, buffer_bytes(&out));
	buffer_fini(&out);
}

static void refuse(struct signer *s, const struct request *r, enum reason reason, const char *text)
{
	const struct sign_answer said = { .id = r->asked_id,
		.number = s->number,
		.reason = (uint8_t)reason,
		.message = slice_text(text),
		.is_final = true };

	answer_signed(s->all, r->which, &said);
}

/* Its word on the key, once and for all, to all who wait for it. */
static void settle(struct signer *s, const struct key_answer *answer)
{
	struct key_answer a = *answer;

	a.number = s->number;
	buffer_clear(&s->word);
	key_answer_encode(&s->word, &a);
	if (buffer_status(&s->word) != ERR_OK)
		return;
	s->is_known = true;
	s->is_usable = a.is_usable;
	for (unsigned which = 0; which < SIGNERS_ASKERS_MAX; which++)
		if (s->waiting & (UINT64_C(1) << which))
			s->all->conf.answer(
				s->all->conf.arg, which, MESSAGE_KEY, buffer_bytes(&s->word));
	s->waiting = 0;
}

/* There is no key, or none any more. */
static void end(struct signer *s, enum reason reason, const char *text)
{
	const struct key_answer answer = { .reason = (uint8_t)reason, .message = slice_text(text) };

	if (!s->is_known)
		settle(s, &answer);
	s->is_usable = false;
	while (s->requests) {
		struct request *r = s->requests;

		s->requests = r->next;
		refuse(s, r, reason, text);
		free(r);
	}
	s->requests_count = 0;
}

/* ---- PINs that were refused ------------------------------------------------------------------- */

/* What is stored of a PIN is which file held it, not what: a hash of that, as a number that is not 0. */
static int64_t number_of_pin(const struct token_pin *pin)
{
	uint8_t digest[FINGERPRINT_BYTES];
	int64_t number = 0;

	if (!pin->stamp || !*pin->stamp)
		return 0;
	fingerprint_of(slice_text(pin->stamp), digest);
	for (size_t i = 0; i < sizeof(number) - 1; i++)
		number = number << 8 | digest[i];
	return number ? number : 1;
}

static const char *name_of(const struct signer *s)
{
	return s->order.key ? s->order.key : s->order.certificate;
}

static void recall_pin(struct signer *s)
{
	struct why why = { 0 };
	int64_t refused = 0;

	s->pin = number_of_pin(&s->order.work.pin);
	if (!s->pin)
		return;
	if (inventory_refused_pin(s->all->conf.inventory, name_of(s), &refused, &why) != ERR_OK)
		log_error("a refused PIN cannot be recalled: %s", why.text);
	s->order.is_pin_refused = refused == s->pin;
}

static void remember_pin(const struct signer *s)
{
	struct why why = { 0 };

	if (s->pin && inventory_refused_pin_set(s->all->conf.inventory, name_of(s), s->pin, &why) !=
			      ERR_OK)
		log_error("a refused PIN cannot be remembered: %s", why.text);
}

/* ---- what the role says ----------------------------------------------------------------------- */

static enum err on_key(struct signer *s, struct slice payload)
{
	struct key_answer answer;
	enum err e = key_answer_decode(payload, &answer);

	if (e != ERR_OK || s->is_known)
		return ERR_MALFORMED;
	if (answer.has_refused_pin)
		remember_pin(s);
	settle(s, &answer);
	return ERR_OK;
}

static enum err on_signed(struct signer *s, struct slice payload)
{
	struct sign_answer said;
	enum err e = sign_answer_decode(payload, &said);

	if (e != ERR_OK)
		return e;
	for (struct request **at = &s->requests; *at; at = &(*at)->next) {
		struct request *r = *at;

		if (r->id != said.id)
			continue;
		*at = r->next;
		s->requests_count--;
		said.id = r->asked_id;
		said.number = s->number;
		answer_signed(s->all, r->which, &said);
		free(r);
		return ERR_OK;
	}
	/* Of an asker that is gone. */
	return ERR_OK;
}

static enum err on_sandbox(const struct signer *s, struct slice payload)
{
	struct sandbox_layer layer;
	enum err e = sandbox_layer_decode(payload, &layer);
	char *name = e == ERR_OK ? text_escaped(layer.layer) : NULL;

	if (!name)
		return e != ERR_OK ? e : ERR_MEMORY;
	s->all->conf.sandbox(s->all->conf.arg, token_role.name, name, layer.is_active);
	free(name);
	return ERR_OK;
}

static enum err on_frame(void *arg, uint16_t type, struct slice payload)
{
	struct signer *s = arg;

	if (type == MESSAGE_KEY)
		return on_key(s, payload);
	if (type == MESSAGE_SIGNED)
		return on_signed(s, payload);
	if (type == MESSAGE_SANDBOX)
		return on_sandbox(s, payload);
	return ERR_MALFORMED;
}

static void on_gone(void *arg, bool in_order, const char *how)
{
	struct signer *s = arg;
	char text[MESSAGE_BYTES];

	(void)in_order;
	s->child = NULL;
	log_warn("the %s that signs is gone: %s", token_role.name, how);
	/* The process tells by itself that a module is late, unless the machine is too busy for that. */
	if (s->was_late && !s->is_known)
		(void)snprintf(text, sizeof(text),
			"the process that signs did not answer within %g s",
			(double)s->order.work.timeout_ms / 1000);
	else
		(void)snprintf(text, sizeof(text), "the process that signs is gone: %s", how);
	end(s, s->was_late ? REASON_TIMEOUT : REASON_UNREADABLE, text);
}

static const struct child_events signer_events = { .frame = on_frame, .gone = on_gone };

/* ---- the start of one ------------------------------------------------------------------------- */

static enum err send_setup(const struct signer *s)
{
	const struct setup setup = { .pinned_now = clock_pinned(),
		.log_level = (uint8_t)log_level(),
		.is_transient = true,
		.processes = 1 };
	struct buffer frame;
	enum err e;

	buffer_init(&frame, FRAME_BYTES_MAX);
	setup_encode(&frame, &setup);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(s->child, MESSAGE_SETUP, buffer_bytes(&frame));
	buffer_fini(&frame);
	return e;
}

static enum err send_order(struct signer *s)
{
	struct buffer frame;
	enum err e;

	buffer_init(&frame, TOKEN_ORDER_BYTES_MAX);
	token_order_encode(&frame, &s->order);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(s->child, MESSAGE_KEY_OPEN, buffer_bytes(&frame));
	buffer_wipe(&frame);
	token_pin_fini(&s->order.work.pin);
	return e;
}

static enum err start(struct signer *s, struct why *why)
{
	const struct signers_conf *conf = &s->all->conf;
	const struct child_start how = { .loop = conf->loop,
		.role = &token_role,
		.in_thread = conf->in_thread,
		.events = &signer_events,
		.arg = s };
	enum err e = conf->scanner->key_order(conf->conf, s->number, &s->order, why);

	if (e == ERR_OK)
		recall_pin(s);
	if (e == ERR_OK)
		e = child_new(&how, &s->child, why);
	if (e == ERR_OK)
		e = send_setup(s);
	if (e == ERR_OK)
		e = send_order(s);
	s->deadline_ms = clock_monotonic_ms() + s->order.work.timeout_ms + SLACK_MS;
	return e;
}

static struct signer *signer_at(struct signers *s, uint16_t number)
{
	for (size_t i = 0; i < SIGNERS_MAX; i++)
		if (s->items[i].number == number)
			return &s->items[i];
	return NULL;
}

/* ---- what askers want ------------------------------------------------------------------------- */

static enum err open_key(struct signers *s, unsigned which, uint16_t number)
{
	struct signer *one = signer_at(s, number);
	struct why why = { 0 };
	enum err e;

	if (!one) {
		one = signer_at(s, 0);
		if (!one)
			return ERR_MALFORMED;
		one->number = number;
		e = start(one, &why);
		/* A number that no configuration gave. */
		if (e == ERR_NOT_FOUND) {
			one->number = 0;
			return ERR_MALFORMED;
		}
		one->waiting |= UINT64_C(1) << which;
		if (e != ERR_OK)
			end(one, REASON_UNREADABLE, why_text(&why, e));
		return ERR_OK;
	}
	if (one->is_known)
		s->conf.answer(s->conf.arg, which, MESSAGE_KEY, buffer_bytes(&one->word));
	else
		one->waiting |= UINT64_C(1) << which;
	return ERR_OK;
}

static enum err hand_on(
	struct signer *one, const struct request *r, const struct sign_request *asked)
{
	struct sign_request told = *asked;
	struct buffer frame;
	enum err e;

	told.id = r->id;
	buffer_init(&frame, FRAME_BYTES_MAX);
	sign_request_encode(&frame, &told);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = child_send(one->child, MESSAGE_SIGN, buffer_bytes(&frame));
	buffer_fini(&frame);
	return e;
}

static enum err ask_signature(struct signers *s, unsigned which, struct slice payload)
{
	struct sign_request asked;
	struct signer *one;
	struct request *r;
	enum err e = sign_request_decode(payload, &asked);

	if (e != ERR_OK)
		return e;
	one = signer_at(s, asked.number);
	/* It was never opened, or did not wait for the answer. */
	if (!one || !one->is_known || one->requests_count >= REQUESTS_MAX * SIGNERS_ASKERS_MAX)
		return ERR_MALFORMED;
	r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_MEMORY;
	r->id = ++s->next_id;
	r->asked_id = asked.id;
	r->which = which;
	r->deadline_ms = clock_monotonic_ms() + TOKEN_SIGN_MS * (int64_t)(one->requests_count + 1) +
			 SLACK_MS;
	if (!one->is_usable || !one->child || hand_on(one, r, &asked) != ERR_OK) {
		refuse(one, r, REASON_UNREADABLE, "its key is not there any more");
		free(r);
		return ERR_OK;
	}
	r->next = one->requests;
	one->requests = r;
	one->requests_count++;
	return ERR_OK;
}

enum err signers_ask(struct signers *s, unsigned which, uint16_t type, struct slice payload)
{
	struct wire w = wire_of(payload);
	uint64_t number;

	if (which >= SIGNERS_ASKERS_MAX || !s->conf.scanner->key_order)
		return ERR_MALFORMED;
	if (type == MESSAGE_SIGN)
		return ask_signature(s, which, payload);
	number = wire_get_u64(&w);
	if (wire_end(&w) != ERR_OK || !number || number > UINT16_MAX)
		return ERR_MALFORMED;
	return open_key(s, which, (uint16_t)number);
}

void signers_forget(struct signers *s, unsigned which)
{
	for (size_t i = 0; which < SIGNERS_ASKERS_MAX && i < SIGNERS_MAX; i++) {
		struct signer *one = &s->items[i];

		one->waiting &= ~(UINT64_C(1) << which);
		for (struct request **at = &one->requests; *at;) {
			struct request *r = *at;

			if (r->which != which) {
				at = &r->next;
				continue;
			}
			*at = r->next;
			one->requests_count--;
			free(r);
		}
	}
}

static bool is_late(const struct signer *s, int64_t now)
{
	if (!s->is_known)
		return now > s->deadline_ms;
	for (const struct request *r = s->requests; r; r = r->next)
		if (now > r->deadline_ms)
			return true;
	return false;
}

void signers_tick(struct signers *s)
{
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < SIGNERS_MAX; i++)
		if (s->items[i].child && is_late(&s->items[i], now)) {
			s->items[i].was_late = true;
			child_kill(s->items[i].child, "no answer in time");
		}
}

/* ---- life ------------------------------------------------------------------------------------- */

enum err signers_new(const struct signers_conf *conf, struct signers **out)
{
	struct signers *s = calloc(1, sizeof(*s));

	if (!s)
		return ERR_MEMORY;
	s->conf = *conf;
	for (size_t i = 0; i < SIGNERS_MAX; i++) {
		s->items[i].all = s;
		buffer_init(&s->items[i].word, FRAME_BYTES_MAX);
	}
	*out = s;
	return ERR_OK;
}

void signers_free(struct signers *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SIGNERS_MAX; i++) {
		struct signer *one = &s->items[i];

		if (one->child)
			child_abandon(one->child);
		while (one->requests) {
			struct request *r = one->requests;

			one->requests = r->next;
			free(r);
		}
		token_order_fini(&one->order);
		buffer_fini(&one->word);
	}
	free(s);
}
