/* Verdicts on distinct certificates beside GnuTLS's bare import and verification of the same.
 * usage: bench_judge [CERTIFICATES]. Batches of both take turns, so that a noisy machine hurts both. */
#include "agent/certificate/judge.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 100
#define CERTIFICATES 10000
#define CERTIFICATES_MAX 100000
#define NOT_BEFORE 1767225600
#define NOT_AFTER (NOT_BEFORE + 90 * 86400)

struct bench {
	gnutls_x509_privkey_t ca_key;
	gnutls_x509_privkey_t leaf_key;
	gnutls_x509_crt_t ca;
	gnutls_datum_t ca_der;
	gnutls_datum_t *leaves;
	size_t count;
};

static void check(int rc, const char *what)
{
	if (rc >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, gnutls_strerror(rc));
	exit(1);
}

static void sign(struct bench *b, gnutls_x509_crt_t crt, uint32_t serial, gnutls_datum_t *der)
{
	const uint8_t number[] = { 1, (uint8_t)(serial >> 24), (uint8_t)(serial >> 16),
		(uint8_t)(serial >> 8), (uint8_t)serial };

	check(gnutls_x509_crt_set_version(crt, 3), "version");
	check(gnutls_x509_crt_set_serial(crt, number, sizeof(number)), "serial");
	check(gnutls_x509_crt_set_activation_time(crt, NOT_BEFORE), "date");
	check(gnutls_x509_crt_set_expiration_time(crt, NOT_AFTER), "date");
	check(gnutls_x509_crt_sign2(crt, b->ca ? b->ca : crt, b->ca_key, GNUTLS_DIG_SHA256, 0),
		"sign");
	check(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, der), "export");
}

static void make_ca(struct bench *b, gnutls_pk_algorithm_t algorithm, unsigned bits)
{
	gnutls_x509_crt_t ca;
	uint8_t id[64];
	size_t size = sizeof(id);

	check(gnutls_x509_privkey_init(&b->ca_key), "key");
	check(gnutls_x509_privkey_generate(b->ca_key, algorithm, bits, 0), "key");
	check(gnutls_x509_privkey_init(&b->leaf_key), "key");
	check(gnutls_x509_privkey_generate(b->leaf_key, GNUTLS_PK_ECDSA,
		      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		"key");
	check(gnutls_x509_crt_init(&ca), "init");
	check(gnutls_x509_crt_set_dn(ca, "CN=Bench CA,O=Example", NULL), "dn");
	check(gnutls_x509_crt_set_key(ca, b->ca_key), "key");
	check(gnutls_x509_crt_set_basic_constraints(ca, 1, -1), "ca");
	check(gnutls_x509_crt_set_key_usage(ca, GNUTLS_KEY_KEY_CERT_SIGN), "usage");
	check(gnutls_x509_crt_get_key_id(ca, 0, id, &size), "id");
	check(gnutls_x509_crt_set_subject_key_id(ca, id, size), "id");
	sign(b, ca, 1, &b->ca_der);
	b->ca = ca;
}

static void make_leaf(struct bench *b, size_t i)
{
	gnutls_x509_crt_t leaf;
	char name[64];
	uint8_t id[64];
	size_t size = sizeof(id);
	int used = snprintf(name, sizeof(name), "host%zu.example.org", i);

	check(gnutls_x509_crt_init(&leaf), "init");
	check(gnutls_x509_crt_set_dn_by_oid(
		      leaf, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)used),
		"dn");
	check(gnutls_x509_crt_set_subject_alt_name(
		      leaf, GNUTLS_SAN_DNSNAME, name, (unsigned)used, 0),
		"name");
	check(gnutls_x509_crt_set_key(leaf, b->leaf_key), "key");
	check(gnutls_x509_crt_set_key_purpose_oid(leaf, GNUTLS_KP_TLS_WWW_SERVER, 0), "purpose");
	check(gnutls_x509_crt_get_key_id(b->ca, 0, id, &size), "id");
	check(gnutls_x509_crt_set_authority_key_id(leaf, id, size), "id");
	sign(b, leaf, (uint32_t)i + 2, &b->leaves[i]);
	gnutls_x509_crt_deinit(leaf);
}

