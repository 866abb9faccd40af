/* Certificates to questions: grouped by where to ask, without those whose answer still holds. */
#include "agent/revocation.h"

#include "agent/base/array.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/inventory_internal.h"
#include "agent/process/messages.h"
#include "scanners/fetch.h"
#include "scanners/revocation/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUBJECTS_MAX 100000
#define ASK_AGAIN_S 86400
/* Places that fetched issuers name in turn: who answers with ever new ones must not fill the inventory. */
#define ISSUERS_OF_FETCHED_MAX 64
#define PLACE_DIGITS 16 /* of a fingerprint, to tell places of one URL apart */

/* One certificate at one URL. */
struct subject {
	char *url; /* owned */
	enum fetch_kind kind;
	uint8_t issuer[FINGERPRINT_BYTES];
	uint8_t fingerprint[FINGERPRINT_BYTES];
	struct issuer_id issuer_id;
	char *serial; /* owned */
	bool is_ca;
	bool is_by_anchor;
};

/* A source that was asked before. */
struct source {
	char *uri;           /* owned */
	char *etag;          /* owned, or NULL */
	char *last_modified; /* owned, or NULL */
	int64_t checked;
	int64_t next_update;
	bool has_failed;
};

struct search {
	struct inventory *inventory;
	const struct revocation_map *map; /* what was said before; taken */
	int64_t now;
	struct subject *subjects; /* owned */
	size_t subjects_count;
	struct source *sources; /* owned, sorted by uri */
	size_t sources_count;
	size_t of_fetched; /* questions for issuers of issuers that were fetched */
	bool is_full;
};

