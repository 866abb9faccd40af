"""TLS servers of ill will, one behaviour a function; each gets a connected socket and misbehaves on it.

A handshake of which only the first flight matters is written by hand: TLS 1.2, so that nothing is encrypted. What
takes a finished session is tls_peer's, which is built beside the tests."""
import os
import socket
import ssl
import struct
import subprocess
import threading
import time


def record(kind, body):
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


# ServerHello of TLS 1.2: ECDHE-ECDSA-AES128-GCM-SHA256, renegotiation_info
HELLO = message(2, b"\x03\x03" + bytes(range(32)) + b"\0" + b"\xc0\x2b" + b"\0" + b"\0\x05\xff\x01\0\x01\0")


def sending(peer, data, seconds=30):
    """Sends for so long, whatever becomes of it."""
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            peer.sendall(data)
    except OSError:
        pass


def wait_for_hello(peer):
    return peer.recv(4096)


def silent(peer):
    time.sleep(30)


def drip(peer):
    """One byte each half second inside a record."""
    wait_for_hello(peer)
    for byte in record(22, bytes(16000)):
        peer.sendall(bytes([byte]))
        time.sleep(0.5)


def drip_lines(peer):
    """The same before STARTTLS."""
    for _ in range(200):
        for byte in b"220-":
            peer.sendall(bytes([byte]))
            time.sleep(0.5)


def endless_line(peer):
    sending(peer, b"2" * 65536)


def endless_lines(peer):
    sending(peer, b"220-hello\r\n" * 4096)


def large_message(peer):
    """A handshake message of 16 MiB - 1."""
    wait_for_hello(peer)
    peer.sendall(record(22, HELLO))
    head = b"\x0b" + b"\xff\xff\xff"
    peer.sendall(record(22, head))
    sending(peer, record(22, bytes(16000)))


def flood(piece):
    def behave(peer):
        wait_for_hello(peer)
        sending(peer, piece * 1000)
    behave.__name__ = "flood"
    return behave


flood_of_alerts = flood(record(21, b"\x01\x5a"))
flood_of_ccs = flood(record(20, b"\x01"))
flood_of_empty_records = flood(record(22, b""))
flood_of_hello_requests = flood(record(22, message(0, b"")))


def empty_certificates(peer):
    """A million certificates of no byte: 3 MB."""
    wait_for_hello(peer)
    entries = bytes(3 * 1000 * 1000)
    body = message(11, len(entries).to_bytes(3, "big") + entries)
    peer.sendall(record(22, HELLO))
    for at in range(0, len(body), 16000):
        peer.sendall(record(22, body[at:at + 16000]))
    time.sleep(5)


def one_byte_records(peer):
    """The handshake in records of one byte."""
    wait_for_hello(peer)
    for byte in HELLO + message(11, bytes(5000)):
        peer.sendall(record(22, bytes([byte])))
    time.sleep(30)


def reset_at(stage):
    def behave(peer):
        if stage:
            wait_for_hello(peer)
        if stage == 2:
            peer.sendall(record(22, HELLO)[:20])
        if stage == 3:
            peer.sendall(record(22, HELLO + message(11, b"\0\0\x07\0\0\x04bad1")))
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return behave


reset_at_once, reset_after_hello, reset_in_record, reset_after_certificate = (reset_at(i) for i in range(4))


def http(peer):
    wait_for_hello(peer)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def zero_window(peer):
    """Reads nothing, and so lets nothing more be sent."""
    time.sleep(30)


def over_tls(afterwards):
    """A whole handshake, and then something."""
    def behave(peer):
        with behave.context.wrap_socket(peer, server_side=True) as tls:
            afterwards(tls)
    behave.needs_context = True
    return behave


def _endless_answer(tls):
    tls.recv(4096)
    sending(tls, b"HTTP/1.1 400 Bad Request\r\nX: " + b"x" * 16000)


def _mute(tls):
    time.sleep(30)


endless_answer, mute_after_handshake = over_tls(_endless_answer), over_tls(_mute)

ALL = {name: value for name, value in list(globals().items())
       if callable(value) and name in (
           "silent drip drip_lines endless_line endless_lines large_message flood_of_alerts flood_of_ccs "
           "flood_of_empty_records flood_of_hello_requests empty_certificates one_byte_records reset_at_once "
           "reset_after_hello reset_in_record reset_after_certificate http zero_window endless_answer "
           "mute_after_handshake").split()}
# What tls_peer does in a finished session.
IN_SESSION = "tickets key-updates key-updates-both hello-requests renegotiations certificate-requests warnings padding".split()
# Before TLS: to be met with smtp://
IN_DIALOGUE = {"drip_lines", "endless_line", "endless_lines"}


class Hostile:
    """Listens, and treats every client so."""

    def __init__(self, behave, certificate=None):
        if getattr(behave, "needs_context", False):
            behave.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            behave.context.load_cert_chain(certificate.pem_file, certificate.key_file)
            behave.context.set_alpn_protocols(["http/1.1"])
        self.behave = behave
        self.listener = socket.socket()
        if behave is zero_window:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
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
        try:
            peer.settimeout(30)
            self.behave(peer)
        except (OSError, ValueError):
            pass
        finally:
            peer.close()

    def close(self):
        self.listener.close()


class Peer:
    """tls_peer in one of its modes; it asks for a client certificate of the CAs of a file."""
    PROGRAM = os.environ.get("LEAFWATCH_TLS_PEER", "build/sanitize/tests/system/system_tls_peer")

    def __init__(self, mode, certificate, cas=None):
        self.process = subprocess.Popen([self.PROGRAM, certificate.pem_file, certificate.key_file, mode, *([cas] if cas else [])],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        # It serves each client in a process of its own.
        os.killpg(self.process.pid, 9)
        self.process.wait(5)
        self.process.stdout.close()
