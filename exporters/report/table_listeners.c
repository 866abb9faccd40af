/* The table's listeners: what this host serves, which process serves it, and what speaks no TLS. */
#include "exporters/report/place.h"
#include "exporters/report/table_parts.h"

#include "agent/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 32
#define CELL_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)
/* From this width on there is room for unit and protocol. */
#define WIDTH_WITH_UNIT 100
/* More sockets without TLS than this are only counted unless all are wanted. */
#define PLAIN_SHOWN 12
#define NAME_BYTES 64
#define WORDS_BYTES 128

enum {
	COLUMN_LISTENER,
	COLUMN_PROCESS,
	COLUMN_UNIT,
	COLUMN_PROTOCOL,
	COLUMN_CLIENT,
	COLUMN_CERTIFICATE,
	COLUMN_LEFT,
	COLUMN_PROBLEMS,
	COLUMNS
};

struct row {
	char *uri;            /* owned */
	char *cells[COLUMNS]; /* owned */
	enum status status;   /* of its certificate */
	bool has_certificate;
	bool is_answer_bad;
	int64_t breaks;
	char *message; /* owned: what is newer on disk, or NULL */
};

struct rows {
	const struct view *view; /* borrowed */
	struct row *items;       /* owned */
	size_t count;
	size_t capacity;
};

/* A socket without TLS. */
struct plain {
	uint16_t port;
	char name[NAME_BYTES]; /* of its process, or "" */
};

struct plains {
	struct plain *items; /* owned */
	size_t count;
	size_t capacity;
	size_t sockets; /* with those of one port at several addresses */
	size_t unreachable;
};

struct listening {
	struct rows rows;
	struct plains plains;
};

static void listening_fini(struct listening *l)
{
	for (size_t i = 0; i < l->rows.count; i++) {
		free(l->rows.items[i].uri);
		free(l->rows.items[i].message);
		for (size_t c = 0; c < COLUMNS; c++)
			free(l->rows.items[i].cells[c]);
	}
	free(l->rows.items);
	free(l->plains.items);
}

/* Room for one more item, cleared; NULL when out of memory. */
static void *grow(void **items, size_t *count, size_t *capacity, size_t size)
{
	char *item;

	if (*count == *capacity) {
		size_t room = *capacity ? *capacity * 2 : ROWS_FIRST;
		void *more = reallocarray(*items, room, size);

		if (!more)
			return NULL;
		*items = more;
		*capacity = room;
	}
	item = (char *)*items + size * (*count)++;
	memset(item, 0, size);
	return item;
}

/* ---- what there is ------------------------------------------------------------------------------ */

static char *process_text(const struct process *p)
{
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	if (p->pid)
		buffer_format(&out, "%s %" PRIu32, p->name ? p->name : "pid", p->pid);
	return buffer_take_string(&out);
}

static char *unit_text(const struct process *p)
{
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	if (p->container)
		buffer_format(&out, "container %s%s", p->container, p->unit ? " " : "");
	if (p->unit)
		buffer_text(&out, p->unit);
	return buffer_take_string(&out);
}

/* "smtp TLS1.3": what comes before TLS, where anything does. */
static char *protocol_text(const struct record *r)
{
	const char *uri = r->location.uri;
	const char *end = strstr(uri, "://");
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	if (end && strncmp(uri, "tls://", strlen("tls://")) != 0) {
		buffer_append(&out, uri, (size_t)(end - uri));
		buffer_byte(&out, ' ');
	}
	buffer_text(&out, r->endpoint.protocol ? r->endpoint.protocol : "");
	return buffer_take_string(&out);
}

static char *listener_text(const char *uri)
{
	const char *end = strstr(uri, "://");

	return strdup(end ? end + 3 : uri);
}

/* Of a handshake that brought no certificate: what ended it. */
static char *answer_text(const struct sighting *s, bool *is_bad)
{
	const struct endpoint_record *e = &s->record->endpoint;
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	*is_bad = !e->chain.count;
	if (*is_bad)
		buffer_text(&out, e->handshake ? e->handshake : "no certificate");
	if (s->is_stale)
		buffer_format(&out, "%s(stale)", *is_bad ? " " : "");
	return buffer_take_string(&out);
}

