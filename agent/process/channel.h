/* The role's end of its socket: whole frames, blocking, writes safe from many threads. */
#ifndef LEAFWATCH_PROCESS_CHANNEL_H
#define LEAFWATCH_PROCESS_CHANNEL_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"
#include "agent/process/messages.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Files that have come and were not taken yet. */
#define CHANNEL_FILES_MAX 4

struct channel {
	int fd; /* borrowed */
	pthread_mutex_t write_lock;
	pthread_t gatherer; /* who has called channel_gather, where is_gathering */
	bool is_gathering;
	struct buffer out; /* frames that it has gathered */
	struct buffer in;
	size_t in_used;               /* bytes of `in` already handed out */
	int files[CHANNEL_FILES_MAX]; /* owned, in the order in which they came */
	size_t files_count;
};

enum err channel_init(struct channel *c, int fd) MUST_CHECK;
void channel_fini(struct channel *c);

/* The next frame, waiting for it. `payload` is valid until the next read.
 * ERR_CLOSED at the end of the stream, ERR_MALFORMED on a frame over the ceiling. */
enum err channel_read(struct channel *c, uint16_t *type, struct slice *payload) MUST_CHECK;
/* The descriptor that came with the frame read last, given up to the caller; -1 when there was none. */
int channel_take_file(struct channel *c);
struct msghdr;
/* Hands over each descriptor that came with a message. One that `take` refuses is closed, and the answer is false. */
bool channel_files_of(struct msghdr *message, bool (*take)(void *arg, int fd), void *arg);
/* Is a whole frame buffered already, so that channel_read would not wait? */
bool channel_has_frame(const struct channel *c);
/* Reads what the (non-blocking or ready) fd holds into the buffer. ERR_CLOSED at the end,
 * ERR_BUSY when nothing was there. For roles that wait in a loop of their own. */
enum err channel_fill(struct channel *c) MUST_CHECK;

/* One frame, waiting until it is written (also on a non-blocking fd). ERR_CLOSED when main is gone. */
enum err channel_write(struct channel *c, uint16_t type, struct slice payload) MUST_CHECK;

/* From now on what this thread writes is gathered: it goes out when it is much, before what another thread writes, and
 * by channel_flush, which is due before the thread waits. For roles whose many small frames would be a call to the
 * kernel each, and wake main up as often. */
void channel_gather(struct channel *c);
/* ERR_CLOSED when main is gone. */
enum err channel_flush(struct channel *c) MUST_CHECK;

/* A message that is one number: WORK_DONE, FINDING_DONE, WANT. */
enum err channel_number(struct channel *c, enum message type, uint64_t number) MUST_CHECK;
enum err channel_progress(struct channel *c, const struct progress *p) MUST_CHECK;
/* A record, in as many pieces as it needs. By one thread only where it may be larger than a piece.
 * ERR_LIMIT beyond RECORD_BYTES_MAX: nothing was written. */
enum err channel_record(struct channel *c, const struct record *r) MUST_CHECK;
/* A problem record in one call. */
enum err channel_problem(struct channel *c, const char *scanner, const char *uri,
	enum reason reason, const char *message) MUST_CHECK;

/* A finding in as many pieces as it needs. `kind` is an enum finding_kind. */
enum err channel_finding(
	struct channel *c, const struct finding_piece *head, struct slice data) MUST_CHECK;
/* A finding whose content is this file, whose descriptor stays the caller's. */
enum err channel_finding_file(
	struct channel *c, const struct finding_piece *head, int file) MUST_CHECK;

#endif
