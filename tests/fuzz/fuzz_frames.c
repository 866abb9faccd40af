/* All that crosses a socket between main and its roles, read by the side that must not trust it. */
#include "harness.h"

#include "agent/process/frame.h"
#include "agent/process/messages.h"
#include "scanners/parser.h"
#include "scanners/session.h"

static void read_record(struct slice s)
{
	struct record r;

	if (record_decode(s, &r) != ERR_OK)
		return;
	(void)harness_record(NULL, &r);
	record_fini(&r);
}

static void read_options(struct slice s)
{
	struct parser_options options;

	if (parser_options_decode(s, &options) == ERR_OK)
		parser_options_fini(&options);
}

static void read_session(struct slice s)
{
	(void)harness_run(parser_endpoint, s.data, s.size);
}

static void read_setup(struct slice s)
{
	struct setup setup;

	if (setup_decode(s, &setup) == ERR_OK)
		read_options(setup.options);
}

static void read_work(struct slice s)
{
	struct work work;

	(void)!work_decode(s, &work);
}

static void read_piece(struct slice s)
{
	struct finding_piece piece;

	(void)!finding_piece_decode(s, &piece);
}

static void read_progress(struct slice s)
{
	struct progress progress;

	(void)!progress_decode(s, &progress);
}

static void read_layer(struct slice s)
{
	struct sandbox_layer layer;

	(void)!sandbox_layer_decode(s, &layer);
}

static void read_frames(struct slice s)
{
	struct slice payload;
	uint16_t type;

	while (frame_read(s, &type, &payload) == ERR_OK)
		s = slice_after(s, FRAME_HEAD_BYTES + payload.size);
}

/* The first byte chooses the reader. */
static void (*const readers[])(struct slice) = { read_record, read_session, read_setup, read_work,
	read_piece, read_progress, read_layer, read_frames };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](
			slice_of(data + 1, size - 1));
	return 0;
}
