/* The view that main hands to exporters, over whatever of the agent there is. */
#ifndef LEAFWATCH_AGENT_VIEW_H
#define LEAFWATCH_AGENT_VIEW_H

#include "agent/alerts.h"
#include "agent/inventory.h"
#include "agent/links.h"
#include "agent/outbox.h"
#include "agent/pipeline.h"
#include "agent/settings.h"
#include "exporters/exporter.h"

#include <stdbool.h>
#include <stdint.h>

/* All borrowed; what is NULL shows nothing. */
struct view_source {
	struct inventory *inventory;
	const struct settings *settings; /* jobs and thresholds */
	const struct pipeline *pipeline;
	struct alerts *alerts;
	struct outbox *outbox;
	const struct links *links;
	bool include_gone;
	const char *uri;            /* only this place, or NULL */
	const uint8_t *fingerprint; /* only this certificate, or NULL */
	int64_t reloaded;
	bool reload_ok;
	/* When a job is due next; NULL = not scheduled. */
	int64_t (*next_due)(void *arg, const char *job);
	void *arg;
};

/* A view that is good as long as `source` is. */
struct view view_of(const struct view_source *source);

#endif
