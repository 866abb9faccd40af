/* What the agent says: from the inventory's state to messages in the outbox, once, and no more. */
#ifndef LEAFWATCH_AGENT_ALERTS_H
#define LEAFWATCH_AGENT_ALERTS_H

#include "agent/base/err.h"
#include "agent/inventory.h"
#include "agent/links.h"
#include "agent/outbox.h"
#include "agent/store.h"
#include "exporters/exporter.h"
#include "exporters/notification.h"

#include <stdint.h>

/* Alerts remembered at once; beyond it new ones are only logged. */
#define ALERTS_MAX 20000
/* Looks at an endpoint that must agree before it is in trouble, or out of it. */
#define ALERTS_LOOKS 2
/* A resolved alert that comes back within this time is flapping: each time it takes twice as many
 * good passes as before to be resolved again. */
#define ALERTS_FLAP_S (24 * 3600)

struct alerts;

/* How severe it is that a private key is not its holder's alone; SEVERITY_COUNT: it is not told. */
struct alerts_keys {
	enum alert_severity exposed;
	enum alert_severity shared;
};

struct alerts_conf {
	struct store *store;         /* borrowed */
	struct inventory *inventory; /* borrowed */
	struct outbox *outbox;       /* borrowed */
	struct thresholds thresholds;
	struct alerts_keys keys;
	int64_t renotify_ms; /* 0 = never */
	/* Copied, names too. A receiver that is new is told at once of all that fires. */
	const struct receiver_conf *const *receivers;
	size_t receivers_count;
};

/* All state is in the store: after a reload, free this and make another. */
enum err alerts_new(
	const struct alerts_conf *conf, struct alerts **out, struct why *why) MUST_CHECK;
void alerts_free(struct alerts *a);

/* Compares the inventory with what was said before and queues what is new: call it after each pass and
 * when alerts_next has come. State and messages are written in one durable transaction (which also
 * commits a batch that was open); on failure nothing of it is, and the next call does it all again. */
enum err alerts_evaluate(struct alerts *a, int64_t now, struct why *why) MUST_CHECK;

/* When a threshold or a repetition falls due: > now of the last evaluation; TIME_UNKNOWN for never.
 * Before the first evaluation: INT64_MIN + 1, that is at once. */
int64_t alerts_next(const struct alerts *a);

/* What tied both ends of mutual TLS together at the last evaluation; NULL before the first. */
const struct links *alerts_links(const struct alerts *a);

/* What fires, counted by kind and severity, for the metrics; zeros of all known kinds included. */
enum err alerts_each_state(
	struct alerts *a, enum err (*fn)(void *, const struct alert_state *), void *arg) MUST_CHECK;

#endif
