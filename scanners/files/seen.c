/* What a pass looked at: a bucketed set of 64-bit keyed hashes. */
#include "scanners/files/seen.h"

#include "agent/base/wire.h"

#include <endian.h>
#include <stdlib.h>
#include <sys/random.h>

#define SEEN_MAGIC UINT64_C(0x316e656573776c00)
#define HEAD_BYTES 48
#define CHUNK_ENTRIES 4095
#define ENTRIES_PER_BUCKET 8
#define BITS_MAX 24

struct seen_chunk {
	struct seen_chunk *next;
	uint64_t entries[CHUNK_ENTRIES];
};

struct head {
	uint64_t key[2];
	uint64_t context;
	uint64_t count;
	uint64_t checksum;
};

/* --- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") over 64-bit words --- */

struct sip {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(struct sip *s)
{
	uint64_t *v = s->v;

	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static struct sip sip_start(const uint64_t key[2])
{
	return (struct sip){ { key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573) } };
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

static uint64_t sip_end(struct sip *s)
{
	s->v[2] ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

uint64_t seen_path(const struct seen *s, uint64_t seed, struct slice name)
{
	struct sip h = sip_start(s->key);
	uint64_t word;

	sip_word(&h, seed);
	for (; name.size >= sizeof(word); name = slice_after(name, sizeof(word))) {
		memcpy(&word, name.data, sizeof(word));
		sip_word(&h, word);
	}
	word = 0;
	if (name.size)
		memcpy(&word, name.data, name.size);
	sip_word(&h, word);
	/* No name holds a NUL byte, so the zero padding is unambiguous. */
	return sip_end(&h);
}

uint64_t seen_file(const struct seen *s, uint64_t path, const struct stat *st)
{
	struct sip h = sip_start(s->key);

	sip_word(&h, path);
	sip_word(&h, st->st_dev);
	sip_word(&h, st->st_ino);
	sip_word(&h, (uint64_t)st->st_size);
	sip_word(&h, (uint64_t)st->st_mtim.tv_sec);
	sip_word(&h, (uint64_t)st->st_ctim.tv_sec);
	sip_word(&h, (uint64_t)st->st_mtim.tv_nsec << 32 | (uint64_t)st->st_ctim.tv_nsec);
	return sip_end(&h) & ~SEEN_HOLDER;
}

bool seen_is_racy(const struct stat *st, int64_t now_s)
{
	return st->st_ctim.tv_sec > now_s - SEEN_RACY_S;
}

/* --- the set --------------------------------------------------------------------------------- */

static uint64_t entry_of(const uint8_t *bytes)
{
	uint64_t entry;

	memcpy(&entry, bytes, sizeof(entry));
	return le64toh(entry);
}

static uint64_t entry_at(const struct seen *s, size_t i)
{
	return entry_of(s->memory.data + HEAD_BYTES + i * sizeof(uint64_t));
}

static void put_entry(uint8_t *bytes, uint64_t entry)
{
	entry = htole64(entry);
	memcpy(bytes, &entry, sizeof(entry));
}

static unsigned bits_for(uint64_t count)
{
	unsigned bits = 1;

	while (bits < BITS_MAX && (UINT64_C(1) << bits) * ENTRIES_PER_BUCKET < count)
		bits++;
	return bits;
}

/* Over all that matters. A damaged low bit would lose certificates in silence. */
static uint64_t checksum(const struct head *head, struct slice entries)
{
	uint64_t sum =
		head->key[0] ^ rotate(head->key[1], 7) ^ rotate(head->context, 19) ^ head->count;

	for (; entries.size; entries = slice_after(entries, sizeof(uint64_t)))
		sum = (rotate(sum, 5) ^ entry_of(entries.data)) * UINT64_C(0x9e3779b97f4a7c15);
	return sum;
}

static enum err read_head(struct slice memory, struct head *head)
{
	struct wire w = wire_of(slice_of(memory.data, memory.size < HEAD_BYTES ? 0 : HEAD_BYTES));
	uint64_t magic = wire_get_u64(&w);

	head->key[0] = wire_get_u64(&w);
	head->key[1] = wire_get_u64(&w);
	head->context = wire_get_u64(&w);
	head->count = wire_get_u64(&w);
	head->checksum = wire_get_u64(&w);
	if (wire_end(&w) != ERR_OK || magic != SEEN_MAGIC || head->count > SEEN_FILES_MAX ||
		memory.size != HEAD_BYTES + head->count * sizeof(uint64_t) ||
		checksum(head, slice_after(memory, HEAD_BYTES)) != head->checksum)
		return ERR_MALFORMED;
	return ERR_OK;
}

static void put_head(struct buffer *out, const struct head *head)
{
	wire_put_u64(out, SEEN_MAGIC);
	wire_put_u64(out, head->key[0]);
	wire_put_u64(out, head->key[1]);
	wire_put_u64(out, head->context);
	wire_put_u64(out, head->count);
	wire_put_u64(out, head->checksum);
}

enum err seen_init(struct seen *s, uint64_t context)
{
	*s = (struct seen){ .context = context };
	buffer_init(&s->memory, SEEN_BYTES_MAX);
	if (getrandom(s->key, sizeof(s->key), 0) != (ssize_t)sizeof(s->key))
		return ERR_IO;
	return ERR_OK;
}

void seen_fini(struct seen *s)
{
	buffer_fini(&s->memory);
	free(s->starts);
	*s = (struct seen){ 0 };
}

static enum err index_buckets(struct seen *s)
{
	size_t buckets = (size_t)1 << s->bits;
	size_t bucket = 0;

	s->starts = calloc(buckets + 1, sizeof(*s->starts));
	if (!s->starts)
		return ERR_MEMORY;
	for (size_t i = 0; i < s->count; i++) {
		size_t of = entry_at(s, i) >> (64 - s->bits);

		if (of < bucket)
			return ERR_MALFORMED;
		while (bucket < of)
			s->starts[++bucket] = (uint32_t)i;
	}
	while (bucket < buckets)
		s->starts[++bucket] = (uint32_t)s->count;
	return ERR_OK;
}

enum err seen_load(struct seen *s, struct buffer *memory)
{
	struct seen loaded = { .context = s->context };
	struct head head;
	enum err e = buffer_status(memory);

	if (e == ERR_OK)
		e = read_head(buffer_bytes(memory), &head);
	if (e == ERR_OK && head.context != s->context)
		e = ERR_MALFORMED;
	if (e == ERR_OK) {
		loaded.memory = *memory;
		loaded.key[0] = head.key[0];
		loaded.key[1] = head.key[1];
		loaded.count = head.count;
		loaded.bits = bits_for(head.count);
		buffer_init(memory, memory->ceiling);
		e = index_buckets(&loaded);
	}
	if (e == ERR_OK) {
		seen_fini(s);
		*s = loaded;
	} else {
		seen_fini(&loaded);
	}
	return e;
}

bool seen_find(const struct seen *s, uint64_t file, bool *is_holder)
{
	size_t bucket;

	if (s->count == 0)
		return false;
	bucket = file >> (64 - s->bits);
	for (size_t i = s->starts[bucket]; i < s->starts[bucket + 1]; i++) {
		uint64_t entry = entry_at(s, i);

		if ((entry & ~SEEN_HOLDER) == file) {
			*is_holder = entry & SEEN_HOLDER;
			return true;
		}
	}
	return false;
}

void seen_add(struct seen_list *l, uint64_t entry)
{
	size_t used = l->count % CHUNK_ENTRIES;

	if (used == 0) {
		struct seen_chunk *chunk = malloc(sizeof(*chunk));

		if (!chunk)
			return;
		chunk->next = l->chunks;
		l->chunks = chunk;
	}
	l->chunks->entries[used] = entry;
	l->count++;
}

void seen_list_fini(struct seen_list *l)
{
	while (l->chunks) {
		struct seen_chunk *next = l->chunks->next;

		free(l->chunks);
		l->chunks = next;
	}
	l->count = 0;
}

/* Calls back for each entry until `left` are through. */
static void each_entry(const struct seen_list *lists, size_t count, size_t left,
	void (*fn)(void *arg, uint64_t entry), void *arg)
{
	for (size_t i = 0; i < count; i++) {
		const struct seen_chunk *c = lists[i].chunks;
		size_t used = lists[i].count ? (lists[i].count - 1) % CHUNK_ENTRIES + 1 : 0;

		for (; c; c = c->next, used = CHUNK_ENTRIES) {
			for (size_t k = 0; k < used && left; k++, left--)
				fn(arg, c->entries[k]);
		}
	}
}

struct sorting {
	uint8_t *to;
	uint32_t *starts;
	unsigned bits;
};

static void count_entry(void *arg, uint64_t entry)
{
	struct sorting *s = arg;

	s->starts[(entry >> (64 - s->bits)) + 1]++;
}

static void place_entry(void *arg, uint64_t entry)
{
	struct sorting *s = arg;
	uint32_t at = s->starts[entry >> (64 - s->bits)]++;

	put_entry(s->to + at * sizeof(entry), entry);
}

enum err seen_write(
	const struct seen *s, const struct seen_list *lists, size_t count, struct buffer *out)
{
	struct head head = { .key = { s->key[0], s->key[1] }, .context = s->context };
	struct sorting sorting = { 0 };
	size_t start = out->size;
	size_t buckets;

	for (size_t i = 0; i < count; i++)
		head.count += lists[i].count;
	if (head.count > SEEN_FILES_MAX)
		head.count = SEEN_FILES_MAX;
	sorting.bits = bits_for(head.count);
	buckets = (size_t)1 << sorting.bits;
	sorting.starts = calloc(buckets + 1, sizeof(*sorting.starts));
	if (!sorting.starts)
		return ERR_MEMORY;
	each_entry(lists, count, head.count, count_entry, &sorting);
	for (size_t i = 1; i <= buckets; i++)
		sorting.starts[i] += sorting.starts[i - 1];
	put_head(out, &head);
	sorting.to = buffer_reserve(out, head.count * sizeof(uint64_t));
	if (sorting.to) {
		each_entry(lists, count, head.count, place_entry, &sorting);
		head.checksum =
			checksum(&head, slice_of(sorting.to, head.count * sizeof(uint64_t)));
		out->size += head.count * sizeof(uint64_t);
		put_entry(out->data + start + HEAD_BYTES - sizeof(uint64_t), head.checksum);
	}
	free(sorting.starts);
	return buffer_status(out);
}

enum err seen_drop_holders(struct slice memory, struct buffer *out)
{
	struct head head;
	struct slice entries = slice_after(memory, HEAD_BYTES);
	size_t start = out->size;
	enum err e = read_head(memory, &head);

	if (e != ERR_OK)
		return e;
	put_head(out, &head);
	head.count = 0;
	for (; entries.size; entries = slice_after(entries, sizeof(uint64_t))) {
		if (!(entry_of(entries.data) & SEEN_HOLDER)) {
			buffer_append(out, entries.data, sizeof(uint64_t));
			head.count++;
		}
	}
	e = buffer_status(out);
	if (e != ERR_OK)
		return e;
	start += HEAD_BYTES;
	head.checksum = checksum(&head, slice_after(buffer_bytes(out), start));
	put_entry(out->data + start - 2 * sizeof(uint64_t), head.count);
	put_entry(out->data + start - sizeof(uint64_t), head.checksum);
	return ERR_OK;
}
