"""DTLS: real servers in all modes, a way that loses datagrams, hostile peers, and places where nobody answers."""
import os
import select
import socket
import struct
import subprocess
import threading
import time
import unittest
from pathlib import Path

from harness import Case, certificates, endpoints, free_port, problems, wait_for

MODES = {"none": "none", "optional": "optional", "required": "required"}


def free_udp_port():
    return free_port(socket.SOCK_DGRAM)


def is_bound(port):
    wanted = f":{port:04X}"
    return any(line.split()[1].endswith(wanted) for name in ("udp", "udp6")
               for line in Path("/proc/net", name).read_text().splitlines()[1:])


class Peer(threading.Thread):
    """A UDP port where `answer(sock, data, sender)` sees each datagram."""

    def __init__(self, case, answer):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.answer = answer
        self.seen = []
        self.is_over = False
        case.addCleanup(self.end)
        self.start()

    def run(self):
        while not self.is_over:
            if select.select([self.sock], [], [], 0.1)[0]:
                data, sender = self.sock.recvfrom(65536)
                self.seen.append(data)
                try:
                    self.answer(self, data, sender)
                except OSError:
                    pass

    def end(self):
        self.is_over = True
        self.join()
        self.sock.close()


class Lossy(threading.Thread):
    """A relay that loses the first datagram of each flight, either way, when it is said for the first time."""

    def __init__(self, case, to):
        super().__init__(daemon=True)
        self.front, self.back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(("127.0.0.1", 0))
        self.back.connect(("127.0.0.1", to))
        self.port = self.front.getsockname()[1]
        self.client = None
        self.lost = set()
        self.is_over = False
        case.addCleanup(self.end)
        self.start()

    def run(self):
        last = None
        while not self.is_over:
            for side in select.select([self.front, self.back], [], [], 0.1)[0]:
                data, sender = side.recvfrom(65536)
                if side is self.front:
                    self.client = sender
                # Content type and epoch; of a handshake message in the clear its type and number.
                name = (side, data[0], data[3:5]) + ((data[13], data[17:19]) if data[0] == 22 and data[3:5] == b"\0\0" else ())
                is_first, last = side is not last, side
                if is_first and name not in self.lost:
                    self.lost.add(name)
                    continue
                if side is self.front:
                    self.back.send(data)
                else:
                    self.front.sendto(data, self.client)

    def end(self):
        self.is_over = True
        self.join()
        self.front.close()
        self.back.close()


def record(kind, body, number=0):
    return bytes([kind]) + b"\xfe\xfd" + struct.pack("!HHIH", 0, 0, number % 2**32, len(body)) + body


def nothing(peer, data, sender):
    pass


def echo(peer, data, sender):
    peer.sock.sendto(data, sender)


def talker(peer, data, sender):
    peer.sock.sendto(b"ERROR what is this?\r\n", sender)


def garbage(peer, data, sender):
    """Records of random content as fast as it goes, and datagrams that are none."""
    end = time.monotonic() + 4
    number = 0
    while time.monotonic() < end and not peer.is_over:
        number += 1
        peer.sock.sendto(record(22 + number % 2, os.urandom(1200), number), sender)
        peer.sock.sendto(os.urandom(900), sender)


def huge_message(peer, data, sender):
    """A Certificate of 16 MiB, in fragments that never end."""
    size = 16 * 1024 * 1024 - 1
    hello = b"\xfe\xfd" + bytes(32) + b"\x00\xc0\x2b\x00"
    head = lambda kind, seq, whole, at, part: bytes([kind]) + whole.to_bytes(3, "big") + struct.pack("!H", seq) + \
        at.to_bytes(3, "big") + part.to_bytes(3, "big")
    peer.sock.sendto(record(22, head(2, 0, len(hello), 0, len(hello)) + hello), sender)
    for i in range(20000):
        if peer.is_over:
            return
        peer.sock.sendto(record(22, head(11, 1, size, i * 500, 500) + bytes(500), i + 1), sender)


