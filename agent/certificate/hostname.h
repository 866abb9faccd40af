/* Does a certificate stand for a name (RFC 9525, RFC 6125)? Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_HOSTNAME_H
#define LEAFWATCH_CERTIFICATE_HOSTNAME_H

#include "agent/certificate/judge.h"

/* By the subjectAltName alone, unless `use_cn` lets a commonName stand in where that names no host.
 * A host may be an address (with a zone, in brackets), a DNS name in A-labels or U-labels, also with a final
 * dot. Malformed names match nothing. */
bool hostname_matches(
	const struct parsed_certificate *p, enum name_kind kind, const char *name, bool use_cn);

/* Does a wildcard in this DNS name of a certificate stand for a public suffix's every name? */
bool hostname_is_suffix_wildcard(struct slice pattern);

#endif
