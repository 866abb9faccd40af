/* Names folded for comparison. */
#include "agent/certificate/name_key.h"

#include "agent/base/text.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Attributes of one RDN that are put in order; no name in use has more than a few. */
#define PAIRS_MAX 64
/* Escapes at most double a value, and separators are there already. */
#define FOLDED_BYTES_MAX (4 * RECORD_TEXT_BYTES_MAX)

struct pair {
	size_t at;
	size_t size;
};

struct folding {
	struct buffer *out; /* borrowed */
	struct buffer raw;  /* a value without its escapes */
	struct pair pairs[PAIRS_MAX];
	size_t pairs_count;
};

/* ---- characters ------------------------------------------------------------------------------- */

static bool is_space(uint32_t point)
{
	return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0 ||
	       (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
	       point == 0x202f || point == 0x205f || point == 0x3000;
}

/* Simple case folding of ASCII and of the alphabets that names of organisations are written in: Latin-1,
 * Greek, Cyrillic. It depends on no locale. */
static uint32_t lower(uint32_t point)
{
	bool is_latin = point >= 0xc0 && point <= 0xde && point != 0xd7;
	bool is_greek = point >= 0x391 && point <= 0x3a9 && point != 0x3a2;

	if ((point >= 'A' && point <= 'Z') || is_latin || is_greek ||
		(point >= 0x410 && point <= 0x42f))
		return point + 32;
	if (point >= 0x400 && point <= 0x40f)
		return point + 80;
	return point;
}

/* Up to U+07FF, which is as far as lower() goes. */
static void put_small(struct buffer *out, uint32_t point)
{
	if (point < 0x80) {
		buffer_byte(out, (uint8_t)point);
		return;
	}
	buffer_byte(out, (uint8_t)(0xc0 | point >> 6));
	buffer_byte(out, (uint8_t)(0x80 | (point & 0x3f)));
}

/* ---- values ----------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Takes the escapes out (RFC 4514 2.4) up to a separator; gives where that stands. */
static const char *unescape(const char *at, struct buffer *raw)
{
	for (; *at && *at != ',' && *at != '+'; at++) {
		uint8_t byte;

		if (at[0] != '\\' || !at[1]) {
			buffer_byte(raw, (uint8_t)*at);
			continue;
		}
		at++;
		if (is_hex(at[0]) && is_hex(at[1])) {
			const char digits[] = { at[0], at[1], 0 };

			if (text_unhex(&byte, 1, digits))
				buffer_byte(raw, byte);
			at++;
		} else {
			buffer_byte(raw, (uint8_t)*at);
		}
	}
	return at;
}

static void put_separable(struct buffer *out, uint8_t byte)
{
	if (byte == ',' || byte == '+' || byte == '\\')
		buffer_byte(out, '\\');
	buffer_byte(out, byte);
}

/* White space at the ends goes, runs of it become one space. */
static void fold_value(struct slice value, struct buffer *out)
{
	bool owes_space = false;
	size_t start = out->size;

	for (size_t at = 0; at < value.size;) {
		struct slice rest = slice_of(value.data + at, value.size - at);
		uint32_t point = 0;
		size_t length = text_utf8_character(rest, &point);
		uint32_t small = length ? lower(point) : 0;

		if (length && is_space(point)) {
			owes_space = out->size > start;
			at += length;
			continue;
		}
		if (owes_space)
			buffer_byte(out, ' ');
		owes_space = false;
		if (!length || small < 0x80)
			put_separable(out, length ? (uint8_t)small : rest.data[0]);
		else if (small != point)
			put_small(out, small);
		else
			buffer_append(out, rest.data, length);
		at += length ? length : 1;
	}
}

/* ---- names ------------------------------------------------------------------------------------ */

/* One "type=value"; gives where the separator behind it stands. */
static const char *fold_pair(struct folding *f, const char *at)
{
	size_t type = strcspn(at, "=,+");
	size_t start = f->out->size;

	if (at[type] == '=') {
		buffer_append(f->out, at, type + 1);
		at += type + 1;
	}
	buffer_clear(&f->raw);
	at = unescape(at, &f->raw);
	fold_value(buffer_bytes(&f->raw), f->out);
	if (f->pairs_count < PAIRS_MAX)
		f->pairs[f->pairs_count] = (struct pair){ start, f->out->size - start };
	f->pairs_count++;
	return at;
}

static int by_bytes(const void *left, const void *right, void *arg)
{
	const struct pair *a = left;
	const struct pair *b = right;
	const uint8_t *text = arg;
	int order = memcmp(text + a->at, text + b->at, a->size < b->size ? a->size : b->size);

	return order ? order : (a->size > b->size) - (a->size < b->size);
}

/* A SET has no order of its own; DER orders it by encodings, in which the string types count. */
static void sort_pairs(struct folding *f, size_t start)
{
	struct buffer sorted;

	if (f->pairs_count < 2 || f->pairs_count > PAIRS_MAX || buffer_status(f->out) != ERR_OK)
		return;
	buffer_init(&sorted, FOLDED_BYTES_MAX);
	qsort_r(f->pairs, f->pairs_count, sizeof(f->pairs[0]), by_bytes, f->out->data);
	for (size_t i = 0; i < f->pairs_count; i++) {
		if (i)
			buffer_byte(&sorted, '+');
		buffer_append(&sorted, f->out->data + f->pairs[i].at, f->pairs[i].size);
	}
	if (buffer_status(&sorted) == ERR_OK && sorted.size == f->out->size - start)
		memcpy(f->out->data + start, sorted.data, sorted.size);
	else
		f->out->status = ERR_MEMORY;
	buffer_fini(&sorted);
}

static const char *fold_rdn(struct folding *f, const char *at)
{
	size_t start = f->out->size;

	f->pairs_count = 0;
	for (;;) {
		at = fold_pair(f, at);
		if (*at != '+')
			break;
		buffer_byte(f->out, '+');
		at++;
	}
	sort_pairs(f, start);
	return at;
}

void name_fold(const char *text, struct buffer *out)
{
	struct folding f = { .out = out };

	if (!*text)
		return;
	buffer_init(&f.raw, RECORD_TEXT_BYTES_MAX + 1);
	for (;;) {
		text = fold_rdn(&f, text);
		if (!*text)
			break;
		buffer_byte(out, ',');
		text++;
	}
	if (buffer_status(&f.raw) != ERR_OK)
		out->status = buffer_status(&f.raw);
	buffer_fini(&f.raw);
}

enum err name_key_of(const char *text, struct name_key *out)
{
	uint8_t digest[FINGERPRINT_BYTES];
	struct buffer folded;
	enum err e;

	if (!*text)
		return ERR_NOT_FOUND;
	buffer_init(&folded, FOLDED_BYTES_MAX);
	name_fold(text, &folded);
	e = buffer_status(&folded);
	if (e == ERR_OK) {
		fingerprint_of(buffer_bytes(&folded), digest);
		memcpy(out->bytes, digest, sizeof(out->bytes));
	}
	buffer_fini(&folded);
	return e;
}
