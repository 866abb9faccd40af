/* Fetching a list of targets (Prometheus' http_sd): curl on a thread of the loop's pool, the answer read
 * whole before anything of it counts, its entries to main. */
#include "scanners/network/discovery.h"
#include "scanners/network/probe_internal.h"
#include "scanners/network/target_list.h"
#include "scanners/transfer_reason.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#define REDIRECTS_MAX 5
#define HEAD_BYTES_MAX (64 * 1024) /* of all answers on the way to the list */
#define MESSAGE_BYTES 512
#define HEADER_BYTES 80
#define HTTP_OK 200

struct fetching {
	uv_work_t work;
	struct fetching *next;
	struct probe *probe;
	const struct discovery *what; /* borrowed from the probe's options */
	uint64_t id;
	unsigned number;
	char *place; /* owned */
	atomic_bool is_stopped;
	/* The thread's until it is done: */
	CURL *easy;                 /* owned */
	struct curl_slist *headers; /* owned, wiped */
	int ca;                     /* owned; -1: none */
	struct buffer body;
	size_t head_bytes;
	bool is_too_large;
	struct buffer list; /* the entries, a line each */
	bool is_good;
	enum reason reason; /* where it is not */
	char error[CURL_ERROR_SIZE];
	char message[MESSAGE_BYTES];
};

/* ---- the request ------------------------------------------------------------------------------ */

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct fetching *f = arg;

	(void)one;
	buffer_append(&f->body, data, size);
	f->is_too_large = f->body.status == ERR_LIMIT;
	return f->body.status == ERR_OK ? size : 0;
}

static size_t on_head(char *data, size_t one, size_t size, void *arg)
{
	struct fetching *f = arg;

	(void)one;
	/* What a redirect brought along is not the list. */
	if (size >= 5 && memcmp(data, "HTTP/", 5) == 0)
		buffer_clear(&f->body);
	f->head_bytes += size;
	f->is_too_large = f->head_bytes > HEAD_BYTES_MAX;
	return f->is_too_large ? 0 : size;
}

static int on_progress(void *arg, curl_off_t to, curl_off_t got, curl_off_t out, curl_off_t sent)
{
	struct fetching *f = arg;

	(void)to;
	(void)got;
	(void)out;
	(void)sent;
	return atomic_load(&f->is_stopped);
}

static bool add_header(struct fetching *f, const char *line)
{
	struct curl_slist *longer = curl_slist_append(f->headers, line);

	if (longer)
		f->headers = longer;
	return longer;
}

#define SET(option, value) (curl_easy_setopt(c, option, value) == CURLE_OK)

/* libcurl with GnuTLS takes certificates by file only, and no folder is this role's to write to. */
static bool set_ca(struct fetching *f)
{
	size_t size = strlen(f->what->ca);
	char path[64];
	CURL *c = f->easy;

	f->ca = memfd_create("ca", MFD_CLOEXEC);
	if (f->ca < 0 || write(f->ca, f->what->ca, size) != (ssize_t)size)
		return false;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", f->ca);
	return SET(CURLOPT_CAINFO, path);
}

/* The same question as Prometheus asks, so that a server need not know who it is. */
static bool set_question(struct fetching *f)
{
	const struct discovery *d = f->what;
	char line[HEADER_BYTES];
	CURL *c = f->easy;

	(void)snprintf(line, sizeof(line), "X-Prometheus-Refresh-Interval-Seconds: %.12g",
		(double)f->probe->options.discoveries.refresh_ms / 1000);
	return add_header(f, "Accept: application/json") && add_header(f, line) &&
	       (!d->authorization || add_header(f, d->authorization)) &&
	       SET(CURLOPT_HTTPHEADER, f->headers) && SET(CURLOPT_USERAGENT, "leafwatch") &&
	       SET(CURLOPT_URL, d->url) && SET(CURLOPT_HTTPAUTH, CURLAUTH_BASIC) &&
	       (!d->username || SET(CURLOPT_USERNAME, d->username)) &&
	       (!d->password || SET(CURLOPT_PASSWORD, d->password)) && (!d->ca || set_ca(f)) &&
	       (!d->proxy || SET(CURLOPT_PROXY, d->proxy));
}

