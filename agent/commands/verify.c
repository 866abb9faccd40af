/* leafwatch verify: the scan's own verdict on one certificate, with what is trusted, given and asked for. */
#include "agent/commands/start.h"
#include "agent/parsers.h"
#include "agent/pipeline.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/config/read_file.h"
#include "exporters/report/record_json.h"
#include "scanners/parser.h"
#include "scanners/verify_case.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX PARSER_FINDING_BYTES_MAX
#define RECORDS_MAX (RECORD_CHAIN_MAX + 1 + 2 * VERIFY_FILES_MAX)
#define DEADLINE_MS 30000
#define TICK_MS 200
#define DEPTH_MAX 1000
#define URI_BYTES_MAX (64 * 1024)
#define NAMES_SAID_MAX 10

struct verify {
	const struct options *options;
	struct settings *settings;
	struct parser_options handed;
	struct verify_case given;
	struct buffer files[1 + 2 * VERIFY_FILES_MAX]; /* owned: what `given` borrows */
	size_t files_count;
	struct parsers *parsers;
	uv_loop_t loop;
	uv_timer_t timer;
	bool is_loop_open;
	int64_t since_ms;
	bool is_done;
	struct record records[RECORDS_MAX]; /* owned */
	size_t records_count;
	size_t path_count; /* the first of them are certificates; then comes what helped nobody */
};

/* ---- what is asked ------------------------------------------------------------------------------ */

static enum err parse_name(struct verify *v, const char *text, struct why *why)
{
	static const struct {
		const char *prefix;
		enum name_kind kind;
		bool use_cn;
		enum purpose purpose;
	} kinds[] = {
		{ "dns:", NAME_HOST, false, PURPOSE_SERVER },
		{ "ip:", NAME_HOST, false, PURPOSE_SERVER },
		{ "cn:", NAME_HOST, true, PURPOSE_SERVER },
		{ "email:", NAME_EMAIL, false, PURPOSE_EMAIL },
		{ "uri:", NAME_URI, false, PURPOSE_ANY },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t size = strlen(kinds[i].prefix);

		if (strncmp(text, kinds[i].prefix, size) != 0 || !text[size])
			continue;
		if (strlen(text + size) > VERIFY_NAME_BYTES_MAX)
			break;
		v->given.name = strdup(text + size);
		v->given.name_kind = kinds[i].kind;
		v->given.use_common_name = kinds[i].use_cn;
		v->given.purpose = kinds[i].purpose;
		return v->given.name ? ERR_OK : ERR_MEMORY;
	}
	return why_fail(why, ERR_USAGE,
		"--name takes dns:NAME, ip:ADDRESS, email:MAILBOX, uri:URI or cn:NAME");
}

static enum err parse_depth(struct verify *v, const char *text, struct why *why)
{
	char *end = NULL;
	long depth;

	errno = 0;
	depth = strtol(text, &end, 10);
	if (errno || end == text || *end || depth < 0 || *text == '+')
		return why_fail(why, ERR_USAGE, "--max-depth takes a number, 0 or more");
	v->given.intermediates_limit = 1 + (unsigned)(depth < DEPTH_MAX ? depth : DEPTH_MAX);
	return ERR_OK;
}

static enum err parse_revocation(struct verify *v, const char *text, struct why *why)
{
	static const char *const words[REVOCATION_COUNT] = {
		[REVOCATION_OFF] = "off", [REVOCATION_SOFT] = "soft", [REVOCATION_HARD] = "hard"
	};

	for (int i = 0; i < REVOCATION_COUNT; i++)
		if (words[i] && strcmp(words[i], text) == 0) {
			v->given.revocation = (enum revocation_mode)i;
			return ERR_OK;
		}
	return why_fail(why, ERR_USAGE, "--revocation takes off, soft or hard");
}

static enum err parse_words(struct verify *v, struct why *why)
{
	const struct options *o = v->options;
	enum err e = ERR_OK;

	if (o->words.count != 1)
		return why_fail(why, ERR_USAGE, "write: leafwatch verify [OPTION...] CERTIFICATE");
	if (o->output && strcmp(o->output, "json") != 0 && strcmp(o->output, "table") != 0)
		return why_fail(why, ERR_USAGE, "verify writes json, or text without --output");
	if (o->name)
		e = parse_name(v, o->name, why);
	if (e == ERR_OK && o->purpose) {
		v->given.purpose = purpose_parse(o->purpose);
		if (v->given.purpose == PURPOSE_COUNT)
			e = why_fail(why, ERR_USAGE,
				"--purpose takes server, client, ca, email, code, timestamp or any");
	}
	if (e == ERR_OK && o->max_depth)
		e = parse_depth(v, o->max_depth, why);
	if (o->crls.count)
		v->given.revocation = REVOCATION_GIVEN;
	if (e == ERR_OK && o->revocation)
		e = parse_revocation(v, o->revocation, why);
	return e;
}