static void search_fini(struct search *s)
{
	for (size_t n = 0; n < s->subjects_count; n++) {
		free(s->subjects[n].url);
		free(s->subjects[n].serial);
	}
	for (size_t n = 0; n < s->sources_count; n++) {
		free(s->sources[n].uri);
		free(s->sources[n].etag);
		free(s->sources[n].last_modified);
	}
	free(s->subjects);
	free(s->sources);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* --- sources that are known ---------------------------------------------------------------------- */

static enum err add_source(void *arg, const struct revocation_source *from)
{
	struct search *s = arg;
	struct source *to;

	if (!array_grow((void **)&s->sources, s->sources_count, sizeof(*s->sources)))
		return ERR_MEMORY;
	to = &s->sources[s->sources_count++];
	*to = (struct source){ .uri = copy(from->uri),
		.etag = copy(from->etag),
		.last_modified = copy(from->last_modified),
		.checked = from->checked,
		.next_update = from->next_update,
		.has_failed = from->has_failed };
	return to->uri ? ERR_OK : ERR_MEMORY;
}

static int by_uri(const void *key, const void *item)
{
	return strcmp(key, ((const struct source *)item)->uri);
}

static const struct source *find_source(const struct search *s, const char *uri)
{
	return s->sources_count
		       ? bsearch(uri, s->sources, s->sources_count, sizeof(*s->sources), by_uri)
		       : NULL;
}

/* --- certificates to ask about -------------------------------------------------------------------- */

static bool is_http(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

/* The first that can be asked, else the first: that it cannot be asked is then said of it. */
static const char *choose_url(const struct strings *urls)
{
	for (size_t n = 0; n < urls->count; n++)
		if (is_http(urls->items[n]))
			return urls->items[n];
	return urls->count ? urls->items[0] : NULL;
}

static enum err add_subject(
	struct search *s, const struct certificate_record *r, enum fetch_kind kind, const char *url)
{
	bool has_issuer = kind != FETCH_ISSUERS;
	struct subject *to;

	if (s->subjects_count == SUBJECTS_MAX) {
		s->is_full = true;
		return ERR_OK;
	}
	if (!array_grow((void **)&s->subjects, s->subjects_count, sizeof(*s->subjects)))
		return ERR_MEMORY;
	to = &s->subjects[s->subjects_count++];
	*to = (struct subject){ .url = strdup(url),
		.kind = kind,
		.issuer_id = r->verdict.issuer_id,
		.serial = strdup(r->facts.serial),
		.is_ca = r->facts.is_ca,
		.is_by_anchor = r->verdict.chain.count == 2 };
	if (has_issuer)
		memcpy(to->issuer, r->verdict.chain.items[1], FINGERPRINT_BYTES);
	memcpy(to->fingerprint, r->facts.fingerprint, FINGERPRINT_BYTES);
	return to->url && to->serial ? ERR_OK : ERR_MEMORY;
}

/* Only an issuer that is trusted can be believed about its certificates. */
static bool is_worth_asking(const struct search *s, const struct certificate_record *r)
{
	return r->verdict.trust && !r->verdict.is_anchor && !r->verdict.is_bundled &&
	       r->verdict.has_issuer_id && r->verdict.chain.count >= 2 &&
	       r->facts.not_after != TIME_UNKNOWN && s->now <= r->facts.not_after;
}

/* Can its list be had, and does it speak of the certificate? */
static bool is_answered(
	const struct search *s, const struct certificate_record *r, const char *list)
{
	const struct source *source = find_source(s, list);
	enum revocation_status said = REVOCATION_GOOD;

	if (!is_http(list) || (source && source->has_failed))
		return false;
	(void)revocation_map_says(s->map, r->facts.fingerprint, list, &said);
	return said != REVOCATION_UNKNOWN;
}

/* Where an issuer is missed that lies nowhere here; and where one was fetched before, for as long as there is
 * a certificate that names the place. */
static bool misses_issuer(
	const struct search *s, const struct certificate_record *r, const char *url)
{
	if (!is_http(url) || r->verdict.is_anchor || r->verdict.is_bundled ||
		r->facts.not_after == TIME_UNKNOWN || s->now > r->facts.not_after)
		return false;
	return find_source(s, url) ||
	       (verdict_lacks_issuer(&r->verdict) && r->verdict.chain.count == 1);
}

static bool may_go_on(struct search *s, const struct record *r)
{
	if (strcmp(r->location.scanner, REVOCATION_SCANNER) != 0)
		return true;
	return s->of_fetched++ < ISSUERS_OF_FETCHED_MAX;
}

/* Lists first: one answers for many, and tells nobody which certificate is asked about. */
static enum err on_sighting(void *arg, const struct sighting *sighting)
{
	struct search *s = arg;
	const struct certificate_record *r = &sighting->record->certificate;
	const char *crl = choose_url(&r->facts.crl_urls);
	const char *ocsp = choose_url(&r->facts.ocsp_urls);
	const char *issuers = choose_url(&r->facts.issuer_urls);
	enum err e = ERR_OK;

	if (issuers && misses_issuer(s, r, issuers) && may_go_on(s, sighting->record))
		e = add_subject(s, r, FETCH_ISSUERS, issuers);
	if (e != ERR_OK || !is_worth_asking(s, r))
		return e;
	if (crl)
		e = add_subject(s, r, FETCH_CRL, crl);
	if (e == ERR_OK && ocsp && !(crl && is_answered(s, r, crl)))
		e = add_subject(s, r, FETCH_OCSP, ocsp);
	return e;
}

/* --- questions ------------------------------------------------------------------------------------ */

/* OCSP is asked about one certificate at a time, so there each is a group of its own. */
static int compare_group(const struct subject *a, const struct subject *b)
{
	int order = (int)a->kind - (int)b->kind;

	if (!order)
		order = strcmp(a->url, b->url);
	if (!order)
		order = memcmp(a->issuer, b->issuer, FINGERPRINT_BYTES);
	if (!order && a->kind == FETCH_OCSP)
		order = memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_BYTES);
	return order;
}

static int by_group(const void *a, const void *b)
{
	const struct subject *x = a;
	const struct subject *y = b;
	int order = compare_group(x, y);

	return order ? order : memcmp(x->fingerprint, y->fingerprint, FINGERPRINT_BYTES);
}

/* A list stands at its URL; a responder at its URL and the certificate. Two issuers that name one list are
 * told apart, for at most one of them issued it. */
static enum err place_of(const struct subject *one, bool is_first_of_url, char **out)
{
	char hex[FINGERPRINT_TEXT_BYTES];
	int n;

	text_hex(hex, one->kind == FETCH_OCSP ? one->fingerprint : one->issuer, FINGERPRINT_BYTES);
	if (one->kind == FETCH_ISSUERS || (one->kind == FETCH_CRL && is_first_of_url))
		n = asprintf(out, "%s", one->url);
	else
		n = asprintf(out, "%s#%.*s", one->url, PLACE_DIGITS, hex);
	return n < 0 ? ERR_MEMORY : ERR_OK;
}

/* Was it asked about all of them? */
static bool knows_all(const struct search *s, const struct source *source, const struct fetch *f)
{
	enum revocation_status said;

	for (size_t n = 0; n < f->subjects_count; n++)
		if (!revocation_map_says(s->map, f->subjects[n].fingerprint, source->uri, &said))
			return false;
	return true;
}

static bool has_run_out(const struct source *source, int64_t now)
{
	return source->has_failed || now >= source->checked + ASK_AGAIN_S ||
	       now < source->checked ||
	       (source->next_update != TIME_UNKNOWN && now >= source->next_update);
}

/* Is it time to ask, and may the answer be "not modified"? */
static bool is_due(const struct search *s, const char *place, struct fetch *f)
{
	const struct source *source = find_source(s, place);

	if (!source || !knows_all(s, source, f))
		return true;
	f->etag = copy(source->etag);
	f->last_modified = copy(source->last_modified);
	return has_run_out(source, s->now);
}

/* `*out` false: its bytes are not kept, so that nobody could believe its answer. */
static enum err fill_issuer(const struct search *s, const struct subject *first, struct fetch *f,
	bool *out, struct why *why)
{
	struct buffer der;
	enum err e;

	*out = first->is_by_anchor || first->kind == FETCH_ISSUERS;
	if (*out)
		return ERR_OK;
	buffer_init(&der, RECORD_DER_BYTES_MAX + 1);
	e = inventory_pool_named(s->inventory, first->issuer, &der, why);
	*out = e == ERR_OK && der.size;
	if (*out) {
		f->issuer_der = der.data;
		f->issuer_der_size = der.size;
	} else {
		buffer_fini(&der);
	}
	return e;
}

static enum err fill(const struct subject *first, size_t count, struct fetch *f)
{
	f->kind = first->kind;
	f->url = strdup(first->url);
	f->issuer_id = first->issuer_id;
	memcpy(f->issuer, first->issuer, FINGERPRINT_BYTES);
	if (first->kind == FETCH_ISSUERS)
		return f->url ? ERR_OK : ERR_MEMORY;
	f->subjects = calloc(count, sizeof(*f->subjects));
	if (!f->url || !f->subjects)
		return ERR_MEMORY;
	for (size_t n = 0; n < count; n++) {
		struct fetch_subject *to = &f->subjects[f->subjects_count];

		/* One certificate at many places is one subject. */
		if (n && memcmp(first[n].fingerprint, first[n - 1].fingerprint,
				 FINGERPRINT_BYTES) == 0)
			continue;
		if (f->subjects_count == FETCH_SUBJECTS_MAX) {
			log_warn(
				"%s is asked about %d certificates at once; the others wait for another list",
				f->url, FETCH_SUBJECTS_MAX);
			break;
		}
		memcpy(to->fingerprint, first[n].fingerprint, FINGERPRINT_BYTES);
		to->serial = strdup(first[n].serial);
		to->is_ca = first[n].is_ca;
		if (!to->serial)
			return ERR_MEMORY;
		f->subjects_count++;
	}
	return ERR_OK;
}

struct telling {
	const struct search *search;
	enum err (*fn)(void *arg, const char *place, struct slice item);
	void *arg;
};

static enum err tell_group(const struct telling *t, const struct subject *first, size_t count,
	bool is_first_of_url, struct why *why)
{
	struct fetch f = { 0 };
	struct buffer item;
	char *place = NULL;
	bool is_askable = false;
	enum err e = place_of(first, is_first_of_url, &place);

	buffer_init(&item, FRAME_BYTES_MAX);
	if (e == ERR_OK)
		e = fill(first, count, &f);
	if (e == ERR_OK)
		e = fill_issuer(t->search, first, &f, &is_askable, why);
	if (e == ERR_OK && is_askable)
		f.is_kept = !is_due(t->search, place, &f);
	/* What was fetched goes from its place where the pass does not name it. */
	if (e == ERR_OK && is_askable && (!f.is_kept || f.kind == FETCH_ISSUERS)) {
		fetch_encode(&item, &f);
		e = buffer_status(&item);
		if (e == ERR_OK)
			e = t->fn(t->arg, place, buffer_bytes(&item));
	}
	buffer_fini(&item);
	fetch_fini(&f);
	free(place);
	return e;
}

static enum err tell_all(const struct telling *t, struct why *why)
{
	const struct search *s = t->search;
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < s->subjects_count;) {
		const struct subject *first = &s->subjects[n];
		bool is_first_of_url = !n || s->subjects[n - 1].kind != first->kind ||
				       strcmp(s->subjects[n - 1].url, first->url) != 0;
		size_t count = 1;

		while (n + count < s->subjects_count &&
			compare_group(first, &s->subjects[n + count]) == 0)
			count++;
		e = tell_group(t, first, count, is_first_of_url, why);
		n += count;
	}
	return e;
}

