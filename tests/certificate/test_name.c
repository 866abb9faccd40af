/* Names: RFC 4514 whatever they hold, and alternative names. */
#include "agent/base/text.h"
#include "agent/certificate/name.h"
#include "tests/certificate/maker.h"

#include <stdlib.h>

#define CN "\x55\x04\x03"
#define O "\x55\x04\x0a"
#define C "\x55\x04\x06"
#define DC "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19"

enum { UTF8 = 0x0c, PRINTABLE = 0x13, T61 = 0x14, IA5 = 0x16, BMP = 0x1e };

static struct slice text_slice(const char *text, size_t size)
{
	return slice_of(text, size);
}
#define BYTES(text) text_slice(text, sizeof(text) - 1)

/* The text of a Name with these RDNs (their DER), to be freed. */
static char *text_of(const struct buffer *rdns)
{
	struct buffer name;
	char *text;

	buffer_init(&name, 1 << 24);
	put_tlv(&name, 0x30, buffer_bytes(rdns));
	text = certificate_name_text(buffer_bytes(&name));
	buffer_fini(&name);
	if (text)
		assert_true(text_is_clean(slice_text(text)));
	return text;
}

static void test_hostile_values(void **state)
{
	static const struct {
		uint8_t tag;
		const char *bytes;
		size_t size;
		const char *expected;
	} values[] = {
#define VALUE(tag, bytes, expected) { tag, bytes, sizeof(bytes) - 1, expected }
		VALUE(UTF8, "plain", "CN=plain"),
		VALUE(UTF8, "", "CN="),
		VALUE(UTF8, " a b ", "CN=\\ a b\\ "),
		VALUE(UTF8, " ", "CN=\\ "),
		VALUE(UTF8, "  ", "CN=\\ \\ "),
		VALUE(UTF8, "#1", "CN=\\#1"),
		VALUE(UTF8, "a#1", "CN=a#1"),
		VALUE(UTF8, "a,b+c;d<e>f\"g\\h=i", "CN=a\\,b\\+c\\;d\\<e\\>f\\\"g\\\\h=i"),
		VALUE(UTF8, "a\0b", "CN=a\\00b"),
		VALUE(UTF8, "a\nFAKE\x1b[31m", "CN=a\\0AFAKE\\1B[31m"),
		VALUE(UTF8, "\x7f", "CN=\\7F"),
		VALUE(UTF8, "\xc2\x85", "CN=\\C2\\85"),
		VALUE(UTF8, "a\xe2\x80\xaetxt", "CN=a\\E2\\80\\AEtxt"),
		VALUE(UTF8, "\xff\xfe", "CN=\\FF\\FE"),
		VALUE(UTF8, "\xc0\x80", "CN=\\C0\\80"),
		VALUE(UTF8, "\xed\xa0\x80", "CN=\\ED\\A0\\80"),
		VALUE(UTF8, "K\xc3\xa4se", "CN=Käse"),
		VALUE(PRINTABLE, "caf\xe9", "CN=caf\\E9"),
		VALUE(T61, "caf\xe9", "CN=café"),
		VALUE(T61, "\x85", "CN=\\C2\\85"),
		VALUE(BMP, "\0A\x20\xac", "CN=A€"),
		VALUE(BMP, "\0A\0", "CN=#1e03004100"),
		VALUE(0x04, "ab", "CN=#04026162"),
		VALUE(0x30, "", "CN=#3000"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct buffer rdns;
		char *text;

		buffer_init(&rdns, 1 << 20);
		put_rdn(&rdns, CN, values[i].tag, slice_of(values[i].bytes, values[i].size));
		text = text_of(&rdns);
		assert_string_equal(text, values[i].expected);
		free(text);
		buffer_fini(&rdns);
	}
}

static void test_order_and_types(void **state)
{
	struct buffer rdns;
	struct buffer set;
	struct buffer name;
	struct name_text read;

	(void)state;
	buffer_init(&rdns, 1 << 20);
	put_rdn(&rdns, C, PRINTABLE, BYTES("DE"));
	put_rdn(&rdns, DC, IA5, BYTES("example"));
	put_rdn(&rdns, CN, UTF8, BYTES("first"));
	put_rdn(&rdns, "\x2a\x03\x04", UTF8, BYTES("x"));
	buffer_init(&set, 1 << 20);
	put_pair(&set, BYTES(CN), UTF8, BYTES("last\x1b"));
	put_pair(&set, BYTES(O), UTF8, BYTES("Ex"));
	put_tlv(&rdns, 0x31, buffer_bytes(&set));
	buffer_init(&name, 1 << 20);
	put_tlv(&name, 0x30, buffer_bytes(&rdns));
	assert_int_equal(name_read(buffer_bytes(&name), &read), ERR_OK);
	assert_string_equal(read.text, "CN=last\\1B+O=Ex,1.2.3.4=#0c0178,CN=first,DC=example,C=DE");
	assert_string_equal(read.cn, "last\\x1B");
	assert_false(read.is_cut);
	free(read.text);
	free(read.cn);
	buffer_fini(&rdns);
	buffer_fini(&set);
	buffer_fini(&name);
}

static void test_odd_structures(void **state)
{
	struct buffer rdns;
	char *text;

	(void)state;
	text = certificate_name_text(BYTES("\x30\x00"));
	assert_string_equal(text, "");
	free(text);
	assert_null(certificate_name_text(BYTES("\x31\x00")));
	assert_null(certificate_name_text(BYTES("\x30\x05\x31")));
	assert_null(certificate_name_text(slice_of(NULL, 0)));
	text = certificate_name_text(BYTES("\x30\x02\x31\x00"));
	assert_string_equal(text, "");
	free(text);
	/* An RDN that is no SET, an attribute without a value, and bytes that are nothing. */
	text = certificate_name_text(BYTES("\x30\x02\x04\x00"));
	assert_string_equal(text, "#0400");
	free(text);
	text = certificate_name_text(BYTES("\x30\x09\x31\x07\x30\x05\x06\x03\x55\x04\x03"));
	assert_string_equal(text, "#310730050603550403");
	free(text);
	buffer_init(&rdns, 1 << 20);
	put_rdn(&rdns, CN, UTF8, BYTES("a"));
	buffer_append(&rdns, "\x31\x7f", 2);
	text = text_of(&rdns);
	assert_string_equal(text, "#317f,CN=a");
	free(text);
	buffer_fini(&rdns);
}

static void test_ceilings(void **state)
{
	static uint8_t big[60000];
	struct buffer rdns;
	struct buffer name;
	struct name_text read;

	(void)state;
	memset(big, 0x01, sizeof(big));
	buffer_init(&rdns, 1 << 24);
	put_rdn(&rdns, CN, UTF8, slice_of(big, sizeof(big)));
	buffer_init(&name, 1 << 24);
	put_tlv(&name, 0x30, buffer_bytes(&rdns));
	assert_int_equal(name_read(buffer_bytes(&name), &read), ERR_OK);
	assert_true(read.is_cut);
	assert_int_equal(strlen(read.text), RECORD_TEXT_BYTES_MAX);
	assert_int_equal(strlen(read.cn), RECORD_TEXT_BYTES_MAX);
	free(read.text);
	free(read.cn);
	buffer_clear(&rdns);
	buffer_clear(&name);
	for (int i = 0; i < 1000; i++)
		put_rdn(&rdns, O, UTF8, BYTES("x"));
	put_tlv(&name, 0x30, buffer_bytes(&rdns));
	assert_int_equal(name_read(buffer_bytes(&name), &read), ERR_OK);
	assert_true(read.is_cut);
	assert_true(strlen(read.text) > 500);
	free(read.text);
	assert_null(read.cn);
	buffer_fini(&rdns);
	buffer_fini(&name);
}

static void check_alternative(uint8_t tag, struct slice content, const char *expected)
{
	struct strings names = { 0 };
	struct alternatives all = { .names = &names };
	struct buffer one;
	struct buffer list;

	buffer_init(&one, 1 << 20);
	buffer_init(&list, 1 << 20);
	put_tlv(&one, tag, content);
	put_tlv(&list, 0x30, buffer_bytes(&one));
	assert_int_equal(name_alternatives(buffer_bytes(&list), &all), ERR_OK);
	assert_int_equal(names.count, 1);
	assert_string_equal(names.items[0], expected);
	assert_false(all.is_cut);
	assert_int_equal(all.seen, 1);
	strings_fini(&names);
	buffer_fini(&one);
	buffer_fini(&list);
}

static void test_alternatives(void **state)
{
	(void)state;
	check_alternative(0x82, BYTES("a.example"), "dns:a.example");
	check_alternative(0x82, BYTES("a\0b\nc"), "dns:a\\x00b\\x0Ac");
	check_alternative(0x82, BYTES("\xff"), "dns:\\xFF");
	check_alternative(0x82, BYTES(""), "dns:");
	check_alternative(0x81, BYTES("a@b"), "email:a@b");
	check_alternative(0x86, BYTES("spiffe://x/y"), "uri:spiffe://x/y");
	check_alternative(0x87, BYTES("\xc0\x00\x02\x01"), "ip:192.0.2.1");
	check_alternative(
		0x87, BYTES("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"), "ip:2001:db8::1");
	check_alternative(0x87, BYTES("\xc0\x00\x02"), "other:#c00002");
	check_alternative(0x88, BYTES("\x2a\x03"), "other:rid=1.2.3");
	check_alternative(0x88, BYTES("\x2a\x83"), "other:#88022a83");
	check_alternative(0xa4, BYTES("\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01\x61"),
		"other:dirName=CN=a");
	check_alternative(0xa0,
		BYTES("\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x14\x02\x03\xa0\x05\x0c\x03u@d"),
		"other:1.3.6.1.4.1.311.20.2.3=u@d");
	check_alternative(0xa0, BYTES("\x06\x02\x2a\x03\xa0\x02\x05\x00"), "other:1.2.3=#0500");
	check_alternative(0xa0, BYTES("junk"), "other:#a0046a756e6b");
	check_alternative(0xa3, BYTES("x"), "other:#a30178");
	check_alternative(0x0c, BYTES("x"), "other:#0c0178");
}

static void test_many_alternatives(void **state)
{
	struct strings names = { 0 };
	struct buffer list;
	size_t wanted = RECORD_NAMES_MAX + 10;
	struct alternatives all = { .names = &names };

	(void)state;
	buffer_init(&list, 1 << 24);
	/* A SEQUENCE of known length before its content. */
	buffer_append(&list, "\x30\x83", 2);
	buffer_byte(&list, (uint8_t)(wanted * 3 >> 16));
	buffer_byte(&list, (uint8_t)(wanted * 3 >> 8));
	buffer_byte(&list, (uint8_t)(wanted * 3));
	for (size_t i = 0; i < wanted; i++)
		buffer_append(&list, "\x82\x01x", 3);
	assert_int_equal(name_alternatives(buffer_bytes(&list), &all), ERR_OK);
	assert_int_equal(names.count, RECORD_NAMES_MAX);
	assert_true(all.is_cut);
	assert_int_equal(all.seen, wanted);
	strings_fini(&names);
	buffer_fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_values),
		cmocka_unit_test(test_order_and_types),
		cmocka_unit_test(test_odd_structures),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_alternatives),
		cmocka_unit_test(test_many_alternatives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
