/* Scanner to parser to inventory. */
#include "agent/pipeline.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/wire.h"
#include "agent/certificate/certificate.h"
#include "agent/private_keys.h"
#include "agent/revocation.h"
#include "agent/served.h"
#include "agent/trust_stores.h"
#include "agent/version.h"
#include "scanners/parser.h"

#include <stdlib.h>
#include <string.h>

#define PASSES_MAX 256
#define LAYERS_MAX 64
#define LAYER_NAME_BYTES 32
#define TICK_MS 200
#define PROC "/proc"
#define PASSWORD_FILE_BYTES_MAX (256 * 1024)
/* Of the frame that sets a parser up, for the judgings and what stands around. */
#define SETUP_SPARE_BYTES (64 * 1024)
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define CONTEXT_BYTES_MAX (PARSER_TRUST_BYTES_MAX + 4 * FRAME_BYTES_MAX)

struct slot {
	struct pass *pass; /* NULL = free */
	struct pipeline *pipeline;
	const struct job *job;
};

struct layer {
	char role[LAYER_NAME_BYTES];
	char name[LAYER_NAME_BYTES];
	bool is_active;
};

struct pipeline {
	struct pipeline_conf conf;
	uv_timer_t *timer; /* owned by the loop until closed */
	struct parsers *parsers;
	struct parser_options handed;
	uint8_t context[FINGERPRINT_BYTES];
	struct slot slots[PASSES_MAX];
	struct layer layers[LAYERS_MAX];
	size_t layers_count;
};

/* ---- what parsers are given ------------------------------------------------------------------- */

static enum err add_passwords(struct strings *passwords, const char *path, struct why *why)
{
	struct secret secret = { .file = (char *)(uintptr_t)path };
	struct buffer text;
	struct slice left;
	size_t number = 0;
	enum err e;

	buffer_init(&text, PASSWORD_FILE_BYTES_MAX);
	e = secret_read(&secret, PASSWORD_FILE_BYTES_MAX, &text, why);
	left = buffer_bytes(&text);
	/* As editors of Windows begin a text in UTF-8. */
	if (slice_starts(left, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)))
		left = slice_after(left, strlen(BYTE_ORDER_MARK));
	while (e == ERR_OK && left.size) {
		const uint8_t *end = memchr(left.data, '\n', left.size);
		size_t size = end ? (size_t)(end - left.data) : left.size;
		size_t line = size && left.data[size - 1] == '\r' ? size - 1 : size;

		number++;
		if (line > PARSER_PASSWORD_BYTES_MAX)
			e = why_fail(why, ERR_LIMIT, "%s:%zu: a password of more than %d bytes",
				path, number, PARSER_PASSWORD_BYTES_MAX);
		else if (line)
			e = strings_add_slice(passwords, slice_of(left.data, line));
		left = slice_after(left, end ? size + 1 : size);
	}
	buffer_wipe(&text);
	return e;
}

static enum err add_all_passwords(
	struct strings *passwords, const struct strings *files, struct why *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < files->count; i++)
		e = add_passwords(passwords, files->items[i], why);
	return e;
}

static enum err add_path_passwords(
	struct parser_options *options, const struct path_passwords *p, struct why *why)
{
	struct strings paths = { 0 }, passwords = { 0 };
	enum err e = strings_copy(&paths, &p->paths);

	if (e == ERR_OK)
		e = add_all_passwords(&passwords, &p->files, why);
	if (e == ERR_OK &&
		(paths.count > PARSER_PASSWORD_PATHS_MAX || passwords.count > PARSER_PASSWORDS_MAX))
		e = why_fail(why, ERR_LIMIT,
			"passwords.by_path: more than %d paths or %d passwords",
			PARSER_PASSWORD_PATHS_MAX, PARSER_PASSWORDS_MAX);
	if (e != ERR_OK) {
		strings_fini(&paths);
		passwords_fini(&passwords);
		return e;
	}
	e = parser_passwords_add(options, &paths, &passwords);
	return e == ERR_LIMIT ? why_fail(why, e, "passwords.by_path: more than %d entries",
					PARSER_PASSWORD_GROUPS_MAX)
			      : e;
}

