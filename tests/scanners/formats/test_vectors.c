/* Third-party files: every certificate that another implementation finds is found here, or reported. */
#include "collect.h"

#include "agent/certificate/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COLUMNS_MAX 8
#define KINDS_MAX 8
#define SILENT_SHOWN_MAX 20

static char root[4096];

static bool unpack(const char *archive)
{
	const char *build = getenv("LEAFWATCH_BUILD");
	int status;
	pid_t child;

	(void)snprintf(root, sizeof(root), "%s/vectors.unpacked", build ? build : ".");
	if (access(root, R_OK) == 0)
		return true;
	if (mkdir(root, 0755) != 0)
		return false;
	child = fork();
	if (child == 0) {
		execlp("tar", "tar", "-xJf", archive, "-C", root, "--strip-components=1",
			(char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static bool find_root(void)
{
	const char *folder = getenv("LEAFWATCH_VECTORS_DIR"),
		   *archive = getenv("LEAFWATCH_VECTORS");

	if (folder && *folder) {
		(void)snprintf(root, sizeof(root), "%s", folder);
		return true;
	}
	return archive && access(archive, R_OK) == 0 && unpack(archive);
}

static bool read_file(const char *path, struct buffer *out)
{
	char full[8192];
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/%s", root, path);
	f = fopen(full, "re");
	if (!f)
		return false;
	for (;;) {
		uint8_t part[65536];
		size_t n = fread(part, 1, sizeof(part), f);

		if (!n)
			break;
		buffer_append(out, part, n);
	}
	(void)fclose(f);
	return buffer_status(out) == ERR_OK;
}

/* Calls `row` with the columns of each line that is no comment. */
static void each_row(
	const char *file, void (*row)(char *columns[COLUMNS_MAX], void *arg), void *arg)
{
	struct buffer text;
	char *line, *rest;

	buffer_init(&text, TEST_BYTES_MAX);
	assert_true(read_file(file, &text));
	rest = (char *)text.data;
	while ((line = strsep(&rest, "\n"))) {
		char *columns[COLUMNS_MAX] = { 0 };

		if (!*line || *line == '#')
			continue;
		for (size_t i = 0; i < COLUMNS_MAX; i++)
			columns[i] = strsep(&line, "\t");
		row(columns, arg);
	}
	buffer_fini(&text);
}

struct kind {
	char name[16];
	unsigned listed, found, problem, silent;
};
struct tally {
	struct kind kinds[KINDS_MAX];
	char path[4096];
	struct collected collected;
	unsigned silent;
	unsigned opened; /* private keys */
};

static struct kind *kind_of(struct tally *t, const char *name)
{
	size_t i = 0;

	while (i < KINDS_MAX - 1 && t->kinds[i].name[0] && strcmp(t->kinds[i].name, name) != 0)
		i++;
	(void)snprintf(t->kinds[i].name, sizeof(t->kinds[i].name), "%s", name);
	return &t->kinds[i];
}

static void load(struct tally *t, const char *path, const struct strings *passwords)
{
	struct buffer bytes;

	if (strcmp(t->path, path) == 0)
		return;
	(void)snprintf(t->path, sizeof(t->path), "%s", path);
	buffer_init(&bytes, TEST_BYTES_MAX);
	assert_true(read_file(path, &bytes));
	collected_fini(&t->collected);
	t->collected = collect(buffer_bytes(&bytes), passwords);
	buffer_fini(&bytes);
}

static void certificate_row(char *columns[COLUMNS_MAX], void *arg)
{
	struct tally *t = arg;
	struct kind *k = kind_of(t, columns[2]);
	const char *sha256 = columns[3];

	load(t, columns[0], NULL);
	k->listed++;
	/* What OpenSSL could not read either has no digest: something must be said of the file all the same. */
	for (size_t i = 0; i < t->collected.count; i++) {
		const struct found *f = &t->collected.items[i];

		if (sha256 && *sha256 && strcmp(f->sha256, sha256) != 0)
			continue;
		if (f->is_problem)
			k->problem++;
		else
			k->found++;
		return;
	}
	k->silent++;
	if (t->silent++ < SILENT_SHOWN_MAX)
		print_message("silent: %s #%s (%s)\n", columns[0], columns[1], columns[2]);
}

static void certificates_are_found(void **state)
{
	struct tally t = { 0 };

	(void)state;
	each_row("oracle-certs.tsv", certificate_row, &t);
	print_message("%-14s %8s %8s %8s %8s\n", "kind", "listed", "found", "problem", "silent");
	for (size_t i = 0; i < KINDS_MAX && t.kinds[i].name[0]; i++)
		print_message("%-14s %8u %8u %8u %8u\n", t.kinds[i].name, t.kinds[i].listed,
			t.kinds[i].found, t.kinds[i].problem, t.kinds[i].silent);
	collected_fini(&t.collected);
	assert_int_equal(t.silent, 0);
}

/* Every digest of the comma-separated list, as often as it stands there. */
static bool holds_all(const struct collected *c, const char *list, size_t *listed)
{
	bool *taken = calloc(c->count + 1, sizeof(*taken));
	size_t wanted = 0;
	bool same = true;

	for (; list && strlen(list) >= 64; list += list[64] == ',' ? 65 : 64) {
		size_t i = 0;

		while (i < c->count && (taken[i] || c->items[i].is_problem ||
					       strncmp(c->items[i].sha256, list, 64) != 0))
			i++;
		same = same && i < c->count;
		if (i < c->count)
			taken[i] = true;
		wanted++;
	}
	free(taken);
	*listed = wanted;
	return same;
}

static bool same_set(const struct collected *c, const char *list)
{
	size_t listed;

	return holds_all(c, list, &listed) && listed == c->certificates;
}

static void show(const char *path, const struct collected *c, const char *wanted)
{
	print_message("differs: %s (wanted %s, found %zu)\n", path, wanted, c->certificates);
	for (size_t i = 0; i < c->count; i++)
		if (c->items[i].is_problem)
			print_message("    %s: %s\n", reason_word(c->items[i].reason),
				c->items[i].message);
}

static void pkcs12_row(char *columns[COLUMNS_MAX], void *arg)
{
	struct tally *t = arg;
	bool is_open = columns[1][0] >= '0' && columns[1][0] <= '9';
	struct kind *k = kind_of(t, is_open ? "opened" : "not opened");
	struct strings passwords = { 0 };

	if (columns[2] && *columns[2])
		assert_int_equal(strings_add(&passwords, columns[2]), ERR_OK);
	load(t, columns[0], &passwords);
	k->listed++;
	if (is_open ? same_set(&t->collected, columns[3]) : t->collected.certificates > 0)
		k->found++;
	else if (t->collected.problems)
		k->problem++;
	else {
		print_message("silent: %s\n", columns[0]);
		k->silent++;
	}
	if (is_open && !same_set(&t->collected, columns[3]))
		show(columns[0], &t->collected, columns[1]);
	strings_fini(&passwords);
}

static void pkcs12_is_opened(void **state)
{
	struct tally t = { 0 };
	const struct kind *opened;

	(void)state;
	each_row("oracle-pkcs12.tsv", pkcs12_row, &t);
	for (size_t i = 0; i < KINDS_MAX && t.kinds[i].name[0]; i++)
		print_message(
			"pkcs12 %-11s %4u listed, %4u the same, %4u with a problem, %4u silent\n",
			t.kinds[i].name, t.kinds[i].listed, t.kinds[i].found, t.kinds[i].problem,
			t.kinds[i].silent);
	collected_fini(&t.collected);
	opened = kind_of(&t, "opened");
	assert_true(opened->listed > 0 && opened->found * 100 >= opened->listed * 98);
}

static void keystore_row(char *columns[COLUMNS_MAX], void *arg)
{
	struct tally *t = arg;
	struct kind *k;
	size_t listed;

	struct strings passwords = { 0 };

	/* keytool's "None" is no password; those of the sources are at hand for what it could not open. */
	if (columns[3] && *columns[3] && strcmp(columns[3], "None") != 0)
		assert_int_equal(strings_add(&passwords, columns[3]), ERR_OK);
	assert_int_equal(strings_add(&passwords, "store_password"), ERR_OK);
	k = kind_of(t, columns[1]);
	t->path[0] = 0;
	load(t, columns[0], &passwords);
	strings_fini(&passwords);
	k->listed++;
	if (strcmp(columns[2], "FAIL") == 0) {
		print_message("keytool refuses %s; here: %zu certificates, %zu problems\n",
			columns[0], t->collected.certificates, t->collected.problems);
		k->problem++;
	} else if (holds_all(&t->collected, columns[5], &listed) && !t->collected.problems) {
		/* keytool shows one of several entries with the same alias. */
		if (listed != t->collected.certificates)
			print_message("%s: %zu more than keytool shows\n", columns[0],
				t->collected.certificates - listed);
		k->found++;
	} else {
		show(columns[0], &t->collected, columns[2]);
		t->silent++;
	}
}

static void keystores_are_read(void **state)
{
	struct tally t = { 0 };

	(void)state;
	each_row("oracle-keystores.tsv", keystore_row, &t);
	for (size_t i = 0; i < KINDS_MAX && t.kinds[i].name[0]; i++)
		print_message("%-6s %3u listed, %3u the same, %3u refused by keytool\n",
			t.kinds[i].name, t.kinds[i].listed, t.kinds[i].found, t.kinds[i].problem);
	collected_fini(&t.collected);
	assert_int_equal(t.silent, 0);
}

/* The passwords of the sources. */
static char *const key_passwords[] = { (char *)"wrong", (char *)"12345678",
	(char *)"store_password", (char *)"private_password", (char *)"password",
	(char *)"changeit" };

static const struct found *certificate_of(const struct collected *c, const char *alias)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct found *f = &c->items[i];

		if (!f->is_record && !f->is_problem && f->alias && strcmp(f->alias, alias) == 0)
			return f;
	}
	return NULL;
}

static void keys_row(char *columns[COLUMNS_MAX], void *arg)
{
	const struct strings passwords = { (char **)(uintptr_t)key_passwords,
		sizeof(key_passwords) / sizeof(key_passwords[0]), 0 };
	struct tally *t = arg;
	struct kind *k = kind_of(t, columns[1]);

	t->path[0] = 0;
	load(t, columns[0], &passwords);
	for (size_t i = 0; i < t->collected.count; i++) {
		const struct record *r = &t->collected.items[i].record;
		const struct found *own;

		if (r->kind != RECORD_KEY)
			continue;
		k->listed++;
		assert_non_null(r->location.alias);
		own = certificate_of(&t->collected, r->location.alias);
		if (!own)
			continue;
		assert_true(r->key.is_encrypted);
		if (!r->key.is_known) {
			k->problem++;
		} else if (memcmp(own->spki, r->key.spki_sha256, FINGERPRINT_BYTES) == 0) {
			k->found++;
			t->opened++;
		} else {
			print_message("%s: the key %s is not its certificate's\n", columns[0],
				r->location.alias);
			t->silent++;
		}
	}
}

/* Of those that a password at hand opens; the passwords of some entries are not published. */
#define KEYS_OPENED_MIN 14

/* A private key that is opened in the keystores of others is that of its certificate. */
static void keys_are_those_of_their_certificates(void **state)
{
	struct tally t = { 0 };

	(void)state;
	each_row("oracle-keystores.tsv", keys_row, &t);
	for (size_t i = 0; i < KINDS_MAX && t.kinds[i].name[0]; i++)
		print_message("%-6s %3u keys, %3u those of their certificates, %3u locked\n",
			t.kinds[i].name, t.kinds[i].listed, t.kinds[i].found, t.kinds[i].problem);
	collected_fini(&t.collected);
	assert_int_equal(t.silent, 0);
	assert_true(t.opened >= KEYS_OPENED_MIN);
}

/* The key of a database of NSS is that of the certificate in the one beside it. */
static void keys_of_nss_are_read(void **state)
{
	struct tally t = { 0 };
	uint8_t spki[FINGERPRINT_BYTES];

	(void)state;
	load(&t, "badssl-nssdb/cert9.db", NULL);
	assert_int_equal(t.collected.certificates, 1);
	memcpy(spki, t.collected.items[0].spki, FINGERPRINT_BYTES);
	load(&t, "badssl-nssdb/key4.db", NULL);
	assert_int_equal(t.collected.count, 1);
	assert_int_equal(t.collected.items[0].record.kind, RECORD_KEY);
	assert_true(t.collected.items[0].record.key.is_known);
	assert_memory_equal(t.collected.items[0].record.key.spki_sha256, spki, FINGERPRINT_BYTES);
	/* Whoever has the file has the key: its password is empty. */
	assert_false(t.collected.items[0].record.key.is_encrypted);
	collected_fini(&t.collected);
}

/* NSS and keybox: the path is a folder or a file, the list stands last. */
static void nss_row(char *columns[COLUMNS_MAX], void *arg)
{
	struct tally *t = arg;
	bool is_legacy = strcmp(columns[1], "sql") != 0;
	char path[4096];

	(void)snprintf(
		path, sizeof(path), "%s/%s", columns[0], is_legacy ? "cert8.db" : "cert9.db");
	load(t, path, NULL);
	t->kinds[0].listed++;
	if (is_legacy ? t->collected.problems == 1 &&
				t->collected.items[0].reason == REASON_UNSUPPORTED
		      : same_set(&t->collected, columns[3]))
		return;
	show(path, &t->collected, columns[2]);
	t->silent++;
}

static void nss_is_read(void **state)
{
	struct tally t = { 0 };

	(void)state;
	each_row("oracle-nss.tsv", nss_row, &t);
	print_message("nss %u listed, %u differ\n", t.kinds[0].listed, t.silent);
	collected_fini(&t.collected);
	assert_true(t.kinds[0].listed > 0);
	assert_int_equal(t.silent, 0);
}

static void keybox_row(char *columns[COLUMNS_MAX], void *arg)
{
	struct tally *t = arg;

	load(t, columns[0], NULL);
	t->kinds[0].listed++;
	if (same_set(&t->collected, columns[2]))
		return;
	show(columns[0], &t->collected, columns[1]);
	t->silent++;
}

static void keyboxes_are_read(void **state)
{
	struct tally t = { 0 };

	(void)state;
	each_row("oracle-keybox.tsv", keybox_row, &t);
	print_message("keybox %u listed, %u differ\n", t.kinds[0].listed, t.silent);
	collected_fini(&t.collected);
	assert_true(t.kinds[0].listed > 0);
	assert_int_equal(t.silent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_found),
		cmocka_unit_test(pkcs12_is_opened),
		cmocka_unit_test(keystores_are_read),
		cmocka_unit_test(keys_are_those_of_their_certificates),
		cmocka_unit_test(nss_is_read),
		cmocka_unit_test(keys_of_nss_are_read),
		cmocka_unit_test(keyboxes_are_read),
	};

	if (!find_root()) {
		print_message(
			"skipped: neither LEAFWATCH_VECTORS_DIR nor LEAFWATCH_VECTORS names the test vectors\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
