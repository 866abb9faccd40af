/* HTTP inside TLS: a GET, and what servers say to it when they miss a client certificate. */
#include "scanners/network/starttls/http.h"

#include "scanners/network/starttls/parts.h"

#include <stdio.h>

#define STATUS_AT 9               /* "HTTP/1.1 " */
#define STATUS_LINE_BYTES 12      /* and three digits */
#define BODY_BYTES_MAX (8 * 1024) /* no more of it is looked at */

/* What pages that refuse for want of a certificate, or for a wrong one, are known to say. */
static const char *const complaints[] = {
	"No required SSL certificate was sent", /* nginx, 496 */
	"The SSL certificate error",            /* nginx, 495 */
	"403.7",                                /* IIS: client certificate required */
	"403.16",                               /* IIS: client certificate untrusted */
	"client certificate",
	"certificate required",
};

bool http_is_likely(uint16_t port)
{
	/* https and its usual stand-ins; Kubernetes' API and kubelet; etcd. */
	static const uint16_t ports[] = { 443, 2379, 4443, 6443, 8443, 9443, 10250, 10443 };

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (ports[i] == port)
			return true;
	return false;
}

static bool read_status(struct slice answer, unsigned *status)
{
	if (answer.size < STATUS_LINE_BYTES || !part_begins(answer, "HTTP/1.") ||
		answer.data[STATUS_AT - 1] != ' ')
		return false;
	*status = 0;
	for (size_t i = STATUS_AT; i < STATUS_LINE_BYTES; i++) {
		if (answer.data[i] < '0' || answer.data[i] > '9')
			return false;
		*status = *status * 10 + answer.data[i] - '0';
	}
	return true;
}

/* Statuses that may be about a certificate: RFC 9110 15.5.1, 15.5.2, 15.5.4, and 421 of 15.5.20, which is
 * apache's where it cannot ask any more. */
static bool may_be_about_it(unsigned status)
{
	return status == 400 || status == 401 || status == 403 || status == 421;
}

static enum learnt judge(struct slice answer, bool is_whole, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	unsigned status;

	if (answer.size < STATUS_LINE_BYTES)
		return LEARNT_NOT_YET;
	if (!read_status(answer, &status)) {
		part_evidence(evidence, "no HTTP:", part_first_line(answer));
		return LEARNT_NOTHING;
	}
	(void)snprintf(evidence, PROTOCOL_SENTENCE_BYTES, "HTTP %u", status);
	/* nginx's own, where they are shown. */
	if (status == 495 || status == 496)
		return LEARNT_REQUIRED;
	if (!may_be_about_it(status))
		return LEARNT_NOT_REQUIRED;
	for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
		if (!part_holds(answer, complaints[i]))
			continue;
		(void)snprintf(
			evidence, PROTOCOL_SENTENCE_BYTES, "HTTP %u: %s", status, complaints[i]);
		return LEARNT_REQUIRED;
	}
	if (!is_whole && answer.size < BODY_BYTES_MAX)
		return LEARNT_NOT_YET;
	/* 401 asks for a password: that is another way in. */
	if (status == 401)
		return LEARNT_NOT_REQUIRED;
	return status == 403 ? LEARNT_DENIED : LEARNT_NOTHING;
}

static enum learnt read_answer(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return judge(answer, false, evidence);
}

static enum learnt read_end(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES])
{
	return judge(answer, true, evidence);
}

const struct question http_question = {
	.say = SAY("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: leafwatch\r\n"
		   "Accept: */*\r\nConnection: close\r\n\r\n"),
	.read = read_answer,
	.end = read_end,
};
