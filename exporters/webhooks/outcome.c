/* What an answer, or its absence, means for a delivery. */
#include "exporters/webhooks/webhook.h"

#include <stdio.h>

#define RETRY_AFTER_MAX_S 86400

struct meaning {
	long first; /* status codes, both ends included */
	long last;
	enum delivery outcome;
	const char *reason;
	const char *text;
};

/* The first line that covers a status counts. */
static const struct meaning meanings[] = {
	{ 300, 399, DELIVERY_RETRY, "other", "redirects are not followed" },
	{ 401, 401, DELIVERY_DISABLE, "authError", "the credentials were refused" },
	{ 403, 403, DELIVERY_DISABLE, "authError", "access was refused" },
	{ 404, 404, DELIVERY_DISABLE, "clientError", "there is no such webhook" },
	{ 407, 407, DELIVERY_RETRY, "authError", "the proxy wants credentials" },
	{ 408, 408, DELIVERY_RETRY, "timeout", "the receiver gave up waiting" },
	{ 410, 410, DELIVERY_DISABLE, "clientError", "the webhook was removed" },
	{ 425, 425, DELIVERY_RETRY, "clientError", "too early" },
	{ 429, 429, DELIVERY_RETRY, "rateLimited", "too many requests" },
	{ 400, 499, DELIVERY_FAILED, "clientError", "the request was refused" },
	{ 500, 599, DELIVERY_RETRY, "serverError", "the receiver failed" },
};

static void fill(struct delivery_result *out, enum delivery outcome, const char *reason)
{
	out->outcome = outcome;
	out->reason = reason;
}

static const struct meaning *meaning_of(long status)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (status >= meanings[i].first && status <= meanings[i].last)
			return &meanings[i];
	return NULL;
}

static void by_status(const struct webhook_answer *a, char *message, struct delivery_result *out)
{
	const struct meaning *m = meaning_of(a->status);
	const char *text = m ? m->text : "this is no final HTTP status";

	fill(out, m ? m->outcome : DELIVERY_RETRY, m ? m->reason : "other");
	(void)snprintf(message, WEBHOOK_MESSAGE_BYTES, "answered %ld: %s", a->status, text);
	if (out->outcome != DELIVERY_RETRY || a->retry_after_s <= 0)
		return;
	out->retry_after_s =
		a->retry_after_s < RETRY_AFTER_MAX_S ? a->retry_after_s : RETRY_AFTER_MAX_S;
}

static void by_code(const struct webhook_answer *a, char *message, struct delivery_result *out)
{
	bool timed_out = a->code == CURLE_OPERATION_TIMEDOUT;

	fill(out, DELIVERY_RETRY, timed_out ? "timeout" : "other");
	/* curl's fixed texts; its error buffer would name hosts and URLs. */
	(void)snprintf(message, WEBHOOK_MESSAGE_BYTES, "%s", curl_easy_strerror(a->code));
}

void webhook_outcome(const struct webhook_answer *a, char message[WEBHOOK_MESSAGE_BYTES],
	struct delivery_result *out)
{
	bool is_2xx = a->status >= 200 && a->status <= 299;

	*out = (struct delivery_result){ .message = message };
	if (a->code != CURLE_OK && !a->is_capped) {
		by_code(a, message, out);
	} else if (!is_2xx) {
		by_status(a, message, out);
	} else if (!a->is_accepted) {
		fill(out, DELIVERY_RETRY, "other");
		(void)snprintf(message, WEBHOOK_MESSAGE_BYTES,
			"answered %ld, but not as this service does", a->status);
	} else {
		fill(out, DELIVERY_OK, NULL);
		(void)snprintf(message, WEBHOOK_MESSAGE_BYTES, "answered %ld", a->status);
	}
}
