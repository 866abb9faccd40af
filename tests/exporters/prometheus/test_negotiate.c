/* Accept and Accept-Encoding. */
#include "exporters/prometheus/negotiate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void openmetrics(void **state)
{
	bool escaping;

	(void)state;
	assert_false(negotiate_openmetrics(NULL, &escaping));
	assert_false(negotiate_openmetrics("", NULL));
	assert_false(negotiate_openmetrics("*/*", NULL));
	assert_false(
		negotiate_openmetrics("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", NULL));
	assert_false(negotiate_openmetrics("application/openmetrics-text;version=0.0.1", NULL));
	assert_false(negotiate_openmetrics(
		"application/openmetrics-text;version=1.0.0;q=0.1,text/plain;version=0.0.4;q=0.5",
		NULL));
	assert_false(negotiate_openmetrics("application/openmetrics-text;version=1.0.0;q=0", NULL));
	assert_true(
		negotiate_openmetrics(" Application/OpenMetrics-Text ; Version=1.0.0 ", &escaping));
	assert_false(escaping);
	assert_true(negotiate_openmetrics("application/openmetrics-text; version=\"1.0.0\"", NULL));
	/* Prometheus 2. */
	assert_true(negotiate_openmetrics("application/openmetrics-text;version=1.0.0,"
					  "application/openmetrics-text;version=0.0.1;q=0.75,"
					  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		&escaping));
	assert_false(escaping);
	/* Prometheus 3. */
	assert_true(negotiate_openmetrics(
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		"application/openmetrics-text;version=0.0.1;q=0.4,"
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
		"text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
		&escaping));
	assert_true(escaping);
	/* Nonsense ends, and wins nothing. */
	assert_false(negotiate_openmetrics(";;;,,,=;q=;q", NULL));
	assert_false(negotiate_openmetrics("application/openmetrics-text;q=abc", NULL));
}

static void gzip(void **state)
{
	(void)state;
	assert_false(negotiate_gzip(NULL));
	assert_false(negotiate_gzip("identity"));
	assert_false(negotiate_gzip("deflate, br"));
	assert_false(negotiate_gzip("gzip;q=0"));
	assert_false(negotiate_gzip("gzip; q=0.000"));
	assert_true(negotiate_gzip("gzip"));
	assert_true(negotiate_gzip("deflate, GZIP;q=0.5, br"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openmetrics),
		cmocka_unit_test(gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