static enum err read_one(struct verify *v, const char *path, struct slice *out, struct why *why)
{
	struct buffer *b = &v->files[v->files_count];
	enum err e = read_file(path, FILE_BYTES_MAX, b, why);

	if (e != ERR_OK)
		return e;
	v->files_count++;
	*out = buffer_bytes(b);
	return ERR_OK;
}

static enum err read_files(struct verify *v, struct why *why)
{
	const struct options *o = v->options;
	enum err e = read_one(v, o->words.items[0], &v->given.certificate, why);

	if (o->untrusted.count > VERIFY_FILES_MAX || o->crls.count > VERIFY_FILES_MAX)
		return why_fail(why, ERR_USAGE, "more than %d files", VERIFY_FILES_MAX);
	for (size_t i = 0; e == ERR_OK && i < o->untrusted.count; i++)
		e = read_one(v, o->untrusted.items[i],
			&v->given.untrusted[v->given.untrusted_count++], why);
	for (size_t i = 0; e == ERR_OK && i < o->crls.count; i++)
		e = read_one(v, o->crls.items[i], &v->given.crls[v->given.crls_count++], why);
	return e;
}

/* ---- asking the parser --------------------------------------------------------------------------- */

static enum err hand_over(void *arg, frame_send_fn send, void *send_arg)
{
	const struct verify *v = arg;
	const struct parser_handover h = { .options = &v->handed,
		.pinned_now = clock_pinned(),
		.log_level = (uint8_t)log_level() };

	return parser_handover(&h, send, send_arg);
}

static enum err on_record(void *owner, const struct record *r)
{
	struct verify *v = owner;
	struct buffer bytes;
	enum err e;

	if (v->records_count == RECORDS_MAX)
		return ERR_OK;
	/* A deep copy, by the way records always take. */
	buffer_init(&bytes, RECORD_BYTES_MAX);
	record_encode(&bytes, r);
	e = buffer_status(&bytes);
	if (e == ERR_OK)
		e = record_decode(buffer_bytes(&bytes), &v->records[v->records_count]);
	buffer_fini(&bytes);
	if (e != ERR_OK)
		return e;
	v->records_count++;
	if (r->kind == RECORD_CERTIFICATE)
		v->path_count++;
	return ERR_OK;
}

static void on_done(void *owner, bool crashed)
{
	struct verify *v = owner;

	(void)crashed;
	v->is_done = true;
	uv_stop(&v->loop);
}

static void on_sandbox(void *arg, const char *layer, bool is_active)
{
	(void)arg;
	log_debug("sandbox of the parser: %s is %s", layer, is_active ? "on" : "not available");
}

static void on_tick(uv_timer_t *timer)
{
	struct verify *v = timer->data;

	parsers_tick(v->parsers);
	if (clock_monotonic_ms() - v->since_ms > DEADLINE_MS)
		uv_stop(&v->loop);
}

static enum err send_case(struct verify *v, struct why *why)
{
	char *absolute = realpath(v->options->words.items[0], NULL);
	struct finding_piece head = { .kind = FINDING_VERIFY, .scanner = slice_text("verify") };
	struct buffer uri;
	struct buffer bytes;
	struct finding *finding;
	struct slice left;
	enum err e;

	buffer_init(&uri, URI_BYTES_MAX);
	buffer_init(&bytes, PARSER_FINDING_BYTES_MAX);
	buffer_text(&uri, "file://");
	text_uri_encode(&uri, slice_text(absolute ? absolute : v->options->words.items[0]));
	free(absolute);
	verify_case_encode(&bytes, &v->given);
	e = buffer_status(&uri) != ERR_OK ? buffer_status(&uri) : buffer_status(&bytes);
	if (e == ERR_LIMIT)
		e = why_fail(why, e, "the files together are too large");
	head.place = buffer_bytes(&uri);
	head.total = bytes.size;
	if (e == ERR_OK)
		e = parsers_open(v->parsers, v, &head, &finding, why);
	left = buffer_bytes(&bytes);
	while (e == ERR_OK && left.size) {
		size_t size = left.size < FINDING_PIECE_BYTES ? left.size : FINDING_PIECE_BYTES;

		e = parsers_piece(
			v->parsers, finding, slice_of(left.data, size), size == left.size, why);
		left = slice_after(left, size);
	}
	buffer_fini(&uri);
	buffer_fini(&bytes);
	return e;
}

