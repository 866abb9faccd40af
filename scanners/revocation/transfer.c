/* What is fetched was named by a certificate, that is by a stranger: schemes, addresses, sizes, times and
 * redirects are bounded here. */
#include "scanners/revocation/transfer.h"

#include "agent/base/text.h"
#include "agent/certificate/ocsp.h"
#include "scanners/revocation/address.h"
#include "scanners/revocation/revocation.h"
#include "scanners/transfer_reason.h"

#include <curl/curl.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CONNECT_SHARE 2 /* of the time, for the connection alone */
#define REDIRECTS_MAX 3
#define HEAD_BYTES_MAX (64 * 1024)
#define SLOW_BYTES_PER_S 1024 /* below this for a while it is not worth waiting */
#define SLOW_S 15
#define MESSAGE_BYTES 256
/* Of a body that is this large only one may be on its way, for the parser holds it whole. */
#define LARGE_BYTES (1024 * 1024)

struct transfer {
	struct transfers *all; /* borrowed */
	struct transfer *next;
	uint64_t work;
	uint64_t finding;
	char *place; /* owned */
	struct fetch fetch;
	CURL *easy;                 /* owned */
	struct curl_slist *headers; /* owned */
	struct buffer request;      /* an OCSP request */
	uint8_t nonce[OCSP_NONCE_BYTES];
	size_t nonce_size;
	struct buffer piece; /* not yet sent on */
	uint64_t total;      /* bytes of the body so far */
	size_t head_bytes;
	char *etag;
	char *last_modified;
	bool has_begun; /* the first piece is out */
	bool is_paused;
	bool is_too_large;
	bool was_forbidden; /* an address it led to */
	char error[CURL_ERROR_SIZE];
};

struct transfers {
	struct transfers_conf conf;
	CURLM *multi;           /* owned */
	struct transfer *first; /* owned, all under way */
	struct transfer *large; /* the one large body on its way, or NULL */
	uint64_t next_finding;
	enum err status; /* of sending on */
};

/* --- sending on ---------------------------------------------------------------------------------- */

static size_t bytes_max(const struct transfer *t)
{
	return t->fetch.kind == FETCH_CRL ? FETCH_CRL_BYTES_MAX : FETCH_SMALL_BYTES_MAX;
}

static void send_piece(struct transfer *t, bool is_last)
{
	struct transfers *all = t->all;
	const struct finding_piece piece = { .id = t->finding,
		.is_first = !t->has_begun,
		.is_last = is_last,
		.kind = FINDING_FETCHED,
		.scanner = slice_text(REVOCATION_SCANNER),
		.place = slice_text(t->place),
		.data = buffer_bytes(&t->piece) };

	if (all->status == ERR_OK)
		all->status = buffer_status(&t->piece);
	if (all->status == ERR_OK)
		all->status = all->conf.piece(all->conf.arg, &piece);
	t->has_begun = true;
	buffer_clear(&t->piece);
}

static void add_bytes(struct transfer *t, struct slice bytes)
{
	while (bytes.size) {
		size_t room = FINDING_PIECE_BYTES - t->piece.size;
		size_t size = bytes.size < room ? bytes.size : room;

		buffer_append(&t->piece, bytes.data, size);
		bytes = slice_after(bytes, size);
		if (t->piece.size == FINDING_PIECE_BYTES)
			send_piece(t, false);
	}
}

/* --- curl's callbacks ---------------------------------------------------------------------------- */

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct transfer *t = arg;
	struct transfers *all = t->all;

	(void)one;
	if (t->total + size > LARGE_BYTES && all->large != t) {
		if (all->large) {
			t->is_paused = true;
			return CURL_WRITEFUNC_PAUSE;
		}
		all->large = t;
	}
	t->total += size;
	if (t->total > bytes_max(t)) {
		t->is_too_large = true;
		return 0;
	}
	add_bytes(t, slice_of(data, size));
	return all->status == ERR_OK ? size : 0;
}

static void keep_header(struct slice line, const char *name, char **to)
{
	size_t size = strlen(name);

	if (line.size <= size || strncasecmp((const char *)line.data, name, size) != 0)
		return;
	line = slice_after(line, size);
	while (line.size && (line.data[0] == ' ' || line.data[0] == '\t'))
		line = slice_after(line, 1);
	while (line.size && strchr(" \t\r\n", line.data[line.size - 1]))
		line.size--;
	free(*to);
	*to = line.size && line.size < FETCH_HEADER_BYTES_MAX && text_is_clean(line)
		      ? string_of(line)
		      : NULL;
}

static size_t on_head(char *data, size_t one, size_t size, void *arg)
{
	struct transfer *t = arg;

	(void)one;
	t->head_bytes += size;
	if (t->head_bytes > HEAD_BYTES_MAX) {
		t->is_too_large = true;
		return 0;
	}
	keep_header(slice_of(data, size), "etag:", &t->etag);
	keep_header(slice_of(data, size), "last-modified:", &t->last_modified);
	return size;
}

