"""Servers that misbehave before TLS, for every protocol: each ends in time, with a reason, and holds up no other."""
import socket
import threading
import time
import unittest

from harness import Case, certificates, endpoints, problems

SCHEMES = ("smtp lmtp imap pop3 ftp ldap xmpp xmpp-server nntp sieve irc telnet postgres mysql rdp tds").split()

XMPP = b"<?xml version='1.0'?><stream:stream id='a'><stream:features><starttls xmlns='x'/></stream:features>"
MYSQL = b"\x21\x00\x00\x00\x0a8.0.36\0\x01\x00\x00\x00scramble\0\xff\xff\x2d\x02\x00\xff\xff\x15\0\0\0\0"

# What a server says in turn, up to where TLS begins; the first without being asked unless it is empty.
SAYS = {
    "smtp": [b"220 x ESMTP\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"],
    "lmtp": [b"220 x LMTP\r\n", b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"],
    "imap": [b"* OK x\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK\r\n", b"a2 OK\r\n"],
    "pop3": [b"+OK x\r\n", b"+OK go\r\n"],
    "ftp": [b"220 x\r\n", b"234 go\r\n"],
    "ldap": [b"", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"],
    "xmpp": [b"", XMPP, b"<proceed xmlns='x'/>"],
    "xmpp-server": [b"", XMPP, b"<proceed xmlns='x'/>"],
    "nntp": [b"200 x\r\n", b"101 x\r\nSTARTTLS\r\n.\r\n", b"382 go\r\n"],
    "sieve": [b"\"SIEVE\" \"x\"\r\n\"STARTTLS\"\r\nOK\r\n", b"OK\r\n"],
    "irc": [b":x NOTICE * :x\r\n", b":x CAP * LS :tls\r\n", b":x 670 * :go\r\n"],
    "telnet": [b"", b"\xff\xfd\x2e", b"\xff\xfa\x2e\x01\xff\xf0"],
    "postgres": [b"", b"S"],
    "mysql": [MYSQL],
    "rdp": [b"", b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00"],
    "tds": [b"", b"\x04\x01\x00\x1a\x00\x00\x01\x00\x00\x00\x0b\x00\x06\x01\x00\x11\x00\x01\xff\x10\x00\x00\x00\x00\x00\x01"],
}

# More of the same, for ever; where a protocol has no answer without an end, any bytes will do.
ENDLESS = {"smtp": b"220-x\r\n", "lmtp": b"220-x\r\n", "imap": b"* OK x\r\n", "ftp": b"220-x\r\n", "nntp": b"200 x\r\n101 x\r\n" + b"X\r\n" * 999,
           "sieve": b"\"X\" \"y\"\r\n", "irc": b":x NOTICE * :x\r\n", "telnet": b"\xff\xfd\x18", "xmpp": b"<?xml version='1.0'?>",
           "xmpp-server": b"<?xml version='1.0'?>"}

TIMEOUT = 6


class Tempers(Case):
    def serve(self, temper):
        """A listener that treats each peer with temper(peer)."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.addCleanup(lambda: listener.shutdown(socket.SHUT_RDWR))

        def one(peer):
            with peer:
                peer.settimeout(30)
                try:
                    temper(peer)
                except OSError:
                    pass

        def accept():
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(peer,), daemon=True).start()
        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def look(self, temper_of):
        """One scan of one such server for each protocol; their problems by scheme."""
        uris = {f"{scheme}://127.0.0.1:{self.serve(temper_of(scheme))}": scheme for scheme in SCHEMES}
        before = time.monotonic()
        records = self.scan("--timeout", f"{TIMEOUT}s", *uris)
        # The bound is the deadline; the rest is a busy machine's.
        self.assertLess(time.monotonic() - before, TIMEOUT + 60)
        self.assertEqual(certificates(records), [])
        self.assertEqual(len(endpoints(records)), len(SCHEMES))
        found = {uris[p["location"]["uri"]]: p for p in problems(records)}
        self.assertEqual(sorted(found), sorted(SCHEMES))
        return found

    @staticmethod
    def dialogue(peer, says, last=None):
        """Says its words in turn, each but the first after it was spoken to; `last` instead of the last."""
        for i, words in enumerate(says):
            if i:
                peer.recv(4096)
            if words:
                peer.sendall(last if last is not None and i == len(says) - 1 else words)

    def test_plaintext_behind_the_last_answer(self):
        def temper_of(scheme):
            says = SAYS[scheme]
            return lambda peer: (self.dialogue(peer, says, says[-1] + b"injected\r\n"), peer.recv(4096), time.sleep(0.5))
        for scheme, problem in self.look(temper_of).items():
            self.assertEqual(problem["reason"], "handshake-failed", (scheme, problem))
            self.assertIn("plaintext follows the answer to STARTTLS", problem["message"])

    def test_silence(self):
        for scheme, problem in self.look(lambda scheme: lambda peer: time.sleep(TIMEOUT + 10)).items():
            self.assertEqual(problem["reason"], "timeout", (scheme, problem))
            self.assertIn("has said nothing", problem["message"])

    def test_closed_at_once_and_in_the_middle(self):
        for scheme, problem in self.look(lambda scheme: lambda peer: None).items():
            self.assertEqual(problem["reason"], "handshake-failed", (scheme, problem))
            self.assertRegex(problem["message"], "the server (closed|reset) the connection before TLS")

        def temper_of(scheme):
            says = SAYS[scheme]
            return lambda peer: self.dialogue(peer, says, says[-1][:-1] or b"") if len(says[-1]) > 1 else peer.recv(4096)
        for scheme, problem in self.look(temper_of).items():
            self.assertEqual(problem["reason"], "handshake-failed", (scheme, problem))
            self.assertRegex(problem["message"], "the server (closed|reset) the connection before TLS")

    def test_byte_at_a_time_ends_at_the_deadline(self):
        def temper_of(scheme):
            words = ENDLESS.get(scheme, SAYS[scheme][-1])
            words = words if len(words) > 1 else b"E\0\0\0\x40" + b"S" * 60

            def temper(peer):
                for byte in words * 20:
                    peer.sendall(bytes([byte]))
                    time.sleep(0.5)
            return temper
        for scheme, problem in self.look(temper_of).items():
            if scheme in ENDLESS:
                self.assertEqual(problem["reason"], "timeout", (scheme, problem))
            self.assertIn(problem["reason"], ("timeout", "handshake-failed", "not-tls"), (scheme, problem))

    def test_slow_but_good_dialogues_get_through_to_tls(self):
        """Each word byte by byte, then TLS is expected: it is closed there."""
        def temper_of(scheme):
            def temper(peer):
                for i, words in enumerate(SAYS[scheme]):
                    if i:
                        peer.recv(4096)
                    for byte in words:
                        peer.sendall(bytes([byte]))
                        time.sleep(0.002)
                # What comes now is our last word, where there is one, and the ClientHello.
                hello = b""
                while b"\x16\x03\x01" not in hello:
                    part = peer.recv(4096)
                    if not part:
                        return
                    hello += part
                # A fatal alert, handshake_failure, in TDS inside of a packet.
                alert = b"\x15\x03\x03\x00\x02\x02\x28"
                peer.sendall((b"\x12\x01\x00\x0f\x00\x00\x00\x00" if scheme == "tds" else b"") + alert)
            return temper
        for scheme, problem in self.look(temper_of).items():
            self.assertEqual(problem["reason"], "handshake-failed", (scheme, problem))
            self.assertIn("alert 40", problem["message"], scheme)

    def test_endless_banners_end_at_the_ceiling(self):
        def temper_of(scheme):
            words = ENDLESS.get(scheme, b"x" * 100) * 100

            def temper(peer):
                while True:
                    peer.sendall(words)
            return temper
        for scheme, problem in self.look(temper_of).items():
            if scheme in ENDLESS:
                self.assertEqual(problem["reason"], "limit-reached", (scheme, problem))
            else:
                self.assertIn(problem["reason"], ("limit-reached", "not-tls"), (scheme, problem))

    def test_the_wrong_protocol_is_named(self):
        wrong = b"Welcome to nothing\r\n"
        for scheme, problem in self.look(lambda scheme: lambda peer: (peer.sendall(wrong), peer.recv(4096), time.sleep(TIMEOUT + 10))).items():
            # Telnet takes text for text, and XMPP what stands before a tag.
            if scheme in ("telnet", "xmpp", "xmpp-server"):
                self.assertIn(problem["reason"], ("timeout", "not-tls"), problem)
                continue
            self.assertEqual(problem["reason"], "not-tls", (scheme, problem))
            self.assertIn("\"W\"" if scheme == "postgres" else "Welcome to nothing", problem["message"])

    def test_tls_from_the_first_byte_is_told(self):
        """An alert is what a TLS server says to words in plain text."""
        alert = b"\x15\x03\x01\x00\x02\x02\x46"
        for scheme, problem in self.look(lambda scheme: lambda peer: (peer.recv(4096), peer.sendall(alert), time.sleep(1))
                                         if SAYS[scheme][0] == b"" else (peer.sendall(alert), time.sleep(1))).items():
            self.assertEqual(problem["reason"], "not-tls", (scheme, problem))
            self.assertIn("tls://HOST:PORT", problem["message"], scheme)

    def test_a_slow_one_holds_up_nobody(self):
        port = self.serve(lambda peer: time.sleep(TIMEOUT + 10))
        good = self.pki.make("localhost", names=["localhost"])
        fine = self.s_server(good)
        records = self.scan("--timeout", f"{TIMEOUT}s", f"smtp://localhost:{port}", f"tls://localhost:{fine}")
        self.assertEqual([c["fingerprint"] for c in certificates(records)], [good.fingerprint])
        self.assertEqual([p["reason"] for p in problems(records)], ["timeout", "timeout"][:1])


if __name__ == "__main__":
    unittest.main()
