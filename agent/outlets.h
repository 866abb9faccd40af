/* The exporters that run: started from the settings, given views and notifications, stopped together. */
#ifndef LEAFWATCH_AGENT_OUTLETS_H
#define LEAFWATCH_AGENT_OUTLETS_H

#include "agent/base/err.h"
#include "agent/outbox.h"
#include "agent/settings.h"
#include "exporters/exporter.h"

#include <stdint.h>

struct outlets;

/* Starts every exporter of the settings (borrowed until outlets_stop) and stops `old` (NULL allowed, gone
 * afterwards whatever happens), but for those whose settings did not change: they go on. On failure none
 * runs. */
enum err outlets_start(struct settings *s, const struct exporter_host *host, struct outlets *old,
	struct outlets **out, struct why *why) MUST_CHECK;
/* Takes NULL. What was being delivered is dropped. */
void outlets_stop(struct outlets *o);

/* Renders anew wherever somebody shows something. */
void outlets_update(struct outlets *o, const struct view *view);
/* Hands over what the outbox says is due; results go back to it. */
void outlets_deliver(struct outlets *o, struct outbox *outbox, int64_t now);
/* Deliveries under way. */
unsigned outlets_flights(const struct outlets *o);
/* Calls `fn` with the address of each exporter that has one. */
void outlets_each_address(const struct outlets *o,
	void (*fn)(void *arg, const char *exporter, const char *address), void *arg);

/* The receivers of the settings: names for the outbox, confs for the alerts (an owned array of borrowed). */
enum err outlets_receivers(const struct settings *s, struct strings *names,
	const struct receiver_conf ***confs, size_t *count) MUST_CHECK;

#endif
