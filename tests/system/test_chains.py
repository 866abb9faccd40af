"""Chains that are whole only across files, jobs and passes."""
import contextlib
import signal
import sqlite3
import time
import unittest

from harness import Case, certificates, problems, wait_for
from pki import run
from test_revocation import Web


class Chains(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True, ends="+900 days")
        self.upper = self.pki.make("Upper CA", self.root, ca=True, ends="+40 days")
        self.lower = self.pki.make("Lower CA", self.upper, ca=True, ends="+60 days")
        self.leaf = self.pki.make("localhost", self.lower, names=["localhost"], ends="+80 days")

    def put(self, certificate, name):
        folder = self.tree / name
        folder.mkdir(exist_ok=True)
        (folder / "x.pem").write_text(certificate.pem)

    def look(self, *args):
        return {c["subject"][3:]: c for c in certificates(self.scan("--trust", self.root.pem_file, self.tree, *args))}

    def test_across_files(self):
        self.put(self.leaf, "leaf")
        self.put(self.lower, "lower")
        found = self.look()
        for name in ("localhost", "Lower CA"):
            self.assertEqual(found[name]["verdict"]["problems"], ["incomplete-chain"])
        self.assertEqual(found["localhost"]["verdict"]["chain"], [self.leaf.fingerprint, self.lower.fingerprint])
        self.put(self.upper, "upper")
        found = self.look()
        self.assertEqual(len(found), 3)
        for c in found.values():
            self.assertEqual(c["verdict"]["problems"], [])
        verdict = found["localhost"]["verdict"]
        self.assertEqual(verdict["chain"], [c.fingerprint for c in (self.leaf, self.lower, self.upper, self.root)])
        self.assertEqual(verdict["expires_because"], self.upper.fingerprint)
        self.assertEqual(verdict["expires"], found["Upper CA"]["not_after"])

    def test_an_untrusted_root_elsewhere_is_said(self):
        self.put(self.leaf, "leaf")
        for ca, name in ((self.lower, "a"), (self.upper, "b"), (self.root, "c")):
            self.put(ca, name)
        found = {c["subject"][3:]: c["verdict"] for c in certificates(self.scan("--no-system-trust", self.tree))}
        self.assertEqual(found["localhost"]["problems"], ["untrusted-issuer"])
        self.assertEqual(len(found["localhost"]["chain"]), 4)

    def test_a_namesake_that_did_not_sign_is_no_issuer(self):
        self.put(self.leaf, "leaf")
        self.put(self.pki.make("Lower CA", self.root, ca=True), "other")
        self.assertNotEqual(self.look()["localhost"]["verdict"]["problems"], [])
        self.put(self.lower, "lower")
        self.put(self.upper, "upper")
        self.assertEqual(self.look()["localhost"]["verdict"]["problems"], [])

    def test_a_server_has_to_send_them_itself(self):
        self.put(self.lower, "lower")
        self.put(self.upper, "upper")
        alone = self.s_server(self.leaf)
        whole = self.s_server(self.leaf, chain=self.lower.pem + self.upper.pem)
        found = {(c["location"]["uri"], c["location"].get("index")): c for c in certificates(
            self.scan("--trust", self.root.pem_file, self.tree, f"localhost:{alone}", f"localhost:{whole}"))}
        verdict = found[f"tls://localhost:{alone}", 0]["verdict"]
        self.assertEqual(verdict["problems"], ["incomplete-chain"])
        self.assertEqual(verdict["status"], "broken")
        self.assertEqual(len(verdict["chain"]), 4)
        self.assertEqual(verdict["expires_because"], self.upper.fingerprint)
        self.assertEqual(found[f"tls://localhost:{whole}", 0]["verdict"]["problems"], [])

    def test_a_longer_lived_cross_sign_elsewhere(self):
        # The file's own path ends with the CA in it; another certificate of that CA lives longer than the leaf.
        (self.tree / "whole.pem").write_text(self.leaf.pem + self.lower.pem + self.upper.pem)
        verdict = self.look()["localhost"]["verdict"]
        self.assertEqual((verdict["problems"], verdict["expires_because"]), ([], self.upper.fingerprint))
        cross = self.pki.make("Lower CA", self.root, ca=True, ends="+200 days", key=self.lower.key)
        self.put(cross, "cross")
        state = ("--state", self.folder / "state")
        for _ in range(2):
            verdict = self.look(*state)["localhost"]["verdict"]
            self.assertEqual(verdict["chain"], [c.fingerprint for c in (self.leaf, cross, self.root)])
            self.assertEqual((verdict["problems"], verdict["expires_because"]), ([], self.leaf.fingerprint))

    def test_later_passes(self):
        state = ("--state", self.folder / "state")
        self.put(self.leaf, "leaf")
        self.assertEqual(self.look(*state)["localhost"]["verdict"]["problems"], ["incomplete-chain"])
        self.put(self.lower, "lower")
        self.put(self.upper, "upper")
        for _ in range(2):
            verdict = self.look(*state)["localhost"]["verdict"]
            self.assertEqual(verdict["problems"], [])
            self.assertEqual(verdict["expires_because"], self.upper.fingerprint)
        shown = self.leafwatch("show", self.upper.fingerprint, *state).stdout.decode()
        self.assertIn("2 certificates depend on it", shown)
        (self.tree / "upper" / "x.pem").unlink()
        verdict = self.look(*state)["localhost"]["verdict"]
        self.assertEqual(verdict["problems"], ["incomplete-chain"])

    def test_a_full_inventory_of_issuers_is_said(self):
        state = self.folder / "state"
        self.put(self.upper, "upper")
        self.assertEqual(problems(self.scan(self.tree, "--state", state)), [])
        with contextlib.closing(sqlite3.connect(state / "inventory.db")) as db:
            db.execute("WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i+1 FROM n WHERE i<51000)"
                       " INSERT INTO pool(certificate,is_ca,der) SELECT i,1,x'00' FROM n")
            db.commit()
        self.put(self.lower, "lower")
        said, = problems(self.scan(self.tree, "--state", state))
        self.assertEqual((said["reason"], said["location"]["uri"]), ("limit-reached", f"file://{self.tree}/lower/x.pem"))
        self.assertIn("chains across places", said["message"])

    def test_the_agent(self):
        self.put(self.leaf, "leaf")
        agent = self.agent(f"""
scanners: {{files: [{{paths: ["{self.tree}"], every: 1h}}]}}
trust: {{system: false, bundles: ["{self.root.pem_file}"]}}
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
""")
        self.ready(agent)
        word = 'problem="incomplete-chain"'
        self.assertIn(word, self.metrics(agent))
        self.put(self.lower, "lower")
        self.put(self.upper, "upper")
        agent.send_signal(signal.SIGUSR1)
        wait_for(lambda: "Upper CA" in self.metrics(agent) and word not in self.metrics(agent), 30, "whole chains")


