/* Which trust stores the parsers are given, and which of them count for a job. */
#ifndef LEAFWATCH_AGENT_TRUST_STORES_H
#define LEAFWATCH_AGENT_TRUST_STORES_H

#include "agent/base/err.h"
#include "agent/settings.h"
#include "scanners/parser.h"

#include <stdint.h>

/* Reads every store that the settings or their jobs name, and adds the judgings of all jobs; the default is
 * number 0. */
enum err trust_stores_load(
	const struct settings *s, struct parser_options *out, struct why *why) MUST_CHECK;
/* The number of the judging by these stores (NULL or none: the default's), added where there is none yet. */
enum err trust_stores_judging(const struct settings *s, const struct strings *trust,
	bool use_common_name, struct parser_options *o, uint8_t *number) MUST_CHECK;
/* The numbers of a job's findings. Of a job that was loaded they are there. */
struct job_judgings {
	uint8_t common;
	uint8_t targets[SCAN_TARGET_TRUST_MAX]; /* of its entries of target_trust */
};
enum err trust_stores_of_job(const struct settings *s, const struct scan_job *job,
	struct parser_options *o, struct job_judgings *out) MUST_CHECK;

#endif
