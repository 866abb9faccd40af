/* The certificates of PKCS#11 tokens: no file holds them, so nothing is ever this; here is what they are. */
#include "scanners/formats/format.h"

extern const struct format format_pkcs11;
const struct format format_pkcs11 = {
	.name = "pkcs11",
	.help = "certificates in PKCS#11 tokens (pkcs11: sources); those it hides need its PIN",
	.password = "PIN, to see all",
};
