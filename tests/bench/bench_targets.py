#!/usr/bin/env python3
"""Many targets: a swept network and a long list, their time against the rate, and the memory of all processes.

usage: bench_targets.py BUILD_DIR [--rate 10000] [--list 1000000]

The network is 127.0.0.0/16, of which nginx listens on 1 in 100 addresses; the list holds addresses of
127.0.0.0/8 that refuse. Memory is the proportional set size of the whole process tree, sampled.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time


def children(pid):
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
            for child in f.read().split():
                found += children(int(child))
    return found


def pss_kib(pid):
    total = 0
    try:
        for one in children(pid):
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as f:
                total += next(int(line.split()[1]) for line in f if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0
    return total


def scan(binary, *args):
    with tempfile.TemporaryFile() as out:
        began = time.monotonic()
        process = subprocess.Popen([binary, "scan", "-o", "jsonl", "--no-progress", *args], stdout=out,
                                   stderr=subprocess.DEVNULL)
        most = 0
        while process.poll() is None:
            most = max(most, pss_kib(process.pid))
            time.sleep(0.1)
        took = time.monotonic() - began
        out.seek(0)
        counts = {}
        for line in out:
            kind = json.loads(line)["type"]
            counts[kind] = counts.get(kind, 0) + 1
        return took, most / 1024, counts, process.returncode


def start_nginx(folder, addresses, port):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "30", "-subj", "/CN=bench", "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"],
                   check=True, capture_output=True)
    with open(folder + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(f"daemon off; worker_processes 1; pid {folder}/pid; error_log /dev/null; events {{ worker_connections 8192; }}\n"
                f"http {{ access_log off; server {{ ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;\n"
                + "".join(f"listen {a}:{port} ssl;\n" for a in addresses) + "} }\n")
    server = subprocess.Popen(["nginx", "-p", folder, "-c", folder + "/nginx.conf"], stderr=subprocess.DEVNULL)
    time.sleep(2)
    if server.poll() is not None:
        sys.exit("nginx did not start")
    return server


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rate", type=int, default=10000)
    parser.add_argument("--list", type=int, default=1000000)
    args = parser.parse_args()
    binary = os.path.join(args.build, "leafwatch")
    port = 20000 + os.getpid() % 10000
    chosen = random.Random(1).sample(range(65536), 655)
    with tempfile.TemporaryDirectory() as folder:
        server = start_nginx(folder, [f"127.0.{n >> 8}.{n & 255}" for n in chosen], port)
        try:
            small = scan(binary, "--rate", str(args.rate), f"127.0.0.0/20:{port}")
            took, most, counts, _ = scan(binary, "--rate", str(args.rate), f"127.0.0.0/16:{port}")
        finally:
            server.terminate()
            server.wait()
        print(f"65,536 addresses, 655 live: {counts.get('endpoint', 0)} found, {took:.1f} s, "
              f"{took / (65536 / args.rate):.2f} x what {args.rate} a second allow (goal 1.1), "
              f"peak {most:.1f} MiB (4,096 addresses: {small[1]:.1f} MiB)")
        if counts.get("endpoint", 0) != 655:
            sys.exit("not all were found")
        path = folder + "/list"
        for count in (args.list // 100, args.list):
            with open(path, "w", encoding="ascii") as f:
                for n in range(count):
                    f.write(f"127.{1 + (n >> 16) % 250}.{(n >> 8) & 255}.{n & 255}:{1 + n % 7}\n")
            took, most, counts, _ = scan(binary, "@" + path)
            print(f"{count} targets from a list: {counts.get('problem', 0)} refused, {took:.1f} s, "
                  f"{took / count * 1e6:.0f} us each, peak {most:.1f} MiB (goal 96)")
            if counts.get("problem", 0) != count:
                sys.exit("not all were told")


if __name__ == "__main__":
    main()
