/* The targets of a list of sources, one at a time: nothing is expanded in memory. Networks are walked in
 * a shuffled order and several at once, so that none of them is hammered. */
#include "scanners/network/targets.h"

#include "agent/base/text.h"
#include "agent/process/messages.h"
#include "scanners/network/exclude.h"
#include "scanners/network/shape.h"
#include "scanners/network/shuffle.h"
#include "scanners/network/target_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NETWORKS_OPEN_MAX 64

/* A network under way. */
struct network {
	struct shape shape; /* owned */
	struct shuffle shuffle;
	uint64_t next;
};

/* A list that was added. */
struct added {
	struct added *next;
	struct buffer text;
	char *place; /* owned */
};

struct targets {
	const struct strings *sources;   /* borrowed */
	size_t source;                   /* the next one */
	const struct exclusions *except; /* borrowed, or NULL */
	struct network networks[NETWORKS_OPEN_MAX];
	size_t networks_count;
	size_t turn;     /* whose it is: a network's, or with networks_count the sources' */
	bool is_drained; /* the sources have no more */
	struct target_list *list; /* owned: open while a list is read */
	const char *list_name;    /* borrowed from sources; NULL: one that was added: */
	struct added *added;      /* owned list */
	struct added *reading;    /* borrowed from it */
	enum err failure;         /* the first list that could not be read */
	struct why failure_why;
	uint64_t seed;
};

bool target_accepts(const char *source)
{
	static const char *const others[] = { "pkcs11:", "nss:", "listeners:", "file:" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(source, others[i], strlen(others[i])) == 0)
			return false;
	if (strcmp(source, "-") == 0 || (source[0] == '@' && source[1]))
		return true;
	if (!source[0] || source[0] == '.' || source[0] == '-' || source[0] == '~')
		return false;
	return shape_is_likely(source);
}

enum err target_check(const char *source, struct why *why)
{
	struct shape s = { 0 };
	enum err e;

	if (strcmp(source, "@") == 0)
		return why_fail(why, ERR_USAGE, "target \"@\": a file name follows the @");
	if (target_list_is(source))
		return ERR_OK;
	e = shape_parse(source, &s, why);
	if (e == ERR_OK)
		shape_fini(&s);
	return e;
}

/* ---- life ------------------------------------------------------------------------------------- */

static enum err count(const struct strings *sources, uint64_t *expected, struct why *why)
{
	uint64_t total = 0;
	bool is_known = true;

	for (size_t i = 0; i < sources->count; i++) {
		struct shape s = { 0 };
		enum err e;

		if (target_list_is(sources->items[i])) {
			is_known = false;
			continue;
		}
		e = shape_parse(sources->items[i], &s, why);
		if (e != ERR_OK)
			return e;
		total += shape_size(&s);
		shape_fini(&s);
	}
	*expected = is_known ? total : 0;
	return ERR_OK;
}

enum err targets_open(const struct strings *sources, const struct exclusions *except,
	struct targets **out, uint64_t *expected, struct why *why)
{
	struct targets *t = calloc(1, sizeof(*t));
	enum err e;

	if (!t)
		return ERR_MEMORY;
	t->sources = sources;
	t->except = except;
	/* Without entropy the order is merely known. */
	if (getrandom(&t->seed, sizeof(t->seed), GRND_NONBLOCK) != (ssize_t)sizeof(t->seed))
		t->seed = (uint64_t)(uintptr_t)t;
	e = count(sources, expected, why);
	if (e == ERR_OK)
		*out = t;
	else
		targets_free(t);
	return e;
}

void targets_free(struct targets *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->networks_count; i++)
		shape_fini(&t->networks[i].shape);
	target_list_free(t->list);
	while (t->added) {
		struct added *next = t->added->next;

		buffer_fini(&t->added->text);
		free(t->added->place);
		free(t->added);
		t->added = next;
	}
	free(t);
}

enum err targets_add_list(struct targets *t, struct buffer *text, const char *place)
{
	struct added *one = calloc(1, sizeof(*one));
	struct added **last = &t->added;

	if (!one)
		return ERR_MEMORY;
	one->place = strdup(place);
	if (!one->place) {
		free(one);
		return ERR_MEMORY;
	}
	one->text = *text;
	buffer_init(text, text->ceiling);
	while (*last)
		last = &(*last)->next;
	*last = one;
	t->is_drained = false;
	return ERR_OK;
}

/* ---- networks --------------------------------------------------------------------------------- */

static void open_network(struct targets *t, const struct shape *s)
{
	struct network *n = &t->networks[t->networks_count++];

	n->shape = *s;
	n->next = 0;
	shuffle_init(&n->shuffle, shape_size(s), t->seed++);
}

static void close_network(struct targets *t, struct network *n)
{
	shape_fini(&n->shape);
	*n = t->networks[--t->networks_count];
}

/* The next target of the network whose turn it is. */
static enum err from_network(struct targets *t, struct target *out)
{
	struct network *n = &t->networks[t->turn];
	enum err e = shape_target(&n->shape, shuffle_at(&n->shuffle, n->next), out);

