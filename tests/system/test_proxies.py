"""Proxies: tinyproxy and microsocks, and some that are up to no good."""
import os
import socket
import threading
import unittest

from harness import Case, certificates, endpoints, free_port, is_open, problems, wait_for

NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
for variable in NAMES:
    os.environ.pop(variable, None)


class Relay:
    """An HTTP proxy that takes every target for one port of this host, and remembers what it was asked."""

    def __init__(self, port):
        self.target = port
        self.asked = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            head += peer.recv(4096) or b"\r\n\r\n"
        self.asked.append(head.decode())
        there = socket.create_connection(("127.0.0.1", self.target))
        # The answer byte by byte, and in one packet with its last one what follows.
        answer = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"
        for byte in answer[:-1]:
            peer.sendall(bytes([byte]))
        peer.sendall(answer[-1:])
        threading.Thread(target=self.copy, args=(there, peer), daemon=True).start()
        self.copy(peer, there)

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Proxies(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "db.example"])

    def probe(self, *args, env=None, **kwargs):
        return self.scan("--trust", self.root.pem_file, "--timeout", "30s", *args, env=env, **kwargs)

    def tinyproxy(self, auth=""):
        port = free_port()
        conf = self.folder / f"tinyproxy-{port}.conf"
        conf.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 20\nLogFile \"{self.folder}/tinyproxy.log\"\nMaxClients 50\n"
                        f"PidFile \"{self.folder}/tinyproxy-{port}.pid\"\n{auth}\n")
        self.start("tinyproxy", "-d", "-c", conf)
        wait_for(lambda: is_open(port), 10, "tinyproxy")
        return port

    def microsocks(self, *args):
        port = free_port()
        self.start("microsocks", "-i", "127.0.0.1", "-p", port, *args)
        wait_for(lambda: is_open(port), 10, "microsocks")
        return port

    def check_good(self, records, port, proxy):
        self.assertEqual(problems(records), [])
        endpoint = endpoints(records)[0]
        self.assertEqual(endpoint["location"]["uri"], f"tls://localhost:{port}")
        self.assertEqual(endpoint["proxy"], proxy)
        self.assertNotIn("address", endpoint)
        self.assertEqual(endpoint["server_name"], "localhost")
        self.assertEqual(certificates(records)[0]["verdict"]["problems"], [])

    def test_connect(self):
        port = self.s_server(self.server)
        proxy = self.tinyproxy()
        self.check_good(self.probe("--proxy", f"http://127.0.0.1:{proxy}", f"localhost:{port}"), port, f"http://127.0.0.1:{proxy}")
        self.check_good(self.probe("--proxy", f"localhost:{proxy}", f"localhost:{port}"), port, f"http://localhost:{proxy}")
        records = self.probe("--proxy", f"http://127.0.0.1:{proxy}", f"localhost:{free_port()}")
        self.assertIn("proxy http://127.0.0.1", problems(records)[0]["message"])
        self.assertIn("does not connect to localhost", problems(records)[0]["message"])

    def test_connect_with_a_password(self):
        port = self.s_server(self.server)
        proxy = self.tinyproxy("BasicAuth user pass-word")
        self.check_good(self.probe("--proxy", f"http://user:pass%2Dword@127.0.0.1:{proxy}", f"localhost:{port}"), port,
                        f"http://127.0.0.1:{proxy}")
        for url, says in ((f"http://127.0.0.1:{proxy}", "it wants a user"), (f"http://user:secret@127.0.0.1:{proxy}", "it refuses user")):
            problem = problems(self.probe("--proxy", url, f"localhost:{port}"))[0]
            self.assertIn(says, problem["message"])
            self.assertNotIn("secret", problem["message"])
            self.assertEqual(problem["reason"], "unreachable")

    def test_socks(self):
        port = self.s_server(self.server)
        proxy = self.microsocks()
        for scheme in ("socks5", "socks5h"):
            self.check_good(self.probe("--proxy", f"{scheme}://127.0.0.1:{proxy}", f"localhost:{port}"), port,
                            f"{scheme}://127.0.0.1:{proxy}")
        records = self.probe("--proxy", f"socks5://127.0.0.1:{proxy}", f"127.0.0.1:{port}")
        self.assertEqual(len(certificates(records)), 1)
        self.assertNotIn("server_name", endpoints(records)[0])
        problem = problems(self.probe("--proxy", f"socks5://127.0.0.1:{proxy}", f"127.0.0.1:{free_port()}"))[0]
        self.assertEqual(problem["reason"], "refused")
        self.assertIn("does not connect to 127.0.0.1", problem["message"])

    def test_socks_with_a_password(self):
        port = self.s_server(self.server)
        proxy = self.microsocks("-u", "user", "-P", "word")
        self.check_good(self.probe("--proxy", f"socks5://user:word@127.0.0.1:{proxy}", f"localhost:{port}"), port,
                        f"socks5://127.0.0.1:{proxy}")
        for url, says in ((f"socks5://127.0.0.1:{proxy}", "it wants"), (f"socks5://user:no@127.0.0.1:{proxy}", "it refuses user")):
            self.assertIn(says, problems(self.probe("--proxy", url, f"localhost:{port}"))[0]["message"])

    def test_names_are_the_proxys_and_starttls_goes_through_it(self):
        port = self.s_server(self.server)
        relay = Relay(port)
        self.addCleanup(relay.listener.close)
        records = self.probe("--proxy", f"http://127.0.0.1:{relay.port}", "db.example:8443")
        self.assertEqual(certificates(records)[0]["location"]["uri"], "tls://db.example:8443")
        self.assertTrue(relay.asked[0].startswith("CONNECT db.example:8443 HTTP/1.1\r\nHost: db.example:8443\r\n"))

    def test_environment(self):
        port = self.s_server(self.server)
        relay = Relay(port)
        self.addCleanup(relay.listener.close)
        url = f"http://127.0.0.1:{relay.port}"
        for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            records = self.probe("db.example:8443", env={name: url})
            self.assertEqual(len(certificates(records)), 1, name)
        count = len(relay.asked)
        # Not for loopback, nor for what no_proxy names.
        self.assertEqual(len(certificates(self.probe(f"127.0.0.1:{port}", f"localhost:{port}", env={"https_proxy": url}))), 2)
        for no_proxy in ("example", ".example", "x, db.example:8443", "*"):
            self.assertEqual(certificates(self.probe("db.example:8443", "--resolver", "127.0.0.1:1",
                                                     env={"https_proxy": url, "no_proxy": no_proxy})), [], no_proxy)
        self.assertEqual(certificates(self.probe("192.0.2.7:8443", "--timeout", "300ms",
                                                 env={"https_proxy": url, "no_proxy": "192.0.2.0/24"})), [])
        self.assertEqual(certificates(self.probe("db.example:8443", "--resolver", "127.0.0.1:1", "--proxy", "none",
                                                 env={"https_proxy": url})), [])
        self.assertEqual(len(relay.asked), count)

    def test_configuration(self):
        port = self.s_server(self.server)
        relay = Relay(port)
        self.addCleanup(relay.listener.close)
        secret = self.folder / "proxy.url"
        secret.write_text(f"http://user:hidden@127.0.0.1:{relay.port}\n")
        config = self.folder / "leafwatch.yml"
        config.write_text(f"scanners:\n  endpoints: [{{targets: [db.example], proxy_file: {secret}, no_proxy: [example.org]}}]\n")
        shown = self.leafwatch("check-config", "--show", config).stdout
        self.assertNotIn(b"hidden", shown)
        config.write_text("scanners:\n  endpoints: [{targets: [db.example], proxy: 'ftp://hidden@x'}]\n")
        done = self.leafwatch("check-config", config, code=2)
        self.assertIn(b"a proxy is written http://", done.stderr)
        self.assertNotIn(b"hidden", done.stderr)
        self.assertIn(b"--proxy", self.leafwatch("scan", "--proxy", "https://x", "db.example", code=2).stderr)

    def hostile(self, serve):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=run, args=(peer,), daemon=True).start()

        def run(peer):
            try:
                serve(peer)
                peer.close()
            except OSError:
                pass
        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def test_hostile_proxies(self):
        def endless(peer):
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\r\n")
            while True:
                peer.sendall(b"X-Header: " + b"a" * 1000 + b"\r\n")

        def silent(peer):
            peer.recv(4096)
            threading.Event().wait(30)

        def closes(peer):
            peer.recv(4096)

        def garbage(peer):
            peer.recv(4096)
            peer.sendall(os.urandom(64) + b"\r\n\r\n")

        cases = ((endless, "limit-reached", "does not come to an end"), (silent, "timeout", "no answer in time"),
                 (closes, "unreachable", "closed the connection"), (garbage, "unreachable", "no "))
        for serve, reason, says in cases:
            for scheme in ("http", "socks5"):
                port = self.hostile(serve)
                problem = problems(self.probe("--timeout", "1s", "--proxy", f"{scheme}://127.0.0.1:{port}", "db.example"))[0]
                self.assertIn(f"proxy {scheme}://127.0.0.1:{port}", problem["message"])
                if scheme == "http":
                    self.assertEqual(problem["reason"], reason, problem)
                    self.assertIn(says, problem["message"])
        closed = free_port()
        problem = problems(self.probe("--proxy", f"http://127.0.0.1:{closed}", "192.0.2.0/31"))
        self.assertEqual(len(problem), 2, "a sweep is not silent when it is the proxy that fails")
        self.assertIn("connecting to the proxy", problem[0]["message"])


if __name__ == "__main__":
    unittest.main()
