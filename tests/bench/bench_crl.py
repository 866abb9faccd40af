#!/usr/bin/env python3
"""What a large revocation list costs: peak memory of each role, and the time, while one is fetched and looked through.

usage: bench_crl.py BUILD [--entries 1000000] [--certificates 100]
BUILD is a release build. Needs certtool and openssl. The list and the server that has it are made here.
"""
import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
from pki import Pki, run  # noqa: E402

POLL_S = 0.01


def tlv(tag, content):
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def utc(days):
    return tlv(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400)).encode())


def make_list(issuer, entries, revoked):
    """DER of a list (RFC 5280 5.1) of so many serials and `revoked`, signed by `issuer`."""
    sha256_ecdsa = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    name = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403") + tlv(0x0c, issuer.name.encode()))))
    date = utc(-1)
    reason = bytes.fromhex("300c300a0603551d1504030a0104")
    first = 1 << 120
    one = lambda serial: tlv(0x30, tlv(0x02, serial.to_bytes(16, "big").lstrip(b"\0")) + date)
    listed = b"".join(one(first + n) for n in range(entries)) + tlv(0x30, tlv(0x02, revoked.to_bytes(2, "big")) + date + reason)
    tbs = tlv(0x30, tlv(0x02, b"\x01") + sha256_ecdsa + name + utc(-1) + utc(7) + tlv(0x30, listed)
              + tlv(0xa0, tlv(0x30, tlv(0x30, bytes.fromhex("0603551d14") + tlv(0x04, tlv(0x02, b"\x01"))))))
    signature = run("openssl", "dgst", "-sha256", "-sign", issuer.key_file, input=tbs)
    return tlv(0x30, tbs + sha256_ecdsa + tlv(0x03, b"\0" + signature))


def serve(body):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], server


def peaks(pid, found):
    """VmHWM of a process and its children, by what they are."""
    pids = [str(pid)]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        pids += task.read_text().split()
    for one in pids:
        status = Path(f"/proc/{one}/status").read_text()
        words = Path(f"/proc/{one}/cmdline").read_bytes().split(b"\0")
        role = "main" if one == str(pid) else words[-2].decode() if len(words) > 1 else "?"
        high = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
        if high:
            found[role] = max(found.get(role, 0), high)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("--entries", type=int, default=1000000)
    parser.add_argument("--certificates", type=int, default=100)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        pki = Pki(folder / "pki")
        root = pki.make("Bench Root", ca=True)
        body = make_list(root, args.entries, 1002)
        port, server = serve(body)
        tree = folder / "tree"
        tree.mkdir()
        for n in range(args.certificates):
            leaf = pki.make(f"{n}.example.org", root, more=(f'crl_dist_points = "http://127.0.0.1:{port}/crl"',))
            (tree / f"{n}.pem").write_text(leaf.pem)
        found = {}
        out = folder / "out"
        start = time.monotonic()
        with open(out, "wb") as sink:
            process = subprocess.Popen([os.path.join(args.build, "leafwatch"), "scan", "-o", "jsonl", "--trust", root.pem_file, tree], stdout=sink)
            while process.poll() is None:
                try:
                    peaks(process.pid, found)
                except OSError:
                    pass
                time.sleep(POLL_S)
        seconds = time.monotonic() - start
        server.shutdown()
        records = [json.loads(line) for line in out.read_text().splitlines()]
        said = [r["revocation"]["status"] for r in records if r["type"] == "certificate"]
        print(f"list: {len(body) / 1e6:.1f} MB, {args.entries + 1} entries, asked about {args.certificates} certificates")
        print(f"answers: {said.count('good')} good, {said.count('revoked')} revoked, {said.count('unknown')} unknown; {seconds:.1f} s")
        for role, kib in sorted(found.items()):
            print(f"peak of {role:10} {kib / 1024:7.1f} MiB")
        return 0 if said.count("revoked") == 1 and said.count("good") == args.certificates - 1 else 1


if __name__ == "__main__":
    sys.exit(main())
