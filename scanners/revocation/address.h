/* Addresses that nothing in a certificate may lead to. */
#ifndef LEAFWATCH_SCANNERS_REVOCATION_ADDRESS_H
#define LEAFWATCH_SCANNERS_REVOCATION_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

/* Link-local, multicast, unspecified, and those where clouds serve credentials to whoever asks. */
bool address_is_forbidden(const struct sockaddr *address);

#endif
