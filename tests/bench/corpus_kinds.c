/* The kinds of files that hold certificates, and those that only look so. */
#include "corpus.h"

#include <gnutls/crypto.h>
#include <gnutls/pkcs7.h>
#include <gnutls/x509.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef const struct certificate_made *const *made_list;

static void must(int rc, const char *what)
{
	if (rc < 0)
		corpus_die(what);
}

/* --- text -------------------------------------------------------------------------------------- */

static void add_pem(struct growing *out, const char *label, const gnutls_datum_t *der)
{
	gnutls_datum_t pem;

	must(gnutls_pem_base64_encode2(label, der, &pem), "PEM");
	growing_add(out, pem.data, pem.size);
	gnutls_free(pem.data);
}

static void write_pem(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	for (size_t i = 0; i < count; i++)
		add_pem(out, "CERTIFICATE", &items[i]->der);
}

/* The PEM of the certificates with each line break as `line_end`, and `before` in front of each line. */
static void write_lines(struct growing *out, made_list items, size_t count, const char *before,
	const char *line_end)
{
	struct growing pem = { 0 };
	const char *at;

	write_pem(&pem, NULL, items, count);
	growing_add(&pem, "", 1);
	for (at = (const char *)pem.data; *at;) {
		size_t size = strcspn(at, "\n");

		growing_text(out, before);
		growing_add(out, at, size);
		growing_text(out, line_end);
		at += size + (at[size] == '\n');
	}
	free(pem.data);
}

static void write_crlf(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	write_lines(out, items, count, "", "\r\n");
}

static void write_bom(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	growing_text(out, "\xef\xbb\xbf");
	write_pem(out, all, items, count);
}

static void write_after_text(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	size_t lines = 80 + count * 700;

	for (size_t i = 0; i < lines; i++)
		growing_text(out,
			"# This line of a long preamble says nothing of interest to anybody.\n");
	write_pem(out, all, items, count);
}

/* OpenSSL's X509_CERT_AUX behind the certificate; all of its members are optional. */
static void write_trusted(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	for (size_t i = 0; i < count; i++) {
		struct growing der = { 0 };
		gnutls_datum_t both;

		growing_add(&der, items[i]->der.data, items[i]->der.size);
		growing_add(&der, "\x30\x00", 2);
		both = (gnutls_datum_t){ .data = der.data, .size = (unsigned)der.size };
		add_pem(out, "TRUSTED CERTIFICATE", &both);
		free(der.data);
	}
}

static void write_key_and_certificate(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	growing_add(out, all->key_pem.data, all->key_pem.size);
	write_pem(out, all, items, count);
}

static void write_yaml(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	growing_text(out, "apiVersion: v1\nkind: ConfigMap\ndata:\n  tls.crt: |\n");
	write_lines(out, items, count, "    ", "\n");
	growing_text(out, "metadata:\n  name: example\n");
}

static void write_json(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	growing_text(out, "{\"name\": \"example\", \"certificate\": \"");
	write_lines(out, items, count, "", "\\n");
	growing_text(out, "\", \"port\": 443}\n");
}

static void write_base64_yaml(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	growing_text(out, "apiVersion: v1\nkind: Config\nclusters:\n");
	for (size_t i = 0; i < count; i++) {
		struct growing pem = { 0 };
		gnutls_datum_t plain;
		gnutls_datum_t base64;

		write_pem(&pem, all, items + i, 1);
		plain = (gnutls_datum_t){ .data = pem.data, .size = (unsigned)pem.size };
		must(gnutls_base64_encode2(&plain, &base64), "base64");
		growing_text(out, "- cluster:\n    certificate-authority-data: ");
		growing_add(out, base64.data, base64.size);
		growing_text(out, "\n    server: https://192.0.2.1:6443\n");
		gnutls_free(base64.data);
		free(pem.data);
	}
}

/* --- containers -------------------------------------------------------------------------------- */

static void write_der(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	(void)count;
	growing_add(out, items[0]->der.data, items[0]->der.size);
}

static void write_pkcs7(
	struct growing *out, made_list items, size_t count, gnutls_x509_crt_fmt_t format)
{
	gnutls_pkcs7_t bag;
	gnutls_datum_t bytes;

