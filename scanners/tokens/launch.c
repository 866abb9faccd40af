/* The process of one PKCS#11 module. */
#include "scanners/tokens/launch.h"

#include "agent/process/confine.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The module's process, which ends here. By a signal: what the module wants to do at exit is not waited for. */
static void be_module(const struct module_start *start, int fd)
{
	const struct confine confine = { .writable = &start->work->writable,
		.has_network = start->work->has_network,
		.cpu_s = start->cpu_s };
	struct channel channel;
	struct why why = { 0 };

	if (channel_init(&channel, fd) == ERR_OK) {
		bool is_confined = confine_process(&confine, fd, &why) == ERR_OK;

		start->run(start->arg, &channel, is_confined ? NULL : &why);
	}
	/* Without its last word this is a death, whatever it was. */
	for (;;)
		(void)raise(SIGKILL);
}

enum err module_process_start(struct module_process *p, const struct module_start *start)
{
	int pair[2];
	enum err e;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return ERR_IO;
	e = channel_init(&p->channel, pair[0]);
	if (e == ERR_OK) {
		p->pid = fork();
		if (p->pid == 0)
			be_module(start, pair[1]);
		e = p->pid > 0 ? ERR_OK : ERR_IO;
		if (e != ERR_OK)
			channel_fini(&p->channel);
	}
	(void)close(pair[1]);
	if (e != ERR_OK) {
		p->pid = 0;
		(void)close(pair[0]);
	}
	return e;
}

int module_process_stop(struct module_process *p)
{
	int status = 0;

	if (!p->pid)
		return 0;
	(void)kill(p->pid, SIGKILL);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	(void)close(p->channel.fd);
	channel_fini(&p->channel);
	return status;
}
