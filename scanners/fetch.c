/* Questions and answers as bytes. */
#include "scanners/fetch.h"

#include "agent/base/wire.h"

#include <stdlib.h>
#include <string.h>

#define SERIAL_BYTES_MAX 8400
#define MESSAGE_BYTES_MAX 1024
#define NONCE_BYTES_MAX 64
#define TRAILER_SIZE_BYTES 4
#define FETCH_BYTES_MAX (1024 * 1024)

void fetch_fini(struct fetch *f)
{
	for (size_t i = 0; i < f->subjects_count; i++)
		free(f->subjects[i].serial);
	free(f->subjects);
	free(f->url);
	free(f->etag);
	free(f->last_modified);
	free(f->issuer_der);
	*f = (struct fetch){ 0 };
}

void fetch_encode(struct buffer *out, const struct fetch *f)
{
	wire_put_u8(out, (uint8_t)f->kind);
	wire_put_bool(out, f->is_kept);
	wire_put_text(out, f->url);
	buffer_append(out, f->issuer, FINGERPRINT_BYTES);
	wire_put_text(out, f->etag);
	wire_put_text(out, f->last_modified);
	buffer_append(out, f->issuer_id.name_sha1, ISSUER_HASH_BYTES);
	buffer_append(out, f->issuer_id.key_sha1, ISSUER_HASH_BYTES);
	wire_put_bytes(out, slice_of(f->issuer_der, f->issuer_der_size));
	wire_put_u32(out, (uint32_t)f->subjects_count);
	for (size_t i = 0; i < f->subjects_count; i++) {
		buffer_append(out, f->subjects[i].fingerprint, FINGERPRINT_BYTES);
		wire_put_text(out, f->subjects[i].serial);
		wire_put_bool(out, f->subjects[i].is_ca);
	}
}

static void get_subjects(struct wire *w, struct fetch *f)
{
	size_t count = wire_get_u32(w);

	if (count > FETCH_SUBJECTS_MAX)
		w->bad = true;
	if (w->bad || !count)
		return;
	f->subjects = calloc(count, sizeof(*f->subjects));
	if (!f->subjects) {
		w->bad = true;
		return;
	}
	f->subjects_count = count;
	for (size_t i = 0; i < count; i++) {
		(void)wire_get_raw(w, f->subjects[i].fingerprint, FINGERPRINT_BYTES);
		f->subjects[i].serial = wire_get_text(w, SERIAL_BYTES_MAX);
		f->subjects[i].is_ca = wire_get_bool(w);
		if (!f->subjects[i].serial)
			w->bad = true;
	}
}

static void get_issuer(struct wire *w, struct fetch *f)
{
	struct slice der = wire_get_bytes(w, RECORD_DER_BYTES_MAX);

	if (w->bad || !der.size)
		return;
	f->issuer_der = malloc(der.size);
	if (!f->issuer_der) {
		w->bad = true;
		return;
	}
	memcpy(f->issuer_der, der.data, der.size);
	f->issuer_der_size = der.size;
}

enum err fetch_decode(struct slice bytes, struct fetch *out)
{
	struct wire w = wire_of(bytes);
	struct fetch f = { 0 };

	f.kind = (enum fetch_kind)wire_get_u8(&w);
	f.is_kept = wire_get_bool(&w);
	f.url = wire_get_text(&w, RECORD_URL_BYTES_MAX);
	(void)wire_get_raw(&w, f.issuer, FINGERPRINT_BYTES);
	f.etag = wire_get_text(&w, FETCH_HEADER_BYTES_MAX);
	f.last_modified = wire_get_text(&w, FETCH_HEADER_BYTES_MAX);
	(void)wire_get_raw(&w, f.issuer_id.name_sha1, ISSUER_HASH_BYTES);
	(void)wire_get_raw(&w, f.issuer_id.key_sha1, ISSUER_HASH_BYTES);
	get_issuer(&w, &f);
	get_subjects(&w, &f);
	if (wire_end(&w) != ERR_OK || f.kind < FETCH_CRL || f.kind >= FETCH_KIND_COUNT || !f.url) {
		fetch_fini(&f);
		return ERR_MALFORMED;
	}
	*out = f;
	return ERR_OK;
}

void fetch_trailer_fini(struct fetch_trailer *t)
{
	free(t->message);
	free(t->etag);
	free(t->last_modified);
	*t = (struct fetch_trailer){ 0 };
}

void fetched_begin(struct buffer *out, const struct fetch *f)
{
	struct buffer question;

	buffer_init(&question, FETCH_BYTES_MAX);
	fetch_encode(&question, f);
	if (question.status != ERR_OK && out->status == ERR_OK)
		out->status = question.status;
	wire_put_bytes(out, buffer_bytes(&question));
	buffer_fini(&question);
}

void fetched_end(struct buffer *out, const struct fetch_trailer *t)
{
	size_t before = out->size;

	wire_put_u8(out, (uint8_t)t->outcome);
	wire_put_u8(out, (uint8_t)t->reason);
	wire_put_text(out, t->message);
	wire_put_text(out, t->etag);
	wire_put_text(out, t->last_modified);
	wire_put_bytes(out, t->nonce);
	wire_put_u32(out, (uint32_t)(out->size - before));
}

static enum err trailer_decode(struct slice bytes, struct fetch_trailer *out)
{
	struct wire w = wire_of(bytes);
	struct fetch_trailer t = { 0 };

	t.outcome = (enum fetch_outcome)wire_get_u8(&w);
	t.reason = (enum reason)wire_get_u8(&w);
	t.message = wire_get_text(&w, MESSAGE_BYTES_MAX);
	t.etag = wire_get_text(&w, FETCH_HEADER_BYTES_MAX);
	t.last_modified = wire_get_text(&w, FETCH_HEADER_BYTES_MAX);
	t.nonce = wire_get_bytes(&w, NONCE_BYTES_MAX);
	if (wire_end(&w) != ERR_OK || t.outcome < FETCH_GOT || t.outcome >= FETCH_OUTCOME_COUNT ||
		t.reason >= REASON_COUNT || (t.outcome == FETCH_FAILED && !t.message)) {
		fetch_trailer_fini(&t);
		return ERR_MALFORMED;
	}
	*out = t;
	return ERR_OK;
}

enum err fetched_decode(
	struct slice bytes, struct fetch *f, struct slice *body, struct fetch_trailer *t)
{
	struct wire w = wire_of(bytes);
	struct slice question = wire_get_bytes(&w, FETCH_BYTES_MAX);
	struct wire size;
	size_t trailer;
	enum err e;

	if (w.bad || w.left.size < TRAILER_SIZE_BYTES)
		return ERR_MALFORMED;
	w.left.size -= TRAILER_SIZE_BYTES;
	size = wire_of(slice_of(w.left.data + w.left.size, TRAILER_SIZE_BYTES));
	trailer = wire_get_u32(&size);
	if (trailer > w.left.size)
		return ERR_MALFORMED;
	*body = slice_of(w.left.data, w.left.size - trailer);
	e = fetch_decode(question, f);
	if (e != ERR_OK)
		return e;
	e = trailer_decode(slice_of(body->data + body->size, trailer), t);
	if (e != ERR_OK)
		fetch_fini(f);
	return e;
}
