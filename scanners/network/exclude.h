/* What is never to be connected to, whoever names it. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_EXCLUDE_H
#define LEAFWATCH_SCANNERS_NETWORK_EXCLUDE_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "scanners/network/dns.h"

#include <stdbool.h>
#include <stdint.h>

#define EXCLUSIONS_MAX 1000
#define EXCLUSION_BYTES_MAX 256

struct exclusions;

/* A rule is a name, "*.suffix", an address or a network, each with ":port,port" or without (v6 in brackets
 * then), or ":port,port" alone. ERR_USAGE with a sentence that names it. */
enum err exclusion_check(const char *text, struct why *why) MUST_CHECK;
enum err exclusions_new(
	const struct strings *rules, struct exclusions **out, struct why *why) MUST_CHECK;
void exclusions_free(struct exclusions *x);
/* `host` is a name or a numeric address. NULL as exclusions excludes nothing. */
bool exclusions_cover(const struct exclusions *x, const char *host, uint16_t port);
bool exclusions_cover_address(const struct exclusions *x, const union address *a);

#endif
