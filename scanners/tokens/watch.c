/* Modules at work, each in a process of its own. */
#include "scanners/tokens/watch.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/base/wire.h"
#include "agent/process/frame.h"
#include "scanners/token_finding.h"
#include "scanners/tokens/launch.h"
#include "scanners/tokens/module.h"
#include "scanners/tokens/modules.h"
#include "scanners/tokens/role.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define POLL_MS 500 /* between signs of life */
/* Of one token, besides its certificates and what is wanted of it. */
#define FRAMES_OF_TOKEN 16
#define FINDING_BYTES_MAX (60 * 1024 * 1024)
#define MESSAGE_BYTES 640
#define PLACE TOKEN_URI_SCHEME

struct watch {
	const struct token_work *work;
	struct token_uri wishes[TOKEN_URIS_MAX];
	bool is_met[TOKEN_URIS_MAX];
	struct token_memory *memory;
	struct strings modules_now; /* for the memory after this pass */
	struct strings tokens_now;
	struct strings told; /* tokens whose certificates have been told */
	struct channel *to;
	uint64_t *items;
	uint64_t findings;
	bool has_failed; /* a module did: what is missing may be in it */
};

/* One module. */
struct running {
	struct watch *w;
	const char *path;
	struct module_process process;
	bool is_named; /* by the job, not only by p11-kit's configuration */
	int64_t deadline_ms;
	size_t frames;
	char *token;           /* owned: the one that it tells of, or NULL */
	bool is_repeated;      /* another module has told of it */
	struct buffer finding; /* what has been told of it */
	struct strings seen;   /* all tokens it told of */
	bool has_ended;        /* it said so */
	bool has_trouble; /* it told a problem: of a PIN, perhaps, that is not to be given again */
	char *complaint;  /* owned: why not all of its tokens are known, or NULL */
};

/* --- telling main ---------------------------------------------------------------------------------- */

static enum err problem(struct watch *w, const char *uri, enum reason reason, const char *message)
{
	return channel_problem(w->to, TOKENS_SCANNER, uri, reason, message);
}

static enum err send_progress(const struct watch *w)
{
	const struct progress progress = { .items = *w->items };
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	progress_encode(&out, &progress);
	e = buffer_status(&out);
	if (e == ERR_OK)
		e = channel_write(w->to, MESSAGE_PROGRESS, buffer_bytes(&out));
	buffer_fini(&out);
	return e;
}

static enum err send_finding(struct running *r)
{
	const struct finding_piece head = { .id = ++r->w->findings,
		.kind = FINDING_TOKEN,
		.scanner = slice_text(TOKENS_SCANNER),
		.place = slice_text(r->token) };

	if (buffer_status(&r->finding) == ERR_LIMIT)
		return problem(r->w, r->token, REASON_TOO_LARGE, "it holds more than 60 MiB");
	if (buffer_status(&r->finding) != ERR_OK)
		return buffer_status(&r->finding);
	return channel_finding(r->w->to, &head, buffer_bytes(&r->finding));
}

/* --- what a module tells: hostile bytes ------------------------------------------------------------ */

/* The uri of a token: ours to show and to store. */
static char *get_uri(struct wire *w)
{
	char *uri = wire_get_text(w, RECORD_TEXT_BYTES_MAX);

	if (!w->bad && (!uri || !text_is_clean(slice_text(uri)) ||
			       strncmp(uri, TOKEN_URI_SCHEME, strlen(TOKEN_URI_SCHEME)) != 0))
		w->bad = true;
	return uri;
}

static enum err on_token(struct running *r, struct wire *in)
{
	char *uri = get_uri(in);
	enum err e = wire_end(in);

	if (e == ERR_OK && r->token)
		e = ERR_MALFORMED;
	if (e != ERR_OK) {
		free(uri);
		return e;
	}
	r->token = uri;
	r->is_repeated = strings_contain(&r->w->told, uri);
	(*r->w->items)++;
	if (strings_contain(&r->seen, uri))
		return ERR_OK;
	return r->seen.count < TOKEN_MEMORY_LINES_MAX ? strings_add(&r->seen, uri) : ERR_LIMIT;
}

