/* The agent's database: one SQLite file, opened once, versioned, refused when it is not ours. */
#ifndef LEAFWATCH_AGENT_STORE_H
#define LEAFWATCH_AGENT_STORE_H

#include "agent/base/err.h"

#include <sqlite3.h>
#include <stdbool.h>

#define STORE_FILE "inventory.db"

struct store {
	sqlite3 *db; /* owned */
	char *path;  /* owned; NULL for one that is not kept */
	bool is_in_batch;
	int lock_fd;     /* held while open for writing, or -1 */
	bool is_suspect; /* damage was met: the next open checks every page */
};

/* Opens DIR/inventory.db (WAL, synchronous NORMAL for batches, FULL at pass ends and alerts), creating
 * the folder (0750) and schema, migrating an older one, refusing with ERR_STORE and a clear sentence one
 * that is newer, damaged (quick_check on a dirty open) or not ours (application_id): it is never overwritten.
 * `dir` NULL = one that ends with this process, in memory and, where it grows, an unnamed temporary file. A second writer is refused with ERR_BUSY naming the pid. */
enum err store_open(const char *dir, struct store **out, struct why *why) MUST_CHECK;
/* For list, show: read-only, beside a running agent. ERR_NOT_FOUND when there is none. */
enum err store_open_read(const char *dir, struct store **out, struct why *why) MUST_CHECK;
void store_close(struct store *s);

/* One transaction a batch: begin is a no-op inside one. */
enum err store_begin(struct store *s, struct why *why) MUST_CHECK;
enum err store_commit(struct store *s, bool durable, struct why *why) MUST_CHECK;
void store_rollback(struct store *s);

/* A sentence from SQLite's state. Returns ERR_STORE (ERR_LIMIT for a full disk). */
enum err store_fail(struct store *s, struct why *why, const char *doing);
/* Prepares a statement or fails with a sentence. */
enum err store_prepare(
	struct store *s, const char *sql, sqlite3_stmt **out, struct why *why) MUST_CHECK;

#endif
