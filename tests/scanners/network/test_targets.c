/* Sources: which are claimed, which are good, and the targets that they mean. */
#include "scanners/network/exclude.h"
#include "scanners/network/targets.h"

#include <arpa/inet.h>
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
		{ "DTLS://[::1]:5684", true },
		{ "dtls:example.org", true },
		{ "xdtls://example.org", false },
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
	*end = targets_open(&list, NULL, &targets, expected, &why);
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

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same words, in whatever order. */
static bool same_words(const char *a, const char *b)
{
	char texts[2][4096];
	char *words[2][256];
	size_t counts[2] = { 0, 0 };

	(void)snprintf(texts[0], sizeof(texts[0]), "%s", a);
	(void)snprintf(texts[1], sizeof(texts[1]), "%s", b);
	for (size_t i = 0; i < 2; i++) {
		char *rest = texts[i];

		while (rest && counts[i] < 256)
			words[i][counts[i]++] = strsep(&rest, " ");
		qsort(words[i], counts[i], sizeof(words[i][0]), by_text);
	}
	for (size_t n = 0; n < counts[0] && counts[0] == counts[1]; n++)
		if (strcmp(words[0][n], words[1][n]) != 0)
			return false;
	return counts[0] == counts[1];
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
		{ "n.example@192.0.2.6/31:9", 2,
			"tls://n.example@192.0.2.6:9 tls://n.example@192.0.2.7:9" },
		{ "example.org:1,2,1", 2, "tls://example.org:1 tls://example.org:2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *const sources[] = { rows[i].source, NULL };
		uint64_t expected = 0;
		enum err end;

		assert_true(target_accepts(rows[i].source));
		assert_int_equal(target_check(rows[i].source, NULL), ERR_OK);
		if (!same_words(expand(sources, 100, &expected, &end), rows[i].uris))
			fail_msg("%s", expand(sources, 100, &expected, &end));
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
		{ "dtls://example.org", ERR_OK, "" },
		{ "dtls://10.0.0.0/24:443,5684", ERR_OK, "" },
		{ "dtls:example.org", ERR_USAGE, "port" },
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

static uint64_t seen_in(const uint8_t *seen, size_t size)
{
	uint64_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += seen[i];
	return count;
}

static void test_networks(void **state)
{
	static const char *const small[] = { "10.0.0.0/24:443,8443", "2001:db8::/112", "x.example",
		NULL };
	static const char *const large[] = { "10.1.2.3/8", NULL };
	struct strings list = { 0 };
	struct targets *targets = NULL;
	struct target target;
	static uint8_t seen[512 + 65536 + 1];
	uint64_t expected = 0, count = 0, early = 0;
	enum err end;

	(void)state;
	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; small[i]; i++)
		assert_int_equal(strings_add(&list, small[i]), ERR_OK);
	assert_int_equal(targets_open(&list, NULL, &targets, &expected, NULL), ERR_OK);
	assert_int_equal(expected, 512 + 65536 + 1);
	/* Each exactly once. */
	while ((end = targets_next(targets, &target, NULL)) == ERR_OK) {
		uint8_t bytes[16] = { 0 };
		size_t at = 0;

		count++;
		assert_int_equal(target.is_unnamed, strcmp(target.host, "x.example") != 0);
		if (inet_pton(AF_INET, target.host, bytes) == 1)
			at = bytes[3] * 2U + (target.port == 8443);
		else if (inet_pton(AF_INET6, target.host, bytes) == 1)
			at = 512 + bytes[14] * 256U + bytes[15];
		else
			at = 512 + 65536;
		assert_int_equal(seen[at]++, 0);
		/* Both networks are under way from the start. */
		if (count == 100)
			early = seen_in(seen, 512);
		target_fini(&target);
	}
	assert_int_equal(end, ERR_END);
	assert_int_equal(count, expected);
	assert_in_range(early, 40, 60);
	targets_free(targets);
	strings_fini(&list);
	(void)expand(large, 2, &expected, &end);
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
	assert_true(same_words(expand(sources, 100, &expected, &end), wanted));
	assert_int_equal(end, ERR_END);
	assert_int_equal(expected, 0);
	(void)unlink(path);
}

/* Prometheus' file_sd, told by content. */
static void test_discovery(void **state)
{
	static const struct {
		const char *text;
		const char *wanted;
		enum err end;
	} rows[] = {
		{ "[{\"targets\": [\"a.example:9443\", \"b.example\"], \"labels\": {\"__param_module\": "
		  "\"tls\", \"x\": \"y\"}},\n\t{\"labels\": {\"targets\": \"no\"}, \"targets\": "
		  "[\"[::1]:1\"]}]",
			"tls://a.example:9443 tls://b.example:443 tls://[::1]:1", ERR_END },
		{ " []\n", "", ERR_END },
		{ "# yaml\n---\n- targets:\n  - https://c.example/health?x#y\n  - "
		  "'https://u:secret@d.example:444'\n  labels: {__scheme__: https, deep: [[1], {a: b}]}\n",
			"tls://c.example:443 tls://d.example:444", ERR_END },
		{ "- targets: [smtp://mail.example, \"10.0.0.0/31:1\"]\n",
			"smtp://mail.example:25 tls://10.0.0.0:1 tls://10.0.0.1:1", ERR_END },
		{ "- targets: [a.example]\n- targets: {b: c}\n",
			"tls://a.example:443 !list line 2: not of", ERR_MALFORMED },
		{ "[{\"targets\": [\"a.example\"]}",
			"tls://a.example:443 !list line 2: did not find", ERR_MALFORMED },
		{ "{\"targets\": []}", "!list line 1: not of", ERR_MALFORMED },
		{ "- targets: [*x]\n", "!list line 1: aliases", ERR_MALFORMED },
		/* An address in brackets is no JSON. */
		{ "[::1]:5\n", "tls://[::1]:5", ERR_END },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[] = "/tmp/leafwatch-targets-XXXXXX";
		char source[64];
		uint64_t expected;
		const char *got;
		enum err end;

		write_list(path, rows[i].text);
		(void)snprintf(source, sizeof(source), "@%s", path);
		const char *const sources[] = { source, NULL };

		got = expand(sources, 100, &expected, &end);
		assert_int_equal(end, rows[i].end);
		(void)unlink(path);
		if (end == ERR_END && !same_words(got, rows[i].wanted))
			fail_msg("%zu: %s", i, got);
		if (end != ERR_END) {
			const char *says = strstr(rows[i].wanted, "line ");

			if (!strstr(got, says) ||
				strncmp(got, rows[i].wanted,
					(size_t)strcspn(rows[i].wanted, " !")) != 0)
				fail_msg("%zu: %s", i, got);
		}
	}
}

/* Lists that are added when the sources are through, as they come from the probe. */
static void test_added_lists(void **state)
{
	static const char *const texts[] = { "a.example\nhttps://u@b.example:1/x\n\n# c\n", "",
		"[{\n- d\n10.0.0.0/31:5\nhttp://e.example\nf.example:2" };
	static const char wanted[] =
		"tls://z.example:443 | tls://a.example:443 tls://b.example:1 http://x/0!/3 http://x/0!/4 "
		"http://x/2!/1 http://x/2!/2 http://x/2!/4 tls://10.0.0.0:5 tls://10.0.0.1:5 tls://f.example:2";
	struct strings sources = { 0 };
	struct targets *targets = NULL;
	struct target target;
	struct scan_item item;
	struct buffer shown;
	uint64_t expected;

	(void)state;
	assert_int_equal(strings_add(&sources, "z.example"), ERR_OK);
	assert_int_equal(targets_open(&sources, NULL, &targets, &expected, NULL), ERR_OK);
	buffer_init(&shown, 4096);
	for (int round = 0; round < 2; round++) {
		while (targets_next(targets, &target, NULL) == ERR_OK) {
			assert_int_equal(target_item(&target, &item), ERR_OK);
			buffer_format(&shown, "%s%s", shown.size ? " " : "", item.place);
			free(item.place);
			buffer_fini(&item.item);
			target_fini(&target);
		}
		for (size_t i = 0; round == 0 && i < sizeof(texts) / sizeof(texts[0]); i++) {
			struct buffer text;
			char place[16];

			buffer_init(&text, 4096);
			buffer_text(&text, texts[i]);
			(void)snprintf(place, sizeof(place), "http://x/%zu", i);
			assert_int_equal(targets_add_list(targets, &text, place), ERR_OK);
			buffer_fini(&text);
		}
		if (round == 0)
			buffer_text(&shown, " |");
	}
	if (!same_words(buffer_string(&shown), wanted))
		fail_msg("%s", buffer_string(&shown));
	targets_free(targets);
	strings_fini(&sources);
	buffer_fini(&shown);
}

static void test_discovery_complaints(void **state)
{
	char path[] = "/tmp/leafwatch-targets-XXXXXX";
	char source[64], wanted[512];
	uint64_t expected;
	enum err end;

	(void)state;
	write_list(path, "- targets:\n  - http://x.example/\n  - y.example:0\n  - z.example\n");
	(void)snprintf(source, sizeof(source), "@%s", path);
	const char *const sources[] = { source, NULL };

	(void)snprintf(wanted, sizeof(wanted),
		"file://%s!/2 (a http:// URL has no certificate to look at) file://%s!/3 (target "
		"\"y.example:0\": \"0\" is no port: it is a number from 1 to 65535) tls://z.example:443",
		path, path);
	assert_string_equal(expand(sources, 100, &expected, &end), wanted);
	assert_int_equal(end, ERR_END);
	(void)unlink(path);
}

static void test_exclusions(void **state)
{
	static const char *const all[] = { "x.example", "*.inner.example:443", "10.0.0.0/30",
		"10.0.0.9", "[2001:db8::]/126:8443", ":22,23", "2001:db8::9" };
	static const struct {
		const char *host;
		uint16_t port;
		bool is_covered;
	} rows[] = {
		{ "x.example", 443, true },
		{ "x.example.", 1, true },
		{ "a.x.example", 443, false },
		{ "a.inner.example", 443, true },
		{ "a.b.inner.example", 443, true },
		{ "a.inner.example", 444, false },
		{ "inner.example", 443, false },
		{ "10.0.0.3", 1, true },
		{ "10.0.0.4", 1, false },
		{ "10.0.0.9", 1, true },
		{ "2001:db8::3", 8443, true },
		{ "2001:db8::3", 443, false },
		{ "2001:db8::4", 8443, false },
		{ "2001:db8::9", 443, true },
		{ "y.example", 22, true },
		{ "192.0.2.1", 23, true },
		{ "192.0.2.1", 24, false },
	};
	static const char *const bad[] = { "", "*.10.0.0.1", "*.", "10.0.0.0/33", "x:0", ":", "a b",
		"tls://x.example" };
	struct exclusions *x = NULL;
	struct strings rules = { 0 };
	struct why why = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(strings_add(&rules, all[i]), ERR_OK);
	assert_int_equal(exclusions_new(&rules, &x, &why), ERR_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (exclusions_cover(x, rows[i].host, rows[i].port) != rows[i].is_covered)
			fail_msg("%s:%u", rows[i].host, rows[i].port);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (exclusion_check(bad[i], &why) == ERR_OK)
			fail_msg("\"%s\"", bad[i]);
		assert_non_null(strstr(why.text, "exclusion \""));
	}
	exclusions_free(x);
	strings_fini(&rules);
}

/* What is excluded is no target, be it a name, its address or a part of a network. */
static void test_excluded_targets(void **state)
{
	static const char *const sources[] = { "x.example@10.0.0.1:5", "y.example@10.0.0.9:5",
		"10.0.0.8/30:5,22" };
	static const char *const rules[] = { "x.example", "10.0.0.9", ":22" };
	struct strings list = { 0 }, except = { 0 };
	struct exclusions *x = NULL;
	struct targets *targets = NULL;
	struct target target;
	uint64_t expected, count = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(strings_add(&list, sources[i]), ERR_OK);
		assert_int_equal(strings_add(&except, rules[i]), ERR_OK);
	}
	assert_int_equal(exclusions_new(&except, &x, NULL), ERR_OK);
	assert_int_equal(targets_open(&list, x, &targets, &expected, NULL), ERR_OK);
	for (; targets_next(targets, &target, NULL) == ERR_OK; count++) {
		assert_null(target.name);
		assert_int_equal(target.port, 5);
		assert_string_not_equal(target.host, "10.0.0.9");
		target_fini(&target);
	}
	assert_int_equal(count, 3);
	targets_free(targets);
	exclusions_free(x);
	strings_fini(&list);
	strings_fini(&except);
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
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_added_lists),
		cmocka_unit_test(test_discovery_complaints),
		cmocka_unit_test(test_exclusions),
		cmocka_unit_test(test_excluded_targets),
		cmocka_unit_test(test_decode_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
