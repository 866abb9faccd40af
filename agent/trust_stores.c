/* Trust stores by their names: read once, whoever trusts them. */
#include "agent/trust_stores.h"

#include "agent/base/index.h"
#include "agent/base/log.h"
#include "agent/certificate/trust.h"

#include <string.h>

/* ---- which count --------------------------------------------------------------------------------- */

/* The bit of a store; none where it is not there, like the system's on a system without one. */
static uint64_t bit_of(const struct parser_options *o, const char *name)
{
	for (size_t i = 0; i < o->stores_count; i++)
		if (strcmp(o->stores[i].name, name) == 0)
			return UINT64_C(1) << i;
	return 0;
}

static uint64_t bits_of(const struct parser_options *o, const struct strings *names)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < names->count; i++)
		bits |= bit_of(o, names->items[i]);
	return bits;
}

static uint64_t bits_of_default(const struct settings *s, const struct parser_options *o)
{
	uint64_t bits = bits_of(o, &s->trust.bundles);

	return s->trust.system ? bits | bit_of(o, TRUST_SYSTEM) : bits;
}

/* The same for the same names in any order. */
static uint64_t id_of(const struct parser_options *o, uint64_t stores)
{
	uint64_t id = 1;

	for (size_t i = 0; i < o->stores_count; i++)
		if (stores & UINT64_C(1) << i)
			id += index_hash(o->stores[i].name, strlen(o->stores[i].name));
	return id ? id : 1;
}

enum err trust_stores_judging(const struct settings *s, const struct strings *trust,
	bool use_common_name, struct parser_options *o, uint8_t *number)
{
	uint64_t of_default = bits_of_default(s, o);
	struct judging judging = { .use_common_name = use_common_name, .stores = of_default };

	if (trust && trust->count)
		judging.stores = bits_of(o, trust);
	if (judging.stores != of_default)
		judging.id = id_of(o, judging.stores);
	return parser_options_add_judging(o, &judging, number);
}

enum err trust_stores_of_job(const struct settings *s, const struct scan_job *job,
	struct parser_options *o, struct job_judgings *out)
{
	enum err e = trust_stores_judging(s, &job->trust, job->use_common_name, o, &out->common);

	for (size_t i = 0; e == ERR_OK && i < job->target_trust.count; i++) {
		const struct target_trust *entry = job->target_trust.items[i];

		e = i == SCAN_TARGET_TRUST_MAX ? ERR_LIMIT
					       : trust_stores_judging(s, &entry->trust,
							 job->use_common_name, o, &out->targets[i]);
	}
	return e;
}

/* ---- reading ------------------------------------------------------------------------------------- */

/* A store of one or more files and folders; once, whoever names it. */
static enum err add_store(
	struct parser_options *o, const char *name, const struct strings *paths, struct why *why)
{
	struct buffer bytes;
	enum err e = ERR_OK;

	if (bit_of(o, name))
		return ERR_OK;
	buffer_init(&bytes, TRUST_BYTES_MAX);
	for (size_t i = 0; e == ERR_OK && i < paths->count; i++)
		e = trust_read(paths->items[i], &bytes, why);
	if (e == ERR_OK)
		e = parser_options_add_store(o, name, false, buffer_bytes(&bytes));
	buffer_fini(&bytes);
	if (e == ERR_LIMIT && why && !why->text[0])
		return why_fail(why, e,
			"%s: more than %d trust stores, or more than 64 MiB of them", name,
			PARSER_STORES_MAX);
	return e;
}

static enum err add_path(struct parser_options *o, const char *path, struct why *why)
{
	char *paths[] = { (char *)(uintptr_t)path };
	const struct strings one = { paths, 1, 1 };

	return add_store(o, path, &one, why);
}

static bool is_system_wanted(const struct settings *s)
{
	if (s->trust.system)
		return true;
	for (size_t i = 0; i < s->jobs_count; i++) {
		const struct scan_job *job = s->jobs[i].conf;

		if (strings_contain(&job->trust, TRUST_SYSTEM))
			return true;
		for (size_t k = 0; k < job->target_trust.count; k++)
			if (strings_contain(
				    &((const struct target_trust *)job->target_trust.items[k])
					     ->trust,
				    TRUST_SYSTEM))
				return true;
	}
	return false;
}

static enum err add_system(const struct settings *s, struct parser_options *o, struct why *why)
{
	const char *path = is_system_wanted(s) ? trust_system_path() : NULL;
	struct buffer bytes;
	enum err e;

	if (!path) {
		if (is_system_wanted(s))
			log_warn(
				"this system has no bundle of trusted CAs: public certificates will be untrusted");
		return ERR_OK;
	}
	buffer_init(&bytes, TRUST_BYTES_MAX);
	e = trust_read(path, &bytes, why);
	if (e == ERR_OK)
		e = trust_read_attributes(&bytes, why);
	if (e == ERR_OK)
		e = parser_options_add_store(o, TRUST_SYSTEM, true, buffer_bytes(&bytes));
	buffer_fini(&bytes);
	return e;
}

/* After all stores, whose order says which bit is whose. */
static enum err add_distrusted(struct parser_options *o, struct why *why)
{
	struct buffer bytes;
	enum err e;

	buffer_init(&bytes, TRUST_BYTES_MAX);
	e = trust_read_distrusted(&bytes, why);
	if (e == ERR_OK && bytes.size && bit_of(o, TRUST_SYSTEM))
		e = parser_options_add_distrusted(o, TRUST_SYSTEM, buffer_bytes(&bytes));
	buffer_fini(&bytes);
	return e;
}

/* Paths that a job alone names. */
static enum err add_paths(struct parser_options *o, const struct strings *trust, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < trust->count; i++)
		if (strchr(trust->items[i], '/'))
			e = add_path(o, trust->items[i], why);
	return e;
}

static enum err add_of_job(struct parser_options *o, const struct scan_job *job, struct why *why)
{
	enum err e = add_paths(o, &job->trust, why);

	for (size_t i = 0; e == ERR_OK && i < job->target_trust.count; i++)
		e = add_paths(
			o, &((const struct target_trust *)job->target_trust.items[i])->trust, why);
	return e;
}

static enum err add_judgings(const struct settings *s, struct parser_options *o)
{
	struct job_judgings unused;
	enum err e = trust_stores_judging(s, NULL, false, o, &unused.common);

	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++)
		e = trust_stores_of_job(s, s->jobs[i].conf, o, &unused);
	return e;
}

enum err trust_stores_load(const struct settings *s, struct parser_options *out, struct why *why)
{
	enum err e = add_system(s, out, why);

	for (size_t i = 0; e == ERR_OK && i < s->trust.bundles.count; i++)
		e = add_path(out, s->trust.bundles.items[i], why);
	for (size_t i = 0; e == ERR_OK && i < s->trust.stores.count; i++) {
		const struct trust_store *store = s->trust.stores.items[i];

		e = add_store(out, store->name, &store->bundles, why);
	}
	for (size_t i = 0; e == ERR_OK && i < s->jobs_count; i++)
		e = add_of_job(out, s->jobs[i].conf, why);
	if (e == ERR_OK)
		e = add_distrusted(out, why);
	return e == ERR_OK ? add_judgings(s, out) : e;
}
