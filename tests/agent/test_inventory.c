/* The inventory: what passes leave behind, told back in full. */
#include "agent/inventory.h"
#include "tests/agent/sightings.h"

#define NOW 1767225600LL /* 2026-01-01 */
#define DAY 86400LL
#define NAMES_MAX 8

/* ---- records ---------------------------------------------------------------------------------- */

/* A certificate told apart by one number; its strings are borrowed literals, so it is never freed. */
struct maker {
	struct record record;
	char *names[NAMES_MAX];
	uint8_t chain[2][FINGERPRINT_BYTES];
};

static void fingerprint(unsigned n, uint8_t out[FINGERPRINT_BYTES])
{
	uint32_t x = n * 2654435761U + 1;

	for (size_t i = 0; i < FINGERPRINT_BYTES; i++) {
		x = x * 1664525U + 1013904223U;
		out[i] = (uint8_t)(x >> 24);
	}
}

static struct record *certificate(struct maker *m, const char *uri, uint32_t index, unsigned n)
{
	struct certificate *c = &m->record.certificate.facts;
	struct verdict *v = &m->record.certificate.verdict;

	memset(m, 0, sizeof(*m));
	m->record.kind = RECORD_CERTIFICATE;
	m->record.location = (struct location){ .scanner = (char *)"files",
		.uri = (char *)uri,
		.format = (char *)"pem",
		.alias = (char *)"an alias",
		.integrity = (char *)"unverified",
		.index = index };
	fingerprint(n, c->fingerprint);
	fingerprint(n + 1000000, c->spki_sha256);
	c->subject = (char *)"CN=leaf";
	c->issuer = (char *)"CN=Internal CA,O=Example";
	c->subject_cn = (char *)"leaf";
	c->serial = (char *)"-01ff";
	c->not_before = NOW - 30 * DAY;
	c->not_after = NOW + n * DAY;
	m->names[0] = (char *)"dns:a.example.org";
	m->names[1] = (char *)"dns:b.example.org";
	c->names = (struct strings){ m->names, 2, NAMES_MAX };
	c->key_algorithm = (char *)"RSA";
	c->key_bits = 2048;
	c->signature_algorithm = (char *)"RSA-SHA256";
	v->is_checked = true;
	v->trust = (char *)"system";
	v->problems = PROBLEM_BIT(PROBLEM_WEAK_KEY);
	fingerprint(n, m->chain[0]);
	fingerprint(77, m->chain[1]);
	v->chain = (struct fingerprints){ m->chain, 2 };
	v->expires = c->not_after;
	v->boundary = c->not_after;
	m->record.certificate.is_served = true;
	return &m->record;
}

static struct record endpoint(const char *uri, bool is_reachable)
{
	struct record r = { .kind = RECORD_ENDPOINT };

	r.location = (struct location){ .scanner = (char *)"files", .uri = (char *)uri };
	r.endpoint.port = 443;
	r.endpoint.address = (char *)"192.0.2.1";
	r.endpoint.handshake = (char *)(is_reachable ? "ok" : "timeout");
	r.endpoint.is_reachable = is_reachable;
	return r;
}

/* ---- a world ---------------------------------------------------------------------------------- */

struct world {
	struct store *store;
	struct inventory *inventory;
	struct why why;
	int64_t now;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->now = NOW;
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
	free(w);
	return 0;
}

static int64_t begin(struct world *w, const char *job)
{
	int64_t pass = 0;

	w->now += 60;
	OK(w, inventory_pass_begin(w->inventory, "files", job, w->now, &pass, &w->why));
	assert_true(pass > 0);
	return pass;
}

static void put(struct world *w, int64_t pass, const char *uri, uint32_t index, unsigned n)
{
	struct maker m;

	OK(w, inventory_put(w->inventory, pass, certificate(&m, uri, index, n), w->now, &w->why));
}

static void put_problem(struct world *w, int64_t pass, const char *uri, enum reason reason)
{
	struct record r;

	OK(w, record_problem(&r, "files", uri, reason, NULL));
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
	record_fini(&r);
}

static struct pass_result end(struct world *w, int64_t pass, bool is_complete)
{
	struct pass_result result = { .is_complete = is_complete, .items = 3, .seconds = 1.5 };

	w->now += 60;
	OK(w, inventory_pass_end(w->inventory, pass, &result, w->now, &w->why));
	return result;
}

static uint64_t keep(struct world *w, int64_t pass, const char *uri, bool below, bool stale)
{
	struct keep what = { .uri = uri, .below = below, .stale = stale };
	uint64_t kept = 0;

	OK(w, inventory_keep(w->inventory, pass, &what, &kept, &w->why));
	return kept;
}

/* All that the inventory tells, one line each: "c uri#index n flags", where n is the certificate's
 * lifetime in days (its number), flags "!" for stale and "-" for gone. */
static enum err describe(void *arg, const struct sighting *s)
{
	const struct record *r = s->record;
	struct buffer *out = arg;

	if (out->size)
		buffer_text(out, " ");
	if (r->kind == RECORD_CERTIFICATE)
		buffer_format(out, "%s#%u=%lld", r->location.uri, r->location.index,
			(long long)((r->certificate.facts.not_after - NOW) / DAY));
	else if (r->kind == RECORD_ENDPOINT)
		buffer_format(out, "%s:%s", r->location.uri, r->endpoint.handshake);
	else
		buffer_format(out, "%s?%s", r->location.uri, reason_word(r->problem.reason));
	buffer_text(out, s->is_stale ? "!" : "");
	buffer_text(out, s->gone_at != TIME_UNKNOWN ? "-" : "");
	return buffer_status(out);
}

static void holds_filtered(
	struct world *w, const struct inventory_filter *filter, const char *expected)
{
	struct buffer out;

	buffer_init(&out, 65536);
	OK(w, inventory_each(w->inventory, filter, describe, &out, &w->why));
	assert_string_equal(buffer_string(&out), expected);
	buffer_fini(&out);
}

static void holds(struct world *w, const char *expected)
{
	const struct inventory_filter all = { 0 };

	holds_filtered(w, &all, expected);
}

static void held(struct world *w, const char *expected)
{
	const struct inventory_filter all = { .include_gone = true };

	holds_filtered(w, &all, expected);
}

/* ---- records come back whole ------------------------------------------------------------------ */

struct expected {
	const struct record *record;
	unsigned seen;
	int64_t first_seen;
	int64_t last_seen;
};

static enum err compare(void *arg, const struct sighting *s)
{
	struct expected *x = arg;
	struct buffer want;
	struct buffer got;

	buffer_init(&want, RECORD_BYTES_MAX);
	buffer_init(&got, RECORD_BYTES_MAX);
	record_encode(&want, x->record);
	record_encode(&got, s->record);
	assert_int_equal(got.size, want.size);
	assert_memory_equal(got.data, want.data, want.size);
	buffer_fini(&want);
	buffer_fini(&got);
	assert_string_equal(s->job, "files");
	assert_int_equal(s->gone_at, TIME_UNKNOWN);
	x->first_seen = s->first_seen;
	x->last_seen = s->last_seen;
	x->seen++;
	return ERR_OK;
}

