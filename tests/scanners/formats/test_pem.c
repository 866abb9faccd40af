/* PEM as it stands in real files: bundles, source code, JSON, YAML, manuals, damaged. */
#include "collect.h"

struct fixture {
	gnutls_datum_t der;
	char sha256[65];
	struct buffer text;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_certificate("pem.example.org", &f->der);
	sha256_text(slice_datum(&f->der), f->sha256);
	buffer_init(&f->text, TEST_BYTES_MAX);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	gnutls_free(f->der.data);
	buffer_fini(&f->text);
	free(f);
	return 0;
}

/* Exactly `count` times the fixture's certificate and `problems` problems. */
static void expect(struct fixture *f, size_t count, size_t problems)
{
	struct collected c = collect(buffer_bytes(&f->text), NULL);

	assert_int_equal(c.certificates, count);
	assert_int_equal(c.problems, problems);
	for (size_t i = 0; i < c.count; i++)
		if (!c.items[i].is_problem)
			assert_string_equal(c.items[i].sha256, f->sha256);
	if (!count && !problems)
		assert_null(c.which);
	collected_fini(&c);
	buffer_clear(&f->text);
}

static void labels_and_duplicates(void **state)
{
	struct fixture *f = *state;
	struct slice der = slice_datum(&f->der);

	buffer_text(&f->text, "\xef\xbb\xbf");
	put_pem(&f->text, "CERTIFICATE", der);
	buffer_text(&f->text, "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n");
	put_pem(&f->text, "X509 CERTIFICATE", der);
	buffer_text(&f->text, "Bag Attributes\n    friendlyName: x\n");
	put_pem(&f->text, "CERTIFICATE", der);
	put_pem(&f->text, "CERTIFICATE REQUEST", der);
	expect(f, 3, 0);
}

static void trusted_takes_the_first_sequence(void **state)
{
	struct fixture *f = *state;
	struct buffer der;

	buffer_init(&der, TEST_BYTES_MAX);
	buffer_slice(&der, slice_datum(&f->der));
	buffer_append(&der, "\x30\x03\x0c\x01x", 5);
	put_pem(&f->text, "TRUSTED CERTIFICATE", buffer_bytes(&der));
	buffer_fini(&der);
	expect(f, 1, 0);
}

static void put_lines(struct fixture *f, const char *before, const char *after)
{
	buffer_format(&f->text, "%s-----BEGIN CERTIFICATE-----%s", before, after);
	put_base64(&f->text, slice_datum(&f->der), before, after);
	buffer_format(&f->text, "%s-----END CERTIFICATE-----%s", before, after);
}

