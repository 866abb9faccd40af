/* What ties client certificates and servers together, in words. */
#include "exporters/link_facts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TLS_SCHEME "tls://"
#define PLACES_SAID 3

void certificate_links_fini(struct certificate_links *l)
{
	strings_fini(&l->accepted_by);
	strings_fini(&l->trusted_by);
	free(l->stand_in);
	*l = (struct certificate_links){ 0 };
}

void endpoint_links_fini(struct endpoint_links *l)
{
	free(l->accepts.items);
	strings_fini(&l->accepts_names);
	for (size_t i = 0; i < l->cas_count; i++)
		free(l->cas[i].subject);
	free(l->cas);
	*l = (struct endpoint_links){ 0 };
}

/* People write the usual scheme to nobody. */
static const char *short_place(const char *uri)
{
	return strncmp(uri, TLS_SCHEME, strlen(TLS_SCHEME)) == 0 ? uri + strlen(TLS_SCHEME) : uri;
}

void link_say_places(struct buffer *out, const struct strings *uris, uint64_t count, size_t shown)
{
	size_t said = uris->count < shown ? uris->count : shown;

	for (size_t i = 0; i < said; i++) {
		if (i)
			buffer_text(out, i + 1 == said && count == said ? " and " : ", ");
		buffer_text(out, short_place(uris->items[i]));
	}
	if (count > said)
		buffer_format(out, " and %" PRIu64 " more", count - said);
}

void link_say_client(struct buffer *out, const struct certificate_links *l)
{
	if (!l->accepted_by_count)
		return;
	link_say_places(out, &l->accepted_by, l->accepted_by_count, PLACES_SAID);
	buffer_text(out, l->accepted_by_count == 1 ? " accepts it; " : " accept it; ");
	if (!l->stand_ins_count)
		buffer_text(out, "nothing else here does");
	else if (l->stand_ins_count < l->accepted_by_count)
		buffer_format(out, "%" PRIu64 " of them would take %s of this host, too",
			l->stand_ins_count, l->stand_in ? l->stand_in : "another one");
	else
		buffer_format(out, "%s of this host would do, too",
			l->stand_in ? l->stand_in : "another one");
}

void link_say_ca(struct buffer *out, const struct certificate_links *l, int64_t not_after)
{
	char at[TIME_TEXT_BYTES];

	if (!l->trusted_by_count || not_after == TIME_UNKNOWN)
		return;
	time_rfc3339(not_after, at);
	buffer_text(out, "all its clients at ");
	link_say_places(out, &l->trusted_by, l->trusted_by_count, PLACES_SAID);
	if (l->is_outlasted)
		buffer_format(out,
			" need the newer certificate of that CA, which is here, from %s on", at);
	else
		buffer_format(out, " fail together on %s", at);
}
