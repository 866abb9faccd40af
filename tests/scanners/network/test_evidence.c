/* What is seen of a server, and what follows from it about client certificates. */
#include "scanners/network/evidence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The stages that nearly all rows share. */
#define ASKED .was_asked = true, .has_replied = true
#define FINISHED .is_finished = true
#define TLS13 .is_13 = true
#define HTTP .question = "GET /"
#define SAID(word, text) .retort = (word), .answer = (text)
#define ALERT(number) .ending = ENDING_ALERT, .alert = (number)

static const struct {
	const char *server;
	struct sight sight;
	bool is_seen_twice; /* the second look saw the same */
	enum client_certificate verdict;
	const char *evidence; /* part of it; "" = there is none */
} verdicts[] = {
	{ "silent before Finished", { .ending = ENDING_TIMEOUT }, false, CLIENT_CERTIFICATE_UNKNOWN,
		"" },
	{ "no ciphers in common", { ALERT(40) }, false, CLIENT_CERTIFICATE_UNKNOWN, "" },
	{ "asks nothing", { FINISHED, TLS13, .ending = ENDING_DONE }, false,
		CLIENT_CERTIFICATE_NONE, "no CertificateRequest in the handshake" },
	{ "asks nothing, answers",
		{ FINISHED, TLS13, HTTP, SAID(RETORT_PROCEEDS, "HTTP 200"), .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_NONE, "nor after GET / (HTTP 200)" },
	{ "asks nothing, does not answer", { FINISHED, HTTP, .ending = ENDING_SILENCE }, false,
		CLIENT_CERTIFICATE_NONE, "no CertificateRequest in the handshake" },
	{ "asks nothing, but its page tells of certificates",
		{ FINISHED, HTTP, SAID(RETORT_DEMANDS, "HTTP 400: x"), .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_NONE, "nor after" },
	{ "HelloRequest without CertificateRequest",
		{ FINISHED, HTTP, .was_recalled = true, SAID(RETORT_PROCEEDS, "HTTP 200") }, false,
		CLIENT_CERTIFICATE_NONE, "nor in the one after GET /" },
	/* alerts */
	{ "openssl -Verify 1.3", { ASKED, FINISHED, TLS13, ALERT(116) }, false,
		CLIENT_CERTIFICATE_REQUIRED, "alert 116 (certificate_required) after Finished" },
	{ "openssl -Verify 1.2", { ASKED, ALERT(40) }, false, CLIENT_CERTIFICATE_REQUIRED,
		"alert 40 (handshake_failure) after an empty client certificate" },
	{ "gnutls-serv 1.2", { ASKED, ALERT(50) }, false, CLIENT_CERTIFICATE_REQUIRED,
		"decode_error" },
	{ "etcd", { ASKED, FINISHED, TLS13, ALERT(42) }, false, CLIENT_CERTIFICATE_REQUIRED,
		"bad_certificate" },
	{ "alert before our certificate", { .was_asked = true, ALERT(40) }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "handshake that failed" },
	{ "gnutls-serv over UDP", { ASKED, .ending = ENDING_TIMEOUT }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "then silence after an empty client certificate" },
	{ "silent before our certificate", { .was_asked = true, .ending = ENDING_TIMEOUT }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "handshake that failed" },
	{ "its own trouble", { ASKED, FINISHED, TLS13, ALERT(80) }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "alert 80 (internal_error)" },
	{ "an alert of no name", { ASKED, FINISHED, TLS13, ALERT(254) }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "alert 254 after" },
	/* nginx: the ticket comes before the refusal */
	{ "nginx on",
		{ ASKED, FINISHED, TLS13, HTTP, .has_ticket = true,
			SAID(RETORT_DEMANDS, "HTTP 400: No required SSL certificate was sent"),
			.ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_REQUIRED, "No required SSL certificate" },
	{ "nginx optional",
		{ ASKED, FINISHED, TLS13, HTTP, .has_ticket = true,
			SAID(RETORT_PROCEEDS, "HTTP 200"), .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_OPTIONAL, "without a certificate: HTTP 200 to GET /" },
	{ "nginx optional, 403",
		{ ASKED, FINISHED, HTTP, SAID(RETORT_DENIES, "HTTP 403"), .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_OPTIONAL, "HTTP 403" },
	{ "HTTP, ticket and then nothing",
		{ ASKED, FINISHED, TLS13, HTTP, .has_ticket = true, .ending = ENDING_SILENCE },
		false, CLIENT_CERTIFICATE_UNKNOWN, "no answer to GET /" },
	{ "HTTP, ticket and then closed (444)",
		{ ASKED, FINISHED, TLS13, HTTP, .has_ticket = true, .ending = ENDING_CLOSED }, true,
		CLIENT_CERTIFICATE_UNKNOWN,
		"closed without an alert instead of an answer to GET /" },
	{ "HTTP 400 of its own",
		{ ASKED, FINISHED, HTTP, SAID(RETORT_UNCLEAR, "HTTP 400"), .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_UNKNOWN, "undecided by HTTP 400 to GET /" },
	/* apache, <Location> */
	{ "location, 1.3",
		{ FINISHED, TLS13, HTTP, .was_recalled = true, .was_asked_later = true,
			.has_replied = true, ALERT(116) },
		false, CLIENT_CERTIFICATE_REQUIRED,
		"alert 116 (certificate_required) after a certificate was asked for" },
	{ "location, optional",
		{ FINISHED, HTTP, .was_asked_later = true, .has_replied = true,
			SAID(RETORT_PROCEEDS, "HTTP 200") },
		false, CLIENT_CERTIFICATE_OPTIONAL, "CertificateRequest after the request" },
	{ "location, 403",
		{ FINISHED, HTTP, .was_asked_later = true, .has_replied = true,
			SAID(RETORT_DENIES, "HTTP 403") },
		false, CLIENT_CERTIFICATE_REQUIRED, "HTTP 403 to GET /" },
	/* slapd: no word at all */
	{ "closed once, 1.3", { ASKED, FINISHED, TLS13, .ending = ENDING_CLOSED }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "closed without an alert after Finished" },
	{ "closed twice, 1.3", { ASKED, FINISHED, TLS13, .ending = ENDING_CLOSED }, true,
		CLIENT_CERTIFICATE_REQUIRED, "closed without an alert after Finished, twice" },
	{ "reset twice, 1.2", { ASKED, .ending = ENDING_RESET }, true, CLIENT_CERTIFICATE_REQUIRED,
		"reset without an alert after an empty client certificate, twice" },
	{ "closed after a ticket",
		{ ASKED, FINISHED, TLS13, .has_ticket = true, .ending = ENDING_CLOSED }, true,
		CLIENT_CERTIFICATE_OPTIONAL, "session ticket" },
	{ "closed after 1.2's Finished: it may have other reasons",
		{ ASKED, FINISHED, .ending = ENDING_CLOSED }, true, CLIENT_CERTIFICATE_UNKNOWN,
		"closed without an alert after Finished" },
	{ "closed instead of an answer, ldap",
		{ ASKED, FINISHED, .question = "a search", .drops_in_silence = true,
			.ending = ENDING_CLOSED },
		true, CLIENT_CERTIFICATE_REQUIRED, "twice" },
	{ "closed before its certificate", { .ending = ENDING_CLOSED }, true,
		CLIENT_CERTIFICATE_UNKNOWN, "" },
	/* no question */
	{ "ticket", { ASKED, FINISHED, TLS13, .has_ticket = true, .ending = ENDING_DONE }, false,
		CLIENT_CERTIFICATE_OPTIONAL, "without a certificate: a session ticket" },
	{ "Finished of 1.2", { ASKED, FINISHED, .ending = ENDING_SILENCE }, false,
		CLIENT_CERTIFICATE_OPTIONAL, "without a certificate: the server's Finished" },
	{ "silence in 1.3", { ASKED, FINISHED, TLS13, .ending = ENDING_SILENCE }, false,
		CLIENT_CERTIFICATE_UNKNOWN, "then silence" },
	{ "greeting", { ASKED, FINISHED, TLS13, .has_spoken = true, .ending = ENDING_DONE }, false,
		CLIENT_CERTIFICATE_OPTIONAL, "without a certificate: application data" },
	{ "dovecot",
		{ ASKED, FINISHED, TLS13, .has_spoken = true, .has_ticket = true,
			.decides_at_login = true, .ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_UNKNOWN, "decided at login" },
	{ "dovecot that refuses in TLS",
		{ ASKED, FINISHED, TLS13, .decides_at_login = true, ALERT(116) }, false,
		CLIENT_CERTIFICATE_REQUIRED, "alert 116" },
	{ "HTTP that is not to be asked",
		{ ASKED, FINISHED, TLS13, .has_ticket = true, .is_unasked = true,
			.ending = ENDING_SILENCE },
		false, CLIENT_CERTIFICATE_UNKNOWN, "was not asked" },
	{ "postfix, required",
		{ ASKED, FINISHED, TLS13, .has_ticket = true, .question = "EHLO",
			.is_sentence = true, SAID(RETORT_DEMANDS, "EHLO: \"421\""),
			.ending = ENDING_DONE },
		false, CLIENT_CERTIFICATE_REQUIRED, "without a certificate: EHLO: \"421\"" },
	/* certificates only */
	{ "left, asked",
		{ .is_13 = true, .was_asked = true, .is_brief = true, .ending = ENDING_ENOUGH },
		false, CLIENT_CERTIFICATE_UNKNOWN, "was not asked" },
	{ "left, not asked", { .is_brief = true, .ending = ENDING_ENOUGH }, false,
		CLIENT_CERTIFICATE_NONE, "no CertificateRequest" },
};

static void test_verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		char text[EVIDENCE_BYTES] = "unwritten";
		enum client_certificate got = evidence_verdict(&verdicts[i].sight,
			verdicts[i].is_seen_twice ? &verdicts[i].sight : NULL, text);

		if (got != verdicts[i].verdict || !strstr(text, verdicts[i].evidence) ||
			(!*verdicts[i].evidence && *text))
			fail_msg("%s: %s, \"%s\"", verdicts[i].server, client_certificate_word(got),
				text);
	}
}

static void test_second_look(void **state)
{
	static const struct sight closed = { ASKED, FINISHED, TLS13, .ending = ENDING_CLOSED };
	static const struct sight alerted = { ASKED, FINISHED, TLS13, ALERT(116) };
	static const struct sight unasked = { FINISHED, TLS13, .ending = ENDING_CLOSED };
	static const struct sight let_in = { ASKED, FINISHED, TLS13, .has_ticket = true };
	char text[EVIDENCE_BYTES];

	(void)state;
	assert_true(evidence_wants_second_look(&closed));
	assert_false(evidence_wants_second_look(&alerted));
	assert_false(evidence_wants_second_look(&unasked));
	assert_false(evidence_wants_second_look(&let_in));
	/* The second look decides: once closed, once let in, is chance. */
	assert_int_equal(evidence_verdict(&closed, &let_in, text), CLIENT_CERTIFICATE_UNKNOWN);
}

#define PRESENTED .was_asked = true, .has_replied = true, .has_presented = true

static void test_acceptance(void **state)
{
	static const struct {
		struct sight sight;
		enum acceptance accepted;
		const char *evidence;
	} rows[] = {
		{ { .is_finished = true }, ACCEPTANCE_UNKNOWN, "asked for none" },
		{ { ASKED, FINISHED }, ACCEPTANCE_UNKNOWN, "no certificate of this kind" },
		{ { PRESENTED, FINISHED, TLS13, ALERT(48) }, ACCEPTANCE_REFUSED, "unknown_ca" },
		{ { PRESENTED, ALERT(45) }, ACCEPTANCE_REFUSED, "certificate_expired" },
		{ { PRESENTED, ALERT(80) }, ACCEPTANCE_UNKNOWN, "handshake failed" },
		{ { PRESENTED, FINISHED, HTTP,
			  SAID(RETORT_DEMANDS, "HTTP 400: The SSL certificate error") },
			ACCEPTANCE_REFUSED, "The SSL certificate error" },
		{ { PRESENTED, FINISHED, TLS13, HTTP, .has_ticket = true,
			  SAID(RETORT_PROCEEDS, "HTTP 200") },
			ACCEPTANCE_ACCEPTED, "HTTP 200" },
		{ { PRESENTED, FINISHED, TLS13, HTTP, .has_ticket = true,
			  .ending = ENDING_SILENCE },
			ACCEPTANCE_UNKNOWN, "no answer" },
		{ { PRESENTED, FINISHED, TLS13, .has_ticket = true }, ACCEPTANCE_ACCEPTED,
			"ticket" },
		{ { PRESENTED, FINISHED, TLS13, .ending = ENDING_SILENCE }, ACCEPTANCE_UNKNOWN,
			"no answer" },
		{ { PRESENTED, FINISHED, .ending = ENDING_SILENCE }, ACCEPTANCE_ACCEPTED,
			"Finished" },
		{ { PRESENTED, FINISHED, TLS13, .ending = ENDING_CLOSED }, ACCEPTANCE_REFUSED,
			"closed" },
		{ { .was_asked_later = true,
			  .has_presented = true,
			  .has_replied = true,
			  FINISHED,
			  HTTP,
			  SAID(RETORT_DENIES, "HTTP 403") },
			ACCEPTANCE_REFUSED, "HTTP 403" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[EVIDENCE_BYTES] = "unwritten";
		enum acceptance got = evidence_acceptance(&rows[i].sight, text);

		if (got != rows[i].accepted || !strstr(text, rows[i].evidence))
			fail_msg("row %zu: %d, \"%s\"", i, (int)got, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_second_look),
		cmocka_unit_test(test_acceptance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
