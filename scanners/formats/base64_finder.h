/* What the formats of base64 inside a text have in common: each place where it may begin is looked at once, up to the
 * limits, and what is decoded there is given to all formats. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_BASE64_FINDER_H
#define LEAFWATCH_SCANNERS_FORMATS_BASE64_FINDER_H

#include "agent/base/buffer.h"
#include "scanners/formats/format.h"

/* Starts with all up to `too_many`. */
struct base64_finder {
	const struct format_input *in;
	const struct format_sink *sink;
	const char *const *markers; /* as base64_search has them */
	/* Where the run begins that has this marker; false where there is none. */
	bool (*find)(struct slice text, size_t at, size_t which, size_t *start);
	/* Takes the run that begins there and returns where it ends. */
	size_t (*take)(struct base64_finder *f, struct slice text, size_t start, size_t which);
	const char *too_many; /* the sentence for more places than the limit */
	struct buffer bytes;  /* what was decoded; wiped, as is the next: keys may be in them */
	struct buffer inner;  /* base64 that was in base64 */
	bool found;
	enum err status;
};
/* FORMAT_MINE where something was found. */
enum format_answer base64_find(struct base64_finder *f);
/* For `take`: gives `bytes` to the formats, as what lies at `start`. */
void base64_tell(struct base64_finder *f, struct slice text, size_t start);
/* For `take`: they could not be decoded. */
void base64_failed(struct base64_finder *f, enum err e, struct slice text, size_t start);

#endif
