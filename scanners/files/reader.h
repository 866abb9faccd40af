/* The reader's role. */
#ifndef LEAFWATCH_SCANNERS_FILES_READER_H
#define LEAFWATCH_SCANNERS_FILES_READER_H

#include "agent/process/role.h"

/* One pass: SETUP (struct files_options), MEMORY* (see seen.h), WORK* (struct root_item), FINISH. */
extern const struct role reader_role;

#endif
