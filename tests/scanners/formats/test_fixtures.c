/* The stores that other programs made (tests/fuzz/make_corpus.sh): what is in them, under which names, and
 * what is said of what cannot be read. */
#include "collect.h"

#include <stdio.h>

#define LIST_BYTES 4096

struct fixture {
	const char *path;     /* below tests/fuzz/corpus */
	const char *password; /* or NULL */
	const char *format;   /* NULL: nobody's */
	/* Of each certificate "alias" and, where something is said, "[trust]" and "(integrity)". */
	const char *certificates;
	const char *reasons; /* of the problems */
};

static const struct fixture fixtures[] = {
	{ "nss/cert9", NULL, "nss", "Fuzz Root[CT,C,C] fuzz leaf", "" },
	{ "nss/wal", NULL, "nss", "Fuzz Root[CT,C,C] fuzz leaf", "" },
	{ "nss/damaged", NULL, "nss", "", "malformed" },
	{ "nss/view", NULL, NULL, "", "" },
	{ "nss_legacy/cert8", NULL, "nss-legacy", "", "unsupported" },
	{ "nss_legacy/key3", NULL, NULL, "", "" },
	{ "keybox/two", NULL, "keybox", "- -", "" },
	{ "keybox/cut-off", NULL, "keybox", "- -", "malformed" },
	{ "bks/bks", NULL, "bks", "ca(unverified) key(unverified)", "" },
	{ "bks/bks", "secret", "bks", "ca key", "" },
	{ "bks/bks-v1", "secret", "bks", "ca key", "" },
	{ "bks/bks-v1", "wrong", "bks", "ca(unverified) key(unverified)", "" },
	{ "uber/uber", "secret", "uber", "ca key", "" },
	{ "uber/uber", NULL, "uber", "", "needs-password" },
	{ "uber/uber", "wrong", "uber", "", "wrong-password" },
	{ "bcfks/bcfks", "secret", "bcfks", "ca key", "" },
	{ "bcfks/bcfks", NULL, "bcfks", "", "needs-password" },
	{ "bcfks/bcfks", "wrong", "bcfks", "", "wrong-password" },
	{ "bcfks/scrypt", "secret", "bcfks", "ca", "" },
	{ "bcfks/wrapped", "secret", "bcfks", "ca", "" },
	{ "bcfks/wrapped", "wrong", "bcfks", "", "wrong-password" },
	{ "pkcs12/key-alone", NULL, "pkcs12", "", "needs-password" },
	{ "pkcs12/key-alone", "wrong", "pkcs12", "", "wrong-password" },
	{ "pkcs12/key-alone", "secret", "pkcs12", "", "" },
	{ "pkcs12/key-unsupported", "secret", "pkcs12", "", "unsupported" },
	{ "xml/saml", NULL, "xml",
		"https://idp.example.org/saml signing https://idp.example.org/saml encryption",
		"" },
	{ "xml/placeholder", NULL, "xml", "", "malformed" },
	{ "p11kit/two", NULL, "p11-kit", "Fuzz Root[trusted] leaf[distrusted]", "" },
	{ "smime/signed", NULL, "smime", "-", "" },
	{ "base64/kubeconfig", NULL, "base64-pem", "clusters/prod users/admin", "" },
	{ "base64/secret", NULL, "base64-pem",
		"data/tls.crt data/ca.der data/trust.p12/fuzz(unverified) "
		"data/trust.p12(unverified) data/trust.jks/ca(unverified) "
		"data/trust.jks/key(unverified)",
		"" },
	{ "base64/documents", NULL, "pem", "one/data/ca.crt two/data/tls.crt", "" },
	{ "base64/list", NULL, "base64-pem", "items/two/data/b items/one/data/a", "" },
	{ "base64/jwks", NULL, "base64", "keys/signing/x5c/0 keys/signing/x5c/1", "" },
	{ "base64/terraform", NULL, "pem", "outputs/cert", "needs-password" },
	{ "base64/terraform", "secret", "pem",
		"outputs/cert resources/bundle/instances/0/attributes/result/fuzz "
		"resources/bundle/instances/0/attributes/result",
		"" },
	{ "base64/terraform", "wrong", "pem", "outputs/cert", "wrong-password" },
	{ "base64/cloud-config", NULL, "pem", "ca_certs/trusted/0 write_files//etc/x.pem/content",
		"" },
	{ "base64/openvpn", NULL, "pem", "ca pkcs12/fuzz(unverified) pkcs12(unverified)", "" },
	{ "base64/mobileconfig", NULL, "base64", "PayloadContent/Root", "" },
	{ "base64/mobileconfig-signed", NULL, "pkcs7", "PayloadContent/Root -", "" },
	{ "base64/ldif", NULL, "base64", "uid=alice,o=x/userCertificate;binary", "" },
	{ "base64/url", NULL, "base64", "url", "" },
	{ "base64/sketch", NULL, NULL, "", "" },
	{ "base64/cut-off", NULL, "base64", "", "malformed" },
	{ "base64/pkcs7", NULL, "base64", "-", "" },
	{ "base64/old", NULL, "base64", "rsa ec", "" },
	{ "base64/keystores", "secret", "base64",
		"data/a.jceks/ca(unverified) data/a.jceks/key(unverified) data/b.bks/ca "
		"data/b.bks/key data/c.bks/ca data/c.bks/key",
		"" },
	{ "base64/helm", NULL, "base64-gzip",
		"data/release/chart/files/certs/ca.pem/data data/release/manifest", "" },
	{ "base64/helm.json", NULL, "base64-gzip",
		"items/sh.helm.release.v1.web.v1/data/release/chart/files/certs/ca.pem/data "
		"items/sh.helm.release.v1.web.v1/data/release/manifest",
		"" },
	{ "base64/cloud-gzip", NULL, "base64-gzip",
		"write_files//etc/x.pem/content write_files//etc/x.pem/content", "" },
	{ "base64/terraform-gzip", NULL, "base64-gzip", "user_data user_data", "" },
	{ "base64/gzip-cut-off", NULL, "base64-gzip", "", "malformed" },
	{ "base64/gzip-sketch", NULL, NULL, "", "" },
	{ "uefi/esl", NULL, "uefi",
		"77fa9abd-0359-4d32-bd60-28f4e78f784b 77fa9abd-0359-4d32-bd60-28f4e78f784b", "" },
	{ "uefi/variable", NULL, "uefi",
		"77fa9abd-0359-4d32-bd60-28f4e78f784b 77fa9abd-0359-4d32-bd60-28f4e78f784b", "" },
	{ "uefi/auth", NULL, "uefi",
		"77fa9abd-0359-4d32-bd60-28f4e78f784b 77fa9abd-0359-4d32-bd60-28f4e78f784b", "" },
	{ "uefi/cut-off", NULL, "uefi", "77fa9abd-0359-4d32-bd60-28f4e78f784b", "malformed" },
	{ "sst/store", NULL, "sst", "- Wébserver", "" },
	{ "sst/element", NULL, "sst", "Wébserver", "" },
	{ "sst/cut-off", NULL, "sst", "-", "malformed" },
	{ "sst/element-cut-off", NULL, "sst", "", "malformed" },
	{ "pe/signed", NULL, "pe", "-", "" },
	{ "pe/table", NULL, "pe", "-", "" },
	{ "pe/cut-off", NULL, "pe", "", "malformed" },
	{ "der/request", NULL, "csr", "", "" },
	{ "crl/revoked", NULL, "crl", "", "" },
	{ "pem/trusted", NULL, "pem", "-[trust serverAuth]", "" },
};

