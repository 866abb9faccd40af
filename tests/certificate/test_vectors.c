/* Every certificate that OpenSSL finds in the third-party vectors is parsed or at least evident, with the
 * same SHA-256, dates and serial. Skips where the vectors are absent. */
#include "agent/base/text.h"
#include "agent/certificate/certificate.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define PATH_BYTES_MAX 4096
#define COLUMNS 7

enum column { PATH, INDEX, KIND, SHA256, NOT_BEFORE, NOT_AFTER, SERIAL };

struct tally {
	unsigned expected;
	unsigned parsed;
	unsigned evident;
	unsigned missed;
	unsigned dates_differ;
	unsigned serials_differ;
	unsigned dates_compared;
	unsigned serials_compared;
};

/* --- files and PEM, read by the test's own means ------------------------------------------------ */

static struct buffer file_bytes(const char *path)
{
	struct buffer b;
	FILE *f = fopen(path, "rbe");

	buffer_init(&b, FILE_BYTES_MAX);
	while (f && !feof(f) && !ferror(f)) {
		uint8_t chunk[65536];

		buffer_append(&b, chunk, fread(chunk, 1, sizeof(chunk), f));
	}
	if (f)
		(void)fclose(f);
	return b;
}

static int base64_value(uint8_t c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

static void base64_decode(struct slice text, struct buffer *out)
{
	uint32_t bits = 0;
	unsigned count = 0;

	for (size_t i = 0; i < text.size && text.data[i] != '='; i++) {
		int value = base64_value(text.data[i]);

		if (value < 0)
			continue;
		bits = bits << 6 | (uint32_t)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buffer_byte(out, (uint8_t)(bits >> count));
		}
	}
}

static const uint8_t *find(struct slice in, const char *what)
{
	return in.size ? memmem(in.data, in.size, what, strlen(what)) : NULL;
}

static bool is_certificate_label(const uint8_t *label, size_t size)
{
	static const char *const labels[] = { "CERTIFICATE", "X509 CERTIFICATE",
		"TRUSTED CERTIFICATE" };

	for (size_t i = 0; i < 3; i++)
		if (size == strlen(labels[i]) && memcmp(label, labels[i], size) == 0)
			return true;
	return false;
}

/* Calls `fn` for the bytes of each certificate block, or for the whole file where there is none. */
static void each_certificate(struct slice bytes, void (*fn)(void *arg, struct slice der), void *arg)
{
	struct slice left = bytes;
	const uint8_t *at;
	unsigned blocks = 0;

	while ((at = find(left, "-----BEGIN "))) {
		const uint8_t *dashes;
		const uint8_t *end;
		struct buffer der;

		left = slice_after(left, (size_t)(at - left.data) + 11);
		dashes = find(left, "-----");
		if (!dashes || !is_certificate_label(left.data, (size_t)(dashes - left.data)))
			continue;
		left = slice_after(left, (size_t)(dashes - left.data) + 5);
		end = find(left, "-----");
		buffer_init(&der, FILE_BYTES_MAX);
		base64_decode(
			slice_of(left.data, end ? (size_t)(end - left.data) : left.size), &der);
		fn(arg, buffer_bytes(&der));
		buffer_fini(&der);
		blocks++;
	}
	if (!blocks)
		fn(arg, bytes);
}

/* --- comparing ---------------------------------------------------------------------------------- */

struct wanted {
	char *columns[COLUMNS];
	struct tally *tally;
	bool is_met;
};

static const char *significant(const char *hex)
{
	while (*hex == '0' && hex[1])
		hex++;
	return hex;
}

static bool same_serial(const char *ours, const char *theirs)
{
	bool is_negative = *theirs == '-';

	if ((*ours == '-') != is_negative)
		return false;
	return strcasecmp(significant(ours + is_negative), significant(theirs + is_negative)) == 0;
}

static void compare_date(const struct wanted *w, enum column column, int64_t ours)
{
	const char *text = w->columns[column];
	char *end;
	int64_t theirs = strtoll(text, &end, 10);

	if (end == text || *end)
		return; /* OpenSSL could not read it either */
	w->tally->dates_compared++;
	if (ours == theirs)
		return;
	w->tally->dates_differ++;
	print_message("date differs: %s #%s: %s, not %lld\n", w->columns[PATH], w->columns[INDEX],
		text, (long long)ours);
}

static void compare_parsed(struct wanted *w, const struct parsed_certificate *p)
{
	w->tally->parsed++;
	compare_date(w, NOT_BEFORE, p->facts.not_before);
	compare_date(w, NOT_AFTER, p->facts.not_after);
	w->tally->serials_compared++;
	if (!same_serial(p->facts.serial, w->columns[SERIAL])) {
		w->tally->serials_differ++;
		print_message("serial differs: %s #%s: %s, not %s\n", w->columns[PATH],
			w->columns[INDEX], w->columns[SERIAL], p->facts.serial);
	}
	assert_true(text_is_clean(slice_text(p->facts.subject)));
	assert_true(text_is_clean(slice_text(p->facts.issuer)));
	assert_true(!p->facts.subject_cn || text_is_clean(slice_text(p->facts.subject_cn)));
	for (size_t i = 0; i < p->facts.names.count; i++)
		assert_true(text_is_clean(slice_text(p->facts.names.items[i])));
}

