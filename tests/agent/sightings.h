/* What the tests of the inventory's users share: calls that must succeed, records of certificates, passes. */
#ifndef LEAFWATCH_TESTS_AGENT_SIGHTINGS_H
#define LEAFWATCH_TESTS_AGENT_SIGHTINGS_H

#include "agent/inventory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#define SIGHTINGS_DAY INT64_C(86400)

/* `w` has a struct why of that name. */
#define OK(w, call)                                                        \
	do {                                                               \
		enum err result_ = (call);                                 \
		if (result_ != ERR_OK)                                     \
			print_error("%s\n", why_text(&(w)->why, result_)); \
		assert_int_equal(result_, ERR_OK);                         \
	} while (0)

/* A certificate that began a day ago and ends in 90. Strings are borrowed literals: it is never freed. */
static inline struct record sighting_made(
	const char *scanner, const char *uri, uint32_t index, int64_t now)
{
	struct record r = { .kind = RECORD_CERTIFICATE,
		.location = { .scanner = (char *)(uintptr_t)scanner,
			.uri = (char *)(uintptr_t)uri,
			.index = index } };
	struct certificate *c = &r.certificate.facts;

	c->subject = (char *)"CN=subject";
	c->issuer = (char *)"CN=issuer";
	c->serial = (char *)"01";
	c->not_before = now - SIGHTINGS_DAY;
	c->not_after = now + 90 * SIGHTINGS_DAY;
	c->key_algorithm = (char *)"RSA";
	c->signature_algorithm = (char *)"RSA-SHA256";
	r.certificate.verdict = (struct verdict){
		.expires = TIME_UNKNOWN, .boundary = TIME_UNKNOWN, .starts = TIME_UNKNOWN
	};
	/* Files have no port. */
	r.certificate.is_served = strncmp(uri, "file:", 5) != 0;
	return r;
}

/* Ends a pass that has seen all there is. */
static inline enum err sightings_end(
	struct inventory *i, int64_t pass, int64_t now, struct why *why)
{
	struct pass_result result = { .is_complete = true };

	return inventory_pass_end(i, pass, &result, now, why);
}

#endif