static void gives_back_what_was_put(void **state)
{
	struct world *w = *state;
	struct inventory_filter filter = { 0 };
	struct record problem;
	struct record served = endpoint("tls://a.example.org:443", true);
	struct expected x = { 0 };
	struct maker m;
	int64_t pass = begin(w, "files");

	OK(w, record_problem(
		      &problem, "files", "file:///x.p12", REASON_MALFORMED, "bad \"bytes\""));
	problem.problem.has_fingerprint = true;
	fingerprint(9, problem.problem.fingerprint);
	problem.problem.not_after = NOW;
	problem.location.index = 4;
	put(w, pass, "file:///a.pem", 7, 40);
	OK(w, inventory_put(w->inventory, pass, &served, w->now, &w->why));
	OK(w, inventory_put(w->inventory, pass, &problem, w->now, &w->why));
	(void)end(w, pass, true);

	filter.kind = RECORD_CERTIFICATE;
	x.record = certificate(&m, "file:///a.pem", 7, 40);
	OK(w, inventory_each(w->inventory, &filter, compare, &x, &w->why));
	filter.kind = RECORD_ENDPOINT;
	x.record = &served;
	OK(w, inventory_each(w->inventory, &filter, compare, &x, &w->why));
	filter.kind = RECORD_PROBLEM;
	x.record = &problem;
	OK(w, inventory_each(w->inventory, &filter, compare, &x, &w->why));
	assert_int_equal(x.seen, 3);
	record_fini(&problem);
}

static enum err refuse(void *arg, const struct sighting *s)
{
	(void)s;
	++*(unsigned *)arg;
	return ERR_END;
}

static void stops_when_told(void **state)
{
	struct world *w = *state;
	struct inventory_filter all = { 0 };
	unsigned calls = 0;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///b", 0, 2);
	assert_int_equal(inventory_each(w->inventory, &all, refuse, &calls, &w->why), ERR_END);
	assert_int_equal(calls, 1);
}

/* ---- passes ----------------------------------------------------------------------------------- */

static void tells_by_uri_and_index(void **state)
{
	struct world *w = *state;
	struct record served = endpoint("tls://h:443", true);
	int64_t pass = begin(w, "files");

	put(w, pass, "tls://h:443", 1, 5);
	put(w, pass, "file:///b", 1, 2);
	put(w, pass, "file:///b", 0, 1);
	put(w, pass, "file:///a", 3, 3);
	put(w, pass, "tls://h:443", 0, 4);
	OK(w, inventory_put(w->inventory, pass, &served, w->now, &w->why));
	put_problem(w, pass, "file:///b", REASON_MALFORMED);
	(void)end(w, pass, true);
	holds(w, "file:///a#3=3 file:///b#0=1 file:///b#1=2 file:///b?malformed tls://h:443:ok "
		 "tls://h:443#0=4 tls://h:443#1=5");
	holds_filtered(
		w, &(struct inventory_filter){ .kind = RECORD_PROBLEM }, "file:///b?malformed");
	holds_filtered(w, &(struct inventory_filter){ .uri = "file:///a" }, "file:///a#3=3");
	holds_filtered(w, &(struct inventory_filter){ .job = "other" }, "");
}

/* ---- references ------------------------------------------------------------------------------- */

static void put_reference(
	struct world *w, int64_t pass, const char *uri, const char *file, bool is_folder)
{
	struct record r = { .kind = RECORD_REFERENCE };

	r.location = (struct location){ .scanner = (char *)"files", .uri = (char *)uri };
	r.reference.role = REFERENCE_SERVER_CERTIFICATE;
	r.reference.directive = (char *)"ssl_certificate";
	r.reference.file = (char *)file;
	r.reference.is_folder = is_folder;
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
}

static enum err note_user(void *arg, const struct sighting *s)
{
	struct buffer *out = arg;

	buffer_format(out, "%s>%s%s ", s->record->location.uri, s->record->reference.file,
		s->gone_at == TIME_UNKNOWN ? "" : " gone");
	return ERR_OK;
}

static void users_are(struct world *w, const char *uri, const char *wanted)
{
	struct buffer out;

	buffer_init(&out, 4096);
	OK(w, inventory_each_user(w->inventory, uri, note_user, &out, &w->why));
	assert_string_equal(buffer_string(&out), wanted);
	buffer_fini(&out);
}

static void put_named(struct world *w, int64_t pass, uint32_t index, const char *uri,
	const struct reference_record *reference)
{
	struct record r = { .kind = RECORD_REFERENCE };

	r.location = (struct location){ .scanner = (char *)"files",
		.uri = (char *)uri,
		.format = (char *)"nginx",
		.index = index };
	r.reference = *reference;
	r.reference.directive = (char *)"ssl_certificate";
	r.reference.line = index + 3;
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
}

static enum err note_named(void *arg, const char *uri, const char *message)
{
	struct buffer *out = arg;

	buffer_format(out, "%s: %s\n", uri, message);
	return buffer_status(out);
}

static void named_are(struct world *w, const char *wanted)
{
	struct buffer out;

	buffer_init(&out, 65536);
	OK(w, inventory_each_named_file(w->inventory, "files", note_named, &out, &w->why));
	assert_string_equal(buffer_string(&out), wanted);
	buffer_fini(&out);
}

#define NGINX "file:///etc/nginx/a%20b.conf"
#define ELSEWHERE "file:///srv/app/nginx.conf"

static void tells_named_files(void **state)
{
	struct world *w = *state;
	struct reference_record r = { .role = REFERENCE_SERVER_CERTIFICATE,
		.file = (char *)"file:///etc/ssl/api.pem",
		.is_active = true };
	int64_t pass = begin(w, "files");

	put_named(w, pass, 0, NGINX, &r);
	put_named(w, pass, 1, NGINX, &r);
	put_named(w, pass, 0, ELSEWHERE, &r);
	r.role = REFERENCE_SERVER_KEY;
	r.file = (char *)"file:///srv/app/certs/api.key";
	put_named(w, pass, 1, ELSEWHERE, &r);
	/* None of these need be there: a disabled one, a folder, what a program makes, an included snippet. */
	r.file = (char *)"file:///run/api.key";
	put_named(w, pass, 2, NGINX, &r);
	r.file = (char *)"file:///etc/ssl/x.key";
	put_named(w, pass, 0, "file:///etc/nginx/snippets/x.conf", &r);
	r.is_active = false;
	put_named(w, pass, 3, NGINX, &r);
	r.is_active = true;
	r.is_folder = true;
	put_named(w, pass, 4, NGINX, &r);
	r.is_folder = false;
	r.role = REFERENCE_CREDENTIAL;
	put_named(w, pass, 5, NGINX, &r);
	named_are(w,
		"file:///etc/ssl/api.pem: it is not there, but named as the server certificate of nginx "
		"/etc/nginx/a b.conf:3 (ssl_certificate); 1 more line names it\n"
		"file:///srv/app/certs/api.key: it is not there, but named as the server key of nginx "
		"/srv/app/nginx.conf:4 (ssl_certificate)\n");
	end(w, pass, true);
	/* What an earlier pass found, this one may not find again. */
	pass = begin(w, "files");
	named_are(w, "");
	OK(w, inventory_keep(
		      w->inventory, pass, &(struct keep){ .uri = ELSEWHERE }, NULL, &w->why));
	named_are(w,
		"file:///srv/app/certs/api.key: it is not there, but named as the server key of nginx "
		"/srv/app/nginx.conf:4 (ssl_certificate)\n");
	end(w, pass, true);
}

