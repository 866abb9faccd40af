/* Sources: which are claimed, which are good, and the targets that they mean. */
#include "scanners/network/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_accepts(void **state)
{
	static const struct {
		const char *source;
		bool is_ours;
	} rows[] = {
		{ "example.org", true },
		{ "example.org:8443", true },
		{ "[::1]:443", true },
		{ "::1", true },
		{ "10.0.0.0/24", true },
		{ "10.0.0.0/24:443,8443", true },
		{ "2001:db8::/120:443", true },
		{ "[2001:db8::]/120:443", true },
		{ "name@192.0.2.1:443", true },
		{ "tls://example.org", true },
		{ "TLS://example.org", true },
		{ "smtp://mail.example.org", true },
		{ "xmpp-server://example.org", true },
		{ "dtls://example.org", true },
		{ "-", true },
		{ "@targets.txt", true },
		{ "@/etc/targets.txt", true },
		{ "example.org:99999", true },
		{ "/etc/ssl", false },
		{ "./x", false },
		{ "../x", false },
		{ "dir/file.pem", false },
		{ "10.0.0.0/file.pem", false },
		{ "~/x", false },
		{ "pkcs11:token=a", false },
		{ "nss:/etc/pki", false },
		{ "listeners:", false },
		{ "file:///etc/ssl", false },
		{ "ftps://example.org", false },
		{ "", false },
		{ "--flag", false },
		{ "@", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (target_accepts(rows[i].source) != rows[i].is_ours)
			fail_msg("\"%s\"", rows[i].source);
}

/* All uris of a source list, joined by blanks; at most `max`. */
static char *expand(const char *const *sources, size_t max, uint64_t *expected, enum err *end)
{
	static char shown[4096];
	struct buffer text;
	struct strings list = { 0 };
	struct targets *targets = NULL;
	struct why why = { 0 };
	struct target target;

	buffer_init(&text, sizeof(shown) - 1);
	for (; *sources; sources++)
		assert_int_equal(strings_add(&list, *sources), ERR_OK);
	*end = targets_open(&list, &targets, expected, &why);
	for (size_t i = 0; *end == ERR_OK && i < max; i++) {
		struct scan_item item;
		struct target back;

		*end = targets_next(targets, &target, &why);
		if (*end != ERR_OK)
			break;
		assert_int_equal(target_item(&target, &item), ERR_OK);
		assert_int_equal(target_decode(buffer_bytes(&item.item), &back), ERR_OK);
		assert_string_equal(back.host, target.host);
		assert_int_equal(back.port, target.port);
		assert_int_equal(back.is_unnamed, target.is_unnamed);
		buffer_format(&text, "%s%s", text.size ? " " : "", item.place);
		if (target.complaint)
			buffer_format(&text, " (%s)", target.complaint);
		free(item.place);
		buffer_fini(&item.item);
		target_fini(&back);
		target_fini(&target);
	}
	if (*end != ERR_OK && *end != ERR_END)
		buffer_format(&text, "!%s", why.text);
	targets_free(targets);
	strings_fini(&list);
	assert_int_equal(buffer_status(&text), ERR_OK);
	(void)snprintf(shown, sizeof(shown), "%s", buffer_string(&text));
	buffer_fini(&text);
	return shown;
}

static void test_good(void **state)
{
	static const struct {
		const char *source;
		uint64_t expected;
		const char *uris;
	} rows[] = {
		{ "Example.ORG", 1, "tls://example.org:443" },
		{ "example.org.", 1, "tls://example.org.:443" },
		{ "a_b.example", 1, "tls://a_b.example:443" },
		{ "example.org:8443", 1, "tls://example.org:8443" },
		{ "example.org:1,65535", 2, "tls://example.org:1 tls://example.org:65535" },
		{ "192.0.2.1", 1, "tls://192.0.2.1:443" },
		{ "::1", 1, "tls://[::1]:443" },
		{ "2001:DB8:0:0::1", 1, "tls://[2001:db8::1]:443" },
		{ "[::1]", 1, "tls://[::1]:443" },
		{ "[::1]:8443", 1, "tls://[::1]:8443" },
		{ "smtp://mail.example", 1, "smtp://mail.example:25" },
		{ "SMTP://mail.example:587/", 1, "smtp://mail.example:587" },
		{ "lmtp://a.example", 1, "lmtp://a.example:24" },
		{ "imap://a.example", 1, "imap://a.example:143" },
		{ "pop3://a.example", 1, "pop3://a.example:110" },
		{ "ftp://a.example", 1, "ftp://a.example:21" },
		{ "ldap://a.example", 1, "ldap://a.example:389" },
		{ "xmpp://a.example", 1, "xmpp://a.example:5222" },
		{ "xmpp-server://a.example", 1, "xmpp-server://a.example:5269" },
		{ "nntp://a.example", 1, "nntp://a.example:119" },
		{ "sieve://a.example", 1, "sieve://a.example:4190" },
		{ "irc://a.example", 1, "irc://a.example:6667" },
		{ "telnet://a.example", 1, "telnet://a.example:23" },
		{ "postgres://a.example", 1, "postgres://a.example:5432" },
		{ "mysql://a.example", 1, "mysql://a.example:3306" },
		{ "rdp://a.example", 1, "rdp://a.example:3389" },
		{ "tds://a.example", 1, "tds://a.example:1433" },
		{ "imap://mail.example@[::1]:1143", 1, "imap://mail.example@[::1]:1143" },
		{ "smtp://192.0.2.0/31:25,587", 4,
			"smtp://192.0.2.0:25 smtp://192.0.2.0:587 smtp://192.0.2.1:25 smtp://192.0.2.1:587" },
		{ "tls://example.org", 1, "tls://example.org:443" },
		{ "tls://example.org/", 1, "tls://example.org:443" },
		{ "TLS://example.org:444", 1, "tls://example.org:444" },
		{ "tls://[::1]:444", 1, "tls://[::1]:444" },
		{ "Name.example@192.0.2.1", 1, "tls://name.example@192.0.2.1:443" },
		{ "name.example@[::1]:5", 1, "tls://name.example@[::1]:5" },
		{ "name.example@::1", 1, "tls://name.example@[::1]:443" },
		{ "a.example@b.example:5", 1, "tls://a.example@b.example:5" },
		{ "b\xc3\xbc"
		  "cher.example",
			1, "tls://xn--bcher-kva.example:443" },
		{ "192.0.2.7/32", 1, "tls://192.0.2.7:443" },
		{ "192.0.2.7/31", 2, "tls://192.0.2.6:443 tls://192.0.2.7:443" },
		{ "192.0.2.5/30:1,2", 8,
			"tls://192.0.2.4:1 tls://192.0.2.4:2 tls://192.0.2.5:1 tls://192.0.2.5:2 "
			"tls://192.0.2.6:1 tls://192.0.2.6:2 tls://192.0.2.7:1 tls://192.0.2.7:2" },
		{ "2001:db8::/127", 2, "tls://[2001:db8::]:443 tls://[2001:db8::1]:443" },
		{ "[2001:db8::ff]/127:9", 2, "tls://[2001:db8::fe]:9 tls://[2001:db8::ff]:9" },
		{ "2001:db8::/128:9", 1, "tls://[2001:db8::]:9" },
		{ "tls://192.0.2.7/32:9", 1, "tls://192.0.2.7:9" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const sources[] = { rows[i].source, NULL };
		uint64_t expected = 0;
		enum err end;

		assert_true(target_accepts(rows[i].source));
		assert_int_equal(target_check(rows[i].source, NULL), ERR_OK);
		assert_string_equal(expand(sources, 100, &expected, &end), rows[i].uris);
		assert_int_equal(expected, rows[i].expected);
		assert_int_equal(end, ERR_END);
	}
}

static void test_bad(void **state)
{
	static const struct {
		const char *source;
		enum err e;
		const char *says;
	} rows[] = {
		{ "example.org:", ERR_USAGE, "port" },
		{ "example.org:0", ERR_USAGE, "port" },
		{ "example.org:65536", ERR_USAGE, "port" },
		{ "example.org:99999999999999999999", ERR_USAGE, "port" },
		{ "example.org:443,", ERR_USAGE, "port" },
		{ "example.org:https", ERR_USAGE, "port" },
		{ "example.org:-1", ERR_USAGE, "port" },
		{ "10.0.0.256", ERR_USAGE, "neither" },
		{ "10.0.0", ERR_USAGE, "neither" },
		{ "ex ample.org", ERR_USAGE, "neither" },
		{ "exa\x01mple.org", ERR_USAGE, "neither" },
		{ "-x.example", ERR_USAGE, "neither" },
		{ "a..b", ERR_USAGE, "neither" },
		{ ".", ERR_USAGE, "neither" },
		{ "1:2:3", ERR_USAGE, "neither" },
		{ "[::1", ERR_USAGE, "brackets" },
		{ "[::1]x", ERR_USAGE, "brackets" },
		{ "[192.0.2.1]:443", ERR_USAGE, "IPv6" },
		{ "fe80::1%eth0", ERR_UNSUPPORTED, "zone" },
		{ "@", ERR_USAGE, "file name" },
		{ "@x@y", ERR_OK, "" },
		{ "a@", ERR_USAGE, "neither" },
		{ "tls://", ERR_USAGE, "nothing" },
		{ "https://example.org", ERR_USAGE, "tls://" },
		{ "dtls://example.org", ERR_UNSUPPORTED, "DTLS" },
		{ "10.0.0.0/33", ERR_USAGE, "prefix" },
		{ "10.0.0.0/", ERR_USAGE, "prefix" },
		{ "10.0.0.0/7", ERR_USAGE, "too large" },
		{ "2001:db8::/64", ERR_USAGE, "/104" },
		{ "2001:db8::/129", ERR_USAGE, "prefix" },
		{ "10.0.0/24", ERR_USAGE, "no address" },
		{ "name@10.0.0.0/24:0", ERR_USAGE, "port" },
	};
	char longest[TARGET_SOURCE_BYTES_MAX + 2];
	struct why why = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = (struct why){ 0 };
		if (target_check(rows[i].source, &why) != rows[i].e ||
			!strstr(why.text, rows[i].says))
			fail_msg("\"%s\": %s", rows[i].source, why.text);
	}
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(target_check(longest, &why), ERR_USAGE);
}

static void test_networks(void **state)
{
	static const char *const small[] = { "10.0.0.0/24:443,8443", "2001:db8::/112", "x.example",
		NULL };
	static const char *const large[] = { "10.1.2.3/8", NULL };
	struct strings list = { 0 };
	struct targets *targets = NULL;
	struct target target;
	uint64_t expected = 0, count = 0;
	enum err end;

	(void)state;
	for (size_t i = 0; small[i]; i++)
		assert_int_equal(strings_add(&list, small[i]), ERR_OK);
	assert_int_equal(targets_open(&list, &targets, &expected, NULL), ERR_OK);
	assert_int_equal(expected, 512 + 65536 + 1);
	while ((end = targets_next(targets, &target, NULL)) == ERR_OK) {
		count++;
		assert_int_equal(target.is_unnamed, count <= 512 + 65536);
		if (count == 512)
			assert_string_equal(target.host, "10.0.0.255");
		if (count == 512 + 65536)
			assert_string_equal(target.host, "2001:db8::ffff");
		target_fini(&target);
	}
	assert_int_equal(end, ERR_END);
	assert_int_equal(count, expected);
	targets_free(targets);
	strings_fini(&list);
	assert_string_equal(
		expand(large, 2, &expected, &end), "tls://10.0.0.0:443 tls://10.0.0.1:443");
	assert_int_equal(expected, 1 << 24);
}

static void write_list(char path[], const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static void test_list(void **state)
{
	char path[] = "/tmp/leafwatch-targets-XXXXXX";
	char source[64], text[4096], wanted[1024];
	uint64_t expected = 7;
	enum err end;

	(void)state;
	(void)snprintf(text, sizeof(text),
		"\xef\xbb\xbf# a list\r\n\r\n  a.example  # comment\r\nb.example:99999\n@other\n%01500d\n"
		"10.0.0.0/31:5\nlast.example",
		0);
	write_list(path, text);
	(void)snprintf(source, sizeof(source), "@%s", path);
	const char *const sources[] = { source, "z.example", NULL };

	(void)snprintf(wanted, sizeof(wanted),
		"tls://a.example:443 "
		"file://%s!/4 (target \"b.example:99999\": \"99999\" is no port: it is a number from 1 to "
		"65535) "
		"file://%s!/5 (a list cannot name another list) "
		"file://%s!/6 (the line is too long for a target) "
		"tls://10.0.0.0:5 tls://10.0.0.1:5 tls://last.example:443 tls://z.example:443",
		path, path, path);
	assert_string_equal(expand(sources, 100, &expected, &end), wanted);
	assert_int_equal(end, ERR_END);
	assert_int_equal(expected, 0);
	(void)unlink(path);
}

/* The other targets are still given; the failure comes last, so that nothing is taken for gone. */
static void test_missing_list(void **state)
{
	static const char *const sources[] = { "@/nonexistent/list", "a.example", "@/tmp", NULL };
	uint64_t expected;
	enum err end;

	(void)state;
	assert_string_equal(expand(sources, 100, &expected, &end),
		"tls://a.example:443!list of targets \"/nonexistent/list\": No such file or directory");
	assert_int_equal(end, ERR_IO);
}

static void test_decode_hostile(void **state)
{
	const struct target good = { .name = (char[]){ "n" }, .host = (char[]){ "h" }, .port = 1 };
	struct buffer bytes;
	struct target out;
	struct probe_options options;

	(void)state;
	buffer_init(&bytes, 1024);
	target_encode(&bytes, &good);
	assert_int_equal(buffer_status(&bytes), ERR_OK);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(target_decode(slice_of(bytes.data, size), &out), ERR_MALFORMED);
	for (size_t i = 0; i < bytes.size; i++) {
		bytes.data[i] ^= 0xff;
		if (target_decode(buffer_bytes(&bytes), &out) == ERR_OK)
			target_fini(&out);
		if (probe_options_decode(buffer_bytes(&bytes), &options) == ERR_OK)
			probe_options_fini(&options);
		bytes.data[i] ^= 0xff;
	}
	buffer_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_missing_list),
		cmocka_unit_test(test_decode_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
