/* What answers of real web servers say about client certificates. */
#include "scanners/network/starttls/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_request(void **state)
{
	const struct words words = { .host = "[::1]:8443", .own = "", .path = "/x?y=1" };
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	say_write(&http_question.say, &words, &out);
	assert_int_equal(buffer_status(&out), ERR_OK);
	assert_string_equal(buffer_string(&out),
		"GET /x?y=1 HTTP/1.1\r\nHost: [::1]:8443\r\nUser-Agent: leafwatch\r\n"
		"Accept: */*\r\nConnection: close\r\n\r\n");
	buffer_fini(&out);
}

static const struct {
	const char *bytes;
	bool is_whole;
	enum learnt learnt;
	const char *text;
} rows[] = {
	{ "", true, LEARNT_NOT_YET, NULL },
	{ "HTTP/1.1 20", true, LEARNT_NOT_YET, NULL },
	{ "HTTP/1.1 200 OK\r\n", false, LEARNT_NOT_REQUIRED, "HTTP 200" },
	{ "HTTP/1.0 302 Found\r\n", false, LEARNT_NOT_REQUIRED, "HTTP 302" },
	{ "HTTP/1.1 401 Unauthorized\r\n", true, LEARNT_NOT_REQUIRED, "HTTP 401" },
	{ "HTTP/1.1 400 Bad Request\r\n", false, LEARNT_NOT_YET, NULL },
	{ "HTTP/1.1 400 Bad Request\r\n\r\nwhat?", true, LEARNT_NOTHING, "HTTP 400" },
	{ "HTTP/1.1 400 Bad Request\r\n\r\n<center>No required SSL certificate was sent</center>",
		false, LEARNT_REQUIRED, "HTTP 400: No required SSL certificate was sent" },
	{ "HTTP/1.1 400 Bad Request\r\n\r\n<center>The SSL certificate error</center>", false,
		LEARNT_REQUIRED, "HTTP 400: The SSL certificate error" },
	{ "HTTP/1.1 403 Forbidden\r\n\r\n", true, LEARNT_DENIED, "HTTP 403" },
	{ "HTTP/1.1 403 Forbidden\r\n\r\n403.7 - Forbidden", false, LEARNT_REQUIRED,
		"HTTP 403: 403.7" },
	{ "HTTP/1.1 403 Forbidden\r\n\r\nSend a Client Certificate.", false, LEARNT_REQUIRED,
		"HTTP 403: client certificate" },
	{ "HTTP/1.1 496 \r\n", false, LEARNT_REQUIRED, "HTTP 496" },
	{ "HTTP/1.1 9x9 \r\n", false, LEARNT_NOTHING, "no HTTP:" },
	{ "220 mail ESMTP\r\n", false, LEARNT_NOTHING, "220 mail ESMTP" },
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[PROTOCOL_SENTENCE_BYTES] = "";
		struct slice bytes = slice_text(rows[i].bytes);
		enum learnt got = rows[i].is_whole ? http_question.end(bytes, text)
						   : http_question.read(bytes, text);

		if (got != rows[i].learnt || (rows[i].text && !strstr(text, rows[i].text)))
			fail_msg("%s: %d, \"%s\"", rows[i].bytes, (int)got, text);
	}
}

static void test_ports(void **state)
{
	(void)state;
	assert_true(http_is_likely(443));
	assert_true(http_is_likely(8443));
	assert_false(http_is_likely(6379));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
