/* What bytes show of a certificate without GnuTLS. */
#include "agent/certificate/certificate.h"
#include "agent/certificate/der.h"

#include <gnutls/crypto.h>

void fingerprint_of(struct slice bytes, uint8_t out[FINGERPRINT_BYTES])
{
	/* gnutls_x509_crt_get_fingerprint encodes the certificate anew first, at many times the cost. */
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.data, bytes.size, out) != 0)
		memset(out, 0, FINGERPRINT_BYTES);
}

bool certificate_is_evident(struct slice bytes, struct evident_certificate *out)
{
	struct der_certificate c;

	if (!der_certificate(bytes, &c))
		return false;
	out->der_size = c.whole.size;
	fingerprint_of(c.whole, out->fingerprint);
	out->not_before = der_time(&c.not_before);
	out->not_after = der_time(&c.not_after);
	return true;
}
