/* The parser role: gathers findings piece by piece, looks at each, answers in records. */
#include "scanners/parser.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/process/channel.h"
#include "scanners/parser_finding.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Verdicts, and certificates that GnuTLS took, remembered between findings. */
#define CACHE_ENTRIES_MAX 4096
/* Names left in a record that is over its ceiling. */
#define CUT_NAMES_MAX 2000
#define CUT_NAMES_BYTES_MAX (256 * 1024)
#define CUT_MESSAGE_BYTES 96
/* After a finding of this size memory goes back to the system. */
#define TRIM_BYTES_MIN (1024 * 1024)

/* A finding on its way in. */
struct finding {
	uint64_t id;
	uint8_t kind;
	bool is_used;
	bool is_cut;   /* its end was left out, and that is told */
	bool is_over;  /* larger than the ceilings: its bytes are dropped */
	char *scanner; /* owned */
	char *uri;     /* owned */
	char *label;   /* owned; NULL where there is none */
	struct file_owner owner;
	uint8_t judging;
	struct buffer bytes; /* wiped: may hold keys */
	bool has_file;
	int file; /* owned; the content is there, not in `bytes` */
};

struct parser {
	struct channel channel;
	struct parser_options options;
	size_t stores_read; /* stores whose bytes have come */
	bool is_set_up;
	struct trust *trust;
	struct judge_cache *cache;
	struct known_certificates *known;
	struct finding findings[PARSER_FINDINGS_MAX];
	size_t findings_bytes;
};

/* --- telling ---------------------------------------------------------------------------------- */

/* How many of these texts are left in a record that is told in short. */
static size_t texts_that_fit(const struct strings *s)
{
	size_t count = 0, bytes = 0;

	while (count < s->count && count < CUT_NAMES_MAX && bytes < CUT_NAMES_BYTES_MAX)
		bytes += strlen(s->items[count++]);
	if (bytes >= CUT_NAMES_BYTES_MAX)
		count--;
	return count;
}

/* A record over the ceiling is told with fewer names, and that this was done is told too. */
static enum err send_cut(struct parser *p, const struct record *r)
{
	char message[CUT_MESSAGE_BYTES] = "what is known of it is larger than can be recorded";
	struct record cut = *r;
	struct strings *names = NULL;
	size_t count = 0;
	enum err e;

	if (r->kind == RECORD_CERTIFICATE)
		names = &cut.certificate.facts.names;
	if (r->kind == RECORD_ENDPOINT)
		names = &cut.endpoint.acceptable_cas;
	if (names) {
		count = names->count;
		names->count = texts_that_fit(names);
	}
	e = channel_record(&p->channel, &cut);
	if (e != ERR_OK && e != ERR_LIMIT)
		return e;
	if (e == ERR_OK && names)
		(void)snprintf(message, sizeof(message), "it has %zu names; %zu are recorded",
			count, names->count);
	return channel_problem(
		&p->channel, r->location.scanner, r->location.uri, REASON_LIMIT_REACHED, message);
}

static enum err on_record(void *arg, const struct record *r)
{
	struct parser *p = arg;
	enum err e = channel_record(&p->channel, r);

	return e == ERR_LIMIT ? send_cut(p, r) : e;
}

/* --- findings --------------------------------------------------------------------------------- */

static void finding_fini(struct parser *p, struct finding *f)
{
	p->findings_bytes -= f->bytes.size;
	free(f->scanner);
	free(f->uri);
	free(f->label);
	buffer_wipe(&f->bytes);
	if (f->has_file)
		(void)close(f->file);
	*f = (struct finding){ 0 };
}

static struct finding *finding_of(struct parser *p, uint64_t id)
{
	for (size_t i = 0; i < PARSER_FINDINGS_MAX; i++)
		if (p->findings[i].is_used && p->findings[i].id == id)
			return &p->findings[i];
	return NULL;
}