	must(gnutls_pkcs7_init(&bag), "PKCS#7");
	for (size_t i = 0; i < count; i++)
		must(gnutls_pkcs7_set_crt_raw(bag, &items[i]->der), "PKCS#7");
	must(gnutls_pkcs7_export2(bag, format, &bytes), "PKCS#7");
	growing_add(out, bytes.data, bytes.size);
	gnutls_free(bytes.data);
	gnutls_pkcs7_deinit(bag);
}

static void write_pkcs7_pem(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	write_pkcs7(out, items, count, GNUTLS_X509_FMT_PEM);
}

static void write_pkcs7_der(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	write_pkcs7(out, items, count, GNUTLS_X509_FMT_DER);
}

/* By the openssl command: GnuTLS derives keys with 600,000 rounds, the stores of the wild with 2,048. */
static void run_openssl(const char *from, const char *to, const char *password)
{
	char secret[64];
	const char *const arguments[] = { "openssl", "pkcs12", "-export", "-nokeys", "-in", from,
		"-out", to, "-passout", secret, NULL };
	int status = 0;
	pid_t pid;

	(void)snprintf(secret, sizeof(secret), "pass:%s", password);
	if (posix_spawnp(&pid, arguments[0], NULL, NULL, (char *const *)(uintptr_t)arguments,
		    environ) != 0 ||
		waitpid(pid, &status, 0) != pid || status != 0)
		corpus_die("openssl pkcs12 failed; is openssl installed?");
}

static void write_pkcs12(struct growing *out, made_list items, size_t count, const char *password)
{
	char from[] = "/tmp/make-corpus-XXXXXX";
	char to[sizeof(from) + 4];
	struct growing pem = { 0 };
	gnutls_datum_t store;
	int fd = mkstemp(from);

	write_pem(&pem, NULL, items, count);
	(void)snprintf(to, sizeof(to), "%s.p12", from);
	if (fd < 0 || write(fd, pem.data, pem.size) != (ssize_t)pem.size)
		corpus_die("a temporary file");
	(void)close(fd);
	run_openssl(from, to, password);
	must(gnutls_load_file(to, &store), "PKCS#12");
	growing_add(out, store.data, store.size);
	gnutls_free(store.data);
	free(pem.data);
	(void)unlink(from);
	(void)unlink(to);
}

static void write_pkcs12_open(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	write_pkcs12(out, items, count, "");
}

static void write_pkcs12_password(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	write_pkcs12(out, items, count, CORPUS_PASSWORD);
}

static void add_number(struct growing *out, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		uint8_t byte = (uint8_t)(value >> (8 * bytes));

		growing_add(out, &byte, 1);
	}
}

static void add_utf(struct growing *out, const char *text)
{
	add_number(out, strlen(text), 2);
	growing_text(out, text);
}

/* Trusted certificates under aliases, and the keyed SHA-1 at the end (as sun.security.provider.JavaKeyStore). */
static void write_jks(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	static const char salt[] = "Mighty Aphrodite";
	static const char password[] = "changeit";
	struct growing keyed = { 0 };
	uint8_t digest[20];
	char alias[32];

	(void)all;
	add_number(out, 0xfeedfeed, 4);
	add_number(out, 2, 4);
	add_number(out, count, 4);
	for (size_t i = 0; i < count; i++) {
		add_number(out, 2, 4);
		(void)snprintf(alias, sizeof(alias), "alias-%zu", i);
		add_utf(out, alias);
		add_number(out, UINT64_C(1767225600000), 8);
		add_utf(out, "X.509");
		add_number(out, items[i]->der.size, 4);
		growing_add(out, items[i]->der.data, items[i]->der.size);
	}
	for (const char *c = password; *c; c++)
		add_number(&keyed, (uint64_t)(unsigned char)*c, 2);
	growing_text(&keyed, salt);
	growing_add(&keyed, out->data, out->size);
	must(gnutls_hash_fast(GNUTLS_DIG_SHA1, keyed.data, keyed.size, digest), "SHA-1");
	growing_add(out, digest, sizeof(digest));
	free(keyed.data);
}

