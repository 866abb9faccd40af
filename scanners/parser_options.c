/* What main hands over to a fresh parser. */
#include "agent/base/wire.h"
#include "agent/certificate/trust.h"
#include "agent/process/messages.h"
#include "scanners/parser.h"

#include <stdlib.h>
#include <string.h>

#define STORE_NAME_BYTES_MAX 4096

const struct judging judging_plain = { .stores = TRUST_ALL_STORES };

void parser_options_fini(struct parser_options *o)
{
	passwords_fini(&o->passwords);
	parser_passwords_fini(o);
	for (size_t i = 0; i < o->stores_count; i++) {
		free(o->stores[i].name);
		buffer_fini(&o->stores[i].bytes);
	}
	free(o->stores);
	free(o->judgings);
	*o = (struct parser_options){ 0 };
}

static uint64_t stores_size(const struct parser_options *o)
{
	uint64_t size = 0;

	for (size_t i = 0; i < o->stores_count; i++)
		size += o->stores[i].size;
	return size;
}

/* An empty store of that size; takes `name`. */
static enum err add_store(struct parser_options *o, char *name, bool is_system, uint64_t size)
{
	struct parser_store *stores;

	if (!name)
		return ERR_MEMORY;
	if (o->stores_count == PARSER_STORES_MAX || size > TRUST_BYTES_MAX ||
		stores_size(o) + size > PARSER_TRUST_BYTES_MAX) {
		free(name);
		return ERR_LIMIT;
	}
	stores = reallocarray(o->stores, o->stores_count + 1, sizeof(*stores));
	if (!stores) {
		free(name);
		return ERR_MEMORY;
	}
	o->stores = stores;
	stores += o->stores_count++;
	*stores = (struct parser_store){ .name = name, .is_system = is_system, .size = size };
	buffer_init(&stores->bytes, TRUST_BYTES_MAX);
	return ERR_OK;
}

enum err parser_options_add_store(
	struct parser_options *o, const char *name, bool is_system, struct slice bytes)
{
	enum err e = add_store(o, string_of(slice_text(name)), is_system, bytes.size);
	struct buffer *to;

	if (e != ERR_OK)
		return e;
	to = &o->stores[o->stores_count - 1].bytes;
	buffer_slice(to, bytes);
	return buffer_status(to);
}

enum err parser_options_add_distrusted(
	struct parser_options *o, const char *name, struct slice bytes)
{
	enum err e = parser_options_add_store(o, name, true, bytes);

	if (e == ERR_OK)
		o->stores[o->stores_count - 1].is_distrusted = true;
	return e;
}

enum err parser_options_add_judging(
	struct parser_options *o, const struct judging *judging, uint8_t *number)
{
	struct judging *judgings;
	size_t i = 0;

	while (i < o->judgings_count &&
		(o->judgings[i].stores != judging->stores ||
			o->judgings[i].use_common_name != judging->use_common_name))
		i++;
	if (i == PARSER_JUDGINGS_MAX)
		return ERR_LIMIT;
	if (i == o->judgings_count) {
		judgings = reallocarray(o->judgings, i + 1, sizeof(*judgings));
		if (!judgings)
			return ERR_MEMORY;
		o->judgings = judgings;
		o->judgings[o->judgings_count++] = *judging;
	}
	*number = (uint8_t)i;
	return ERR_OK;
}

static void put_limits(struct buffer *out, const struct format_limits *given)
{
	const struct format_limits *l = given->certificates ? given : &format_limits_standard;

	wire_put_i64(out, l->certificates);
	wire_put_i64(out, l->depth);
	wire_put_i64(out, l->members);
	wire_put_u64(out, l->unpacked_bytes);
	wire_put_i64(out, l->ratio);
	wire_put_u64(out, l->member_bytes);
	wire_put_i64(out, l->time_ms);
	wire_put_i64(out, l->nesting);
	wire_put_i64(out, l->problems);
	wire_put_i64(out, l->keys);
	wire_put_i64(out, l->references);
	wire_put_i64(out, l->reference_names);
	wire_put_i64(out, l->places);
	wire_put_u64(out, l->decoded_bytes);
	wire_put_i64(out, l->kdf_iterations);
	wire_put_i64(out, l->kdf_iterations_total);
	wire_put_i64(out, l->passwords);
	wire_put_u64(out, l->memory_bytes);
	wire_put_u64(out, l->config_bytes);
	wire_put_i64(out, l->image_stores);
	wire_put_u64(out, l->image_list_bytes);
	wire_put_i64(out, l->image_layers);
	wire_put_i64(out, l->tokens);
	wire_put_i64(out, l->token_certificates);
	wire_put_i64(out, l->listener_names);
	wire_put_i64(out, l->listener_names_total);
	wire_put_i64(out, l->listeners);
	wire_put_i64(out, l->layers_per_image);
	wire_put_i64(out, l->named_files);
	wire_put_i64(out, l->password_sources);
	wire_put_i64(out, l->reference_ports);
	wire_put_i64(out, l->config_depth);
	wire_put_i64(out, l->java_settings);
	wire_put_i64(out, l->token_modules);
	wire_put_u64(out, l->token_certificate_bytes);
	wire_put_i64(out, l->compared_keys);
	wire_put_i64(out, l->compared_certificates);
	wire_put_i64(out, l->compared_references);
	wire_put_i64(out, l->compared_servers);
	wire_put_i64(out, l->compared_sharers);
}

