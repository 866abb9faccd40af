/* What a TLS probe saw, as bytes. */
#include "scanners/session.h"

#include "agent/base/wire.h"

#include <stdlib.h>

static void blobs_fini(struct blobs *b)
{
	for (size_t i = 0; i < b->count; i++)
		free(b->items[i].data);
	free(b->items);
	*b = (struct blobs){ 0 };
}

void session_fini(struct session *s)
{
	struct record facts = { .kind = RECORD_ENDPOINT, .endpoint = s->facts };

	record_fini(&facts);
	free(s->verify_name);
	blobs_fini(&s->certificates);
	blobs_fini(&s->authorities);
	free(s->ocsp_response.data);
	free(s->message);
	*s = (struct session){ 0 };
}

bool session_is_without_tls(const struct session *s)
{
	const char *word = s->facts.handshake ? s->facts.handshake : "";

	if (!s->has_problem || s->certificates.count)
		return false;
	return s->reason != REASON_HANDSHAKE_FAILED || strcmp(word, "closed") == 0 ||
	       strcmp(word, "reset") == 0;
}

enum err blobs_add(struct blobs *b, struct slice bytes)
{
	struct blob *items = reallocarray(b->items, b->count + 1, sizeof(*items));
	uint8_t *copy;

	if (!items)
		return ERR_MEMORY;
	b->items = items;
	copy = malloc(bytes.size + 1);
	if (!copy)
		return ERR_MEMORY;
	if (bytes.size)
		memcpy(copy, bytes.data, bytes.size);
	b->items[b->count++] = (struct blob){ .data = copy, .size = bytes.size };
	return ERR_OK;
}

static void put_blobs(struct buffer *out, const struct blobs *b)
{
	wire_put_u32(out, (uint32_t)b->count);
	for (size_t i = 0; i < b->count; i++)
		wire_put_bytes(out, slice_of(b->items[i].data, b->items[i].size));
}

static void get_blobs(struct wire *w, struct blobs *b, size_t max_count)
{
	size_t count = wire_get_u32(w);

	if (count > max_count)
		w->bad = true;
	for (size_t i = 0; !w->bad && i < count; i++) {
		struct slice bytes = wire_get_bytes(w, RECORD_BYTES_MAX);

		if (!w->bad && blobs_add(b, bytes) != ERR_OK)
			w->bad = true;
	}
}

void session_encode(struct buffer *out, const struct session *s)
{
	struct record facts = { .kind = RECORD_ENDPOINT, .endpoint = s->facts };
	struct buffer inner;

	buffer_init(&inner, RECORD_BYTES_MAX);
	record_encode(&inner, &facts);
	if (buffer_status(&inner) != ERR_OK && out->status == ERR_OK)
		out->status = inner.status;
	wire_put_bytes(out, buffer_bytes(&inner));
	buffer_fini(&inner);
	wire_put_text(out, s->verify_name);
	put_blobs(out, &s->certificates);
	put_blobs(out, &s->authorities);
	wire_put_bytes(out, slice_of(s->ocsp_response.data, s->ocsp_response.size));
	wire_put_bool(out, s->has_problem);
	wire_put_u8(out, (uint8_t)s->reason);
	wire_put_text(out, s->message);
}

static enum err decode_facts(struct slice bytes, struct endpoint_record *out)
{
	struct record facts;
	enum err e = record_decode(bytes, &facts);

	if (e != ERR_OK)
		return e;
	if (facts.kind != RECORD_ENDPOINT) {
		record_fini(&facts);
		return ERR_MALFORMED;
	}
	location_fini(&facts.location);
	*out = facts.endpoint;
	return ERR_OK;
}

enum err session_decode(struct slice bytes, struct session *out)
{
	struct wire w = wire_of(bytes);
	struct session s = { 0 };
	struct slice ocsp;
	enum err e = decode_facts(wire_get_bytes(&w, RECORD_BYTES_MAX), &s.facts);

	if (e != ERR_OK)
		return e;
	s.verify_name = wire_get_text(&w, RECORD_TEXT_BYTES_MAX);
	get_blobs(&w, &s.certificates, RECORD_CHAIN_MAX);
	get_blobs(&w, &s.authorities, RECORD_CAS_MAX);
	ocsp = wire_get_bytes(&w, RECORD_BYTES_MAX);
	if (ocsp.size) {
		s.ocsp_response.data = (uint8_t *)string_of(ocsp);
		s.ocsp_response.size = s.ocsp_response.data ? ocsp.size : 0;
	}
	s.has_problem = wire_get_bool(&w);
	s.reason = (enum reason)wire_get_u8(&w);
	s.message = wire_get_text(&w, RECORD_TEXT_BYTES_MAX);
	e = wire_end(&w);
	if (e == ERR_OK && s.reason >= REASON_COUNT)
		e = ERR_MALFORMED;
	if (e != ERR_OK)
		session_fini(&s);
	else
		*out = s;
	return e;
}
