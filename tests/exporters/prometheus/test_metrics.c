/* A view as metrics: names, labels, what is left out; and promtool's opinion. */
#include "exporters/prometheus/metrics.h"
#include "exporters/prometheus/process.h"
#include "tests/exporters/report/fake_view.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define TEXT_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define SERIES 20000

static char *text_of(struct fake_view *f, uint64_t max_series, bool is_openmetrics)
{
	struct metrics m;
	struct buffer out;
	char *text;

	assert_int_equal(metrics_render(&f->view, max_series, &m), ERR_OK);
	buffer_init(&out, TEXT_BYTES_MAX);
	metrics_text(&m, is_openmetrics, &out);
	metrics_fini(&m);
	text = buffer_take_string(&out);
	assert_non_null(text);
	return text;
}

static void expect_line(const char *text, const char *line)
{
	size_t size = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && at[size] == '\n')
			return;
	fail_msg("no line: %s\nin:\n%s", line, text);
}

static void expect_none(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("unexpected: %s\nin:\n%s", part, text);
}

static size_t lines_with(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each family once and whole, and no series twice. */
static void expect_sound(const char *text)
{
	char *copy = strdup(text);
	char **series = calloc(strlen(text) / 2 + 1, sizeof(*series));
	char family[256] = "";
	char *rest = copy;
	size_t count = 0;

	assert_non_null(copy);
	assert_non_null(series);
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		char *value = strrchr(line, ' ');

		assert_non_null(value);
		if (strncmp(line, "# HELP ", 7) == 0) {
			(void)snprintf(family, sizeof(family), "%.*s", (int)strcspn(line + 7, " "),
				line + 7);
			*value = 0;
			(void)snprintf(line, strlen(line) + 1, "# %s", family);
			series[count++] = line;
		} else if (line[0] != '#') {
			assert_memory_equal(line, family, strlen(family));
			*value = 0;
			series[count++] = line;
		}
	}
	qsort(series, count, sizeof(*series), compare_lines);
	for (size_t i = 1; i < count; i++)
		if (strcmp(series[i - 1], series[i]) == 0)
			fail_msg("twice: %s", series[i]);
	free(series);
	free(copy);
}

static void fill_tables(struct fake_view *f)
{
	f->scanners[f->scanners_count++] = (struct scanner_state){ .scanner = "files",
		.job = "files",
		.is_up = true,
		.last_success = FAKE_NOW - 100,
		.duration_s = 1.5,
		.items = 1000 };
	f->scanners[f->scanners_count++] = (struct scanner_state){ .scanner = "files",
		.job = "files:2",
		.is_up = false,
		.last_success = FAKE_NOW - 900,
		.duration_s = 0.25,
		.items = 10 };
	f->scanners[f->scanners_count++] = (struct scanner_state){ .scanner = "endpoints",
		.job = "endpoints",
		.is_up = false,
		.last_success = TIME_UNKNOWN };
	f->receivers[f->receivers_count++] = (struct receiver_state){
		.receiver = "ops", .sent = 7, .outbox_entries = 2, .oldest_entry = FAKE_NOW - 30
	};
	f->receivers[f->receivers_count++] = (struct receiver_state){
		.receiver = "o\"dd", .oldest_entry = TIME_UNKNOWN, .is_disabled = true
	};
	f->failures[f->failures_count++] = (struct receiver_failure){ "ops", "timeout", 3 };
	f->alerts[f->alerts_count++] =
		(struct alert_state){ "certificate-expiry", SEVERITY_CRITICAL, 4 };
	f->alerts[f->alerts_count++] =
		(struct alert_state){ "certificate-expiry", SEVERITY_WARNING, 1 };
	f->sandboxes[f->sandboxes_count++] = (struct sandbox_state){ "parser", "landlock", true };
	f->sandboxes[f->sandboxes_count++] = (struct sandbox_state){ "parser", "seccomp", false };
}

