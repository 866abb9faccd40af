/* The delivery engine: curl's multi interface on main's loop, one state a receiver. */
#include "exporters/webhooks/webhook.h"

#include "exporters/webhooks/service.h"

#include <stdlib.h>
#include <string.h>

/* Of an answer's head; a peer that sends headers without end is cut off. */
#define ANSWER_HEAD_BYTES_MAX (64 * 1024)

struct transfer {
	struct webhook *webhook; /* borrowed */
	struct transfer *next;
	CURL *easy; /* owned */
	struct webhook_request request;
	struct buffer answer;
	size_t head_bytes;
	bool is_capped;
	delivery_fn done;
	void *arg;
};

struct webhook {
	const struct webhook_conf *conf; /* borrowed until stop */
	uv_loop_t *loop;                 /* borrowed */
	char *version;
	CURLM *multi;               /* owned */
	uv_timer_t *timer;          /* owned; freed by its close callback */
	struct transfer *transfers; /* owned, under way */
	bool is_handing_out;        /* answers, whose receivers may stop this */
	bool is_stopped;            /* freed once nothing is handed out any more */
};

static void on_closed(uv_handle_t *handle)
{
	free(handle);
}

static void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	curl_easy_cleanup(t->easy);
	webhook_request_fini(&t->request);
	buffer_fini(&t->answer);
	free(t);
}

static void transfer_unlink(struct transfer *t)
{
	struct transfer **at = &t->webhook->transfers;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	(void)curl_multi_remove_handle(t->webhook->multi, t->easy);
}

static void read_answer(struct transfer *t, CURLcode code, struct webhook_answer *a)
{
	const struct service *service = services[t->webhook->conf->format];
	curl_off_t retry_after = 0;

	*a = (struct webhook_answer){ .code = code, .is_capped = t->is_capped };
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &a->status);
	if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK)
		a->retry_after_s = retry_after;
	a->is_accepted = !service->accepts || service->accepts(buffer_bytes(&t->answer));
}

static void webhook_free(struct webhook *w)
{
	curl_multi_cleanup(w->multi);
	if (w->timer)
		uv_close((uv_handle_t *)w->timer, on_closed);
	free(w->version);
	free(w);
	curl_global_cleanup();
}

/* Hands out what ended. `done` may deliver anew, or stop this very receiver. */
static void hand_out(struct webhook *w)
{
	CURLMsg *message;
	int left;

	w->is_handing_out = true;
	while (!w->is_stopped && (message = curl_multi_info_read(w->multi, &left))) {
		struct transfer *t = NULL;
		struct webhook_answer answer;
		struct delivery_result result;
		char text[WEBHOOK_MESSAGE_BYTES];
		delivery_fn done;
		void *arg;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK)
			continue;
		read_answer(t, message->data.result, &answer);
		webhook_outcome(&answer, text, &result);
		transfer_unlink(t);
		done = t->done;
		arg = t->arg;
		transfer_free(t);
		done(arg, &result);
	}
	w->is_handing_out = false;
	if (w->is_stopped)
		webhook_free(w);
}

static void act(struct webhook *w, curl_socket_t socket, int events)
{
	int running;

	(void)curl_multi_socket_action(w->multi, socket, events, &running);
	hand_out(w);
}

static void on_timer(uv_timer_t *timer)
{
	act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	int flags = status < 0 ? CURL_CSELECT_ERR : 0;
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)poll, &fd) != 0)
		return;
	flags |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
	flags |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
	act(poll->data, fd, flags);
}

static uv_poll_t *poll_new(struct webhook *w, curl_socket_t socket)
{
	uv_poll_t *poll = calloc(1, sizeof(*poll));

	if (!poll)
		return NULL;
	if (uv_poll_init_socket(w->loop, poll, socket) != 0) {
		free(poll);
		return NULL;
	}
	poll->data = w;
	(void)curl_multi_assign(w->multi, socket, poll);
	return poll;
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *known)
{
	struct webhook *w = arg;
	uv_poll_t *poll = known;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		(void)curl_multi_assign(w->multi, socket, NULL);
		if (poll)
			uv_close((uv_handle_t *)poll, on_closed);
		return 0;
	}
	if (!poll)
		poll = poll_new(w, socket);
	if (!poll)
		return -1;
	events |= what & CURL_POLL_IN ? UV_READABLE : 0;
	events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
	return uv_poll_start(poll, events, on_poll) == 0 ? 0 : -1;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
	struct webhook *w = arg;

	(void)multi;
	if (timeout_ms < 0)
		return uv_timer_stop(w->timer) == 0 ? 0 : -1;
	/* Never from inside curl, and not by the time at which a busy loop last woke. */
	uv_update_time(w->loop);
	return uv_timer_start(w->timer, on_timer, (uint64_t)timeout_ms, 0) == 0 ? 0 : -1;
}

