/* Private keys beside certificates: which pair counts, who can read them, who shares them. */
#include "agent/private_keys.h"
#include "agent/private_keys_internal.h"

#include "agent/store.h"
#include "scanners/formats/format.h"
#include "tests/agent/sightings.h"

#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants those above first. */
#include "tests/agent/log_lines.h"

#define NOW INT64_C(1767225600) /* 2026-01-01 */
#define DAY INT64_C(86400)

struct world {
	const struct format_limits *limits; /* NULL: the standard ones */
	struct store *store;
	struct inventory *inventory;
	struct why why;
	int64_t pass;
	unsigned certificates;
	unsigned references;
	char folder[64]; /* a real one, for what asks the system */
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	OK(w, store_open(NULL, &w->store, &w->why));
	OK(w, inventory_new(w->store, &w->inventory, &w->why));
	OK(w, inventory_pass_begin(w->inventory, "files", "files", NOW, &w->pass, &w->why));
	(void)snprintf(w->folder, sizeof(w->folder), "/tmp/leafwatch-keys-XXXXXX");
	assert_non_null(mkdtemp(w->folder));
	assert_int_equal(chmod(w->folder, 0755), 0);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	inventory_free(w->inventory);
	store_close(w->store);
	(void)rmdir(w->folder);
	free(w);
	return 0;
}

struct one {
	const char *uri;
	unsigned index;
	unsigned key;        /* its key */
	const char *name;    /* NULL: www.example.org */
	const char *subject; /* NULL: of its name */
	const char *alias;
	const char *algorithm; /* NULL: RSA */
	bool is_ca;
	bool is_root; /* of a bundle */
	bool is_expired;
};

static void put_certificate(struct world *w, const struct one *o)
{
	char subject[64];
	char name[64];
	char *names[] = { name };
	struct record r = sighting_made("files", o->uri, o->index, NOW);
	struct certificate *c = &r.certificate.facts;

	r.location.alias = (char *)(uintptr_t)o->alias;
	(void)snprintf(name, sizeof(name), "dns:%s", o->name ? o->name : "www.example.org");
	(void)snprintf(subject, sizeof(subject), "CN=%s", name + 4);
	memset(c->fingerprint, (int)++w->certificates, FINGERPRINT_BYTES);
	memset(c->spki_sha256, (int)(100 + o->key), FINGERPRINT_BYTES);
	c->subject = o->subject ? (char *)(uintptr_t)o->subject : subject;
	if (o->is_expired)
		c->not_after = NOW - 1;
	c->names = (struct strings){ names, 1, 1 };
	if (o->algorithm)
		c->key_algorithm = (char *)(uintptr_t)o->algorithm;
	c->is_ca = o->is_ca;
	r.certificate.verdict.is_bundled = o->is_root;
	OK(w, inventory_put(w->inventory, w->pass, &r, NOW, &w->why));
}

struct key {
	const char *uri;
	unsigned index;
	unsigned key; /* 0 = locked */
	const char *alias;
	const char *algorithm; /* NULL: RSA */
	uint16_t mode;         /* 0: 0600 */
	uint32_t gid;
	bool is_encrypted;
};

static void put_key(struct world *w, const struct key *k)
{
	struct record r = { .kind = RECORD_KEY,
		.location = { .scanner = (char *)"files",
			.uri = (char *)(uintptr_t)k->uri,
			.alias = (char *)(uintptr_t)k->alias,
			.index = k->index },
		.key = { .is_known = k->key,
			.is_encrypted = !k->key || k->is_encrypted,
			.has_owner = true,
			.mode = k->mode ? k->mode : 0600,
			.gid = k->gid } };

	if (k->key) {
		memset(r.key.spki_sha256, (int)(100 + k->key), FINGERPRINT_BYTES);
		r.key.algorithm = k->algorithm ? (char *)(uintptr_t)k->algorithm : (char *)"RSA";
	}
	OK(w, inventory_put(w->inventory, w->pass, &r, NOW, &w->why));
}

