/* Bouncy Castle's keystore BCFKS (org.bouncycastle.asn1.bc): ASN.1, encrypted as a whole, with a MAC. */
#include "scanners/formats/asn1.h"
#include "scanners/formats/keys.h"
#include "scanners/formats/oid.h"

#include <stdio.h>

#define PURPOSE_BYTES_MAX 128
#define ALIAS_BYTES_MAX 65536
#define HASH_BYTES_MAX 64
#define ASN1_UTF8 0x0c

/* What a key is derived for stands behind the password. */
#define FOR_STORE "STORE_ENCRYPTION"
#define FOR_INTEGRITY "INTEGRITY_CHECK"
#define FOR_KEY "PRIVATE_KEY_ENCRYPTION"

enum {
	OBJECT_CERTIFICATE,
	OBJECT_KEY,
	OBJECT_SECRET,
	OBJECT_PROTECTED_KEY,
	OBJECT_PROTECTED_SECRET
};

struct store {
	struct slice algorithm; /* of the encryption; empty where there is none */
	struct slice data;      /* encrypted content, or ObjectStoreData with its header */
	struct slice mac_algorithm;
	struct slice kdf; /* with its header */
	struct slice mac; /* empty where it is signed instead */
};

/* ObjectStore ::= SEQUENCE { CHOICE { ObjectStoreData, EncryptedObjectStoreData { AlgorithmIdentifier,
 * OCTET STRING } }, CHOICE { PbkdMacIntegrityCheck { AlgorithmIdentifier, AlgorithmIdentifier,
 * OCTET STRING }, [0] SignatureCheck } } */
static bool read_store(struct slice bytes, struct store *out)
{
	struct asn1 whole, data, check, item;
	struct slice inner;

	*out = (struct store){ 0 };
	if (!asn1_expect(&bytes, ASN1_SEQUENCE, &whole) ||
		!asn1_expect(&whole.content, ASN1_SEQUENCE, &data))
		return false;
	inner = data.content;
	out->data = data.whole;
	if (asn1_expect(&inner, ASN1_SEQUENCE, &item)) {
		out->algorithm = item.content;
		if (!asn1_expect(&inner, ASN1_OCTETS, &item) || inner.size)
			return false;
		out->data = item.content;
	}
	if (!asn1_expect(&whole.content, ASN1_SEQUENCE, &check))
		return whole.content.size && whole.content.data[0] == 0xa0;
	if (!asn1_expect(&check.content, ASN1_SEQUENCE, &item))
		return false;
	out->mac_algorithm = item.content;
	if (!asn1_expect(&check.content, ASN1_SEQUENCE, &item))
		return false;
	out->kdf = item.whole;
	if (!asn1_expect(&check.content, ASN1_OCTETS, &item))
		return false;
	out->mac = item.content;
	return true;
}

/* SEQUENCE { SEQUENCE { SEQUENCE { OID of PBES2 ...: a certificate has a version or a number there, and a
 * revocation list a signature algorithm, which is never PBES2. What is not encrypted has a version,
 * an algorithm and two times. */
static bool bcfks_sniff(struct slice head, struct file_size_hint size)
{
	static const char pbes2[] = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
	size_t header, length;
	struct asn1 item;
	uint8_t tag;

	(void)size;
	for (unsigned level = 0; level < 2; level++) {
		if (!asn1_header(head, &tag, &header, &length) || tag != ASN1_SEQUENCE)
			return false;
		head = slice_after(head, header);
	}
	if (asn1_expect(&head, ASN1_INTEGER, &item))
		return asn1_expect(&head, ASN1_SEQUENCE, &item) &&
		       asn1_expect(&head, ASN1_GENERALIZED_TIME, &item) &&
		       asn1_expect(&head, ASN1_GENERALIZED_TIME, &item);
	return asn1_header(head, &tag, &header, &length) && tag == ASN1_SEQUENCE &&
	       (head = slice_after(head, header), asn1_expect(&head, ASN1_OID, &item)) &&
	       OID_IS(item.content, pbes2);
}

/* As UTF-16 with its NUL, like the password (PBEParametersGenerator.PKCS12PasswordToBytes). */
static void put_purpose(const char *purpose, struct buffer *out)
{
	buffer_init(out, PURPOSE_BYTES_MAX);
	(void)!pbe_password(purpose, out);
}

/* --- objects ---------------------------------------------------------------------------------- */

struct walk {
	const struct format_sink *sink;
	struct keys keys;
	const char *integrity;
	struct buffer alias;
	enum err status;
	bool is_malformed;
};

static void malformed(struct walk *w, const char *message)
{
	enum err e = w->sink->problem(w->sink->arg, REASON_MALFORMED, slice_of(NULL, 0), message);

	w->is_malformed = true;
	if (w->status == ERR_OK)
		w->status = e;
}

