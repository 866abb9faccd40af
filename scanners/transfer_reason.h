/* How a transfer of curl that failed is told. */
#ifndef LEAFWATCH_SCANNERS_TRANSFER_REASON_H
#define LEAFWATCH_SCANNERS_TRANSFER_REASON_H

#include "agent/certificate/record.h"

#include <curl/curl.h>

/* CURLE_OK: the transfer was none, but the answer is not the one that was wanted. */
enum reason transfer_reason(CURLcode code);

#endif
