/* A few short strings searched for at once, a block of vector registers at a time: an algorithm that
 * skips (Boyer and Moore, Wu and Manber) waits for its table after each skip, and is slower on text.
 * What is compared are cores of four bytes, each of as many markers as have it: all cores share the loads,
 * and four bytes that are not part of a marker are rare. */
#include "scanners/files/markers.h"

#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define BLOCK_BYTES 64
#define REGISTER_BYTES 32
#define RARITY_LOSS_MAX 2

typedef uint8_t lane __attribute__((vector_size(REGISTER_BYTES)));
typedef uint64_t words __attribute__((vector_size(REGISTER_BYTES)));

void markers_init(struct markers *m)
{
	memset(m, 0, sizeof(*m));
}

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

static int rarity(const uint8_t *core)
{
	int sum = 0;

	/* What is repeated is a line of dashes, or zeros in base64. */
	for (size_t i = 0; i < MARKER_CORE_BYTES; i++)
		if (!memchr(core, core[i], i))
			sum += rarity_of(core[i]);
	return sum;
}

static int best_rarity(const struct marker *marker)
{
	int best = 0;

	for (size_t at = 0; at + MARKER_CORE_BYTES <= marker->bytes.size; at++) {
		int r = rarity(marker->bytes.data + at);

		best = r > best ? r : best;
	}
	return best;
}

static const uint8_t *find_core(const struct marker *marker, const uint8_t *core)
{
	return memmem(marker->bytes.data, marker->bytes.size, core, MARKER_CORE_BYTES);
}

/* A part of a word stands in every other line: such a one is the core of no marker that has a rarer. */
static bool may_be_core(const struct marker *marker, const uint8_t *core)
{
	return rarity(core) >= best_rarity(marker) - RARITY_LOSS_MAX && find_core(marker, core);
}

/* The markers without a core so far for which this one will do. */
static int gain(const struct markers *m, const bool *is_covered, const uint8_t *core)
{
	int count = 0;

	for (unsigned i = 0; i < m->count; i++)
		count += !is_covered[i] && may_be_core(&m->items[i], core);
	return count;
}

/* Few cores: eight bits tell them apart without a second look. */
static const uint8_t *best_core(const struct markers *m, const bool *is_covered)
{
	const uint8_t *best = NULL;
	int best_gain = 0;

	for (unsigned i = 0; i < m->count; i++) {
		struct slice s = m->items[i].bytes;

		for (size_t at = 0; !is_covered[i] && at + MARKER_CORE_BYTES <= s.size; at++) {
			int g = gain(m, is_covered, s.data + at);

			if (!best || g > best_gain ||
				(g == best_gain && rarity(s.data + at) > rarity(best))) {
				best = s.data + at;
				best_gain = g;
			}
		}
	}
	return best;
}

static void choose_cores(struct markers *m)
{
	bool is_covered[MARKERS_MAX] = { false };
	const uint8_t *core;

	m->cores_count = 0;
	m->lead = 0;
	while ((core = best_core(m, is_covered))) {
		memcpy(m->cores[m->cores_count++], core, MARKER_CORE_BYTES);
		for (unsigned i = 0; i < m->count; i++) {
			const uint8_t *at;

			if (is_covered[i] || !may_be_core(&m->items[i], core))
				continue;
			at = find_core(&m->items[i], core);
			is_covered[i] = true;
			if ((size_t)(at - m->items[i].bytes.data) > m->lead)
				m->lead = (size_t)(at - m->items[i].bytes.data);
		}
	}
}

/* How many different texts a bit of the tables lets pass once this core is added to it. */
static uint64_t passing(const struct markers *m, unsigned bit, const uint8_t *core)
{
	uint64_t all = 1;

	for (size_t at = 0; at < MARKER_CORE_BYTES; at++) {
		unsigned low = 0;
		unsigned high = 0;

		for (unsigned half = 0; half < 16; half++) {
			low += (m->low_halves[at][half] >> bit & 1) || (core[at] & 15U) == half;
			high += (m->high_halves[at][half] >> bit & 1) || core[at] >> 4 == half;
		}
		all *= (uint64_t)low * high;
	}
	return all;
}

/* Cores that are alike share a bit, so that little else passes by the halves of several. */
static unsigned choose_bit(const struct markers *m, const uint64_t now[8], const uint8_t *core)
{
	uint64_t least = UINT64_MAX;
	unsigned best = 0;

	for (unsigned bit = 0; bit < 8; bit++) {
		uint64_t more = passing(m, bit, core) - now[bit];

		if (more < least) {
			least = more;
			best = bit;
		}
	}
	return best;
}

static void fill_tables(struct markers *m)
{
	uint64_t now[8] = { 0 };

	memset(m->low_halves, 0, sizeof(m->low_halves));
	memset(m->high_halves, 0, sizeof(m->high_halves));
	memset(m->core_starting, 0, sizeof(m->core_starting));
	for (unsigned i = 0; i < m->cores_count; i++) {
		unsigned bit = choose_bit(m, now, m->cores[i]);

		m->core_starting[m->cores[i][0]] |= UINT64_C(1) << i;
		now[bit] = passing(m, bit, m->cores[i]);
		for (size_t at = 0; at < MARKER_CORE_BYTES; at++) {
			m->low_halves[at][m->cores[i][at] & 15] |= (uint8_t)(1U << bit);
			m->high_halves[at][m->cores[i][at] >> 4] |= (uint8_t)(1U << bit);
		}
	}
}

