/* One pass of one job: role processes that find, work handed to them, findings routed to the parsers,
 * records stored, and what vanished told at the end. */
#ifndef LEAFWATCH_AGENT_PASS_H
#define LEAFWATCH_AGENT_PASS_H

#include "agent/base/err.h"
#include "agent/inventory.h"
#include "agent/parsers.h"
#include "agent/trust_stores.h"
#include "scanners/parser.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct pass;

struct pass_stats {
	const char *job;     /* borrowed */
	const char *scanner; /* borrowed */
	uint64_t items;      /* files or targets so far */
	uint64_t expected;   /* 0 = not known */
	uint64_t certificates;
	uint64_t endpoints;
	uint64_t problems;
	uint64_t vanished; /* known at the end */
	uint64_t appeared;
	double seconds;
	bool is_complete; /* known at the end */
};

struct pass_conf {
	uv_loop_t *loop;
	struct inventory *inventory; /* borrowed */
	struct parsers *parsers;     /* borrowed */
	const struct scanner *scanner;
	const void *conf; /* of the scanner, borrowed until the end */
	struct scan_hints hints;
	unsigned processes_max;
	bool in_thread;
	bool is_transient; /* the inventory is not kept: nothing is remembered for a next pass */
	/* What verdicts depend on: trust, passwords, version. Another one than last time makes every place
	 * that held something be looked at again. */
	uint8_t context[FINGERPRINT_BYTES];
	const struct parser_options *options; /* of the parsers, borrowed */
	struct job_judgings judgings;         /* of this job's findings: numbers of these options */
	/* Must a plan's `follow` still wait: does a pass run that feeds the hints, and ran at that time
	 * (of clock_monotonic_ms) already? */
	bool (*must_wait)(void *arg, int64_t since_ms);
	/* The pass is over and will be freed. `why` holds a sentence when it could not be completed. */
	void (*done)(void *arg, const struct pass_stats *stats, const struct why *why);
	void (*sandbox)(void *arg, const char *role, const char *layer, bool is_active);
	void *arg;
};

enum err pass_start(const struct pass_conf *conf, struct pass **out, struct why *why) MUST_CHECK;
/* Ends it as it stands: what was seen is stored, nothing is marked gone, `done` is not called. */
void pass_stop(struct pass *p);
/* Deadlines, batches, the way back from back-pressure; called a few times a second. */
void pass_tick(struct pass *p);
int64_t pass_started_ms(const struct pass *p);
void pass_stats(const struct pass *p, struct pass_stats *out);
/* For parsers_events: the owner of a finding is its pass. */
enum err pass_record(void *pass, const struct record *r);
void pass_finding_done(void *pass, bool crashed);

#endif
