/* The head of a frame. */
#include "agent/process/frame.h"

#include "agent/process/messages.h"

void frame_head(uint8_t head[FRAME_HEAD_BYTES], uint16_t type, size_t size)
{
	for (unsigned i = 0; i < 4; i++)
		head[i] = (uint8_t)(size >> (8 * i));
	head[4] = (uint8_t)type;
	head[5] = (uint8_t)(type >> 8);
}

enum err frame_read(struct slice bytes, uint16_t *type, struct slice *payload)
{
	const uint8_t *h = bytes.data;
	uint32_t size;

	if (bytes.size < FRAME_HEAD_BYTES)
		return ERR_BUSY;
	size = (uint32_t)h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16 | (uint32_t)h[3] << 24;
	if (size > FRAME_BYTES_MAX)
		return ERR_MALFORMED;
	if (bytes.size - FRAME_HEAD_BYTES < size)
		return ERR_BUSY;
	*type = (uint16_t)(h[4] | h[5] << 8);
	*payload = slice_of(h + FRAME_HEAD_BYTES, size);
	return ERR_OK;
}