enum err revocation_questions(struct inventory *i, int64_t now,
	enum err (*fn)(void *arg, const char *place, struct slice item), void *arg, struct why *why)
{
	const struct inventory_filter filter = { .kind = RECORD_CERTIFICATE };
	struct search s = { .inventory = i, .now = now };
	const struct telling t = { .search = &s, .fn = fn, .arg = arg };
	struct revocation_map *map = NULL;
	bool has_urls = false;
	enum err e = inventory_revocation_prune(i, why);

	if (e == ERR_OK)
		e = revocation_map_take(i, &map, why);
	s.map = map;
	if (e == ERR_OK)
		e = inventory_each_revocation_source(i, add_source, &s, why);
	if (e == ERR_OK)
		e = inventory_has_urls(i, &has_urls, why);
	if (e == ERR_OK && has_urls)
		e = inventory_each(i, &filter, on_sighting, &s, why);
	if (e == ERR_OK && s.subjects_count)
		qsort(s.subjects, s.subjects_count, sizeof(*s.subjects), by_group);
	if (e == ERR_OK)
		e = tell_all(&t, why);
	if (s.of_fetched > ISSUERS_OF_FETCHED_MAX)
		log_warn(
			"issuers that were fetched name more than %d places: the rest are not asked",
			ISSUERS_OF_FETCHED_MAX);
	if (s.is_full)
		log_warn("issuers are asked about %d certificates; there are more", SUBJECTS_MAX);
	revocation_map_release(map);
	search_fini(&s);
	return e;
}
