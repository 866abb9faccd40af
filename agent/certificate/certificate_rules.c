/* What a certificate is by itself: the profile of RFC 5280 4, and the CA/Browser Forum's. */
#include "agent/certificate/dn.h"
#include "agent/certificate/hostname.h"
#include "agent/certificate/key.h"
#include "agent/certificate/names.h"
#include "agent/certificate/path_rules.h"

#include <arpa/inet.h>

/* NIST SP 800-131A: below these a key is no longer acceptable. */
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 224
#define SERIAL_OCTETS_MAX 20
#define SERIAL_BITS_GOOD 64
#define RSA_EXPONENT_USUAL 17 /* bits of 65537 */
#define RSA_EXPONENT_LARGE 64
#define NAMES_LOOKED_AT_MAX 10000
#define DAY_S 86400
#define LIFETIME_DAYS_MAX 398

static bool has(const struct node *n, enum extension which)
{
	return extension_is_present(&n->extensions, which);
}

static bool is_critical(const struct node *n, enum extension which)
{
	return extension_is_critical(&n->extensions, which);
}

static void add_if(struct rules *r, enum rule rule, bool is_broken)
{
	if (is_broken)
		rules_add(r, rule);
}

static bool same(struct slice a, struct slice b)
{
	return a.size == b.size && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* --- the fields (4.1) ---------------------------------------------------------------------------- */

static unsigned serial_bits(struct slice serial)
{
	unsigned bits = 0;

	while (serial.size && !serial.data[0])
		serial = slice_after(serial, 1);
	if (!serial.size)
		return 0;
	for (unsigned top = serial.data[0]; top; top >>= 1)
		bits++;
	return bits + 8 * (unsigned)(serial.size - 1);
}

static void check_serial(const struct node *n, enum role_in_path role, struct rules *r)
{
	struct slice serial = n->at.serial;
	bool is_negative = serial.size && serial.data[0] & 0x80;

	add_if(r, RULE_SERIAL_NEGATIVE, is_negative);
	add_if(r, RULE_SERIAL_LONG, serial.size > SERIAL_OCTETS_MAX);
	add_if(r, RULE_SERIAL_ZERO, !is_negative && !serial_bits(serial));
	add_if(r, RULE_SERIAL_SHORT,
		role == AS_LEAF && !is_negative && serial_bits(serial) < SERIAL_BITS_GOOD);
}

/* 4.1.2.5: "YYMMDDHHMMSSZ" through 2049, "YYYYMMDDHHMMSSZ" from then on. */
static bool is_date_well_formed(const struct der_item *date)
{
	struct slice s = date->content;
	size_t size = date->tag == DER_UTC_TIME ? 13 : 15;

	if (date->tag != DER_UTC_TIME && date->tag != DER_GENERALIZED_TIME)
		return false;
	if (s.size != size || s.data[size - 1] != 'Z')
		return false;
	for (size_t i = 0; i + 1 < size; i++)
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
	return date->tag == DER_UTC_TIME || memcmp(s.data, "2050", 4) >= 0;
}

static void check_dates(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *r)
{
	int64_t life;

	add_if(r, RULE_DATE_FORM,
		!is_date_well_formed(&n->at.not_before) || !is_date_well_formed(&n->at.not_after));
	if (n->not_before == TIME_UNKNOWN || n->not_after == TIME_UNKNOWN)
		return;
	add_if(r, RULE_DATES_REVERSED, n->not_after < n->not_before);
	add_if(r, RULE_LONG_LIFE,
		role == AS_LEAF && purpose == PURPOSE_SERVER &&
			!__builtin_sub_overflow(n->not_after, n->not_before, &life) &&
			life >= LIFETIME_DAYS_MAX * (int64_t)DAY_S);
}

static void check_fields(const struct node *n, struct rules *r)
{
	const struct extensions *x = &n->extensions;

	add_if(r, RULE_VERSION,
		(x->version < 3 && n->at.extensions.size) ||
			(x->version < 2 && x->has_unique_ids) || x->version > 3);
	add_if(r, RULE_SUBJECT_EMPTY, x->is_ca && dn_is_empty(n->at.subject));
	add_if(r, RULE_ISSUER_EMPTY, dn_is_empty(n->at.issuer));
}

/* --- extensions (4.2) ---------------------------------------------------------------------------- */

static void check_key_ids(const struct node *n, enum role_in_path role, struct rules *r)
{
	const struct extensions *x = &n->extensions;
	bool has_aki = has(n, EXTENSION_AUTHORITY_KEY_ID);
	/* Only where the issuer is itself may it be missing (4.2.1.1). */
	bool is_root = x->is_ca && n->is_self_issued;

	/* Nor is a way on sought from an anchor. */
	add_if(r, RULE_AKI_MISSING,
		!n->is_self_issued && role != AS_ANCHOR && !x->authority_key_id.size);
	add_if(r, RULE_AKI_CRITICAL, is_critical(n, EXTENSION_AUTHORITY_KEY_ID));
	add_if(r, RULE_AKI_HALF, x->authority_has_issuer != x->authority_has_serial);
	add_if(r, RULE_SKI_MISSING, x->is_ca && !x->subject_key_id.size);
	add_if(r, RULE_SKI_CRITICAL, is_critical(n, EXTENSION_SUBJECT_KEY_ID));
	add_if(r, RULE_ROOT_AKI,
		is_root && has_aki &&
			(x->authority_has_issuer || x->authority_has_serial ||
				!same(x->authority_key_id, x->subject_key_id)));
}

static void check_usages(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *r)
{
	const struct extensions *x = &n->extensions;
	bool has_usage = has(n, EXTENSION_KEY_USAGE);
	bool may_sign = x->key_usage & USAGE_KEY_CERT_SIGN;
	bool has_purposes = has(n, EXTENSION_PURPOSES);
	bool is_leaf = role == AS_LEAF && !x->is_ca;

	add_if(r, RULE_KU_EMPTY, has_usage && !x->key_usage);
	add_if(r, RULE_KU_MISSING, x->is_ca && !has_usage);
	add_if(r, RULE_SIGNER_NOT_CA, may_sign && !x->is_ca);
	add_if(r, RULE_PATH_LENGTH_VAIN,
		x->path_length != NO_NUMBER && (!x->is_ca || (has_usage && !may_sign)));
	add_if(r, RULE_BC_NOT_CRITICAL, x->is_ca && !is_critical(n, EXTENSION_BASIC_CONSTRAINTS));
	add_if(r, RULE_EKU_EMPTY, has_purposes && !x->purposes);
	add_if(r, RULE_EKU_CRITICAL,
		is_leaf && is_critical(n, EXTENSION_PURPOSES) && x->purposes != EKU_TIMESTAMP);
	add_if(r, RULE_EKU_ANY, is_leaf && x->purposes & EKU_ANY);
	add_if(r, RULE_EKU_MISSING, is_leaf && purpose == PURPOSE_SERVER && !has_purposes);
	add_if(r, RULE_ROOT_EKU, x->is_ca && n->is_self_issued && has_purposes);
	add_if(r, RULE_LEAF_IS_CA,
		role == AS_LEAF && x->is_ca &&
			(purpose == PURPOSE_SERVER || purpose == PURPOSE_CLIENT));
}

static void check_criticality(const struct node *n, struct rules *r)
{
	const struct extensions *x = &n->extensions;

	add_if(r, RULE_NC_IN_LEAF, has(n, EXTENSION_NAME_CONSTRAINTS) && !x->is_ca);
	add_if(r, RULE_NC_NOT_CRITICAL,
		has(n, EXTENSION_NAME_CONSTRAINTS) && !is_critical(n, EXTENSION_NAME_CONSTRAINTS));
	add_if(r, RULE_NC_EMPTY,
		has(n, EXTENSION_NAME_CONSTRAINTS) && !x->permitted.size && !x->excluded.size);
	add_if(r, RULE_PC_NOT_CRITICAL,
		has(n, EXTENSION_POLICY_CONSTRAINTS) &&
			!is_critical(n, EXTENSION_POLICY_CONSTRAINTS));
	add_if(r, RULE_PC_EMPTY,
		has(n, EXTENSION_POLICY_CONSTRAINTS) && x->require_explicit == NO_NUMBER &&
			x->inhibit_mapping == NO_NUMBER);
	add_if(r, RULE_IA_NOT_CRITICAL,
		has(n, EXTENSION_INHIBIT_ANY) && !is_critical(n, EXTENSION_INHIBIT_ANY));
	add_if(r, RULE_ACCESS_CRITICAL,
		is_critical(n, EXTENSION_AUTHORITY_ACCESS) ||
			is_critical(n, EXTENSION_SUBJECT_ACCESS));
	add_if(r, RULE_FRESHEST_CRITICAL, is_critical(n, EXTENSION_FRESHEST_CRL));
	add_if(r, RULE_ATTRIBUTES_CRITICAL, is_critical(n, EXTENSION_DIRECTORY_ATTRIBUTES));
	add_if(r, RULE_UNIMPORTANT_MALFORMED, x->malformed);
}

/* PolicyInformation ::= SEQUENCE { policyIdentifier, ... } */
static void check_policies(const struct node *n, struct rules *r)
{
	enum { POLICIES_LOOKED_AT_MAX = 64 };
	struct slice seen[POLICIES_LOOKED_AT_MAX];
	struct slice left = general_list(n->extensions.values[EXTENSION_POLICIES]);
	struct der_item item;
	struct der_item oid;
	size_t count = 0;

	while (count < POLICIES_LOOKED_AT_MAX && der_take(&left, DER_SEQUENCE, &item)) {
		if (!der_take(&item.content, DER_OID, &oid))
			continue;
		for (size_t i = 0; i < count; i++)
			add_if(r, RULE_POLICY_REPEATED, same(seen[i], oid.content));
		seen[count++] = oid.content;
	}
}

/* --- names --------------------------------------------------------------------------------------- */

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.size; i++)
		if (s.data[i] >= 0x80 || !s.data[i])
			return false;
	return true;
}

