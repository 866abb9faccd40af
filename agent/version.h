/* What this build is. Defined by the build, for main.c to hand on. */
#ifndef LEAFWATCH_AGENT_VERSION_H
#define LEAFWATCH_AGENT_VERSION_H

const char *version_text(void);     /* "0.1.0" */
const char *version_revision(void); /* commit, or "unknown" */

#endif