static bool are_bad(const struct format_limits *l)
{
	return l->nesting < 0 || l->nesting > FORMAT_DEPTH_CEILING || l->problems < 0 ||
	       l->keys < 0 || l->references < 0 || l->reference_names < 0 ||
	       l->reference_names > REFERENCE_NAMES_MAX || l->places < 0 ||
	       l->decoded_bytes > PARSER_FINDING_BYTES_MAX || l->kdf_iterations < 0 ||
	       l->kdf_iterations > FORMAT_KDF_ITERATIONS_CEILING || l->kdf_iterations_total < 0 ||
	       l->passwords < 0 || l->memory_bytes > FORMAT_MEMORY_BYTES_CEILING ||
	       l->config_bytes > FORMAT_BYTES_CEILING || l->image_stores < 0 ||
	       l->image_list_bytes > FORMAT_IMAGE_LISTS_BYTES_CEILING || l->image_layers < 1 ||
	       l->certificates < 1 || l->depth < 0 || l->depth > FORMAT_ARCHIVE_DEPTH_CEILING ||
	       l->members < 0 || l->ratio < 1 || l->time_ms < 1 ||
	       l->member_bytes > PARSER_FINDING_BYTES_MAX || l->layers_per_image < 1 ||
	       l->reference_ports < 0 || l->reference_ports > REFERENCE_PORTS_MAX ||
	       l->config_depth < 1 || l->config_depth > FORMAT_CONFIG_DEPTH_CEILING ||
	       l->java_settings < 0;
}

static void get_limits(struct wire *w, struct format_limits *l)
{
	l->certificates = wire_get_i64(w);
	l->depth = wire_get_i64(w);
	l->members = wire_get_i64(w);
	l->unpacked_bytes = wire_get_u64(w);
	l->ratio = wire_get_i64(w);
	l->member_bytes = wire_get_u64(w);
	l->time_ms = wire_get_i64(w);
	l->nesting = wire_get_i64(w);
	l->problems = wire_get_i64(w);
	l->keys = wire_get_i64(w);
	l->references = wire_get_i64(w);
	l->reference_names = wire_get_i64(w);
	l->places = wire_get_i64(w);
	l->decoded_bytes = wire_get_u64(w);
	l->kdf_iterations = wire_get_i64(w);
	l->kdf_iterations_total = wire_get_i64(w);
	l->passwords = wire_get_i64(w);
	l->memory_bytes = wire_get_u64(w);
	l->config_bytes = wire_get_u64(w);
	l->image_stores = wire_get_i64(w);
	l->image_list_bytes = wire_get_u64(w);
	l->image_layers = wire_get_i64(w);
	l->tokens = wire_get_i64(w);
	l->token_certificates = wire_get_i64(w);
	l->listener_names = wire_get_i64(w);
	l->listener_names_total = wire_get_i64(w);
	l->listeners = wire_get_i64(w);
	l->layers_per_image = wire_get_i64(w);
	l->named_files = wire_get_i64(w);
	l->password_sources = wire_get_i64(w);
	l->reference_ports = wire_get_i64(w);
	l->config_depth = wire_get_i64(w);
	l->java_settings = wire_get_i64(w);
	l->token_modules = wire_get_i64(w);
	l->token_certificate_bytes = wire_get_u64(w);
	l->compared_keys = wire_get_i64(w);
	l->compared_certificates = wire_get_i64(w);
	l->compared_references = wire_get_i64(w);
	l->compared_servers = wire_get_i64(w);
	l->compared_sharers = wire_get_i64(w);
	w->bad = w->bad || are_bad(l);
}

