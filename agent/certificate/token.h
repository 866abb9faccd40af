/* PKCS#11 modules: their tokens, and the certificates on them (PKCS #11 2.40, RFC 7512). A module is foreign
 * code that runs inside these calls: it may hang or crash, so only a process that may die calls them. */
#ifndef LEAFWATCH_CERTIFICATE_TOKEN_H
#define LEAFWATCH_CERTIFICATE_TOKEN_H

#include "agent/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a token's URI; those of its objects are the same with further attributes after a semicolon. */
#define TOKEN_URI_SCHEME "pkcs11:"
/* Standard limits: modules of one job, tokens of one module, certificates of one token and the bytes of each; and
 * what no configuration allows more of. */
#define TOKEN_MODULES_MAX 64
#define TOKEN_MODULES_CEILING 1000
#define TOKENS_MAX 256
#define TOKEN_OBJECTS_MAX 1000
#define TOKENS_CEILING 4096
#define TOKEN_OBJECTS_CEILING 10000
#define TOKEN_PIN_BYTES_MAX 255
#define TOKEN_DER_BYTES_MAX (256 * 1024)
#define TOKEN_DER_BYTES_CEILING (448 * 1024) /* that goes in a frame with what is said of it */

/* Other programs use tokens too: while one of them logs in, SoftHSM's may be missing, show nothing, or say that it has
 * no user. What is missing is therefore looked for again, after a pause; a refused PIN is never given again. */
#define TOKEN_TRIES_MAX 3
#define TOKEN_PAUSE_MS 200

struct token {
	char *uri;     /* owned; pkcs11:model=…;manufacturer=…;serial=…;token=… */
	char *library; /* owned; the same with what names the library */
	bool is_initialized;
	bool is_trust_store; /* p11-kit takes it for one */
	bool needs_login;    /* CKF_LOGIN_REQUIRED: it shows more, or may, to who knows the PIN */
	bool has_pin;        /* the user's PIN has been set */
	bool has_keypad;     /* the PIN is typed at the token itself */
	bool is_final_try;   /* one more wrong PIN locks it */
	bool is_locked;
};

struct token_object {
	char *uri;     /* owned; the token's, and id and object */
	char *label;   /* owned, or NULL */
	char *id;      /* owned; hex, or NULL */
	char *key_uri; /* owned; of the private key of the same id, as far as one shows; or NULL */
	uint8_t *der;  /* owned */
	size_t der_size;
	bool is_trusted; /* CKA_TRUSTED */
};

struct token_objects {
	struct token_object *items; /* owned */
	size_t count;
	size_t skipped;   /* certificates without a value ... */
	size_t too_large; /* ... and of more bytes than were asked for */
	bool is_cut;      /* there are more than were asked for */
};

/* Loads a module (and unloads it). One at a time in a process. ERR_NOT_FOUND, or ERR_UNSUPPORTED with what it said. */
enum err token_module_load(const char *path, struct why *why) MUST_CHECK;
void token_module_unload(void);

/* The token in the n-th slot that holds one. ERR_END after the last. */
enum err token_at(unsigned n, struct token *out, struct why *why) MUST_CHECK;
void token_fini(struct token *t);

/* The certificates of a token, at most `max` of at most `bytes_max` each: without `pin` (NULL) those it shows to
 * everybody. A PIN is given no more once it was refused: ERR_PASSWORD, ERR_DENIED when it is or was locked. */
enum err token_read(const struct token *t, const char *pin, size_t max, size_t bytes_max,
	struct token_objects *out, struct why *why) MUST_CHECK;
void token_objects_fini(struct token_objects *o);

#endif
