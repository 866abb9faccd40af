/* One webhook receiver: its configuration, and the parts of a delivery. */
#ifndef LEAFWATCH_EXPORTERS_WEBHOOKS_WEBHOOK_H
#define LEAFWATCH_EXPORTERS_WEBHOOKS_WEBHOOK_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/config/http_client.h"
#include "agent/config/schema.h"
#include "exporters/exporter.h"

#include <curl/curl.h>

/* Ceilings of what secrets and answers may hold. */
#define WEBHOOK_SECRET_BYTES_MAX 8192
#define WEBHOOK_ANSWER_BYTES_MAX (64 * 1024)

struct webhook_conf {
	struct receiver_conf receiver; /* first: main reads it */
	int format;                    /* index into services */
	struct secret url;
	struct strings headers; /* "Name: value" */
	struct http_authorization authorization;
	struct http_basic basic_auth;
	char *ca_file;
	char *client_cert;
	char *client_key;
	struct secret proxy;
	int64_t timeout_ms;
	struct secret signing_secret;
};

extern const struct schema_field webhook_fields[];
/* What the table cannot say: an http(s) URL, clean headers, certificate and key together. */
enum err webhook_conf_check(const struct webhook_conf *conf, struct why *why) MUST_CHECK;

/* A request as it is sent. Starts as {0}. */
struct webhook_request {
	struct buffer body;
	struct curl_slist *headers; /* owned */
};
void webhook_request_fini(struct webhook_request *r);
/* Renders `n` and sets everything on `easy` but callbacks. Secrets are read here, and wiped once curl
 * has its copy. `why` never holds a URL or a secret. */
enum err webhook_request_make(const struct webhook_conf *conf, const char *version,
	const struct notification *n, CURL *easy, struct webhook_request *out,
	struct why *why) MUST_CHECK;

/* The value of `webhook-signature` (Standard Webhooks 1.0, symmetric): "v1,<base64>" for each of the
 * space-separated secrets (base64, with or without "whsec_"). */
struct signature_input {
	const char *id;
	int64_t timestamp;
	struct slice body;
};
enum err webhook_signature(const char *secrets, const struct signature_input *in,
	struct buffer *out, struct why *why) MUST_CHECK;

/* How a transfer that ended is to be understood. */
struct webhook_answer {
	CURLcode code;
	long status;           /* 0 = none came */
	int64_t retry_after_s; /* 0 = not asked for */
	bool is_accepted;      /* the service's own check of the body */
	bool is_capped;        /* the answer was longer than we read */
};
#define WEBHOOK_MESSAGE_BYTES 160
/* `message` is written to and borrowed by `out`. */
void webhook_outcome(const struct webhook_answer *a, char message[WEBHOOK_MESSAGE_BYTES],
	struct delivery_result *out);

#endif
