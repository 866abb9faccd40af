/* A revocation list to the facts of its record, by a cursor: no tree is built, whatever its size. */
#ifndef LEAFWATCH_CERTIFICATE_CRL_READ_H
#define LEAFWATCH_CERTIFICATE_CRL_READ_H

#include "agent/base/slice.h"
#include "agent/certificate/record.h"

#include <stdbool.h>

/* Do these bytes begin as a CertificateList does: up to thisUpdate (RFC 5280 5.1)? Cheap. */
bool crl_is_evident(struct slice bytes);

/* Reads one list at the start of `bytes`; `*trailing` (may be NULL) counts the bytes behind it.
 * ERR_MALFORMED with a sentence in `why`. Whether its signature holds is not asked here. */
enum err crl_read(
	struct slice bytes, struct crl_record *out, size_t *trailing, struct why *why) MUST_CHECK;

#endif