static void decorations(void **state)
{
	static const char *const around[][2] = {
		{ "", "\r\n" },
		{ "", "\r" },
		{ "    ", "\n" },
		{ "\t", " \t\n" },
		{ "", "\\n" },
		{ "", "\\r\\n" },
		{ "", "\\\\n" },
		{ "# ", "\n" },
		{ "// ", "\n" },
		{ "  * ", "\n" },
		{ "> ", "\n" },
		{ "+", "\n" },
		{ "-- ", "\n" },
		{ "\"", "\\n\"\n" },
		{ "  \"", "\\n\" \\\n" },
		{ "'", "\\n' +\n" },
		{ "\t\"", "\\n\" + // line\n" },
		{ "\"", "\",\n" },
		{ "\"", "\\n\" .\n" },
		{ "", "\\n\\\n" },
		{ "", "&#10;" },
		{ "", "&#xA;" },
		{ "", "\\u000a" },
		{ "", " " },
		{ ";", "\n" },
		{ "`", "`,\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		print_message("decoration %zu\n", i);
		buffer_text(&f->text, "text before\n");
		put_lines(f, around[i][0], around[i][1]);
		buffer_text(&f->text, "\ntext after\n");
		expect(f, 1, 0);
	}
}

static void in_one_string(void **state)
{
	static const char *const around[][3] = {
		{ "{\"cert\": \"", "\\n", "\\n\", \"x\": 1}\n" },
		{ "cert = \"\"\"", "\n", "\"\"\"\n" },
		{ "const char c[] = \"", "\\n", "\";\n" },
		{ "CERT='", "\n", "'\nexport CERT\n" },
		{ "{\\\"pem\\\":\\\"", "\\\\n", "\\\\n\\\"}" },
		{ "<ca>", "\n", "</ca>\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
		print_message("string %zu\n", i);
		buffer_format(
			&f->text, "%s-----BEGIN CERTIFICATE-----%s", around[i][0], around[i][1]);
		put_base64(&f->text, slice_datum(&f->der), "", around[i][1]);
		buffer_format(&f->text, "-----END CERTIFICATE-----%s", around[i][2]);
		expect(f, 1, 0);
	}
}

static void json_escapes_in_base64(void **state)
{
	struct fixture *f = *state;
	struct buffer plain;

	buffer_init(&plain, TEST_BYTES_MAX);
	put_pem(&plain, "CERTIFICATE", slice_datum(&f->der));
	buffer_text(&f->text, "{\"cert\":\"");
	for (size_t i = 0; i < plain.size; i++)
		if (plain.data[i] == '\n')
			buffer_text(&f->text, "\\n");
		else if (plain.data[i] == '+' || plain.data[i] == '=')
			buffer_format(&f->text, "\\u%04X", plain.data[i]);
		else if (plain.data[i] == '/')
			buffer_text(&f->text, "\\/");
		else
			buffer_byte(&f->text, plain.data[i]);
	buffer_text(&f->text, "\"}");
	buffer_fini(&plain);
	expect(f, 1, 0);
}

static void headers_and_padding(void **state)
{
	struct fixture *f = *state;

	buffer_text(&f->text,
		"-----BEGIN CERTIFICATE-----\nProc-Type: 4,MIC-CLEAR\nComment: a\n folded line\n\n");
	put_base64(&f->text, slice_datum(&f->der), "", "\n");
	while (f->text.data[f->text.size - 1] == '\n' || f->text.data[f->text.size - 1] == '=')
		f->text.size--;
	buffer_text(&f->text, "\n-----END CERTIFICATE-----");
	expect(f, 1, 0);
}

static void damage_is_told(void **state)
{
	struct fixture *f = *state;
	struct slice der = slice_datum(&f->der);
	struct collected c;

	/* No END: the certificate is whole, the block is not. */
	buffer_text(&f->text, "-----BEGIN CERTIFICATE-----\n");
	put_base64(&f->text, der, "", "\n");
	expect(f, 1, 1);
	/* The next block begins before this one ends. */
	buffer_text(&f->text, "-----BEGIN CERTIFICATE-----\n");
	put_base64(&f->text, der, "", "\n");
	put_pem(&f->text, "CERTIFICATE", der);
	expect(f, 2, 1);
	/* A remark in the middle. */
	put_pem(&f->text, "CERTIFICATE", der);
	memcpy(memchr(f->text.data + 40, '\n', f->text.size - 40), "*", 1);
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_MALFORMED);
	assert_true(strlen(c.items[0].sha256) == 64);
	collected_fini(&c);
	buffer_clear(&f->text);
	/* Cut off in the middle. */
	put_pem(&f->text, "CERTIFICATE", der);
	f->text.size -= f->text.size / 2;
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_MALFORMED);
	assert_true(strlen(c.items[0].sha256) == 64);
	collected_fini(&c);
}

static void mentions_are_nothing(void **state)
{
	static const char *const texts[] = {
		"The file starts with -----BEGIN CERTIFICATE----- and ends with -----END CERTIFICATE-----.\n",
		"if (is(s, \"-----BEGIN CERTIFICATE-----\"))\nb = 1;\nif (is(s, \"-----END C\"))\n",
		"-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nMIIDXTCCAkWgAwIBAgIJ...\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\nBASE64ENCODEDCERTIFICATE\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n<your certificate here>\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----",
		"-----BEGIN ",
		"-----BEGIN CERTIFICATE",
		"-----END CERTIFICATE-----",
		"-----BEGIN CERTIFICATE-----\n\n\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n",
		"grep -c 'BEGIN CERTIFICATE' file\n",
		"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n-----END PRIVATE KEY-----\n",
		"-----BEGIN CERTIFICATE-----\na text that goes on\nwith words\nas manuals do, and so on\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		print_message("mention %zu\n", i);
		buffer_text(&f->text, texts[i]);
		expect(f, 0, 0);
	}
}

static void not_a_certificate_in_a_block(void **state)
{
	struct fixture *f = *state;

	put_pem(&f->text, "CERTIFICATE",
		slice_text("\x02\x10"
			   "0123456789abcdef"));
	expect(f, 0, 1);
}

