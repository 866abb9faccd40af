/* The parts of the benchmark's corpus: certificates, and the files that hold them. */
#ifndef LEAFWATCH_TESTS_BENCH_CORPUS_H
#define LEAFWATCH_TESTS_BENCH_CORPUS_H

#include <gnutls/gnutls.h>
#include <stddef.h>
#include <stdint.h>

#define CORPUS_PASSWORD "corpus-password"
#define HASH_TEXT_BYTES 65
#define HOLDER_CERTIFICATES_MAX 16

struct certificate_made {
	gnutls_datum_t der; /* owned */
	char sha256[HASH_TEXT_BYTES];
};

/* All certificates of a corpus: the same for the same seed and count. */
struct certificates {
	struct certificate_made *items;
	size_t count;
	gnutls_datum_t key_pem;     /* of all of them */
	gnutls_datum_t request_pem; /* a request without a certificate */
};

struct growing {
	uint8_t *data; /* owned */
	size_t size;
	size_t capacity;
};

/* A small generator of numbers: xorshift64*. */
uint64_t corpus_random(uint64_t *state);

/* These end the program when they fail. */
void certificates_make(struct certificates *c, size_t count, uint64_t seed);
void certificates_free(struct certificates *c);
void growing_add(struct growing *g, const void *data, size_t size);
void growing_text(struct growing *g, const char *text);
_Noreturn void corpus_die(const char *what);

/* One kind of file: writes `count` certificates into `out`. */
struct kind {
	const char *name;
	const char *suffix;
	unsigned share; /* files of 2,000 */
	unsigned least; /* certificates a file */
	unsigned most;
	void (*write)(struct growing *out, const struct certificates *all,
		const struct certificate_made *const *items, size_t count);
};
extern const struct kind kinds[];
extern const size_t kinds_count;

#endif
