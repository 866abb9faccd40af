/* What is served beside what lies on disk: which difference counts, and what is said of it. */
#include "agent/served.h"
#include "agent/served_internal.h"
#include "tests/scanners/network/proc.h"

#include "agent/store.h"
#include "scanners/formats/format.h"
#include "tests/agent/sightings.h"

#include <fcntl.h>
#include <time.h>
/* cmocka wants those above first. */
#include "tests/agent/log_lines.h"

#define NOW INT64_C(1767225600) /* 2026-01-01 */
#define DAY INT64_C(86400)
#define LISTENER "tls://127.0.0.1:443"
#define PID 4711

/* A certificate by what counts here. */
struct one {
	unsigned n;         /* its fingerprint */
	unsigned key;       /* its key */
	int64_t from;       /* days before NOW at which it begins */
	const char *name;   /* NULL: www.example.org */
	const char *issuer; /* NULL: CN=CA 1,O=Example */
	const char *trust;
	bool is_self_issued;
	bool is_client;
	bool is_ecdsa;
};

struct world {
	const struct format_limits *limits; /* NULL: the standard ones */
	struct store *store;
	struct inventory *inventory;
	struct why why;
	struct proc proc;
	int64_t now;
	int64_t started; /* of the process */
	int64_t worker_started;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now = NOW;
	w->started = NOW - 10 * DAY;
	w->worker_started = TIME_UNKNOWN;
	proc_new(&w->proc);
	proc_add(&w->proc, PID, "nginx", 5, NULL);
	OK(w, store_open(NULL, &w->store, &w->why));
	OK(w, inventory_new(w->store, &w->inventory, &w->why));
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	inventory_free(w->inventory);
	store_close(w->store);
	proc_free(&w->proc);
	free(w);
	return 0;
}

static int64_t begin(struct world *w, const char *scanner)
{
	int64_t pass = 0;

	w->now += 60;
	OK(w, inventory_pass_begin(w->inventory, scanner, scanner, w->now, &pass, &w->why));
	return pass;
}

static void end(struct world *w, int64_t pass)
{
	OK(w, sightings_end(w->inventory, pass, w->now, &w->why));
}

static void put(struct world *w, int64_t pass, const char *uri, uint32_t index, const struct one *o)
{
	char subject[64];
	char name[64];
	char *names[] = { name };
	char *uses[] = { (char *)(uintptr_t)(o->is_client ? "clientAuth" : "serverAuth") };
	struct record r = sighting_made("x", uri, index, NOW);
	struct certificate *c = &r.certificate.facts;

	(void)snprintf(name, sizeof(name), "dns:%s", o->name ? o->name : "www.example.org");
	(void)snprintf(subject, sizeof(subject), "CN=%s", name + 4);
	memset(c->fingerprint, (int)o->n, FINGERPRINT_BYTES);
	memset(c->spki_sha256, (int)(100 + o->key), FINGERPRINT_BYTES);
	c->subject = subject;
	c->issuer = o->issuer ? (char *)(uintptr_t)o->issuer : (char *)"CN=CA 1,O=Example";
	c->not_before = NOW - o->from * DAY;
	c->not_after = NOW + (90 - o->from) * DAY;
	c->names = (struct strings){ names, 1, 1 };
	c->extended_key_usage = (struct strings){ uses, 1, 1 };
	c->key_algorithm = (char *)(uintptr_t)(o->is_ecdsa ? "ECDSA" : "RSA");
	c->is_self_issued = o->is_self_issued;
	r.certificate.verdict.trust = (char *)(uintptr_t)o->trust;
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
}

struct file {
	const char *uri;
	struct one one;
};

/* One pass over all files. */
static void lay(struct world *w, const struct file *files, size_t count)
{
	int64_t pass = begin(w, "files");

	for (size_t i = 0; i < count; i++)
		put(w, pass, files[i].uri, 0, &files[i].one);
	end(w, pass);
}
#define LAY(w, ...)                                  \
	lay(w, (const struct file[]){ __VA_ARGS__ }, \
		sizeof((const struct file[]){ __VA_ARGS__ }) / sizeof(struct file))

