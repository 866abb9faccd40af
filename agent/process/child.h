/* main's end of a role: a process over a socket pair (or, with --single, a thread), watched by libuv. */
#ifndef LEAFWATCH_PROCESS_CHILD_H
#define LEAFWATCH_PROCESS_CHILD_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/process/role.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct child; /* frees itself after its last event */
/* A file that a child has opened, on its way to another; counted. */
struct child_file;

struct child_events {
	/* A whole frame, borrowed for the call. An error means garbage: the child is killed. */
	enum err (*frame)(void *arg, uint16_t type, struct slice payload);
	/* The last event, once: it is gone, and everything it had written was handed to `frame`.
	 * `how` reads "ended", "exit code 1", "killed by signal 9", "sent garbage", or child_kill's word. */
	void (*gone)(void *arg, bool in_order, const char *how);
};

struct child_start {
	uv_loop_t *loop;
	const struct role *role;
	bool in_thread; /* but for a role that forks: ROLE_NEEDS_MODULES */
	const struct child_events *events;
	void *arg;
};

enum err child_new(const struct child_start *start, struct child **out, struct why *why) MUST_CHECK;

/* Queues one frame. After the child died it is silently dropped: `gone` tells. The process must ignore
 * SIGPIPE (command_line does): libuv writes without MSG_NOSIGNAL. */
enum err child_send(struct child *c, uint16_t type, struct slice payload) MUST_CHECK;
/* The file that came with the frame being handed out, and is now the caller's; NULL where there came none, or
 * what came is not a regular file that may only be read. For roles that ROLE_PASSES_FILES. */
struct child_file *child_take_file(struct child *c);
struct child_file *child_file_hold(struct child_file *f);
void child_file_drop(struct child_file *f);
/* Queues a frame with which the file goes along. */
enum err child_send_file(
	struct child *c, uint16_t type, struct slice payload, struct child_file *file) MUST_CHECK;
/* No more frames are read while paused, so that the child comes to a stop by itself. */
void child_pause(struct child *c, bool is_paused);
/* Ends it now (SIGKILL); `gone` follows with `how` (static text). */
void child_kill(struct child *c, const char *how);
/* Like child_kill, without any further event: the arg may be freed at once. */
void child_abandon(struct child *c);
#endif
