/* A record as the JSON object of the documentation. Used by every exporter that speaks JSON. */
#ifndef LEAFWATCH_EXPORTERS_REPORT_RECORD_JSON_H
#define LEAFWATCH_EXPORTERS_REPORT_RECORD_JSON_H

#include "agent/base/buffer.h"
#include "exporters/exporter.h"

#include <cjson/cJSON.h>

/* NULL when out of memory. The caller deletes it. */
cJSON *record_json(const struct sighting *s, const struct thresholds *t, int64_t now);

/* Adds what ties it to the other end, as far as the view knows: accepted_by and trusted_by, accepts and
 * client_cas. */
enum err record_json_links(cJSON *to, const struct view *view, const struct sighting *s) MUST_CHECK;

/* Appends the object as one line of JSON without a line end. ERR_LIMIT when it passes the ceiling. */
enum err record_json_print(struct buffer *out, const cJSON *json) MUST_CHECK;

#endif
