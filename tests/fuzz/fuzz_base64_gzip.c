/* A compressed content in base64 in a text, as Helm's Secrets, cloud-init and Terraform have it. The first byte
 * says how the rest is wrapped: bit 0 base64 twice, bit 1 folded over lines, bit 2 as it is instead of as the
 * stored block of a whole gzip member. */
#include "harness.h"

#include <gnutls/gnutls.h>

#define STORED_BYTES_MAX 65535
#define FOLD 76

/* RFC 1952 8. */
static uint32_t crc_of(const uint8_t *data, size_t size)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return ~crc;
}

static void put_little(struct buffer *out, uint32_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer_byte(out, (uint8_t)(value >> 8 * i));
}

/* RFC 1952 2.3 around RFC 1951 3.2.4. */
static void put_member(struct buffer *out, const uint8_t *data, size_t size)
{
	static const uint8_t header[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255, 1 };

	buffer_append(out, header, sizeof(header));
	put_little(out, (uint32_t)size, 2);
	put_little(out, ~(uint32_t)size, 2);
	buffer_append(out, data, size);
	put_little(out, crc_of(data, size), 4);
	put_little(out, (uint32_t)size, 4);
}

static void put_base64(struct buffer *out, struct slice bytes, bool is_folded)
{
	gnutls_datum_t in = { .data = (unsigned char *)(uintptr_t)bytes.data,
		.size = (unsigned)bytes.size };
	gnutls_datum_t digits = { 0 };

	if (gnutls_base64_encode2(&in, &digits) < 0)
		return;
	for (unsigned at = 0; at < digits.size; at += FOLD) {
		unsigned left = digits.size - at;

		buffer_append(out, digits.data + at, left < FOLD ? left : FOLD);
		if (is_folded)
			buffer_text(out, "\n  ");
	}
	gnutls_free(digits.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer packed, once, text;
	uint8_t way = size ? data[0] : 0;

	if (size < 2 || size > STORED_BYTES_MAX)
		return 0;
	buffer_init(&packed, 2 * STORED_BYTES_MAX);
	buffer_init(&once, 4 * STORED_BYTES_MAX);
	buffer_init(&text, 8 * STORED_BYTES_MAX);
	if (way & 4)
		buffer_append(&packed, data + 1, size - 1);
	else
		put_member(&packed, data + 1, size - 1);
	buffer_text(&text, "data:\n  release: ");
	if (way & 1) {
		put_base64(&once, buffer_bytes(&packed), false);
		put_base64(&text, buffer_bytes(&once), way & 2);
	} else {
		put_base64(&text, buffer_bytes(&packed), way & 2);
	}
	buffer_text(&text, "\nkind: Secret\n");
	(void)harness_run(parser_file, text.data, text.size);
	buffer_fini(&packed);
	buffer_fini(&once);
	buffer_fini(&text);
	return 0;
}
