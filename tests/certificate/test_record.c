/* Records: words, problems, bytes and back, hostile bytes. */
#include "agent/base/text.h"
#include "agent/certificate/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fingerprints chain_of(size_t count)
{
	struct fingerprints f = { calloc(count, FINGERPRINT_BYTES), count };

	for (size_t i = 0; i < count; i++)
		memset(f.items[i], (int)i + 1, FINGERPRINT_BYTES);
	return f;
}

static void locate(struct location *l)
{
	*l = (struct location){ .index = 3 };
	l->scanner = strdup("files");
	l->uri = strdup("file:///etc/ssl/a%20b.pem");
	l->format = strdup("pem");
	l->alias = strdup("käse");
	l->integrity = strdup("unverified");
}

static struct record certificate_made(void)
{
	struct record r = { .kind = RECORD_CERTIFICATE };
	struct certificate *c = &r.certificate.facts;
	struct verdict *v = &r.certificate.verdict;

	memset(c->fingerprint, 0xab, FINGERPRINT_BYTES);
	memset(c->spki_sha256, 0xcd, FINGERPRINT_BYTES);
	c->subject = strdup("CN=api.example.org");
	c->issuer = strdup("CN=Internal Root CA");
	c->subject_cn = strdup("api.example.org");
	c->serial = strdup("-0f");
	c->not_before = -2208988800;
	c->not_after = 253402300799;
	assert_int_equal(strings_add(&c->names, "dns:api.example.org"), ERR_OK);
	assert_int_equal(strings_add(&c->names, "ip:192.0.2.1"), ERR_OK);
	c->key_algorithm = strdup("RSA");
	c->key_bits = 2048;
	c->signature_algorithm = strdup("RSA-SHA256");
	c->is_self_issued = true;
	assert_int_equal(strings_add(&c->key_usage, "digitalSignature"), ERR_OK);
	assert_int_equal(strings_add(&c->extended_key_usage, "serverAuth"), ERR_OK);
	*v = (struct verdict){ .is_checked = true,
		.trust = strdup("system"),
		.problems = PROBLEM_BIT(PROBLEM_WEAK_KEY) | PROBLEM_BIT(PROBLEM_NAME_MISMATCH),
		.chain = chain_of(3),
		.expires = 1767225600,
		.boundary = TIME_UNKNOWN };
	v->stores.items = calloc(2, sizeof(*v->stores.items));
	v->stores.items[0] =
		(struct store_verdict){ .store = strdup("system"), .expires = 1767225600 };
	v->stores.items[1] = (struct store_verdict){ .store = strdup("internal"),
		.problems = PROBLEM_BIT(PROBLEM_UNTRUSTED_ISSUER),
		.expires = TIME_UNKNOWN };
	v->stores.count = 2;
	r.certificate.is_served = true;
	r.certificate.der = (uint8_t *)strdup("bytes");
	r.certificate.der_size = 5;
	locate(&r.location);
	return r;
}

static struct record endpoint_made(void)
{
	struct record r = { .kind = RECORD_ENDPOINT };

	locate(&r.location);
	r.endpoint = (struct endpoint_record){ .address = strdup("192.0.2.1"),
		.port = 443,
		.server_name = strdup("api.example.org"),
		.protocol = strdup("TLS1.3"),
		.is_reachable = true,
		.handshake = strdup("ok"),
		.client_certificate = CLIENT_CERTIFICATE_REQUIRED,
		.chain = chain_of(2),
		.stapled_ocsp = STAPLED_OCSP_STALE,
		.process = { .pid = 4711,
			.name = strdup("nginx"),
			.unit = strdup("nginx.service"),
			.container = strdup("0123456789ab"),
			.started = 1000,
			.worker_started = TIME_UNKNOWN } };
	assert_int_equal(strings_add(&r.endpoint.acceptable_cas, "CN=Root"), ERR_OK);
	return r;
}

static struct record problem_made(void)
{
	struct record r;

	assert_int_equal(
		record_problem(&r, "files", "file:///x.p12", REASON_NEEDS_PASSWORD, "no password"),
		ERR_OK);
	r.problem.has_fingerprint = true;
	memset(r.problem.fingerprint, 7, FINGERPRINT_BYTES);
	r.problem.not_after = 5;
	return r;
}

static struct record reference_made(void)
{
	struct record r = { .kind = RECORD_REFERENCE };

	locate(&r.location);
	r.reference = (struct reference_record){ .role = REFERENCE_CLIENT_CERTIFICATE,
		.directive = strdup("proxy_ssl_certificate"),
		.line = 12,
		.file = strdup("file:///etc/ssl/client.pem"),
		.is_folder = true,
		.is_active = true,
		.password_file = strdup("file:///etc/ssl/pass"),
		.ports = { 443, 8443 },
		.ports_count = 2 };
	assert_int_equal(strings_add(&r.reference.names, "*.example.org"), ERR_OK);
	return r;
}

