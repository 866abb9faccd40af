/* The pool of parser processes. */
#include "agent/parsers.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/certificate/token.h"
#include "agent/process/child.h"

#include <stdio.h>
#include <stdlib.h>

#define PARSERS_MAX 64
#define PARSE_DEADLINE_MS 20000 /* for one finding, once it is whole and first in line */
#define FILE_GRACE_MS 5000      /* for what is told once a file's own time is up */
#define PARSER_IDLE_MS 30000    /* after which a process is ended to give its memory back */
#define PARSER_DEATHS_MAX 5     /* in a row with no finding to blame: the role itself is broken */
#define PARSER_MESSAGE_BYTES 160
/* What a file that is read where it lies counts among the bytes that are under way: it is as much work. */
#define FILE_WEIGHT_BYTES (256 * 1024)

/* A frame as it was sent, kept until the finding is done. */
struct kept_frame {
	struct kept_frame *next;
	struct child_file *file; /* counted, or NULL */
	size_t size;
	uint8_t bytes[];
};

struct finding {
	struct finding *next; /* in the order in which they were sent */
	struct parser *parser;
	void *owner; /* borrowed; NULL once disowned */
	uint64_t id;
	char *scanner; /* owned */
	char *place;   /* owned */
	struct kept_frame *frames;
	struct kept_frame **frames_end;
	size_t bytes;
	int64_t since_ms; /* when its deadline began to run; 0 = not yet */
	bool is_whole;
	bool has_file;
	bool is_cut;
};

struct parser {
	struct parsers *pool;
	struct child *child; /* NULL = not running */
	struct finding *first;
	struct buffer record; /* the pieces of one that have come */
	size_t bytes;
	int64_t idle_since_ms;
	unsigned deaths; /* in a row, with no finding to blame */
	bool is_hung;
};

struct parsers {
	struct parsers_conf conf;
	struct parser parsers[PARSERS_MAX];
	uint64_t next_id;
	size_t bytes;
	bool is_renewing;
};

static const struct child_events parser_events;

enum err parsers_new(const struct parsers_conf *conf, struct parsers **out)
{
	struct parsers *p = calloc(1, sizeof(*p));

	if (!p)
		return ERR_MEMORY;
	p->conf = *conf;
	if (p->conf.count_max > PARSERS_MAX)
		p->conf.count_max = PARSERS_MAX;
	for (size_t i = 0; i < PARSERS_MAX; i++) {
		p->parsers[i].pool = p;
		buffer_init(&p->parsers[i].record, RECORD_BYTES_MAX);
	}
	*out = p;
	return ERR_OK;
}

static void finding_free(struct finding *f)
{
	while (f->frames) {
		struct kept_frame *next = f->frames->next;

		explicit_bzero(f->frames->bytes, f->frames->size);
		child_file_drop(f->frames->file);
		free(f->frames);
		f->frames = next;
	}
	free(f->scanner);
	free(f->place);
	free(f);
}

/* Takes the first finding out of the line and tells its owner. */
static void finding_done(struct parser *parser, bool crashed)
{
	struct parsers *p = parser->pool;
	struct finding *f = parser->first;
	void *owner = f->owner;

	parser->first = f->next;
	parser->bytes -= f->bytes;
	p->bytes -= f->bytes;
	finding_free(f);
	if (!parser->first)
		parser->idle_since_ms = clock_monotonic_ms();
	if (owner)
		p->conf.events->done(owner, crashed);
}

void parsers_free(struct parsers *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < PARSERS_MAX; i++) {
		struct parser *parser = &p->parsers[i];

		if (parser->child)
			child_abandon(parser->child);
		while (parser->first) {
			struct finding *f = parser->first;

			parser->first = f->next;
			finding_free(f);
		}
		buffer_fini(&parser->record);
	}
	free(p);
}

static enum err send_to_child(void *arg, uint16_t type, struct slice payload)
{
	return child_send(arg, type, payload);
}

static enum err parser_start(struct parser *parser, struct why *why)
{
	struct parsers *p = parser->pool;
	struct child_start start = { .loop = p->conf.loop,
		.role = p->conf.role,
		.in_thread = p->conf.in_thread,
		.events = &parser_events,
		.arg = parser };
	enum err e;