static enum err note_password(void *arg, const char *uri, const char *source, bool is_configuration)
{
	struct buffer *out = arg;

	buffer_format(out, "%s<%s%s\n", uri, source, is_configuration ? "!" : "");
	return buffer_status(out);
}

static void passwords_are(struct world *w, const char *wanted)
{
	struct buffer out;

	buffer_init(&out, 65536);
	OK(w, inventory_each_password(w->inventory, "files", note_password, &out, &w->why));
	assert_string_equal(buffer_string(&out), wanted);
	buffer_fini(&out);
}

static void put_locked(struct world *w, int64_t pass, const char *uri, enum reason reason)
{
	struct record r = { .kind = RECORD_PROBLEM };

	r.location = (struct location){ .scanner = (char *)"files", .uri = (char *)uri };
	r.problem = (struct problem_record){ .reason = reason, .message = (char *)"locked" };
	OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
}

static void tells_passwords(void **state)
{
	static const char keystore[] = "file:///etc/a.p12";
	struct world *w = *state;
	struct reference_record r = { .role = REFERENCE_KEYSTORE,
		.file = (char *)keystore,
		.password_file = (char *)NGINX,
		.is_active = true };
	int64_t pass = begin(w, "files");

	put_named(w, pass, 0, NGINX, &r);
	/* The keystore was not found. */
	passwords_are(w, "");
	put_locked(w, pass, keystore, REASON_WRONG_PASSWORD);
	put_locked(w, pass, keystore, REASON_MALFORMED);
	passwords_are(w, "file:///etc/a.p12<file:///etc/nginx/a%20b.conf!\n");
	r.password_file = (char *)"file:///etc/pass";
	put_named(w, pass, 1, NGINX, &r);
	/* An example, a certificate, no password. */
	r.is_active = false;
	put_named(w, pass, 2, NGINX, &r);
	r.is_active = true;
	r.role = REFERENCE_SERVER_CERTIFICATE;
	put_named(w, pass, 3, NGINX, &r);
	r.role = REFERENCE_TRUSTSTORE;
	r.password_file = NULL;
	put_named(w, pass, 4, NGINX, &r);
	passwords_are(w, "file:///etc/a.p12<file:///etc/nginx/a%20b.conf!\n"
			 "file:///etc/a.p12<file:///etc/pass\n");
	OK(w, inventory_forget_locked(w->inventory, pass, keystore, &w->why));
	end(w, pass, true);
	/* Nothing changed, and it opened: malformed is no lack of a password. */
	pass = begin(w, "files");
	OK(w, inventory_keep(w->inventory, pass, &(struct keep){ .uri = NGINX }, NULL, &w->why));
	OK(w, inventory_keep(w->inventory, pass, &(struct keep){ .uri = keystore }, NULL, &w->why));
	passwords_are(w, "");
	/* The file is another one. */
	put_locked(w, pass, keystore, REASON_NEEDS_PASSWORD);
	passwords_are(w, "file:///etc/a.p12<file:///etc/nginx/a%20b.conf!\n"
			 "file:///etc/a.p12<file:///etc/pass\n");
	end(w, pass, true);
}

static void tells_who_uses_a_file(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put_reference(w, pass, "file:///etc/n", "file:///tls/a.p12", false);
	put_reference(w, pass, "file:///etc/h", "file:///tls", true);
	put_reference(w, pass, "file:///etc/i", "file:///tls", false);
	(void)end(w, pass, true);
	users_are(w, "file:///tls/a.p12",
		"file:///etc/n>file:///tls/a.p12 file:///etc/h>file:///tls ");
	users_are(w, "file:///tls/a.p12!/x",
		"file:///etc/n>file:///tls/a.p12 file:///etc/h>file:///tls ");
	users_are(w, "file:///tls/b.pem", "file:///etc/h>file:///tls ");
	users_are(w, "file:///a.p12", "");

	/* An unchanged configuration keeps what it names; a changed one names what it names now. */
	pass = begin(w, "files");
	OK(w, inventory_keep(
		      w->inventory, pass, &(struct keep){ .uri = "file:///etc/n" }, NULL, &w->why));
	put_reference(w, pass, "file:///etc/h", "file:///other", true);
	(void)end(w, pass, true);
	users_are(w, "file:///tls/a.p12", "file:///etc/n>file:///tls/a.p12 ");
	users_are(w, "file:///other/b", "file:///etc/h>file:///other ");

	pass = begin(w, "files");
	(void)end(w, pass, true);
	users_are(w, "file:///tls/a.p12", "");
	OK(w, inventory_retain_jobs(w->inventory, &(struct strings){ 0 }, w->now, &w->why));
}

/* ---- what a certificate is used for ------------------------------------------------------------ */

static void put_usage(
	struct world *w, int64_t pass, const char *uri, const char *scanner, const char *usage)
{
	char *usages[] = { (char *)(uintptr_t)usage };
	struct maker m;
	struct record *r = certificate(&m, uri, 0, 5);

	r->location.scanner = (char *)(uintptr_t)scanner;
	r->certificate.is_served = false;
	r->certificate.facts.extended_key_usage = (struct strings){ usages, usage != NULL, 1 };
	/* Facts are kept by the fingerprint. */
	r->certificate.facts.fingerprint[0] = usage ? (uint8_t)usage[0] : 0;
	r->certificate.verdict.problems = 0;
	OK(w, inventory_put(w->inventory, pass, r, w->now, &w->why));
}

static enum err note_usage(void *arg, const struct sighting *s)
{
	const struct verdict *v = &s->record->certificate.verdict;

	*(int *)arg = (v->problems & PROBLEM_BIT(PROBLEM_WRONG_USAGE)) != 0;
	assert_int_equal(*(int *)arg, rules_have(&v->violations, RULE_PURPOSE));
	return ERR_OK;
}

static int has_wrong_usage(struct world *w, const char *uri)
{
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE, .uri = uri };
	int out = -1;

	OK(w, inventory_each(w->inventory, &filter, note_usage, &out, &w->why));
	return out;
}