/* EncryptedPrivateKeyData ::= SEQUENCE { EncryptedPrivateKeyInfo, SEQUENCE OF Certificate } */
static void take_chain(struct walk *w, struct slice data)
{
	struct asn1 outer, key, chain, certificate;

	if (!asn1_expect(&data, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &key) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &chain)) {
		malformed(w, "a key entry is damaged");
		return;
	}
	w->keys.alias = buffer_string(&w->alias);
	w->status = keys_take(&w->keys, key.whole, true);
	if (w->status == ERR_NOT_FOUND)
		w->status = keys_take_locked(&w->keys);
	while (w->status == ERR_OK && chain.content.size) {
		if (!asn1_expect(&chain.content, ASN1_SEQUENCE, &certificate)) {
			malformed(w, "the chain of a key entry is damaged");
			return;
		}
		w->status = w->sink->certificate(
			w->sink->arg, certificate.whole, buffer_string(&w->alias), w->integrity);
	}
}

/* ObjectData ::= SEQUENCE { type, identifier, created, modified, data OCTET STRING, comment OPTIONAL } */
static bool take_object(struct walk *w, struct slice object)
{
	struct asn1 type, name, time, data;
	uint64_t kind;

	if (!asn1_expect(&object, ASN1_INTEGER, &type) || !asn1_unsigned(&type, &kind) ||
		!asn1_expect(&object, ASN1_UTF8, &name) ||
		!asn1_expect(&object, ASN1_GENERALIZED_TIME, &time) ||
		!asn1_expect(&object, ASN1_GENERALIZED_TIME, &time) ||
		!asn1_expect(&object, ASN1_OCTETS, &data))
		return false;
	buffer_clear(&w->alias);
	buffer_slice(&w->alias, name.content);
	if (kind == OBJECT_CERTIFICATE)
		w->status = w->sink->certificate(
			w->sink->arg, data.content, buffer_string(&w->alias), w->integrity);
	else if (kind == OBJECT_KEY || kind == OBJECT_PROTECTED_KEY)
		take_chain(w, data.content);
	return true;
}

/* ObjectStoreData ::= SEQUENCE { version, algorithm, created, modified, SEQUENCE OF ObjectData, ... } */
static bool objects_of(struct slice bytes, struct slice *out)
{
	struct asn1 outer, item;

	if (!asn1_expect(&bytes, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_INTEGER, &item) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &item) ||
		!asn1_expect(&outer.content, ASN1_GENERALIZED_TIME, &item) ||
		!asn1_expect(&outer.content, ASN1_GENERALIZED_TIME, &item) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &item))
		return false;
	*out = item.content;
	return true;
}

/* `opened_by`: the password of the store, "" where it lies open. */
struct opened {
	const struct format_input *in;
	const char *integrity;
	const char *opened_by;
};

static enum format_answer take_objects(
	const struct format_sink *sink, struct slice objects, const struct opened *how)
{
	struct walk w = { .sink = sink,
		.integrity = how->integrity,
		.keys = { .in = how->in,
			.sink = sink,
			.likely = *how->opened_by ? how->opened_by : NULL,
			.budget = pbe_budget_of(how->in) } };
	struct buffer purpose;
	struct asn1 object;

	buffer_init(&w.alias, ALIAS_BYTES_MAX);
	put_purpose(FOR_KEY, &purpose);
	w.keys.suffix = buffer_bytes(&purpose);
	while (w.status == ERR_OK && objects.size) {
		if (!asn1_expect(&objects, ASN1_SEQUENCE, &object) ||
			!take_object(&w, object.content)) {
			malformed(&w, "an entry of the keystore is damaged");
			break;
		}
	}
	buffer_fini(&purpose);
	buffer_fini(&w.alias);
	return w.is_malformed ? FORMAT_BROKEN : FORMAT_MINE;
}

/* --- opening ---------------------------------------------------------------------------------- */

struct check {
	gnutls_mac_algorithm_t hmac;
	struct pbe_kdf kdf;
	struct slice content;
	struct slice mac;
	struct pbe_budget *budget;
};

static bool fits(const struct check *c, struct slice secret)
{
	uint8_t key[HASH_BYTES_MAX], mac[HASH_BYTES_MAX];
	size_t size = c->kdf.key_bytes ? (size_t)c->kdf.key_bytes : gnutls_hmac_get_len(c->hmac);
	bool is_same =
		pbe_kdf_derive(&c->kdf, secret, c->budget, key, size) == ERR_OK &&
		gnutls_hmac_fast(c->hmac, key, size, c->content.data, c->content.size, mac) == 0 &&
		memcmp(mac, c->mac.data, c->mac.size) == 0;

	explicit_bzero(key, sizeof(key));
	return is_same;
}

