/* The scanner of PKCS#11 tokens: which modules, which tokens, which PINs. The role does the work. */
#include "agent/certificate/token.h"
#include "scanners/formats/format.h"
#include "scanners/scanner.h"
#include "scanners/tokens/gather.h"
#include "scanners/tokens/modules.h"
#include "scanners/tokens/role.h"
#include "scanners/tokens/stores.h"
#include "scanners/tokens/uri.h"
#include "scanners/tokens/work.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS_VERSION 1

struct tokens_conf {
	struct scan_job job;
	struct strings uris;
	struct strings modules;
	bool discover;
	char *pin_file;
	struct strings writable;
	bool network;
	int64_t timeout_ms;
};

static enum err check_uri(const char *value, struct why *why)
{
	struct token_uri uri = { 0 };
	struct why inner = { 0 };
	char *pin = NULL;
	enum err e = token_uri_parse(value, &uri, &inner);

	if (e == ERR_OK)
		e = token_uri_pin_file(&uri, &pin, &inner);
	token_uri_fini(&uri);
	free(pin);
	/* The URI itself might hold a PIN. */
	return e == ERR_OK ? e : why_fail(why, e, "a pkcs11: URI: %s", why_text(&inner, e));
}

static enum err check_path(const char *value, struct why *why)
{
	if (value[0] != '/' || strlen(value) > TOKEN_MODULE_BYTES_MAX)
		return why_fail(why, ERR_CONFIG, "\"%.200s\" is no absolute path", value);
	return ERR_OK;
}

static const struct schema_field fields[] = {
	{ .key = "uris",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct tokens_conf, uris),
		.check = check_uri,
		.help = "Tokens, or certificates in them, as pkcs11: URIs (RFC 7512); without any: all tokens." },
	SCAN_JOB_FIELDS(struct tokens_conf, "1h"),
	{ .key = "modules",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct tokens_conf, modules),
		.check = check_path,
		.help = "PKCS#11 modules (absolute paths) that are loaded, besides those that are discovered." },
	{ .key = "discover",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct tokens_conf, discover),
		.standard = "yes",
		.help = "Load the modules that p11-kit's configuration names, all but trust stores." },
	{ .key = "pin_file",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct tokens_conf, pin_file),
		.help = "File with the user PIN, for tokens whose URI has no pin-source; credential:NAME is allowed." },
	{ .key = "writable",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct tokens_conf, writable),
		.check = check_path,
		.help = "Files and folders that modules may write, besides the stores and devices of known ones." },
	{ .key = "network",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct tokens_conf, network),
		.standard = "no",
		.help = "Let modules use the network, as those of network HSMs must." },
	{ .key = "timeout",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct tokens_conf, timeout_ms),
		.standard = "30s",
		.minimum = TOKEN_TIMEOUT_MS_MIN,
		.maximum = TOKEN_TIMEOUT_MS_MAX,
		.help = "Time for one module, over all its tokens; then it is killed." },
	{ .key = NULL },
};

static bool accepts(const char *source)
{
	return strncmp(source, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) == 0;
}

static enum err add_source(void *arg, const char *source, struct why *why)
{
	struct tokens_conf *conf = arg;
	struct why inner = { 0 };
	enum err e = check_uri(source, &inner);

	if (e != ERR_OK)
		return why_fail(why, e == ERR_CONFIG ? ERR_USAGE : e, "%s", why_text(&inner, e));
	if (conf->uris.count >= TOKEN_URIS_MAX)
		return why_fail(why, ERR_LIMIT, "more than %d pkcs11: URIs", TOKEN_URIS_MAX);
	return strings_add(&conf->uris, source);
}

/* All tokens of the modules that this host's p11-kit is set up for. */
static enum err add_default(void *conf, struct why *why)
{
	(void)conf;
	(void)why;
	return ERR_OK;
}

/* The work is in the item, PINs too: options are stored as a hash with what the role remembers, and a hash of
 * four digits keeps no secret. */
static enum err encode_options(const void *conf, struct buffer *out, struct why *why)
{
	(void)conf;
	(void)why;
	buffer_byte(out, OPTIONS_VERSION);
	return buffer_status(out);
}

/* --- PINs ------------------------------------------------------------------------------------------ */

static enum err check_pin(const char *file, struct why *why)
{
	struct token_pin pin = { 0 };
	enum err e = file ? token_pin_read(file, &pin, why) : ERR_OK;

	token_pin_fini(&pin);
	return e;
}

static enum err check(const void *arg, struct why *why)
{
	const struct tokens_conf *conf = arg;
	enum err e = check_pin(conf->pin_file, why);

