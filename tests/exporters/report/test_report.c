/* The reports as files: whole, parseable, in order, safe; and a stream that fails is said so. */
#include "exporters/report/cells.h"
#include "exporters/report/report.h"
#include "tests/exporters/report/fake_view.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static char *write_report(
	const char *name, struct fake_view *f, unsigned width, bool all, bool with_summary)
{
	static const struct report_summary summary = { .files = 81234, .seconds = 1.9 };
	const struct report_options options = { .width = width, .all = all };
	const struct report *report = report_find(name);
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(report);
	assert_non_null(to);
	assert_int_equal(
		report->write(&f->view, &options, with_summary ? &summary : NULL, to), ERR_OK);
	assert_int_equal(fclose(to), 0);
	assert_non_null(text);
	return text;
}

static void the_table_of_reports(void **state)
{
	(void)state;
	assert_non_null(report_find("table"));
	assert_non_null(report_find("json"));
	assert_non_null(report_find("jsonl"));
	assert_non_null(report_find("csv"));
	assert_null(report_find("xml"));
	for (size_t i = 0; i < reports_count; i++)
		assert_ptr_equal(report_find(reports[i]->name), reports[i]);
}

static int number(const cJSON *of, const char *key)
{
	return (int)cJSON_GetNumberValue(cJSON_GetObjectItem(of, key));
}

static void jsonl_is_a_line_each(void **state)
{
	struct fake_view f;
	int counts[RECORD_KIND_LAST + 1] = { 0 };
	size_t count = 0;
	char *text;
	char *rest;
	cJSON *last = NULL;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	text = write_report("jsonl", &f, 0, false, true);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n")) && *line; count++) {
		cJSON_Delete(last);
		last = cJSON_Parse(line);
		assert_non_null(last);
		assert_true(cJSON_IsString(cJSON_GetObjectItem(last, "type")));
	}
	assert_int_equal(count, f.count + 1);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(last, "type")), "summary");
	assert_int_equal(number(last, "files"), 81234);
	for (size_t i = 0; i < f.count; i++)
		counts[f.items[i].record.kind] += !record_is_plain_listener(&f.items[i].record);
	assert_int_equal(number(last, "certificates"), counts[RECORD_CERTIFICATE]);
	assert_int_equal(number(last, "endpoints"), counts[RECORD_ENDPOINT]);
	assert_int_equal(number(last, "problems"), counts[RECORD_PROBLEM]);
	assert_int_equal(number(last, "crls"), counts[RECORD_CRL]);
	assert_true(counts[RECORD_CERTIFICATE] && counts[RECORD_PROBLEM]);
	assert_true(cJSON_GetNumberValue(cJSON_GetObjectItem(last, "seconds")) == 1.9);
	cJSON_Delete(last);
	free(text);
	fake_view_fini(&f);
}

