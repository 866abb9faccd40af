/* Reasons of transfers. */
#include "scanners/transfer_reason.h"

enum reason transfer_reason(CURLcode code)
{
	switch (code) {
	case CURLE_FILESIZE_EXCEEDED:
		return REASON_TOO_LARGE;
	case CURLE_OK: /* a status that is none of success */
	case CURLE_TOO_MANY_REDIRECTS:
		return REASON_UNREADABLE;
	case CURLE_OPERATION_TIMEDOUT:
		return REASON_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return REASON_UNRESOLVED;
	case CURLE_UNSUPPORTED_PROTOCOL:
		return REASON_UNSUPPORTED;
	case CURLE_COULDNT_CONNECT:
		return REASON_REFUSED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return REASON_HANDSHAKE_FAILED;
	default:
		return REASON_UNREACHABLE;
	}
}
