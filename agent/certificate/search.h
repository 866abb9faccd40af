/* The search for the best path from a certificate to an anchor. Private to this folder. */
#ifndef LEAFWATCH_CERTIFICATE_SEARCH_H
#define LEAFWATCH_CERTIFICATE_SEARCH_H

#include "agent/certificate/family.h"

/* Writes the best path and what is wrong with it. ERR_MEMORY alone fails. */
enum err search_path(const struct judge_question *q, const struct family *f,
	struct signature_cache *signatures, struct judged *out) MUST_CHECK;

#endif