static enum err add_row(struct rows *rows, const struct sighting *s)
{
	const struct record *r = s->record;
	struct row *row =
		grow((void **)&rows->items, &rows->count, &rows->capacity, sizeof(*rows->items));

	if (!row)
		return ERR_MEMORY;
	row->breaks = TIME_UNKNOWN;
	row->uri = strdup(r->location.uri);
	row->cells[COLUMN_LISTENER] = listener_text(r->location.uri);
	row->cells[COLUMN_PROCESS] = process_text(&r->endpoint.process);
	row->cells[COLUMN_UNIT] = unit_text(&r->endpoint.process);
	row->cells[COLUMN_PROTOCOL] = protocol_text(r);
	row->cells[COLUMN_CLIENT] = strdup(client_certificate_word(r->endpoint.client_certificate));
	row->cells[COLUMN_CERTIFICATE] = strdup("");
	row->cells[COLUMN_LEFT] = strdup("");
	row->cells[COLUMN_PROBLEMS] = answer_text(s, &row->is_answer_bad);
	for (size_t c = 0; c < COLUMNS; c++)
		if (!row->cells[c])
			return ERR_MEMORY;
	return row->uri ? ERR_OK : ERR_MEMORY;
}

static enum err add_plain(struct plains *plains, const struct endpoint_record *e)
{
	const char *name = e->process.name ? e->process.name : "";
	struct plain *plain;

	plains->sockets++;
	plains->unreachable += !e->is_reachable;
	for (size_t i = 0; i < plains->count; i++)
		if (plains->items[i].port == e->port &&
			strncmp(plains->items[i].name, name, NAME_BYTES - 1) == 0)
			return ERR_OK;
	plain = grow((void **)&plains->items, &plains->count, &plains->capacity, sizeof(*plain));
	if (!plain)
		return ERR_MEMORY;
	plain->port = e->port;
	memcpy(plain->name, name, text_cut(name, NAME_BYTES - 1));
	return ERR_OK;
}

static enum err collect(void *arg, const struct sighting *s)
{
	struct listening *l = arg;

	if (s->gone_at != TIME_UNKNOWN || !record_is_listener(s->record))
		return ERR_OK;
	return record_is_plain_listener(s->record) ? add_plain(&l->plains, &s->record->endpoint)
						   : add_row(&l->rows, s);
}

/* ---- their certificates -------------------------------------------------------------------------- */

static int compare_uris(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->uri, ((const struct row *)b)->uri);
}

static char *problems_text(uint32_t problems, const char *and)
{
	struct buffer out;

	buffer_init(&out, CELL_BYTES_MAX);
	for (unsigned p = 0; p < PROBLEM_COUNT; p++)
		if (problems & PROBLEM_BIT(p))
			buffer_format(
				&out, "%s%s", out.size ? " " : "", problem_word((enum problem)p));
	if (*and)
		buffer_format(&out, "%s%s", out.size ? " " : "", and);
	return buffer_take_string(&out);
}

/* Takes `text`. */
static bool set(struct row *row, size_t column, char *text)
{
	if (!text)
		return false;
	free(row->cells[column]);
	row->cells[column] = text;
	return true;
}

static enum err match(void *arg, const struct sighting *s)
{
	struct rows *rows = arg;
	const struct certificate_record *c = &s->record->certificate;
	const struct row key = { .uri = s->record->location.uri };
	char left[TIME_TEXT_BYTES] = "?";
	struct row *row;

