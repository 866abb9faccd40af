/* HTTP inside TLS: a GET, and what servers say to it when they miss a client certificate. */
#include "scanners/network/starttls/http.h"

#include "scanners/network/starttls/parts.h"

#define STATUS_DIGITS_AT 9 /* "HTTP/1.1 " */
#define BODY_BYTES_MAX 4096

/* What servers write into the body of the status with which they refuse. */
static const struct {
	const char *status;
	const char *holds;
} refusals[] = {
	{ "400", "No required SSL certificate was sent" }, /* nginx */
	{ "400", "The SSL certificate error" },            /* nginx */
	{ "496", NULL },                                   /* nginx, where shown */
	{ "403", "client certificate" },                   /* many */
	{ "403", "Client certificate required" },          /* IIS 403.7 */
	{ "401", "client certificate" },
	{ "400", "client certificate" },
};

static bool is_status(struct slice answer, const char *digits)
{
	return part_begins(slice_after(answer, STATUS_DIGITS_AT), digits);
}

/* Statuses whose body may say that a certificate was missed. */
static bool may_refuse(struct slice answer)
{
	return is_status(answer, "400") || is_status(answer, "401") || is_status(answer, "403") ||
	       is_status(answer, "496");
}

static enum learnt read_answer(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	struct slice line = part_first_line(answer);

	if (line.size == answer.size)
		return LEARNT_NOT_YET;
	if (!part_begins(answer, "HTTP/1.") || line.size < STATUS_DIGITS_AT + 3) {
		part_evidence(evidence, "a GET was answered with", line);
		return LEARNT_NOTHING;
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (!is_status(answer, refusals[i].status))
			continue;
		if (refusals[i].holds && !part_holds(answer, refusals[i].holds))
			continue;
		part_evidence(evidence,
			refusals[i].holds ? "HTTP answer that misses a client certificate:"
					  : "HTTP answer:",
			line);
		return LEARNT_REQUIRED;
	}
	if (may_refuse(answer) && answer.size < BODY_BYTES_MAX)
		return LEARNT_NOT_YET;
	part_evidence(evidence, "a GET was answered with", line);
	return may_refuse(answer) ? LEARNT_NOTHING : LEARNT_NOT_REQUIRED;
}

const struct question http_question = {
	.say = SAY("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: leafwatch\r\n"
		   "Accept: */*\r\nConnection: close\r\n\r\n"),
	.read = read_answer,
};
