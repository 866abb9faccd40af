/* Rows of a part of the table: texts, each with its ink, in an order. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_TABLE_ROWS_H
#define LEAFWATCH_EXPORTERS_REPORT_TABLE_ROWS_H

#include "exporters/report/paint.h"

#define TABLE_CELLS_MAX 8

struct table_row {
	char *cells[TABLE_CELLS_MAX]; /* owned */
	enum ink inks[TABLE_CELLS_MAX];
	int64_t order; /* the least comes first */
};

/* Starts as {0}. */
struct table_rows {
	struct table_row *items; /* owned */
	size_t count;
	size_t capacity;
};

void table_rows_fini(struct table_rows *rows);
/* An empty row more, valid until the next; NULL without memory. */
struct table_row *table_rows_add(struct table_rows *rows);
/* ERR_MEMORY where one of its first `count` cells is missing. */
enum err table_row_status(const struct table_row *r, size_t count) MUST_CHECK;
/* Those of the same order stand by the text of a cell. */
void table_rows_sort(struct table_rows *rows, size_t cell);
/* A column in which no row has text is not shown. */
void table_rows_paint(
	const struct table_rows *rows, struct column *columns, size_t count, struct paint *p);

#endif
