/* The limits of the configuration: with its standard nothing is said of these files; lowered, it is reached, and
 * named. */
#include "scanners/parser_finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_BYTES_MAX (1024 * 1024)
#define COPIES 3

static void certificates(struct format_limits *l)
{
	l->certificates = 1;
}

static void nesting(struct format_limits *l)
{
	l->nesting = 0;
}

static void problems(struct format_limits *l)
{
	l->problems = 1;
}

static void keys(struct format_limits *l)
{
	l->keys = 0;
}

static void references(struct format_limits *l)
{
	l->references = 1;
}

static void places(struct format_limits *l)
{
	l->places = 1;
}

static void decoded(struct format_limits *l)
{
	l->decoded_bytes = 100;
}

/* Rows are larger, what is asked of the database is not. */
static void tight(struct format_limits *l)
{
	l->decoded_bytes = 600;
}

static void iterations(struct format_limits *l)
{
	l->kdf_iterations = 0;
}

static void all_iterations(struct format_limits *l)
{
	l->kdf_iterations_total = 0;
}

static void passwords(struct format_limits *l)
{
	l->passwords = 1;
}

static void late(struct format_limits *l)
{
	l->time_ms = -1;
}

static void depth(struct format_limits *l)
{
	l->depth = 1;
}

static void members(struct format_limits *l)
{
	l->members = 0;
}

static void unpacked(struct format_limits *l)
{
	l->unpacked_bytes = 10;
}

static void ratio(struct format_limits *l)
{
	l->ratio = 1;
}

static void member(struct format_limits *l)
{
	l->member_bytes = 1000;
}

static void memory(struct format_limits *l)
{
	l->memory_bytes = 1024;
}

static void names(struct format_limits *l)
{
	l->reference_names = 0;
}

static void config(struct format_limits *l)
{
	l->config_bytes = 100;
}

static void ports(struct format_limits *l)
{
	l->reference_ports = 0;
}

static void config_depth(struct format_limits *l)
{
	l->config_depth = 1;
}

static void java(struct format_limits *l)
{
	l->java_settings = 1;
}

static const struct limit {
	const char *key;
	const char *file; /* below tests/fuzz/corpus; several times where one is not enough */
	void (*lower)(struct format_limits *l);
} limits[] = {
	{ "certificates", "pem/bundle", certificates },
	{ "nesting", "base64/jwks", nesting },
	{ "problems", "base64/cut-off", problems },
	{ "keys", "pem/bundle", keys },
	{ "references", "config/nginx", references },
	{ "config_size", "config/nginx", config },
	{ "reference_names", "config/nginx", names },
	{ "reference_ports", "config/nginx", ports },
	{ "reference_ports", "config/apache", ports },
	{ "reference_ports", "config/haproxy", ports },
	{ "config_depth", "config/yaml", config_depth },
	{ "java_settings", "config/properties", java },
	{ "java_settings", "config/yaml-spring", java },
	{ "base64_places", "base64/jwks", places },
	{ "base64_places", "base64/terraform-gzip", places },
	{ "decoded_size", "base64/jwks", decoded },
	{ "decoded_size", "base64/kubeconfig", decoded },
	{ "decoded_size", "base64/helm", decoded },
	{ "decoded_size", "pem/bundle", decoded },
	{ "decoded_size", "xml/saml", decoded },
	{ "decoded_size", "smime/signed", decoded },
	{ "decoded_size", "pkcs12/pbes2", decoded },
	{ "decoded_size", "bcfks/bcfks", decoded },
	{ "decoded_size", "uber/uber", decoded },
	{ "decoded_size", "pkcs12/ber", decoded },
	{ "decoded_size", "openssh/rsa", decoded },
	{ "decoded_size", "nss/cert9", tight },
	{ "kdf_iterations", "pkcs12/pbes2", iterations },
	{ "kdf_iterations", "jks/jceks", iterations },
	{ "kdf_iterations", "nss/key4", iterations },
	{ "kdf_iterations", "bcfks/bcfks", iterations },
	{ "kdf_iterations", "uber/uber", iterations },
	{ "kdf_iterations", "bks/bks", iterations },
	{ "kdf_iterations_total", "pkcs12/pbes2", all_iterations },
	{ "kdf_iterations_total", "bcfks/bcfks", all_iterations },
	{ "kdf_iterations_total", "jks/jks", all_iterations },
	{ "kdf_iterations_total", "jks/jceks", all_iterations },
	{ "memory", "bcfks/scrypt", memory },
	{ "memory", "archive/tar-xz", memory },
	{ "memory", "archive/tar-zst", memory },
	{ "member_size", "archive/apk-lineage", member },
	{ "password_attempts", "pkcs12/pbes2", passwords },
	{ "password_attempts", "bcfks/bcfks", passwords },
	{ "password_attempts", "uber/uber", passwords },
	{ "file_time", "pem/bundle", late },
	{ "file_time", "base64/jwks", late },
	{ "file_time", "pkcs12/pbes2", late },
	{ "file_time", "nss/cert9", late },
	{ "file_time", "archive/tar", late },
	{ "archive_depth", "archive/nested", depth },
	{ "archive_members", "archive/tar", members },
	{ "archive_size", "archive/tar", unpacked },
	{ "archive_ratio", "base64/gzip-bomb", ratio },
};

