/* A request: URL, body, headers, credentials and limits on a curl handle. */
#include "agent/base/clock.h"
#include "exporters/webhooks/service.h"
#include "exporters/webhooks/webhook.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS 10000
#define HEADER_BYTES_MAX (2 * WEBHOOK_SECRET_BYTES_MAX)

void webhook_request_fini(struct webhook_request *r)
{
	for (struct curl_slist *h = r->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(r->headers);
	buffer_fini(&r->body);
	*r = (struct webhook_request){ 0 };
}

static enum err add_header(struct webhook_request *r, const char *line)
{
	struct curl_slist *longer = curl_slist_append(r->headers, line);

	if (!longer)
		return ERR_MEMORY;
	r->headers = longer;
	return ERR_OK;
}

/* "Name: value", wiped after use. */
static enum err add_value(struct webhook_request *r, const char *name, const char *value)
{
	struct buffer line;
	enum err e;

	buffer_init(&line, HEADER_BYTES_MAX);
	buffer_format(&line, "%s: %s", name, value);
	e = buffer_status(&line);
	if (e == ERR_OK)
		e = add_header(r, buffer_string(&line));
	buffer_wipe(&line);
	return e;
}

/* Reads a secret that must be one line. */
static enum err read_line(
	const struct secret *s, const char *key, struct buffer *out, struct why *why)
{
	enum err e = secret_read(s, WEBHOOK_SECRET_BYTES_MAX, out, why);

	if (e != ERR_OK)
		return e;
	if (out->size && (memchr(out->data, 0, out->size) || strpbrk(buffer_string(out), "\r\n")))
		return why_fail(why, ERR_CONFIG, "%s holds more than one line", key);
	return ERR_OK;
}

static enum err set_secret(
	CURL *easy, CURLoption option, const struct secret *s, const char *key, struct why *why)
{
	struct buffer value;
	enum err e;

	buffer_init(&value, WEBHOOK_SECRET_BYTES_MAX);
	e = read_line(s, key, &value, why);
	if (e == ERR_OK && curl_easy_setopt(easy, option, buffer_string(&value)) != CURLE_OK)
		e = why_fail(why, ERR_CONFIG, "%s cannot be used", key);
	buffer_wipe(&value);
	return e;
}

static enum err set_url(CURL *easy, const struct webhook_conf *conf, struct why *why)
{
	enum err e = set_secret(easy, CURLOPT_URL, &conf->url, "url", why);

	/* An unset proxy is "": the environment's would send secrets where no configuration says so. */
	if (e == ERR_OK && secret_is_set(&conf->proxy))
		e = set_secret(easy, CURLOPT_PROXY, &conf->proxy, "proxy", why);
	else if (e == ERR_OK && curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK)
		e = ERR_MEMORY;
	return e;
}

static enum err add_authorization(
	struct webhook_request *r, const struct webhook_conf *conf, struct why *why)
{
	const struct http_authorization *a = &conf->authorization;
	struct buffer secret;
	struct buffer value;
	enum err e;

	if (!secret_is_set(&a->credentials))
		return ERR_OK;
	buffer_init(&secret, WEBHOOK_SECRET_BYTES_MAX);
	buffer_init(&value, HEADER_BYTES_MAX);
	e = read_line(&a->credentials, "credentials", &secret, why);
	if (e == ERR_OK) {
		buffer_format(
			&value, "%s %s", a->type ? a->type : "Bearer", buffer_string(&secret));
		e = add_value(r, "Authorization", buffer_string(&value));
	}
	buffer_wipe(&value);
	buffer_wipe(&secret);
	return e;
}

static enum err set_basic(CURL *easy, const struct webhook_conf *conf, struct why *why)
{
	const struct http_basic *b = &conf->basic_auth;

	if (!b->username)
		return ERR_OK;
	if (curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) != CURLE_OK ||
		curl_easy_setopt(easy, CURLOPT_USERNAME, b->username) != CURLE_OK)
		return ERR_MEMORY;
	if (!secret_is_set(&b->password))
		return ERR_OK;
	return set_secret(easy, CURLOPT_PASSWORD, &b->password, "password", why);
}

