/* Certificates for the corpus: one key from a seed, RSA signatures, so that every run gives the same. */
#include "corpus.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BITS 2048
#define SEED_BYTES 28
/* 2026-01-01 and 2027-02-05. */
#define NOT_BEFORE 1767225600
#define NOT_AFTER 1801785600

_Noreturn void corpus_die(const char *what)
{
	(void)fprintf(stderr, "make_corpus: %s\n", what);
	exit(1);
}

static void must(int rc, const char *what)
{
	if (rc < 0) {
		(void)fprintf(stderr, "make_corpus: %s: %s\n", what, gnutls_strerror(rc));
		exit(1);
	}
}

uint64_t corpus_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

void growing_add(struct growing *g, const void *data, size_t size)
{
	if (size > g->capacity - g->size) {
		g->capacity = (g->size + size) * 2;
		g->data = realloc(g->data, g->capacity);
		if (!g->data)
			corpus_die("out of memory");
	}
	if (size)
		memcpy(g->data + g->size, data, size);
	g->size += size;
}

void growing_text(struct growing *g, const char *text)
{
	growing_add(g, text, strlen(text));
}

static gnutls_x509_privkey_t make_key(uint64_t seed)
{
	unsigned char bytes[SEED_BYTES];
	gnutls_keygen_data_st data = {
		.type = GNUTLS_KEYGEN_SEED, .data = bytes, .size = sizeof(bytes)
	};
	gnutls_x509_privkey_t key;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(corpus_random(&seed) >> 32);
	must(gnutls_x509_privkey_init(&key), "key");
	must(gnutls_x509_privkey_generate2(
		     key, GNUTLS_PK_RSA, KEY_BITS, GNUTLS_PRIVKEY_FLAG_PROVABLE, &data, 1),
		"key generation");
	return key;
}

static void hash(struct certificate_made *c)
{
	uint8_t digest[32];

	must(gnutls_hash_fast(GNUTLS_DIG_SHA256, c->der.data, c->der.size, digest), "hash");
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(c->sha256 + 2 * i, 3, "%02x", digest[i]);
}

static void make_one(struct certificate_made *out, gnutls_x509_privkey_t key, size_t number)
{
	uint8_t serial[8] = { 0x40 };
	char name[128];
	gnutls_x509_crt_t crt;

	for (size_t i = 0; i < 7; i++)
		serial[7 - i] = (uint8_t)(number >> (8 * i));
	must(gnutls_x509_crt_init(&crt), "certificate");
	must(gnutls_x509_crt_set_version(crt, 3), "version");
	must(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)), "serial");
	(void)snprintf(name, sizeof(name), "CN=host-%zu.corpus.example,O=Corpus", number);
	must(gnutls_x509_crt_set_dn(crt, name, NULL), "subject");
	must(gnutls_x509_crt_set_issuer_dn(crt, "CN=Corpus CA,O=Corpus", NULL), "issuer");
	(void)snprintf(name, sizeof(name), "host-%zu.corpus.example", number);
	must(gnutls_x509_crt_set_subject_alt_name(
		     crt, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET),
		"name");
	must(gnutls_x509_crt_set_activation_time(crt, NOT_BEFORE), "dates");
	must(gnutls_x509_crt_set_expiration_time(crt, NOT_AFTER + (time_t)number), "dates");
	must(gnutls_x509_crt_set_key(crt, key), "key");
	must(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), "signature");
	must(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &out->der), "export");
	gnutls_x509_crt_deinit(crt);
	hash(out);
}

static void make_request(gnutls_datum_t *out, gnutls_x509_privkey_t key)
{
	gnutls_x509_crq_t request;

	must(gnutls_x509_crq_init(&request), "request");
	must(gnutls_x509_crq_set_dn(request, "CN=request.corpus.example", NULL), "request");
	must(gnutls_x509_crq_set_key(request, key), "request");
	must(gnutls_x509_crq_sign2(request, key, GNUTLS_DIG_SHA256, 0), "request");
	must(gnutls_x509_crq_export2(request, GNUTLS_X509_FMT_PEM, out), "request");
	gnutls_x509_crq_deinit(request);
}

/* Each with the same key: what makes a certificate distinct here is its number. The issuer's name is
 * not the subject's, so the signature does not make it self-signed. */
void certificates_make(struct certificates *c, size_t count, uint64_t seed)
{
	gnutls_x509_privkey_t key = make_key(seed);

	c->items = calloc(count, sizeof(*c->items));
	if (!c->items)
		corpus_die("out of memory");
	c->count = count;
	for (size_t i = 0; i < count; i++)
		make_one(&c->items[i], key, i + 1);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &c->key_pem), "key");
	make_request(&c->request_pem, key);
	gnutls_x509_privkey_deinit(key);
}

void certificates_free(struct certificates *c)
{
	for (size_t i = 0; i < c->count; i++)
		gnutls_free(c->items[i].der.data);
	free(c->items);
	gnutls_free(c->key_pem.data);
	gnutls_free(c->request_pem.data);
}