static void put_line(struct world *w, enum reference_role role, const char *file, const char *name)
{
	char *names[] = { (char *)(uintptr_t)name };
	struct record r = { .kind = RECORD_REFERENCE,
		.location = { .scanner = (char *)"files",
			.uri = (char *)"file:///etc/nginx/nginx.conf",
			.index = w->references++ },
		.reference = { .role = role,
			.directive = (char *)"a_directive",
			.line = w->references,
			.file = (char *)(uintptr_t)file,
			.is_active = true,
			.names = { names, 1, 1 } } };

	OK(w, inventory_put(w->inventory, w->pass, &r, NOW, &w->why));
}

struct notes {
	const char *uri;
	uint32_t index;
	struct key_notes found;
	uint32_t problems;
};

static enum err take_notes(void *arg, const struct sighting *s)
{
	struct notes *n = arg;
	const struct certificate_record *c = &s->record->certificate;

	if (s->record->location.index != n->index)
		return ERR_OK;
	n->problems = c->verdict.problems;
	for (size_t i = 0; i < c->key_notes.count; i++)
		assert_int_equal(key_notes_add(&n->found, c->key_notes.items[i].problem,
					 c->key_notes.items[i].uri, c->key_notes.items[i].message),
			ERR_OK);
	return ERR_OK;
}

static struct notes notes_at(struct world *w, const char *uri, uint32_t index)
{
	struct notes n = { .uri = uri, .index = index };
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE, .uri = uri };

	OK(w, private_keys_update(w->inventory, w->limits, NOW, &w->why));
	OK(w, inventory_each(w->inventory, &filter, take_notes, &n, &w->why));
	return n;
}

static void expect_nothing(struct world *w, const char *uri, uint32_t index)
{
	struct notes n = notes_at(w, uri, index);

	for (size_t i = 0; i < n.found.count; i++)
		print_error("%s\n", n.found.items[i].message);
	assert_int_equal(n.found.count, 0);
	assert_int_equal(n.problems, 0);
}

/* One note of this problem, whose sentence says `part`. */
static void expect(
	struct world *w, const char *uri, uint32_t index, enum problem problem, const char *part)
{
	struct notes n = notes_at(w, uri, index);

	assert_int_equal(n.found.count, 1);
	assert_int_equal(n.found.items[0].problem, problem);
	if (!strstr(n.found.items[0].message, part))
		fail_msg("\"%s\" does not say \"%s\"", n.found.items[0].message, part);
	assert_int_equal(n.problems, problem == PROBLEM_COUNT ? 0 : PROBLEM_BIT(problem));
	key_notes_fini(&n.found);
}

/* ---- the same place ------------------------------------------------------------------------------ */

static void test_same_file(void **state)
{
	struct world *w = *state;
	const char *good = "file:///etc/ssl/good.pem";
	const char *bad = "file:///etc/ssl/bad.pem";

	put_certificate(w, &(struct one){ .uri = good, .key = 1 });
	put_certificate(
		w, &(struct one){ .uri = good, .index = 1, .key = 2, .name = "ca", .is_ca = true });
	put_key(w, &(struct key){ .uri = good, .key = 1 });
	/* The chain may stand before the leaf. */
	put_certificate(w, &(struct one){ .uri = bad, .key = 2, .name = "ca", .is_ca = true });
	put_certificate(
		w, &(struct one){ .uri = bad, .index = 1, .key = 3, .name = "b.example.org" });
	put_key(w, &(struct key){ .uri = bad, .key = 4 });
	expect_nothing(w, good, 0);
	expect_nothing(w, bad, 0);
	expect(w, bad, 1, PROBLEM_KEY_MISMATCH, "in the same file");
}

static void test_same_file_with_several_keys(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///root/.kube/config";

	for (unsigned i = 0; i < 3; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "user%u", i);
		put_certificate(
			w, &(struct one){ .uri = uri, .index = i, .key = i + 1, .name = name });
		put_key(w, &(struct key){ .uri = uri, .index = i, .key = i == 1 ? 9 : i + 1 });
	}
	expect_nothing(w, uri, 0);
	expect(w, uri, 1, PROBLEM_KEY_MISMATCH, "in the same file");
	/* A locked key may be the one that is missed. */
	put_key(w, &(struct key){ .uri = uri, .index = 3 });
	expect_nothing(w, uri, 1);
}

