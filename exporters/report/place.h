/* Places and names as people write them. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_PLACE_H
#define LEAFWATCH_EXPORTERS_REPORT_PLACE_H

#include "agent/certificate/record.h"

/* A file's uri as its path (decoded, clean), any other as it is; "#index" behind it from 1 on, and the
 * container's alias. Owned; NULL when out of memory. */
char *place_text(const struct location *l);
/* The short name of a certificate: its CN, else its first name, else its subject. Borrowed. */
const char *place_short_name(const struct certificate *c);

#endif
