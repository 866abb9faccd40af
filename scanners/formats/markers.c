/* A few short strings searched for at once: of each, a window of a few bytes that are rare in texts. The windows are
 * dealt to eight buckets; a byte's halves are looked up in tables of 16 entries that say in which buckets' windows they
 * may be (the "Teddy" of Hyperscan), for 32 or 64 places at a time. What skips (Boyer and Moore, Wu and Manber) waits for
 * its table after each skip, and is slower on text. */
#include "scanners/formats/markers.h"

#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BLOCK_BYTES 64
#define REGISTER_BYTES 32
/* More make no difference to those that there are. */
#define DEALING_ROUNDS 8

struct place {
	int64_t at; /* -1 = none */
	unsigned marker;
};

void markers_init(struct markers *m)
{
	memset(m, 0, sizeof(*m));
}

enum err markers_add(struct markers *m, struct slice marker)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->items[i].bytes.size == marker.size &&
			memcmp(m->items[i].bytes.data, marker.data, marker.size) == 0)
			return ERR_OK;
	if (marker.size < MARKER_BYTES_MIN || marker.size > MARKER_BYTES_MAX ||
		m->count == MARKERS_MAX)
		return ERR_LIMIT;
	m->items[m->count++] = (struct marker){ .bytes = marker };
	if (marker.size > m->longest)
		m->longest = marker.size;
	return ERR_OK;
}

/* --- windows ----------------------------------------------------------------------------------- */

/* About how rare a byte is in texts, in bits. */
static int rarity_of(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		return 4;
	if ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return 6;
	if (c == ' ')
		return 3;
	return c == '\n' ? 5 : 7;
}

static struct slice window_at(const struct marker *marker, size_t at)
{
	struct slice window = slice_after(marker->bytes, at);

	if (window.size > MARKER_WINDOW_BYTES)
		window.size = MARKER_WINDOW_BYTES;
	return window;
}

static struct slice window_of(const struct marker *marker)
{
	return window_at(marker, marker->window);
}

static int rarity(struct slice window)
{
	int sum = 0;

	/* What is repeated is a line of dashes, or zeros in base64. */
	for (size_t i = 0; i < window.size; i++)
		if (!memchr(window.data, window.data[i], i))
			sum += rarity_of(window.data[i]);
	return sum;
}

static void choose_window(struct marker *marker)
{
	int best = rarity(window_at(marker, 0));

	for (size_t at = 1; at + MARKER_WINDOW_BYTES <= marker->bytes.size; at++) {
		int r = rarity(window_at(marker, at));

		if (r > best) {
			best = r;
			marker->window = at;
		}
	}
	memcpy(&marker->key, marker->bytes.data + marker->window, sizeof(marker->key));
}

/* --- buckets ----------------------------------------------------------------------------------- */

static void add_to_bucket(struct markers *m, unsigned bucket, struct slice window)
{
	uint8_t bit = (uint8_t)(1U << bucket);

	for (size_t at = 0; at < window.size; at++) {
		m->low_halves[at][window.data[at] & 15] |= bit;
		m->high_halves[at][window.data[at] >> 4] |= bit;
	}
	/* Behind a short one may be anything. */
	for (size_t at = window.size; at < MARKER_WINDOW_BYTES; at++)
		for (unsigned half = 0; half < 16; half++) {
			m->low_halves[at][half] |= bit;
			m->high_halves[at][half] |= bit;
		}
}

#define TEXT_FIRST '\t'
#define TEXT_LAST '~'
#define WEIGHT_ALL 256
#define UPPER_HALVES (TEXT_LAST / 16 + 1)

struct dealing {
	/* How often a byte stands in texts, of WEIGHT_ALL times; by its upper half, then by its lower. */
	uint16_t weights[UPPER_HALVES][16];
	double passing[MARKER_BUCKETS];
};

/* Without branches, so that it is done for all sixteen at once. */
static unsigned passing_lower(const uint8_t halves[16], const uint16_t weights[16], unsigned bucket)
{
	unsigned sum = 0;

	for (unsigned lower = 0; lower < 16; lower++)
		sum += weights[lower] * (unsigned)(halves[lower] >> bucket & 1);
	return sum;
}

/* How often about a place of a text passes a bucket's tables. */
static double passing(const struct markers *m, const struct dealing *d, unsigned bucket)
{
	double all = 1;

	for (size_t at = 0; at < MARKER_WINDOW_BYTES; at++) {
		unsigned here = 0;

		for (unsigned upper = 0; upper < UPPER_HALVES; upper++)
			if (m->high_halves[at][upper] >> bucket & 1)
				here += passing_lower(m->low_halves[at], d->weights[upper], bucket);
		all *= here;
	}
	return all;
}