static enum err on_wish(struct running *r, struct wire *in)
{
	uint32_t wish = wire_get_u32(in);

	if (wire_end(in) != ERR_OK || wish >= r->w->work->wishes_count)
		return ERR_MALFORMED;
	r->w->is_met[wish] = true;
	return ERR_OK;
}

/* Distributions configure modules with their packages, whether or not there is a device for them: one that does not
 * start, of which nobody has asked anything and no token was ever seen, is no problem of this host. */
static bool is_of_no_use(const struct running *r, enum reason reason)
{
	const struct token_memory *m = r->w->memory;

	return !r->is_named && !r->token && !r->seen.count && reason == REASON_UNREADABLE &&
	       !strings_contain(&m->modules, r->path);
}

static enum err tell_problem(
	struct running *r, const char *uri, enum reason reason, const char *message)
{
	if (r->token && r->is_repeated)
		return ERR_OK;
	if (!is_of_no_use(r, reason))
		return problem(r->w, uri, reason, message);
	log_info("a PKCS#11 module that only p11-kit's configuration names is left out: %s",
		message);
	return ERR_OK;
}

static enum err on_problem(struct running *r, struct wire *in)
{
	char *uri = get_uri(in);
	uint8_t reason = wire_get_u8(in);
	char *message = wire_get_text(in, RECORD_TEXT_BYTES_MAX);
	enum err e = wire_end(in);

	if (e == ERR_OK && (reason >= REASON_COUNT || !message))
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = tell_problem(r, uri, (enum reason)reason, message);
	r->has_trouble = true;
	/* Of the module itself: its tokens are not all known. */
	if (e == ERR_OK && !r->token && !r->complaint) {
		r->complaint = message;
		message = NULL;
	}
	free(uri);
	free(message);
	return e;
}

/* One entry a token: the PIN that it refused last. */
static enum err remember_refusal(struct token_memory *m, const char *token, const char *stamp)
{
	enum err e;

	for (size_t i = 0; i < m->refused_tokens.count; i++) {
		char *copy;

		if (strcmp(m->refused_tokens.items[i], token) != 0)
			continue;
		copy = strdup(stamp);
		if (!copy)
			return ERR_MEMORY;
		free(m->refused_stamps.items[i]);
		m->refused_stamps.items[i] = copy;
		return ERR_OK;
	}
	if (m->refused_tokens.count == TOKEN_MEMORY_LINES_MAX)
		return ERR_OK;
	e = strings_add(&m->refused_stamps, stamp);
	return e == ERR_OK ? strings_add(&m->refused_tokens, token) : e;
}

static enum err on_refused(struct running *r, struct wire *in)
{
	char *uri = get_uri(in);
	char *stamp = wire_get_text(in, TOKEN_STAMP_BYTES_MAX);
	enum err e = wire_end(in);

	if (e == ERR_OK && !stamp)
		e = ERR_MALFORMED;
	if (e == ERR_OK)
		e = remember_refusal(r->w->memory, uri, stamp);
	free(uri);
	free(stamp);
	return e;
}

static enum err on_certificate(struct running *r, struct wire *in)
{
	struct slice whole = in->left;
	struct token_certificate c;
	enum err e;

	if (!r->token || !token_certificate_next(in, &c))
		return ERR_MALFORMED;
	token_certificate_fini(&c);
	e = wire_end(in);
	/* A finding that is too large is told at its end. */
	if (e == ERR_OK)
		buffer_slice(&r->finding, whole);
	return e;
}

static enum err on_token_end(struct running *r, struct wire *in)
{
	enum err e = wire_end(in);

	if (e == ERR_OK && !r->token)
		e = ERR_MALFORMED;
	if (e == ERR_OK && !r->is_repeated && (r->finding.size || r->finding.status != ERR_OK))
		e = send_finding(r);
	if (e == ERR_OK && !r->is_repeated)
		e = strings_add(&r->w->told, r->token);
	free(r->token);
	r->token = NULL;
	buffer_clear(&r->finding);
	return e;
}

static enum err on_end(struct running *r, struct wire *in)
{
	r->has_ended = true;
	return wire_end(in);
}