static struct record crl_made(void)
{
	struct record r = { .kind = RECORD_CRL };

	locate(&r.location);
	r.crl = (struct crl_record){ .issuer = strdup("CN=Root"),
		.issuer_cn = strdup("Root"),
		.number = strdup("1234"),
		.signature_algorithm = strdup("RSA-SHA256"),
		.this_update = 1,
		.next_update = TIME_UNKNOWN,
		.revoked_count = UINT64_C(5000000000),
		.is_delta = true };
	memset(r.crl.fingerprint, 9, FINGERPRINT_BYTES);
	return r;
}

static struct record key_made(void)
{
	struct record r = { .kind = RECORD_KEY };

	locate(&r.location);
	r.key = (struct key_record){ .is_known = true,
		.algorithm = strdup("ECDSA"),
		.bits = 256,
		.is_encrypted = true,
		.has_owner = true,
		.mode = 0640,
		.uid = 0,
		.gid = 115 };
	memset(r.key.spki_sha256, 9, FINGERPRINT_BYTES);
	return r;
}

#define MADE_KINDS 6

static struct record made(size_t i)
{
	return i == 0   ? certificate_made()
	       : i == 1 ? endpoint_made()
	       : i == 2 ? crl_made()
	       : i == 3 ? reference_made()
	       : i == 4 ? key_made()
			: problem_made();
}

static void encode(struct buffer *out, const struct record *r)
{
	buffer_init(out, RECORD_BYTES_MAX);
	record_encode(out, r);
	assert_int_equal(buffer_status(out), ERR_OK);
}

/* Equal bytes of what was encoded, decoded and encoded again mean that no field was lost. */
static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < MADE_KINDS; i++) {
		struct record r = made(i);
		struct record back;
		struct buffer first;
		struct buffer second;

		encode(&first, &r);
		assert_int_equal(record_decode(buffer_bytes(&first), &back), ERR_OK);
		encode(&second, &back);
		assert_int_equal(first.size, second.size);
		assert_memory_equal(first.data, second.data, first.size);
		assert_string_equal(back.location.uri, r.location.uri);
		assert_int_equal(back.kind, r.kind);
		buffer_fini(&first);
		buffer_fini(&second);
		record_fini(&r);
		record_fini(&back);
	}
}

static void test_fields_come_back(void **state)
{
	struct record r = certificate_made();
	struct record back;
	struct buffer bytes;

	(void)state;
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_int_equal(back.certificate.facts.not_before, -2208988800);
	assert_int_equal(back.certificate.facts.not_after, 253402300799);
	assert_null(back.certificate.facts.issuer_cn);
	assert_string_equal(back.certificate.facts.serial, "-0f");
	assert_true(strings_equal(&back.certificate.facts.names, &r.certificate.facts.names));
	assert_int_equal(back.certificate.verdict.chain.count, 3);
	assert_int_equal(back.certificate.verdict.chain.items[2][31], 3);
	assert_int_equal(back.certificate.verdict.boundary, TIME_UNKNOWN);
	assert_true(back.certificate.is_served);
	assert_int_equal(back.certificate.der_size, 5);
	assert_memory_equal(back.certificate.der, "bytes", 5);
	assert_int_equal(back.certificate.verdict.stores.count, 2);
	assert_string_equal(
		store_verdict_word(&back.certificate.verdict.stores.items[0], 1767225600), "ok");
	assert_string_equal(
		store_verdict_word(&back.certificate.verdict.stores.items[0], 1767225601),
		"expired");
	assert_string_equal(store_verdict_word(&back.certificate.verdict.stores.items[1], 0),
		"untrusted-issuer");
	buffer_fini(&bytes);
	record_fini(&r);
	record_fini(&back);
}

static void test_cut_anywhere_is_malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < MADE_KINDS; i++) {
		struct record r = made(i);
		struct record back;
		struct buffer bytes;

		encode(&bytes, &r);
		for (size_t size = 0; size < bytes.size; size++) {
			/* In memory of its own, so that a read past the end is seen. */
			uint8_t *copy = malloc(size + 1);

			memcpy(copy, bytes.data, size);
			assert_int_equal(record_decode(slice_of(copy, size), &back), ERR_MALFORMED);
			free(copy);
		}
		buffer_byte(&bytes, 0);
		assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
		buffer_fini(&bytes);
		record_fini(&r);
	}
}

static bool is_clean(const char *text)
{
	return !text || text_is_clean(slice_text(text));
}

