/* What listens on this host: which process serves what, and what speaks no TLS. */
#include "exporters/report/listening.h"

#include "agent/base/text.h"
#include "exporters/report/place.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 32
#define UDP "udp://" /* of a socket that is listed only */
#define CELL_BYTES_MAX ((size_t)2 * RECORD_TEXT_BYTES_MAX)

void listening_fini(struct listening *l)
{
	for (size_t i = 0; i < l->rows.count; i++) {
		free(l->rows.items[i].uri);
		free(l->rows.items[i].message);
		for (size_t c = 0; c < LISTENING_CELLS; c++)
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

static enum err add_row(struct listening_rows *rows, const struct sighting *s)
{
	const struct record *r = s->record;
	struct listening_row *row =
		grow((void **)&rows->items, &rows->count, &rows->capacity, sizeof(*rows->items));

	if (!row)
		return ERR_MEMORY;
	row->breaks = TIME_UNKNOWN;
	row->uri = strdup(r->location.uri);
	row->cells[LISTENING_PLACE] = listener_text(r->location.uri);
	row->cells[LISTENING_PROCESS] = process_text(&r->endpoint.process);
	row->cells[LISTENING_UNIT] = unit_text(&r->endpoint.process);
	row->cells[LISTENING_PROTOCOL] = protocol_text(r);
	row->cells[LISTENING_CLIENT] =
		strdup(client_certificate_word(r->endpoint.client_certificate));
	row->cells[LISTENING_CERTIFICATE] = strdup("");
	row->cells[LISTENING_LEFT] = strdup("");
	row->cells[LISTENING_PROBLEMS] = answer_text(s, &row->is_answer_bad);
	for (size_t c = 0; c < LISTENING_CELLS; c++)
		if (!row->cells[c])
			return ERR_MEMORY;
	return row->uri ? ERR_OK : ERR_MEMORY;
}

static enum err add_plain(struct listening_plains *plains, const struct record *r)
{
	const struct endpoint_record *e = &r->endpoint;
	const char *name = e->process.name ? e->process.name : "";
	bool is_datagram = strncmp(r->location.uri, UDP, strlen(UDP)) == 0;
	const char *unit = is_datagram && e->process.unit ? e->process.unit : "";
	struct listening_plain *plain;

	plains->sockets++;
	plains->datagrams += is_datagram;
	plains->unreachable += !is_datagram && !e->is_reachable;
	for (size_t i = 0; i < plains->count; i++)
		if (plains->items[i].port == e->port &&
			plains->items[i].is_datagram == is_datagram &&
			strncmp(plains->items[i].name, name, LISTENING_NAME_BYTES - 1) == 0)
			return ERR_OK;
	plain = grow((void **)&plains->items, &plains->count, &plains->capacity, sizeof(*plain));
	if (!plain)
		return ERR_MEMORY;
	plain->port = e->port;
	plain->is_datagram = is_datagram;
	memcpy(plain->unit, unit, text_cut(unit, LISTENING_NAME_BYTES - 1));
	memcpy(plain->name, name, text_cut(name, LISTENING_NAME_BYTES - 1));
	return ERR_OK;
}

static enum err collect(void *arg, const struct sighting *s)
{
	struct listening *l = arg;

	if (s->gone_at != TIME_UNKNOWN || !record_is_listener(s->record))
		return ERR_OK;
	return record_is_plain_listener(s->record) ? add_plain(&l->plains, s->record)
						   : add_row(&l->rows, s);
}

/* ---- their certificates -------------------------------------------------------------------------- */

static int compare_uris(const void *a, const void *b)
{
	return strcmp(
		((const struct listening_row *)a)->uri, ((const struct listening_row *)b)->uri);
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
static bool set(struct listening_row *row, size_t column, char *text)
{
	if (!text)
		return false;
	free(row->cells[column]);
	row->cells[column] = text;
	return true;
}

static enum err match(void *arg, const struct sighting *s)
{
	struct listening_rows *rows = arg;
	const struct certificate_record *c = &s->record->certificate;
	const struct listening_row key = { .uri = s->record->location.uri };
	char left[TIME_TEXT_BYTES] = "?";
	struct listening_row *row;

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
	if (set(row, LISTENING_CERTIFICATE, strdup(place_short_name(&c->facts))) &&
		set(row, LISTENING_LEFT, strdup(left)) &&
		set(row, LISTENING_PROBLEMS,
			problems_text(record_problems_at(c, rows->view->now),
				row->cells[LISTENING_PROBLEMS])))
		return ERR_OK;
	return ERR_MEMORY;
}

/* ---- in order ------------------------------------------------------------------------------------ */

/* What breaks first stands first, as in the table of certificates. */
static int compare_rows(const void *a, const void *b)
{
	const struct listening_row *x = a;
	const struct listening_row *y = b;

	if (x->has_certificate != y->has_certificate)
		return x->has_certificate ? -1 : 1;
	if (x->breaks != y->breaks)
		return x->breaks < y->breaks ? -1 : 1;
	return strcmp(x->uri, y->uri);
}

static int compare_plains(const void *a, const void *b)
{
	const struct listening_plain *x = a;
	const struct listening_plain *y = b;

	if (x->port != y->port)
		return (x->port > y->port) - (x->port < y->port);
	if (x->is_datagram != y->is_datagram)
		return x->is_datagram ? 1 : -1;
	return strcmp(x->name, y->name);
}

enum err listening_collect(const struct view *view, struct listening *out)
{
	struct listening_rows *rows = &out->rows;
	enum err e;

	*out = (struct listening){ .rows = { .view = view } };
	e = view->each_sighting(view->ctx, RECORD_ENDPOINT, collect, out);
	if (e != ERR_OK)
		return e;
	if (rows->count) {
		qsort(rows->items, rows->count, sizeof(*rows->items), compare_uris);
		e = view->each_sighting(view->ctx, RECORD_CERTIFICATE, match, rows);
		qsort(rows->items, rows->count, sizeof(*rows->items), compare_rows);
	}
	if (out->plains.count)
		qsort(out->plains.items, out->plains.count, sizeof(*out->plains.items),
			compare_plains);
	return e;
}