static void a_certificate_has_its_series(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///etc/a%20b.pem", "api.example.org", 40, 60);
	s->record.certificate.verdict.problems = PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	s->record.certificate.verdict.expires = FAKE_NOW + 50 * FAKE_DAY;
	text = text_of(&f, SERIES, false);
	expect_line(text,
		"leafwatch_certificate_not_after_timestamp_seconds{location=\"file:///etc/a%20b.pem\",subject_cn=\"api.example.org\"} 1772409600");
	expect_line(text,
		"leafwatch_certificate_not_before_timestamp_seconds{location=\"file:///etc/a%20b.pem\",subject_cn=\"api.example.org\"} 1763769600");
	/* 33 % of 100 days before the end. */
	expect_line(text,
		"leafwatch_certificate_renewal_due_timestamp_seconds{location=\"file:///etc/a%20b.pem\",subject_cn=\"api.example.org\"} 1769558400");
	expect_line(text,
		"leafwatch_certificate_chain_expires_timestamp_seconds{location=\"file:///etc/a%20b.pem\"} 1771545600");
	expect_line(text,
		"leafwatch_certificate_problem{location=\"file:///etc/a%20b.pem\",problem=\"incomplete-chain\"} 1");
	assert_non_null(strstr(text,
		"leafwatch_certificate_info{location=\"file:///etc/a%20b.pem\",fingerprint=\""));
	assert_non_null(strstr(text,
		"subject=\"CN=api.example.org,O=Example\",issuer=\"CN=Example Issuing CA 1,O=Example\",serial=\"0123456789abcdef\",key_algorithm=\"RSA\",key_bits=\"2048\",signature_algorithm=\"RSA-SHA256\"} 1\n"));
	expect_line(text, "leafwatch_certificates{scanner=\"files\",status=\"ok\"} 1");
	expect_line(text, "leafwatch_certificates{scanner=\"files\",status=\"expired\"} 0");
	expect_line(text, "leafwatch_series_dropped 0");
	expect_line(text, "leafwatch_config_last_reload_successful 1");
	assert_non_null(strstr(text,
		"leafwatch_build_info{version=\"0.1.0\",revision=\"abcdef012345\",gnutls_version=\"3."));
	expect_sound(text);
	free(text);
	fake_view_fini(&f);
}

static void unknown_dates_give_no_sample(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///a.pem", "a", 1, 1);
	s->record.certificate.facts.not_after = TIME_UNKNOWN;
	s->record.certificate.verdict.expires = TIME_UNKNOWN;
	text = text_of(&f, SERIES, false);
	expect_none(text, "not_after_timestamp_seconds{");
	expect_none(text, "renewal_due_timestamp_seconds{");
	expect_none(text, "chain_expires_timestamp_seconds{");
	assert_non_null(strstr(text, "not_before_timestamp_seconds{"));
	expect_none(text, "-9223372036854775808");
	free(text);
	fake_view_fini(&f);
}

/* Several at one place are told apart whatever order they come in; what comes twice is there once. */
static void places_are_told_apart(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///bundle.pem", "second", 1, 9);
	s->record.location.index = 1;
	(void)fake_certificate(&f, "file:///alone.pem", "alone", 1, 9);
	(void)fake_certificate(&f, "file:///bundle.pem", "first", 1, 9);
	(void)fake_certificate(&f, "file:///alone.pem", "alone again", 1, 9);
	s = fake_certificate(&f, "file:///later.pem", "later", 1, 9);
	s->record.location.index = 3;
	s = fake_certificate(&f, "file:///gone.pem", "gone", 1, 9);
	s->sighting.gone_at = FAKE_NOW - 5;
	text = text_of(&f, SERIES, false);
	assert_non_null(strstr(text, "{location=\"file:///bundle.pem#0\",subject_cn=\"first\"}"));
	assert_non_null(strstr(text, "{location=\"file:///bundle.pem#1\",subject_cn=\"second\"}"));
	assert_non_null(strstr(text, "{location=\"file:///alone.pem\",subject_cn=\"alone\"}"));
	assert_non_null(strstr(text, "{location=\"file:///later.pem#3\",subject_cn=\"later\"}"));
	expect_none(text, "alone again");
	expect_none(text, "gone");
	expect_line(text, "leafwatch_certificates{scanner=\"files\",status=\"critical\"} 0");
	expect_sound(text);
	free(text);
	fake_view_fini(&f);
}

