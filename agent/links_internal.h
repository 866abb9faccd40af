/* What the parts of the links share. Everything lies in arrays and points by position. */
#ifndef LEAFWATCH_AGENT_LINKS_INTERNAL_H
#define LEAFWATCH_AGENT_LINKS_INTERNAL_H

#include "agent/links.h"

#include "agent/base/index.h"
#include "agent/certificate/name_key.h"

#define NONE UINT32_MAX

/* A growing array's bookkeeping. */
struct extent {
	uint32_t count;
	uint32_t capacity;
};

/* A part of an array of positions. */
struct span {
	uint32_t from;
	uint32_t count;
};

/* One name, however it is written. */
struct link_name {
	struct name_key key;
	uint32_t text;     /* position in texts: as it was first written */
	uint32_t first_ca; /* certificates of this CA, linked by next_of_name; or NONE */
	uint32_t best_ca;  /* of those on disk the one that lasts longest, or NONE */
	bool is_listed;    /* by some endpoint */
	struct span groups;
};

/* A name as it is written. */
struct link_text {
	char *text; /* owned */
	uint32_t name;
};

struct link_ca {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint32_t subject; /* names */
	uint32_t issuer;
	uint32_t next_of_name;
	int64_t not_after;
	bool is_on_disk;
};

struct link_client {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	char *name;      /* owned */
	uint32_t issuer; /* names; NONE where it has none */
	uint32_t own;    /* its own name where it is self-issued, else NONE */
	int64_t not_before;
	int64_t not_after;
	bool is_broken;
	bool is_named;
	bool is_presented; /* an endpoint was shown it, and took it */
	bool is_valid;     /* at the time of settling */
	uint32_t group;
};

/* Clients of the same issuer: accepted by the same endpoints. */
struct link_group {
	uint32_t issuer;
	uint32_t own;
	struct span clients; /* in by_group: valid ones first, then by time left */
	struct span lists;   /* in group_lists */
};

/* A list of acceptable CAs, shared by all endpoints that send the same. */
struct link_list {
	struct span names;     /* in list_names; sorted */
	struct span groups;    /* in list_groups */
	struct span endpoints; /* in by_list */
	uint64_t valid_count;
	uint64_t clients_count;
	/* Valid clients that last longest, of different certificates; or NONE. */
	uint32_t best;
	uint32_t second;
};

struct link_endpoint {
	char *uri; /* owned */
	uint32_t index;
	uint32_t list;     /* NONE where it names no CA */
	bool has_accepted; /* one that was presented to it: */
	uint8_t accepted[FINGERPRINT_BYTES];
};

struct links {
	struct link_text *texts;
	struct extent texts_extent;
	struct index texts_index;
	struct link_name *names;
	struct extent names_extent;
	struct index names_index;
	struct link_ca *cas;
	struct extent cas_extent;
	struct index cas_index;
	struct link_client *clients;
	struct extent clients_extent;
	struct index clients_index;
	struct link_group *groups;
	struct extent groups_extent;
	struct index groups_index;
	struct link_list *lists;
	struct extent lists_extent;
	struct index lists_index;
	struct link_endpoint *endpoints;
	struct extent endpoints_extent;
	struct index endpoints_index;
	/* Positions that spans are parts of. */
	uint32_t *list_names;
	struct extent list_names_extent;
	uint32_t *name_groups;
	uint32_t *list_groups;
	uint32_t *group_lists;
	uint32_t *by_group;
	uint32_t *by_list;
	uint32_t *scratch; /* names of the list being read */
	struct extent scratch_extent;
	/* Files and folders that configurations name as client certificates. */
	struct strings named;
	struct index named_index;
	/* Endpoints that took a certificate which was presented to them. */
	uint32_t *proven;
	struct extent proven_extent;
	uint64_t open_count;
	bool is_cut;
};

/* Room for one more: `items`, moved perhaps; NULL when memory is out. */
void *links_grown(void *items, struct extent *e, size_t size);

#endif
