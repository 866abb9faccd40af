/* What the parts of the comparison of served and stored certificates share. */
#ifndef LEAFWATCH_AGENT_SERVED_INTERNAL_H
#define LEAFWATCH_AGENT_SERVED_INTERNAL_H

#include "agent/inventory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places of one served certificate that are weighed. */
#define SERVED_PLACES_MAX 256

/* How a certificate on disk is related to one that is served. */
enum {
	RELATION_KEY = 1,    /* the same key */
	RELATION_NAMES = 2,  /* the same subject and names */
	RELATION_ISSUER = 4, /* the same CA, or another of the same, as trusted as it */
	RELATION_KIND = 16,  /* a key of the same kind */
	RELATION_SHARES = 8, /* at least the subject or one name in common */
};

/* What of a certificate is compared. */
struct likeness {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint8_t spki[FINGERPRINT_BYTES];
	const char *subject; /* as the rest: borrowed, or owned by the served it stands in */
	const char *issuer;
	const char *trust;
	const char *key_algorithm;
	const struct strings *names;
	int64_t not_before;
	int64_t not_after;
	bool is_ca;
	bool is_self_issued;
	bool is_for_servers;
};
struct likeness likeness_of(const struct certificate_record *r);
unsigned relation_of(const struct likeness *served, const struct likeness *other);
/* Was it issued after the other (or, at the same time, for longer), and is it good by now? */
bool likeness_is_newer(const struct likeness *other, const struct likeness *served, int64_t now);
/* Are its names those that any host gives itself ("localhost")? */
bool likeness_is_generic(const struct likeness *l);

/* A place on disk that holds a newer one. */
struct lying {
	char *uri; /* owned */
	uint32_t index;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_before;
	int64_t not_after;
	int64_t first_seen;
	unsigned relation;
	bool held_it;       /* the served one was there before */
	char *named_by;     /* owned: the configuration that names it for this listener, or NULL */
	bool is_on_command; /* the process was started with its name */
	bool is_open;       /* the process has it open */
	bool is_deleted;    /* and what it has open is no longer there */
};

/* One listener and what was found out. */
struct served {
	char *uri; /* owned, as the rest */
	char *job;
	uint16_t port;
	char *address;    /* NULL: not known */
	bool is_listener; /* found by its socket; else by its name, at an address of this host */
	struct process process;
	struct record leaf;
	struct likeness like; /* borrowed from leaf */
	struct lying *lying;
	size_t lying_count;
	struct strings holders; /* places on disk that hold the served one itself */
	bool is_configured;     /* a configuration names one of these for this listener */
};

/* Does the place keep what is out of use: an archive, a backup? */
bool served_is_history(const char *uri);
bool served_is_same_folder(const char *a, const char *b);
/* The path of a file's uri (of a member: its container's), owned; NULL for other places. */
char *served_path(const char *uri);

/* What the process says of the file, into `l`. */
void served_look_at_process(const char *proc, uint32_t pid, struct lying *l);
/* When the file came to hold what it holds, or TIME_UNKNOWN. */
int64_t served_changed_at(const char *uri);

/* The place that proves it, or NULL. */
const struct lying *served_choose(const struct served *s);
/* The sentence and what is needed. `changed` TIME_UNKNOWN: only known to be by first_seen. */
enum err served_explain(const struct served *s, const struct lying *l, int64_t changed,
	struct served_differs *out) MUST_CHECK;

#endif
