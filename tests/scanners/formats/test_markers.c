/* The search for markers, against the obvious one. */
#include "scanners/formats/markers.h"

#include "scanners/formats/format.h"
#include "scanners/formats/formats_markers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_at(const struct markers *m, unsigned i, struct slice text, size_t at)
{
	struct slice marker = m->items[i].bytes;

	return text.data[at] == marker.data[0] &&
	       slice_starts(slice_after(text, at), marker.data, marker.size);
}

static int64_t obvious(const struct markers *m, struct slice text)
{
	for (size_t at = 0; at < text.size; at++)
		for (unsigned i = 0; i < m->count; i++)
			if (is_at(m, i, text, at))
				return (int64_t)at;
	return -1;
}

static uint64_t all_of(const struct markers *m, struct slice text)
{
	uint64_t all = 0;

	for (size_t at = 0; at < text.size; at++)
		for (unsigned i = 0; i < m->count; i++)
			if (is_at(m, i, text, at))
				all |= UINT64_C(1) << i;
	return all;
}

static void check_with(const struct markers *m, const uint8_t *bytes, size_t size)
{
	/* A copy of just this size, so that a sanitizer sees each read behind it. */
	uint8_t *copy = calloc(1, size ? size : 1);
	struct slice text = slice_of(copy, size);
	unsigned which = 99;
	int64_t place;

	assert_non_null(copy);
	if (size)
		memcpy(copy, bytes, size);
	place = markers_find(m, text, &which);
	assert_int_equal(place, obvious(m, text));
	if (place >= 0)
		assert_true(slice_starts(slice_after(text, (size_t)place),
			m->items[which].bytes.data, m->items[which].bytes.size));
	assert_int_equal(markers_in(m, text), all_of(m, text));
	free(copy);
}

/* With all that this processor can. */
static void check(const struct markers *m, const uint8_t *bytes, size_t size)
{
	struct markers with = *m;

	assert_int_equal(m->width, markers_widest());
	for (int width = MARKERS_BY_1; width <= (int)markers_widest(); width++) {
		with.width = (enum markers_width)width;
		check_with(&with, bytes, size);
	}
}

static void test_every_place(void **state)
{
	struct markers m;
	uint8_t text[400];

	(void)state;
	markers_init(&m);
	assert_int_equal(markers_add(&m, slice_text("-----BEGIN ")), ERR_OK);
	assert_int_equal(markers_add(&m, slice_text("LS0tLS1CRUdJTi")), ERR_OK);
	markers_prepare(&m);
	for (size_t size = 0; size <= 300; size += 7) {
		memset(text, '-', sizeof(text));
		check(&m, text, size);
		for (size_t at = 0; at + 11 <= size; at++) {
			memset(text, '-', sizeof(text));
			memcpy(text + at, "-----BEGIN ", 11);
			check(&m, text, size);
			memcpy(text + at, "LS0tLS1CRUd", 11);
			check(&m, text, size);
		}
	}
}

static void test_random_texts(void **state)
{
	static const char letters[] = "aB-1";
	struct markers m;
	uint8_t text[300];
	unsigned random = 1;

	(void)state;
	markers_init(&m);
	assert_int_equal(markers_add(&m, slice_text("aBaB")), ERR_OK);
	assert_int_equal(markers_add(&m, slice_text("--1B-a")), ERR_OK);
	assert_int_equal(markers_add(&m, slice_text("1111")), ERR_OK);
	markers_prepare(&m);
	for (unsigned round = 0; round < 5000; round++) {
		size_t size = round % sizeof(text);
		unsigned kinds = 2 + round % 3;

		for (size_t i = 0; i < size; i++) {
			random = random * 1103515245 + 12345;
			text[i] = (uint8_t)letters[(random >> 16) % kinds + (kinds < 4)];
		}
		check(&m, text, size);
	}
}

static void test_bounds(void **state)
{
	struct markers m;
	uint8_t bytes[MARKER_BYTES_MAX + 1];
	unsigned which;

	(void)state;
	markers_init(&m);
	assert_int_equal(markers_find(&m, slice_text("text"), &which), -1);
	memset(bytes, 'x', sizeof(bytes));
	bytes[0] = 'y';
	assert_int_equal(markers_add(&m, slice_of(bytes, MARKER_BYTES_MIN - 1)), ERR_LIMIT);
	assert_int_equal(markers_add(&m, slice_of(bytes, sizeof(bytes))), ERR_LIMIT);
	for (size_t i = 0; i < MARKERS_MAX; i++)
		assert_int_equal(
			markers_add(&m, slice_of(bytes + i % 2, MARKER_BYTES_MIN + i / 2)), ERR_OK);
	assert_int_equal(markers_add(&m, slice_of(bytes, 5)), ERR_OK); /* known already */
	assert_int_equal(m.count, MARKERS_MAX);
	assert_int_equal(markers_add(&m, slice_of(bytes, 60)), ERR_LIMIT);
}

