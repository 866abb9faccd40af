/* What main tells the token role, what that remembers, what it tells the parser: there and back, and hostile. */
#include "scanners/tokens/work.h"

#include "agent/base/wire.h"
#include "scanners/token_finding.h"
#include "scanners/tokens/modules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void encode(struct buffer *out)
{
	char uri[] = "pkcs11:token=one", pin[] = "1234", stamp[] = "1.2.3", complaint[] = "no file";
	struct token_wish wishes[] = {
		{ .uri = uri, .pin = { .text = pin, .stamp = stamp } },
		{ .uri = uri, .pin = { .complaint = complaint } },
	};
	struct token_work w = { .wishes = wishes,
		.wishes_count = 2,
		.named_modules = 1,
		.has_network = true,
		.timeout_ms = 5000,
		.tokens_max = 7,
		.certificates_max = 8,
		.certificate_bytes_max = 9,
		.is_limited = true };

	assert_int_equal(strings_add(&w.modules, "/a.so"), ERR_OK);
	assert_int_equal(strings_add(&w.modules, "/b.so"), ERR_OK);
	assert_int_equal(strings_add(&w.writable, "/dev"), ERR_OK);
	buffer_init(out, TOKEN_WORK_BYTES_MAX);
	token_work_encode(out, &w);
	assert_int_equal(buffer_status(out), ERR_OK);
	strings_fini(&w.modules);
	strings_fini(&w.writable);
}

static void test_work(void **state)
{
	struct token_work w = { 0 };
	struct buffer bytes;

	(void)state;
	encode(&bytes);
	assert_int_equal(token_work_decode(buffer_bytes(&bytes), &w), ERR_OK);
	assert_int_equal(w.modules.count, 2);
	assert_int_equal(w.named_modules, 1);
	assert_int_equal(w.wishes_count, 2);
	assert_string_equal(w.wishes[0].pin.text, "1234");
	assert_string_equal(w.wishes[0].pin.stamp, "1.2.3");
	assert_null(w.wishes[1].pin.text);
	assert_string_equal(w.wishes[1].pin.complaint, "no file");
	assert_null(w.pin.text);
	assert_true(w.has_network);
	assert_int_equal(w.timeout_ms, 5000);
	assert_int_equal(w.tokens_max, 7);
	assert_int_equal(w.certificates_max, 8);
	assert_int_equal(w.certificate_bytes_max, 9);
	assert_true(w.is_limited);
	token_work_fini(&w);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(token_work_decode(slice_of(bytes.data, size), &w), ERR_MALFORMED);
	/* More wishes than there may be: after the version, two modules and their count. */
	bytes.data[1 + 4 + 2 * (4 + 5) + 4] = 0xff;
	assert_int_equal(token_work_decode(buffer_bytes(&bytes), &w), ERR_MALFORMED);
	buffer_wipe(&bytes);
}

static void test_memory(void **state)
{
	struct token_memory m = { 0 }, back = { 0 };
	struct buffer bytes;

	(void)state;
	assert_int_equal(strings_add(&m.refused_tokens, "pkcs11:token=one"), ERR_OK);
	assert_int_equal(strings_add(&m.refused_stamps, "1.2"), ERR_OK);
	assert_int_equal(strings_add(&m.modules, "/a.so"), ERR_OK);
	assert_int_equal(strings_add(&m.tokens, "pkcs11:token=two"), ERR_OK);
	buffer_init(&bytes, 4096);
	token_memory_encode(&bytes, &m);
	assert_int_equal(token_memory_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_true(token_memory_has_refused(&back, "pkcs11:token=one", "1.2"));
	assert_false(token_memory_has_refused(&back, "pkcs11:token=one", "1.3"));
	assert_false(token_memory_has_refused(&back, "pkcs11:token=two", "1.2"));
	assert_false(token_memory_has_refused(&back, "pkcs11:token=one", NULL));
	token_memory_fini(&back);
	for (size_t size = 0; size < bytes.size; size++) {
		assert_int_equal(
			token_memory_decode(slice_of(bytes.data, size), &back), ERR_MALFORMED);
		assert_int_equal(back.refused_tokens.count, 0);
	}
	/* Lists of two lengths. */
	assert_int_equal(strings_add(&m.refused_tokens, "pkcs11:token=three"), ERR_OK);
	buffer_clear(&bytes);
	token_memory_encode(&bytes, &m);
	assert_int_equal(token_memory_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
	token_memory_fini(&m);
}

static void test_certificates(void **state)
{
	char uri[] = "pkcs11:token=one;object=x", label[] = "x";
	const struct token_certificate c = {
		.uri = uri, .label = label, .is_trusted = true, .der = slice_text("0123")
	};
	struct token_certificate back;
	struct buffer bytes;
	struct wire w;

	(void)state;
	buffer_init(&bytes, 4096);
	token_certificate_encode(&bytes, &c);
	token_certificate_encode(&bytes, &c);
	w = wire_of(buffer_bytes(&bytes));
	for (int i = 0; i < 2; i++) {
		assert_true(token_certificate_next(&w, &back));
		assert_string_equal(back.uri, uri);
		assert_string_equal(back.label, "x");
		assert_null(back.key_uri);
		assert_true(back.is_trusted);
		assert_int_equal(back.der.size, 4);
		token_certificate_fini(&back);
	}
	assert_false(token_certificate_next(&w, &back));
	assert_int_equal(wire_end(&w), ERR_OK);
	for (size_t size = 1; size < bytes.size / 2; size++) {
		w = wire_of(slice_of(bytes.data, size));
		assert_false(token_certificate_next(&w, &back));
		assert_int_equal(wire_end(&w), ERR_MALFORMED);
	}
	buffer_fini(&bytes);
}

static void test_places(void **state)
{
	char *place = token_module_place("/usr/lib/a b.so");

	(void)state;
	assert_string_equal(place, "pkcs11:?module-path=/usr/lib/a%20b.so");
	free(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