static bool read_fixture(const char *path, struct buffer *out)
{
	const char *source = getenv("LEAFWATCH_SOURCE");
	char full[8192];
	uint8_t part[65536];
	size_t n;
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/tests/fuzz/corpus/%s", source ? source : ".", path);
	f = fopen(full, "re");
	if (!f)
		return false;
	while ((n = fread(part, 1, sizeof(part), f)))
		buffer_append(out, part, n);
	(void)fclose(f);
	return buffer_status(out) == ERR_OK;
}

static void list(const struct collected *c, bool problems, char out[LIST_BYTES])
{
	size_t size = 0;

	out[0] = 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct found *f = &c->items[i];
		char said[512] = "", integrity[64] = "", trust[128] = "";

		if (f->is_problem != problems || f->is_record)
			continue;
		if (f->integrity)
			(void)snprintf(integrity, sizeof(integrity), "(%s)", f->integrity);
		if (f->trust)
			(void)snprintf(trust, sizeof(trust), "[%s]", f->trust);
		(void)snprintf(said, sizeof(said), "%s%s%s",
			problems   ? reason_word(f->reason)
			: f->alias ? f->alias
				   : "-",
			trust, integrity);
		size += (size_t)snprintf(
			out + size, LIST_BYTES - size, "%s%s", size ? " " : "", said);
	}
}

