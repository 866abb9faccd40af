/* Bounded buffers and bytes on a wire. */
#include "agent/base/buffer.h"
#include "agent/base/strings.h"
#include "agent/base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_ceiling(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 10);
	buffer_text(&b, "0123456789");
	assert_int_equal(buffer_status(&b), ERR_OK);
	buffer_byte(&b, 'x');
	assert_int_equal(buffer_status(&b), ERR_LIMIT);
	assert_string_equal(buffer_string(&b), "0123456789");
	buffer_clear(&b);
	assert_int_equal(buffer_status(&b), ERR_OK);
	buffer_format(&b, "%d", 12345);
	assert_string_equal(buffer_string(&b), "12345");
	buffer_consume(&b, 2);
	assert_string_equal(buffer_string(&b), "345");
	buffer_consume(&b, 99);
	assert_string_equal(buffer_string(&b), "");
	buffer_fini(&b);
}

static void test_take(void **state)
{
	struct buffer b;
	char *text;

	(void)state;
	buffer_init(&b, 3);
	text = buffer_take_string(&b);
	assert_string_equal(text, "");
	free(text);
	buffer_text(&b, "abcd");
	assert_null(buffer_take_string(&b));
	buffer_text(&b, "abc");
	text = buffer_take_string(&b);
	assert_string_equal(text, "abc");
	free(text);
}

static void put_all(struct buffer *b)
{
	struct strings list = { 0 };

	assert_int_equal(strings_add(&list, "one"), ERR_OK);
	assert_int_equal(strings_add(&list, ""), ERR_OK);
	wire_put_u8(b, 200);
	wire_put_u16(b, 60000);
	wire_put_u32(b, 4000000000U);
	wire_put_u64(b, UINT64_MAX);
	wire_put_i64(b, INT64_MIN);
	wire_put_bool(b, true);
	wire_put_text(b, NULL);
	wire_put_text(b, "text");
	wire_put_bytes(b, slice_of("\0\1", 2));
	wire_put_strings(b, &list);
	strings_fini(&list);
}

static enum err get_all(struct slice bytes)
{
	struct wire w = wire_of(bytes);
	struct strings list = { 0 };
	struct slice raw;
	char *text;
	char *none;
	enum err e;

	(void)wire_get_u8(&w);
	(void)wire_get_u16(&w);
	(void)wire_get_u32(&w);
	(void)wire_get_u64(&w);
	(void)wire_get_i64(&w);
	(void)wire_get_bool(&w);
	none = wire_get_text(&w, 10);
	text = wire_get_text(&w, 10);
	raw = wire_get_bytes(&w, 10);
	wire_get_strings(&w, &list, 10, 10);
	e = wire_end(&w);
	if (e == ERR_OK) {
		assert_null(none);
		assert_string_equal(text, "text");
		assert_int_equal(raw.size, 2);
		assert_int_equal(list.count, 2);
		assert_string_equal(list.items[0], "one");
	}
	free(none);
	free(text);
	strings_fini(&list);
	return e;
}

static void test_wire(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 1000);
	put_all(&b);
	assert_int_equal(get_all(buffer_bytes(&b)), ERR_OK);
	for (size_t size = 0; size < b.size; size++)
		assert_int_equal(get_all(slice_of(b.data, size)), ERR_MALFORMED);
	buffer_byte(&b, 0);
	assert_int_equal(get_all(buffer_bytes(&b)), ERR_MALFORMED);
	buffer_fini(&b);
}

static void test_wire_ceilings(void **state)
{
	struct buffer b;
	struct wire w;

	(void)state;
	buffer_init(&b, 1000);
	wire_put_text(&b, "longer than allowed");
	w = wire_of(buffer_bytes(&b));
	assert_null(wire_get_text(&w, 5));
	assert_int_equal(wire_end(&w), ERR_MALFORMED);
	buffer_clear(&b);
	wire_put_u8(&b, 1);
	wire_put_bytes(&b, slice_of("a\0b", 3)); /* a text with a NUL inside */
	w = wire_of(buffer_bytes(&b));
	assert_null(wire_get_text(&w, 5));
	assert_true(w.bad);
	buffer_clear(&b);
	wire_put_u8(&b, 2);
	w = wire_of(buffer_bytes(&b));
	(void)wire_get_bool(&w);
	assert_true(w.bad);
	buffer_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_wire_ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
