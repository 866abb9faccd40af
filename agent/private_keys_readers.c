/* Who can read private keys, and which certificates share one. */
#include "agent/private_keys_internal.h"

#include "agent/served_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Notes of one kind on one certificate: the first show what is wrong. */
#define NOTES_MAX 4
#define SENTENCE_BYTES 1024
#define FILE_SCHEME "file://"

/* ---- places -------------------------------------------------------------------------------------- */

const char *private_keys_shown(const char *uri)
{
	return strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) == 0 ? uri + strlen(FILE_SCHEME)
								   : uri;
}

static bool is_sample_folder(const char *name, size_t size)
{
	static const char *const names[] = { "test", "tests", "testing", "testdata", "fixtures",
		"example", "examples", "samples", "doc", "docs", "node_modules", "site-packages",
		"dist-packages" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncmp(names[i], name, size) == 0 && !names[i][size])
			return true;
	return false;
}

bool private_keys_is_sample(const char *uri)
{
	static const char packages[] = FILE_SCHEME "/usr/";
	static const char local[] = FILE_SCHEME "/usr/local/";
	const char *last = strrchr(uri, '/');

	if (strncmp(uri, FILE_SCHEME, strlen(FILE_SCHEME)) != 0)
		return false;
	if (strncmp(uri, packages, strlen(packages)) == 0 &&
		strncmp(uri, local, strlen(local)) != 0)
		return true;
	for (const char *at = uri + strlen(FILE_SCHEME); at && at < last; at = strchr(at + 1, '/'))
		if (is_sample_folder(at + 1, strcspn(at + 1, "/")))
			return true;
	return false;
}

/* A file to which those with the right get: they may enter every folder above it. Keys come in the order of their
 * places, and most of the way to one is that to the one before. */
struct way {
	char *path; /* owned, or NULL */
	mode_t right;
};

/* The bytes of `path` up to the last of its folders that is on the way. */
static size_t known_size(const struct way *way, const char *path, mode_t right)
{
	size_t known = 0;

	for (size_t i = 0; way->path && way->right == right && path[i] && path[i] == way->path[i];
		i++)
		if (path[i] == '/')
			known = i;
	return known;
}

/* Where we may not look, nobody else may. */
static bool may_enter(const char *path, mode_t right)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & right || st.st_mode & S_IXOTH);
}

static bool is_way_open(struct way *way, const char *uri, mode_t right)
{
	char *path = served_path(uri);
	bool is_open = path != NULL;

	for (char *slash = path ? strchr(path + known_size(way, path, right) + 1, '/') : NULL;
		is_open && slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		is_open = may_enter(path, right);
		*slash = '/';
	}
	if (is_open) {
		free(way->path);
		*way = (struct way){ path, right };
	} else {
		free(path);
	}
	return is_open;
}

/* ---- readers ------------------------------------------------------------------------------------- */

enum reader { READER_NONE, READER_GROUP, READER_ALL };

/* A group of the owner's own number is the owner alone, by custom. */
static enum reader reader_of(struct way *way, const struct held_key *k)
{
	const struct key_record *f = &k->facts;

	if (!f->has_owner || !f->is_known)
		return READER_NONE;
	if (f->mode & S_IROTH && is_way_open(way, k->uri, S_IXOTH))
		return READER_ALL;
	if (f->mode & S_IRGRP && f->gid && f->gid != f->uid && is_way_open(way, k->uri, S_IXGRP))
		return READER_GROUP;
	return READER_NONE;
}

static enum err say_reader(struct held_key *k)
{
	char who[32] = "every user of this host";
	char text[SENTENCE_BYTES];

	if (k->reader == READER_GROUP)
		(void)snprintf(who, sizeof(who), "the group %u", k->facts.gid);
	(void)snprintf(text, sizeof(text),
		"%s can read its private key %.400s (mode %04o, owner %u)%s", who,
		private_keys_shown(k->uri), k->facts.mode, k->facts.uid,
		k->facts.is_encrypted ? ", which a password protects" : "");
	k->sentence = strdup(text);
	return k->sentence ? ERR_OK : ERR_MEMORY;
}

static size_t notes_of(const struct held_certificate *c, enum problem problem)
{
	size_t count = 0;

	for (size_t i = 0; i < c->notes.count; i++)
		count += c->notes.items[i].problem == problem;
	return count;
}

static int by_spki(const void *a, const void *b)
{
	return memcmp((*(const struct held_key *const *)a)->facts.spki_sha256,
		(*(const struct held_key *const *)b)->facts.spki_sha256, FINGERPRINT_BYTES);
}

static bool is_exposed(const struct held_key *k)
{
	return k->reader == READER_ALL && !k->facts.is_encrypted;
}

/* A key for which anyone may read is a problem; one that a group or a password guards is worth a word. */
static enum err note_reader(struct held_certificate *c, const struct held_key *k)
{
	enum problem problem = is_exposed(k) ? PROBLEM_KEY_EXPOSED : PROBLEM_COUNT;

	/* What anybody can download is no secret, unless a server here makes it one. */
	if (!c->is_served && (c->is_sample || k->is_sample))
		return ERR_OK;
	if (notes_of(c, problem) >= NOTES_MAX)
		return ERR_OK;
	return held_note(c, problem, k->uri, k->sentence);
}