static enum err ask(struct verify *v, struct why *why)
{
	static const struct parsers_events events = {
		.record = on_record, .done = on_done, .sandbox = on_sandbox
	};
	struct parsers_conf conf = { .loop = &v->loop,
		.role = &parser_role,
		.in_thread = v->options->single,
		.count_max = 1,
		.hand_over = hand_over,
		.events = &events,
		.arg = v };
	enum err e;

	if (uv_loop_init(&v->loop) != 0)
		return why_fail(why, ERR_IO, "cannot start the event loop");
	v->is_loop_open = true;
	(void)uv_timer_init(&v->loop, &v->timer);
	v->timer.data = v;
	e = parsers_new(&conf, &v->parsers);
	if (e != ERR_OK)
		return e;
	v->since_ms = clock_monotonic_ms();
	(void)uv_timer_start(&v->timer, on_tick, TICK_MS, TICK_MS);
	e = send_case(v, why);
	if (e == ERR_OK && !v->is_done)
		(void)uv_run(&v->loop, UV_RUN_DEFAULT);
	if (e == ERR_OK && (!v->is_done || !v->records_count))
		e = why_fail(why, ERR_TIMEOUT, "the parser gave no answer");
	return e;
}

/* ---- telling ------------------------------------------------------------------------------------- */

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vprintf(format, args);
	va_end(args);
}

static void say_rules(const char *label, const struct rules *rules)
{
	for (int i = 0; i < RULE_COUNT; i++)
		if (rules_have(rules, (enum rule)i))
			say("%-10s %s: %s (%s)\n", label, rule_word((enum rule)i),
				rule_meaning((enum rule)i), rule_source((enum rule)i));
}

/* The anchor at the top, as a tree grows downwards. */
static void say_path(const struct verify *v)
{
	for (size_t i = v->path_count; i-- > 0;) {
		const struct certificate_record *r = &v->records[i].certificate;
		char expires[TIME_TEXT_BYTES];
		size_t depth = v->path_count - 1 - i;

		time_rfc3339(r->facts.not_after, expires);
		say("%-10s %*s%s%s  %s %s%s\n", depth ? "" : "path", (int)(2 * depth), "",
			depth ? "\\ " : "", r->facts.subject[0] ? r->facts.subject : "(no name)",
			clock_now_s() > r->facts.not_after ? "expired" : "until",
			expires[0] ? expires : "?", r->verdict.is_anchor ? "  (trusted)" : "");
	}
}

static const char *subject_of(const struct verify *v, const uint8_t fingerprint[FINGERPRINT_BYTES])
{
	for (size_t i = 0; i < v->path_count; i++) {
		const struct certificate *c = &v->records[i].certificate.facts;

		if (memcmp(c->fingerprint, fingerprint, FINGERPRINT_BYTES) == 0 && c->subject[0])
			return c->subject;
	}
	return "a certificate";
}

/* The clock is against another one of the path: that is no problem of the certificate itself. */
static void say_path_dates(const struct verify *v, uint32_t problems)
{
	const struct verdict *verdict = &v->records[0].certificate.verdict;
	int64_t now = clock_now_s();

	if (!(problems & PROBLEM_BIT(PROBLEM_EXPIRED)) && verdict->expires != TIME_UNKNOWN &&
		now > verdict->expires)
		say("%-10s %s: %s, which its path needs, has expired\n", "problem",
			problem_word(PROBLEM_EXPIRED), subject_of(v, verdict->expires_because));
	if (!(problems & PROBLEM_BIT(PROBLEM_NOT_YET_VALID)) && verdict->starts != TIME_UNKNOWN &&
		now < verdict->starts)
		say("%-10s %s: a certificate that its path needs is not valid yet\n", "problem",
			problem_word(PROBLEM_NOT_YET_VALID));
}