static const struct {
	enum module_message type;
	enum err (*take)(struct running *r, struct wire *in);
} messages[] = {
	{ MODULE_TOKEN, on_token },
	{ MODULE_WISH, on_wish },
	{ MODULE_PROBLEM, on_problem },
	{ MODULE_REFUSED, on_refused },
	{ MODULE_CERTIFICATE, on_certificate },
	{ MODULE_TOKEN_END, on_token_end },
	{ MODULE_END, on_end },
};

/* More than a module of ours has any reason to send. */
static size_t frames_max(const struct token_work *w)
{
	return ((size_t)w->tokens_max + 1) *
	       ((size_t)w->certificates_max + TOKEN_URIS_MAX + FRAMES_OF_TOKEN);
}

static enum err take(struct running *r, uint16_t type, struct slice payload)
{
	struct wire in = wire_of(payload);

	if (++r->frames > frames_max(r->w->work))
		return ERR_LIMIT;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type)
			return messages[i].take(r, &in);
	return ERR_MALFORMED;
}

static enum err take_frame(struct running *r)
{
	struct slice payload;
	uint16_t type;
	enum err e = channel_read(&r->process.channel, &type, &payload);

	return e == ERR_OK ? take(r, type, payload) : e;
}

/* --- its process ----------------------------------------------------------------------------------- */

static void look(void *arg, struct channel *to, const struct why *refused)
{
	const struct running *r = arg;
	const struct module_look m = { .path = r->path,
		.work = r->w->work,
		.wishes = r->w->wishes,
		.is_named = r->is_named,
		.memory = r->w->memory,
		.to = to };
	enum err e = refused ? module_refuse(r->path, to, refused) : module_look(&m);

	(void)e;
}

static enum err start(struct running *r)
{
	const struct module_start how = { .work = r->w->work,
		.cpu_s = (unsigned)(r->w->work->timeout_ms / 1000) + 1,
		.run = look,
		.arg = r };

	return module_process_start(&r->process, &how);
}

/* Until it has ended, died, sent nonsense or its time is over: ERR_OK, ERR_CLOSED, ERR_MALFORMED (or
 * ERR_LIMIT), ERR_TIMEOUT. Other errors are main's. */
static enum err follow(struct running *r)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && !r->has_ended) {
		int64_t left = r->deadline_ms - clock_monotonic_ms();
		struct pollfd poll_fd = { .fd = r->process.channel.fd, .events = POLLIN };

		if (left <= 0)
			return ERR_TIMEOUT;
		if (poll(&poll_fd, 1, left < POLL_MS ? (int)left : POLL_MS) > 0) {
			e = channel_fill(&r->process.channel);
			e = e == ERR_BUSY ? ERR_OK : e;
		}
		while (e == ERR_OK && !r->has_ended && channel_has_frame(&r->process.channel))
			e = take_frame(r);
		if (e == ERR_OK && send_progress(r->w) != ERR_OK)
			e = ERR_NETWORK;
	}
	return e;
}

static void describe_end(const struct running *r, enum err e, int status, char *out, size_t size)
{
	if (e == ERR_TIMEOUT)
		(void)snprintf(out, size, "its module %s did not answer within %g s", r->path,
			(double)r->w->work->timeout_ms / 1000.0);
	else if (e != ERR_CLOSED)
		(void)snprintf(out, size, "its module %s sent garbage", r->path);
	else
		(void)snprintf(out, size, "its module %s died on it: killed by signal %d (%s)",
			r->path, WTERMSIG(status), strsignal(WTERMSIG(status)));
}

/* Is the i-th token of the memory the module's, and has it not told of it? */
static bool is_unseen(const struct running *r, size_t i)
{
	const struct token_memory *m = r->w->memory;

	return strcmp(m->modules.items[i], r->path) == 0 &&
	       !strings_contain(&r->seen, m->tokens.items[i]);
}

/* A problem at each token that is known to be the module's and was not reached. */
static enum err tell_unseen(
	struct running *r, enum reason reason, const char *message, bool *is_told)
{
	const struct token_memory *m = r->w->memory;
	enum err e = ERR_OK;