static bool set_bounds(struct fetching *f)
{
	/* No redirect to another scheme. */
	const char *scheme = strncasecmp(f->what->url, "https:", 6) == 0 ? "https" : "http";
	CURL *c = f->easy;

	return SET(CURLOPT_PROTOCOLS_STR, scheme) && SET(CURLOPT_REDIR_PROTOCOLS_STR, scheme) &&
	       SET(CURLOPT_FOLLOWLOCATION, 1L) && SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) &&
	       SET(CURLOPT_TIMEOUT_MS, (long)f->probe->options.timeout_ms) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, (long)f->probe->options.timeout_ms) &&
	       SET(CURLOPT_NOSIGNAL, 1L) && SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       SET(CURLOPT_SSL_VERIFYPEER, 1L) && SET(CURLOPT_SSL_VERIFYHOST, 2L) &&
	       SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)DISCOVERY_BYTES_MAX);
}

static bool set_callbacks(struct fetching *f)
{
	CURL *c = f->easy;

	return SET(CURLOPT_WRITEFUNCTION, on_body) && SET(CURLOPT_WRITEDATA, f) &&
	       SET(CURLOPT_HEADERFUNCTION, on_head) && SET(CURLOPT_HEADERDATA, f) &&
	       SET(CURLOPT_XFERINFOFUNCTION, on_progress) && SET(CURLOPT_XFERINFODATA, f) &&
	       SET(CURLOPT_NOPROGRESS, 0L) && SET(CURLOPT_ERRORBUFFER, f->error);
}

/* ---- the answer ------------------------------------------------------------------------------- */

static bool fail(struct fetching *f, enum reason reason, const char *sentence)
{
	f->reason = reason;
	(void)snprintf(f->message, sizeof(f->message), "%s", sentence);
	return false;
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";
	size_t size = sizeof(json) - 1;

	return type && strncasecmp(type, json, size) == 0 && strchr("; \t", type[size]);
}

static bool is_list_answer(struct fetching *f, CURLcode code)
{
	char sentence[MESSAGE_BYTES];
	char *type = NULL;
	long status = 0;

	if (f->is_too_large || code == CURLE_FILESIZE_EXCEEDED) {
		(void)snprintf(sentence, sizeof(sentence), "the answer is larger than %d MiB%s",
			DISCOVERY_BYTES_MAX / 1024 / 1024,
			f->head_bytes > HEAD_BYTES_MAX ? ", or its head than 64 KiB" : "");
		return fail(f, REASON_TOO_LARGE, sentence);
	}
	if (code == CURLE_UNSUPPORTED_PROTOCOL)
		return fail(f, REASON_UNSUPPORTED, "it leads to another scheme");
	if (code != CURLE_OK)
		return fail(f, transfer_reason(code),
			f->error[0] ? f->error : curl_easy_strerror(code));
	(void)curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(f->easy, CURLINFO_CONTENT_TYPE, &type);
	if (status != HTTP_OK) {
		(void)snprintf(sentence, sizeof(sentence),
			"the server answered with HTTP status %ld", status);
		return fail(f, transfer_reason(CURLE_OK), sentence);
	}
	if (!is_json(type)) {
		(void)snprintf(sentence, sizeof(sentence),
			"the answer is \"%.80s\" and not application/json", type ? type : "");
		return fail(f, REASON_UNSUPPORTED, sentence);
	}
	return true;
}

/* JSON writes a character beyond the 16 bits as two escapes, which YAML does not know. No target holds
 * one. */
static void unpair(struct buffer *json)
{
	static const char replacement[] = { 'f', 'f', 'f', 'd' };

	for (size_t i = 0; i + 5 < json->size; i++) {
		uint8_t *at = json->data + i;

		if (at[0] != '\\')
			continue;
		if (at[1] == 'u' && (at[2] == 'd' || at[2] == 'D') &&
			strchr("89abcdefABCDEF", at[3]))
			memcpy(at + 2, replacement, sizeof(replacement));
		i++;
	}
}

/* What cannot stand in a line cannot stand in a target, either: main will say so. */
static void put_entry(struct fetching *f, const char *entry)
{
	size_t at = f->list.size;

	buffer_text(&f->list, entry);
	for (; at < f->list.size; at++)
		if (f->list.data[at] == '\n')
			f->list.data[at] = ' ';
	buffer_byte(&f->list, '\n');
}

static bool is_list(const struct buffer *body)
{
	size_t i = 0;

	while (i < body->size && strchr(" \t\r\n", body->data[i]))
		i++;
	return i < body->size && body->data[i] == '[';
}

