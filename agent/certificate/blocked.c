/* What is distrusted without its certificate at hand (p11-kit's blocklists). */
#include "agent/certificate/blocked.h"

#include "agent/base/array.h"
#include "agent/certificate/der.h"
#include "agent/certificate/dn.h"

#include <stdlib.h>
#include <string.h>

struct blocked {
	uint64_t issuer_hash;
	struct slice issuer; /* borrowed, with its header */
	struct slice serial; /* borrowed, the content */
	uint64_t stores;
};

void blocked_fini(struct blocked_list *l)
{
	free(l->items);
	*l = (struct blocked_list){ 0 };
}

static int by_hash(const void *a, const void *b)
{
	const struct blocked *x = a;
	const struct blocked *y = b;

	return (x->issuer_hash > y->issuer_hash) - (x->issuer_hash < y->issuer_hash);
}

enum err blocked_add(struct blocked_list *l, struct slice pairs, uint64_t stores)
{
	struct der_item name;
	struct der_item serial;

	while (der_take(&pairs, DER_SEQUENCE, &name) && der_take(&pairs, DER_INTEGER, &serial)) {
		if (l->count == BLOCKED_MAX)
			return ERR_LIMIT;
		if (!array_grow((void **)&l->items, l->count, sizeof(*l->items)))
			return ERR_MEMORY;
		l->items[l->count++] = (struct blocked){ .issuer_hash = dn_hash(name.whole),
			.issuer = name.whole,
			.serial = serial.content,
			.stores = stores };
	}
	if (l->count)
		qsort(l->items, l->count, sizeof(*l->items), by_hash);
	return ERR_OK;
}

uint64_t blocked_by(const struct blocked_list *l, struct slice issuer, uint64_t issuer_hash,
	struct slice serial)
{
	const struct blocked key = { .issuer_hash = issuer_hash };
	const struct blocked *at =
		l->count ? bsearch(&key, l->items, l->count, sizeof(key), by_hash) : NULL;
	uint64_t stores = 0;

	while (at && at > l->items && at[-1].issuer_hash == issuer_hash)
		at--;
	for (; at && at < l->items + l->count && at->issuer_hash == issuer_hash; at++)
		if (at->serial.size == serial.size &&
			memcmp(at->serial.data, serial.data, serial.size) == 0 &&
			dn_equal(at->issuer, issuer))
			stores |= at->stores;
	return stores;
}
