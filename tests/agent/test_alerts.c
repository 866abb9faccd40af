/* Life cycles of alerts, in tables: what passes saw at which hour, and what was said. */
#include "agent/alerts.h"
#include "agent/base/clock.h"
#include "agent/base/text.h"
#include "agent/inventory.h"
#include "agent/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define START INT64_C(1800000000)
#define HOUR 3600
#define DAY (24 * HOUR)
#define TOKEN_MAX 256
#define SAID_MAX 8192

/* A certificate of the stories. Days are counted from START. */
struct paper {
	const char *name;
	const char *cn;
	int from_day;
	int days;
	uint32_t problems;
	int chain_day; /* when its chain breaks, 0 = with itself */
	bool is_anchor;
	bool is_ca;
	uint8_t key;
};

static const struct paper papers[] = {
	/* 100 days: warning at day 67, critical at day 90, over at day 100. */
	{ .name = "api1", .cn = "api", .days = 100 },
	{ .name = "api2", .cn = "api", .from_day = 60, .days = 100 },
	{ .name = "api3", .cn = "api", .from_day = 120, .days = 100 },
	{ .name = "www1", .cn = "www", .days = 100 },
	{ .name = "six", .cn = "six", .days = 6 },
	{ .name = "six2", .cn = "six", .from_day = 3, .days = 6 },
	{ .name = "fortyseven", .cn = "fortyseven", .days = 47 },
	{ .name = "chained", .cn = "chained", .days = 100, .chain_day = 20 },
	{ .name = "wrong",
		.cn = "wrong",
		.days = 1000,
		.problems = PROBLEM_BIT(PROBLEM_NAME_MISMATCH) },
	{ .name = "right", .cn = "right", .days = 1000 },
	{ .name = "weak", .cn = "weak", .days = 1000, .problems = PROBLEM_BIT(PROBLEM_WEAK_KEY) },
	{ .name = "future", .cn = "future", .from_day = 2, .days = 1000 },
	{ .name = "root",
		.cn = "root",
		.from_day = -3650,
		.days = 3660,
		.is_anchor = true,
		.is_ca = true },
	{ .name = "ca1", .cn = "ca", .days = 100, .is_ca = true, .key = 1 },
	{ .name = "ca1b", .cn = "ca", .from_day = 50, .days = 200, .is_ca = true, .key = 1 },
	{ .name = "ca2", .cn = "ca", .from_day = 50, .days = 200, .is_ca = true, .key = 2 },
	{ .name = "ever", .cn = "ever", .days = 1000000 },
};

struct world {
	struct store *store;
	struct inventory *inventory;
	struct outbox *outbox;
	struct alerts *alerts;
	const struct receiver_conf *receivers;
	size_t receivers_count;
	int64_t renotify_ms;
	struct thresholds thresholds;
	struct alerts_keys keys;
	int64_t now;
};

static const struct paper *paper_find(const char *name)
{
	for (size_t i = 0; i < sizeof(papers) / sizeof(papers[0]); i++)
		if (strcmp(papers[i].name, name) == 0)
			return &papers[i];
	fail_msg("no paper %s", name);
	return NULL;
}

static char *join(const char *a, const char *b)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s%s", a, b) >= 0);
	return text;
}

static void fingerprint_paper(const struct paper *p, uint8_t out[FINGERPRINT_BYTES])
{
	memset(out, 0, FINGERPRINT_BYTES);
	memcpy(out, p->name, strlen(p->name));
}

static void fill_certificate(struct record *r, const struct paper *p, bool is_served)
{
	struct certificate *c = &r->certificate.facts;
	struct verdict *v = &r->certificate.verdict;

	r->kind = RECORD_CERTIFICATE;
	r->certificate.is_served = is_served;
	fingerprint_paper(p, c->fingerprint);
	c->spki_sha256[0] = p->key;
	c->subject = join("CN=", p->cn);
	c->issuer = strdup("CN=issuer");
	c->subject_cn = strdup(p->cn);
	c->issuer_cn = strdup("issuer");
	c->serial = strdup("01");
	c->not_before = START + p->from_day * (int64_t)DAY;
	c->not_after = c->not_before + p->days * (int64_t)DAY;
	c->key_algorithm = strdup("RSA");
	c->signature_algorithm = strdup("RSA-SHA256");
	c->is_ca = p->is_ca;
	if (!p->is_ca) {
		char *name = join("dns:", p->cn);

		assert_int_equal(strings_take(&c->names, name), ERR_OK);
	}
	v->is_checked = true;
	v->is_anchor = p->is_anchor;
	v->trust = p->problems ? NULL : strdup("system");
	v->problems = p->problems;
	v->expires = p->chain_day ? START + p->chain_day * (int64_t)DAY : c->not_after;
	v->boundary = TIME_UNKNOWN;
}

/* `p` NULL: nothing came back. */
static void fill_endpoint(struct record *r, const struct paper *p)
{
	struct endpoint_record *e = &r->endpoint;

	r->kind = RECORD_ENDPOINT;
	e->address = strdup("192.0.2.1");
	e->port = 443;
	e->is_reachable = p != NULL;
	e->handshake = strdup(p ? "ok" : "refused");
	if (!p)
		return;
	e->chain.items = calloc(1, sizeof(*e->chain.items));
	assert_non_null(e->chain.items);
	e->chain.count = 1;
	fingerprint_paper(p, e->chain.items[0]);
}

