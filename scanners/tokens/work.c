/* What main tells the token role, and what that remembers, as bytes. */
#include "scanners/tokens/work.h"

#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/token.h"
#include "scanners/tokens/modules.h"
#include "scanners/tokens/uri.h"

#include <stdlib.h>

#define WORK_VERSION 3
#define MEMORY_VERSION 1
#define PLACE_BYTES_MAX (3 * TOKEN_MODULE_BYTES_MAX + 64)

void token_pin_fini(struct token_pin *p)
{
	if (p->text)
		explicit_bzero(p->text, strlen(p->text));
	free(p->text);
	free(p->stamp);
	free(p->complaint);
	*p = (struct token_pin){ 0 };
}

void token_work_fini(struct token_work *w)
{
	strings_fini(&w->modules);
	strings_fini(&w->writable);
	token_pin_fini(&w->pin);
	for (size_t i = 0; i < w->wishes_count; i++) {
		free(w->wishes[i].uri);
		token_pin_fini(&w->wishes[i].pin);
	}
	free(w->wishes);
	free(w->complaint);
	*w = (struct token_work){ 0 };
}

static void put_pin(struct buffer *out, const struct token_pin *p)
{
	wire_put_text(out, p->text);
	wire_put_text(out, p->stamp);
	wire_put_text(out, p->complaint);
}

static void get_pin(struct wire *w, struct token_pin *p)
{
	p->text = wire_get_text(w, TOKEN_PIN_BYTES_MAX);
	p->stamp = wire_get_text(w, TOKEN_STAMP_BYTES_MAX);
	p->complaint = wire_get_text(w, WHY_TEXT_BYTES);
}

void token_work_encode(struct buffer *out, const struct token_work *w)
{
	wire_put_u8(out, WORK_VERSION);
	wire_put_strings(out, &w->modules);
	wire_put_u32(out, (uint32_t)w->named_modules);
	wire_put_u32(out, (uint32_t)w->wishes_count);
	for (size_t i = 0; i < w->wishes_count; i++) {
		wire_put_text(out, w->wishes[i].uri);
		put_pin(out, &w->wishes[i].pin);
	}
	put_pin(out, &w->pin);
	wire_put_strings(out, &w->writable);
	wire_put_bool(out, w->has_network);
	wire_put_i64(out, w->timeout_ms);
	wire_put_u32(out, w->tokens_max);
	wire_put_u32(out, w->certificates_max);
	wire_put_u32(out, w->certificate_bytes_max);
	wire_put_bool(out, w->is_limited);
	wire_put_text(out, w->complaint);
}

static enum err get_wishes(struct wire *w, struct token_work *out)
{
	size_t count = wire_get_u32(w);

	if (w->bad || count > TOKEN_URIS_MAX)
		return ERR_MALFORMED;
	out->wishes = calloc(count + 1, sizeof(*out->wishes));
	if (!out->wishes)
		return ERR_MEMORY;
	for (size_t i = 0; !w->bad && i < count; i++) {
		out->wishes[i].uri = wire_get_text(w, TOKEN_URI_BYTES_MAX);
		get_pin(w, &out->wishes[i].pin);
		out->wishes_count++;
		w->bad = w->bad || !out->wishes[i].uri;
	}
	return w->bad ? ERR_MALFORMED : ERR_OK;
}

enum err token_work_decode(struct slice bytes, struct token_work *out)
{
	struct wire w = wire_of(bytes);
	struct token_work work = { 0 };
	enum err e = wire_get_u8(&w) == WORK_VERSION ? ERR_OK : ERR_MALFORMED;

	wire_get_strings(&w, &work.modules, TOKEN_MODULES_CEILING, TOKEN_MODULE_BYTES_MAX);
	work.named_modules = wire_get_u32(&w);
	if (e == ERR_OK)
		e = get_wishes(&w, &work);
	if (e == ERR_OK) {
		get_pin(&w, &work.pin);
		wire_get_strings(&w, &work.writable, TOKEN_WRITABLE_MAX, TOKEN_MODULE_BYTES_MAX);
		work.has_network = wire_get_bool(&w);
		work.timeout_ms = wire_get_i64(&w);
		work.tokens_max = wire_get_u32(&w);
		work.certificates_max = wire_get_u32(&w);
		work.certificate_bytes_max = wire_get_u32(&w);
		work.is_limited = wire_get_bool(&w);
		work.complaint = wire_get_text(&w, WHY_TEXT_BYTES);
		e = wire_end(&w);
	}
	if (e == ERR_OK &&
		(work.timeout_ms < TOKEN_TIMEOUT_MS_MIN || work.timeout_ms > TOKEN_TIMEOUT_MS_MAX ||
			work.tokens_max > TOKENS_CEILING ||
			work.certificates_max > TOKEN_OBJECTS_CEILING ||
			work.certificate_bytes_max > TOKEN_DER_BYTES_CEILING))
		e = ERR_MALFORMED;
	if (e != ERR_OK)
		token_work_fini(&work);
	else
		*out = work;
	return e;
}

void token_memory_fini(struct token_memory *m)
{
	strings_fini(&m->refused_tokens);
	strings_fini(&m->refused_stamps);
	strings_fini(&m->modules);
	strings_fini(&m->tokens);
	*m = (struct token_memory){ 0 };
}

void token_memory_encode(struct buffer *out, const struct token_memory *m)
{
	wire_put_u8(out, MEMORY_VERSION);
	wire_put_strings(out, &m->refused_tokens);
	wire_put_strings(out, &m->refused_stamps);
	wire_put_strings(out, &m->modules);
	wire_put_strings(out, &m->tokens);
}

enum err token_memory_decode(struct slice bytes, struct token_memory *out)
{
	struct wire w = wire_of(bytes);
	struct token_memory m = { 0 };
	enum err e = wire_get_u8(&w) == MEMORY_VERSION ? ERR_OK : ERR_MALFORMED;

	*out = m;
	wire_get_strings(&w, &m.refused_tokens, TOKEN_MEMORY_LINES_MAX, RECORD_TEXT_BYTES_MAX);
	wire_get_strings(&w, &m.refused_stamps, TOKEN_MEMORY_LINES_MAX, TOKEN_STAMP_BYTES_MAX);
	wire_get_strings(&w, &m.modules, TOKEN_MEMORY_LINES_MAX, TOKEN_MODULE_BYTES_MAX);
	wire_get_strings(&w, &m.tokens, TOKEN_MEMORY_LINES_MAX, RECORD_TEXT_BYTES_MAX);
	if (e == ERR_OK)
		e = wire_end(&w);
	if (e == ERR_OK && (m.refused_tokens.count != m.refused_stamps.count ||
				   m.modules.count != m.tokens.count))
		e = ERR_MALFORMED;
	if (e != ERR_OK)
		token_memory_fini(&m);
	else
		*out = m;
	return e;
}

bool token_memory_has_refused(const struct token_memory *m, const char *token, const char *stamp)
{
	for (size_t i = 0; stamp && i < m->refused_tokens.count; i++)
		if (strcmp(m->refused_tokens.items[i], token) == 0 &&
			strcmp(m->refused_stamps.items[i], stamp) == 0)
			return true;
	return false;
}

char *token_module_place(const char *path)
{
	struct buffer place;

	buffer_init(&place, PLACE_BYTES_MAX);
	buffer_text(&place, TOKEN_URI_SCHEME "?module-path=");
	text_uri_encode(&place, slice_text(path));
	return buffer_take_string(&place);
}