	if (parser->child)
		return ERR_OK;
	if (parser->deaths >= PARSER_DEATHS_MAX)
		return why_fail(why, ERR_IO, "the parser died %u times in a row without a result",
			parser->deaths);
	e = child_new(&start, &parser->child, why);
	if (e == ERR_OK)
		e = p->conf.hand_over(p->conf.arg, send_to_child, parser->child);
	parser->is_hung = false;
	parser->idle_since_ms = clock_monotonic_ms();
	return e;
}

/* An idle running one, else a new process, else the one with the fewest bytes waiting. */
static struct parser *choose(struct parsers *p)
{
	struct parser *least = &p->parsers[0];

	for (unsigned i = 0; i < p->conf.count_max; i++) {
		struct parser *parser = &p->parsers[i];

		if (parser->child && !parser->first)
			return parser;
		if (parser->bytes < least->bytes || (!parser->child && !parser->first))
			least = parser;
		if (!parser->child)
			return parser;
	}
	return least;
}

static enum err keep_frame(struct finding *f, struct slice frame, struct child_file *file)
{
	struct kept_frame *k = malloc(sizeof(*k) + frame.size);
	size_t weight = frame.size + (file ? FILE_WEIGHT_BYTES : 0);

	if (!k)
		return ERR_MEMORY;
	k->next = NULL;
	k->file = child_file_hold(file);
	k->size = frame.size;
	memcpy(k->bytes, frame.data, frame.size);
	*f->frames_end = k;
	f->frames_end = &k->next;
	f->bytes += weight;
	f->parser->bytes += weight;
	f->parser->pool->bytes += weight;
	return ERR_OK;
}

static enum err send_piece(
	struct finding *f, const struct finding_piece *piece, struct child_file *file)
{
	struct buffer frame;
	enum err e;

	buffer_init(&frame, FRAME_BYTES_MAX);
	finding_piece_encode(&frame, piece);
	e = buffer_status(&frame);
	if (e == ERR_OK)
		e = keep_frame(f, buffer_bytes(&frame), file);
	if (e == ERR_OK && f->parser->child)
		e = child_send_file(f->parser->child, MESSAGE_FINDING, buffer_bytes(&frame), file);
	buffer_wipe(&frame);
	return e;
}

enum err parsers_open(struct parsers *p, void *owner, const struct finding_piece *head,
	struct finding **out, struct why *why)
{
	struct parser *parser = choose(p);
	struct finding_piece piece = *head;
	struct finding **end = &parser->first;
	struct finding *f;
	enum err e = parser_start(parser, why);

	if (e != ERR_OK)
		return e;
	f = calloc(1, sizeof(*f));
	if (!f)
		return ERR_MEMORY;
	f->parser = parser;
	f->owner = owner;
	f->id = ++p->next_id;
	f->frames_end = &f->frames;
	f->scanner = string_of(head->scanner);
	f->place = string_of(head->place);
	if (!f->scanner || !f->place) {
		finding_free(f);
		return ERR_MEMORY;
	}
	while (*end)
		end = &(*end)->next;
	*end = f;
	piece.id = f->id;
	piece.is_first = true;
	piece.is_last = false;
	piece.has_file = false;
	piece.is_cut = false;
	piece.data = slice_of(NULL, 0);
	*out = f;
	return send_piece(f, &piece, NULL);
}

static void start_deadline(struct parser *parser)
{
	struct finding *f = parser->first;

	if (f && f->is_whole && !f->since_ms)
		f->since_ms = clock_monotonic_ms();
}

/* The parser answers in the order in which findings become whole: those that are stand first, in that
 * order. A large one in pieces may be overtaken by small ones that were opened after it. */
static void become_whole(struct finding *f)
{
	struct finding **at = &f->parser->first;

	if (f->is_whole)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	at = &f->parser->first;
	while (*at && (*at)->is_whole)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
	f->is_whole = true;
}

static enum err add_piece(struct finding *f, const struct finding_piece *piece,
	struct child_file *file, struct why *why)
{
	struct parser *parser = f->parser;
	enum err e = send_piece(f, piece, file);