enum err markers_add(struct markers *m, struct slice marker)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->items[i].bytes.size == marker.size &&
			memcmp(m->items[i].bytes.data, marker.data, marker.size) == 0)
			return ERR_OK;
	if (marker.size < MARKER_CORE_BYTES || marker.size > MARKER_BYTES_MAX ||
		m->count == MARKERS_MAX)
		return ERR_LIMIT;
	m->starting[marker.data[0]] |= UINT64_C(1) << m->count;
	m->items[m->count++] = (struct marker){ .bytes = marker };
	if (marker.size > m->longest)
		m->longest = marker.size;
	return ERR_OK;
}

void markers_prepare(struct markers *m)
{
	choose_cores(m);
	fill_tables(m);
}

/* Does some core begin in a block of places? The first such block at or behind `at`, or where there is
 * no room for a block any more. */
static size_t skip_blocks_widely(const struct markers *m, struct slice text, size_t at)
{
	for (; text.size - at >= BLOCK_BYTES + MARKER_CORE_BYTES; at += BLOCK_BYTES) {
		const uint8_t *from = text.data + at;
		lane low[MARKER_CORE_BYTES];
		lane high[MARKER_CORE_BYTES];
		lane any = { 0 };
		words w;

		for (size_t i = 0; i < MARKER_CORE_BYTES; i++) {
			memcpy(&low[i], from + i, sizeof(lane));
			memcpy(&high[i], from + i + REGISTER_BYTES, sizeof(lane));
		}
		for (unsigned i = 0; i < m->cores_count; i++) {
			const uint8_t *c = m->cores[i];

			any |= (lane)((low[0] == c[0]) & (low[1] == c[1]) & (low[2] == c[2]) &
				      (low[3] == c[3]));
			any |= (lane)((high[0] == c[0]) & (high[1] == c[1]) & (high[2] == c[2]) &
				      (high[3] == c[3]));
		}
		w = (words)any;
		if (w[0] | w[1] | w[2] | w[3])
			break;
	}
	return at;
}

#if defined(__x86_64__)
/* The same for all cores at the price of one: each is a bit of eight (two may share one), a byte's halves
 * are looked up in tables of 16 entries that say of which cores they may be a part (the "Teddy" of
 * Hyperscan). A bit that is left by all four bytes is a core. */
__attribute__((target("avx2"))) static __m256i cores_at(
	const struct markers *m, const uint8_t *from)
{
	const __m256i half = _mm256_set1_epi8(15);
	__m256i all = _mm256_set1_epi8(-1);

	for (size_t i = 0; i < MARKER_CORE_BYTES; i++) {
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

static bool is_core(const struct markers *m, const uint8_t *bytes)
{
	for (uint64_t left = m->core_starting[bytes[0]]; left; left &= left - 1)
		if (memcmp(m->cores[__builtin_ctzll(left)], bytes, MARKER_CORE_BYTES) == 0)
			return true;
	return false;
}

/* The tables mix the cores that share a bit, and their halves: of what they let pass in usual text, most
 * is none. Bit i of `places`: something passed at from + i. */
static bool has_core(const struct markers *m, const uint8_t *from, uint32_t places)
{
	for (; places; places &= places - 1)
		if (is_core(m, from + __builtin_ctz(places)))
			return true;
	return false;
}

__attribute__((target("avx2"))) static uint32_t places_of(__m256i passed)
{
	return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(passed, _mm256_setzero_si256()));
}

__attribute__((target("avx2"))) static size_t skip_blocks_by_table(
	const struct markers *m, struct slice text, size_t at)
{
	for (; text.size - at >= BLOCK_BYTES + MARKER_CORE_BYTES; at += BLOCK_BYTES) {
		const uint8_t *from = text.data + at;
		__m256i low = cores_at(m, from);
		__m256i high = cores_at(m, from + REGISTER_BYTES);
		__m256i any = _mm256_or_si256(low, high);

		if (_mm256_testz_si256(any, any))
			continue;
		if (has_core(m, from, places_of(low)) ||
			has_core(m, from + REGISTER_BYTES, places_of(high)))
			break;
	}
	return at;
}

static size_t skip_blocks(const struct markers *m, struct slice text, size_t at)
{
	return __builtin_cpu_supports("avx2") ? skip_blocks_by_table(m, text, at)
					      : skip_blocks_widely(m, text, at);
}
#else
static size_t skip_blocks(const struct markers *m, struct slice text, size_t at)
{
	return skip_blocks_widely(m, text, at);
}
#endif

static int64_t find_slowly(
	const struct markers *m, struct slice text, size_t from, size_t to, unsigned *which)
{
	for (; from < to; from++) {
		uint64_t left = m->starting[text.data[from]];

		for (; left; left &= left - 1) {
			unsigned i = (unsigned)__builtin_ctzll(left);
			struct slice marker = m->items[i].bytes;

			if (text.size - from >= marker.size &&
				text.data[from + 1] == marker.data[1] &&
				memcmp(text.data + from, marker.data, marker.size) == 0) {
				*which = i;
				return (int64_t)from;
			}
		}
	}
	return -1;
}

int64_t markers_find(const struct markers *m, struct slice text, unsigned *which)
{
	size_t at = 0;

	if (m->count == 0)
		return -1;
	for (;;) {
		size_t from;
		size_t end;
		int64_t place;

		at = skip_blocks(m, text, at);
		/* A marker begins as much before its core. */
		from = at > m->lead ? at - m->lead : 0;
		end = text.size - at >= BLOCK_BYTES + MARKER_CORE_BYTES ? at + BLOCK_BYTES
									: text.size;
		place = find_slowly(m, text, from, end, which);
		if (place >= 0 || end == text.size)
			return place;
		at = end;
	}
}
