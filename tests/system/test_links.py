"""Both ends of mutual TLS: client certificates on disk and the servers that accept them, and what changes over time."""
import json
import os
import re
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import harness
from harness import Case, Receiver, certificates, endpoints, free_port, get, is_open, wait_for

CONFIG = """
scanners:
  files: [{{paths: [{tree}], every: 1s, jitter: 0s}}]
  endpoints: [{{targets: [{targets}], every: 1s, jitter: 0s, timeout: 5s}}]
trust: {{system: {system}, bundles: [{bundle}]}}
alerts: {{renotify: 24h}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
  webhooks: [{{name: ops, format: alertmanager, url: "http://127.0.0.1:{receiver}/hook"}}]
"""
LOCATION = "leafwatch_{}{{location=\"{}\"}} "


class Links(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Internal Root CA", ca=True, ends="+2000 days")
        self.issuing = self.pki.make("Issuing CA", issuer=self.root, ca=True, ends="+500 days")
        self.server = self.pki.make("api.test", issuer=self.root, names=["api.test", "mq.test"])
        self.bundle = self.folder / "root.pem"
        self.bundle.write_text(self.root.pem)

    def put(self, name, text):
        """A file as renewals write it: in one step."""
        with tempfile.NamedTemporaryFile("w", dir=self.folder, delete=False) as f:
            f.write(text)
        os.chmod(f.name, 0o644)
        os.replace(f.name, self.tree / name)
        return self.tree / name

    def serve(self, port, *args):
        """openssl s_server at a port of our choice, to be stopped and started anew there."""
        process = self.start("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.server.pem_file,
                             "-key", self.server.key_file, "-www", *args)
        wait_for(lambda: is_open(port), 20, "s_server")
        return process

    def requiring(self, port, *cas):
        file = self.folder / f"cas-{time.monotonic_ns()}.pem"
        file.write_text("".join(ca.pem for ca in cas))
        return self.serve(port, "-Verify", "1", "-CAfile", file)

    def receive(self):
        receiver = Receiver([(200, {}, b"", 0)])
        self.addCleanup(receiver.close)
        return receiver

    def watch(self, receiver, targets, system="false", **kwargs):
        agent = self.agent(CONFIG.format(tree=self.tree, targets=", ".join(f'"{t}"' for t in targets), system=system,
                                         bundle=self.bundle, receiver=receiver.port), **kwargs)
        self.ready(agent)
        return agent

    @staticmethod
    def alerts(receiver):
        """(alert name, status, severity, summary) of everything received."""
        out = []
        for request in list(receiver.requests):
            for a in json.loads(request["body"])["alerts"]:
                out.append((a["labels"]["alertname"], a["status"], a["labels"]["severity"], a["annotations"]["summary"]))
        return out

    def told(self, receiver, name, status="firing", pattern="", seconds=60):
        """Waits for an alert of that name; its severity and summary."""
        def find():
            for n, s, severity, summary in self.alerts(receiver):
                if n == name and s == status and re.search(pattern, summary):
                    return severity, summary
            return None
        try:
            return wait_for(find, seconds, f"{status} {name}")
        except AssertionError as e:
            raise AssertionError(f"{e}; told: {self.alerts(receiver)}") from None

    # ---- one look ---------------------------------------------------------------------------------

    def test_scan_ties_both_ends(self):
        client = self.pki.make("service-a", issuer=self.issuing, ends="+9 days", usage=("tls_www_client",))
        other = self.pki.make("stranger", issuer=self.pki.make("Other CA", ca=True), usage=("tls_www_client",))
        self.put("client.pem", client.pem)
        self.put("other.pem", other.pem)
        self.put("issuing.pem", self.issuing.pem)
        root = self.put("root.pem", self.root.pem)
        named, open_, plain = free_port(), free_port(), free_port()
        self.requiring(named, self.root)
        self.serve(open_, "-Verify", "1")
        self.serve(plain)
        targets = [f"{name}@127.0.0.1:{port}" for name, port in (("api.test", named), ("mq.test", open_), ("www.test", plain))]
        uri = f"tls://api.test@127.0.0.1:{named}"
        records = self.scan("--no-system-trust", "--trust", root, self.tree, *targets)
        by_file = {Path(r["location"]["uri"]).name: r for r in certificates(records) if r["location"]["scanner"] == "files"}
        self.assertEqual(by_file["client.pem"]["accepted_by"], [uri])
        self.assertEqual(by_file["other.pem"]["accepted_by"], [])
        self.assertNotIn("accepted_by", by_file["root.pem"])
        self.assertEqual(by_file["root.pem"]["trusted_by"], [uri])
        by_uri = {r["location"]["uri"]: r for r in endpoints(records)}
        self.assertEqual(by_uri[uri]["client_certificate"], "required")
        self.assertEqual(by_uri[uri]["accepts"], [client.fingerprint])
        self.assertEqual([c["fingerprint"] for c in by_uri[uri]["client_cas"]], [self.root.fingerprint])
        # Who names no CA, or asks for nothing, says nothing about whom it accepts.
        self.assertNotIn("accepts", by_uri[f"tls://mq.test@127.0.0.1:{open_}"])
        self.assertNotIn("accepts", by_uri[f"tls://www.test@127.0.0.1:{plain}"])
        text = self.leafwatch("scan", "-o", "detail", "--no-system-trust", "--trust", root, self.tree, *targets).stdout.decode()
        self.assertIn(f"api.test@127.0.0.1:{named} accepts it; nothing else here does", text)
        self.assertRegex(text, rf"all its clients at api\.test@127\.0\.0\.1:{named} fail together on 20")
        self.assertIn("it names no CA", text)

    # ---- over time --------------------------------------------------------------------------------

    def test_expiring_client_names_who_accepts_it(self):
        client = self.pki.make("service-a", issuer=self.issuing, begins="-100 days", ends="+9 days", usage=("tls_www_client",))
        self.put("issuing.pem", self.issuing.pem)
        place = self.put("client.pem", client.pem)
        self.put("root.pem", self.root.pem)
        port = free_port()
        self.requiring(port, self.root)
        receiver = self.receive()
        agent = self.watch(receiver, [f"api.test@127.0.0.1:{port}"])
        severity, summary = self.told(receiver, "LeafwatchCertificateExpiry", pattern="service-a")
        self.assertEqual(severity, "critical")
        self.assertRegex(summary, rf"^service-a expires in 8 d .*; api\.test@127\.0\.0\.1:{port} accepts it; nothing else here does$")
        uri = f"tls://api.test@127.0.0.1:{port}"
        metrics = wait_for(lambda: (lambda m: LOCATION.format("endpoint_client_certificate_matches", uri) in m and m)(
            self.metrics(agent)), 30, "the metric")
        for line in (LOCATION.format("endpoint_client_certificate_matches", uri) + "1",
                     LOCATION.format("endpoint_client_certificate_weakened", uri) + "0",
                     LOCATION.format("certificate_accepting_endpoints", place.as_uri()) + "1"):
            self.assertIn(line, metrics)
        expires = int(re.search(re.escape(LOCATION.format("endpoint_client_ca_expires_timestamp_seconds", uri)) + r"(\d+)", metrics)[1])
        self.assertAlmostEqual(expires, time.time() + 2000 * 86400, delta=2 * 86400)
        self.assertGreater(int(re.search(re.escape(LOCATION.format("endpoint_acceptable_cas_hash", uri)) + r"(\d+)", metrics)[1]), 0)
        done = subprocess.run(["promtool", "check", "metrics"], input=metrics.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        # Beside the running agent.
        text = self.leafwatch("show", client.fingerprint[:12], "--config", agent.config, "--state", self.folder / "state").stdout.decode()
        self.assertIn(uri, text)
        # A renewal beside it takes over: the alert ends.
        self.put("client.pem", self.pki.make("service-a", issuer=self.issuing, ends="+300 days", usage=("tls_www_client",)).pem)
        self.told(receiver, "LeafwatchCertificateExpiry", "resolved", "service-a")

    def test_required_becomes_none(self):
        self.put("root.pem", self.root.pem)
        port = free_port()
        server = self.requiring(port, self.root)
        receiver = self.receive()
        agent = self.watch(receiver, [f"api.test@127.0.0.1:{port}"])
        uri = f"tls://api.test@127.0.0.1:{port}"
        mode = f'leafwatch_endpoint_client_certificate{{location="{uri}",mode="required"}} '
        wait_for(lambda: mode + "1" in self.metrics(agent), 30, "required")
        # Nothing here would be let in: a note for those who named it.
        severity, summary = self.told(receiver, "LeafwatchMtlsNoClientCertificate")
        self.assertEqual(severity, "info")
        self.assertIn(uri, summary)
        self.stop(server)
        server = self.serve(port)
        severity, summary = self.told(receiver, "LeafwatchMtlsWeakened")
        self.assertEqual(severity, "critical")
        self.assertIn("no longer requires a client certificate: it asks for none", summary)
        wait_for(lambda: LOCATION.format("endpoint_client_certificate_weakened", uri) + "1" in self.metrics(agent), 30, "the metric")
        # The agent remembers over a restart, and does not say it twice.
        self.stop(agent)
        agent = self.watch(receiver, [f"api.test@127.0.0.1:{port}"])
        self.stop(server)
        self.requiring(port, self.root)
        self.told(receiver, "LeafwatchMtlsWeakened", "resolved", "requires a client certificate again")
        self.assertEqual(len([a for a in self.alerts(receiver) if a[0] == "LeafwatchMtlsWeakened"]), 2)
        self.assertIn(LOCATION.format("endpoint_client_certificate_weakened", uri) + "0", self.metrics(agent))

    def test_list_of_cas_changes(self):
        second = self.pki.make("Second CA", ca=True)
        self.put("root.pem", self.root.pem)
        port = free_port()
        server = self.requiring(port, self.root)
        receiver = self.receive()
        agent = self.watch(receiver, [f"api.test@127.0.0.1:{port}"])
        uri = f"tls://api.test@127.0.0.1:{port}"
        hashed = re.compile(re.escape(LOCATION.format("endpoint_acceptable_cas_hash", uri)) + r"(\d+)")
        before = wait_for(lambda: hashed.search(self.metrics(agent)), 30, "the hash")[1]
        self.stop(server)
        self.requiring(port, second)
        severity, summary = self.told(receiver, "LeafwatchMtlsCasChanged")
        self.assertEqual(severity, "warning")
        self.assertIn("added CN=Second CA; gone CN=Internal Root CA", summary)
        wait_for(lambda: hashed.search(self.metrics(agent))[1] != before, 30, "another hash")
        self.assertIn(LOCATION.format("endpoint_acceptable_cas_changed_timestamp_seconds", uri), self.metrics(agent))
        text = self.leafwatch("show", uri, "--config", agent.config, "--state", self.folder / "state").stdout.decode()
        self.assertRegex(text, r"CAs added +CN=Second CA")

    def test_renewal_drops_usage_and_name(self):
        usage = ("tls_www_client", "tls_www_server")
        self.put("a.pem", self.pki.make("both.test", issuer=self.root, names=["both.test", "old.test"], ends="+30 days", usage=usage).pem)
        self.put("b.pem", self.pki.make("fine.test", issuer=self.root, names=["a.fine.test"], ends="+30 days", usage=usage).pem)
        self.put("c.pem", self.pki.make("one.test", issuer=self.root, ends="+30 days").pem)
        self.put("root.pem", self.root.pem)
        receiver = self.receive()
        agent = self.watch(receiver, ["nowhere.invalid"])
        places = f'location="{(self.tree / "a.pem").as_uri()}"'
        wait_for(lambda: places in self.metrics(agent), 30, "the first look")
        place = self.put("a.pem", self.pki.make("both.test", issuer=self.root, names=["both.test"], ends="+300 days").pem)
        self.put("b.pem", self.pki.make("fine.test", issuer=self.root, names=["*.fine.test"], ends="+300 days", usage=usage).pem)
        self.put("c.pem", self.pki.make("another.test", issuer=self.root, ends="+300 days", usage=("tls_www_client",)).pem)
        severity, summary = self.told(receiver, "LeafwatchRenewalDropped")
        self.assertEqual(severity, "warning")
        self.assertRegex(summary, r"^both\.test was renewed without clientAuth, dns:old\.test, which its predecessor had at "
                         + re.escape(place.as_uri()))
        # Put right: the alert ends. Wildcards cover, and another subject is no renewal: nothing else was said.
        self.put("a.pem", self.pki.make("both.test", issuer=self.root, names=["both.test", "old.test"], ends="+300 days", usage=usage).pem)
        self.told(receiver, "LeafwatchRenewalDropped", "resolved")
        self.assertEqual({a[3].split()[0] for a in self.alerts(receiver) if a[0] == "LeafwatchRenewalDropped"}, {"both.test"})

    def test_public_ca_without_client_authentication(self):
        """A root that is in the system's store, in a mount namespace of the agent's own."""
        issuer = self.pki.make("R99", ca=True, ends="+900 days", organization="Let's Encrypt")
        store = self.folder / "store.crt"
        store.write_text(issuer.pem)
        client = self.pki.make("service-a", issuer=issuer, ends="+80 days", usage=("tls_www_client", "tls_www_server"))
        private = self.pki.make("service-b", issuer=self.root, ends="+80 days", usage=("tls_www_client",))
        for name, certificate in (("a.pem", client), ("b.pem", private), ("le.pem", issuer), ("root.pem", self.root)):
            self.put(name, certificate.pem)
        port = free_port()
        self.requiring(port, issuer, self.root)
        receiver = self.receive()
        wrapper = self.folder / "leafwatch-in-namespace"
        wrapper.write_text(f"#!/bin/sh\nmount --bind {store} /etc/ssl/certs/ca-certificates.crt && exec {os.path.abspath(harness.BINARY)} \"$@\"\n")
        wrapper.chmod(0o755)
        binary, harness.BINARY = harness.BINARY, wrapper
        self.addCleanup(setattr, harness, "BINARY", binary)
        config = CONFIG.format(tree=self.tree, targets=f'"api.test@127.0.0.1:{port}"', system="true", bundle=self.bundle, receiver=receiver.port)
        agent_port = free_port()
        path = self.folder / "leafwatch.yml"
        path.write_text(config.replace("PORT", str(agent_port)))
        agent = self.start("unshare", "--mount", "--propagation", "private", wrapper, "run", "--config", path, "--state", self.folder / "state")
        agent.port = agent_port
        wait_for(lambda: is_open(agent_port) or agent.poll() is not None, 30, "the agent's port")
        self.assertIsNone(agent.poll(), self.log_of(agent))
        severity, summary = self.told(receiver, "LeafwatchClientAuthLoss")
        self.assertEqual(severity, "warning")
        self.assertRegex(summary, r"^service-a is a client certificate in use.* Let's Encrypt .* no clientAuth (since|from) 2026-05-13")
        self.assertIn(f"api.test@127.0.0.1:{port} accepts it", summary)
        self.assertEqual([a[3].split()[0] for a in self.alerts(receiver) if a[0] == "LeafwatchClientAuthLoss"], ["service-a"])


if __name__ == "__main__":
    unittest.main()