/* The address is judged where the connection is made, so that no name can change its mind. */
static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = arg;

	(void)purpose;
	if (address_is_forbidden(&address->addr)) {
		t->was_forbidden = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- the request --------------------------------------------------------------------------------- */

static bool has_scheme(const char *url, const char *scheme)
{
	size_t size = strlen(scheme);

	return strncasecmp(url, scheme, size) == 0 && strncmp(url + size, "://", 3) == 0;
}

static bool add_header(struct transfer *t, const char *name, const char *value)
{
	char line[FETCH_HEADER_BYTES_MAX + 64];
	struct curl_slist *longer;

	(void)snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(t->headers, line);
	if (longer)
		t->headers = longer;
	return longer;
}

static bool set_question(struct transfer *t)
{
	const struct fetch *f = &t->fetch;
	CURL *c = t->easy;

	if (f->kind != FETCH_OCSP)
		return (!f->etag || add_header(t, "If-None-Match", f->etag)) &&
		       (!f->last_modified || add_header(t, "If-Modified-Since", f->last_modified));
	if (gnutls_rnd(GNUTLS_RND_NONCE, t->nonce, sizeof(t->nonce)) == 0)
		t->nonce_size = sizeof(t->nonce);
	return f->subjects_count == 1 &&
	       ocsp_request(&t->request, &f->issuer_id, f->subjects[0].serial,
		       slice_of(t->nonce, t->nonce_size)) &&
	       buffer_status(&t->request) == ERR_OK &&
	       add_header(t, "Content-Type", "application/ocsp-request") &&
	       add_header(t, "Accept", "application/ocsp-response") &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)t->request.size) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDS, t->request.data) == CURLE_OK;
}

#define SET(option, value) (curl_easy_setopt(c, option, value) == CURLE_OK)

static bool set_bounds(struct transfer *t)
{
	const struct transfers_conf *conf = &t->all->conf;
	CURL *c = t->easy;
	/* No redirect to another scheme. */
	const char *scheme = has_scheme(t->fetch.url, "https") ? "https" : "http";

	return SET(CURLOPT_PROTOCOLS_STR, scheme) && SET(CURLOPT_REDIR_PROTOCOLS_STR, scheme) &&
	       SET(CURLOPT_FOLLOWLOCATION, 1L) && SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX) &&
	       SET(CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, (long)conf->timeout_ms / CONNECT_SHARE) &&
	       SET(CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S) &&
	       SET(CURLOPT_LOW_SPEED_TIME, (long)SLOW_S) && SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)bytes_max(t)) &&
	       SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) &&
	       (!conf->proxy || SET(CURLOPT_PROXY, conf->proxy));
}

static bool set_callbacks(struct transfer *t)
{
	CURL *c = t->easy;

	return SET(CURLOPT_URL, t->fetch.url) && SET(CURLOPT_WRITEFUNCTION, on_body) &&
	       SET(CURLOPT_WRITEDATA, t) && SET(CURLOPT_HEADERFUNCTION, on_head) &&
	       SET(CURLOPT_HEADERDATA, t) && SET(CURLOPT_OPENSOCKETFUNCTION, on_socket) &&
	       SET(CURLOPT_OPENSOCKETDATA, t) && SET(CURLOPT_ERRORBUFFER, t->error) &&
	       SET(CURLOPT_PRIVATE, t) && SET(CURLOPT_FAILONERROR, 0L) &&
	       SET(CURLOPT_USERAGENT, "leafwatch");
}

static bool set_up(struct transfer *t)
{
	CURL *c;

	t->easy = curl_easy_init();
	if (!t->easy || !set_callbacks(t) || !set_bounds(t) || !set_question(t))
		return false;
	c = t->easy;
	return !t->headers || SET(CURLOPT_HTTPHEADER, t->headers);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	buffer_fini(&t->request);
	buffer_fini(&t->piece);
	fetch_fini(&t->fetch);
	free(t->place);
	free(t->etag);
	free(t->last_modified);
	free(t);
}

static enum reason reason_of(const struct transfer *t, CURLcode code)
{
	if (t->is_too_large || code == CURLE_FILESIZE_EXCEEDED)
		return REASON_TOO_LARGE;
	if (code == CURLE_COULDNT_CONNECT && t->was_forbidden)
		return REASON_UNSUPPORTED;
	return transfer_reason(code);
}

static void describe(const struct transfer *t, CURLcode code, long status, char *out)
{
	if (t->was_forbidden)
		(void)snprintf(out, MESSAGE_BYTES,
			"it leads to a link-local or metadata address, which is never asked");
	else if (t->is_too_large || code == CURLE_FILESIZE_EXCEEDED)
		(void)snprintf(out, MESSAGE_BYTES, "the answer is larger than %zu KiB",
			bytes_max(t) / 1024);
	else if (code == CURLE_OK)
		(void)snprintf(
			out, MESSAGE_BYTES, "the server answered with HTTP status %ld", status);
	else if (code == CURLE_UNSUPPORTED_PROTOCOL)
		(void)snprintf(out, MESSAGE_BYTES, "it leads to another scheme");
	else
		(void)snprintf(out, MESSAGE_BYTES, "%s",
			t->error[0] ? t->error : curl_easy_strerror(code));
}

