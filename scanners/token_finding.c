/* What a token holds, as bytes. */
#include "scanners/token_finding.h"

#include "agent/certificate/record.h"

#include <stdlib.h>

void token_certificate_fini(struct token_certificate *c)
{
	free(c->uri);
	free(c->label);
	free(c->key_uri);
	*c = (struct token_certificate){ 0 };
}

void token_certificate_encode(struct buffer *out, const struct token_certificate *c)
{
	wire_put_text(out, c->uri);
	wire_put_text(out, c->label);
	wire_put_text(out, c->key_uri);
	wire_put_bool(out, c->is_trusted);
	wire_put_bytes(out, c->der);
}

bool token_certificate_next(struct wire *w, struct token_certificate *out)
{
	struct token_certificate c = { 0 };

	if (w->bad || !w->left.size)
		return false;
	c.uri = wire_get_text(w, RECORD_TEXT_BYTES_MAX);
	c.label = wire_get_text(w, RECORD_TEXT_BYTES_MAX);
	c.key_uri = wire_get_text(w, RECORD_TEXT_BYTES_MAX);
	c.is_trusted = wire_get_bool(w);
	c.der = wire_get_bytes(w, RECORD_BYTES_MAX);
	w->bad = w->bad || !c.uri;
	if (w->bad) {
		token_certificate_fini(&c);
		return false;
	}
	*out = c;
	return true;
}
