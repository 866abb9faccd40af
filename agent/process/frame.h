/* The head of a frame: u32 payload length, u16 type, little endian. */
#ifndef LEAFWATCH_PROCESS_FRAME_H
#define LEAFWATCH_PROCESS_FRAME_H

#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdint.h>

#define FRAME_HEAD_BYTES 6

void frame_head(uint8_t head[FRAME_HEAD_BYTES], uint16_t type, size_t size);
/* The frame at the start of `bytes`: ERR_OK and what it holds, ERR_BUSY when it is not whole yet,
 * ERR_MALFORMED when it is over FRAME_BYTES_MAX. */
enum err frame_read(struct slice bytes, uint16_t *type, struct slice *payload) MUST_CHECK;

#endif
