/* What the parts of the probe role share. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PROBE_INTERNAL_H
#define LEAFWATCH_SCANNERS_NETWORK_PROBE_INTERNAL_H

#include "agent/process/channel.h"
#include "scanners/network/attempt.h"
#include "scanners/network/exclude.h"
#include "scanners/network/pace.h"
#include "scanners/network/peers.h"
#include "scanners/network/remote_key.h"
#include "scanners/network/route.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define PROBE_QUEUE_MAX PROBE_CONCURRENCY_MAX

/* One work item, which may become several places. */
struct unit {
	uint64_t id;
	unsigned left; /* entries of it */
};

/* One place on its way to being tried. */
struct entry {
	struct waiter waiter; /* first, so that one is the other */
	struct probe *probe;
	struct unit *unit;
	struct attempt_start what; /* owned */
	struct dns_lookup *lookup;
	struct entry *next; /* in the list of those that are being resolved */
	struct entry *previous;
	struct peer *peer;
};

struct line {
	struct waiter *first; /* owned */
	struct waiter **last;
	size_t count;
};

/* A proxy's addresses, and what waits for them. */
#define VIAS_MAX 2
struct via {
	const struct proxy *proxy; /* borrowed; NULL = free */
	struct probe *probe;
	union address *addresses; /* owned */
	size_t count;
	char *failure; /* owned: why there are none */
	struct dns_lookup *lookup;
	struct line waiting;
	bool is_asked;
	bool is_known;
};

struct fetching;

struct probe {
	struct channel channel;
	uv_loop_t loop;
	uv_poll_t in;        /* the channel */
	uv_idle_t starter;   /* runs while something can be started */
	uv_prepare_t sender; /* before the loop waits: what main is told goes out */
	uv_timer_t ticker;   /* progress */
	struct probe_options options;
	struct exclusions *exclusions; /* owned */
	struct attempts attempts;
	struct tls_shared *tls;     /* owned */
	struct remote_keys *remote; /* owned: client keys in tokens */
	struct dns *dns;            /* owned */
	struct peers *peers;        /* owned */
	struct pace *pace;          /* owned; NULL: no limit */
	struct routes *routes;      /* owned */
	struct via vias[VIAS_MAX];
	size_t waiting_for_proxy;
	struct line for_keys; /* waiting until main has said whether a key in a token can be used */
	struct line names;    /* to be resolved */
	struct line ready;    /* to be connected to */
	struct entry *resolving; /* owned list */
	size_t resolving_count;
	struct fetching *fetching; /* owned list: of targets, from HTTP servers */
	size_t under_way;
	unsigned processes;
	uint64_t permits; /* connections that main allows */
	uint64_t asked;   /* and those it was asked for */
	uint64_t tried;
	uint64_t next_finding;
	char *at; /* owned: the place last started */
	bool is_reading;
	bool is_pumping;
	bool was_told_finish;
	bool is_over;
	enum err status; /* what ended it */
	struct why *why; /* borrowed */
};

/* ---- probe.c ---------------------------------------------------------------------------------- */

void probe_stop(struct probe *p, enum err e);
/* Stops on an error. */
void probe_checked(struct probe *p, enum err e);
/* Whatever can go on now, goes on. */
void probe_pump(struct probe *p);

/* ---- probe_tell.c: what main is told ----------------------------------------------------------- */

/* What was told in a round of the loop goes to main at once: this is when. */
enum err probe_tell_gathered(struct probe *p) MUST_CHECK;
enum err probe_tell_number(struct probe *p, enum message type, uint64_t number) MUST_CHECK;
enum err probe_tell_session(
	struct probe *p, const char *place, const struct session *seen) MUST_CHECK;
enum err probe_tell_problem(
	struct probe *p, const char *place, enum reason reason, const char *message) MUST_CHECK;
/* A client certificate of ours. ERR_MALFORMED for one that is not there. */
enum err probe_tell_own(struct probe *p, const char *place, unsigned number) MUST_CHECK;
/* What the plan may go on with. */
enum err probe_tell_plan(struct probe *p, struct slice payload) MUST_CHECK;
enum err probe_tell_kept(struct probe *p, const char *place) MUST_CHECK;
enum err probe_tell_progress(struct probe *p) MUST_CHECK;
/* Is there nothing to tell of a target that nobody said speaks TLS? */
bool probe_tell_is_idle(const struct target *t, const struct session *seen);
/* A UDP socket of this host, by its place "udp://…"; `word` says what became of the handshake. */
#define PROBE_NOT_ASKED "not-asked"
enum err probe_tell_listed(struct probe *p, const struct target *t, const char *word) MUST_CHECK;
/* What such a session is worth: of a listening socket, that it is there. */
enum err probe_tell_idle(
	struct probe *p, const struct attempt_start *what, const struct session *seen) MUST_CHECK;

/* ---- probe_start.c: from work to attempts ------------------------------------------------------ */

void line_init(struct line *l);
void line_put(struct line *l, struct waiter *w);
struct entry *line_take(struct line *l);
/* Frees an entry that was not dealt with. */
void start_drop(struct waiter *w);
/* One that cannot be tried for want of memory. */
void start_fail(struct entry *entry, enum err e);
void start_init(struct probe *p);
void start_fini(struct probe *p);
/* A piece of main's work. */
enum err start_take(struct probe *p, struct slice payload) MUST_CHECK;
/* Those that waited for a key in a token: it is known now. */
enum err start_after_key(struct probe *p) MUST_CHECK;
/* Entries that are not under way. */
size_t start_queued(const struct probe *p);
/* Resolves what can be resolved and asks main for what it has to allow. */
void start_go_on(struct probe *p);
/* Can an attempt be started now? */
bool start_has_room(const struct probe *p);
void start_some(struct probe *p);
void start_on_dropped(void *ctx);
void start_on_done(void *arg, void *ctx, const struct attempt_start *what,
	const struct session *seen, enum err failure);

/* ---- probe_key.c: client keys in tokens -------------------------------------------------------- */

/* Those that there are are to be opened. */
enum err probe_keys_open(struct probe *p) MUST_CHECK;
/* MESSAGE_KEY and MESSAGE_SIGNED. */
enum err probe_keys_take(struct probe *p, uint16_t type, struct slice payload) MUST_CHECK;

/* ---- probe_proxy.c ---------------------------------------------------------------------------- */

/* Makes the entry ready as soon as the proxy's addresses are known. */
enum err start_through(struct probe *p, const struct proxy *proxy, struct entry *entry) MUST_CHECK;
void start_proxies_fini(struct probe *p);

/* ---- discovery_fetch.c: lists of targets from HTTP servers ------------------------------------- */

/* Fetches one of the job's; then main is told the list or a problem, and that the work is done.
 * ERR_MALFORMED for one that is not there. */
enum err fetching_start(
	struct probe *p, uint64_t work, const char *place, unsigned number) MUST_CHECK;
/* None is waited for any longer; the loop frees them. */
void fetching_stop(struct probe *p);

#endif
