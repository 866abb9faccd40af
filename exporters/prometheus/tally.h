/* The small families: values by label set, each set once. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_TALLY_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_TALLY_H

#include "exporters/prometheus/exposition.h"

#define TALLY_ROWS_MAX 4096
#define TALLY_LABELS_MAX 3

struct tally_row {
	char *labels; /* owned; rendered: equal text is equal identity */
	double value;
};

struct tally {
	struct tally_row *rows; /* owned */
	size_t count;
	size_t capacity;
	enum err status; /* first failure sticks */
};

/* What happens to a value already there. */
enum tally_merge { TALLY_SUM, TALLY_LEAST };

struct tally_label {
	const char *key; /* NULL ends the list */
	const char *value;
};

void tally_init(struct tally *t);
void tally_fini(struct tally *t);
void tally_put(struct tally *t, const struct tally_label labels[TALLY_LABELS_MAX],
	enum tally_merge merge, double value);
/* Takes out what has this value. */
void tally_drop(struct tally *t, double value);
/* Appends the samples in the order of their labels. */
void tally_write(struct tally *t, const char *name, struct buffer *out);

#endif
