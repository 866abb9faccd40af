/* Lists of targets that an HTTP server keeps (Prometheus' http_sd): as configured, and as handed to the
 * probe, which fetches and reads them. main is told the entries. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_DISCOVERY_H
#define LEAFWATCH_SCANNERS_NETWORK_DISCOVERY_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/wire.h"
#include "agent/config/http_client.h"
#include "agent/config/schema.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISCOVERIES_MAX 16                     /* of one job */
#define DISCOVERY_BYTES_MAX (16 * 1024 * 1024) /* of one answer, and of the entries in it */

/* As configured. */
struct discovery_conf {
	struct secret url;
	struct http_authorization authorization;
	struct http_basic basic_auth;
	char *ca_file;
	struct secret proxy;
};
/* The keys of struct discovery_conf, ended by a NULL key. */
extern const struct schema_field discovery_fields[];
/* What that table cannot say of all of a job. */
enum err discoveries_check(const struct sections *all, struct why *why) MUST_CHECK;

/* As handed to the probe; all owned, wiped, NULL where there is none. */
struct discovery {
	char *url;
	char *authorization; /* the whole header */
	char *username;
	char *password;
	char *ca;    /* PEM */
	char *proxy; /* "": none; NULL: the environment's */
};
struct discoveries {
	struct discovery items[DISCOVERIES_MAX];
	size_t count;
	int64_t refresh_ms; /* how often the job runs, for the servers to know */
};

/* Reads the secrets of all. */
enum err discoveries_read(
	const struct sections *all, struct discoveries *out, struct why *why) MUST_CHECK;
/* The URL alone, owned. */
enum err discovery_url(const struct discovery_conf *conf, char **out, struct why *why) MUST_CHECK;
/* Where a problem with it is told, owned: the URL without user, query and fragment, or the file that
 * holds it. NULL when out of memory. */
char *discovery_place(const struct discovery_conf *conf);
/* Overwrites and frees. */
void discovery_wipe(char *secret);
void discoveries_fini(struct discoveries *d);
void discoveries_encode(struct buffer *out, const struct discoveries *d);
/* A failure sticks in `w`; `out` is the caller's to free whatever happens. */
void discoveries_decode(struct wire *w, struct discoveries *out);

/* A part of the entries of one, a line each, from the probe to the plan. */
struct discovery_part {
	uint16_t number; /* among the job's, from 1 on */
	bool is_first;   /* what came before is of a process that died */
	bool is_last;
	struct slice text; /* borrowed */
};
void discovery_part_encode(struct buffer *out, const struct discovery_part *part);
enum err discovery_part_decode(struct slice bytes, struct discovery_part *out) MUST_CHECK;

#endif
