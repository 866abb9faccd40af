"""Private keys beside certificates: files as openssl, certtool and keytool write them, and a configuration that nginx accepts."""
import json
import math
import os
import shutil
import signal
import subprocess
import unittest
from pathlib import Path

from harness import Case, Receiver, certificates, wait_for
from pki import der_of, run

PASSWORD = "changeit-not"


class Keys(Case):
    def setUp(self):
        super().setUp()
        os.chmod(self.folder, 0o755)
        self.a = self.pki.make("a.example.org", names=["a.example.org"])
        self.b = self.pki.make("b.example.org", names=["b.example.org"], rsa=2048)
        self.passwords = self.folder / "passwords"
        self.passwords.write_text(f"wrong\n{PASSWORD}\n")

    def put(self, name, text, mode=0o600):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def look(self, *args):
        records = self.scan("--no-system-trust", "--password-file", self.passwords, *(args or [self.tree]))
        self.keys = {r["location"]["uri"].removeprefix(f"file://{self.tree}/"): r for r in records if r["type"] == "key"}
        self.problems = [r for r in records if r["type"] == "problem"]
        return {(c["location"]["uri"].removeprefix(f"file://{self.tree}/"), c["location"]["index"]): c for c in certificates(records)}

    def words(self, certificate):
        return {p for p in certificate["verdict"]["problems"] if p.startswith("key-")}

    def openssl_key(self, path, *args):
        return run("openssl", *args, input=self.b.key.encode()) if path is None else self.put(path, run("openssl", *args, input=self.b.key.encode()))

    def test_every_form_matches_its_certificate(self):
        self.put("b.pem", self.b.pem)
        self.openssl_key("pkcs8.pem", "pkcs8", "-topk8", "-nocrypt")
        self.openssl_key("pkcs1.pem", "rsa", "-traditional")
        self.openssl_key("pkcs8.der", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER")
        self.openssl_key("pkcs1.der", "rsa", "-traditional", "-outform", "DER")
        self.openssl_key("locked8.pem", "pkcs8", "-topk8", "-passout", f"pass:{PASSWORD}")
        self.openssl_key("locked1.pem", "rsa", "-traditional", "-aes128", "-passout", f"pass:{PASSWORD}")
        self.openssl_key("unknown.pem", "pkcs8", "-topk8", "-passout", "pass:nobody knows")
        run("openssl", "pkcs12", "-export", "-in", self.b.pem_file, "-inkey", self.b.key_file, "-out", self.tree / "b.p12",
            "-passout", f"pass:{PASSWORD}", "-name", "mine")
        found = self.look()
        spki = found["b.pem", 0]["key"]["spki_sha256"]
        names = {"pkcs8.pem", "pkcs1.pem", "pkcs8.der", "pkcs1.der", "locked8.pem", "locked1.pem", "unknown.pem", "b.p12"}
        self.assertEqual(set(self.keys), names)
        self.assertTrue(self.keys["unknown.pem"]["locked"])
        self.assertNotIn("spki_sha256", self.keys["unknown.pem"])
        for name in names - {"unknown.pem"}:
            self.assertEqual(self.keys[name]["spki_sha256"], spki, name)
            self.assertEqual(self.keys[name]["bits"], 2048)
            self.assertEqual(self.keys[name]["encrypted"], name in ("locked8.pem", "locked1.pem", "b.p12"), name)
        self.assertEqual(self.keys["b.p12"]["location"]["alias"], "mine")
        self.assertEqual(self.keys["pkcs8.pem"]["mode"], "0600")
        self.assertEqual(self.keys["pkcs8.pem"]["uid"], os.getuid())
        self.assertEqual([self.words(c) for c in found.values()], [set()] * len(found))
        self.assertEqual(self.problems, [])
        shown = json.dumps(list(self.keys.values()))
        for line in self.b.key.splitlines()[1:-1]:
            self.assertNotIn(line, shown)

    @unittest.skipUnless(shutil.which("keytool"), "keytool is not there")
    def test_keytool(self):
        p12 = self.folder / "b.p12"
        run("openssl", "pkcs12", "-export", "-in", self.b.pem_file, "-inkey", self.b.key_file, "-out", p12,
            "-passout", f"pass:{PASSWORD}", "-name", "mine")
        run("keytool", "-importkeystore", "-srckeystore", p12, "-srcstorepass", PASSWORD, "-destkeystore", self.tree / "b.jks",
            "-deststoretype", "JKS", "-deststorepass", PASSWORD, "-destkeypass", PASSWORD, "-noprompt")
        self.put("b.pem", self.b.pem)
        found = self.look()
        self.assertEqual(self.keys["b.jks"]["spki_sha256"], found["b.pem", 0]["key"]["spki_sha256"])
        self.assertEqual(self.keys["b.jks"]["location"]["alias"], "mine")
        self.assertTrue(self.keys["b.jks"]["encrypted"])
        records = self.scan("--no-system-trust", self.tree)
        key, = [r for r in records if r["type"] == "key"]
        self.assertTrue(key["locked"])

    @unittest.skipUnless(shutil.which("keytool"), "keytool is not there")
    def test_keystores_of_java(self):
        p12 = self.folder / "b.p12"
        run("openssl", "pkcs12", "-export", "-in", self.b.pem_file, "-inkey", self.b.key_file, "-out", p12,
            "-passout", f"pass:{PASSWORD}", "-name", "mine")
        bouncy = next(iter(sorted(Path("/usr/share/java").glob("bcprov*.jar"))), None)
        kinds = ["JCEKS", *(["BKS", "UBER", "BCFKS"] if bouncy else [])]
        for kind in kinds:
            provider = [] if kind == "JCEKS" else ["-providerpath", bouncy, "-provider", "org.bouncycastle.jce.provider.BouncyCastleProvider"]
            run("keytool", "-importkeystore", "-srckeystore", p12, "-srcstoretype", "PKCS12", "-srcstorepass", PASSWORD, "-noprompt",
                "-destkeystore", self.tree / f"b.{kind}", "-deststoretype", kind, "-deststorepass", PASSWORD, "-destkeypass", PASSWORD, *provider)
        found = self.look()
        self.assertEqual(set(self.keys), {f"b.{kind}" for kind in kinds})
        for kind in kinds:
            name = f"b.{kind}"
            self.assertEqual(self.keys[name]["spki_sha256"], found[name, 0]["key"]["spki_sha256"], name)
            self.assertEqual((self.keys[name]["location"]["alias"], self.keys[name]["encrypted"]), ("mine", True), name)
            self.assertEqual(self.words(found[name, 0]), set(), name)
        records = self.scan("--no-system-trust", self.tree)
        self.assertEqual({r["location"]["format"] for r in records if r["type"] == "key" and r.get("locked")},
                         {"jceks", "bks"} if bouncy else {"jceks"})

    def test_nss(self):
        folder = self.tree / "nss"
        folder.mkdir()
        run("certutil", "-N", "-d", f"sql:{folder}", "--empty-password")
        for certificate, name in ((self.a, "a"), (self.b, "b")):
            p12 = self.folder / f"{name}.p12"
            run("openssl", "pkcs12", "-export", "-in", certificate.pem_file, "-inkey", certificate.key_file, "-out", p12,
                "-passout", f"pass:{PASSWORD}", "-name", name)
            run("pk12util", "-i", p12, "-d", f"sql:{folder}", "-W", PASSWORD)
        # In a shared folder a key with an empty password is anybody's.
        (folder / "key4.db").chmod(0o644)
        self.assertEqual(self.nss_keys(folder), ({"a", "b"}, {False}))
        found = self.look()
        self.assertEqual({word for c in found.values() for word in self.words(c)}, {"key-exposed"})
        password = self.folder / "password"
        password.write_text(PASSWORD)
        empty = self.folder / "empty"
        empty.write_text("\n")
        run("certutil", "-W", "-d", f"sql:{folder}", "-f", empty, "-@", password)
        self.assertEqual(self.nss_keys(folder), ({"a", "b"}, {True}))
        self.assertEqual({word for c in self.look().values() for word in self.words(c)}, set())

    def nss_keys(self, folder):
        """Whose keys these are, by their public half, and whether they are said to be encrypted."""
        records = self.scan("--no-system-trust", folder)
        owners = {c["key"]["spki_sha256"]: c["subject"][3:4] for c in certificates(records)}
        keys = [r for r in records if r["type"] == "key"]
        self.assertEqual(len(keys), 2)
        return {owners[k["spki_sha256"]] for k in keys}, {k["encrypted"] for k in keys}

    @unittest.skipUnless(shutil.which("ssh-keygen"), "ssh-keygen is not there")
    def test_ssh_keygen(self):
        for name, locked in (("plain", ""), ("locked", "nobody knows")):
            path = self.put(name, self.b.key)
            run("ssh-keygen", "-p", "-f", path, "-P", "", "-N", locked)
            self.assertIn("OPENSSH PRIVATE KEY", path.read_text())
        self.put("b.pem", self.b.pem)
        spki = self.look()["b.pem", 0]["key"]["spki_sha256"]
        for name in ("plain", "locked"):
            self.assertEqual((self.keys[name]["spki_sha256"], self.keys[name]["bits"]), (spki, 2048))
            self.assertEqual(self.keys[name]["encrypted"], name == "locked")

    def test_the_agent_tells(self):
        receiver = Receiver([(200, {}, b"ok", 0)])
        self.addCleanup(receiver.close)
        self.put("a.pem", self.a.pem)
        key = self.put("a.key", self.a.key, 0o644)
        other = self.pki.make("other.example.org", key=self.b.key)
        self.put("b.pem", self.b.pem)
        self.put("other.pem", other.pem)
        self.put("b.key", self.b.key)
        agent = self.agent(f"""
scanners: {{files: [{{paths: ["{self.tree}"], every: 1h}}]}}
trust: {{system: false}}
alerts: {{key_shared: info}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
  webhooks: [{{name: hook, url: "http://127.0.0.1:{receiver.port}/"}}]
""")
        self.ready(agent)

        def told(word):
            return [a for r in receiver.requests for a in json.loads(r["body"])["alerts"] if word in a["labels"]["alertname"]]

        wait_for(lambda: told("KeyExposed") and told("KeyShared"), 30, "the alerts")
        exposed, = told("KeyExposed")
        self.assertEqual(exposed["labels"]["severity"], "critical")
        self.assertIn(f"every user of this host can read its private key {key}", exposed["annotations"]["summary"])
        self.assertEqual({a["labels"]["severity"] for a in told("KeyShared")}, {"info"})
        self.assertEqual(len(told("KeyShared")), 2)
        key.chmod(0o600)
        agent.send_signal(signal.SIGUSR1)
        wait_for(lambda: [a for a in told("KeyExposed") if a["status"] == "resolved"], 30, "that it is over")

    def test_mismatch(self):
        self.put("same.pem", self.a.pem + self.b.key)
        self.put("right.pem", self.a.pem + self.a.key)
        self.put("live/privkey.pem", self.b.key)
        self.put("live/fullchain.pem", self.a.pem)
        self.put("tls/tls.crt", self.b.pem)
        self.put("tls/tls.key", self.b.key)
        found = self.look()
        self.assertEqual(self.words(found["same.pem", 0]), {"key-mismatch"})
        self.assertEqual(found["same.pem", 0]["verdict"]["status"], "broken")
        self.assertEqual(self.words(found["right.pem", 0]), set())
        self.assertEqual(self.words(found["live/fullchain.pem", 0]), {"key-mismatch"})
        note, = found["live/fullchain.pem", 0]["key_notes"]
        self.assertEqual(note["uri"], f"file://{self.tree}/live/privkey.pem")
        self.assertIn("live/privkey.pem beside it", note["message"])
        self.assertEqual(self.words(found["tls/tls.crt", 0]), set())
        self.put("live/privkey.pem", self.a.key)
        self.assertEqual(self.words(self.look()["live/fullchain.pem", 0]), set())

    def test_mismatch_in_a_configuration(self):
        certificate = self.put("certificates/one", self.a.pem)
        key = self.put("keys/two", self.pki.make("d.example.org").key)
        conf = self.put("nginx.conf", f"events {{}}\nhttp {{\n  server {{\n    listen 8443 ssl;\n    ssl_certificate {certificate};\n"
                                      f"    ssl_certificate_key {key};\n  }}\n}}\n")
        note, = self.look()["certificates/one", 0]["key_notes"]
        self.assertEqual(note["problem"], "key-mismatch")
        self.assertIn(f"ssl_certificate_key in {conf}:6", note["message"])
        refused = subprocess.run(["nginx", "-t", "-c", conf, "-p", self.folder, "-e", self.folder / "log"], stderr=subprocess.PIPE)
        self.assertIn(b"mismatch", refused.stderr)
        key.write_text(self.a.key)
        self.assertNotIn("key_notes", self.look()["certificates/one", 0])

    def test_who_can_read_it(self):
        self.tree.chmod(0o755)
        self.put("a.crt", self.a.pem, 0o644)
        key = self.put("a.key", self.a.key, 0o644)
        found = self.look()["a.crt", 0]
        self.assertEqual(self.words(found), {"key-exposed"})
        note, = found["key_notes"]
        self.assertEqual(note["uri"], f"file://{key}")
        self.assertIn(f"every user of this host can read its private key {key}", note["message"])
        shown = self.leafwatch("scan", "--no-system-trust", self.tree, "-o", "detail").stdout.decode()
        self.assertIn("private key", shown)
        self.assertIn(f"can read its private key {key}", shown)
        key.chmod(0o600)
        self.assertNotIn("key_notes", self.look()["a.crt", 0])
        key.chmod(0o644)
        self.tree.chmod(0o700)
        self.assertNotIn("key_notes", self.look()["a.crt", 0])

    def test_one_key_for_two(self):
        other = self.pki.make("c.example.org", names=["c.example.org"], key=self.a.key)
        again = self.pki.make("a.example.org", names=["a.example.org", "www.a.example.org"], key=self.a.key)
        self.put("a.crt", self.a.pem)
        self.put("again.crt", again.pem)
        found = self.look()
        self.assertEqual([self.words(c) for c in found.values()], [set()] * 2)
        self.put("c.crt", other.pem)
        found = self.look()
        self.assertEqual([self.words(c) for c in found.values()], [{"key-shared"}] * 3)
        self.assertIn("CN=c.example.org", found["a.crt", 0]["key_notes"][0]["message"])

    def test_a_chmod_is_seen_by_the_next_scan_of_a_known_tree(self):
        """What is remembered of a file ends with a change of its mode."""
        self.tree.chmod(0o755)
        self.put("a.crt", self.a.pem, 0o644)
        key = self.put("a.key", self.a.key, 0o600)
        state = self.folder / "state"
        for mode, words in ((0o600, set()), (0o644, {"key-exposed"}), (0o600, set())):
            key.chmod(mode)
            records = self.scan("--no-system-trust", "--state", state, self.tree)
            self.assertEqual(self.words(certificates(records)[0]), words)


class WeakKeys(Case):
    """Certificates whose public key shows that it is weak. Only their signature is wrong where a key was put in by hand."""

    def weak(self, der):
        (self.tree / "x.der").write_bytes(der)
        record, = certificates(self.scan("--no-system-trust", self.tree))
        return "weak-key" in record["verdict"]["problems"], record

    def rsa(self):
        """The DER of a certificate with an RSA key of 2048 bits, where its modulus begins, and that modulus."""
        key, pem = self.folder / "rsa.key", self.folder / "rsa.pem"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", pem, "-subj", "/CN=rsa", "-days", "9")
        made = der_of(pem.read_text())
        modulus = bytes.fromhex(run("openssl", "x509", "-in", pem, "-noout", "-modulus").decode().strip().partition("=")[2])
        return made, made.index(modulus), modulus

    def test_exponent_of_one(self):
        made, at, modulus = self.rsa()
        end = at + len(modulus)
        self.assertEqual(made[end:end + 5], bytes.fromhex("0203010001"))
        self.assertFalse(self.weak(made)[0])
        short = bytearray(made[:end] + bytes.fromhex("020101") + made[end + 5:])
        # RSAPublicKey, BIT STRING, SubjectPublicKeyInfo, TBSCertificate and Certificate have two bytes less.
        key = at - 9
        for header in (key, key - 5, key - 24, 4, 0):
            self.assertIn(short[header:header + 2], (b"\x30\x82", b"\x03\x82"))
            size = int.from_bytes(short[header + 2:header + 4], "big") - 2
            short[header + 2:header + 4] = size.to_bytes(2, "big")
        self.assertTrue(self.weak(bytes(short))[0])

    def test_roca(self):
        made, at, modulus = self.rsa()
        primes = [n for n in range(3, 168) if all(n % k for k in range(2, n))]
        product = math.prod(primes)
        # The form of Infineon's moduli: a power of 65537 modulo each of the primes.
        value = int.from_bytes(modulus, "big") // product * product + pow(65537, 123456789, product)
        value += product if value % 2 == 0 else 0
        self.assertTrue(self.weak(made[:at] + value.to_bytes(256, "big") + made[at + 256:])[0])
        self.assertFalse(self.weak(made[:at] + (value ^ 2).to_bytes(256, "big") + made[at + 256:])[0])

    def test_curves(self):
        """One spelt out is weak (CVE-2020-0601), one that browsers do not know only unusual."""
        for curve, form, weak, lint in (("prime256v1", "explicit", True, "curve-not-named"), ("secp256k1", "named_curve", False, "curve-unusual"),
                                        ("prime256v1", "named_curve", False, None)):
            with self.subTest(curve=curve, form=form):
                key, pem = self.folder / "ec.key", self.folder / "ec.pem"
                run("openssl", "ecparam", "-name", curve, "-param_enc", form, "-genkey", "-noout", "-out", key)
                run("openssl", "req", "-x509", "-new", "-key", key, "-out", pem, "-subj", "/CN=ec", "-days", "9")
                is_weak, record = self.weak(der_of(pem.read_text()))
                self.assertEqual(is_weak, weak, record)
                found = {word for word in record["verdict"].get("lint", []) if word.startswith("curve-")}
                self.assertEqual(found, {lint} if lint else set())


if __name__ == "__main__":
    unittest.main()
