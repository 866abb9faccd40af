/* The log: one logfmt line on stderr per event. */
#ifndef LEAFWATCH_BASE_LOG_H
#define LEAFWATCH_BASE_LOG_H

#include "agent/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Called once at start; `role` is borrowed for ever ("main", "reader", ...). */
void log_setup(enum log_level level, const char *role);
enum log_level log_level(void);
/* "error", "warn", "info" or "debug"; ERR_NOT_FOUND for anything else. */
enum err log_level_parse(const char *name, enum log_level *out) MUST_CHECK;

/* The message is escaped as a whole; callers may pass any text. Lines over 2 KiB are cut. */
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

/* Called before each line is written and after it, so that a progress bar can make way. */
void log_on_line(void (*before)(void *), void (*after)(void *), void *arg);

#endif
