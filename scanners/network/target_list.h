/* Lists of targets: a file or standard input with one a line, or Prometheus' file_sd in JSON or YAML,
 * told apart by content. Read as it is used, whatever its size. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TARGET_LIST_H
#define LEAFWATCH_SCANNERS_NETWORK_TARGET_LIST_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct target_list;

/* "@FILE" or "-"? */
bool target_list_is(const char *source);
enum err target_list_open(const char *source, struct target_list **out, struct why *why) MUST_CHECK;
enum target_list_form {
	TARGET_LIST_ANY,       /* told by content */
	TARGET_LIST_DISCOVERY, /* it has to be Prometheus'; its entries are given as they stand there */
	TARGET_LIST_ENTRIES, /* such entries, a line each */
};
/* Over `text`, which is borrowed until it is freed. */
enum err target_list_over(
	struct slice text, enum target_list_form form, struct target_list **out) MUST_CHECK;
/* The next entry, borrowed until the next call, and its line. ERR_END at the end; ERR_USAGE: this entry
 * is bad, as `why` says, and others may follow; anything else: the list breaks off here. */
enum err target_list_next(
	struct target_list *l, const char **entry, uint64_t *line, struct why *why) MUST_CHECK;
void target_list_free(struct target_list *l);

#endif
