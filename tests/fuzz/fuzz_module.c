/* Frames of a module's process, which is foreign code, as the token role takes them; and what the role is given
 * and remembers. The first byte chooses. */
#include "scanners/tokens/watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_frames(struct slice s)
{
	char path[] = "/module.so", other[] = "pkcs11:token=known";
	struct token_work work = { .timeout_ms = TOKEN_TIMEOUT_MS_MIN };
	struct token_memory memory = { 0 };
	struct channel to;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* A token that this module had before. */
	if (strings_add(&memory.modules, path) != ERR_OK ||
		strings_add(&memory.tokens, other) != ERR_OK || fd < 0 ||
		channel_init(&to, fd) != ERR_OK)
		abort();
	(void)!watch_frames(&work, &memory, &to, s);
	channel_fini(&to);
	(void)close(fd);
	token_memory_fini(&memory);
}

static void read_memory(struct slice s)
{
	struct token_memory memory;

	if (token_memory_decode(s, &memory) == ERR_OK)
		token_memory_fini(&memory);
}

static void read_work(struct slice s)
{
	struct token_work work;

	if (token_work_decode(s, &work) == ERR_OK)
		token_work_fini(&work);
}

static void (*const readers[])(struct slice) = { read_frames, read_memory, read_work };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size)
		readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](
			slice_of(data + 1, size - 1));
	return 0;
}