static enum err add_signature(struct webhook_request *r, const struct webhook_conf *conf,
	const struct signature_input *in, struct why *why)
{
	struct buffer secrets;
	struct buffer value;
	enum err e;

	if (!secret_is_set(&conf->signing_secret))
		return ERR_OK;
	buffer_init(&secrets, WEBHOOK_SECRET_BYTES_MAX);
	buffer_init(&value, WEBHOOK_SECRET_BYTES_MAX);
	e = secret_read(&conf->signing_secret, WEBHOOK_SECRET_BYTES_MAX, &secrets, why);
	if (e == ERR_OK)
		e = webhook_signature(buffer_string(&secrets), in, &value, why);
	if (e == ERR_OK)
		e = add_value(r, "webhook-signature", buffer_string(&value));
	buffer_fini(&value);
	buffer_wipe(&secrets);
	return e;
}

/* The id stays over all attempts, the time is the attempt's. */
static enum err add_standard(struct webhook_request *r, const struct webhook_conf *conf,
	const struct notification *n, struct why *why)
{
	struct signature_input in = {
		.id = n->id, .timestamp = clock_now_s(), .body = buffer_bytes(&r->body)
	};
	char time_text[24];
	enum err e = add_value(r, "webhook-id", n->id);

	(void)snprintf(time_text, sizeof(time_text), "%" PRId64, in.timestamp);
	if (e == ERR_OK)
		e = add_value(r, "webhook-timestamp", time_text);
	return e == ERR_OK ? add_signature(r, conf, &in, why) : e;
}

static enum err add_headers(struct webhook_request *r, const struct webhook_conf *conf,
	const struct notification *n, struct why *why)
{
	enum err e = add_value(r, "Content-Type", services[conf->format]->content_type);

	/* No waiting for "100 Continue" before larger bodies. */
	if (e == ERR_OK)
		e = add_header(r, "Expect:");
	for (size_t i = 0; e == ERR_OK && i < conf->headers.count; i++)
		e = add_header(r, conf->headers.items[i]);
	if (e == ERR_OK)
		e = add_authorization(r, conf, why);
	return e == ERR_OK ? add_standard(r, conf, n, why) : e;
}

/* Options that are the same for each request; all of them must take hold. */
static bool set_limits(CURL *easy, const struct webhook_conf *conf)
{
	long timeout_ms = (long)(conf->timeout_ms > 0 ? conf->timeout_ms : 1);
	long connect_ms = timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS;

	return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
#if LIBCURL_VERSION_NUM >= 0x075700
	       /* A name look-up under way must not hold up the loop when a delivery ends. */
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
#endif
	       curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS) ==
		       CURLE_OK;
}

static bool set_tls(CURL *easy, const struct webhook_conf *conf)
{
	bool ok = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
		  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
			  CURLE_OK;

	if (ok && conf->ca_file)
		ok = curl_easy_setopt(easy, CURLOPT_CAINFO, conf->ca_file) == CURLE_OK;
	if (ok && conf->client_cert)
		ok = curl_easy_setopt(easy, CURLOPT_SSLCERT, conf->client_cert) == CURLE_OK &&
		     curl_easy_setopt(easy, CURLOPT_SSLKEY, conf->client_key) == CURLE_OK;
	return ok;
}

static bool set_body(CURL *easy, const struct webhook_request *r, const char *version)
{
	char agent[64];

	(void)snprintf(agent, sizeof(agent), "leafwatch%s%.40s", version ? "/" : "",
		version ? version : "");
	return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buffer_string(&r->body)) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.size) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, agent) == CURLE_OK;
}

enum err webhook_request_make(const struct webhook_conf *conf, const char *version,
	const struct notification *n, CURL *easy, struct webhook_request *out, struct why *why)
{
	struct webhook_request r = { 0 };
	enum err e;

	buffer_init(&r.body, WEBHOOK_BODY_BYTES_MAX);
	e = services[conf->format]->render(n, &r.body);
	if (e != ERR_OK)
		(void)why_fail(why, e, "the message could not be written: %s", err_text(e));
	if (e == ERR_OK)
		e = set_url(easy, conf, why);
	if (e == ERR_OK)
		e = set_basic(easy, conf, why);
	if (e == ERR_OK)
		e = add_headers(&r, conf, n, why);
	if (e == ERR_OK &&
		(!set_limits(easy, conf) || !set_tls(easy, conf) || !set_body(easy, &r, version)))
		e = why_fail(why, ERR_UNSUPPORTED, "libcurl lacks an option or memory");
	if (e != ERR_OK) {
		webhook_request_fini(&r);
		return e;
	}
	*out = r;
	return ERR_OK;
}