static void base64_of_pem(void **state)
{
	struct fixture *f = *state;
	struct buffer inner;
	struct collected c;

	buffer_init(&inner, TEST_BYTES_MAX);
	put_pem(&inner, "CERTIFICATE", slice_datum(&f->der));
	put_pem(&inner, "CERTIFICATE", slice_datum(&f->der));
	buffer_text(&f->text, "clusters:\n- cluster:\n    certificate-authority-data: ");
	put_base64(&f->text, buffer_bytes(&inner), "", "");
	buffer_text(&f->text,
		"\n    server: https://192.0.2.1\nusers:\n- user:\n    client-certificate-data: >-\n");
	put_base64(&f->text, buffer_bytes(&inner), "      ", "\n");
	buffer_text(&f->text, "    client-key-data: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg==\n");
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.certificates, 4);
	assert_int_equal(c.problems, 0);
	assert_string_equal(c.which->name, "base64-pem");
	collected_fini(&c);
	/* Both kinds in one text, and neither hides the other. */
	put_pem(&f->text, "CERTIFICATE", slice_datum(&f->der));
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.certificates, 5);
	assert_string_equal(c.items[0].format->name, "pem");
	assert_string_equal(c.items[4].format->name, "base64-pem");
	collected_fini(&c);
	buffer_clear(&f->text);
	buffer_text(&f->text, "{\"ca\":\"");
	put_base64(&f->text, buffer_bytes(&inner), "", "\\n");
	buffer_text(&f->text, "\"}");
	expect(f, 2, 0);
	buffer_fini(&inner);
}

static void base64_in_base64_ends(void **state)
{
	struct fixture *f = *state;
	struct buffer inner;
	struct collected c;

	put_pem(&f->text, "CERTIFICATE", slice_datum(&f->der));
	for (int i = 0; i < 6; i++) {
		buffer_init(&inner, TEST_BYTES_MAX);
		buffer_text(&inner, "-----BEGIN x-----\n");
		put_base64(&inner, buffer_bytes(&f->text), "", "");
		buffer_fini(&f->text);
		f->text = inner;
	}
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.certificates, 0);
	assert_int_equal(c.problems, 1);
	assert_int_equal(c.items[0].reason, REASON_LIMIT_REACHED);
	collected_fini(&c);
}

static void many_begins_cost_linear_time(void **state)
{
	struct fixture *f = *state;
	clock_t start = clock();
	struct collected c;

	while (f->text.size < 4 * 1024 * 1024)
		buffer_text(&f->text, "-----BEGIN CERTIFICATE-----\n\"-----");
	c = collect(buffer_bytes(&f->text), NULL);
	assert_int_equal(c.count, 0);
	collected_fini(&c);
	assert_true((clock() - start) / CLOCKS_PER_SEC < 5);
}

/* Where the end of the content was left out, and that is told, what lacks there is no damage; what is damaged before
 * it is. */
static void end_left_out(void **state)
{
	static const char *const labels[] = { "CERTIFICATE", "X509 CRL", "PKCS7" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		size_t first;

		buffer_clear(&f->text);
		put_pem(&f->text, "CERTIFICATE", slice_datum(&f->der));
		first = f->text.size;
		put_pem(&f->text, labels[i], slice_datum(&f->der));
		/* Up to where the END line begins to be one. */
		for (size_t size = first; size < f->text.size - 30; size++) {
			struct slice cut = slice_of(f->text.data, size);
			struct collected c =
				collect_with((struct collected){ .is_cut = true }, cut);

			assert_true(c.certificates >= 1);
			assert_int_equal(c.problems, 0);
			collected_fini(&c);
		}
		/* The same is damage where nothing was left out. */
		{
			struct slice cut = slice_of(f->text.data, f->text.size - 40);
			struct collected c = collect(cut, NULL);

			assert_true(c.problems >= 1);
			collected_fini(&c);
		}
		/* And in front of another block. */
		f->text.size -= 40;
		buffer_text(&f->text, "\n");
		put_pem(&f->text, "CERTIFICATE", slice_datum(&f->der));
		{
			struct collected c = collect_with((struct collected){ .is_cut = true },
				slice_of(f->text.data, f->text.size - 40));

			assert_true(c.problems >= 1);
			collected_fini(&c);
		}
	}
	buffer_clear(&f->text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(labels_and_duplicates, setup, teardown),
		cmocka_unit_test_setup_teardown(trusted_takes_the_first_sequence, setup, teardown),
		cmocka_unit_test_setup_teardown(decorations, setup, teardown),
		cmocka_unit_test_setup_teardown(in_one_string, setup, teardown),
		cmocka_unit_test_setup_teardown(json_escapes_in_base64, setup, teardown),
		cmocka_unit_test_setup_teardown(headers_and_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(damage_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(mentions_are_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(not_a_certificate_in_a_block, setup, teardown),
		cmocka_unit_test_setup_teardown(base64_of_pem, setup, teardown),
		cmocka_unit_test_setup_teardown(base64_in_base64_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(end_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(many_begins_cost_linear_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
