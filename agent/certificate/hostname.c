/* Does a certificate stand for a name (RFC 9525, RFC 6125)? */
#include "agent/certificate/hostname.h"

#include "agent/certificate/names.h"

#include <arpa/inet.h>
#include <gnutls/gnutls.h>
#include <libpsl.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST_BYTES_MAX 254

struct wanted {
	enum name_kind kind;
	struct slice text;
	uint8_t address[sizeof(struct in6_addr)];
	size_t address_size; /* 0: a name */
};

/* --- what is asked for --------------------------------------------------------------------------- */

static size_t read_address(const char *host, uint8_t address[sizeof(struct in6_addr)])
{
	if (inet_pton(AF_INET, host, address) == 1)
		return 4;
	return inet_pton(AF_INET6, host, address) == 1 ? 16 : 0;
}

/* A zone is the client's own affair, brackets are the URI's, and a final dot only says "absolute". */
static bool tidy_host(const char *name, char host[HOST_BYTES_MAX + 1])
{
	size_t size;

	if (*name == '[')
		name++;
	size = strcspn(name, "%]");
	if (!size || size > HOST_BYTES_MAX)
		return false;
	/* What IDNA would map to nothing. */
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f)
			return false;
	memcpy(host, name, size);
	host[size] = 0;
	if (host[size - 1] == '.')
		host[size - 1] = 0;
	return host[0];
}

/* U-labels become A-labels (RFC 5891); what is no host name has none. */
static bool to_ascii(char host[HOST_BYTES_MAX + 1])
{
	gnutls_datum_t out = { 0 };
	bool fits;

	if (dns_name_is_well_formed(slice_text(host), true))
		return true;
	if (gnutls_idna_map(host, (unsigned)strlen(host), &out, 0) != 0)
		return false;
	fits = out.size <= HOST_BYTES_MAX;
	if (fits)
		(void)snprintf(host, HOST_BYTES_MAX + 1, "%s", (const char *)out.data);
	gnutls_free(out.data);
	return fits && dns_name_is_well_formed(slice_text(host), true);
}

/* --- DNS names ----------------------------------------------------------------------------------- */

static bool is_public_suffix(struct slice domain)
{
	char text[HOST_BYTES_MAX + 1];
	const psl_ctx_t *list = psl_builtin();

	if (!list || domain.size > HOST_BYTES_MAX)
		return false;
	memcpy(text, domain.data, domain.size);
	text[domain.size] = 0;
	/* Of registries only: the private part of the list has wildcards that are meant. */
	return psl_is_public_suffix2(list, text, PSL_TYPE_ICANN | PSL_TYPE_NO_STAR_RULE);
}

bool hostname_is_suffix_wildcard(struct slice pattern)
{
	struct slice domain = slice_after(pattern, 2);

	if (!pattern.size)
		return false;
	if (pattern.size == 1 && pattern.data[0] == '*')
		return true;
	if (!slice_starts(pattern, "*.", 2) || !dns_name_is_well_formed(domain, true))
		return false;
	return domain.size && (!memchr(domain.data, '.', domain.size) || is_public_suffix(domain));
}

/* RFC 9525 6.3: the star is the whole left-most label, and stands for one. */
static bool match_host(struct slice pattern, struct slice host)
{
	const uint8_t *dot;

	if (pattern.size && pattern.data[pattern.size - 1] == '.')
		pattern.size--;
	if (!slice_starts(pattern, "*.", 2))
		return dns_name_is_well_formed(pattern, true) && text_same_nocase(pattern, host);
	if (!dns_name_is_well_formed(slice_after(pattern, 2), true) ||
		hostname_is_suffix_wildcard(pattern))
		return false;
	dot = host.size ? memchr(host.data, '.', host.size) : NULL;
	return dot && dot != host.data &&
	       text_same_nocase(
		       slice_after(pattern, 1), slice_after(host, (size_t)(dot - host.data)));
}

/* --- the others ---------------------------------------------------------------------------------- */

/* The host without regard to case, the local part with it (RFC 5280 7.5). */
static bool match_mailbox(struct slice a, struct slice b)
{
	struct slice local[2];
	struct slice host[2];

	return mailbox_split(a, &local[0], &host[0]) && mailbox_split(b, &local[1], &host[1]) &&
	       local[0].size == local[1].size && local[0].size &&
	       memcmp(local[0].data, local[1].data, local[0].size) == 0 &&
	       text_same_nocase(host[0], host[1]);
}

static bool matches(const struct wanted *w, const struct general *name)
{
	if (w->kind == NAME_EMAIL)
		return name->kind == RFC822_NAME && match_mailbox(name->value, w->text);
	if (w->kind == NAME_URI)
		return name->kind == URI_NAME && w->text.size && name->value.size == w->text.size &&
		       memcmp(name->value.data, w->text.data, w->text.size) == 0;
	if (w->address_size)
		return name->kind == IP_ADDRESS && name->value.size == w->address_size &&
		       memcmp(name->value.data, w->address, w->address_size) == 0;
	return name->kind == DNS_NAME && match_host(name->value, w->text);
}

static bool matches_cn(const struct wanted *w, struct slice subject)
{
	struct attribute_walk walk = attribute_walk_of(subject);
	struct der_item value;
	struct slice last = { 0 };

	while (attribute_next(&walk, slice_of("\x55\x04\x03", 3), &value))
		last = value.content;
	if (!last.size || w->kind == NAME_EMAIL || w->kind == NAME_URI)
		return false;
	if (w->address_size)
		return text_same_nocase(last, w->text);
	return match_host(last, w->text);
}

static bool find(const struct parsed_certificate *p, const struct wanted *w, bool use_cn)
{
	struct der_certificate c;
	struct slice extension = { 0 };
	struct slice names;
	struct general name;
	bool has_host = false;

	if (!der_certificate(p->der, &c))
		return false;
	if (der_extension(c.extensions, slice_of("\x55\x1d\x11", 3), &extension)) {
		names = general_list(extension);
		while (general_next(&names, &name)) {
			if (matches(w, &name))
				return true;
			has_host = has_host || name.kind == DNS_NAME || name.kind == IP_ADDRESS;
		}
	}
	return use_cn && !has_host && matches_cn(w, c.subject);
}

bool hostname_matches(
	const struct parsed_certificate *p, enum name_kind kind, const char *name, bool use_cn)
{
	struct wanted w = { .kind = kind, .text = slice_text(name) };
	char host[HOST_BYTES_MAX + 1];

	if (kind == NAME_HOST) {
		if (!tidy_host(name, host))
			return false;
		w.address_size = read_address(host, w.address);
		if (!w.address_size && !to_ascii(host))
			return false;
		w.text = slice_text(host);
	}
	return find(p, &w, use_cn);
}
