/* A role's main. */
#include "agent/process/role.h"

#include "agent/base/log.h"
#include "agent/process/channel.h"
#include "agent/process/drop.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

const struct role *role_find(const struct role_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->roles[i]->name, name) == 0)
			return table->roles[i];
	return NULL;
}

static enum err report_layer(struct channel *c, const char *name, bool is_active)
{
	struct sandbox_layer layer = { .layer = slice_text(name), .is_active = is_active };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	sandbox_layer_encode(&out, &layer);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(c, MESSAGE_SANDBOX, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err drop_and_report(const struct role *role)
{
	struct channel c;
	enum err e = channel_init(&c, ROLE_FD);

	for (size_t i = 0; e == ERR_OK && i < drop_layers_count; i++)
		e = report_layer(&c, drop_layers[i].name, drop_layers[i].apply(role));
	channel_fini(&c);
	return e;
}

int role_main(const struct role *role)
{
	struct why why = { 0 };
	enum err e;

	/* What leafwatch's caller left open for it is not for the roles. */
	(void)close_range(ROLE_FD + 1, ~0U, 0);
	log_setup(LOG_LEVEL_INFO, role->name);
	(void)signal(SIGPIPE, SIG_IGN);
	/* Ctrl-C reaches the whole foreground group; main decides when a role ends. */
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() == 1)
		log_debug("no parent-death signal");
	if (role->prepare)
		(void)role->prepare();
	e = drop_and_report(role);
	if (e == ERR_OK)
		e = role->run(ROLE_FD, &why);
	if (e == ERR_OK || e == ERR_CLOSED)
		return 0;
	log_error("%s", why_text(&why, e));
	return 1;
}
