/* Packets of TDS: MS-TDS 2.2.3. While the handshake lasts, TLS travels inside of them (2.2.6.5). */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_TDS_PACKET_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_TDS_PACKET_H

#include "scanners/network/transport.h"

#define TDS_HEAD_BYTES 8 /* type, status, length (big-endian, head included), SPID, id, window */
#define TDS_PRELOGIN 0x12
#define TDS_RESPONSE 0x04
#define TDS_END_OF_MESSAGE 0x01
#define TDS_PACKET_BYTES 4096 /* as long as nothing else is agreed */
#define TDS_PACKET_BYTES_MAX 32767

enum err tds_transport_new(int fd, struct transport **out) MUST_CHECK;

#endif