static void public_roots_are_only_counted(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///roots.pem", "Public Root", 1, 99);
	s->record.certificate.verdict.is_anchor = true;
	s->record.certificate.verdict.trust = fake_dup("system");
	s = fake_certificate(&f, "file:///internal.pem", "Internal Root", 1, 99);
	s->record.certificate.verdict.is_anchor = true;
	s->record.certificate.verdict.trust = fake_dup("internal");
	text = text_of(&f, SERIES, false);
	expect_none(text, "roots.pem");
	assert_non_null(strstr(text, "internal.pem"));
	expect_line(text, "leafwatch_certificates{scanner=\"files\",status=\"ok\"} 2");
	free(text);
	fake_view_fini(&f);
}

static void hostile_text_stays_text(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char uri[3000];
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_certificate(&f, "file:///x.pem", "x", 1, 99);
	fake_set(&s->record.certificate.facts.subject_cn,
		"a\"} 1\nleafwatch_certificates 5\n\xff\\");
	memset(uri, 'a', sizeof(uri) - 1);
	memcpy(uri, "file:///", 8);
	for (int last = 'y'; last <= 'z'; last++) {
		uri[sizeof(uri) - 2] = (char)last;
		uri[sizeof(uri) - 1] = 0;
		(void)fake_certificate(&f, uri, "long", 1, 99);
	}
	text = text_of(&f, SERIES, false);
	assert_non_null(strstr(text,
		"subject_cn=\"a\\\"} 1\\\\x0Aleafwatch_certificates 5\\\\x0A\\\\xFF\\\\\"} "));
	/* Cut, yet two. */
	assert_int_equal(
		lines_with(text,
			"leafwatch_certificate_not_after_timestamp_seconds{location=\"file:///aaaa"),
		2);
	expect_sound(text);
	for (const char *at = text, *end; (end = strchr(at, '\n')); at = end + 1)
		assert_true(end - at < 1024 + 8 * 256);
	free(text);
	fake_view_fini(&f);
}

static void what_passes_the_cap_is_counted(void **state)
{
	struct fake_view f;
	char uri[64];
	char *text;

	(void)state;
	fake_view_init(&f);
	for (int i = 99; i >= 0; i--) {
		(void)snprintf(uri, sizeof(uri), "file:///%02d.pem", i);
		(void)fake_certificate(&f, uri, "x", 1, 99);
	}
	/* 5 series each: not_after, not_before, renewal_due, info, chain_expires. */
	text = text_of(&f, 52, false);
	assert_int_equal(lines_with(text, "leafwatch_certificate_info{"), 10);
	expect_line(text, "leafwatch_series_dropped 450");
	free(text);
	text = text_of(&f, 500, false);
	assert_int_equal(lines_with(text, "leafwatch_certificate_info{"), 100);
	assert_non_null(strstr(text, "file:///00.pem"));
	expect_line(text, "leafwatch_series_dropped 0");
	free(text);
	fake_view_fini(&f);
}

static void endpoints_tell_their_mode(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_endpoint(&f, "tls://a:443", CLIENT_CERTIFICATE_OPTIONAL);
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=One");
	fake_add_text(&s->record.endpoint.acceptable_cas, "CN=Two");
	s->record.endpoint.duration_ms = 1250;
	(void)fake_endpoint(&f, "tls://b:443", CLIENT_CERTIFICATE_NONE);
	s = fake_endpoint(&f, "tls://c:443", CLIENT_CERTIFICATE_UNKNOWN);
	s->record.endpoint.is_reachable = false;
	/* Answered the last time, not this time: what was known stands, up does not. */
	(void)fake_problem(&f, "tls://b:443", REASON_TIMEOUT, "no answer");
	(void)fake_problem(&f, "file:///x", REASON_MALFORMED, "bad");
	text = text_of(&f, SERIES, false);
	expect_line(text, "leafwatch_endpoint_up{location=\"tls://a:443\"} 1");
	expect_line(text, "leafwatch_endpoint_up{location=\"tls://b:443\"} 0");
	expect_line(text, "leafwatch_endpoint_up{location=\"tls://c:443\"} 0");
	expect_line(text, "leafwatch_endpoint_acceptable_cas{location=\"tls://a:443\"} 2");
	expect_line(
		text, "leafwatch_endpoint_probe_duration_seconds{location=\"tls://a:443\"} 1.25");
	expect_line(text,
		"leafwatch_endpoint_client_certificate{location=\"tls://a:443\",mode=\"optional\"} 1");
	expect_line(text,
		"leafwatch_endpoint_client_certificate{location=\"tls://a:443\",mode=\"required\"} 0");
	expect_line(text,
		"leafwatch_endpoint_client_certificate{location=\"tls://b:443\",mode=\"none\"} 1");
	expect_line(text,
		"leafwatch_endpoint_client_certificate{location=\"tls://c:443\",mode=\"unknown\"} 1");
	expect_line(text, "leafwatch_problems{scanner=\"endpoints\",reason=\"timeout\"} 1");
	expect_line(text, "leafwatch_problems{scanner=\"files\",reason=\"malformed\"} 1");
	expect_line(text, "leafwatch_problems{scanner=\"files\",reason=\"timeout\"} 0");
	expect_sound(text);
	free(text);
	fake_view_fini(&f);
}

