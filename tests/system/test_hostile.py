"""Servers of ill will: each ends by its deadline, costs little, and the others do not notice."""
import concurrent.futures
import os
import statistics
import subprocess
import time
import unittest
from pathlib import Path

import hostile
from harness import BINARY, Case, certificates, endpoints, problems

TIMEOUT_S = 10
SLACK_S = 20  # processes that start, a sanitizer, a busy machine
LATE_S = 1    # after its deadline a target is over
# What a good target may take among bad ones, to what it takes alone: half as long again, for the probe's processor time goes
# to the bad ones as well, and what a busy machine does between two scans.
MEDIAN_RATIO_MAX = 1.5
MEDIAN_SLACK_S = 0.2
# What one server may cost the probe. A sanitizer puts zones around what is allocated, an eighth of shadow on top, and
# keeps what is freed (16 MiB of it here).
GROWTH_KIB_MAX = 32 * 1024
SANITIZER = "quarantine_size_mb=16:malloc_context_size=0"
IS_SANITIZED = b"__asan_init" in Path(BINARY).read_bytes()


def children_of(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def arguments_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return []


def peak_of(pid):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max([int(line.split()[1]) for line in lines if line.startswith("VmHWM:")] or [0])


class HostileServers(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def hostile(self, name):
        if name in hostile.IN_SESSION:
            server = hostile.Peer(name, self.server, self.root.pem_file)
        else:
            server = hostile.Hostile(hostile.ALL[name], self.server)
        self.addCleanup(server.close)
        return ("smtp://" if name in hostile.IN_DIALOGUE else "") + f"127.0.0.1:{server.port}"

    def peak_kib(self, target):
        """The most memory that a probe took which met only this server."""
        env = {**os.environ, "ASAN_OPTIONS": SANITIZER + ":" + os.environ.get("ASAN_OPTIONS", "")}
        process = subprocess.Popen([BINARY, "scan", "-o", "jsonl", "--concurrency", "8", "--timeout", "4s", "--trust", self.root.pem_file,
                                    "--no-system-trust", target], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=env)
        peak = 0
        while process.poll() is None:
            peak = max([peak] + [peak_of(child) for child in children_of(process.pid) if "probe" in arguments_of(child)])
            time.sleep(0.02)
        self.assertEqual(process.returncode, 0)
        return peak

    def test_none_costs_much_memory(self):
        # Of each, one connection: what it makes the probe keep. `silent` is what a target costs at least.
        names = ("silent large_message endless_lines endless_answer empty_certificates one_byte_records flood_of_alerts "
                 "tickets key-updates-both renegotiations certificate-requests").split()
        targets = {name: self.hostile(name) for name in names}
        # GnuTLS makes its list of names longer one by one: under a sanitizer, whose realloc always copies, that is 200 MB.
        for count in (50000,) if IS_SANITIZED else (10000, 50000):
            targets[f"{count} names"] = f"127.0.0.1:{self.s_server(self.pki.make_many('many', self.root, count))}"
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            peaks = dict(zip(targets, pool.map(self.peak_kib, targets.values())))
        self.assertGreater(peaks["silent"], 1000, peaks)
        most = GROWTH_KIB_MAX * (2 if IS_SANITIZED else 1)
        growth = {name: peak - peaks["silent"] for name, peak in peaks.items()}
        if os.environ.get("LEAFWATCH_TELL"):
            print("\n".join(f"{kib:8} KiB  {name}" for name, kib in growth.items()))
        for name, kib in growth.items():
            self.assertLess(kib, most, (name, growth))

    def test_each_ends_in_time_and_is_told(self):
        places = {self.hostile(name): name for name in [*hostile.ALL, *hostile.IN_SESSION]}
        before = time.monotonic()
        records = self.scan("--timeout", f"{TIMEOUT_S}s", *places)
        self.assertLess(time.monotonic() - before, TIMEOUT_S + SLACK_S)
        late = {e["location"]["uri"]: e["duration_seconds"] for e in endpoints(records)}
        if os.environ.get("LEAFWATCH_TELL"):
            print(f"the last ended after {max(late.values())} s")
        self.assertLess(max(late.values()), TIMEOUT_S + LATE_S, late)
        told = {e["location"]["uri"].split("://")[1] for e in endpoints(records)}
        for place, name in places.items():
            self.assertIn(place.split("://")[-1], told, name)
        # Who got as far as Finished is no problem; all others are, each with its reason.
        finished = {"endless_answer", "mute_after_handshake", *hostile.IN_SESSION}
        reasons = {p["location"]["uri"].split("://")[1]: p["reason"] for p in problems(records)}
        for place, name in places.items():
            self.assertEqual(place.split("://")[-1] in reasons, name not in finished, (name, reasons))
        by_name = {name: reasons.get(place.split("://")[-1]) for place, name in places.items()}
        for name in ("silent", "drip", "zero_window"):
            self.assertEqual(by_name[name], "timeout")
        self.assertEqual(by_name["large_message"], "limit-reached")
        self.assertEqual(by_name["http"], "not-tls")
        # A flood is no answer: what these servers want of clients is not guessed.
        seen = {e["port"]: e for e in endpoints(records)}
        for name in hostile.IN_SESSION:
            port, = [int(place.rsplit(":", 1)[1]) for place, other in places.items() if other == name]
            self.assertEqual(seen[port]["client_certificate"], "unknown", (name, seen[port]))
            self.assertEqual(seen[port]["chain"], [self.server.fingerprint])

    def test_a_thousand_others_do_not_notice(self):
        ports = self.nginx(f"""server {{ listen 127.0.0.1:PORT1 ssl backlog=4096; ssl_certificate {self.server.pem_file};
            ssl_certificate_key {self.server.key_file}; }}""")
        # 980 addresses of one good server, and every hostile one among them
        good = [f"127.0.0.1:{ports['PORT1']}"]
        targets = self.folder / "targets"
        bad = [self.hostile(name) for name in [*hostile.ALL, *hostile.IN_SESSION]]
        bad.append(f"127.0.0.1:{self.s_server(self.pki.make_many('many', self.root, 50000))}")
        names = [f"name{i}.example@{good[0]}" for i in range(1000 - len(bad))]
        targets.write_text("\n".join(names) + "\n")
        alone = self.durations(targets, ports["PORT1"])
        lines = []
        for i, name in enumerate(names):
            lines.append(name)
            if i % 50 == 0 and bad:
                lines.append(bad.pop())
        targets.write_text("\n".join(lines + bad) + "\n")
        among = self.durations(targets, ports["PORT1"])
        if os.environ.get("LEAFWATCH_TELL"):
            print({what: [round(f(d), 3) for f in (min, statistics.median, max)] for what, d in (("alone", alone), ("among", among))})
        self.assertLess(statistics.median(among), MEDIAN_RATIO_MAX * statistics.median(alone) + MEDIAN_SLACK_S)

    def durations(self, targets, port):
        records = self.scan("--timeout", "30s", "--http-path", "none", f"@{targets}", timeout=280)
        seen = [e for e in endpoints(records) if e["port"] == port]
        self.assertGreater(len(seen), 900)
        self.assertEqual({e["handshake"] for e in seen}, {"ok"})
        self.assertEqual({e["client_certificate"] for e in seen}, {"none"})
        return [e["duration_seconds"] for e in seen]

    def test_chains_of_41_certificates_arrive_whole(self):
        last = self.root
        made = []
        for i in range(40):
            last = self.pki.make(f"CA {i}", last, ca=True)
            made.append(last)
        leaf = self.pki.make("localhost", last, names=["localhost"])
        port = self.s_server(leaf, chain="".join(c.pem for c in reversed(made)))
        records = self.scan(f"localhost:{port}")
        self.assertEqual(len(endpoints(records)[0]["chain"]), 41)
        self.assertEqual(len(certificates(records)), 41)


if __name__ == "__main__":
    unittest.main()
