/* When each job is due. */
#include "agent/schedule.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Times beyond these (some 140,000 years) are a broken clock; within, sums cannot overflow. */
#define TIME_MAX_MS (INT64_C(1) << 52)
#define SPAN_MAX_MS (INT64_C(1) << 52)
#define NEVER_MS INT64_MAX
#define JITTER_SHARE 10
#define SEED_KEY "schedule_seed"

struct planned {
	char *name; /* owned */
	int64_t every_ms;
	int64_t jitter_ms;
	int64_t offset_ms;     /* its own share of the jitter */
	int64_t last_start_ms; /* TIME_UNKNOWN = never */
	int64_t started_ms;    /* of the pass that runs */
	int64_t due_ms;        /* NEVER_MS = not again */
	bool is_planned;
	bool is_running;
	bool has_run;
	unsigned stage;
};

struct schedule {
	struct store *store;  /* borrowed, or NULL */
	struct planned *jobs; /* owned */
	size_t count;
	uint64_t seed;
};

/* ---- jitter ----------------------------------------------------------------------------------- */

/* FNV-1a over seed and name, then the finalizer of splitmix64: neighbouring names land far apart. */
static uint64_t mix(uint64_t seed, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ seed;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * UINT64_C(1099511628211);
	hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
	return hash ^ hash >> 31;
}

static int64_t to_ms(int64_t seconds)
{
	if (seconds > TIME_MAX_MS / 1000)
		return TIME_MAX_MS;
	if (seconds < -TIME_MAX_MS / 1000)
		return -TIME_MAX_MS;
	return seconds * 1000;
}

/* Up to the next whole second: nothing is due before its time. */
static int64_t to_s(int64_t ms)
{
	return ms >= 0 ? (ms + 999) / 1000 : ms / 1000;
}

static int64_t limited(int64_t span_ms)
{
	if (span_ms < 0)
		return 0;
	return span_ms > SPAN_MAX_MS ? SPAN_MAX_MS : span_ms;
}

/* ---- what the store knows --------------------------------------------------------------------- */

static enum err read_seed(struct schedule *s, bool *is_there, struct why *why)
{
	sqlite3_stmt *get = NULL;
	enum err e = store_prepare(
		s->store, "SELECT value FROM meta WHERE key='" SEED_KEY "'", &get, why);
	int code;

	if (e != ERR_OK)
		return e;
	code = sqlite3_step(get);
	*is_there = code == SQLITE_ROW;
	if (*is_there)
		s->seed = (uint64_t)sqlite3_column_int64(get, 0);
	else if (code != SQLITE_DONE)
		e = store_fail(s->store, why, "read the schedule");
	sqlite3_finalize(get);
	return e;
}

static enum err write_seed(struct schedule *s, struct why *why)
{
	sqlite3_stmt *set = NULL;
	bool is_own = !s->store->is_in_batch;
	enum err e = ERR_OK;

	if (getrandom(&s->seed, sizeof(s->seed), GRND_NONBLOCK) != (ssize_t)sizeof(s->seed))
		return why_fail(why, ERR_IO, "no random number to be had");
	e = store_begin(s->store, why);
	if (e == ERR_OK)
		e = store_prepare(s->store, "INSERT INTO meta(key,value) VALUES('" SEED_KEY "',?1)",
			&set, why);
	if (e == ERR_OK) {
		(void)sqlite3_bind_int64(set, 1, (int64_t)s->seed);
		if (sqlite3_step(set) != SQLITE_DONE)
			e = store_fail(s->store, why, "store the schedule");
	}
	sqlite3_finalize(set);
	if (e == ERR_OK && is_own)
		e = store_commit(s->store, false, why);
	else if (e != ERR_OK && is_own)
		store_rollback(s->store);
	return e;
}

static enum err read_past(struct schedule *s, struct schedule_job *job, struct why *why)
{
	sqlite3_stmt *get = NULL;
	enum err e;
	int code;

