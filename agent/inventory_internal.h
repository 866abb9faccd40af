/* What the parts of the inventory share: its state, its statements, the places of its rows. */
#ifndef LEAFWATCH_AGENT_INVENTORY_INTERNAL_H
#define LEAFWATCH_AGENT_INVENTORY_INTERNAL_H

#include "agent/certificate/judge.h"
#include "agent/inventory.h"

#include <sqlite3.h>

/* The id of a sighting or endpoint is the place's id and, in the low bits, the index. */
#define INDEX_BITS 24
#define INDEX_MAX ((UINT32_C(1) << INDEX_BITS) - 1)

#define OPEN_PASSES_MAX 64
#define PLACE_CACHE_ENTRIES 16
#define CERTIFICATE_CACHE_ENTRIES 8192

/* Every statement that is used often, prepared when first used. */
enum statement {
	JOB_START,
	JOB_FIND,
	JOB_END,
	JOB_RETIRE,
	PASS_INSERT,
	PASS_FIND,
	PASS_OPEN_OF_JOB,
	PASS_END,
	PASS_FORGET,
	PLACE_FIND,
	PLACE_INSERT,
	PLACE_KEEP_FRESH,
	PLACE_KEEP_STALE,
	PLACE_KEEP_UNSEEN,
	PLACE_COUNT,
	CERTIFICATE_FIND,
	CERTIFICATE_INSERT,
	CERTIFICATE_UPDATE,
	SIGHTING_FIND,
	SIGHTING_INSERT,
	SIGHTING_TOUCH,
	SIGHTING_REFRESH,
	SIGHTING_REPLACE,
	SIGHTING_AT_PLACE,
	SIGHTING_GONE,
	SIGHTING_GONE_OF_JOB,
	ENDPOINT_FIND,
	ENDPOINT_INSERT,
	ENDPOINT_UPDATE,
	ENDPOINT_GONE,
	ENDPOINT_GONE_OF_JOB,
	REFERENCE_PUT,
	REFERENCE_GONE,
	REFERENCE_GONE_OF_JOB,
	KEY_PUT,
	KEY_GONE,
	KEY_GONE_OF_JOB,
	KEY_NOTE_CLEAR,
	KEY_NOTE_PUT,
	KEY_NOTES_CLEAR,
	KEY_NOTES_ADD,
	PROBLEM_PUT,
	PROBLEM_DROP,
	PROBLEM_DROP_OF_JOB,
	SUCCESSION_PUT,
	SUCCESSION_UNDO,
	MEMORY_LOAD,
	MEMORY_SAVE,
	MEMORY_DROP,
	BOUNDARY,
	SERVED_CLEAR,
	SERVED_PUT,
	SERVED_FIND,
	META_GET,
	META_SET,
	REVOCATION_SOURCE_PUT,
	REVOCATION_SOURCE_CHECKED,
	REVOCATION_CLEAR,
	REVOCATION_PUT,
	REVOCATION_PRUNE,
	REVOCATION_SOURCE_PRUNE,
	POOL_PUT,
	POOL_COUNT,
	POOL_DER,
	POOL_NAMED,
	POOL_PRUNE,
	POOL_BESIDE,
	POOL_AT_PLACE,
	WANTING_PUT,
	WANTING_PRUNE,
	COMPLETION_KEY,
	COMPLETION_MARK,
	COMPLETION_PUT,
	COMPLETION_DROP,
	COMPLETION_FIND,
	COMPLETION_PRUNE,
	STATEMENT_COUNT
};

struct open_pass {
	int64_t id; /* 0 = free */
	int64_t job;
	int64_t latest; /* the last time its callers gave */
	uint64_t appeared;
	uint64_t vanished; /* replaced ones; what is gone is counted at the end */
	bool has_succession;
	bool has_changed; /* certificates, keys or references; see inventory_keys_are_settled */
};

struct place_entry {
	char *uri; /* owned; NULL = free */
	int64_t job;
	int64_t id;
	/* Indexes from here on surely have no row: the place itself is new. */
	int64_t unused_from;
};

struct certificate_entry {
	int64_t id; /* 0 = free */
	uint8_t fingerprint[FINGERPRINT_BYTES];
};

/* Certificates whose bytes are kept. */
struct pool_size {
	int64_t count;
	int64_t bytes;
};

struct inventory;

/* Loaded when it is first taken, then shared until rows change (inventory_shared.c). The first member of what
 * is shared. */
enum shared_slot { SHARED_REVOCATION, SHARED_USES, SHARED_COUNT };
struct shared_kind;
struct shared {
	const struct shared_kind *kind;
	unsigned users; /* the inventory, while it is up to date, is one */
};
struct shared_kind {
	enum shared_slot slot;
	size_t bytes;
	enum err (*load)(struct inventory *i, struct shared *s, struct why *why);
	void (*fini)(struct shared *s);
};
enum err shared_take(struct inventory *i, const struct shared_kind *kind, struct shared **out,
	struct why *why) MUST_CHECK;
