/* What the agent remembers of certificates, endpoints and problems. A pass replaces what a place holds. */
#ifndef LEAFWATCH_AGENT_INVENTORY_H
#define LEAFWATCH_AGENT_INVENTORY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/certificate/record.h"
#include "agent/store.h"
#include "exporters/exporter.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>

struct inventory;

enum err inventory_new(struct store *store, struct inventory **out, struct why *why) MUST_CHECK;
void inventory_free(struct inventory *i);

/* --- a pass ---------------------------------------------------------------------------------- */

/* Starts a pass of a job. A pass left open by a crash is closed as incomplete first. `*pass` > 0. */
enum err inventory_pass_begin(struct inventory *i, const char *scanner, const char *job,
	int64_t now, int64_t *pass, struct why *why) MUST_CHECK;
/* Stores one record of the pass (inside the current batch, which it begins). A certificate or endpoint
 * at the same uri#index is replaced; first_seen stays while the fingerprint stays. */
enum err inventory_put(struct inventory *i, int64_t pass, const struct record *r, int64_t now,
	struct why *why) MUST_CHECK;
/* Was the certificate last put left out of the chains across places, because too many are kept for them? */
bool inventory_left_out(struct inventory *i);
/* What is known at `uri` (and at its members, "uri!/...") still holds. `stale` = it could not be
 * looked at: it is kept as last known. With `below`, everything under "uri/" too (of a token its objects, "uri;..."), and of a name's endpoint
 * ("tls://name:443") those of its addresses ("tls://name@192.0.2.1:443").
 * `*kept` (may be NULL) counts the sightings. */
struct keep {
	const char *uri;
	bool below;
	bool stale;
};
enum err inventory_keep(struct inventory *i, int64_t pass, const struct keep *keep, uint64_t *kept,
	struct why *why) MUST_CHECK;
/* Ends a pass. Complete: what this job held and the pass did not see or keep is marked gone at `now`.
 * Not complete: everything not seen stays, stale. Durable when it returns ERR_OK. */
struct pass_result {
	bool is_complete;
	uint64_t items;
	double seconds;
	/* Counted here: */
	uint64_t vanished;
	uint64_t appeared;
};
enum err inventory_pass_end(struct inventory *i, int64_t pass, struct pass_result *result,
	int64_t now, struct why *why) MUST_CHECK;
/* Jobs that are no longer configured: all they held is marked gone, their memory dropped. */
enum err inventory_retain_jobs(
	struct inventory *i, const struct strings *jobs, int64_t now, struct why *why) MUST_CHECK;

/* Ends the batch (pipeline calls it by size and time). */
enum err inventory_commit(struct inventory *i, struct why *why) MUST_CHECK;

/* --- what a scanner remembers ------------------------------------------------------------------ */

/* The opaque bytes a job's scanner gave back, and the digest of the context (trust, passwords, version)
 * they belong to. ERR_NOT_FOUND when there are none. The pass that stores them must be complete. */
enum err inventory_memory_load(struct inventory *i, const char *job, struct buffer *out,
	uint8_t context[FINGERPRINT_BYTES], struct why *why) MUST_CHECK;
enum err inventory_memory_save(struct inventory *i, const char *job, struct slice bytes,
	const uint8_t context[FINGERPRINT_BYTES], struct why *why) MUST_CHECK;

/* Which PIN the token behind a client key refused last, as a number that tells it from others; 0: none. */
enum err inventory_refused_pin(
	struct inventory *i, const char *key, int64_t *out, struct why *why) MUST_CHECK;
enum err inventory_refused_pin_set(
	struct inventory *i, const char *key, int64_t pin, struct why *why) MUST_CHECK;
/* Does the job hold a certificate whose verdict may be another by then? */
enum err inventory_has_boundary(
	struct inventory *i, const char *job, int64_t until, bool *out, struct why *why) MUST_CHECK;

/* --- asking ------------------------------------------------------------------------------------ */

struct inventory_filter {
	int kind; /* enum record_kind, 0 = all */
	bool include_gone;
	const char *job;            /* NULL = all */
	const char *uri;            /* exact, or NULL */
	const char *file;           /* RECORD_REFERENCE only: those that name this file, or NULL */
	const uint8_t *fingerprint; /* FINGERPRINT_BYTES, or NULL */
};
/* Is there any? */
enum err inventory_has(struct inventory *i, const struct inventory_filter *filter, bool *out,
	struct why *why) MUST_CHECK;
/* Calls `fn` for each, by uri and index. */
enum err inventory_each(struct inventory *i, const struct inventory_filter *filter,
	enum err (*fn)(void *, const struct sighting *), void *arg, struct why *why) MUST_CHECK;
/* The references to the file at `uri` (of a member: to its container), or to the folder that it lies in. */
enum err inventory_each_user(struct inventory *i, const char *uri,
	enum err (*fn)(void *, const struct sighting *), void *arg, struct why *why) MUST_CHECK;
/* For struct scan_hints, whose ctx is the inventory. */
enum err inventory_each_name(void *inventory,
	enum err (*fn)(void *arg, const char *name, uint16_t port), void *arg,
	struct why *why) MUST_CHECK;
enum err inventory_each_served(void *inventory,
	enum err (*fn)(void *arg, const struct scan_served *served), void *arg,
	struct why *why) MUST_CHECK;
