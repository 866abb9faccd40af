/* The scanner that asks issuers what became of their certificates. */
#ifndef LEAFWATCH_SCANNERS_REVOCATION_REVOCATION_H
#define LEAFWATCH_SCANNERS_REVOCATION_REVOCATION_H

#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>

#define REVOCATION_SCANNER "revocation"

/* `mode`: nobody is asked; what cannot be learnt is said; it breaks what is served. */
enum revocation_asking { REVOCATION_ASK_OFF, REVOCATION_ASK_SOFT, REVOCATION_ASK_HARD };

/* The section `revocation:`. */
struct revocation_conf {
	struct scan_job job;
	int mode; /* enum revocation_asking */
	bool crl;
	bool ocsp;
	bool aia;
	int64_t timeout_ms;
	char *proxy; /* NULL = the environment's */
};

extern const struct scanner revocation_scanner;

#endif
