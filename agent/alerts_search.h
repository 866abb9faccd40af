/* The search for what is wrong now, as the kinds of alerts share it. */
#ifndef LEAFWATCH_AGENT_ALERTS_SEARCH_H
#define LEAFWATCH_AGENT_ALERTS_SEARCH_H

#include "agent/alerts_internal.h"

#define FILE_SCHEME "file://"

/* Problems that break a certificate where it is served, and those that break it anywhere. */
extern const uint32_t alerts_break_served;
extern const uint32_t alerts_break_any;

struct search {
	const struct alerts_search *conf;
	struct candidates *out;
	/* The leaf served last, whose chain says which of the certificates sent with it matter. */
	char *leaf_uri; /* owned */
	struct fingerprints leaf_chain;
	/* All identities seen, hashed by their first bytes. One sweep of the inventory costs far more. */
	struct identity *identities; /* owned */
	size_t identities_count;
	size_t identities_slots;
	struct links *links; /* settled when everything was seen */
};

/* The candidate of this kind for `what`, a fingerprint or a place; a new one is filled by the caller.
 * ERR_LIMIT when there are too many: search_note_limit says so once. */
enum err candidate_get(struct candidates *c, enum alert_kind_id kind, const char *what,
	struct candidate **out, bool *is_new) MUST_CHECK;
void search_note_limit(struct search *s);
/* Something may become wrong, or right, at `at`. */
void search_note_next(struct search *s, int64_t at);
/* Adds `p` without its texts, which are taken from the sighting. Beyond the ceiling it only counts. */
enum err candidate_place(struct candidate *c, const struct alert_place *p, const struct sighting *s,
	const char *message) MUST_CHECK;
/* The candidate of this kind for the certificate, with this place of it; `message` may be NULL. */
enum err candidate_certificate(struct search *s, enum alert_kind_id kind,
	const struct sighting *sight, const struct alert_place *p, const char *message) MUST_CHECK;
/* Its fingerprint; false when it is of no certificate. */
bool candidate_fingerprint(const struct candidate *c, uint8_t out[FINGERPRINT_BYTES]);
/* The same for an endpoint, whose name is its uri. `message` may be NULL. */
enum err candidate_endpoint(struct search *s, enum alert_kind_id kind, const struct sighting *sight,
	const struct alert_place *p, const char *message) MUST_CHECK;
/* Names the new candidate after the endpoint. */
enum err candidate_name_endpoint(struct candidate *c, const char *uri) MUST_CHECK;
/* Takes one live place into the whole; all of them; the words of problems. */
enum err candidate_merge(struct candidate *c, const struct alert_place *p) MUST_CHECK;
enum err candidate_merge_all(struct candidate *c) MUST_CHECK;
enum err candidate_words(struct candidate *c, uint32_t problems) MUST_CHECK;
/* The same of a certificate: places where something newer took over do not count. */
enum err candidate_merge_certificate(
	const struct search *s, struct candidate *c, struct why *why) MUST_CHECK;

/* The uri, and #index where it is not the first. Owned; NULL when out of memory. */
char *place_name(const struct location *l);
bool place_is_in_file(const char *uri);
/* Is the host of the uri an address, not a name? */
bool place_is_literal(const char *uri);
/* Did a user name the endpoint's job's targets, that is, is it no local listener? */
bool place_is_of_named_scanner(const struct location *l);
/* Was it put where a host's administrator puts internal CAs? */
bool place_is_local_anchor(const char *uri);

#endif