/* `open` begins with the certificate's own, if others can read them. */
static enum err note_readers_of(
	struct held_certificate *c, const struct held_key *const *open, size_t count)
{
	unsigned said[2] = { 0 };
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < count; n++) {
		unsigned *of_kind = &said[is_exposed(open[n])];

		if (memcmp(open[n]->facts.spki_sha256, c->spki, FINGERPRINT_BYTES) != 0)
			break;
		/* Hundreds may be copies of one. */
		if (*of_kind < NOTES_MAX)
			e = note_reader(c, open[n]);
		++*of_kind;
	}
	return e;
}

/* `open` are the keys that others can read, by their public half. */
static enum err note_readers(struct holdings *h, const struct held_key *const *open, size_t count)
{
	enum err e = ERR_OK;

	for (size_t n = 0; e == ERR_OK && n < h->certificates_count; n++) {
		struct held_certificate *c = &h->certificates[n];
		size_t low = 0;
		size_t high = count;

		if (!c->has_key)
			continue;
		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (memcmp(open[middle]->facts.spki_sha256, c->spki, FINGERPRINT_BYTES) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		e = note_readers_of(c, open + low, count - low);
	}
	return e;
}

void private_keys_find_readers(struct holdings *h)
{
	struct way way = { 0 };

	for (size_t i = 0; i < h->keys_count; i++) {
		h->keys[i].reader = (int)reader_of(&way, &h->keys[i]);
		h->keys[i].is_sample = private_keys_is_sample(h->keys[i].uri);
	}
	free(way.path);
}

enum err private_keys_readers(struct holdings *h)
{
	const struct held_key **open = calloc(h->keys_count + 1, sizeof(const struct held_key *));
	size_t count = 0;
	enum err e = ERR_OK;

	if (!open)
		return ERR_MEMORY;
	for (size_t i = 0; e == ERR_OK && i < h->keys_count; i++) {
		if (h->keys[i].reader == READER_NONE)
			continue;
		e = say_reader(&h->keys[i]);
		open[count++] = &h->keys[i];
	}
	qsort(open, count, sizeof(void *), by_spki);
	if (e == ERR_OK)
		e = note_readers(h, open, count);
	free(open);
	return e;
}

/* ---- sharers ------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	const struct held_certificate *x = *(struct held_certificate *const *)a;
	const struct held_certificate *y = *(struct held_certificate *const *)b;
	int order = memcmp(x->spki, y->spki, FINGERPRINT_BYTES);

	return order ? order : strcmp(x->uri, y->uri);
}

static bool covers(const struct strings *all, const struct strings *some)
{
	for (size_t i = 0; i < some->count; i++)
		if (!strings_contain(all, some->items[i]))
			return false;
	return some->count > 0;
}

/* Are both the same holder's: issued anew, renewed with a name more, cross-signed? */
static bool is_same_holder(const struct held_certificate *a, const struct held_certificate *b)
{
	if (memcmp(a->fingerprint, b->fingerprint, FINGERPRINT_BYTES) == 0)
		return true;
	if (*a->subject && strcmp(a->subject, b->subject) == 0)
		return true;
	return covers(&a->names, &b->names) || covers(&b->names, &a->names);
}

static const char *name_of(const struct held_certificate *c)
{
	return *c->subject ? c->subject : c->names.count ? c->names.items[0] : "no name";
}

static enum err note_sharer(
	struct holdings *h, struct held_certificate *c, const struct held_certificate *other)
{
	char sentence[SENTENCE_BYTES];

	(void)snprintf(sentence, sizeof(sentence),
		"the certificate of %.300s at %.400s has the same private key", name_of(other),
		private_keys_shown(other->uri));
	return held_note_copy(h, c, PROBLEM_KEY_SHARED, other->uri, sentence);
}

/* Of `count` certificates with one key. */
static enum err note_group(struct holdings *h, struct held_certificate **group, size_t count)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < count; i++)
		for (size_t j = 0; e == ERR_OK && j < count; j++)
			if (!is_same_holder(group[i], group[j])) {
				e = note_sharer(h, group[i], group[j]);
				break;
			}
	return e;
}

enum err private_keys_sharers(struct holdings *h)
{
	static const uint8_t unknown[FINGERPRINT_BYTES];
	struct held_certificate **all =
		calloc(h->certificates_count + 1, sizeof(struct held_certificate *));
	size_t count = 0;
	enum err e = ERR_OK;

	if (!all)
		return ERR_MEMORY;
	for (size_t i = 0; i < h->certificates_count; i++)
		if (!h->certificates[i].is_sample &&
			memcmp(h->certificates[i].spki, unknown, FINGERPRINT_BYTES) != 0)
			all[count++] = &h->certificates[i];
	qsort(all, count, sizeof(void *), by_key);
	for (size_t i = 0, n; e == ERR_OK && i < count; i += n) {
		for (n = 1; i + n < count; n++)
			if (memcmp(all[i + n]->spki, all[i]->spki, FINGERPRINT_BYTES) != 0)
				break;
		e = note_group(h, all + i, n < h->sharers_max ? n : h->sharers_max);
		h->sharers_left += n > h->sharers_max && n > 1 ? n - h->sharers_max : 0;
	}
	free(all);
	return e;
}