static void serve(struct world *w, const struct one *o)
{
	uint8_t chain[1][FINGERPRINT_BYTES];
	struct record r = { .kind = RECORD_ENDPOINT,
		.location = { .scanner = (char *)"listeners", .uri = (char *)LISTENER } };
	int64_t pass = begin(w, "listeners");

	memset(chain, (int)o->n, sizeof(chain));
	r.endpoint.port = 443;
	r.endpoint.address = (char *)"127.0.0.1";
	r.endpoint.handshake = (char *)"ok";
	r.endpoint.is_reachable = true;
	r.endpoint.chain = (struct fingerprints){ chain, 1 };
	r.endpoint.process = (struct process){ .pid = PID,
		.name = (char *)"nginx",
		.unit = (char *)"nginx.service",
		.started = w->started,
		.worker_started = w->worker_started };
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
	put(w, pass, LISTENER, 0, o);
	end(w, pass);
}

/* By its name, at an address; the process is the listener's. */
#define NAMED "tls://www.example.org:443"
static void serve_by_name(struct world *w, const char *address, const struct one *o)
{
	uint8_t chain[1][FINGERPRINT_BYTES];
	struct record r = { .kind = RECORD_ENDPOINT,
		.location = { .scanner = (char *)"endpoints", .uri = (char *)NAMED } };
	int64_t pass = begin(w, "endpoints");

	memset(chain, (int)o->n, sizeof(chain));
	r.endpoint.port = 443;
	r.endpoint.address = (char *)(uintptr_t)address;
	r.endpoint.handshake = (char *)"ok";
	r.endpoint.is_reachable = true;
	r.endpoint.chain = (struct fingerprints){ chain, 1 };
	r.endpoint.process =
		(struct process){ .started = TIME_UNKNOWN, .worker_started = TIME_UNKNOWN };
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
	put(w, pass, NAMED, 0, o);
	end(w, pass);
}

static void name_in_configuration(struct world *w, const char *file, uint16_t port)
{
	struct record r = { .kind = RECORD_REFERENCE,
		.location = { .scanner = (char *)"files",
			.uri = (char *)"file:///etc/nginx/nginx.conf",
			.format = (char *)"nginx" } };
	int64_t pass = begin(w, "configurations");

	r.reference = (struct reference_record){ .role = REFERENCE_SERVER_CERTIFICATE,
		.directive = (char *)"ssl_certificate",
		.line = 7,
		.file = (char *)(uintptr_t)file,
		.ports = { port },
		.ports_count = port != 0 };
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
	end(w, pass);
}

struct told {
	bool has_problem;
	enum served_needs needs;
	char file[128];
	char message[1024];
};

static enum err read_told(void *arg, const struct sighting *s)
{
	struct told *t = arg;
	const struct certificate_record *c = &s->record->certificate;

	t->has_problem = c->verdict.problems & PROBLEM_BIT(PROBLEM_SERVED_DIFFERS);
	assert_int_equal(t->has_problem, c->differs != NULL);
	if (!c->differs)
		return ERR_OK;
	t->needs = c->differs->needs;
	(void)snprintf(t->file, sizeof(t->file), "%s", c->differs->file);
	(void)snprintf(t->message, sizeof(t->message), "%s", c->differs->message);
	return ERR_OK;
}

static struct told update_at(struct world *w, const char *uri)
{
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE, .uri = uri };
	struct told told = { .has_problem = false };

	OK(w, served_update(w->inventory, w->proc.root, w->limits, NOW, &w->why));
	OK(w, inventory_each(w->inventory, &filter, read_told, &told, &w->why));
	return told;
}

static struct told update(struct world *w)
{
	return update_at(w, LISTENER);
}

#define OLD                                  \
	{                                    \
		.n = 1, .key = 1, .from = 60 \
	}
#define NEW                                 \
	{                                   \
		.n = 2, .key = 2, .from = 1 \
	}

static void silent(struct world *w)
{
	struct told t = update(w);

	if (t.has_problem)
		fail_msg("%s", t.message);
}

/* ---- what counts -------------------------------------------------------------------------------- */

