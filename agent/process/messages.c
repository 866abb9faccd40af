/* What main and its roles say to each other, as bytes. */
#include "agent/process/messages.h"

#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/record.h"

#define OPTIONS_BYTES_MAX (FRAME_BYTES_MAX - 64)
#define ITEM_BYTES_MAX (128 * 1024)
#define SCANNER_NAME_BYTES_MAX 64
#define LAYER_NAME_BYTES_MAX 64

enum { PIECE_FIRST = 1, PIECE_LAST = 2, PIECE_ABANDONED = 4, PIECE_FILE = 8, PIECE_CUT = 16 };
#define PIECE_FLAGS (PIECE_FIRST | PIECE_LAST | PIECE_ABANDONED | PIECE_FILE | PIECE_CUT)

void setup_encode(struct buffer *out, const struct setup *s)
{
	wire_put_i64(out, s->pinned_now);
	wire_put_u8(out, s->log_level);
	wire_put_bool(out, s->is_transient);
	wire_put_u16(out, s->processes ? s->processes : 1);
	wire_put_bytes(out, s->options);
}

enum err setup_decode(struct slice bytes, struct setup *out)
{
	struct wire w = wire_of(bytes);

	out->pinned_now = wire_get_i64(&w);
	out->log_level = wire_get_u8(&w);
	out->is_transient = wire_get_bool(&w);
	out->processes = wire_get_u16(&w);
	w.bad = w.bad || !out->processes;
	out->options = wire_get_bytes(&w, OPTIONS_BYTES_MAX);
	return wire_end(&w);
}

void work_encode(struct buffer *out, const struct work *work)
{
	wire_put_u64(out, work->id);
	wire_put_bytes(out, work->place);
	wire_put_bytes(out, work->item);
}

enum err work_decode(struct slice bytes, struct work *out)
{
	struct wire w = wire_of(bytes);

	out->id = wire_get_u64(&w);
	out->place = wire_get_bytes(&w, PLACE_BYTES_MAX);
	out->item = wire_get_bytes(&w, ITEM_BYTES_MAX);
	return wire_end(&w);
}

void finding_piece_encode(struct buffer *out, const struct finding_piece *f)
{
	wire_put_u64(out, f->id);
	wire_put_u8(out, (uint8_t)((f->is_first ? PIECE_FIRST : 0) | (f->is_last ? PIECE_LAST : 0) |
				   (f->is_abandoned ? PIECE_ABANDONED : 0) |
				   (f->has_file ? PIECE_FILE : 0) | (f->is_cut ? PIECE_CUT : 0)));
	if (f->is_first) {
		wire_put_u8(out, f->kind);
		wire_put_u64(out, f->total);
		wire_put_bytes(out, f->scanner);
		wire_put_bytes(out, f->place);
		wire_put_bytes(out, f->label);
		wire_put_bool(out, f->owner.is_known);
		wire_put_u16(out, f->owner.mode);
		wire_put_u32(out, f->owner.uid);
		wire_put_u32(out, f->owner.gid);
		wire_put_u8(out, f->judging);
	}
	wire_put_bytes(out, f->data);
}

enum err finding_piece_decode(struct slice bytes, struct finding_piece *out)
{
	struct wire w = wire_of(bytes);
	struct finding_piece f = { .id = wire_get_u64(&w) };
	uint8_t flags = wire_get_u8(&w);

	f.is_first = flags & PIECE_FIRST;
	f.is_last = flags & PIECE_LAST;
	f.is_abandoned = flags & PIECE_ABANDONED;
	f.has_file = flags & PIECE_FILE;
	f.is_cut = flags & PIECE_CUT;
	if (f.is_first) {
		f.kind = wire_get_u8(&w);
		f.total = wire_get_u64(&w);
		f.scanner = wire_get_bytes(&w, SCANNER_NAME_BYTES_MAX);
		f.place = wire_get_bytes(&w, PLACE_BYTES_MAX);
		f.label = wire_get_bytes(&w, FINDING_LABEL_BYTES_MAX);
		f.owner.is_known = wire_get_bool(&w);
		f.owner.mode = wire_get_u16(&w);
		f.owner.uid = wire_get_u32(&w);
		f.owner.gid = wire_get_u32(&w);
		f.judging = wire_get_u8(&w);
	}
	f.data = wire_get_bytes(&w, FINDING_PIECE_BYTES);
	if (wire_end(&w) != ERR_OK || flags > PIECE_FLAGS)
		return ERR_MALFORMED;
	if (f.has_file && (!f.is_last || f.is_abandoned || f.data.size))
		return ERR_MALFORMED;
	if (f.is_cut && (!f.is_last || f.is_abandoned || f.has_file))
		return ERR_MALFORMED;
	if (f.is_first && (f.kind < FINDING_FILE || f.kind >= FINDING_KINDS_END))
		return ERR_MALFORMED;
	*out = f;
	return ERR_OK;
}

