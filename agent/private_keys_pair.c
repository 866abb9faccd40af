/* Which key is beside which certificate. */
#include "agent/private_keys_internal.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a pair is called in its sentence. */
#define SENTENCE_BYTES 1024

static bool is_same(const uint8_t a[FINGERPRINT_BYTES], const uint8_t b[FINGERPRINT_BYTES])
{
	return memcmp(a, b, FINGERPRINT_BYTES) == 0;
}

/* "RSA" and "RSA-PSS" write one key in two ways, which their hashes do not show. */
static bool is_rsa(const char *algorithm)
{
	return algorithm && strncmp(algorithm, "RSA", 3) == 0;
}

bool held_mismatch(const struct held_key *k, const struct held_certificate *c)
{
	if (!k->facts.is_known || is_same(k->facts.spki_sha256, c->spki))
		return false;
	if (!k->facts.algorithm || !c->algorithm)
		return false;
	return strcmp(k->facts.algorithm, c->algorithm) == 0 ||
	       !(is_rsa(k->facts.algorithm) && is_rsa(c->algorithm));
}

struct held_certificate *held_leaf(struct held_certificate *first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!first[i].is_ca)
			return &first[i];
	return first;
}

/* One wrong key is said once, whichever ways lead to it. */
static enum err charge(struct holdings *h, struct held_certificate *c, const struct held_key *k,
	const char *sentence)
{
	if (c->is_sample)
		return ERR_OK;
	for (size_t i = 0; i < c->notes.count; i++)
		if (c->notes.items[i].problem == PROBLEM_KEY_MISMATCH &&
			strcmp(c->notes.items[i].uri, k->uri) == 0)
			return ERR_OK;
	return held_note_copy(h, c, PROBLEM_KEY_MISMATCH, k->uri, sentence);
}

/* ---- in the same place --------------------------------------------------------------------------- */

/* Everything that lies in one place. */
struct place {
	struct held_key *keys;
	size_t keys_count;
	struct held_certificate *certificates;
	size_t certificates_count;
};

static bool owns_one(const struct place *p, const struct held_key *k)
{
	for (size_t i = 0; i < p->certificates_count; i++)
		if (is_same(p->certificates[i].spki, k->facts.spki_sha256))
			return true;
	return false;
}

static bool is_owned(const struct place *p, const struct held_certificate *c)
{
	for (size_t i = 0; i < p->keys_count; i++)
		if (is_same(p->keys[i].facts.spki_sha256, c->spki))
			return true;
	return false;
}

static bool has_aliases(const struct place *p)
{
	for (size_t i = 0; i < p->keys_count; i++)
		if (!p->keys[i].alias)
			return false;
	return true;
}

/* A keystore says which belong together: the first certificate of the key's name. */
static enum err pair_by_alias(struct holdings *h, const struct place *p, const struct held_key *k)
{
	for (size_t i = 0; i < p->certificates_count; i++) {
		struct held_certificate *c = &p->certificates[i];

		if (!c->alias || strcmp(c->alias, k->alias) != 0)
			continue;
		return held_mismatch(k, c)
			       ? charge(h, c, k,
					 "the private key under the same name in the keystore belongs to"
					 " another certificate")
			       : ERR_OK;
	}
	return ERR_OK;
}

/* Else the one key without a certificate and the one certificate without a key. A locked key may be anybody's. */
static enum err pair_leftovers(struct holdings *h, const struct place *p)
{
	struct held_certificate *lone = held_leaf(p->certificates, p->certificates_count);
	const struct held_key *idle = NULL;
	size_t idle_count = 0;
	size_t lone_count = 0;

	for (size_t i = 0; i < p->keys_count; i++) {
		if (!p->keys[i].facts.is_known)
			return ERR_OK;
		if (owns_one(p, &p->keys[i]))
			continue;
		idle = &p->keys[i];
		idle_count++;
	}
	if (idle_count != 1)
		return ERR_OK;
	/* The only key must be somebody's; of several the others tell who is left. */
	for (size_t i = 0; p->keys_count > 1 && i < p->certificates_count; i++) {
		struct held_certificate *c = &p->certificates[i];

		if (c->is_ca || is_owned(p, c))
			continue;
		lone = c;
		lone_count++;
	}
	if ((p->keys_count > 1 && lone_count != 1) || !held_mismatch(idle, lone))
		return ERR_OK;
	return charge(
		h, lone, idle, "the private key in the same file belongs to another certificate");
}

enum err private_keys_same_place(struct holdings *h)
{
	enum err e = ERR_OK;

