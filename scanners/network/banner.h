/* Answers that are no TLS: telling them apart, and saying what they look like. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_BANNER_H
#define LEAFWATCH_SCANNERS_NETWORK_BANNER_H

#include "agent/base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* Can the first bytes of an answer not be a TLS record (RFC 8446 5.1)? False for no bytes. */
bool banner_is_not_tls(struct slice head);
/* The same of a DTLS record (RFC 6347 4.1, RFC 9147 4). */
bool banner_is_not_dtls(struct slice head);
/* A clean sentence on what they look like instead. */
void banner_describe(struct slice head, char *out, size_t size);

#endif