static size_t on_head(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t bytes = size * count;

	(void)data;
	t->head_bytes += bytes;
	return t->head_bytes > ANSWER_HEAD_BYTES_MAX ? 0 : bytes;
}

/* What is beyond the ceiling is not worth waiting for: the transfer ends there. */
static size_t on_answer(char *data, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t bytes = size * count;
	size_t room = WEBHOOK_ANSWER_BYTES_MAX - t->answer.size;

	buffer_append(&t->answer, data, bytes < room ? bytes : room);
	t->is_capped = bytes > room;
	return t->is_capped || buffer_status(&t->answer) != ERR_OK ? 0 : bytes;
}

static bool set_callbacks(struct transfer *t)
{
	return curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_head) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK;
}

static enum err webhooks_deliver(
	void *state, const struct notification *n, delivery_fn done, void *arg, struct why *why)
{
	struct webhook *w = state;
	struct transfer *t = calloc(1, sizeof(*t));
	enum err e = ERR_MEMORY;

	if (!t)
		return ERR_MEMORY;
	t->webhook = w;
	t->done = done;
	t->arg = arg;
	buffer_init(&t->answer, WEBHOOK_ANSWER_BYTES_MAX);
	t->easy = curl_easy_init();
	if (t->easy && set_callbacks(t))
		e = webhook_request_make(w->conf, w->version, n, t->easy, &t->request, why);
	if (e == ERR_OK && curl_multi_add_handle(w->multi, t->easy) != CURLM_OK)
		e = why_fail(why, ERR_MEMORY, "libcurl takes no transfer");
	if (e != ERR_OK) {
		transfer_free(t);
		return e;
	}
	t->next = w->transfers;
	w->transfers = t;
	return ERR_OK;
}

static void webhooks_stop(void *state)
{
	struct webhook *w = state;

	if (!w)
		return;
	while (w->transfers) {
		struct transfer *t = w->transfers;

		w->transfers = t->next;
		(void)curl_multi_remove_handle(w->multi, t->easy);
		transfer_free(t);
	}
	w->is_stopped = true;
	if (!w->is_handing_out)
		webhook_free(w);
}

static bool multi_setup(struct webhook *w)
{
	w->multi = curl_multi_init();
	return w->multi &&
	       curl_multi_setopt(w->multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
	       curl_multi_setopt(w->multi, CURLMOPT_SOCKETDATA, w) == CURLM_OK &&
	       curl_multi_setopt(w->multi, CURLMOPT_TIMERFUNCTION, on_timeout) == CURLM_OK &&
	       curl_multi_setopt(w->multi, CURLMOPT_TIMERDATA, w) == CURLM_OK;
}

static bool timer_setup(struct webhook *w)
{
	uv_timer_t *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return false;
	if (uv_timer_init(w->loop, timer) != 0) {
		free(timer);
		return false;
	}
	timer->data = w;
	w->timer = timer;
	return true;
}

static enum err webhooks_start(
	const void *conf, const struct exporter_host *host, void **state, struct why *why)
{
	struct webhook *w;
	enum err e = webhook_conf_check(conf, why);

	if (e != ERR_OK)
		return e;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return why_fail(why, ERR_UNSUPPORTED, "libcurl cannot be used");
	w = calloc(1, sizeof(*w));
	if (!w) {
		curl_global_cleanup();
		return ERR_MEMORY;
	}
	w->conf = conf;
	w->loop = host->loop;
	w->version = host->version ? strdup(host->version) : NULL;
	if (!timer_setup(w) || !multi_setup(w)) {
		webhooks_stop(w);
		return ERR_MEMORY;
	}
	*state = w;
	return ERR_OK;
}

const struct exporter webhooks_exporter = {
	.name = "webhooks",
	.help = "Chat services and other receivers of alerts over HTTP.",
	.fields = webhook_fields,
	.conf_bytes = sizeof(struct webhook_conf),
	.is_receiver = true,
	.start = webhooks_start,
	.deliver = webhooks_deliver,
	.stop = webhooks_stop,
};