struct told {
	char wanted[64];
	unsigned limits; /* problems limit-reached */
	unsigned named;  /* of them, with the key */
	unsigned certificates;
};

static enum err on_record(void *arg, const struct record *r)
{
	struct told *t = arg;

	t->certificates += r->kind == RECORD_CERTIFICATE;
	if (r->kind != RECORD_PROBLEM || r->problem.reason != REASON_LIMIT_REACHED)
		return ERR_OK;
	assert_non_null(r->location.uri);
	t->limits++;
	t->named += strstr(r->problem.message, t->wanted) != NULL;
	return ERR_OK;
}

static void read_file(const char *path, struct buffer *out)
{
	const char *source = getenv("LEAFWATCH_SOURCE");
	char full[8192];
	uint8_t part[65536];
	size_t n;
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/tests/fuzz/corpus/%s", source ? source : ".", path);
	f = fopen(full, "re");
	assert_non_null(f);
	while ((n = fread(part, 1, sizeof(part), f)))
		buffer_append(out, part, n);
	(void)fclose(f);
	assert_int_equal(buffer_status(out), ERR_OK);
}

static void look(const struct limit *l, const struct format_limits *with, struct told *told)
{
	const struct parser_place place = { .scanner = "files", .uri = "file:///etc/x" };
	char wrong[] = "wrong", secret[] = "secret";
	char *items[] = { wrong, secret };
	struct strings candidates = { .items = items, .count = 2, .capacity = 2 };
	struct parser_context context = { .judging = &judging_plain,
		.passwords = &candidates,
		.limits = with,
		.record = on_record,
		.arg = told };
	bool is_text = strncmp(l->file, "base64/", 7) == 0 || strncmp(l->file, "pem/", 4) == 0;
	struct trust *trust = NULL;
	struct judge_cache *cache = NULL;
	struct buffer bytes;

	*told = (struct told){ .limits = 0 };
	(void)snprintf(told->wanted, sizeof(told->wanted), "(limits.%s)", l->key);
	buffer_init(&bytes, FILE_BYTES_MAX);
	for (int i = 0; i < (is_text && l->lower == problems ? COPIES : 1); i++)
		read_file(l->file, &bytes);
	assert_int_equal(trust_new(&trust), ERR_OK);
	assert_int_equal(judge_cache_new(16, &cache), ERR_OK);
	context.trust = trust;
	context.cache = cache;
	assert_int_equal(parser_file(&context, &place, buffer_bytes(&bytes)), ERR_OK);
	judge_cache_free(cache);
	trust_free(trust);
	buffer_fini(&bytes);
}

static void each_limit(void **state)
{
	(void)state;
	clock_pin(1790000000);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct format_limits with = format_limits_standard;
		struct told before, after;

		/* That file is a bomb by the standard as well. */
		if (limits[i].lower == ratio)
			with.ratio = INT32_MAX;
		look(&limits[i], &with, &before);
		limits[i].lower(&with);
		look(&limits[i], &with, &after);
		if (before.named || !after.named)
			fail_msg("%s of %s: told %u times before, %u times of %u after",
				limits[i].key, limits[i].file, before.named, after.named,
				after.limits);
		/* Once a file, wherever else it would be reached. */
		assert_in_range(after.named, 1, COPIES);
	}
}

/* What was found before the time was over is told. */
static void keeps_what_it_has(void **state)
{
	static const struct limit one = { "certificates", "pem/bundle", certificates };
	struct format_limits with = format_limits_standard;
	struct told told;

	(void)state;
	look(&one, &with, &told);
	assert_int_equal(told.certificates, 2);
	certificates(&with);
	look(&one, &with, &told);
	assert_int_equal(told.certificates, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_limit),
		cmocka_unit_test(keeps_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
