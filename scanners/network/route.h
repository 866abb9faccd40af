/* Whether a target is reached directly or through a proxy. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_ROUTE_H
#define LEAFWATCH_SCANNERS_NETWORK_ROUTE_H

#include "agent/base/err.h"
#include "agent/config/schema.h"
#include "scanners/network/item.h"
#include "scanners/network/proxy.h"

/* ---- in main: what the probe is told ----------------------------------------------------------- */

/* A proxy's URL, or "none". */
enum err route_check(const char *url, struct why *why) MUST_CHECK;
/* The proxies of the options, from the configuration or, where it has none, the environment: https_proxy for
 * TLS from the first byte, all_proxy for all, no_proxy for neither, and nothing on loopback. */
enum err route_choose(const struct secret *configured, const struct strings *no_proxy,
	struct probe_options *out, struct why *why) MUST_CHECK;

/* ---- in the probe ------------------------------------------------------------------------------ */

struct routes;
enum err routes_new(
	const struct probe_options *options, struct routes **out, struct why *why) MUST_CHECK;
void routes_free(struct routes *r);
/* NULL: directly. */
const struct proxy *routes_for(const struct routes *r, const struct target *t);

#endif
