/* Parts of a list of targets, as main takes them from the probe, and the settings that the probe takes. The first
 * byte chooses. */
#include "scanners/network/discovery.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_part(struct slice s)
{
	struct discovery_part part, back;
	struct buffer out;

	if (discovery_part_decode(s, &part) != ERR_OK)
		return;
	if (part.text.size > s.size ||
		(part.text.size && (part.text.data < s.data ||
					   part.text.data + part.text.size > s.data + s.size)))
		abort();
	/* What is taken is what would have been sent. */
	buffer_init(&out, s.size + 64);
	discovery_part_encode(&out, &part);
	if (buffer_status(&out) != ERR_OK ||
		discovery_part_decode(buffer_bytes(&out), &back) != ERR_OK ||
		back.number != part.number || back.is_first != part.is_first ||
		back.is_last != part.is_last || back.text.size != part.text.size)
		abort();
	buffer_fini(&out);
}

static void read_settings(struct slice s)
{
	struct wire w = wire_of(s);
	struct discoveries d = { 0 };

	discoveries_decode(&w, &d);
	if (d.count > DISCOVERIES_MAX)
		abort();
	discoveries_fini(&d);
}

static void (*const readers[])(struct slice) = { read_part, read_settings };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](
			slice_of(data + 1, size - 1));
	return 0;
}