void parser_options_encode(struct buffer *out, const struct parser_options *o)
{
	wire_put_strings(out, &o->passwords);
	parser_passwords_encode(out, o);
	put_limits(out, &o->limits);
	wire_put_u32(out, (uint32_t)o->stores_count);
	for (size_t i = 0; i < o->stores_count; i++) {
		wire_put_text(out, o->stores[i].name);
		wire_put_bool(out, o->stores[i].is_system);
		wire_put_bool(out, o->stores[i].is_distrusted);
		wire_put_u64(out, o->stores[i].size);
	}
	wire_put_u32(out, (uint32_t)o->judgings_count);
	for (size_t i = 0; i < o->judgings_count; i++) {
		wire_put_u64(out, o->judgings[i].stores);
		wire_put_bool(out, o->judgings[i].use_common_name);
		wire_put_u64(out, o->judgings[i].id);
	}
}

/* They stand in their order, each once. */
static enum err get_judgings(struct wire *w, struct parser_options *o)
{
	size_t count = wire_get_u32(w);
	enum err e = count > PARSER_JUDGINGS_MAX ? ERR_MALFORMED : ERR_OK;

	for (size_t i = 0; e == ERR_OK && !w->bad && i < count; i++) {
		struct judging judging = { .stores = wire_get_u64(w) };
		uint8_t number;

		judging.use_common_name = wire_get_bool(w);
		judging.id = wire_get_u64(w);
		e = parser_options_add_judging(o, &judging, &number);
		if (e == ERR_OK && number != i)
			e = ERR_MALFORMED;
	}
	return e;
}

enum err parser_options_decode(struct slice bytes, struct parser_options *out)
{
	struct wire w = wire_of(bytes);
	struct parser_options o = { 0 };
	enum err e;
	uint32_t count;

	wire_get_strings(&w, &o.passwords, PARSER_PASSWORDS_MAX, PARSER_PASSWORD_BYTES_MAX);
	e = parser_passwords_decode(&w, &o);
	get_limits(&w, &o.limits);
	count = wire_get_u32(&w);
	for (uint32_t i = 0; e == ERR_OK && !w.bad && i < count; i++) {
		char *name = wire_get_text(&w, STORE_NAME_BYTES_MAX);
		bool is_system = wire_get_bool(&w);
		bool is_distrusted = wire_get_bool(&w);
		uint64_t size = wire_get_u64(&w);

		if (w.bad || !name)
			e = ERR_MALFORMED;
		if (e == ERR_OK)
			e = add_store(&o, name, is_system, size);
		else
			free(name);
		if (e == ERR_OK)
			o.stores[o.stores_count - 1].is_distrusted = is_distrusted;
	}
	if (e == ERR_OK)
		e = get_judgings(&w, &o);
	if (e == ERR_OK)
		e = wire_end(&w);
	if (e != ERR_OK)
		parser_options_fini(&o);
	else
		*out = o;
	return e;
}

static enum err send_setup(const struct parser_handover *h, parser_send_fn send, void *arg)
{
	struct setup setup = { .pinned_now = h->pinned_now, .log_level = h->log_level };
	struct buffer options, frame;
	enum err e;

	buffer_init(&options, FRAME_BYTES_MAX);
	buffer_init(&frame, FRAME_BYTES_MAX);
	parser_options_encode(&options, h->options);
	setup.options = buffer_bytes(&options);
	setup_encode(&frame, &setup);
	e = buffer_status(&options);
	if (e == ERR_OK)
		e = buffer_status(&frame);
	if (e == ERR_OK)
		e = send(arg, MESSAGE_SETUP, buffer_bytes(&frame));
	buffer_wipe(&options);
	buffer_wipe(&frame);
	return e;
}

enum err parser_handover(const struct parser_handover *h, parser_send_fn send, void *arg)
{
	enum err e = send_setup(h, send, arg);

	for (size_t i = 0; e == ERR_OK && i < h->options->stores_count; i++) {
		struct slice left = buffer_bytes(&h->options->stores[i].bytes);

		while (e == ERR_OK && left.size) {
			size_t size =
				left.size < FINDING_PIECE_BYTES ? left.size : FINDING_PIECE_BYTES;

			e = send(arg, MESSAGE_MEMORY, slice_of(left.data, size));
			left = slice_after(left, size);
		}
	}
	return e;
}
