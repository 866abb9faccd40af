/* The markers of all formats. */
#include "scanners/formats/formats_markers.h"

#include "agent/base/log.h"
#include "scanners/formats/format.h"

#include <pthread.h>
#include <string.h>

enum {
#define FORMAT(name) NUMBER_##name,
#include "scanners/formats/formats.def"
#undef FORMAT
	FORMATS_COUNT
};

static struct {
	struct markers all;
	struct markers text;
	uint64_t of[FORMATS_COUNT];
} known;

/* There being no room for one is a mistake in the table, which the test of it finds. */
static void add_all(struct markers *to, const char *const *texts)
{
	for (; texts && *texts; texts++)
		if (markers_add(to, slice_text(*texts)) != ERR_OK)
			log_error("files with \"%s\" in them are not searched for", *texts);
}

static uint64_t bits_of(const struct markers *m, const char *const *texts)
{
	uint64_t bits = 0;

	for (; texts && *texts; texts++)
		for (unsigned i = 0; i < m->count; i++)
			if (m->items[i].bytes.size == strlen(*texts) &&
				memcmp(m->items[i].bytes.data, *texts, strlen(*texts)) == 0)
				bits |= UINT64_C(1) << i;
	return bits;
}

static void prepare(void)
{
	markers_init(&known.text);
	for (size_t i = 0; i < FORMATS_COUNT; i++)
		add_all(&known.text, formats[i]->text_markers);
	known.all = known.text;
	for (size_t i = 0; i < FORMATS_COUNT; i++)
		add_all(&known.all, formats[i]->config_markers);
	for (size_t i = 0; i < FORMATS_COUNT; i++)
		known.of[i] = bits_of(&known.all, formats[i]->text_markers) |
			      bits_of(&known.all, formats[i]->config_markers);
	markers_prepare(&known.text);
	markers_prepare(&known.all);
}

static void prepare_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, prepare);
}

const struct markers *formats_markers(void)
{
	prepare_once();
	return &known.all;
}

const struct markers *formats_text_markers(void)
{
	prepare_once();
	return &known.text;
}

uint64_t formats_markers_of(size_t i)
{
	prepare_once();
	return i < FORMATS_COUNT ? known.of[i] : 0;
}
