"""Base64 in texts, through the whole program: what is found, under which name, and each once."""
import base64
import json
import shutil
import unittest

from harness import SOURCE, Case, certificates, problems

CORPUS = SOURCE.resolve() / "tests" / "fuzz" / "corpus" / "base64"
AT = ("--at", "2026-12-01T00:00:00Z", "--no-system-trust")


class Texts(Case):
    def aliases(self, records):
        found = {}
        for r in certificates(records):
            name = r["location"]["uri"].rsplit("/", 1)[1]
            found.setdefault(name, []).append(r["location"].get("alias"))
        return found

    def test_the_corpus(self):
        shutil.copytree(CORPUS, self.tree / "base64")
        records = self.scan(*AT, self.tree)
        found = self.aliases(records)
        self.assertEqual(found["kubeconfig"], ["clusters/prod", "users/admin"])
        self.assertEqual(found["jwks"], ["keys/signing/x5c/0", "keys/signing/x5c/1"])
        self.assertEqual(found["mobileconfig"], ["PayloadContent/Root"])
        self.assertEqual(found["mobileconfig-signed"], ["PayloadContent/Root", None])
        self.assertEqual(found["ldif"], ["uid=alice,o=x/userCertificate;binary"])
        self.assertEqual(sorted(found["list"]), ["items/one/data/a", "items/two/data/b"])
        self.assertIn("data/trust.jks/ca", found["secret"])
        self.assertNotIn("sketch", found)
        self.assertEqual(sorted(found["old"]), ["ec", "rsa"])
        self.assertEqual(sorted(found["keystores"]), ["data/a.jceks/ca", "data/a.jceks/key", "data/b.bks/ca", "data/b.bks/key",
                                                      "data/c.bks/ca", "data/c.bks/key"])
        release = ["data/release/chart/files/certs/ca.pem/data", "data/release/manifest"]
        self.assertEqual(sorted(found["helm"]), release)
        self.assertEqual(sorted(found["helm.json"]), [f"items/sh.helm.release.v1.web.v1/{name}" for name in release])
        self.assertEqual(found["cloud-gzip"], ["write_files//etc/x.pem/content"] * 2)
        self.assertEqual(found["terraform-gzip"], ["user_data"] * 2)
        self.assertNotIn("gzip-sketch", found)
        said = {(p["location"]["uri"].rsplit("/", 1)[1], p["reason"], p["location"].get("alias")) for p in problems(records)}
        self.assertEqual(said, {
            ("terraform", "needs-password", "resources/bundle/instances/0/attributes/result"),
            ("cut-off", "malformed", "c"), ("gzip-cut-off", "malformed", "a"), ("gzip-bomb", "limit-reached", "2")})

    def test_a_certificate_that_was_issued_now(self):
        """Each way of writing the same two certificates gives both, once."""
        root = self.pki.make("root", ca=True)
        leaf = self.pki.make("leaf.example", root, names=["leaf.example"])
        der = [base64.b64encode(c.der()).decode() for c in (leaf, root)]
        (self.tree / "jwks").write_text(json.dumps({"keys": [{"kid": "k", "x5c": der}]}))
        (self.tree / "indented").write_text(json.dumps({"keys": [{"kid": "k", "x5c": der}]}, indent=2))
        (self.tree / "folded").write_text("a: |\n  " + "\n  ".join(der[0][i:i + 76] for i in range(0, len(der[0]), 76))
                                          + "\nb: >-\n  " + "\n  ".join(der[1][i:i + 64] for i in range(0, len(der[1]), 64)) + "\n")
        bag = "Bag Attributes\n    friendlyName: x\n" + leaf.pem + "subject=CN = root\n" + root.pem
        for shift in range(3):
            (self.tree / f"secret-{shift}").write_text(
                "data:\n  tls.crt: " + base64.b64encode(("x" * shift + bag).encode()).decode() + "\nkind: Secret\n")
        (self.tree / "long").write_text("word " * 400000 + "\n" + json.dumps(der) + "\n" + "word " * 1000)
        records = self.scan(self.tree, "--no-system-trust")
        found = {}
        for r in certificates(records):
            found.setdefault(r["location"]["uri"].rsplit("/", 1)[1], []).append(r["fingerprint"])
        for name in ("jwks", "indented", "folded", "secret-0", "secret-1", "secret-2", "long"):
            self.assertEqual(sorted(found.get(name, [])), sorted([leaf.fingerprint, root.fingerprint]), name)
        self.assertEqual(problems(records), [])

    def test_a_kubeconfig_that_names_files(self):
        """The files' certificates are there, and the references to them."""
        root = self.pki.make("root", ca=True)
        folder = self.tree / "etc"
        folder.mkdir()
        (folder / "ca.crt").write_text(root.pem)
        (folder / "config").write_text("apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority: ca.crt\n"
                                       "    server: https://h\n  name: c\nkind: Config\nusers:\n- name: a\n  user:\n    token: t\n")
        records = self.scan(self.tree, "--no-system-trust")
        references = [r for r in records if r["type"] == "reference"]
        self.assertEqual([r["role"] for r in references], ["trust"])
        self.assertTrue(json.dumps(references[0]).count("ca.crt"))


if __name__ == "__main__":
    unittest.main()