static void a_newer_one_where_it_was(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a.pem", OLD });
	serve(w, &(struct one)OLD);
	silent(w);
	LAY(w, { "file:///x/a.pem", NEW });
	t = update(w);
	assert_true(t.has_problem);
	assert_int_equal(t.needs, SERVED_NEEDS_RELOAD);
	assert_string_equal(t.file, "file:///x/a.pem");
	assert_string_equal(t.message,
		"/x/a.pem, where this one was, holds a newer one since 2026-01-01T00:03:00Z, but nginx"
		" (pid 4711, nginx.service), which runs since 2025-12-22T00:00:00Z, still serves this "
		"one: reload it");
	/* It goes by itself. */
	serve(w, &(struct one)NEW);
	silent(w);
}

static void seen_once_is_enough(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a.pem", NEW });
	serve(w, &(struct one)OLD);
	t = update(w);
	assert_true(t.has_problem);
	assert_non_null(strstr(t.message,
		"a newer one with the same names lies at /x/a.pem since 2026-01-01T00:01:00Z, but nginx"));
}

static void an_endpoint_by_name_at_an_own_address(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a.pem", NEW });
	/* Whose process it is, is not known; then it is the listener's. */
	serve_by_name(w, "127.0.0.1", &(struct one)OLD);
	t = update_at(w, NAMED);
	assert_true(t.has_problem);
	assert_null(strstr(t.message, "nginx"));
	serve(w, &(struct one)OLD);
	t = update_at(w, NAMED);
	assert_true(t.has_problem);
	assert_non_null(strstr(t.message, "nginx (pid 4711, nginx.service)"));
	assert_true(update(w).has_problem);
	/* One bound to any is known by its loopback address. */
	serve_by_name(w, "127.0.0.2", &(struct one)OLD);
	assert_non_null(strstr(update_at(w, NAMED).message, "nginx (pid 4711"));
	/* Another host's: what lies here is nothing to it. */
	serve_by_name(w, "192.0.2.1", &(struct one)OLD);
	assert_false(update_at(w, NAMED).has_problem);
	assert_true(update(w).has_problem);
}

static void one_that_reloaded_is_told_apart(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a.pem", NEW });
	w->worker_started = NOW + DAY;
	serve(w, &(struct one)OLD);
	t = update(w);
	assert_int_equal(t.needs, SERVED_NEEDS_CONFIGURATION);
	assert_non_null(strstr(t.message,
		", and nginx (pid 4711, nginx.service) has started workers 2026-01-02T00:00:00Z, after that,"
		" and still serves this one: does its configuration name another file?"));
	w->started = w->worker_started;
	serve(w, &(struct one)OLD);
	t = update(w);
	assert_non_null(strstr(t.message, " was started 2026-01-02T00:00:00Z, after that"));
}

static void what_never_counts(void **state)
{
	struct world *w = *state;

	LAY(w, { "file:///x/older.pem", { .n = 2, .key = 1, .from = 80 } },
		{ "file:///x/later.pem", { .n = 3, .key = 1, .from = -2 } },
		{ "file:///x/client.pem", { .n = 4, .key = 1, .from = 1, .is_client = true } },
		{ "file:///x/other.pem", { .n = 5, .key = 5, .from = 1, .name = "b.example.org" } },
		{ "file:///x/staging.pem",
			{ .n = 6, .key = 6, .from = 1, .issuer = "CN=CA 1,O=(STAGING) Example" } },
		{ "file:///x/over.pem", { .n = 7, .key = 1, .from = 90 } },
		{ "tls://10.0.0.1:443", { .n = 8, .key = 1, .from = 1 } });
	serve(w, &(struct one)OLD);
	silent(w);
}

/* Two servers of one name, each with a file of its own: neither is the other's. */
static void one_kept_elsewhere_is_another_servers(void **state)
{
	struct world *w = *state;

	LAY(w, { "file:///x/a.pem", OLD }, { "file:///y/b.pem", NEW });
	serve(w, &(struct one)OLD);
	silent(w);
	/* But what is put away is in nobody's use. */
	LAY(w, { "file:///x/archive/a.pem", OLD }, { "file:///z/a.pem.bak", OLD },
		{ "file:///y/b.pem", NEW });
	assert_true(update(w).has_problem);
}

static void one_beside_it_is_its_successor(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a-2025.pem", OLD }, { "file:///x/a-2026.pem", NEW });
	serve(w, &(struct one)OLD);
	t = update(w);
	assert_true(t.has_problem);
	assert_int_equal(t.needs, SERVED_NEEDS_CONFIGURATION);
	assert_non_null(strstr(t.message, " serves this one, which lies at /x/a-2025.pem"));
}

