/* One finding to its records. */
#ifndef LEAFWATCH_SCANNERS_PARSER_FINDING_H
#define LEAFWATCH_SCANNERS_PARSER_FINDING_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "agent/certificate/certificate.h"
#include "agent/certificate/judge.h"
#include "agent/certificate/record.h"
#include "agent/certificate/trust.h"
#include "agent/process/messages.h"
#include "scanners/parser.h"

struct format_file;
struct format_limits;

/* What a finding is looked at with. All borrowed. */
struct parser_context {
	const struct trust *trust;
	struct judge_cache *cache;
	struct known_certificates *known; /* or NULL */
	const struct strings *passwords;
	const struct judging *judging;
	const struct format_limits *limits; /* or NULL: the standard ones */
	/* Where records go. */
	enum err (*record)(void *arg, const struct record *r);
	void *arg;
};

struct parser_place {
	const char *scanner;
	const char *uri;
	const char *label;       /* what the place belongs to, part of every alias there; or NULL */
	struct file_owner owner; /* of the file there */
	/* The content itself, where it is not `bytes`: those are none then. Or NULL. */
	const struct format_file *file;
	bool is_cut; /* the content's end was left out, and that is told */
};

/* The records of a file's content. ERR_OK whatever the content is: only memory and `record` can fail. */
enum err parser_file(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The same with passwords that the finding itself brings (scanners/locked_finding.h). */
enum err parser_locked(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The records of a probe's session (scanners/session.h). */
enum err parser_endpoint(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The verdict on a case of `leafwatch verify` (scanners/verify_case.h): the certificate's record, then those
 * of its path; or a problem where there is nothing to verify. */
enum err parser_verify(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The records of an issuer's answer (scanners/fetch.h). */
enum err parser_fetched(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The verdict on a certificate with issuers from elsewhere (scanners/completion_case.h). */
enum err parser_completion(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* The records of a token's certificates (scanners/token_finding.h). */
enum err parser_token(const struct parser_context *c, const struct parser_place *place,
	struct slice bytes) MUST_CHECK;
/* Tells the record of a certificate, judged already: its facts, and its bytes where the inventory is to keep
 * them, are lent to it for the call. */
enum err parser_tell_lent(const struct parser_context *c, struct record *r,
	const struct parsed_certificate *parsed) MUST_CHECK;
/* A problem at a place; `message` may be any text. */
enum err parser_problem(const struct parser_context *c, const struct parser_place *place,
	enum reason reason, const char *message) MUST_CHECK;

#endif