static enum err finding_new(
	struct parser *p, const struct finding_piece *piece, struct finding **out)
{
	struct finding *f = NULL;

	if (finding_of(p, piece->id))
		return ERR_MALFORMED;
	for (size_t i = 0; !f && i < PARSER_FINDINGS_MAX; i++)
		if (!p->findings[i].is_used)
			f = &p->findings[i];
	if (!f)
		return ERR_LIMIT;
	*f = (struct finding){ .id = piece->id,
		.kind = piece->kind,
		.is_used = true,
		.owner = piece->owner,
		.judging = piece->judging };
	buffer_init(&f->bytes, PARSER_FINDING_BYTES_MAX);
	f->scanner = text_escaped(piece->scanner);
	f->uri = text_escaped(piece->place);
	f->label = piece->label.size ? text_escaped(piece->label) : NULL;
	if (!f->scanner || !f->uri || (piece->label.size && !f->label)) {
		finding_fini(p, f);
		return ERR_MEMORY;
	}
	*out = f;
	return ERR_OK;
}

/* Growing would leave copies of key material behind in freed memory, so room is made at once where the
 * size is known; where it is not, the copy is made by hand and the old one wiped. */
static enum err make_room(struct finding *f, size_t size)
{
	struct buffer larger;
	size_t capacity = f->bytes.capacity;

	if (f->bytes.size + size < capacity)
		return ERR_OK;
	capacity = capacity * 2 > f->bytes.size + size ? capacity * 2 : f->bytes.size + size;
	if (capacity > PARSER_FINDING_BYTES_MAX)
		capacity = PARSER_FINDING_BYTES_MAX;
	buffer_init(&larger, PARSER_FINDING_BYTES_MAX);
	if (!buffer_reserve(&larger, capacity)) {
		buffer_fini(&larger);
		return ERR_MEMORY;
	}
	buffer_slice(&larger, buffer_bytes(&f->bytes));
	buffer_wipe(&f->bytes);
	f->bytes = larger;
	return ERR_OK;
}

static enum err finding_add(struct parser *p, struct finding *f, struct slice data)
{
	enum err e;

	if (f->is_over)
		return ERR_OK;
	if (data.size > PARSER_FINDING_BYTES_MAX - f->bytes.size ||
		data.size > PARSER_FINDINGS_BYTES_MAX - p->findings_bytes) {
		p->findings_bytes -= f->bytes.size;
		buffer_wipe(&f->bytes);
		buffer_init(&f->bytes, PARSER_FINDING_BYTES_MAX);
		f->is_over = true;
		return ERR_OK;
	}
	e = make_room(f, data.size);
	if (e != ERR_OK)
		return e;
	buffer_slice(&f->bytes, data);
	p->findings_bytes += data.size;
	return buffer_status(&f->bytes);
}

/* A file alone is a whole finding of the kind that takes files. */
static enum err finding_file(struct parser *p, struct finding *f)
{
	if (f->kind != FINDING_FILE || f->bytes.size || f->is_over)
		return ERR_MALFORMED;
	f->file = channel_take_file(&p->channel);
	f->has_file = f->file >= 0;
	return f->has_file ? ERR_OK : ERR_MALFORMED;
}

/* By enum finding_kind. */
static enum err (*const parse_finding[])(
	const struct parser_context *c, const struct parser_place *place, struct slice bytes) = {
	[FINDING_FILE] = parser_file,
	[FINDING_ENDPOINT] = parser_endpoint,
	[FINDING_VERIFY] = parser_verify,
	[FINDING_FETCHED] = parser_fetched,
	[FINDING_COMPLETION] = parser_completion,
	[FINDING_TOKEN] = parser_token,
	[FINDING_LOCKED] = parser_locked,
};