	if (s->gone_at != TIME_UNKNOWN || s->record->location.index || !rows->count ||
		!c->is_served)
		return ERR_OK;
	row = bsearch(&key, rows->items, rows->count, sizeof(key), compare_uris);
	if (!row)
		return ERR_OK;
	row->has_certificate = true;
	row->status = record_status_at(c, &rows->view->thresholds, rows->view->now);
	row->breaks = record_breaks(c);
	if (c->differs && !row->message) {
		row->message = strdup(c->differs->message);
		if (!row->message)
			return ERR_MEMORY;
	}
	if (row->breaks != TIME_UNKNOWN)
		time_span(row->breaks - rows->view->now, left);
	if (set(row, COLUMN_CERTIFICATE, strdup(place_short_name(&c->facts))) &&
		set(row, COLUMN_LEFT, strdup(left)) &&
		set(row, COLUMN_PROBLEMS,
			problems_text(record_problems_at(c, rows->view->now),
				row->cells[COLUMN_PROBLEMS])))
		return ERR_OK;
	return ERR_MEMORY;
}

/* ---- painting ------------------------------------------------------------------------------------ */

/* What breaks first stands first, as in the table of certificates. */
static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a;
	const struct row *y = b;

	if (x->has_certificate != y->has_certificate)
		return x->has_certificate ? -1 : 1;
	if (x->breaks != y->breaks)
		return x->breaks < y->breaks ? -1 : 1;
	return strcmp(x->uri, y->uri);
}

static void paint_rows(const struct rows *rows, struct paint *p)
{
	struct column columns[COLUMNS] = {
		[COLUMN_LISTENER] = { .title = "LISTENING HERE",
			.minimum = 16,
			.cut = CELLS_CUT_MIDDLE },
		[COLUMN_PROCESS] = { .title = "PROCESS", .minimum = 12 },
		[COLUMN_UNIT] = { .title = "UNIT", .minimum = 12 },
		[COLUMN_PROTOCOL] = { .title = "PROTOCOL", .minimum = 6 },
		[COLUMN_CLIENT] = { .title = "CLIENT CERT", .minimum = 8 },
		[COLUMN_CERTIFICATE] = { .title = "CERTIFICATE", .minimum = 14 },
		[COLUMN_LEFT] = { .title = "LEFT", .is_right = true },
		[COLUMN_PROBLEMS] = { .title = "PROBLEMS", .minimum = 12 },
	};
	bool has_unit = !p->options->width || p->options->width >= WIDTH_WITH_UNIT;

	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < COLUMNS; c++)
			if ((c != COLUMN_UNIT && c != COLUMN_PROTOCOL) || has_unit)
				column_hold(&columns[c], rows->items[i].cells[c]);
	(void)columns_fit(columns, COLUMNS, 0, p->options);
	paint_titles(p, columns, COLUMNS);
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->items[i];
		enum ink of_status = r->has_certificate ? ink_of_status(r->status) : INK_DIM;
		const enum ink inks[COLUMNS] = {
			[COLUMN_UNIT] = INK_DIM,
			[COLUMN_PROTOCOL] = INK_DIM,
			[COLUMN_CLIENT] = strcmp(r->cells[COLUMN_CLIENT], "required") == 0
						  ? INK_BOLD
						  : INK_DIM,
			[COLUMN_LEFT] = of_status,
			[COLUMN_PROBLEMS] = r->is_answer_bad         ? INK_YELLOW
					    : of_status == INK_GREEN ? INK_YELLOW
								     : of_status,
		};

		for (size_t c = 0; c < COLUMNS; c++)
			paint_cell(p, &columns[c], r->cells[c], inks[c]);
		paint_end(p);
	}
}

static int compare_plains(const void *a, const void *b)
{
	const struct plain *x = a;
	const struct plain *y = b;

	return x->port != y->port ? (x->port > y->port) - (x->port < y->port)
				  : strcmp(x->name, y->name);
}

/* Words after each other, on a new line where they would pass the terminal's edge. */
static void paint_words(struct paint *p, size_t *used, const char *words, enum ink ink)
{
	size_t cells = cells_of(words);

	if (*used && p->options->width && *used + 1 + cells > p->options->width) {
		paint_end(p);
		*used = 0;
	}
	paint_format(p, ink, "%s%s", *used ? " " : "", words);
	*used += cells + (*used != 0);
}

