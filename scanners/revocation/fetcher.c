/* The fetcher role: work from main in, transfers of curl, their bodies out as they come. */
#include "scanners/revocation/fetcher.h"

#include "agent/base/curl_library.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/process/channel.h"
#include "scanners/fetch.h"
#include "scanners/revocation/transfer.h"

#include <stdlib.h>

#define TRANSFERS_MAX 16 /* at once */
#define TRANSFERS_PER_HOST_MAX 2
#define POLL_MS 500 /* between signs of life */

struct fetcher {
	struct channel channel;
	struct fetcher_options options;
	struct transfers *transfers;
	uint64_t done;
	bool was_told_finish;
	struct why *why; /* borrowed */
};

void fetcher_options_encode(struct buffer *out, const struct fetcher_options *o)
{
	wire_put_i64(out, o->timeout_ms);
	wire_put_text(out, o->proxy);
}

enum err fetcher_options_decode(struct slice bytes, struct fetcher_options *out)
{
	struct wire w = wire_of(bytes);
	struct fetcher_options o = { 0 };

	o.timeout_ms = wire_get_i64(&w);
	o.proxy = wire_get_text(&w, RECORD_URL_BYTES_MAX);
	if (wire_end(&w) != ERR_OK || o.timeout_ms < FETCHER_TIMEOUT_MS_MIN ||
		o.timeout_ms > FETCHER_TIMEOUT_MS_MAX) {
		free(o.proxy);
		return ERR_MALFORMED;
	}
	*out = o;
	return ERR_OK;
}

/* --- telling main -------------------------------------------------------------------------------- */

static enum err on_piece(void *arg, const struct finding_piece *piece)
{
	struct fetcher *f = arg;
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	finding_piece_encode(&out, piece);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(&f->channel, MESSAGE_FINDING, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err on_end(void *arg, uint64_t work)
{
	struct fetcher *f = arg;

	f->done++;
	return channel_number(&f->channel, MESSAGE_WORK_DONE, work);
}

/* --- work ---------------------------------------------------------------------------------------- */

static enum err take_work(struct fetcher *f, struct slice payload)
{
	struct fetch fetch = { 0 };
	struct work work;
	enum err e = work_decode(payload, &work);

	if (e == ERR_OK)
		e = fetch_decode(work.item, &fetch);
	if (e != ERR_OK)
		return e;
	if (!fetch.is_kept)
		return transfers_add(f->transfers, work.id, work.place, &fetch);
	fetch_fini(&fetch);
	e = channel_write(&f->channel, MESSAGE_UNCHANGED, work.place);
	return e == ERR_OK ? on_end(f, work.id) : e;
}

static enum err take_frame(struct fetcher *f)
{
	struct slice payload;
	uint16_t type;
	enum err e = channel_read(&f->channel, &type, &payload);

	if (e != ERR_OK)
		return e;
	if (type == MESSAGE_WORK)
		return take_work(f, payload);
	if (type == MESSAGE_FINISH) {
		f->was_told_finish = true;
		return ERR_OK;
	}
	return why_fail(f->why, ERR_MALFORMED, "unexpected message %u from main", type);
}

static enum err send_progress(struct fetcher *f)
{
	const struct progress progress = { .items = f->done };

	return channel_progress(&f->channel, &progress);
}

static enum err round_of_work(struct fetcher *f)
{
	bool is_readable = false;
	enum err e = transfers_step(f->transfers, f->channel.fd, POLL_MS, &is_readable);

	if (e == ERR_OK && is_readable) {
		e = channel_fill(&f->channel);
		if (e == ERR_BUSY)
			e = ERR_OK;
	}
	while (e == ERR_OK && channel_has_frame(&f->channel))
		e = take_frame(f);
	return e == ERR_OK ? send_progress(f) : e;
}

static enum err read_setup(struct fetcher *f)
{
	struct slice payload;
	struct setup setup;
	uint16_t type;
	enum err e = channel_read(&f->channel, &type, &payload);

	if (e == ERR_OK && type != MESSAGE_SETUP)
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = setup_decode(payload, &setup);
	if (e == ERR_OK)
		e = fetcher_options_decode(setup.options, &f->options);
	return e;
}

static enum err serve(struct fetcher *f)
{
	const struct transfers_conf conf = { .timeout_ms = 0,
		.count_max = TRANSFERS_MAX,
		.per_host_max = TRANSFERS_PER_HOST_MAX,
		.piece = on_piece,
		.end = on_end,
		.arg = f };
	struct transfers_conf with_options = conf;
	enum err e = read_setup(f);

	if (e != ERR_OK)
		return why_fail(f->why, e, "the setup cannot be read");
	with_options.timeout_ms = f->options.timeout_ms;
	with_options.proxy = f->options.proxy;
	e = transfers_new(&with_options, &f->transfers);
	while (e == ERR_OK && channel_has_frame(&f->channel))
		e = take_frame(f);
	while (e == ERR_OK && !(f->was_told_finish && transfers_are_over(f->transfers)))
		e = round_of_work(f);
	if (e == ERR_OK)
		e = channel_write(&f->channel, MESSAGE_FINISHED, slice_of(NULL, 0));
	return e;
}

static enum err fetcher_run(int fd, struct why *why)
{
	struct fetcher f = { .why = why };
	enum err e = channel_init(&f.channel, fd);

	if (e != ERR_OK)
		return e;
	e = serve(&f);
	transfers_free(f.transfers);
	free(f.options.proxy);
	channel_fini(&f.channel);
	/* main going away ends the work; it is no failure of ours. */
	return e == ERR_CLOSED ? ERR_OK : e;
}

const struct role fetcher_role = {
	.name = "fetcher",
	.needs = ROLE_NEEDS_NETWORK,
	.prepare = curl_library_load,
	.run = fetcher_run,
};
