/* leafwatch list: what the agent remembers. */
#include "agent/base/clock.h"
#include "agent/commands/start.h"
#include "agent/view.h"

static enum err list(const struct options *o, const struct settings *settings, struct why *why)
{
	struct output output;
	struct opened opened = { 0 };
	struct view_source source = { .settings = settings, .include_gone = o->gone };
	struct links *links = NULL;
	struct view view;
	enum err e = start_output(o, &output, why);

	if (e == ERR_OK)
		e = start_reading(settings, &opened, why);
	if (e != ERR_OK)
		return e;
	e = links_of_inventory(opened.inventory, clock_now_s(), &links, why);
	if (e == ERR_OK) {
		source.inventory = opened.inventory;
		source.links = links;
		view = view_of(&source);
		e = start_write(&output, &view, NULL, why);
	}
	links_free(links);
	start_close(&opened);
	return e;
}

static int run(const struct options *o)
{
	struct settings *settings = NULL;
	struct why why = { 0 };
	enum err e = ERR_OK;

	if (o->words.count)
		e = why_fail(&why, ERR_USAGE,
			"list takes no argument; `show` looks up one certificate or place");
	if (e == ERR_OK)
		e = start_settings(o, &settings, &why);
	if (e == ERR_OK)
		e = list(o, settings, &why);
	settings_free(settings);
	return e == ERR_OK ? EXIT_DONE : command_fail(e, &why);
}

const struct command list_command = {
	.name = "list",
	.arguments = "",
	.help = "show what the agent remembers, without looking again",
	.use = USE_LIST,
	.run = run,
};
