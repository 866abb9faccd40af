/* pkcs11: URIs as users and tokens write them, a line each: taken apart, compared, shown. */
#include "scanners/tokens/uri.h"

#include "agent/base/slice.h"
#include "agent/base/strings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define URIS_MAX 2

static void read_one(const char *text, struct token_uri *uri)
{
	struct why why = { 0 };
	char *place = token_uri_place(text);
	char *file = NULL;

	/* A query, where a PIN may be named, is never shown. */
	if (place && strchr(place, '?'))
		abort();
	free(place);
	if (token_uri_parse(text, uri, &why) != ERR_OK) {
		if (!why.text[0])
			abort();
		*uri = (struct token_uri){ 0 };
		return;
	}
	if (token_uri_pin_file(uri, &file, &why) == ERR_OK)
		free(file);
	/* What asks for itself is met. */
	if (!token_uri_has_object(uri, uri) || !token_uri_has_token(uri, uri))
		abort();
	(void)token_uri_has_module(uri, "/usr/lib/pkcs11/libsofthsm2.so");
	if (token_uri_is_any(uri) && token_uri_is_of_object(uri))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct token_uri uris[URIS_MAX] = { 0 };
	struct slice left = slice_of(data, size);

	for (size_t i = 0; i < URIS_MAX; i++) {
		const uint8_t *end = left.size ? memchr(left.data, '\n', left.size) : NULL;
		size_t length = end ? (size_t)(end - left.data) : left.size;
		char *text = string_of(slice_of(left.data, length));

		if (text)
			read_one(text, &uris[i]);
		free(text);
		left = slice_after(left, length + 1);
	}
	(void)token_uri_has_token(&uris[0], &uris[1]);
	(void)token_uri_has_object(&uris[0], &uris[1]);
	token_uri_fini(&uris[0]);
	token_uri_fini(&uris[1]);
	return 0;
}
