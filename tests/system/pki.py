"""Makes keys, certificates and keystores with certtool and openssl, in a folder of the test's own."""
import base64
import hashlib
import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path


def run(*args, **kwargs):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{args}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def der(tag, content):
    """One TLV."""
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x80 | (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def der_of(pem):
    """The DER of the first certificate of a PEM text."""
    return base64.b64decode(pem.split("-----BEGIN CERTIFICATE-----")[1].split("-----END CERTIFICATE-----")[0])


def fingerprint(pem):
    """SHA-256 of the first certificate of a PEM text."""
    return hashlib.sha256(der_of(pem)).hexdigest()


class Certificate:
    def __init__(self, stem, name, pem, key, issuer):
        self.name, self.pem, self.key, self.issuer = name, pem, key, issuer
        self.pem_file = stem.with_suffix(".pem")
        self.key_file = stem.with_suffix(".key")
        self.pem_file.write_text(pem)
        self.key_file.write_text(key)
        self.key_file.chmod(0o600)
        self.fingerprint = fingerprint(pem)

    def der(self):
        return der_of(self.pem)

    def chain(self):
        """This certificate and its issuers, without the root."""
        return self.pem + (self.issuer.chain() if self.issuer and self.issuer.issuer else "")


class Pki:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count = 0

    def make(self, name, issuer=None, ca=False, names=(), begins="-1 day", ends="+90 days", usage=("tls_www_server",),
             key=None, rsa=0, more=(), organization=None):
        """`begins` and `ends` are dates that date(1) understands."""
        self.count += 1
        if key is None:
            algorithm = ["--key-type", "rsa", "--bits", str(rsa)] if rsa else ["--key-type", "ecdsa", "--curve", "secp256r1"]
            key = run("certtool", "--generate-privkey", "--no-text", *algorithm).decode()
        template = [f'cn = "{name}"', f"serial = {1000 + self.count}", f'activation_date = "{stamp(begins)}"',
                    f'expiration_date = "{stamp(ends)}"']
        template += [f'organization = "{organization}"'] if organization else []
        template += [f'dns_name = "{n}"' for n in names if not n[0].isdigit()]
        template += [f'ip_address = "{n}"' for n in names if n[0].isdigit()]
        template += ["ca", "cert_signing_key", "crl_signing_key"] if ca else [*usage, "signing_key"]
        template += more
        work = self.folder / f".work{self.count}"
        work.with_suffix(".t").write_text("\n".join(template))
        work.with_suffix(".k").write_text(key)
        args = ["certtool", "--no-text", "--load-privkey", work.with_suffix(".k"), "--template", work.with_suffix(".t")]
        if issuer:
            args += ["--generate-certificate", "--load-ca-certificate", issuer.pem_file, "--load-ca-privkey", issuer.key_file]
        else:
            args += ["--generate-self-signed"]
        pem = run(*args).decode()
        for suffix in (".t", ".k"):
            work.with_suffix(suffix).unlink()
        return Certificate(self.folder / f"certificate{self.count}", name, pem, key, issuer)

    def make_many(self, name, issuer, count, days=90):
        """A server's certificate with so many names; openssl's word for each would be slow, so its DER is given."""
        self.count += 1
        names = der(0x30, b"".join(der(0x82, b"host-%05d.apps.example.org" % i) for i in range(count)))
        stem = self.folder / f"certificate{self.count}"
        request, extensions, key = (stem.with_suffix(suffix) for suffix in (".csr", ".cnf", ".key"))
        extensions.write_text("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n"
                              f"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nsubjectAltName=DER:{names.hex()}\n")
        run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", key, "-out", request)
        pem = run("openssl", "x509", "-req", "-in", request, "-CA", issuer.pem_file, "-CAkey", issuer.key_file, "-set_serial",
                  str(1000 + self.count), "-days", str(days), "-extfile", extensions).decode()
        return Certificate(stem, name, pem, key.read_text(), issuer)

    def crl(self, issuer, revoked=(), begins="-1 hour", ends="+7 days", number=1):
        """The DER of a revocation list."""
        template = self.folder / "crl.t"
        listed = self.folder / "crl.l"
        template.write_text(f'crl_this_update_date = "{stamp(begins)}"\ncrl_next_update_date = "{stamp(ends)}"\n'
                            f'crl_revocation_date = "{stamp("-1 day")}"\ncrl_number = {number}\n')
        listed.write_text("".join(c.pem for c in revoked))
        args = ["certtool", "--generate-crl", "--outder", "--load-ca-privkey", issuer.key_file, "--load-ca-certificate", issuer.pem_file,
                "--template", template]
        return run(*args, *(["--load-certificate", listed] if revoked else []))

    def long_crl(self, issuer, count):
        """The PEM of a list with so many entries, which takes openssl's own database."""
        work = self.folder / "long"
        work.mkdir(exist_ok=True)
        (work / "index").write_text("".join(f"R\t301126000000Z\t261101000000Z\t{0x1000 + i:08x}\tunknown\t/CN=x\n" for i in range(count)))
        (work / "number").write_text("01\n")
        (work / "cnf").write_text(f"[ca]\ndefault_ca = me\n[me]\ndatabase = {work}/index\ncrlnumber = {work}/number\n"
                                  "default_md = sha256\ndefault_crl_days = 7\n")
        return run("openssl", "ca", "-gencrl", "-config", work / "cnf", "-cert", issuer.pem_file, "-keyfile", issuer.key_file)

    def scoped_crl(self, issuer, scope):
        """The DER of an empty list with an issuing distribution point, or (scope None) a delta: certtool makes neither."""
        work = self.folder / "ca"
        work.mkdir(exist_ok=True)
        (work / "index").write_text("")
        (work / "number").write_text("01\n")
        extension = f"issuingDistributionPoint = critical, @scope\n[scope]\n{scope}" if scope else "2.5.29.27 = critical, DER:020101"
        (work / "cnf").write_text(f"[ca]\ndefault_ca = me\n[me]\ndatabase = {work}/index\ncrlnumber = {work}/number\ndefault_md = sha256\n"
                                  f"default_crl_days = 7\ncrl_extensions = with\n[with]\nauthorityKeyIdentifier = keyid\n{extension}\n")
        pem = run("openssl", "ca", "-gencrl", "-config", work / "cnf", "-cert", issuer.pem_file, "-keyfile", issuer.key_file)
        return run("openssl", "crl", "-outform", "DER", input=pem)

    def ocsp_index(self, path, good=(), revoked=()):
        """The database of `openssl ocsp`."""
        lines = []
        for c in [*good, *revoked]:
            serial = run("openssl", "x509", "-noout", "-serial", input=c.pem.encode()).decode().strip().split("=")[1]
            gone = "261101000000Z,keyCompromise" if c in revoked else ""
            lines.append(f"{'R' if gone else 'V'}\t351231235959Z\t{gone}\t{serial}\tunknown\t/CN={c.name}\n")
        Path(path).write_text("".join(lines))

    def pkcs12(self, path, certificate, password):
        run("openssl", "pkcs12", "-export", "-in", certificate.pem_file, "-inkey", certificate.key_file, "-out", path,
            "-passout", f"pass:{password}")


def stamp(when):
    """A date as certtool wants it. What tests say most is reckoned here, the rest by date(1)."""
    shift = re.fullmatch(r"([+-]\d+) (minute|hour|day)s?", when)
    if shift:
        moment = datetime.now(timezone.utc) + timedelta(**{shift[2] + "s": int(shift[1])})
        return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    return run("date", "-u", "-d", when, "+%Y-%m-%d %H:%M:%S UTC").decode().strip()