static void judges_by_what_a_configuration_uses_it_for(void **state)
{
	struct world *w = *state;
	struct reference_record r = { .role = REFERENCE_CLIENT_CERTIFICATE,
		.file = (char *)"file:///tls/a.pem",
		.is_active = true };
	int64_t pass = begin(w, "files");

	put_usage(w, pass, "file:///tls/a.pem", "files", "serverAuth");
	put_usage(w, pass, "file:///tls/b.pem", "files", "clientAuth");
	put_usage(w, pass, "file:///tls/c.pem", "files", NULL);
	put_usage(w, pass, "file:///tls/d.pem", "files", "anyExtendedKeyUsage");
	put_usage(w, pass, "file:///own.pem", "endpoints", "serverAuth");
	put_usage(w, pass, "file:///own2.pem", "endpoints", "clientAuth");
	assert_int_equal(has_wrong_usage(w, "file:///tls/a.pem"), 0);
	assert_int_equal(has_wrong_usage(w, "file:///own.pem"), 1);
	assert_int_equal(has_wrong_usage(w, "file:///own2.pem"), 0);
	/* Once the configuration is known, whichever came first. */
	put_named(w, pass, 0, NGINX, &r);
	assert_int_equal(has_wrong_usage(w, "file:///tls/a.pem"), 1);
	assert_int_equal(has_wrong_usage(w, "file:///tls/b.pem"), 0);
	/* A folder, and a server. */
	r.file = (char *)"file:///tls";
	r.role = REFERENCE_SERVER_CERTIFICATE;
	r.is_folder = true;
	put_named(w, pass, 1, NGINX, &r);
	assert_int_equal(has_wrong_usage(w, "file:///tls/b.pem"), 1);
	assert_int_equal(has_wrong_usage(w, "file:///tls/c.pem"), 0);
	assert_int_equal(has_wrong_usage(w, "file:///tls/d.pem"), 0);
	end(w, pass, true);

	/* What names it no more, or is not in use, asks nothing of it. */
	pass = begin(w, "files");
	OK(w, inventory_keep(w->inventory, pass, &(struct keep){ .uri = "file:///tls/a.pem" }, NULL,
		      &w->why));
	r = (struct reference_record){ .role = REFERENCE_CLIENT_CERTIFICATE,
		.file = (char *)"file:///tls/a.pem" };
	put_named(w, pass, 0, NGINX, &r);
	end(w, pass, true);
	assert_int_equal(has_wrong_usage(w, "file:///tls/a.pem"), 0);
}

static void replaces_what_a_place_holds(void **state)
{
	struct world *w = *state;
	struct pass_result result;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///a", 1, 2);
	put(w, pass, "file:///a", 2, 3);
	put(w, pass, "file:///b", 0, 4);
	put_problem(w, pass, "file:///c", REASON_NEEDS_PASSWORD);
	result = end(w, pass, true);
	assert_int_equal(result.appeared, 4);
	assert_int_equal(result.vanished, 0);

	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///a", 1, 9);
	/* Before the end nothing is gone: a scrape meanwhile sees no gap. */
	holds(w,
		"file:///a#0=1 file:///a#1=9 file:///a#2=3 file:///b#0=4 file:///c?needs-password");
	result = end(w, pass, true);
	assert_int_equal(result.appeared, 1);
	assert_int_equal(result.vanished, 3);
	holds(w, "file:///a#0=1 file:///a#1=9");
	held(w, "file:///a#0=1 file:///a#1=9 file:///a#2=3- file:///b#0=4-");

	/* And back again. */
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///a", 1, 9);
	put(w, pass, "file:///b", 0, 4);
	result = end(w, pass, true);
	assert_int_equal(result.appeared, 1);
	assert_int_equal(result.vanished, 0);
	held(w, "file:///a#0=1 file:///a#1=9 file:///a#2=3- file:///b#0=4");
}

static void last_of_one_pass_wins(void **state)
{
	struct world *w = *state;
	struct pass_result result;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///a", 0, 2);
	result = end(w, pass, true);
	assert_int_equal(result.appeared, 1);
	assert_int_equal(result.vanished, 0);
	holds(w, "file:///a#0=2");
}

static void incomplete_pass_forgets_nothing(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///a", 1, 2);
	put(w, pass, "file:///b", 0, 3);
	put_problem(w, pass, "file:///c", REASON_TIMEOUT);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	(void)end(w, pass, false);
	holds(w, "file:///a#0=1 file:///a#1=2! file:///b#0=3! file:///c?timeout!");
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///b", 0, 3);
	(void)end(w, pass, true);
	holds(w, "file:///a#0=1 file:///b#0=3");
}

static void pass_left_open_counts_as_incomplete(void **state)
{
	struct world *w = *state;
	struct pass_result result = { .is_complete = true };
	int64_t first = begin(w, "files");
	int64_t second;

	put(w, first, "file:///a", 0, 1);
	put(w, first, "file:///b", 0, 2);
	(void)end(w, first, true);
	first = begin(w, "files");
	put(w, first, "file:///a", 0, 1);
	OK(w, inventory_commit(w->inventory, &w->why));
	second = begin(w, "files");
	holds(w, "file:///a#0=1 file:///b#0=2!");
	assert_int_equal(
		inventory_pass_end(w->inventory, first, &result, w->now, &w->why), ERR_NOT_FOUND);
	store_rollback(w->store);
	assert_true(second > first);
	put(w, second, "file:///b", 0, 2);
	(void)end(w, second, true);
	holds(w, "file:///b#0=2");
}

static void jobs_do_not_touch_each_other(void **state)
{
	struct world *w = *state;
	int64_t a = begin(w, "files");
	int64_t b = begin(w, "files:2");

	put(w, a, "file:///a", 0, 1);
	put(w, b, "file:///b", 0, 2);
	(void)end(w, a, true);
	holds(w, "file:///a#0=1 file:///b#0=2");
	(void)end(w, b, true);
	a = begin(w, "files");
	(void)end(w, a, true);
	holds(w, "file:///b#0=2");
	holds_filtered(w, &(struct inventory_filter){ .job = "files:2" }, "file:///b#0=2");
}

/* Two jobs over one tree: one place, told once, by who saw it last. */
static void overlapping_jobs_tell_a_place_once(void **state)
{
	struct world *w = *state;
	int64_t a = begin(w, "files");
	int64_t b;

	put(w, a, "file:///x", 0, 1);
	put(w, a, "file:///x", 1, 2);
	(void)end(w, a, true);
	b = begin(w, "files:2");
	put(w, b, "file:///x", 0, 3);
	(void)end(w, b, true);
	holds(w, "file:///x#0=3");
	a = begin(w, "files");
	(void)keep(w, a, "file:///x", false, false);
	(void)end(w, a, true);
	holds(w, "file:///x#0=1 file:///x#1=2");
	/* What one of them still holds is there. */
	a = begin(w, "files");
	(void)end(w, a, true);
	holds(w, "file:///x#0=3");
}

/* Asking for some records alone is no reason to believe who looked earlier. */
static void who_saw_a_place_last_speaks_whatever_is_asked_for(void **state)
{
	struct world *w = *state;
	int64_t a = begin(w, "files");
	int64_t b;
	uint8_t of_1[FINGERPRINT_BYTES];

	put(w, a, "file:///x", 0, 1);
	put(w, a, "file:///y", 0, 1);
	put_problem(w, a, "file:///x", REASON_MALFORMED);
	put_problem(w, a, "file:///y", REASON_MALFORMED);
	(void)end(w, a, true);
	b = begin(w, "files:2");
	put(w, b, "file:///x", 0, 3);
	(void)end(w, b, true);
	holds_filtered(
		w, &(struct inventory_filter){ .kind = RECORD_PROBLEM }, "file:///y?malformed");
	fingerprint(1, of_1);
	holds_filtered(w, &(struct inventory_filter){ .fingerprint = of_1 }, "file:///y#0=1");
	holds_filtered(
		w, &(struct inventory_filter){ .fingerprint = of_1, .uri = "file:///x" }, "");
}

