/* GeneralNames (RFC 5280 4.2.1.6) one by one. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_NAMES_H
#define LEAFWATCH_CERTIFICATE_NAMES_H

#include "agent/certificate/der.h"

/* Context tags of GeneralName; the constructed bit is not looked at. */
enum general_name {
	OTHER_NAME,
	RFC822_NAME,
	DNS_NAME,
	X400_ADDRESS,
	DIRECTORY_NAME,
	EDI_PARTY_NAME,
	URI_NAME,
	IP_ADDRESS,
	REGISTERED_ID,
	GENERAL_NAME_COUNT
};

struct general {
	enum general_name kind;
	struct slice value; /* content of its TLV; of a directoryName the Name with its header */
};

/* Takes the next of a list's content. False at its end, or where it is malformed: then something is left. */
bool general_next(struct slice *left, struct general *out);
/* The content of the SEQUENCE OF in an extension's value; empty where there is none. */
struct slice general_list(struct slice extension);

/* "preferred name syntax" (RFC 1034 3.5, RFC 1123 2.1); underscores too where `is_lenient`. */
bool dns_name_is_well_formed(struct slice name, bool is_lenient);
/* Is it an IPv4 or IPv6 address written out? */
bool text_is_address(struct slice text);
/* Local part and host of a mailbox; false where it is none. */
bool mailbox_split(struct slice mailbox, struct slice *local, struct slice *host);
/* The host of a URI with an authority; false where there is none. */
bool uri_host(struct slice uri, struct slice *host);
/* ASCII, without regard to case. */
bool text_same_nocase(struct slice a, struct slice b);

/* Each value of an attribute in a Name, first to last. */
struct attribute_walk {
	struct slice rdns;  /* what is left of the Name's content */
	struct slice pairs; /* what is left of the RDN at hand */
};
struct attribute_walk attribute_walk_of(struct slice name);
bool attribute_next(struct attribute_walk *w, struct slice type, struct der_item *value);

#endif