/* A server may have a certificate of each kind of key: the other one is no successor. */
static void one_of_another_kind(void **state)
{
	struct world *w = *state;

	LAY(w, { "file:///x/rsa.pem", OLD },
		{ "file:///x/ecdsa.pem", { .n = 2, .key = 2, .from = 1, .is_ecdsa = true } });
	serve(w, &(struct one)OLD);
	silent(w);
}

static void certbot(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///etc/letsencrypt/archive/x/fullchain1.pem", OLD },
		{ "file:///etc/letsencrypt/archive/x/fullchain2.pem", NEW },
		{ "file:///etc/letsencrypt/live/x/fullchain.pem", NEW });
	serve(w, &(struct one)OLD);
	t = update(w);
	assert_int_equal(t.needs, SERVED_NEEDS_RELOAD);
	assert_string_equal(t.file, "file:///etc/letsencrypt/live/x/fullchain.pem");
}

/* A CA signs with one of several intermediates; then the store that trusts both counts. */
static void another_intermediate_of_the_same_ca(void **state)
{
	struct world *w = *state;
	struct one old = { .n = 1, .key = 1, .from = 60, .issuer = "CN=R10,O=Let's Encrypt,C=US" };

	LAY(w, { "file:///x/a.pem",
		       { .n = 2, .key = 2, .from = 1, .issuer = "CN=R11,O=Let's Encrypt,C=US" } });
	serve(w, &old);
	silent(w);
	old.trust = "system";
	serve(w, &old);
	silent(w);
	LAY(w, { "file:///x/a.pem", { .n = 2,
					    .key = 2,
					    .from = 1,
					    .issuer = "CN=R11,O=Let's Encrypt,C=US",
					    .trust = "system" } });
	assert_true(update(w).has_problem);
}

/* "localhost", signed by itself, is every second program's. */
static void names_of_nobody_prove_nothing(void **state)
{
	struct world *w = *state;
	const struct one served = { .n = 1,
		.key = 1,
		.from = 60,
		.name = "localhost",
		.issuer = "CN=localhost",
		.is_self_issued = true };
	struct one other = { .n = 2,
		.key = 2,
		.from = 1,
		.name = "localhost",
		.issuer = "CN=localhost",
		.is_self_issued = true };

	LAY(w, { "file:///x/a.pem", other });
	serve(w, &served);
	silent(w);
	other.n = 3;
	other.key = 1;
	LAY(w, { "file:///x/a.pem", other });
	assert_true(update(w).has_problem);
}

/* ---- what proves it ------------------------------------------------------------------------------ */

static void a_configuration_that_names_it(void **state)
{
	struct world *w = *state;
	struct told t;

	LAY(w, { "file:///x/a.pem", OLD },
		{ "file:///y/b.pem", { .n = 2, .key = 2, .from = 1, .issuer = "CN=Another" } });
	serve(w, &(struct one)OLD);
	silent(w);
	name_in_configuration(w, "file:///y/b.pem", 8443);
	silent(w);
	name_in_configuration(w, "file:///y/b.pem", 443);
	t = update(w);
	assert_true(t.has_problem);
	assert_non_null(strstr(t.message,
		"/y/b.pem, which /etc/nginx/nginx.conf names, holds a newer one since "));
	/* By the program's name, where no port is known. */
	name_in_configuration(w, "file:///y/b.pem", 0);
	assert_true(update(w).has_problem);
}

/* The configuration names the very file that is served: all is as it should be. */
static void a_configuration_that_names_the_served_one(void **state)
{
	struct world *w = *state;

	LAY(w, { "file:///x/a-2025.pem", OLD }, { "file:///x/a-2026.pem", NEW });
	name_in_configuration(w, "file:///x/a-2025.pem", 443);
	serve(w, &(struct one)OLD);
	silent(w);
}

