/* What a probe may ask of keys in tokens: only those of its job, and nothing that is not a question. */
#include "agent/signers.h"

#include "agent/base/wire.h"
#include "agent/process/messages.h"
#include "agent/process/role.h"
#include "agent/store.h"
#include "scanners/tokens/order.h"
#include "scanners/tokens/role.h"

#include <gnutls/gnutls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WAIT_TURNS 20000

struct world {
	uv_loop_t loop;
	struct store *store;
	struct inventory *inventory;
	struct signers *signers;
	unsigned orders; /* given out */
	/* What the last answer said. */
	unsigned answers;
	unsigned which;
	uint16_t type;
	struct key_answer key;
	struct sign_answer said;
	char message[256];
};

/* One key, in a module that is not there. */
static enum err key_order(
	const void *conf, uint16_t number, struct token_order *out, struct why *why)
{
	unsigned *orders = (unsigned *)(uintptr_t)conf;

	*out = (struct token_order){ 0 };
	if (number != 1)
		return ERR_NOT_FOUND;
	(*orders)++;
	return token_order_gather(
		"pkcs11:token=none?module-path=/nonexistent/libx.so", NULL, out, why);
}

/* The same, for which time was up before it began. */
static enum err late_order(
	const void *conf, uint16_t number, struct token_order *out, struct why *why)
{
	enum err e = key_order(conf, number, out, why);

	out->work.timeout_ms = -3600000;
	return e;
}

static const struct scanner hasty = { .name = "endpoints", .key_order = late_order };
static const struct scanner keyed = { .name = "endpoints", .key_order = key_order };
static const struct scanner keyless = { .name = "files" };

static void on_answer(void *arg, unsigned which, uint16_t type, struct slice payload)
{
	struct world *w = arg;
	struct slice text;

	w->answers++;
	w->which = which;
	w->type = type;
	if (type == MESSAGE_KEY)
		assert_int_equal(key_answer_decode(payload, &w->key), ERR_OK);
	else
		assert_int_equal(sign_answer_decode(payload, &w->said), ERR_OK);
	text = type == MESSAGE_KEY ? w->key.message : w->said.message;
	assert_true(text.size < sizeof(w->message));
	memcpy(w->message, text.data, text.size);
	w->message[text.size] = '\0';
}

static void on_layer(void *arg, const char *role, const char *layer, bool is_active)
{
	(void)arg;
	(void)role;
	(void)layer;
	(void)is_active;
}

static void begin(struct world *w, const struct scanner *scanner)
{
	const struct signers_conf conf = { .loop = &w->loop,
		.in_thread = true,
		.inventory = w->inventory,
		.scanner = scanner,
		.conf = &w->orders,
		.answer = on_answer,
		.sandbox = on_layer,
		.arg = w };

	signers_free(w->signers);
	w->signers = NULL;
	assert_int_equal(signers_new(&conf, &w->signers), ERR_OK);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct why why = { 0 };

	assert_non_null(w);
	assert_int_equal(uv_loop_init(&w->loop), 0);
	assert_int_equal(store_open(NULL, &w->store, &why), ERR_OK);
	assert_int_equal(inventory_new(w->store, &w->inventory, &why), ERR_OK);
	begin(w, &keyed);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	signers_free(w->signers);
	(void)uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	inventory_free(w->inventory);
	store_close(w->store);
	free(w);
	return 0;
}

static enum err open_key(struct world *w, unsigned which, uint64_t number)
{
	struct buffer out;
	enum err e;