	for (size_t i = 0; e == ERR_OK && i < conf->uris.count; i++) {
		char *file = NULL;

		e = token_pin_file_of(conf->uris.items[i], &file, why);
		if (e == ERR_OK)
			e = check_pin(file, why);
		free(file);
	}
	if (e == ERR_OK && conf->uris.count > TOKEN_URIS_MAX)
		e = why_fail(why, ERR_LIMIT, "more than %d pkcs11: URIs", TOKEN_URIS_MAX);
	if (e == ERR_OK && conf->modules.count > TOKEN_MODULES_CEILING)
		e = why_fail(why, ERR_LIMIT, "more than %d modules", TOKEN_MODULES_CEILING);
	if (e == ERR_OK && conf->writable.count > TOKEN_WRITABLE_MAX)
		e = why_fail(why, ERR_LIMIT, "more than %d files and folders that are writable",
			TOKEN_WRITABLE_MAX);
	return e;
}

/* --- the work of a pass ---------------------------------------------------------------------------- */

static enum err gather(const struct tokens_conf *conf, struct token_work *w)
{
	const struct format_limits *limits =
		conf->job.limits ? conf->job.limits : &format_limits_standard;
	enum err e = ERR_OK;

	w->has_network = conf->network;
	w->timeout_ms = conf->timeout_ms;
	w->tokens_max = (uint32_t)limits->tokens;
	w->certificates_max = (uint32_t)limits->token_certificates;
	w->certificate_bytes_max = (uint32_t)limits->token_certificate_bytes;
	w->modules_max = (uint32_t)limits->token_modules;
	w->wishes = calloc(conf->uris.count + 1, sizeof(*w->wishes));
	if (!w->wishes)
		return ERR_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < conf->modules.count; i++)
		e = token_add_module(w, conf->modules.items[i]);
	for (size_t i = 0; e == ERR_OK && i < conf->uris.count && i < TOKEN_URIS_MAX; i++)
		e = token_add_wish(w, conf->uris.items[i]);
	w->named_modules = w->modules.count;
	if (e == ERR_OK && conf->discover)
		e = token_add_discovered(w);
	if (e == ERR_OK && conf->pin_file)
		e = token_pin_take(conf->pin_file, &w->pin);
	if (e == ERR_OK)
		e = token_stores_add(&w->writable);
	for (size_t i = 0; e == ERR_OK && i < conf->writable.count; i++)
		if (w->writable.count < TOKEN_WRITABLE_MAX)
			e = strings_add(&w->writable, conf->writable.items[i]);
	return e;
}

struct plan {
	struct buffer item; /* wiped: holds PINs */
	bool has_item;
};

static void close_plan(void *arg)
{
	struct plan *plan = arg;

	if (!plan)
		return;
	buffer_wipe(&plan->item);
	free(plan);
}

static enum err open_plan(const void *arg, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	const struct tokens_conf *conf = arg;
	struct plan *plan = calloc(1, sizeof(*plan));
	struct token_work work = { 0 };
	enum err e = plan ? gather(conf, &work) : ERR_MEMORY;

	(void)hints;
	if (e == ERR_OK) {
		buffer_init(&plan->item, TOKEN_WORK_BYTES_MAX);
		/* At once: growing would leave PINs behind in freed memory. */
		if (!buffer_reserve(&plan->item, TOKEN_WORK_BYTES_MAX - 1))
			e = ERR_MEMORY;
		token_work_encode(&plan->item, &work);
		e = e == ERR_OK ? buffer_status(&plan->item) : e;
		plan->has_item = work.modules.count || work.wishes_count || work.complaint;
	}
	token_work_fini(&work);
	if (e != ERR_OK) {
		close_plan(plan);
		return e == ERR_LIMIT ? why_fail(why, e, "its modules and URIs are too long") : e;
	}
	*expected = 0;
	*out = plan;
	return ERR_OK;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	struct plan *plan = arg;
	char *place;

	(void)why;
	if (!plan->has_item)
		return ERR_END;
	place = strdup(TOKEN_URI_SCHEME);
	if (!place)
		return ERR_MEMORY;
	out->place = place;
	out->item = plan->item;
	buffer_init(&plan->item, TOKEN_WORK_BYTES_MAX);
	plan->has_item = false;
	return ERR_OK;
}

/* A refused PIN stays refused whatever verdicts depend on. */
static enum err forget_holders(struct slice memory, struct buffer *out)
{
	buffer_slice(out, memory);
	return buffer_status(out);
}

extern const struct scanner tokens_scanner;
const struct scanner tokens_scanner = {
	.name = TOKENS_SCANNER,
	.help = "certificates in PKCS#11 tokens",
	.role = &token_role,
	.keeps_memory = true,
	.forget_holders = forget_holders,
	.window = 1,
	.fields = fields,
	.conf_bytes = sizeof(struct tokens_conf),
	.check_files = check,
	.accepts = accepts,
	.add_source = add_source,
	.add_default = add_default,
	.encode_options = encode_options,
	.open = open_plan,
	.next = next_item,
	.close = close_plan,
};
