/* From what is configured to what the token role is told. Runs in main; holds PINs. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_GATHER_H
#define LEAFWATCH_SCANNERS_TOKENS_GATHER_H

#include "scanners/tokens/work.h"

/* The file that a URI's pin-source names; NULL where it has none. */
enum err token_pin_file_of(const char *uri, char **out, struct why *why) MUST_CHECK;
enum err token_pin_read(const char *file, struct token_pin *out, struct why *why) MUST_CHECK;
/* A PIN that cannot be read is a problem of the token, not the end of the pass: its complaint. */
enum err token_pin_take(const char *file, struct token_pin *out) MUST_CHECK;

enum err token_add_module(struct token_work *w, const char *path) MUST_CHECK;
/* With its PIN and the module that it names. There must be room among the wishes. */
enum err token_add_wish(struct token_work *w, const char *uri) MUST_CHECK;
/* The modules of p11-kit's configuration. */
enum err token_add_discovered(struct token_work *w) MUST_CHECK;

#endif
