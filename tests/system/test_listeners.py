"""What this host listens on: processes, protocols, what speaks no TLS, and who may not look."""
import http.server
import json
import os
import socket
import subprocess
import threading
import unittest
from pathlib import Path

import harness
import servers
from harness import BINARY, Case, certificates, endpoints, free_port, is_open, own_network, problems, wait_for


def at(records, port):
    """Endpoints of a port."""
    return [r for r in endpoints(records) if r["location"]["uri"].endswith(f":{port}")]


class Listeners(Case):
    def setUp(self):
        super().setUp()
        self.ca = self.pki.make("Root", ca=True)
        self.server = self.pki.make("api.example.org", issuer=self.ca, names=["api.example.org"])

    def plain_server(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        server.daemon_threads = True
        server.RequestHandlerClass.log_message = lambda *args: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def nginx_tls(self):
        (self.folder / "served.pem").write_text(self.server.pem)
        return self.nginx(f"""server {{ listen 127.0.0.1:PORT1 ssl; listen [::1]:PORT1 ssl;
            ssl_certificate {self.folder}/served.pem; ssl_certificate_key {self.server.key_file}; }}""")["PORT1"]

    def test_process_of_a_listener(self):
        port = self.nginx_tls()
        records = self.scan("listeners:")
        for endpoint in at(records, port):
            process = endpoint["process"]
            self.assertEqual(process["name"], "nginx")
            command = subprocess.run(["ps", "-o", "args=", "-p", str(process["pid"])], stdout=subprocess.PIPE).stdout
            self.assertIn(b"master process", command)
            self.assertIn("started", process)
            self.assertGreaterEqual(process["worker_started"], process["started"])
        self.assertEqual({e["location"]["uri"] for e in at(records, port)}, {f"tls://127.0.0.1:{port}", f"tls://[::1]:{port}"})

    def test_what_speaks_no_tls_is_listed_and_no_problem(self):
        port = self.plain_server()
        records = self.scan("listeners:")
        endpoint, = at(records, port)
        self.assertEqual(endpoint["handshake"], "not-tls")
        self.assertEqual(endpoint["process"]["pid"], os.getpid())
        self.assertEqual([p for p in problems(records) if str(port) in p["location"]["uri"]], [])

    def test_datagrams(self):
        asked = free_port(socket.SOCK_DGRAM)
        (self.folder / "served.pem").write_text(self.server.pem)
        self.start("openssl", "s_server", "-dtls", "-accept", f"127.0.0.1:{asked}", "-cert", self.folder / "served.pem", "-key",
                   self.server.key_file, stdin=subprocess.PIPE)
        wait_for(lambda: f":{asked:04X} " in Path("/proc/net/udp").read_text(), 20, "s_server")
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(plain.close)
        plain.bind(("127.0.0.1", free_port(socket.SOCK_DGRAM)))
        plain.setblocking(False)
        port = plain.getsockname()[1]
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.bind(("127.0.0.1", 0))
        records = self.scan("listeners:")
        endpoint, = at(records, asked)
        self.assertEqual((endpoint["location"]["uri"], endpoint["protocol"]), (f"dtls://127.0.0.1:{asked}", "DTLS1.2"))
        self.assertEqual(endpoint["process"]["name"], "openssl")
        self.assertEqual(endpoint["chain"][0], self.server.fingerprint)
        listed, = at(records, port)
        self.assertEqual((listed["location"]["uri"], listed["handshake"], listed["reachable"]), (f"udp://127.0.0.1:{port}", "not-asked", False))
        self.assertEqual(listed["process"]["pid"], os.getpid())
        # Nothing was sent to it, and of a client's socket nothing is said.
        self.assertRaises(BlockingIOError, plain.recv, 1)
        self.assertEqual(at(records, client.getsockname()[1]), [])
        self.assertEqual([p for p in problems(records) if str(port) in p["location"]["uri"]], [])
        table = self.leafwatch("scan", "listeners:", "--all").stdout.decode()
        self.assertRegex(table, rf"or were not asked \(UDP\): .*\b{port}/udp python")
        self.assertRegex(table, rf"(?m)^127\.0\.0\.1:{asked} +openssl \d+ .*dtls DTLS1\.2 +none +api\.example\.org")

    def test_table(self):
        port = self.nginx_tls()
        plain = self.plain_server()
        text = self.leafwatch("scan", "listeners:", "--all").stdout.decode()
        self.assertRegex(text, rf"(?m)^127\.0\.0\.1:{port} +nginx \d+ .*TLS1\.[23] +none +api\.example\.org +89 d")
        self.assertRegex(text, rf"listening sockets? speaks? no TLS: .*\b{plain} python")
        shown = self.leafwatch("scan", "listeners:", "-o", "detail").stdout.decode()
        self.assertRegex(shown, r"process +nginx \(pid \d+\)")

    def found(self, records, server, count=1):
        """The one place of a server's port, with the scheme of what is spoken there."""
        places = {r["location"]["uri"] for r in endpoints(records) if r["location"]["uri"].endswith(f":{server.port}")}
        self.assertEqual(places, {f"{server.scheme}://127.0.0.1:{server.port}"}, server.log())
        leaf, = [c for c in certificates(records) if c["location"]["uri"] in places and c["location"]["index"] == 0]
        self.assertEqual(leaf["fingerprint"], server.certificate.fingerprint)
        endpoint, = [e for e in endpoints(records) if e["location"]["uri"] in places]
        self.assertIn("process", endpoint)
        return endpoint

    def test_what_the_banner_suggests(self):
        started = [kind(self, self.server) for kind in (servers.Postfix, servers.Vsftpd, servers.Mariadb)]
        for _ in range(2):  # places stay the same from pass to pass
            records = self.scan("listeners:")
            for server in started:
                with self.subTest(server=server.scheme):
                    self.found(records, server)
        table = self.leafwatch("scan", "listeners:").stdout.decode()
        self.assertRegex(table, rf"(?m)^127\.0\.0\.1:{started[0].port} +master \d+ .*smtp TLS1\.3")

    def test_what_the_port_suggests(self):
        """Servers that wait for the client's first word are known by their port alone."""
        for kind, port in ((servers.Postgres, 5432), (servers.Slapd, 389)):
            if is_open(port):
                self.skipTest(f"port {port} is taken")

        class Postgres(servers.Postgres):
            def configure(self):
                self.port = 5432
                super().configure()

        class Slapd(servers.Slapd):
            def configure(self):
                self.port = 389
                super().configure()
        started = [kind(self, self.server) for kind in (Postgres, Slapd)]
        records = self.scan("listeners:")
        for server in started:
            with self.subTest(server=server.scheme):
                self.found(records, server)

    def test_a_server_that_offers_no_starttls(self):
        server = servers.Postfix(self, self.server, offer=False)
        records = self.scan("listeners:")
        endpoint, = at(records, server.port)
        self.assertEqual((endpoint["location"]["uri"], endpoint["handshake"]), (f"tls://127.0.0.1:{server.port}", "not-tls"))
        self.assertEqual([p for p in problems(records) if str(server.port) in p["location"]["uri"]], [])

    def test_another_user_sees_sockets_but_not_whose(self):
        if os.geteuid():
            self.skipTest("only root can become another user")
        port = self.nginx_tls()
        binary = self.folder / "leafwatch"
        binary.write_bytes(open(BINARY, "rb").read())
        binary.chmod(0o755)
        self.folder.chmod(0o755)
        done = subprocess.run([binary, "scan", "listeners:", "-o", "jsonl"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              user=65534, group=65534, extra_groups=[], cwd="/", timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        records = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual(len(at(records, port)), 2)
        self.assertNotIn("process", at(records, port)[0])
        said = [p for p in problems(records) if p["location"]["uri"] == "listeners:"]
        self.assertEqual([p["reason"] for p in said], ["permission-denied"])
        self.assertRegex(said[0]["message"], r"^the processes of \d+ of its listening sockets may not be seen")

    def test_link_local_address(self):
        """In a network of its own: an address that means nothing without its interface."""
        if os.geteuid():
            self.skipTest("only root can make a network")
        script = f"""
            ip link set lo up && ip link add dummy0 type dummy && ip link set dummy0 up &&
            ip -6 addr add fe80::7/64 dev dummy0 nodad || exit 77
            {os.sys.executable} -c '
import ssl, socket, threading
s = socket.socket(socket.AF_INET6); s.bind(("fe80::7", 4433, 0, socket.if_nametoindex("dummy0"))); s.listen()
c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain("{self.server.pem_file}", "{self.server.key_file}")
while True:
    a, _ = s.accept()
    try: c.wrap_socket(a, server_side=True).close()
    except OSError: pass
' & server=$!
            for i in $(seq 100); do ss -ltn | grep -q 4433 && break; sleep 0.1; done
            {BINARY} scan listeners: -o jsonl; kill $server"""
        done = subprocess.run(["unshare", "-n", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              cwd=harness.SOURCE)
        if done.returncode == 77:
            self.skipTest("no dummy interface here")
        records = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.assertEqual([c["fingerprint"] for c in certificates(records)], [self.server.fingerprint], done.stderr.decode())
        self.assertEqual(certificates(records)[0]["location"]["uri"], "tls://[fe80::7%25dummy0]:4433")


if __name__ == "__main__":
    own_network()
    unittest.main()