static bool is_name_well_formed(const struct general *name)
{
	struct slice rest = name->value;
	struct slice other;

	switch (name->kind) {
	case DNS_NAME:
		if (slice_starts(rest, "*.", 2))
			rest = slice_after(rest, 2);
		return dns_name_is_well_formed(rest, false) && !text_is_address(name->value);
	case RFC822_NAME:
		return is_ascii(rest) && mailbox_split(rest, &rest, &other);
	case URI_NAME:
		return is_ascii(rest) && rest.size && memchr(rest.data, ':', rest.size);
	case IP_ADDRESS:
		return rest.size == 4 || rest.size == 16;
	default:
		return true;
	}
}

static void check_alternatives(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *r)
{
	struct slice left = general_list(n->extensions.values[EXTENSION_SUBJECT_NAMES]);
	bool has_names = has(n, EXTENSION_SUBJECT_NAMES);
	bool has_subject = !dn_is_empty(n->at.subject);
	size_t count = 0;
	struct general name;

	add_if(r, RULE_SAN_NOT_CRITICAL,
		!has_subject && !n->extensions.is_ca && !is_critical(n, EXTENSION_SUBJECT_NAMES));
	add_if(r, RULE_SAN_CRITICAL, has_subject && is_critical(n, EXTENSION_SUBJECT_NAMES));
	add_if(r, RULE_SAN_MISSING, role == AS_LEAF && purpose == PURPOSE_SERVER && !has_names);
	add_if(r, RULE_SAN_EMPTY, has_names && !left.size);
	while (count++ < NAMES_LOOKED_AT_MAX && general_next(&left, &name)) {
		add_if(r, RULE_SAN_MALFORMED, !is_name_well_formed(&name));
		add_if(r, RULE_WILDCARD_SUFFIX,
			name.kind == DNS_NAME && hostname_is_suffix_wildcard(name.value));
	}
	add_if(r, RULE_SAN_MALFORMED, left.size && count <= NAMES_LOOKED_AT_MAX);
}