static void json_is_one_document(void **state)
{
	struct fake_view f;
	cJSON *json;
	char *text;

	(void)state;
	fake_view_init(&f);
	text = write_report("json", &f, 0, false, false);
	json = cJSON_Parse(text);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "records")), 0);
	assert_null(cJSON_GetObjectItem(json, "summary"));
	cJSON_Delete(json);
	free(text);
	fake_host(&f);
	text = write_report("json", &f, 0, false, true);
	json = cJSON_Parse(text);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "records")), (int)f.count);
	assert_non_null(cJSON_GetObjectItem(json, "summary"));
	cJSON_Delete(json);
	free(text);
	fake_view_fini(&f);
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static void csv_is_rfc_4180_and_harmless(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///a", "=cmd|'/c calc'!A1", 1, 9);
	fake_set(&s->record.certificate.facts.subject, "=HYPERLINK(\"http://x\",\"y\")");
	fake_set(&s->record.certificate.facts.issuer, "@SUM(1)");
	fake_set(&s->record.certificate.facts.serial, "-01");
	fake_add_text(&s->record.certificate.facts.names, "dns:b, c");
	text = write_report("csv", &f, 0, false, true);
	assert_int_equal(count_of(text, "\r\n"), 2);
	assert_memory_equal(text, "status,days_left,problems,expires,not_before,", 44);
	assert_non_null(
		strstr(text, ",\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",'@SUM(1),'-01,"));
	assert_non_null(strstr(text, ",\"dns:=cmd|'/c calc'!A1 dns:b, c\","));
	assert_non_null(strstr(text, "\r\nok,9,,2026-01-10T00:00:00Z,"));
	free(text);
	fake_view_fini(&f);
	fake_view_init(&f);
	fake_host(&f);
	text = write_report("csv", &f, 0, false, false);
	/* The header and 158 certificates. */
	assert_int_equal(count_of(text, "\r\n"), 1 + 158);
	free(text);
	fake_view_fini(&f);
}

static void expect_cells(const char *text, size_t width, enum cells_cut cut, const char *expected)
{
	struct buffer out;
	size_t cells;

	buffer_init(&out, 1000);
	cells = cells_fit(&out, text, width, cut);
	assert_string_equal(buffer_string(&out), expected);
	assert_int_equal(cells, cells_of(expected));
	assert_true(cells <= width);
	buffer_fini(&out);
}

static void text_fits_cells(void **state)
{
	(void)state;
	assert_int_equal(cells_of("abc"), 3);
	assert_int_equal(cells_of("\xc3\xa5sa"), 3);
	assert_int_equal(cells_of("a\xcc\x8a"), 1);
	assert_int_equal(cells_of("\xe8\xaf\x81\xe4\xb9\xa6"), 4);
	assert_int_equal(cells_of("\xf0\x9f\x94\x92"), 2);
	assert_int_equal(cells_of(""), 0);
	expect_cells("abcdef", 6, CELLS_CUT_END, "abcdef");
	expect_cells("abcdef", 4, CELLS_CUT_END, "abc\xe2\x80\xa6");
	expect_cells("abcdef", 1, CELLS_CUT_END, "\xe2\x80\xa6");
	expect_cells("abcdef", 0, CELLS_CUT_END, "");
	expect_cells("/etc/ssl/private/api.pem", 11, CELLS_CUT_MIDDLE,
		"/etc\xe2\x80\xa6"
		"pi.pem");
	/* A wide character that does not fit is left out whole. */
	expect_cells("\xe8\xaf\x81\xe4\xb9\xa6\xe8\xaf\x81", 4, CELLS_CUT_END,
		"\xe8\xaf\x81\xe2\x80\xa6");
	expect_cells("\xe8\xaf\x81\xe4\xb9\xa6\xe8\xaf\x81\xe4\xb9\xa6", 6, CELLS_CUT_MIDDLE,
		"\xe8\xaf\x81\xe2\x80\xa6\xe4\xb9\xa6");
}

/* No line wider than the terminal, but for the closing ones, which are sentences. */
static void expect_width(char *text, unsigned width)
{
	char *rest = text;

	for (char *line; (line = strsep(&rest, "\n")) && strncmp(line, "Not listed", 10) != 0;) {
		size_t size = strlen(line);

		if (cells_of(line) > width)
			fail_msg("%zu cells in %u: %s", cells_of(line), width, line);
		assert_true(!size || line[size - 1] != ' ');
	}
}

static void the_table_fits_the_terminal(void **state)
{
	static const unsigned widths[] = { 60, 80, 100, 120, 140, 200 };
	struct fake_view f;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		char *text = write_report("table", &f, widths[i], false, true);

		expect_width(text, widths[i]);
		free(text);
	}
	fake_view_fini(&f);
}

static size_t position(const char *text, const char *part)
{
	const char *at = strstr(text, part);

	if (!at)
		fail_msg("missing: %s\nin:\n%s", part, text);
	return (size_t)(at - text);
}

static void the_table_shows_the_worst_first(void **state)
{
	struct fake_view f;
	char *text;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	text = write_report("table", &f, 0, false, true);
	assert_true(position(text, "expired ") < position(text, "broken "));
	assert_true(position(text, "\nbroken ") < position(text, "\ncritical "));
	assert_true(position(text, "\ncritical ") < position(text, "\nwarning "));
	assert_true(position(text, "\nwarning ") < position(text, "\nok "));
	assert_true(position(text, "api.example.org") <
		    position(text, "\xe8\xaf\x81\xe4\xb9\xa6.example.cn"));
	(void)position(text, "incomplete-chain name-mismatch");
	(void)position(text, "/home/\xc3\xa5sa/\xe8\xaf\x81\xe4\xb9\xa6.pem");
	(void)position(text, "/srv/app/conf/truststore.jks (internal-root)");
	(void)position(text, "and 4 more places\n");
	(void)position(text, "required     CN=Internal Root CA,O=Example and 1 more");
	(void)position(text, "permission-denied 12  it could not be opened\n");
	(void)position(text, "and 7 more\n");
	(void)position(text,
		"Not listed: 142 public roots of trust stores, 2 expired (--all lists them)\n");
	(void)position(text,
		"8 certificates at 16 places: 1 expired, 1 broken, 1 critical, 1 warning, 4 ok\n");
	(void)position(
		text, "3 endpoints, 15 places that could not be seen; 81,234 files in 1.9 s\n");
	assert_null(strstr(text, "\033["));
	free(text);
	text = write_report("table", &f, 0, true, false);
	(void)position(text, "Public Root 0");
	assert_null(strstr(text, "Not listed"));
	assert_null(strstr(text, " more places"));
	(void)position(text, "150 certificates at 158 places: 3 expired");
	free(text);
	fake_view_fini(&f);
}

static void fake_listeners(struct fake_view *f)
{
	struct fake_sighting *s = fake_listener(f, "tls://127.0.0.1:443", 812, "nginx");
	char uri[64];

	s->record.endpoint.process.unit = fake_dup("nginx.service");
	s->record.endpoint.chain.items = calloc(1, FINGERPRINT_BYTES);
	assert_non_null(s->record.endpoint.chain.items);
	s->record.endpoint.chain.count = 1;
	s = fake_certificate(f, "tls://127.0.0.1:443", "www.example.org", 30, 60);
	fake_set(&s->record.location.scanner, "listeners");
	s->record.certificate.is_served = true;
	s->record.certificate.verdict.problems = PROBLEM_BIT(PROBLEM_SERVED_DIFFERS);
	s->record.certificate.differs = calloc(1, sizeof(struct served_differs));
	assert_non_null(s->record.certificate.differs);
	s->record.certificate.differs->message = fake_dup(
		"/srv/tls/www.pem holds a newer one, but nginx still serves this one: reload it");
	s = fake_listener(f, "smtp://127.0.0.1:25", 90, "master");
	fake_set(&s->record.endpoint.handshake, "handshake_failure");
	s->record.endpoint.process.container = fake_dup("0123456789ab");
	(void)fake_plain_listener(f, "tls://127.0.0.1:22", 70, "sshd");
	(void)fake_plain_listener(f, "tls://[::1]:22", 70, "sshd");
	for (int i = 0; i < 20; i++) {
		(void)snprintf(uri, sizeof(uri), "tls://127.0.0.1:%d", 5000 + i);
		(void)fake_plain_listener(f, uri, 100, "a-long-program-name");
	}
}

static void datagrams_in_the_table_of_listeners(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	(void)fake_plain_listener(&f, "tls://127.0.0.1:53", 71, "unbound");
	s = fake_plain_listener(&f, "udp://127.0.0.1:53", 71, "unbound");
	s->record.endpoint.process.unit = fake_dup("unbound.service");
	s->record.endpoint.is_reachable = false;
	text = write_report("table", &f, 0, false, true);
	(void)position(text,
		"2 listening sockets speak no TLS, or were not asked (UDP): 53 unbound, "
		"53/udp unbound (unbound.service)\n");
	free(text);
	fake_view_fini(&f);
}

static void the_table_of_listeners(void **state)
{
	static const unsigned widths[] = { 60, 80, 100, 120, 200 };
	struct fake_view f;
	char *text;

	(void)state;
	fake_view_init(&f);
	fake_listeners(&f);
	text = write_report("table", &f, 0, false, true);
	(void)position(text, "127.0.0.1:443   nginx 812  nginx.service           TLS1.3       none "
			     "        www.example.org  60 d  served-differs-from-disk\n");
	(void)position(text, "127.0.0.1:25    master 90  container 0123456789ab  smtp TLS1.3  none"
			     "                                handshake_failure\n");
	(void)position(text,
		"\n127.0.0.1:443: /srv/tls/www.pem holds a newer one, but nginx still serves "
		"this one: reload it\n");
	(void)position(
		text, "22 listening sockets speak no TLS: 22 sshd, 5000 a-long-program-name,");
	(void)position(text, " and 9 more (--all lists them)\n");
	/* They stand in no other table, and those without TLS are no endpoints to worry about. */
	assert_null(strstr(text, "ENDPOINT "));
	(void)position(text, "\n2 endpoints, ");
	free(text);
	text = write_report("table", &f, 0, true, true);
	(void)position(text, "5019 a-long-program-name\n");
	free(text);
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		text = write_report("table", &f, widths[i], false, false);
		expect_width(text, widths[i]);
		free(text);
	}
	fake_view_fini(&f);
}

