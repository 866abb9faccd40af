"""Client certificates of ours: accepted, refused, expired, in every kind of file, by target."""
import json
import unittest

import test_mtls
from harness import certificates, endpoints, problems
from pki import run


class Presenting(test_mtls.Mtls):
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
        ports = [self.start_server(name, "required", version) for version in ("1.2", "1.3")]
        for certificate, wanted in ((self.good, True), (self.expired, False), (self.stranger, False)):
            told = self.probe_all(ports, "--client-cert", certificate.pem_file, "--client-key", certificate.key_file)
            self.assertEqual({e["protocol"] for e, _ in told.values()}, {"TLS1.2", "TLS1.3"})
            for port in ports:
                endpoint, records = told[port]
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

    def test_one_that_is_not_for_clients(self):
        port = self.s_server(self.server, "-verify", "1", "-CAfile", self.root.pem_file)
        for certificate, wanted in ((self.good, []), (self.server, ["wrong-usage"])):
            records = self.present(port, certificate)[1]
            own = [c for c in certificates(records) if c["location"]["uri"].endswith(certificate.pem_file.name)]
            self.assertEqual([p for p in own[0]["verdict"]["problems"] if p == "wrong-usage"], wanted)

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
        rsa = self.pki.make("RSA client", self.root, usage=("tls_www_client",), rsa=2048)
        forms = {"pkcs8": ["pkcs8", "-topk8", "-nocrypt"], "plain": ["pkey", "-traditional"]}
        der, key = self.folder / "client.der", self.folder / "key.der"
        for own, form, files in ((self.good, "plain", (der, key)), (rsa, "plain", (rsa.pem_file, key)),
                                 (self.good, "pkcs8", (self.good.pem_file, key)), (rsa, "pkcs8", (der, rsa.key_file))):
            der.write_bytes(own.der())
            key.write_bytes(run("openssl", *forms[form], "-in", own.key_file, "-outform", "DER"))
            with self.subTest(form=form, files=files):
                presented = self.probe(port, "--client-cert", files[0], "--client-key", files[1])[0]["presented"]
                self.assertEqual((presented["accepted"], presented["fingerprint"]), (True, own.fingerprint))
        # Another one's key, in both ways that they are read.
        for other in (rsa.key_file, key):
            records = self.scan("--client-cert", self.good.pem_file, "--client-key", other, f"localhost:{port}")
            self.assertEqual([p["reason"] for p in problems(records)], ["malformed"])
        records = self.scan("--client-cert", p12, f"localhost:{port}")
        self.assertEqual([p["reason"] for p in problems(records)], ["wrong-password"])
        self.assertEqual(endpoints(records)[0]["client_certificate"], "required")
        missing = self.leafwatch("scan", "--client-cert", self.folder / "missing.pem", f"localhost:{port}", code=None)
        self.assertNotEqual(missing.returncode, 0)
        self.assertIn(b"missing.pem", missing.stderr)

    def test_check_config_reads_the_files(self):
        config = self.folder / "leafwatch.yml"
        entry = f"{{cert: {self.good.pem_file}, key: {{}}}}".replace("{}", str(self.folder / "gone.key"))
        config.write_text(f"scanners:\n  endpoints: [{{targets: [localhost], client_certificates: [{entry}]}}]\n")
        done = self.leafwatch("check-config", config, code=2)
        self.assertIn(b"job endpoints", done.stderr)
        self.assertIn(b"gone.key", done.stderr)
        (self.folder / "gone.key").write_text(self.good.key)
        self.leafwatch("check-config", config)

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
        out = self.leafwatch("list", "--config", config, "--state", state, "-o", "jsonl").stdout.decode()
        said = {e["port"]: e["presented"]["accepted"] for e in endpoints([json.loads(line) for line in out.splitlines()])}
        self.assertEqual(said, {one: True, two: False})

    # What Mtls tests without a certificate needs no second run.
    test_gnutls = test_haproxy = test_redis = test_stunnel = test_etcd = None
    test_certificates_only = test_http_that_is_not_to_be_asked_is_unknown = test_66_names_of_64_kib_arrive_whole = None
    test_what_13_does_not_list_is_asked_for_in_12 = None


if __name__ == "__main__":
    unittest.main()
