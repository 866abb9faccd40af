/* Error names, texts and the sentence beside them. */
#include "agent/base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const texts[] = {
#define ERR_TEXT(name, text) [name] = text,
	ERR_LIST(ERR_TEXT)
#undef ERR_TEXT
};

const char *err_text(enum err e)
{
	if ((unsigned)e >= sizeof(texts) / sizeof(texts[0]))
		return "unknown error";
	return texts[e];
}

enum err why_fail(struct why *why, enum err e, const char *format, ...)
{
	va_list args;

	if (!why)
		return e;
	va_start(args, format);
	(void)vsnprintf(why->text, sizeof(why->text), format, args);
	va_end(args);
	return e;
}

const char *why_text(const struct why *why, enum err e)
{
	return why && why->text[0] ? why->text : err_text(e);
}
