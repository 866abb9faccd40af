/* The small families: values by label set, each set once. */
#include "exporters/prometheus/tally.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_FIRST 16
#define LABELS_BYTES_MAX 8192

void tally_init(struct tally *t)
{
	*t = (struct tally){ 0 };
}

void tally_fini(struct tally *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].labels);
	free(t->rows);
	*t = (struct tally){ 0 };
}

static struct tally_row *find(struct tally *t, const char *labels)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->rows[i].labels, labels) == 0)
			return &t->rows[i];
	return NULL;
}

/* Takes `labels`. */
static enum err add(struct tally *t, char *labels, double value)
{
	if (t->count == TALLY_ROWS_MAX) {
		free(labels);
		return ERR_LIMIT;
	}
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : ROWS_FIRST;
		struct tally_row *rows = reallocarray(t->rows, capacity, sizeof(*rows));

		if (!rows) {
			free(labels);
			return ERR_MEMORY;
		}
		t->rows = rows;
		t->capacity = capacity;
	}
	t->rows[t->count++] = (struct tally_row){ labels, value };
	return ERR_OK;
}

void tally_put(struct tally *t, const struct tally_label labels[TALLY_LABELS_MAX],
	enum tally_merge merge, double value)
{
	struct tally_row *row;
	struct buffer text;
	char *key;

	if (t->status != ERR_OK)
		return;
	buffer_init(&text, LABELS_BYTES_MAX);
	for (size_t i = 0; i < TALLY_LABELS_MAX && labels[i].key; i++)
		exposition_label(&text, labels[i].key, labels[i].value);
	key = buffer_take_string(&text);
	if (!key) {
		t->status = ERR_MEMORY;
		return;
	}
	row = find(t, key);
	if (!row) {
		t->status = add(t, key, value);
		return;
	}
	free(key);
	if (merge == TALLY_SUM)
		row->value += value;
	else if (value < row->value)
		row->value = value;
}

void tally_drop(struct tally *t, double value)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		if (t->rows[i].value == value)
			free(t->rows[i].labels);
		else
			t->rows[kept++] = t->rows[i];
	}
	t->count = kept;
}

static int compare(const void *a, const void *b)
{
	const struct tally_row *x = a;
	const struct tally_row *y = b;

	return strcmp(x->labels, y->labels);
}

void tally_write(struct tally *t, const char *name, struct buffer *out)
{
	if (t->count > 1)
		qsort(t->rows, t->count, sizeof(*t->rows), compare);
	for (size_t i = 0; i < t->count; i++)
		exposition_sample(out, name, slice_text(t->rows[i].labels), t->rows[i].value);
}