	r->w->has_failed = true;
	for (size_t i = 0; e == ERR_OK && i < m->modules.count; i++) {
		if (!is_unseen(r, i))
			continue;
		e = problem(r->w, m->tokens.items[i], reason, message);
		*is_told = true;
		if (e == ERR_OK)
			e = strings_add(&r->seen, m->tokens.items[i]);
	}
	return e;
}

/* And at the token at work; of a module of which none is known, at the module's own place. */
static enum err tell_failure(struct running *r, enum reason reason, const char *message)
{
	bool is_told = r->token;
	char *place;
	enum err e = ERR_OK;

	if (r->token)
		e = problem(r->w, r->token, reason, message);
	if (e == ERR_OK)
		e = tell_unseen(r, reason, message, &is_told);
	if (e != ERR_OK || is_told)
		return e;
	place = token_module_place(r->path);
	e = place ? problem(r->w, place, reason, message) : ERR_MEMORY;
	free(place);
	return e;
}

static enum err finish(struct running *r, enum err e)
{
	char message[MESSAGE_BYTES];
	bool is_told;
	int status = module_process_stop(&r->process);

	if (e == ERR_OK && r->complaint)
		return tell_unseen(r, REASON_UNREADABLE, r->complaint, &is_told);
	if (e == ERR_OK || e == ERR_NETWORK || e == ERR_MEMORY)
		return e == ERR_NETWORK ? ERR_CLOSED : e;
	describe_end(r, e, status, message, sizeof(message));
	return tell_failure(r, e == ERR_TIMEOUT ? REASON_TIMEOUT : REASON_MODULE_CRASHED, message);
}

static enum err remember_tokens(struct running *r)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < r->seen.count; i++) {
		if (r->w->tokens_now.count == TOKEN_MEMORY_LINES_MAX)
			break;
		e = strings_add(&r->w->tokens_now, r->seen.items[i]);
		if (e == ERR_OK)
			e = strings_add(&r->w->modules_now, r->path);
	}
	return e;
}

static void running_fini(struct running *r)
{
	buffer_fini(&r->finding);
	strings_fini(&r->seen);
	free(r->token);
	free(r->complaint);
}

/* Has it ended well without what it had last time, or without what is wished and may be nowhere else? */
static bool has_gaps(const struct running *r)
{
	const struct watch *w = r->w;
	const struct token_memory *m = w->memory;

	if (!r->has_ended || r->has_trouble)
		return false;
	for (size_t i = 0; i < m->modules.count; i++)
		if (is_unseen(r, i))
			return true;
	for (size_t i = 0; i < w->work->wishes_count; i++)
		if (!w->is_met[i] && token_uri_has_module(&w->wishes[i], r->path) &&
			(w->work->modules.count == 1 || token_uri_names_module(&w->wishes[i])))
			return true;
	return false;
}

/* What it told before is not told again (struct watch's `told`). */
static enum err look_again(struct running *r)
{
	(void)module_process_stop(&r->process);
	clock_sleep_ms(TOKEN_PAUSE_MS);
	r->has_ended = false;
	return start(r);
}

/* Until it shows all that is expected of it. */
static enum err follow_all(struct running *r)
{
	enum err e = follow(r);

	for (unsigned tries = 1; e == ERR_OK && has_gaps(r) && tries < TOKEN_TRIES_MAX; tries++) {
		e = look_again(r);
		if (e == ERR_OK)
			e = follow(r);
	}
	return e;
}

static enum err watch_module(struct watch *w, const char *path, bool is_named)
{
	struct running r = { .w = w,
		.path = path,
		.is_named = is_named,
		.deadline_ms = clock_monotonic_ms() + w->work->timeout_ms };
	enum err e;

	buffer_init(&r.finding, FINDING_BYTES_MAX);
	e = start(&r);
	if (e == ERR_OK)
		e = finish(&r, follow_all(&r));
	if (e == ERR_OK)
		e = remember_tokens(&r);
	running_fini(&r);
	return e;
}

enum err watch_frames(const struct token_work *work, struct token_memory *memory,
	struct channel *to, struct slice frames)
{
	uint64_t items = 0;
	struct watch w = { .work = work, .memory = memory, .to = to, .items = &items };
	struct running r = { .w = &w, .path = "/module.so" };
	struct slice payload;
	uint16_t type;
	enum err e = ERR_OK;