	if (!s->store)
		return ERR_OK;
	e = store_prepare(s->store,
		"SELECT last_start,last_success IS NOT NULL FROM job WHERE name=?1 AND is_retired=0",
		&get, why);
	if (e != ERR_OK)
		return e;
	(void)sqlite3_bind_text(get, 1, job->name, -1, SQLITE_STATIC);
	code = sqlite3_step(get);
	if (code == SQLITE_ROW) {
		if (sqlite3_column_type(get, 0) != SQLITE_NULL)
			job->last_start = sqlite3_column_int64(get, 0);
		job->has_run = sqlite3_column_int(get, 1) != 0;
	} else if (code != SQLITE_DONE) {
		e = store_fail(s->store, why, "read the schedule");
	}
	sqlite3_finalize(get);
	return e;
}

/* ---- jobs ------------------------------------------------------------------------------------- */

enum err schedule_new(struct store *store, struct schedule **out, struct why *why)
{
	struct schedule *s = calloc(1, sizeof(*s));
	bool is_there = true;
	enum err e = ERR_OK;

	if (!s)
		return why_fail(why, ERR_MEMORY, "out of memory");
	s->store = store;
	if (store)
		e = read_seed(s, &is_there, why);
	if (e == ERR_OK && !is_there)
		e = write_seed(s, why);
	if (e != ERR_OK) {
		schedule_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

void schedule_free(struct schedule *s)
{
	if (!s)
		return;
	for (size_t n = 0; n < s->count; n++)
		free(s->jobs[n].name);
	free(s->jobs);
	free(s);
}

static struct planned *find_job(const struct schedule *s, const char *name)
{
	for (size_t n = 0; n < s->count; n++)
		if (strcmp(s->jobs[n].name, name) == 0)
			return &s->jobs[n];
	return NULL;
}

enum err schedule_add_job(struct schedule *s, const struct schedule_job *job, struct why *why)
{
	struct planned *jobs;
	struct planned *added;

	if (find_job(s, job->name))
		return why_fail(why, ERR_CONFIG, "two jobs are named \"%s\"", job->name);
	if (s->count >= SCHEDULE_JOBS_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d jobs", SCHEDULE_JOBS_MAX);
	jobs = reallocarray(s->jobs, s->count + 1, sizeof(*jobs));
	if (!jobs)
		return why_fail(why, ERR_MEMORY, "out of memory");
	s->jobs = jobs;
	added = &jobs[s->count];
	*added = (struct planned){ .name = strdup(job->name),
		.every_ms = limited(job->every_ms),
		.last_start_ms =
			job->last_start == TIME_UNKNOWN ? TIME_UNKNOWN : to_ms(job->last_start),
		.has_run = job->has_run,
		.stage = job->stage };
	if (!added->name)
		return why_fail(why, ERR_MEMORY, "out of memory");
	added->jitter_ms = job->jitter_ms == TIME_UNKNOWN ? added->every_ms / JITTER_SHARE
							  : limited(job->jitter_ms);
	added->offset_ms = (int64_t)(mix(s->seed, job->name) % ((uint64_t)added->jitter_ms + 1));
	s->count++;
	return ERR_OK;
}

enum err schedule_add(struct schedule *s, const struct schedule_job *job, struct why *why)
{
	struct schedule_job known = *job;
	enum err e;

	known.last_start = TIME_UNKNOWN;
	known.has_run = false;
	e = read_past(s, &known, why);
	return e == ERR_OK ? schedule_add_job(s, &known, why) : e;
}

void schedule_carry(struct schedule *s, const struct schedule *older)
{
	for (size_t n = 0; older && n < older->count; n++) {
		struct planned *job = find_job(s, older->jobs[n].name);

		if (!job)
			continue;
		job->is_running = older->jobs[n].is_running;
		job->started_ms = older->jobs[n].started_ms;
		job->has_run = job->has_run || older->jobs[n].has_run;
	}
}

/* ---- when ------------------------------------------------------------------------------------- */

static int64_t after(const struct planned *job, int64_t start_ms)
{
	return start_ms + job->every_ms + job->offset_ms;
}

/* When it comes the first time in the life of this schedule. */
static void plan(struct planned *job, int64_t now_ms)
{
	int64_t catch_up =
		job->jitter_ms < SCHEDULE_CATCH_UP_MS ? job->jitter_ms : SCHEDULE_CATCH_UP_MS;

	job->is_planned = true;
	job->due_ms = now_ms;
	if (job->last_start_ms == TIME_UNKNOWN || !job->every_ms)
		return;
	job->due_ms = after(job, job->last_start_ms);
	/* Missed, or cut short the first time: soon, but not at the moment when every host of a rack comes
	 * back. The share of the jitter is kept, on a smaller scale. */
	if (job->due_ms < now_ms || !job->has_run)
		job->due_ms = now_ms +
			      (job->jitter_ms ? (int64_t)((double)job->offset_ms /
							  (double)job->jitter_ms * (double)catch_up)
					      : 0);
}

/* A clock that was set back would otherwise hold the job until it shows the old time again. */
static void bound(struct planned *job, int64_t now_ms)
{
	if (job->due_ms != NEVER_MS && job->due_ms > now_ms + job->every_ms + job->jitter_ms)
		job->due_ms = after(job, now_ms);
}

/* Is there still something to come that it builds on? What began after it was due is not waited for:
 * jobs that take longer than their interval always run. */
static bool must_wait(const struct schedule *s, const struct planned *job)
{
	for (size_t n = 0; job->stage && n < s->count; n++) {
		const struct planned *lower = &s->jobs[n];

		if (lower->stage >= job->stage)
			continue;
		if (!lower->has_run || (lower->is_running && lower->started_ms <= job->due_ms))
			return true;
	}
	return false;
}

const char *schedule_due(struct schedule *s, int64_t now)
{
	const struct planned *first = NULL;
	int64_t now_ms = to_ms(now);

	for (size_t n = 0; n < s->count; n++) {
		struct planned *job = &s->jobs[n];

		if (job->is_running)
			continue;
		if (!job->is_planned)
			plan(job, now_ms);
		bound(job, now_ms);
		if (job->due_ms <= now_ms && !must_wait(s, job) &&
			(!first || job->due_ms < first->due_ms))
			first = job;
	}
	return first ? first->name : NULL;
}

void schedule_started(struct schedule *s, const char *name, int64_t now)
{
	struct planned *job = find_job(s, name);

	if (!job)
		return;
	job->is_running = true;
	job->is_planned = true;
	job->started_ms = to_ms(now);
	job->due_ms = job->every_ms ? after(job, to_ms(now)) : NEVER_MS;
}

void schedule_ended(struct schedule *s, const char *name)
{
	struct planned *job = find_job(s, name);

	if (!job)
		return;
	job->is_running = false;
	job->has_run = true;
}

void schedule_again(struct schedule *s, unsigned stage, int64_t now)
{
	for (size_t n = 0; n < s->count; n++) {
		struct planned *job = &s->jobs[n];

		if (job->stage > stage && !job->is_running && job->is_planned && job->every_ms &&
			job->due_ms > to_ms(now))
			job->due_ms = to_ms(now);
	}
}

void schedule_hurry(struct schedule *s, int64_t now)
{
	for (size_t n = 0; n < s->count; n++) {
		struct planned *job = &s->jobs[n];

		job->has_run = false;
		if (job->is_running)
			continue;
		job->is_planned = true;
		job->due_ms = to_ms(now);
	}
}

int64_t schedule_job_due(const struct schedule *s, const char *name)
{
	const struct planned *job = find_job(s, name);

	if (!job || job->is_running || !job->is_planned || job->due_ms == NEVER_MS)
		return TIME_UNKNOWN;
	return to_s(job->due_ms);
}

int64_t schedule_next(const struct schedule *s)
{
	int64_t next = TIME_UNKNOWN;

	for (size_t n = 0; n < s->count; n++) {
		int64_t due = schedule_job_due(s, s->jobs[n].name);

		if (due != TIME_UNKNOWN && (next == TIME_UNKNOWN || due < next))
			next = due;
	}
	return next;
}

bool schedule_all_ran(const struct schedule *s)
{
	for (size_t n = 0; n < s->count; n++)
		if (!s->jobs[n].has_run)
			return false;
	return true;
}
