/* The parts that CRL and OCSP share. */
#include "agent/certificate/revocation.h"

#include "agent/base/text.h"

#include "agent/certificate/der.h"

#include <gnutls/crypto.h>

static bool key_bits_of(struct slice spki, struct slice *out)
{
	struct der_item outer;
	struct der_item algorithm;
	struct der_item bits;

	if (!der_take(&spki, DER_SEQUENCE, &outer) ||
		!der_take(&outer.content, DER_SEQUENCE, &algorithm) ||
		!der_take(&outer.content, DER_BIT_STRING, &bits) || !bits.content.size)
		return false;
	*out = slice_after(bits.content, 1);
	return true;
}

bool issuer_parts_of(struct slice issuer_der, struct issuer_parts *out)
{
	struct der_certificate c;

	if (!der_certificate(issuer_der, &c) || !key_bits_of(c.spki, &out->key))
		return false;
	out->name = c.subject;
	return true;
}

static bool sha1(struct slice bytes, uint8_t out[ISSUER_HASH_BYTES])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, bytes.data, bytes.size, out) == 0;
}

bool issuer_id_of(struct slice issuer_der, struct issuer_id *out)
{
	struct issuer_parts parts;

	return issuer_parts_of(issuer_der, &parts) && sha1(parts.name, out->name_sha1) &&
	       sha1(parts.key, out->key_sha1);
}

struct slice revocation_issuer(
	const struct trust *trust, const struct judge_question *q, const struct verdict *v)
{
	const uint8_t *wanted;

	if (v->chain.count < 2)
		return slice_of(NULL, 0);
	wanted = v->chain.items[1];
	for (size_t i = 0; i < q->candidates_count; i++)
		if (memcmp(q->candidates[i]->facts.fingerprint, wanted, FINGERPRINT_BYTES) == 0)
			return q->candidates[i]->der;
	return trust ? trust_der(trust, wanted) : slice_of(NULL, 0);
}

void revocation_note_issuer(
	const struct trust *trust, const struct judge_question *q, struct verdict *v)
{
	struct slice issuer = revocation_issuer(trust, q, v);

	v->has_issuer_id = issuer.size && issuer_id_of(issuer, &v->issuer_id);
}

bool revocation_serial(const char *text, uint8_t out[REVOCATION_SERIAL_BYTES], size_t *size)
{
	bool is_negative = text[0] == '-';
	const char *hex = text + is_negative;
	size_t digits = strlen(hex);
	uint8_t magnitude[REVOCATION_SERIAL_BYTES];
	unsigned carry = 1;
	size_t count = digits / 2;

	if (!digits || digits % 2 || count >= REVOCATION_SERIAL_BYTES ||
		!text_unhex(magnitude, count, hex))
		return false;
	/* A leading zero octet, so that the sign bit is free. */
	out[0] = 0;
	memcpy(out + 1, magnitude, count);
	*size = count + 1;
	for (size_t i = *size; is_negative && i-- > 0;) {
		unsigned byte = (uint8_t)~out[i] + carry;

		out[i] = (uint8_t)byte;
		carry = byte > 0xff;
	}
	/* The shortest form (X.690 8.3.2). */
	if ((!is_negative && !(out[1] & 0x80)) ||
		(is_negative && out[0] == 0xff && out[1] & 0x80)) {
		memmove(out, out + 1, count);
		*size = count;
	}
	return true;
}

bool revocation_is_current(int64_t this_update, int64_t next_update, int64_t now)
{
	int64_t end = next_update;

	if (this_update == TIME_UNKNOWN || this_update > now + REVOCATION_SKEW_S)
		return false;
	if (end == TIME_UNKNOWN)
		end = this_update + REVOCATION_OPEN_S;
	return now <= end + REVOCATION_SKEW_S;
}

const char *revocation_reason_word(unsigned reason)
{
	static const char *const words[] = { "unspecified", "keyCompromise", "cACompromise",
		"affiliationChanged", "superseded", "cessationOfOperation", "certificateHold",
		"unspecified", "removeFromCRL", "privilegeWithdrawn", "aACompromise" };

	return words[reason < sizeof(words) / sizeof(words[0]) ? reason : 0];
}
