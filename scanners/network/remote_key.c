/* Signatures by keys that lie in tokens, asked of main. */
#include "scanners/network/remote_key.h"

#include "agent/base/clock.h"
#include "agent/process/messages.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* On the stack of who waits. */
struct wait {
	uint64_t id;
	bool is_over;
	bool is_signed;
	struct buffer *signature;
	char *failure;
	struct wait *next;
};

struct remote_keys {
	struct channel *channel; /* borrowed */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* by the monotonic clock */
	struct wait *waits;
	uint64_t next_id;
	bool is_stopped;
};

enum err remote_keys_new(struct channel *channel, struct remote_keys **out)
{
	struct remote_keys *k = calloc(1, sizeof(*k));
	pthread_condattr_t attr;

	if (!k)
		return ERR_MEMORY;
	k->channel = channel;
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&k->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	*out = k;
	return ERR_OK;
}

void remote_keys_free(struct remote_keys *k)
{
	if (!k)
		return;
	(void)pthread_cond_destroy(&k->changed);
	(void)pthread_mutex_destroy(&k->lock);
	free(k);
}

enum err remote_keys_open(struct remote_keys *k, uint16_t number)
{
	return channel_number(k->channel, MESSAGE_KEY_OPEN, number);
}

static void fill(struct wait *w, const struct sign_answer *said)
{
	w->is_over = true;
	if (said->is_signed) {
		buffer_slice(w->signature, said->signature);
		w->is_signed = buffer_status(w->signature) == ERR_OK;
		return;
	}
	(void)snprintf(w->failure, REMOTE_KEY_TEXT_BYTES, "%.*s", (int)said->message.size,
		(const char *)said->message.data);
}

enum err remote_keys_take(struct remote_keys *k, struct slice payload, struct sign_answer *out)
{
	enum err e = sign_answer_decode(payload, out);

	if (e != ERR_OK)
		return e;
	(void)pthread_mutex_lock(&k->lock);
	/* Who did not wait so long is not there any more. */
	for (struct wait *w = k->waits; w; w = w->next)
		if (w->id == out->id && !w->is_over)
			fill(w, out);
	(void)pthread_cond_broadcast(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
	return ERR_OK;
}

bool remote_keys_are_awaited(struct remote_keys *k)
{
	bool are;

	(void)pthread_mutex_lock(&k->lock);
	are = k->waits;
	(void)pthread_mutex_unlock(&k->lock);
	return are;
}

void remote_keys_stop(struct remote_keys *k)
{
	(void)pthread_mutex_lock(&k->lock);
	k->is_stopped = true;
	(void)pthread_cond_broadcast(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
}

static enum err ask(struct remote_keys *k, uint64_t id, const struct remote_wish *wish)
{
	const struct sign_request asked = {
		.id = id, .number = wish->number, .scheme = wish->scheme, .data = wish->data
	};
	struct buffer out;
	enum err e;

	if (wish->data.size > SIGN_DATA_BYTES_MAX)
		return ERR_LIMIT;
	buffer_init(&out, FRAME_BYTES_MAX);
	sign_request_encode(&out, &asked);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(k->channel, MESSAGE_SIGN, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static struct timespec time_of(int64_t ms)
{
	return (struct timespec){ .tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000L };
}

/* Under the lock. */
static void wait_for(struct remote_keys *k, struct wait *w, int64_t deadline_ms)
{
	const struct timespec until = time_of(deadline_ms);

	while (!w->is_over && !k->is_stopped &&
		pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
		;
	if (!w->is_over)
		(void)snprintf(w->failure, REMOTE_KEY_TEXT_BYTES, "no signature came in time");
}

static void enter(struct remote_keys *k, struct wait *w)
{
	(void)pthread_mutex_lock(&k->lock);
	w->id = ++k->next_id;
	w->next = k->waits;
	k->waits = w;
	(void)pthread_mutex_unlock(&k->lock);
}

/* Under the lock. */
static void leave(struct remote_keys *k, const struct wait *w)
{
	for (struct wait **at = &k->waits; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			return;
		}
}

bool remote_keys_sign(struct remote_keys *k, const struct remote_wish *wish,
	struct buffer *signature, char failure[REMOTE_KEY_TEXT_BYTES])
{
	struct wait w = { .signature = signature, .failure = failure };
	enum err e = ERR_OK;

	if (clock_monotonic_ms() >= wish->deadline_ms) {
		(void)snprintf(failure, REMOTE_KEY_TEXT_BYTES, "no time was left to sign");
		return false;
	}
	enter(k, &w);
	e = ask(k, w.id, wish);
	(void)pthread_mutex_lock(&k->lock);
	if (e == ERR_OK)
		wait_for(k, &w, wish->deadline_ms);
	else
		(void)snprintf(failure, REMOTE_KEY_TEXT_BYTES,
			"a signature cannot be asked for: %s",
			e == ERR_LIMIT ? "the handshake is too large" : err_text(e));
	leave(k, &w);
	(void)pthread_mutex_unlock(&k->lock);
	return w.is_signed;
}
