/* PINs that tokens refused: a wrong one that is given again and again locks its token. */
#include "agent/inventory_internal.h"

#include <stdlib.h>

#define KEY_PREFIX "refused-pin "
#define KEY_BYTES_MAX (16 * 1024)

static enum err name_key(const char *key, char **out)
{
	struct buffer name;

	buffer_init(&name, KEY_BYTES_MAX);
	buffer_text(&name, KEY_PREFIX);
	buffer_text(&name, key);
	*out = buffer_take_string(&name);
	return *out ? ERR_OK : ERR_MEMORY;
}

enum err inventory_refused_pin(struct inventory *i, const char *key, int64_t *out, struct why *why)
{
	sqlite3_stmt *get;
	bool is_row = false;
	char *name = NULL;
	enum err e = name_key(key, &name);

	if (e == ERR_OK)
		e = inventory_statement(i, META_GET, &get, why);
	if (e == ERR_OK) {
		inventory_bind_text(get, 1, name);
		e = inventory_step(i, get, &is_row, why);
	}
	if (e == ERR_OK) {
		*out = is_row ? sqlite3_column_int64(get, 0) : 0;
		(void)sqlite3_reset(get);
		(void)sqlite3_clear_bindings(get);
	}
	free(name);
	return e;
}

enum err inventory_refused_pin_set(
	struct inventory *i, const char *key, int64_t pin, struct why *why)
{
	sqlite3_stmt *set;
	char *name = NULL;
	enum err e = name_key(key, &name);

	if (e == ERR_OK)
		e = inventory_statement(i, META_SET, &set, why);
	if (e == ERR_OK) {
		inventory_bind_text(set, 1, name);
		(void)sqlite3_bind_int64(set, 2, pin);
		e = inventory_run(i, set, NULL, why);
		(void)sqlite3_clear_bindings(set);
	}
	free(name);
	return e;
}
