/* The table of container formats, and the order in which they are tried. */
#include "scanners/formats/format.h"

#include "agent/base/clock.h"
#include "agent/certificate/token.h"
#include "scanners/formats/formats_markers.h"
#include "scanners/images/layers.h"
#include "scanners/images/stores.h"

#include <stdio.h>
#include <unistd.h>

#define MESSAGE_BYTES 192

#define FORMAT(name) extern const struct format name;
#include "scanners/formats/formats.def"
#undef FORMAT

const struct format *const formats[] = {
#define FORMAT(name) &name,
#include "scanners/formats/formats.def"
#undef FORMAT
};
const size_t formats_count = sizeof(formats) / sizeof(formats[0]);

const struct format_limits format_limits_standard = {
	.certificates = FORMAT_CERTIFICATES_MAX,
	.depth = FORMAT_ARCHIVE_DEPTH_MAX,
	.members = FORMAT_MEMBERS_MAX,
	.unpacked_bytes = FORMAT_UNPACKED_BYTES_MAX,
	.ratio = FORMAT_RATIO_MAX,
	.member_bytes = FORMAT_MEMBER_BYTES_MAX,
	.time_ms = FORMAT_TIME_MS_MAX,
	.nesting = FORMAT_DEPTH_MAX,
	.problems = FORMAT_PROBLEMS_MAX,
	.keys = FORMAT_KEYS_MAX,
	.references = FORMAT_REFERENCES_MAX,
	.reference_names = FORMAT_REFERENCE_NAMES_MAX,
	.places = FORMAT_PLACES_MAX,
	.decoded_bytes = FORMAT_BYTES_MAX,
	.kdf_iterations = FORMAT_KDF_ITERATIONS_MAX,
	.kdf_iterations_total = FORMAT_KDF_ITERATIONS_TOTAL_MAX,
	.passwords = FORMAT_PASSWORDS_MAX,
	.memory_bytes = FORMAT_MEMORY_BYTES_MAX,
	.config_bytes = FORMAT_CONFIG_BYTES_MAX,
	.image_stores = IMAGE_STORES_MAX,
	.image_list_bytes = IMAGE_LISTS_BYTES_MAX,
	.image_layers = LAYERS_MAX,
	.tokens = TOKENS_MAX,
	.token_certificates = TOKEN_OBJECTS_MAX,
	.listener_names = FORMAT_LISTENER_NAMES_MAX,
	.listener_names_total = FORMAT_LISTENER_NAMES_TOTAL_MAX,
	.listeners = FORMAT_LISTENERS_MAX,
	.layers_per_image = IMAGE_LAYERS_MAX,
	.named_files = FORMAT_NAMED_FILES_MAX,
	.password_sources = FORMAT_PASSWORD_SOURCES_MAX,
	.reference_ports = FORMAT_REFERENCE_PORTS_MAX,
	.config_depth = FORMAT_CONFIG_DEPTH_MAX,
	.java_settings = FORMAT_JAVA_SETTINGS_MAX,
	.token_modules = TOKEN_MODULES_MAX,
	.token_certificate_bytes = TOKEN_DER_BYTES_MAX,
	.compared_keys = FORMAT_COMPARED_KEYS_MAX,
	.compared_certificates = FORMAT_COMPARED_CERTIFICATES_MAX,
	.compared_references = FORMAT_COMPARED_REFERENCES_MAX,
	.compared_servers = FORMAT_COMPARED_SERVERS_MAX,
	.compared_sharers = FORMAT_COMPARED_SHARERS_MAX,
};

void format_budget_init(
	struct format_budget *b, const struct format_limits *limits, uint64_t file_bytes)
{
	*b = (struct format_budget){ .limits = limits ? limits : &format_limits_standard,
		.file_bytes = file_bytes,
		.start_ms = clock_monotonic_ms() };
	b->kdf_iterations = (uint64_t)b->limits->kdf_iterations_total;
}

bool format_budget_is_late(const struct format_budget *b)
{
	return clock_monotonic_ms() - b->start_ms > b->limits->time_ms;
}

const struct format_limits *format_limits_of(const struct format_input *in)
{
	return in->budget ? in->budget->limits : &format_limits_standard;
}

size_t format_bytes_max(const struct format_input *in)
{
	return (size_t)format_limits_of(in)->decoded_bytes;
}

enum err format_limited(const struct format_sink *sink, const char *what, const char *key)
{
	char message[MESSAGE_BYTES];

	(void)snprintf(message, sizeof(message), "%s (limits.%s)", what, key);
	return sink->problem(sink->arg, REASON_LIMIT_REACHED, slice_of(NULL, 0), message);
}

bool formats_has_marker(struct slice text)
{
	unsigned which;

	return markers_find(formats_text_markers(), text, &which) >= 0;
}

