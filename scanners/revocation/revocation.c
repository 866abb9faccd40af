/* The planning half: questions come from what other jobs have found, the fetcher asks them. */
#include "scanners/revocation/revocation.h"

#include "agent/base/log.h"
#include "agent/process/messages.h"

#include "scanners/fetch.h"
#include "scanners/revocation/fetcher.h"

#include <stdlib.h>
#include <string.h>

#define QUESTIONS_MAX 100000
#define ISSUERS_MAX 2000 /* places that may be asked for issuers in one pass */
#define WINDOW 64
#define ITEM_BYTES_MAX FRAME_BYTES_MAX

static const char *const mode_words[] = { "off", "soft", "hard", NULL };

static const struct schema_field fields[] = {
	{ .key = "mode",
		.type = SCHEMA_WORD,
		.offset = offsetof(struct revocation_conf, mode),
		.standard = "soft",
		.words = mode_words,
		.help = "Ask issuers whether they revoked a certificate: not at all; and say where it could not be learnt; or hold that for broken." },
	{ .key = "crl",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct revocation_conf, crl),
		.standard = "true",
		.help = "Fetch revocation lists." },
	{ .key = "ocsp",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct revocation_conf, ocsp),
		.standard = "true",
		.help = "Ask OCSP responders, where there is no list or it cannot be had." },
	{ .key = "aia",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct revocation_conf, aia),
		.standard = "false",
		.help = "Fetch issuers that lie nowhere on this host from where certificates say (caIssuers), whatever the mode." },
	SCAN_JOB_FIELDS(struct revocation_conf, "1h"),
	{ .key = "timeout",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct revocation_conf, timeout_ms),
		.standard = "30s",
		.minimum = FETCHER_TIMEOUT_MS_MIN,
		.maximum = FETCHER_TIMEOUT_MS_MAX,
		.help = "Time for one answer, over everything." },
	{ .key = "proxy",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct revocation_conf, proxy),
		.help = "URL of a proxy; \"\" for none; else the environment's." },
	{ .key = NULL },
};

/* No SOURCE names it. */
static bool accepts(const char *source)
{
	(void)source;
	return false;
}

static bool is_off(const void *arg)
{
	const struct revocation_conf *conf = arg;

	return conf->mode == REVOCATION_ASK_OFF && !conf->aia;
}

static enum err encode_options(const void *arg, struct buffer *out, struct why *why)
{
	const struct revocation_conf *conf = arg;
	const struct fetcher_options options = {
		.timeout_ms = conf->timeout_ms,
		.proxy = conf->proxy,
	};

	(void)why;
	fetcher_options_encode(out, &options);
	return buffer_status(out);
}

/* --- the plan ------------------------------------------------------------------------------------ */

struct plan {
	const struct revocation_conf *conf; /* borrowed for open */
	struct scan_item *items;            /* owned */
	size_t count;
	size_t next;
	struct strings issuers; /* places that were or will be asked for issuers */
	bool has_followed;
	bool is_cut; /* there were more such places than ISSUERS_MAX, which was logged */
};

static void close_plan(void *arg)
{
	struct plan *plan = arg;

	if (!plan)
		return;
	for (size_t i = plan->next; i < plan->count; i++) {
		free(plan->items[i].place);
		buffer_fini(&plan->items[i].item);
	}
	free(plan->items);
	strings_fini(&plan->issuers);
	free(plan);
}

static bool is_wanted(const struct revocation_conf *conf, enum fetch_kind kind)
{
	if (kind == FETCH_ISSUERS)
		return conf->aia;
	return conf->mode != REVOCATION_ASK_OFF && (kind == FETCH_CRL ? conf->crl : conf->ocsp);
}

/* An issuer that was fetched may say where its own issuer is: what it leads to is asked about in the same
 * pass, but each place once, so that a circle of them ends. */
static bool was_asked(const struct plan *plan, const char *place)
{
	for (size_t i = 0; i < plan->issuers.count; i++)
		if (strcmp(plan->issuers.items[i], place) == 0)
			return true;
	return false;
}

static enum err admit(struct plan *plan, const char *place, struct slice item, bool *out)
{
	struct fetch f;
	enum fetch_kind kind;

	*out = false;
	if (fetch_decode(item, &f) != ERR_OK)
		return ERR_OK;
	kind = f.kind;
	fetch_fini(&f);
	if (!is_wanted(plan->conf, kind))
		return ERR_OK;
	if (kind != FETCH_ISSUERS) {
		*out = !plan->has_followed;
		return ERR_OK;
	}
	if (was_asked(plan, place))
		return ERR_OK;
	*out = plan->issuers.count < ISSUERS_MAX;
	if (!*out && !plan->is_cut)
		log_warn("more than %d places may have issuers: the rest are asked in a later pass",
			ISSUERS_MAX);
	plan->is_cut = plan->is_cut || !*out;
	return *out ? strings_add(&plan->issuers, place) : ERR_OK;
}

static enum err add_question(void *arg, const char *place, struct slice item)
{
	struct plan *plan = arg;
	struct scan_item *items;
	struct scan_item *one;
	bool is_admitted;
	enum err e = admit(plan, place, item, &is_admitted);

	if (e != ERR_OK || !is_admitted)
		return e;
	if (plan->count == QUESTIONS_MAX)
		return ERR_LIMIT;
	items = reallocarray(plan->items, plan->count + 1, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	plan->items = items;
	one = &items[plan->count];
	one->place = strdup(place);
	buffer_init(&one->item, ITEM_BYTES_MAX);
	buffer_slice(&one->item, item);
	if (!one->place || buffer_status(&one->item) != ERR_OK) {
		free(one->place);
		buffer_fini(&one->item);
		return ERR_MEMORY;
	}
	plan->count++;
	return ERR_OK;
}

static enum err open_plan(const void *conf, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	enum err e = ERR_OK;

	if (!plan)
		return ERR_MEMORY;
	plan->conf = conf;
	if (hints && hints->each_question)
		e = hints->each_question(hints->ctx, add_question, plan, why);
	if (e != ERR_OK) {
		close_plan(plan);
		return e;
	}
	*expected = plan->count;
	*out = plan;
	return ERR_OK;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	struct plan *plan = arg;

	(void)why;
	if (plan->next == plan->count)
		return ERR_END;
	*out = plan->items[plan->next++];
	return ERR_OK;
}

static enum err follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct plan *plan = arg;

	plan->has_followed = true;
	if (!plan->conf->aia || !hints || !hints->each_question)
		return ERR_OK;
	return hints->each_question(hints->ctx, add_question, plan, why);
}

const struct scanner revocation_scanner = {
	.name = REVOCATION_SCANNER,
	.help = "what issuers say of their certificates (CRL, OCSP), and issuers themselves",
	.role = &fetcher_role,
	.is_section = true,
	.stage = 1,
	.window = WINDOW,
	.fields = fields,
	.conf_bytes = sizeof(struct revocation_conf),
	.is_off = is_off,
	.accepts = accepts,
	.encode_options = encode_options,
	.open = open_plan,
	.next = next_item,
	.follow = follow,
	.close = close_plan,
};
