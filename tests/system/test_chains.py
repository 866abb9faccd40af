"""Chains that are whole only across files, jobs and passes."""
import signal
import unittest

from harness import Case, certificates, wait_for


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


if __name__ == "__main__":
    unittest.main()