static void revocation_lists_tell_their_next_update(void **state)
{
	struct fake_view f;
	struct fake_sighting *s;
	char *text;

	(void)state;
	fake_view_init(&f);
	s = fake_add(&f, RECORD_CRL, "files", "file:///a.crl");
	s->record.crl.issuer_cn = fake_dup("Root");
	s->record.crl.next_update = FAKE_NOW;
	s = fake_add(&f, RECORD_CRL, "files", "file:///endless.crl");
	s->record.crl.next_update = TIME_UNKNOWN;
	text = text_of(&f, SERIES, false);
	expect_line(text,
		"leafwatch_crl_next_update_timestamp_seconds{location=\"file:///a.crl\",issuer_cn=\"Root\"} 1767225600");
	assert_null(strstr(text, "endless"));
	expect_sound(text);
	free(text);
	fake_view_fini(&f);
}

static void the_small_tables(void **state)
{
	struct fake_view f;
	char *text;

	(void)state;
	fake_view_init(&f);
	fill_tables(&f);
	f.view.config_reload_ok = false;
	text = text_of(&f, SERIES, false);
	expect_line(text, "leafwatch_scanner_up{scanner=\"files\"} 0");
	expect_line(text,
		"leafwatch_scan_last_success_timestamp_seconds{scanner=\"files\"} 1767224700");
	expect_line(text, "leafwatch_scan_duration_seconds{scanner=\"files\"} 1.75");
	expect_line(text, "leafwatch_scan_items{scanner=\"files\"} 1010");
	expect_line(text, "leafwatch_scanner_up{scanner=\"endpoints\"} 0");
	expect_none(text, "last_success_timestamp_seconds{scanner=\"endpoints\"}");
	expect_line(text, "leafwatch_certificates{scanner=\"endpoints\",status=\"broken\"} 0");
	expect_line(text, "leafwatch_notifications_total{receiver=\"ops\"} 7");
	expect_line(text,
		"leafwatch_notifications_failed_total{receiver=\"ops\",reason=\"timeout\"} 3");
	expect_line(
		text, "leafwatch_notifications_failed_total{receiver=\"ops\",reason=\"other\"} 0");
	expect_line(text, "leafwatch_outbox_entries{receiver=\"ops\"} 2");
	expect_line(text,
		"leafwatch_outbox_oldest_entry_timestamp_seconds{receiver=\"ops\"} 1767225570");
	expect_none(text, "oldest_entry_timestamp_seconds{receiver=\"o\\\"dd\"}");
	expect_line(text, "leafwatch_receiver_disabled{receiver=\"o\\\"dd\"} 1");
	expect_line(text, "leafwatch_alerts{kind=\"certificate-expiry\",severity=\"critical\"} 4");
	expect_line(text, "leafwatch_alerts{kind=\"certificate-expiry\",severity=\"warning\"} 1");
	expect_line(text, "leafwatch_alerts{kind=\"certificate-expiry\",severity=\"info\"} 0");
	expect_line(text, "leafwatch_sandbox{role=\"parser\",layer=\"landlock\"} 1");
	expect_line(text, "leafwatch_sandbox{role=\"parser\",layer=\"seccomp\"} 0");
	expect_line(text, "leafwatch_config_last_reload_successful 0");
	expect_sound(text);
	free(text);
	text = text_of(&f, SERIES, true);
	expect_line(text, "# TYPE leafwatch_notifications counter");
	expect_line(text, "leafwatch_notifications_total{receiver=\"ops\"} 7");
	expect_line(text, "# TYPE leafwatch_build info");
	expect_sound(text);
	free(text);
	fake_view_fini(&f);
}

