/* Trust stores: bundles in all their forms, on disk and in memory. */
#include "agent/certificate/anchors.h"
#include "tests/certificate/maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void put_pem(struct buffer *out, const struct made *m, const char *label)
{
	gnutls_datum_t pem;

	assert_int_equal(gnutls_pem_base64_encode2(label, &m->der, &pem), 0);
	buffer_append(out, pem.data, pem.size);
	gnutls_free(pem.data);
}

static void test_bundle_of_all_kinds(void **state)
{
	static const char *const names[] = { "CN=a", "CN=b", "CN=c", "CN=d" };
	struct made m[4];
	struct buffer bundle;
	struct trust *t;
	size_t added = 0;
	size_t skipped = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct recipe r = recipe_ca(names[i]);

		make(&m[i], &r, NULL);
	}
	buffer_init(&bundle, 1 << 20);
	buffer_text(&bundle, "# 0 comments, 0123 and -- dashes\r\n");
	put_pem(&bundle, &m[0], "CERTIFICATE");
	put_pem(&bundle, &m[0], "CERTIFICATE");
	put_pem(&bundle, &m[1], "X509 CERTIFICATE");
	put_pem(&bundle, &m[2], "TRUSTED CERTIFICATE");
	put_pem(&bundle, &m[2], "EC PRIVATE KEY");
	buffer_append(&bundle, m[3].der.data, m[3].der.size);
	buffer_text(&bundle, "\n-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
	buffer_text(&bundle, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	buffer_text(&bundle, "-----BEGIN CERTIFICATE-----\nMIIB");
	assert_int_equal(trust_new(&t), ERR_OK);
	assert_int_equal(
		trust_add(t, "mine", false, buffer_bytes(&bundle), &added, &skipped, NULL), ERR_OK);
	assert_int_equal(added, 4);
	assert_int_equal(skipped, 3);
	for (size_t i = 0; i < 4; i++) {
		const struct anchor *a;

		assert_string_equal(trust_holds(t, m[i].parsed.facts.fingerprint), "mine");
		a = trust_named(t, m[i].parsed.subject, m[i].parsed.subject_hash, 0);
		assert_non_null(a);
		assert_memory_equal(
			a->fingerprint, m[i].parsed.facts.fingerprint, FINGERPRINT_BYTES);
		assert_null(trust_named(t, m[i].parsed.subject, m[i].parsed.subject_hash, 1));
		made_fini(&m[i]);
	}
	buffer_fini(&bundle);
	trust_free(t);
}

static void test_first_store_keeps(void **state)
{
	struct recipe r = recipe_ca("CN=shared");
	struct made one;
	struct made namesake;
	struct trust *t;
	size_t added = 0;
	uint64_t generation;

	(void)state;
	make(&one, &r, NULL);
	make(&namesake, &r, NULL);
	assert_int_equal(trust_new(&t), ERR_OK);
	assert_null(trust_holds(t, one.parsed.facts.fingerprint));
	assert_null(trust_named(t, one.parsed.subject, one.parsed.subject_hash, 0));
	generation = trust_generation(t);
	assert_int_equal(trust_add(t, "system", true, one.parsed.der, &added, NULL, NULL), ERR_OK);
	assert_int_equal(added, 1);
	assert_true(trust_generation(t) != generation);
	assert_int_equal(trust_add(t, "other", false, one.parsed.der, &added, NULL, NULL), ERR_OK);
	assert_int_equal(added, 0);
	assert_int_equal(
		trust_add(t, "other", false, namesake.parsed.der, &added, NULL, NULL), ERR_OK);
	assert_string_equal(trust_holds(t, one.parsed.facts.fingerprint), "system");
	assert_string_equal(trust_holds(t, namesake.parsed.facts.fingerprint), "other");
	assert_non_null(trust_named(t, one.parsed.subject, one.parsed.subject_hash, 1));
	assert_null(trust_named(t, one.parsed.subject, one.parsed.subject_hash, 2));
	made_fini(&one);
	made_fini(&namesake);
	trust_free(t);
}

static void test_nothing_to_trust(void **state)
{
	struct trust *t;
	size_t added = 1;
	size_t skipped = 1;

	(void)state;
	assert_int_equal(trust_new(&t), ERR_OK);
	assert_int_equal(
		trust_add(t, "empty", false, slice_of(NULL, 0), &added, &skipped, NULL), ERR_OK);
	assert_int_equal(added + skipped, 0);
	assert_int_equal(trust_add(t, "noise", false, slice_text("-----BEGIN 0\x30\x82"), &added,
				 &skipped, NULL),
		ERR_OK);
	assert_int_equal(added + skipped, 0);
	trust_free(t);
	trust_free(NULL);
}

static void write_file(const char *path, struct slice bytes)
{
	FILE *f = fopen(path, "wbe");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes.data, 1, bytes.size, f), bytes.size);
	assert_int_equal(fclose(f), 0);
}

static void test_read(void **state)
{
	char folder[] = "/tmp/leafwatch-trust-XXXXXX";
	char path[64];
	struct recipe r = recipe_ca("CN=on disk");
	struct made m;
	struct buffer pem;
	struct buffer bytes;
	struct trust *t;
	struct why why = { 0 };
	size_t added = 0;

	(void)state;
	assert_non_null(mkdtemp(folder));
	make(&m, &r, NULL);
	buffer_init(&pem, 1 << 20);
	put_pem(&pem, &m, "CERTIFICATE");
	/* No newline at the end of the first, DER second, then what is no file at all. */
	(void)snprintf(path, sizeof(path), "%s/a.pem", folder);
	write_file(path, slice_of(pem.data, pem.size - 1));
	(void)snprintf(path, sizeof(path), "%s/b.der", folder);
	write_file(path, m.parsed.der);
	(void)snprintf(path, sizeof(path), "%s/c", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	(void)snprintf(path, sizeof(path), "%s/d", folder);
	assert_int_equal(symlink("nowhere", path), 0);
	buffer_init(&bytes, TRUST_BYTES_MAX);
	assert_int_equal(trust_read(folder, &bytes, &why), ERR_OK);
	/* Each file ends with a new line and a NUL. */
	assert_int_equal(bytes.size, pem.size - 1 + m.der.size + 2 * 2);
	assert_int_equal(trust_new(&t), ERR_OK);
	assert_int_equal(
		trust_add(t, folder, false, buffer_bytes(&bytes), &added, NULL, NULL), ERR_OK);
	assert_int_equal(added, 1);
	buffer_fini(&bytes);
	assert_int_equal(trust_read("/nonexistent/ca.pem", &bytes, &why), ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, "/nonexistent/ca.pem"));
	buffer_init(&bytes, 16);
	assert_int_equal(trust_read(folder, &bytes, &why), ERR_LIMIT);
	buffer_fini(&bytes);
	assert_int_equal(trust_read("/dev/null", &bytes, &why), ERR_UNSUPPORTED);
	for (const char *name = "abcd"; *name; name++) {
		static const char *const ends[] = { ".pem", ".der", "", "" };

		(void)snprintf(path, sizeof(path), "%s/%c%s", folder, *name, ends[*name - 'a']);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	buffer_fini(&pem);
	trust_free(t);
	made_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bundle_of_all_kinds),
		cmocka_unit_test(test_first_store_keeps),
		cmocka_unit_test(test_nothing_to_trust),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
