/* What a scanner remembers from one pass to the next. */
#include "agent/pass_internal.h"

#include "agent/base/clock.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/version.h"

#include <string.h>

#define MEMORY_PIECE_BYTES (256 * 1024)

/* What a memory belongs to: another build may find more in a file, other options may look elsewhere. */
static enum err memory_owner(const struct pass *p, uint8_t out[FINGERPRINT_BYTES], struct why *why)
{
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, FRAME_BYTES_MAX);
	wire_put_text(&bytes, version_text());
	wire_put_text(&bytes, version_revision());
	e = p->conf.scanner->encode_options(p->conf.conf, &bytes, why);
	if (e == ERR_OK)
		e = buffer_status(&bytes);
	if (e == ERR_OK)
		fingerprint_of(buffer_bytes(&bytes), out);
	buffer_wipe(&bytes);
	return e;
}

enum err pass_memory_save(struct pass *p, struct why *why)
{
	const struct scanner *scanner = p->conf.scanner;
	uint8_t owner[FINGERPRINT_BYTES];
	struct buffer kept;
	enum err e;

	if (!scanner->keeps_memory || p->conf.is_transient || p->is_failed ||
		p->memory_out.status != ERR_OK)
		return ERR_OK;
	e = memory_owner(p, owner, why);
	if (e != ERR_OK)
		return e;
	buffer_init(&kept, MEMORY_BYTES_MAX);
	buffer_append(&kept, owner, sizeof(owner));
	if (p->had_crash)
		e = scanner->forget_holders(buffer_bytes(&p->memory_out), &kept);
	else
		buffer_slice(&kept, buffer_bytes(&p->memory_out));
	if (e == ERR_OK && buffer_status(&kept) == ERR_OK)
		e = inventory_memory_save(p->conf.inventory, pass_job(p)->name, buffer_bytes(&kept),
			p->conf.context, why);
	buffer_fini(&kept);
	return e;
}

enum err pass_memory_hand(struct worker *w)
{
	struct slice left = buffer_bytes(&w->pass->memory_in);
	enum err e = ERR_OK;

	while (e == ERR_OK && left.size) {
		size_t size = left.size < MEMORY_PIECE_BYTES ? left.size : MEMORY_PIECE_BYTES;

		e = child_send(w->child, MESSAGE_MEMORY, slice_of(left.data, size));
		left = slice_after(left, size);
	}
	return e;
}

/* Takes over what the scanner remembers, as far as it still holds. */
static enum err adopt_memory(struct pass *p, struct buffer *memory,
	const uint8_t context[FINGERPRINT_BYTES], struct why *why)
{
	struct buffer rest = p->memory_in;
	uint8_t owner[FINGERPRINT_BYTES];
	bool is_past = false;
	enum err e = memory_owner(p, owner, why);

	if (e == ERR_OK)
		e = inventory_has_boundary(
			p->conf.inventory, pass_job(p)->name, clock_now_s(), &is_past, why);
	if (e != ERR_OK || !slice_starts(buffer_bytes(memory), owner, sizeof(owner)))
		return e;
	buffer_consume(memory, sizeof(owner));
	if (is_past || memcmp(context, p->conf.context, FINGERPRINT_BYTES) != 0)
		return p->conf.scanner->forget_holders(buffer_bytes(memory), &p->memory_in);
	p->memory_in = *memory;
	*memory = rest;
	return ERR_OK;
}

enum err pass_memory_load(struct pass *p, struct why *why)
{
	uint8_t context[FINGERPRINT_BYTES];
	struct buffer memory;
	enum err e;

	if (!p->conf.scanner->keeps_memory)
		return ERR_OK;
	buffer_init(&memory, MEMORY_BYTES_MAX);
	e = inventory_memory_load(p->conf.inventory, pass_job(p)->name, &memory, context, why);
	if (e == ERR_OK)
		e = adopt_memory(p, &memory, context, why);
	buffer_fini(&memory);
	/* Without memory everything is read again, which is slow but never wrong. */
	if (e == ERR_NOT_FOUND || e == ERR_MALFORMED) {
		buffer_clear(&p->memory_in);
		e = ERR_OK;
	}
	return e;
}