/* What helps to mend it: which names there are, whose certificate is missing. */
static void say_help(const struct verify *v, uint32_t problems)
{
	const struct certificate *leaf = &v->records[0].certificate.facts;
	const struct certificate *last = &v->records[v->path_count - 1].certificate.facts;

	if (problems & PROBLEM_BIT(PROBLEM_NAME_MISMATCH)) {
		say("%-10s %s\n", "asked for", v->given.name);
		for (size_t i = 0; i < leaf->names.count && i < NAMES_SAID_MAX; i++)
			say("%-10s %s\n", i ? "" : "it covers", leaf->names.items[i]);
		if (leaf->names.count > NAMES_SAID_MAX)
			say("%-10s and %zu more\n", "", leaf->names.count - NAMES_SAID_MAX);
		if (!leaf->names.count)
			say("%-10s no name\n", "it covers");
	}
	if (problems & PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN))
		say("%-10s %s, which issued %s\n", "missing", last->issuer[0] ? last->issuer : "?",
			last->subject[0] ? last->subject : "it");
}

/* The file that a note is on, as it was written; NULL for what is no note. */
static const char *file_of(const struct verify *v, const struct record *note)
{
	const struct strings *files =
		strcmp(note->location.alias ? note->location.alias : "", "crl") == 0
			? &v->options->crls
			: &v->options->untrusted;

	return note->kind == RECORD_PROBLEM && note->location.alias &&
			       note->location.index < files->count
		       ? files->items[note->location.index]
		       : NULL;
}

/* Files that were given and helped nobody: who gave them should know. */
static void say_notes(const struct verify *v)
{
	for (size_t i = v->path_count; i < v->records_count; i++) {
		const struct record *r = &v->records[i];
		const char *file = file_of(v, r);

		if (file)
			say("%-10s %s: %s\n", r->location.alias, file, r->problem.message);
	}
}

static void say_verdict(const struct verify *v, bool is_valid)
{
	const struct certificate_record *r = &v->records[0].certificate;
	uint32_t problems = record_problems_at(r, clock_now_s());
	char expires[TIME_TEXT_BYTES];

	say("%s: %s\n", is_valid ? "valid" : "not valid", v->options->words.items[0]);
	if (r->verdict.trust)
		say("%-10s %s\n", "trusted by", r->verdict.trust);
	for (size_t i = 0; i < r->verdict.stores.count; i++)
		say("%-10s %s: %s\n", "by store", r->verdict.stores.items[i].store,
			store_verdict_word(&r->verdict.stores.items[i], clock_now_s()));
	time_rfc3339(r->verdict.expires, expires);
	if (expires[0])
		say("%-10s %s\n", clock_now_s() > r->verdict.expires ? "expired" : "expires",
			expires);
	for (int i = 0; i < PROBLEM_COUNT; i++)
		if (problems & PROBLEM_BIT(i))
			say("%-10s %s: %s\n", "problem", problem_word((enum problem)i),
				problem_meaning((enum problem)i));
	say_path_dates(v, problems);
	if (!r->verdict.is_checked)
		say("%-10s unchecked: an algorithm in its chain is not known, or costs too much\n",
			"problem");
	say_rules("because", &r->verdict.violations);
	say_rules("lint", &r->verdict.lint);
	say_help(v, problems);
	say_notes(v);
	say_path(v);
}

static cJSON *json_of(const struct verify *v, size_t i)
{
	const struct sighting s = { .record = &v->records[i],
		.first_seen = TIME_UNKNOWN,
		.last_seen = TIME_UNKNOWN,
		.gone_at = TIME_UNKNOWN };

	return record_json(&s, &v->settings->thresholds, clock_now_s());
}

static bool put_note(const struct record *r, const char *file, cJSON *notes)
{
	cJSON *one = cJSON_CreateObject();
	char *name = text_escaped(slice_text(file));
	bool good = one && name && cJSON_AddStringToObject(one, "option", r->location.alias) &&
		    cJSON_AddStringToObject(one, "file", name) &&
		    cJSON_AddStringToObject(one, "message", r->problem.message) &&
		    cJSON_AddItemToArray(notes, one);

	if (!good)
		cJSON_Delete(one);
	free(name);
	return good;
}

/* Absent where all that was given was of use. */
static bool put_notes(const struct verify *v, cJSON *whole)
{
	cJSON *notes = NULL;
	bool good = true;

	for (size_t i = v->path_count; good && i < v->records_count; i++) {
		const char *file = file_of(v, &v->records[i]);

		if (!file)
			continue;
		if (!notes)
			notes = cJSON_AddArrayToObject(whole, "notes");
		good = notes && put_note(&v->records[i], file, notes);
	}
	return good;
}