/* All that is handed over in one frame, besides what jobs add to it, has to fit. */
static enum err check_size(const struct parser_options *o, struct why *why)
{
	struct buffer frame;
	enum err e;

	buffer_init(&frame, FRAME_BYTES_MAX - SETUP_SPARE_BYTES);
	parser_options_encode(&frame, o);
	e = buffer_status(&frame);
	buffer_wipe(&frame);
	if (e == ERR_LIMIT || o->passwords.count > PARSER_PASSWORDS_MAX)
		e = why_fail(why, ERR_LIMIT,
			"passwords: their files hold more than %d passwords, or more than %d KiB of them in all",
			PARSER_PASSWORDS_MAX, (FRAME_BYTES_MAX - SETUP_SPARE_BYTES) / 1024);
	return e;
}

enum err pipeline_parser_options(
	const struct settings *s, struct parser_options *out, struct why *why)
{
	enum err e = trust_stores_load(s, out, why);

	if (e == ERR_OK)
		e = add_all_passwords(&out->passwords, &s->passwords.files, why);
	for (size_t i = 0; e == ERR_OK && i < s->passwords.by_path.count; i++)
		e = add_path_passwords(out, s->passwords.by_path.items[i], why);
	out->limits = s->limits;
	return e == ERR_OK ? check_size(out, why) : e;
}

static enum err collect_frame(void *arg, uint16_t type, struct slice payload)
{
	struct buffer *all = arg;

	wire_put_u16(all, type);
	wire_put_bytes(all, payload);
	return buffer_status(all);
}

/* Everything a verdict depends on besides the bytes and the clock. */
static enum err digest(const struct parser_options *options, uint8_t out[FINGERPRINT_BYTES])
{
	const struct parser_handover h = { .options = options, .pinned_now = clock_pinned() };
	struct buffer all;
	enum err e;

	buffer_init(&all, CONTEXT_BYTES_MAX);
	wire_put_text(&all, version_text());
	wire_put_text(&all, version_revision());
	e = parser_handover(&h, collect_frame, &all);
	if (e == ERR_OK)
		e = buffer_status(&all);
	if (e == ERR_OK)
		fingerprint_of(buffer_bytes(&all), out);
	buffer_wipe(&all);
	return e;
}

enum err pipeline_renew(struct pipeline *p, const struct settings *settings, struct why *why)
{
	struct parser_options fresh = { 0 };
	uint8_t context[FINGERPRINT_BYTES];
	enum err e = pipeline_parser_options(settings, &fresh, why);

	if (e == ERR_OK)
		e = digest(&fresh, context);
	if (e != ERR_OK) {
		parser_options_fini(&fresh);
		return e;
	}
	parser_options_fini(&p->handed);
	p->handed = fresh;
	memcpy(p->context, context, sizeof(context));
	p->conf.settings = settings;
	if (p->parsers)
		parsers_renew(p->parsers);
	return ERR_OK;
}

static enum err hand_over(void *arg, frame_send_fn send, void *send_arg)
{
	const struct pipeline *p = arg;
	const struct parser_handover h = { .options = &p->handed,
		.pinned_now = clock_pinned(),
		.log_level = (uint8_t)log_level() };

	return parser_handover(&h, send, send_arg);
}

/* ---- the sandbox, as roles report it ---------------------------------------------------------- */

static void on_layer(void *arg, const char *role, const char *layer, bool is_active)
{
	struct pipeline *p = arg;
	size_t i = 0;

	while (i < p->layers_count &&
		(strcmp(p->layers[i].role, role) != 0 || strcmp(p->layers[i].name, layer) != 0))
		i++;
	if (i == LAYERS_MAX || strlen(role) >= LAYER_NAME_BYTES ||
		strlen(layer) >= LAYER_NAME_BYTES)
		return;
	if (i == p->layers_count) {
		p->layers_count++;
		memcpy(p->layers[i].role, role, strlen(role) + 1);
		memcpy(p->layers[i].name, layer, strlen(layer) + 1);
		log_debug("sandbox of the %s: %s is %s", role, layer,
			is_active ? "on" : "not available");
	}
	p->layers[i].is_active = is_active;
}

static void on_parser_layer(void *arg, const char *layer, bool is_active)
{
	on_layer(arg, parser_role.name, layer, is_active);
}

