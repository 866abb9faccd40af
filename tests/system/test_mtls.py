"""What real servers want of clients: none, optional, required or unknown, and never a guess. TLS from the first byte."""
import re
import unittest

import hostile
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

    def probe_all(self, ports, *args, **kwargs):
        """One scan of several servers: what was said of each, by port."""
        records = self.scan("--trust", self.root.pem_file, *args, *(f"localhost:{port}" for port in ports), **kwargs)
        self.assertEqual(problems(records), [])
        self.assertEqual(len(endpoints(records)), len(ports))
        return {e["port"]: (e, records) for e in endpoints(records)}

    def probe(self, port, *args, **kwargs):
        return self.probe_all([port], *args, **kwargs)[port]

    def only_12(self):
        """The environment in which GnuTLS has no TLS 1.3: Go's servers speak what the client offers."""
        path = self.folder / "gnutls-without-13"
        path.write_text("[overrides]\ndisabled-version = TLS1.3\n")
        return {"GNUTLS_SYSTEM_PRIORITY_FILE": str(path)}

    def start_server(self, name, mode, version):
        return getattr(mtls_servers, name)(self, self.server, self.root, mode, version)

    def check(self, name):
        rows = [(mode, wanted, version) for version in ("1.2", "1.3") for mode, wanted in ROWS[name].items()]
        ports = {row: self.start_server(name, row[0], row[2]) for row in rows}
        if name == "etcd":
            said = {**self.probe_all([ports[r] for r in rows if r[2] == "1.2"], env=self.only_12()),
                    **self.probe_all([ports[r] for r in rows if r[2] == "1.3"])}
        else:
            said = self.probe_all(ports.values())
        self.assertEqual(set(said), set(ports.values()))
        for row, port in ports.items():
            mode, wanted, version = row
            endpoint, records = said[port]
            with self.subTest(server=name, mode=mode, version=version):
                evidence = endpoint.get("client_certificate_evidence")
                self.assertEqual(endpoint["client_certificate"], wanted, evidence)
                self.assertTrue(evidence)
                self.assertEqual(endpoint["protocol"], f"TLS{version}")
                # The chain is there whatever became of the handshake.
                self.assertEqual(endpoint["chain"][0], self.server.fingerprint)
                own = [c for c in certificates(records) if c["location"]["uri"] == endpoint["location"]["uri"]]
                self.assertEqual(own[0]["fingerprint"], self.server.fingerprint)
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
        self.assertEqual(self.probe(port, "--http-path", "none")[0]["client_certificate"], "unknown")

    def test_certificates_only(self):
        for version in ("1.2", "1.3"):
            for mode, wanted in (("none", "none"), ("required", "unknown")):
                endpoint, records = self.probe(self.start_server("s_server", mode, version), "--certificates-only")
                self.assertEqual(endpoint["client_certificate"], wanted)
                self.assertEqual(certificates(records)[0]["fingerprint"], self.server.fingerprint)
                self.assertEqual(endpoint.get("acceptable_cas", []), [] if mode == "none" else ["CN=Test Root"])

    def test_66_names_of_64_kib_arrive_whole(self):
        """All that TLS has room for (RFC 8446 4.2.4, RFC 5246 7.4.4): 66 names of 979 bytes."""
        bundle = self.folder / "cas.pem"
        # One key for all, for nothing is verified by it.
        made = [self.pki.make(f"CA number {i} ".ljust(64, "x"), ca=True, key=self.root.key, more=[f'unit = "{"y" * 64}"'] * 12)
                for i in range(66)]
        bundle.write_text("".join(c.pem for c in made))
        for version in ("1.2", "1.3"):
            with self.subTest(version=version):
                port = self.s_server(self.server, "-Verify", "1", "-CAfile", bundle, mtls_servers.OPENSSL[version])
                endpoint = self.probe(port)[0]
                names = endpoint["acceptable_cas"]
                self.assertEqual(endpoint["acceptable_cas_from"], f"TLS{version}")
                self.assertEqual(len(names), 66)
                self.assertEqual({re.search(r"CN=CA number (\d+) x", name).group(1) for name in names}, {str(i) for i in range(66)})
                self.assertEqual({name.count("y") for name in names}, {12 * 64})

    def test_what_13_does_not_list_is_asked_for_in_12(self):
        cas = self.folder / "cas.pem"
        cas.write_text(self.root.pem)
        server = hostile.Peer("cas-in-12-only", self.server, cas)
        self.addCleanup(server.close)
        endpoint = self.probe(server.port)[0]
        self.assertEqual(endpoint["protocol"], "TLS1.3")
        self.assertEqual(endpoint["acceptable_cas"], ["CN=Test Root"])
        self.assertEqual(endpoint["acceptable_cas_from"], "TLS1.2")


if __name__ == "__main__":
    unittest.main()
