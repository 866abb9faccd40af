/* What discovery (http_sd) brings to the plan of a job: work for the probe, lists back from it, and the
 * last good one of each URL where there is none. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_DISCOVERED_H
#define LEAFWATCH_SCANNERS_NETWORK_DISCOVERED_H

#include "agent/base/err.h"
#include "agent/config/schema.h"
#include "scanners/network/targets.h"
#include "scanners/scanner.h"

struct discovered;

/* `all` are of struct discovery_conf. `may_lose`: there are certificates of the job already. */
enum err discovered_new(const struct sections *all, bool may_lose, struct discovered **out,
	struct why *why) MUST_CHECK;
void discovered_free(struct discovered *d);
/* The next URL to ask as work for the probe; ERR_END after the last. */
enum err discovered_next(struct discovered *d, struct scan_item *out) MUST_CHECK;
/* A part of a list; ERR_MALFORMED for what is none. */
enum err discovered_hear(struct discovered *d, struct slice told) MUST_CHECK;
/* All lists that could be had are there: they, and the last good ones of the others, are added to
 * `targets` and remembered. Once. */
enum err discovered_settle(struct discovered *d, const char *job, const struct scan_hints *hints,
	struct targets *targets, struct why *why) MUST_CHECK;
/* Must the pass end incomplete, for a list is missing of which no former one is known, and what is known
 * may be of it? ERR_IO with the sentence. */
enum err discovered_lack(const struct discovered *d, struct why *why) MUST_CHECK;

#endif
