/* Object identifiers of the containers, as DER content. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_OID_H
#define LEAFWATCH_SCANNERS_FORMATS_OID_H

#define OID_PKCS7 "\x2a\x86\x48\x86\xf7\x0d\x01\x07"
#define OID_DATA OID_PKCS7 "\x01"
#define OID_SIGNED_DATA OID_PKCS7 "\x02"
#define OID_ENVELOPED_DATA OID_PKCS7 "\x03"
#define OID_SIGNED_AND_ENVELOPED OID_PKCS7 "\x04"
#define OID_ENCRYPTED_DATA OID_PKCS7 "\x06"
/* Netscape certificate sequence, 2.16.840.1.113730.2.5. */
#define OID_CERTIFICATE_SEQUENCE "\x60\x86\x48\x01\x86\xf8\x42\x02\x05"

#define OID_IS(slice, literal) asn1_oid_is((slice), literal, sizeof(literal) - 1)

#endif
