"""Trust by job, and what each store makes of a certificate."""
import json
import unittest

from harness import Case, certificates, wait_for


class Trust(Case):
    def setUp(self):
        super().setUp()
        self.roots = [self.pki.make(f"Root {n}", ca=True) for n in (1, 2)]
        self.leaves = [self.pki.make(f"host{n}.example.org", issuer=r, names=[f"host{n}.example.org"]) for n, r in enumerate(self.roots, 1)]
        for leaf in self.leaves:
            (self.tree / f"{leaf.name}.pem").write_text(leaf.pem)

    def configure(self, text):
        path = self.folder / "leafwatch.yml"
        path.write_text(text)
        return path

    def scan_with(self, *args):
        found = certificates(self.scan("--no-system-trust", *args, self.tree))
        return {c["location"]["uri"].rsplit("/", 1)[1]: c["verdict"] for c in found}

    def test_each_store_has_its_say(self):
        found = self.scan_with("--trust", self.roots[0].pem_file, "--trust", self.roots[1].pem_file)
        first, second = (str(r.pem_file) for r in self.roots)
        self.assertEqual(found["host1.example.org.pem"]["stores"], {first: "ok", second: "untrusted-issuer"})
        self.assertEqual(found["host2.example.org.pem"]["stores"], {first: "untrusted-issuer", second: "ok"})
        self.assertEqual([v["problems"] for v in found.values()], [[], []])

    def test_one_store_says_nothing_twice(self):
        found = self.scan_with("--trust", self.roots[0].pem_file)
        self.assertNotIn("stores", found["host1.example.org.pem"])

    def test_jobs_trust_what_they_name(self):
        """And the common name counts only where it is asked for."""
        copies = self.folder / "copies"
        copies.mkdir()
        for leaf in self.leaves:
            (copies / f"{leaf.name}.pem").write_text(leaf.pem)
        plain = self.pki.make("localhost", issuer=self.roots[0])
        ports = [self.s_server(plain), self.s_server(plain)]
        agent = self.agent(f"""
trust:
  system: false
  bundles: ["{self.roots[0].pem_file}"]
  stores:
    - name: internal
      bundles: ["{self.roots[1].pem_file}"]
scanners:
  files:
    - {{name: usual, paths: ["{self.tree}"], jitter: 0s}}
    - {{name: other, paths: ["{copies}"], trust: [internal], jitter: 0s}}
  endpoints:
    - {{name: strict, targets: ["localhost@127.0.0.1:{ports[0]}"], jitter: 0s}}
    - {{name: lax, targets: ["localhost@127.0.0.1:{ports[1]}"], common_name: true, jitter: 0s}}
revocation: {{mode: "off"}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
""")
        self.ready(agent, 120)
        out = self.leafwatch("list", "--config", agent.config, "--state", self.folder / "state", "-o", "jsonl").stdout
        found = {c["location"]["uri"]: c["verdict"] for c in certificates([json.loads(line) for line in out.decode().splitlines()])
                 if c["location"]["index"] == 0}
        usual = {n: found[f"file://{self.tree}/host{n}.example.org.pem"] for n in (1, 2)}
        other = {n: found[f"file://{copies}/host{n}.example.org.pem"] for n in (1, 2)}
        self.assertEqual(usual[1]["problems"], [])
        self.assertEqual(usual[2]["problems"], ["untrusted-issuer"])
        self.assertEqual(other[1]["problems"], ["untrusted-issuer"])
        self.assertEqual(other[2]["problems"], [])
        for verdicts in (usual, other):
            self.assertEqual(verdicts[2]["stores"]["internal"], "ok")
        self.assertEqual([found[f"tls://localhost@127.0.0.1:{p}"]["problems"] for p in ports], [["name-mismatch"], []])
        shown = self.leafwatch("show", self.leaves[1].fingerprint, "--config", agent.config, "--state",
                               self.folder / "state").stdout.decode()
        self.assertIn("by trust store", shown)
        self.assertIn("internal: ok", shown)

    def test_chains_across_places_are_judged_by_the_job(self):
        """The issuer lies in a folder of its own; each job completes the chain to the stores that it trusts."""
        ca = self.pki.make("Shared CA", issuer=self.roots[1], ca=True)
        leaf = self.pki.make("shared.example.org", issuer=ca, names=["shared.example.org"])
        folders = {name: self.folder / name for name in ("usual", "other", "issuers")}
        for name, folder in folders.items():
            folder.mkdir()
            (folder / "x.pem").write_text(ca.pem if name == "issuers" else leaf.pem)
        jobs = [f'{{name: {n}, paths: ["{f}"], jitter: 0s, trust: [{"internal" if n == "other" else "usual"}]}}' for n, f in folders.items()]
        agent = self.agent(f"""
trust:
  system: false
  bundles: []
  stores:
    - {{name: usual, bundles: ["{self.roots[0].pem_file}"]}}
    - {{name: internal, bundles: ["{self.roots[1].pem_file}"]}}
scanners: {{files: [{", ".join(jobs)}]}}
revocation: {{mode: "off"}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
""")
        self.ready(agent, 120)

        def verdict(name):
            out = self.leafwatch("list", "--config", agent.config, "--state", self.folder / "state", "-o", "jsonl").stdout
            found = certificates([json.loads(line) for line in out.decode().splitlines()])
            return next(c["verdict"] for c in found if c["location"]["uri"] == f"file://{folders[name]}/x.pem")
        wait_for(lambda: len(verdict("other")["chain"]) == 3, 30, "a chain to the job's own root")
        self.assertEqual(verdict("other")["problems"], [])
        wait_for(lambda: len(verdict("usual")["chain"]) == 3, 30, "the chain of the other job")
        self.assertEqual(verdict("usual")["problems"], ["untrusted-issuer"])
        for name in ("usual", "other"):
            self.assertEqual(verdict(name)["stores"], {"usual": "untrusted-issuer", "internal": "ok"})

    def test_targets_trust_what_is_said_of_them(self):
        """And what completes their chains, across places, does so by the same trust."""
        ca = self.pki.make("Shared CA", issuer=self.roots[1], ca=True)
        leaf = self.pki.make("localhost", issuer=ca, names=["localhost"])
        port = self.s_server(leaf, chain=ca.pem)
        config = self.configure(f"""
trust: {{system: false, bundles: ["{self.roots[0].pem_file}"], stores: [{{name: internal, bundles: ["{self.roots[1].pem_file}"]}}]}}
scanners:
  endpoints:
    - targets: ["localhost@127.0.0.1:{port}", "127.0.0.1:{port}"]
      jitter: 0s
      target_trust:
        - {{targets: ["*.example.org", "LOCAL*:{port}"], trust: [internal]}}
        - {{targets: ["*"], trust: [system]}}
revocation: {{mode: "off"}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
""")
        agent = self.agent(config.read_text())
        self.ready(agent, 120)
        out = self.leafwatch("list", "--config", agent.config, "--state", self.folder / "state", "-o", "jsonl").stdout
        found = {c["location"]["uri"]: c["verdict"] for c in certificates([json.loads(line) for line in out.decode().splitlines()])
                 if c["location"]["index"] == 0}
        self.assertEqual(found[f"tls://localhost@127.0.0.1:{port}"]["problems"], [])
        self.assertIn(found[f"tls://127.0.0.1:{port}"]["problems"][0], ("untrusted-issuer", "incomplete-chain"))
        config = self.configure("scanners: {endpoints: [{targets: [x], target_trust: [{targets: [x], trust: [intrenal]}]}]}\n")
        self.assertIn("intrenal", self.leafwatch("check-config", config, code=2).stderr.decode())

    def test_a_store_that_is_not_there(self):
        config = self.configure(f"scanners:\n  files:\n    - paths: [{self.tree}]\n      trust: [intrenal]\n")
        done = self.leafwatch("check-config", config, code=2)
        self.assertIn(f"{config}:3:", done.stderr.decode())
        self.assertIn("intrenal", done.stderr.decode())
        config = self.configure(f"scanners:\n  files:\n    - paths: [{self.tree}]\n      trust: [/nowhere.pem]\n")
        self.leafwatch("check-config", config, code=2)

    def test_verify_says_which_store_validates(self):
        done = self.leafwatch("verify", "--no-system-trust", "--trust", self.roots[0].pem_file, "--trust", self.roots[1].pem_file,
                              self.leaves[1].pem_file)
        self.assertIn(f"by store   {self.roots[1].pem_file}: ok", done.stdout.decode())
        self.assertIn(f"by store   {self.roots[0].pem_file}: ", done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
