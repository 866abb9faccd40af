/* What metrics keep of certificates, endpoints and revocation lists between reading the view and writing the lines:
 * sorted by place, no place twice, so that no series can be there twice. */
#ifndef LEAFWATCH_EXPORTERS_PROMETHEUS_PLACES_H
#define LEAFWATCH_EXPORTERS_PROMETHEUS_PLACES_H

#include "exporters/exporter.h"
#include "exporters/prometheus/exposition.h"

/* Texts lie in one buffer; an offset survives its growing. */
struct piece {
	size_t at;
	size_t size;
};

struct place {
	struct piece uri;    /* NUL-terminated */
	struct piece labels; /* of a certificate: subject_cn="..."; of a crl: issuer_cn="..." */
	struct piece info;   /* of a certificate: the labels of its info series but the location */
	uint32_t index;
	bool has_sibling; /* another index at the same uri */
	union {
		struct {
			int64_t not_before;
			int64_t not_after;
			int64_t renewal_due;
			int64_t chain_expires;
			uint32_t problems;
			bool is_client;
			uint64_t accepting; /* endpoints */
		} certificate;
		struct {
			bool is_up;
			enum client_certificate mode;
			size_t acceptable_cas;
			uint32_t duration_ms;
			/* What it asked for over time; TIME_UNKNOWN for never. */
			bool is_weakened;
			bool has_list;
			uint64_t list_hash;
			int64_t mode_changed;
			int64_t list_changed;
			/* What this host has for it; -1 where nobody can tell. */
			int64_t matches;
			int64_t ca_expires;
		} endpoint;
		struct {
			int64_t next_update;
		} crl;
	};
};

struct places {
	struct place *items; /* owned */
	size_t count;
	size_t capacity;
	size_t count_max;
	struct buffer texts;
};

void places_init(struct places *p, size_t count_max);
void places_fini(struct places *p);
/* A zeroed place with its uri; NULL when full or out of memory (places_status tells: ERR_OK = full). */
struct place *places_add(struct places *p, const char *uri, uint32_t index);
enum err places_status(const struct places *p) MUST_CHECK;
/* Sorts by uri and index, drops what is there twice (the first added stays), marks siblings. */
void places_settle(struct places *p);
/* The place at `uri`, after places_settle; NULL for none. */
struct place *places_find(struct places *p, const char *uri);
const char *places_uri(const struct places *p, const struct place *place);
struct slice places_text(const struct places *p, struct piece piece);
/* location="..." of a place, cut but never to the same text as another place's. */
void places_location(const struct places *p, const struct place *place, struct buffer *out);

#endif
