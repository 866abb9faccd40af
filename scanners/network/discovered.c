/* Lists from URLs, in the plan. Their entries are told by the probe and are read like lines of a file. */
#include "scanners/network/discovered.h"

#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "scanners/network/discovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES_MAX (DISCOVERIES_MAX * ((size_t)DISCOVERY_BYTES_MAX + 64) + 64)

struct list {
	char *place;                    /* owned */
	uint8_t url[FINGERPRINT_BYTES]; /* its digest: another URL has another list */
	struct buffer text;
	bool is_whole;
	bool is_lacking;
};

struct discovered {
	struct list *lists; /* owned */
	size_t count;
	size_t next;
	bool may_lose;
};

/* ---- life ------------------------------------------------------------------------------------- */

void discovered_free(struct discovered *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->count; i++) {
		free(d->lists[i].place);
		buffer_fini(&d->lists[i].text);
	}
	free(d->lists);
	free(d);
}

/* URLs that differ in what is not shown are told apart by their number. */
static enum err set_place(struct discovered *d, struct list *l, const struct discovery_conf *conf)
{
	bool is_taken = false;
	char *numbered = NULL;

	l->place = discovery_place(conf);
	for (const struct list *other = d->lists; l->place && other < l; other++)
		is_taken |= strcmp(other->place, l->place) == 0;
	if (l->place && is_taken) {
		if (asprintf(&numbered, "%s#%zu", l->place, d->count) < 0)
			return ERR_MEMORY;
		free(l->place);
		l->place = numbered;
	}
	return l->place ? ERR_OK : ERR_MEMORY;
}

static enum err add(struct discovered *d, const struct discovery_conf *conf, struct why *why)
{
	struct list *l = &d->lists[d->count++];
	char *url = NULL;
	enum err e = discovery_url(conf, &url, why);

	buffer_init(&l->text, DISCOVERY_BYTES_MAX);
	if (e == ERR_OK) {
		fingerprint_of(slice_text(url), l->url);
		e = set_place(d, l, conf);
	}
	discovery_wipe(url);
	return e;
}

enum err discovered_new(
	const struct sections *all, bool may_lose, struct discovered **out, struct why *why)
{
	struct discovered *d = calloc(1, sizeof(*d));
	enum err e = d ? ERR_OK : ERR_MEMORY;

	if (e == ERR_OK && all->count) {
		d->lists = calloc(all->count, sizeof(*d->lists));
		e = d->lists ? ERR_OK : ERR_MEMORY;
	}
	if (e == ERR_OK)
		d->may_lose = may_lose;
	for (size_t i = 0; e == ERR_OK && i < all->count; i++)
		e = add(d, all->items[i], why);
	if (e == ERR_OK)
		*out = d;
	else
		discovered_free(d);
	return e;
}

/* ---- work and answers ------------------------------------------------------------------------- */

enum err discovered_next(struct discovered *d, struct scan_item *out)
{
	struct target target = { 0 };

	if (d->next == d->count)
		return ERR_END;
	target.host = d->lists[d->next].place;
	target.discovery = (uint16_t)++d->next;
	return target_item(&target, out);
}

enum err discovered_hear(struct discovered *d, struct slice told)
{
	struct discovery_part part;
	struct list *l;
	enum err e = discovery_part_decode(told, &part);

	if (e != ERR_OK || !part.number || part.number > d->next)
		return ERR_MALFORMED;
	l = &d->lists[part.number - 1];
	if (l->is_whole && !part.is_first)
		return ERR_MALFORMED;
	if (part.is_first)
		buffer_clear(&l->text);
	buffer_slice(&l->text, part.text);
	l->is_whole = part.is_last;
	e = buffer_status(&l->text);
	return e == ERR_LIMIT ? ERR_MALFORMED : e;
}

/* ---- the last good ones ------------------------------------------------------------------------ */

static void take_former(struct discovered *d, const uint8_t *url, struct slice text)
{
	for (size_t i = 0; i < d->count; i++) {
		struct list *l = &d->lists[i];

		if (!l->is_lacking || memcmp(l->url, url, sizeof(l->url)) != 0)
			continue;
		buffer_clear(&l->text);
		buffer_slice(&l->text, text);
		l->is_lacking = false;
	}
}

static enum err recall(
	struct discovered *d, const char *job, const struct scan_hints *hints, struct why *why)
{
	struct buffer bytes;
	struct wire w;
	size_t count;
	enum err e;

	buffer_init(&bytes, MEMORY_BYTES_MAX);
	e = hints->recall(hints->ctx, job, &bytes, why);
	w = wire_of(buffer_bytes(&bytes));
	count = e == ERR_OK ? wire_get_u32(&w) : 0;
	for (size_t i = 0; i < count && !w.bad; i++) {
		uint8_t url[FINGERPRINT_BYTES];
		bool is_there = wire_get_raw(&w, url, sizeof(url));
		struct slice text = wire_get_bytes(&w, DISCOVERY_BYTES_MAX);

		if (is_there && !w.bad)
			take_former(d, url, text);
	}
	buffer_fini(&bytes);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static bool is_known(const struct buffer *bytes, const char *job, const struct scan_hints *hints)
{
	struct buffer former;
	bool is_same;

	buffer_init(&former, MEMORY_BYTES_MAX);
	is_same = hints->recall && hints->recall(hints->ctx, job, &former, NULL) == ERR_OK &&
		  former.size == bytes->size && memcmp(former.data, bytes->data, bytes->size) == 0;
	buffer_fini(&former);
	return is_same;
}

/* Lists that are the same as before are not written again. */
static enum err remember(const struct discovered *d, const char *job,
	const struct scan_hints *hints, struct why *why)
{
	struct buffer bytes;
	uint32_t count = 0;
	enum err e;

	buffer_init(&bytes, MEMORY_BYTES_MAX);
	for (size_t i = 0; i < d->count; i++)
		count += !d->lists[i].is_lacking;
	wire_put_u32(&bytes, count);
	for (size_t i = 0; i < d->count; i++) {
		if (d->lists[i].is_lacking)
			continue;
		buffer_append(&bytes, d->lists[i].url, FINGERPRINT_BYTES);
		wire_put_bytes(&bytes, buffer_bytes(&d->lists[i].text));
	}
	e = buffer_status(&bytes);
	if (e == ERR_OK && !is_known(&bytes, job, hints))
		e = hints->remember(hints->ctx, job, buffer_bytes(&bytes), why);
	buffer_fini(&bytes);
	return e;
}

enum err discovered_settle(struct discovered *d, const char *job, const struct scan_hints *hints,
	struct targets *targets, struct why *why)
{
	size_t whole = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < d->count; i++) {
		whole += d->lists[i].is_whole;
		d->lists[i].is_lacking = !d->lists[i].is_whole;
	}
	if (whole < d->count && hints->recall)
		e = recall(d, job, hints, why);
	if (e == ERR_OK && whole && hints->remember)
		e = remember(d, job, hints, why);
	for (size_t i = 0; e == ERR_OK && i < d->count; i++) {
		struct list *l = &d->lists[i];

		if (!l->is_lacking)
			e = targets_add_list(targets, &l->text, l->place);
	}
	return e;
}

enum err discovered_lack(const struct discovered *d, struct why *why)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->may_lose && d->lists[i].is_lacking)
			return why_fail(why, ERR_IO,
				"%s: there is no list of targets, nor a former one: what was found before is kept",
				d->lists[i].place);
	return ERR_OK;
}