void shared_release(struct shared *s);
void shared_forget(struct inventory *i, enum shared_slot slot);

struct inventory {
	struct store *store; /* borrowed */
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct open_pass passes[OPEN_PASSES_MAX];
	struct place_entry places[PLACE_CACHE_ENTRIES];
	/* Certificates whose stored facts are known to be those of today's parser. */
	struct certificate_entry certificates[CERTIFICATE_CACHE_ENTRIES];
	struct buffer facts;
	struct buffer detail;
	struct buffer history;
	struct shared *shared[SHARED_COUNT]; /* one of its users, or NULL */
	struct pool_size pool[2]; /* [0] without issuers, [1] of CAs; once is_pool_counted */
	bool is_pool_counted;
	bool was_pool_full; /* and that was said */
	bool has_left_out;  /* the last certificate put had no room in it */
	bool is_unsettled; /* inventory_keys_unsettle was called after the last inventory_keys_settle */
	bool expects_new; /* the last place asked for was new: the next one will be, too */
};

/* The statement, reset and ready to bind. */
enum err inventory_statement(
	struct inventory *i, enum statement which, sqlite3_stmt **out, struct why *why) MUST_CHECK;
/* One step. `*is_row` false means done, and the statement is reset. */
enum err inventory_step(
	struct inventory *i, sqlite3_stmt *statement, bool *is_row, struct why *why) MUST_CHECK;
/* A statement that gives no rows; `*changed` (may be NULL) counts the rows it changed. */
enum err inventory_run(struct inventory *i, sqlite3_stmt *statement, uint64_t *changed,
	struct why *why) MUST_CHECK;
/* Statements that give no rows, one after another. NULL where none of them takes values. */
#define STEP_VALUES 2
enum err inventory_run_steps(struct inventory *i, const enum statement *steps, size_t count,
	const int64_t values[STEP_VALUES], struct why *why) MUST_CHECK;

/* A number that is kept under a name; `*is_known` false where none is. Setting is part of the batch. */
enum err inventory_meta_get(struct inventory *i, const char *key, int64_t *value, bool *is_known,
	struct why *why) MUST_CHECK;
enum err inventory_meta_set(
	struct inventory *i, const char *key, int64_t value, struct why *why) MUST_CHECK;
/* What comparing keys rests on has changed. Part of the batch. */
enum err inventory_keys_unsettle(struct inventory *i, struct why *why) MUST_CHECK;

/* Binds integers ?1, ?2 ... in order, as many as it takes. */
void inventory_bind(sqlite3_stmt *statement, const int64_t *values, int count);
/* TIME_UNKNOWN is NULL in a column. */
void inventory_bind_time(sqlite3_stmt *statement, int at, int64_t time);
int64_t inventory_column_time(sqlite3_stmt *statement, int at);
/* Borrowed bytes: they outlive the step. */
void inventory_bind_bytes(sqlite3_stmt *statement, int at, struct slice bytes);
void inventory_bind_text(sqlite3_stmt *statement, int at, const char *text);
struct slice inventory_column_bytes(sqlite3_stmt *statement, int at);
/* An owned text, or NULL for NULL and when out of memory. */
char *inventory_column_copy(sqlite3_stmt *statement, int at);

/* What an endpoint's row held until now; all empty where there is none. */
struct endpoint_held {
	int64_t pass;
	struct slice detail;
	struct slice history;
};
/* Takes a look at an endpoint into its history, which is left in i->history. i->detail is what will be
 * stored of the look. */
enum err inventory_history_look(struct inventory *i, const struct endpoint_held *held,
	const struct endpoint_record *seen, int64_t now) MUST_CHECK;

/* Takes the facts out of a certificate's own blob. */
enum err inventory_fill_facts(struct slice bytes, struct record *r) MUST_CHECK;
/* ERR_STORE, and the sentence for it. */
enum err inventory_damaged(struct inventory *i, struct why *why) MUST_CHECK;

/* Adds what is newer on disk than the certificate served at a sighting. */
enum err inventory_served_fill(struct inventory *i, int64_t sighting, struct certificate_record *r,
	struct why *why) MUST_CHECK;

/* What a certificate wants of issuers from elsewhere, the most first. */
enum lack {
	LACKS_ISSUER, /* verdict_lacks_issuer */
	LACKS_BETTER, /* verdict_may_be_bettered */
	LACKS_NOTHING /* unless a CA of its chain is revoked */
};

