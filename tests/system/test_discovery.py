"""Targets from HTTP servers (Prometheus' http_sd): good lists, bad ones, credentials, what stays when a server fails."""
import base64
import contextlib
import http.server
import json
import os
import shutil
import socket
import ssl
import threading
import time
import unittest

from harness import PATIENCE_S, Case, certificates, endpoints, free_port, get, problems, wait_for

for variable in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
    os.environ.pop(variable, None)
JSON = "application/json"


class Lists:
    """Answers by path: (status, headers, body), or what a function does with the request."""

    def __init__(self, context=None):
        self.pages, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                page = outer.pages.get(self.path.split("?")[0], (404, {}, b""))
                status, headers, body = page(self) if callable(page) else page
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    if "Content-Length" not in headers:
                        self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path, user=""):
        return f"http://{user}127.0.0.1:{self.port}{path}"

    def put(self, path, *targets):
        self.pages[path] = (200, {"Content-Type": JSON}, json.dumps([{"targets": targets}]).encode())

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Discovery(Case):
    def setUp(self):
        super().setUp()
        self.lists = Lists()
        self.addCleanup(self.lists.close)
        self.ports = [self.s_server(self.pki.make(name, names=["localhost"])) for name in ("one", "two")]
        self.one, self.two = (f"localhost:{port}" for port in self.ports)

    @staticmethod
    def config(entries, every="1h", port="PORT", **keys):
        job = {"http_sd": entries, "timeout": "10s", "every": every, "jitter": "0s", **keys}
        return json.dumps({"scanners": {"endpoints": [job]}, "trust": {"system": False}, "revocation": {"mode": "off"},
                           "exporters": {"prometheus": [{"listen": [f"127.0.0.1:{port}"]}]}})

    def run_agent(self, *entries, env=None, **keys):
        agent = self.agent(self.config(entries, **keys), env={**os.environ, **(env or {})})
        self.ready(agent)
        return agent

    def job(self, *entries, **keys):
        """What one pass of an agent that knows nothing finds."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        agent = self.run_agent(*entries, **keys)
        out = self.leafwatch("list", "-o", "jsonl", "--state", self.folder / "state").stdout.decode()
        self.assertEqual(self.stop(agent), 0)
        self.text = out + self.log_of(agent)
        self.assertNotIn("Sanitizer", self.text)
        return [json.loads(line) for line in out.splitlines()]

    @staticmethod
    def uris(records):
        return sorted(r["location"]["uri"] for r in endpoints(records))

    def test_a_list(self):
        body = (b'[ {"targets": ["%s", "https:\\/\\/localhost:%d/health?x"],\n\t"labels": {"__meta_x": "\\ud83d\\ude00 \\u00e9 \\\\ud83d"}},\n'
                b'{"labels": {"targets": "no"}, "targets": ["http://plain.example", "a b", "@/etc/passwd", "x\\ny", "%s"]}, {"targets": []}]'
                % (self.one.encode(), self.ports[1], b"x" * 3000))
        self.lists.pages["/sd"] = (200, {"Content-Type": "Application/JSON; charset=utf-8"}, body)
        records = self.job({"url": self.lists.url("/sd")})
        self.assertEqual(self.uris(records), sorted(f"tls://{t}" for t in (self.one, self.two)))
        self.assertEqual(len(certificates(records)), 2)
        place = self.lists.url("/sd") + "!/"
        found = {p["location"]["uri"]: p for p in problems(records)}
        self.assertEqual(sorted(found), [f"{place}{n}" for n in (3, 4, 5, 6, 7)], self.text)
        self.assertEqual({p["reason"] for p in found.values()}, {"malformed"})
        self.assertIn("http:// URL has no certificate", found[place + "3"]["message"])
        self.assertIn("cannot name another list", found[place + "5"]["message"])
        path, headers = self.lists.asked[0]
        self.assertEqual((path, headers["Accept"], headers["X-Prometheus-Refresh-Interval-Seconds"], headers["User-Agent"]),
                         ("/sd", JSON, "3600", "leafwatch"))
        self.assertNotIn("Authorization", headers)

    def test_an_empty_list_and_a_long_one(self):
        self.lists.pages["/empty"] = (200, {"Content-Type": JSON}, b"[]")
        # Several frames, from several groups; excluded but for two.
        groups = [{"targets": [f"h{n}.example:{g + 1}" for n in range(2000)], "labels": {"a": "b"}} for g in range(50)]
        groups[3]["targets"].append(self.one)
        groups[49]["targets"].append(self.two)
        self.lists.pages["/long"] = (200, {"Content-Type": JSON}, json.dumps(groups).encode())
        records = self.job({"url": self.lists.url("/empty")}, {"url": self.lists.url("/long")}, exclude=["*.example"])
        self.assertEqual(self.uris(records), sorted(f"tls://{t}" for t in (self.one, self.two)))
        self.assertEqual(problems(records), [])

    def test_what_is_no_list(self):
        def slow(handler):
            time.sleep(6)
            return 200, {"Content-Type": JSON}, b"[]"

        def drip(handler):
            handler.send_response(200)
            handler.send_header("Content-Type", JSON)
            handler.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(60):
                    handler.wfile.write(b" ")
                    handler.wfile.flush()
                    time.sleep(0.1)
            return 200, {}, b""

        good = json.dumps([{"targets": [self.two]}]).encode()
        rows = {
            "/500": ((500, {"Content-Type": JSON}, good), "unreadable", "HTTP status 500"),
            "/404": ((404, {"Content-Type": JSON}, good), "unreadable", "HTTP status 404"),
            "/204": ((204, {"Content-Type": JSON}, b""), "unreadable", "HTTP status 204"),
            "/html": ((200, {"Content-Type": "text/html"}, good), "unsupported", "text/html"),
            "/jsonp": ((200, {"Content-Type": "application/jsonp"}, good), "unsupported", "application/jsonp"),
            "/huge": ((200, {"Content-Type": JSON}, good + b" " * (16 << 20)), "too-large", "16 MiB"),
            "/unsaid": ((200, {"Content-Type": JSON, "Content-Length": str(1 << 40)}, good), "too-large", "16 MiB"),
            "/slow": (slow, "timeout", "timed out"),
            "/drip": (drip, "timeout", "timed out"),
            "/bad": ((200, {"Content-Type": JSON}, good[:-2]), "malformed", "line "),
            "/cut": ((200, {"Content-Type": JSON, "Content-Length": "4096"}, good), "unreachable", "transfer closed"),
            "/object": ((200, {"Content-Type": JSON}, b'{"targets": ["%s"]}' % self.two.encode()), "malformed", "not of the form"),
            "/yaml": ((200, {"Content-Type": JSON}, b"- targets: [%s]" % self.two.encode()), "malformed", "not of the form"),
            "/number": ((200, {"Content-Type": JSON}, b'[{"targets": 1}]'), "malformed", "not of the form"),
            "/loop": ((302, {"Location": "/loop"}, b""), "unreadable", "redirects"),
        }
        other = {"/file": ((302, {"Location": "file:///etc/passwd"}, b""), "unsupported", "another scheme")}
        for path, row in (rows | other).items():
            self.lists.pages[path] = row[0]
        self.lists.put("/good", self.one)
        wanted = {self.lists.url(path): row[1:] for path, row in rows.items()}
        entries = [{"url": self.lists.url(path, "user:secret-1@") + "?token=secret-2"} for path in list(rows)[:14]]
        began = time.monotonic()
        records = self.job(*entries, {"url": self.lists.url("/good")}, targets=[self.two], timeout="3s")
        self.assertLess(time.monotonic() - began, 40)
        found = {p["location"]["uri"]: (p["reason"], p["message"]) for p in problems(records)}
        refused = f"http://127.0.0.1:{free_port()}/x"
        records += self.job({"url": self.lists.url("/loop")}, {"url": self.lists.url("/file")}, {"url": refused},
                            {"url": "http://nowhere.invalid/sd"}, {"url": self.lists.url("/loop") + "?again"})
        wanted |= {self.lists.url("/file"): other["/file"][1:], refused: ("refused", ""),
                   "http://nowhere.invalid/sd": ("unresolved", ""), self.lists.url("/loop") + "#5": rows["/loop"][1:]}
        found |= {p["location"]["uri"]: (p["reason"], p["message"]) for p in problems(records)}
        self.assertEqual(sorted(found), sorted(wanted))
        for uri, (reason, says) in wanted.items():
            self.assertEqual(found[uri][0], reason, f"{uri} {found[uri]}")
            self.assertIn(says, found[uri][1], uri)
        # The others of the job were looked at, and nothing of a bad list was.
        self.assertEqual(self.uris(records), sorted(f"tls://{t}" for t in (self.one, self.two)))
        self.assertNotIn("secret", self.text + json.dumps(records))

    def test_credentials(self):
        basic = "Basic " + base64.b64encode(b"me:pass word").decode()
        rows = [("Bearer t0ken", {"authorization": {"credentials_file": str(self.folder / "token")}}),
                ("Token abc", {"authorization": {"type": "Token", "credentials": "abc"}}),
                (basic, {"basic_auth": {"username": "me", "password_file": str(self.folder / "password")}}),
                (basic, {"basic_auth": {"username": "me", "password": "pass word"}})]
        (self.folder / "token").write_text("t0ken\n")
        (self.folder / "password").write_text("pass word\n")

        def guarded(wanted, port):
            body = json.dumps([{"targets": [f"127.0.0.1:{port}"]}]).encode()
            return lambda handler: (200 if handler.headers.get("Authorization") == wanted else 401, {"Content-Type": JSON}, body)

        entries = []
        for n, (wanted, keys) in enumerate(rows):
            self.lists.pages[f"/guarded{n}"] = guarded(wanted, n + 1)
            entries.append({"url": self.lists.url(f"/guarded{n}"), **keys})
        # Through a redirect, from the URL itself, from a URL in a file; none, a wrong one.
        self.lists.pages["/moved"] = (307, {"Location": self.lists.url("/guarded5")}, b"")
        for n in (5, 6, 7, 8, 9):
            self.lists.pages[f"/guarded{n}"] = guarded(basic, n + 1)
        (self.folder / "url").write_text(self.lists.url("/guarded7", "me:pass%20word@") + "\n")
        (self.folder / "wrong").write_text(self.lists.url("/guarded9", "me:secret@") + "\n")
        # Another host is not given what this one is.
        other = Lists()
        self.addCleanup(other.close)
        other.put("/there", "127.0.0.1:11")
        self.lists.pages["/away"] = (302, {"Location": other.url("/there")}, b"")
        records = self.job(*entries, {"url": self.lists.url("/moved"), **rows[2][1]},
                           {"url": self.lists.url("/guarded6", "me:pass%20word@")}, {"url_file": str(self.folder / "url")},
                           {"url": self.lists.url("/guarded8")}, {"url_file": str(self.folder / "wrong")},
                           {"url": self.lists.url("/away"), **rows[0][1]})
        found = {p["location"]["uri"]: p for p in problems(records)}
        failed = [self.lists.url("/guarded8"), f"file://{self.folder}/wrong"]
        self.assertEqual(sorted(found), sorted(failed + [f"tls://127.0.0.1:{n}" for n in (1, 2, 3, 4, 6, 7, 8, 11)]))
        for place in failed:
            self.assertEqual((found[place]["reason"], found[place]["message"]), ("unreadable", "the server answered with HTTP status 401"))
        self.assertNotIn("Authorization", other.asked[0][1])
        self.assertNotIn("secret", self.text)

    def test_https(self):
        root = self.pki.make("SD Root", ca=True)
        server = self.pki.make("localhost", root, names=["localhost"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = self.folder / "sd.pem"
        pem.write_text(server.pem)
        context.load_cert_chain(pem, server.key_file)
        lists = Lists(context)
        self.addCleanup(lists.close)
        lists.put("/sd", self.one)
        lists.pages["/down"] = (302, {"Location": self.lists.url("/sd")}, b"")
        self.lists.put("/sd", self.two)
        url = f"https://localhost:{lists.port}"
        ca = {"ca_file": str(root.pem_file)}
        records = self.job({"url": url + "/sd", **ca}, {"url": url + "/down", **ca}, {"url": url + "/sd?2"})
        self.assertEqual(self.uris(records), [f"tls://{self.one}"], problems(records))
        self.assertEqual(sorted((p["location"]["uri"], p["reason"]) for p in problems(records)),
                         [(url + "/down", "unsupported"), (url + "/sd#3", "handshake-failed")])

    def test_proxies(self):
        # A proxy for HTTP is asked for whole URLs.
        proxy = Lists()
        self.addCleanup(proxy.close)
        proxy.put("http://sd.example/list", self.one)
        self.lists.put("/list", self.two)
        env = {"http_proxy": proxy.url("")}
        there = {"url": "http://sd.example/list"}
        here = {"url": self.lists.url("/list")}
        records = self.job(there, here, {**here, "proxy": "none"}, env=env)
        self.assertEqual(self.uris(records), sorted(f"tls://{t}" for t in (self.one, self.two)))
        self.assertEqual([(p["location"]["uri"], p["reason"]) for p in problems(records)], [(here["url"], "unreadable")])
        self.assertEqual(self.uris(self.job({**there, "proxy": proxy.url("")})), [f"tls://{self.one}"])

    def check(self, job, *args, code=2):
        path = self.folder / "check.yml"
        path.write_text(json.dumps({"scanners": {"endpoints": [job]}}))
        return self.leafwatch("check-config", *args, path, code=code)

    def test_configuration(self):
        for job, says in (({}, '"targets" is missing, or "http_sd"'),
                          ({"http_sd": [{}]}, '"url"'),
                          ({"http_sd": [{"url": "ftp://x/secret-path"}]}, "only http:// and https://"),
                          ({"http_sd": [{"url": "http://x/", "authorization": {"credentials": "x"}, "basic_auth": {"username": "y"}}]},
                           "exclude each other"),
                          ({"http_sd": [{"url": "http://x/", "basic_auth": {"password": "y"}}]}, "without username"),
                          ({"http_sd": [{"url": "http://x/", "authorization": {"credentials_file": "/nowhere"}}]}, "/nowhere"),
                          ({"http_sd": [{"url": "http://x/", "authorization": {"credentials": "a\nb"}}]}, "more than one line"),
                          ({"http_sd": [{"url": "http://x/" + "y" * 2048}]}, "2048 bytes long"),
                          ({"http_sd": [{"url": "http://x/", "ca_file": "/dev/null"}]}, "/dev/null"),
                          ({"http_sd": [{"url": f"http://x/{n}"} for n in range(17)]}, "more than 16")):
            done = self.check(job)
            self.assertIn(says, done.stderr.decode(), job)
            self.assertNotIn("secret", done.stderr.decode())
        shown = self.check({"http_sd": [{"url": "http://u:secret@x/"}]}, "--show", code=0).stdout.decode()
        self.assertIn("http_sd", shown)
        self.assertNotIn("secret@", shown)

    # ---- the agent ----

    def up(self, agent):
        """The endpoints that are up, and whether the last pass was complete."""
        lines = self.metrics(agent).splitlines()
        return ([f"tls://{t}" for t in (self.one, self.two) if f'leafwatch_endpoint_up{{location="tls://{t}"}} 1' in lines],
                'leafwatch_scanner_up{scanner="endpoints"} 1' in lines)

    def test_the_last_good_list_stays(self):
        both, first = [f"tls://{self.one}", f"tls://{self.two}"], [f"tls://{self.one}"]
        self.lists.put("/sd", self.one, self.two)
        agent = self.run_agent({"url": self.lists.url("/sd")}, every="1s")
        wait_for(lambda: self.up(agent) == (both, True), 20, "both")
        self.lists.put("/sd", self.one)
        wait_for(lambda: self.up(agent) == (first, True), 20, "one, for the other is gone")
        self.assertEqual(self.lists.asked[-1][1]["X-Prometheus-Refresh-Interval-Seconds"], "1")
        self.lists.pages["/sd"] = (500, {}, b"")
        wait_for(lambda: 'leafwatch_problems{scanner="endpoints",reason="unreadable"} 1' in self.metrics(agent), 20, "the problem")
        self.assertEqual(self.up(agent), (first, True))
        # Another process, and a server that is not there at all: the list is the inventory's.
        self.assertEqual(self.stop(agent), 0)
        self.lists.close()
        agent = self.run_agent({"url": self.lists.url("/sd")}, every="1s")
        wait_for(lambda: 'leafwatch_problems{scanner="endpoints",reason="refused"} 1' in self.metrics(agent), 20, "the problem")
        self.assertEqual(self.up(agent), (first, True))
        self.stop(agent)

    def test_without_any_list_nothing_is_gone(self):
        self.lists.put("/sd", self.one)
        agent = self.run_agent({"url": self.lists.url("/sd")}, every="1s")
        wait_for(lambda: self.up(agent) == ([f"tls://{self.one}"], True), 20, "one")
        self.stop(agent)
        # The URL is another, so the list is not its; what it had may still be there.
        agent = self.run_agent({"url": self.lists.url("/other")}, every="1s")
        wait_for(lambda: self.up(agent) == ([f"tls://{self.one}"], False), 20, "an incomplete pass")
        self.lists.put("/other", self.two)
        wait_for(lambda: self.up(agent) == ([f"tls://{self.two}"], True), 20, "the other list")
        self.stop(agent)

    def test_ending_while_a_server_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            silent.settimeout(PATIENCE_S)
            agent = self.agent(self.config([{"url": f"http://127.0.0.1:{silent.getsockname()[1]}/"}], timeout="1m"))
            silent.accept()[0].detach()
            self.assertEqual(get(f"http://127.0.0.1:{agent.port}/-/healthy")[0], 200)
            start = self.start_s()
            began = time.monotonic()
            self.assertEqual(self.stop(agent), 0)
            self.assertLess(time.monotonic() - began, 5 + 10 * start)


if __name__ == "__main__":
    unittest.main()