static double now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double bare(const struct bench *b, gnutls_x509_trust_list_t list, size_t from)
{
	double start = now_us();

	for (size_t i = from; i < from + BATCH; i++) {
		gnutls_x509_crt_t leaf;
		unsigned status = 0;

		check(gnutls_x509_crt_init(&leaf), "init");
		check(gnutls_x509_crt_import(leaf, &b->leaves[i], GNUTLS_X509_FMT_DER), "import");
		check(gnutls_x509_trust_list_verify_crt2(list, &leaf, 1, NULL, 0,
			      GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
				      GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
			      &status, NULL),
			"verify");
		if (status) {
			(void)fprintf(stderr, "GnuTLS does not like certificate %zu: status %#x\n",
				i, status);
			exit(1);
		}
		gnutls_x509_crt_deinit(leaf);
	}
	return (now_us() - start) / BATCH;
}

static double ours(
	const struct bench *b, const struct trust *trust, struct judge_cache *cache, size_t from)
{
	double start = now_us();

	for (size_t i = from; i < from + BATCH; i++) {
		struct judge_question q = { .purpose = PURPOSE_SERVER, .now = NOT_BEFORE + 1 };
		struct parsed_certificate leaf;
		struct verdict v;

		if (certificate_parse(slice_of(b->leaves[i].data, b->leaves[i].size), &leaf, NULL,
			    NULL) != ERR_OK)
			exit(1);
		q.leaf = &leaf;
		if (judge(trust, cache, &q, &v) != ERR_OK || !verdict_is_valid_at(&v, q.now)) {
			(void)fprintf(stderr, "certificate %zu is not valid\n", i);
			exit(1);
		}
		verdict_fini(&v);
		parsed_certificate_fini(&leaf);
	}
	return (now_us() - start) / BATCH;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *times, size_t count)
{
	qsort(times, count, sizeof(*times), by_size);
	return times[count / 2];
}

static void run(const char *name, gnutls_pk_algorithm_t algorithm, unsigned bits, size_t count)
{
	struct bench b = { .count = count };
	size_t batches = count / BATCH;
	double *theirs = calloc(batches, sizeof(*theirs));
	double *mine = calloc(batches, sizeof(*mine));
	double *again = calloc(batches, sizeof(*again));
	gnutls_x509_trust_list_t list;
	gnutls_x509_crt_t anchor;
	struct judge_cache *cache;
	struct trust *trust;

	b.leaves = calloc(count, sizeof(*b.leaves));
	if (!b.leaves || !theirs || !mine || !again)
		exit(1);
	make_ca(&b, algorithm, bits);
	for (size_t i = 0; i < count; i++)
		make_leaf(&b, i);
	check(gnutls_x509_trust_list_init(&list, 0), "list");
	/* As read, not as made: GnuTLS finds a CA by the bytes of its name. */
	check(gnutls_x509_crt_init(&anchor), "init");
	check(gnutls_x509_crt_import(anchor, &b.ca_der, GNUTLS_X509_FMT_DER), "import");
	check(gnutls_x509_trust_list_add_cas(list, &anchor, 1, 0), "list");
	if (trust_new(&trust) != ERR_OK || judge_cache_new(4096, &cache) != ERR_OK ||
		trust_add(trust, "bench", false, slice_of(b.ca_der.data, b.ca_der.size), NULL, NULL,
			NULL) != ERR_OK)
		exit(1);
	for (size_t i = 0; i < batches; i++) {
		theirs[i] = bare(&b, list, i * BATCH);
		mine[i] = ours(&b, trust, cache, i * BATCH);
		/* As a server is asked again that shows what it showed before. */
		again[i] = ours(&b, trust, cache, i * BATCH);
	}
	(void)printf(
		"%-10s %zu certificates: GnuTLS %.1f us, verdict %.1f us, ratio %.2f; again %.1f us\n",
		name, batches * BATCH, median(theirs, batches), median(mine, batches),
		median(mine, batches) / median(theirs, batches), median(again, batches));
	for (size_t i = 0; i < count; i++)
		gnutls_free(b.leaves[i].data);
	free(b.leaves);
	free(theirs);
	free(mine);
	free(again);
	gnutls_free(b.ca_der.data);
	gnutls_x509_trust_list_deinit(list, 1);
	gnutls_x509_crt_deinit(b.ca);
	gnutls_x509_privkey_deinit(b.ca_key);
	gnutls_x509_privkey_deinit(b.leaf_key);
	trust_free(trust);
	judge_cache_free(cache);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : CERTIFICATES;

	if (count < BATCH || count > CERTIFICATES_MAX) {
		(void)fprintf(stderr, "usage: bench_judge [%d to %d]\n", BATCH, CERTIFICATES_MAX);
		return 2;
	}
	run("RSA-2048", GNUTLS_PK_RSA, 2048, count);
	run("P-256", GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), count);
	return 0;
}
