/* Each protocol's states: what a server says, whole and byte by byte, what is answered, and the end. */
#include "scanners/network/dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct bytes {
	const char *data;
	size_t size;
};
#define B(literal)                             \
	{                                      \
		(literal), sizeof(literal) - 1 \
	}

#define XMPP_CLIENT(namespace)                                                                                                                                     \
	"<?xml version='1.0'?><stream:stream to='host.example' xmlns='" namespace "' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' xml:lang='en'>" \
										  "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define XMPP_SERVER                                                                         \
	"<?xml version='1.0'?><stream:stream id='a>b' from='host.example' version='1.0'>\n" \
	"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>"    \
	"</starttls><mechanisms><mechanism>PLAIN</mechanism></mechanisms></stream:features>"

/* ---- dialogues that end in TLS ---------------------------------------------------------------- */

static const struct good {
	const char *protocol;
	struct bytes server;
	struct bytes client;  /* all that we say */
	struct bytes endless; /* repeated, the dialogue never gets on; empty: it fails at once */
} goods[] = {
	{ "smtp",
		B("220-a\r\n220 b ESMTP\r\n250-b\r\n250-SIZE 1\r\n250-StartTLS\r\n250 HELP\r\n220 go\r\n"),
		B("EHLO [192.0.2.1]\r\nSTARTTLS\r\n"), B("220-a\r\n") },
	{ "smtp", B("220 b\n250-b\n250 STARTTLS\n220-so\n220 go\n"),
		B("EHLO [192.0.2.1]\r\nSTARTTLS\r\n"), B("220-\n") },
	{ "lmtp", B("220 b LMTP\r\n250-b\r\n250-STARTTLS\r\n250 HELP\r\n220 go\r\n"),
		B("LHLO [192.0.2.1]\r\nSTARTTLS\r\n"), B("220-a\r\n") },
	{ "imap",
		B("* OK [CAPABILITY IMAP4rev1 STARTTLS] x\r\n* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\n"
		  "a1 OK done\r\n* OK by the way\r\na2 OK go\r\n"),
		B("a1 CAPABILITY\r\na2 STARTTLS\r\n"), B("* OK x\r\n") },
	{ "pop3", B("+OK x\r\n+OK go\r\n"), B("STLS\r\n"), B("") },
	{ "ftp", B("220-hello\r\nwhatever 220\r\n220 ready\r\n234 go\r\n"), B("AUTH TLS\r\n"),
		B("220-x\r\n") },
	{ "ftp", B("120 in a minute\r\n220 ready\r\n234-so\r\nand\r\n234 go\r\n"),
		B("AUTH TLS\r\n"), B("120 x\r\n") },
	{ "ldap", B("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
		B("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
		  "1.3.6.1.4.1.1466.20037"),
		B("") },
	{ "ldap",
		B("\x30\x84\x00\x00\x00\x2c\x02\x01\x01\x78\x27\x0a\x01\x00\x04\x00\x04\x08"
		  "all good\x8a\x16"
		  "1.3.6.1.4.1.1466.20037"),
		B("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
		  "1.3.6.1.4.1.1466.20037"),
		B("") },
	{ "xmpp", B(XMPP_SERVER "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
		B(XMPP_CLIENT("jabber:client")), B("<?xml version='1.0'?>") },
	{ "xmpp-server", B(XMPP_SERVER "<proceed xmlns=\"x\"></proceed>"),
		B(XMPP_CLIENT("jabber:server")), B("<?xml version='1.0'?>") },
	{ "nntp", B("200 hello\r\n101 list\r\nVERSION 2\r\nSTARTTLS\r\nOVER\r\n.\r\n382 go\r\n"),
		B("CAPABILITIES\r\nSTARTTLS\r\n"), B("") },
	{ "nntp", B("201 old\r\n500 what?\r\n382 go\r\n"), B("CAPABILITIES\r\nSTARTTLS\r\n"),
		B("") },
	{ "sieve",
		B("\"IMPLEMENTATION\" \"x\"\r\n\"SIEVE\" \"fileinto\"\r\n\"STARTTLS\"\r\n\"VERSION\" \"1.0\"\r\n"
		  "OK \"hello\"\r\nOK \"go\"\r\n"),
		B("STARTTLS\r\n"), B("\"NOTIFY\" \"x\"\r\n") },
	{ "irc",
		B(":a NOTICE * :*** Looking up\r\n:a CAP * LS * :multi-prefix\r\n:a CAP * LS :sasl tls\r\n"
		  "@t=1 :a 670 * :STARTTLS successful\r\n"),
		B("CAP LS 302\r\nSTARTTLS\r\n"), B(":a NOTICE * :x\r\n") },
	{ "irc", B(":a 421 * CAP :what\r\n:a 670 * :go\r\n"), B("CAP LS 302\r\nSTARTTLS\r\n"),
		B("PING :1\r\n") },
	{ "telnet", B("\xff\xfd\x18hello\xff\xfd\x2e\xff\xfa\x2e\x01\xff\xf0"),
		B("\xff\xfb\x2e\xff\xfa\x2e\x01\xff\xf0"), B("\xff\xfd\x18") },
	{ "telnet",
		B("\xff\xfd\x27\xff\xfe\x2e\xff\xfd\x25\xff\xfa\x25\x01\x02\x00\x07\x00\xff\xf0"
		  "\xff\xfa\x25\x02\x07\x00\x02\xff\xf0"),
		B("\xff\xfb\x2e\xff\xfb\x25\xff\xfa\x25\x00\x07\x00\x01\xff\xf0"),
		B("\xff\xfd\x18") },
	{ "postgres", B("S"), B("\x00\x00\x00\x08\x04\xd2\x16\x2f"), B("") },
	{ "mysql",
		B("\x21\x00\x00\x00\x0a"
		  "8.0.36\0\x01\x00\x00\x00scramble\0\xff\xff\x2d\x02\x00\xff\xff\x15\0\0\0\0"),
		B("\x20\x00\x00\x01\x00\x8a\x08\x00\x00\x00\x00\x01\x2d"
		  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
		B("") },
	{ "rdp", B("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00"),
		B("\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x0b\x00\x00\x00"),
		B("") },
	{ "tds",
		B("\x04\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff"
		  "\x10\x00\x00\x00\x00\x00\x01"),
		B("\x12\x01\x00\x2f\x00\x00\x01\x00\x00\x00\x1a\x00\x06\x01\x00\x20\x00\x01\x02\x00\x21\x00\x01"
		  "\x03\x00\x22\x00\x04\x04\x00\x26\x00\x01\xff\x10\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
		B("") },
};
#define GOODS (sizeof(goods) / sizeof(goods[0]))

static struct dialogue *begin(const char *name)
{
	const struct words words = { .host = "host.example", .own = "[192.0.2.1]", .path = "/" };
	const struct protocol *p = protocol_find(slice_text(name));
	struct dialogue *d = NULL;

	assert_non_null(p);
	assert_int_equal(dialogue_new(p, &words, &d), ERR_OK);
	return d;
}

/* Moves what is to be sent to `said`. */
static void hear(struct dialogue *d, struct buffer *said)
{
	struct slice out = dialogue_output(d);
	size_t size = out.size;

	buffer_slice(said, out);
	dialogue_sent(d, size);
}

static enum dialogue_status feed(
	struct dialogue *d, const char *data, size_t size, size_t piece, struct buffer *said)
{
	enum dialogue_status status = DIALOGUE_WANT_READ;

	hear(d, said);
	for (size_t at = 0; at < size && status != DIALOGUE_DONE && status != DIALOGUE_FAILED;
		at += piece) {
		size_t part = size - at < piece ? size - at : piece;

		assert_int_equal(dialogue_feed(d, slice_of(data + at, part), &status), ERR_OK);
		hear(d, said);
	}
	return status;
}

static void check_good(const struct good *g, size_t piece)
{
	struct dialogue *d = begin(g->protocol);
	struct buffer said;

	buffer_init(&said, 4096);
	if (feed(d, g->server.data, g->server.size, piece, &said) != DIALOGUE_DONE)
		fail_msg("%s: %s", g->protocol, dialogue_refusal(d)->text);
	if (said.size != g->client.size || memcmp(said.data, g->client.data, said.size) != 0)
		fail_msg("%s says \"%s\"", g->protocol, buffer_string(&said));
	buffer_fini(&said);
	dialogue_free(d);
}

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOODS; i++) {
		check_good(&goods[i], goods[i].server.size);
		check_good(&goods[i], 1);
		check_good(&goods[i], 7);
	}
}

static void test_every_protocol_has_one(void **state)
{
	(void)state;
	for (size_t p = 1; p < protocols_count; p++) {
		bool is_found = !protocols[p]->states;

		for (size_t i = 0; i < GOODS; i++)
			is_found = is_found || strcmp(goods[i].protocol, protocols[p]->name) == 0;
		if (!is_found)
			fail_msg("no dialogue of %s is tested", protocols[p]->name);
	}
}

/* ---- what must not happen ---------------------------------------------------------------------- */

static void test_injection(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOODS; i++) {
		struct dialogue *d = begin(goods[i].protocol);
		struct buffer all, said;

		buffer_init(&all, 4096);
		buffer_init(&said, 4096);
		buffer_append(&all, goods[i].server.data, goods[i].server.size);
		buffer_text(&all, "250 injected\r\n");
		assert_int_equal(
			feed(d, (char *)all.data, all.size, all.size, &said), DIALOGUE_FAILED);
		assert_int_equal(dialogue_refusal(d)->reason, REASON_HANDSHAKE_FAILED);
		assert_non_null(strstr(dialogue_refusal(d)->text, "plaintext follows"));
		assert_string_equal(dialogue_word(d), "plaintext-injected");
		buffer_fini(&all);
		buffer_fini(&said);
		dialogue_free(d);
	}
}

/* Cut anywhere: closed there, or silent from there on. */
static void test_cut(void **state)
{
	enum dialogue_status status;

	(void)state;
	for (size_t i = 0; i < GOODS; i++)
		for (size_t size = 0; size < goods[i].server.size; size++) {
			struct dialogue *d = begin(goods[i].protocol);
			struct buffer said;

			buffer_init(&said, 4096);
			status = feed(d, goods[i].server.data, size, size ? size : 1, &said);
			assert_true(status == DIALOGUE_WANT_READ || status == DIALOGUE_WANT_WRITE);
			if (size % 2) {
				dialogue_time_is_up(d);
				assert_int_equal(dialogue_refusal(d)->reason, REASON_TIMEOUT);
				assert_string_equal(dialogue_word(d), "timeout");
			} else {
				assert_int_equal(
					dialogue_feed(d, slice_of(NULL, 0), &status), ERR_OK);
				assert_int_equal(status, DIALOGUE_FAILED);
				assert_int_equal(
					dialogue_refusal(d)->reason, REASON_HANDSHAKE_FAILED);
				assert_string_equal(dialogue_word(d), "closed");
			}
			buffer_fini(&said);
			dialogue_free(d);
		}
}

static void test_endless(void **state)
{
	(void)state;
	for (size_t i = 0; i < GOODS; i++) {
		struct dialogue *d = begin(goods[i].protocol);
		enum dialogue_status status = DIALOGUE_WANT_READ;
		struct buffer said;
		size_t fed = 0;

		buffer_init(&said, 4096);
		while (goods[i].endless.size && status != DIALOGUE_FAILED) {
			assert_true(fed <= DIALOGUE_BYTES_MAX);
			status = feed(d, goods[i].endless.data, goods[i].endless.size,
				goods[i].endless.size, &said);
			assert_int_not_equal(status, DIALOGUE_DONE);
			fed += goods[i].endless.size;
		}
		if (goods[i].endless.size)
			assert_int_equal(dialogue_refusal(d)->reason, REASON_LIMIT_REACHED);
		buffer_fini(&said);
		dialogue_free(d);
	}
}

/* A megabyte of what is nothing. */
static void test_garbage(void **state)
{
	static const char *const bytes[] = { "x", "\n", "\xff", "<", "* ", "\x30", "\x03", "220-" };

	(void)state;
	for (size_t p = 1; p < protocols_count; p++)
		for (size_t b = 0; protocols[p]->states && b < sizeof(bytes) / sizeof(bytes[0]);
			b++) {
			struct dialogue *d = begin(protocols[p]->name);
			enum dialogue_status status = DIALOGUE_WANT_READ;
			struct buffer said;
			size_t fed = 0;

			buffer_init(&said, 4096);
			for (; status != DIALOGUE_FAILED && status != DIALOGUE_DONE;
				fed += strlen(bytes[b]))
				status = feed(d, bytes[b], strlen(bytes[b]), 8, &said);
			assert_int_equal(status, DIALOGUE_FAILED);
			assert_true(fed <= DIALOGUE_BYTES_MAX);
			assert_true(dialogue_refusal(d)->text[0]);
			buffer_fini(&said);
			dialogue_free(d);
		}
}

/* ---- refusals --------------------------------------------------------------------------------- */

static const struct refused {
	const char *protocol;
	struct bytes server;
	const char *sentence;
} refuseds[] = {
	{ "smtp", B("220 x\r\n250-x\r\n250 SIZE\r\n"), "smtp: the server does not offer STARTTLS" },
	{ "smtp", B("220 x\r\n250-XSTARTTLS\r\n250 SIZE\r\n"),
		"smtp: the server does not offer STARTTLS" },
	{ "smtp", B("220 x\r\n502 no\r\n"),
		"smtp: the server does not take our greeting: \"502 no\"" },
	{ "smtp", B("554 5.7.1 \x1b[1mno\r\n"),
		"smtp: the server sends us away: \"554 5.7.1 \\x1B[1mno\"" },
	{ "smtp", B("220 x\r\n250 STARTTLS\r\n454 4.7.0 TLS not available\r\n"),
		"smtp: the server offers STARTTLS but refuses it: \"454 4.7.0 TLS not available\"" },
	{ "smtp", B("SSH-2.0-OpenSSH\r\n"),
		"smtp: instead of the greeting the server says \"SSH-2.0-OpenSSH\"" },
	{ "smtp", B("\x15\x03\x01\x00\x02\x02\x0a\r\n"),
		"smtp: the server speaks TLS from the first byte; its source is written tls://HOST:PORT" },
	{ "lmtp", B("220 x\r\n250 x\r\n"), "lmtp: the server does not offer STARTTLS" },
	{ "imap", B("* OK x\r\n* CAPABILITY IMAP4rev1\r\na1 OK x\r\n"),
		"imap: the server does not offer STARTTLS" },
	{ "imap", B("* PREAUTH x\r\n"),
		"imap: the session is authenticated from the start (PREAUTH), where STARTTLS is not possible: \"* PREAUTH x\"" },
	{ "imap", B("* OK x\r\n* BYE too many\r\n"),
		"imap: the server says goodbye: \"* BYE too many\"" },
	{ "imap", B("* OK x\r\n* CAPABILITY STARTTLS\r\na1 OK\r\na2 NO not now\r\n"),
		"imap: the server offers STARTTLS but refuses it: \"a2 NO not now\"" },
	{ "pop3", B("+OK x\r\n-ERR unknown\r\n"),
		"pop3: the server does not offer STLS: \"-ERR unknown\"" },
	{ "ftp", B("220 x\r\n530 login first\r\n"),
		"ftp: the server does not offer AUTH TLS: \"530 login first\"" },
	{ "ftp", B("421 too many\r\n"), "ftp: the server sends us away: \"421 too many\"" },
	{ "ldap",
		B("\x30\x18\x02\x01\x01\x78\x13\x0a\x01\x02\x04\x00\x04\x0c"
		  "unsupported!"),
		"ldap: the server does not offer StartTLS: result 2: \"unsupported!\"" },
	{ "ldap", B("HTTP/1.1 400\r\n"),
		"ldap: instead of the answer to StartTLS the server says \"HTTP/1.1 400\"" },
	{ "xmpp", B("<stream:stream><stream:features><bind/></stream:features>"),
		"xmpp: the server does not offer STARTTLS" },
	{ "xmpp", B("<stream:stream><stream:features/>"),
		"xmpp: the server does not offer STARTTLS" },
	{ "xmpp", B("<stream:stream><stream:error><host-unknown xmlns='x'/></stream:error>"),
		"xmpp: the server ended the stream with the error: \"<host-unknown xmlns='x'/>\"" },
	{ "xmpp-server", B("<stream:stream></stream:stream>"),
		"xmpp-server: the server ended the stream" },
	{ "xmpp", B(XMPP_SERVER "<failure xmlns='x'/>"),
		"xmpp: the server offers STARTTLS but refuses it" },
	{ "nntp", B("200 x\r\n101 x\r\nREADER\r\n.\r\n"),
		"nntp: the server does not offer STARTTLS" },
	{ "nntp", B("200 x\r\n500 x\r\n500 what\r\n"),
		"nntp: the server does not offer STARTTLS: \"500 what\"" },
	{ "sieve", B("\"SIEVE\" \"x\"\r\nOK\r\n"), "sieve: the server does not offer STARTTLS" },
	{ "sieve", B("BYE \"no\"\r\n"), "sieve: the server says goodbye: \"BYE \"no\"\"" },
	{ "irc", B(":a CAP * LS :sasl x-tls\r\n"),
		"irc: the server does not offer STARTTLS: \"CAP * LS :sasl x-tls\"" },
	{ "irc", B(":a CAP * LS :tls\r\n:a 691 * :no\r\n"),
		"irc: STARTTLS was refused: \"691 * :no\"" },
	{ "irc", B(":a 451 CAP :register\r\n:a 451 STARTTLS :register\r\n"),
		"irc: the server does not offer STARTTLS: \"451 STARTTLS :register\"" },
	{ "telnet", B("\xff\xfe\x2e\xff\xfe\x25"),
		"telnet: the server offers neither START_TLS nor authentication by SSL" },
	{ "telnet", B("\xff\xfd\x25\xff\xfa\x25\x01\x02\x00\xff\xf0"),
		"telnet: the server offers neither START_TLS nor authentication by SSL" },
	{ "postgres", B("N"), "postgres: the server does not offer TLS (it answers N)" },
	{ "postgres", B("E\0\0\0\x22SFATAL\0C0A000\0Mnot like this\0\0"),
		"postgres: the server answers with an error: \"not like this\"" },
	{ "mysql",
		B("\x21\x00\x00\x00\x0a"
		  "8.0.36\0\x01\x00\x00\x00scramble\0\xff\xf7\x2d\x02\x00\xff\xff\x15\0\0\0\0"),
		"mysql: the server does not offer TLS (CLIENT_SSL is missing): \"8.0.36\"" },
	{ "mysql", B("\x12\x00\x00\x00\xff\x69\x04Host is blocked"),
		"mysql: the server sends us away with error 1129: \"Host is blocked\"" },
	{ "mysql", B("\x19\x00\x00\x00\xff\x10\x04#08004Too many clients"),
		"mysql: the server sends us away with error 1040: \"Too many clients\"" },
	{ "rdp", B("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x03\x00\x08\x00\x02\x00\x00\x00"),
		"rdp: the server refuses TLS: failure 2, SSL_NOT_ALLOWED_BY_SERVER" },
	{ "rdp", B("\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x00\x00\x00\x00"),
		"rdp: the server chooses RDP's own security, no TLS" },
	{ "rdp", B("\x03\x00\x00\x0b\x06\xd0\x00\x00\x12\x34\x00"),
		"rdp: the server knows RDP's own security only, no TLS" },
	{ "tds",
		B("\x04\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff"
		  "\x10\x00\x00\x00\x00\x00\x02"),
		"tds: the server does not offer TLS (ENCRYPT_NOT_SUP)" },
	{ "tds", B("\x04\x01\x00\x09\x00\x00\x01\x00\xff"),
		"tds: the server's PRELOGIN says nothing of encryption" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refuseds) / sizeof(refuseds[0]); i++)
		for (size_t piece = 1; piece < 4096; piece += 4000) {
			struct dialogue *d = begin(refuseds[i].protocol);
			struct buffer said;

			buffer_init(&said, 4096);
			assert_int_equal(feed(d, refuseds[i].server.data, refuseds[i].server.size,
						 piece, &said),
				DIALOGUE_FAILED);
			assert_int_equal(dialogue_refusal(d)->reason, REASON_NOT_TLS);
			/* Byte by byte, what is not this protocol at all is known by its beginning. */
			if (piece > 1 || !strstr(refuseds[i].sentence, "instead of"))
				assert_string_equal(
					dialogue_refusal(d)->text, refuseds[i].sentence);
			buffer_fini(&said);
			dialogue_free(d);
		}
}