static bool read_list(struct fetching *f)
{
	struct target_list *list = NULL;
	struct why why = { 0 };
	const char *entry;
	uint64_t line;
	enum err e;

	if (!is_list(&f->body))
		return fail(f, REASON_MALFORMED,
			"not of the form [{\"targets\": [\"HOST:PORT\"], \"labels\": {}}]");
	unpair(&f->body);
	e = target_list_over(buffer_bytes(&f->body), TARGET_LIST_DISCOVERY, &list);
	while (e == ERR_OK && !atomic_load(&f->is_stopped)) {
		e = target_list_next(list, &entry, &line, &why);
		if (e == ERR_OK)
			put_entry(f, entry);
		else if (e == ERR_USAGE)
			put_entry(f, "an entry that is too long, or no text");
		if (e == ERR_USAGE)
			e = ERR_OK;
	}
	target_list_free(list);
	if (e == ERR_END)
		e = buffer_status(&f->list);
	if (e == ERR_OK)
		return true;
	return fail(
		f, e == ERR_MALFORMED ? REASON_MALFORMED : REASON_LIMIT_REACHED, why_text(&why, e));
}

static void on_work(uv_work_t *work)
{
	struct fetching *f = work->data;
	bool is_set;

	f->easy = curl_easy_init();
	is_set = f->easy && set_callbacks(f) && set_bounds(f) && set_question(f);
	if (!is_set)
		(void)fail(f, REASON_LIMIT_REACHED, "libcurl lacks an option or memory");
	else
		f->is_good = is_list_answer(f, curl_easy_perform(f->easy)) && read_list(f);
	curl_easy_cleanup(f->easy);
	f->easy = NULL;
	if (f->ca >= 0)
		(void)close(f->ca);
	for (struct curl_slist *h = f->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(f->headers);
	f->headers = NULL;
	buffer_fini(&f->body);
}

/* ---- telling main ------------------------------------------------------------------------------ */

static enum err tell_list(struct fetching *f)
{
	struct slice left = buffer_bytes(&f->list);
	struct discovery_part part = { .number = (uint16_t)f->number, .is_first = true };
	enum err e = ERR_OK;

	while (e == ERR_OK && !part.is_last) {
		size_t size = left.size < FINDING_PIECE_BYTES ? left.size : FINDING_PIECE_BYTES;
		struct buffer frame;

		part.text = slice_of(left.data, size);
		left = slice_after(left, size);
		part.is_last = !left.size;
		buffer_init(&frame, FRAME_BYTES_MAX);
		discovery_part_encode(&frame, &part);
		e = buffer_status(&frame);
		if (e == ERR_OK)
			e = probe_tell_plan(f->probe, buffer_bytes(&frame));
		buffer_fini(&frame);
		part.is_first = false;
	}
	return e;
}

static enum err tell(struct fetching *f)
{
	enum err e = f->is_good ? tell_list(f)
				: probe_tell_problem(f->probe, f->place, f->reason, f->message);

	return e == ERR_OK ? probe_tell_number(f->probe, MESSAGE_WORK_DONE, f->id) : e;
}

static void fetching_free(struct fetching *f)
{
	buffer_fini(&f->list);
	free(f->place);
	free(f);
}

static void on_done(uv_work_t *work, int status)
{
	struct fetching *f = work->data;
	struct probe *p = f->probe;
	struct fetching **at = &p->fetching;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	if (!p->is_over && !atomic_load(&f->is_stopped) && status == 0)
		probe_checked(p, tell(f));
	fetching_free(f);
	curl_global_cleanup();
	if (!p->is_over)
		probe_pump(p);
}

/* ---- life ------------------------------------------------------------------------------------- */

enum err fetching_start(struct probe *p, uint64_t work, const char *place, unsigned number)
{
	struct fetching *f;

	if (!number || number > p->options.discoveries.count)
		return ERR_MALFORMED;
	f = calloc(1, sizeof(*f));
	if (!f)
		return ERR_MEMORY;
	f->probe = p;
	f->what = &p->options.discoveries.items[number - 1];
	f->id = work;
	f->number = number;
	f->ca = -1;
	f->work.data = f;
	buffer_init(&f->body, DISCOVERY_BYTES_MAX);
	buffer_init(&f->list, DISCOVERY_BYTES_MAX);
	f->place = strdup(place);
	if (!f->place) {
		fetching_free(f);
		return ERR_MEMORY;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fetching_free(f);
		return ERR_UNSUPPORTED;
	}
	if (uv_queue_work(&p->loop, &f->work, on_work, on_done) != 0) {
		curl_global_cleanup();
		fetching_free(f);
		return ERR_MEMORY;
	}
	f->next = p->fetching;
	p->fetching = f;
	return ERR_OK;
}

void fetching_stop(struct probe *p)
{
	for (struct fetching *f = p->fetching; f; f = f->next) {
		atomic_store(&f->is_stopped, true);
		(void)uv_cancel((uv_req_t *)&f->work);
	}
}
