/* One certificate to be verified, as bytes and back. */
#include "scanners/verify_case.h"

#include "agent/base/wire.h"
#include "agent/process/messages.h"
#include "scanners/parser.h"

#include <stdlib.h>

void verify_case_fini(struct verify_case *c)
{
	free(c->name);
	*c = (struct verify_case){ 0 };
}

static void put_files(struct buffer *out, const struct slice *files, size_t count)
{
	wire_put_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		wire_put_bytes(out, files[i]);
}

void verify_case_encode(struct buffer *out, const struct verify_case *c)
{
	wire_put_text(out, c->name);
	wire_put_u8(out, (uint8_t)c->name_kind);
	wire_put_bool(out, c->use_common_name);
	wire_put_u8(out, (uint8_t)c->purpose);
	wire_put_u32(out, c->intermediates_limit);
	wire_put_u8(out, (uint8_t)c->revocation);
	put_files(out, &c->certificate, 1);
	put_files(out, c->untrusted, c->untrusted_count);
	put_files(out, c->crls, c->crls_count);
}

static size_t get_files(struct wire *w, struct slice files[VERIFY_FILES_MAX])
{
	size_t count = wire_get_u32(w);

	if (count > VERIFY_FILES_MAX)
		w->bad = true;
	for (size_t i = 0; !w->bad && i < count; i++)
		files[i] = wire_get_bytes(w, PARSER_FINDING_BYTES_MAX);
	return w->bad ? 0 : count;
}

static uint8_t get_enum(struct wire *w, unsigned count)
{
	uint8_t value = wire_get_u8(w);

	if (value < count)
		return value;
	w->bad = true;
	return 0;
}

enum err verify_case_decode(struct slice bytes, struct verify_case *out)
{
	struct slice certificate[VERIFY_FILES_MAX];
	struct verify_case c = { 0 };
	struct wire w = wire_of(bytes);

	c.name = wire_get_text(&w, VERIFY_NAME_BYTES_MAX);
	c.name_kind = (enum name_kind)get_enum(&w, NAME_URI + 1);
	c.use_common_name = wire_get_bool(&w);
	c.purpose = (enum purpose)get_enum(&w, PURPOSE_COUNT);
	c.intermediates_limit = wire_get_u32(&w);
	c.revocation = (enum revocation_mode)get_enum(&w, REVOCATION_COUNT);
	if (get_files(&w, certificate) != 1)
		w.bad = true;
	else
		c.certificate = certificate[0];
	c.untrusted_count = get_files(&w, c.untrusted);
	c.crls_count = get_files(&w, c.crls);
	if (wire_end(&w) != ERR_OK) {
		verify_case_fini(&c);
		return ERR_MALFORMED;
	}
	*out = c;
	return ERR_OK;
}
