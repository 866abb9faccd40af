/* CRL distribution points and authority information access as URIs. */
#include "agent/certificate/sources.h"

#include "agent/base/text.h"
#include "agent/certificate/der.h"
#include "agent/certificate/record.h"

#define URI_TAG (DER_CONTEXT | 6) /* GeneralName uniformResourceIdentifier */

static enum err add(struct strings *urls, struct slice uri, bool *is_cut)
{
	if (urls->count == RECORD_URLS_MAX || uri.size > RECORD_URL_BYTES_MAX) {
		*is_cut = true;
		return ERR_OK;
	}
	return strings_take(urls, text_escaped(uri));
}

static enum err add_names(struct slice names, struct strings *urls, bool *is_cut)
{
	struct der_item name;
	enum err e = ERR_OK;

	while (e == ERR_OK && der_next(&names, &name))
		if (name.tag == URI_TAG)
			e = add(urls, name.content, is_cut);
	return e;
}

enum err sources_of_crl(struct slice value, struct strings *urls, bool *is_cut)
{
	struct der_item list;
	struct der_item point;
	enum err e = ERR_OK;

	if (!der_take(&value, DER_SEQUENCE, &list))
		return ERR_OK;
	while (e == ERR_OK && der_take(&list.content, DER_SEQUENCE, &point)) {
		struct der_item name;
		struct der_item full;

		/* DistributionPointName is a CHOICE, so its tag is explicit; [0] is fullName. */
		if (der_take(&point.content, DER_CONTEXT_CONSTRUCTED, &name) &&
			der_take(&name.content, DER_CONTEXT_CONSTRUCTED, &full))
			e = add_names(full.content, urls, is_cut);
	}
	return e;
}

enum err sources_of_access(
	struct slice value, struct strings *ocsp, struct strings *issuers, bool *is_cut)
{
	static const uint8_t access_ocsp[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01 };
	static const uint8_t access_issuers[] = { 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02 };
	struct der_item list;
	struct der_item description;
	enum err e = ERR_OK;

	if (!der_take(&value, DER_SEQUENCE, &list))
		return ERR_OK;
	while (e == ERR_OK && der_take(&list.content, DER_SEQUENCE, &description)) {
		struct der_item method;
		struct der_item name;

		if (!der_take(&description.content, DER_OID, &method) ||
			!der_take(&description.content, URI_TAG, &name) ||
			method.content.size != sizeof(access_ocsp))
			continue;
		if (slice_starts(method.content, access_ocsp, sizeof(access_ocsp)))
			e = add(ocsp, name.content, is_cut);
		else if (slice_starts(method.content, access_issuers, sizeof(access_issuers)))
			e = add(issuers, name.content, is_cut);
	}
	return e;
}
