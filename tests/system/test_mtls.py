"""What real servers want of clients: none, optional, required or unknown, and never a guess. TLS from the first byte."""
import unittest

import mtls_servers
from harness import Case, certificates, endpoints, problems

# server: modes, and what is to be said of each, with a part of the evidence by version
ROWS = {
    "s_server": {"none": "none", "optional": "optional", "required": "required"},
    "gnutls_serv": {"none": "none", "optional": "optional", "required": "required"},
    "nginx": {"none": "none", "optional": "optional", "required": "required"},
    "apache": {"none": "none", "optional": "optional", "required": "required"},
    "haproxy": {"none": "none", "optional": "optional", "required": "required"},
    "redis": {"none": "none", "optional": "optional", "required": "required"},
    "stunnel": {"none": "none", "required": "required"},
    "etcd": {"none": "none", "required": "required"},
}
NAMELESS = {"redis"}  # asks, and names no CA


class Mtls(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def probe(self, port, *args):
        records = self.scan("--trust", self.root.pem_file, *args, f"localhost:{port}")
        self.assertEqual(problems(records), [])
        self.assertEqual(len(endpoints(records)), 1)
        return endpoints(records)[0], records

    def start_server(self, name, mode, version):
        return getattr(mtls_servers, name)(self, self.server, self.root, mode, version)

    def check(self, name):
        for mode, wanted in ROWS[name].items():
            for version in ("1.2", "1.3"):
                with self.subTest(server=name, mode=mode, version=version):
                    endpoint, records = self.probe(self.start_server(name, mode, version))
                    said = endpoint.get("client_certificate_evidence")
                    self.assertEqual(endpoint["client_certificate"], wanted, said)
                    self.assertTrue(said)
                    if name != "etcd":
                        self.assertEqual(endpoint["protocol"], f"TLS{version}")
                    # The chain is there whatever became of the handshake.
                    self.assertEqual(endpoint["chain"][0], self.server.fingerprint)
                    self.assertEqual(certificates(records)[0]["fingerprint"], self.server.fingerprint)
                    names = [] if mode == "none" or name in NAMELESS else ["CN=Test Root"]
                    self.assertEqual(endpoint.get("acceptable_cas", []), names)
                    if names:
                        self.assertEqual(endpoint["acceptable_cas_from"], endpoint["protocol"])

    def test_openssl(self):
        self.check("s_server")

    def test_gnutls(self):
        self.check("gnutls_serv")

    def test_nginx(self):
        self.check("nginx")

    def test_apache(self):
        self.check("apache")

    def test_haproxy(self):
        self.check("haproxy")

    def test_redis(self):
        self.check("redis")

    def test_stunnel(self):
        self.check("stunnel")

    def test_etcd(self):
        self.check("etcd")

    def test_apache_asks_for_one_location_after_the_request(self):
        for version in ("1.2", "1.3"):
            port = self.start_server("apache", "location", version)
            self.assertEqual(self.probe(port)[0]["client_certificate"], "none")
            endpoint = self.probe(port, "--http-path", "/inner/")[0]
            self.assertEqual(endpoint["client_certificate"], "required", endpoint)
            self.assertIn("asked for in answer to the request", endpoint["client_certificate_evidence"])

    def test_http_that_is_not_to_be_asked_is_unknown(self):
        port = self.start_server("nginx", "required", "1.3")
        self.assertEqual(self.probe(port, "--http-path", "")[0]["client_certificate"], "unknown")

    def test_certificates_only(self):
        for version in ("1.2", "1.3"):
            for mode, wanted in (("none", "none"), ("required", "unknown")):
                endpoint, records = self.probe(self.start_server("s_server", mode, version), "--certificates-only")
                self.assertEqual(endpoint["client_certificate"], wanted)
                self.assertEqual(certificates(records)[0]["fingerprint"], self.server.fingerprint)
                self.assertEqual(endpoint.get("acceptable_cas", []), [] if mode == "none" else ["CN=Test Root"])

    def test_list_that_only_1_2_brings(self):
        """OpenSSL sends no list in 1.3 when told so; 66 names and 64 KiB arrive whole."""
        bundle = self.folder / "cas.pem"
        made = [self.pki.make(f"CA number {i}", ca=True) for i in range(66)]
        bundle.write_text("".join(c.pem for c in made))
        port = self.s_server(self.server, "-Verify", "1", "-CAfile", bundle)
        self.assertEqual(len(self.probe(port)[0]["acceptable_cas"]), 66)


class Presenting(Mtls):
    """With a client certificate of ours."""

    def setUp(self):
        super().setUp()
        client = {"usage": ("tls_www_client",)}
        self.good = self.pki.make("good client", self.root, **client)
        self.expired = self.pki.make("expired client", self.root, begins="-90 days", ends="-1 day", **client)
        self.stranger = self.pki.make("stranger", self.pki.make("Other Root", ca=True), **client)

    def present(self, port, certificate):
        return self.probe(port, "--client-cert", certificate.pem_file, "--client-key", certificate.key_file)

    def check(self, name):
        for version in ("1.2", "1.3"):
            port = self.start_server(name, "required", version)
            for certificate, wanted in ((self.good, True), (self.expired, False), (self.stranger, False)):
                endpoint, records = self.present(port, certificate)
                said = endpoint["presented"]
                self.assertEqual(endpoint["client_certificate"], "required")
                self.assertEqual(said["fingerprint"], certificate.fingerprint)
                self.assertEqual(said["accepted"], wanted, said)
                # Its own expiry is watched.
                own = [c for c in certificates(records) if c["location"]["uri"].endswith(certificate.pem_file.name)]
                self.assertEqual([c["fingerprint"] for c in own], [certificate.fingerprint])
                self.assertEqual(own[0]["verdict"]["status"] == "expired", certificate is self.expired)

    def test_openssl(self):
        """s_server takes any certificate unless told otherwise."""
        port = self.s_server(self.server, "-Verify", "1", "-verify_return_error", "-CAfile", self.root.pem_file)
        for certificate, wanted in ((self.good, True), (self.expired, False), (self.stranger, False)):
            self.assertEqual(self.present(port, certificate)[0]["presented"]["accepted"], wanted)

    def test_apache_asks_for_one_location_after_the_request(self):
        for version in ("1.2", "1.3"):
            port = self.start_server("apache", "location", version)
            for certificate, wanted in ((self.good, True), (self.stranger, False)):
                endpoint = self.probe(port, "--http-path", "/inner/", "--client-cert", certificate.pem_file,
                                      "--client-key", certificate.key_file)[0]
                self.assertEqual(endpoint["presented"]["accepted"], wanted, endpoint["presented"])

    def test_files_of_every_kind(self):
        port = self.start_server("nginx", "required", "1.3")
        p12, password = self.folder / "good.p12", self.folder / "password"
        self.pki.pkcs12(p12, self.good, "secret")
        password.write_text("secret\n")
        both = self.folder / "both.pem"
        both.write_text(self.good.pem + self.good.key)
        for args in (["--client-cert", p12, "--client-password-file", password], ["--client-cert", both]):
            self.assertTrue(self.probe(port, *args)[0]["presented"]["accepted"], args)
        records = self.scan("--client-cert", p12, f"localhost:{port}")
        self.assertEqual([p["reason"] for p in problems(records)], ["wrong-password"])
        self.assertEqual(endpoints(records)[0]["client_certificate"], "required")
        missing = self.leafwatch("scan", "--client-cert", self.folder / "missing.pem", f"localhost:{port}", code=None)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn(b"missing.pem", missing.stderr)

    def test_by_target(self):
        one, two = (self.start_server("nginx", "required", "1.3") for _ in range(2))
        config = self.folder / "leafwatch.yml"
        config.write_text(f"""scanners:
  endpoints:
    - targets: ["localhost:{one}", "localhost:{two}"]
      client_certificates:
        - {{targets: "localhost:{one}", cert: {self.good.pem_file}, key: {self.good.key_file}}}
        - {{cert: {self.stranger.pem_file}, key: {self.stranger.key_file}}}
exporters: {{prometheus: []}}
""")
        state = self.folder / "state"
        self.leafwatch("run", "--once", "--config", config, "--state", state, "--listen", "127.0.0.1:0")
        import json
        out = self.leafwatch("list", "--config", config, "--state", state, "-o", "jsonl").stdout.decode()
        said = {e["port"]: e["presented"]["accepted"] for e in endpoints([json.loads(line) for line in out.splitlines()])}
        self.assertEqual(said, {one: True, two: False})

    # What Mtls tests without a certificate needs no second run.
    test_gnutls = test_haproxy = test_redis = test_stunnel = test_etcd = None
    test_certificates_only = test_http_that_is_not_to_be_asked_is_unknown = test_list_that_only_1_2_brings = None


if __name__ == "__main__":
    unittest.main()
