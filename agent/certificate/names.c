/* GeneralNames one by one, and the forms of what they hold. */
#include "agent/certificate/names.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#define DNS_NAME_BYTES_MAX 253
#define DNS_LABEL_BYTES_MAX 63

bool general_next(struct slice *left, struct general *out)
{
	struct slice rest = *left;
	struct der_item item;
	struct der_item name;

	if (!rest.size || !der_next(&rest, &item) || (item.tag & 0xc0) != DER_CONTEXT ||
		(item.tag & 0x1f) >= GENERAL_NAME_COUNT)
		return false;
	out->kind = (enum general_name)(item.tag & 0x1f);
	out->value = item.content;
	if (out->kind == DIRECTORY_NAME) {
		/* A CHOICE is tagged from outside (X.680 31.2.7). */
		if (!der_next(&item.content, &name) || item.content.size)
			return false;
		out->value = name.whole;
	}
	*left = rest;
	return true;
}

struct slice general_list(struct slice extension)
{
	struct der_item list;

	if (!der_take(&extension, DER_SEQUENCE, &list))
		return slice_of(NULL, 0);
	return list.content;
}

bool dns_name_is_well_formed(struct slice name, bool is_lenient)
{
	size_t label = 0;

	if (!name.size || name.size > DNS_NAME_BYTES_MAX)
		return false;
	for (size_t i = 0; i < name.size; i++) {
		uint8_t c = name.data[i];
		bool is_end = i + 1 == name.size || name.data[i + 1] == '.';

		if (c == '.') {
			if (!label || i + 1 == name.size)
				return false;
			label = 0;
			continue;
		}
		if (!isalnum(c) && !(c == '-' && label && !is_end) && !(c == '_' && is_lenient))
			return false;
		if (++label > DNS_LABEL_BYTES_MAX)
			return false;
	}
	return true;
}

bool text_is_address(struct slice text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char address[sizeof(struct in6_addr)];

	if (!text.size || text.size >= sizeof(copy) || memchr(text.data, 0, text.size))
		return false;
	memcpy(copy, text.data, text.size);
	copy[text.size] = 0;
	return inet_pton(AF_INET, copy, address) == 1 || inet_pton(AF_INET6, copy, address) == 1;
}

bool mailbox_split(struct slice mailbox, struct slice *local, struct slice *host)
{
	const uint8_t *at = mailbox.size ? memchr(mailbox.data, '@', mailbox.size) : NULL;

	if (!at)
		return false;
	*local = slice_of(mailbox.data, (size_t)(at - mailbox.data));
	*host = slice_after(mailbox, local->size + 1);
	return local->size && host->size && !memchr(host->data, '@', host->size);
}

bool uri_host(struct slice uri, struct slice *host)
{
	static const char mark[] = { ':', '/', '/' };
	static const char ends[] = { '/', '?', '#' };
	const uint8_t *at = uri.size ? memmem(uri.data, uri.size, mark, sizeof(mark)) : NULL;
	struct slice rest;
	const uint8_t *user;
	size_t size = 0;

	if (!at)
		return false;
	rest = slice_after(uri, (size_t)(at - uri.data) + 3);
	while (size < rest.size && !memchr(ends, rest.data[size], sizeof(ends)))
		size++;
	rest.size = size;
	user = size ? memrchr(rest.data, '@', size) : NULL;
	if (user)
		rest = slice_after(rest, (size_t)(user - rest.data) + 1);
	if (rest.size && rest.data[0] == '[') {
		const uint8_t *end = memchr(rest.data, ']', rest.size);

		*host = end ? slice_of(rest.data + 1, (size_t)(end - rest.data) - 1)
			    : slice_of(NULL, 0);
		return host->size;
	}
	for (size = 0; size < rest.size && rest.data[size] != ':';)
		size++;
	*host = slice_of(rest.data, size);
	return size;
}

bool text_same_nocase(struct slice a, struct slice b)
{
	return a.size == b.size &&
	       (!a.size || strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0);
}

struct attribute_walk attribute_walk_of(struct slice name)
{
	struct attribute_walk w = { 0 };
	struct der_item list;

	if (der_next(&name, &list))
		w.rdns = list.content;
	return w;
}

bool attribute_next(struct attribute_walk *w, struct slice type, struct der_item *value)
{
	struct der_item item;
	struct der_item oid;

	for (;;) {
		while (der_take(&w->pairs, DER_SEQUENCE, &item))
			if (der_take(&item.content, DER_OID, &oid) &&
				oid.content.size == type.size &&
				memcmp(oid.content.data, type.data, type.size) == 0)
				return der_next(&item.content, value);
		if (!der_take(&w->rdns, DER_SET, &item))
			return false;
		w->pairs = item.content;
	}
}
