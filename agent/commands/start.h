/* What commands have in common: options to settings, settings to an open inventory. */
#ifndef LEAFWATCH_AGENT_COMMANDS_START_H
#define LEAFWATCH_AGENT_COMMANDS_START_H

#include "agent/commands/command.h"
#include "agent/inventory.h"
#include "agent/settings.h"
#include "agent/store.h"
#include "exporters/report/report.h"

/* --at and --log-level, before anything else runs. */
enum err start_clock_and_log(
	const struct options *o, const struct settings *s, struct why *why) MUST_CHECK;
/* The file (or the defaults) and what options add to it: trust, passwords, state. */
enum err start_settings(const struct options *o, struct settings **out, struct why *why) MUST_CHECK;

/* How results are written: --output and --color. */
struct output {
	const struct report *report;
	struct report_options options;
};
enum err start_output(const struct options *o, struct output *out, struct why *why) MUST_CHECK;
/* Writes the report to stdout. A reader that left (`| head`) has had enough: that is no failure. */
enum err start_write(const struct output *out, const struct view *view,
	const struct report_summary *summary, struct why *why) MUST_CHECK;

/* The inventory of a state folder, for reading beside a running agent. */
struct opened {
	struct store *store;
	struct inventory *inventory;
};
enum err start_reading(const struct settings *s, struct opened *out, struct why *why) MUST_CHECK;
void start_close(struct opened *o);

#endif
