/* The question that a web server is asked. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_HTTP_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_HTTP_H

#include "scanners/network/protocol.h"

extern const struct question http_question;

#endif