static void test_flipped_bytes_never_hurt(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff, 0x20 };

	(void)state;
	for (size_t i = 0; i < MADE_KINDS; i++) {
		struct record r = made(i);
		struct buffer bytes;

		encode(&bytes, &r);
		for (size_t at = 0; at < bytes.size * sizeof(flips); at++) {
			uint8_t flip = flips[at % sizeof(flips)];
			struct record back;

			bytes.data[at / sizeof(flips)] ^= flip;
			if (record_decode(buffer_bytes(&bytes), &back) == ERR_OK) {
				assert_true(is_clean(back.location.uri));
				assert_true(is_clean(back.location.alias));
				if (back.kind == RECORD_CERTIFICATE)
					assert_true(is_clean(back.certificate.facts.subject));
				record_fini(&back);
			}
			bytes.data[at / sizeof(flips)] ^= flip;
		}
		buffer_fini(&bytes);
		record_fini(&r);
	}
}

static void test_unclean_text_is_refused(void **state)
{
	struct record r = certificate_made();
	struct record back;
	struct buffer bytes;

	(void)state;
	free(r.certificate.facts.subject);
	r.certificate.facts.subject = strdup("CN=a\nb");
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
	record_fini(&r);
}

static void test_clock_problems_are_not_stored(void **state)
{
	struct record r = certificate_made();
	struct record back;
	struct buffer bytes;

	(void)state;
	r.certificate.verdict.problems =
		PROBLEM_BIT(PROBLEM_EXPIRED) | PROBLEM_BIT(PROBLEM_REVOKED);
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_OK);
	assert_int_equal(back.certificate.verdict.problems, PROBLEM_BIT(PROBLEM_REVOKED));
	buffer_fini(&bytes);
	record_fini(&r);
	record_fini(&back);
}

static void test_ceilings(void **state)
{
	struct record r = certificate_made();
	struct record back;
	struct buffer bytes;

	(void)state;
	free(r.certificate.verdict.chain.items);
	r.certificate.verdict.chain = chain_of(RECORD_CHAIN_MAX + 1);
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
	r.certificate.verdict.chain.count = RECORD_CHAIN_MAX;
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_OK);
	record_fini(&back);
	buffer_fini(&bytes);
	r.certificate.facts.not_after = INT64_MAX;
	encode(&bytes, &r);
	assert_int_equal(record_decode(buffer_bytes(&bytes), &back), ERR_MALFORMED);
	buffer_fini(&bytes);
	record_fini(&r);
}

static void test_problem_is_clean(void **state)
{
	struct record r;
	char *big = malloc(RECORD_TEXT_BYTES_MAX * 2);

	(void)state;
	memset(big, 'x', RECORD_TEXT_BYTES_MAX * 2 - 1);
	big[RECORD_TEXT_BYTES_MAX * 2 - 1] = 0;
	assert_int_equal(
		record_problem(&r, "files", "file:///a", REASON_MALFORMED, "a\x1b[31m\xff"),
		ERR_OK);
	assert_string_equal(r.problem.message, "a\\x1B[31m\\xFF");
	assert_int_equal(r.problem.not_after, TIME_UNKNOWN);
	record_fini(&r);
	assert_int_equal(record_problem(&r, "files", "file:///a", REASON_MALFORMED, big), ERR_OK);
	assert_int_equal(strlen(r.problem.message), RECORD_TEXT_BYTES_MAX);
	record_fini(&r);
	free(big);
}

static void test_words(void **state)
{
	(void)state;
	assert_string_equal(problem_word(PROBLEM_SERVED_DIFFERS), "served-differs-from-disk");
	assert_string_equal(reason_word(REASON_PARSER_CRASHED), "parser-crashed");
	assert_string_equal(status_word(STATUS_UNCHECKED), "unchecked");
	assert_string_equal(client_certificate_word(CLIENT_CERTIFICATE_OPTIONAL), "optional");
	assert_string_equal(stapled_ocsp_word(STAPLED_OCSP_STALE), "stale");
	assert_true(reason_keeps_known(REASON_TIMEOUT));
	assert_false(reason_keeps_known(REASON_MALFORMED));
	for (int i = 0; i < PROBLEM_COUNT; i++)
		assert_true(strlen(problem_meaning((enum problem)i)) > 10);
	for (int i = 0; i < REASON_COUNT; i++)
		assert_true(strlen(reason_meaning((enum reason)i)) > 10);
}

static void test_location_copy(void **state)
{
	struct location from;
	struct location to;

	(void)state;
	locate(&from);
	free(from.alias);
	from.alias = NULL;
	assert_int_equal(location_copy(&to, &from), ERR_OK);
	assert_string_equal(to.uri, from.uri);
	assert_ptr_not_equal(to.uri, from.uri);
	assert_null(to.alias);
	assert_int_equal(to.index, 3);
	location_fini(&to);
	location_fini(&from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fields_come_back),
		cmocka_unit_test(test_cut_anywhere_is_malformed),
		cmocka_unit_test(test_flipped_bytes_never_hurt),
		cmocka_unit_test(test_unclean_text_is_refused),
		cmocka_unit_test(test_clock_problems_are_not_stored),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_problem_is_clean),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_location_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