/* Windows that are alike share a bucket, so that little else passes by the halves of several. */
static unsigned choose_bucket(const struct markers *m, const struct dealing *d, struct slice window)
{
	struct markers with = *m;
	double least = 0;
	unsigned best = MARKER_BUCKETS;

	for (unsigned bucket = 0; bucket < MARKER_BUCKETS; bucket++) {
		double more;

		add_to_bucket(&with, bucket, window);
		more = passing(&with, d, bucket) - d->passing[bucket];
		if (best == MARKER_BUCKETS || more < least) {
			least = more;
			best = bucket;
		}
	}
	return best;
}

static void fill_tables(struct markers *m)
{
	memset(m->low_halves, 0, sizeof(m->low_halves));
	memset(m->high_halves, 0, sizeof(m->high_halves));
	for (unsigned bucket = 0; bucket < MARKER_BUCKETS; bucket++)
		for (uint64_t left = m->members[bucket]; left; left &= left - 1)
			add_to_bucket(m, bucket, window_of(&m->items[__builtin_ctzll(left)]));
}

/* Into the bucket where it costs least; false where that is the one that it was in. */
static bool deal(struct markers *m, struct dealing *d, unsigned i)
{
	unsigned was = MARKER_BUCKETS, best;

	for (unsigned bucket = 0; bucket < MARKER_BUCKETS; bucket++)
		if (m->members[bucket] & UINT64_C(1) << i)
			was = bucket;
	if (was < MARKER_BUCKETS) {
		m->members[was] &= ~(UINT64_C(1) << i);
		fill_tables(m);
		d->passing[was] = passing(m, d, was);
	}
	best = choose_bucket(m, d, window_of(&m->items[i]));
	m->members[best] |= UINT64_C(1) << i;
	add_to_bucket(m, best, window_of(&m->items[i]));
	d->passing[best] = passing(m, d, best);
	return best != was;
}

void markers_prepare(struct markers *m)
{
	struct dealing d = { 0 };
	bool is_other = true;

	for (unsigned i = 0; i < m->count; i++) {
		choose_window(&m->items[i]);
		if (m->items[i].window > m->lead)
			m->lead = m->items[i].window;
	}
	for (unsigned c = TEXT_FIRST; c <= TEXT_LAST; c++)
		d.weights[c >> 4][c & 15] = (uint16_t)(WEIGHT_ALL >> rarity_of((uint8_t)c));
	/* Those that came first are dealt anew, now that the others are known. */
	for (unsigned round = 0; is_other && round < DEALING_ROUNDS; round++) {
		is_other = false;
		for (unsigned i = 0; i < m->count; i++)
			is_other = deal(m, &d, i) || is_other;
	}
	fill_tables(m);
	m->width = markers_widest();
}

/* --- the search -------------------------------------------------------------------------------- */

/* The buckets of which a window may begin at a place; the text may end within it. */
static unsigned buckets_at(const struct markers *m, struct slice text, size_t at)
{
	unsigned all = (1U << MARKER_BUCKETS) - 1;

	for (size_t i = 0; all && i < MARKER_WINDOW_BYTES && i < text.size - at; i++) {
		uint8_t c = text.data[at + i];

		all &= m->low_halves[i][c & 15] & m->high_halves[i][c >> 4];
	}
	return all;
}

/* The first place at or behind `at` that some bucket lets pass, or the text's size. */
static size_t next_slowly(const struct markers *m, struct slice text, size_t at)
{
	while (at < text.size && !buckets_at(m, text, at))
		at++;
	return at;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static __m256i buckets_of(
	const struct markers *m, const uint8_t *from)
{
	const __m256i half = _mm256_set1_epi8(15);
	__m256i all = _mm256_set1_epi8(-1);

	for (size_t i = 0; i < MARKER_WINDOW_BYTES; i++) {
		__m256i low_table = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i_u *)m->low_halves[i]));
		__m256i high_table = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i_u *)m->high_halves[i]));
		__m256i bytes = _mm256_loadu_si256((const __m256i_u *)(from + i));
		__m256i low = _mm256_and_si256(bytes, half);
		__m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half);

		all = _mm256_and_si256(all, _mm256_and_si256(_mm256_shuffle_epi8(low_table, low),
						    _mm256_shuffle_epi8(high_table, high)));
	}
	return all;
}

__attribute__((target("avx2"))) static uint32_t places_of(__m256i passed)
{
	return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(passed, _mm256_setzero_si256()));
}

/* The same, but it ends where there is no room for a block any more. */
__attribute__((target("avx2"))) static size_t next_quickly(
	const struct markers *m, struct slice text, size_t at)
{
	for (; text.size - at >= BLOCK_BYTES + MARKER_WINDOW_BYTES; at += BLOCK_BYTES) {
		__m256i low = buckets_of(m, text.data + at);
		__m256i high = buckets_of(m, text.data + at + REGISTER_BYTES);
		__m256i any = _mm256_or_si256(low, high);
		uint64_t places;

		if (_mm256_testz_si256(any, any))
			continue;
		places = places_of(low) | (uint64_t)places_of(high) << REGISTER_BYTES;
		return at + (size_t)__builtin_ctzll(places);
	}
	return at;
}

