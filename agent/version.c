/* What this build is. */
#include "agent/version.h"

const char *version_text(void)
{
	return LEAFWATCH_VERSION;
}

const char *version_revision(void)
{
	return LEAFWATCH_REVISION;
}
