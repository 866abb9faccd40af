/* The log: one logfmt line on stderr per event. */
#include "agent/base/log.h"

#include "agent/base/clock.h"
#include "agent/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_BYTES 2048

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* Process-wide by nature: stderr is. Set once before any thread starts. */
static struct {
	enum log_level level;
	const char *role;
	void (*before)(void *);
	void (*after)(void *);
	void *arg;
} setup = { .level = LOG_LEVEL_INFO, .role = "main" };

void log_setup(enum log_level level, const char *role)
{
	setup.level = level;
	setup.role = role;
}

enum log_level log_level(void)
{
	return setup.level;
}

void log_on_line(void (*before)(void *), void (*after)(void *), void *arg)
{
	setup.before = before;
	setup.after = after;
	setup.arg = arg;
}

enum err log_level_parse(const char *name, enum log_level *out)
{
	for (unsigned i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static void append_quoted(struct buffer *line, const char *message)
{
	struct buffer clean;

	buffer_init(&clean, LOG_LINE_BYTES * 4);
	text_escape(&clean, slice_text(message));
	for (const char *p = buffer_string(&clean); *p; p++) {
		if (*p == '"')
			buffer_byte(line, '\\');
		buffer_byte(line, (uint8_t)*p);
	}
	buffer_fini(&clean);
}

static void write_line(const struct buffer *line)
{
	struct slice left = buffer_bytes(line);

	if (setup.before)
		setup.before(setup.arg);
	while (left.size) {
		ssize_t n = write(STDERR_FILENO, left.data, left.size);

		if (n <= 0)
			break;
		left = slice_after(left, (size_t)n);
	}
	if (setup.after)
		setup.after(setup.arg);
}

static void PRINTF_LIKE(2, 0) log_line(enum log_level level, const char *format, va_list args)
{
	char message[LOG_LINE_BYTES];
	char now[TIME_TEXT_BYTES];
	struct buffer line;

	if (level > setup.level)
		return;
	(void)vsnprintf(message, sizeof(message), format, args);
	message[text_cut(message, sizeof(message) - 1)] = 0;
	time_rfc3339((int64_t)time(NULL), now);
	buffer_init(&line, LOG_LINE_BYTES * 6);
	buffer_format(&line, "ts=%s level=%s role=%s msg=\"", now, level_names[level], setup.role);
	append_quoted(&line, message);
	buffer_text(&line, "\"\n");
	write_line(&line);
	buffer_fini(&line);
}

#define DEFINE_LOG(name, level)                \
	void name(const char *format, ...)     \
	{                                      \
		va_list args;                  \
                                               \
		va_start(args, format);        \
		log_line(level, format, args); \
		va_end(args);                  \
	}

DEFINE_LOG(log_error, LOG_LEVEL_ERROR)
DEFINE_LOG(log_warn, LOG_LEVEL_WARN)
DEFINE_LOG(log_info, LOG_LEVEL_INFO)
DEFINE_LOG(log_debug, LOG_LEVEL_DEBUG)