static enum err finding_look(struct parser *p, struct finding *f)
{
	struct strings passwords;
	const struct parser_context context = { .trust = p->trust,
		.cache = p->cache,
		.known = p->known,
		.passwords = &passwords,
		.judging = f->judging < p->options.judgings_count ? &p->options.judgings[f->judging]
								  : &judging_plain,
		.limits = &p->options.limits,
		.record = on_record,
		.arg = p };
	struct format_file file = { .fd = f->file };
	const struct parser_place place = { .scanner = f->scanner,
		.uri = f->uri,
		.label = f->label,
		.owner = f->owner,
		.file = f->has_file ? &file : NULL,
		.is_cut = f->is_cut };
	struct slice bytes = buffer_bytes(&f->bytes);
	struct stat st;
	enum err e;

	if (f->is_over)
		return parser_problem(&context, &place, REASON_TOO_LARGE,
			"what would have to be parsed is larger than 64 MiB");
	if (f->has_file) {
		if (fstat(f->file, &st) != 0 || st.st_size < 0)
			return ERR_MALFORMED;
		file.size = (uint64_t)st.st_size;
	}
	e = parser_passwords_for(&p->options, f->uri, &passwords);
	if (e != ERR_OK)
		return e;
	e = parse_finding[f->kind](&context, &place, bytes);
	free(passwords.items);
	return e;
}

static enum err finding_end(struct parser *p, struct finding *f, bool is_abandoned)
{
	uint64_t id = f->id;
	size_t size = f->bytes.size;
	enum err e = is_abandoned ? ERR_OK : finding_look(p, f);

	finding_fini(p, f);
	if (size >= TRIM_BYTES_MIN)
		(void)malloc_trim(0);
	return e == ERR_OK ? channel_number(&p->channel, MESSAGE_FINDING_DONE, id) : e;
}

static enum err on_finding(struct parser *p, struct slice payload)
{
	struct finding_piece piece;
	struct finding *f;
	enum err e;

	if (p->stores_read < p->options.stores_count || !p->is_set_up)
		return ERR_MALFORMED;
	e = finding_piece_decode(payload, &piece);
	if (e != ERR_OK)
		return e;
	if (piece.is_first)
		e = finding_new(p, &piece, &f);
	else
		e = (f = finding_of(p, piece.id)) ? ERR_OK : ERR_MALFORMED;
	if (e == ERR_OK)
		e = piece.has_file ? finding_file(p, f) : finding_add(p, f, piece.data);
	if (e == ERR_OK)
		f->is_cut = piece.is_cut;
	if (e == ERR_OK && piece.is_last)
		e = finding_end(p, f, piece.is_abandoned);
	return e;
}

/* --- being set up ----------------------------------------------------------------------------- */

static void trust_store(struct parser *p, struct parser_store *s)
{
	size_t added = 0, skipped = 0;
	struct why why = { 0 };
	enum err e = s->is_distrusted
			     ? trust_distrust(p->trust, s->name, buffer_bytes(&s->bytes), &why)
			     : trust_add(p->trust, s->name, s->is_system, buffer_bytes(&s->bytes),
				       &added, &skipped, &why);

	if (e != ERR_OK && s->is_distrusted) {
		log_warn("what trust store %s distrusts: %s", s->name, why_text(&why, e));
	} else if (e != ERR_OK) {
		log_warn("trust store %s: %s", s->name, why_text(&why, e));
		/* Its bit must stay its own. */
		(void)!trust_add(
			p->trust, s->name, s->is_system, slice_of(NULL, 0), NULL, NULL, NULL);
	} else if (!added && !s->is_distrusted && !s->is_system && s->size &&
		   trust_is_empty(p->trust, trust_stores(p->trust) - 1)) {
		log_warn("trust store %s holds no certificate", s->name);
	} else
		log_debug("trust store %s: %zu anchors, %zu unreadable", s->name, added, skipped);
	buffer_fini(&s->bytes);
}

