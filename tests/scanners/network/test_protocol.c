/* The table as a whole: names, suggestions, questions and what their answers teach. */
#include "scanners/network/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct protocol *named(const char *name)
{
	const struct protocol *p = protocol_find(slice_text(name));

	if (!p)
		fail_msg("no protocol %s", name);
	return p;
}

static void test_table(void **state)
{
	(void)state;
	assert_string_equal(protocols[0]->name, "tls");
	assert_null(protocols[0]->states);
	for (size_t i = 0; i < protocols_count; i++) {
		const struct protocol *p = protocols[i];

		assert_ptr_equal(named(p->name), p);
		assert_true(p->port > 0);
		for (size_t s = 0; s < p->states_count; s++) {
			const struct state *st = &p->states[s];

			assert_non_null(st->awaits);
			assert_true(!st->frame || st->answers || st->judge);
			for (const struct answer *a = st->answers; a && a->begins; a++) {
				assert_true(a->next >= MOVE_REFUSED);
				assert_true(a->next < (int)p->states_count);
				assert_true((a->next == MOVE_REFUSED) == (a->refusal != NULL));
			}
		}
	}
	assert_ptr_equal(protocol_find(slice_text("XMPP-Server")), named("xmpp-server"));
	assert_true(named("dtls")->is_datagram);
	assert_non_null(named("dtls")->transport);
	assert_null(protocol_find(slice_text("gopher")));
	assert_null(protocol_find(slice_text("")));
	assert_null(protocol_find(slice_text("smt")));
}