static void test_keystore(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///srv/app.p12";

	put_certificate(w, &(struct one){ .uri = uri, .key = 1, .alias = "one" });
	put_certificate(w, &(struct one){ .uri = uri, .index = 1, .key = 2, .alias = "two" });
	put_key(w, &(struct key){ .uri = uri, .key = 2, .alias = "one" });
	put_key(w, &(struct key){ .uri = uri, .index = 1, .key = 2, .alias = "two" });
	expect(w, uri, 0, PROBLEM_KEY_MISMATCH, "under the same name");
	expect_nothing(w, uri, 1);
}

/* One key as PSS and as plain RSA has two hashes; of two kinds it surely is another. */
static void test_algorithms(void **state)
{
	struct world *w = *state;
	const char *pss = "file:///etc/pss.pem";
	const char *ec = "file:///etc/ec.pem";

	put_certificate(w, &(struct one){ .uri = pss, .key = 1, .algorithm = "RSA-PSS" });
	put_key(w, &(struct key){ .uri = pss, .key = 2 });
	put_certificate(w, &(struct one){ .uri = ec, .key = 3, .algorithm = "ECDSA" });
	put_key(w, &(struct key){ .uri = ec, .key = 4 });
	expect_nothing(w, pss, 0);
	expect(w, ec, 0, PROBLEM_KEY_MISMATCH, "in the same file");
}

/* ---- names --------------------------------------------------------------------------------------- */

static void expect_stems(const char *key, const char *certificate, bool is_alike)
{
	char *a = NULL;
	char *b = NULL;
	bool found = private_keys_stem(key, true, &a) &&
		     private_keys_stem(certificate, false, &b) && strcmp(a, b) == 0;

	if (found != is_alike)
		fail_msg("%s and %s", key, certificate);
	free(a);
	free(b);
}

static void test_stems(void **state)
{
	(void)state;
	expect_stems("/tls.key", "/tls.crt", true);
	expect_stems("/server.key", "/server.pem", true);
	expect_stems("/server-key.pem", "/server.pem", true);
	expect_stems("/server-key.pem", "/server-cert.pem", true);
	expect_stems("/server_key.pem", "/server_cert.pem", true);
	expect_stems("/server.key.pem", "/server.cert.pem", true);
	expect_stems("/privkey.pem", "/fullchain.pem", true);
	expect_stems("/privkey.pem", "/cert.pem", true);
	expect_stems("/key.pem", "/cert.pem", true);
	expect_stems("/privkey12.pem", "/cert12.pem", true);
	expect_stems("/www.example.org.key", "/www.example.org.crt", true);
	expect_stems("/WWW.KEY", "/www.crt", true);
	expect_stems("/ca-key.pem", "/ca.pem", true);
	expect_stems("/privkey1.pem", "/cert2.pem", false);
	expect_stems("/privkey1.pem", "/chain1.pem", false);
	expect_stems("/a.key", "/b.crt", false);
	expect_stems("/key.pem", "/ca.pem", false);
	expect_stems("/a", "/a.crt", false);
}

static void test_named_alike(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///etc/ssl/x/server.crt";

	put_certificate(w, &(struct one){ .uri = uri, .key = 1 });
	put_certificate(
		w, &(struct one){
			   .uri = "file:///etc/ssl/x/below/server.crt", .key = 5, .name = "b" });
	put_key(w, &(struct key){ .uri = "file:///etc/ssl/x/server.key", .key = 2 });
	expect(w, uri, 0, PROBLEM_KEY_MISMATCH, "/etc/ssl/x/server.key beside it");
	expect_nothing(w, "file:///etc/ssl/x/below/server.crt", 0);
	/* Its own lies there too, under another name. */
	put_key(w, &(struct key){ .uri = "file:///etc/ssl/x/server2.key", .key = 1 });
	expect_nothing(w, uri, 0);
}

static void test_named_alike_in_debian_folders(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///etc/ssl/certs/mail.pem";

	put_certificate(w, &(struct one){ .uri = uri, .key = 1 });
	put_key(w, &(struct key){ .uri = "file:///etc/ssl/private/mail.key", .key = 2 });
	expect(w, uri, 0, PROBLEM_KEY_MISMATCH, "/etc/ssl/private/mail.key");
}

