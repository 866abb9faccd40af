/* The scanner that asks issuers what became of their certificates. */
#ifndef LEAFWATCH_SCANNERS_REVOCATION_REVOCATION_H
#define LEAFWATCH_SCANNERS_REVOCATION_REVOCATION_H

#include "agent/certificate/judge.h"
#include "scanners/scanner.h"

#include <stdbool.h>
#include <stdint.h>

#define REVOCATION_SCANNER "revocation"

/* The words of enum revocation_mode. */
extern const char *const revocation_mode_words[];

/* The section `revocation:`. */
struct revocation_conf {
	struct scan_job job;
	int mode;
	bool crl;
	bool ocsp;
	bool ca_issuers;
	int64_t timeout_ms;
	char *proxy; /* NULL = the environment's */
};

extern const struct scanner revocation_scanner;

#endif
