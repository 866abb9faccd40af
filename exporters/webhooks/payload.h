/* What the services' bodies have in common: sentences, cuts, JSON out of cJSON. */
#ifndef LEAFWATCH_EXPORTERS_WEBHOOKS_PAYLOAD_H
#define LEAFWATCH_EXPORTERS_WEBHOOKS_PAYLOAD_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "exporters/notification.h"

#include <cjson/cJSON.h>
#include <stddef.h>

struct payload_counts {
	size_t firing;
	size_t resolved;
	size_t tests;
	enum alert_severity worst; /* of what fires */
	size_t as_bad;             /* how many of them are of that severity */
};
struct payload_counts payload_count(const struct notification *n);

/* "2 certificate alerts on web01, 1 resolved": nothing in it comes from a certificate. */
void payload_title(const struct notification *n, struct buffer *out);

/* How each character is written; NULL = itself. Returns the replacement of one byte, or NULL. */
typedef const char *payload_escape_fn(char c);

/* Appends `text`, escaped, at most `max` bytes of output: cut between characters and escapes, never
 * within one, and then marked with an ellipsis (which is counted). */
void payload_cut(struct buffer *out, const char *text, size_t max, payload_escape_fn *escape);

/* Appends the JSON text of `root` and deletes it. `root` NULL = ERR_MEMORY. */
enum err payload_print(cJSON *root, struct buffer *out) MUST_CHECK;

#endif
