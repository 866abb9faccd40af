/* The pool of parser processes: findings in, records out. A parser that dies or hangs on a finding turns
 * that finding into a problem and is replaced; the findings behind it are sent again. */
#ifndef LEAFWATCH_AGENT_PARSERS_H
#define LEAFWATCH_AGENT_PARSERS_H

#include "agent/base/err.h"
#include "agent/certificate/record.h"
#include "agent/process/messages.h"
#include "agent/process/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct parsers;
struct child_file;
struct finding; /* owned by the pool until it is done */

struct parsers_events {
	/* A record at a finding's place, borrowed for the call. An error ends the agent's pass: the store. */
	enum err (*record)(void *owner, const struct record *r);
	/* The finding is done, its problem (if it became one) told before. */
	void (*done)(void *owner, bool crashed);
	/* A layer of the sandbox of a fresh parser. */
	void (*sandbox)(void *arg, const char *layer, bool is_active);
};

typedef enum err (*frame_send_fn)(void *arg, uint16_t type, struct slice payload);

struct parsers_conf {
	uv_loop_t *loop;
	const struct role *role;
	bool in_thread;
	unsigned count_max; /* processes; started as work comes */
	/* Sends a fresh parser its trust anchors and passwords. */
	enum err (*hand_over)(void *arg, frame_send_fn send, void *send_arg);
	const struct parsers_events *events;
	void *arg; /* for hand_over and sandbox */
	/* Borrowed, and read at each use: what the parser itself may take for a file that is read where it lies.
	 * NULL: no longer than for any finding. */
	const int64_t *file_ms;
};

enum err parsers_new(const struct parsers_conf *conf, struct parsers **out) MUST_CHECK;
/* Kills what runs; no events come any more. */
void parsers_free(struct parsers *p);

/* Starts a finding for `owner` (given back in events). `head` is the first piece without its data. */
enum err parsers_open(struct parsers *p, void *owner, const struct finding_piece *head,
	struct finding **out, struct why *why) MUST_CHECK;
/* Adds bytes; with `is_last` the finding is whole and must not be touched again by the caller. */
enum err parsers_piece(struct parsers *p, struct finding *f, struct slice data, bool is_last,
	struct why *why) MUST_CHECK;
/* Before its last piece: the sender left the content's end out, and has told so. */
void parsers_cut(struct finding *f);
/* Ends a finding, for which there were no bytes, with the file that is its content. The file stays counted
 * until the finding is done. */
enum err parsers_file(
	struct parsers *p, struct finding *f, struct child_file *file, struct why *why) MUST_CHECK;
/* The sender died: the finding is forgotten, `done` comes when the parser has let go of it. */
void parsers_abandon(struct parsers *p, struct finding *f);
/* The owner goes away: no events for its findings any more. */
void parsers_disown(struct parsers *p, const void *owner);

/* Bytes of findings not done, which the pool holds copies of, and what files count for. */
size_t parsers_outstanding_bytes(const struct parsers *p);
/* Deadlines and idle processes; called a few times a second. */
void parsers_tick(struct parsers *p);
/* Ends all processes once they are idle, so that the next finding starts fresh ones (new trust). */
void parsers_renew(struct parsers *p);

#endif
