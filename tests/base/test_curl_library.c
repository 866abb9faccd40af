/* libcurl, loaded late: each kind of value arrives. */
#include "agent/base/curl_library.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CONTENT "eleven byte"

static size_t take(char *data, size_t size, size_t count, void *to)
{
	strncat(to, data, size * count);
	return size * count;
}

static void test_loads(void **state)
{
	(void)state;
	assert_true(curl_library_load());
	assert_true(curl_library_load());
	assert_non_null(strchr(curl_version_info(CURLVERSION_NOW)->version, '.'));
	assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
	assert_string_not_equal(curl_easy_strerror(CURLE_COULDNT_CONNECT), "");
	curl_global_cleanup();
}

/* A long, a curl_off_t, texts, functions and pointers in; a curl_off_t, a long and a text out. */
static void test_values(void **state)
{
	char path[] = "/tmp/leafwatch-curl-XXXXXX";
	int fd = mkstemp(path);
	char url[64];
	char content[64] = "";
	curl_off_t size = 0;
	char *effective = NULL;
	long redirects = -1;
	CURL *easy;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, CONTENT, strlen(CONTENT)), strlen(CONTENT));
	(void)close(fd);
	(void)snprintf(url, sizeof(url), "file://%s", path);
	assert_int_equal(curl_global_init(CURL_GLOBAL_DEFAULT), CURLE_OK);
	easy = curl_easy_init();
	assert_non_null(easy);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take), CURLE_OK);
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEDATA, content), CURLE_OK);
	assert_int_equal(
		curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)7), CURLE_OK);
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	assert_string_equal(content, &CONTENT[7]);
	assert_int_equal(curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &size), CURLE_OK);
	assert_int_equal(size, strlen(CONTENT) - 7);
	assert_int_equal(curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirects), CURLE_OK);
	assert_int_equal(redirects, 0);
	assert_int_equal(curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &effective), CURLE_OK);
	assert_string_equal(effective, url);
	*content = 0;
	assert_int_equal(curl_easy_setopt(easy, CURLOPT_NOBODY, 1L), CURLE_OK);
	assert_int_equal(curl_easy_perform(easy), CURLE_OK);
	assert_null(strstr(content, CONTENT));
	curl_easy_cleanup(easy);
	curl_global_cleanup();
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
