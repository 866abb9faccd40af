/* Where PKCS#11 modules keep what they must write to be used at all. */
#include "scanners/tokens/stores.h"

#include "agent/config/read_file.h"

#include <stdlib.h>

#define CONF_BYTES_MAX (64 * 1024)
#define SOFTHSM_CONF "/etc/softhsm/softhsm2.conf"
#define SOFTHSM_KEY "directories.tokendir"

static const char *const stores[] = {
	/* SoftHSM opens its files for writing even to look at them. */
	"/var/lib/softhsm",
	"/var/lib/opencryptoki",
	"/etc/tpm2_pkcs11",
	"/dev/tpm0",
	"/dev/tpmrm0",
	"/dev/bus/usb",
	"/dev/shm",
	"/dev/null",
	"/run",
};

static struct slice trimmed(struct slice s)
{
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_after(s, 1);
	while (s.size && strchr(" \t\r", s.data[s.size - 1]))
		s.size--;
	return s;
}

struct slice token_stores_softhsm(struct slice text)
{
	struct slice found = slice_of(NULL, 0);

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		const uint8_t *equals = memchr(text.data, '=', size);
		struct slice key;

		key = slice_of(text.data, equals ? (size_t)(equals - text.data) : 0);
		key = trimmed(key);
		if (key.size == strlen(SOFTHSM_KEY) && slice_starts(key, SOFTHSM_KEY, key.size))
			found = trimmed(slice_after(
				slice_of(text.data, size), (size_t)(equals - text.data) + 1));
		text = slice_after(text, size + 1);
	}
	return found;
}

/* A conf that cannot be read says nothing: SoftHSM cannot read it either. */
static enum err add_softhsm(struct strings *out)
{
	const char *path = getenv("SOFTHSM2_CONF");
	struct buffer text;
	struct slice folder;
	enum err e = read_file(path ? path : SOFTHSM_CONF, CONF_BYTES_MAX, &text, NULL);

	if (e != ERR_OK) {
		buffer_fini(&text);
		return e == ERR_MEMORY ? e : ERR_OK;
	}
	folder = token_stores_softhsm(buffer_bytes(&text));
	if (folder.size && folder.data[0] == '/' && !memchr(folder.data, 0, folder.size))
		e = strings_add_slice(out, folder);
	buffer_fini(&text);
	return e;
}

enum err token_stores_add(struct strings *out)
{
	const char *tpm = getenv("TPM2_PKCS11_STORE");
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(stores) / sizeof(stores[0]); i++)
		e = strings_add(out, stores[i]);
	if (e == ERR_OK)
		e = add_softhsm(out);
	if (e == ERR_OK && tpm && tpm[0] == '/')
		e = strings_add(out, tpm);
	return e;
}
