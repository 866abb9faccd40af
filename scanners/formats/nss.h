/* The two databases of NSS, of which one file reads the certificates (nss.c) and one the keys (nss_keys.c). */
#ifndef LEAFWATCH_SCANNERS_FORMATS_NSS_H
#define LEAFWATCH_SCANNERS_FORMATS_NSS_H

#include "scanners/formats/format.h"

#include <sqlite3.h>

/* The private keys of key4.db. `*code` is SQLite's word: SQLITE_DONE unless it failed. */
enum err nss_read_keys(sqlite3 *db, const struct format_input *in, const struct format_sink *sink,
	int *code) MUST_CHECK;

/* Borrowed bytes of a column; an attribute that is empty is written as three odd bytes, and read as none. */
struct slice nss_column(sqlite3_stmt *row, int at);

#endif