static void test_locked_key_of_the_name(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///etc/x/server.crt";

	put_certificate(w, &(struct one){ .uri = uri, .key = 1 });
	put_key(w, &(struct key){ .uri = "file:///etc/x/server.key", .key = 2 });
	put_key(w, &(struct key){ .uri = "file:///etc/x/server-key.pem" });
	expect_nothing(w, uri, 0);
}

static void test_expired_and_samples(void **state)
{
	struct world *w = *state;
	const char *expired = "file:///etc/x/old.crt";
	const char *sample = "file:///opt/app/tests/a.crt";

	put_certificate(w, &(struct one){ .uri = expired, .key = 1, .is_expired = true });
	put_key(w, &(struct key){ .uri = "file:///etc/x/old.key", .key = 2 });
	put_certificate(w, &(struct one){ .uri = sample, .key = 3 });
	put_key(w, &(struct key){ .uri = "file:///opt/app/tests/a.key", .key = 4 });
	expect_nothing(w, expired, 0);
	expect_nothing(w, sample, 0);
}

/* ---- configurations ------------------------------------------------------------------------------ */

static void test_configured(void **state)
{
	struct world *w = *state;

	put_certificate(w, &(struct one){ .uri = "file:///a/rsa", .key = 1 });
	put_certificate(w, &(struct one){ .uri = "file:///a/ec", .key = 2 });
	put_certificate(w, &(struct one){ .uri = "file:///a/other", .key = 3, .name = "other" });
	put_key(w, &(struct key){ .uri = "file:///b/rsa", .key = 1 });
	put_key(w, &(struct key){ .uri = "file:///b/ec", .key = 9 });
	put_key(w, &(struct key){ .uri = "file:///b/other", .key = 3 });
	put_line(w, REFERENCE_SERVER_CERTIFICATE, "file:///a/rsa", "www");
	put_line(w, REFERENCE_SERVER_CERTIFICATE, "file:///a/other", "other");
	put_line(w, REFERENCE_SERVER_KEY, "file:///b/other", "other");
	put_line(w, REFERENCE_SERVER_KEY, "file:///b/rsa", "www");
	put_line(w, REFERENCE_SERVER_CERTIFICATE, "file:///a/ec", "www");
	put_line(w, REFERENCE_SERVER_KEY, "file:///b/ec", "www");
	expect_nothing(w, "file:///a/rsa", 0);
	expect_nothing(w, "file:///a/other", 0);
	expect(w, "file:///a/ec", 0, PROBLEM_KEY_MISMATCH,
		"a_directive in /etc/nginx/nginx.conf:6");
	/* Where a key is missing, nobody knows which is whose. */
	put_line(w, REFERENCE_SERVER_CERTIFICATE, "file:///a/more", "www");
	expect_nothing(w, "file:///a/ec", 0);
}

/* ---- readers ------------------------------------------------------------------------------------- */

static void test_readers(void **state)
{
	struct world *w = *state;
	char key[128];

	(void)snprintf(key, sizeof(key), "file://%s/x.key", w->folder);
	put_certificate(w, &(struct one){ .uri = "file:///etc/x.crt", .key = 1 });
	put_certificate(w, &(struct one){ .uri = "tls://127.0.0.1:443", .key = 1 });
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0600 });
	expect_nothing(w, "file:///etc/x.crt", 0);
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0644 });
	expect(w, "file:///etc/x.crt", 0, PROBLEM_KEY_EXPOSED, key + 7);
	expect(w, "tls://127.0.0.1:443", 0, PROBLEM_KEY_EXPOSED, "mode 0644, owner 0");
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0644, .is_encrypted = true });
	expect(w, "file:///etc/x.crt", 0, PROBLEM_COUNT, "which a password protects");
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0640, .gid = 115 });
	expect(w, "file:///etc/x.crt", 0, PROBLEM_COUNT, "the group 115 can read");
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0640, .gid = 0 });
	expect_nothing(w, "file:///etc/x.crt", 0);
	/* Whoever may not enter the folder reads nothing in it. */
	put_key(w, &(struct key){ .uri = key, .key = 1, .mode = 0644 });
	assert_int_equal(chmod(w->folder, 0700), 0);
	expect_nothing(w, "file:///etc/x.crt", 0);
}

