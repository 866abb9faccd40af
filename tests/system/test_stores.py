"""Stores that other programs made, through the whole program: reader, parser, inventory, report."""
import shutil
import struct
import unittest

from harness import SOURCE, Case

CORPUS = SOURCE.resolve() / "tests" / "fuzz" / "corpus"
AT = ("--at", "2026-12-01T00:00:00Z", "--no-system-trust")


def tlv(tag, content):
    size = len(content).to_bytes(4, "big")
    return bytes([tag, 0x84]) + size + content


def large_crl(count):
    """Version 1, without a signature that anybody would accept: only the reading is of interest."""
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    name = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403") + b"\x0c\x05Large")))
    time = b"\x17\x0d" + b"261101000000Z"
    until = b"\x17\x0d" + b"261201120000Z"
    entry = b"\x30\x1e\x02\x0d1234567890123" + b"\x17\x0d" + b"261101000000Z"
    body = algorithm + name + time + until + tlv(0x30, entry * count)
    return tlv(0x30, tlv(0x30, body) + algorithm + b"\x03\x02\x00\x00")


class Stores(Case):
    def of(self, records, kind):
        return [r for r in records if r["type"] == kind]

    def test_a_large_revocation_list(self):
        (self.tree / "large.crl").write_bytes(large_crl(950000))
        self.assertGreater((self.tree / "large.crl").stat().st_size, 30 * 1000 * 1000)
        records = self.scan(*AT, self.tree, timeout=280)
        (crl,) = self.of(records, "crl")
        self.assertEqual(crl["revoked"], 950000)
        self.assertEqual(crl["issuer"], "CN=Large")
        self.assertEqual(crl["next_update"], "2026-12-01T12:00:00Z")
        self.assertEqual(crl["location"]["format"], "crl")
        self.assertEqual(self.of(records, "problem"), [])
        self.assertEqual(records[-1]["crls"], 1)

    def test_a_large_signed_program(self):
        """Only its signature is sent, whatever its size."""
        small = (CORPUS / "pe" / "signed").read_bytes()
        table = small[512:]
        at = 12 * 1024 * 1024
        directory = small.index(struct.pack("<II", 512, len(table)))
        head = small[:directory] + struct.pack("<II", at, len(table)) + small[directory + 8:512]
        (self.tree / "large.efi").write_bytes(head.ljust(at, b"\x90") + table)
        records = self.scan(*AT, self.tree)
        (found,) = self.of(records, "certificate")
        self.assertEqual(found["location"]["format"], "pe")
        self.assertEqual(self.of(records, "problem"), [])

    def test_an_nss_folder(self):
        folder = self.tree / "profile"
        folder.mkdir()
        shutil.copy(CORPUS / "nss" / "cert9", folder / "cert9.db")
        shutil.copy(CORPUS / "nss_legacy" / "cert8", self.tree / "cert8.db")
        records = self.scan(*AT, f"nss:{folder}")
        found = {r["location"]["alias"]: r["location"].get("trust_flags") for r in self.of(records, "certificate")}
        self.assertEqual(found, {"Fuzz Root": "CT,C,C", "fuzz leaf": None})
        records = self.scan(*AT, self.tree)
        self.assertEqual(len(self.of(records, "certificate")), 2)
        (legacy,) = self.of(records, "problem")
        self.assertEqual(legacy["reason"], "unsupported")
        self.assertIn("--upgrade-merge", legacy["message"])

    def test_passwords(self):
        for name in ("uber/uber", "bcfks/bcfks", "bks/bks"):
            shutil.copy(CORPUS / name, self.tree / name.split("/")[1])
        records = self.scan(*AT, self.tree)
        self.assertEqual({r["reason"] for r in self.of(records, "problem")}, {"needs-password"})
        passwords = self.folder / "passwords"
        passwords.write_text("wrong\nsecret\n")
        records = self.scan(*AT, "--password-file", passwords, self.tree)
        self.assertEqual(self.of(records, "problem"), [])
        self.assertEqual(sorted(r["location"]["format"] for r in self.of(records, "certificate")),
                         ["bcfks", "bcfks", "bks", "bks", "uber", "uber"])
        self.assertEqual([r for r in self.of(records, "certificate") if "integrity" in r["location"]], [])

    def test_passwords_by_path(self):
        for name in ("legacy", "other"):
            (self.tree / name).mkdir()
            shutil.copy(CORPUS / "uber" / "uber", self.tree / name / "a.store")
        passwords = self.folder / "passwords"
        passwords.write_text("secret\n")
        config = self.folder / "leafwatch.yml"
        config.write_text(f'passwords: {{by_path: [{{paths: ["**/legacy/*.store"], files: [{passwords}]}}]}}\n')
        self.leafwatch("check-config", config)
        records = self.scan(*AT, "--config", config, self.tree)
        self.assertEqual({r["location"]["uri"] for r in self.of(records, "certificate")},
                         {f"file://{self.tree}/legacy/a.store"})
        self.assertEqual([(r["reason"], r["location"]["uri"]) for r in self.of(records, "problem")],
                         [("needs-password", f"file://{self.tree}/other/a.store")])
        passwords.unlink()
        said = self.leafwatch("check-config", config, code=None)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn(b"password file", said.stdout + said.stderr)

    def test_openssh_certificates_expire(self):
        shutil.copy(CORPUS / "openssh" / "ed25519", self.tree / "id-cert.pub")
        records = self.scan(*AT, self.tree)
        (found,) = self.of(records, "certificate")
        self.assertEqual(found["verdict"]["status"], "expired")
        self.assertEqual(found["names"], ["other:alice", "other:root"])
        self.leafwatch("scan", "--fail-within", "1d", *AT, self.tree, code=4)

    def test_formats(self):
        said = self.leafwatch("formats").stdout.decode()
        for name in ("nss", "keybox", "bks", "uber", "bcfks", "openssh", "xml", "uefi", "sst", "pe", "crl", "pkcs12"):
            self.assertRegex(said, rf"(?m)^{name} ")
        self.assertRegex(said, r"(?m)^uber +to open ")
        self.assertRegex(said, r"(?m)^nss-legacy +\(named only\) ")


if __name__ == "__main__":
    unittest.main()
