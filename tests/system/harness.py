"""Starts the real leafwatch, and whatever it is to meet."""
import ctypes
import http.server
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

from pki import Pki

BINARY = os.environ.get("LEAFWATCH_BINARY", "build/sanitize/leafwatch")
SOURCE = Path(os.environ.get("LEAFWATCH_SOURCE", "."))
# How long what is sure to come is waited for, at least: only a failure costs so much, on however busy a machine.
PATIENCE_S = 180
PORTS = itertools.count()


def roomy_realloc():
    """The environment of a leafwatch that is to meet thousands of names from a server: roomy_realloc.c."""
    library = os.environ.get("LEAFWATCH_ROOMY_REALLOC")
    if not library or b"__asan_init" not in Path(BINARY).read_bytes():
        return {}
    return {"LD_PRELOAD": library, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def own_network():
    """For suites that look at all of a host's sockets: those of suites that run beside are not theirs to ask."""
    clone_newnet = 0x40000000
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).unshare(clone_newnet) == 0:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def free_port(kind=socket.SOCK_STREAM):
    """One that stays free until its server is up: below those that the kernel gives to whoever connects or binds to
    none in particular, and of a hundred that suites beside this one do not take from."""
    first = 12000 + os.getpid() % 200 * 100
    for _ in range(100):
        port = first + next(PORTS) % 100
        with socket.socket(socket.AF_INET, kind) as s:
            try:
                s.bind(("", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port is free")


def wait_for(condition, seconds=PATIENCE_S, what="condition"):
    seconds = max(seconds, PATIENCE_S)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come true within {seconds} s")


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def get(url, headers=None, method="GET", timeout=60):
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.status, dict(answer.headers), answer.read()


class Case(unittest.TestCase):
    """A test with a folder, a PKI and processes that end with it."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="leafwatch-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.pki = Pki(self.folder / "pki")
        self.tree = self.folder / "tree"
        self.tree.mkdir()

    def leafwatch(self, *args, code=0, env=None, stdin=None, timeout=300):
        done = subprocess.run([BINARY, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, **(env or {})}, input=stdin, timeout=timeout, cwd=self.folder)
        if code is not None:
            self.assertEqual(done.returncode, code, f"{args}\n{done.stdout.decode()[-2000:]}\n{done.stderr.decode()[-4000:]}")
        self.assertNotIn(b"ERROR: AddressSanitizer", done.stderr)
        self.assertNotIn(b"runtime error:", done.stderr)
        return done

    def start_s(self):
        """What this machine takes at the moment for a leafwatch that does next to nothing."""
        before = time.monotonic()
        self.leafwatch("--version")
        return time.monotonic() - before

    def scan(self, *args, **kwargs):
        """Records of a scan, parsed."""
        out = self.leafwatch("scan", "-o", "jsonl", *args, **kwargs).stdout
        return [json.loads(line) for line in out.decode().splitlines()]

    def start(self, *args, stdout=None, stdin=subprocess.DEVNULL, **kwargs):
        """A process that is ended with the test."""
        log = open(self.folder / f"process-{time.monotonic_ns()}.log", "w+b")
        self.addCleanup(log.close)
        process = subprocess.Popen([str(a) for a in args], stdin=stdin, stdout=stdout or log, stderr=log, **kwargs)
        process.log = log
        self.addCleanup(self.stop, process)
        return process

    def stop(self, process, number=signal.SIGTERM, seconds=60):
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        if process.stdin:
            process.stdin.close()
        return process.returncode

    @staticmethod
    def log_of(process):
        process.log.flush()
        process.log.seek(0)
        return process.log.read().decode(errors="replace")

    def agent(self, config, **kwargs):
        """A running agent; its port is in `.port`."""
        port = free_port()
        path = self.folder / "leafwatch.yml"
        path.write_text(config.replace("PORT", str(port)))
        process = self.start(BINARY, "run", "--config", path, "--state", self.folder / "state", **kwargs)
        process.port = port
        process.config = path
        wait_for(lambda: is_open(port) or process.poll() is not None, 30, "the agent's port")
        if process.poll() is not None:
            self.fail(f"the agent ended: {self.log_of(process)}")
        return process

    def metrics(self, agent):
        return get(f"http://127.0.0.1:{agent.port}/metrics")[2].decode()

    def ready(self, agent, seconds=60):
        def check():
            try:
                return get(f"http://127.0.0.1:{agent.port}/-/ready")[0] == 200
            except OSError:
                return False
        wait_for(check, seconds, "readiness")

    def s_server(self, certificate, *args, chain=None):
        """openssl s_server with a certificate; returns its port."""
        port = free_port()
        pem = self.folder / f"served-{port}.pem"
        pem.write_text(certificate.pem)
        command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-key", certificate.key_file, "-www"]
        if chain:
            file = self.folder / f"chain-{port}.pem"
            file.write_text(chain)
            command += ["-cert_chain", file]
        self.start(*command, *args)
        wait_for(lambda: is_open(port), 10, "s_server")
        return port

    def nginx(self, servers):
        """nginx with the given server blocks, where PORT1, PORT2… stand for free ports; returns the ports."""
        ports = {}
        for word in sorted(set(re.findall(r"PORT\d+", servers)), reverse=True):
            ports[word] = free_port()
            servers = servers.replace(word, str(ports[word]))
        root = self.folder / f"nginx-{free_port()}"
        root.mkdir()
        conf = root / "nginx.conf"
        conf.write_text(f"""daemon off; worker_processes 1; error_log {root}/error.log; pid {root}/pid; user root;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;
uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
{servers} }}""")
        self.start("nginx", "-c", conf, "-e", f"{root}/error.log")
        for port in ports.values():
            wait_for(lambda: is_open(port), 10, "nginx")
        return ports


def certificates(records):
    return [r for r in records if r["type"] == "certificate"]


def problems(records):
    return [r for r in records if r["type"] == "problem"]


def endpoints(records):
    return [r for r in records if r["type"] == "endpoint"]


class Receiver:
    """A webhook receiver: answers by a script of (status, headers, body, delay), the last one for ever."""

    def __init__(self, script):
        self.script = list(script)
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                step = outer.script.pop(0) if len(outer.script) > 1 else outer.script[0]
                outer.requests.append({"time": time.time(), "headers": dict(self.headers), "body": body, "status": step[0]})
                time.sleep(step[3])
                try:
                    self.send_response(step[0])
                    for name, value in step[1].items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(step[2])))
                    self.end_headers()
                    self.wfile.write(step[2])
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
