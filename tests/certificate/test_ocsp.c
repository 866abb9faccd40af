/* OCSP answers of every kind, made by make_ocsp.py, and the request as OpenSSL reads it. */
#include "agent/base/clock.h"
#include "agent/certificate/ocsp.h"
#include "tests/certificate/maker.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1767225600
#define DAY 86400

extern char **environ;

struct fixtures {
	char folder[64];
	struct buffer ca;
	struct buffer serial;
};

static void run(char *const argv[])
{
	pid_t pid;
	int status;

	assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void load(const struct fixtures *f, const char *name, struct buffer *out)
{
	char path[160];
	uint8_t bytes[8192];
	size_t size;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	file = fopen(path, "rbe");
	assert_non_null(file);
	buffer_init(out, 1 << 20);
	while ((size = fread(bytes, 1, sizeof(bytes), file)) > 0)
		buffer_append(out, bytes, size);
	(void)fclose(file);
}

static int set_up(void **state)
{
	const char *source = getenv("LEAFWATCH_SOURCE");
	struct fixtures *f = calloc(1, sizeof(*f));
	char script[512];
	char now[32];
	char *argv[] = { (char[]){ "/usr/bin/python3" }, script, f->folder, now, NULL };

	(void)snprintf(f->folder, sizeof(f->folder), "/tmp/leafwatch-ocsp-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(
		script, sizeof(script), "%s/tests/certificate/make_ocsp.py", source ? source : ".");
	(void)snprintf(now, sizeof(now), "%d", NOW);
	run(argv);
	load(f, "ca.der", &f->ca);
	load(f, "serial", &f->serial);
	clock_pin(NOW);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixtures *f = *state;
	char *argv[] = { (char[]){ "rm" }, (char[]){ "-rf" }, f->folder, NULL };

	run(argv);
	buffer_fini(&f->ca);
	buffer_fini(&f->serial);
	free(f);
	return 0;
}

static struct ocsp_answer ask(const struct fixtures *f, const char *name, struct slice nonce)
{
	const struct ocsp_question q = { .issuer_der = buffer_bytes(&f->ca),
		.serial = buffer_string(&f->serial),
		.nonce = nonce,
		.now = NOW };
	struct ocsp_answer answer;
	struct buffer bytes;

	load(f, name, &bytes);
	assert_int_equal(ocsp_read(buffer_bytes(&bytes), &q, &answer), ERR_OK);
	buffer_fini(&bytes);
	return answer;
}

static void test_words(void **state)
{
	static const struct {
		const char *file;
		enum ocsp_word word;
		const char *why;
	} cases[] = {
		{ "good", OCSP_GOOD, "" },
		{ "good-sha256", OCSP_GOOD, "" },
		{ "delegated", OCSP_GOOD, "" },
		{ "open", OCSP_GOOD, "" },
		{ "nonce", OCSP_GOOD, "" },
		{ "revoked", OCSP_REVOKED, "" },
		{ "unknown", OCSP_UNKNOWN, "does not know" },
		{ "try_later", OCSP_UNKNOWN, "tryLater" },
		{ "unauthorized", OCSP_UNKNOWN, "unauthorized" },
		{ "stale", OCSP_STALE, "nextUpdate has passed" },
		{ "open-old", OCSP_STALE, "nextUpdate has passed" },
		{ "ahead", OCSP_STALE, "thisUpdate lies ahead" },
		{ "other-certificate", OCSP_INVALID, "another certificate" },
		{ "other-issuer", OCSP_INVALID, "another certificate" },
		{ "no-right", OCSP_INVALID, "OCSPSigning" },
		{ "stranger", OCSP_INVALID, "signer" },
		{ "expired-delegate", OCSP_INVALID, "not valid now" },
		{ "wrong-key", OCSP_INVALID, "signature" },
		{ "damaged", OCSP_INVALID, "" },
		{ "cut", OCSP_INVALID, "cannot be read" },
		{ "leaf.der", OCSP_INVALID, "cannot be read" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ocsp_answer a = ask(*state, cases[i].file, slice_of(NULL, 0));

		if (a.word != cases[i].word || !strstr(a.why, cases[i].why))
			fail_msg("%s: word %d, \"%s\"", cases[i].file, a.word, a.why);
	}
}

static void test_dates_and_reason(void **state)
{
	struct ocsp_answer a = ask(*state, "revoked", slice_of(NULL, 0));

	assert_int_equal(a.this_update, NOW - DAY);
	assert_int_equal(a.next_update, NOW + 6 * DAY);
	assert_int_equal(a.revoked_at, NOW - 2 * DAY);
	assert_string_equal(revocation_reason_word(a.reason), "keyCompromise");
	a = ask(*state, "good", slice_of(NULL, 0));
	assert_true(a.revoked_at == TIME_UNKNOWN);
}

static void test_nonce(void **state)
{
	uint8_t nonce[OCSP_NONCE_BYTES];

	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)i;
	assert_int_equal(ask(*state, "nonce", slice_of(nonce, sizeof(nonce))).word, OCSP_GOOD);
	nonce[31] ^= 1;
	assert_int_equal(ask(*state, "nonce", slice_of(nonce, sizeof(nonce))).word, OCSP_INVALID);
	/* Responders that sign in advance send none. */
	assert_int_equal(ask(*state, "good", slice_of(nonce, sizeof(nonce))).word, OCSP_GOOD);
}

static void test_too_large(void **state)
{
	const struct fixtures *f = *state;
	const struct ocsp_question q = {
		.issuer_der = buffer_bytes(&f->ca), .serial = buffer_string(&f->serial), .now = NOW
	};
	struct ocsp_answer answer;
	uint8_t *bytes = calloc(1, OCSP_BYTES_MAX + 1);

	assert_non_null(bytes);
	assert_int_equal(ocsp_read(slice_of(bytes, OCSP_BYTES_MAX + 1), &q, &answer), ERR_OK);
	assert_int_equal(answer.word, OCSP_INVALID);
	free(bytes);
}

/* OpenSSL reads the request and finds in it what went in. */
static void test_request(void **state)
{
	static const char *const serials[] = { "00f00d1234", "01", "7f", "80", "ff00", "-01", "-80",
		"-8000", "00" };
	static const char *const shown[] = { "F00D1234", "01", "7F", "80", "FF00", "-01", "-80",
		"-8000", "00" };
	const struct fixtures *f = *state;
	const uint8_t nonce[OCSP_NONCE_BYTES] = { 0xab };
	struct issuer_id id;

	assert_true(issuer_id_of(buffer_bytes(&f->ca), &id));
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		char path[128];
		char command[1024];
		struct buffer out;
		FILE *file;

		buffer_init(&out, 4096);
		assert_true(ocsp_request(
			&out, &id, serials[i], slice_of(nonce, i % 2 ? sizeof(nonce) : 0)));
		(void)snprintf(path, sizeof(path), "%s/request", f->folder);
		file = fopen(path, "wbe");
		assert_non_null(file);
		assert_int_equal(fwrite(out.data, 1, out.size, file), out.size);
		(void)fclose(file);
		(void)snprintf(command, sizeof(command),
			"openssl ocsp -reqin %s -req_text -noverify >%s.txt 2>&1;"
			"grep -q 'Serial Number: %s$' %s.txt && test $(grep -c Nonce %s.txt) = %d",
			path, path, shown[i], path, path, i % 2 ? 1 : 0);
		if (system(command) != 0)
			fail_msg("serial %s", serials[i]);
		buffer_fini(&out);
	}
}