/* Everybody has what a package brings; as the key of a server it is no secret and must be. */
static void test_samples(void **state)
{
	struct world *w = *state;

	put_certificate(w, &(struct one){ .uri = "file:///usr/share/x/test.pem", .key = 1 });
	put_key(w, &(struct key){ .uri = "file:///usr/share/test.key", .key = 1, .mode = 0644 });
	expect_nothing(w, "file:///usr/share/x/test.pem", 0);
	put_certificate(w, &(struct one){ .uri = "tls://127.0.0.1:443", .key = 1 });
	expect(w, "tls://127.0.0.1:443", 0, PROBLEM_KEY_EXPOSED, "/usr/share/test.key");
	assert_false(private_keys_is_sample("file:///usr/local/etc/x.key"));
	assert_false(private_keys_is_sample("file:///srv/contest/x.key"));
	assert_true(private_keys_is_sample("file:///srv/app/node_modules/x/y.key"));
}

/* ---- sharers ------------------------------------------------------------------------------------- */

static void test_sharers(void **state)
{
	struct world *w = *state;

	put_certificate(w, &(struct one){ .uri = "file:///a", .key = 1, .name = "a" });
	put_certificate(w, &(struct one){ .uri = "file:///b", .key = 1, .name = "b" });
	/* Renewed, and issued to the same holder by another CA. */
	put_certificate(w, &(struct one){ .uri = "file:///c1", .key = 2, .name = "c" });
	put_certificate(w, &(struct one){ .uri = "file:///c2", .key = 2, .name = "c" });
	put_certificate(
		w, &(struct one){ .uri = "file:///c3", .key = 2, .name = "d", .subject = "CN=c" });
	/* What others publish. */
	put_certificate(
		w, &(struct one){ .uri = "file:///r1", .key = 3, .name = "r1", .is_root = true });
	put_certificate(
		w, &(struct one){ .uri = "file:///r2", .key = 3, .name = "r2", .is_root = true });
	expect(w, "file:///a", 0, PROBLEM_KEY_SHARED, "CN=b at /b has the same");
	expect(w, "file:///b", 0, PROBLEM_KEY_SHARED, "CN=a at /a has the same");
	expect_nothing(w, "file:///c1", 0);
	expect_nothing(w, "file:///c2", 0);
	expect_nothing(w, "file:///r1", 0);
}