const struct format *format_find(const char *name)
{
	for (size_t i = 0; name && i < formats_count; i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

const struct format *formats_sniff(struct slice head, struct file_size_hint size)
{
	for (size_t i = 0; i < formats_count; i++)
		if (formats[i]->sniff && formats[i]->sniff(head, size))
			return formats[i];
	return NULL;
}

bool formats_is_script(struct slice head)
{
	return slice_starts(head, "#!", 2);
}

static bool is_end_of(const struct format *f, struct slice end)
{
	return f->sniff_end && end.size >= SNIFF_END_BYTES &&
	       f->sniff_end(slice_after(end, end.size - SNIFF_END_BYTES));
}

const struct format *formats_sniff_end(struct slice end)
{
	for (size_t i = 0; i < formats_count; i++)
		if (is_end_of(formats[i], end))
			return formats[i];
	return NULL;
}

/* `has_marker`: one of the format's is in the text. */
static bool may_be(const struct format *f, const struct format_input *in, bool has_marker)
{
	struct file_size_hint size = { .size = in->bytes.size, .is_known = true };
	struct slice head = in->bytes;

	if (head.size > SNIFF_HEAD_BYTES)
		head.size = SNIFF_HEAD_BYTES;
	if (f->config_markers)
		return !in->depth && has_marker;
	if (!f->sniff)
		return has_marker;
	return f->sniff(head, size) || (formats_is_script(head) && is_end_of(f, in->bytes));
}

static bool is_text(const struct format *f)
{
	return f->text_markers || f->config_markers;
}

void format_place(const struct format_sink *sink, const uint8_t *at)
{
	if (sink->place)
		sink->place(sink->arg, at);
}

enum format_answer format_locked(const struct format_input *in, const struct format_sink *sink,
	enum err why, const char *algorithm)
{
	bool has_candidates = in->passwords && in->passwords->count;
	enum reason reason = REASON_MALFORMED;
	char message[MESSAGE_BYTES] = "its encrypted content is damaged";

	if (why == ERR_PASSWORD && in->passwords && in->passwords_left_out) {
		reason = REASON_LIMIT_REACHED;
		(void)snprintf(message, sizeof(message),
			"%zu passwords were tried on it, and %zu not (limits.password_attempts)",
			in->passwords->count, in->passwords_left_out);
	} else if (why == ERR_PASSWORD) {
		reason = has_candidates ? REASON_WRONG_PASSWORD : REASON_NEEDS_PASSWORD;
		(void)snprintf(message, sizeof(message), "%s",
			has_candidates ? "no password given opens it" : "it is encrypted");
	} else if (why == ERR_LIMIT) {
		reason = REASON_LIMIT_REACHED;
		(void)snprintf(message, sizeof(message),
			"it asks for more key derivation or room than is allowed: not every password was tried "
			"(limits.%s)",
			in->budget && in->budget->locked_by ? in->budget->locked_by
							    : "decoded_size");
	} else if (why == ERR_UNSUPPORTED) {
		reason = REASON_UNSUPPORTED;
		(void)snprintf(message, sizeof(message),
			"it is encrypted with %s, which is not supported",
			algorithm && *algorithm ? algorithm : "something");
	}
	(void)sink->problem(sink->arg, reason, slice_of(NULL, 0), message);
	return reason == REASON_MALFORMED ? FORMAT_BROKEN : FORMAT_MINE;
}

static const struct format *sniff_end_of(const struct format_file *file)
{
	uint8_t end[SNIFF_END_BYTES];

	if (file->size < sizeof(end) ||
		pread(file->fd, end, sizeof(end), (off_t)(file->size - sizeof(end))) !=
			(ssize_t)sizeof(end))
		return NULL;
	return formats_sniff_end(slice_of(end, sizeof(end)));
}

/* What the reader took for an archive and is none any more has changed meanwhile: it is read again in the next
 * pass. */
static enum err parse_file(
	const struct format_input *in, const struct format_sink *sink, const struct format **which)
{
	struct file_size_hint size = { .size = in->file->size, .is_known = true };
	const struct format *f = formats_is_script(in->bytes) ? sniff_end_of(in->file)
							      : formats_sniff(in->bytes, size);

	if (!f || !f->is_archive)
		return ERR_NOT_FOUND;
	if (sink->format)
		sink->format(sink->arg, f);
	if (f->parse(in, sink) == FORMAT_NOT_MINE)
		return ERR_NOT_FOUND;
	*which = f;
	return ERR_OK;
}

enum err formats_parse(
	const struct format_input *in, const struct format_sink *sink, const struct format **which)
{
	const struct format *first = NULL;
	uint64_t marked;

	if (!in->bytes.size)
		return ERR_NOT_FOUND;
	if (in->file)
		return parse_file(in, sink, which);
	marked = markers_in(formats_markers(), in->bytes);
	for (size_t i = 0; i < formats_count; i++) {
		const struct format *f = formats[i];

		/* A text may hold several kinds at once; a binary container is one thing. */
		if (first && !is_text(f))
			continue;
		if (!may_be(f, in, marked & formats_markers_of(i)))
			continue;
		if (sink->format)
			sink->format(sink->arg, f);
		if (in->budget)
			in->budget->locked_by = NULL;
		if (f->parse(in, sink) == FORMAT_NOT_MINE)
			continue;
		if (!first)
			first = f;
		if (!is_text(f) || f->is_exclusive)
			break;
	}
	if (!first)
		return ERR_NOT_FOUND;
	*which = first;
	return ERR_OK;
}