enum err inventory_each_named_file(void *inventory, const char *job,
	enum err (*fn)(void *arg, const char *uri, const char *message), void *arg,
	struct why *why) MUST_CHECK;
enum err inventory_each_password(void *inventory, const char *job,
	enum err (*fn)(void *arg, const char *uri, const char *source, bool is_configuration),
	void *arg, struct why *why) MUST_CHECK;
/* Forgets that passwords were missing at a place where the pass has just looked: it looks again. */
enum err inventory_forget_locked(
	struct inventory *i, int64_t pass, const char *uri, struct why *why) MUST_CHECK;
/* Certificates whose fingerprint starts with these hex digits: `*count`, and the fingerprint if it is 1. */
enum err inventory_find(struct inventory *i, const char *hex_prefix, uint64_t *count,
	uint8_t out[FINGERPRINT_BYTES], struct why *why) MUST_CHECK;

/* Who took the place of this certificate: the one that now lies where it was replaced, or else one in
 * the same folder with the same subject and names that lasts longer. `*found` false: none is known. */
enum err inventory_successor(struct inventory *i, const uint8_t fingerprint[FINGERPRINT_BYTES],
	bool *found, int64_t *not_after, uint8_t successor[FINGERPRINT_BYTES],
	struct why *why) MUST_CHECK;

/* What lies at a place now, and what it took the place of there. Borrowed for the call. */
struct renewal {
	const struct certificate *old;
	const struct sighting *now;
	int64_t at; /* when that was seen */
};
/* Calls `fn` for each of those after `since` that still holds; also for the newest of certbot's numbered
 * files (archive/NAME/cert2.pem) that is first seen after it, with the number before it. */
enum err inventory_each_renewal(struct inventory *i, int64_t since,
	enum err (*fn)(void *, const struct renewal *), void *arg, struct why *why) MUST_CHECK;
/* What is known of a source of revocation, for the next question to it. Borrowed for the call. */
struct revocation_source {
	const char *uri;
	const char *etag;          /* or NULL */
	const char *last_modified; /* or NULL */
	int64_t checked;
	int64_t next_update; /* TIME_UNKNOWN where it gave none */
	bool has_failed;     /* the last time it was asked */
};
enum err inventory_each_revocation_source(struct inventory *i,
	enum err (*fn)(void *, const struct revocation_source *), void *arg,
	struct why *why) MUST_CHECK;
/* May any certificate name a place to ask its issuer at? Looks for a URL in their facts, which are stored as they are
 * read, and is far cheaper than going through all of them. */
enum err inventory_has_urls(struct inventory *i, bool *out, struct why *why) MUST_CHECK;
/* Forgets what was said of certificates that are gone. */
enum err inventory_revocation_prune(struct inventory *i, struct why *why) MUST_CHECK;

/* Calls `fn` for each place where this certificate was and now another is. */
enum err inventory_each_succession(struct inventory *i,
	const uint8_t fingerprint[FINGERPRINT_BYTES],
	enum err (*fn)(void *, const char *uri, uint32_t index), void *arg,
	struct why *why) MUST_CHECK;

/* What is served although a newer one lies on disk. inventory_each puts it into the records of the
 * certificates served. All of it is written anew, in the current batch, which both begin. */
struct served_row {
	const char *job;
	const char *uri;            /* of the listener; its leaf has index 0 */
	const uint8_t *fingerprint; /* of the one served */
	const struct served_differs *differs;
};
enum err inventory_served_clear(struct inventory *i, struct why *why) MUST_CHECK;
enum err inventory_served_put(
	struct inventory *i, const struct served_row *row, struct why *why) MUST_CHECK;

/* What is noted of the private keys of certificates. inventory_each puts it into their records, with the problems.
 * All of it is written anew, in the current batch, which each begins. Hundreds of copies of one certificate have
 * the same notes: those are added once, and put to each. `row` is that of the sighting. */
enum err inventory_key_notes_clear(struct inventory *i, struct why *why) MUST_CHECK;
enum err inventory_key_notes_add(struct inventory *i, const struct key_notes *notes, int64_t *id,
	struct why *why) MUST_CHECK;
enum err inventory_key_notes_put(struct inventory *i, int64_t id, int64_t row,
	const uint8_t fingerprint[FINGERPRINT_BYTES], struct why *why) MUST_CHECK;
/* Do the notes still hold? Yes, when they were settled with the same `basis` (a digest of what the caller takes
 * into account besides the inventory), no pass has brought or lost a certificate, key or reference since, and
 * the time they were settled until has not come. Settling is part of the batch. */
enum err inventory_keys_are_settled(
	struct inventory *i, int64_t basis, int64_t now, bool *out, struct why *why) MUST_CHECK;
enum err inventory_keys_settle(
	struct inventory *i, int64_t basis, int64_t until, struct why *why) MUST_CHECK;

/* The state of every job that ran and was not retired since, for the schedule and the metrics. */
struct job_state {
	const char *scanner;
	const char *job;
	int64_t last_start;
	int64_t last_success;
	bool last_complete;
	double duration_s;
	uint64_t items;
};
enum err inventory_each_job(struct inventory *i, enum err (*fn)(void *, const struct job_state *),
	void *arg, struct why *why) MUST_CHECK;

#endif
