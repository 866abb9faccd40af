"""Makes keys, certificates and keystores with certtool and openssl, in a folder of the test's own."""
import os
import subprocess
from pathlib import Path


def run(*args, **kwargs):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{args}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def fingerprint(pem):
    """SHA-256 of the first certificate of a PEM text."""
    text = run("openssl", "x509", "-noout", "-fingerprint", "-sha256", input=pem.encode())
    return text.decode().split("=")[1].strip().replace(":", "").lower()


class Certificate:
    def __init__(self, stem, name, pem, key, issuer):
        self.name, self.pem, self.key, self.issuer = name, pem, key, issuer
        self.pem_file = stem.with_suffix(".pem")
        self.key_file = stem.with_suffix(".key")
        self.pem_file.write_text(pem)
        self.key_file.write_text(key)
        self.fingerprint = fingerprint(pem)

    def der(self):
        return run("openssl", "x509", "-outform", "DER", input=self.pem.encode())

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
        template += ["ca", "cert_signing_key"] if ca else [*usage, "signing_key"]
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

    def pkcs12(self, path, certificate, password):
        run("openssl", "pkcs12", "-export", "-in", certificate.pem_file, "-inkey", certificate.key_file, "-out", path,
            "-passout", f"pass:{password}")


def stamp(when):
    return run("date", "-u", "-d", when, "+%Y-%m-%d %H:%M:%S UTC").decode().strip()