	for (size_t at = 0; e == ERR_OK && at < h->keys_count;) {
		struct place p = { 0 };

		p.keys = held_keys_at(h, h->keys[at].uri, &p.keys_count);
		p.certificates = held_certificates_at(h, h->keys[at].uri, &p.certificates_count);
		at += p.keys_count;
		if (!p.certificates)
			continue;
		if (!has_aliases(&p))
			e = pair_leftovers(h, &p);
		else
			for (size_t i = 0; e == ERR_OK && i < p.keys_count; i++)
				e = pair_by_alias(h, &p, &p.keys[i]);
	}
	return e;
}

/* ---- named by the same configuration ------------------------------------------------------------- */

/* The lines of one configuration, which stand one after another. */
struct lines {
	const struct held_reference *first;
	const struct held_reference *end;
};

static struct lines lines_around(const struct holdings *h, const struct held_reference *r)
{
	struct lines l = { r, r + 1 };

	while (l.first > h->references && strcmp(l.first[-1].config, r->config) == 0)
		l.first--;
	while (l.end < h->references + h->references_count && strcmp(l.end->config, r->config) == 0)
		l.end++;
	return l;
}

static bool is_sibling(const struct held_reference *a, const struct held_reference *b)
{
	return a->server == b->server && a->is_client == b->is_client;
}

/* The certificate's place among those of its server, and the key at the same place among its keys. NULL where
 * there are not as many of both. */
static const struct held_reference *key_of(const struct holdings *h, const struct held_reference *r)
{
	const struct lines l = lines_around(h, r);
	size_t certificates = 0;
	size_t keys = 0;
	size_t mine = 0;

	for (const struct held_reference *o = l.first; o < l.end; o++) {
		if (!is_sibling(o, r))
			continue;
		if (o == r)
			mine = certificates;
		certificates += !o->is_key;
		keys += o->is_key;
	}
	if (keys != certificates)
		return NULL;
	for (const struct held_reference *o = l.first; o < l.end; o++)
		if (o->is_key && is_sibling(o, r) && mine-- == 0)
			return o;
	return NULL;
}

static enum err pair_configured(struct holdings *h, const struct held_reference *r)
{
	const struct held_reference *named = key_of(h, r);
	char sentence[SENTENCE_BYTES];
	struct held_certificate *certificates;
	struct held_certificate *leaf;
	struct held_key *keys;
	size_t keys_count;
	size_t count;

	if (!named || strcmp(named->file, r->file) == 0)
		return ERR_OK;
	certificates = held_certificates_at(h, r->file, &count);
	keys = held_keys_at(h, named->file, &keys_count);
	if (!certificates || !keys || keys_count != 1)
		return ERR_OK;
	leaf = held_leaf(certificates, count);
	if (!held_mismatch(keys, leaf))
		return ERR_OK;
	(void)snprintf(sentence, sizeof(sentence),
		"the private key %.300s, which %.60s in %.300s:%u names for it, belongs to another"
		" certificate",
		private_keys_shown(named->file), named->directive,
		private_keys_shown(named->config), named->line);
	return charge(h, leaf, keys, sentence);
}

enum err private_keys_configured(struct holdings *h)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < h->references_count; i++)
		if (!h->references[i].is_key)
			e = pair_configured(h, &h->references[i]);
	return e;
}

/* ---- named alike --------------------------------------------------------------------------------- */

static bool strip_end(char *text, const char *end)
{
	size_t size = strlen(text);
	size_t cut = strlen(end);

	if (size < cut || strcmp(text + size - cut, end) != 0)
		return false;
	text[size - cut] = 0;
	return true;
}

static bool is_separator(char c)
{
	return c == '-' || c == '_' || c == '.';
}

/* Takes one of the words off: alone, before digits ("privkey1"), or behind a separator ("server-key"). */
static bool strip_word(char *text, const char *const *words)
{
	for (; *words; words++) {
		size_t size = strlen(*words);
		size_t all = strlen(text);

		if (strncmp(text, *words, size) == 0 &&
			strspn(text + size, "0123456789") == all - size) {
			memmove(text, text + size, all - size + 1);
			return true;
		}
		if (all > size && strcmp(text + all - size, *words) == 0 &&
			is_separator(text[all - size - 1])) {
			text[all - size - 1] = 0;
			return true;
		}
	}
	return false;
}

