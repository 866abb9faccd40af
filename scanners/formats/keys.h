/* Private keys that formats come upon: read, told as records, wiped. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_KEYS_H
#define LEAFWATCH_SCANNERS_FORMATS_KEYS_H

#include "agent/certificate/private_key.h"
#include "scanners/formats/format.h"
#include "scanners/formats/pbe_kdf.h"

/* Keys read of one file; what is behind them is not. */
#define KEYS_MAX 1000

/* Starts as { .in, .sink, .budget }. */
struct keys {
	const struct format_input *in;
	const struct format_sink *sink;
	struct pbe_budget budget; /* of all passwords on all keys */
	const char *likely;       /* the password that opened the container, or NULL */
	const char *alias;        /* of the key that comes next, or NULL */
	size_t count;
};

/* Each reads one key and tells it; one that no password opens is told too, as locked, and is no problem: its
 * certificate lies elsewhere. ERR_NOT_FOUND: it is no key. All else is the sink's.
 * keys_take: DER of any form. `is_encrypted`: the container around it is. */
enum err keys_take(struct keys *k, struct slice der, bool is_encrypted) MUST_CHECK;
/* A PEM block, from BEGIN to END, that OpenSSL's own way encrypts ("Proc-Type: 4,ENCRYPTED"). */
enum err keys_take_openssl(struct keys *k, struct slice pem) MUST_CHECK;
/* A key that is there, but cannot be opened. */
enum err keys_take_locked(struct keys *k) MUST_CHECK;

#endif
