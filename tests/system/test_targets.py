"""Targets: names with several addresses, name servers of every temper, lists, networks, limits."""
import json
import socket
import threading
import time
import unittest

from harness import BINARY, Case, certificates, endpoints, free_port, problems, wait_for
from nameserver import NameServer


class Counter:
    """Accepts on some addresses, holds each connection for a while, and counts how many there were at once."""

    def __init__(self, addresses, port, hold=0.3):
        self.now, self.most, self.total, self.times = {}, {}, 0, []
        self.lock = threading.Lock()
        self.hold = hold
        self.listeners = []
        for address in addresses:
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((address, port))
            s.listen(200)
            self.listeners.append(s)
            threading.Thread(target=self.accept, args=(s, address), daemon=True).start()

    def accept(self, s, address):
        while True:
            try:
                peer, _ = s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(peer, address), daemon=True).start()

    def serve(self, peer, address):
        with self.lock:
            self.total += 1
            self.times.append(time.monotonic())
            self.now[address] = self.now.get(address, 0) + 1
            self.most[address] = max(self.most.get(address, 0), self.now[address])
        time.sleep(self.hold)
        with self.lock:
            self.now[address] -= 1
        peer.close()

    def close(self):
        for s in self.listeners:
            s.close()


class Targets(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)

    def names(self, names):
        server = NameServer(names)
        self.addCleanup(server.close)
        return server

    def serve_on(self, address, port, certificate):
        pem = self.folder / f"served-{address}-{port}.pem"
        pem.write_text(certificate.pem)
        shown = f"[{address}]" if ":" in address else address
        self.start("openssl", "s_server", "-accept", f"{shown}:{port}", "-cert", pem, "-key", certificate.key_file, "-quiet")

        def check():
            try:
                socket.create_connection((address, port), 1).close()
                return True
            except OSError:
                return False
        wait_for(check, 10, "s_server")

    def scan_names(self, server, *args, **kwargs):
        return self.scan("--trust", self.root.pem_file, "--resolver", server.address, *args, **kwargs)

    def test_a_stale_address_among_three_is_found(self):
        new = self.pki.make("w.example", self.root, names=["w.example"])
        stale = self.pki.make("w.example", self.root, names=["w.example"], begins="-90 days", ends="-1 day")
        port = free_port()
        for address, certificate in (("127.0.0.2", new), ("127.0.0.3", stale), ("127.0.0.4", new)):
            self.serve_on(address, port, certificate)
        server = self.names({"w.example": ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.3"],
                             "one.example": ["127.0.0.2"]})
        records = self.scan_names(server, f"w.example:{port}", f"one.example:{port}")
        found = {c["location"]["uri"]: c for c in certificates(records)}
        self.assertEqual(set(found), {f"tls://w.example@127.0.0.{n}:{port}" for n in (2, 3, 4)} | {f"tls://one.example:{port}"})
        self.assertEqual([u for u, c in found.items() if c["fingerprint"] == stale.fingerprint],
                         [f"tls://w.example@127.0.0.3:{port}"])
        for endpoint in endpoints(records):
            self.assertEqual(endpoint["server_name"], endpoint["location"]["uri"].split("//")[1].split("@")[0].split(":")[0])
        # The fourth refuses: a problem at its own place.
        self.assertEqual([(p["location"]["uri"], p["reason"]) for p in problems(records)],
                         [(f"tls://w.example@127.0.0.5:{port}", "refused")])

    def test_name_servers_of_every_temper(self):
        certificate = self.pki.make("x", self.root, names=["chain.example", "many.example"])
        port = free_port()
        self.serve_on("127.0.0.2", port, certificate)
        many = [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(1000)]
        server = self.names({
            "chain.example": [("cname", "b.example")], "b.example": [("cname", "c.example")], "c.example": ["127.0.0.2"],
            "servfail.example": "servfail", "silent.example": "silent", "empty.example": [],
            "half.example": {"A": ["127.0.0.2"], "AAAA": "servfail"},
            "many.example": ["127.0.0.2"] + many})
        names = ["chain", "nothing", "servfail", "silent", "empty", "half", "many"]
        began = time.monotonic()
        records = self.scan_names(server, "--timeout", "5s", *[f"{n}.example:{port}" for n in names])
        self.assertLess(time.monotonic() - began, 60)
        found = {c["location"]["uri"] for c in certificates(records)}
        self.assertIn(f"tls://chain.example:{port}", found)
        self.assertIn(f"tls://half.example:{port}", found)
        self.assertIn(f"tls://many.example@127.0.0.2:{port}", found)
        said = {}
        for p in problems(records):
            said.setdefault(p["location"]["uri"], []).append((p["reason"], p["message"]))
        self.assertIn("no such name", said[f"tls://nothing.example:{port}"][0][1])
        self.assertIn("SERVFAIL", said[f"tls://servfail.example:{port}"][0][1])
        self.assertIn("in time", said[f"tls://silent.example:{port}"][0][1])
        self.assertIn("no address", said[f"tls://empty.example:{port}"][0][1])
        for name in ("nothing", "servfail", "silent", "empty", "half"):
            self.assertEqual(said[f"tls://{name}.example:{port}"][0][0], "unresolved")
        self.assertIn("one family could not be asked", said[f"tls://half.example:{port}"][0][1])
        self.assertEqual([r for r, _ in said[f"tls://many.example:{port}"]], ["limit-reached"])
        self.assertIn(("many.example", 1, "tcp"), server.asked)
        # 256 addresses are looked at, of which one listens.
        self.assertEqual(len([u for u in said if u.startswith("tls://many.example@")]), 255)

    def test_silent_names_hold_nobody_up(self):
        certificate = self.pki.make("ok.example", self.root, names=["ok.example"])
        port = free_port()
        self.serve_on("127.0.0.2", port, certificate)
        server = self.names({f"silent{n}.example": "silent" for n in range(1500)} | {"ok.example": ["127.0.0.2"]})
        targets = self.folder / "targets"
        targets.write_text("".join(f"silent{n}.example\n" for n in range(1500)) + f"ok.example:{port}\n127.0.0.2:{port}\n")
        process = self.start("sh", "-c", f"exec {BINARY} scan -o jsonl --resolver {server.address} "
                             f"--concurrency 4 @{targets} > {self.folder}/out")
        began = time.monotonic()
        process.wait(100)
        took = time.monotonic() - began
        records = [json.loads(line) for line in (self.folder / "out").read_text().splitlines()]
        self.assertEqual(len(certificates(records)), 2)
        self.assertEqual(len(problems(records)), 1500)
        # All wait at once: one deadline, not 1,500 / 4 of them.
        self.assertLess(took, 60)

    def test_what_was_known_of_a_name_is_kept_while_it_does_not_resolve(self):
        certificate = self.pki.make("w.example", self.root, names=["w.example"])
        port = free_port()
        for address in ("127.0.0.2", "127.0.0.3"):
            self.serve_on(address, port, certificate)
        names = {"w.example": ["127.0.0.2", "127.0.0.3"]}
        server = self.names(names)
        state = self.folder / "state"
        self.scan_names(server, "--state", state, f"w.example:{port}")
        names["w.example"] = "servfail"
        records = self.scan_names(server, "--state", state, f"w.example:{port}")
        self.assertEqual(sorted((c["location"]["uri"], c.get("stale")) for c in certificates(records)),
                         [(f"tls://w.example@127.0.0.{n}:{port}", True) for n in (2, 3)])
        names["w.example"] = ["127.0.0.3"]
        records = self.scan_names(server, "--state", state, f"w.example:{port}")
        self.assertEqual([(c["location"]["uri"], c.get("stale")) for c in certificates(records)],
                         [(f"tls://w.example:{port}", None)])

    def test_a_family_without_a_route_is_no_trouble(self):
        certificate = self.pki.make("w.example", self.root, names=["w.example"])
        port = free_port()
        self.serve_on("127.0.0.2", port, certificate)
        # A link-local address without its interface cannot be connected to.
        server = self.names({"w.example": ["127.0.0.2", "fe80::1"], "dead.example": ["fe80::1"]})
        records = self.scan_names(server, "--timeout", "20s", f"w.example:{port}", f"dead.example:{port}")
        uris = {c["location"]["uri"] for c in certificates(records)}
        self.assertEqual(len(uris), 1)
        self.assertTrue({f"tls://w.example:{port}", f"tls://w.example@127.0.0.2:{port}"} & uris)
        self.assertTrue([p for p in problems(records) if p["location"]["uri"] == f"tls://dead.example:{port}"])

    def test_both_families(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            self.skipTest("no IPv6 on this host")
        certificate = self.pki.make("w.example", self.root, names=["w.example"])
        port = free_port()
        for address in ("127.0.0.2", "127.0.0.3", "::1"):
            self.serve_on(address, port, certificate)
        server = self.names({"w.example": ["127.0.0.2", "127.0.0.3", "::1"], "local.example": ["127.0.0.9", "::1"]})
        records = self.scan_names(server, f"w.example:{port}", f"local.example:{port}", f"[::1]:{port}", f"::1/128:{port}")
        self.assertLessEqual({f"tls://w.example@127.0.0.2:{port}", f"tls://w.example@[::1]:{port}", f"tls://[::1]:{port}"},
                             {c["location"]["uri"] for c in certificates(records)})
        # The two loopback addresses are one server: that one family refuses is no trouble.
        self.assertIn(f"tls://local.example:{port}", {c["location"]["uri"] for c in certificates(records)})
        self.assertEqual(problems(records), [])

    def test_exclusions(self):
        certificate = self.pki.make("w.example", self.root, names=["w.example"])
        port, other = free_port(), free_port()
        for address in ("127.0.0.2", "127.0.0.3"):
            self.serve_on(address, port, certificate)
        counter = Counter(["127.0.0.3", "127.0.0.6"], other)
        self.addCleanup(counter.close)
        server = self.names({"w.example": ["127.0.0.2", "127.0.0.3"], "no.example": ["127.0.0.2"]})
        records = self.scan_names(server, "--exclude", "127.0.0.3", "--exclude", "*.example:444", "--exclude", "no.example",
                                  "--exclude", "127.0.0.4/30", f"w.example:{port}", f"no.example:{port}", "a.example:444",
                                  f"127.0.0.3:{other}", f"127.0.0.6:{other}")
        self.assertEqual([c["location"]["uri"] for c in certificates(records)], [f"tls://w.example:{port}"])
        self.assertEqual(problems(records), [])
        self.assertEqual(counter.total, 0)
        done = self.leafwatch("scan", "--exclude", "10.0.0.0/40", "127.0.0.1", code=2)
        self.assertIn(b'exclusion "10.0.0.0/40"', done.stderr)

    def test_limits_for_one_address_and_all_at_once(self):
        port = free_port()
        addresses = ["127.0.0.11", "127.0.0.12"]
        counter = Counter(addresses, port)
        self.addCleanup(counter.close)
        names = [f"n{n}.example@{a}:{port}" for n in range(12) for a in addresses]
        self.scan("--per-address", "2", "--timeout", "20s", *names)
        self.assertEqual(counter.total, 24)
        for address in addresses:
            self.assertLessEqual(counter.most[address], 2)
        counter.most.clear()
        self.scan("--concurrency", "3", "--timeout", "20s", *names)
        # A process has a third of one at least: two processes, four at once.
        self.assertLessEqual(sum(counter.most.values()), 6)

    def test_rate_for_one_address(self):
        """Only how long it takes at least: how often in each second is counted by the unit test, with a clock of its own."""
        port = free_port()
        counter = Counter(["127.0.0.11", "127.0.0.12"], port, hold=0)
        self.addCleanup(counter.close)
        began = time.monotonic()
        # Waiting for one's turn takes nothing of the target's time.
        records = self.scan("--per-address-rate", "4", "--timeout", "2s",
                            *[f"n{n}.example@{a}:{port}" for n in range(13) for a in ("127.0.0.11", "127.0.0.12")])
        self.assertEqual(counter.total, 26)
        self.assertGreaterEqual(time.monotonic() - began, 3 * 0.9)
        self.assertEqual({p["reason"] for p in problems(records)}, {"handshake-failed"})
        done = self.leafwatch("scan", "--per-address-rate", "many", "127.0.0.1", code=2)
        self.assertIn(b"per-address-rate", done.stderr)

    def test_rate_is_one_for_all_processes(self):
        port = free_port()
        counter = Counter(["127.0.0.11"], port, hold=0)
        self.addCleanup(counter.close)
        began = time.monotonic()
        self.scan("--rate", "40", "--timeout", "20s", *[f"n{n}.example@127.0.0.11:{port}" for n in range(80)])
        self.assertEqual(counter.total, 80)
        self.assertGreaterEqual(time.monotonic() - began, 1.8)
        times = sorted(counter.times)
        # In no second more than the rate, its twentieth that may come at once, and the noise of a busy host.
        for first in times:
            self.assertLessEqual(len([t for t in times if first <= t < first + 1]), 40 + 2 + 10)

    def test_discovery_files(self):
        certificate = self.pki.make("localhost", self.root, names=["localhost"])
        port = free_port()
        self.serve_on("127.0.0.1", port, certificate)
        for name, text in (("t.json", json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": {"__param_module": "x"}}])),
                           ("t.yml", f"# made by a tool\n- labels: {{job: x}}\n  targets: ['https://127.0.0.1:{port}/health']\n")):
            (self.folder / name).write_text(text)
            records = self.scan(f"@{self.folder / name}")
            self.assertEqual([c["location"]["uri"] for c in certificates(records)], [f"tls://127.0.0.1:{port}"])
            records = self.scan("-", stdin=text.encode())
            self.assertEqual(len(certificates(records)), 1)

    def test_a_discovery_file_is_read_again_and_a_broken_one_loses_nothing(self):
        certificate = self.pki.make("localhost", self.root, names=["localhost"])
        port = free_port()
        self.serve_on("127.0.0.1", port, certificate)
        file, state = self.folder / "t.json", self.folder / "state"
        file.write_text(json.dumps([{"targets": [f"127.0.0.1:{port}"]}]))
        self.assertEqual(len(certificates(self.scan("--state", state, f"@{file}"))), 1)
        file.write_text('[{"targets": [')
        done = self.leafwatch("scan", "-o", "jsonl", "--state", state, f"@{file}", code=None)
        self.assertIn(b"t.json", done.stderr)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([c.get("stale") for c in certificates(records)], [True])
        file.write_text("[]")
        self.assertEqual(certificates(self.scan("--state", state, f"@{file}")), [])


if __name__ == "__main__":
    unittest.main()