/* ---- keeping ---------------------------------------------------------------------------------- */

static void keeps_what_is_unchanged(void **state)
{
	struct world *w = *state;
	struct pass_result result;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a.jar", 0, 1);
	put(w, pass, "file:///a.jar!/b.pem", 0, 2);
	put(w, pass, "file:///a.jar2", 0, 3);
	put(w, pass, "file:///d/e", 0, 4);
	put_problem(w, pass, "file:///a.jar", REASON_MALFORMED);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	assert_int_equal(keep(w, pass, "file:///a.jar", false, false), 2);
	assert_int_equal(keep(w, pass, "file:///nothing", false, false), 0);
	result = end(w, pass, true);
	assert_int_equal(result.vanished, 2);
	holds(w, "file:///a.jar#0=1 file:///a.jar?malformed file:///a.jar!/b.pem#0=2");
}

static void keeps_what_could_not_be_looked_at(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///d/a", 0, 1);
	put(w, pass, "file:///d/e/b", 0, 2);
	put(w, pass, "file:///d-other", 0, 3);
	put_problem(w, pass, "file:///d/bad", REASON_MALFORMED);
	put_problem(w, pass, "file:///d/closed", REASON_PERMISSION_DENIED);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	assert_int_equal(keep(w, pass, "file:///d", true, true), 2);
	put_problem(w, pass, "file:///d", REASON_PERMISSION_DENIED);
	(void)end(w, pass, true);
	holds(w,
		"file:///d?permission-denied file:///d/a#0=1! file:///d/bad?malformed! file:///d/e/b#0=2!");
	/* The folder is open again. */
	pass = begin(w, "files");
	put(w, pass, "file:///d/a", 0, 1);
	(void)keep(w, pass, "file:///d/e/b", false, false);
	(void)end(w, pass, true);
	holds(w, "file:///d/a#0=1 file:///d/e/b#0=2");
}

/* A root's name ends in a slash. */
static void keeps_below_a_root(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///d/a", 0, 1);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	assert_int_equal(keep(w, pass, "file:///", true, true), 1);
	(void)end(w, pass, true);
	holds(w, "file:///d/a#0=1!");
}

static void good_look_outweighs_a_failed_one(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///d/a", 0, 1);
	put(w, pass, "file:///d/b", 0, 2);
	put(w, pass, "file:///d/c", 0, 3);
	put(w, pass, "file:///d/c", 1, 4);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	(void)keep(w, pass, "file:///d/a", false, false);
	put(w, pass, "file:///d/c", 0, 3);
	(void)keep(w, pass, "file:///d", true, true);
	(void)keep(w, pass, "file:///d/b", false, false);
	(void)end(w, pass, true);
	holds(w, "file:///d/a#0=1 file:///d/b#0=2 file:///d/c#0=3 file:///d/c#1=4!");
}

/* ---- times ------------------------------------------------------------------------------------ */

struct times {
	int64_t first_seen;
	int64_t last_seen;
	int64_t gone_at;
};

static enum err read_times(void *arg, const struct sighting *s)
{
	*(struct times *)arg = (struct times){ s->first_seen, s->last_seen, s->gone_at };
	return ERR_OK;
}

static struct times times_of(struct world *w, int kind)
{
	struct inventory_filter filter = { .kind = kind, .include_gone = true };
	struct times t = { 0 };

	OK(w, inventory_each(w->inventory, &filter, read_times, &t, &w->why));
	return t;
}

static void tells_since_when(void **state)
{
	struct world *w = *state;
	struct times first;
	struct times then;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	(void)end(w, pass, true);
	first = times_of(w, RECORD_CERTIFICATE);
	assert_int_equal(first.first_seen, first.last_seen);

	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	(void)end(w, pass, true);
	then = times_of(w, RECORD_CERTIFICATE);
	assert_int_equal(then.first_seen, first.first_seen);
	assert_true(then.last_seen > first.last_seen);

	first = then;
	pass = begin(w, "files");
	(void)keep(w, pass, "file:///a", false, true);
	(void)end(w, pass, true);
	then = times_of(w, RECORD_CERTIFICATE);
	assert_int_equal(then.last_seen, first.last_seen);

	pass = begin(w, "files");
	(void)keep(w, pass, "file:///a", false, false);
	(void)end(w, pass, true);
	then = times_of(w, RECORD_CERTIFICATE);
	assert_true(then.last_seen > first.last_seen);
	assert_int_equal(then.first_seen, first.first_seen);

	/* The renewal. */
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 2);
	(void)end(w, pass, true);
	then = times_of(w, RECORD_CERTIFICATE);
	assert_true(then.first_seen > first.last_seen);
	assert_int_equal(then.gone_at, TIME_UNKNOWN);
	pass = begin(w, "files");
	(void)end(w, pass, true);
	assert_int_equal(times_of(w, RECORD_CERTIFICATE).gone_at, w->now);
}

static void unreachable_endpoint_keeps_its_time(void **state)
{
	struct world *w = *state;
	struct record up = endpoint("tls://h:443", true);
	struct record down = endpoint("tls://h:443", false);
	struct times first;
	struct times then;
	int64_t pass = begin(w, "files");

	OK(w, inventory_put(w->inventory, pass, &up, w->now, &w->why));
	put(w, pass, "tls://h:443", 0, 1);
	(void)end(w, pass, true);
	first = times_of(w, RECORD_ENDPOINT);
	pass = begin(w, "files");
	(void)keep(w, pass, "tls://h:443", true, true);
	put_problem(w, pass, "tls://h:443", REASON_TIMEOUT);
	OK(w, inventory_put(w->inventory, pass, &down, w->now, &w->why));
	(void)end(w, pass, true);
	holds(w, "tls://h:443:timeout tls://h:443#0=1! tls://h:443?timeout");
	then = times_of(w, RECORD_ENDPOINT);
	assert_int_equal(then.first_seen, first.first_seen);
	assert_int_equal(then.last_seen, first.last_seen);
	/* Another failure takes the first one's place. */
	pass = begin(w, "files");
	(void)keep(w, pass, "tls://h:443", true, true);
	put_problem(w, pass, "tls://h:443", REASON_REFUSED);
	(void)end(w, pass, true);
	holds(w, "tls://h:443:timeout! tls://h:443#0=1! tls://h:443?refused");
}

/* ---- problems --------------------------------------------------------------------------------- */

