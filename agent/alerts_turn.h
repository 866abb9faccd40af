/* One evaluation, as its parts share it. */
#ifndef LEAFWATCH_AGENT_ALERTS_TURN_H
#define LEAFWATCH_AGENT_ALERTS_TURN_H

#include "agent/alerts_internal.h"

struct alerts {
	struct store *store;
	struct inventory *inventory;
	struct outbox *outbox;
	struct thresholds thresholds;
	struct alerts_keys keys;
	int64_t renotify_s;
	struct receiver_conf *receivers; /* owned, names too */
	size_t receivers_count;
	char *host; /* owned */
	int64_t next;
	struct links *links; /* owned: of the last evaluation, or NULL */
};

/* When a job last came to its end. */
struct job_end {
	char *job; /* owned */
	int64_t at;
};

/* One evaluation. */
struct turn {
	struct alerts *alerts; /* borrowed */
	int64_t now;
	struct candidates found;
	struct rows rows;
	struct job_end *jobs; /* owned */
	size_t jobs_count;
	bool has_read_files;
	size_t sent; /* notifications queued */
};

/* Brings the rows up to date with what was found. */
enum err turn_compare(struct turn *t, struct why *why) MUST_CHECK;
/* Queues what each receiver is to hear. */
enum err turn_tell(struct turn *t, struct why *why) MUST_CHECK;

#endif
