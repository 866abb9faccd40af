/* What the harnesses of the formats share: a whole finding through the parser's own code, its records
 * encoded and read back, so that everything a record promises is checked. */
#ifndef LEAFWATCH_TESTS_FUZZ_HARNESS_H
#define LEAFWATCH_TESTS_FUZZ_HARNESS_H

#include "scanners/formats/format.h"
#include "scanners/parser_finding.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err harness_record(void *arg, const struct record *r)
{
	struct record back;
	struct buffer out;

	(void)arg;
	buffer_init(&out, RECORD_BYTES_MAX);
	record_encode(&out, r);
	/* What the parser tells must be what main takes. */
	if (buffer_status(&out) == ERR_OK) {
		if (record_decode(buffer_bytes(&out), &back) != ERR_OK)
			abort();
		record_fini(&back);
	}
	buffer_fini(&out);
	return ERR_OK;
}

typedef enum err (*harness_look)(
	const struct parser_context *, const struct parser_place *, struct slice);

/* `store` is trusted, and what it says of distrust holds; it may be empty. */
static int harness_run_with(harness_look look, struct slice input, struct slice store)
{
	const struct parser_place place = { .scanner = "files", .uri = "file:///fuzz" };
	char secret[] = "secret", changeit[] = "changeit";
	char *items[] = { secret, changeit };
	struct strings passwords = { .items = items, .count = 2, .capacity = 2 };
	struct parser_context context = {
		.judging = &judging_plain, .passwords = &passwords, .record = harness_record
	};
	struct trust *trust = NULL;
	struct judge_cache *cache = NULL;

	clock_pin(1790000000);
	if (trust_new(&trust) == ERR_OK && judge_cache_new(16, &cache) == ERR_OK) {
		context.trust = trust;
		context.cache = cache;
		if (store.size) {
			(void)!trust_add(trust, "trusted", false, store, NULL, NULL, NULL);
			(void)!trust_add(trust, "blocked", true, store, NULL, NULL, NULL);
			(void)!trust_distrust(trust, "blocked", store, NULL);
		}
		(void)!look(&context, &place, input);
	}
	judge_cache_free(cache);
	trust_free(trust);
	return 0;
}

static inline int harness_run(harness_look look, const uint8_t *data, size_t size)
{
	return harness_run_with(look, slice_of(data, size), slice_of(NULL, 0));
}

/* parser_file of a content that lies in a file, as large archives come. */
static inline enum err harness_file(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct format_file file = { .fd = memfd_create("content", MFD_CLOEXEC),
		.size = bytes.size };
	struct parser_place where = *place;
	enum err e = ERR_OK;

	if (file.fd < 0)
		return ERR_IO;
	where.file = &file;
	if (write(file.fd, bytes.data, bytes.size) == (ssize_t)bytes.size)
		e = parser_file(c, &where, slice_of(NULL, 0));
	(void)close(file.fd);
	return e;
}

#endif