static void add_all(struct markers *m, const char *const *texts, size_t count)
{
	markers_init(m);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(markers_add(m, slice_text(texts[i])), ERR_OK);
	markers_prepare(m);
}

/* Each marker at each place of a text of `noise` over and over. */
static void check_in_noise(
	const struct markers *m, const char *const *texts, size_t count, const char *noise)
{
	uint8_t text[300];

	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; at + strlen(texts[i]) <= sizeof(text); at++) {
			for (size_t n = 0; n < sizeof(text); n++)
				text[n] = (uint8_t)noise[n % strlen(noise)];
			check(m, text, at);
			memcpy(text + at, texts[i], strlen(texts[i]));
			check(m, text, at + strlen(texts[i]));
			check(m, text, sizeof(text));
		}
}

/* Markers of whose bytes many are alike, and stand differently. */
static void test_alike(void **state)
{
	static const char *const texts[] = { "tls-cert", "client-cert", "ssl-cert-file",
		"x-cert=", "a_file", "b_file" };
	struct markers m;

	(void)state;
	add_all(&m, texts, sizeof(texts) / sizeof(texts[0]));
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "-cert-");
}

/* A word that stands everywhere is the window of none that has something rarer; nor is a line of dashes. */
static void test_rare_windows(void **state)
{
	static const char *const texts[] = { "ssl_cert", "cert_file", "ertificateFile",
		"-----BEGIN ", "\ncert ", "tls-cert" };
	struct markers m;

	(void)state;
	add_all(&m, texts, sizeof(texts) / sizeof(texts[0]));
	for (unsigned i = 0; i < m.count; i++) {
		const uint8_t *window = m.items[i].bytes.data + m.items[i].window;

		assert_true(m.items[i].window + MARKER_WINDOW_BYTES <= m.items[i].bytes.size);
		assert_int_not_equal(memcmp(window, "certi", MARKER_WINDOW_BYTES), 0);
		assert_int_not_equal(memcmp(window, "-----", MARKER_WINDOW_BYTES), 0);
	}
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "cert ");
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "-----");
}

/* More than a byte has bits: what the tables let pass is looked at. */
static void test_many(void **state)
{
	static const char *const texts[] = { "aQ1%", "bR2&", "cS3/", "dT4(", "eU5)", "fV6=", "gW7?",
		"hX8#", "iY9*", "jZ0~", "kA_:", "lB.;" };
	struct markers m;

	(void)state;
	add_all(&m, texts, sizeof(texts) / sizeof(texts[0]));
	/* The first half of one, the second of another that shares its bucket. */
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "aQ9*iY1%bR0~");
}

/* The first is the one that begins first, not the one whose window does. */
static void test_late_window(void **state)
{
	static const char *const texts[] = { "eeeeeeeeeeeeZ1%Q9", "eeeea", "eeeeeeeeee-Z" };
	struct markers m;

	(void)state;
	add_all(&m, texts, sizeof(texts) / sizeof(texts[0]));
	assert_true(m.items[0].window > 8);
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "eeeeeeeeeeea");
	check_in_noise(&m, texts, sizeof(texts) / sizeof(texts[0]), "eeeeeeeeeeee-eeZ1%Q9");
}

static unsigned number_of(const char *text)
{
	const struct markers *m = formats_markers();
	unsigned i = 0;

	while (i < m->count && !(m->items[i].bytes.size == strlen(text) &&
				       memcmp(m->items[i].bytes.data, text, strlen(text)) == 0))
		i++;
	return i;
}

static void check_all_of(size_t at, const char *const *texts, bool is_text)
{
	for (; texts && *texts; texts++) {
		unsigned i = number_of(*texts);

		assert_true(i < formats_markers()->count);
		assert_true(formats_markers_of(at) & UINT64_C(1) << i);
		assert_true(markers_in(formats_markers(), slice_text(*texts)) & UINT64_C(1) << i);
		assert_int_equal(is_text, i < formats_text_markers()->count);
	}
}

/* Each marker of each format is searched for. */
static void test_all_formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < formats_count; i++) {
		check_all_of(i, formats[i]->text_markers, true);
		check_all_of(i, formats[i]->config_markers, false);
	}
	assert_int_equal(formats_markers_of(formats_count), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_formats),
		cmocka_unit_test(test_every_place),
		cmocka_unit_test(test_random_texts),
		cmocka_unit_test(test_alike),
		cmocka_unit_test(test_rare_windows),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_late_window),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
