"""What is asked of every protocol that begins TLS after a dialogue."""
from harness import Case, certificates, endpoints, problems


class StarttlsCase(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.middle = self.pki.make("Test Middle", self.root, ca=True)
        self.server = self.pki.make("localhost", self.middle, names=["localhost"])

    def look(self, *uris):
        return self.scan("--trust", self.root.pem_file, "--timeout", "30s", *uris)

    def check(self, kind, certificate=None):
        """A server of each TLS version, and one that offers no TLS, in one scan."""
        certificate = certificate or self.server
        found = {version: kind(self, certificate, ca=self.root, version=version) for version in ("1.3", "1.2")}
        bare = kind(self, certificate, offer=False)
        records = self.look(*(u for s in found.values() for u in self.uris(s)), *self.uris(bare, False))
        for version, server in found.items():
            self.check_chain(records, self.uris(server), certificate, version)
        self.check_refusal(records, self.uris(bare, False))

    def check_chain(self, records, uris, certificate, version=None):
        """Every one of them shows leaf and intermediate, and is judged well."""
        seen = {e["location"]["uri"]: e for e in endpoints(records)}
        for uri in uris:
            endpoint = seen[uri]
            self.assertEqual(endpoint["handshake"], "ok", (endpoint, problems(records)))
            self.assertEqual(endpoint["chain"][:2], [certificate.fingerprint, self.middle.fingerprint], endpoint)
            if version:
                self.assertEqual(endpoint["protocol"], f"TLS{version}", endpoint)
            leaf, = [c for c in certificates(records) if c["location"]["uri"] == uri and c["location"]["index"] == 0]
            self.assertEqual(leaf["fingerprint"], certificate.fingerprint)
            self.assertEqual(leaf["verdict"]["problems"], [], leaf)
        self.assertEqual([p for p in problems(records) if p["location"]["uri"] in uris], [])

    def check_refusal(self, records, uris):
        said = {p["location"]["uri"]: p for p in problems(records)}
        for uri in uris:
            self.assertEqual(said[uri]["reason"], "not-tls", said[uri])
            self.assertRegex(said[uri]["message"], "does not offer|offers neither|refuse|own security|ended the stream with")
            endpoint, = [e for e in endpoints(records) if e["location"]["uri"] == uri]
            self.assertTrue(endpoint["reachable"], endpoint)
            self.assertNotIn("chain", endpoint)

    @staticmethod
    def uris(server, with_tls=True):
        uris = [server.uri]
        for scheme in ("pop3", "sieve", "lmtp"):
            if hasattr(server, f"{scheme}_port"):
                uris.append(f"{scheme}://localhost:{getattr(server, f'{scheme}_port')}")
        if hasattr(server, "server_port"):
            uris.append(f"xmpp-server://localhost:{server.server_port}")
        return uris + ([f"tls://localhost:{server.tls_port}"] if server.tls_port and with_tls else [])