static void meet(void *arg, struct slice der)
{
	struct wanted *w = arg;
	struct parsed_certificate p;
	struct evident_certificate evident;
	uint8_t sha256[FINGERPRINT_BYTES];

	if (w->is_met || !certificate_is_evident(der, &evident))
		return;
	assert_true(text_unhex(sha256, sizeof(sha256), w->columns[SHA256]));
	if (memcmp(evident.fingerprint, sha256, sizeof(sha256)) != 0)
		return;
	w->is_met = true;
	if (certificate_parse(der, &p, NULL, NULL) != ERR_OK) {
		w->tally->evident++;
		compare_date(w, NOT_BEFORE, evident.not_before);
		compare_date(w, NOT_AFTER, evident.not_after);
		return;
	}
	assert_memory_equal(p.facts.fingerprint, sha256, sizeof(sha256));
	compare_parsed(w, &p);
	parsed_certificate_fini(&p);
}

static bool split(char *line, char *columns[COLUMNS])
{
	line[strcspn(line, "\r\n")] = 0;
	for (size_t i = 0; i < COLUMNS; i++)
		columns[i] = line ? strsep(&line, "\t") : NULL;
	return columns[SHA256] && strlen(columns[SHA256]) == 2 * FINGERPRINT_BYTES &&
	       columns[SERIAL];
}

static void check_line(const char *folder, char *line, struct tally *tally)
{
	struct wanted w = { .tally = tally };
	char path[2 * PATH_BYTES_MAX];
	struct buffer bytes;

	if (*line == '#' || !split(line, w.columns))
		return;
	tally->expected++;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, w.columns[PATH]);
	bytes = file_bytes(path);
	each_certificate(buffer_bytes(&bytes), meet, &w);
	buffer_fini(&bytes);
	if (w.is_met)
		return;
	tally->missed++;
	print_message("missed: %s #%s (%s)\n", w.columns[PATH], w.columns[INDEX], w.columns[KIND]);
}

/* --- where the vectors are ---------------------------------------------------------------------- */

static bool unpack(const char *archive, const char *into)
{
	int status = -1;
	pid_t pid;

	(void)mkdir(into, 0755);
	pid = fork();
	if (pid == 0) {
		(void)execlp("tar", "tar", "-xJf", archive, "-C", into, (char *)NULL);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* The folder that holds the oracle, in `into` or one level below it. */
static bool locate(const char *into, char out[PATH_BYTES_MAX])
{
	static const char *const below[] = { "", "/vectors" };

	for (size_t i = 0; i < 2; i++) {
		char oracle[PATH_BYTES_MAX + 32];

		(void)snprintf(out, PATH_BYTES_MAX, "%s%s", into, below[i]);
		(void)snprintf(oracle, sizeof(oracle), "%s/oracle-certs.tsv", out);
		if (access(oracle, R_OK) == 0)
			return true;
	}
	return false;
}

static bool vectors(char out[PATH_BYTES_MAX])
{
	const char *folder = getenv("LEAFWATCH_VECTORS_DIR");
	const char *archive = getenv("LEAFWATCH_VECTORS");
	const char *build = getenv("LEAFWATCH_BUILD");
	char into[PATH_BYTES_MAX / 2];

	if (folder)
		return locate(folder, out);
	if (!archive || access(archive, R_OK) != 0)
		return false;
	(void)snprintf(into, sizeof(into), "%s/vectors", build ? build : "/tmp");
	return locate(into, out) || (unpack(archive, into) && locate(into, out));
}

static void test_vectors(void **state)
{
	char folder[PATH_BYTES_MAX];
	char path[PATH_BYTES_MAX + 32];
	struct tally t = { 0 };
	char *line = NULL;
	size_t room = 0;
	FILE *oracle;

	(void)state;
	if (!vectors(folder)) {
		print_message("skipped: set LEAFWATCH_VECTORS to the vectors' archive\n");
		skip();
	}
	(void)snprintf(path, sizeof(path), "%s/oracle-certs.tsv", folder);
	oracle = fopen(path, "re");
	assert_non_null(oracle);
	while (getline(&line, &room, oracle) > 0)
		check_line(folder, line, &t);
	free(line);
	(void)fclose(oracle);
	print_message(
		"expected %u: parsed %u, evident %u, missed %u; dates %u of %u differ, serials "
		"%u of %u differ\n",
		t.expected, t.parsed, t.evident, t.missed, t.dates_differ, t.dates_compared,
		t.serials_differ, t.serials_compared);
	assert_int_not_equal(t.expected, 0);
	assert_int_equal(t.missed, 0);
	assert_int_equal(t.dates_differ, 0);
	assert_int_equal(t.serials_differ, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