bool private_keys_stem(const char *uri, bool is_key, char **stem)
{
	static const char *const key_ends[] = { ".key", ".pem", ".der", ".p8", ".pk8", NULL };
	static const char *const ends[] = { ".crt", ".cer", ".cert", ".pem", ".der", NULL };
	static const char *const key_words[] = { "privkey", "private", "key", "priv", NULL };
	static const char *const words[] = { "fullchain", "cert", "certificate", "crt", NULL };
	const char *last = strrchr(uri, '/');
	bool is_named = false;
	char *name = last ? strdup(last + 1) : NULL;

	if (!name)
		return false;
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (const char *const *end = is_key ? key_ends : ends; *end && !is_named; end++)
		is_named = strip_end(name, *end);
	if (!is_named) {
		free(name);
		return false;
	}
	(void)strip_word(name, is_key ? key_words : words);
	*stem = name;
	return true;
}

static size_t folder_size(const char *uri)
{
	const char *last = strrchr(uri, '/');

	return last ? (size_t)(last - uri) : 0;
}

static bool is_in(const char *uri, const char *folder, size_t size)
{
	return strncmp(uri, folder, size) == 0 && uri[size] == '/' && !strchr(uri + size + 1, '/');
}

/* The folders in which the key's certificate may lie: its own, and "certs" beside "private". */
struct folders {
	char own[PATH_MAX];
	char beside[PATH_MAX];
};

static bool folders_of(const struct held_key *k, struct folders *out)
{
	size_t size = folder_size(k->uri);

	if (!size || size + sizeof("certs") > sizeof(out->own))
		return false;
	memcpy(out->own, k->uri, size);
	out->own[size] = 0;
	memcpy(out->beside, out->own, size + 1);
	if (strip_end(out->beside, "/private"))
		memcpy(out->beside + strlen(out->beside), "/certs", sizeof("/certs"));
	else
		out->beside[0] = 0;
	return true;
}

/* Is another key in the key's folder its own, or one of the same name that could not be opened? */
static bool has_better(const struct holdings *h, const struct held_key *k, const char *stem,
	const struct held_certificate *c)
{
	size_t size = folder_size(k->uri);

	for (size_t i = 0; i < h->keys_count; i++) {
		const struct held_key *o = &h->keys[i];
		char *other = NULL;
		bool is_better;

		if (!is_in(o->uri, k->uri, size) || strstr(o->uri, "!/"))
			continue;
		if (o->facts.is_known) {
			if (!held_mismatch(o, c))
				return true;
			continue;
		}
		is_better = private_keys_stem(o->uri, true, &other) && strcmp(other, stem) == 0;
		free(other);
		if (is_better)
			return true;
	}
	return false;
}

static enum err charge_beside(
	struct holdings *h, const struct held_key *k, const char *stem, struct held_certificate *c)
{
	char sentence[SENTENCE_BYTES];
	char *other = NULL;
	bool is_alike = private_keys_stem(c->uri, false, &other) && strcmp(other, stem) == 0;
	size_t keys;

	free(other);
	/* One that has a key in its own file needs none beside it. */
	if (!is_alike || !held_mismatch(k, c) || held_keys_at(h, c->uri, &keys) ||
		has_better(h, k, stem, c))
		return ERR_OK;
	(void)snprintf(sentence, sizeof(sentence),
		"the private key %.400s beside it belongs to another certificate",
		private_keys_shown(k->uri));
	return charge(h, c, k, sentence);
}

/* What lies in the folder, with what lies below it, stands together. */
static enum err charge_folder(
	struct holdings *h, const struct held_key *k, const char *stem, const char *folder)
{
	size_t size = strlen(folder);
	size_t at = held_certificates_from(h, folder);
	size_t count = 1;
	enum err e = ERR_OK;

	for (; e == ERR_OK && at < h->certificates_count; at += count) {
		struct held_certificate *c = &h->certificates[at];

		if (strncmp(c->uri, folder, size) != 0)
			break;
		for (count = 1; at + count < h->certificates_count; count++)
			if (strcmp(c[count].uri, c->uri) != 0)
				break;
		if (is_in(c->uri, folder, size))
			e = charge_beside(h, k, stem, held_leaf(c, count));
	}
	return e;
}

static enum err pair_alike(struct holdings *h, const struct held_key *k)
{
	struct folders folders;
	char *stem = NULL;
	size_t count;
	enum err e = ERR_OK;

	/* A key that came with certificates in its file is theirs. */
	if (!k->facts.is_known || strstr(k->uri, "!/") || held_certificates_at(h, k->uri, &count) ||
		!folders_of(k, &folders) || !private_keys_stem(k->uri, true, &stem))
		return ERR_OK;
	e = charge_folder(h, k, stem, folders.own);
	if (e == ERR_OK && folders.beside[0])
		e = charge_folder(h, k, stem, folders.beside);
	free(stem);
	return e;
}

enum err private_keys_named_alike(struct holdings *h)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < h->keys_count; i++)
		e = pair_alike(h, &h->keys[i]);
	return e;
}
