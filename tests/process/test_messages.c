/* Keys in tokens and signatures by them, as main, probe and token role tell them: there and back, and hostile. */
#include "agent/process/messages.h"

#include "agent/base/wire.h"
#include "agent/certificate/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_key(void **state)
{
	const struct key_answer good = { .number = 3,
		.is_usable = true,
		.algorithm = 1,
		.bits = 2048,
		.has_pss = true,
		.chain = slice_text("chain") };
	const struct key_answer bad = { .number = 1,
		.reason = REASON_TIMEOUT,
		.message = slice_text("no answer"),
		.has_refused_pin = true };
	struct key_answer hostile = bad, back;
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, FRAME_BYTES_MAX);
	key_answer_encode(&bytes, &good);
	assert_int_equal(key_answer_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_true(back.number == 3 && back.is_usable && back.has_pss && back.bits == 2048);
	assert_memory_equal(back.chain.data, "chain", back.chain.size);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(
			key_answer_decode(slice_of(bytes.data, size), &back), ERR_MALFORMED);
	buffer_clear(&bytes);
	key_answer_encode(&bytes, &bad);
	assert_int_equal(key_answer_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_true(!back.is_usable && back.reason == REASON_TIMEOUT && back.has_refused_pin);
	hostile.message = slice_text("a\033[31mb");
	buffer_clear(&bytes);
	key_answer_encode(&bytes, &hostile);
	assert_int_equal(key_answer_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	hostile = bad;
	hostile.reason = REASON_COUNT;
	buffer_clear(&bytes);
	key_answer_encode(&bytes, &hostile);
	assert_int_equal(key_answer_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
}

static void test_signatures(void **state)
{
	const struct sign_request asked = {
		.id = 7, .number = 2, .scheme = 4, .data = slice_text("digest")
	};
	struct sign_answer said = {
		.id = 7, .number = 2, .is_signed = true, .signature = slice_text("signature")
	};
	struct sign_request request;
	struct sign_answer answer;
	struct buffer bytes;

	(void)state;
	buffer_init(&bytes, FRAME_BYTES_MAX);
	sign_request_encode(&bytes, &asked);
	assert_int_equal(sign_request_decode(buffer_bytes(&bytes), &request), ERR_OK);
	assert_true(request.id == 7 && request.number == 2 && request.scheme == 4);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(
			sign_request_decode(slice_of(bytes.data, size), &request), ERR_MALFORMED);
	buffer_clear(&bytes);
	sign_answer_encode(&bytes, &said);
	assert_int_equal(sign_answer_decode(buffer_bytes(&bytes), &answer), ERR_OK);
	assert_memory_equal(answer.signature.data, "signature", answer.signature.size);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(
			sign_answer_decode(slice_of(bytes.data, size), &answer), ERR_MALFORMED);
	/* Signed, and nothing there. */
	said.signature = slice_of(NULL, 0);
	buffer_clear(&bytes);
	sign_answer_encode(&bytes, &said);
	assert_int_equal(sign_answer_decode(buffer_bytes(&bytes), &answer), ERR_MALFORMED);
	buffer_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),
		cmocka_unit_test(test_signatures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
