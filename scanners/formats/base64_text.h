/* Base64 that stands somewhere in a text: where it may begin, and how far it goes over the folds of YAML, LDIF
 * and plists and the escapes of JSON. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_BASE64_TEXT_H
#define LEAFWATCH_SCANNERS_FORMATS_BASE64_TEXT_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_MARKERS_MAX 24
/* As many digits as there are. */
#define BASE64_ALL SIZE_MAX

/* Finds the markers of a list in the order in which they stand in the text. Starts as { .text, .markers }. */
struct base64_search {
	struct slice text;          /* borrowed */
	const char *const *markers; /* borrowed, up to a NULL, BASE64_MARKERS_MAX at most */
	size_t next[BASE64_MARKERS_MAX];
	bool is_started;
};
/* The first marker at or behind `from`, which never goes back; false where there is none. */
bool base64_search_next(struct base64_search *s, size_t from, size_t *at, size_t *which);

/* A digit that the text around it has escaped ("\/", "\u002b", "&#43;", "%2B"): its bytes, 0 = none. */
size_t base64_escaped_digit(struct slice s, uint8_t *digit);
/* How many bytes the digit has that ends at `at`, escaped or of the URL's alphabet too; 0 = there is none. */
size_t base64_digit_before(struct slice text, size_t at);
/* Does a run of digits begin here, and not go on from before? */
bool base64_is_start(struct slice text, size_t at);
/* Where the run begins that goes through `at`, behind `least`, over the folds of whole lines above it. `*phase`:
 * how many digits stand before `at` beyond groups of four. */
size_t base64_run_start(struct slice text, size_t at, size_t least, unsigned *phase);
/* "MIIDazCC..." in a manual: is `rest`, which follows a run, what stands for the rest of it? */
bool base64_is_sketch(struct slice rest);

/* Decodes the digits at the start of `s`, at most `digits`, over folds and escapes; a line that has more than
 * base64 in it is none. Of the URL's alphabet (RFC 4648 5) only where a number of digits is given. Returns
 * the bytes of `s` that were used. */
size_t base64_text_decode(struct slice s, size_t digits, struct buffer *out);

#endif
