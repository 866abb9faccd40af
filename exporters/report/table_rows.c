/* Rows of a part of the table. */
#include "exporters/report/table_rows.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_ROWS_FIRST 32

void table_rows_fini(struct table_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < TABLE_CELLS_MAX; c++)
			free(rows->items[i].cells[c]);
	free(rows->items);
}

struct table_row *table_rows_add(struct table_rows *rows)
{
	if (rows->count == rows->capacity) {
		size_t capacity = rows->capacity ? rows->capacity * 2 : TABLE_ROWS_FIRST;
		struct table_row *items = reallocarray(rows->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		rows->items = items;
		rows->capacity = capacity;
	}
	rows->items[rows->count] = (struct table_row){ 0 };
	return &rows->items[rows->count++];
}

enum err table_row_status(const struct table_row *r, size_t count)
{
	for (size_t c = 0; c < count; c++)
		if (!r->cells[c])
			return ERR_MEMORY;
	return ERR_OK;
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct table_row *x = a;
	const struct table_row *y = b;
	const size_t *cell = arg;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return strcmp(x->cells[*cell], y->cells[*cell]);
}

void table_rows_sort(struct table_rows *rows, size_t cell)
{
	if (rows->count)
		qsort_r(rows->items, rows->count, sizeof(*rows->items), compare, &cell);
}

void table_rows_paint(
	const struct table_rows *rows, struct column *columns, size_t count, struct paint *p)
{
	for (size_t i = 0; i < rows->count; i++)
		for (size_t c = 0; c < count; c++)
			column_hold(&columns[c], rows->items[i].cells[c]);
	(void)columns_fit(columns, count, 0, p->options);
	paint_titles(p, columns, count);
	for (size_t i = 0; i < rows->count; i++) {
		for (size_t c = 0; c < count; c++)
			paint_cell(p, &columns[c], rows->items[i].cells[c], rows->items[i].inks[c]);
		paint_end(p);
	}
}
