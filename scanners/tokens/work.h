/* What main tells the token role: modules, what is wanted of them, PINs. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_WORK_H
#define LEAFWATCH_SCANNERS_TOKENS_WORK_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_WORK_BYTES_MAX (100 * 1024)
#define TOKEN_URIS_MAX 64
#define TOKEN_WRITABLE_MAX 64
#define TOKEN_TIMEOUT_MS_MIN 100
#define TOKEN_TIMEOUT_MS_MAX (10 * 60 * 1000)
#define TOKEN_STAMP_BYTES_MAX 128

/* A PIN, as its file holds it now. */
struct token_pin {
	char *text; /* owned; wiped. NULL: none */
	char *stamp; /* owned: what says that the file is another than the one whose PIN was refused */
	char *complaint; /* owned: why it could not be read, or NULL */
};

/* What is wanted: a URI, as written. */
struct token_wish {
	char *uri;
	struct token_pin pin; /* from its pin-source */
};

struct token_work {
	struct strings modules;    /* absolute paths */
	size_t named_modules;      /* so many of them, the first, by the job itself */
	struct token_wish *wishes; /* owned; none: all tokens */
	size_t wishes_count;
	struct token_pin pin; /* for tokens whose wish has none */
	struct strings writable;
	bool has_network;
	int64_t timeout_ms;        /* of one module, over all its tokens */
	uint32_t tokens_max;       /* of one module */
	uint32_t certificates_max; /* of one token */
	uint32_t certificate_bytes_max;
	uint32_t modules_max; /* of the job, while they are gathered; 0: the standard limit */
	char *complaint;      /* owned: why not all modules are known, or NULL */
	bool is_limited;      /* that is a limit */
};

void token_pin_fini(struct token_pin *p);
void token_work_fini(struct token_work *w);
void token_work_encode(struct buffer *out, const struct token_work *w);
enum err token_work_decode(struct slice bytes, struct token_work *out) MUST_CHECK;

/* What the role remembers from pass to pass, so that a PIN which a token refused is not given to it again,
 * and that what a broken module hides is known by name. Lines of two texts each. */
struct token_memory {
	struct strings refused_tokens; /* uris, and of the same number: */
	struct strings refused_stamps; /* of the PIN that was refused */
	struct strings modules;        /* paths, and of the same number: */
	struct strings tokens;         /* the uri of a token seen in it */
};
#define TOKEN_MEMORY_LINES_MAX 4096

void token_memory_fini(struct token_memory *m);
void token_memory_encode(struct buffer *out, const struct token_memory *m);
/* ERR_MALFORMED leaves {0}: nothing is remembered. */
enum err token_memory_decode(struct slice bytes, struct token_memory *out) MUST_CHECK;
bool token_memory_has_refused(const struct token_memory *m, const char *token, const char *stamp);

/* The place of what a module itself does: pkcs11:?module-path=… Owned, NULL when out of memory. */
char *token_module_place(const char *path);

#endif
