/* The work of a pass: roots, then the files that configurations name, then those whose passwords they say. */
#include "scanners/files/plan.h"

#include "agent/base/text.h"
#include "scanners/files/options.h"
#include "scanners/formats/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_BYTES_MAX                                                         \
	((1 + FORMAT_PASSWORD_SOURCES_CEILING) * (READER_PATH_BYTES_MAX + 8) + \
		NAMED_MESSAGE_BYTES_MAX + 64)
#define PLACE_MAX (64 * 1024)
#define FILE_SCHEME "file://"
#define TEXT_BYTES 256
/* Of all sources of one file, so that they go in one frame. */
#define SOURCES_BYTES_MAX (64 * 1024)

/* A file whose password is in one of these; paths. */
struct locked {
	char *path; /* owned */
	struct strings sources;
	bool are_configurations[FORMAT_PASSWORD_SOURCES_CEILING];
	size_t bytes; /* of the sources */
};

/* Where a limit was reached, at the first file that was left out. */
struct left_out {
	char *path; /* owned; or NULL */
	size_t count;
	bool is_told;
};

enum { LEFT_NAMED, LEFT_LOCKED, LEFT_SOURCES, LEFT_COUNT };

struct files_plan {
	const char *job; /* borrowed from the conf */
	struct strings roots;
	size_t next;
	bool is_optional;
	/* Files that configurations name, as paths, and what to say of each that is not there. */
	struct strings named;
	struct strings messages;
	size_t next_named;
	struct locked *locked; /* owned */
	size_t locked_count;
	size_t next_locked;
	struct left_out left[LEFT_COUNT];
	size_t named_max; /* files that are looked for, and as many with passwords */
	size_t sources_max;
};

void files_plan_close(void *arg)
{
	struct files_plan *plan = arg;

	if (!plan)
		return;
	strings_fini(&plan->roots);
	strings_fini(&plan->named);
	strings_fini(&plan->messages);
	for (size_t i = 0; i < plan->locked_count; i++) {
		free(plan->locked[i].path);
		strings_fini(&plan->locked[i].sources);
	}
	free(plan->locked);
	for (size_t i = 0; i < LEFT_COUNT; i++)
		free(plan->left[i].path);
	free(plan);
}

enum err files_plan_new(const char *job, bool is_optional, const struct format_limits *limits,
	struct strings *roots, struct files_plan **out)
{
	struct files_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return ERR_MEMORY;
	limits = limits ? limits : &format_limits_standard;
	plan->job = job;
	plan->is_optional = is_optional;
	plan->named_max = (size_t)limits->named_files;
	plan->sources_max = (size_t)limits->password_sources;
	plan->roots = *roots;
	*roots = (struct strings){ 0 };
	*out = plan;
	return ERR_OK;
}

/* The next limit that was reached; false where there is none left. */
static bool next_left(struct files_plan *plan, char text[TEXT_BYTES], struct root_item *root)
{
	static const struct {
		const char *sentence;
		const char *key;
	} limits[LEFT_COUNT] = {
		[LEFT_NAMED] = { "configurations name more files than are looked for",
			"named_files" },
		[LEFT_LOCKED] = { "configurations say the passwords of more files than are tried",
			"named_files" },
		[LEFT_SOURCES] = { "its passwords are said in more files than are read",
			"password_sources" },
	};

	for (size_t which = 0; which < LEFT_COUNT; which++) {
		struct left_out *l = &plan->left[which];

		if (!l->path || l->is_told)
			continue;
		l->is_told = true;
		(void)snprintf(text, TEXT_BYTES, "%s: %zu left out, this the first (limits.%s)",
			limits[which].sentence, l->count, limits[which].key);
		root->path = slice_text(l->path);
		root->message = slice_text(text);
		root->is_limit = true;
		return true;
	}
	return false;
}

/* False behind the last. */
static bool next_root(struct files_plan *plan, char text[TEXT_BYTES], struct root_item *out)
{
	struct root_item root = { .is_optional = plan->is_optional };

	if (plan->next < plan->roots.count) {
		root.path = slice_text(plan->roots.items[plan->next++]);
	} else if (plan->next_named < plan->named.count) {
		root.path = slice_text(plan->named.items[plan->next_named]);
		root.message = slice_text(plan->messages.items[plan->next_named++]);
	} else if (plan->next_locked < plan->locked_count) {
		const struct locked *l = &plan->locked[plan->next_locked++];

		root.path = slice_text(l->path);
		for (size_t i = 0; i < l->sources.count; i++)
			root.sources[root.sources_count++] =
				(struct root_source){ l->are_configurations[i],
					slice_text(l->sources.items[i]) };
	} else if (!next_left(plan, text, &root)) {
		return false;
	}
	*out = root;
	return true;
}