	buffer_init(&out, 8);
	wire_put_u64(&out, number);
	e = signers_ask(w->signers, which, MESSAGE_KEY_OPEN, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err sign(struct world *w, unsigned which, uint16_t number)
{
	static const uint8_t digest[32];
	const struct sign_request asked = { .id = 7,
		.number = number,
		.scheme = GNUTLS_SIGN_ECDSA_SHA256,
		.data = slice_of(digest, sizeof(digest)) };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	sign_request_encode(&out, &asked);
	e = signers_ask(w->signers, which, MESSAGE_SIGN, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static void wait_for(struct world *w, unsigned answers)
{
	for (unsigned i = 0; w->answers < answers && i < WAIT_TURNS; i++)
		(void)uv_run(&w->loop, UV_RUN_ONCE);
	assert_int_equal(w->answers, answers);
}

static void test_a_key_that_is_not_there(void **state)
{
	struct world *w = *state;

	assert_int_equal(open_key(w, 3, 1), ERR_OK);
	assert_int_equal(open_key(w, 5, 1), ERR_OK);
	wait_for(w, 2);
	assert_int_equal(w->type, MESSAGE_KEY);
	assert_int_equal(w->which, 5);
	assert_int_equal(w->key.number, 1);
	assert_false(w->key.is_usable);
	assert_int_equal(w->key.reason, REASON_MISSING);
	assert_non_null(strstr(w->message, "/nonexistent/libx.so"));
	/* Who asks later is told the same, and no second role is started. */
	assert_int_equal(open_key(w, 9, 1), ERR_OK);
	assert_int_equal(w->answers, 3);
	assert_int_equal(w->which, 9);
	assert_int_equal(w->orders, 1);
	/* It signs nothing. */
	assert_int_equal(sign(w, 9, 1), ERR_OK);
	assert_int_equal(w->type, MESSAGE_SIGNED);
	assert_true(w->said.id == 7 && !w->said.is_signed && w->said.is_final);
}

/* On a machine too busy for the process to say so itself. */
static void test_one_that_is_late_is_a_timeout(void **state)
{
	struct world *w = *state;

	begin(w, &hasty);
	assert_int_equal(open_key(w, 2, 1), ERR_OK);
	signers_tick(w->signers);
	wait_for(w, 1);
	assert_int_equal(w->type, MESSAGE_KEY);
	assert_false(w->key.is_usable);
	assert_int_equal(w->key.reason, REASON_TIMEOUT);
	assert_non_null(strstr(w->message, "did not answer within"));
}

static void test_what_no_probe_asks(void **state)
{
	struct world *w = *state;

	/* Numbers that the configuration does not have; a key that was not opened. */
	assert_int_equal(open_key(w, 0, 0), ERR_MALFORMED);
	assert_int_equal(open_key(w, 0, 2), ERR_MALFORMED);
	assert_int_equal(open_key(w, 0, UINT64_C(1) << 16 | 1), ERR_MALFORMED);
	assert_int_equal(open_key(w, SIGNERS_ASKERS_MAX, 1), ERR_MALFORMED);
	assert_int_equal(sign(w, 0, 1), ERR_MALFORMED);
	assert_int_equal(sign(w, 0, 2), ERR_MALFORMED);
	/* One that is being opened signs nothing either. */
	assert_int_equal(open_key(w, 0, 1), ERR_OK);
	assert_int_equal(sign(w, 0, 1), ERR_MALFORMED);
	assert_int_equal(signers_ask(w->signers, 0, MESSAGE_SIGN, slice_text("x")), ERR_MALFORMED);
	assert_int_equal(
		signers_ask(w->signers, 0, MESSAGE_KEY_OPEN, slice_text("x")), ERR_MALFORMED);
	/* Who is gone is told nothing. */
	signers_forget(w->signers, 0);
	assert_int_equal(open_key(w, 1, 1), ERR_OK);
	wait_for(w, 1);
	assert_int_equal(w->which, 1);
	/* A scanner without keys. */
	begin(w, &keyless);
	assert_int_equal(open_key(w, 0, 1), ERR_MALFORMED);
}

/* The PIN that a token refused is known by the key that it was for. */
static void test_refused_pins(void **state)
{
	struct world *w = *state;
	struct why why = { 0 };
	int64_t pin = -1;

	assert_int_equal(inventory_refused_pin(w->inventory, "pkcs11:a", &pin, &why), ERR_OK);
	assert_int_equal(pin, 0);
	assert_int_equal(inventory_refused_pin_set(w->inventory, "pkcs11:a", 4711, &why), ERR_OK);
	assert_int_equal(inventory_refused_pin_set(w->inventory, "pkcs11:a", 4712, &why), ERR_OK);
	assert_int_equal(inventory_refused_pin(w->inventory, "pkcs11:a", &pin, &why), ERR_OK);
	assert_int_equal(pin, 4712);
	assert_int_equal(inventory_refused_pin(w->inventory, "pkcs11:b", &pin, &why), ERR_OK);
	assert_int_equal(pin, 0);
}

/* The token role is a process of its own whatever else is a thread: this program, called again. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_key_that_is_not_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_one_that_is_late_is_a_timeout, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_no_probe_asks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused_pins, set_up, tear_down),
	};

	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return role_main(&token_role);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