static void each_refused_certificate_is_a_problem(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");
	struct record r;

	OK(w, record_problem(&r, "files", "file:///x", REASON_MALFORMED, NULL));
	r.problem.has_fingerprint = true;
	for (unsigned n = 0; n < 3; n++) {
		fingerprint(n, r.problem.fingerprint);
		OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
		OK(w, inventory_put(w->inventory, pass, &r, w->now, &w->why));
	}
	record_fini(&r);
	put_problem(w, pass, "file:///x", REASON_TIMEOUT);
	holds(w, "file:///x?malformed file:///x?malformed file:///x?malformed file:///x?timeout");
}

/* ---- jobs ------------------------------------------------------------------------------------- */

static enum err copy_job(void *arg, const struct job_state *s)
{
	struct job_state *out = arg;

	*out = *s;
	out->scanner = NULL;
	out->job = NULL;
	return ERR_OK;
}

static void knows_its_jobs(void **state)
{
	struct world *w = *state;
	struct job_state job = { 0 };
	int64_t pass = begin(w, "files");
	int64_t started = w->now;

	OK(w, inventory_each_job(w->inventory, copy_job, &job, &w->why));
	assert_int_equal(job.last_start, started);
	assert_int_equal(job.last_success, TIME_UNKNOWN);
	(void)end(w, pass, true);
	OK(w, inventory_each_job(w->inventory, copy_job, &job, &w->why));
	assert_int_equal(job.last_success, w->now);
	assert_true(job.last_complete);
	assert_int_equal(job.items, 3);
	assert_true(job.duration_s > 1.4 && job.duration_s < 1.6);
	started = job.last_success;
	pass = begin(w, "files");
	(void)end(w, pass, false);
	OK(w, inventory_each_job(w->inventory, copy_job, &job, &w->why));
	assert_false(job.last_complete);
	assert_int_equal(job.last_success, started);
}

static void drops_what_is_no_longer_configured(void **state)
{
	struct world *w = *state;
	const uint8_t context[FINGERPRINT_BYTES] = { 1 };
	uint8_t read[FINGERPRINT_BYTES];
	struct strings jobs = { 0 };
	struct job_state job = { 0 };
	struct buffer memory;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put_problem(w, pass, "file:///b", REASON_TIMEOUT);
	OK(w, inventory_memory_save(w->inventory, "files", slice_text("bytes"), context, &w->why));
	(void)end(w, pass, true);
	OK(w, strings_add(&jobs, "files"));
	OK(w, inventory_retain_jobs(w->inventory, &jobs, w->now, &w->why));
	holds(w, "file:///a#0=1 file:///b?timeout");
	strings_fini(&jobs);
	OK(w, inventory_retain_jobs(w->inventory, &jobs, w->now, &w->why));
	held(w, "file:///a#0=1-");
	buffer_init(&memory, 100);
	assert_int_equal(
		inventory_memory_load(w->inventory, "files", &memory, read, NULL), ERR_NOT_FOUND);
	buffer_fini(&memory);
	OK(w, inventory_each_job(w->inventory, copy_job, &job, &w->why));
	assert_int_equal(job.items, 0);
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	(void)end(w, pass, true);
	holds(w, "file:///a#0=1");
}

static void remembers_bytes(void **state)
{
	struct world *w = *state;
	uint8_t context[FINGERPRINT_BYTES] = { 1, 2, 3 };
	uint8_t read[FINGERPRINT_BYTES];
	struct buffer memory;
	int64_t pass;

	buffer_init(&memory, 16);
	assert_int_equal(
		inventory_memory_load(w->inventory, "files", &memory, read, NULL), ERR_NOT_FOUND);
	pass = begin(w, "files");
	assert_int_equal(
		inventory_memory_load(w->inventory, "files", &memory, read, NULL), ERR_NOT_FOUND);
	OK(w, inventory_memory_save(w->inventory, "files", slice_of("a\0b", 3), context, &w->why));
	context[0] = 9;
	OK(w, inventory_memory_save(w->inventory, "files", slice_of("c\0d", 3), context, &w->why));
	(void)end(w, pass, true);
	OK(w, inventory_memory_load(w->inventory, "files", &memory, read, &w->why));
	assert_int_equal(memory.size, 3);
	assert_memory_equal(memory.data, "c\0d", 3);
	assert_memory_equal(read, context, sizeof(read));
	buffer_clear(&memory);
	OK(w, inventory_memory_save(
		      w->inventory, "files", slice_text("longer than sixteen"), context, &w->why));
	assert_int_equal(
		inventory_memory_load(w->inventory, "files", &memory, read, NULL), ERR_LIMIT);
	buffer_fini(&memory);
}

static bool has_boundary(struct world *w, int64_t until)
{
	bool has = true;

	OK(w, inventory_has_boundary(w->inventory, "files", until, &has, &w->why));
	return has;
}

static void knows_when_to_judge_again(void **state)
{
	struct world *w = *state;
	int64_t pass;

	assert_false(has_boundary(w, INT64_MAX));
	put(w, begin(w, "other"), "file:///c", 0, 10);
	pass = begin(w, "files");
	assert_false(has_boundary(w, INT64_MAX));
	put(w, pass, "file:///a", 0, 50);
	put(w, pass, "file:///b", 0, 20);
	(void)end(w, pass, true);
	assert_true(has_boundary(w, INT64_MAX));
	assert_true(has_boundary(w, NOW + 20 * DAY));
	assert_false(has_boundary(w, NOW + 20 * DAY - 1));
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 50);
	(void)end(w, pass, true);
	assert_true(has_boundary(w, NOW + 50 * DAY));
	assert_false(has_boundary(w, NOW + 50 * DAY - 1));
}

/* ---- by fingerprint --------------------------------------------------------------------------- */

static void finds_by_prefix(void **state)
{
	struct world *w = *state;
	char hex[FINGERPRINT_TEXT_BYTES];
	uint8_t out[FINGERPRINT_BYTES];
	uint8_t want[FINGERPRINT_BYTES];
	uint64_t count = 99;
	int64_t pass = begin(w, "files");

	for (unsigned n = 0; n < 100; n++)
		put(w, pass, "file:///a", n, n);
	put(w, pass, "file:///b", 0, 7);
	fingerprint(7, want);
	for (size_t i = 0; i < FINGERPRINT_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, i % 2 ? "%02x" : "%02X", want[i]);
	OK(w, inventory_find(w->inventory, hex, &count, out, &w->why));
	assert_int_equal(count, 1);
	assert_memory_equal(out, want, sizeof(want));
	holds_filtered(w, &(struct inventory_filter){ .fingerprint = want },
		"file:///a#7=7 file:///b#0=7");
	hex[9] = 0;
	OK(w, inventory_find(w->inventory, hex, &count, out, &w->why));
	assert_int_equal(count, 1);
	hex[0] = hex[0] == '0' ? '1' : '0';
	OK(w, inventory_find(w->inventory, hex, &count, out, &w->why));
	assert_int_equal(count, 0);
	assert_int_equal(inventory_find(w->inventory, "", &count, out, NULL), ERR_USAGE);
	assert_int_equal(inventory_find(w->inventory, "xy", &count, out, NULL), ERR_USAGE);
}

