"""A server of TDS to the letter of MS-TDS, as far as its login's encryption goes: no free one of today speaks it.

PRELOGIN (2.2.6.5) is read and answered; then TLS travels in packets of type 0x12 (2.2.3, 2.2.6.5) until the handshake
is complete, a flight being one message of packets of at most 4096 bytes, and bare from there on."""
import socket
import ssl
import struct
import threading

from servers import Server

PRELOGIN, RESPONSE, END_OF_MESSAGE = 0x12, 0x04, 0x01
ENCRYPT_OFF, ENCRYPT_ON, ENCRYPT_NOT_SUP, ENCRYPT_REQ = range(4)
PACKET_BYTES = 4096


class Protocol(Exception):
    pass


def read(peer, size):
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        if not part:
            raise Protocol("closed")
        data += part
    return data


def read_message(peer):
    """Packets up to the one with END_OF_MESSAGE, put together."""
    content = b""
    while True:
        kind, status, size, _spid, _number, _window = struct.unpack(">BBHHBB", read(peer, 8))
        if kind != PRELOGIN or size < 8 or size > PACKET_BYTES:
            raise Protocol(f"packet of type {kind} with {size} bytes")
        content += read(peer, size - 8)
        if status & END_OF_MESSAGE:
            return content


def message(kind, content, packet=PACKET_BYTES):
    out = b""
    while True:
        part, content = content[:packet - 8], content[packet - 8:]
        out += struct.pack(">BBHHBB", kind, 0 if content else END_OF_MESSAGE, len(part) + 8, 0, 1, 0) + part
        if not content:
            return out


def options(content):
    """The tokens of a PRELOGIN and their values; their places are checked."""
    at, found = 0, {}
    while content[at] != 0xFF:
        token, offset, size = struct.unpack(">BHH", content[at:at + 5])
        if offset + size > len(content):
            raise Protocol(f"option {token} lies outside")
        found[token] = content[offset:offset + size]
        at += 5
    if len(found.get(0, b"")) != 6 or len(found.get(1, b"")) != 1:
        raise Protocol(f"no VERSION or ENCRYPTION: {found}")
    return found


def answer(encryption):
    """VERSION 16.0.1000, ENCRYPTION, INSTOPT, THREADID (empty), MARS."""
    values = [(0, b"\x10\x00\x03\xe8\x00\x00"), (1, bytes([encryption])), (2, b"\x00"), (3, b""), (4, b"\x00")]
    head, data = b"", b""
    start = 5 * len(values) + 1
    for token, value in values:
        head += struct.pack(">BHH", token, start + len(data), len(value))
        data += value
    return head + b"\xff" + data


class Tds(Server):
    """`encryption` is what it answers; `packet` the size of its packets, to cut TLS records anywhere."""
    scheme = "tds"
    encryption, packet = ENCRYPT_ON, PACKET_BYTES

    def run(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.pem, self.key)
        # TDS 7 knows no TLS 1.3; a server that takes it all the same is to be survived.
        self.context.maximum_version = ssl.TLSVersion.TLSv1_3 if self.version == "1.3" else ssl.TLSVersion.TLSv1_2
        if self.verify != "none":
            self.context.load_verify_locations(self.ca_pem)
            self.context.verify_mode = ssl.CERT_OPTIONAL if self.verify == "request" else ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.case.addCleanup(self.listener.close)
        self.case.addCleanup(lambda: self.listener.shutdown(socket.SHUT_RDWR))
        self.heard = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        with peer:
            peer.settimeout(20)
            try:
                self.talk(peer)
            except (OSError, Protocol, ssl.SSLError) as e:
                self.heard.append(str(e))

    def talk(self, peer):
        asked = options(read_message(peer))
        encryption = self.encryption if self.offer else ENCRYPT_NOT_SUP
        peer.sendall(message(RESPONSE, answer(encryption)))
        self.heard.append(asked[1][0])
        if encryption == ENCRYPT_NOT_SUP:
            return
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context.wrap_bio(into, out, server_side=True)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                if out.pending:
                    peer.sendall(message(PRELOGIN, out.read(), self.packet))
                into.write(read_message(peer))
        if session.version() == "TLSv1.3":
            peer.sendall(out.read())
        elif out.pending:
            peer.sendall(message(PRELOGIN, out.read(), self.packet))
        # The next thing is the login, in bare TLS: a packet head inside of it.
        while True:
            part = peer.recv(4096)
            if not part:
                raise Protocol("closed")
            into.write(part)
            try:
                self.heard.append(session.read(64) or "close_notify")
                return
            except ssl.SSLWantReadError:
                continue

    def is_ready(self):
        return True

    def log(self):
        return str(self.heard) if hasattr(self, "heard") else ""