static void test_bad_serials(void **state)
{
	static const char *const serials[] = { "", "-", "1", "xx", "-0", "0x01" };
	struct issuer_id id = { { 0 }, { 0 } };
	char huge[400];
	struct buffer out;

	(void)state;
	memset(huge, '1', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	buffer_init(&out, 4096);
	for (size_t i = 0; i < sizeof(serials) / sizeof(serials[0]); i++)
		assert_false(ocsp_request(&out, &id, serials[i], slice_of(NULL, 0)));
	assert_false(ocsp_request(&out, &id, huge, slice_of(NULL, 0)));
	assert_int_equal(out.size, 0);
	buffer_fini(&out);
}

static void test_windows(void **state)
{
	(void)state;
	assert_true(revocation_is_current(NOW, NOW, NOW));
	assert_true(revocation_is_current(NOW + REVOCATION_SKEW_S, NOW + DAY, NOW));
	assert_false(revocation_is_current(NOW + REVOCATION_SKEW_S + 1, NOW + DAY, NOW));
	assert_true(revocation_is_current(NOW - DAY, NOW - REVOCATION_SKEW_S, NOW));
	assert_false(revocation_is_current(NOW - DAY, NOW - REVOCATION_SKEW_S - 1, NOW));
	assert_false(revocation_is_current(TIME_UNKNOWN, NOW + DAY, NOW));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_dates_and_reason),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_serials),
		cmocka_unit_test(test_windows),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
