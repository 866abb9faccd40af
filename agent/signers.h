/* Private keys in tokens that sign for the probes of one pass: each in a token role of its own, which alone loads
 * modules and knows PINs. Only keys that the job's configuration names are asked, by their number in it. */
#ifndef LEAFWATCH_AGENT_SIGNERS_H
#define LEAFWATCH_AGENT_SIGNERS_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/inventory.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct signers;

struct signers_conf {
	uv_loop_t *loop;
	bool in_thread;
	struct inventory *inventory; /* borrowed: remembers PINs that were refused */
	const struct scanner *scanner;
	const void *conf; /* of its job, borrowed */
	/* A frame for the asker `which`: MESSAGE_KEY or MESSAGE_SIGNED. */
	void (*answer)(void *arg, unsigned which, uint16_t type, struct slice payload);
	void (*sandbox)(void *arg, const char *role, const char *layer, bool is_active);
	void *arg;
};

enum err signers_new(const struct signers_conf *conf, struct signers **out) MUST_CHECK;
/* Ends all of them at once, unanswered. */
void signers_free(struct signers *s);
/* MESSAGE_KEY_OPEN or MESSAGE_SIGN of an asker (of SIGNERS_ASKERS_MAX): hostile. An error ends the asker. */
#define SIGNERS_ASKERS_MAX 64
enum err signers_ask(
	struct signers *s, unsigned which, uint16_t type, struct slice payload) MUST_CHECK;
/* The asker is gone, and with it what it asked. */
void signers_forget(struct signers *s, unsigned which);
/* A few times a second: a role that is silent for too long is ended. */
void signers_tick(struct signers *s);

#endif
