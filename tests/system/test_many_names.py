"""Certificates with 10,000 and 50,000 names: in files, from servers, in all that is told of them."""
import csv
import io
import json
import unittest

from harness import Case, certificates, endpoints, get, problems, roomy_realloc, wait_for


def metric(text, name, **labels):
    """Values of the series of this name that have these labels."""
    found = []
    for line in text.splitlines():
        if line.startswith(name + "{") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            found.append(float(line.rsplit(" ", 1)[1]))
    return found


class ManyNames(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.made = {count: self.pki.make_many(f"many-{count}", self.root, count) for count in (10000, 50000)}

    def check(self, record, count):
        self.assertEqual(record["fingerprint"], self.made[count].fingerprint)
        self.assertEqual(record["subject"], f"CN=many-{count}")
        self.assertIn("not_after", record)
        self.assertEqual(len(record["names"]), count)
        self.assertEqual(record["names"][0], "dns:host-00000.apps.example.org")
        self.assertEqual(record["names"][-1], f"dns:host-{count - 1:05}.apps.example.org")
        # The chain was built and judged: only its own length of life is against it, nothing is.
        self.assertEqual(record["verdict"]["chain"], [self.made[count].fingerprint, self.root.fingerprint])
        self.assertIn(record["verdict"]["status"], ("ok", "warning"))

    def test_files_arrive_whole(self):
        for count, certificate in self.made.items():
            (self.tree / f"{count}.pem").write_text(certificate.pem)
            (self.tree / f"{count}.der").write_bytes(certificate.der())
        (self.tree / "beside.pem").write_text(self.root.pem)
        records = self.scan("--trust", self.root.pem_file, self.tree)
        self.assertEqual(problems(records), [])
        found = certificates(records)
        self.assertEqual(len(found), 5)
        for count in self.made:
            for record in found:
                if record["subject"] == f"CN=many-{count}":
                    self.check(record, count)
        # All other forms of telling cope.
        out = self.leafwatch("scan", "--trust", self.root.pem_file, self.tree / "50000.pem").stdout.decode()
        self.assertIn("50000.pem", out)
        csv.field_size_limit(1 << 24)
        out = self.leafwatch("scan", "-o", "csv", "--trust", self.root.pem_file, self.tree / "50000.pem").stdout.decode()
        row = list(csv.DictReader(io.StringIO(out)))[0]
        self.assertEqual(row["names"].count("dns:"), 50000)

    def test_servers_tell_all_that_a_file_tells(self):
        ports = {(count, version): self.s_server(self.made[count], version) for count in self.made for version in ("-tls1_2", "-tls1_3")}
        targets = [f"127.0.0.1:{port}" for port in ports.values()]
        records = self.scan("--trust", self.root.pem_file, "--timeout", "120s", "--http-path", "none", *targets, env=roomy_realloc())
        for (count, version), port in ports.items():
            uri = f"tls://127.0.0.1:{port}"
            record, = [c for c in certificates(records) if c["location"]["uri"] == uri]
            self.assertEqual(len(record["names"]), count)
            self.assertEqual(record["names"][-1], f"dns:host-{count - 1:05}.apps.example.org")
            self.assertEqual(record["verdict"]["problems"], ["name-mismatch"])
            endpoint, = [e for e in endpoints(records) if e["location"]["uri"] == uri]
            self.assertEqual(endpoint["chain"], [self.made[count].fingerprint])
            told = [(p["reason"], p["message"]) for p in problems(records) if p["location"]["uri"] == uri]
            if count == 10000:
                self.assertEqual((endpoint["handshake"], told), ("ok", []))
                continue
            # The handshake is left where GnuTLS would parse it; TLS 1.3 has told by then what it asks for.
            self.assertEqual(endpoint["handshake"], "limit-reached")
            # Before TLS 1.3 it would have come after the certificate.
            self.assertEqual(endpoint.get("stapled_ocsp"), "none" if version == "-tls1_3" else None)
            self.assertEqual(endpoint["client_certificate"], "none" if version == "-tls1_3" else "unknown")
            self.assertEqual(told, [("limit-reached", "a certificate of more than 512 KiB: the handshake was not gone on with")])

    def test_the_agent_remembers_and_shows_them(self):
        for count, certificate in self.made.items():
            (self.tree / f"{count}.pem").write_text(certificate.pem)
        agent = self.agent(f"""
scanners:
  files: [{{paths: ["{self.tree}"], every: 1h}}]
trust: {{system: false, bundles: ["{self.root.pem_file}"]}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
""")
        self.ready(agent)
        text = wait_for(lambda: self.metrics(agent) if "many-50000" in self.metrics(agent) else None, 60, "a series")
        for count in self.made:
            self.assertEqual(len(metric(text, "leafwatch_certificate_not_after_timestamp_seconds", subject_cn=f"many-{count}")), 1)
        # Names are no labels.
        self.assertNotIn("host-00001.apps", text)
        self.assertLess(len(text), 200000)
        status, _, page = get(f"http://127.0.0.1:{agent.port}/")
        self.assertEqual(status, 200)
        self.assertLess(len(page), 200000)
        state = self.folder / "state"
        out = self.leafwatch("show", "--state", state, "-o", "jsonl", self.made[50000].fingerprint).stdout.decode()
        self.check([r for r in map(json.loads, out.splitlines()) if r["type"] == "certificate"][0], 50000)
        out = self.leafwatch("show", "--state", state, self.made[50000].fingerprint).stdout.decode()
        self.assertIn("host-00000.apps.example.org", out)
        self.assertIn("49800 more, all of them with -o json", out)
        self.assertEqual(self.stop(agent), 0)


if __name__ == "__main__":
    unittest.main()
