/* The work of a pass over files, as the scanner's table wants it. */
#ifndef LEAFWATCH_SCANNERS_FILES_PLAN_H
#define LEAFWATCH_SCANNERS_FILES_PLAN_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "scanners/scanner.h"

#include <stdbool.h>

struct files_plan;

/* `job` is borrowed; the roots, paths in their normal form, are taken on success. Optional ones may be missing. Of
 * `limits` (NULL: the standard ones) those of files that configurations name count. */
enum err files_plan_new(const char *job, bool is_optional, const struct format_limits *limits,
	struct strings *roots, struct files_plan **out) MUST_CHECK;
/* See struct scanner; `arg` is a struct files_plan. */
enum err files_plan_next(void *arg, struct scan_item *out, struct why *why) MUST_CHECK;
/* The configurations that the pass found are known now: are the files there that they name, and does what they say of
 * passwords open them? */
enum err files_plan_follow(void *arg, const struct scan_hints *hints, struct why *why) MUST_CHECK;
void files_plan_close(void *arg);

#endif