static bool read_check(const struct store *s, struct check *out)
{
	char unknown[ASN1_OID_TEXT_BYTES];
	struct slice left = s->kdf, algorithm = s->mac_algorithm;
	struct asn1 oid;

	if (!asn1_expect(&algorithm, ASN1_OID, &oid) ||
		pbe_kdf_read(&left, &out->kdf, unknown) != ERR_OK)
		return false;
	out->hmac = pbe_hmac(oid.content);
	out->mac = s->mac;
	return out->hmac != GNUTLS_MAC_UNKNOWN && out->kdf.key_bytes <= HASH_BYTES_MAX &&
	       s->mac.size == gnutls_hmac_get_len(out->hmac);
}

static bool is_mac(const struct store *s, struct slice content, const char *password,
	struct pbe_budget *budget)
{
	struct check check = { .content = content, .budget = budget };
	struct buffer secret, purpose;
	bool is_good = false;

	if (!read_check(s, &check))
		return false;
	buffer_init(&secret, PBE_PASSWORD_BYTES_MAX);
	put_purpose(FOR_INTEGRITY, &purpose);
	if (*password)
		(void)!pbe_password(password, &secret);
	buffer_slice(&secret, buffer_bytes(&purpose));
	if (buffer_status(&secret) == ERR_OK)
		is_good = fits(&check, buffer_bytes(&secret)) ||
			  (pbe_is_odd_scrypt(&check.kdf) && fits(&check, buffer_bytes(&secret)));
	buffer_wipe(&secret);
	buffer_fini(&purpose);
	return is_good;
}

/* One password. The tag of the cipher, or what comes out, says whether it was the right one. */
static enum err try_password(const struct store *s, const struct pbe *p, const char *password,
	struct pbe_budget *budget, struct buffer *plain)
{
	struct pbe_secret secret = { .password = password, .budget = budget, .bytes = s->data };
	struct buffer purpose;
	struct slice objects;
	enum err e;

	buffer_clear(plain);
	put_purpose(FOR_STORE, &purpose);
	secret.suffix = buffer_bytes(&purpose);
	e = pbe_decrypt_for(p, &secret, plain);
	if (e == ERR_PASSWORD) {
		struct pbe theirs = *p;

		if (pbe_is_odd_scrypt(&theirs.kdf)) {
			buffer_clear(plain);
			e = pbe_decrypt_for(&theirs, &secret, plain);
		}
	}
	buffer_fini(&purpose);
	return e == ERR_OK && !objects_of(buffer_bytes(plain), &objects) ? ERR_PASSWORD : e;
}

/* The MAC lies over the outer element's first member as it is: encrypted data with its algorithm. */
static struct slice macked(struct slice bytes)
{
	struct asn1 whole, data;

	if (!asn1_expect(&bytes, ASN1_SEQUENCE, &whole) || !asn1_next(&whole.content, &data))
		return slice_of(NULL, 0);
	return data.whole;
}

static enum format_answer open_store(
	const struct format_input *in, const struct format_sink *sink, const struct store *s)
{
	struct pbe_budget budget = pbe_budget_of(in);
	enum format_answer answer = FORMAT_MINE;
	char oid[ASN1_OID_TEXT_BYTES] = "";
	const char *password = "";
	struct slice objects;
	struct buffer plain;
	struct pbe p;
	enum err e = pbe_read(s->algorithm, &p, oid);

	buffer_init(&plain, format_bytes_max(in));
	if (e == ERR_OK)
		e = try_password(s, &p, password, &budget, &plain);
	for (size_t i = 0; e == ERR_PASSWORD && in->passwords && i < in->passwords->count; i++) {
		password = in->passwords->items[i];
		e = try_password(s, &p, password, &budget, &plain);
	}
	if (e == ERR_OK && objects_of(buffer_bytes(&plain), &objects))
		answer = take_objects(sink, objects,
			&(struct opened){ .in = in,
				.opened_by = password,
				.integrity = !s->mac.size ? "not-checked"
					     : is_mac(s, macked(in->bytes), password, &budget)
						     ? NULL
						     : "unverified" });
	else
		answer = format_locked(in, sink, e, oid);
	buffer_wipe(&plain);
	return answer;
}

static enum format_answer bcfks_parse(const struct format_input *in, const struct format_sink *sink)
{
	const struct opened open = { .in = in, .opened_by = "", .integrity = "not-checked" };
	struct slice objects;
	struct store s;

	if (!bcfks_sniff(in->bytes, (struct file_size_hint){ 0 }))
		return FORMAT_NOT_MINE;
	if (!read_store(in->bytes, &s)) {
		(void)sink->problem(sink->arg, REASON_MALFORMED, slice_of(NULL, 0),
			"the keystore is damaged or cut off");
		return FORMAT_BROKEN;
	}
	if (s.algorithm.size)
		return open_store(in, sink, &s);
	return objects_of(s.data, &objects) ? take_objects(sink, objects, &open) : FORMAT_NOT_MINE;
}

extern const struct format format_bcfks;
const struct format format_bcfks = {
	.name = "bcfks",
	.help = "Bouncy Castle FIPS keystore BCFKS",
	.password = "to open",
	.sniff = bcfks_sniff,
	.parse = bcfks_parse,
};
