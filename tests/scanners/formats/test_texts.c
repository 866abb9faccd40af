/* Texts inside texts, and texts in another encoding: what they hold is found as if it stood there by itself. */
#include "collect.h"

#include "scanners/formats/base64_text.h"

#include <stdio.h>

#define NAME_BYTES_MIN 120
#define NAME_BYTES_MAX 240
#define TRIES_MAX 2000

static gnutls_datum_t leaf;
static char *digits; /* its base64; a slash is among the first that say its size */
static char wanted[65];

static char *base64_of(struct slice s)
{
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)s.data,
		.size = (unsigned)s.size };
	gnutls_datum_t text;
	char *out;

	assert_int_equal(gnutls_base64_encode2(&in, &text), 0);
	out = strndup((const char *)text.data, text.size);
	gnutls_free(text.data);
	assert_non_null(out);
	return out;
}

/* Names grow until the lower byte of the size is one of four, which the fifth digit tells. */
static int make(void **state)
{
	char name[NAME_BYTES_MAX + 1] = { 0 };

	(void)state;
	for (size_t tries = 0; tries < TRIES_MAX; tries++) {
		memset(name, 0, sizeof(name));
		memset(name, 'a', NAME_BYTES_MIN + tries % (NAME_BYTES_MAX - NAME_BYTES_MIN));
		make_certificate(name, &leaf);
		digits = base64_of(slice_datum(&leaf));
		if (digits[4] == '/')
			break;
		free(digits);
		digits = NULL;
		gnutls_free(leaf.data);
	}
	assert_non_null(digits);
	sha256_text(slice_datum(&leaf), wanted);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	gnutls_free(leaf.data);
	free(digits);
	return 0;
}

/* `count` times the certificate, and nothing else; `alias` of the first, or NULL. */
static void holds(struct slice text, size_t count, const char *format, const char *alias)
{
	struct collected c = collect(text, NULL);

	assert_int_equal(c.certificates, count);
	assert_int_equal(c.count, count);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(c.items[i].sha256, wanted);
	assert_string_equal(c.which->name, format);
	if (alias)
		assert_string_equal(c.items[0].alias, alias);
	collected_fini(&c);
}

static void gives(struct buffer *t, size_t count, const char *format, const char *alias)
{
	assert_int_equal(buffer_status(t), ERR_OK);
	holds(buffer_bytes(t), count, format, alias);
	buffer_fini(t);
}

/* The digits that have another form in the text around. */
static void put_escaped(struct buffer *out, const char *plus, const char *slash)
{
	for (const char *d = digits; *d; d++)
		if (*d == '+')
			buffer_text(out, plus);
		else if (*d == '/')
			buffer_text(out, slash);
		else
			buffer_byte(out, (uint8_t)*d);
}

static void escaped_digits(void **state)
{
	static const char *const forms[][2] = {
		{ "+", "/" },
		{ "+", "\\/" },
		{ "+", "\\\\\\/" },
		{ "\\u002b", "\\u002f" },
		{ "\\u002B", "\\u002F" },
		{ "\\\\u002B", "\\\\u002F" },
		{ "&#43;", "&#47;" },
		{ "&#x2B;", "&#x2f;" },
		{ "%2B", "%2F" },
		{ "-", "_" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct buffer t;

		buffer_init(&t, TEST_BYTES_MAX);
		buffer_text(&t, "{\"x5c\":[\"");
		put_escaped(&t, forms[i][0], forms[i][1]);
		buffer_text(&t, "\",\"");
		put_escaped(&t, forms[i][0], forms[i][1]);
		buffer_text(&t, "\"]}");
		gives(&t, 2, "base64", NULL);
		if (forms[i][0][0] == '-')
			continue;
		buffer_init(&t, TEST_BYTES_MAX);
		buffer_text(&t, "<a:X509Certificate>\n");
		put_escaped(&t, forms[i][0], forms[i][1]);
		buffer_text(&t, "</a:X509Certificate>");
		gives(&t, 1, "xml", NULL);
	}
}

static void before_the_digits(void **state)
{
	struct buffer t;

	(void)state;
	assert_true(base64_is_start(slice_text("%3DM"), 3));
	assert_true(base64_is_start(slice_text("\\u0022M"), 6));
	assert_false(base64_is_start(slice_text("%2BM"), 3));
	assert_false(base64_is_start(slice_text("\\u002bM"), 6));
	assert_false(base64_is_start(slice_text("\\/M"), 2));
	assert_int_equal(base64_digit_before(slice_text("\\\\u002b"), 7), 7);
	assert_int_equal(base64_digit_before(slice_text("u002b"), 5), 1);
	assert_int_equal(base64_digit_before(slice_text("."), 1), 0);
	assert_int_equal(base64_digit_before(slice_text(""), 0), 0);
	/* A form of a URL, with PEM in it. */
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "cert=-----BEGIN%20CERTIFICATE-----%0A");
	for (size_t i = 0; i < strlen(digits); i += 64)
		buffer_format(&t, "%.64s%%0A", digits + i);
	buffer_text(&t, "-----END%20CERTIFICATE-----%0A&x=y\n");
	gives(&t, 1, "base64", NULL);
}

static void put_folded(struct buffer *out, const char *after)
{
	for (size_t i = 0; i < strlen(digits); i += 64)
		buffer_format(out, "%.64s%s", digits + i, after);
}

