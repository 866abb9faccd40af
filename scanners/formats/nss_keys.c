/* The private keys of an NSS database: key4.db, whose table nssPrivate holds them sealed (softoken's sftkpwd.c),
 * but the numbers of the public half open. */
#include "scanners/formats/keys.h"
#include "scanners/formats/nss.h"
#include "scanners/formats/oid.h"

#define LABEL_BYTES_MAX 65536
#define DIGEST_BYTES 20
#define SALT_BYTES_MAX 64
/* What the entry `password` says when it was opened by the right one. */
#define PASSWORD_CHECK "password-check"
#define CHECK_BYTES_MAX 64
#define OID_PBES2 "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"
#define OID_AES_256_CBC "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"
#define AES_IV_BYTES 16
#define AES_256_KEY_BYTES 32

/* CKA_LABEL, CKA_KEY_TYPE, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_NSS_DB of private keys. */
static const char keys_text[] = "SELECT a3,a100,a120,a122,a180,ad5a0db00 FROM nssPrivate"
				" WHERE a0=x'00000003' ORDER BY rowid";
static const char password_text[] = "SELECT item1,item2 FROM metaData WHERE id='password' LIMIT 1";

/* CKK_*, four bytes, big endian. */
enum { KEY_RSA = 0, KEY_EC = 3 };

static uint64_t number_of(struct slice s)
{
	uint64_t value = 0;

	if (s.size != 4)
		return UINT64_MAX;
	for (size_t i = 0; i < s.size; i++)
		value = value << 8 | s.data[i];
	return value;
}

/* SEQUENCE { PBES2 with AES-256-CBC, OCTET STRING }. NSS takes the parameter of the cipher with its header for the
 * initialization vector. */
static bool read_check(struct slice entry, struct pbe *out, struct slice *secret)
{
	char unknown[ASN1_OID_TEXT_BYTES];
	struct asn1 outer, algorithm, oid, list, cipher, item;

	*out = (struct pbe){ .kind = PBE_PBES2,
		.own = PBE_GNUTLS,
		.cipher = GNUTLS_CIPHER_AES_256_CBC,
		.key_bytes = AES_256_KEY_BYTES };
	if (!asn1_expect(&entry, ASN1_SEQUENCE, &outer) ||
		!asn1_expect(&outer.content, ASN1_SEQUENCE, &algorithm) ||
		!asn1_expect(&algorithm.content, ASN1_OID, &oid) ||
		!OID_IS(oid.content, OID_PBES2) ||
		!asn1_expect(&algorithm.content, ASN1_SEQUENCE, &list) ||
		pbe_kdf_read(&list.content, &out->kdf, unknown) != ERR_OK ||
		!asn1_expect(&list.content, ASN1_SEQUENCE, &cipher) ||
		!asn1_expect(&cipher.content, ASN1_OID, &oid) ||
		!OID_IS(oid.content, OID_AES_256_CBC) ||
		!asn1_expect(&cipher.content, ASN1_OCTETS, &item) ||
		item.whole.size != AES_IV_BYTES)
		return false;
	out->iv = item.whole;
	if (!asn1_expect(&outer.content, ASN1_OCTETS, &item))
		return false;
	*secret = item.content;
	return true;
}

/* Does the empty password open it? The secret is a hash of salt and password. */
static bool is_open_entry(struct slice salt, struct slice entry, struct pbe_budget *budget)
{
	uint8_t digest[DIGEST_BYTES] = { 0 };
	struct pbe_secret secret = { .budget = budget, .suffix = slice_of(digest, sizeof(digest)) };
	struct buffer plain;
	struct pbe pbe;
	bool is_open;

	if (salt.size > SALT_BYTES_MAX || !read_check(entry, &pbe, &secret.bytes) ||
		secret.bytes.size > CHECK_BYTES_MAX ||
		gnutls_hash_fast(GNUTLS_DIG_SHA1, salt.data, salt.size, digest) != 0)
		return false;
	buffer_init(&plain, CHECK_BYTES_MAX);
	is_open = pbe_decrypt_for(&pbe, &secret, &plain) == ERR_OK &&
		  plain.size == strlen(PASSWORD_CHECK) &&
		  memcmp(plain.data, PASSWORD_CHECK, plain.size) == 0;
	buffer_wipe(&plain);
	return is_open;
}

static bool is_open(sqlite3 *db, struct pbe_budget *budget)
{
	sqlite3_stmt *find = NULL;
	bool is_it = false;

	if (sqlite3_prepare_v2(db, password_text, -1, &find, NULL) == SQLITE_OK &&
		sqlite3_step(find) == SQLITE_ROW)
		is_it = is_open_entry(nss_column(find, 0), nss_column(find, 1), budget);
	(void)sqlite3_finalize(find);
	return is_it;
}

/* Some versions write the point as it is, some inside an OCTET STRING. */
static struct slice point_of(struct slice s)
{
	struct slice left = s;
	struct asn1 item;

	return asn1_expect(&left, ASN1_OCTETS, &item) && !left.size && item.content.size &&
			       item.content.data[0] == 4
		       ? item.content
		       : s;
}

static enum err take_row(struct keys *k, sqlite3_stmt *row, bool is_encrypted)
{
	char curve[ASN1_OID_TEXT_BYTES] = "";
	struct slice parameters = nss_column(row, 4);
	struct slice label = nss_column(row, 0);
	struct public_key half = { .kind = PUBLIC_RSA,
		.parts = { nss_column(row, 2), nss_column(row, 3) } };
	uint64_t type = number_of(nss_column(row, 1));
	struct buffer alias;
	struct asn1 oid;
	enum err e = ERR_NOT_FOUND;

	if (type == KEY_EC && asn1_expect(&parameters, ASN1_OID, &oid)) {
		asn1_oid_text(oid.content, curve, sizeof(curve));
		half = (struct public_key){
			.kind = PUBLIC_EC, .curve = curve, .parts = { point_of(nss_column(row, 5)) }
		};
	}
	buffer_init(&alias, LABEL_BYTES_MAX);
	if (label.size && label.size < LABEL_BYTES_MAX)
		buffer_slice(&alias, label);
	k->alias = alias.size ? buffer_string(&alias) : NULL;
	if (type == KEY_RSA || type == KEY_EC)
		e = keys_take_public(k, &half, is_encrypted);
	/* Of other kinds it is only known that they are there. */
	if (e == ERR_NOT_FOUND)
		e = keys_take_locked(k);
	buffer_fini(&alias);
	return e;
}

enum err nss_read_keys(
	sqlite3 *db, const struct format_input *in, const struct format_sink *sink, int *code)
{
	struct keys keys = { .in = in, .sink = sink, .budget = pbe_budget_of(in) };
	const bool is_encrypted = !is_open(db, &keys.budget);
	sqlite3_stmt *rows = NULL;
	enum err e = ERR_OK;

	if (in->budget && in->budget->locked_by)
		e = format_limited(sink,
			"its keys ask for more derivation than is allowed: whether a password protects them is not known",
			in->budget->locked_by);
	*code = sqlite3_prepare_v2(db, keys_text, -1, &rows, NULL);
	while (*code == SQLITE_OK && e == ERR_OK) {
		int step = sqlite3_step(rows);

		if (step == SQLITE_ROW)
			e = take_row(&keys, rows, is_encrypted);
		else
			*code = step;
	}
	(void)sqlite3_finalize(rows);
	return e;
}
