#!/usr/bin/python3
"""Makes an issuer, certificates and OCSP answers of every kind. usage: make_ocsp.py FOLDER NOW"""
import datetime
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

folder = Path(sys.argv[1])
now = datetime.datetime.utcfromtimestamp(int(sys.argv[2]))
day = datetime.timedelta(days=1)
folder.mkdir(parents=True, exist_ok=True)


def name(cn):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


def make(cn, issuer=None, ca=False, serial=None, usages=(), ends=now + 90 * day):
    key = ec.generate_private_key(ec.SECP256R1())
    b = (x509.CertificateBuilder().subject_name(name(cn)).issuer_name(issuer[1].subject if issuer else name(cn))
         .public_key(key.public_key()).serial_number(serial or x509.random_serial_number())
         .not_valid_before(now - 30 * day).not_valid_after(ends)
         .add_extension(x509.BasicConstraints(ca, None), True))
    if usages:
        b = b.add_extension(x509.ExtendedKeyUsage(usages), False)
    return key, b.sign(issuer[0] if issuer else key, hashes.SHA256())


def write(file, data):
    (folder / file).write_bytes(data)


def der(c):
    return c.public_bytes(serialization.Encoding.DER)


ca = make("OCSP CA", ca=True)
other_ca = make("Other CA", ca=True)
namesake = make("OCSP CA", ca=True)
leaf = make("leaf", ca, serial=0x00F00D1234)
second = make("second", ca, serial=0x77)
delegate = make("delegate", ca, usages=[ExtendedKeyUsageOID.OCSP_SIGNING])
usurper = make("usurper", ca, usages=[ExtendedKeyUsageOID.SERVER_AUTH])
stranger = make("stranger", other_ca, usages=[ExtendedKeyUsageOID.OCSP_SIGNING])
expired = make("expired delegate", ca, usages=[ExtendedKeyUsageOID.OCSP_SIGNING], ends=now - day)
write("ca.der", der(ca[1]))
write("leaf.der", der(leaf[1]))
write("serial", format(leaf[1].serial_number, "x").rjust(10, "0").encode())


def answer(file, signer=ca, cert=leaf, issuer=ca, status=ocsp.OCSPCertStatus.GOOD, this=now - day, following=now + 6 * day,
           algorithm=hashes.SHA1(), nonce=None, extra=None):
    revoked = status == ocsp.OCSPCertStatus.REVOKED
    b = ocsp.OCSPResponseBuilder().add_response(
        cert=cert[1], issuer=issuer[1], algorithm=algorithm, cert_status=status, this_update=this, next_update=following,
        revocation_time=now - 2 * day if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None)
    b = b.responder_id(ocsp.OCSPResponderEncoding.HASH, signer[1])
    if signer is not ca and signer is not namesake:
        b = b.certificates([signer[1]])
    if nonce:
        b = b.add_extension(x509.OCSPNonce(nonce), False)
    write(file, b.sign(signer[0], hashes.SHA256()).public_bytes(serialization.Encoding.DER))


answer("good")
answer("good-sha256", algorithm=hashes.SHA256())
answer("revoked", status=ocsp.OCSPCertStatus.REVOKED)
answer("unknown", status=ocsp.OCSPCertStatus.UNKNOWN)
answer("stale", this=now - 9 * day, following=now - 2 * day)
answer("ahead", this=now + 2 * day, following=now + 9 * day)
answer("open", this=now - day, following=None)
answer("open-old", this=now - 20 * day, following=None)
answer("other-certificate", cert=second)
answer("other-issuer", cert=leaf, issuer=other_ca)
answer("delegated", signer=delegate)
answer("no-right", signer=usurper)
answer("stranger", signer=stranger)
answer("expired-delegate", signer=expired)
answer("wrong-key", signer=namesake)
answer("nonce", nonce=bytes(range(32)))
good = (folder / "good").read_bytes()
write("damaged", good[:-10] + bytes([good[-10] ^ 1]) + good[-9:])
write("cut", good[: len(good) // 2])
for status in (ocsp.OCSPResponseStatus.TRY_LATER, ocsp.OCSPResponseStatus.UNAUTHORIZED):
    write(status.name.lower(), ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER))