static void test_suggest(void **state)
{
	static const struct {
		uint16_t port;
		const char *banner;
		const char *names;
	} rows[] = {
		{ 25, "220 mx.example ESMTP Postfix\r\n", "smtp " },
		{ 12345, "220 mx.example ESMTP Postfix\r\n", "smtp ftp " },
		{ 21, "220 ready\r\n", "ftp smtp " },
		{ 21, "220 (vsFTPd 3.0.3)\r\n", "ftp smtp " },
		{ 12345, "220 ready\r\n", "smtp ftp " },
		{ 24, "220 x LMTP ready\r\n", "lmtp smtp ftp " },
		{ 12345, "* OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.\r\n", "imap " },
		{ 12345, "+OK ready\r\n", "pop3 " },
		{ 119, "200 x InterNetNews NNRP server ready\r\n", "nntp " },
		{ 12345, "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n", "sieve " },
		{ 6667, ":x NOTICE * :*** Looking up\r\n", "irc " },
		{ 12345, "\xff\xfd\x18\xff\xfd\x20", "telnet " },
		{ 389, "", "ldap " },
		{ 5432, "", "postgres " },
		{ 1433, "", "tds " },
		{ 3389, "", "rdp " },
		{ 5222, "", "xmpp " },
		{ 5269, "", "xmpp-server " },
		{ 25, "", "" },
		{ 22, "SSH-2.0-OpenSSH_9.2\r\n", "" },
		{ 12345, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct protocol *found[16];
		size_t count =
			protocol_suggest(rows[i].port, slice_text(rows[i].banner), found, 16);
		char names[256] = "";
		size_t wanted = strlen(rows[i].names);

		for (size_t f = 0; f < count; f++) {
			size_t at = strlen(names);

			(void)snprintf(names + at, sizeof(names) - at, "%s ", found[f]->name);
		}
		if (strncmp(names, rows[i].names, wanted) != 0 || (!wanted && names[0]))
			fail_msg("%u \"%s\": %s", rows[i].port, rows[i].banner, names);
		assert_true(
			protocol_suggest(rows[i].port, slice_text(rows[i].banner), found, 1) <= 1);
	}
}

static void test_suggest_mysql(void **state)
{
	static const char greeting[] = "\x4a\x00\x00\x00\x0a"
				       "8.0.36";
	const struct protocol *found[4];

	(void)state;
	assert_int_equal(
		protocol_suggest(12345, slice_of(greeting, sizeof(greeting)), found, 4), 1);
	assert_string_equal(found[0]->name, "mysql");
}

static void test_question_by_port(void **state)
{
	const struct protocol *tls = protocols[0];

	(void)state;
	assert_ptr_equal(protocol_question(tls, 443), tls->question);
	assert_ptr_equal(protocol_question(tls, 12345), tls->question);
	assert_ptr_equal(protocol_question(tls, 465), named("smtp")->question);
	assert_ptr_equal(protocol_question(tls, 993), named("imap")->question);
	assert_ptr_equal(protocol_question(tls, 995), named("pop3")->question);
	assert_ptr_equal(protocol_question(tls, 990), named("ftp")->question);
	assert_ptr_equal(protocol_question(tls, 636), named("ldap")->question);
	assert_ptr_equal(protocol_question(tls, 5223), named("xmpp")->question);
	assert_ptr_equal(protocol_question(tls, 6697), named("irc")->question);
	assert_ptr_equal(protocol_question(tls, 563), named("nntp")->question);
	assert_null(protocol_question(tls, 992));
	assert_null(protocol_question(tls, 8883));
	assert_ptr_equal(protocol_question(named("smtp"), 993), named("smtp")->question);
	assert_null(protocol_question(named("postgres"), 443));
}

static void test_question_text(void **state)
{
	const struct words words = { .host = "a.example", .own = "[192.0.2.1]", .path = "/x" };
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	say_write(&protocols[0]->question->say, &words, &out);
	assert_true(slice_starts(buffer_bytes(&out), "GET /x HTTP/1.1\r\nHost: a.example\r\n", 34));
	buffer_clear(&out);
	say_write(&named("smtp")->question->say, &words, &out);
	assert_string_equal(buffer_string(&out), "EHLO [192.0.2.1]\r\n");
	buffer_fini(&out);
}

static void test_learnt(void **state)
{
	static const struct {
		const char *protocol;
		const char *answer;
		enum learnt learnt;
	} rows[] = {
		{ "tls", "HTTP/1.1 200 OK\r\n", LEARNT_NOT_REQUIRED },
		{ "tls", "HTTP/1.1 404 Not Found\r\n\r\n", LEARNT_NOT_REQUIRED },
		{ "tls", "HTTP/1.1 20", LEARNT_NOT_YET },
		{ "tls", "HTTP/1.1 400 Bad Request\r\n\r\n", LEARNT_NOT_YET },
		{ "tls",
			"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html><title>400 No required SSL certificate "
			"was sent</title>",
			LEARNT_REQUIRED },
		{ "tls", "SSH-2.0\r\n", LEARNT_NOT_YET },
		{ "tls", "SSH-2.0-OpenSSH\r\n", LEARNT_NOTHING },
		{ "smtp", "250-x\r\n", LEARNT_NOT_REQUIRED },
		{ "smtp", "220 hello\r\n", LEARNT_NOT_YET },
		{ "smtp", "220 hello\r\n421 4.7.0 no certificate\r\n", LEARNT_REQUIRED },
		{ "smtp", "530 x\r\n", LEARNT_NOTHING },
		{ "smtp", "421 4.7.1 x Error: No client certificate presented\r\n",
			LEARNT_REQUIRED },
		{ "ftp", "530 Please login\r\n", LEARNT_NOTHING },
		{ "imap", "* CAPABILITY x\r\na3 OK\r\n", LEARNT_NOTHING },
		{ "imap", "* BYE client certificate missing\r\n", LEARNT_REQUIRED },
		{ "pop3", "+OK\r\n", LEARNT_NOTHING },
		{ "ftp", "211-Features\r\n", LEARNT_NOT_REQUIRED },
		{ "nntp", "101 x\r\n", LEARNT_NOT_REQUIRED },
		{ "sieve", "\"SIEVE\" \"x\"\r\nOK \"TLS\"\r\n", LEARNT_NOT_YET },
		{ "sieve", "OK \"TLS\"\r\nOK (TAG \"leafwatch\") \"done\"\r\n", LEARNT_NOTHING },
		{ "irc", ":a NOTICE x\r\n:a CAP * LS :x\r\n", LEARNT_NOT_REQUIRED },
		{ "irc", "ERROR :Closing Link: certificate needed\r\n", LEARNT_REQUIRED },
		{ "ldap", "\x30\x0c\x02\x01\x02\x65\x07\x0a\x01", LEARNT_NOT_YET },
		{ "xmpp", "<?xml version='1.0'?><stream:stream><stream:features>",
			LEARNT_NOT_REQUIRED },
		{ "xmpp-server", "<stream:stream><stream:error><not-authorized/>",
			LEARNT_REQUIRED },
	};
	char evidence[PROTOCOL_SENTENCE_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum learnt learnt = named(rows[i].protocol)
					     ->question->read(slice_text(rows[i].answer), evidence);

		if (learnt != rows[i].learnt)
			fail_msg("%s \"%s\": %d", rows[i].protocol, rows[i].answer, (int)learnt);
	}
}

static void test_learnt_ldap(void **state)
{
	static const char done[] = "\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x00\x04\x00\x04\x00";
	static const char entry[] = "\x30\x09\x02\x01\x02\x64\x04\x04\x00\x30\x00";
	static const char wrong[] = "\x30\x0c\x02\x01\x02\x65\x07\x0a\x01\x30\x04\x00\x04\x00";
	static const char missed[] = "\x30\x22\x02\x01\x02\x65\x1d\x0a\x01\x35\x04\x00\x04\x16"
				     "no certificate, no way";
	const struct question *q = named("ldap")->question;
	char evidence[PROTOCOL_SENTENCE_BYTES];

	(void)state;
	assert_int_equal(q->read(slice_of(done, sizeof(done) - 1), evidence), LEARNT_NOT_REQUIRED);
	assert_int_equal(
		q->read(slice_of(entry, sizeof(entry) - 1), evidence), LEARNT_NOT_REQUIRED);
	assert_int_equal(q->read(slice_of(wrong, sizeof(wrong) - 1), evidence), LEARNT_NOTHING);
	assert_int_equal(q->read(slice_of(missed, sizeof(missed) - 1), evidence), LEARNT_REQUIRED);
	assert_int_equal(q->read(slice_text("HTTP"), evidence), LEARNT_NOTHING);
	assert_int_equal(q->read(slice_of(NULL, 0), evidence), LEARNT_NOT_YET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_suggest_mysql),
		cmocka_unit_test(test_question_by_port),
		cmocka_unit_test(test_question_text),
		cmocka_unit_test(test_learnt),
		cmocka_unit_test(test_learnt_ldap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