/* SAML metadata: an entity with a key descriptor for each certificate. */
static void write_xml(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)all;
	growing_text(out, "<md:EntityDescriptor entityID=\"https://idp.example.org\">\n");
	for (size_t i = 0; i < count; i++) {
		gnutls_datum_t base64;

		must(gnutls_base64_encode2(&items[i]->der, &base64), "base64");
		growing_text(out, "<md:KeyDescriptor use=\"signing\"><ds:X509Certificate>");
		growing_add(out, base64.data, base64.size);
		growing_text(out, "</ds:X509Certificate></md:KeyDescriptor>\n");
		gnutls_free(base64.data);
	}
	growing_text(out, "</md:EntityDescriptor>\n");
}

/* A head, and a blob for each certificate (GnuPG's kbx/keybox-blob.c). */
static void write_keybox(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	enum { HEAD = 32, BLOB_HEAD = 16 };

	(void)all;
	add_number(out, HEAD, 4);
	add_number(out, 0x01010000, 4);
	growing_text(out, "KBXf");
	for (unsigned i = 0; i < HEAD - 12; i++)
		add_number(out, 0, 1);
	for (size_t i = 0; i < count; i++) {
		add_number(out, BLOB_HEAD + items[i]->der.size, 4);
		add_number(out, 0x03010000, 4);
		add_number(out, BLOB_HEAD, 4);
		add_number(out, items[i]->der.size, 4);
		growing_add(out, items[i]->der.data, items[i]->der.size);
	}
}

/* Open entries as Bouncy Castle writes them; nobody checks the MAC without a password. */
static void write_bks(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	static const char salt[20] = "twenty bytes of salt";
	char alias[32];

	(void)all;
	add_number(out, 2, 4);
	add_number(out, sizeof(salt), 4);
	growing_add(out, salt, sizeof(salt));
	add_number(out, 1024, 4);
	for (size_t i = 0; i < count; i++) {
		add_number(out, 1, 1);
		(void)snprintf(alias, sizeof(alias), "alias-%zu", i);
		add_utf(out, alias);
		add_number(out, UINT64_C(1767225600000), 8);
		add_number(out, 0, 4);
		add_utf(out, "X.509");
		add_number(out, items[i]->der.size, 4);
		growing_add(out, items[i]->der.data, items[i]->der.size);
	}
	add_number(out, 0, 1);
	growing_add(out, salt, sizeof(salt));
}

/* --- what only looks so ------------------------------------------------------------------------ */

static void write_key(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)items;
	(void)count;
	growing_add(out, all->key_pem.data, all->key_pem.size);
}

static void write_request(
	struct growing *out, const struct certificates *all, made_list items, size_t count)
{
	(void)items;
	(void)count;
	growing_add(out, all->request_pem.data, all->request_pem.size);
}

const struct kind kinds[] = {
	{ "pem", ".pem", 440, 1, 1, write_pem },
	{ "pem-bundle", ".crt", 300, 2, 10, write_pem },
	{ "pem-crlf", ".cer", 100, 1, 1, write_crlf },
	{ "pem-bom", ".pem", 60, 1, 1, write_bom },
	{ "pem-after-text", ".txt", 60, 1, 2, write_after_text },
	{ "pem-trusted", ".pem", 60, 1, 1, write_trusted },
	{ "pem-key", ".key", 160, 2, 2, write_key_and_certificate },
	{ "yaml", ".yaml", 80, 1, 1, write_yaml },
	{ "json", ".json", 60, 1, 1, write_json },
	{ "der", ".der", 150, 1, 1, write_der },
	{ "der-odd-name", ".bin", 50, 1, 1, write_der },
	{ "pkcs7-pem", ".p7b", 40, 2, 4, write_pkcs7_pem },
	{ "pkcs7-der", ".p7c", 40, 2, 4, write_pkcs7_der },
	{ "pkcs12", ".p12", 60, 2, 4, write_pkcs12_open },
	{ "pkcs12-password", ".pfx", 40, 2, 4, write_pkcs12_password },
	{ "jks", ".jks", 40, 3, 5, write_jks },
	{ "xml", ".xml", 20, 1, 2, write_xml },
	{ "keybox", ".kbx", 20, 1, 4, write_keybox },
	{ "bks", ".bks", 20, 1, 4, write_bks },
	{ "base64-yaml", ".conf", 100, 1, 3, write_base64_yaml },
	{ "decoy-key", ".key", 60, 0, 0, write_key },
	{ "decoy-request", ".csr", 40, 0, 0, write_request },
};
const size_t kinds_count = sizeof(kinds) / sizeof(kinds[0]);
