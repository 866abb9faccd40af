/* What an endpoint asked for over time: one odd look changes nothing, two do. */
#include "agent/certificate/mtls_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CA_A "CN=A,O=Example"
#define CA_B "CN=B,O=Example"

/* One server, looked at once an hour. */
struct story {
	struct mtls_state state;
	struct endpoint_record before;
	bool has_before;
	int64_t now;
};

static void forget(struct endpoint_record *e)
{
	strings_fini(&e->acceptable_cas);
	*e = (struct endpoint_record){ 0 };
}

/* `cas` are separated by '|'. */
static void look(struct story *s, enum client_certificate mode, const char *cas)
{
	struct endpoint_record seen = { .client_certificate = mode };
	struct mtls_state again;
	struct buffer bytes;
	char *copy = strdup(cas);
	char *rest = copy;

	assert_non_null(copy);
	for (char *name = strsep(&rest, "|"); name; name = strsep(&rest, "|"))
		if (*name)
			assert_int_equal(strings_add(&seen.acceptable_cas, name), ERR_OK);
	free(copy);
	s->now += 3600;
	assert_int_equal(
		mtls_state_look(&s->state, s->has_before ? &s->before : NULL, &seen, s->now),
		ERR_OK);
	forget(&s->before);
	s->before = seen;
	s->has_before = true;
	/* It lies in the inventory between two looks. */
	buffer_init(&bytes, RECORD_BYTES_MAX);
	mtls_state_encode(&bytes, &s->state);
	assert_int_equal(mtls_state_decode(buffer_bytes(&bytes), &again), ERR_OK);
	mtls_state_fini(&s->state);
	s->state = again;
	buffer_fini(&bytes);
}

static struct story *begin(void)
{
	struct story *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->state = mtls_state_none();
	return s;
}

static void end(struct story *s)
{
	forget(&s->before);
	mtls_state_fini(&s->state);
	free(s);
}

static void test_weakened(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	look(s, CLIENT_CERTIFICATE_OPTIONAL, CA_A);
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	assert_int_equal(s->state.mode, CLIENT_CERTIFICATE_REQUIRED);
	look(s, CLIENT_CERTIFICATE_UNKNOWN, "");
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	look(s, CLIENT_CERTIFICATE_OPTIONAL, CA_A);
	assert_int_equal(s->state.weakened, s->now);
	assert_int_equal(s->state.mode, CLIENT_CERTIFICATE_OPTIONAL);
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	/* Weaker still: since the first time. */
	look(s, CLIENT_CERTIFICATE_NONE, "");
	look(s, CLIENT_CERTIFICATE_NONE, "");
	assert_int_equal(s->state.mode, CLIENT_CERTIFICATE_NONE);
	assert_int_equal(s->state.weakened, s->now - 2 * 3600);
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_B);
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	assert_int_equal(s->state.mode, CLIENT_CERTIFICATE_REQUIRED);
	/* Another list after none at all is new, not changed. */
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	end(s);
}

static void test_one_odd_look(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	for (int i = 0; i < 5; i++) {
		look(s, CLIENT_CERTIFICATE_NONE, "");
		look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	}
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	assert_int_equal(s->state.mode_changed, TIME_UNKNOWN);
	assert_true(mtls_state_is_quiet(&s->state));
	end(s);
}

/* Optional all the time, or none all the time, is no weakening. */
static void test_never_required(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_OPTIONAL, CA_A);
	look(s, CLIENT_CERTIFICATE_NONE, "");
	look(s, CLIENT_CERTIFICATE_NONE, "");
	assert_int_equal(s->state.mode, CLIENT_CERTIFICATE_NONE);
	assert_int_equal(s->state.weakened, TIME_UNKNOWN);
	assert_int_equal(s->state.mode_changed, s->now);
	end(s);
}

