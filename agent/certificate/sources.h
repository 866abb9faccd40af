/* Where a certificate says its issuer can be asked. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_SOURCES_H
#define LEAFWATCH_CERTIFICATE_SOURCES_H

#include "agent/base/slice.h"
#include "agent/base/strings.h"

#include <stdbool.h>

/* Adds the URIs of a CRLDistributionPoints or FreshestCRL extension (RFC 5280 4.2.1.13) that name whole
 * points; `*is_cut` where there are more than RECORD_URLS_MAX or one is too long. */
enum err sources_of_crl(struct slice value, struct strings *urls, bool *is_cut) MUST_CHECK;
/* The same for AuthorityInfoAccess (RFC 5280 4.2.2.1). */
enum err sources_of_access(
	struct slice value, struct strings *ocsp, struct strings *issuers, bool *is_cut) MUST_CHECK;

#endif