static bool names_hold(const struct node *n, struct slice cn)
{
	struct slice left = general_list(n->extensions.values[EXTENSION_SUBJECT_NAMES]);
	char text[INET6_ADDRSTRLEN];
	size_t count = 0;
	struct general name;

	while (count++ < NAMES_LOOKED_AT_MAX && general_next(&left, &name)) {
		if (name.kind == DNS_NAME && same(name.value, cn))
			return true;
		if (name.kind == IP_ADDRESS && (name.value.size == 4 || name.value.size == 16) &&
			inet_ntop(name.value.size == 4 ? AF_INET : AF_INET6, name.value.data, text,
				sizeof(text)) &&
			same(slice_text(text), cn))
			return true;
	}
	return false;
}

static void check_common_name(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *r)
{
	struct attribute_walk walk = attribute_walk_of(n->at.subject);
	struct der_item value;

	if (role != AS_LEAF || purpose != PURPOSE_SERVER || n->extensions.is_ca ||
		!has(n, EXTENSION_SUBJECT_NAMES))
		return;
	while (attribute_next(&walk, slice_of("\x55\x04\x03", 3), &value))
		add_if(r, RULE_CN_NOT_IN_SAN, !names_hold(n, value.content));
}

/* --- keys ---------------------------------------------------------------------------------------- */

