/* The table of protocols, and what is asked of all of them. */
#include "scanners/network/protocol.h"

#include "scanners/network/starttls/parts.h"

#include <string.h>

#define PROTOCOL(name) extern const struct protocol name;
#include "scanners/network/protocols.def"
#undef PROTOCOL

const struct protocol *const protocols[] = {
#define PROTOCOL(name) &name,
#include "scanners/network/protocols.def"
#undef PROTOCOL
};
const size_t protocols_count = sizeof(protocols) / sizeof(protocols[0]);

const struct protocol *protocol_find(struct slice name)
{
	for (size_t i = 0; i < protocols_count; i++) {
		const char *ours = protocols[i]->name;

		if (strlen(ours) == name.size && part_begins(name, ours))
			return protocols[i];
	}
	return NULL;
}

static bool has_port(const uint16_t ports[PROTOCOL_PORTS_MAX], uint16_t port)
{
	for (size_t i = 0; i < PROTOCOL_PORTS_MAX && ports[i]; i++)
		if (ports[i] == port)
			return true;
	return false;
}

const struct protocol *protocol_inside(uint16_t port)
{
	for (size_t i = 1; i < protocols_count; i++)
		if (has_port(protocols[i]->tls_ports, port))
			return protocols[i];
	return NULL;
}

const struct question *protocol_question(const struct protocol *p, uint16_t port)
{
	if (p != protocols[0])
		return p->question;
	if (protocol_inside(port))
		return protocol_inside(port)->question;
	/* Ports of what is no web server and knows no question. */
	return has_port(p->ports, port) ? NULL : p->question;
}

/* ---- suggesting ------------------------------------------------------------------------------- */

enum { UNLIKELY = 0, BY_PORT = 1, BY_GREETING = 2, BY_WORD = 4 };

static int greeting_score(const struct protocol *p, struct slice banner)
{
	int best = UNLIKELY;

	if (p->greets && p->greets(banner))
		return BY_WORD;
	for (const struct greeting *g = p->greetings; g && g->begins; g++) {
		if (!part_fits(banner, g->begins, g->holds))
			continue;
		if (g->holds)
			return BY_WORD;
		best = BY_GREETING;
	}
	return best;
}

static int score(const struct protocol *p, uint16_t port, struct slice banner)
{
	int by_port = p->port == port || has_port(p->ports, port) ? BY_PORT : UNLIKELY;
	int by_greeting;

	if (!p->states)
		return UNLIKELY;
	if (!banner.size)
		return p->is_silent ? by_port : UNLIKELY;
	by_greeting = greeting_score(p, banner);
	return by_greeting ? by_greeting + by_port : UNLIKELY;
}

size_t protocol_suggest(uint16_t port, struct slice banner, const struct protocol **out, size_t max)
{
	size_t count = 0;

	for (int wanted = BY_WORD + BY_PORT; wanted > UNLIKELY; wanted--)
		for (size_t i = 0; i < protocols_count && count < max; i++)
			if (score(protocols[i], port, banner) == wanted)
				out[count++] = protocols[i];
	return count;
}

/* ---- saying ----------------------------------------------------------------------------------- */

static const char *word_at(const char *text, const struct words *words, size_t *size)
{
	const struct {
		const char *name;
		const char *value;
	} known[] = {
		{ "{host}", words->host },
		{ "{own}", words->own },
		{ "{path}", words->path },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		*size = strlen(known[i].name);
		if (strncmp(text, known[i].name, *size) == 0)
			return known[i].value;
	}
	return NULL;
}

void say_write(const struct say *say, const struct words *words, struct buffer *out)
{
	if (say->size) {
		buffer_append(out, say->text, say->size);
		return;
	}
	for (const char *at = say->text; at && *at;) {
		size_t size;
		const char *value = *at == '{' ? word_at(at, words, &size) : NULL;

		if (value) {
			buffer_text(out, value);
			at += size;
		} else {
			buffer_byte(out, (uint8_t)*at++);
		}
	}
}
