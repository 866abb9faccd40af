"""Endpoints: real servers, both TLS versions, everything that can be wrong with them."""
import socket
import threading
import time
import unittest

from harness import Case, certificates, endpoints, free_port, own_network, problems, roomy_realloc


class Endpoints(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def probe(self, port, *args, host="localhost", **kwargs):
        # They all answer: nothing here is to be ended by the time.
        return self.scan("--trust", self.root.pem_file, "--timeout", "100s", f"{host}:{port}", *args, **kwargs)

    def one(self, records):
        self.assertEqual(len(endpoints(records)), 1, records)
        return endpoints(records)[0]

    def test_plain_server_in_both_versions(self):
        for version, name in (("-tls1_2", "TLS1.2"), ("-tls1_3", "TLS1.3")):
            port = self.s_server(self.server, version)
            records = self.probe(port)
            endpoint = self.one(records)
            self.assertEqual(endpoint["protocol"], name)
            self.assertEqual(endpoint["handshake"], "ok")
            self.assertTrue(endpoint["reachable"])
            self.assertEqual(endpoint["client_certificate"], "none")
            self.assertEqual(endpoint["chain"], [self.server.fingerprint])
            leaf = certificates(records)[0]
            self.assertEqual(leaf["fingerprint"], self.server.fingerprint)
            self.assertEqual(leaf["verdict"]["problems"], [])
            self.assertEqual(leaf["verdict"]["status"], "ok")
            self.assertEqual(problems(records), [])

    def test_old_protocols_and_weak_keys_are_still_seen(self):
        weak = self.pki.make("localhost", self.root, names=["localhost"], rsa=1024)
        port = self.s_server(weak, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        records = self.probe(port)
        self.assertEqual(self.one(records)["protocol"], "TLS1.1")
        self.assertIn("weak-key", certificates(records)[0]["verdict"]["problems"])

    def test_client_certificate_requested_and_required(self):
        ca = ["-CAfile", self.root.pem_file]
        for version in ("-tls1_2", "-tls1_3"):
            for verify, wanted in (("-verify", ("optional", "unknown")), ("-Verify", ("required",))):
                port = self.s_server(self.server, version, verify, "1", *ca)
                records = self.probe(port)
                endpoint = self.one(records)
                self.assertIn(endpoint["client_certificate"], wanted, (version, verify, endpoint))
                self.assertEqual(endpoint["chain"][0], self.server.fingerprint, "the chain survives the failed handshake")
                self.assertEqual(endpoint["acceptable_cas"], ["CN=Test Root"])
                self.assertEqual(certificates(records)[0]["fingerprint"], self.server.fingerprint)

    def test_nginx_with_optional_and_required_client_certificates(self):
        base = f"ssl_certificate {self.server.pem_file}; ssl_certificate_key {self.server.key_file};"
        ask = f"ssl_client_certificate {self.root.pem_file}; ssl_verify_client"
        ports = self.nginx(f"""
            server {{ listen 127.0.0.1:PORT1 ssl; {base} }}
            server {{ listen 127.0.0.1:PORT2 ssl; {base} {ask} optional; }}
            server {{ listen 127.0.0.1:PORT3 ssl; {base} {ask} on; }}""")
        self.assertEqual(self.one(self.probe(ports["PORT1"]))["client_certificate"], "none")
        for port in ("PORT2", "PORT3"):
            endpoint = self.one(self.probe(ports[port]))
            # nginx completes the handshake either way: the handshake alone proves nothing.
            self.assertIn(endpoint["client_certificate"], ("optional", "required", "unknown"))
            self.assertEqual(endpoint["acceptable_cas"], ["CN=Test Root"])
            self.assertEqual(endpoint["chain"], [self.server.fingerprint])

    def test_what_is_wrong_is_said_and_hides_nothing(self):
        cases = {
            "expired": (self.pki.make("localhost", self.root, names=["localhost"], begins="-90 days", ends="-1 day"), {"expired"}),
            "future": (self.pki.make("localhost", self.root, names=["localhost"], begins="+1 day"), {"not-yet-valid"}),
            "self": (self.pki.make("localhost", names=["localhost"]), {"self-signed"}),
            "name": (self.pki.make("other.example", self.root, names=["other.example"]), {"name-mismatch"}),
            "usage": (self.pki.make("localhost", self.root, names=["localhost"], usage=("tls_www_client",)), {"wrong-usage"}),
        }
        for name, (certificate, wanted) in cases.items():
            port = self.s_server(certificate)
            records = self.probe(port)
            leaf = certificates(records)[0]
            self.assertEqual(set(leaf["verdict"]["problems"]), wanted, name)
            self.assertEqual(leaf["not_after"][:2], "20")
            self.assertIn(leaf["verdict"]["status"], ("expired", "broken"))

    def test_everything_wrong_at_once(self):
        bad = self.pki.make("other.example", names=["other.example"], begins="-90 days", ends="-1 day")
        port = self.s_server(bad, "-Verify", "1", "-CAfile", self.root.pem_file)
        records = self.probe(port)
        leaf = certificates(records)[0]
        self.assertLessEqual({"expired", "self-signed", "name-mismatch"}, set(leaf["verdict"]["problems"]))
        self.assertEqual(self.one(records)["client_certificate"], "required")

    def test_incomplete_chain_and_complete_one(self):
        middle = self.pki.make("Middle", self.root, ca=True)
        leaf = self.pki.make("localhost", middle, names=["localhost"])
        records = self.probe(self.s_server(leaf))
        self.assertEqual(certificates(records)[0]["verdict"]["problems"], ["incomplete-chain"])
        records = self.probe(self.s_server(leaf, chain=middle.pem))
        self.assertEqual(certificates(records)[0]["verdict"]["problems"], [])
        self.assertEqual(len(certificates(records)), 2)

    def test_ten_thousand_names(self):
        from pki import run
        config = self.folder / "san.cnf"
        names = ",".join(f"DNS:host{i:05}.example.org" for i in range(10000))
        config.write_text(f"[req]\ndistinguished_name=d\n[d]\n[x]\nsubjectAltName={names}\n")
        key, pem = self.folder / "big.key", self.folder / "big.pem"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-out", pem, "-days", "30", "-subj", "/CN=big", "-config", config, "-extensions", "x")

        class Big:
            pass
        big = Big()
        big.pem, big.key_file = pem.read_text(), key
        records = self.probe(self.s_server(big), env=roomy_realloc())
        self.assertEqual(len(certificates(records)[0]["names"]), 10000)

    def test_failures_have_reasons(self):
        closed = free_port()
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        web = socket.socket()
        self.addCleanup(web.close)
        web.bind(("127.0.0.1", 0))
        web.listen(5)

        def answer():
            try:
                peer, _ = web.accept()
                peer.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                peer.close()
            except OSError:
                pass
        threading.Thread(target=answer, daemon=True).start()
        before = time.monotonic()
        records = self.scan("--timeout", "1s", f"127.0.0.1:{closed}", f"127.0.0.1:{silent.getsockname()[1]}",
                            f"127.0.0.1:{web.getsockname()[1]}", "does-not-exist.invalid:443")
        self.assertLess(time.monotonic() - before, 60)
        reasons = {p["location"]["uri"].split("://")[1]: p["reason"] for p in problems(records)}
        self.assertEqual(reasons[f"127.0.0.1:{closed}"], "refused")
        self.assertEqual(reasons[f"127.0.0.1:{silent.getsockname()[1]}"], "timeout")
        self.assertEqual(reasons[f"127.0.0.1:{web.getsockname()[1]}"], "not-tls")
        self.assertIn(reasons["does-not-exist.invalid:443"], ("unresolved", "timeout"))

    def test_server_name_is_sent_and_name_at_address(self):
        other = self.pki.make("b.example", self.root, names=["b.example"])
        first = f"ssl_certificate {self.server.pem_file}; ssl_certificate_key {self.server.key_file};"
        second = f"ssl_certificate {other.pem_file}; ssl_certificate_key {other.key_file};"
        ports = self.nginx(f"""
            server {{ listen 127.0.0.1:PORT1 ssl default_server; server_name localhost; {first} }}
            server {{ listen 127.0.0.1:PORT1 ssl; server_name b.example; {second} }}""")
        records = self.scan("--trust", self.root.pem_file, f"b.example@127.0.0.1:{ports['PORT1']}")
        self.assertEqual(certificates(records)[0]["fingerprint"], other.fingerprint)
        self.assertEqual(certificates(records)[0]["verdict"]["problems"], [])
        self.assertEqual(self.one(records)["server_name"], "b.example")

    def test_networks_lists_and_standard_input(self):
        port = self.s_server(self.server)
        self.assertEqual(len(certificates(self.scan("--timeout", "100s", f"127.0.0.0/30:{port}"))), 1)
        targets = self.folder / "targets"
        targets.write_text(f"# a list\n\nlocalhost:{port}\n")
        self.assertEqual(len(certificates(self.scan(f"@{targets}"))), 1)
        self.assertEqual(len(certificates(self.scan("-", stdin=f"localhost:{port}\n".encode()))), 1)

    def test_listeners_of_this_host_are_found(self):
        port = self.s_server(self.server)
        records = self.scan("listeners:")
        self.assertIn(self.server.fingerprint, [c["fingerprint"] for c in certificates(records)
                                                if c["location"]["uri"].endswith(f":{port}")])

    def test_single_process_gives_the_same(self):
        port = self.s_server(self.server)
        self.assertEqual([c["fingerprint"] for c in certificates(self.probe(port))],
                         [c["fingerprint"] for c in certificates(self.probe(port, "--single"))])


if __name__ == "__main__":
    own_network()
    unittest.main()
