/* Archives and compressed files that come as a file and are read where they lie. */
#include "harness.h"

#include "scanners/formats/format.h"

#include <sys/mman.h>
#include <unistd.h>

static enum err look(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes)
{
	struct format_file file = { .fd = memfd_create("archive", MFD_CLOEXEC),
		.size = bytes.size };
	struct parser_place where = *place;
	enum err e = ERR_OK;

	if (file.fd < 0)
		return ERR_IO;
	where.file = &file;
	if (write(file.fd, bytes.data, bytes.size) == (ssize_t)bytes.size)
		e = parser_file(c, &where, slice_of(NULL, 0));
	(void)close(file.fd);
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return harness_run(look, data, size);
}
