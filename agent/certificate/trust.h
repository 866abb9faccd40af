/* Trust stores: sets of anchors with a name. */
#ifndef LEAFWATCH_CERTIFICATE_TRUST_H
#define LEAFWATCH_CERTIFICATE_TRUST_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"

#include <stdbool.h>

#define TRUST_BYTES_MAX (16 * 1024 * 1024)
#define TRUST_STORES_MAX 64
#define TRUST_ALL_STORES UINT64_MAX

struct trust; /* anchors, ready to verify against */

enum err trust_new(struct trust **out) MUST_CHECK;
void trust_free(struct trust *t);
/* Adds a store: all certificates of a PEM bundle or of one DER file. Unreadable ones are skipped and counted.
 * `is_system`: its anchors are public roots. */
enum err trust_add(struct trust *t, const char *name, bool is_system, struct slice bytes,
	size_t *added, size_t *skipped, struct why *why) MUST_CHECK;
/* Distrusts all certificates of the bytes in the store of that name, which was added before, whatever it
 * holds itself. */
enum err trust_distrust(
	struct trust *t, const char *name, struct slice bytes, struct why *why) MUST_CHECK;
/* How many were added, and their names; borrowed from `t`. */
size_t trust_stores(const struct trust *t);
const char *trust_store_name(const struct trust *t, size_t store);
bool trust_is_empty(const struct trust *t, size_t store);
/* Name of the store that holds this very certificate, or NULL; borrowed from `t`. */
const char *trust_holds(const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES]);

/* The DER of the anchor with this fingerprint, empty where there is none; borrowed from `t`. */
struct slice trust_der(const struct trust *t, const uint8_t fingerprint[FINGERPRINT_BYTES]);

/* main's half, which parses nothing: appends the file's bytes (or all files of the folder) as they are.
 * trust_system_path: the first of the known bundle paths that exists, or NULL. */
enum err trust_read(const char *path, struct buffer *out, struct why *why) MUST_CHECK;
const char *trust_system_path(void);
/* Appends what the folders of p11-kit's trust sources say of that bundle's CAs; and what lies in those for what
 * is distrusted. Folders that are not there add nothing. */
enum err trust_read_attributes(struct buffer *out, struct why *why) MUST_CHECK;
enum err trust_read_distrusted(struct buffer *out, struct why *why) MUST_CHECK;

#endif
