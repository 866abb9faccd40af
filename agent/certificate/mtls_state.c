/* What an endpoint asked of its clients over time. */
#include "agent/certificate/mtls_state.h"

#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/name_key.h"

#include <stdlib.h>
#include <string.h>

#define STATE_LAYOUT 1
/* A double holds it exactly, so that a metric can show it. */
#define HASH_BYTES 6

struct mtls_state mtls_state_none(void)
{
	return (struct mtls_state){ .mode_changed = TIME_UNKNOWN,
		.weakened = TIME_UNKNOWN,
		.change = { .at = TIME_UNKNOWN } };
}

static void change_fini(struct mtls_change *c)
{
	strings_fini(&c->added);
	strings_fini(&c->gone);
	*c = (struct mtls_change){ .at = TIME_UNKNOWN };
}

void mtls_state_fini(struct mtls_state *s)
{
	change_fini(&s->change);
	strings_fini(&s->list);
	*s = mtls_state_none();
}

bool mtls_state_is_quiet(const struct mtls_state *s)
{
	return !s->pending_mode_looks && !s->pending_list_looks && !s->is_list_kept;
}

bool endpoint_asks(const struct endpoint_record *e)
{
	return e->client_certificate == CLIENT_CERTIFICATE_OPTIONAL ||
	       e->client_certificate == CLIENT_CERTIFICATE_REQUIRED || e->acceptable_cas.count;
}

enum client_certificate mtls_mode(const struct mtls_state *s, const struct endpoint_record *e)
{
	return s && s->mode != CLIENT_CERTIFICATE_UNKNOWN ? s->mode : e->client_certificate;
}

const struct strings *mtls_list(const struct mtls_state *s, const struct endpoint_record *e)
{
	return s && s->is_list_kept ? &s->list : &e->acceptable_cas;
}

/* ---- the mode --------------------------------------------------------------------------------- */

static void settle_mode(struct mtls_state *s, enum client_certificate mode, int64_t now)
{
	if (s->mode == CLIENT_CERTIFICATE_REQUIRED)
		s->weakened = now;
	if (mode == CLIENT_CERTIFICATE_REQUIRED)
		s->weakened = TIME_UNKNOWN;
	s->mode = mode;
	s->mode_changed = now;
	s->pending_mode = CLIENT_CERTIFICATE_UNKNOWN;
	s->pending_mode_looks = 0;
	if (mode != CLIENT_CERTIFICATE_NONE)
		return;
	/* Who asks for nothing has no list; what it will ask for one day is new then, not changed. */
	s->has_list = false;
	s->is_list_kept = false;
	s->list_hash = 0;
	s->pending_list_looks = 0;
	strings_fini(&s->list);
}

/* `unknown` is no look at all. That a server requires is only said on evidence, so one look is enough. */
static void look_at_mode(struct mtls_state *s, enum client_certificate seen, int64_t now)
{
	if (seen == CLIENT_CERTIFICATE_UNKNOWN)
		return;
	if (s->mode == CLIENT_CERTIFICATE_UNKNOWN) {
		s->mode = seen;
		return;
	}
	if (seen == s->mode) {
		s->pending_mode = CLIENT_CERTIFICATE_UNKNOWN;
		s->pending_mode_looks = 0;
		return;
	}
	s->pending_mode_looks = s->pending_mode == seen ? s->pending_mode_looks + 1 : 1;
	s->pending_mode = seen;
	if (seen == CLIENT_CERTIFICATE_REQUIRED || s->pending_mode_looks >= MTLS_LOOKS)
		settle_mode(s, seen, now);
}

/* ---- the list --------------------------------------------------------------------------------- */

/* The names of a list as sorted keys. */
struct keys {
	struct named_key {
		struct name_key key;
		const char *text; /* borrowed */
	} * items;                /* owned */
	size_t count;
};

static int by_key(const void *a, const void *b)
{
	return memcmp(((const struct named_key *)a)->key.bytes,
		((const struct named_key *)b)->key.bytes, NAME_KEY_BYTES);
}