static void test_list_changes(void **state)
{
	struct story *s = begin();
	uint64_t first;

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A "|" CA_B);
	first = s->state.list_hash;
	assert_true(first > 0 && first < UINT64_C(1) << 48);
	/* Order, case and doubles change nothing. */
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_B "|cn=x|" CA_A);
	assert_true(s->state.is_list_kept);
	look(s, CLIENT_CERTIFICATE_REQUIRED, "CN=b,O=EXAMPLE|" CA_A "|" CA_A);
	assert_int_equal(s->state.list_hash, first);
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	assert_true(mtls_state_is_quiet(&s->state));
	/* Twice something else, with a failed look between. */
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A "|CN=C");
	assert_int_equal(mtls_list(&s->state, &s->before)->count, 3);
	look(s, CLIENT_CERTIFICATE_UNKNOWN, "");
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A "|CN=C");
	assert_int_equal(s->state.change.at, s->now);
	assert_int_equal(s->state.change.added_count, 1);
	assert_string_equal(s->state.change.added.items[0], "CN=C");
	assert_int_equal(s->state.change.gone_count, 1);
	assert_string_equal(s->state.change.gone.items[0], "CN=b,O=EXAMPLE");
	assert_true(s->state.list_hash != first);
	end(s);
}

/* Two different odd lists in a row are not two looks that agree. */
static void test_lists_that_disagree(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_OPTIONAL, CA_A);
	look(s, CLIENT_CERTIFICATE_OPTIONAL, CA_B);
	look(s, CLIENT_CERTIFICATE_OPTIONAL, "CN=C");
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	look(s, CLIENT_CERTIFICATE_OPTIONAL, "CN=C");
	assert_int_equal(s->state.change.at, s->now);
	assert_string_equal(s->state.change.gone.items[0], CA_A);
	end(s);
}

/* A server that is down for a while still accepts what it accepted. */
static void test_list_stays_known(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	look(s, CLIENT_CERTIFICATE_UNKNOWN, "");
	look(s, CLIENT_CERTIFICATE_UNKNOWN, "");
	assert_int_equal(mtls_mode(&s->state, &s->before), CLIENT_CERTIFICATE_REQUIRED);
	assert_int_equal(mtls_list(&s->state, &s->before)->count, 1);
	assert_string_equal(mtls_list(&s->state, &s->before)->items[0], CA_A);
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	assert_true(mtls_state_is_quiet(&s->state));
	end(s);
}

static void test_list_becomes_empty(void **state)
{
	struct story *s = begin();

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	look(s, CLIENT_CERTIFICATE_REQUIRED, "");
	assert_int_equal(s->state.change.at, TIME_UNKNOWN);
	look(s, CLIENT_CERTIFICATE_REQUIRED, "");
	assert_int_equal(s->state.change.gone_count, 1);
	assert_int_equal(s->state.list_hash, 0);
	end(s);
}

static void test_many_names(void **state)
{
	struct story *s = begin();
	struct buffer list;

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	buffer_init(&list, 1 << 20);
	for (int i = 0; i < 1000; i++)
		buffer_format(&list, "CN=ca %d|", i);
	look(s, CLIENT_CERTIFICATE_REQUIRED, buffer_string(&list));
	look(s, CLIENT_CERTIFICATE_REQUIRED, buffer_string(&list));
	assert_int_equal(s->state.change.added_count, 1000);
	assert_int_equal(s->state.change.added.count, MTLS_NAMES_MAX);
	buffer_fini(&list);
	end(s);
}

static void test_damaged_bytes(void **state)
{
	struct story *s = begin();
	struct mtls_state out = mtls_state_none();
	struct buffer bytes;

	(void)state;
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_A);
	look(s, CLIENT_CERTIFICATE_REQUIRED, CA_B);
	buffer_init(&bytes, RECORD_BYTES_MAX);
	mtls_state_encode(&bytes, &s->state);
	for (size_t cut = 0; cut < bytes.size; cut++)
		assert_int_equal(mtls_state_decode(slice_of(bytes.data, cut), &out), ERR_MALFORMED);
	bytes.data[1] = CLIENT_CERTIFICATE_COUNT;
	assert_int_equal(mtls_state_decode(buffer_bytes(&bytes), &out), ERR_MALFORMED);
	buffer_fini(&bytes);
	end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weakened),
		cmocka_unit_test(test_one_odd_look),
		cmocka_unit_test(test_never_required),
		cmocka_unit_test(test_list_changes),
		cmocka_unit_test(test_lists_that_disagree),
		cmocka_unit_test(test_list_stays_known),
		cmocka_unit_test(test_list_becomes_empty),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_damaged_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
