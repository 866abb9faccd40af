/* Time: the wall clock (which a test or --at pins), the monotonic clock, and RFC 3339. */
#ifndef LEAFWATCH_BASE_CLOCK_H
#define LEAFWATCH_BASE_CLOCK_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* "Not known": no date of a certificate is ever this. */
#define TIME_UNKNOWN INT64_MIN
/* Room for any time as text, NUL included. */
#define TIME_TEXT_BYTES 32

/* Unix seconds, or the pinned time. */
int64_t clock_now_s(void);
/* From here on clock_now_s says `at`; TIME_UNKNOWN lets it run again. For start-up and tests only. */
void clock_pin(int64_t at);
int64_t clock_pinned(void);
/* Milliseconds of CLOCK_MONOTONIC: deadlines and durations, never pinned. */
int64_t clock_monotonic_ms(void);
/* For a process that has nothing else to do: a signal may cut it short. */
void clock_sleep_ms(int64_t ms);

/* "2026-01-01T00:00:00Z"; years outside 0000 to 9999 are clamped; "" for TIME_UNKNOWN. */
void time_rfc3339(int64_t t, char out[TIME_TEXT_BYTES]);
/* Reads RFC 3339 with an offset or Z, a date alone (midnight UTC), or "@" and Unix seconds. */
enum err time_parse(const char *text, int64_t *out) MUST_CHECK;
/* Days from civil date to the Unix epoch in the proleptic Gregorian calendar (month 1 to 12). */
int64_t time_days_from_civil(int64_t year, unsigned month, unsigned day);
/* Seconds of a civil UTC time; false when a field is out of range (second 60 is taken as 59). */
bool time_from_civil(const int fields[6], int64_t *out);
/* "9 d 4 h", "3 h 10 min", "45 s"; negative spans read "-2 d". */
void time_span(int64_t seconds, char out[TIME_TEXT_BYTES]);

#endif
