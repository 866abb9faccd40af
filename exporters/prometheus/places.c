/* What metrics keep of certificates and endpoints while they are put in order. */
#include "exporters/prometheus/places.h"

#include "agent/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS_BYTES_MAX ((size_t)512 * 1024 * 1024)
#define PLACES_FIRST 256
#define SUFFIX_BYTES 48

void places_init(struct places *p, size_t count_max)
{
	*p = (struct places){ .count_max = count_max };
	buffer_init(&p->texts, TEXTS_BYTES_MAX);
}

void places_fini(struct places *p)
{
	free(p->items);
	buffer_fini(&p->texts);
	*p = (struct places){ 0 };
}

static bool make_room(struct places *p)
{
	size_t capacity = p->capacity ? p->capacity * 2 : PLACES_FIRST;
	struct place *items;

	if (p->count < p->capacity)
		return true;
	items = reallocarray(p->items, capacity, sizeof(*items));
	if (!items) {
		p->texts.status = ERR_MEMORY;
		return false;
	}
	p->items = items;
	p->capacity = capacity;
	return true;
}

struct place *places_add(struct places *p, const char *uri, uint32_t index)
{
	struct place *place;

	if (p->count >= p->count_max || !make_room(p))
		return NULL;
	place = &p->items[p->count];
	*place = (struct place){ .uri = { p->texts.size, strlen(uri) }, .index = index };
	buffer_append(&p->texts, uri, strlen(uri) + 1);
	if (buffer_status(&p->texts) != ERR_OK)
		return NULL;
	p->count++;
	return place;
}

enum err places_status(const struct places *p)
{
	return buffer_status(&p->texts);
}

const char *places_uri(const struct places *p, const struct place *place)
{
	return (const char *)p->texts.data + place->uri.at;
}

struct slice places_text(const struct places *p, struct piece piece)
{
	return slice_of(p->texts.data + piece.at, piece.size);
}

static int compare(const struct places *p, const struct place *a, const struct place *b)
{
	int order = strcmp(places_uri(p, a), places_uri(p, b));

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Texts grow in the order of adding: of two at one place the first added comes first. */
static int compare_items(const void *a, const void *b, void *arg)
{
	const struct place *x = a;
	const struct place *y = b;
	int order = compare(arg, x, y);

	return order ? order : (x->uri.at > y->uri.at) - (x->uri.at < y->uri.at);
}

static bool is_sorted(const struct places *p)
{
	for (size_t i = 1; i < p->count; i++)
		if (compare(p, &p->items[i - 1], &p->items[i]) > 0)
			return false;
	return true;
}

void places_settle(struct places *p)
{
	size_t kept = 0;

	/* The inventory gives them in order. */
	if (!is_sorted(p))
		qsort_r(p->items, p->count, sizeof(*p->items), compare_items, p);
	for (size_t i = 0; i < p->count; i++) {
		struct place *last = kept ? &p->items[kept - 1] : NULL;
		struct place *next = &p->items[i];

		if (last && strcmp(places_uri(p, last), places_uri(p, next)) == 0) {
			if (last->index == next->index)
				continue;
			last->has_sibling = true;
			next->has_sibling = true;
		}
		p->items[kept++] = *next;
	}
	p->count = kept;
}

struct place *places_find(struct places *p, const char *uri)
{
	size_t low = 0;
	size_t high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(places_uri(p, &p->items[middle]), uri);

		if (order == 0)
			return &p->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* FNV-1a, 64 bits: tells apart the few uris that are longer than a label may be. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return hash;
}

void places_location(const struct places *p, const struct place *place, struct buffer *out)
{
	const char *uri = places_uri(p, place);
	char suffix[SUFFIX_BYTES] = "";
	size_t used = 0;

	if (place->uri.size > EXPOSITION_LOCATION_BYTES_MAX - SUFFIX_BYTES)
		used = (size_t)snprintf(suffix, sizeof(suffix), "~%016" PRIx64, hash_of(uri));
	if (place->index || place->has_sibling)
		used += (size_t)snprintf(
			suffix + used, sizeof(suffix) - used, "#%" PRIu32, place->index);
	buffer_append(out, "location=\"", strlen("location=\""));
	exposition_value(out, uri, EXPOSITION_LOCATION_BYTES_MAX - SUFFIX_BYTES);
	buffer_append(out, suffix, used);
	buffer_byte(out, '"');
}
