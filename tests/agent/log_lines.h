/* What is logged meanwhile, as text. */
#ifndef LEAFWATCH_TESTS_AGENT_LOG_LINES_H
#define LEAFWATCH_TESTS_AGENT_LOG_LINES_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct log_lines {
	FILE *file;
	int before;
};

static inline struct log_lines log_lines_begin(void)
{
	struct log_lines l = { .file = tmpfile(), .before = dup(STDERR_FILENO) };

	assert_non_null(l.file);
	assert_true(l.before >= 0);
	assert_int_equal(dup2(fileno(l.file), STDERR_FILENO), STDERR_FILENO);
	return l;
}

static inline void log_lines_end(struct log_lines *l, char *out, size_t size)
{
	assert_int_equal(dup2(l->before, STDERR_FILENO), STDERR_FILENO);
	(void)close(l->before);
	rewind(l->file);
	out[fread(out, 1, size - 1, l->file)] = 0;
	(void)fclose(l->file);
}

#endif
