/* The process of one PKCS#11 module: foreign code, which may hang and crash. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_LAUNCH_H
#define LEAFWATCH_SCANNERS_TOKENS_LAUNCH_H

#include "agent/process/channel.h"
#include "scanners/tokens/work.h"

#include <sys/types.h>

struct module_process {
	pid_t pid;              /* 0: there is none */
	struct channel channel; /* to it; its descriptor is owned */
};

struct module_start {
	const struct token_work *work; /* borrowed: what it may write and reach */
	unsigned cpu_s;                /* of processor time, then it is killed */
	/* Its life, in its own process, confined already; or with `refused`, why it could not be confined: then
	 * nothing of the module may run. The process ends when it returns. */
	void (*run)(void *arg, struct channel *to, const struct why *refused);
	void *arg;
};

enum err module_process_start(
	struct module_process *p, const struct module_start *start) MUST_CHECK;
/* Ends it at once; its wait status. Harmless where there is none. */
int module_process_stop(struct module_process *p);

#endif