	if (piece->is_last)
		become_whole(f);
	start_deadline(parser);
	if (e != ERR_OK)
		return why_fail(why, e, "cannot hand a finding to the parser");
	return ERR_OK;
}

enum err parsers_piece(
	struct parsers *p, struct finding *f, struct slice data, bool is_last, struct why *why)
{
	struct finding_piece piece = {
		.id = f->id, .is_last = is_last, .is_cut = is_last && f->is_cut, .data = data
	};

	(void)p;
	return add_piece(f, &piece, NULL, why);
}

void parsers_cut(struct finding *f)
{
	f->is_cut = true;
}

enum err parsers_file(
	struct parsers *p, struct finding *f, struct child_file *file, struct why *why)
{
	struct finding_piece piece = { .id = f->id, .is_last = true, .has_file = true };

	(void)p;
	f->has_file = true;
	return add_piece(f, &piece, file, why);
}

void parsers_abandon(struct parsers *p, struct finding *f)
{
	struct finding_piece piece = { .id = f->id, .is_last = true, .is_abandoned = true };

	(void)p;
	become_whole(f);
	if (send_piece(f, &piece, NULL) != ERR_OK)
		log_warn("out of memory while forgetting a finding at %s", f->place);
	start_deadline(f->parser);
}

void parsers_disown(struct parsers *p, const void *owner)
{
	for (unsigned i = 0; i < p->conf.count_max; i++)
		for (struct finding *f = p->parsers[i].first; f; f = f->next)
			if (f->owner == owner)
				f->owner = NULL;
}

size_t parsers_outstanding_bytes(const struct parsers *p)
{
	return p->bytes;
}

/* A parser may only speak of the place it was given, or of what lies inside it. */
static bool is_at_place(const struct record *r, const struct finding *f)
{
	size_t size = strlen(f->place);

	if (!r->location.uri || !r->location.scanner ||
		strcmp(r->location.scanner, f->scanner) != 0)
		return false;
	if (strncmp(r->location.uri, f->place, size) != 0)
		return false;
	/* RFC 7512 2.3: what is in a token adds attributes to its URI. */
	if (r->location.uri[size] == ';')
		return strncmp(f->place, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) == 0;
	return !r->location.uri[size] || strncmp(r->location.uri + size, "!/", 2) == 0;
}

static enum err take_record(struct parser *parser, struct slice bytes)
{
	struct parsers *p = parser->pool;
	struct finding *f = parser->first;
	struct record r;
	enum err e;

	if (!f || !f->is_whole)
		return ERR_MALFORMED;
	e = record_decode(bytes, &r);
	if (e != ERR_OK)
		return e;
	if (!is_at_place(&r, f))
		e = ERR_MALFORMED;
	else if (f->owner)
		e = p->conf.events->record(f->owner, &r);
	record_fini(&r);
	return e;
}

static enum err on_record_piece(struct parser *parser, struct slice payload)
{
	if (!parser->first || !parser->first->is_whole)
		return ERR_MALFORMED;
	buffer_slice(&parser->record, payload);
	return buffer_status(&parser->record);
}

static enum err on_record(struct parser *parser, struct slice payload)
{
	enum err e;

	if (!parser->record.size)
		return take_record(parser, payload);
	e = on_record_piece(parser, payload);
	if (e == ERR_OK)
		e = take_record(parser, buffer_bytes(&parser->record));
	/* Large ones are rare: their room is not kept. */
	buffer_fini(&parser->record);
	return e;
}

static enum err on_done(struct parser *parser, struct slice payload)
{
	struct wire w = wire_of(payload);
	uint64_t id = wire_get_u64(&w);
	struct finding *f = parser->first;

	if (wire_end(&w) != ERR_OK || !f || !f->is_whole || f->id != id || parser->record.size)
		return ERR_MALFORMED;
	parser->deaths = 0;
	finding_done(parser, false);
	start_deadline(parser);
	return ERR_OK;
}

static enum err on_sandbox(struct parser *parser, struct slice payload)
{
	struct parsers *p = parser->pool;
	struct sandbox_layer layer;
	enum err e = sandbox_layer_decode(payload, &layer);
	char *name;

