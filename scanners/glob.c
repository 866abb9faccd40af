/* Patterns of paths to leave out. */
#include "scanners/glob.h"

#include <string.h>

/* Where to go on when the text does not match: the pattern after a star, and how far it has eaten. */
struct retry {
	const char *pattern;
	const char *text;
};

static bool one_matches(const char **pattern, char c)
{
	const char *p = *pattern;

	if (*p == 0 || c == 0)
		return false;
	if (*p == '\\' && p[1])
		p++;
	else if (*p == '?' && c != '/') {
		*pattern = p + 1;
		return true;
	}
	if (*p != c)
		return false;
	*pattern = p + 1;
	return true;
}

/* Lets a star eat one byte more. Only the last star of each kind needs trying again: an earlier one
 * that ate more could not reach anything that the later one cannot. */
static bool step_back(struct retry *star, struct retry *deep, const char **p, const char **t)
{
	if (star->pattern && *star->text && *star->text != '/') {
		*p = star->pattern;
		*t = ++star->text;
		return true;
	}
	if (deep->pattern && *deep->text) {
		*p = deep->pattern;
		*t = ++deep->text;
		star->pattern = NULL;
		return true;
	}
	return false;
}

bool glob_matches(const char *pattern, const char *text)
{
	struct retry star = { NULL, NULL };
	struct retry deep = { NULL, NULL };

	for (;;) {
		if (pattern[0] == '*' && pattern[1] == '*') {
			pattern += 2;
			deep = (struct retry){ pattern, text };
			star.pattern = NULL;
		} else if (pattern[0] == '*') {
			pattern++;
			star = (struct retry){ pattern, text };
		} else if (*pattern == 0 && *text == 0) {
			return true;
		} else if (one_matches(&pattern, *text)) {
			text++;
		} else if (!step_back(&star, &deep, &pattern, &text)) {
			return false;
		}
	}
}

bool glob_selects(const struct strings *patterns, const char *path, const char *name)
{
	for (size_t i = 0; i < patterns->count; i++) {
		const char *p = patterns->items[i];

		if (glob_matches(p, strchr(p, '/') ? path : name))
			return true;
	}
	return false;
}
