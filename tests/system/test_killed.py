"""A violent end of each process: what it held is at most lost, what it had is found again."""
import ctypes
import json
import os
import random
import signal
import socket
import sqlite3
import time
import unittest
from pathlib import Path

import harness
from harness import Case, wait_for


def children(pid):
    """The children of a process, and what role each has."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[1]) != pid:
                continue
            words = Path(f"/proc/{entry}/cmdline").read_text().split("\0")
            found[int(entry)] = words[2] if len(words) > 2 and words[1] == "--role" else ""
        except (OSError, IndexError):
            continue
    return found


class Kill(Case):
    """Every process is killed in the middle of its work; nothing is lost but what it held."""

    def fill(self, count):
        leaf = self.pki.make("leaf")
        for i in range(count):
            folder = self.tree / f"d{i % 200}"
            folder.mkdir(exist_ok=True)
            (folder / f"{i}.pem").write_text(leaf.pem)
        return count

    def scan_while_killing(self, role, *sources, number=signal.SIGKILL):
        """Starts a scan and sends one process of a role a signal as soon as it is seen."""
        process = self.start(harness.BINARY, "scan", "-o", "jsonl", *sources, stdout=open(self.folder / "out", "wb"))
        killed = 0
        while process.poll() is None and killed < 1:
            for pid, name in children(process.pid).items():
                if name == role and not killed:
                    time.sleep(random.random() * 0.1)
                    try:
                        os.kill(pid, number)
                        killed += 1
                    except ProcessLookupError:
                        pass
        self.assertEqual(process.wait(120), 0, self.log_of(process))
        return killed, [json.loads(line) for line in open(self.folder / "out")]

    def test_reader_is_replaced(self):
        count = self.fill(1500)
        killed, records = self.scan_while_killing("reader", self.tree)
        self.assertEqual(killed, 1)
        self.assertEqual(len(harness.certificates(records)), count)

    def test_parser_is_replaced_and_its_finding_is_a_problem(self):
        count = self.fill(1500)
        killed, records = self.scan_while_killing("parser", self.tree)
        self.assertEqual(killed, 1)
        lost = [p for p in harness.problems(records) if p["reason"] == "parser-crashed"]
        self.assertLessEqual(len(lost), 1)
        # Killed between the certificate and its last word, the place has both: never neither.
        self.assertEqual(len({r["location"]["uri"] for r in harness.certificates(records) + lost}), count)

    def test_parser_that_hangs_is_replaced(self):
        count = self.fill(1500)
        stopped, records = self.scan_while_killing("parser", self.tree, number=signal.SIGSTOP)
        self.assertEqual(stopped, 1)
        lost = [p for p in harness.problems(records) if p["reason"] == "timeout"]
        self.assertLessEqual(len(lost), 1)
        self.assertEqual(len({r["location"]["uri"] for r in harness.certificates(records) + lost}), count)

    def test_probe_is_replaced(self):
        root = self.pki.make("root", ca=True)
        leaf = self.pki.make("localhost", root, names=["localhost"])
        port = self.s_server(leaf)
        # One target that never answers keeps the probe at work until it is killed.
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        killed, records = self.scan_while_killing("probe", "--timeout", "3s", f"127.0.0.1:{silent.getsockname()[1]}",
                                                  f"127.0.0.0/24:{port}")
        self.assertEqual(killed, 1)
        self.assertEqual(len(harness.certificates(records)), 1)

    def test_main_at_random_moments(self):
        count = self.fill(600)
        state = self.folder / "state"
        self.adopt_orphans()
        for _ in range(6):
            process = self.start(harness.BINARY, "scan", "--state", state, "-o", "jsonl", self.tree)
            time.sleep(random.random() * 1.5)
            process.kill()
            process.wait()
            if (state / "inventory.db").exists():
                with sqlite3.connect(f"file:{state}/inventory.db?mode=ro", uri=True) as db:
                    self.assertEqual(db.execute("PRAGMA quick_check").fetchone()[0], "ok")
        self.assertEqual(len(harness.certificates(self.scan("--state", state, self.tree))), count)
        # Roles of a killed main do not live on.
        wait_for(lambda: not self.orphans(), 10, "the roles to end")

    @staticmethod
    def adopt_orphans():
        """Those that a killed process leaves become this one's children: nobody else's are taken for them."""
        pr_set_child_subreaper = 36
        if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")

    @staticmethod
    def orphans():
        """Roles of which this process is the parent; one that has ended has no name any more."""
        return [pid for pid, role in children(os.getpid()).items() if role]


if __name__ == "__main__":
    unittest.main()