enum err files_plan_next(void *arg, struct scan_item *out, struct why *why)
{
	char text[TEXT_BYTES];
	struct root_item root;
	struct scan_item item = { 0 };
	struct buffer place;

	(void)why;
	if (!next_root(arg, text, &root))
		return ERR_END;
	buffer_init(&place, PLACE_MAX);
	path_uri(&place, root.path);
	buffer_init(&item.item, ITEM_BYTES_MAX);
	root_item_encode(&item.item, &root);
	item.place = buffer_take_string(&place);
	if (!item.place || buffer_status(&item.item) != ERR_OK) {
		free(item.place);
		buffer_fini(&item.item);
		return ERR_MEMORY;
	}
	*out = item;
	return ERR_OK;
}

/* The path of a file: uri, owned; NULL for none, and `*e` says whether memory was the cause. */
static char *path_of(const char *uri, enum err *e)
{
	struct buffer path;
	char *out = NULL;

	buffer_init(&path, READER_PATH_BYTES_MAX);
	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0 &&
		text_uri_decode(&path, slice_text(uri + strlen(FILE_SCHEME))) && path.size &&
		path.data[0] == '/' && !memchr(path.data, 0, path.size) &&
		buffer_status(&path) == ERR_OK) {
		out = buffer_take_string(&path);
		*e = out ? ERR_OK : ERR_MEMORY;
	}
	buffer_fini(&path);
	return out;
}

/* Takes the path of the first. */
static void leave_out(struct files_plan *plan, size_t which, char *path)
{
	struct left_out *l = &plan->left[which];

	l->count++;
	if (l->path)
		free(path);
	else
		l->path = path;
}

static enum err add_named(void *arg, const char *uri, const char *message)
{
	struct files_plan *plan = arg;
	enum err e = ERR_OK;
	char *path;

	/* What is too long to say is not said; inventory_missing.c makes none. */
	if (strlen(message) > NAMED_MESSAGE_BYTES_MAX)
		return ERR_OK;
	path = path_of(uri, &e);
	if (!path)
		return e;
	if (plan->named.count >= plan->named_max) {
		leave_out(plan, LEFT_NAMED, path);
		return ERR_OK;
	}
	e = strings_add(&plan->messages, message);
	if (e != ERR_OK) {
		free(path);
		return e;
	}
	return strings_take(&plan->named, path);
}

/* The entry of this path, which is taken; they come by file. NULL: there is no room for it, or, says `*e`, no
 * memory. */
static struct locked *locked_of(struct files_plan *plan, char *path, enum err *e)
{
	size_t count = plan->locked_count;
	struct locked *all;

	if (count && strcmp(plan->locked[count - 1].path, path) == 0) {
		free(path);
		return &plan->locked[count - 1];
	}
	if (count >= plan->named_max) {
		leave_out(plan, LEFT_LOCKED, path);
		return NULL;
	}
	all = reallocarray(plan->locked, count + 1, sizeof(*all));
	if (!all) {
		*e = ERR_MEMORY;
		free(path);
		return NULL;
	}
	plan->locked = all;
	all[plan->locked_count++] = (struct locked){ .path = path };
	return &all[count];
}

static enum err add_password(void *arg, const char *uri, const char *source, bool is_configuration)
{
	struct files_plan *plan = arg;
	enum err e = ERR_OK;
	char *path = path_of(uri, &e);
	char *from = path ? path_of(source, &e) : NULL;
	struct locked *l;

	if (!from) {
		free(path);
		return e;
	}
	l = locked_of(plan, path, &e);
	if (!l || strings_contain(&l->sources, from)) {
		free(from);
		return e;
	}
	if (l->sources.count >= plan->sources_max || l->bytes + strlen(from) > SOURCES_BYTES_MAX) {
		free(from);
		path = strdup(l->path);
		if (path)
			leave_out(plan, LEFT_SOURCES, path);
		return path ? ERR_OK : ERR_MEMORY;
	}
	l->bytes += strlen(from);
	l->are_configurations[l->sources.count] = is_configuration;
	return strings_take(&l->sources, from);
}

enum err files_plan_follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct files_plan *plan = arg;
	enum err e = ERR_OK;

	if (hints->each_named_file)
		e = hints->each_named_file(hints->ctx, plan->job, add_named, plan, why);
	if (e == ERR_OK && hints->each_password)
		e = hints->each_password(hints->ctx, plan->job, add_password, plan, why);
	return e;
}