/* Takes up stores whose bytes are complete, also those that have none. */
static void trust_complete_stores(struct parser *p)
{
	while (p->stores_read < p->options.stores_count) {
		struct parser_store *s = &p->options.stores[p->stores_read];

		if (s->bytes.size < s->size)
			return;
		trust_store(p, s);
		p->stores_read++;
	}
}

static enum err on_memory(struct parser *p, struct slice payload)
{
	while (payload.size) {
		struct parser_store *s;
		uint64_t missing;
		size_t size;

		if (p->stores_read == p->options.stores_count)
			return ERR_MALFORMED;
		s = &p->options.stores[p->stores_read];
		missing = s->size - s->bytes.size;
		size = missing < payload.size ? (size_t)missing : payload.size;
		buffer_append(&s->bytes, payload.data, size);
		if (buffer_status(&s->bytes) != ERR_OK)
			return buffer_status(&s->bytes);
		payload = slice_after(payload, size);
		trust_complete_stores(p);
	}
	return ERR_OK;
}

static enum err on_setup(struct parser *p, struct slice payload)
{
	struct setup setup;
	enum err e;

	if (p->is_set_up)
		return ERR_MALFORMED;
	e = setup_decode(payload, &setup);
	if (e == ERR_OK)
		e = parser_options_decode(setup.options, &p->options);
	if (e == ERR_OK)
		e = trust_new(&p->trust);
	if (e == ERR_OK)
		e = judge_cache_new(CACHE_ENTRIES_MAX, &p->cache);
	if (e == ERR_OK)
		e = known_certificates_new(CACHE_ENTRIES_MAX, &p->known);
	if (e != ERR_OK)
		return e;
	clock_pin(setup.pinned_now);
	/* In a thread of main the log is main's. */
	if (setup.log_level != log_level())
		log_setup((enum log_level)setup.log_level, parser_role.name);
	p->is_set_up = true;
	trust_complete_stores(p);
	return ERR_OK;
}

/* --- the role --------------------------------------------------------------------------------- */

static enum err on_finish(struct parser *p, struct slice payload)
{
	enum err e = channel_write(&p->channel, MESSAGE_FINISHED, payload);

	return e == ERR_OK ? ERR_END : e;
}

static const struct {
	enum message type;
	enum err (*take)(struct parser *p, struct slice payload);
} messages[] = {
	{ MESSAGE_SETUP, on_setup },
	{ MESSAGE_MEMORY, on_memory },
	{ MESSAGE_FINDING, on_finding },
	{ MESSAGE_FINISH, on_finish },
};

static enum err take(struct parser *p, uint16_t type, struct slice payload)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == type)
			return messages[i].take(p, payload);
	return ERR_MALFORMED;
}

static void parser_free(struct parser *p)
{
	for (size_t i = 0; i < PARSER_FINDINGS_MAX; i++)
		if (p->findings[i].is_used)
			finding_fini(p, &p->findings[i]);
	trust_free(p->trust);
	judge_cache_free(p->cache);
	known_certificates_free(p->known);
	parser_options_fini(&p->options);
	channel_fini(&p->channel);
	free(p);
}

static enum err parser_run(int fd, struct why *why)
{
	struct parser *p = calloc(1, sizeof(*p));
	struct slice payload;
	uint16_t type = 0;
	enum err e;

	if (!p)
		return ERR_MEMORY;
	e = channel_init(&p->channel, fd);
	if (e != ERR_OK) {
		free(p);
		return e;
	}
	while (e == ERR_OK) {
		e = channel_read(&p->channel, &type, &payload);
		if (e == ERR_OK)
			e = take(p, type, payload);
	}
	if (e != ERR_END && e != ERR_CLOSED)
		(void)why_fail(why, e, "after a frame of type %u: %s", type, err_text(e));
	parser_free(p);
	return e == ERR_END ? ERR_OK : e;
}

const struct role parser_role = {
	.name = "parser",
	.needs = ROLE_PASSES_FILES,
	.run = parser_run,
};
