/* The PKCS#11 modules of this host, as p11-kit's configuration names them (pkcs11.conf(5)). */
#ifndef LEAFWATCH_SCANNERS_TOKENS_MODULES_H
#define LEAFWATCH_SCANNERS_TOKENS_MODULES_H

#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/certificate/token.h"

#include <stddef.h>

#define TOKEN_MODULE_BYTES_MAX 4096

/* Folders of *.module files; one in an earlier folder hides those of its name in later ones. Each may be
 * missing. */
extern const char *const token_module_folders[];
extern const size_t token_module_folders_count;
/* Where a module lies that is named without a path. */
extern const char *const token_library_folders[];
extern const size_t token_library_folders_count;

/* The absolute paths of the modules that the folders name, each once, without trust stores (trust-policy),
 * those that run elsewhere (remote), and those that are switched off for all but some programs. Of a
 * module that is not there the path is given nonetheless. ERR_DENIED or ERR_IO where a file or folder that is
 * there cannot be read: what the others name is in `out` all the same. */
enum err token_modules_find(
	const char *const *folders, size_t count, struct strings *out, struct why *why) MUST_CHECK;

#endif
