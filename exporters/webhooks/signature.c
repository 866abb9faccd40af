/* Signatures of the Standard Webhooks specification. */
#include "exporters/webhooks/webhook.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <string.h>

#define HMAC_BYTES 32
#define PREFIX "whsec_"

static enum err append_base64(const uint8_t *bytes, size_t size, struct buffer *out)
{
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)bytes, .size = (unsigned)size };
	gnutls_datum_t text = { 0 };

	if (gnutls_base64_encode2(&in, &text) != 0)
		return ERR_MEMORY;
	buffer_append(out, text.data, text.size);
	gnutls_free(text.data);
	return buffer_status(out);
}

/* One secret over the signed content. */
static enum err sign(struct slice secret, struct slice content, struct buffer *out, struct why *why)
{
	gnutls_datum_t text;
	gnutls_datum_t key = { 0 };
	uint8_t mac[HMAC_BYTES];
	int failed;

	if (slice_starts(secret, PREFIX, strlen(PREFIX)))
		secret = slice_after(secret, strlen(PREFIX));
	text = (gnutls_datum_t){ .data = (unsigned char *)(uintptr_t)secret.data,
		.size = (unsigned)secret.size };
	if (gnutls_base64_decode2(&text, &key) != 0)
		return why_fail(why, ERR_CONFIG, "signing_secret is not base64");
	failed = gnutls_hmac_fast(
		GNUTLS_MAC_SHA256, key.data, key.size, content.data, content.size, mac);
	gnutls_memset(key.data, 0, key.size);
	gnutls_free(key.data);
	if (failed)
		return why_fail(why, ERR_UNSUPPORTED, "HMAC-SHA256 failed");
	buffer_text(out, out->size ? " v1," : "v1,");
	return append_base64(mac, sizeof(mac), out);
}

enum err webhook_signature(
	const char *secrets, const struct signature_input *in, struct buffer *out, struct why *why)
{
	struct buffer content;
	enum err e;
	bool any = false;

	buffer_init(&content, in->body.size + WEBHOOK_SECRET_BYTES_MAX);
	buffer_format(&content, "%s.%" PRId64 ".", in->id, in->timestamp);
	buffer_slice(&content, in->body);
	e = buffer_status(&content);
	while (e == ERR_OK) {
		size_t length;

		secrets += strspn(secrets, " \t\r\n");
		length = strcspn(secrets, " \t\r\n");
		if (!length)
			break;
		e = sign(slice_of(secrets, length), buffer_bytes(&content), out, why);
		secrets += length;
		any = true;
	}
	buffer_fini(&content);
	if (e == ERR_OK && !any)
		return why_fail(why, ERR_CONFIG, "signing_secret is empty");
	return e;
}