/* Each sentence once, after the places that it is about: one process serves at several. */
static void paint_message(const struct rows *rows, size_t first, struct paint *p)
{
	const char *message = rows->items[first].message;
	char *words = strdup(message);
	char *rest = words;
	size_t used = 0;

	for (size_t i = first; i < rows->count; i++) {
		struct buffer place;

		if (!rows->items[i].message || strcmp(rows->items[i].message, message) != 0)
			continue;
		buffer_init(&place, CELL_BYTES_MAX);
		buffer_format(&place, "%s:", rows->items[i].cells[COLUMN_LISTENER]);
		paint_words(p, &used, buffer_string(&place), INK_PLAIN);
		buffer_fini(&place);
	}
	for (char *word; (word = strsep(&rest, " "));)
		paint_words(p, &used, word, INK_YELLOW);
	paint_note(p, words ? ERR_OK : ERR_MEMORY);
	paint_end(p);
	free(words);
}

static void paint_messages(const struct rows *rows, struct paint *p)
{
	for (size_t i = 0; i < rows->count; i++) {
		bool is_said = !rows->items[i].message;

		for (size_t n = 0; !is_said && n < i; n++)
			is_said = rows->items[n].message &&
				  strcmp(rows->items[n].message, rows->items[i].message) == 0;
		if (!is_said)
			paint_message(rows, i, p);
	}
}

static void paint_plain(struct paint *p, size_t *used, const struct plain *plain, bool is_last)
{
	char words[WORDS_BYTES];

	(void)snprintf(words, sizeof(words), "%u%s%s%s", (unsigned)plain->port,
		*plain->name ? " " : "", plain->name, is_last ? "" : ",");
	paint_words(p, used, words, INK_DIM);
}

/* "9 listening sockets speak no TLS: 22 sshd, 53 unbound" */
static void paint_plains(struct plains *plains, struct paint *p)
{
	size_t shown =
		!p->options->all && plains->count > PLAIN_SHOWN + 1 ? PLAIN_SHOWN : plains->count;
	char words[WORDS_BYTES];
	size_t used = 0;

	if (!plains->count)
		return;
	qsort(plains->items, plains->count, sizeof(*plains->items), compare_plains);
	(void)snprintf(words, sizeof(words), "%zu listening %s no TLS:", plains->sockets,
		plains->sockets == 1 ? "socket speaks" : "sockets speak");
	paint_words(p, &used, words, INK_DIM);
	for (size_t i = 0; i < shown; i++)
		paint_plain(p, &used, &plains->items[i], i + 1 == plains->count);
	if (shown < plains->count) {
		(void)snprintf(words, sizeof(words), "and %zu more (--all lists them)",
			plains->count - shown);
		paint_words(p, &used, words, INK_DIM);
	}
	if (plains->unreachable) {
		(void)snprintf(
			words, sizeof(words), "(%zu could not be reached)", plains->unreachable);
		paint_words(p, &used, words, INK_DIM);
	}
	paint_end(p);
}

enum err table_listeners(const struct view *v, struct paint *p, struct table_counts *n)
{
	struct listening l = { .rows = { .view = v } };
	struct rows *rows = &l.rows;
	enum err e = v->each_sighting(v->ctx, RECORD_ENDPOINT, collect, &l);

	if (e == ERR_OK && rows->count) {
		qsort(rows->items, rows->count, sizeof(*rows->items), compare_uris);
		e = v->each_sighting(v->ctx, RECORD_CERTIFICATE, match, rows);
	}
	if (e == ERR_OK && (rows->count || l.plains.count)) {
		if (n->places || n->endpoints)
			paint_end(p);
		if (rows->count) {
			qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
			paint_rows(rows, p);
			paint_messages(rows, p);
		}
		paint_plains(&l.plains, p);
		e = paint_status(p);
	}
	n->listeners = rows->count;
	n->plain_listeners = l.plains.sockets;
	listening_fini(&l);
	return e;
}
