/* What is found in a text goes by what the text calls its place, and a text within a text by both. */
#ifndef LEAFWATCH_SCANNERS_PARSER_LABEL_H
#define LEAFWATCH_SCANNERS_PARSER_LABEL_H

#include "scanners/formats/outline.h"

/* One text under way; starts as { .text, .above }. */
struct parser_label {
	struct slice text;         /* borrowed */
	struct parser_label *above; /* borrowed: of the text that this one lies in, or NULL */
	struct outline outline;
	bool is_read;    /* the outline is begun */
	struct buffer path; /* of the place under way; empty = none */
};

void parser_label_fini(struct parser_label *l);
/* What comes next lies at `at`; NULL, or not in the text: nowhere in particular. */
void parser_label_place(struct parser_label *l, const uint8_t *at);
/* The labels from the outermost on and `alias` (or NULL), divided by slashes, safe to show; *out is NULL
 * where there is neither. */
enum err parser_label_alias(const struct parser_label *l, const char *alias, char **out) MUST_CHECK;

#endif
