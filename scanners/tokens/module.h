/* One module, looked at in a process of its own, and what that tells the token role. */
#ifndef LEAFWATCH_SCANNERS_TOKENS_MODULE_H
#define LEAFWATCH_SCANNERS_TOKENS_MODULE_H

#include "agent/certificate/record.h"
#include "agent/certificate/token.h"
#include "agent/process/channel.h"
#include "scanners/tokens/uri.h"
#include "scanners/tokens/work.h"

#include <stddef.h>

/* Its frames, in order; texts and bytes as agent/base/wire.h has them. */
enum module_message {
	MODULE_TOKEN = 1,   /* uri of a token that is looked at, from here on */
	MODULE_WISH,        /* u32: that wish is met */
	MODULE_PROBLEM,     /* uri, u8 enum reason, message */
	MODULE_REFUSED,     /* uri of a token, stamp of the PIN that it refused */
	MODULE_CERTIFICATE, /* struct token_certificate, of the last token */
	MODULE_TOKEN_END,   /* all of the token has been told */
	MODULE_END,         /* all of the module has been told */
};

struct module_look {
	const char *path;               /* of the module */
	const struct token_work *work;  /* borrowed */
	const struct token_uri *wishes; /* borrowed: work->wishes, taken apart */
	bool is_named;                  /* the job names the module itself */
	const struct token_memory *memory;
	struct channel *to; /* where it tells */
};

/* Loads the module and tells what is wanted of its tokens. The module may never return from it. */
enum err module_look(const struct module_look *m) MUST_CHECK;

/* Tells that the module is not loaded, and why. */
enum err module_refuse(const char *path, struct channel *to, const struct why *why) MUST_CHECK;

/* May the token not be given a PIN? Then the reason and the sentence. `is_refused`: it has refused this very PIN. */
bool token_pin_is_barred(const struct token *t, bool has_pin, bool is_refused, enum reason *reason,
	const char **text);

#endif
