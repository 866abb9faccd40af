/* How the database came to its layout. */
#ifndef LEAFWATCH_AGENT_STORE_MIGRATIONS_H
#define LEAFWATCH_AGENT_STORE_MIGRATIONS_H

#include <stddef.h>

/* SQL: step n takes a database of version n to n + 1. */
extern const char *const store_migrations[];
extern const size_t store_migrations_count;

#endif
