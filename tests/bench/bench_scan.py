#!/usr/bin/env python3
"""leafwatch scan against the floors and ripgrep, in interleaved rounds, with the recall beside the time.

usage: bench_scan.py BUILD CORPUS [--rounds 9] [--cold 0]
BUILD is a release build with tests; CORPUS a folder (made here with BUILD/tests/bench/make_corpus if it
is missing). --cold N adds N rounds after dropping the page cache (root).
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

GOALS = (  # name, what, against, at most
    ("scan", "head4k", 1.5),
    ("scan", "rg", 0.6),
    ("rescan", "stat", 1.3),
    ("reader", "head4k", None),
    ("cold scan", "cold head4k-16", 1.3),
)
PEAK_KIB = 48 * 1024


def run(command):
    """Seconds and output. What is written goes to files: emptying a pipe would be this program's time."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.monotonic()
        done = subprocess.run(command, stdout=output, stderr=errors, check=False)
        wall = time.monotonic() - start
        output.seek(0)
        errors.seek(0)
        if done.returncode not in (0, 1):
            sys.exit("%s: %d\n%s" % (command[0], done.returncode, errors.read().decode(errors="replace")))
        return wall, output.read()


def truth(corpus):
    with open(os.path.join(corpus, "manifest.tsv"), encoding="utf-8") as lines:
        for line in lines:
            path, kind, hashes = line.rstrip("\n").split("\t")
            yield path, kind, [h for h in hashes.split(",") if h]


def uri_of(path):
    return "file://" + path  # the corpus' names are unreserved throughout


def recall(corpus, output):
    """Certificates found of those there are, by kind; and those found where none is."""
    found = {}
    for line in output.splitlines():
        record = json.loads(line)
        if record["type"] == "certificate":
            found.setdefault(record["location"]["uri"], []).append(record["fingerprint"])
    expected = hits = 0
    missed = {}
    for path, kind, hashes in truth(os.path.abspath(corpus)):
        here = found.pop(uri_of(path), [])
        expected += len(hashes)
        for fingerprint in hashes:
            if fingerprint in here:
                here.remove(fingerprint)
                hits += 1
            else:
                missed[kind] = missed.get(kind, 0) + 1
        if here:
            missed["extra " + kind] = len(here)
    if found:
        missed["elsewhere"] = len(found)
    return hits, expected, missed


def processes_below(pid):
    """A process and its descendants."""
    todo, found = [pid], []
    while todo:
        at = todo.pop()
        found.append(at)
        try:
            for task in os.listdir("/proc/%d/task" % at):
                with open("/proc/%d/task/%s/children" % (at, task), encoding="ascii") as children:
                    todo += [int(c) for c in children.read().split()]
        except OSError:
            pass
    return found


def memory_kib(pid):
    rss = pss = 0
    for at in processes_below(pid):
        try:
            with open("/proc/%d/smaps_rollup" % at, encoding="ascii") as lines:
                for line in lines:
                    rss += int(line.split()[1]) if line.startswith("Rss:") else 0
                    pss += int(line.split()[1]) if line.startswith("Pss:") else 0
        except OSError:
            pass
    return pss, rss


def peak(command):
    """The most memory of all processes at one time, sampled: (PSS, RSS) in KiB."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        most = [0, 0]
        while child.poll() is None:
            most = [max(pair) for pair in zip(most, memory_kib(child.pid))]
            time.sleep(0.02)
    return most


def drop_caches():
    subprocess.run(["sync"], check=True)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as control:
        control.write("3\n")


class Bench:
    def __init__(self, build, corpus):
        self.corpus = corpus
        self.tree = os.path.join(os.path.abspath(corpus), "tree")
        self.tools = os.path.join(build, "tests/bench")
        self.state = tempfile.mkdtemp(prefix="leafwatch-bench-")
        self.times = {}
        passwords = os.path.join(corpus, "passwords")
        self.scan = [os.path.join(build, "leafwatch"), "scan", "-o", "jsonl", "--password-file",
                     passwords, self.tree]
        # The summary alone: how fast it looks again is asked, not how fast it prints.
        self.rescan = self.scan[:2] + ["--state", self.state] + self.scan[2:]

    def floor(self, what, threads=1):
        return [os.path.join(self.tools, "bench_floors"), what, self.tree, str(threads)]

    def time(self, name, command):
        wall, output = run(command)
        self.times.setdefault(name, []).append(wall)
        return output

    def round(self):
        self.time("stat", self.floor("stat"))
        self.time("head4k", self.floor("head4k"))
        output = self.time("scan", self.scan)
        self.time("head4k-16", self.floor("head4k", 16))
        self.time("rescan", self.rescan)
        if shutil.which("rg"):
            self.time("rg", ["rg", "-j2", "-uuu", "-a", "-l", "--max-filesize", "64M",
                             "BEGIN CERTIFICATE", self.tree])
        return output

    def cold_round(self):
        for name, command in (("cold head4k-16", self.floor("head4k", 16)), ("cold scan", self.scan)):
            drop_caches()
            self.time(name, command)

    def report(self):
        print("%-16s %8s %8s %8s" % ("", "median s", "least", "most"))
        for name, walls in self.times.items():
            print("%-16s %8.3f %8.3f %8.3f" % (name, statistics.median(walls), min(walls), max(walls)))
        for name, against, goal in GOALS:
            if name not in self.times or against not in self.times:
                continue
            ratios = [a / b for a, b in zip(self.times[name], self.times[against])]
            print("%s / %s: median of %d rounds %.2f%s" % (
                name, against, len(ratios), statistics.median(ratios),
                "" if goal is None else " (goal: at most %.2f)" % goal))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cold", type=int, default=0)
    options = parser.parse_args()
    if not os.path.exists(options.corpus):
        run([os.path.join(options.build, "tests/bench/make_corpus"), options.corpus])
    bench = Bench(options.build, options.corpus)
    # Files that were just written count as changing for two more seconds.
    time.sleep(3)
    bench.round()
    run(bench.rescan)
    bench.times.clear()
    output = b""
    for _ in range(options.rounds):
        output = bench.round()
    for _ in range(options.cold):
        bench.cold_round()
    bench.report()
    hits, expected, missed = recall(options.corpus, output)
    print("recall: %d of %d certificates%s" % (hits, expected, "" if not missed else ", missed: %s" % missed))
    pss, rss = peak(bench.scan)
    # RSS counts each library once a process; what a host spends is PSS.
    print("peak of all processes together: %.1f MiB (PSS; goal: under %d MiB), RSS summed %.1f MiB" % (
        pss / 1024, PEAK_KIB // 1024, rss / 1024))
    shutil.rmtree(bench.state)
    return 0 if hits == expected else 1


if __name__ == "__main__":
    sys.exit(main())