	if (e != ERR_OK)
		return e;
	name = text_escaped(layer.layer);
	if (!name)
		return ERR_MEMORY;
	p->conf.events->sandbox(p->conf.arg, name, layer.is_active);
	free(name);
	return ERR_OK;
}

static enum err on_frame(void *arg, uint16_t type, struct slice payload)
{
	switch (type) {
	case MESSAGE_RECORD:
		return on_record(arg, payload);
	case MESSAGE_RECORD_PIECE:
		return on_record_piece(arg, payload);
	case MESSAGE_FINDING_DONE:
		return on_done(arg, payload);
	case MESSAGE_SANDBOX:
		return on_sandbox(arg, payload);
	default:
		return ERR_MALFORMED;
	}
}

/* The finding that was first in line is to blame. False when there is none that was whole. */
static bool blame(struct parser *parser, const char *how)
{
	struct finding *f = parser->first;
	char message[PARSER_MESSAGE_BYTES];
	struct record r;

	if (!f || !f->is_whole)
		return false;
	(void)snprintf(message, sizeof(message), "the parser did not finish it: %s", how);
	log_warn("parser lost on %s: %s", f->place, how);
	if (f->owner && record_problem(&r, f->scanner, f->place,
				parser->is_hung ? REASON_TIMEOUT : REASON_PARSER_CRASHED,
				message) == ERR_OK) {
		if (parser->pool->conf.events->record(f->owner, &r) != ERR_OK)
			log_error("cannot store a problem at %s", f->place);
		record_fini(&r);
	}
	finding_done(parser, true);
	return true;
}

static enum err send_again(struct parser *parser, struct why *why)
{
	enum err e = parser_start(parser, why);

	for (struct finding *f = parser->first; e == ERR_OK && f; f = f->next) {
		f->since_ms = 0;
		for (struct kept_frame *k = f->frames; e == ERR_OK && k; k = k->next)
			e = child_send_file(parser->child, MESSAGE_FINDING,
				slice_of(k->bytes, k->size), k->file);
	}
	start_deadline(parser);
	return e;
}

static void on_gone(void *arg, bool in_order, const char *how)
{
	struct parser *parser = arg;
	struct why why = { 0 };

	(void)in_order;
	parser->child = NULL;
	buffer_fini(&parser->record);
	if (!parser->first)
		return;
	if (!blame(parser, how))
		parser->deaths++;
	if (parser->first && send_again(parser, &why) != ERR_OK) {
		log_error("%s", why.text);
		while (blame(parser, "no parser could be started"))
			continue;
	}
}

static const struct child_events parser_events = { .frame = on_frame, .gone = on_gone };

static void end_idle(struct parser *parser)
{
	if (parser->child) {
		child_abandon(parser->child);
		parser->child = NULL;
	}
	buffer_fini(&parser->record);
}

/* A parser leaves a file by itself when its time is up: only one that does not is hung. */
static int64_t deadline_ms(const struct parsers *p, const struct finding *f)
{
	int64_t file_ms = f->has_file && p->conf.file_ms ? *p->conf.file_ms + FILE_GRACE_MS : 0;

	return file_ms > PARSE_DEADLINE_MS ? file_ms : PARSE_DEADLINE_MS;
}

void parsers_tick(struct parsers *p)
{
	int64_t now = clock_monotonic_ms();
	bool is_busy = false;

	for (unsigned i = 0; i < p->conf.count_max; i++) {
		struct parser *parser = &p->parsers[i];
		struct finding *f = parser->first;

		is_busy = is_busy || f;
		if (f && f->since_ms && now - f->since_ms > deadline_ms(p, f) && parser->child) {
			parser->is_hung = true;
			child_kill(parser->child, "no answer in time");
		}
		if (!f && (p->is_renewing || now - parser->idle_since_ms > PARSER_IDLE_MS))
			end_idle(parser);
	}
	p->is_renewing = p->is_renewing && is_busy;
}

void parsers_renew(struct parsers *p)
{
	for (unsigned i = 0; i < p->conf.count_max; i++) {
		p->parsers[i].deaths = 0;
		if (!p->parsers[i].first)
			end_idle(&p->parsers[i]);
		else
			p->is_renewing = true;
	}
}