enum err pipeline_each_sandbox(
	const struct pipeline *p, enum err (*fn)(void *, const struct sandbox_state *), void *arg)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < p->layers_count; i++) {
		const struct sandbox_state state = { .role = p->layers[i].role,
			.layer = p->layers[i].name,
			.is_active = p->layers[i].is_active };

		e = fn(arg, &state);
	}
	return e;
}

/* ---- passes ----------------------------------------------------------------------------------- */

static const struct parsers_events parsers_events = {
	.record = pass_record, .done = pass_finding_done, .sandbox = on_parser_layer
};

static unsigned processes(const struct pipeline *p)
{
	int64_t wanted = p->conf.settings->processes;

	return wanted ? (unsigned)wanted : uv_available_parallelism();
}

static const char *name_of(const struct job *job)
{
	const struct scan_job *head = job->conf;

	return head->name;
}

static struct slot *slot_of(const struct pipeline *p, const char *job)
{
	for (size_t i = 0; i < PASSES_MAX; i++)
		if (p->slots[i].pass && strcmp(name_of(p->slots[i].job), job) == 0)
			return (struct slot *)(uintptr_t)&p->slots[i];
	return NULL;
}

bool pipeline_is_running(const struct pipeline *p, const char *job)
{
	return slot_of(p, job);
}

unsigned pipeline_running(const struct pipeline *p)
{
	unsigned count = 0;

	for (size_t i = 0; i < PASSES_MAX; i++)
		count += p->slots[i].pass != NULL;
	return count;
}

void pipeline_each(
	const struct pipeline *p, void (*fn)(void *, const struct pass_stats *), void *arg)
{
	for (size_t i = 0; i < PASSES_MAX; i++) {
		struct pass_stats stats;

		if (!p->slots[i].pass)
			continue;
		pass_stats(p->slots[i].pass, &stats);
		fn(arg, &stats);
	}
}

static void on_pass_done(void *arg, const struct pass_stats *stats, const struct why *why)
{
	struct slot *slot = arg;
	struct pipeline *p = slot->pipeline;
	const struct format_limits *limits = &p->handed.limits;
	struct why of_served = { 0 };
	struct why of_keys = { 0 };

	slot->pass = NULL;
	if (served_update(p->conf.inventory, PROC, limits, clock_now_s(), &of_served) != ERR_OK)
		log_error(
			"cannot compare what is served with what lies on disk: %s", of_served.text);
	if (private_keys_update(p->conf.inventory, limits, clock_now_s(), &of_keys) != ERR_OK)
		log_error("cannot compare keys with certificates: %s", of_keys.text);
	p->conf.pass_done(p->conf.arg, stats, why);
}

/* Does another pass still find what plans build on? In a scan there is one of each: it is waited for whenever it
 * began. */
static bool must_wait(void *arg, int64_t since_ms)
{
	const struct slot *slot = arg;
	const struct pipeline *p = slot->pipeline;

	/* Two that feed the hints would wait for each other. */
	if (slot->job->scanner->feeds_hints || slot->job->scanner->follows_itself)
		return false;
	for (size_t i = 0; i < PASSES_MAX; i++)
		if (p->slots[i].pass && &p->slots[i] != slot &&
			p->slots[i].job->scanner->feeds_hints &&
			(p->conf.is_transient || pass_started_ms(p->slots[i].pass) <= since_ms))
			return true;
	return false;
}

static void on_pass_layer(void *arg, const char *role, const char *layer, bool is_active)
{
	const struct slot *slot = arg;

	on_layer(slot->pipeline, role, layer, is_active);
}

static enum err each_question(void *ctx,
	enum err (*fn)(void *arg, const char *place, struct slice item), void *arg, struct why *why)
{
	return revocation_questions(ctx, clock_now_s(), fn, arg, why);
}

static enum err recall(void *ctx, const char *job, struct buffer *out, struct why *why)
{
	uint8_t context[FINGERPRINT_BYTES];

	return inventory_memory_load(ctx, job, out, context, why);
}

/* What a plan remembers depends on no trust. */
static enum err remember(void *ctx, const char *job, struct slice bytes, struct why *why)
{
	const uint8_t context[FINGERPRINT_BYTES] = { 0 };