void progress_encode(struct buffer *out, const struct progress *p)
{
	wire_put_u64(out, p->items);
	wire_put_u64(out, p->expected);
	wire_put_bytes(out, p->at);
}

enum err progress_decode(struct slice bytes, struct progress *out)
{
	struct wire w = wire_of(bytes);

	out->items = wire_get_u64(&w);
	out->expected = wire_get_u64(&w);
	out->at = wire_get_bytes(&w, PLACE_BYTES_MAX);
	return wire_end(&w);
}

void sandbox_layer_encode(struct buffer *out, const struct sandbox_layer *l)
{
	wire_put_bytes(out, l->layer);
	wire_put_bool(out, l->is_active);
}

enum err sandbox_layer_decode(struct slice bytes, struct sandbox_layer *out)
{
	struct wire w = wire_of(bytes);

	out->layer = wire_get_bytes(&w, LAYER_NAME_BYTES_MAX);
	out->is_active = wire_get_bool(&w);
	return wire_end(&w);
}

void key_answer_encode(struct buffer *out, const struct key_answer *a)
{
	wire_put_u16(out, a->number);
	wire_put_bool(out, a->is_usable);
	wire_put_u32(out, a->algorithm);
	wire_put_u32(out, a->bits);
	wire_put_bool(out, a->has_pss);
	wire_put_bytes(out, a->chain);
	wire_put_u8(out, a->reason);
	wire_put_bytes(out, a->message);
	wire_put_bool(out, a->has_refused_pin);
}

/* Bytes that are to be shown. */
static struct slice get_clean(struct wire *w)
{
	struct slice text = wire_get_bytes(w, KEY_TEXT_BYTES_MAX);

	w->bad = w->bad || !text_is_clean(text);
	return text;
}

enum err key_answer_decode(struct slice bytes, struct key_answer *out)
{
	struct wire w = wire_of(bytes);
	struct key_answer a = { .number = wire_get_u16(&w) };

	a.is_usable = wire_get_bool(&w);
	a.algorithm = wire_get_u32(&w);
	a.bits = wire_get_u32(&w);
	a.has_pss = wire_get_bool(&w);
	a.chain = wire_get_bytes(&w, KEY_CHAIN_BYTES_MAX);
	a.reason = wire_get_u8(&w);
	a.message = get_clean(&w);
	a.has_refused_pin = wire_get_bool(&w);
	if (wire_end(&w) != ERR_OK || a.reason >= REASON_COUNT || !a.number)
		return ERR_MALFORMED;
	*out = a;
	return ERR_OK;
}

void sign_request_encode(struct buffer *out, const struct sign_request *r)
{
	wire_put_u64(out, r->id);
	wire_put_u16(out, r->number);
	wire_put_u32(out, r->scheme);
	wire_put_bytes(out, r->data);
}

enum err sign_request_decode(struct slice bytes, struct sign_request *out)
{
	struct wire w = wire_of(bytes);
	struct sign_request r = { .id = wire_get_u64(&w) };

	r.number = wire_get_u16(&w);
	r.scheme = wire_get_u32(&w);
	r.data = wire_get_bytes(&w, SIGN_DATA_BYTES_MAX);
	if (wire_end(&w) != ERR_OK || !r.number || !r.data.size)
		return ERR_MALFORMED;
	*out = r;
	return ERR_OK;
}

void sign_answer_encode(struct buffer *out, const struct sign_answer *a)
{
	wire_put_u64(out, a->id);
	wire_put_u16(out, a->number);
	wire_put_bool(out, a->is_signed);
	wire_put_bytes(out, a->signature);
	wire_put_u8(out, a->reason);
	wire_put_bytes(out, a->message);
	wire_put_bool(out, a->is_final);
}

enum err sign_answer_decode(struct slice bytes, struct sign_answer *out)
{
	struct wire w = wire_of(bytes);
	struct sign_answer a = { .id = wire_get_u64(&w) };

	a.number = wire_get_u16(&w);
	a.is_signed = wire_get_bool(&w);
	a.signature = wire_get_bytes(&w, SIGNATURE_BYTES_MAX);
	a.reason = wire_get_u8(&w);
	a.message = get_clean(&w);
	a.is_final = wire_get_bool(&w);
	if (wire_end(&w) != ERR_OK || a.reason >= REASON_COUNT || !a.number ||
		a.is_signed != (a.signature.size > 0))
		return ERR_MALFORMED;
	*out = a;
	return ERR_OK;
}
