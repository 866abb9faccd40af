/* What the files of the schema share. */
#ifndef LEAFWATCH_CONFIG_SCHEMA_INTERNAL_H
#define LEAFWATCH_CONFIG_SCHEMA_INTERNAL_H

#include "agent/config/schema.h"

/* The twin of a secret's key: NAME_file. */
#define SCHEMA_TWIN "_file"
#define SCHEMA_KEY_BYTES_MAX 128

/* Reads one scalar or list into the field at `at`; `n` is not null. Sections are not values. */
enum err schema_value(
	const struct schema_field *f, const struct node *n, void *at, struct why *why) MUST_CHECK;
/* "NAME must be WHAT, not a map" when `n` is not of that kind. */
enum err schema_expect(const struct schema_field *f, const struct node *n, enum node_kind kind,
	struct why *why) MUST_CHECK;
/* The value of "NAME_file". */
enum err schema_secret_file(
	const char *key, const struct node *n, struct secret *to, struct why *why) MUST_CHECK;
/* What a value of the field is, for sentences: "a duration like 90s, 15m, 1h or 30d". */
const char *schema_wanted(const struct schema_field *f);

/* In the notation of the file, exactly: "1h30m", "64KiB". */
void schema_put_duration(struct buffer *out, int64_t ms);
void schema_put_size(struct buffer *out, uint64_t bytes);
/* A number of an INTEGER, DURATION or SIZE in that field's notation. */
void schema_put_number(const struct schema_field *f, int64_t number, struct buffer *out);
bool schema_in_range(const struct schema_field *f, int64_t number);
/* "from 1 to 65535", "at least 1s"; nothing for an unbounded field. */
void schema_put_range(const struct schema_field *f, struct buffer *out);

/* ERR_CONFIG and a sentence unless `name` is what may follow "credential:". */
enum err secret_check_file(const char *file, struct why *why) MUST_CHECK;

#endif
