/* What the parts of a pass share: its state and its processes'. */
#ifndef LEAFWATCH_AGENT_PASS_INTERNAL_H
#define LEAFWATCH_AGENT_PASS_INTERNAL_H

#include "agent/pass.h"

#include "agent/completion.h"
#include "agent/permits.h"
#include "agent/process/child.h"
#include "agent/signers.h"

#define WORKERS_MAX 64
#define FINDINGS_OPEN_MAX 256               /* of one worker, not whole yet */
#define WORK_BUCKETS 1024                   /* a power of two */
#define OUTSTANDING_BYTES_MAX (1024 * 1024) /* of findings; then the scanner waits */
#define MEMORY_BYTES_MAX (256U * 1024 * 1024)

struct piece_of_work {
	struct piece_of_work *next;
	uint64_t id;
	char *place; /* owned */
	struct buffer item;
	unsigned attempts;
};

struct open_finding {
	uint64_t id; /* the worker's */
	struct finding *finding;
};

struct worker {
	struct pass *pass;
	struct child *child;                           /* NULL = gone */
	struct piece_of_work *under_way[WORK_BUCKETS]; /* owned lists, by id */
	unsigned under_way_count;
	struct open_finding open[FINDINGS_OPEN_MAX];
	unsigned open_count;
	uint64_t items;
	int64_t heard_ms;
	char *at; /* owned: where it last said it was */
	bool was_told_finish;
	bool has_finished;
	bool is_paused;
};

struct pass {
	struct pass_conf conf;
	int64_t id;
	void *plan;
	struct worker workers[WORKERS_MAX];
	unsigned workers_count;
	struct piece_of_work *again; /* owned list: from processes that died */
	struct permits *permits;     /* owned; NULL: no rate */
	struct signers *signers;     /* owned; NULL: no key in a token was asked for yet */
	struct buffer memory_in;
	struct buffer memory_out;
	uint64_t next_work_id;
	uint64_t items_of_the_dead;
	uint64_t outstanding_findings;
	unsigned batch;
	unsigned restarts;
	int64_t started_ms;
	int64_t idle_ms; /* when all that the plan gave was done, or 0 */
	struct pass_stats stats;
	struct why why;
	bool plan_ended;
	bool has_started;  /* the processes: there is work, or was */
	bool has_followed; /* the plan was asked whether it goes on */
	bool is_failed;    /* it cannot be complete any more */
	bool had_crash;    /* something unchanged may have been missed: look again next time */
	bool is_ending;
	bool has_left_out; /* a certificate, of the chains across places; said once */
	/* What its end brought for certificates elsewhere; owned, NULL when there is no more. */
	struct completion *completion;
	struct buffer completion_case;
};

static inline const struct scan_job *pass_job(const struct pass *p)
{
	return p->conf.conf;
}
/* It cannot be complete any more; the first reason is kept. */
void pass_fail(struct pass *p, enum err e, const struct why *why);

/* --- work -------------------------------------------------------------------------------------- */

void pass_work_free(struct piece_of_work *work);
struct piece_of_work **pass_bucket(struct worker *w, uint64_t id);
/* The worker's work of that id, taken from it; NULL when it has none of it. */
struct piece_of_work *pass_take_work(struct worker *w, uint64_t id);
/* Some work of the worker, taken from it; NULL when it has none. */
struct piece_of_work *pass_any_work(struct worker *w);
/* The next piece of work, from the dead first, then from the plan; NULL when there is none. */
struct piece_of_work *pass_next_work(struct pass *p);
enum err pass_send_work(struct worker *w, const struct piece_of_work *work) MUST_CHECK;

/* Hands work out to a process up to its window; tells it to finish when no more will come. */
void pass_feed(struct worker *w);
/* All is done that the plan gave: it is asked once whether it goes on. */
void pass_follow(struct pass *p);

/* --- storing ----------------------------------------------------------------------------------- */

/* What fails here fails the pass, too. */
enum err pass_keep(struct pass *p, const struct keep *what);
enum err pass_store(struct pass *p, const struct record *r);
void pass_store_problem(struct pass *p, const char *uri, enum reason reason, const char *message);

/* --- what the processes say -------------------------------------------------------------------- */

/* child_events.frame of a worker. Errors are the process's: what it said is not to be believed. */
enum err pass_on_frame(void *worker, uint16_t type, struct slice payload) MUST_CHECK;

/* --- what a scanner remembers from pass to pass --------------------------------------------------- */

enum err pass_memory_load(struct pass *p, struct why *why) MUST_CHECK;
enum err pass_memory_save(struct pass *p, struct why *why) MUST_CHECK;
/* To a process that was just started. */
enum err pass_memory_hand(struct worker *w) MUST_CHECK;

/* --- chains across places, at the end -------------------------------------------------------------- */

void pass_begin_completion(struct pass *p);
/* Certificates whose issuers lie elsewhere are judged again, as fast as the parsers go. */
void pass_complete(struct pass *p);
/* A verdict is worth less than the pass that brought it: what fails here is only said. */
void pass_complain(struct pass *p, enum err e, const struct why *why);

#endif