static bool is_same(
	const struct fixture *f, const char *what, const char *found, const char *wanted)
{
	if (strcmp(found, wanted) == 0)
		return true;
	print_message("%s with %s, %s: found \"%s\", wanted \"%s\"\n", f->path,
		f->password ? f->password : "no password", what, found, wanted);
	return false;
}

static bool check(const struct fixture *f)
{
	bool is_good;
	struct strings passwords = { 0 };
	struct collected c;
	struct buffer bytes;
	char found[LIST_BYTES];

	buffer_init(&bytes, TEST_BYTES_MAX);
	if (!read_fixture(f->path, &bytes))
		fail_msg("%s is missing: run tests/fuzz/make_corpus.sh", f->path);
	if (f->password)
		assert_int_equal(strings_add(&passwords, f->password), ERR_OK);
	c = collect(buffer_bytes(&bytes), &passwords);
	list(&c, false, found);
	is_good = is_same(f, "certificates", found, f->certificates);
	list(&c, true, found);
	is_good = is_same(f, "problems", found, f->reasons) && is_good;
	is_good = is_same(f, "format", c.which ? c.which->name : "none",
			  f->format ? f->format : "none") &&
		  is_good;
	collected_fini(&c);
	strings_fini(&passwords);
	buffer_fini(&bytes);
	return is_good;
}

static void test_fixtures(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++)
		bad += !check(&fixtures[i]);
	assert_int_equal(bad, 0);
}

/* However many signatures a program has, all are read. */
static void test_many_signatures(void **state)
{
	enum { COPIES = 1000 };
	struct buffer one, all;
	struct collected c;

	(void)state;
	buffer_init(&one, TEST_BYTES_MAX);
	buffer_init(&all, TEST_BYTES_MAX);
	assert_true(read_fixture("pe/table", &one));
	for (int i = 0; i < COPIES; i++)
		buffer_slice(&all, buffer_bytes(&one));
	c = collect(buffer_bytes(&all), NULL);
	assert_int_equal(c.certificates, COPIES);
	assert_int_equal(c.problems, 0);
	collected_fini(&c);
	buffer_fini(&all);
	buffer_fini(&one);
}

static void old_ciphers(void **state)
{
	static const char *const paths[] = { "pkcs12/3des", "pkcs12/rc2-40", "pkcs12/rc4-40",
		"pkcs12/pbes1-des", "pkcs12/pbes1-rc2" };
	struct strings passwords = { 0 };

	(void)state;
	assert_int_equal(strings_add(&passwords, "wrong"), ERR_OK);
	assert_int_equal(strings_add(&passwords, "secret"), ERR_OK);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct collected c;
		struct buffer bytes;
		size_t keys = 0;

		buffer_init(&bytes, TEST_BYTES_MAX);
		assert_true(read_fixture(paths[i], &bytes));
		c = collect(buffer_bytes(&bytes), &passwords);
		assert_int_equal(c.certificates, 2);
		assert_int_equal(c.problems, 0);
		for (size_t k = 0; k < c.count; k++)
			keys += c.items[k].is_record && c.items[k].record.kind == RECORD_KEY &&
				c.items[k].record.key.is_known;
		assert_int_equal(keys, 1);
		collected_fini(&c);
		buffer_fini(&bytes);
	}
	strings_fini(&passwords);
}

/* --- what `leafwatch formats` says ------------------------------------------------------------- */