	buffer_init(&r.finding, FINDING_BYTES_MAX);
	while (e == ERR_OK && !r.has_ended && (e = frame_read(frames, &type, &payload)) == ERR_OK) {
		frames = slice_after(frames, FRAME_HEAD_BYTES + payload.size);
		e = take(&r, type, payload);
	}
	if (e == ERR_OK)
		e = remember_tokens(&r);
	else if (e != ERR_MEMORY)
		(void)!tell_failure(&r, REASON_MODULE_CRASHED, "it sent garbage");
	running_fini(&r);
	strings_fini(&w.modules_now);
	strings_fini(&w.tokens_now);
	strings_fini(&w.told);
	return e;
}

/* --- all of them ----------------------------------------------------------------------------------- */

/* Is it of no use to load this module? */
static bool is_wanted(const struct watch *w, const char *path)
{
	for (size_t i = 0; i < w->work->wishes_count; i++)
		if (token_uri_has_module(&w->wishes[i], path))
			return true;
	return w->work->wishes_count == 0;
}

static enum err tell_complaint(
	struct watch *w, const char *uri, enum reason reason, const char *complaint)
{
	char *place = token_uri_place(uri);
	enum err e;

	if (!place)
		return ERR_MEMORY;
	e = problem(w, place, reason, complaint);
	free(place);
	return e;
}

/* Said once all modules have been asked. */
static enum err tell_missing(struct watch *w, size_t wish)
{
	char *place = token_uri_place(w->work->wishes[wish].uri);
	enum err e = ERR_MEMORY;

	if (place && w->has_failed)
		e = problem(w, place, REASON_UNREADABLE,
			"no token that could be looked at is it, and not all modules could be asked");
	else if (place)
		e = problem(w, place, REASON_MISSING,
			token_uri_is_of_object(&w->wishes[wish])
				? "no token that is there shows such a certificate"
				: "no such token is there");
	free(place);
	return e;
}

static enum err take_apart(struct watch *w)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < w->work->wishes_count; i++)
		e = token_uri_parse(w->work->wishes[i].uri, &w->wishes[i], NULL);
	return e;
}

static enum err look_at_all(struct watch *w)
{
	const struct token_work *work = w->work;
	enum err e = take_apart(w);

	if (e == ERR_OK && work->complaint)
		e = tell_complaint(w, PLACE,
			work->is_limited ? REASON_LIMIT_REACHED : REASON_UNREADABLE,
			work->complaint);
	if (e == ERR_OK && work->pin.complaint)
		e = tell_complaint(w, PLACE, REASON_UNREADABLE, work->pin.complaint);
	for (size_t i = 0; e == ERR_OK && i < work->wishes_count; i++)
		if (work->wishes[i].pin.complaint)
			e = tell_complaint(w, work->wishes[i].uri, REASON_UNREADABLE,
				work->wishes[i].pin.complaint);
	for (size_t i = 0; e == ERR_OK && i < work->modules.count; i++)
		if (is_wanted(w, work->modules.items[i]))
			e = watch_module(w, work->modules.items[i], i < work->named_modules);
	for (size_t i = 0; e == ERR_OK && i < work->wishes_count; i++)
		if (!w->is_met[i])
			e = tell_missing(w, i);
	return e;
}

enum err watch_modules(const struct token_work *work, struct token_memory *memory,
	struct channel *to, uint64_t *items)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum err e;

	if (!w)
		return ERR_MEMORY;
	w->work = work;
	w->memory = memory;
	w->to = to;
	w->items = items;
	e = look_at_all(w);
	if (e == ERR_OK) {
		strings_fini(&memory->modules);
		strings_fini(&memory->tokens);
		memory->modules = w->modules_now;
		memory->tokens = w->tokens_now;
		w->modules_now = w->tokens_now = (struct strings){ 0 };
	}
	strings_fini(&w->modules_now);
	strings_fini(&w->tokens_now);
	strings_fini(&w->told);
	for (size_t i = 0; i < TOKEN_URIS_MAX; i++)
		token_uri_fini(&w->wishes[i]);
	free(w);
	return e;
}
