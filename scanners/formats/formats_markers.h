/* The markers of all formats, searched for at once. Made by the first that asks; for any thread. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_FORMATS_MARKERS_H
#define LEAFWATCH_SCANNERS_FORMATS_FORMATS_MARKERS_H

#include "scanners/formats/markers.h"

#include <stddef.h>

/* Those of texts, and behind them those of configurations. */
const struct markers *formats_markers(void);
/* Those of texts alone. */
const struct markers *formats_text_markers(void);
/* Which of formats_markers belong to formats[i], as bits. */
uint64_t formats_markers_of(size_t i);

#endif
