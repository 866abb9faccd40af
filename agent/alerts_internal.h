/* What the parts of the alerts share: candidates (what is wrong now), rows (what was said of it). */
#ifndef LEAFWATCH_AGENT_ALERTS_INTERNAL_H
#define LEAFWATCH_AGENT_ALERTS_INTERNAL_H

#include "agent/alerts.h"
#include "agent/links.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum alert_kind_id {
#define ALERT_KIND(id, ops) id,
#include "agent/alerts_kinds.def"
#undef ALERT_KIND
	KIND_COUNT
};

struct candidate;
struct search;
struct alert_place;

/* A kind of alert: one of these in one file, one line in alerts_kinds.def. A member that is NULL does
 * nothing. */
struct alert_kind {
	const char *word;
	unsigned looks; /* that must agree before it fires */
	/* What follows the name when it is no longer so. */
	const char *recovered;
	/* Each looks at a sighting, public roots of trust stores left out, and adds candidates. */
	enum err (*certificate)(
		struct search *s, const struct sighting *sight, const struct alert_place *place);
	enum err (*endpoint)(struct search *s, const struct sighting *sight);
	enum err (*problem)(struct search *s, const struct sighting *sight);
	enum err (*crl)(struct search *s, const struct sighting *sight);
	/* Everything was seen, the links are known: more candidates. */
	enum err (*settle)(struct search *s, struct why *why);
	/* The whole from its places: at the least is_live, severity and locations. */
	enum err (*merge)(const struct search *s, struct candidate *c, struct why *why);
	/* The sentence. */
	void (*say)(struct buffer *out, const struct candidate *c, int64_t now);
};
extern const struct alert_kind *const alert_kinds[KIND_COUNT];
/* NULL for a word of no kind. */
const struct alert_kind *alert_kind_find(const char *word);
#define ALERT_KIND(id, ops) extern const struct alert_kind ops;
#include "agent/alerts_kinds.def"
#undef ALERT_KIND

#define PLACE_IDENTITY_BYTES 16

/* One place that gives cause for a candidate. */
struct alert_place {
	char *text; /* owned: uri, and #index where it is not the first */
	char *job;  /* owned */
	/* Certificates for the same subject and names in the same folder have the same identity. */
	bool has_identity;
	uint8_t identity[PLACE_IDENTITY_BYTES];
	bool is_network;
	enum alert_severity severity;
	int64_t breaks;    /* TIME_UNKNOWN where no date counts */
	int64_t seen;      /* when it was last looked at */
	uint32_t problems; /* bits */
	char *message;     /* owned, or NULL: of an endpoint's trouble */
};

/* Something that is wrong now: a certificate or an endpoint with all its places. */
struct candidate {
	struct alert alert; /* owned; summary and event are set when it is said */
	enum alert_kind_id kind;
	bool is_ca;
	struct alert_place *places; /* owned */
	size_t places_count;
	uint64_t places_more;
	/* Known at the end of the search: */
	bool is_live;       /* some place is not superseded */
	int64_t superseded; /* not_after of what took its place in its folder, or TIME_UNKNOWN */
	const struct alert_place *first; /* of the live ones; borrowed from places */
	bool is_network;
	int64_t breaks;
	int64_t seen;
	char *note;                        /* owned: what the sentence says besides, or NULL */
	uint8_t anchor[FINGERPRINT_BYTES]; /* of the chain, where a kind asks for it */
};

struct candidates {
	struct candidate *items; /* owned */
	size_t count;
	size_t capacity;
	size_t *slots; /* owned: hash of key to index + 1 */
	size_t slots_count;
	bool is_full;
	int64_t next; /* the earliest time at which something new becomes wrong, or TIME_UNKNOWN */
};
void candidates_fini(struct candidates *c);
struct candidate *candidates_find(const struct candidates *c, const char *key);

struct alerts_search {
	struct inventory *inventory;
	const struct thresholds *thresholds;
	struct alerts_keys keys;
	bool has_read_files; /* the certificates of this host are known */
	int64_t now;
};
/* Everything in the inventory that is wrong now. `out` starts as {0}; to be freed whatever happens.
 * `*links`, the caller's, is what ties both ends of mutual TLS together now. */
enum err candidates_search(const struct alerts_search *conf, struct candidates *out,
	struct links **links, struct why *why) MUST_CHECK;

enum row_phase { PHASE_PENDING, PHASE_FIRING, PHASE_QUIET, PHASE_COUNT };

/* What is remembered of one alert. */
struct row {
	struct alert alert; /* owned; its started and severity are those that were said */
	enum row_phase phase;
	int64_t notified; /* PENDING: 0; QUIET: when it was resolved */
	uint32_t bad;     /* looks in a row that found it, while pending */
	uint32_t good;    /* passes in a row that did not, while firing */
	uint32_t relapses;
	int64_t seen;   /* the last look that was counted */
	int64_t passed; /* the last pass that was counted */
	bool is_network;
	char *job;           /* owned: of a place of it */
	struct strings told; /* receivers that know of it */
	/* Of this evaluation: */
	bool is_changed;
	bool is_dropped;
	bool has_ended; /* alert.event is a resolution to be told */
	bool has_news;  /* alert.event is ESCALATED or REPEATED */
};

struct rows {
	struct row *items; /* owned; the first `loaded` sorted by key */
	size_t loaded;
	size_t count;
	size_t capacity;
};
void rows_fini(struct rows *r);
void row_fini(struct row *r);
/* ERR_LIMIT when there are ALERTS_MAX. Pointers to rows are void after it. */
enum err rows_add(struct rows *r, struct row **out) MUST_CHECK;
struct row *rows_find(const struct rows *r, const char *key);
enum err rows_load(struct store *store, struct rows *out, struct why *why) MUST_CHECK;
/* Writes what changed, inside the caller's transaction. */
enum err rows_save(struct store *store, const struct rows *r, struct why *why) MUST_CHECK;

/* Sentences, into alert->summary. */
enum err alert_say_candidate(struct alert *a, const struct candidate *c, int64_t now) MUST_CHECK;
enum err alert_say_resolved(struct alert *a) MUST_CHECK;
/* Parts of them. */
void alert_put_cut(struct buffer *out, const char *text, size_t max);
void alert_put_name(struct buffer *out, const struct alert *a);

#endif