static void check_key(const struct node *n, struct rules *r)
{
	enum key_curve curve = key_curve_read(n->at.spki);
	struct key_rsa rsa;

	add_if(r, RULE_CURVE_EXPLICIT, curve == CURVE_SPELT_OUT);
	add_if(r, RULE_CURVE_ODD, curve == CURVE_ODD);
	if (!key_rsa_read(n->at.spki, &rsa))
		return;
	add_if(r, RULE_RSA_BITS_ODD, rsa.modulus_bits % 8);
	add_if(r, RULE_RSA_EXPONENT,
		rsa.exponent_bits < RSA_EXPONENT_USUAL || rsa.exponent_bits > RSA_EXPONENT_LARGE);
}

void certificate_rules(
	const struct node *n, enum role_in_path role, enum purpose purpose, struct rules *broken)
{
	check_serial(n, role, broken);
	check_dates(n, role, purpose, broken);
	check_fields(n, broken);
	check_key_ids(n, role, broken);
	check_usages(n, role, purpose, broken);
	check_criticality(n, broken);
	check_policies(n, broken);
	check_alternatives(n, role, purpose, broken);
	check_common_name(n, role, purpose, broken);
	check_key(n, broken);
}

static bool is_key_weak(struct slice spki)
{
	char algorithm[KEY_NAME_BYTES];
	enum key_curve curve = key_curve_read(spki);
	struct key_rsa rsa;
	uint32_t bits;

	if (key_rsa_read(spki, &rsa))
		return rsa.modulus_bits < RSA_BITS_MIN || rsa.exponent_bits < 2 ||
		       !(rsa.exponent.data[rsa.exponent.size - 1] & 1) || key_is_roca(rsa.modulus);
	key_read(spki, algorithm, &bits);
	if (curve != CURVE_NONE)
		return curve == CURVE_SPELT_OUT || (bits && bits < EC_BITS_MIN);
	return strcmp(algorithm, "DSA") == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text);
	size_t tail = strlen(end);

	return size >= tail && strcmp(text + size - tail, end) == 0;
}

uint32_t node_weakness(const struct node *n, bool with_signature)
{
	static const char *const broken[] = { "-SHA1", "-MD5", "-MD2", "-MD4" };
	char signature[KEY_NAME_BYTES];
	uint32_t problems = is_key_weak(n->at.spki) ? PROBLEM_BIT(PROBLEM_WEAK_KEY) : 0;

	if (!with_signature)
		return problems;
	key_signature(n->at.signature_algorithm, signature);
	for (size_t i = 0; i < sizeof(broken) / sizeof(*broken); i++)
		if (ends_with(signature, broken[i]))
			problems |= PROBLEM_BIT(PROBLEM_WEAK_SIGNATURE);
	return problems;
}
