/* The addresses of proxies: asked for once, when the first target needs them. */
#include "scanners/network/probe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SENTENCE_BYTES 512

static enum err give(const struct via *via, struct entry *entry)
{
	entry->what.proxy = via->proxy;
	if (via->failure) {
		entry->what.failure = strdup(via->failure);
		return entry->what.failure ? ERR_OK : ERR_MEMORY;
	}
	entry->what.addresses = calloc(via->count, sizeof(*via->addresses));
	if (!entry->what.addresses)
		return ERR_MEMORY;
	memcpy(entry->what.addresses, via->addresses, via->count * sizeof(*via->addresses));
	entry->what.addresses_count = via->count;
	return ERR_OK;
}

static void settle(struct probe *p, struct via *via)
{
	via->is_known = true;
	while (via->waiting.first) {
		struct entry *entry = line_take(&via->waiting);
		enum err e = give(via, entry);

		p->waiting_for_proxy--;
		if (e == ERR_OK)
			line_put(&p->ready, &entry->waiter);
		else
			start_fail(entry, e);
	}
}

static void on_proxy(void *arg, const struct dns_answer *answer)
{
	struct via *via = arg;
	struct probe *p = via->probe;
	char text[SENTENCE_BYTES];

	via->lookup = NULL;
	if (answer->count)
		via->addresses = calloc(answer->count, sizeof(*via->addresses));
	if (via->addresses) {
		memcpy(via->addresses, answer->addresses, answer->count * sizeof(*via->addresses));
		via->count = answer->count;
	} else {
		(void)snprintf(text, sizeof(text), "proxy %s: %s", via->proxy->shown,
			answer->failure ? answer->failure : err_text(ERR_MEMORY));
		via->failure = strdup(text);
	}
	settle(p, via);
	probe_pump(p);
}

static struct via *via_of(struct probe *p, const struct proxy *proxy)
{
	for (size_t i = 0; i < VIAS_MAX; i++) {
		if (!p->vias[i].proxy) {
			p->vias[i].proxy = proxy;
			p->vias[i].probe = p;
			line_init(&p->vias[i].waiting);
		}
		if (p->vias[i].proxy == proxy)
			return &p->vias[i];
	}
	return NULL;
}

enum err start_through(struct probe *p, const struct proxy *proxy, struct entry *entry)
{
	struct via *via = via_of(p, proxy);
	struct dns_lookup *lookup = NULL;
	union address numeric;
	enum err e = ERR_OK;

	line_put(&via->waiting, &entry->waiter);
	p->waiting_for_proxy++;
	if (via->is_known) {
		settle(p, via);
		return ERR_OK;
	}
	if (via->is_asked)
		return ERR_OK;
	via->is_asked = true;
	if (address_parse(proxy->host, proxy->port, &numeric)) {
		const struct dns_answer answer = { .addresses = &numeric, .count = 1 };

		on_proxy(via, &answer);
		return ERR_OK;
	}
	e = dns_resolve(p->dns, proxy->host, proxy->port, on_proxy, via, &lookup);
	if (lookup)
		via->lookup = lookup;
	return e;
}

void start_proxies_fini(struct probe *p)
{
	for (size_t i = 0; i < VIAS_MAX && p->vias[i].proxy; i++) {
		struct via *via = &p->vias[i];

		dns_cancel(via->lookup);
		while (via->waiting.first)
			start_drop(&line_take(&via->waiting)->waiter);
		free(via->addresses);
		free(via->failure);
	}
}