class Fetched(Case):
    """Issuers that lie nowhere here, from where certificates say."""

    def setUp(self):
        super().setUp()
        self.web = Web()
        self.addCleanup(self.web.close)
        self.config = self.folder / "aia.yml"
        self.config.write_text("revocation: {mode: off, aia: true, timeout: 5s}\n")
        self.root = self.pki.make("Test Root", ca=True)
        self.upper = self.pki.make("Upper CA", self.root, ca=True)
        self.lower = self.issued("Lower CA", self.upper, self.web.url("/upper"), ca=True)
        self.leaf = self.issued("localhost", self.lower, self.web.url("/lower"), names=["localhost"])
        self.web.files.update({"/lower": self.lower.der(), "/upper": self.upper.der()})
        (self.tree / "leaf.pem").write_text(self.leaf.pem)

    def issued(self, name, issuer, url, **kwargs):
        return self.pki.make(name, issuer, more=(f'ca_issuers_uri = "{url}"',), **kwargs)

    def records(self, *args, config=True):
        return self.scan("--trust", self.root.pem_file, *(["--config", self.config] if config else []), self.tree, *args)

    def verdict(self, records):
        found = [c for c in certificates(records) if c["location"]["uri"].startswith(("file:", "tls:")) and c["fingerprint"] == self.leaf.fingerprint]
        return found[0]["verdict"]

    def paths(self):
        return [path for path, _ in self.web.asked]

    def test_off_unless_asked_for(self):
        self.assertEqual(self.verdict(self.records(config=False))["problems"], ["incomplete-chain"])
        self.assertEqual(self.web.asked, [])

    def test_der_pem_and_pkcs7(self):
        bundle = run("openssl", "crl2pkcs7", "-nocrl", "-outform", "DER", "-certfile", self.upper.pem_file)
        for lower, upper in ((self.lower.der(), bundle), (self.lower.pem.encode(), self.upper.der())):
            self.web.asked.clear()
            self.web.files.update({"/lower": lower, "/upper": upper})
            records = self.records()
            self.assertEqual(self.verdict(records)["problems"], [], records)
            self.assertEqual(self.verdict(records)["chain"], [c.fingerprint for c in (self.leaf, self.lower, self.upper, self.root)])
            self.assertEqual(problems(records), [])
            self.assertEqual(self.paths(), ["/lower", "/upper"])
            places = {c["subject"]: c["location"]["uri"] for c in certificates(records)}
            self.assertEqual(places["CN=Lower CA"], self.web.url("/lower"))

    def test_what_a_server_does_not_send_its_clients_lack(self):
        port = self.s_server(self.leaf)
        (self.tree / "leaf.pem").unlink()
        verdict = self.verdict(self.records(f"localhost:{port}"))
        self.assertEqual(verdict["problems"], ["incomplete-chain"])
        self.assertEqual(len(verdict["chain"]), 4)

    def test_wrong_content(self):
        other = self.pki.make("Lower CA", self.root, ca=True)
        for body, reason in ((b"<html>moved</html>", "malformed"), (b"", "malformed"), (self.leaf.der(), "malformed"),
                             (b"\x30\x82\x01\x00" * 50, "malformed"), (b"x" * 100000, "too-large"), (404, "unreadable"), (other.der(), None)):
            self.web.files["/lower"] = body
            records = self.records()
            self.assertIn(self.verdict(records)["problems"][-1], ("incomplete-chain", "untrusted-issuer"), records)
            told = [(p["reason"], p["location"]["uri"]) for p in problems(records)]
            self.assertEqual(told, [(reason, self.web.url("/lower"))] if reason else [], (body, records))

    def test_circles_end(self):
        one = self.pki.make("One", ca=True)
        two = self.pki.make("Two", ca=True)
        self.web.files["/one"] = self.issued("One", two, self.web.url("/two"), ca=True, key=one.key).der()
        self.web.files["/two"] = self.issued("Two", one, self.web.url("/one"), ca=True, key=two.key).der()
        self.leaf = self.issued("localhost", one, self.web.url("/one"))
        (self.tree / "leaf.pem").write_text(self.leaf.pem)
        self.assertNotEqual(self.verdict(self.records())["problems"], [])
        self.assertEqual(sorted(self.paths()), ["/one", "/two"])

    def test_addresses_that_are_never_asked(self):
        for url, word in (("http://169.254.169.254/latest/meta-data", "metadata"), ("http://[fe80::1]/", "metadata")):
            self.leaf = self.issued("localhost", self.lower, url)
            (self.tree / "leaf.pem").write_text(self.leaf.pem)
            records = self.records()
            self.assertEqual(self.verdict(records)["problems"], ["incomplete-chain"])
            self.assertEqual(problems(records)[0]["reason"], "unsupported")
            self.assertIn(word, problems(records)[0]["message"])
        for url in ("ldap://127.0.0.1/cn=ca", "file:///etc/passwd"):
            self.leaf = self.issued("localhost", self.lower, url)
            (self.tree / "leaf.pem").write_text(self.leaf.pem)
            self.assertEqual(self.verdict(self.records())["problems"], ["incomplete-chain"])
        self.assertEqual(self.web.asked, [])

    def test_kept_while_a_certificate_names_them(self):
        state = ("--state", self.folder / "state")
        for _ in range(2):
            self.assertEqual(self.verdict(self.records(*state))["problems"], [])
            self.assertEqual(len(self.web.asked), 2)
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 90000))
        self.assertEqual(self.verdict(self.records(*state, "--at", later))["problems"], [])
        self.assertEqual(len(self.web.asked), 4)
        self.assertIn("If-None-Match", self.web.asked[3][1])
        # A server that fails does not take them away.
        self.web.files.update({"/lower": 500, "/upper": 500})
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3 * 86400))
        records = self.records(*state, "--at", later)
        self.assertEqual(self.verdict(records)["problems"], [])
        self.assertEqual([p["reason"] for p in problems(records)], ["unreadable", "unreadable"])
        (self.tree / "leaf.pem").unlink()
        self.records(*state)
        self.assertEqual(certificates(self.records(*state)), [])


if __name__ == "__main__":
    unittest.main()
