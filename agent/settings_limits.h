/* The section `limits` of the configuration. */
#ifndef LEAFWATCH_AGENT_SETTINGS_LIMITS_H
#define LEAFWATCH_AGENT_SETTINGS_LIMITS_H

#include "agent/config/schema.h"

/* Of a struct format_limits. */
extern const struct schema_field settings_limit_fields[];

#endif
