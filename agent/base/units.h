/* Durations and sizes as users write them. */
#ifndef LEAFWATCH_BASE_UNITS_H
#define LEAFWATCH_BASE_UNITS_H

#include "agent/base/err.h"

#include <stdint.h>

/* "90s", "15m", "1h", "30d", "2w", "500ms", also summed "1h30m". A number without a unit is
 * ERR_MALFORMED (0 alone is allowed), as is anything over 100 years. */
enum err units_duration_ms(const char *text, int64_t *out_ms, struct why *why) MUST_CHECK;
/* "64KiB", "1MiB", "2GiB", "512B", "10MB". A number without a unit is ERR_MALFORMED. */
enum err units_size_bytes(const char *text, uint64_t *out_bytes, struct why *why) MUST_CHECK;

#endif