static void elements(void **state)
{
	static const char *const ends[] = { "&#10;", "&#xA;", "&#13;\n", "&#xd;\n", "&#32;", "\n",
		"<!-- a+b -->" };
	struct buffer t;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		buffer_init(&t, TEST_BYTES_MAX);
		buffer_text(&t, "<X509Certificate>");
		put_folded(&t, ends[i]);
		buffer_text(&t, "</X509Certificate>");
		gives(&t, 1, "xml", NULL);
	}
	buffer_init(&t, TEST_BYTES_MAX);
	buffer_text(&t, "<X509Certificate> <![CDATA[\n");
	put_folded(&t, "\n");
	buffer_text(&t, "]]></X509Certificate>");
	gives(&t, 1, "xml", NULL);
}

/* As lines of `width` digits, or one. */
static void put_wrapped(struct buffer *out, struct slice plain, size_t width)
{
	char *text = base64_of(plain);

	for (size_t i = 0; i < strlen(text); i += width)
		buffer_format(out, "%s%.*s", i ? "\n    " : "", (int)width, text + i);
	free(text);
}

static void put_kubeconfig(struct buffer *out)
{
	struct buffer pem;
	char *text;

	buffer_init(&pem, TEST_BYTES_MAX);
	put_pem(&pem, "CERTIFICATE", slice_datum(&leaf));
	text = base64_of(buffer_bytes(&pem));
	buffer_format(out,
		"apiVersion: v1\nkind: Config\nclusters:\n- name: prod\n  cluster:\n"
		"    server: https://192.0.2.1:6443\n    certificate-authority-data: %s\n"
		"users:\n- name: admin\n  user:\n    client-certificate-data: %s\n",
		text, text);
	free(text);
	buffer_fini(&pem);
}

static void texts_in_base64(void **state)
{
	static const size_t widths[] = { 1000000, 76, 64 };
	struct buffer plain, t;

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		buffer_init(&plain, TEST_BYTES_MAX);
		buffer_init(&t, TEST_BYTES_MAX);
		put_kubeconfig(&plain);
		buffer_text(&t, "kind: Secret\ndata:\n  value: >-\n    ");
		put_wrapped(&t, buffer_bytes(&plain), widths[i]);
		buffer_text(&t, "\n");
		gives(&t, 2, "base64-pem", "data/value/clusters/prod");
		buffer_fini(&plain);
	}
}

/* Each way in which what marks them lies on groups of three bytes. */
static void shifted_texts(void **state)
{
	static const char *const forms[][2] = { { "{\"x5c\":[\"", "\"]}" },
		{ "<md:EntityDescriptor><ds:X509Certificate>", "</ds:X509Certificate>" } };

	(void)state;
	for (size_t form = 0; form < 2; form++)
		for (int before = 0; before < 6; before++)
			for (int glued = 0; glued < 2; glued++) {
				struct buffer plain, t;

				buffer_init(&plain, TEST_BYTES_MAX);
				buffer_init(&t, TEST_BYTES_MAX);
				buffer_format(&plain, "%.*s%s%s%s", before, "      ",
					forms[form][0], digits, forms[form][1]);
				/* What stands right before it does not belong to it. */
				buffer_format(&t, "data: %s", glued ? "ab" : "");
				put_wrapped(&t, buffer_bytes(&plain), 1000000);
				gives(&t, 1, "base64-pem", NULL);
				buffer_fini(&plain);
			}
}

static void in_utf16(struct slice plain, bool is_little, bool has_mark, struct buffer *out)
{
	if (has_mark)
		buffer_append(out, is_little ? "\xff\xfe" : "\xfe\xff", 2);
	for (size_t i = 0; i < plain.size; i++) {
		buffer_byte(out, is_little ? plain.data[i] : 0);
		buffer_byte(out, is_little ? 0 : plain.data[i]);
	}
}

static void utf16(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct buffer plain, t;

		buffer_init(&plain, TEST_BYTES_MAX);
		buffer_init(&t, TEST_BYTES_MAX);
		put_pem(&plain, "CERTIFICATE", slice_datum(&leaf));
		put_pem(&plain, "CERTIFICATE", slice_datum(&leaf));
		in_utf16(buffer_bytes(&plain), i & 1, i & 2, &t);
		gives(&t, 2, "utf16", NULL);
		buffer_clear(&plain);
		buffer_init(&t, TEST_BYTES_MAX);
		buffer_format(&plain, "<?xml version=\"1.0\"?><a><data>%s</data></a>", digits);
		in_utf16(buffer_bytes(&plain), i & 1, i & 2, &t);
		gives(&t, 1, "utf16", NULL);
		buffer_fini(&plain);
	}
}

static void utf16_of_nothing(void **state)
{
	struct collected c;
	struct buffer t;

	(void)state;
	buffer_init(&t, TEST_BYTES_MAX);
	in_utf16(slice_text("a log of Windows\r\n"), true, true, &t);
	buffer_byte(&t, 'x');
	c = collect(buffer_bytes(&t), NULL);
	assert_int_equal(c.count, 0);
	assert_null(c.which);
	collected_fini(&c);
	buffer_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escaped_digits),
		cmocka_unit_test(before_the_digits),
		cmocka_unit_test(elements),
		cmocka_unit_test(texts_in_base64),
		cmocka_unit_test(shifted_texts),
		cmocka_unit_test(utf16),
		cmocka_unit_test(utf16_of_nothing),
	};

	return cmocka_run_group_tests(tests, make, unmake);
}