def verify_for_ever(peer, data, sender):
    """A cookie, and with each answer another one."""
    cookie = os.urandom(20)
    body = b"\xfe\xff" + bytes([len(cookie)]) + cookie
    number = len(peer.seen)
    message = b"\x03" + len(body).to_bytes(3, "big") + struct.pack("!H", number - 1) + bytes(3) + len(body).to_bytes(3, "big") + body
    peer.sock.sendto(record(22, message, number - 1), sender)


class Dtls(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def started(self, port, *command):
        # Not at the end of its input, where s_server ends.
        process = self.start(*command, stdin=subprocess.PIPE)
        wait_for(lambda: is_bound(port) or process.poll() is not None, 20, command[0])
        self.assertIsNone(process.poll(), self.log_of(process))
        return port

    def openssl(self, mode, *more):
        verify = {"none": [], "optional": ["-verify", "1"], "required": ["-Verify", "1"]}[mode]
        port = free_udp_port()
        return self.started(port, "openssl", "s_server", "-dtls", "-accept", f"127.0.0.1:{port}", "-cert", self.server.pem_file, "-key",
                            self.server.key_file, "-CAfile", self.root.pem_file, *verify, *more)

    def gnutls(self, mode):
        more = {"none": ["--disable-client-cert"], "optional": [], "required": ["--require-client-cert"]}[mode]
        port = free_udp_port()
        return self.started(port, "gnutls-serv", "--udp", "-p", port, "--x509certfile", self.server.pem_file, "--x509keyfile",
                            self.server.key_file, "--x509cafile", self.root.pem_file, "--echo", *more)

    def by_port(self, records):
        return {e["port"]: e for e in endpoints(records)}

    def check(self, endpoint, mode):
        said = endpoint.get("client_certificate_evidence")
        self.assertEqual(endpoint["client_certificate"], mode, said)
        self.assertTrue(said)
        self.assertTrue(endpoint["reachable"])
        self.assertEqual(endpoint["address"], "127.0.0.1")
        self.assertEqual(endpoint["protocol"], "DTLS1.2")
        if mode != "required":
            self.assertTrue(endpoint["cipher_suite"])
        self.assertEqual(endpoint["chain"][0], self.server.fingerprint)
        self.assertEqual(endpoint.get("acceptable_cas", []), [] if mode == "none" else ["CN=Test Root"])
        if mode != "none":
            self.assertEqual(endpoint["acceptable_cas_from"], "DTLS1.2")

    def test_all_modes_also_where_datagrams_are_lost(self):
        ports = {start(mode): mode for mode in MODES for start in (self.openssl, self.gnutls) if (start, mode) != (self.gnutls, "required")}
        ways = {Lossy(self, start(mode)): mode for start, mode in ((self.openssl, "none"), (self.openssl, "optional"), (self.gnutls, "optional"))}
        ports |= {way.port: mode for way, mode in ways.items()}
        records = self.scan("--trust", self.root.pem_file, "--timeout", "30s", *[f"dtls://localhost:{p}" for p in ports])
        self.assertEqual(problems(records), [])
        found = self.by_port(records)
        self.assertEqual(set(found), set(ports))
        for port, mode in ports.items():
            with self.subTest(port=port, mode=mode):
                self.check(found[port], mode)
                self.assertEqual(found[port]["location"]["uri"], f"dtls://localhost:{port}")
        for way in ways:
            self.assertGreaterEqual(len(way.lost), 6)
        leaves = [c for c in certificates(records) if c["location"]["index"] == 0]
        self.assertEqual({(c["fingerprint"], c["verdict"]["status"]) for c in leaves}, {(self.server.fingerprint, "ok")})

    def test_certificates_only(self):
        ports = {self.openssl("required"): "unknown", self.openssl("none"): "none"}
        for _ in range(2):  # a server that was left in the middle is there for the next
            found = self.by_port(self.scan("--certificates-only", *[f"dtls://127.0.0.1:{p}" for p in ports]))
            for port, mode in ports.items():
                self.assertEqual(found[port]["client_certificate"], mode)
                self.assertEqual(found[port]["chain"][0], self.server.fingerprint)

    def test_client_certificate_is_presented(self):
        client = self.pki.make("client", self.root, usage=["tls_www_client"])
        stranger = self.pki.make("stranger", usage=["tls_www_client"])
        port = self.openssl("required", "-verify_return_error")
        for own, wanted in ((client, True), (stranger, False)):
            endpoint = endpoints(self.scan("--client-cert", own.pem_file, "--client-key", own.key_file, f"dtls://127.0.0.1:{port}"))[0]
            self.assertEqual(endpoint["presented"]["accepted"], wanted, endpoint)

    def test_networks_and_exclusions(self):
        port, closed = self.openssl("none"), free_udp_port()
        records = self.scan("--timeout", "20s", f"dtls://127.0.0.0/30:{port},{closed}", "--exclude", "127.0.0.3", "--rate", "100")
        self.assertEqual([e["location"]["uri"] for e in endpoints(records)], [f"dtls://127.0.0.1:{port}"])
        self.assertEqual(problems(records), [])

    def test_no_proxy_carries_it(self):
        port = self.openssl("none")
        records = self.scan("--proxy", f"http://127.0.0.1:{free_udp_port()}", f"dtls://127.0.0.1:{port}")
        self.assertEqual([(p["reason"], "carries no UDP" in p["message"]) for p in problems(records)], [("unsupported", True)])
        # One of the environment is for what it can carry.
        listed = self.folder / "list"
        listed.write_text(f"dtls://other.example@127.0.0.1:{port}  # by another name\n")
        records = self.scan(f"@{listed}", env={"all_proxy": "http://192.0.2.1:9", "no_proxy": "none.example"})
        self.assertEqual((self.by_port(records)[port]["server_name"], self.by_port(records)[port]["chain"][0]),
                         ("other.example", self.server.fingerprint))

    def test_silent_closed_and_hostile_peers_end_by_the_deadline(self):
        silent, closed, other = Peer(self, nothing), free_udp_port(), Peer(self, talker)
        # gnutls-serv, without the certificate that it requires, says nothing more over UDP, not even an alert: it
        # looks at the same datagram for ever, and answers nobody any longer.
        mute = self.gnutls("required")
        peers = [Peer(self, answer) for answer in (echo, garbage, huge_message, verify_for_ever)]
        good = self.openssl("none")
        ports = (silent.port, closed, other.port, mute, *[p.port for p in peers], good)
        records = self.scan("--timeout", "4s", *[f"dtls://127.0.0.1:{p}" for p in ports])
        seconds = [r for r in records if r["type"] == "summary"][0]["seconds"]
        self.assertLess(seconds, 4 + 60)
        reasons = {int(p["location"]["uri"].rsplit(":", 1)[1]): p for p in problems(records)}
        found = self.by_port(records)
        for port, reason in ((silent.port, "timeout"), (closed, "refused"), (other.port, "not-tls"), (mute, "timeout")):
            self.assertEqual((reasons[port]["reason"], found[port]["handshake"]), (reason, reason))
        self.assertIn("ERROR what is this?", reasons[other.port]["message"])
        self.assertEqual([p for p in ports if not found[p]["reachable"]], [silent.port, closed])
        for gone in (silent.port, closed):
            self.assertNotIn("address", found[gone])
        # What is not answered is said again: after one second, and after two more.
        self.assertIn(len(silent.seen), (2, 3))
        self.assertEqual((found[mute]["client_certificate"], found[mute]["acceptable_cas"]), ("unknown", ["CN=Test Root"]))
        self.assertIn("silence after an empty client certificate", found[mute]["client_certificate_evidence"])
        self.assertEqual(found[mute]["chain"][0], self.server.fingerprint)
        for peer in peers:
            self.assertIn(reasons[peer.port]["reason"], ("timeout", "handshake-failed", "limit-reached", "not-tls"))
        # The others do not notice.
        self.assertEqual((found[good]["chain"][0], found[good]["handshake"]), (self.server.fingerprint, "ok"))


if __name__ == "__main__":
    unittest.main()
