/* The question that a web server is asked. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_HTTP_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_HTTP_H

#include "scanners/network/protocol.h"

/* {host} is the authority, with the port where it is not 443 (RFC 9110 4.2.2). */
extern const struct question http_question;

/* Is this a port where HTTP is spoken over TLS, though the server said nothing of it? */
bool http_is_likely(uint16_t port);

#endif
