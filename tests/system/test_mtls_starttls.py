"""What servers behind a dialogue want of clients, in both TLS versions."""
import unittest

from harness import Case, endpoints, problems
from servers import Dovecot, Mariadb, Postfix, Postgres, Slapd, Unable, Vsftpd

ROWS = [
    (Postfix, {"none": "none", "request": "optional", "require": "required"}),
    (Vsftpd, {"none": "none", "request": "optional", "require": "required"}),
    # `allow` and `try` differ only in what they make of a bad certificate
    (Slapd, {"none": "none", "request": "optional", "try": "optional", "require": "required"}),
    # enforced at login
    (Dovecot, {"none": "none", "request": "unknown", "require": "unknown"}),
    (Postgres, {"none": "none", "request": "unknown"}),
    # asks always
    (Mariadb, {"none": "unknown", "request": "unknown"}),
]


def is_of(endpoint, source):
    """Is this what became of that source? `name@address:port` is asked at the address, all others by their port."""
    uri = endpoint["location"]["uri"]
    return uri == source or uri == f"tls://{source}"


class Starttls(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def of(self, records, sources):
        """The endpoints that these sources gave, each one."""
        found = [e for e in endpoints(records) if any(is_of(e, source) for source in sources)]
        self.assertEqual(len(found), len(sources), sources)
        return found

    def check(self, kind, modes):
        """All of its servers at once, and one scan of them."""
        servers = []
        for verify, wanted in modes.items():
            for version in ("1.2", "1.3"):
                try:
                    server = kind(self, self.server, ca=self.root, verify=verify, version=version)
                except Unable:
                    continue
                sources = [server.uri] + ([f"localhost:{server.tls_port}"] if server.tls_port else [])
                sources += [f"localhost@{server.ldaps}:636"] if getattr(server, "ldaps", None) else []
                servers.append((server, verify, wanted, version, sources))
        records = self.scan("--trust", self.root.pem_file, *(source for s in servers for source in s[4]))
        self.assertEqual(problems(records), [])
        self.assertEqual(len(endpoints(records)), sum(len(s[4]) for s in servers))
        for server, verify, wanted, version, sources in servers:
            with self.subTest(server=kind.__name__, verify=verify, version=version):
                for endpoint in self.of(records, sources):
                    self.assertEqual(endpoint["chain"][0], self.server.fingerprint, endpoint)
                    self.assertEqual(endpoint["protocol"], f"TLS{version}", endpoint)
                    if kind is Slapd and wanted == "optional" and endpoint["port"] == server.tls_port:
                        # LDAP on a port of no name speaks only when spoken to: silence is no answer in 1.3.
                        self.assertIn(endpoint["client_certificate"], ("optional", "unknown"), endpoint)
                    else:
                        self.assertEqual(endpoint["client_certificate"], wanted, endpoint)


for kind, modes in ROWS:
    setattr(Starttls, f"test_{kind.__name__.lower()}", lambda self, k=kind, m=modes: self.check(k, m))


if __name__ == "__main__":
    unittest.main()