static enum err stop_each(void *ctx, enum err (*fn)(void *, const struct alert_state *), void *arg)
{
	(void)ctx;
	(void)fn;
	(void)arg;
	return ERR_STORE;
}

static void a_failing_view_fails(void **state)
{
	struct fake_view f;
	struct metrics m;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	f.view.each_alert = stop_each;
	assert_int_equal(metrics_render(&f.view, SERIES, &m), ERR_STORE);
	fake_view_fini(&f);
}

/* Feeds `text` to promtool; its exit status, 127 where it is not installed. */
static int promtool(const char *text)
{
	int ends[2];
	int status = 0;
	size_t size = strlen(text);
	pid_t child;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(ends[0], STDIN_FILENO);
		(void)execlp("promtool", "promtool", "check", "metrics", (char *)NULL);
		_exit(127);
	}
	(void)close(ends[0]);
	while (size) {
		ssize_t n = write(ends[1], text, size);

		if (n <= 0)
			break;
		text += n;
		size -= (size_t)n;
	}
	(void)close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void promtool_is_content(void **state)
{
	struct fake_view f;
	struct buffer process;
	struct metrics m;
	int status;

	(void)state;
	fake_view_init(&f);
	fake_host(&f);
	fill_tables(&f);
	assert_int_equal(metrics_render(&f.view, SERIES, &m), ERR_OK);
	buffer_init(&process, TEXT_BYTES_MAX);
	metrics_text(&m, false, &process);
	process_append(&process, false);
	expect_sound(buffer_string(&process));
	status = promtool(buffer_string(&process));
	if (status == 127)
		print_message("promtool is not installed: skipped\n");
	else
		assert_int_equal(status, 0);
	metrics_fini(&m);
	buffer_fini(&process);
	fake_view_fini(&f);
}

static void the_process_tells_of_itself(void **state)
{
	struct buffer out;
	const char *at;

	(void)state;
	buffer_init(&out, TEXT_BYTES_MAX);
	process_append(&out, true);
	assert_non_null(strstr(buffer_string(&out), "# TYPE process_cpu_seconds counter\n"));
	at = strstr(buffer_string(&out), "\nprocess_resident_memory_bytes ");
	assert_non_null(at);
	assert_true(strtod(strchr(at, ' '), NULL) > 500000);
	at = strstr(buffer_string(&out), "\nprocess_start_time_seconds ");
	assert_non_null(at);
	assert_true(llabs((long long)strtod(strchr(at, ' '), NULL) - (long long)time(NULL)) < 300);
	at = strstr(buffer_string(&out), "\nprocess_threads ");
	assert_non_null(at);
	assert_true(strtod(strchr(at, ' '), NULL) >= 1);
	at = strstr(buffer_string(&out), "\nprocess_open_fds ");
	assert_non_null(at);
	assert_in_range((long)strtod(strchr(at, ' '), NULL), 2, 100);
	buffer_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_has_its_series),
		cmocka_unit_test(unknown_dates_give_no_sample),
		cmocka_unit_test(places_are_told_apart),
		cmocka_unit_test(public_roots_are_only_counted),
		cmocka_unit_test(hostile_text_stays_text),
		cmocka_unit_test(what_passes_the_cap_is_counted),
		cmocka_unit_test(endpoints_tell_their_mode),
		cmocka_unit_test(revocation_lists_tell_their_next_update),
		cmocka_unit_test(the_small_tables),
		cmocka_unit_test(a_failing_view_fails),
		cmocka_unit_test(promtool_is_content),
		cmocka_unit_test(the_process_tells_of_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