static enum err write_json(const struct verify *v, bool is_valid)
{
	cJSON *whole = cJSON_CreateObject();
	cJSON *path = whole ? cJSON_AddArrayToObject(whole, "path") : NULL;
	bool good = path && cJSON_AddStringToObject(whole, "type", "verification") &&
		    cJSON_AddBoolToObject(whole, "valid", is_valid);
	char *text = NULL;

	for (size_t i = 0; good && i < v->path_count; i++) {
		cJSON *one = json_of(v, i);

		good = one && cJSON_AddItemToArray(path, one);
		if (!good)
			cJSON_Delete(one);
	}
	good = good && put_notes(v, whole);
	if (good)
		text = cJSON_Print(whole);
	cJSON_Delete(whole);
	if (!text)
		return ERR_MEMORY;
	(void)puts(text);
	cJSON_free(text);
	return ERR_OK;
}

static enum err tell(const struct verify *v, bool *is_valid)
{
	const struct record *first = &v->records[0];
	char *clean;

	*is_valid = first->kind == RECORD_CERTIFICATE &&
		    verdict_is_valid_at(&first->certificate.verdict, clock_now_s());
	if (v->options->output && strcmp(v->options->output, "json") == 0)
		return write_json(v, *is_valid);
	if (first->kind == RECORD_CERTIFICATE) {
		say_verdict(v, *is_valid);
		return ERR_OK;
	}
	clean = text_escaped(slice_text(first->problem.message ? first->problem.message : ""));
	if (!clean)
		return ERR_MEMORY;
	say("not valid: %s\n%-10s %s: %s\n", v->options->words.items[0], "problem",
		reason_word(first->problem.reason), clean);
	if (first->problem.reason == REASON_NEEDS_PASSWORD)
		say("%-10s the passwords in a file are tried with --password-file FILE\n", "");
	free(clean);
	return ERR_OK;
}

static void on_walk_close(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void finish(struct verify *v)
{
	parsers_free(v->parsers);
	if (v->is_loop_open) {
		uv_close((uv_handle_t *)&v->timer, NULL);
		(void)uv_run(&v->loop, UV_RUN_DEFAULT);
		uv_walk(&v->loop, on_walk_close, NULL);
		while (uv_loop_close(&v->loop) == UV_EBUSY)
			(void)uv_run(&v->loop, UV_RUN_DEFAULT);
	}
	for (size_t i = 0; i < v->records_count; i++)
		record_fini(&v->records[i]);
	for (size_t i = 0; i < v->files_count; i++)
		buffer_wipe(&v->files[i]);
	verify_case_fini(&v->given);
	parser_options_fini(&v->handed);
	settings_free(v->settings);
	free(v);
}

static int run(const struct options *o)
{
	struct verify *v = calloc(1, sizeof(*v));
	struct why why = { 0 };
	bool is_valid = false;
	enum err e = v ? ERR_OK : ERR_MEMORY;

	if (e != ERR_OK)
		return command_fail(e, &why);
	v->options = o;
	e = parse_words(v, &why);
	if (e == ERR_OK)
		e = start_settings(o, &v->settings, &why);
	if (e == ERR_OK)
		e = read_files(v, &why);
	if (e == ERR_OK)
		e = pipeline_parser_options(v->settings, &v->handed, &why);
	if (e == ERR_OK)
		e = ask(v, &why);
	if (e == ERR_OK)
		e = tell(v, &is_valid);
	finish(v);
	if (e != ERR_OK) {
		(void)command_fail(e, &why);
		/* 1 says "not valid", which nobody has found out. */
		return EXIT_USAGE;
	}
	return is_valid ? EXIT_DONE : EXIT_FAILED;
}

const struct command verify_command = {
	.name = "verify",
	.arguments = "CERTIFICATE",
	.help = "says whether a certificate is valid, by RFC 5280 to the letter",
	.details =
		"CERTIFICATE is a file in any format; the first in it is verified, others in it may be its\n"
		"issuers. The verdict is the scan's own, but what a scan only mentions as lint because TLS\n"
		"stacks let it pass is a fault here. With --name dns:, ip: or cn: the purpose is server, with\n"
		"email: it is email.\n"
		"Exits 0 when it is valid, 1 when it is not, 2 when that could not be found out.\n",
	.use = USE_VERIFY,
	.run = run,
};
