/* Where PKCS#11 modules keep what they must write to be used at all. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_STORES_H
#define LEAFWATCH_SCANNERS_TOKENS_STORES_H

#include "agent/base/err.h"
#include "agent/base/strings.h"

/* Devices of TPMs, smart card readers and their daemons' sockets, the stores of the modules in Debian, and where
 * SOFTHSM2_CONF and TPM2_PKCS11_STORE say that they are. What is not there does no harm. */
enum err token_stores_add(struct strings *out) MUST_CHECK;
/* The value of directories.tokendir in the text of a softhsm2.conf(5); empty where it says none. */
struct slice token_stores_softhsm(struct slice text);

#endif
