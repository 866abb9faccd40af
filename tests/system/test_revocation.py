"""What issuers say: OCSP stapled and asked for, revocation lists, and who may not be asked."""
import http.server
import random
import threading
import time
import unittest
from pathlib import Path

from harness import Case, Receiver, certificates, endpoints, problems, wait_for
from pki import run


def is_listening(port):
    """Without a connection, which `openssl ocsp` would wait on."""
    listens = f":{port:04X} "
    return any(listens in line.split(None, 2)[1] + " " and " 0A " in line
               for table in ("/proc/net/tcp", "/proc/net/tcp6") for line in Path(table).read_text().splitlines()[1:])


def responder_port():
    """A responder starts long after its port was named: one below those that the kernel hands to others."""
    while True:
        port = random.randrange(20000, 30000)
        if not is_listening(port):
            return port


class Web:
    """Serves bytes by path and remembers who asked; a status or a delay may stand in their place."""

    def __init__(self):
        self.files = {}
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                answer = outer.files.get(self.path, 404)
                if callable(answer):
                    answer(self)
                    return
                status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
                tag = f'"{hash(body)}"'
                if status == 200 and self.headers.get("If-None-Match") == tag:
                    status, body = 304, b""
                self.send_response(status)
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.do_GET()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Revocation(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.web = Web()
        self.addCleanup(self.web.close)

    def responder(self, good=(), revoked=(), signer=None, port=None, ca=None):
        """`openssl ocsp`; certificates come later, for they name its port."""
        port = port or responder_port()
        index = self.folder / f"index-{port}"
        self.pki.ocsp_index(index, good, revoked)
        signer = signer or self.root
        self.start("openssl", "ocsp", "-index", index, "-CA", (ca or self.root).pem_file, "-rsigner", signer.pem_file, "-rkey",
                   signer.key_file, "-port", port, "-nmin", "5")
        wait_for(lambda: is_listening(port), 10, "the responder")
        return port

    def leaf(self, name, *extra, **kwargs):
        return self.pki.make(name, self.root, names=[name], more=extra, **kwargs)

    def put(self, certificate, name="a.pem"):
        (self.tree / name).write_text(certificate.pem)

    def look(self, *args, **kwargs):
        return self.scan("--trust", self.root.pem_file, self.tree, *args, **kwargs)

    def only(self, records):
        self.assertEqual(len(certificates(records)), 1, records)
        return certificates(records)[0]

    # --- OCSP ---

    def test_stapled_answers(self):
        leaf = self.leaf("localhost")
        index = self.folder / "index"
        request = self.folder / "request"
        run("openssl", "ocsp", "-issuer", self.root.pem_file, "-cert", leaf.pem_file, "-reqout", request, "-no_nonce")
        words = {}
        for revoked, word in (((), "good"), ((leaf,), "revoked")):
            answer = self.folder / f"answer-{word}"
            self.pki.ocsp_index(index, [] if revoked else [leaf], revoked)
            run("openssl", "ocsp", "-index", index, "-CA", self.root.pem_file, "-rsigner", self.root.pem_file, "-rkey",
                self.root.key_file, "-reqin", request, "-respout", answer, "-ndays", "1")
            for version in ("-tls1_2", "-tls1_3"):
                words[self.s_server(leaf, version, "-status", "-status_file", answer)] = word
        places = [f"localhost:{port}" for port in words]
        records = self.scan("--trust", self.root.pem_file, *places)
        self.assertEqual({e["port"]: e["stapled_ocsp"] for e in endpoints(records)}, words, records)
        for endpoint in endpoints(records):
            self.assertIn("stapled_ocsp_next_update", endpoint)
        self.assertEqual(len(certificates(records)), len(words))
        for c in certificates(records):
            is_revoked = words[int(c["location"]["uri"].rsplit(":", 1)[1])] == "revoked"
            self.assertEqual("revoked" in c["verdict"]["problems"], is_revoked)
            self.assertEqual(c["verdict"]["status"], "broken" if is_revoked else "ok")
        records = self.scan("--trust", self.root.pem_file, "--certificates-only", *places)
        self.assertEqual({e["port"]: e["stapled_ocsp"] for e in endpoints(records)}, words, records)
        records = self.scan("--trust", self.root.pem_file, places[-1], "--at", "2027-01-20")
        self.assertEqual(endpoints(records)[0]["stapled_ocsp"], "stale")
        self.assertIn("nextUpdate", endpoints(records)[0]["stapled_ocsp_detail"])

    def test_a_staple_that_another_signed_is_invalid(self):
        leaf, other = self.leaf("localhost"), self.pki.make("Other Root", ca=True)
        index, request, answer = (self.folder / n for n in ("index", "request", "answer"))
        self.pki.ocsp_index(index, [leaf])
        run("openssl", "ocsp", "-issuer", self.root.pem_file, "-cert", leaf.pem_file, "-reqout", request, "-no_nonce")
        run("openssl", "ocsp", "-index", index, "-CA", self.root.pem_file, "-rsigner", other.pem_file, "-rkey", other.key_file,
            "-reqin", request, "-respout", answer, "-ndays", "1")
        port = self.s_server(leaf, "-status", "-status_file", answer)
        endpoint = endpoints(self.scan("--trust", self.root.pem_file, f"localhost:{port}"))[0]
        self.assertEqual(endpoint["stapled_ocsp"], "invalid")
        self.assertIn("signer", endpoint["stapled_ocsp_detail"])

    def test_a_responder_is_asked(self):
        port = responder_port()
        url = f"http://127.0.0.1:{port}/"
        good, bad, strange = (self.leaf(f"{n}.example.org", f'ocsp_uri = "{url}"') for n in ("good", "bad", "strange"))
        self.responder([good], [bad], port=port)
        for c in (good, bad, strange):
            self.put(c, f"{c.name}.pem")
        found = {c["subject"]: c for c in certificates(self.look())}
        self.assertEqual(len(found), 3)
        said = found["CN=good.example.org"]
        self.assertEqual(said["verdict"]["problems"], [])
        self.assertEqual(said["revocation"]["status"], "good")
        self.assertTrue(said["revocation"]["source"].startswith(url))
        self.assertIn("next_update", said["revocation"])
        self.assertEqual(said["ocsp_responders"], [url])
        said = found["CN=bad.example.org"]
        self.assertEqual(said["verdict"]["problems"], ["revoked"])
        self.assertEqual(said["verdict"]["status"], "broken")
        self.assertEqual(said["revocation"]["reason"], "keyCompromise")
        self.assertEqual(said["revocation"]["revoked_at"], "2026-11-01T00:00:00Z")
        said = found["CN=strange.example.org"]
        self.assertEqual(said["verdict"]["problems"], ["revocation-unknown"])
        self.assertEqual(said["verdict"]["status"], "ok")
        self.assertIn("does not know", said["revocation"]["message"])

    def test_a_responder_that_the_issuer_did_not_appoint_is_not_believed(self):
        port = responder_port()
        leaf = self.leaf("a.example.org", f'ocsp_uri = "http://127.0.0.1:{port}/"')
        usurper = self.leaf("usurper.example.org")
        self.responder([leaf], signer=usurper, port=port)
        self.put(leaf)
        said = self.only(self.look())
        self.assertEqual(said["verdict"]["problems"], ["revocation-unknown"])
        self.assertIn("OCSPSigning", said["revocation"]["message"])

    def test_a_responder_appointed_by_the_issuer_is_believed(self):
        port = responder_port()
        leaf = self.leaf("a.example.org", f'ocsp_uri = "http://127.0.0.1:{port}/"')
        appointed = self.pki.make("responder", self.root, usage=("ocsp_signing_key",))
        self.responder([leaf], signer=appointed, port=port)
        self.put(leaf)
        self.assertEqual(self.only(self.look())["revocation"]["status"], "good")

    # --- who is not asked, and what is said then ---

    def test_off_in_one_line(self):
        self.put(self.leaf("a.example.org", f'ocsp_uri = "{self.web.url("/")}"'))
        config = self.folder / "off.yml"
        config.write_text("revocation: {mode: off}\n")
        said = self.only(self.look("--config", config))
        self.assertEqual(said["verdict"]["problems"], [])
        self.assertNotIn("revocation", said)
        self.assertEqual(self.web.asked, [])

    def test_soft_and_hard(self):
        port = responder_port()
        leaf = self.leaf("localhost", f'ocsp_uri = "http://127.0.0.1:{port}/"')
        server = self.s_server(leaf)
        for mode, status in (("soft", "ok"), ("hard", "broken")):
            config = self.folder / f"{mode}.yml"
            config.write_text(f"revocation: {{mode: {mode}}}\n")
            records = self.scan("--trust", self.root.pem_file, "--config", config, f"localhost:{server}")
            verdict = certificates(records)[0]["verdict"]
            self.assertEqual(verdict["problems"], ["revocation-unknown"])
            self.assertEqual(verdict["status"], status)
            self.assertEqual([p["reason"] for p in problems(records)], ["refused"])

    def test_link_local_and_metadata_addresses_are_never_asked(self):
        addresses = ("169.254.169.254", "[fe80::1]", "100.100.100.200", "0.0.0.0")
        for n, address in enumerate(addresses):
            self.put(self.leaf(f"a{n}.example.org", f'ocsp_uri = "http://{address}/latest/meta-data"'), f"{n}.pem")
        records = self.look()
        self.assertEqual([c["verdict"]["problems"] for c in certificates(records)], [["revocation-unknown"]] * len(addresses))
        self.assertEqual([p["reason"] for p in problems(records)], ["unsupported"] * len(addresses))
        for problem in problems(records):
            self.assertIn("metadata", problem["message"])
        # Each address is named by a problem of its own.
        for address in addresses:
            self.assertEqual(len([p for p in problems(records) if address in str(p)]), 1, (address, problems(records)))

    def test_other_schemes_are_not_asked(self):
        def away(handler):
            handler.send_response(302)
            handler.send_header("Location", "file:///etc/passwd")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        self.web.files["/away"] = away
        urls = ("ldap://127.0.0.1/cn=crl", "file:///etc/passwd", self.web.url("/away"))
        for n, url in enumerate(urls):
            self.put(self.leaf(f"a{n}.example.org", f'crl_dist_points = "{url}"'), f"{n}.pem")
        records = self.look()
        self.assertEqual([c["verdict"]["problems"] for c in certificates(records)], [["revocation-unknown"]] * len(urls))
        self.assertEqual([p["reason"] for p in problems(records)], ["unsupported"] * len(urls), records)

    def test_hostile_web_servers(self):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            try:
                while True:
                    handler.wfile.write(b"\0" * 65536)
            except OSError:
                pass

        def headers(handler):
            try:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while True:
                    handler.wfile.write(b"X-Endless: " + b"x" * 1000 + b"\r\n")
            except OSError:
                pass

        def silent(handler):
            time.sleep(100)

        self.web.files.update({"/endless": endless, "/headers": headers, "/silent": silent, "/error": 500, "/empty": b"",
                               "/nonsense": b"<html>not here</html>"})
        config = self.folder / "quick.yml"
        config.write_text("revocation: {timeout: 5s}\n")
        for n, path in enumerate(("/endless", "/headers", "/silent", "/error", "/empty", "/nonsense")):
            self.put(self.leaf(f"{path[1:]}.example.org", f'ocsp_uri = "{self.web.url(path)}"'), f"{n}.pem")
        begin = time.monotonic()
        records = self.look("--config", config)
        self.assertLess(time.monotonic() - begin, 60)
        said = {c["subject"][3:].split(".")[0]: c for c in certificates(records)}
        self.assertEqual(len(said), 6)
        for c in said.values():
            self.assertEqual(c["verdict"]["problems"], ["revocation-unknown"], c)
            self.assertTrue(c["revocation"]["message"])
        reasons = sorted(p["reason"] for p in problems(records))
        self.assertEqual(reasons, ["timeout", "too-large", "too-large", "unreadable"])
        self.assertIn("HTTP status 500", said["error"]["revocation"]["message"])

    # --- lists ---

    def test_lists(self):
        url = self.web.url("/ca.crl")
        good, bad = (self.leaf(f"{n}.example.org", f'crl_dist_points = "{url}"') for n in ("good", "bad"))
        self.put(good, "good.pem")
        self.put(bad, "bad.pem")
        der = self.pki.crl(self.root, [bad])
        pem = run("openssl", "crl", "-inform", "DER", input=der)
        for body in (der, pem):
            self.web.files["/ca.crl"] = body
            self.web.asked.clear()
            records = self.look()
            said = {c["subject"]: c for c in certificates(records)}
            self.assertEqual(said["CN=good.example.org"]["revocation"]["status"], "good")
            self.assertEqual(said["CN=good.example.org"]["revocation"]["source"], url)
            self.assertEqual(said["CN=good.example.org"]["verdict"]["problems"], [])
            self.assertEqual(said["CN=bad.example.org"]["verdict"]["problems"], ["revoked"])
            self.assertIn("revoked_at", said["CN=bad.example.org"]["revocation"])
            self.assertEqual(len(self.web.asked), 1, "one list answers for both")
            self.assertEqual(problems(records), [])

    def test_lists_that_cannot_be_believed(self):
        other = self.pki.make("Test Root", ca=True)
        stranger = self.pki.make("Other Root", ca=True)
        good = self.pki.crl(self.root)
        rows = ((self.pki.crl(self.root, begins="-9 days", ends="-2 days"), "nextUpdate"),
                (self.pki.crl(self.root, begins="+2 days", ends="+9 days"), "thisUpdate"),
                (self.pki.crl(other), "signature"), (self.pki.crl(stranger), "issuer"),
                (good[:-5] + bytes([good[-5] ^ 1]) + good[-4:], "signature"),
                (good[:len(good) // 2], ""), (b"", ""), (b"-----BEGIN CERTIFICATE-----", "PEM"))
        for n, (body, _) in enumerate(rows):
            self.web.files[f"/{n}.crl"] = body
            self.put(self.leaf(f"a{n}.example.org", f'crl_dist_points = "{self.web.url(f"/{n}.crl")}"'), f"{n}.pem")
        said = {c["subject"]: c for c in certificates(self.look())}
        self.assertEqual(len(said), len(rows))
        for n, (_, words) in enumerate(rows):
            c = said[f"CN=a{n}.example.org"]
            self.assertEqual(c["verdict"]["problems"], ["revocation-unknown"], (words, c))
            self.assertIn(words, c["revocation"]["message"])

    def test_where_no_list_can_be_had_the_responder_is_asked(self):
        port = responder_port()
        leaf = self.leaf("a.example.org", f'crl_dist_points = "{self.web.url("/gone.crl")}"', f'ocsp_uri = "http://127.0.0.1:{port}/"')
        self.responder([leaf], port=port)
        self.put(leaf)
        state = ["--state", self.folder / "state"]
        self.look(*state)
        said = self.only(self.look(*state))["revocation"]
        self.assertEqual(said["status"], "good", said)

    def test_answers_are_kept_until_they_run_out(self):
        url = self.web.url("/ca.crl")
        self.put(self.leaf("a.example.org", f'crl_dist_points = "{url}"'))
        self.web.files["/ca.crl"] = self.pki.crl(self.root)
        state = ["--state", self.folder / "state"]
        for _ in range(2):
            self.assertEqual(self.only(self.look(*state))["revocation"]["status"], "good")
            self.assertEqual(len(self.web.asked), 1)
        # A day later it is asked whether there is a new one.
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 90000))
        self.assertEqual(self.only(self.look(*state, "--at", later))["revocation"]["status"], "good")
        self.assertEqual(len(self.web.asked), 2)
        self.assertIn("If-None-Match", self.web.asked[1][1])
        # Another certificate of the same issuer wants the list itself.
        revoked = self.leaf("b.example.org", f'crl_dist_points = "{url}"')
        self.put(revoked, "b.pem")
        self.web.files["/ca.crl"] = self.pki.crl(self.root, [revoked], number=2)
        found = {c["subject"]: c for c in certificates(self.look(*state))}
        self.assertEqual(found["CN=b.example.org"]["verdict"]["problems"], ["revoked"])
        self.assertNotIn("If-None-Match", self.web.asked[2][1])
        # When nobody can be asked any more, what was said holds while it may.
        self.web.files["/ca.crl"] = 500
        far = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3 * 86400))
        found = {c["subject"]: c for c in certificates(self.look(*state, "--at", far))}
        self.assertEqual(found["CN=a.example.org"]["verdict"]["problems"], [])
        beyond = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 10 * 86400))
        found = {c["subject"]: c for c in certificates(self.look(*state, "--at", beyond))}
        self.assertEqual(found["CN=a.example.org"]["verdict"]["problems"], ["revocation-unknown"])
        self.assertEqual(found["CN=b.example.org"]["verdict"]["problems"], ["revoked"], "once revoked is revoked")

    def test_a_list_that_covers_some_of_them(self):
        url = self.web.url("/users.crl")
        user = self.leaf("a.example.org", f'crl_dist_points = "{url}"')
        ca = self.pki.make("Issuing CA", self.root, ca=True, more=(f'crl_dist_points = "{url}"',))
        self.put(user, "a.pem")
        self.put(ca, "b.pem")
        self.web.files["/users.crl"] = self.pki.scoped_crl(self.root, "onlyuser = TRUE")
        state = ["--state", self.folder / "state"]
        for _ in range(2):
            records = self.look(*state)
            said = {c["subject"]: c for c in certificates(records)}
            self.assertEqual(said["CN=a.example.org"]["revocation"]["status"], "good")
            self.assertEqual(said["CN=Issuing CA"]["verdict"]["problems"], ["revocation-unknown"])
            self.assertIn("does not cover", said["CN=Issuing CA"]["revocation"]["message"])
            self.assertEqual(problems(records), [])
        self.assertEqual(len(self.web.asked), 1, "the list did not fail: it is not asked again")
        self.web.files["/users.crl"] = self.pki.scoped_crl(self.root, "onlysomereasons = keyCompromise")
        said = {c["subject"]: c for c in certificates(self.look())}
        self.assertIn("some reasons", said["CN=a.example.org"]["revocation"]["message"])

    def test_deltas_and_indirect_lists_are_reported(self):
        url = self.web.url("/ca.crl")
        self.put(self.leaf("a.example.org", f'crl_dist_points = "{url}"'))
        for scope, word in (("indirectCRL = TRUE", "indirect"), (None, "delta"), ("onlyAA = TRUE", "attribute")):
            self.web.files["/ca.crl"] = self.pki.scoped_crl(self.root, scope)
            said = self.only(self.look())
            self.assertEqual(said["verdict"]["problems"], ["revocation-unknown"])
            self.assertIn(word, said["revocation"]["message"])
            self.assertEqual(said["revocation"]["source"], url)

    # --- below an intermediate ---

    def test_lists_of_an_intermediate(self):
        of_root, of_ca = self.web.url("/root.crl"), self.web.url("/ca.crl")
        ca = self.pki.make("Issuing CA", self.root, ca=True, more=(f'crl_dist_points = "{of_root}"',))
        good, bad = (self.pki.make(f"{n}.example.org", ca, more=(f'crl_dist_points = "{of_ca}"',)) for n in ("good", "bad"))
        for c in (ca, good, bad):
            self.put(c, f"{c.name}.pem")
        self.web.files.update({"/root.crl": self.pki.crl(self.root), "/ca.crl": self.pki.crl(ca, [bad])})
        said = {c["subject"][3:]: c for c in certificates(self.look())}
        for name in ("Issuing CA", "good.example.org"):
            self.assertEqual(said[name]["verdict"]["problems"], [], said)
            self.assertEqual(said[name]["revocation"]["status"], "good")
        self.assertEqual(said["bad.example.org"]["verdict"]["problems"], ["revoked"])
        self.assertEqual(said["bad.example.org"]["revocation"]["source"], of_ca)
        self.assertEqual(sorted(path for path, _ in self.web.asked), ["/ca.crl", "/root.crl"])
        # One that the root signed says nothing of the intermediate's certificates.
        self.web.files["/ca.crl"] = self.pki.crl(self.root, [good])
        said = {c["subject"][3:]: c for c in certificates(self.look())}
        self.assertEqual(said["good.example.org"]["verdict"]["problems"], ["revocation-unknown"])
        # With a CA falls what it issued.
        self.web.files.update({"/root.crl": self.pki.crl(self.root, [ca]), "/ca.crl": self.pki.crl(ca)})
        said = {c["subject"][3:]: c for c in certificates(self.look())}
        for name in ("Issuing CA", "good.example.org", "bad.example.org"):
            self.assertEqual(said[name]["verdict"]["problems"], ["revoked"], name)
            self.assertEqual(said[name]["revocation"]["source"], of_root)
        self.assertIn("a CA of its chain", said["good.example.org"]["revocation"]["message"])
        self.assertNotIn("message", said["Issuing CA"]["revocation"])

    def test_a_path_around_a_revoked_intermediate(self):
        of_root = self.web.url("/root.crl")
        ca = self.pki.make("Issuing CA", self.root, ca=True, more=(f'crl_dist_points = "{of_root}"',))
        leaf = self.pki.make("localhost", ca, names=["localhost"], ends="+50 days")
        self.web.files["/root.crl"] = self.pki.crl(self.root, [ca])
        (self.tree / "whole.pem").write_text(leaf.pem + ca.pem)
        said = {c["subject"][3:]: c for c in certificates(self.look())}
        self.assertEqual(said["localhost"]["verdict"]["problems"], ["revoked"])
        # The same CA has a certificate that stands: in another file, it helps this one.
        cross = self.pki.make("Issuing CA", self.root, ca=True, key=ca.key)
        self.put(cross, "cross.pem")
        servers = [self.s_server(leaf, chain=chain) for chain in (ca.pem, ca.pem + cross.pem)]
        state = ["--state", self.folder / "state"]
        for _ in range(2):
            records = self.look(*[f"localhost:{port}" for port in servers], *state)
            said = {c["location"]["uri"]: c for c in certificates(records) if c["fingerprint"] == leaf.fingerprint}
            verdict = said[f"file://{self.tree}/whole.pem"]["verdict"]
            self.assertEqual((verdict["problems"], verdict["chain"]), ([], [c.fingerprint for c in (leaf, cross, self.root)]))
            # Clients of a server have only what it sends.
            self.assertEqual(said[f"tls://localhost:{servers[0]}"]["verdict"]["problems"], ["revoked"])
            self.assertEqual(said[f"tls://localhost:{servers[1]}"]["verdict"]["problems"], [])

    def test_the_responder_of_an_intermediate(self):
        port = responder_port()
        ca = self.pki.make("Issuing CA", self.root, ca=True)
        good, bad = (self.pki.make(f"{n}.example.org", ca, more=(f'ocsp_uri = "http://127.0.0.1:{port}/"',)) for n in ("good", "bad"))
        self.responder([good], [bad], signer=ca, port=port, ca=ca)
        for c in (ca, good, bad):
            self.put(c, f"{c.name}.pem")
        said = {c["subject"][3:]: c for c in certificates(self.look())}
        self.assertEqual(said["good.example.org"]["revocation"]["status"], "good", said)
        self.assertEqual(said["bad.example.org"]["verdict"]["problems"], ["revoked"])

    # --- the agent ---

    def test_the_agent_remembers_and_tells(self):
        receiver = Receiver([(200, {}, b"ok", 0)])
        self.addCleanup(receiver.close)
        port = responder_port()
        leaf = self.leaf("a.example.org", f'ocsp_uri = "http://127.0.0.1:{port}/"')
        self.put(leaf)
        self.responder([], [leaf], port=port)
        agent = self.agent(f"""
scanners: {{files: [{{paths: ["{self.tree}"], every: 1h}}]}}
trust: {{system: false, bundles: ["{self.root.pem_file}"]}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
  webhooks: [{{name: hook, url: "http://127.0.0.1:{receiver.port}/"}}]
""")
        self.ready(agent)
        wait_for(lambda: 'problem="revoked"' in self.metrics(agent), 30, "the problem in the metrics")
        wait_for(lambda: any(b"revoked" in r["body"] for r in receiver.requests), 30, "the alert")
        self.assertIn('leafwatch_scanner_up{scanner="revocation"} 1', self.metrics(agent))
        shown = self.leafwatch("show", leaf.fingerprint, "--state", self.folder / "state").stdout.decode()
        self.assertRegex(shown, r"revocation +revoked")
        self.assertRegex(shown, r"reason +keyCompromise")


if __name__ == "__main__":
    unittest.main()
