/* What is said and not yet delivered: one queue a receiver, in SQLite, emptied in order. */
#ifndef LEAFWATCH_AGENT_OUTBOX_H
#define LEAFWATCH_AGENT_OUTBOX_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/store.h"
#include "exporters/exporter.h"
#include "exporters/notification.h"

#include <stdint.h>

/* Entries of one receiver; from then on repetitions are dropped, oldest first, and nothing else. */
#define OUTBOX_ENTRIES_MAX 10000
/* An entry this old is given up when a further attempt fails. */
#define OUTBOX_GIVE_UP_S (75 * 3600)
/* The longest that a receiver's Retry-After is obeyed. */
#define OUTBOX_RETRY_AFTER_MAX_S 3600

struct outbox;

/* Nothing is in flight yet: what was when the last process ended is due again. */
enum err outbox_new(struct store *store, struct outbox **out, struct why *why) MUST_CHECK;
void outbox_free(struct outbox *o);

/* The receivers of the configuration, at start and at reload: known to the metrics from now on. What
 * waits for others is dropped with a warning. */
enum err outbox_retain(
	struct outbox *o, const struct strings *receivers, struct why *why) MUST_CHECK;

/* Queues a copy for n->receiver inside the caller's transaction (store_begin before, store_commit
 * after). A repetition is dropped where the queue is full of more important things. */
enum err outbox_add(struct outbox *o, const struct notification *n, struct why *why) MUST_CHECK;

/* The next notification to send now, of a receiver that has none in flight; it is in flight from now
 * on. ERR_END when there is none. An entry that cannot be read is dropped with an error in the log. The
 * caller frees `out` with notification_fini, and answers every one with outbox_result (also when
 * deliver() itself failed: DELIVERY_RETRY, "other"). Order is kept; only an entry that failed
 * repeatedly lets younger ones past while it waits, and goes first again as soon as one gets through. */
enum err outbox_due(
	struct outbox *o, int64_t now, struct notification *out, struct why *why) MUST_CHECK;
/* When outbox_due will next have something, TIME_UNKNOWN for never (empty, in flight, disabled). */
enum err outbox_wake(struct outbox *o, int64_t *out, struct why *why) MUST_CHECK;

/* How the delivery of `id` ended; durable when it returns. OK: forgotten and counted. RETRY: due again
 * after 5 s, 5 min, 30 min, 2 h, then every 5 h (full jitter), or after result->retry_after_s. FAILED:
 * dropped with an error in the log. DISABLE: the receiver takes nothing until outbox_enable_all, its
 * entries stay. ERR_NOT_FOUND for an id that is not in flight. */
enum err outbox_result(struct outbox *o, const char *id, const struct delivery_result *result,
	int64_t now, struct why *why) MUST_CHECK;

/* Reload: disabled receivers take part again, and what waits for a retry is due at once. */
enum err outbox_enable_all(struct outbox *o, int64_t now, struct why *why) MUST_CHECK;
/* Exporters were stopped: what was in flight will not be answered, and is due again. */
void outbox_drop_flights(struct outbox *o);

/* For the metrics; stop at the first error and pass it on. */
enum err outbox_each_receiver(struct outbox *o,
	enum err (*fn)(void *, const struct receiver_state *), void *arg) MUST_CHECK;
enum err outbox_each_failure(struct outbox *o,
	enum err (*fn)(void *, const struct receiver_failure *), void *arg) MUST_CHECK;

#endif
