/* What is found in a text goes by what the text calls its place, and a text within a text by both. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_LABEL_H
#define LEAFWATCH_SCANNERS_FORMATS_LABEL_H

#include "scanners/formats/outline.h"

/* One text under way; starts as { .text, .above }. */
struct label {
	struct slice text;   /* borrowed */
	struct label *above; /* borrowed: of the text that this one lies in, or NULL */
	struct outline outline;
	bool is_read;       /* the outline is begun */
	struct buffer path; /* of the place under way; empty = none */
};

void label_fini(struct label *l);
/* What comes next lies at `at`; NULL, or not in the text: nowhere in particular. */
void label_place(struct label *l, const uint8_t *at);
/* The labels from the outermost on and `alias` (or NULL), divided by slashes, safe to show; *out is NULL
 * where there is neither. */
enum err label_alias(const struct label *l, const char *alias, char **out) MUST_CHECK;

#endif
