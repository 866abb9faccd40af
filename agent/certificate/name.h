/* Names and alternative names as text. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_NAME_H
#define LEAFWATCH_CERTIFICATE_NAME_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"

#include <stdbool.h>

/* What a Name says; owned by the caller. */
struct name_text {
	char *text;  /* RFC 4514, at most RECORD_TEXT_BYTES_MAX bytes */
	char *cn;    /* the most specific commonName, escaped as text_escape does, or NULL */
	bool is_cut; /* a ceiling was reached: something is not shown */
};
/* Reads a DER Name. ERR_MALFORMED when it is none at all; odd parts are shown as "#hex". */
enum err name_read(struct slice der_name, struct name_text *out) MUST_CHECK;

struct alternatives {
	struct strings *names; /* borrowed: added to */
	size_t seen;           /* names there are, those over the ceilings too */
	bool is_cut;           /* a ceiling was reached */
};
/* Adds the GeneralNames of a subjectAltName extension (the content of its OCTET STRING) as "dns:",
 * "ip:", "email:", "uri:" and "other:" texts. */
enum err name_alternatives(struct slice extension, struct alternatives *out) MUST_CHECK;

#endif