/* What no longer holds is forgotten; what came to the place since has no notes of another. */
static void test_forgotten(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///etc/ssl/bad.pem";
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE, .uri = uri };
	struct notes n = { .uri = uri };

	put_certificate(w, &(struct one){ .uri = uri, .key = 1 });
	put_key(w, &(struct key){ .uri = uri, .key = 2 });
	expect(w, uri, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	put_certificate(w, &(struct one){ .uri = uri, .key = 2 });
	OK(w, inventory_each(w->inventory, &filter, take_notes, &n, &w->why));
	assert_int_equal(n.found.count, 0);
	expect_nothing(w, uri, 0);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static void expect_logged(struct world *w, const char *line)
{
	struct log_lines lines = log_lines_begin();
	enum err e = private_keys_update(w->inventory, w->limits, NOW, &w->why);
	char text[4096];

	log_lines_end(&lines, text, sizeof(text));
	OK(w, e);
	if (line ? !strstr(text, line) : *text)
		fail_msg("\"%s\" instead of \"%s\"", text, line ? line : "");
}

/* What is left out of a comparison is logged with the key, and a higher limit takes it in. */
static void test_limits(void **state)
{
	struct world *w = *state;
	struct format_limits limits = format_limits_standard;
	const char *one = "file:///etc/ssl/one.pem", *two = "file:///etc/ssl/two.pem";

	put_certificate(w, &(struct one){ .uri = one, .key = 1 });
	put_key(w, &(struct key){ .uri = one, .key = 2 });
	put_certificate(w, &(struct one){ .uri = two, .key = 3, .name = "b.example.org" });
	put_key(w, &(struct key){ .uri = two, .key = 4 });
	put_line(w, REFERENCE_SERVER_CERTIFICATE, one, "www.example.org");
	put_line(w, REFERENCE_SERVER_KEY, two, "www.example.org");
	expect_logged(w, NULL);
	w->limits = &limits;
	limits.compared_keys = 1;
	expect_logged(w,
		"1 private keys of this host were not compared with its certificates (limits.compared_keys)");
	expect_nothing(w, two, 0);
	limits = format_limits_standard;
	limits.compared_certificates = 1;
	expect_logged(
		w, "1 certificates of this host were not compared (limits.compared_certificates)");
	expect_nothing(w, two, 0);
	limits = format_limits_standard;
	limits.compared_references = 1;
	expect_logged(w,
		"1 lines of configurations of this host were not compared (limits.compared_references)");
	limits.compared_references = 2;
	expect_logged(w, NULL);
	expect(w, two, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	put_certificate(
		w, &(struct one){
			   .uri = "file:///etc/ssl/three.pem", .key = 3, .name = "c.example.org" });
	limits.compared_sharers = 2;
	expect_logged(w, NULL);
	limits.compared_sharers = 1;
	expect_logged(w,
		"1 certificates that share a key, of this host, were not compared (limits.compared_sharers)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Nothing came since the last comparison: it is not made again, until a certificate expires. */
static void test_settled(void **state)
{
	struct world *w = *state;
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE,
		.uri = "file:///a.pem" };
	struct notes n = { .uri = filter.uri };

	put_certificate(w, &(struct one){ .uri = filter.uri, .key = 1 });
	put_key(w, &(struct key){ .uri = filter.uri, .key = 2 });
	expect(w, filter.uri, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	/* Another comparison would bring them back. */
	OK(w, inventory_key_notes_clear(w->inventory, &w->why));
	expect_nothing(w, filter.uri, 0);
	put_certificate(w, &(struct one){ .uri = "file:///b.pem", .key = 3 });
	expect(w, filter.uri, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	/* At its last second it has not expired. */
	OK(w, inventory_key_notes_clear(w->inventory, &w->why));
	OK(w, private_keys_update(w->inventory, w->limits, NOW + 90 * DAY, &w->why));
	OK(w, inventory_each(w->inventory, &filter, take_notes, &n, &w->why));
	assert_int_equal(n.found.count, 0);
	put_certificate(w, &(struct one){ .uri = "file:///c.pem", .key = 4, .is_expired = true });
	expect(w, filter.uri, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	OK(w, private_keys_update(w->inventory, w->limits, NOW + 90 * DAY + 1, &w->why));
	OK(w, inventory_each(w->inventory, &filter, take_notes, &n, &w->why));
	assert_int_equal(n.found.count, 0);
}

/* What a pass lost is a change, too. */
static void test_settled_until_a_loss(void **state)
{
	struct world *w = *state;
	const char *uri = "file:///a.pem";
	struct pass_result result = { .is_complete = true };

	put_certificate(w, &(struct one){ .uri = uri, .key = 1 });
	put_key(w, &(struct key){ .uri = uri, .key = 2 });
	OK(w, inventory_pass_end(w->inventory, w->pass, &result, NOW, &w->why));
	expect(w, uri, 0, PROBLEM_KEY_MISMATCH, "in the same file");
	OK(w, inventory_pass_begin(w->inventory, "files", "files", NOW, &w->pass, &w->why));
	put_certificate(w, &(struct one){ .uri = "file:///z.pem", .key = 1 });
	OK(w, inventory_pass_end(w->inventory, w->pass, &result, NOW + 1, &w->why));
	OK(w, inventory_pass_begin(w->inventory, "files", "files", NOW, &w->pass, &w->why));
	expect_nothing(w, "file:///z.pem", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_limits),
		TEST(test_same_file),
		TEST(test_same_file_with_several_keys),
		TEST(test_keystore),
		TEST(test_algorithms),
		cmocka_unit_test(test_stems),
		TEST(test_named_alike),
		TEST(test_named_alike_in_debian_folders),
		TEST(test_locked_key_of_the_name),
		TEST(test_expired_and_samples),
		TEST(test_configured),
		TEST(test_readers),
		TEST(test_samples),
		TEST(test_sharers),
		TEST(test_forgotten),
		TEST(test_settled),
		TEST(test_settled_until_a_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
