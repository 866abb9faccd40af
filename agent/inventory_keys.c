/* What the inventory remembers of certificates' private keys: what comparing them showed. */
#include "agent/inventory_internal.h"

#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_LAYOUT 1
#define NOTES_MAX 64
#define BASIS_KEY "keys_basis" /* 0: to be compared again */
#define UNTIL_KEY "keys_until"
#define NOTES_BYTES_MAX (NOTES_MAX * (size_t)4 * RECORD_TEXT_BYTES_MAX)

static void encode(struct buffer *out, const struct key_notes *n)
{
	wire_put_u8(out, NOTES_LAYOUT);
	wire_put_u8(out, (uint8_t)(n->count < NOTES_MAX ? n->count : NOTES_MAX));
	for (size_t i = 0; i < n->count && i < NOTES_MAX; i++) {
		wire_put_u8(out, (uint8_t)n->items[i].problem);
		wire_put_text(out, n->items[i].uri);
		wire_put_text(out, n->items[i].message);
	}
}

static enum err decode_note(struct wire *w, struct key_notes *n)
{
	uint8_t problem = wire_get_u8(w);
	char *uri = wire_get_text(w, RECORD_TEXT_BYTES_MAX);
	char *message = wire_get_text(w, RECORD_TEXT_BYTES_MAX);
	enum err e = ERR_MALFORMED;

	if (!w->bad && uri && message && problem <= PROBLEM_COUNT)
		e = key_notes_add(n, (enum problem)problem, uri, message);
	free(uri);
	free(message);
	return e;
}

static enum err decode(struct slice bytes, struct key_notes *n)
{
	struct wire w = wire_of(bytes);
	size_t count;
	enum err e = wire_get_u8(&w) == NOTES_LAYOUT ? ERR_OK : ERR_MALFORMED;

	count = wire_get_u8(&w);
	for (size_t i = 0; e == ERR_OK && i < count; i++)
		e = decode_note(&w, n);
	return e == ERR_OK ? wire_end(&w) : e;
}

enum err inventory_key_notes_clear(struct inventory *i, struct why *why)
{
	static const enum statement steps[] = { KEY_NOTE_CLEAR, KEY_NOTES_CLEAR };
	enum err e = store_begin(i->store, why);

	return e == ERR_OK
		       ? inventory_run_steps(i, steps, sizeof(steps) / sizeof(steps[0]), NULL, why)
		       : e;
}

enum err inventory_key_notes_add(
	struct inventory *i, const struct key_notes *notes, int64_t *id, struct why *why)
{
	struct buffer detail;
	sqlite3_stmt *add;
	enum err e = store_begin(i->store, why);

	buffer_init(&detail, NOTES_BYTES_MAX);
	encode(&detail, notes);
	if (e == ERR_OK)
		e = buffer_status(&detail);
	if (e == ERR_OK)
		e = inventory_statement(i, KEY_NOTES_ADD, &add, why);
	if (e == ERR_OK) {
		inventory_bind_bytes(add, 1, buffer_bytes(&detail));
		e = inventory_run(i, add, NULL, why);
		(void)sqlite3_clear_bindings(add);
	}
	if (e == ERR_OK)
		*id = sqlite3_last_insert_rowid(i->store->db);
	buffer_fini(&detail);
	return e;
}

enum err inventory_key_notes_put(struct inventory *i, int64_t id, int64_t row,
	const uint8_t fingerprint[FINGERPRINT_BYTES], struct why *why)
{
	const int64_t values[] = { row, id };
	sqlite3_stmt *put;
	enum err e = store_begin(i->store, why);

	if (e == ERR_OK)
		e = inventory_statement(i, KEY_NOTE_PUT, &put, why);
	if (e != ERR_OK)
		return e;
	inventory_bind(put, values, 2);
	inventory_bind_bytes(put, 3, slice_of(fingerprint, FINGERPRINT_BYTES));
	return inventory_run(i, put, NULL, why);
}

enum err inventory_key_notes_fill(
	struct slice fingerprint, struct slice detail, struct certificate_record *r)
{
	struct key_notes notes = { 0 };
	enum err e;

	/* Another one may have come to the place since. */
	if (fingerprint.size != FINGERPRINT_BYTES ||
		memcmp(fingerprint.data, r->facts.fingerprint, FINGERPRINT_BYTES) != 0)
		return ERR_OK;
	e = decode(detail, &notes);
	/* What cannot be read is made anew after the next pass. */
	if (e != ERR_OK) {
		key_notes_fini(&notes);
		return e == ERR_MEMORY ? e : ERR_OK;
	}
	key_notes_fini(&r->key_notes);
	r->key_notes = notes;
	for (size_t n = 0; n < notes.count; n++)
		if (notes.items[n].problem < PROBLEM_COUNT)
			r->verdict.problems |= PROBLEM_BIT(notes.items[n].problem);
	return ERR_OK;
}

enum err inventory_keys_are_settled(
	struct inventory *i, int64_t basis, int64_t now, bool *out, struct why *why)
{
	int64_t known = 0;
	int64_t until = 0;
	bool is_known;
	enum err e = inventory_meta_get(i, BASIS_KEY, &known, &is_known, why);

	if (e == ERR_OK)
		e = inventory_meta_get(i, UNTIL_KEY, &until, &is_known, why);
	*out = known && known == basis && now < until;
	return e;
}

enum err inventory_keys_settle(struct inventory *i, int64_t basis, int64_t until, struct why *why)
{
	enum err e = store_begin(i->store, why);

	i->is_unsettled = false;
	if (e == ERR_OK)
		e = inventory_meta_set(i, BASIS_KEY, basis, why);
	return e == ERR_OK ? inventory_meta_set(i, UNTIL_KEY, until, why) : e;
}

enum err inventory_keys_unsettle(struct inventory *i, struct why *why)
{
	i->is_unsettled = true;
	return inventory_meta_set(i, BASIS_KEY, 0, why);
}