	if (e != ERR_OK)
		return e;
	if (++n->next == n->shuffle.size)
		close_network(t, n);
	else
		t->turn++;
	return ERR_OK;
}

/* ---- sources and lists ------------------------------------------------------------------------ */

/* A bad line is told at a place of its own: the list and the line's number. */
static enum err complain(
	const struct targets *t, uint64_t line, const char *sentence, struct target *out)
{
	struct target target = { 0 };
	struct buffer place;

	buffer_init(&place, PLACE_BYTES_MAX);
	if (t->list_name) {
		buffer_text(&place, "file://");
		text_uri_encode(&place,
			slice_text(t->list_name[0] == '@' ? t->list_name + 1 : "/dev/stdin"));
	} else {
		buffer_text(&place, t->reading->place);
	}
	buffer_format(&place, "!/%" PRIu64, line);
	target.host = buffer_take_string(&place);
	target.complaint = strdup(sentence);
	if (!target.host || !target.complaint) {
		target_fini(&target);
		return ERR_MEMORY;
	}
	*out = target;
	return ERR_OK;
}

static void list_failed(struct targets *t, enum err e, const struct why *why)
{
	if (t->failure == ERR_OK) {
		t->failure = e;
		t->failure_why = *why;
	}
}

/* One target is given at once; of more a network is opened, and ERR_NOT_FOUND returned. */
static enum err take_shape(struct targets *t, struct shape *s, struct target *out)
{
	enum err e;

	if (shape_size(s) > 1) {
		open_network(t, s);
		return ERR_NOT_FOUND;
	}
	e = shape_target(s, 0, out);
	shape_fini(s);
	return e;
}

/* One entry: a target, a complaint in `out`, or neither yet (ERR_NOT_FOUND). */
static enum err from_list(struct targets *t, struct target *out)
{
	struct shape s = { 0 };
	struct why why = { 0 };
	const char *entry;
	uint64_t line;
	enum err e = target_list_next(t->list, &entry, &line, &why);

	if (e == ERR_USAGE)
		return complain(t, line, why.text, out);
	if (e != ERR_OK) {
		if (e != ERR_END)
			list_failed(t, e, &why);
		target_list_free(t->list);
		t->list = NULL;
		return e == ERR_MEMORY ? e : ERR_NOT_FOUND;
	}
	if (target_list_is(entry))
		return complain(t, line, "a list cannot name another list", out);
	e = shape_parse(entry, &s, &why);
	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		return complain(t, line, why_text(&why, e), out);
	return take_shape(t, &s, out);
}

static enum err open_added(struct targets *t)
{
	enum err e;

	t->reading = t->reading ? t->reading->next : t->added;
	t->list_name = NULL;
	e = target_list_over(buffer_bytes(&t->reading->text), TARGET_LIST_ENTRIES, &t->list);
	return e == ERR_OK ? ERR_NOT_FOUND : e;
}

static enum err from_source(struct targets *t, struct target *out, struct why *why)
{
	struct why inner = { 0 };
	struct shape s = { 0 };
	const char *source;
	enum err e;

	if (t->list)
		return from_list(t, out);
	if (t->source == t->sources->count) {
		if (t->reading ? t->reading->next : t->added)
			return open_added(t);
		t->is_drained = true;
		return ERR_NOT_FOUND;
	}
	source = t->sources->items[t->source++];
	if (!target_list_is(source)) {
		e = shape_parse(source, &s, why);
		return e == ERR_OK ? take_shape(t, &s, out) : e;
	}
	t->list_name = source;
	e = target_list_open(source, &t->list, &inner);
	if (e == ERR_MEMORY)
		return e;
	if (e != ERR_OK)
		list_failed(t, e, &inner);
	return ERR_NOT_FOUND;
}

static enum err next_of_all(struct targets *t, struct target *out, struct why *why)
{
	for (;;) {
		enum err e;

		if (t->turn < t->networks_count)
			return from_network(t, out);
		t->turn = 0;
		if (!t->is_drained && t->networks_count < NETWORKS_OPEN_MAX) {
			e = from_source(t, out, why);
			if (e != ERR_NOT_FOUND)
				return e;
			/* The sources go on until they give something, or one network more. */
			continue;
		}
		if (t->networks_count)
			continue;
		if (t->failure == ERR_OK)
			return ERR_END;
		return why_fail(why, t->failure, "%s", t->failure_why.text);
	}
}

static bool is_excluded(const struct targets *t, const struct target *target)
{
	if (target->complaint)
		return false;
	return exclusions_cover(t->except, target->host, target->port) ||
	       (target->name && exclusions_cover(t->except, target->name, target->port));
}

enum err targets_next(struct targets *t, struct target *out, struct why *why)
{
	for (;;) {
		enum err e = next_of_all(t, out, why);

		if (e != ERR_OK || !is_excluded(t, out))
			return e;
		target_fini(out);
	}
}
