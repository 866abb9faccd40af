/* What the parts of the comparison of keys and certificates share. */
#ifndef LEAFWATCH_AGENT_PRIVATE_KEYS_INTERNAL_H
#define LEAFWATCH_AGENT_PRIVATE_KEYS_INTERNAL_H

#include "agent/inventory.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct held_key {
	char *uri;   /* owned, as the next */
	char *alias; /* or NULL */
	struct key_record facts;
	char *sentence; /* owned: who can read it; NULL where nobody else can */
	int reader;     /* who can read it: found once, a look at each folder above it */
	bool is_sample; /* as of a certificate; found once too */
};

struct held_certificate {
	char *uri;     /* owned, as the next three */
	char *alias;   /* or NULL */
	char *subject; /* RFC 4514 */
	char *algorithm;
	struct strings names;
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint8_t spki[FINGERPRINT_BYTES];
	int64_t row; /* of its sighting */
	uint32_t index;
	bool is_ca;
	bool is_served;
	bool is_sample;         /* lies among examples and tests, or came with a package */
	bool has_key;           /* one of the keys is its own */
	int64_t notes_id;       /* in the inventory */
	struct key_notes notes; /* their texts belong to the holdings */
};

/* A line of a configuration that names a certificate, or a key. */
struct held_reference {
	char *config; /* owned: uri */
	char *file;   /* owned: uri */
	char *directive;
	uint32_t line;
	uint64_t server; /* hash of its names and ports */
	bool is_key;
	bool is_client;
};

/* Everything by uri, then by index or line. */
struct holdings {
	size_t sharers_max;  /* certificates of one key that are compared with one another ... */
	size_t sharers_left; /* ... and that were left out */
	struct held_key *keys;
	size_t keys_count;
	struct held_certificate *certificates;
	size_t certificates_count;
	struct held_reference *references;
	size_t references_count;
	struct strings sentences; /* of notes */
};

/* Does the place keep what is no secret of this host: packages' files, tests, examples? */
bool private_keys_is_sample(const char *uri);
/* The part of a uri that a reader wants to see: the path of a file, percent-encoded. */
const char *private_keys_shown(const char *uri);

/* The first key or certificate at the place; NULL: there is none. Those that follow have the same uri. */
struct held_key *held_keys_at(const struct holdings *h, const char *uri, size_t *count);
struct held_certificate *held_certificates_at(
	const struct holdings *h, const char *uri, size_t *count);
/* The position of the first certificate whose uri is not before this one. */
size_t held_certificates_from(const struct holdings *h, const char *uri);
/* Adds a note whose texts live as long as the holdings. */
enum err held_note(
	struct held_certificate *c, enum problem problem, char *uri, char *sentence) MUST_CHECK;
/* Adds one with a sentence of its own. */
enum err held_note_copy(struct holdings *h, struct held_certificate *c, enum problem problem,
	char *uri, const char *sentence) MUST_CHECK;
/* Of those at one place, the one that a key would belong to: the first that is no CA. */
struct held_certificate *held_leaf(struct held_certificate *first, size_t count);
/* Is it surely not its key? */
bool held_mismatch(const struct held_key *k, const struct held_certificate *c);

/* The ways in which a key is beside a certificate: in the same place, named by the same configuration, named
 * alike. Each adds its notes. */
enum err private_keys_same_place(struct holdings *h) MUST_CHECK;
enum err private_keys_configured(struct holdings *h) MUST_CHECK;
enum err private_keys_named_alike(struct holdings *h) MUST_CHECK;
/* "server" of "server-key.pem" and "server.crt", "" of "privkey.pem" and "fullchain.pem"; owned. False where the
 * name is not that of a key (of a certificate). */
bool private_keys_stem(const char *uri, bool is_key, char **stem);

/* Fills in who can read each key. */
void private_keys_find_readers(struct holdings *h);
/* Who can read the keys, and who shares them. */
enum err private_keys_readers(struct holdings *h) MUST_CHECK;
enum err private_keys_sharers(struct holdings *h) MUST_CHECK;

#endif
