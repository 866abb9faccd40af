/* A file and where its password may be, as bytes. */
#include "scanners/locked_finding.h"

#include "agent/process/messages.h"
#include "scanners/formats/format.h"

#include <stdlib.h>

enum { CONTENT, CONFIGURATION, PASSWORDS };

void locked_source_encode(struct buffer *out, const struct locked_source *s)
{
	wire_put_u8(out, s->is_configuration ? CONFIGURATION : PASSWORDS);
	wire_put_text(out, s->uri);
	wire_put_bytes(out, s->bytes);
}

void locked_content(struct buffer *out)
{
	wire_put_u8(out, CONTENT);
}

bool locked_source_next(struct wire *w, struct locked_source *out)
{
	struct locked_source s = { 0 };
	uint8_t kind = wire_get_u8(w);

	w->bad = w->bad || kind > PASSWORDS;
	if (w->bad || kind == CONTENT)
		return false;
	s.is_configuration = kind == CONFIGURATION;
	s.uri = wire_get_text(w, PLACE_BYTES_MAX);
	s.bytes = wire_get_bytes(
		w, s.is_configuration ? FORMAT_BYTES_CEILING : LOCKED_PASSWORDS_BYTES_MAX);
	w->bad = w->bad || !s.uri;
	if (w->bad) {
		free(s.uri);
		return false;
	}
	*out = s;
	return true;
}
