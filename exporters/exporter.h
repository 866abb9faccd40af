/* An exporter: something that tells. One file with one of these, one line in exporters.def.
 * It sees the inventory only through the view that main hands it, and runs on main's loop. */
#ifndef LEAFWATCH_EXPORTERS_EXPORTER_H
#define LEAFWATCH_EXPORTERS_EXPORTER_H

#include "agent/base/err.h"
#include "agent/certificate/mtls_state.h"
#include "agent/certificate/record.h"
#include "agent/config/schema.h"
#include "exporters/link_facts.h"
#include "exporters/notification.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What the issuer says of a certificate that it issued. Borrowed for the call. */
struct revocation {
	enum revocation_status status;
	const char *source;  /* uri of the CRL or responder that says so */
	int64_t checked;     /* when it was last asked; the others may be TIME_UNKNOWN */
	int64_t next_update; /* until when it holds */
	int64_t revoked_at;
	const char *reason;  /* CRLReason, NULL unless revoked */
	const char *message; /* why it is not known, or whose revocation it is; or NULL */
};

/* A record where and since when it was seen. Borrowed for the call. */
struct sighting {
	const struct record *record;
	const char *job;
	int64_t first_seen;
	int64_t last_seen; /* last time it was really read or probed well */
	int64_t gone_at;   /* TIME_UNKNOWN while it is there */
	bool is_stale;     /* could not be looked at in the last pass; this is what was known */
	int64_t row;       /* its number in the inventory, until that is written to */
	const struct mtls_state *mtls; /* of an endpoint: what it asked for over time; or NULL */
	const struct revocation *revocation; /* of a certificate, or NULL: nobody was asked */
};

struct scanner_state {
	const char *scanner;
	const char *job;
	bool is_up;           /* the last pass came to its end */
	int64_t last_success; /* TIME_UNKNOWN = never */
	double duration_s;    /* of the last complete pass */
	uint64_t items;       /* files or targets of the last complete pass */
	bool is_running;
	int64_t next; /* when it is due, TIME_UNKNOWN = not scheduled */
};

struct receiver_state {
	const char *receiver;
	uint64_t sent;
	uint64_t outbox_entries;
	int64_t oldest_entry; /* TIME_UNKNOWN = none */
	bool is_disabled;
	const char *last_error; /* or NULL */
};

struct receiver_failure {
	const char *receiver;
	const char
		*reason; /* clientError serverError authError rateLimited timeout other abandoned */
	uint64_t count;
};

struct alert_state {
	const char *kind;
	enum alert_severity severity;
	uint64_t count;
};

struct sandbox_state {
	const char *role;
	const char *layer;
	bool is_active;
};

/* What main shows. Each `each_*` calls `fn` until it returns something other than ERR_OK and passes
 * that on. Only for the length of the call that got the view. */
struct view {
	void *ctx;
	int64_t now;
	struct thresholds thresholds;
	const char *version;
	const char *revision;
	bool is_ready;           /* a first pass of every job has ended */
	int64_t config_reloaded; /* time of the last reload */
	bool config_reload_ok;
	enum err (*each_sighting)(void *ctx, enum record_kind kind,
		enum err (*fn)(void *, const struct sighting *), void *arg);
	/* The references of configurations to the file at `uri`, or to its folder. */
	enum err (*each_user)(void *ctx, const char *uri,
		enum err (*fn)(void *, const struct sighting *), void *arg);
	enum err (*each_scanner)(
		void *ctx, enum err (*fn)(void *, const struct scanner_state *), void *arg);
	enum err (*each_receiver)(
		void *ctx, enum err (*fn)(void *, const struct receiver_state *), void *arg);
	enum err (*each_failure)(
		void *ctx, enum err (*fn)(void *, const struct receiver_failure *), void *arg);
	enum err (*each_alert)(
		void *ctx, enum err (*fn)(void *, const struct alert_state *), void *arg);
	enum err (*each_sandbox)(
		void *ctx, enum err (*fn)(void *, const struct sandbox_state *), void *arg);
	/* What ties both ends of mutual TLS together; `out` is freed by the caller, and {0} where nothing is
	 * known. NULL = it was not worked out. */
	enum err (*links_of_certificate)(
		void *ctx, const struct certificate *c, struct certificate_links *out);
	enum err (*links_of_endpoint)(
		void *ctx, const struct location *at, struct endpoint_links *out);
};

/* How a delivery ended. */
enum delivery { DELIVERY_OK, DELIVERY_RETRY, DELIVERY_FAILED, DELIVERY_DISABLE };
struct delivery_result {
	enum delivery outcome;
	int64_t retry_after_s; /* what the receiver asked for; 0 = nothing */
	const char *reason;    /* word for the failure metric; borrowed, static */
	const char *message;   /* for the log; never holds a URL or a secret; borrowed */
};
typedef void (*delivery_fn)(void *arg, const struct delivery_result *result);

/* What an exporter may ask of main. */
struct exporter_host {
	uv_loop_t *loop;
	void *ctx;
	void (*request_reload)(void *ctx); /* may be called from any thread */
	const char *version;               /* of this program, for User-Agent; NULL = not told */
};

struct exporter {
	const char *name; /* config key under `exporters:` */
	const char *help;
	/* One entry's configuration. A receiver's struct starts with struct receiver_conf. */
	const struct schema_field *fields;
	size_t conf_bytes;
	bool is_receiver; /* takes notifications: its entries have a unique `name` */

	/* `conf` stays valid until stop. */
	enum err (*start)(
		const void *conf, const struct exporter_host *host, void **state, struct why *why);
	/* Something may have changed (a pass ended, a batch was stored, time went by): render anew. NULL = does
	 * not care. */
	enum err (*update)(void *state, const struct view *view);
	/* Sends one notification; `done` is called exactly once, later, from the loop - or never, when stop
	 * comes first. NULL unless is_receiver. `n` is borrowed for the call. */
	enum err (*deliver)(void *state, const struct notification *n, delivery_fn done, void *arg,
		struct why *why);
	/* Ends at once, drops deliveries under way. */
	void (*stop)(void *state);
	/* A line for the user about where to find it ("http://127.0.0.1:9947/"), or NULL. */
	const char *(*address)(const void *state);
};

/* The head of every receiver's conf. */
struct receiver_conf {
	char *name;
	int min_severity; /* enum alert_severity */
	bool send_resolved;
};

extern const struct exporter *const exporters[];
extern const size_t exporters_count;
const struct exporter *exporter_find(const char *name);

#endif
