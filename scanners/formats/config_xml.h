/* Configurations in XML: elements and their attributes, one after another. No XML reader: no document type, no
 * namespace, no text between the elements. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_CONFIG_XML_H
#define LEAFWATCH_SCANNERS_FORMATS_CONFIG_XML_H

#include "scanners/formats/config.h"

/* Further attributes of an element are not seen, which is told. Without a key: no server has a tenth of them. */
#define XML_ATTRIBUTES_MAX 256

struct xml_attribute {
	struct slice name;
	struct slice value; /* as written: entities are not resolved */
	uint32_t line;
};

struct xml_element {
	struct slice name;
	bool is_start;
	bool is_end; /* "</name>"; with is_start: "<name/>" */
	struct xml_attribute attributes[XML_ATTRIBUTES_MAX];
	size_t count;
	bool is_cut; /* there are more */
};

/* The attribute of that name, or NULL. */
const struct xml_attribute *xml_attribute(const struct xml_element *e, const char *name);
/* For config_parse: each element in turn; false where the text is no XML. */
bool config_xml_read(
	struct config *c, void (*element)(void *arg, const struct xml_element *e), void *arg);
/* The value with its character references and the five entities of XML 1.0 4.6 resolved, appended to `out`. */
void xml_value(struct buffer *out, struct slice value);

#endif
