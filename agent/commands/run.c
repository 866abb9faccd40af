/* leafwatch run: the agent in the foreground. */
#include "agent/agent.h"
#include "agent/commands/progress.h"
#include "agent/commands/start.h"

#include "agent/base/buffer.h"
#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES_BYTES_MAX 4096

struct foreground {
	const struct options *options;
	struct buffer addresses; /* what to tell below the table */
	struct output output;
	struct progress_bar *bar;
};

static enum err listen_at(struct settings *s, const char *address, struct why *why)
{
	enum err e = ERR_OK;

	if (!s->has_exporters)
		e = settings_add_default_outlets(s, why);
	if (e == ERR_OK && address)
		e = settings_listen(s, address, why);
	return e;
}

static enum err load(void *arg, struct settings **out, struct why *why)
{
	const struct foreground *f = arg;
	struct settings *s = NULL;
	enum err e = start_settings(f->options, &s, why);

	/* Who wants the table does not want it buried. */
	if (e == ERR_OK && f->options->print && !f->options->log_level)
		log_setup(LOG_LEVEL_WARN, "main");
	if (e == ERR_OK && !s->has_scanners)
		e = settings_add_default_jobs(s, why);
	if (e == ERR_OK)
		e = listen_at(s, f->options->listen, why);
	if (e != ERR_OK) {
		settings_free(s);
		return e;
	}
	*out = s;
	return ERR_OK;
}

static void on_address(void *arg, const char *exporter, const char *address)
{
	struct foreground *f = arg;

	buffer_format(&f->addresses, "%s: %s\n", exporter, address);
}

static void on_started(void *arg, uv_loop_t *loop, const struct pipeline *pipeline)
{
	struct foreground *f = arg;

	if (!f->options->print || progress_bar_new(loop, &f->bar) != ERR_OK)
		return;
	progress_bar_watch(f->bar, pipeline);
}

static void on_ending(void *arg)
{
	struct foreground *f = arg;

	progress_bar_free(f->bar);
	f->bar = NULL;
}

static void on_first_pass(void *arg, const struct view *view)
{
	struct foreground *f = arg;

	on_ending(f);
	if (!f->options->print)
		return;
	if (f->output.report->write(view, &f->output.options, NULL, stdout) != ERR_OK ||
		fprintf(stdout, "\nLooking again by the clock; Ctrl-C ends it. To be seen at\n%s",
			buffer_string(&f->addresses)) < 0 ||
		fflush(stdout) != 0)
		log_error("cannot print what was found");
}

static int run(const struct options *o)
{
	struct foreground f = { .options = o };
	const struct agent_conf conf = { .load = load,
		.is_single = o->single,
		.once = o->once,
		.at_once = o->once || o->print,
		.first_pass = on_first_pass,
		.started = on_started,
		.address = on_address,
		.ending = on_ending,
		.arg = &f };
	struct why why = { 0 };
	enum err e = start_output(o, &f.output, &why);

	buffer_init(&f.addresses, ADDRESSES_BYTES_MAX);
	if (e == ERR_OK && o->words.count)
		e = why_fail(&why, ERR_USAGE,
			"run takes no argument: what it looks at is in the configuration");
	if (e == ERR_OK)
		e = agent_run(&conf, &why);
	buffer_fini(&f.addresses);
	return e == ERR_OK ? EXIT_DONE : command_fail(e, &why);
}

const struct command run_command = {
	.name = "run",
	.arguments = "",
	.help = "be the agent: look again and again, serve /metrics and the page, send alerts",
	.details =
		"Needs no configuration: then it looks at the usual folders and at the listeners of this\n"
		"host and serves http://127.0.0.1:9947/. SIGHUP reloads the configuration, SIGUSR1 looks at\n"
		"once, SIGTERM and Ctrl-C end it.\n",
	.use = USE_RUN,
	.run = run,
};
