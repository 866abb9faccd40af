/* When each job is due. No clock of its own: whoever asks says what time it is. */
#ifndef LEAFWATCH_AGENT_SCHEDULE_H
#define LEAFWATCH_AGENT_SCHEDULE_H

#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/store.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_JOBS_MAX 1024
/* A run that was missed while the agent was down comes within this time, or its jitter if that is less. */
#define SCHEDULE_CATCH_UP_MS (120 * 1000LL)

struct schedule;

struct schedule_job {
	const char *name;   /* copied */
	int64_t every_ms;   /* 0 = once in the life of this schedule */
	int64_t jitter_ms;  /* TIME_UNKNOWN = a tenth of `every` */
	int64_t last_start; /* Unix seconds, TIME_UNKNOWN = never */
	bool has_run;       /* a pass of it has once come to its end */
	unsigned
		stage; /* it waits for the first end of every job of a lower stage, and for passes of
			     * them that began before it was due */
};

/* The jitter of a job is a share of jitter_ms that stays the same for this job on this host: it follows
 * from a random number that the store keeps. `store` (borrowed for schedule_add) may be NULL: the number is
 * then 0 and no job has a past. */
enum err schedule_new(struct store *store, struct schedule **out, struct why *why) MUST_CHECK;
void schedule_free(struct schedule *s);

/* Adds a job, with the past that the store knows instead of the one given. A second one of the same name is ERR_CONFIG. */
enum err schedule_add(
	struct schedule *s, const struct schedule_job *job, struct why *why) MUST_CHECK;
enum err schedule_add_job(
	struct schedule *s, const struct schedule_job *job, struct why *why) MUST_CHECK;

/* A job to start now, the one that waits longest first; NULL for none. It is given again until
 * schedule_started. A job that never ran is due at once; soon (SCHEDULE_CATCH_UP_MS) one whose time passed
 * while nobody asked, however often it was missed, and one that never came to its end. A clock set back delays no job by more than
 * `every` and jitter from the time it shows. */
const char *schedule_due(struct schedule *s, int64_t now);
/* The pass runs: it is not due again before schedule_ended. Unknown names are ignored, as a reload may
 * have dropped the job meanwhile. */
void schedule_started(struct schedule *s, const char *name, int64_t now);
void schedule_ended(struct schedule *s, const char *name);
/* Jobs of a stage above this one are due at `now`: there is something new to build on. */
void schedule_again(struct schedule *s, unsigned stage, int64_t now);
/* Every job that does not run is due at `now`, and schedule_all_ran is false until all have ended. */
void schedule_hurry(struct schedule *s, int64_t now);
/* Takes over from an older schedule, for a reload, which jobs run now and which have ended. */
void schedule_carry(struct schedule *s, const struct schedule *older);

/* Unix seconds; TIME_UNKNOWN = runs, not planned yet, will not run again, or no such job. */
int64_t schedule_job_due(const struct schedule *s, const char *name);
/* The earliest of them. */
int64_t schedule_next(const struct schedule *s);
/* Has a pass of every job come to its end, now or in the past that the store knows? */
bool schedule_all_ran(const struct schedule *s);

#endif
