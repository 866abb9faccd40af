/* The base64 between a BEGIN and an END line, out of whatever surrounds it: indentation, comment
 * markers, string literals of any language, escapes of JSON and XML. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_PEM_BODY_H
#define LEAFWATCH_SCANNERS_FORMATS_PEM_BODY_H

#include "agent/base/buffer.h"
#include "agent/base/slice.h"

#include <stdbool.h>

struct pem_body {
	struct slice before; /* what stands on the BEGIN line in front of it */
	struct slice
		text; /* from behind the BEGIN line's dashes to the END's, or to where it stops */
};

/* Appends the decoded bytes to `out` (the caller looks at its status). False where something in
 * between was not base64: what was decoded up to there is in `out`. */
bool pem_body_decode(const struct pem_body *body, struct buffer *out);

#endif