/* A store or text of each format that shows what a password makes of it. */
static const char *const samples[][2] = {
	{ "nss", "nss/cert9" },
	{ "nss-legacy", "nss_legacy/cert8" },
	{ "keybox", "keybox/two" },
	{ "pe", "pe/signed" },
	{ "archive", "archive/locked" },
	{ "jks", "jks/jks" },
	{ "jceks", "jks/jceks" },
	{ "bks", "bks/bks" },
	{ "uber", "uber/uber" },
	{ "bcfks", "bcfks/bcfks" },
	{ "pkcs12", "pkcs12/pbes2" },
	{ "pkcs7", "der/pkcs7" },
	{ "crl", "crl/revoked" },
	{ "csr", "der/request" },
	{ "key", "der/locked-key" },
	{ "der", "der/leaf" },
	{ "uefi", "uefi/esl" },
	{ "sst", "sst/store" },
	{ "utf16", "base64/utf16-locked" },
	{ "p11-kit", "p11kit/two" },
	{ "pem", "pem/locked-key" },
	{ "base64-pem", "base64/locked-key" },
	{ "base64-gzip", "base64/locked-gzip" },
	{ "xml", "xml/saml" },
	{ "openssh", "openssh/rsa" },
	{ "smime", "smime/signed" },
	{ "base64", "base64/terraform" },
};

/* What is found, and whether it is verified, opened, or why not. */
static void outcome(
	const char *path, const struct strings *passwords, const char *format, struct buffer *out)
{
	struct collected c;
	struct buffer bytes;
	bool is_its = false;

	buffer_init(&bytes, TEST_BYTES_MAX);
	if (!read_fixture(path, &bytes))
		fail_msg("%s is missing: run tests/fuzz/make_corpus.sh", path);
	c = collect(buffer_bytes(&bytes), passwords);
	for (size_t i = 0; i < c.count; i++) {
		const struct found *f = &c.items[i];

		is_its = is_its || (f->format && strcmp(f->format->name, format) == 0);
		if (f->is_problem)
			buffer_format(out, "%s ", reason_word(f->reason));
		else if (f->is_record && f->record.kind == RECORD_KEY)
			buffer_format(out, "key-%s ", f->record.key.is_known ? "open" : "locked");
		else if (f->is_record)
			buffer_text(out, "record ");
		else
			buffer_format(out, "certificate%s%s ", f->integrity ? "-" : "",
				f->integrity ? f->integrity : "");
	}
	if (c.which && strcmp(c.which->name, format) == 0)
		is_its = true;
	if (!is_its)
		fail_msg("%s is no %s", path, format);
	collected_fini(&c);
	buffer_fini(&bytes);
}

static const char *sample_of(const char *format)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (strcmp(samples[i][0], format) == 0)
			return samples[i][1];
	return NULL;
}

static void check_format(const struct format *f, const struct strings *passwords)
{
	const char *path = sample_of(f->name);
	struct buffer without, with;
	bool is_same;

	if (!path)
		fail_msg("there is no sample of %s", f->name);
	buffer_init(&without, LIST_BYTES);
	buffer_init(&with, LIST_BYTES);
	outcome(path, NULL, f->name, &without);
	outcome(path, passwords, f->name, &with);
	is_same = strcmp(buffer_string(&without), buffer_string(&with)) == 0;
	if (f->is_named_only && (strstr(buffer_string(&with), "certificate") || f->password))
		fail_msg("%s is more than named: %s", f->name, buffer_string(&with));
	if (is_same == (f->password != NULL))
		fail_msg(
			"%s: \"%s\" of it needs a password, but it gives %s without and %s with one",
			f->name, f->password ? f->password : "nothing", buffer_string(&without),
			buffer_string(&with));
	if (f->password && strstr(f->password, "open") &&
		(!strstr(buffer_string(&without), "needs-password") ||
			strstr(buffer_string(&with), "password")))
		fail_msg(
			"%s: a password does not open %s: %s", f->name, path, buffer_string(&with));
	buffer_fini(&without);
	buffer_fini(&with);
}

