/* The finder of base64 in texts: each way in which it is written, what other formats take, what is none. */
#include "collect.h"

#include "scanners/formats/base64_text.h"

#include <stdio.h>

static gnutls_datum_t leaf;
static char *digits;    /* its base64 in one line */
static char wanted[65]; /* its fingerprint */

static int make(void **state)
{
	gnutls_datum_t text;

	(void)state;
	make_certificate("leaf.example.org", &leaf);
	assert_int_equal(gnutls_base64_encode2(&leaf, &text), 0);
	digits = strndup((const char *)text.data, text.size);
	gnutls_free(text.data);
	sha256_text(slice_datum(&leaf), wanted);
	return digits ? 0 : -1;
}

static int unmake(void **state)
{
	(void)state;
	gnutls_free(leaf.data);
	free(digits);
	return 0;
}

/* `count` times the certificate, by `format`, and nothing else. */
static void gives(struct buffer *text, size_t count, const char *format)
{
	struct collected c = collect(buffer_bytes(text), NULL);

	assert_int_equal(buffer_status(text), ERR_OK);
	assert_int_equal(c.certificates, count);
	assert_int_equal(c.count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(c.items[i].sha256, wanted);
	if (count)
		assert_string_equal(c.which->name, format);
	collected_fini(&c);
	buffer_fini(text);
}

/* In lines of `width`, each between `before` and `after`. */
static void folded(struct buffer *out, size_t width, const char *before, const char *after)
{
	for (const char *d = digits; *d; d += strnlen(d, width))
		buffer_format(out, "%s%.*s%s", before, (int)width, d, after);
}

static void ways_to_write_it(void **state)
{
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "%s", digits);
	gives(&t, 1, "base64");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "{\"x5c\":[\"%s\",\"%s\"]}", digits, digits);
	gives(&t, 2, "base64");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "k: |\n");
	folded(&t, 64, "    ", "\r\n");
	buffer_text(&t, "abcd: efgh\n");
	gives(&t, 1, "base64");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "{\"k\":\"\\n");
	folded(&t, 76, "", "\\r\\n");
	buffer_text(&t, "\"}");
	gives(&t, 1, "base64");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "<data>");
	folded(&t, 52, "\t", "&#13;\n");
	buffer_text(&t, "</data>");
	gives(&t, 1, "base64");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "url(data:application/x-x509-ca-cert;base64,%s)", digits);
	gives(&t, 1, "base64");
}

static void url_alphabet(void **state)
{
	struct buffer t, out;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "a = ");
	for (const char *d = digits; *d && *d != '='; d++)
		buffer_byte(&t, (uint8_t)(*d == '+' ? '-' : *d == '/' ? '_' : *d));
	gives(&t, 1, "base64");
	buffer_init(&out, TEST_BYTES_MAX);
	assert_int_equal(base64_text_decode(slice_text("AA--A-____-A"), 12, &out), 12);
	assert_int_equal(out.size, 9);
	buffer_clear(&out);
	assert_int_equal(base64_text_decode(slice_text("AAA-\""), 4, &out), 4);
	buffer_clear(&out);
	assert_int_equal(base64_text_decode(slice_text("AAA-\""), 5, &out), 3);
	buffer_clear(&out);
	assert_int_equal(base64_text_decode(slice_text("AAAA-----END"), 12, &out), 4);
	buffer_fini(&out);
}

/* Each certificate once, whatever else could read it. */
static void what_others_take(void **state)
{
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	put_pem(&t, "CERTIFICATE", slice_datum(&leaf));
	gives(&t, 1, "pem");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "-----BEGIN CERTIFICATE-----%s-----END CERTIFICATE-----", digits);
	gives(&t, 1, "pem");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "{\"a\":\"-----BEGIN CERTIFICATE-----\\n");
	folded(&t, 64, "", "\\n");
	buffer_text(&t, "-----END CERTIFICATE-----\\n\"}");
	gives(&t, 1, "pem");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "<a:X509Certificate>\n%s\n</a:X509Certificate>", digits);
	gives(&t, 1, "xml");
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "<X509Certificate Id=\"a\">%s</X509Certificate>", digits);
	gives(&t, 1, "base64");
	/* A mention of PEM is no PEM block around what comes later. */
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "It begins with -----BEGIN CERTIFICATE-----, but\nx5c: %s\n", digits);
	gives(&t, 1, "base64");
}

/* In base64 the dashes begin a group of three bytes or lie across two. */
static void shifted_pem(void **state)
{
	static const char *const before[] = { "", "x", "xy", "# abc\n", "Bag Attributes\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		struct buffer plain, t;

		buffer_init(&plain, TEST_BYTES_MAX);
		buffer_init(&t, TEST_BYTES_MAX);
		buffer_text(&plain, before[i]);
		put_pem(&plain, "CERTIFICATE", slice_datum(&leaf));
		put_pem(&plain, "CERTIFICATE", slice_datum(&leaf));
		put_base64(&t, buffer_bytes(&plain), "  ", "\n");
		buffer_fini(&plain);
		gives(&t, 2, "base64-pem");
	}
}

static void what_is_none(void **state)
{
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "x5c: %.300s...\n", digits);
	gives(&t, 0, NULL);
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "x5c: %.60s\n", digits);
	gives(&t, 0, NULL);
	/* The marker without what belongs before it. */
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "gAwIBAgI AAgAwIBAgI %s\n", digits + 4);
	gives(&t, 0, NULL);
	/* In the middle of something longer. */
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "AAAA%s\n", digits);
	gives(&t, 0, NULL);
}

static void cut_off(void **state)
{
	struct collected c;
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_format(&t, "{\"c\":\"%.*s\"}", (int)strlen(digits) - 20, digits);
	c = collect(buffer_bytes(&t), NULL);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.count, 1);
	assert_int_equal(c.items[0].reason, REASON_MALFORMED);
	collected_fini(&c);
	buffer_fini(&t);
}

static void too_many_places(void **state)
{
	struct collected c;
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	for (int i = 0; i < 100002; i++)
		buffer_text(&t, "MIIAAAAAAAAgAwIBAgI ");
	c = collect(buffer_bytes(&t), NULL);
	assert_int_equal(c.count, 1);
	assert_int_equal(c.items[0].reason, REASON_LIMIT_REACHED);
	collected_fini(&c);
	buffer_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ways_to_write_it),
		cmocka_unit_test(url_alphabet),
		cmocka_unit_test(what_others_take),
		cmocka_unit_test(shifted_pem),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(too_many_places),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