static bool is_network(const char *uri)
{
	return strncmp(uri, "tls://", 6) == 0;
}

static const char *scanner_of(const char *uri)
{
	if (!is_network(uri))
		return "files";
	return strstr(uri, "127.0.0.") ? "listeners" : "endpoints";
}

static void put(struct world *w, int64_t pass, struct record *r, const char *uri)
{
	struct why why = { 0 };

	r->location.scanner = strdup(scanner_of(uri));
	r->location.uri = strdup(uri);
	if (inventory_put(w->inventory, pass, r, w->now, &why) != ERR_OK)
		fail_msg("%s", why.text);
	record_fini(r);
}

static enum reason reason_named(const char *word)
{
	for (unsigned i = 0; i < REASON_COUNT; i++)
		if (strcmp(reason_word((enum reason)i), word) == 0)
			return (enum reason)i;
	fail_msg("no reason %s", word);
	return REASON_COUNT;
}

/* As a pass stores a probe that failed. */
static void put_failure(struct world *w, int64_t pass, const char *uri, const char *reason)
{
	struct keep keep = { .uri = uri, .below = true, .stale = true };
	struct record r = { 0 };

	fill_endpoint(&r, NULL);
	put(w, pass, &r, uri);
	if (reason_keeps_known(reason_named(reason)))
		assert_int_equal(inventory_keep(w->inventory, pass, &keep, NULL, NULL), ERR_OK);
	assert_int_equal(
		record_problem(&r, scanner_of(uri), uri, reason_named(reason), reason), ERR_OK);
	assert_int_equal(inventory_put(w->inventory, pass, &r, w->now, NULL), ERR_OK);
	record_fini(&r);
}

/* A revocation list of ten days from that day on: due in its last day. */
static void fill_crl(struct record *r, const char *from_day)
{
	r->kind = RECORD_CRL;
	r->crl.issuer = strdup("CN=root");
	r->crl.issuer_cn = strdup("root");
	r->crl.signature_algorithm = strdup("RSA-SHA256");
	r->crl.this_update = START + strtol(from_day, NULL, 10) * DAY;
	r->crl.next_update = r->crl.this_update + 10 * DAY;
}

/* "URI=crl:DAY" is a revocation list of that day; "URI=PAPER" holds it ("URI+FORMAT=PAPER" in that format); "URI!REASON" fails ("refused" unless given); "URI#1=PAPER" the second of a place. */
static void put_token(struct world *w, int64_t pass, char *token)
{
	struct record r = { 0 };
	char *mark = strpbrk(token, "=!");
	char *number;
	char *format;
	bool is_problem = *mark == '!';

	*mark++ = 0;
	if (is_problem) {
		put_failure(w, pass, token, *mark ? mark : "refused");
		return;
	}
	if (strncmp(mark, "crl:", 4) == 0) {
		fill_crl(&r, mark + 4);
		put(w, pass, &r, token);
		return;
	}
	number = strchr(token, '#');
	if (number)
		*number++ = 0;
	if (is_network(token) && !number) {
		fill_endpoint(&r, paper_find(mark));
		put(w, pass, &r, token);
		r = (struct record){ 0 };
	}
	format = strchr(token, '+');
	if (format)
		*format++ = 0;
	fill_certificate(&r, paper_find(mark), is_network(token));
	r.location.format = format ? strdup(format) : NULL;
	r.location.index = number ? (uint32_t)strtoul(number, NULL, 10) : 0;
	put(w, pass, &r, token);
}

static void run_pass(struct world *w, const char *job, const char *what)
{
	struct pass_result result = { .is_complete = true };
	struct why why = { 0 };
	char text[SAID_MAX];
	char *rest = NULL;
	int64_t pass = 0;

	(void)snprintf(text, sizeof(text), "%s", what);
	assert_int_equal(inventory_pass_begin(w->inventory, job, job, w->now, &pass, &why), ERR_OK);
	for (char *t = strtok_r(text, " ", &rest); t; t = strtok_r(NULL, " ", &rest))
		if (strcmp(scanner_of(t), job) == 0)
			put_token(w, pass, t);
	if (inventory_pass_end(w->inventory, pass, &result, w->now, &why) != ERR_OK)
		fail_msg("%s", why.text);
}

static void open_alerts(struct world *w)
{
	const struct receiver_conf *list[8];
	struct alerts_conf conf = { .store = w->store,
		.inventory = w->inventory,
		.thresholds = w->thresholds,
		.keys = w->keys,
		.renotify_ms = w->renotify_ms,
		.receivers = list,
		.receivers_count = w->receivers_count };
	struct why why = { 0 };

	struct strings names = { 0 };

	for (size_t i = 0; i < w->receivers_count; i++) {
		list[i] = &w->receivers[i];
		assert_int_equal(strings_add(&names, w->receivers[i].name), ERR_OK);
	}
	if (outbox_new(w->store, &w->outbox, &why) != ERR_OK)
		fail_msg("%s", why.text);
	conf.outbox = w->outbox;
	assert_int_equal(outbox_retain(w->outbox, &names, &why), ERR_OK);
	strings_fini(&names);
	assert_int_equal(alerts_new(&conf, &w->alerts, &why), ERR_OK);
}