	return inventory_memory_save(ctx, job, bytes, context, why);
}

static bool holds(void *ctx, const char *job)
{
	bool has_boundary;

	return inventory_has_boundary(ctx, job, INT64_MAX, &has_boundary, NULL) != ERR_OK ||
	       has_boundary;
}

static void on_tick(uv_timer_t *timer)
{
	struct pipeline *p = timer->data;

	parsers_tick(p->parsers);
	for (size_t i = 0; i < PASSES_MAX; i++)
		if (p->slots[i].pass)
			pass_tick(p->slots[i].pass);
}

enum err pipeline_start(struct pipeline *p, const struct job *job, struct why *why)
{
	struct slot *slot = NULL;
	struct pass_conf conf = { .loop = p->conf.loop,
		.inventory = p->conf.inventory,
		.parsers = p->parsers,
		.options = &p->handed,
		.scanner = job->scanner,
		.conf = job->conf,
		.processes_max = processes(p),
		.in_thread = p->conf.is_single,
		.is_transient = p->conf.is_transient,
		.hints = { .ctx = p->conf.inventory,
			.each_name = inventory_each_name,
			.each_served = inventory_each_served,
			.each_named_file = inventory_each_named_file,
			.each_password = inventory_each_password,
			.each_question = each_question,
			.recall = p->conf.is_transient ? NULL : recall,
			.remember = p->conf.is_transient ? NULL : remember,
			.holds = holds },
		.must_wait = must_wait,
		.done = on_pass_done,
		.sandbox = on_pass_layer };
	enum err e;

	if (slot_of(p, name_of(job)))
		return why_fail(why, ERR_BUSY, "job %s is still running", name_of(job));
	for (size_t i = 0; !slot && i < PASSES_MAX; i++)
		if (!p->slots[i].pass)
			slot = &p->slots[i];
	if (!slot)
		return why_fail(why, ERR_LIMIT, "too many jobs at once");
	slot->pipeline = p;
	slot->job = job;
	conf.arg = slot;
	memcpy(conf.context, p->context, sizeof(conf.context));
	e = trust_stores_of_job(p->conf.settings, job->conf, &p->handed, &conf.judgings);
	if (e != ERR_OK)
		return why_fail(why, e, "jobs trust in too many ways");
	e = pass_start(&conf, &slot->pass, why);
	/* It may be at its end already. */
	if (e == ERR_OK)
		(void)uv_timer_start(p->timer, on_tick, 0, TICK_MS);
	return e;
}

void pipeline_stop(struct pipeline *p, const char *job)
{
	struct slot *slot = slot_of(p, job);

	if (!slot)
		return;
	pass_stop(slot->pass);
	slot->pass = NULL;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle);
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < PASSES_MAX; i++)
		if (p->slots[i].pass)
			pass_stop(p->slots[i].pass);
	parsers_free(p->parsers);
	parser_options_fini(&p->handed);
	if (p->timer)
		uv_close((uv_handle_t *)p->timer, on_timer_closed);
	free(p);
}

static enum err start_timer(struct pipeline *p)
{
	p->timer = calloc(1, sizeof(*p->timer));
	if (!p->timer)
		return ERR_MEMORY;
	(void)uv_timer_init(p->conf.loop, p->timer);
	p->timer->data = p;
	(void)uv_timer_start(p->timer, on_tick, TICK_MS, TICK_MS);
	return ERR_OK;
}

enum err pipeline_new(const struct pipeline_conf *conf, struct pipeline **out, struct why *why)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	struct parsers_conf parsers = { .loop = conf->loop,
		.role = &parser_role,
		.in_thread = conf->is_single,
		.hand_over = hand_over,
		.events = &parsers_events,
		.arg = p };
	enum err e;

	if (!p)
		return ERR_MEMORY;
	parsers.file_ms = &p->handed.limits.time_ms;
	p->conf = *conf;
	parsers.count_max = processes(p);
	e = pipeline_renew(p, conf->settings, why);
	if (e == ERR_OK)
		e = parsers_new(&parsers, &p->parsers);
	if (e == ERR_OK)
		e = start_timer(p);
	if (e != ERR_OK) {
		pipeline_free(p);
		return e;
	}
	*out = p;
	return ERR_OK;
}