/* The same with registers of twice the width, which hold all tables at once. */
__attribute__((target("avx512bw"))) static size_t next_widely(
	const struct markers *m, struct slice text, size_t at)
{
	const __m512i half = _mm512_set1_epi8(15);

	for (; text.size - at >= BLOCK_BYTES + MARKER_WINDOW_BYTES; at += BLOCK_BYTES) {
		__m512i all = _mm512_set1_epi8(-1);
		__mmask64 places;

		for (size_t i = 0; i < MARKER_WINDOW_BYTES; i++) {
			__m512i low_table = _mm512_broadcast_i32x4(
				_mm_loadu_si128((const __m128i_u *)m->low_halves[i]));
			__m512i high_table = _mm512_broadcast_i32x4(
				_mm_loadu_si128((const __m128i_u *)m->high_halves[i]));
			__m512i bytes = _mm512_loadu_si512(text.data + at + i);
			__m512i low = _mm512_and_si512(bytes, half);
			__m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), half);

			all = _mm512_and_si512(
				all, _mm512_and_si512(_mm512_shuffle_epi8(low_table, low),
					     _mm512_shuffle_epi8(high_table, high)));
		}
		places = _mm512_test_epi8_mask(all, all);
		if (places)
			return at + (size_t)__builtin_ctzll(places);
	}
	return at;
}

enum markers_width markers_widest(void)
{
	if (__builtin_cpu_supports("avx512bw"))
		return MARKERS_BY_64;
	return __builtin_cpu_supports("avx2") ? MARKERS_BY_32 : MARKERS_BY_1;
}

static size_t next(const struct markers *m, struct slice text, size_t at)
{
	if (m->width == MARKERS_BY_64)
		at = next_widely(m, text, at);
	else if (m->width == MARKERS_BY_32)
		at = next_quickly(m, text, at);
	return next_slowly(m, text, at);
}
#else
enum markers_width markers_widest(void)
{
	return MARKERS_BY_1;
}

static size_t next(const struct markers *m, struct slice text, size_t at)
{
	return next_slowly(m, text, at);
}
#endif

/* Where the marker begins whose window is at `at`; -1: it is not there. */
static int64_t start_of(const struct marker *marker, struct slice text, size_t at)
{
	size_t from = at - marker->window;

	if (at < marker->window || text.size - from < marker->bytes.size ||
		memcmp(text.data + from, marker->bytes.data, marker->bytes.size) != 0)
		return -1;
	return (int64_t)from;
}

/* The first of those whose window is at `at`, if it begins before `*first`. */
static void look_at(const struct markers *m, struct slice text, size_t at, struct place *first)
{
	uint32_t key;

	/* No window is shorter, MARKER_BYTES_MIN being what it is. */
	if (text.size - at < sizeof(key))
		return;
	memcpy(&key, text.data + at, sizeof(key));
	for (unsigned buckets = buckets_at(m, text, at); buckets; buckets &= buckets - 1)
		for (uint64_t left = m->members[__builtin_ctz(buckets)]; left; left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctzll(left);
			int64_t start;

			/* Most of what passes the tables ends here. */
			if (m->items[i].key != key)
				continue;
			start = start_of(&m->items[i], text, at);

			if (start >= 0 && (first->at < 0 || start < first->at))
				*first = (struct place){ .at = start, .marker = i };
		}
}

int64_t markers_find(const struct markers *m, struct slice text, unsigned *which)
{
	struct place first = { .at = -1 };

	if (m->count == 0)
		return -1;
	/* One that begins earlier may have its window behind that of one that was found. */
	for (size_t at = next(m, text, 0);
		at < text.size && (first.at < 0 || at <= (size_t)first.at + m->lead);
		at = next(m, text, at + 1))
		look_at(m, text, at, &first);
	if (first.at >= 0)
		*which = first.marker;
	return first.at;
}

/* Those of `wanted` whose window is at `at`. */
static uint64_t all_at(const struct markers *m, struct slice text, size_t at, uint64_t wanted)
{
	uint64_t found = 0;

	for (unsigned buckets = buckets_at(m, text, at); buckets; buckets &= buckets - 1)
		for (uint64_t left = m->members[__builtin_ctz(buckets)] & wanted; left;
			left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctzll(left);

			if (start_of(&m->items[i], text, at) >= 0)
				found |= UINT64_C(1) << i;
		}
	return found;
}

uint64_t markers_in(const struct markers *m, struct slice text)
{
	uint64_t wanted = m->count < 64 ? (UINT64_C(1) << m->count) - 1 : UINT64_MAX;
	uint64_t found = 0;

	if (m->count == 0)
		return 0;
	for (size_t at = next(m, text, 0); at < text.size && found != wanted;
		at = next(m, text, at + 1))
		found |= all_at(m, text, at, wanted & ~found);
	return found;
}