static void succeeds(struct world *w, unsigned old, unsigned successor)
{
	uint8_t of[FINGERPRINT_BYTES];
	uint8_t want[FINGERPRINT_BYTES];
	uint8_t got[FINGERPRINT_BYTES];
	int64_t not_after = 0;
	bool found = false;

	fingerprint(old, of);
	fingerprint(successor, want);
	OK(w, inventory_successor(w->inventory, of, &found, &not_after, got, &w->why));
	assert_int_equal(found, successor != 0);
	if (!successor)
		return;
	assert_memory_equal(got, want, sizeof(want));
	assert_int_equal(not_after, NOW + successor * DAY);
}

static void knows_who_replaced_whom(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///etc/a.pem", 0, 1);
	put(w, pass, "file:///srv/b.pem", 0, 2);
	(void)end(w, pass, true);
	succeeds(w, 1, 0);
	succeeds(w, 12345, 0);
	pass = begin(w, "files");
	put(w, pass, "file:///etc/a.pem", 0, 11);
	(void)end(w, pass, true);
	succeeds(w, 1, 11);
	succeeds(w, 2, 0);
	/* Twice renewed: the one that lies there now. */
	pass = begin(w, "files");
	put(w, pass, "file:///etc/a.pem", 0, 21);
	(void)end(w, pass, true);
	succeeds(w, 1, 21);
	succeeds(w, 11, 21);
	pass = begin(w, "files");
	(void)end(w, pass, true);
	succeeds(w, 1, 0);
}

static void superseded_in_its_folder(void **state)
{
	struct world *w = *state;
	struct maker m;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///live/cert1.pem", 0, 1);
	put(w, pass, "file:///live/cert2.pem", 0, 31);
	put(w, pass, "file:///live/sub/cert3.pem", 0, 41);
	put(w, pass, "file:///other/cert4.pem", 0, 51);
	(void)certificate(&m, "file:///live/cert5.pem", 0, 61);
	m.names[0] = (char *)"dns:somebody.else";
	OK(w, inventory_put(w->inventory, pass, &m.record, w->now, &w->why));
	(void)certificate(&m, "file:///live/cert6.pem", 0, 71);
	m.record.certificate.facts.subject = (char *)"CN=other";
	OK(w, inventory_put(w->inventory, pass, &m.record, w->now, &w->why));
	(void)end(w, pass, true);
	succeeds(w, 1, 31);
	succeeds(w, 31, 0);
	/* Also when it is gone. */
	pass = begin(w, "files");
	(void)keep(w, pass, "file:///live/cert2.pem", false, false);
	(void)end(w, pass, true);
	succeeds(w, 1, 31);
}

static void hosts_are_no_folders(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "tls://a:443", 0, 1);
	put(w, pass, "tls://b:443", 0, 2);
	(void)end(w, pass, true);
	succeeds(w, 1, 0);
}