/* ---- over a socket ---------------------------------------------------------------------------- */

static void test_socket(void **state)
{
	enum dialogue_status status;
	struct dialogue *d = begin("smtp");
	static const char script[] = "220 x\r\n250 STARTTLS\r\n220 go\r\n";
	char got[256];
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_int_equal(status, DIALOGUE_WANT_READ);
	assert_true(write(fds[1], script, sizeof(script) - 1) > 0);
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_int_equal(status, DIALOGUE_DONE);
	assert_int_equal(
		read(fds[1], got, sizeof(got)), strlen("EHLO [192.0.2.1]\r\nSTARTTLS\r\n"));
	dialogue_free(d);

	/* The words of a man in the middle in a packet of their own. */
	d = begin("postgres");
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_true(write(fds[1], "S", 1) == 1);
	assert_true(write(fds[1], "E", 1) == 1);
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_int_equal(status, DIALOGUE_FAILED);
	assert_string_equal(dialogue_word(d), "plaintext-injected");
	dialogue_free(d);

	/* What goes out last goes out before TLS. */
	d = begin("mysql");
	for (size_t i = 0; i < GOODS; i++)
		if (strcmp(goods[i].protocol, "mysql") == 0)
			assert_true(write(fds[1], goods[i].server.data, goods[i].server.size) > 0);
	assert_true(read(fds[1], got, sizeof(got)) == 8);
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_int_equal(status, DIALOGUE_DONE);
	assert_int_equal(read(fds[1], got, sizeof(got)), 36);
	dialogue_free(d);

	d = begin("imap");
	(void)close(fds[1]);
	assert_int_equal(dialogue_step(d, fds[0], &status), ERR_OK);
	assert_int_equal(status, DIALOGUE_FAILED);
	assert_string_equal(dialogue_word(d), "closed");
	dialogue_free(d);
	(void)close(fds[0]);
}

static void test_own_name(void **state)
{
	char own[PROTOCOL_OWN_BYTES];

	(void)state;
	dialogue_own_name(-1, own);
	assert_string_equal(own, "[127.0.0.1]");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_every_protocol_has_one),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_own_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
