/* Transfers under way: curl's multi interface, each body sent on in pieces as it comes. */
#ifndef LEAFWATCH_SCANNERS_REVOCATION_TRANSFER_H
#define LEAFWATCH_SCANNERS_REVOCATION_TRANSFER_H

#include "agent/process/messages.h"
#include "scanners/fetch.h"

#include <stdbool.h>
#include <stdint.h>

struct transfers;

struct transfers_conf {
	int64_t timeout_ms; /* of one transfer, over everything */
	long count_max;     /* under way at once; the others wait */
	long per_host_max;
	const char *proxy; /* borrowed; NULL = the environment's */
	/* A piece of a finding, borrowed for the call; and the end of the work it came from. An error ends
	 * all. */
	enum err (*piece)(void *arg, const struct finding_piece *piece);
	enum err (*end)(void *arg, uint64_t work);
	void *arg;
};

enum err transfers_new(const struct transfers_conf *conf, struct transfers **out) MUST_CHECK;
void transfers_free(struct transfers *all);
/* Takes `fetch`, on failure too. `place` is copied. A URL that may not be fetched is a finding that says
 * so. */
enum err transfers_add(
	struct transfers *all, uint64_t work, struct slice place, struct fetch *fetch) MUST_CHECK;
/* Waits until something can go on, `fd` is readable or `ms` are over, and goes on. */
enum err transfers_step(struct transfers *all, int fd, int ms, bool *is_readable) MUST_CHECK;
bool transfers_are_over(const struct transfers *t);

#endif