static void close_alerts(struct world *w)
{
	alerts_free(w->alerts);
	outbox_free(w->outbox);
}

static void world_open(struct world *w)
{
	struct why why = { 0 };

	if (store_open(NULL, &w->store, &why) != ERR_OK)
		fail_msg("%s", why.text);
	if (inventory_new(w->store, &w->inventory, &why) != ERR_OK)
		fail_msg("%s", why.text);
	open_alerts(w);
}

static void world_close(struct world *w)
{
	close_alerts(w);
	inventory_free(w->inventory);
	store_close(w->store);
	clock_pin(TIME_UNKNOWN);
}

static void note(char *said, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(char *said, const char *format, ...)
{
	size_t size = strlen(said);
	va_list args;

	va_start(args, format);
	(void)vsnprintf(said + size, SAID_MAX - size, format, args);
	va_end(args);
}

/* "ops[fired warning api] " for each notification, in order; all are delivered. */
static void drain(struct world *w, char *said)
{
	static const struct delivery_result ok = { .outcome = DELIVERY_OK };
	struct notification n;
	struct why why = { 0 };

	said[0] = 0;
	while (outbox_due(w->outbox, w->now, &n, &why) == ERR_OK) {
		note(said, "%s%s[", *said ? " " : "", n.receiver);
		for (size_t i = 0; i < n.count; i++) {
			assert_non_null(n.alerts[i].summary);
			note(said, "%s%s %s %s", i ? ", " : "", alert_event_word(n.alerts[i].event),
				severity_word(n.alerts[i].severity), n.alerts[i].subject_cn);
		}
		note(said, "]");
		assert_int_equal(outbox_result(w->outbox, n.id, &ok, w->now, &why), ERR_OK);
		notification_fini(&n);
	}
}

struct step {
	int hour;
	/* What the passes of all jobs see; NULL = no pass, the clock only. With "^" before it the agent
	 * starts anew before it evaluates ("^-": without a pass). */
	const char *seen;
	const char *said;
};

static const struct receiver_conf ops = {
	.name = (char *)"ops", .min_severity = SEVERITY_INFO, .send_resolved = true
};

static void evaluate(struct world *w, char *said)
{
	struct why why = { 0 };

	if (alerts_evaluate(w->alerts, w->now, &why) != ERR_OK)
		fail_msg("%s", why.text);
	drain(w, said);
}

static void play(struct world *w, const struct step *steps, size_t count)
{
	char said[SAID_MAX];

	for (size_t i = 0; i < count; i++) {
		const char *seen = steps[i].seen;
		bool is_restart = seen && *seen == '^';

		w->now = START + steps[i].hour * (int64_t)HOUR;
		clock_pin(w->now);
		if (is_restart)
			seen++;
		if (seen && *seen != '-') {
			run_pass(w, "files", seen);
			run_pass(w, "endpoints", seen);
			run_pass(w, "listeners", seen);
		}
		if (is_restart) {
			close_alerts(w);
			open_alerts(w);
		}
		evaluate(w, said);
		if (strcmp(said, steps[i].said) != 0)
			fail_msg("step %zu (hour %d): said \"%s\", not \"%s\"", i, steps[i].hour,
				said, steps[i].said);
		/* Asking again at the same moment says nothing. */
		evaluate(w, said);
		assert_string_equal(said, "");
		assert_true(
			alerts_next(w->alerts) == TIME_UNKNOWN || alerts_next(w->alerts) > w->now);
	}
}

static void play_alone(const struct step *steps, size_t count, int64_t renotify_ms)
{
	struct world w = { .receivers = &ops,
		.receivers_count = 1,
		.renotify_ms = renotify_ms,
		.thresholds = thresholds_default };

	world_open(&w);
	play(&w, steps, count);
	world_close(&w);
}

#define PLAY(steps) play_alone(steps, sizeof(steps) / sizeof((steps)[0]), 0)
#define PLAY_RENOTIFY(steps, hours) \
	play_alone(steps, sizeof(steps) / sizeof((steps)[0]), (hours)*INT64_C(3600000))
#define D(day) ((day)*24)

static void test_fires_escalates_and_is_renewed(void **state)
{
	static const struct step steps[] = {
		{ D(1), "file:///etc/api.pem=api1", "" },
		{ D(66), "file:///etc/api.pem=api1", "" },
		{ D(67) + 1, NULL, "ops[fired warning api]" },
		{ D(68), "file:///etc/api.pem=api1", "" },
		{ D(90) + 1, "file:///etc/api.pem=api1", "ops[escalated critical api]" },
		{ D(101), "file:///etc/api.pem=api1", "" },
		{ D(102), "file:///etc/api.pem=api2", "ops[resolved: renewed critical api]" },
		{ D(103), "file:///etc/api.pem=api2", "" },
	};

	(void)state;
	PLAY(steps);
}

static void test_revocation_lists(void **state)
{
	static const struct step steps[] = {
		{ D(1), "file:///root.crl=crl:0", "" },
		{ D(9) - 1, NULL, "" },
		{ D(9), NULL, "ops[fired warning root]" },
		{ D(10) + 1, "file:///root.crl=crl:0", "ops[escalated critical root]" },
		{ D(11), "file:///root.crl=crl:11 file:///b.crl=crl:0",
			"ops[fired critical root, resolved: recovered critical root]" },
		{ D(12), "file:///root.crl=crl:11", "ops[resolved: gone critical root]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_signatures_are_silent(void **state)
{
	static const struct step steps[] = {
		{ D(95), "file:///usr/x.exe+pe=api1", "" },
		{ D(96), "file:///usr/x.pem+pem=api1", "ops[fired critical api]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_two_thresholds_at_once_are_one_message(void **state)
{
	static const struct step steps[] = {
		{ D(95), "file:///etc/api.pem=api1", "ops[fired critical api]" },
		{ D(96), "file:///etc/api.pem=api1", "" },
	};

	(void)state;
	PLAY(steps);
}

static void test_repeats(void **state)
{
	static const struct step steps[] = {
		{ D(70), "file:///etc/api.pem=api1", "ops[fired warning api]" },
		{ D(70) + 12, "file:///etc/api.pem=api1", "" },
		{ D(71), NULL, "ops[repeated warning api]" },
		{ D(71) + 23, "file:///etc/api.pem=api1", "" },
		{ D(72), "^-", "ops[repeated warning api]" },
		{ D(90) + 2, "file:///etc/api.pem=api1", "ops[escalated critical api]" },
		{ D(91), NULL, "" },
		{ D(91) + 2, NULL, "ops[repeated critical api]" },
	};

	(void)state;
	PLAY_RENOTIFY(steps, 24);
}

static void test_gone(void **state)
{
	static const struct step steps[] = {
		{ D(70), "file:///etc/api.pem=api1 file:///b=www1",
			"ops[fired warning api, fired warning www]" },
		{ D(71), "file:///b=www1", "ops[resolved: gone warning api]" },
		{ D(72), "file:///b=www1", "" },
	};

	(void)state;
	PLAY(steps);
}

static void test_restart_neither_repeats_nor_forgets(void **state)
{
	static const struct step steps[] = {
		{ D(70), "file:///etc/api.pem=api1", "ops[fired warning api]" },
		{ D(71), "^file:///etc/api.pem=api1", "" },
		{ D(72), "^file:///etc/api.pem=api2", "ops[resolved: renewed warning api]" },
		{ D(73), "^file:///etc/api.pem=api2", "" },
	};

	(void)state;
	PLAY(steps);
}

static void test_many_places_are_one_alert(void **state)
{
	static const struct step steps[] = {
		{ D(70), "file:///a/x=api1 file:///b/x=api1 tls://h:443=api1",
			"ops[fired warning api]" },
		{ D(71), "file:///a/x=api2 file:///b/x=api1 tls://h:443=api1", "" },
		{ D(72), "file:///a/x=api2 file:///b/x=api2 tls://h:443=api1", "" },
		{ D(73), "file:///a/x=api2 file:///b/x=api2 tls://h:443=api2", "" },
		{ D(74), "file:///a/x=api2 file:///b/x=api2 tls://h:443=api2",
			"ops[resolved: renewed warning api]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_superseded_in_its_folder_is_silent(void **state)
{
	static const struct step steps[] = {
		/* As certbot keeps them. */
		{ D(70), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"" },
		{ D(101), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"" },
		/* Another folder still lives by the old one. */
		{ D(102),
			"file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2 file:///n/x=api1",
			"ops[fired critical api]" },
		{ D(103), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"ops[resolved: renewed critical api]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_a_new_one_beside_it_ends_an_alert(void **state)
{
	static const struct step steps[] = {
		{ D(70), "file:///archive/api/cert1.pem=api1", "ops[fired warning api]" },
		{ D(71), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"ops[resolved: renewed warning api]" },
		{ D(72), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"" },
		{ D(101), "file:///archive/api/cert1.pem=api1 file:///archive/api/cert2.pem=api2",
			"" },
	};

	(void)state;
	PLAY(steps);
}

static void test_a_ca_with_a_new_key_supersedes_nothing(void **state)
{
	static const struct step same_key[] = {
		{ D(70), "file:///ca/1.pem=ca1 file:///ca/2.pem=ca1b", "" },
	};
	static const struct step other_key[] = {
		{ D(70), "file:///ca/1.pem=ca1 file:///ca/2.pem=ca2", "ops[fired warning ca]" },
	};

	(void)state;
	PLAY(same_key);
	PLAY(other_key);
}

static void test_short_lifetimes(void **state)
{
	static const struct step six[] = {
		{ D(1), "file:///six=six", "" },
		{ D(3), "file:///six=six", "" },
		{ D(5), "file:///six=six", "ops[fired warning six]" },
		{ D(5) + 6, "file:///six=six2", "ops[resolved: renewed warning six]" },
	};
	static const struct step fortyseven[] = {
		{ D(31), "file:///f=fortyseven", "" },
		{ D(32), NULL, "ops[fired warning fortyseven]" },
		{ D(43), NULL, "ops[escalated critical fortyseven]" },
	};

	(void)state;
	PLAY(six);
	PLAY(fortyseven);
}

static void test_a_chain_that_breaks_counts(void **state)
{
	static const struct step steps[] = {
		{ D(1), "file:///c=chained", "ops[fired warning chained]" },
		{ D(19), "file:///c=chained", "ops[escalated critical chained]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_public_roots_are_silent(void **state)
{
	static const struct step steps[] = {
		{ D(1), "file:///etc/ssl/certs/root.pem=root", "" },
		{ D(20), "file:///etc/ssl/certs/root.pem=root", "" },
		{ D(21),
			"file:///etc/ssl/certs/root.pem=root file:///usr/local/share/ca-certificates/r.crt=root",
			"ops[fired critical root]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_broken_where_it_is_served(void **state)
{
	static const struct step steps[] = {
		{ 1, "file:///w=wrong tls://h:443=right", "" },
		{ 2, "file:///w=wrong tls://h:443=wrong", "ops[fired warning wrong]" },
		{ 3, "file:///w=wrong tls://h:443=wrong", "" },
		{ 4, "file:///w=wrong tls://h:443=right", "" },
		{ 5, "file:///w=wrong tls://h:443=right",
			"ops[resolved: recovered warning wrong]" },
		{ 6, "tls://h:443=weak", "" },
		{ 7, "tls://h:443=future", "ops[fired warning future]" },
		{ 48, NULL, "" },
		{ 49, "tls://h:443=future", "" },
		{ 50, "tls://h:443=future", "ops[resolved: recovered warning future]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_endpoint_trouble(void **state)
{
	static const struct step steps[] = {
		{ 1, "tls://h:443=right", "" },
		{ 2, "tls://h:443!", "" },
		{ 3, "tls://h:443=right", "" },
		{ 4, "tls://h:443!", "" },
		{ 5, "tls://h:443!", "ops[fired warning tls://h:443]" },
		{ 6, "tls://h:443!", "" },
		{ 7, "tls://h:443=right", "" },
		{ 8, "tls://h:443!", "" },
		{ 9, "tls://h:443=right", "" },
		{ 10, "tls://h:443=right", "ops[resolved: recovered warning tls://h:443]" },
		{ 11, "tls://h:443=right", "" },
	};
	static const struct step never_worked[] = {
		{ 1, "tls://h:443!", "" },
		{ 2, "^tls://h:443!", "ops[fired warning tls://h:443]" },
		{ 3, "file:///x=right", "ops[resolved: gone warning tls://h:443]" },
	};
	/* Nobody ever listened there; but what answers wrongly, or once worked, is told. */
	static const struct step sweep[] = {
		{ 1, "tls://192.0.2.7:443! tls://192.0.2.8:443!timeout tls://[2001:db8::1]:443!unreachable",
			"" },
		{ 2, "tls://192.0.2.7:443! tls://192.0.2.8:443!timeout tls://[2001:db8::1]:443!unreachable",
			"" },
		{ 3, "tls://192.0.2.7:443!handshake-failed", "" },
		{ 4, "tls://192.0.2.7:443!handshake-failed",
			"ops[fired warning tls://192.0.2.7:443]" },
	};
	static const struct step literal[] = {
		{ 1, "tls://192.0.2.7:443=right", "" },
		{ 2, "tls://192.0.2.7:443!", "" },
		{ 3, "tls://192.0.2.7:443!", "ops[fired warning tls://192.0.2.7:443]" },
	};
	/* Most that listens does not speak TLS; only what once did is missed. */
	static const struct step listeners[] = {
		{ 1, "tls://127.0.0.1:22!", "" },
		{ 2, "tls://127.0.0.1:22!", "" },
		{ 3, "tls://127.0.0.1:22!", "" },
		{ 4, "tls://127.0.0.1:443=right", "" },
		{ 5, "tls://127.0.0.1:443!", "" },
		{ 6, "tls://127.0.0.1:443!", "ops[fired warning tls://127.0.0.1:443]" },
		{ 7, "file:///x=right", "ops[resolved: gone warning tls://127.0.0.1:443]" },
	};

	(void)state;
	PLAY(steps);
	PLAY(never_worked);
	PLAY(sweep);
	PLAY(literal);
	PLAY(listeners);
}

static void test_unreachable_keeps_what_is_known(void **state)
{
	static const struct step steps[] = {
		{ D(66), "tls://h:443=api1", "" },
		{ D(68), "tls://h:443!", "ops[fired warning api]" },
		{ D(69), "tls://h:443!", "ops[fired warning tls://h:443]" },
		{ D(70), "tls://h:443!", "" },
		{ D(91), "tls://h:443!", "ops[escalated critical api]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_flapping_backend_makes_no_storm(void **state)
{
	static const struct step steps[] = {
		{ D(70), "tls://h:443=api1", "ops[fired warning api]" },
		{ D(70) + 1, "tls://h:443=api2", "" },
		{ D(70) + 2, "tls://h:443=api1", "" },
		{ D(70) + 3, "tls://h:443=api2", "" },
		{ D(70) + 4, "tls://h:443=api1", "" },
		{ D(70) + 5, "tls://h:443=api2", "" },
		{ D(70) + 6, "tls://h:443=api2", "ops[resolved: renewed warning api]" },
		/* Back within a day: it takes four good passes now. */
		{ D(70) + 7, "tls://h:443=api1", "ops[fired warning api]" },
		{ D(70) + 8, "tls://h:443=api2", "" },
		{ D(70) + 9, "tls://h:443=api2", "" },
		{ D(70) + 10, "^tls://h:443=api2", "" },
		{ D(70) + 11, "tls://h:443=api2", "ops[resolved: renewed warning api]" },
		{ D(72), "tls://h:443=api2", "" },
		/* Forgotten after a day. */
		{ D(73), "tls://h:443=api1", "ops[fired warning api]" },
		{ D(73) + 1, "tls://h:443=api2", "" },
		{ D(73) + 2, "tls://h:443=api2", "ops[resolved: renewed warning api]" },
	};

	(void)state;
	PLAY(steps);
}

static void test_evaluation_between_passes_counts_nothing(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	static const struct step before[] = {
		{ 1, "tls://h:443=right", "" },
		{ 2, "tls://h:443!", "" },
		{ 3, NULL, "" },
		{ 4, NULL, "" },
		{ 5, "tls://h:443!", "ops[fired warning tls://h:443]" },
		{ 6, "tls://h:443=right", "" },
		{ 7, NULL, "" },
		{ 8, NULL, "" },
		{ 9, "tls://h:443=right", "ops[resolved: recovered warning tls://h:443]" },
	};

	(void)state;
	world_open(&w);
	play(&w, before, sizeof(before) / sizeof(before[0]));
	world_close(&w);
}

static void test_receivers_hear_what_they_asked_for(void **state)
{
	static const struct receiver_conf receivers[] = {
		{ .name = (char *)"all", .min_severity = SEVERITY_INFO, .send_resolved = true },
		{ .name = (char *)"critical",
			.min_severity = SEVERITY_CRITICAL,
			.send_resolved = true },
		{ .name = (char *)"quiet",
			.min_severity = SEVERITY_WARNING,
			.send_resolved = false },
	};
	struct world w = {
		.receivers = receivers, .receivers_count = 3, .thresholds = thresholds_default
	};
	static const struct step steps[] = {
		{ D(70), "file:///a=api1 file:///b=www1",
			"all[fired warning api, fired warning www] quiet[fired warning api, fired warning www]" },
		/* It never heard of api firing, so it does not hear of its end. */
		{ D(71), "file:///a=api2 file:///b=www1", "all[resolved: renewed warning api]" },
		{ D(92), "file:///a=api2 file:///b=www1",
			"all[escalated critical www] critical[fired critical www] quiet[escalated critical www]" },
		{ D(93), "file:///a=api2",
			"all[resolved: gone critical www] critical[resolved: gone critical www]" },
	};

	(void)state;
	world_open(&w);
	play(&w, steps, sizeof(steps) / sizeof(steps[0]));
	world_close(&w);
}

static void test_a_new_receiver_is_told_what_fires(void **state)
{
	static const struct receiver_conf both[] = {
		{ .name = (char *)"ops", .min_severity = SEVERITY_INFO, .send_resolved = true },
		{ .name = (char *)"new", .min_severity = SEVERITY_INFO, .send_resolved = true },
	};
	struct world w = {
		.receivers = both, .receivers_count = 1, .thresholds = thresholds_default
	};
	static const struct step first[] = { { D(70), "file:///a=api1",
		"ops[fired warning api]" } };
	static const struct step second[] = { { D(71), "^file:///a=api1",
		"new[fired warning api]" } };

	(void)state;
	world_open(&w);
	play(&w, first, 1);
	w.receivers_count = 2;
	play(&w, second, 1);
	world_close(&w);
}

static void test_worst_first_and_at_most_so_many(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	static const struct delivery_result ok = { .outcome = DELIVERY_OK };
	struct pass_result result = { .is_complete = true };
	struct notification n;
	struct why why = { 0 };
	size_t total = 0;
	size_t messages = 0;
	int64_t pass = 0;

	(void)state;
	world_open(&w);
	w.now = START + 89 * (int64_t)DAY + HOUR;
	assert_int_equal(
		inventory_pass_begin(w.inventory, "files", "files", w.now, &pass, &why), ERR_OK);
	for (int i = 0; i < 1200; i++) {
		struct paper p = { .name = "x", .cn = "many", .days = 100 - i % 20 };
		struct record r = { 0 };
		char uri[64];

		fill_certificate(&r, &p, false);
		memcpy(r.certificate.facts.fingerprint + 8, &i, sizeof(i));
		(void)snprintf(uri, sizeof(uri), "file:///many/%d/x", i);
		put(&w, pass, &r, uri);
	}
	assert_int_equal(inventory_pass_end(w.inventory, pass, &result, w.now, &why), ERR_OK);
	assert_int_equal(alerts_evaluate(w.alerts, w.now, &why), ERR_OK);
	while (outbox_due(w.outbox, w.now, &n, &why) == ERR_OK) {
		assert_true(n.count <= NOTIFICATION_ALERTS_MAX);
		for (size_t i = 1; i < n.count; i++)
			assert_true(n.alerts[i - 1].severity >= n.alerts[i].severity);
		if (!messages)
			assert_int_equal(n.alerts[0].not_after, START + 81 * (int64_t)DAY);
		total += n.count;
		messages++;
		assert_int_equal(outbox_result(w.outbox, n.id, &ok, w.now, &why), ERR_OK);
		notification_fini(&n);
	}
	assert_int_equal(total, 1200);
	assert_int_equal(messages, 2);
	world_close(&w);
}

struct counted {
	uint64_t expiry_warning;
	uint64_t endpoint_warning;
	size_t rows;
};

static enum err count_state(void *arg, const struct alert_state *s)
{
	struct counted *c = arg;

	c->rows++;
	if (strcmp(s->kind, "certificate-expiry") == 0 && s->severity == SEVERITY_WARNING)
		c->expiry_warning = s->count;
	if (strcmp(s->kind, "endpoint-trouble") == 0 && s->severity == SEVERITY_WARNING)
		c->endpoint_warning = s->count;
	return ERR_OK;
}

static void test_states_for_the_metrics(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 0, .thresholds = thresholds_default
	};
	static const struct step steps[] = { { D(70), "file:///a=api1 file:///b=www1 tls://h:443!",
		"" } };
	struct counted c = { 0 };

	(void)state;
	world_open(&w);
	play(&w, steps, 1);
	assert_int_equal(alerts_each_state(w.alerts, count_state, &c), ERR_OK);
	assert_int_equal(c.expiry_warning, 2);
	/* One look is not trouble yet. */
	assert_int_equal(c.endpoint_warning, 0);
	/* Eleven kinds, each in every severity. */
	assert_int_equal(c.rows, 11 * SEVERITY_COUNT);
	world_close(&w);
}

static void test_next_is_the_next_threshold(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	static const struct step first[] = { { D(1), "file:///a=api1 file:///e=ever", "" } };
	static const struct step second[] = { { D(67) + 1, NULL, "ops[fired warning api]" } };

	(void)state;
	world_open(&w);
	assert_true(alerts_next(w.alerts) < START);
	play(&w, first, 1);
	assert_int_equal(alerts_next(w.alerts), START + 67 * (int64_t)DAY);
	play(&w, second, 1);
	assert_int_equal(alerts_next(w.alerts), START + 90 * (int64_t)DAY);
	world_close(&w);
}

/* A message that cannot be stored leaves no state behind, and is said when it can be. */
static void test_state_and_message_are_stored_together(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	struct counted c = { 0 };
	struct why why = { 0 };
	char said[SAID_MAX];

	(void)state;
	world_open(&w);
	w.now = START + 70 * (int64_t)DAY;
	run_pass(&w, "files", "file:///a=api1");
	assert_int_equal(
		sqlite3_exec(w.store->db, "ALTER TABLE outbox RENAME TO hidden", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_not_equal(alerts_evaluate(w.alerts, w.now, &why), ERR_OK);
	assert_int_equal(alerts_each_state(w.alerts, count_state, &c), ERR_OK);
	assert_int_equal(c.expiry_warning, 0);
	assert_int_equal(alerts_next(w.alerts), w.now + 60);
	assert_int_equal(
		sqlite3_exec(w.store->db, "ALTER TABLE hidden RENAME TO outbox", NULL, NULL, NULL),
		SQLITE_OK);
	evaluate(&w, said);
	assert_string_equal(said, "ops[fired warning api]");
	world_close(&w);
}

static void test_damaged_state_is_forgotten_aloud(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	static const struct step first[] = { { D(70), "file:///a=api1 file:///b=www1",
		"ops[fired warning api, fired warning www]" } };
	static const struct step second[] = { { D(71), "file:///a=api1",
		"ops[fired warning api, resolved: gone warning www]" } };

	(void)state;
	world_open(&w);
	play(&w, first, 1);
	assert_int_equal(
		sqlite3_exec(w.store->db,
			"UPDATE alert SET state=substr(state,1,20) WHERE state LIKE '%CN=api%' OR"
			" instr(state, CAST('CN=api' AS BLOB)) > 0",
			NULL, NULL, NULL),
		SQLITE_OK);
	play(&w, second, 1);
	world_close(&w);
}

/* An expired root that a server still sends beside a chain that does without it. */
static void test_bystanders_of_a_chain_are_silent(void **state)
{
	struct world w = {
		.receivers = &ops, .receivers_count = 1, .thresholds = thresholds_default
	};
	struct pass_result result = { .is_complete = true };
	struct record leaf = { 0 };
	char said[SAID_MAX];
	int64_t pass = 0;

	(void)state;
	world_open(&w);
	w.now = START + 120 * (int64_t)DAY;
	assert_int_equal(
		inventory_pass_begin(w.inventory, "endpoints", "endpoints", w.now, &pass, NULL),
		ERR_OK);
	fill_certificate(&leaf, paper_find("right"), true);
	leaf.certificate.verdict.chain.items = calloc(2, FINGERPRINT_BYTES);
	leaf.certificate.verdict.chain.count = 2;
	fingerprint_paper(paper_find("right"), leaf.certificate.verdict.chain.items[0]);
	fingerprint_paper(paper_find("ca2"), leaf.certificate.verdict.chain.items[1]);
	put(&w, pass, &leaf, "tls://h:443");
	put_token(&w, pass, (char[]){ "tls://h:443#1=ca1" });
	put_token(&w, pass, (char[]){ "tls://h:443#2=ca2" });
	assert_int_equal(inventory_pass_end(w.inventory, pass, &result, w.now, NULL), ERR_OK);
	evaluate(&w, said);
	assert_string_equal(said, "");
	world_close(&w);
}

static enum err take_row(void *arg, const struct sighting *sighting)
{
	*(int64_t *)arg = sighting->row;
	return ERR_OK;
}

/* What is noted of the key of the certificate at /etc/api.pem; PROBLEM_COUNT: nothing. */
static void note_key(struct world *w, enum problem problem)
{
	struct key_note note = { .problem = problem,
		.uri = (char *)"file:///etc/api.key",
		.message = (char *)"the sentence" };
	const struct key_notes notes = { &note, 1 };
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE,
		.uri = "file:///etc/api.pem" };
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct why why = { 0 };
	int64_t row = 0;
	int64_t id;

	fingerprint_paper(paper_find("right"), fingerprint);
	assert_int_equal(inventory_each(w->inventory, &filter, take_row, &row, &why), ERR_OK);
	assert_int_equal(inventory_key_notes_clear(w->inventory, &why), ERR_OK);
	if (problem != PROBLEM_COUNT) {
		assert_int_equal(inventory_key_notes_add(w->inventory, &notes, &id, &why), ERR_OK);
		assert_int_equal(
			inventory_key_notes_put(w->inventory, id, row, fingerprint, &why), ERR_OK);
	}
	assert_int_equal(inventory_commit(w->inventory, &why), ERR_OK);
}

static void test_keys_of_others(void **state)
{
	static const struct {
		enum problem problem;
		struct alerts_keys keys;
		const char *said;
		const char *over;
	} cases[] = {
		{ PROBLEM_KEY_EXPOSED, { SEVERITY_CRITICAL, SEVERITY_COUNT },
			"ops[fired critical right]", "ops[resolved: recovered critical right]" },
		{ PROBLEM_KEY_SHARED, { SEVERITY_COUNT, SEVERITY_WARNING },
			"ops[fired warning right]", "ops[resolved: recovered warning right]" },
		{ PROBLEM_KEY_EXPOSED, { SEVERITY_COUNT, SEVERITY_WARNING }, "", "" },
		{ PROBLEM_KEY_SHARED, { SEVERITY_CRITICAL, SEVERITY_COUNT }, "", "" },
		/* Which breaks it is told as all that does. */
		{ PROBLEM_KEY_MISMATCH, { SEVERITY_COUNT, SEVERITY_COUNT },
			"ops[fired warning right]", "ops[resolved: recovered warning right]" },
	};
	char said[SAID_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world w = { .receivers = &ops,
			.receivers_count = 1,
			.keys = cases[i].keys,
			.thresholds = thresholds_default,
			.now = START + DAY };

		clock_pin(w.now);
		world_open(&w);
		run_pass(&w, "files", "file:///etc/api.pem=right");
		note_key(&w, cases[i].problem);
		evaluate(&w, said);
		assert_string_equal(said, cases[i].said);
		w.now += HOUR;
		run_pass(&w, "files", "file:///etc/api.pem=right");
		note_key(&w, PROBLEM_COUNT);
		evaluate(&w, said);
		assert_string_equal(said, cases[i].over);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fires_escalates_and_is_renewed),
		cmocka_unit_test(test_revocation_lists),
		cmocka_unit_test(test_signatures_are_silent),
		cmocka_unit_test(test_two_thresholds_at_once_are_one_message),
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_restart_neither_repeats_nor_forgets),
		cmocka_unit_test(test_many_places_are_one_alert),
		cmocka_unit_test(test_superseded_in_its_folder_is_silent),
		cmocka_unit_test(test_a_new_one_beside_it_ends_an_alert),
		cmocka_unit_test(test_a_ca_with_a_new_key_supersedes_nothing),
		cmocka_unit_test(test_short_lifetimes),
		cmocka_unit_test(test_a_chain_that_breaks_counts),
		cmocka_unit_test(test_public_roots_are_silent),
		cmocka_unit_test(test_broken_where_it_is_served),
		cmocka_unit_test(test_endpoint_trouble),
		cmocka_unit_test(test_unreachable_keeps_what_is_known),
		cmocka_unit_test(test_flapping_backend_makes_no_storm),
		cmocka_unit_test(test_evaluation_between_passes_counts_nothing),
		cmocka_unit_test(test_receivers_hear_what_they_asked_for),
		cmocka_unit_test(test_a_new_receiver_is_told_what_fires),
		cmocka_unit_test(test_worst_first_and_at_most_so_many),
		cmocka_unit_test(test_states_for_the_metrics),
		cmocka_unit_test(test_next_is_the_next_threshold),
		cmocka_unit_test(test_state_and_message_are_stored_together),
		cmocka_unit_test(test_damaged_state_is_forgotten_aloud),
		cmocka_unit_test(test_bystanders_of_a_chain_are_silent),
		cmocka_unit_test(test_keys_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