static enum err read_keys(const struct strings *list, struct keys *out)
{
	enum err e = ERR_OK;
	size_t kept = 0;

	out->items = calloc(list->count + 1, sizeof(*out->items));
	if (!out->items)
		return ERR_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < list->count; i++) {
		e = name_key_of(list->items[i], &out->items[out->count].key);
		if (e == ERR_OK)
			out->items[out->count++].text = list->items[i];
		if (e == ERR_NOT_FOUND)
			e = ERR_OK;
	}
	qsort(out->items, out->count, sizeof(*out->items), by_key);
	for (size_t i = 0; i < out->count; i++)
		if (!kept || by_key(&out->items[kept - 1], &out->items[i]) != 0)
			out->items[kept++] = out->items[i];
	out->count = kept;
	return e;
}

static enum err hash_keys(const struct keys *keys, uint64_t *out)
{
	uint8_t digest[FINGERPRINT_BYTES];
	struct buffer all;
	enum err e;

	*out = 0;
	if (!keys->count)
		return ERR_OK;
	buffer_init(&all, keys->count * NAME_KEY_BYTES);
	for (size_t i = 0; i < keys->count; i++)
		buffer_append(&all, keys->items[i].key.bytes, NAME_KEY_BYTES);
	e = buffer_status(&all);
	if (e == ERR_OK) {
		fingerprint_of(buffer_bytes(&all), digest);
		for (size_t i = 0; i < HASH_BYTES; i++)
			*out = *out << 8 | digest[i];
	}
	buffer_fini(&all);
	return e;
}

/* Notes the names of `a` that are not in `b`. */
static enum err note_missing(
	const struct keys *a, const struct keys *b, struct strings *names, uint32_t *count)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < a->count; i++) {
		if (b->count &&
			bsearch(&a->items[i], b->items, b->count, sizeof(*b->items), by_key))
			continue;
		if ((*count)++ < MTLS_NAMES_MAX)
			e = strings_add(names, a->items[i].text);
	}
	return e;
}

static enum err settle_list(
	struct mtls_state *s, const struct keys *seen, uint64_t hash, int64_t now)
{
	struct mtls_change change = { .at = now };
	struct keys held = { 0 };
	enum err e = read_keys(&s->list, &held);

	if (e == ERR_OK)
		e = note_missing(seen, &held, &change.added, &change.added_count);
	if (e == ERR_OK)
		e = note_missing(&held, seen, &change.gone, &change.gone_count);
	free(held.items);
	if (e != ERR_OK) {
		change_fini(&change);
		return e;
	}
	change_fini(&s->change);
	s->change = change;
	s->list_hash = hash;
	s->pending_list_looks = 0;
	s->is_list_kept = false;
	strings_fini(&s->list);
	return ERR_OK;
}

/* Keeps the list that holds, which the last look still showed. */
static enum err keep_list(struct mtls_state *s, const struct endpoint_record *before)
{
	enum err e = ERR_OK;

	if (s->is_list_kept || !before)
		return ERR_OK;
	strings_fini(&s->list);
	e = strings_copy(&s->list, &before->acceptable_cas);
	s->is_list_kept = e == ERR_OK;
	return e;
}

static enum err compare_list(struct mtls_state *s, const struct endpoint_record *before,
	const struct keys *seen, int64_t now)
{
	uint64_t hash = 0;
	enum err e = hash_keys(seen, &hash);

	if (e != ERR_OK)
		return e;
	if (!s->has_list || hash == s->list_hash) {
		s->has_list = true;
		s->list_hash = hash;
		s->pending_list_looks = 0;
		s->is_list_kept = false;
		strings_fini(&s->list);
		return ERR_OK;
	}
	e = keep_list(s, before);
	if (e != ERR_OK)
		return e;
	s->pending_list_looks =
		s->pending_list_looks && s->pending_hash == hash ? s->pending_list_looks + 1 : 1;
	s->pending_hash = hash;
	return s->pending_list_looks >= MTLS_LOOKS ? settle_list(s, seen, hash, now) : ERR_OK;
}