static void an_empty_host(void **state)
{
	struct fake_view f;
	char *text;

	(void)state;
	fake_view_init(&f);
	text = write_report("table", &f, 80, false, false);
	assert_string_equal(
		text, "No certificates\n0 endpoints, 0 places that could not be seen\n");
	free(text);
	fake_view_fini(&f);
}

static void gone_and_stale_are_marked(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///old.pem", "old", 1, 99);
	s->sighting.gone_at = FAKE_NOW - 1;
	s = fake_certificate(&f, "file:///denied.pem", "denied", 1, 99);
	s->sighting.is_stale = true;
	text = write_report("table", &f, 0, false, false);
	assert_true(position(text, "/denied.pem (stale)") < position(text, "\ngone "));
	(void)position(text, "1 certificate at 1 place: 1 ok");
	free(text);
	fake_view_fini(&f);
}

static void colours_only_where_wanted(void **state)
{
	const struct report_options options = { .color = true, .width = 100 };
	struct fake_view f;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	assert_int_equal(report_find("table")->write(&f.view, &options, NULL, to), ERR_OK);
	(void)fclose(to);
	(void)position(text, "\033[1;31mexpired\033[0m");
	free(text);
	fake_view_fini(&f);
}

static void a_full_disk_is_an_error(void **state)
{
	const struct report_options options = { .width = 100 };
	struct fake_view f;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	for (size_t i = 0; i < reports_count; i++) {
		FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_int_equal(reports[i]->write(&f.view, &options, NULL, full), ERR_IO);
		(void)fclose(full);
	}
	fake_view_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_reports),
		cmocka_unit_test(jsonl_is_a_line_each),
		cmocka_unit_test(json_is_one_document),
		cmocka_unit_test(csv_is_rfc_4180_and_harmless),
		cmocka_unit_test(text_fits_cells),
		cmocka_unit_test(the_table_fits_the_terminal),
		cmocka_unit_test(the_table_shows_the_worst_first),
		cmocka_unit_test(the_table_of_listeners),
		cmocka_unit_test(datagrams_in_the_table_of_listeners),
		cmocka_unit_test(an_empty_host),
		cmocka_unit_test(gone_and_stale_are_marked),
		cmocka_unit_test(colours_only_where_wanted),
		cmocka_unit_test(a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