/* A certificate that may have a better path, for a purpose and a judging (verdict.judging). */
struct wanting {
	int64_t certificate;
	enum purpose purpose;
	uint64_t judging;
};
/* Keeps the bytes of a record's certificate, and what it lacks. */
enum err inventory_pool_put(struct inventory *i, int64_t certificate, const struct record *r,
	struct why *why) MUST_CHECK;
/* Forgets the bytes of what no place holds any more, and verdicts on it. */
enum err inventory_pool_prune(struct inventory *i, struct why *why) MUST_CHECK;
/* Appends the bytes; nothing where they are not kept. */
enum err inventory_pool_named(struct inventory *i, const uint8_t fingerprint[FINGERPRINT_BYTES],
	struct buffer *out, struct why *why) MUST_CHECK;
enum err inventory_pool_der(
	struct inventory *i, int64_t certificate, struct buffer *out, struct why *why) MUST_CHECK;

/* Verdicts with what the pool holds, in the current batch, which all of them begin. `key` stands for all that
 * such a verdict depends on. Marked: it is being judged; then put, NULL where that failed. */
enum err inventory_completion_mark(struct inventory *i, const struct wanting *w,
	const uint8_t key[FINGERPRINT_BYTES], struct why *why) MUST_CHECK;
enum err inventory_completion_put(struct inventory *i, const uint8_t key[FINGERPRINT_BYTES],
	const struct verdict *v, struct why *why) MUST_CHECK;
enum err inventory_completion_drop(
	struct inventory *i, const struct wanting *w, struct why *why) MUST_CHECK;
/* The values of the statements of completions. */
void inventory_wanting_bind(sqlite3_stmt *statement, const struct wanting *w);
/* Was it ever sent or stored at one place with that CA? */
enum err inventory_pool_beside(struct inventory *i, int64_t certificate, int64_t ca, bool *out,
	struct why *why) MUST_CHECK;
/* Puts that verdict into a record, where it is better. */
struct revocation_map;
struct completing {
	int64_t certificate;
	int64_t place;
	const struct revocation_map *revocation;
	int64_t now;
};
enum err inventory_completion_fill(struct inventory *i, const struct completing *at,
	struct record *r, struct why *why) MUST_CHECK;
/* Adds what is known of the private key, from the columns of its row. */
enum err inventory_key_notes_fill(
	struct slice fingerprint, struct slice detail, struct certificate_record *r) MUST_CHECK;

/* Begins a batch; `*is_own` tells whether there was none. inventory_leave commits one's own. */
enum err inventory_enter(struct inventory *i, bool *is_own, struct why *why) MUST_CHECK;
enum err inventory_leave(struct inventory *i, bool is_own, enum err e, struct why *why) MUST_CHECK;

/* Stores what a source of revocation said. */
enum err inventory_put_revocation(
	struct inventory *i, const struct record *r, int64_t now, struct why *why) MUST_CHECK;

/* What all sources said, by certificate; shared until something is stored. */
struct revocation_map;
enum err revocation_map_take(
	struct inventory *i, struct revocation_map **out, struct why *why) MUST_CHECK;
void revocation_map_release(struct revocation_map *m);
void revocation_map_forget(struct inventory *i);
/* What one source said of a certificate, whatever that is worth; false where it was not asked. */
bool revocation_map_says(const struct revocation_map *m,
	const uint8_t fingerprint[FINGERPRINT_BYTES], const char *uri, enum revocation_status *out);
/* What holds at `now`; false where the certificate was never asked about. `*out` is borrowed from `m`. */
bool revocation_map_find(const struct revocation_map *m,
	const uint8_t fingerprint[FINGERPRINT_BYTES], int64_t now, struct revocation *out);
/* Is one of those above the first of a chain revoked? A certificate falls with each CA of its chain. */
bool revocation_map_find_above(const struct revocation_map *m, const struct fingerprints *chain,
	int64_t now, struct revocation *out);

/* What active configurations use certificates' files for; shared until what they name changes. */
struct uses_map;
enum err uses_map_take(struct inventory *i, struct uses_map **out, struct why *why) MUST_CHECK;
void uses_map_release(struct uses_map *m);
void uses_map_forget(struct inventory *i);
/* Adds PROBLEM_WRONG_USAGE to a certificate whose extended key usage forbids what it is used for. */
void uses_map_judge(const struct uses_map *m, struct record *r);

/* The pass if it is open: ERR_NOT_FOUND with a sentence otherwise. */
enum err inventory_open_pass(
	struct inventory *i, int64_t pass, struct open_pass **out, struct why *why) MUST_CHECK;
void inventory_forget_pass(struct inventory *i, int64_t pass);
/* Forgets ids that rows may no longer have. */
void inventory_forget_ids(struct inventory *i);
/* ERR_NOT_FOUND for a job that never ran. */
enum err inventory_job_id(
	struct inventory *i, const char *job, int64_t *out, struct why *why) MUST_CHECK;

#endif
