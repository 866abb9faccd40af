/* The path's own readers of DER: extensions, name constraints, policies, names, CRLs. The input is a list of
 * (two octets of size, bytes): the first is the leaf, the last certificate is trusted, what is no
 * certificate is taken for a CRL. Certificates need not be ones that GnuTLS takes. */
#include "agent/certificate/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ITEMS_MAX 16

struct family_of_input {
	struct parsed_certificate parsed[ITEMS_MAX];
	const struct parsed_certificate *all[ITEMS_MAX];
	size_t count;
	struct crl crls[ITEMS_MAX];
	size_t crls_count;
};

static void take(struct family_of_input *f, struct slice item)
{
	if (certificate_parse(item, &f->parsed[f->count], NULL, NULL) == ERR_OK) {
		f->all[f->count] = &f->parsed[f->count];
		f->count++;
	} else if (crl_parse(item, &f->crls[f->crls_count], NULL, NULL) == ERR_OK) {
		f->crls_count++;
	}
}

static void split(struct family_of_input *f, struct slice left)
{
	for (size_t i = 0; i < ITEMS_MAX && left.size > 2; i++) {
		size_t size = (size_t)left.data[0] << 8 | left.data[1];

		left = slice_after(left, 2);
		if (size > left.size)
			size = left.size;
		take(f, slice_of(left.data, size));
		left = slice_after(left, size);
	}
}

static void judge_all(const struct family_of_input *f, const struct trust *trust, bool is_strict)
{
	static const char *const names[] = { "fuzz.example.org", "192.0.2.1", "a@example.org" };
	static const enum name_kind kinds[] = { NAME_HOST, NAME_HOST, NAME_EMAIL };

	for (size_t i = 0; i < 3; i++) {
		struct judge_question q = { .leaf = f->all[0],
			.candidates = f->all,
			.candidates_count = f->count,
			.server_name = names[i],
			.name_kind = kinds[i],
			.use_common_name = is_strict,
			.purpose = (enum purpose)(1 + i),
			.is_strict = is_strict,
			.crls = (struct crl *)(uintptr_t)f->crls,
			.crls_count = f->crls_count,
			.revocation = REVOCATION_GIVEN,
			.now = 1790000000 };
		struct verdict v;

		if (judge(trust, NULL, &q, &v) == ERR_OK)
			verdict_fini(&v);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct family_of_input f = { 0 };
	struct trust *trust = NULL;

	split(&f, slice_of(data, size));
	if (f.count && trust_new(&trust) == ERR_OK) {
		(void)!trust_add(trust, "fuzz", false, f.all[f.count - 1]->der, NULL, NULL, NULL);
		judge_all(&f, trust, false);
		judge_all(&f, trust, true);
	}
	for (size_t i = 0; i < f.count; i++)
		parsed_certificate_fini(&f.parsed[i]);
	trust_free(trust);
	return 0;
}
