/* The token role: modules one after another, each in a process that is watched, and what they tell. */
#include "scanners/tokens/role.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/wire.h"
#include "agent/process/channel.h"
#include "scanners/tokens/signing.h"
#include "scanners/tokens/watch.h"

#include <stdlib.h>

#define MEMORY_BYTES_MAX (16 * 1024 * 1024)
#define MEMORY_PIECE_BYTES (256 * 1024)

struct role_state {
	struct channel channel;
	struct buffer memory_in;
	struct token_memory memory;
	uint64_t items;
	bool is_transient;
	struct why *why; /* borrowed */
};

static enum err send_done(struct role_state *r, uint64_t id)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, sizeof(id));
	wire_put_u64(&out, id);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(&r->channel, MESSAGE_WORK_DONE, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err on_setup(struct role_state *r, struct slice payload)
{
	struct setup setup;
	enum err e = setup_decode(payload, &setup);

	if (e != ERR_OK)
		return why_fail(r->why, e, "the setup cannot be read");
	r->is_transient = setup.is_transient;
	/* In a thread of main the log is main's. */
	if (setup.log_level != log_level())
		log_setup((enum log_level)setup.log_level, token_role.name);
	return ERR_OK;
}

static enum err on_memory(struct role_state *r, struct slice payload)
{
	buffer_slice(&r->memory_in, payload);
	return buffer_status(&r->memory_in);
}

/* What cannot be read is forgotten: then a refused PIN is tried once more. */
static enum err take_memory(struct role_state *r)
{
	enum err e = ERR_OK;

	if (r->memory_in.size)
		e = token_memory_decode(buffer_bytes(&r->memory_in), &r->memory);
	buffer_fini(&r->memory_in);
	return e == ERR_MALFORMED ? ERR_OK : e;
}

static enum err on_work(struct role_state *r, struct slice payload)
{
	struct token_work work;
	struct work message;
	enum err e = work_decode(payload, &message);

	if (e == ERR_OK)
		e = take_memory(r);
	if (e == ERR_OK)
		e = token_work_decode(message.item, &work);
	if (e != ERR_OK)
		return e;
	e = watch_modules(&work, &r->memory, &r->channel, &r->items);
	token_work_fini(&work);
	return e == ERR_OK ? send_done(r, message.id) : e;
}

static enum err send_memory(struct role_state *r)
{
	struct buffer out;
	struct slice left;
	enum err e;

	buffer_init(&out, MEMORY_BYTES_MAX);
	token_memory_encode(&out, &r->memory);
	e = buffer_status(&out);
	left = buffer_bytes(&out);
	while (e == ERR_OK && left.size) {
		size_t size = left.size < MEMORY_PIECE_BYTES ? left.size : MEMORY_PIECE_BYTES;

		e = channel_write(&r->channel, MESSAGE_MEMORY, slice_of(left.data, size));
		left = slice_after(left, size);
	}
	buffer_fini(&out);
	return e;
}

static enum err on_finish(struct role_state *r)
{
	enum err e = take_memory(r);

	if (e == ERR_OK && !r->is_transient)
		e = send_memory(r);
	if (e == ERR_OK)
		e = channel_write(&r->channel, MESSAGE_FINISHED, slice_of(NULL, 0));
	return e == ERR_OK ? ERR_END : e;
}

/* The rest of its life. */
static enum err on_key(struct role_state *r, struct slice payload)
{
	struct token_order order;
	enum err e = token_order_decode(payload, &order);

	if (e != ERR_OK)
		return e;
	e = signing_serve(&order, &r->channel);
	token_order_fini(&order);
	return e == ERR_CLOSED ? ERR_END : e;
}

static enum err take(struct role_state *r, uint16_t type, struct slice payload)
{
	switch (type) {
	case MESSAGE_SETUP:
		return on_setup(r, payload);
	case MESSAGE_MEMORY:
		return on_memory(r, payload);
	case MESSAGE_WORK:
		return on_work(r, payload);
	case MESSAGE_FINISH:
		return on_finish(r);
	case MESSAGE_KEY_OPEN:
		return on_key(r, payload);
	default:
		return why_fail(r->why, ERR_MALFORMED, "unexpected message %u from main", type);
	}
}

static enum err token_run(int fd, struct why *why)
{
	struct role_state r = { .why = why };
	struct slice payload;
	uint16_t type;
	enum err e = channel_init(&r.channel, fd);

	if (e != ERR_OK)
		return e;
	buffer_init(&r.memory_in, MEMORY_BYTES_MAX);
	while (e == ERR_OK) {
		e = channel_read(&r.channel, &type, &payload);
		if (e == ERR_OK)
			e = take(&r, type, payload);
	}
	buffer_fini(&r.memory_in);
	token_memory_fini(&r.memory);
	channel_fini(&r.channel);
	return e == ERR_END ? ERR_OK : e;
}

const struct role token_role = {
	.name = "token",
	.needs = ROLE_NEEDS_MODULES,
	.run = token_run,
};
