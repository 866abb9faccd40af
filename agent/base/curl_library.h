/* libcurl, loaded when it is first used. It and what it needs (Kerberos, LDAP, SSH, a second TLS library: sixteen more on
 * Debian 12) take about as long to load as all the rest, and most commands and roles transfer nothing. Its functions keep
 * their names and headers: where it cannot be loaded, curl_global_init fails. */
#ifndef LEAFWATCH_BASE_CURL_LIBRARY_H
#define LEAFWATCH_BASE_CURL_LIBRARY_H

#include <stdbool.h>

/* For roles that will use it, before the sandbox closes. False, with a line in the log, where there is none; asked
 * again, the answer is the same. For any thread. */
bool curl_library_load(void);

#endif
