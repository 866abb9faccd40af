/* Orders for signatures: what a URI may say, there and back, and hostile. */
#include "scanners/tokens/order.h"

#include "agent/certificate/token_key.h"
#include "scanners/tokens/signing.h"

#include <gnutls/gnutls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_uris(void **state)
{
	struct why why = { 0 };

	(void)state;
	assert_int_equal(token_order_check_key("pkcs11:token=a;type=private", &why), ERR_OK);
	assert_int_equal(token_order_check_key("pkcs11:id=%01?pin-source=file:/a", &why), ERR_OK);
	assert_int_equal(token_order_check_key("pkcs11:token=a;type=cert", &why), ERR_CONFIG);
	assert_non_null(strstr(why.text, "\"private\""));
	assert_int_equal(token_order_check_certificate("pkcs11:token=a;type=cert", &why), ERR_OK);
	assert_int_equal(
		token_order_check_certificate("pkcs11:token=a;type=private", &why), ERR_CONFIG);
	assert_int_equal(token_order_check_certificate("pkcs11:?pin-source=/a", &why), ERR_CONFIG);
	assert_non_null(strstr(why.text, "neither"));
	assert_int_equal(token_order_check_key("pkcs11:token=a?pin-value=1234", &why), ERR_CONFIG);
	assert_null(strstr(why.text, "1234"));
}

static void test_gathering(void **state)
{
	struct token_order o;
	struct why why = { 0 };

	(void)state;
	/* The key's PIN and module count before the certificate's. */
	assert_int_equal(token_order_gather("pkcs11:token=a?module-path=/b.so&pin-source=/none/b",
				 "pkcs11:token=a?module-path=/a.so&pin-source=/none/a", &o, &why),
		ERR_OK);
	assert_string_equal(o.work.modules.items[0], "/a.so");
	assert_string_equal(o.work.modules.items[1], "/b.so");
	assert_int_equal(o.work.named_modules, 2);
	assert_non_null(strstr(o.work.pin.complaint, "/none/a"));
	token_order_fini(&o);
}

static void test_there_and_back(void **state)
{
	char certificate[] = "pkcs11:token=a", pin[] = "1234", stamp[] = "1.2";
	struct token_order o = { .certificate = certificate,
		.is_pin_refused = true,
		.work = { .timeout_ms = 5000, .pin = { .text = pin, .stamp = stamp } } };
	struct token_order back;
	struct buffer bytes;

	(void)state;
	buffer_init(&o.file, 16);
	buffer_text(&o.file, "file");
	buffer_init(&bytes, TOKEN_ORDER_BYTES_MAX);
	token_order_encode(&bytes, &o);
	assert_int_equal(buffer_status(&bytes), ERR_OK);
	assert_int_equal(token_order_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_string_equal(back.certificate, "pkcs11:token=a");
	assert_null(back.key);
	assert_string_equal(buffer_string(&back.file), "file");
	assert_true(back.is_pin_refused);
	assert_string_equal(back.work.pin.text, "1234");
	token_order_fini(&back);
	for (size_t size = 0; size < bytes.size; size++)
		assert_int_equal(
			token_order_decode(slice_of(bytes.data, size), &back), ERR_MALFORMED);
	/* Of neither a certificate nor a key. */
	o.certificate = NULL;
	buffer_clear(&bytes);
	token_order_encode(&bytes, &o);
	assert_int_equal(token_order_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_wipe(&bytes);
	buffer_fini(&o.file);
}

static void test_what_is_a_handshake(void **state)
{
	static const char context[] = "TLS 1.3, client CertificateVerify";
	static const char server[] = "TLS 1.3, server CertificateVerify";
	uint8_t data[64 + sizeof(context) + 32];
	uint8_t hello[] = { 1, 0, 0, 10, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0 };
	uint8_t datagram[] = { 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0xfe, 0xfd, 3 };

	(void)state;
	memset(data, ' ', sizeof(data));
	memcpy(data + 64, context, sizeof(context));
	assert_true(signing_is_tls(slice_of(data, sizeof(data))));
	assert_false(signing_is_tls(slice_of(data, sizeof(data) - 1)));
	memcpy(data + 64, server, sizeof(server));
	assert_false(signing_is_tls(slice_of(data, sizeof(data))));
	memcpy(data + 64, context, sizeof(context));
	data[63] = 'x';
	assert_false(signing_is_tls(slice_of(data, sizeof(data))));
	assert_true(signing_is_tls(slice_of(hello, sizeof(hello))));
	assert_true(signing_is_tls(slice_of(datagram, sizeof(datagram))));
	hello[0] = 0x30;
	assert_false(signing_is_tls(slice_of(hello, sizeof(hello))));
	hello[0] = 1;
	/* A hello that says that it is longer than all that there is. */
	hello[2] = 1;
	assert_false(signing_is_tls(slice_of(hello, sizeof(hello))));
	assert_false(signing_is_tls(slice_of("certificate", 11)));
}

static void test_schemes(void **state)
{
	(void)state;
	assert_int_equal(token_key_digest_bytes(GNUTLS_SIGN_RSA_SHA256), 32);
	assert_int_equal(token_key_digest_bytes(GNUTLS_SIGN_RSA_PSS_RSAE_SHA512), 64);
	assert_int_equal(token_key_digest_bytes(GNUTLS_SIGN_ECDSA_SECP384R1_SHA384), 48);
	assert_true(token_key_digest_bytes(GNUTLS_SIGN_EDDSA_ED25519) == SIZE_MAX);
	assert_int_equal(token_key_digest_bytes(GNUTLS_SIGN_RSA_SHA1), 0);
	assert_int_equal(token_key_digest_bytes(GNUTLS_SIGN_RSA_RAW), 0);
	assert_int_equal(token_key_digest_bytes(UINT32_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uris),
		cmocka_unit_test(test_gathering),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_what_is_a_handshake),
		cmocka_unit_test(test_schemes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
