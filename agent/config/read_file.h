/* A small file that the configuration names, read whole. */
#ifndef LEAFWATCH_CONFIG_READ_FILE_H
#define LEAFWATCH_CONFIG_READ_FILE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"

#include <stddef.h>

/* The content of a regular file of at most `max` bytes; links are followed, nothing else is opened or
 * waited for. `out` is initialised here, holds its bytes in one allocation that was never moved, and is
 * the caller's to wipe; after a failure it is empty. ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT, ERR_CONFIG (not a
 * regular file) or ERR_IO; `why` reads "PATH: what is wrong". */
enum err read_file(const char *path, size_t max, struct buffer *out, struct why *why) MUST_CHECK;
/* "PATH: cannot be read: text of the errno", with the error that goes with it. */
enum err read_file_fail(const char *path, int error, struct why *why);

#endif
