/* Private keys in OpenSSH's own format (its PROTOCOL.key): the public half stands open before the sealed part. */
#include "scanners/formats/keys.h"

#define MAGIC "openssh-key-v1"
#define CIPHER_NONE "none"
#define FIELDS_MAX 4

struct reader {
	struct slice left;
	bool is_short;
};

static uint32_t get_u32(struct reader *r)
{
	uint32_t value = 0;

	if (r->left.size < sizeof(value)) {
		r->is_short = true;
		r->left.size = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(value); i++)
		value = value << 8 | r->left.data[i];
	r->left = slice_after(r->left, sizeof(value));
	return value;
}

static struct slice get_string(struct reader *r)
{
	uint32_t size = get_u32(r);
	struct slice out = r->left;

	if (r->is_short || size > r->left.size) {
		r->is_short = true;
		return slice_of(NULL, 0);
	}
	out.size = size;
	r->left = slice_after(r->left, size);
	return out;
}

/* The strings of a public key behind its type (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4), and which of them are
 * the parts of public_key. Keys of tokens ("sk-") have no private half here. */
static const struct type {
	const char *name;
	enum public_kind kind;
	const char *curve;
	unsigned fields;
	unsigned parts[FIELDS_MAX];
	unsigned parts_count;
} types[] = {
	{ "ssh-rsa", PUBLIC_RSA, NULL, 2, { 1, 0 }, 2 },
	{ "ssh-dss", PUBLIC_DSA, NULL, 4, { 0, 1, 2, 3 }, 4 },
	{ "ecdsa-sha2-nistp256", PUBLIC_EC, "1.2.840.10045.3.1.7", 2, { 1 }, 1 },
	{ "ecdsa-sha2-nistp384", PUBLIC_EC, "1.3.132.0.34", 2, { 1 }, 1 },
	{ "ecdsa-sha2-nistp521", PUBLIC_EC, "1.3.132.0.35", 2, { 1 }, 1 },
	{ "ssh-ed25519", PUBLIC_ED25519, NULL, 1, { 0 }, 1 },
};

static bool is(struct slice s, const char *text)
{
	return s.data && s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

static const struct type *find_type(struct slice name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (is(name, types[i].name))
			return &types[i];
	return NULL;
}

static bool read_public(struct slice blob, struct public_key *out)
{
	struct reader r = { .left = blob };
	const struct type *type = find_type(get_string(&r));
	struct slice fields[FIELDS_MAX];

	if (!type)
		return false;
	for (unsigned i = 0; i < type->fields; i++)
		fields[i] = get_string(&r);
	*out = (struct public_key){ .kind = type->kind, .curve = type->curve };
	for (unsigned i = 0; i < type->parts_count; i++)
		out->parts[i] = fields[type->parts[i]];
	return !r.is_short && !r.left.size;
}

enum err keys_take_openssh(struct keys *k, struct slice bytes)
{
	struct reader r = { .left = slice_after(bytes, sizeof(MAGIC)) };
	struct public_key half;
	bool is_encrypted;

	if (!slice_starts(bytes, MAGIC, sizeof(MAGIC)))
		return ERR_NOT_FOUND;
	is_encrypted = !is(get_string(&r), CIPHER_NONE);
	(void)get_string(&r); /* how a password becomes a key, and its salt and rounds */
	(void)get_string(&r);
	if (get_u32(&r) != 1)
		return ERR_NOT_FOUND;
	if (!read_public(get_string(&r), &half) || r.is_short)
		return ERR_NOT_FOUND;
	return keys_take_public(k, &half, is_encrypted);
}