static void a_process_that_names_it_or_holds_it(void **state)
{
	struct world *w = *state;
	const struct file other = { "file:///y/b%20c.pem",
		{ .n = 2, .key = 2, .from = 1, .issuer = "CN=Another" } };
	struct told t;

	lay(w, &other, 1);
	serve(w, &(struct one)OLD);
	silent(w);
	proc_write(&w->proc, "4711/cmdline", "nginx -c /y/b c.pem.conf");
	silent(w);
	proc_write(&w->proc, "4711/cmdline", "serve --cert=/y/b c.pem --port 443");
	assert_true(update(w).has_problem);
	proc_write(&w->proc, "4711/cmdline", "");
	silent(w);
	proc_link(&w->proc, PID, "fd/9", "/y/b c.pem (deleted)");
	t = update(w);
	assert_true(t.has_problem);
	assert_non_null(strstr(t.message, " (it has the file open that was deleted there)"));
}

/* ---- parts --------------------------------------------------------------------------------------- */

static void places_put_away(void **state)
{
	static const char *const away[] = { "file:///etc/letsencrypt/archive/x/cert1.pem",
		"file:///var/backups/x.pem", "file:///etc/ssl/x.pem.bak", "file:///etc/ssl/x.pem~",
		"file:///etc/ssl/x.pem%7E", "file:///etc/ssl/x.pem.2026-01-01", "file:///x.pem.1",
		"file:///srv/OLD/x.pem", "file:///etc/x.crt.dpkg-old" };
	static const char *const in_use[] = { "file:///etc/ssl/x.pem", "file:///etc/archive.pem",
		"file:///etc/ssl/x-2025.pem", "file:///etc/old.d/x.pem", "file:///x",
		"tls://h:443" };

	(void)state;
	for (size_t i = 0; i < sizeof(away) / sizeof(away[0]); i++)
		if (!served_is_history(away[i]))
			fail_msg("%s", away[i]);
	for (size_t i = 0; i < sizeof(in_use) / sizeof(in_use[0]); i++)
		if (served_is_history(in_use[i]))
			fail_msg("%s", in_use[i]);
}

static void when_a_file_changed(void **state)
{
	struct world *w = *state;
	char path[128];
	char uri[160];
	int64_t before = time(NULL) - 1;
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };

	proc_write(&w->proc, "a b.pem", "x");
	(void)snprintf(path, sizeof(path), "%s/a b.pem", w->proc.root);
	/* Moved here with the time of its content kept. */
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	(void)snprintf(uri, sizeof(uri), "file://%s/a%%20b.pem", w->proc.root);
	assert_true(served_changed_at(uri) >= before);
	(void)snprintf(uri, sizeof(uri), "file://%s/a%%20b.pem!/inner.pem", w->proc.root);
	assert_true(served_changed_at(uri) >= before);
	assert_int_equal(served_changed_at("file:///nonexistent"), TIME_UNKNOWN);
	assert_int_equal(served_changed_at("tls://x:1"), TIME_UNKNOWN);
}

/* Servers beyond the limit are not compared, which is logged. */
static void test_limit(void **state)
{
	struct world *w = *state;
	struct format_limits limits = format_limits_standard;
	struct log_lines lines;
	struct told told;
	char text[4096];

	serve(w, &(struct one)OLD);
	LAY(w, { "file:///etc/ssl/www.pem", NEW });
	assert_true(update(w).has_problem);
	limits.compared_servers = 0;
	w->limits = &limits;
	lines = log_lines_begin();
	told = update(w);
	log_lines_end(&lines, text, sizeof(text));
	assert_false(told.has_problem);
	assert_non_null(strstr(text,
		"1 TLS servers of this host were not compared with what lies on disk (limits.compared_servers)"));
}

int main(void)
{
#define WORLD(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WORLD(test_limit),
		WORLD(a_newer_one_where_it_was),
		WORLD(an_endpoint_by_name_at_an_own_address),
		WORLD(seen_once_is_enough),
		WORLD(one_that_reloaded_is_told_apart),
		WORLD(what_never_counts),
		WORLD(one_kept_elsewhere_is_another_servers),
		WORLD(one_beside_it_is_its_successor),
		WORLD(one_of_another_kind),
		WORLD(certbot),
		WORLD(another_intermediate_of_the_same_ca),
		WORLD(names_of_nobody_prove_nothing),
		WORLD(a_configuration_that_names_it),
		WORLD(a_configuration_that_names_the_served_one),
		WORLD(a_process_that_names_it_or_holds_it),
		cmocka_unit_test(places_put_away),
		WORLD(when_a_file_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
