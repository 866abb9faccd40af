/* The search for base64 inside a text. */
#include "scanners/formats/base64_finder.h"

#include "scanners/formats/base64_text.h"

void base64_tell(struct base64_finder *f, struct slice text, size_t start)
{
	enum err e;

	format_place(f->sink, text.data + start);
	e = f->sink->nested(f->sink->arg, NULL, buffer_bytes(&f->bytes));
	f->found = f->found || e == ERR_OK;
	if (e != ERR_NOT_FOUND)
		f->status = e;
}

void base64_failed(struct base64_finder *f, enum err e, struct slice text, size_t start)
{
	f->status = e;
	if (e != ERR_LIMIT)
		return;
	f->found = true;
	format_place(f->sink, text.data + start);
	f->status = format_limited(
		f->sink, "what stands there in base64 is larger than is decoded", "decoded_size");
}

enum format_answer base64_find(struct base64_finder *f)
{
	struct base64_search search = { .text = f->in->bytes, .markers = f->markers };
	size_t from = 0, runs = 0, at, which;
	const size_t runs_max = (size_t)format_limits_of(f->in)->places;

	buffer_init(&f->bytes, format_bytes_max(f->in));
	buffer_init(&f->inner, format_bytes_max(f->in));
	while (f->status == ERR_OK && base64_search_next(&search, from, &at, &which)) {
		size_t end = at + 1;
		size_t start;

		if (f->find(f->in->bytes, at, which, &start) && start >= from) {
			if (++runs > runs_max)
				break;
			end = f->take(f, f->in->bytes, start, which);
		}
		from = end > at ? end : at + 1;
	}
	if (runs > runs_max && f->status == ERR_OK)
		(void)!format_limited(f->sink, f->too_many, "base64_places");
	buffer_wipe(&f->bytes);
	buffer_wipe(&f->inner);
	return f->found || runs > runs_max ? FORMAT_MINE : FORMAT_NOT_MINE;
}
