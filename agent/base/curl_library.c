/* The functions of libcurl that are used, each passed on to the library. */
#include "agent/base/curl_library.h"

#include "agent/base/log.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>

/* Macros that check the types of calls. */
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

/* TYPE NAME(PARAMETERS) passes its ARGUMENTS on. */
#define CURL_FUNCTIONS(FUNCTION)                                                                  \
	FUNCTION(CURL *, curl_easy_init, (void), ())                                              \
	FUNCTION(CURLcode, curl_easy_pause, (CURL * handle, int bitmask), (handle, bitmask))      \
	FUNCTION(CURLcode, curl_easy_perform, (CURL * curl), (curl))                              \
	FUNCTION(const char *, curl_easy_strerror, (CURLcode code), (code))                       \
	FUNCTION(CURLMcode, curl_multi_add_handle, (CURLM * multi_handle, CURL * curl_handle),    \
		(multi_handle, curl_handle))                                                      \
	FUNCTION(CURLMcode, curl_multi_assign,                                                    \
		(CURLM * multi_handle, curl_socket_t sockfd, void *sockp),                        \
		(multi_handle, sockfd, sockp))                                                    \
	FUNCTION(CURLMcode, curl_multi_cleanup, (CURLM * multi_handle), (multi_handle))           \
	FUNCTION(CURLMsg *, curl_multi_info_read, (CURLM * multi_handle, int *msgs_in_queue),     \
		(multi_handle, msgs_in_queue))                                                    \
	FUNCTION(CURLM *, curl_multi_init, (void), ())                                            \
	FUNCTION(CURLMcode, curl_multi_perform, (CURLM * multi_handle, int *running_handles),     \
		(multi_handle, running_handles))                                                  \
	FUNCTION(CURLMcode, curl_multi_poll,                                                      \
		(CURLM * multi_handle, struct curl_waitfd extra_fds[], unsigned extra_nfds,       \
			int timeout_ms, int *ret),                                                \
		(multi_handle, extra_fds, extra_nfds, timeout_ms, ret))                           \
	FUNCTION(CURLMcode, curl_multi_remove_handle, (CURLM * multi_handle, CURL * curl_handle), \
		(multi_handle, curl_handle))                                                      \
	FUNCTION(CURLMcode, curl_multi_socket_action,                                             \
		(CURLM * multi_handle, curl_socket_t s, int ev_bitmask, int *running_handles),    \
		(multi_handle, s, ev_bitmask, running_handles))                                   \
	FUNCTION(struct curl_slist *, curl_slist_append,                                          \
		(struct curl_slist * list, const char *data), (list, data))
/* Those of type void. */
#define CURL_PROCEDURES(PROCEDURE)                          \
	PROCEDURE(curl_easy_cleanup, (CURL * curl), (curl)) \
	PROCEDURE(curl_global_cleanup, (void), ())          \
	PROCEDURE(curl_slist_free_all, (struct curl_slist * list), (list))

static struct {
	bool is_loaded;
	CURLcode (*curl_global_init)(long flags);
	curl_version_info_data *(*curl_version_info)(CURLversion age);
	CURLcode (*curl_easy_getinfo)(CURL *easy, CURLINFO info, ...);
	CURLcode (*curl_easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLMcode (*curl_multi_setopt)(CURLM *multi, CURLMoption option, ...);
#define MEMBER(type, name, parameters, arguments) type(*name) parameters;
	CURL_FUNCTIONS(MEMBER)
#undef MEMBER
#define MEMBER(name, parameters, arguments) void(*name) parameters;
	CURL_PROCEDURES(MEMBER)
#undef MEMBER
} library;

struct symbol {
	const char *name;
	void *to; /* a pointer to a function, as POSIX lets dlsym give it */
};

static const struct symbol symbols[] = { { "curl_global_init", &library.curl_global_init },
	{ "curl_version_info", &library.curl_version_info },
	{ "curl_easy_getinfo", &library.curl_easy_getinfo },
	{ "curl_easy_setopt", &library.curl_easy_setopt },
	{ "curl_multi_setopt", &library.curl_multi_setopt },
#define SYMBOL(type, name, parameters, arguments) { #name, &library.name },
	CURL_FUNCTIONS(SYMBOL)
#undef SYMBOL
#define SYMBOL(name, parameters, arguments) { #name, &library.name },
		CURL_PROCEDURES(SYMBOL)
#undef SYMBOL
};

static void load(void)
{
	void *handle = dlopen(LEAFWATCH_LIBCURL, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		log_error("nothing can be fetched or sent: %s", dlerror());
		return;
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		*(void **)symbols[i].to = dlsym(handle, symbols[i].name);
		if (!*(void **)symbols[i].to) {
			log_error("nothing can be fetched or sent: %s", dlerror());
			return;
		}
	}
	library.is_loaded = true;
}

bool curl_library_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, load);
	return library.is_loaded;
}

/* ---- what may come first ------------------------------------------------------------------------- */

CURLcode curl_global_init(long flags)
{
	return curl_library_load() ? library.curl_global_init(flags) : CURLE_FAILED_INIT;
}

curl_version_info_data *curl_version_info(CURLversion age)
{
	static curl_version_info_data none = { .version = "not found" };

	return curl_library_load() ? library.curl_version_info(age) : &none;
}

/* ---- the others ---------------------------------------------------------------------------------- */

CURLcode curl_easy_getinfo(CURL *curl, CURLINFO info, ...)
{
	va_list values;
	void *to;

	va_start(values, info);
	to = va_arg(values, void *);
	va_end(values);
	return library.curl_easy_getinfo(curl, info, to);
}

/* What a value is, the option's number says. The kinds are alike only where all are of one size. */
/* NOLINTBEGIN(bugprone-branch-clone) */
CURLcode curl_easy_setopt(CURL *curl, CURLoption option, ...)
{
	va_list values;
	CURLcode code;

	va_start(values, option);
	if (option < CURLOPTTYPE_OBJECTPOINT)
		code = library.curl_easy_setopt(curl, option, va_arg(values, long));
	else if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
		code = library.curl_easy_setopt(curl, option, va_arg(values, curl_off_t));
	else
		code = library.curl_easy_setopt(curl, option, va_arg(values, void *));
	va_end(values);
	return code;
}

CURLMcode curl_multi_setopt(CURLM *multi_handle, CURLMoption option, ...)
{
	va_list values;
	CURLMcode code;

	va_start(values, option);
	if ((int)option < CURLOPTTYPE_OBJECTPOINT)
		code = library.curl_multi_setopt(multi_handle, option, va_arg(values, long));
	else
		code = library.curl_multi_setopt(multi_handle, option, va_arg(values, void *));
	va_end(values);
	return code;
}
/* NOLINTEND(bugprone-branch-clone) */

#define PASS_ON(type, name, parameters, arguments) \
	type name parameters                       \
	{                                          \
		return library.name arguments;     \
	}
CURL_FUNCTIONS(PASS_ON)
#undef PASS_ON
#define PASS_ON(name, parameters, arguments) \
	void name parameters                 \
	{                                    \
		library.name arguments;      \
	}
CURL_PROCEDURES(PASS_ON)
#undef PASS_ON