static void end(struct transfer *t, CURLcode code)
{
	struct transfers *all = t->all;
	struct fetch_trailer trailer = { .etag = t->etag,
		.last_modified = t->last_modified,
		.nonce = slice_of(t->nonce, t->nonce_size) };
	char message[MESSAGE_BYTES];
	struct buffer tail;
	long status = 0;

	if (t->easy)
		(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK && status == 304) {
		trailer.outcome = FETCH_UNMODIFIED;
	} else if (code == CURLE_OK && status == 200) {
		trailer.outcome = FETCH_GOT;
	} else {
		trailer.outcome = FETCH_FAILED;
		trailer.reason = reason_of(t, code);
		describe(t, code, status, message);
		trailer.message = text_escaped(slice_text(message));
		if (!trailer.message)
			all->status = ERR_MEMORY;
	}
	buffer_init(&tail, FINDING_PIECE_BYTES);
	fetched_end(&tail, &trailer);
	if (all->status == ERR_OK)
		all->status = buffer_status(&tail);
	add_bytes(t, buffer_bytes(&tail));
	send_piece(t, true);
	buffer_fini(&tail);
	free(trailer.message);
	if (all->status == ERR_OK)
		all->status = all->conf.end(all->conf.arg, t->work);
}

static void unlink_transfer(struct transfer *t)
{
	struct transfer **at = &t->all->first;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	if (t->all->large == t)
		t->all->large = NULL;
	if (t->easy)
		(void)curl_multi_remove_handle(t->all->multi, t->easy);
}

/* One that waited for the large body that has gone may go on. */
static void wake_one(struct transfers *all)
{
	struct transfer *t = all->first;

	while (t && !t->is_paused)
		t = t->next;
	if (!t || all->large)
		return;
	t->is_paused = false;
	(void)curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

static void hand_out(struct transfers *all)
{
	CURLMsg *m;
	int left;

	while (all->status == ERR_OK && (m = curl_multi_info_read(all->multi, &left))) {
		struct transfer *t = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
						      (char **)&t) != CURLE_OK)
			continue;
		end(t, code);
		unlink_transfer(t);
		transfer_free(t);
		wake_one(all);
	}
}

/* --- all ----------------------------------------------------------------------------------------- */

enum err transfers_new(const struct transfers_conf *conf, struct transfers **out)
{
	struct transfers *t = calloc(1, sizeof(*t));

	if (!t)
		return ERR_MEMORY;
	t->conf = *conf;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(t);
		return ERR_UNSUPPORTED;
	}
	t->multi = curl_multi_init();
	if (!t->multi ||
		curl_multi_setopt(t->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, conf->count_max) !=
			CURLM_OK ||
		curl_multi_setopt(t->multi, CURLMOPT_MAX_HOST_CONNECTIONS, conf->per_host_max) !=
			CURLM_OK) {
		transfers_free(t);
		return ERR_MEMORY;
	}
	*out = t;
	return ERR_OK;
}

void transfers_free(struct transfers *all)
{
	if (!all)
		return;
	for (struct transfer *t = all->first, *next; t; t = next) {
		next = t->next;
		unlink_transfer(t);
		transfer_free(t);
	}
	curl_multi_cleanup(all->multi);
	curl_global_cleanup();
	free(all);
}

enum err transfers_add(
	struct transfers *all, uint64_t work, struct slice place, struct fetch *fetch)
{
	struct transfer *t = calloc(1, sizeof(*t));
	struct buffer head;

	if (!t) {
		fetch_fini(fetch);
		return ERR_MEMORY;
	}
	t->all = all;
	t->work = work;
	t->finding = ++all->next_finding;
	t->fetch = *fetch;
	*fetch = (struct fetch){ 0 };
	t->place = string_of(place);
	buffer_init(&t->piece, FINDING_PIECE_BYTES);
	buffer_init(&t->request, FETCH_SMALL_BYTES_MAX);
	t->next = all->first;
	all->first = t;
	buffer_init(&head, FRAME_BYTES_MAX);
	fetched_begin(&head, &t->fetch);
	if (!t->place)
		all->status = ERR_MEMORY;
	if (all->status == ERR_OK)
		all->status = buffer_status(&head);
	add_bytes(t, buffer_bytes(&head));
	buffer_fini(&head);
	if (all->status == ERR_OK && set_up(t) &&
		curl_multi_add_handle(all->multi, t->easy) == CURLM_OK)
		return ERR_OK;
	end(t, CURLE_FAILED_INIT);
	unlink_transfer(t);
	transfer_free(t);
	return all->status;
}

enum err transfers_step(struct transfers *all, int fd, int ms, bool *is_readable)
{
	struct curl_waitfd extra = { .fd = fd, .events = CURL_WAIT_POLLIN };
	int running;

	if (curl_multi_poll(all->multi, &extra, 1, ms, NULL) != CURLM_OK ||
		curl_multi_perform(all->multi, &running) != CURLM_OK)
		return ERR_NETWORK;
	*is_readable = extra.revents & CURL_WAIT_POLLIN;
	hand_out(all);
	return all->status;
}

bool transfers_are_over(const struct transfers *all)
{
	return !all->first;
}