static enum err look_at_list(struct mtls_state *s, const struct endpoint_record *before,
	const struct endpoint_record *seen, int64_t now)
{
	struct keys keys = { 0 };
	enum err e;

	if (!endpoint_asks(seen))
		return s->has_list ? keep_list(s, before) : ERR_OK;
	e = read_keys(&seen->acceptable_cas, &keys);
	if (e == ERR_OK)
		e = compare_list(s, before, &keys, now);
	free(keys.items);
	return e;
}

enum err mtls_state_look(struct mtls_state *s, const struct endpoint_record *before,
	const struct endpoint_record *seen, int64_t now)
{
	enum err e = look_at_list(s, before, seen, now);

	if (e == ERR_OK)
		look_at_mode(s, seen->client_certificate, now);
	return e;
}

/* ---- bytes ------------------------------------------------------------------------------------ */

void mtls_state_encode(struct buffer *out, const struct mtls_state *s)
{
	wire_put_u8(out, STATE_LAYOUT);
	wire_put_u8(out, (uint8_t)s->mode);
	wire_put_u8(out, (uint8_t)s->pending_mode);
	wire_put_u8(out, s->pending_mode_looks);
	wire_put_i64(out, s->mode_changed);
	wire_put_i64(out, s->weakened);
	wire_put_bool(out, s->has_list);
	wire_put_u64(out, s->list_hash);
	wire_put_u64(out, s->pending_hash);
	wire_put_u8(out, s->pending_list_looks);
	wire_put_i64(out, s->change.at);
	wire_put_strings(out, &s->change.added);
	wire_put_strings(out, &s->change.gone);
	wire_put_u32(out, s->change.added_count);
	wire_put_u32(out, s->change.gone_count);
	wire_put_bool(out, s->is_list_kept);
	wire_put_strings(out, &s->list);
}

static enum client_certificate get_mode(struct wire *w)
{
	uint8_t mode = wire_get_u8(w);

	if (mode >= CLIENT_CERTIFICATE_COUNT)
		w->bad = true;
	return w->bad ? CLIENT_CERTIFICATE_UNKNOWN : (enum client_certificate)mode;
}

static void get_names(struct wire *w, struct strings *out, size_t max)
{
	wire_get_strings(w, out, max, RECORD_TEXT_BYTES_MAX);
	for (size_t i = 0; !w->bad && i < out->count; i++)
		if (!text_is_clean(slice_text(out->items[i])))
			w->bad = true;
}

enum err mtls_state_decode(struct slice bytes, struct mtls_state *out)
{
	struct wire w = wire_of(bytes);
	struct mtls_state s = mtls_state_none();

	if (wire_get_u8(&w) != STATE_LAYOUT)
		return ERR_MALFORMED;
	s.mode = get_mode(&w);
	s.pending_mode = get_mode(&w);
	s.pending_mode_looks = wire_get_u8(&w);
	s.mode_changed = wire_get_i64(&w);
	s.weakened = wire_get_i64(&w);
	s.has_list = wire_get_bool(&w);
	s.list_hash = wire_get_u64(&w);
	s.pending_hash = wire_get_u64(&w);
	s.pending_list_looks = wire_get_u8(&w);
	s.change.at = wire_get_i64(&w);
	get_names(&w, &s.change.added, MTLS_NAMES_MAX);
	get_names(&w, &s.change.gone, MTLS_NAMES_MAX);
	s.change.added_count = wire_get_u32(&w);
	s.change.gone_count = wire_get_u32(&w);
	s.is_list_kept = wire_get_bool(&w);
	get_names(&w, &s.list, RECORD_CAS_MAX);
	if (wire_end(&w) != ERR_OK) {
		mtls_state_fini(&s);
		return ERR_MALFORMED;
	}
	*out = s;
	return ERR_OK;
}
