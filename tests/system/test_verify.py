"""leafwatch verify: the scan's verdict on one certificate, by the command."""
import base64
import datetime
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness
from harness import Case

VECTORS = os.environ.get("LEAFWATCH_VECTORS_DIR", "")


class Verify(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Verify Root", ca=True, usage=())
        self.sub = self.pki.make("Verify Sub", issuer=self.root, ca=True, usage=(), more=("crl_signing_key",))
        self.leaf = self.pki.make("verify.example", issuer=self.sub, names=("verify.example",))
        for stem, certificate in (("root", self.root), ("sub", self.sub), ("leaf", self.leaf)):
            (self.folder / f"{stem}.pem").write_text(certificate.pem)

    def verify(self, *args, code=0):
        return self.leafwatch("verify", "--no-system-trust", "--trust", self.folder / "root.pem", *args, code=code)

    def test_a_whole_chain_is_valid(self):
        done = self.verify("--untrusted", self.folder / "sub.pem", "--name", "dns:verify.example", self.folder / "leaf.pem")
        self.assertIn(b"valid: ", done.stdout)
        lines = done.stdout.decode().splitlines()
        path = lines[[line.startswith("path") for line in lines].index(True):]
        self.assertEqual(len(path), 3)
        self.assertIn("Verify Root", path[0])
        self.assertIn("(trusted)", path[0])
        self.assertIn("verify.example", path[2])

    def test_json_tells_the_path_and_the_verdict(self):
        done = self.verify("-o", "json", "--untrusted", self.folder / "sub.pem", self.folder / "leaf.pem")
        told = json.loads(done.stdout)
        self.assertEqual((told["type"], told["valid"], len(told["path"])), ("verification", True, 3))
        self.assertEqual(told["path"][0]["verdict"]["problems"], [])
        self.assertEqual(told["path"][0]["verdict"]["chain"], [c["fingerprint"] for c in told["path"]])

    def test_what_is_wrong_is_named(self):
        leaf = self.folder / "leaf.pem"
        sub = ("--untrusted", self.folder / "sub.pem")
        for args, word in (
            ((), "incomplete-chain"),
            ((*sub, "--name", "dns:other.example"), "name-mismatch"),
            ((*sub, "--purpose", "client"), "wrong-purpose"),
            ((*sub, "--max-depth", "0"), "path-too-deep"),
            ((*sub, "--at", "2100-01-01"), "expired"),
            ((*sub, "--at", "2001-01-01"), "not-yet-valid"),
            ((*sub, "--revocation", "hard"), "no-crl"),
        ):
            done = self.verify(*args, leaf, code=1)
            self.assertIn(word, done.stdout.decode(), args)
            self.assertIn("not valid", done.stdout.decode(), args)
        self.verify(*sub, "--revocation", "soft", leaf)
        self.verify(*sub, "--max-depth", "1", leaf)

    def test_a_file_that_is_none(self):
        other = self.folder / "none.pem"
        other.write_text("nothing\n")
        self.assertIn(b"no certificate", self.verify(other, code=1).stdout)
        bad = self.folder / "bad.pem"
        cut = base64.b64encode(self.leaf.der()[:-10]).decode()
        bad.write_text(f"-----BEGIN CERTIFICATE-----\n{cut}\n-----END CERTIFICATE-----\n" + self.leaf.pem)
        self.assertIn(b"not valid", self.verify("--untrusted", self.folder / "sub.pem", bad, code=1).stdout)

    def test_show_tells_who_depends_on_a_ca(self):
        for stem, certificate in (("root", self.root), ("sub", self.sub), ("leaf", self.leaf)):
            (self.tree / f"{stem}.pem").write_text(certificate.pem)
        (self.tree / "chain.pem").write_text(self.leaf.pem + self.sub.pem)
        state = self.folder / "state"
        self.leafwatch("scan", "--state", state, "--trust", self.folder / "root.pem", self.tree)
        # The leaf lies twice and counts once, by the place where its chain is whole.
        for certificate, line in ((self.root, "2 certificates depend on it"), (self.sub, "1 certificate depends on it")):
            done = self.leafwatch("show", "--state", state, certificate.fingerprint[:16])
            self.assertIn(line, done.stdout.decode())
            self.assertIn("expires in", done.stdout.decode())
        self.assertNotIn(b"depend", self.leafwatch("show", "--state", state, self.leaf.fingerprint).stdout)

    def test_wrong_usage_exits_2(self):
        leaf = self.folder / "leaf.pem"
        self.verify(code=2)
        self.verify(self.folder / "missing.pem", code=2)
        self.verify("--untrusted", self.folder / "missing.pem", leaf, code=2)
        self.verify("--name", "verify.example", leaf, code=2)
        self.verify("--purpose", "cooking", leaf, code=2)
        self.verify("--max-depth", "-1", leaf, code=2)
        self.verify("--revocation", "maybe", leaf, code=2)
        self.verify("-o", "csv", leaf, code=2)

    def crl(self, revoked):
        """A CRL of the sub CA by openssl, of the serials given."""
        home = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        (home / "index").write_text("".join(
            f"R\t400101000000Z\t250101000000Z\t{serial}\tunknown\t/CN=x\n" for serial in revoked))
        (home / "number").write_text("01\n")
        (home / "sub.pem").write_text(self.sub.pem)
        (home / "key.pem").write_text(self.sub.key)
        (home / "conf").write_text(
            f"[ca]\ndefault_ca=d\n[d]\ndatabase={home}/index\ncrlnumber={home}/number\ndefault_md=sha256\n"
            "default_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n")
        out = home / "crl.pem"
        subprocess.run(["openssl", "ca", "-config", home / "conf", "-gencrl", "-cert", home / "sub.pem",
                        "-keyfile", home / "key.pem", "-out", out], check=True, capture_output=True)
        return out

    def test_crls(self):
        serial = subprocess.run(["openssl", "x509", "-noout", "-serial", "-in", self.folder / "leaf.pem"],
                                check=True, capture_output=True).stdout.decode().strip().split("=")[1]
        args = ("--untrusted", self.folder / "sub.pem", self.folder / "leaf.pem")
        self.verify("--crl", self.crl([]), *args)
        self.assertIn(b"revoked", self.verify("--crl", self.crl([serial]), *args, code=1).stdout)
        self.verify("--crl", self.crl([serial]), "--revocation", "off", *args)
        # Of the root's certificates nothing is said, so hard mode is not content.
        self.assertIn(b"no-crl", self.verify("--crl", self.crl([]), "--revocation", "hard", *args, code=1).stdout)
        self.assertIn(b"crl-unusable", self.verify("--crl", self.crl([]), "--at", self.later(60), *args, code=1).stdout)

    def test_what_was_given_for_nothing(self):
        garbage = self.folder / "garbage"
        garbage.write_bytes(b"\x00garbage" * 50)
        sub, leaf = ("--untrusted", self.folder / "sub.pem"), self.folder / "leaf.pem"
        for scope, words in ((None, "a delta"), ("indirectCRL = TRUE", "is indirect"), ("onlyCA = TRUE", "of CAs only"),
                             ("onlyAA = TRUE", "attribute certificates only"), ("onlysomereasons = keyCompromise", "some reasons"),
                             ("fullname = URI:http://other.example/x.crl", "distribution point")):
            path = self.folder / "scoped.crl"
            path.write_bytes(self.pki.scoped_crl(self.sub, scope))
            done = self.leafwatch("verify", "--no-system-trust", "--trust", self.folder / "root.pem", *sub, "--crl", path, leaf, code=None)
            line, = [line for line in done.stdout.decode().splitlines() if line.startswith("crl ")]
            self.assertIn(f"{path}: ", line)
            self.assertIn(words, line, scope)
            self.assertIn(b"revocation-unknown", done.stdout)
        done = self.verify(*sub, "--crl", garbage, "--untrusted", garbage, "-o", "json", leaf)
        self.assertEqual([(n["option"], n["file"]) for n in json.loads(done.stdout)["notes"]], [("untrusted", str(garbage)), ("crl", str(garbage))])
        many, lists = self.folder / "many.pem", self.folder / "many.crl"
        many.write_text(4097 * (self.folder / "root.pem").read_text())
        lists.write_text(257 * ("-----BEGIN X509 CRL-----\n" + base64.encodebytes(self.pki.crl(self.sub)).decode() +
                                "-----END X509 CRL-----\n"))
        done = self.verify(*sub, "--crl", lists, "--untrusted", many, "--untrusted", garbage, "-o", "json", leaf)
        self.assertEqual([(n["option"], n["file"], n["message"].partition(":")[0]) for n in json.loads(done.stdout)["notes"]],
                         [("untrusted", str(many), "not all of it is used"), ("untrusted", str(garbage), "it holds no certificate"),
                          ("crl", str(lists), "not all of it is used")])
        done = self.leafwatch("verify", "--no-system-trust", "--trust", garbage, leaf, code=1)
        self.assertIn(b"holds no certificate", done.stderr)
        self.assertIn(b"missing    CN=Verify Sub, which issued CN=verify.example", done.stdout)
        done = self.verify(*sub, "--name", "dns:other.example", leaf, code=1).stdout.decode()
        self.assertIn("asked for  other.example", done)
        self.assertIn("it covers  dns:verify.example", done)

    def test_what_the_path_needs_has_expired(self):
        old = self.pki.make("Old CA", issuer=self.root, ca=True, begins="-400 days", ends="-3 days")
        leaf = self.pki.make("a.example", issuer=old)
        (self.folder / "old.pem").write_text(leaf.pem + old.pem)
        done = self.verify(self.folder / "old.pem", code=1).stdout.decode()
        self.assertIn("problem    expired: CN=Old CA, which its path needs, has expired", done)
        self.assertIn("CN=Old CA  expired ", done)
        self.pki.pkcs12(self.folder / "a.p12", self.leaf, "secret")
        self.assertIn(b"--password-file", self.verify(self.folder / "a.p12", code=1).stdout)

    def later(self, days):
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@unittest.skipUnless(os.path.exists(f"{VECTORS}/x509-limbo/limbo-given.json"), "no vectors")
class Limbo(Case):
    """A sample of x509-limbo through the command: all of it goes through the same code in certificate/test_limbo."""

    def command(self, case):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        args = ["verify", "--no-system-trust"]
        for option, key in (("--trust", "trusted_certs"), ("--untrusted", "untrusted_intermediates"), ("--crl", "crls")):
            if case[key]:
                path = folder / key
                path.write_text("\n".join(case[key]))
                args += [option, path]
        peer = case["expected_peer_name"]
        if peer:
            kind = {"DNS": "dns", "IP": "ip", "RFC822": "email"}[peer["kind"]]
            args += ["--name", f"{kind}:{peer['value']}"]
        args += ["--purpose", case["validation_kind"].lower()]
        if case["validation_time"]:
            args += ["--at", case["validation_time"]]
        if case["max_chain_depth"] is not None:
            args += ["--max-depth", str(case["max_chain_depth"])]
        leaf = folder / "leaf.pem"
        leaf.write_text(case["peer_certificate"])
        return [*args, leaf]

    def test_sample(self):
        with open(f"{VECTORS}/x509-limbo/limbo-given.json") as f:
            cases = json.load(f)["testcases"]
        bulk = [c for c in cases if c["id"].startswith("bettertls")]
        core = [c for c in cases if not c["id"].startswith(("bettertls", "webpki"))]
        wrong = []
        for case in core[::8] + bulk[::150]:
            done = subprocess.run([harness.BINARY, *map(str, self.command(case))], capture_output=True, timeout=60)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            if (done.returncode == 0) != (case["expected_result"] == "SUCCESS"):
                wrong.append((case["id"], done.stdout.decode()))
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    unittest.main()