static void test_table(void **state)
{
	char secret[] = "secret", changeit[] = "changeit";
	char *items[] = { secret, changeit };
	const struct strings passwords = { .items = items, .count = 2, .capacity = 2 };

	(void)state;
	for (size_t i = 0; i < formats_count; i++) {
		const struct format *f = formats[i];
		/* No file is one: tokens, and places in archives. */
		bool is_in_no_file = strcmp(f->name, "pkcs11") == 0 ||
				     strcmp(f->name, "jar-signature") == 0 ||
				     strcmp(f->name, "apk-signature") == 0;

		if (!f->config_markers && !is_in_no_file)
			check_format(f, &passwords);
		assert_true(*f->help && strlen(f->name) > 1);
	}
}

/* Cut off anywhere, nothing is read past the end and nothing is lost without a word. */
static void test_cut_off(void **state)
{
	struct strings passwords = { 0 };

	(void)state;
	assert_int_equal(strings_add(&passwords, "secret"), ERR_OK);
	for (size_t i = 0; i < sizeof(fixtures) / sizeof(fixtures[0]); i++) {
		struct buffer bytes;
		size_t step;

		buffer_init(&bytes, TEST_BYTES_MAX);
		assert_true(read_fixture(fixtures[i].path, &bytes));
		step = bytes.size / 40 + 1;
		for (size_t size = 0; size < bytes.size; size += step) {
			struct collected c = collect(slice_of(bytes.data, size), &passwords);

			collected_fini(&c);
		}
		buffer_fini(&bytes);
	}
	strings_fini(&passwords);
}

/* --- OpenSSH: records, not DER ---------------------------------------------------------------- */

static const struct certificate *only_record(struct collected *c, const char *path)
{
	struct buffer bytes;

	buffer_init(&bytes, TEST_BYTES_MAX);
	assert_true(read_fixture(path, &bytes));
	*c = collect(buffer_bytes(&bytes), NULL);
	buffer_fini(&bytes);
	assert_int_equal(c->count, 1);
	assert_true(c->items[0].is_record);
	assert_string_equal(c->which->name, "openssh");
	return &c->items[0].record.certificate.facts;
}

static void test_openssh_user(void **state)
{
	struct collected c;
	const struct certificate *f = only_record(&c, "openssh/ed25519");

	(void)state;
	assert_string_equal(f->subject, "alice@laptop");
	assert_string_equal(f->serial, "10203");
	assert_string_equal(f->key_algorithm, "Ed25519");
	assert_int_equal(f->names.count, 2);
	assert_string_equal(f->names.items[0], "other:alice");
	assert_string_equal(f->extended_key_usage.items[0], "sshUser");
	assert_int_equal(f->not_before, 1767225600);
	assert_int_equal(f->not_after, 1775001600);
	assert_memory_equal(f->issuer, "SHA256:", 7);
	assert_int_equal(strlen(f->issuer), 7 + 43);
	assert_string_equal(f->signature_algorithm, "ssh-ed25519");
	assert_string_equal(c.items[0].record.location.alias, "a comment");
	collected_fini(&c);
}

static void test_openssh_host_and_endless(void **state)
{
	struct collected c;
	const struct certificate *f = only_record(&c, "openssh/rsa");

	(void)state;
	assert_string_equal(f->names.items[0], "dns:host1.example.org");
	assert_string_equal(f->extended_key_usage.items[0], "sshHost");
	assert_int_equal(f->key_bits, 3072);
	collected_fini(&c);
	f = only_record(&c, "openssh/ecdsa");
	assert_int_equal(f->not_after, TIME_UNKNOWN);
	assert_int_equal(f->not_before, TIME_UNKNOWN);
	assert_int_equal(f->key_bits, 256);
	collected_fini(&c);
}

/* Configurations and manuals name the types without a key behind them. */
static void test_openssh_mentioned(void **state)
{
	static const char text[] =
		"HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,x\n"
		"and foo-cert-v01@openssh.com AAAAB3NzaC1lZDI1NTE5AAAA is none\n";
	struct collected c = collect(slice_text(text), NULL);

	(void)state;
	assert_int_equal(c.count, 0);
	assert_null(c.which);
	collected_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_many_signatures),
		cmocka_unit_test(old_ciphers),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_openssh_user),
		cmocka_unit_test(test_openssh_host_and_endless),
		cmocka_unit_test(test_openssh_mentioned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