static int64_t ask(struct world *w, const char *sql)
{
	sqlite3_stmt *statement = NULL;
	int64_t value;

	assert_int_equal(sqlite3_prepare_v2(w->store->db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static void put_ca(struct world *w, int64_t pass, uint32_t index, unsigned n)
{
	static const char *const subjects[] = { "CN=0", "CN=1", "CN=2", "CN=3", "CN=4", "CN=5" };
	struct maker m;

	certificate(&m, "file:///ca.pem", index, n);
	m.record.certificate.facts.subject = (char *)subjects[n];
	OK(w, inventory_put(w->inventory, pass, &m.record, w->now, &w->why));
}

/* A bundle that loses or gains an entry moves the others: none of them was replaced. */
static void moved_is_not_replaced(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	for (unsigned n = 1; n <= 4; n++)
		put_ca(w, pass, n - 1, n);
	(void)end(w, pass, true);
	/* Without the second. */
	pass = begin(w, "files");
	put_ca(w, pass, 0, 1);
	put_ca(w, pass, 1, 3);
	put_ca(w, pass, 2, 4);
	(void)end(w, pass, true);
	holds(w, "file:///ca.pem#0=1 file:///ca.pem#1=3 file:///ca.pem#2=4");
	for (unsigned n = 1; n <= 4; n++)
		succeeds(w, n, 0);
	/* With a new one in front, and later without the one that was first before. */
	pass = begin(w, "files");
	put_ca(w, pass, 0, 5);
	put_ca(w, pass, 1, 1);
	put_ca(w, pass, 2, 3);
	put_ca(w, pass, 3, 4);
	(void)end(w, pass, true);
	for (unsigned n = 1; n <= 5; n++)
		succeeds(w, n, 0);
	pass = begin(w, "files");
	put_ca(w, pass, 0, 5);
	put_ca(w, pass, 1, 3);
	put_ca(w, pass, 2, 4);
	(void)end(w, pass, true);
	succeeds(w, 1, 0);
	assert_int_equal(ask(w, "SELECT count(*) FROM succession"), 0);
}

/* ---- facts are kept once, what is gone is forgotten in the end --------------------------------- */

static void keeps_facts_once(void **state)
{
	struct world *w = *state;
	char uri[64];
	int64_t pass = begin(w, "files");

	for (unsigned n = 0; n < 1000; n++) {
		(void)snprintf(uri, sizeof(uri), "file:///etc/%u.pem", n);
		put(w, pass, uri, 0, 5);
	}
	(void)end(w, pass, true);
	assert_int_equal(ask(w, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM sighting"), 1000);
}

static void takes_over_better_facts(void **state)
{
	struct world *w = *state;
	struct expected x = { 0 };
	struct inventory_filter all = { 0 };
	struct maker m;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 5);
	(void)end(w, pass, true);
	/* A new process with a parser that reads more of it. */
	inventory_free(w->inventory);
	OK(w, inventory_new(w->store, &w->inventory, &w->why));
	pass = begin(w, "files");
	x.record = certificate(&m, "file:///a", 0, 5);
	m.record.certificate.facts.key_bits = 4096;
	OK(w, inventory_put(w->inventory, pass, &m.record, w->now, &w->why));
	(void)end(w, pass, true);
	OK(w, inventory_each(w->inventory, &all, compare, &x, &w->why));
	assert_int_equal(x.seen, 1);
	assert_true(x.first_seen < x.last_seen);
}

static void forgets_after_ninety_days(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///b", 0, 2);
	(void)end(w, pass, true);
	pass = begin(w, "files");
	put(w, pass, "file:///b", 0, 3);
	(void)end(w, pass, true);
	w->now += 89 * DAY;
	pass = begin(w, "files");
	put(w, pass, "file:///b", 0, 3);
	(void)end(w, pass, true);
	held(w, "file:///a#0=1- file:///b#0=3");
	assert_int_equal(ask(w, "SELECT count(*) FROM certificate"), 3);
	w->now += 2 * DAY;
	pass = begin(w, "files");
	put(w, pass, "file:///b", 0, 3);
	(void)end(w, pass, true);
	held(w, "file:///b#0=3");
	assert_int_equal(ask(w, "SELECT count(*) FROM certificate"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM place"), 1);
	assert_int_equal(ask(w, "SELECT count(*) FROM succession"), 0);
	/* Nothing that was forgotten is still believed to be there. */
	pass = begin(w, "files");
	put(w, pass, "file:///a", 0, 1);
	put(w, pass, "file:///b", 0, 2);
	(void)end(w, pass, true);
	holds(w, "file:///a#0=1 file:///b#0=2");
}

static void survives_a_rollback(void **state)
{
	struct world *w = *state;
	int64_t pass = begin(w, "files");

	put(w, pass, "file:///a", 0, 1);
	store_rollback(w->store);
	holds(w, "");
	put(w, pass, "file:///b", 0, 2);
	put(w, pass, "file:///a", 0, 1);
	(void)end(w, pass, true);
	holds(w, "file:///a#0=1 file:///b#0=2");
	assert_int_equal(ask(w, "SELECT count(*) FROM certificate"), 2);
}

static void refuses_what_makes_no_sense(void **state)
{
	struct world *w = *state;
	struct maker m;
	int64_t pass = begin(w, "files");

	assert_int_equal(
		inventory_put(w->inventory, 0, certificate(&m, "file:///a", 0, 1), w->now, NULL),
		ERR_NOT_FOUND);
	assert_int_equal(
		inventory_put(w->inventory, pass + 1, &m.record, w->now, NULL), ERR_NOT_FOUND);
	m.record.location.index = UINT32_MAX;
	assert_int_equal(inventory_put(w->inventory, pass, &m.record, w->now, NULL), ERR_LIMIT);
	m.record.kind = 0;
	m.record.location.index = 0;
	assert_int_equal(inventory_put(w->inventory, pass, &m.record, w->now, NULL), ERR_MALFORMED);
	(void)end(w, pass, true);
	holds(w, "");
}

/* ---- out of memory ----------------------------------------------------------------------------- */

/* SQLite's allocator with a counter: one allocation fails when it reaches zero. */
static sqlite3_mem_methods plain_memory;
static long allocations_left = -1;

static bool must_fail(void)
{
	return allocations_left > 0 && --allocations_left == 0;
}

static void *failing_malloc(int size)
{
	return must_fail() ? NULL : plain_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
	return must_fail() ? NULL : plain_memory.xRealloc(old, size);
}

/* Two passes of one job, a question and a successor; the first error ends it. */
static enum err a_day(struct inventory *i)
{
	const struct inventory_filter all = { .include_gone = true };
	const uint8_t context[FINGERPRINT_BYTES] = { 0 };
	struct record served = endpoint("tls://h:443", true);
	uint8_t successor[FINGERPRINT_BYTES];
	struct buffer out;
	int64_t not_after;
	bool found;
	enum err e = ERR_OK;

	buffer_init(&out, 65536);
	for (unsigned round = 0; e == ERR_OK && round < 2; round++) {
		struct pass_result result = { .is_complete = true };
		struct keep keep = { .uri = "file:///d", .below = true, .stale = true };
		struct maker m;
		int64_t pass;

		e = inventory_pass_begin(i, "files", "files", NOW + round, &pass, NULL);
		if (e == ERR_OK)
			e = inventory_put(
				i, pass, certificate(&m, "file:///a", 0, 1 + round), NOW, NULL);
		if (e == ERR_OK)
			e = inventory_put(i, pass, &served, NOW, NULL);
		if (e == ERR_OK)
			e = inventory_keep(i, pass, &keep, NULL, NULL);
		if (e == ERR_OK)
			e = inventory_memory_save(i, "files", slice_text("m"), context, NULL);
		if (e == ERR_OK)
			e = inventory_pass_end(i, pass, &result, NOW + round, NULL);
	}
	if (e == ERR_OK)
		e = inventory_each(i, &all, describe, &out, NULL);
	if (e == ERR_OK)
		e = inventory_successor(i, context, &found, &not_after, successor, NULL);
	buffer_fini(&out);
	return e;
}

/* What every round starts from: migrating anew each time would be most of the work. */
static void copy_of_empty(struct store *to, struct store *empty)
{
	sqlite3_backup *copy = sqlite3_backup_init(to->db, "main", empty->db, "main");

	assert_non_null(copy);
	assert_int_equal(sqlite3_backup_step(copy, -1), SQLITE_DONE);
	assert_int_equal(sqlite3_backup_finish(copy), SQLITE_OK);
}

/* Whichever allocation fails: an error, no half batch, and all is well when memory is back. */
static void survives_each_failing_allocation(void **state)
{
	bool has_failed = true;
	unsigned failures = 0;
	struct store *empty = NULL;
	struct store *store = NULL;

	(void)state;
	assert_int_equal(store_open(NULL, &empty, NULL), ERR_OK);
	assert_int_equal(store_open(NULL, &store, NULL), ERR_OK);
	for (long n = 1; has_failed; n += 2) {
		struct inventory *i = NULL;
		enum err e;

		copy_of_empty(store, empty);
		assert_int_equal(inventory_new(store, &i, NULL), ERR_OK);
		allocations_left = n;
		e = a_day(i);
		has_failed = allocations_left == 0;
		allocations_left = -1;
		failures += e != ERR_OK;
		if (e != ERR_OK)
			store_rollback(store);
		assert_int_equal(a_day(i), ERR_OK);
		inventory_free(i);
	}
	store_close(store);
	store_close(empty);
	assert_true(failures > 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_back_what_was_put),
		TEST(stops_when_told),
		TEST(tells_by_uri_and_index),
		TEST(tells_who_uses_a_file),
		TEST(tells_named_files),
		TEST(tells_passwords),
		TEST(judges_by_what_a_configuration_uses_it_for),
		TEST(replaces_what_a_place_holds),
		TEST(last_of_one_pass_wins),
		TEST(incomplete_pass_forgets_nothing),
		TEST(pass_left_open_counts_as_incomplete),
		TEST(jobs_do_not_touch_each_other),
		TEST(overlapping_jobs_tell_a_place_once),
		TEST(who_saw_a_place_last_speaks_whatever_is_asked_for),
		TEST(keeps_what_is_unchanged),
		TEST(keeps_what_could_not_be_looked_at),
		TEST(keeps_below_a_root),
		TEST(good_look_outweighs_a_failed_one),
		TEST(tells_since_when),
		TEST(unreachable_endpoint_keeps_its_time),
		TEST(each_refused_certificate_is_a_problem),
		TEST(knows_its_jobs),
		TEST(drops_what_is_no_longer_configured),
		TEST(remembers_bytes),
		TEST(knows_when_to_judge_again),
		TEST(finds_by_prefix),
		TEST(knows_who_replaced_whom),
		TEST(superseded_in_its_folder),
		TEST(hosts_are_no_folders),
		TEST(moved_is_not_replaced),
		TEST(keeps_facts_once),
		TEST(takes_over_better_facts),
		TEST(forgets_after_ninety_days),
		TEST(survives_a_rollback),
		TEST(refuses_what_makes_no_sense),
		cmocka_unit_test(survives_each_failing_allocation),
	};
	sqlite3_mem_methods failing;

	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain_memory) != SQLITE_OK)
		return 1;
	failing = plain_memory;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) != SQLITE_OK)
		return 1;

	return cmocka_run_group_tests(tests, NULL, NULL);
}
