/* The steps of the database's layout, from the first version to this one. */
#include "agent/store_migrations.h"

/* Steps are never changed once released. Whoever changes
 * what record_encode writes adds a step that empties certificate, sighting, endpoint, problem, pool, wanting,
 * completion and memory: all of that is found again by the next pass. */
const char *const store_migrations[] = {
	/* 0 -> 1 */
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE job(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, scanner TEXT NOT NULL,"
	" is_retired INTEGER NOT NULL DEFAULT 0, last_start INTEGER, last_success INTEGER,"
	" last_complete INTEGER NOT NULL DEFAULT 0, duration_s REAL NOT NULL DEFAULT 0,"
	" items INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE memory(job INTEGER PRIMARY KEY, context BLOB NOT NULL, bytes BLOB NOT NULL);"
	/* Ids are never used twice: rows point at the pass that last saw them. */
	"CREATE TABLE pass(id INTEGER PRIMARY KEY AUTOINCREMENT, job INTEGER NOT NULL,"
	" started INTEGER NOT NULL, ended INTEGER, is_complete INTEGER NOT NULL DEFAULT 0,"
	" items INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,"
	" vanished INTEGER NOT NULL DEFAULT 0, appeared INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX pass_job ON pass(job);"
	/* `kept` is the pass that last kept the place whole, `seen` when that was a good look at it. */
	"CREATE TABLE place(id INTEGER PRIMARY KEY, uri TEXT NOT NULL, job INTEGER NOT NULL,"
	" kept INTEGER NOT NULL DEFAULT 0, is_stale INTEGER NOT NULL DEFAULT 0, seen INTEGER);"
	"CREATE UNIQUE INDEX place_uri ON place(uri, job);"
	"CREATE TABLE certificate(id INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL, subject TEXT,"
	" issuer TEXT, not_before INTEGER, not_after INTEGER, facts BLOB NOT NULL);"
	"CREATE UNIQUE INDEX certificate_fingerprint ON certificate(fingerprint);"
	/* The id of a sighting or endpoint is place << 24 | index: a place's rows lie together, in order,
	 * and need no index of their own. */
	"CREATE TABLE sighting(id INTEGER PRIMARY KEY, certificate INTEGER NOT NULL,"
	" pass INTEGER NOT NULL, first_seen INTEGER NOT NULL, seen INTEGER, gone_at INTEGER,"
	" boundary INTEGER, detail BLOB NOT NULL);"
	"CREATE INDEX sighting_certificate ON sighting(certificate);"
	"CREATE INDEX sighting_gone ON sighting(gone_at) WHERE gone_at IS NOT NULL;"
	"CREATE TABLE endpoint(id INTEGER PRIMARY KEY, pass INTEGER NOT NULL,"
	" first_seen INTEGER NOT NULL, seen INTEGER, gone_at INTEGER, detail BLOB NOT NULL);"
	"CREATE TABLE problem(id INTEGER PRIMARY KEY, place INTEGER NOT NULL, idx INTEGER NOT NULL,"
	" reason TEXT NOT NULL, fingerprint BLOB NOT NULL, keeps_known INTEGER NOT NULL,"
	" pass INTEGER NOT NULL, first_seen INTEGER NOT NULL, seen INTEGER, detail BLOB NOT NULL);"
	"CREATE UNIQUE INDEX problem_place ON problem(place, idx, reason, fingerprint);"
	"CREATE TABLE succession(old INTEGER NOT NULL, sighting INTEGER NOT NULL,"
	" new INTEGER NOT NULL, pass INTEGER NOT NULL, at INTEGER NOT NULL,"
	" PRIMARY KEY(old, sighting)) WITHOUT ROWID;"
	"CREATE TABLE alert(key TEXT PRIMARY KEY, kind TEXT NOT NULL, severity INTEGER NOT NULL,"
	" started INTEGER NOT NULL, notified INTEGER NOT NULL, not_after INTEGER, fingerprint BLOB,"
	" state BLOB NOT NULL);"
	"CREATE TABLE outbox(id TEXT PRIMARY KEY, receiver TEXT NOT NULL, created INTEGER NOT NULL,"
	" attempts INTEGER NOT NULL DEFAULT 0, next_attempt INTEGER NOT NULL, last_error TEXT,"
	" body BLOB NOT NULL);"
	"CREATE INDEX outbox_due ON outbox(receiver, next_attempt);"
	"CREATE TABLE receiver(name TEXT PRIMARY KEY, disabled_reason TEXT,"
	" sent INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE receiver_failure(receiver TEXT NOT NULL, reason TEXT NOT NULL,"
	" count INTEGER NOT NULL, PRIMARY KEY(receiver, reason));",
	/* 1 -> 2: what configurations name; the next pass must read those files. */
	"CREATE TABLE reference(id INTEGER PRIMARY KEY, pass INTEGER NOT NULL,"
	" first_seen INTEGER NOT NULL, seen INTEGER, gone_at INTEGER, file TEXT, detail BLOB NOT NULL);"
	"CREATE INDEX reference_file ON reference(file) WHERE file IS NOT NULL;"
	"DELETE FROM memory;",
	/* 2 -> 3: what records hold has changed */
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM memory;",
	/* 3 -> 4: records say more; revocation lists are kept as endpoints are, told apart by their kind. */
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM reference; DELETE FROM memory;"
	"ALTER TABLE endpoint ADD COLUMN kind INTEGER NOT NULL DEFAULT 2;",
	/* What endpoints asked of their clients over time (mtls_state.h). */
	"ALTER TABLE endpoint ADD COLUMN history BLOB;",
	/* Endpoints say where their list of CAs came from, and what became of a certificate of ours. */
	"DELETE FROM endpoint;",
	/* What issuers say of certificates. A source is a CRL, or a responder and one certificate. */
	"CREATE TABLE revocation_source(id INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE, etag TEXT,"
	" last_modified TEXT, checked INTEGER NOT NULL, this_update INTEGER, next_update INTEGER,"
	" message TEXT);"
	"CREATE TABLE revocation(fingerprint BLOB NOT NULL, source INTEGER NOT NULL,"
	" status INTEGER NOT NULL, reason INTEGER NOT NULL, revoked_at INTEGER,"
	" PRIMARY KEY(fingerprint, source)) WITHOUT ROWID;"
	"CREATE INDEX revocation_of_source ON revocation(source);",
	/* Endpoints have their process. */
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM reference; DELETE FROM memory;",
	/* Served certificates that are newer on disk. */
	"CREATE TABLE served(sighting INTEGER PRIMARY KEY, served BLOB NOT NULL, detail BLOB NOT NULL);",
	/* Certificates may bring their bytes. `wants` has a bit for each purpose for which an issuer is missed,
	 * `known` the chain that its place knew. Verdicts with issuers from elsewhere stand beside. */
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM reference; DELETE FROM memory;"
	"CREATE TABLE pool(certificate INTEGER PRIMARY KEY, is_ca INTEGER NOT NULL,"
	" wants INTEGER NOT NULL, known BLOB NOT NULL, der BLOB NOT NULL);"
	"CREATE TABLE completion(certificate INTEGER NOT NULL, purpose INTEGER NOT NULL,"
	" key BLOB NOT NULL, boundary INTEGER, detail BLOB, PRIMARY KEY(certificate, purpose));"
	"CREATE UNIQUE INDEX completion_key ON completion(key);",
	/* Private keys, and what comparing them with the certificates showed. Verdicts by store. */
	"CREATE TABLE private_key(id INTEGER PRIMARY KEY, pass INTEGER NOT NULL,"
	" first_seen INTEGER NOT NULL, seen INTEGER, gone_at INTEGER, detail BLOB NOT NULL);"
	"CREATE TABLE key_note(sighting INTEGER PRIMARY KEY, fingerprint BLOB NOT NULL,"
	" detail BLOB NOT NULL);"
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM reference; DELETE FROM served; DELETE FROM memory;",
	/* Verdicts say by what they were judged. Each certificate that misses an issuer stands in `wanting` for each
	 * purpose and judging for which it does, with the chain that its place knew. */
	"DELETE FROM certificate; DELETE FROM sighting; DELETE FROM endpoint; DELETE FROM problem;"
	"DELETE FROM succession; DELETE FROM reference; DELETE FROM private_key; DELETE FROM key_note;"
	"DELETE FROM served; DELETE FROM memory; DROP TABLE pool; DROP TABLE completion;"
	"CREATE TABLE pool(certificate INTEGER PRIMARY KEY, is_ca INTEGER NOT NULL, der BLOB NOT NULL);"
	"CREATE TABLE wanting(certificate INTEGER NOT NULL, purpose INTEGER NOT NULL,"
	" judging INTEGER NOT NULL, known BLOB NOT NULL,"
	" PRIMARY KEY(certificate, purpose, judging)) WITHOUT ROWID;"
	"CREATE TABLE completion(certificate INTEGER NOT NULL, purpose INTEGER NOT NULL,"
	" judging INTEGER NOT NULL, key BLOB NOT NULL, boundary INTEGER, detail BLOB,"
	" PRIMARY KEY(certificate, purpose, judging));"
	"CREATE UNIQUE INDEX completion_key ON completion(key);",
	/* What each wants of a path (enum lack): not only those without an issuer may have a better one. Places must
	 * be read again, for the bytes of the others. */
	"DELETE FROM memory; DELETE FROM completion; DROP TABLE wanting;"
	"CREATE TABLE wanting(certificate INTEGER NOT NULL, purpose INTEGER NOT NULL,"
	" judging INTEGER NOT NULL, lack INTEGER NOT NULL, known BLOB NOT NULL,"
	" PRIMARY KEY(certificate, purpose, judging)) WITHOUT ROWID;",
	/* Endpoints have their duration. */
	"DELETE FROM endpoint;",
	/* Notes are kept once for all certificates that have the same; they are made anew. */
	"DROP TABLE key_note; DELETE FROM meta WHERE key='keys_basis';"
	"CREATE TABLE key_notes(id INTEGER PRIMARY KEY, detail BLOB NOT NULL);"
	"CREATE TABLE key_note(sighting INTEGER PRIMARY KEY, notes INTEGER NOT NULL,"
	" fingerprint BLOB NOT NULL);",
};

const size_t store_migrations_count = sizeof(store_migrations) / sizeof(store_migrations[0]);
