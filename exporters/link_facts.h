/* What ties client certificates and servers together, as exporters tell it. */
#ifndef LEAFWATCH_EXPORTERS_LINK_FACTS_H
#define LEAFWATCH_EXPORTERS_LINK_FACTS_H

#include "agent/base/buffer.h"
#include "agent/base/strings.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Of each list; what is beyond is only counted. */
#define LINKS_SHOWN_MAX 100

/* Of a certificate. Starts as {0}. */
struct certificate_links {
	bool is_client;
	bool is_named; /* by a configuration, as its client certificate */
	struct strings
		accepted_by; /* uris of endpoints that name a CA of its chain, or that took it */
	uint64_t accepted_by_count;
	uint64_t open_count; /* endpoints that ask and name no CA: nobody can tell */
	uint64_t
		stand_ins_count; /* of those that accept it: where another valid one of this host would do */
	char *stand_in;          /* owned: name of one, or NULL */
	bool is_ca;
	struct strings trusted_by; /* uris of endpoints that accept clients of this CA */
	uint64_t trusted_by_count;
	bool is_outlasted; /* another certificate of this CA's name lies here and lasts longer */
};
void certificate_links_fini(struct certificate_links *l);

/* A CA that an endpoint names, found on disk: the certificate of that name that lasts longest. */
struct client_ca {
	char *subject; /* owned */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_after;
};

/* Of an endpoint. Starts as {0}. */
struct endpoint_links {
	bool asks;    /* for a client certificate */
	bool is_open; /* it asks, names no CA, and took none that was presented to it */
	struct fingerprints accepts;  /* client certificates of this host; valid ones first */
	struct strings accepts_names; /* beside them */
	uint64_t accepts_count;
	uint64_t valid_count;  /* of those: valid now */
	struct client_ca *cas; /* owned; the one that ends first is first */
	size_t cas_count;
	uint64_t cas_found; /* of the names in the list */
	uint64_t cas_named; /* names in the list */
};
void endpoint_links_fini(struct endpoint_links *l);

/* Sentences. Each appends without a full stop; nothing where there is nothing to say. */
/* "api.example.org:443 and mq:8883" of at most `shown`, the others as "and 3 more". */
void link_say_places(struct buffer *out, const struct strings *uris, uint64_t count, size_t shown);
/* "api.example.org:443 and mq:8883 accept it; nothing else here does" */
void link_say_client(struct buffer *out, const struct certificate_links *l);
/* "all clients of api.example.org:443 that it vouches for fail together on 2026-12-01T00:00:00Z" */
void link_say_ca(struct buffer *out, const struct certificate_links *l, int64_t not_after);

#endif
