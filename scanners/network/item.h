/* What the network scanners' planning half tells the probe: options of a pass, and one target each. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_ITEM_H
#define LEAFWATCH_SCANNERS_NETWORK_ITEM_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"
#include "scanners/network/discovery.h"
#include "scanners/network/identity.h"
#include "scanners/network/protocol.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>

#define PROBE_TIMEOUT_MS_MIN 100
#define PROBE_TIMEOUT_MS_MAX (10 * 60 * 1000)
#define PROBE_CONCURRENCY_MAX 20000
#define PROBE_RATE_MAX 1000000
/* The usual limit for one address; without a limit on loopback. */
#define PROBE_PER_ADDRESS 8
#define PROBE_DNS_TIMEOUT_MS 5000
#define PROBE_HTTP_PATH_BYTES_MAX 2048

struct probe_options {
	char *scanner;        /* owned: the scanner that records name */
	int64_t timeout_ms;   /* of one target, over everything */
	uint32_t concurrency; /* targets under way at once in one process */
	bool is_paced;        /* there is a rate: main is asked before each connection */
	uint32_t
		per_address; /* connections at once to one address over all processes; 0: the usual */
	uint32_t per_address_rate; /* and begun in a second; 0: any number */
	int64_t dns_timeout_ms;
	struct strings resolvers;  /* owned: name servers; empty: those of resolv.conf */
	struct strings exclusions; /* owned */
	char *proxy_tls;           /* owned: URL for TLS from the first byte, or NULL */
	char *proxy_other;         /* owned: for what begins with a dialogue, or NULL */
	bool is_proxy_meant;       /* the user named it: nothing goes around it */
	bool is_direct;            /* no_proxy is "*" */
	struct strings no_proxy;   /* owned: rules as those of exclusions */
	char *http_path;           /* owned: what HTTP servers are asked for; NULL = nothing */
	bool is_certificates_only;
	struct identities identities;   /* owned */
	struct discoveries discoveries; /* owned */
};

void probe_options_encode(struct buffer *out, const struct probe_options *o);
/* Values outside the bounds above are ERR_MALFORMED. */
enum err probe_options_decode(struct slice bytes, struct probe_options *out) MUST_CHECK;
void probe_options_fini(struct probe_options *o);

enum complaint { COMPLAINT_MALFORMED, COMPLAINT_DENIED, COMPLAINT_LIMIT, COMPLAINT_COUNT };
enum reason complaint_reason(enum complaint kind);

struct target {
	char *name; /* owned: the name to ask for (SNI), or NULL: `host`, where it is a name */
	char *host; /* owned: a DNS name, or a numeric address without brackets */
	uint16_t port;
	const struct protocol *protocol; /* NULL: "tls" */
	bool is_unnamed; /* found by sweeping: nobody said that the certificate covers the address */
	bool is_quiet;   /* no TLS, no connection or no answer is no problem, only told */
	struct process process; /* owned: who listens there, where that is known */
	/* Not a target but a client certificate of ours to tell of, by its place among the identities, from 1
	 * on; `host` is its uri. */
	uint16_t own;
	/* Not a target but a list of them to fetch, by its place among the discoveries, from 1 on; `host` is
	 * where problems with it are told. */
	uint16_t discovery;
	/* One of this host that is asked for a name that a certificate or a configuration suggests: what it
	 * shows who asks for none is told again only where a configuration says that it serves the name. */
	bool is_suggested;
	bool is_configured;
	bool is_listed; /* a UDP socket of this host: told, and not talked to */
	uint8_t usual_leaf[FINGERPRINT_BYTES]; /* of one that is_suggested */
	/* Not a target at all but a complaint to pass on: why it cannot be probed, or NULL. */
	char *complaint;
	enum complaint complaint_kind;
};

/* Never NULL. */
const struct protocol *target_protocol(const struct target *t);
void target_fini(struct target *t);
/* "tls://host:port", "smtp://name@host:port", v6 in brackets; "udp://host:port" of one that is only listed. */
void target_uri(struct buffer *out, const struct target *t);
void target_encode(struct buffer *out, const struct target *t);
enum err target_decode(struct slice bytes, struct target *out) MUST_CHECK;

/* Place and encoded target; on failure nothing is left to free. */
enum err target_item(const struct target *t, struct scan_item *out) MUST_CHECK;

#endif
