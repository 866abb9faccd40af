/* The set of what was looked at. */
#include "scanners/files/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define CONTEXT 7

static struct stat stat_of(uint64_t number)
{
	return (struct stat){ .st_dev = 1,
		.st_ino = number,
		.st_size = 100,
		.st_mtim = { .tv_sec = 5 },
		.st_ctim = { .tv_sec = 6 } };
}

static uint64_t file(const struct seen *s, uint64_t number)
{
	struct stat st = stat_of(number);

	return seen_file(s, seen_path(s, 0, slice_text("/etc/name")), &st);
}

/* A set of `count` files, each third a holder. */
static void fill(const struct seen *s, size_t count, struct buffer *out)
{
	struct seen_list lists[3] = { 0 };

	for (uint64_t i = 0; i < count; i++)
		seen_add(&lists[i % 2], file(s, i) | (i % 3 == 0 ? SEEN_HOLDER : 0));
	assert_int_equal(seen_write(s, lists, 3, out), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		seen_list_fini(&lists[i]);
}

static void check(const struct seen *s, size_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		bool is_holder = i % 3 != 0;

		assert_true(seen_find(s, file(s, i), &is_holder));
		assert_int_equal(is_holder, i % 3 == 0);
	}
}

static void test_round_trip(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 100, 4095, 4096, 50000 };

	(void)state;
	for (size_t n = 0; n < sizeof(counts) / sizeof(counts[0]); n++) {
		struct seen s;
		struct buffer memory;
		bool is_holder;

		assert_int_equal(seen_init(&s, CONTEXT), ERR_OK);
		buffer_init(&memory, SEEN_BYTES_MAX);
		fill(&s, counts[n], &memory);
		assert_int_equal(seen_load(&s, &memory), ERR_OK);
		assert_int_equal(s.count, counts[n]);
		check(&s, counts[n]);
		assert_false(seen_find(&s, file(&s, 1000000), &is_holder));
		buffer_fini(&memory);
		seen_fini(&s);
	}
}

static void test_everything_counts(void **state)
{
	struct seen s;
	struct stat st = stat_of(1);
	uint64_t path;
	uint64_t was;

	(void)state;
	assert_int_equal(seen_init(&s, CONTEXT), ERR_OK);
	path = seen_path(&s, 0, slice_text("/a"));
	was = seen_file(&s, path, &st);
	assert_int_equal(was & SEEN_HOLDER, 0);
	assert_int_equal(was, seen_file(&s, path, &st));
#define DIFFERS(change)                                              \
	do {                                                         \
		st = stat_of(1);                                     \
		change;                                              \
		assert_int_not_equal(was, seen_file(&s, path, &st)); \
	} while (0)
	DIFFERS(st.st_dev++);
	DIFFERS(st.st_ino++);
	DIFFERS(st.st_size++);
	DIFFERS(st.st_mtim.tv_sec++);
	DIFFERS(st.st_mtim.tv_nsec++);
	DIFFERS(st.st_ctim.tv_sec++);
	DIFFERS(st.st_ctim.tv_nsec++);
#undef DIFFERS
	assert_int_not_equal(path, seen_path(&s, 0, slice_text("/b")));
	assert_int_not_equal(path, seen_path(&s, 1, slice_text("/a")));
	assert_int_not_equal(seen_path(&s, 0, slice_text("12345678")),
		seen_path(&s, 0, slice_text("123456789")));
	seen_fini(&s);
}

static void test_damage_is_noticed(void **state)
{
	struct seen s;
	struct buffer memory;
	struct buffer copy;

	(void)state;
	assert_int_equal(seen_init(&s, CONTEXT), ERR_OK);
	buffer_init(&memory, SEEN_BYTES_MAX);
	buffer_init(&copy, SEEN_BYTES_MAX);
	fill(&s, 50, &memory);
	for (size_t bit = 0; bit < memory.size * 8; bit++) {
		buffer_clear(&copy);
		buffer_slice(&copy, buffer_bytes(&memory));
		copy.data[bit / 8] ^= (uint8_t)(1U << (bit % 8));
		assert_int_equal(seen_load(&s, &copy), ERR_MALFORMED);
	}
	for (size_t size = 0; size < memory.size; size++) {
		buffer_clear(&copy);
		buffer_append(&copy, memory.data, size);
		assert_int_equal(seen_load(&s, &copy), ERR_MALFORMED);
	}
	assert_int_equal(s.count, 0);
	s.context++;
	assert_int_equal(seen_load(&s, &memory), ERR_MALFORMED);
	buffer_fini(&copy);
	buffer_fini(&memory);
	seen_fini(&s);
}

static void test_holders_are_dropped(void **state)
{
	struct seen s;
	struct buffer memory;
	struct buffer out;
	bool is_holder;

	(void)state;
	assert_int_equal(seen_init(&s, CONTEXT), ERR_OK);
	buffer_init(&memory, SEEN_BYTES_MAX);
	buffer_init(&out, SEEN_BYTES_MAX);
	fill(&s, 3000, &memory);
	/* It is appended to what is there. */
	buffer_text(&out, "before");
	assert_int_equal(seen_drop_holders(buffer_bytes(&memory), &out), ERR_OK);
	buffer_consume(&out, 6);
	assert_int_equal(seen_load(&s, &out), ERR_OK);
	assert_int_equal(s.count, 2000);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(seen_find(&s, file(&s, i), &is_holder), i % 3 != 0);
	memory.data[memory.size - 1] ^= 1;
	assert_int_equal(seen_drop_holders(buffer_bytes(&memory), &out), ERR_MALFORMED);
	buffer_fini(&memory);
	buffer_fini(&out);
	seen_fini(&s);
}

static void test_racy(void **state)
{
	struct stat st = { .st_ctim = { .tv_sec = 1000 } };

	(void)state;
	assert_true(seen_is_racy(&st, 900));
	assert_true(seen_is_racy(&st, 1000));
	assert_true(seen_is_racy(&st, 1001));
	assert_false(seen_is_racy(&st, 1002));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_everything_counts),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_holders_are_dropped),
		cmocka_unit_test(test_racy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
