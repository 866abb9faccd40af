#!/usr/bin/env python3
"""Cost of a TLS probe: the probe role against a bare GnuTLS epoll client, in one run.

usage: bench_probe.py BUILD_DIR [--rounds 9] [--count 1500]

Starts nginx (one worker, ECDSA P-256, TLS 1.3) on loopback and prints medians of interleaved rounds:
CPU per full probe; memory per handshake in flight; 10,000 targets of which half never answer. Where
prometheus-blackbox-exporter is installed, its cost beside ours.
"""
import argparse
import concurrent.futures
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log /dev/null;
events {{ worker_connections 16384; }}
http {{ access_log off; server {{ listen 127.0.0.1:{port} ssl backlog=16384;
 ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
 ssl_protocols TLSv1.3; ssl_session_tickets off; }} }}
"""


def figures(line):
    return {k: v for k, v in (pair.split("=") for pair in line.split())}


def run(client, mode, count, in_flight, timeout_ms, places, cpu=None):
    command = [client, mode, str(count), str(in_flight), str(timeout_ms), *places]
    if cpu is not None and os.cpu_count() > 1:
        command = ["taskset", "-c", str(cpu), *command]
    return figures(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def start_nginx(folder):
    port = 20000 + os.getpid() % 10000
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "30", "-subj", "/CN=bench", "-addext", "subjectAltName=DNS:bench",
                    "-keyout", folder + "/key.pem", "-out", folder + "/cert.pem"],
                   check=True, capture_output=True)
    with open(folder + "/nginx.conf", "w", encoding="ascii") as f:
        f.write(NGINX.format(dir=folder, port=port))
    command = ["nginx", "-p", folder, "-c", folder + "/nginx.conf"]
    if os.cpu_count() > 1:
        command = ["taskset", "-c", "1", *command]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1)
    if server.poll() is not None:
        sys.exit("nginx did not start")
    return server, "127.0.0.1:%d" % port


def cpu_of(pid):
    with open("/proc/%d/stat" % pid, encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Blackbox:
    """prometheus-blackbox-exporter, asked for the TLS of a place many times at once."""

    def __init__(self, folder):
        self.port = free_port()
        config = folder + "/blackbox.yml"
        with open(config, "w", encoding="ascii") as f:
            f.write("modules:\n")
            for module, timeout in (("tls", "30s"), ("pit", "15s")):
                f.write("  %s:\n    prober: tcp\n    timeout: %s\n    tcp:\n      tls: true\n"
                        "      tls_config: {insecure_skip_verify: true}\n" % (module, timeout))
        self.process = subprocess.Popen(["prometheus-blackbox-exporter", "--config.file", config, "--log.level", "error",
                                         "--web.listen-address", "127.0.0.1:%d" % self.port], stderr=subprocess.DEVNULL)
        time.sleep(2)

    def probe(self, place):
        url = "http://127.0.0.1:%d/probe?module=tls&target=%s" % (self.port, place)
        with urllib.request.urlopen(url, timeout=60) as answer:
            return b"\nprobe_success 1" in answer.read()

    def peak_kib(self, places, count):
        """Peak RSS of that many probes, all in flight at once until they time out."""
        askers = []
        for n in range(count):
            askers.append(socket.create_connection(("127.0.0.1", self.port), timeout=10))
            askers[-1].sendall(b"GET /probe?module=pit&target=%s HTTP/1.1\r\nHost: bench\r\n\r\n"
                               % places[n % len(places)].encode())
        # Who asks and who is asked: two descriptors a probe.
        deadline = time.monotonic() + 20
        while len(os.listdir("/proc/%d/fd" % self.process.pid)) < 2 * count:
            if time.monotonic() > deadline:
                sys.exit("blackbox: %d probes are not in flight at once" % count)
            time.sleep(0.2)
        # To their end, as ours is measured.
        while len(os.listdir("/proc/%d/fd" % self.process.pid)) > count + 100:
            time.sleep(0.2)
        with open("/proc/%d/status" % self.process.pid, encoding="ascii") as f:
            peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
        for asker in askers:
            asker.close()
        return peak

    def end(self):
        self.process.terminate()
        self.process.wait()

    def cpu_us(self, place, count):
        before = cpu_of(self.process.pid)
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            if not all(pool.map(self.probe, [place] * count)):
                sys.exit("blackbox: a probe failed")
        return (cpu_of(self.process.pid) - before) * 1e6 / count


def cpu_per_probe(client, place, rounds, count, folder):
    blackbox = Blackbox(folder) if shutil.which("prometheus-blackbox-exporter") else None
    modes = {"bare": [], "normal": [], "role": [], "brief": []}
    theirs = []
    for _ in range(rounds):
        for mode, values in modes.items():
            f = run(client, mode, count, 200, 10000, [place], cpu=0)
            if int(f["ok"]) != count:
                sys.exit("%s: only %s of %d probes worked" % (mode, f["ok"], count))
            values.append(float(f["cpu_us_per_probe"]))
        if blackbox:
            theirs.append(blackbox.cpu_us(place, min(count, 500)))

    def paired(ours, other):
        return statistics.median(a / b for a, b in zip(modes[ours], other))

    print("CPU per target: " + ", ".join("%s %.0f us" % (m, statistics.median(v)) for m, v in modes.items()))
    print("full probe with its question / bare: %.3f (paired median of %d; goal 1.15)" % (paired("role", modes["bare"]), rounds))
    print("certificates only / bare GnuTLS NORMAL: %.3f (goal 0.55)" % paired("brief", modes["normal"]))
    if blackbox:
        blackbox.end()
        print("certificates only / blackbox (%.0f us): %.3f (goal 0.4)" % (statistics.median(theirs), paired("brief", theirs)))


def memory(client, pits, folder):
    few = int(run(client, "role", 10, 10, 1500, pits)["rss_kib"])
    many = int(run(client, "role", 4000, 4000, 4000, pits)["rss_kib"])
    print("memory: %d KiB with 10 in flight, %d KiB with 4,000: %.1f KiB each (goal 16)"
          % (few, many, (many - few) / 3990))
    if shutil.which("prometheus-blackbox-exporter"):
        ours = int(run(client, "role", 5000, 5000, 6000, pits)["rss_kib"])
        blackbox = Blackbox(folder)
        theirs = blackbox.peak_kib(pits, 5000)
        blackbox.end()
        print("memory with 5,000 in flight: %.1f MiB, blackbox %.1f MiB: 1/%.1f (goal 1/6)"
              % (ours / 1024, theirs / 1024, theirs / ours))


def tarpits(client, place, pits):
    # every second target answers
    places = [p for pit in pits for p in (place, pit)]
    f = run(client, "role", 10000, 10000, 5000, places)
    bound = 5 + float(f["cpu_s"])
    print("10,000 targets, half silent, 5 s: ok %s, wall %s s, CPU %s s, %.2f x (5 s + CPU) (goal 1.1), "
          "peak %.1f MiB" % (f["ok"], f["wall_s"], f["cpu_s"], float(f["wall_s"]) / bound,
                             int(f["rss_kib"]) / 1024))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=1500)
    args = parser.parse_args()
    client = os.path.join(args.build, "tests", "bench", "bench_probe_client")
    with tempfile.TemporaryDirectory() as folder:
        server, place = start_nginx(folder)
        pit = subprocess.Popen([client, "tarpit", "8"], stdout=subprocess.PIPE, text=True)
        try:
            pits = [pit.stdout.readline().strip() for _ in range(8)]
            cpu_per_probe(client, place, args.rounds, args.count, folder)
            memory(client, pits, folder)
            tarpits(client, place, pits)
        finally:
            pit.kill()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
