"""Client certificates whose keys are in PKCS#11 tokens: presented, accepted and refused; what goes wrong with a token
costs the targets that are to be shown it nothing but the answer to that."""
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import test_tokens
from harness import Case, certificates, endpoints, problems, wait_for
from pki import Pki

SOFTHSM = test_tokens.SOFTHSM


@unittest.skipUnless(SOFTHSM and shutil.which("softhsm2-util") and shutil.which("p11tool"), "SoftHSM is not there")
class ClientTokens(Case):
    @classmethod
    def setUpClass(cls):
        cls.made = Path(tempfile.mkdtemp(prefix="leafwatch-client-tokens-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        (cls.made / "tokens").mkdir()
        store = test_tokens.Store(cls.made)
        pki = Pki(cls.made / "pki")
        client = {"usage": ("tls_www_client",)}
        cls.root = pki.make("Client Root", ca=True)
        cls.middle = pki.make("Client Issuer", cls.root, ca=True)
        cls.server = pki.make("server", cls.root, names=("localhost",))
        cls.ec = pki.make("ec client", cls.middle, **client)
        cls.rsa = pki.make("rsa client", cls.middle, rsa=2048, **client)
        cls.stranger = pki.make("stranger", pki.make("Other Root", ca=True), **client)
        store.make("keys", "1234")
        for number, (label, one) in enumerate((("ec", cls.ec), ("rsa", cls.rsa), ("stranger", cls.stranger)), 1):
            store.put("keys", "1234", "certificate", one.pem_file, label, f"0{number}")
            store.put("keys", "1234", "privkey", one.key_file, label, f"0{number}", "--mark-private")
        store.put("keys", "1234", "certificate", cls.middle.pem_file, "issuer", "09")
        store.put("keys", "1234", "certificate", cls.ec.pem_file, "mixed", "02")
        cls.library = cls.made / "libtest.so"
        flags = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], stdout=subprocess.PIPE, check=True).stdout
        store.run("cc", "-shared", "-fPIC", "-O1", *flags.decode().split(), Path(test_tokens.HERE, "pkcs11_module.c"), "-o",
                  cls.library, "-ldl")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made / "tokens", self.folder / "tokens")
        self.env = dict(test_tokens.Store(self.folder).env)
        self.pin = self.folder / "pin"
        self.pin.write_text("1234\n")

    def module(self, order="none"):
        """SoftHSM's module with a will of its own; what it notes is in the folder."""
        folder = self.folder / "writable"
        folder.mkdir(exist_ok=True)
        orders = self.folder / "orders"
        orders.write_text(f"{order} {folder}\n")
        self.env |= {"LEAFWATCH_TEST_MODULE": str(orders), "LEAFWATCH_TEST_SOFTHSM": str(SOFTHSM), "TPM2_PKCS11_STORE": str(folder)}
        return self.library, folder

    def uri(self, rest, module=None, pin=None):
        return f"pkcs11:{rest}?module-path={module or SOFTHSM}&pin-source=file:{pin or self.pin}"

    def serve(self, *args):
        return self.s_server(self.server, "-Verify", "2", "-verify_return_error", "-CAfile", self.root.pem_file, *args)

    def present(self, port, *args):
        records = self.scan("--no-system-trust", *args, f"localhost:{port}", env=self.env)
        (endpoint,) = endpoints(records)
        return endpoint, records

    def check(self, port, name, one, accepted, protocol):
        endpoint, records = self.present(port, "--client-cert", self.uri(f"token=keys;object={name}"))
        said = endpoint.get("presented", {})
        self.assertEqual((endpoint["protocol"], endpoint["client_certificate"]), (protocol, "required"), problems(records))
        self.assertEqual((said.get("accepted"), said.get("fingerprint")), (accepted, one.fingerprint), said)
        # Its own expiry is watched.
        own = [c for c in certificates(records) if c["location"]["uri"].startswith("pkcs11:")]
        self.assertEqual([(c["fingerprint"], c["location"]["uri"], c["location"]["format"]) for c in own],
                         [(one.fingerprint, f"pkcs11:token=keys;object={name}", "pkcs11")])
        self.assertEqual(problems(records), [])
        self.assertNotIn("1234", str(records))

    # --- what is accepted

    def test_both_versions_and_kinds_of_keys(self):
        for version, protocol in (("-tls1_2", "TLS1.2"), ("-tls1_3", "TLS1.3")):
            port = self.serve(version)
            for name, one, accepted in (("ec", self.ec, True), ("rsa", self.rsa, True), ("stranger", self.stranger, False)):
                with self.subTest(version=version, key=name):
                    self.check(port, name, one, accepted, protocol)

    def test_the_certificate_in_a_file(self):
        port = self.serve()
        chain = self.folder / "chain.pem"
        chain.write_text(self.rsa.pem + self.middle.pem)
        endpoint, records = self.present(port, "--client-cert", chain, "--client-key", self.uri("token=keys;object=rsa;type=private"))
        self.assertTrue(endpoint["presented"]["accepted"], endpoint["presented"])
        self.assertIn(f"file://{chain}", [c["location"]["uri"] for c in certificates(records)])
        # Another one's key.
        endpoint, records = self.present(port, "--client-cert", chain, "--client-key", self.uri("token=keys;id=%01"))
        self.assertFalse(endpoint["presented"].get("accepted"))
        self.assertIn("another key", endpoint["presented"]["evidence"])
        self.assertEqual([(p["location"]["uri"], p["reason"]) for p in problems(records)], [("pkcs11:token=keys;id=%01", "malformed")])
        self.assertIn(f"file://{chain}", [c["location"]["uri"] for c in certificates(records)])

    def test_single_process(self):
        port = self.serve()
        endpoint, records = self.present(port, "--single", "--client-cert", self.uri("token=keys;object=ec"))
        self.assertTrue(endpoint.get("presented", {}).get("accepted"), (endpoint, problems(records)))

    def test_a_token_that_others_use(self):
        """While another program logs in, SoftHSM's token may be gone, empty or without a user: it is asked again."""
        port = self.serve()
        for order in ("busy", "empty", "gone"):
            with self.subTest(order=order):
                library, folder = self.module(order)
                for name in ("logins", "lists", "starts"):
                    (folder / name).unlink(missing_ok=True)
                endpoint, records = self.present(port, "--client-cert", self.uri("token=keys;object=ec", library))
                self.assertEqual(problems(records), [])
                self.assertTrue(endpoint["presented"]["accepted"], endpoint)

    def test_an_unclear_failure_is_not_repeated(self):
        library, folder = self.module("unclear")
        _, records = self.present(self.serve(), "--client-cert", self.uri("token=keys;object=ec", library))
        self.assertEqual(self.only(records)[1], "unreadable")
        self.assertEqual((folder / "logins").read_text(), "x")

    def test_many_targets_and_a_slow_token(self):
        """Signatures come one after another; servers that want none do not wait for them."""
        library, folder = self.module("sign-slow")
        port, free = self.serve(), self.s_server(self.server)
        begun = time.monotonic()
        records = self.scan("--no-system-trust", "--timeout", "30s", "--client-cert", self.uri("token=keys;object=ec", library),
                            *(f"t{i}@127.0.0.1:{port}" for i in range(12)), *(f"f{i}@127.0.0.1:{free}" for i in range(12)),
                            env=self.env)
        said = [e["presented"].get("accepted") for e in endpoints(records) if e["port"] == port]
        self.assertEqual(said, [True] * 12)
        # One a target, and one that showed that key and certificate belong together.
        self.assertEqual(len((folder / "signatures").read_text()), 13)
        self.assertGreater(time.monotonic() - begun, 12 * 0.3)

    # --- what goes wrong

    def only(self, records):
        ((place, reason, message),) = [(p["location"]["uri"], p["reason"], p["message"]) for p in problems(records)]
        return place, reason, message

    def test_all_that_may_be_wrong(self):
        """In one pass: each costs its own target its answer, and no other."""
        library, _ = self.module("sign-hang")
        port, free = self.serve(), self.s_server(self.server)
        wrong, chain = self.folder / "wrong", self.folder / "chain.pem"
        wrong.write_text("4321")
        chain.write_text(self.ec.pem)
        bad = (
            (self.uri("token=keys;object=ec", pin=wrong), "wrong-password", "not its PIN"),
            (self.uri("token=keys;object=rsa", pin=self.folder / "none"), "unreadable", "No such file"),
            (f"pkcs11:token=keys;id=%01?module-path={SOFTHSM}", "missing", "no such certificate with its private key"),
            (self.uri("token=other;object=ec"), "missing", "no such token"),
            (self.uri("token=keys;object=none"), "missing", "no such certificate"),
            (self.uri("token=keys;object=stranger", module=self.folder / "none.so"), "missing", "none.so"),
            (self.uri("token=keys;object=mixed"), "malformed", "another key"),
            (self.uri("token=keys;id=%02;object=rsa", library), "timeout", "did not answer within 20 s"))
        entries = "".join(f"\n        - {{targets: t{n}, cert: '{uri}'}}" for n, (uri, _, _) in enumerate(bad))
        config = self.folder / "leafwatch.yml"
        config.write_text(f"""trust: {{system: no}}
scanners:
  endpoints:
    - targets: [{", ".join(f'"t{n}@127.0.0.1:{port}"' for n in range(len(bad) + 2))}, "127.0.0.1:{free}"]
      client_certificates: {entries}
        - {{targets: t{len(bad)}, cert: {chain}, key: '{self.uri("token=keys;object=ec;type=private", library)}'}}
        - {{targets: t{len(bad) + 1}, cert: '{self.uri("token=keys;id=%01;object=ec")}'}}
exporters: {{prometheus: []}}
""")
        state = self.folder / "state"
        begun = time.monotonic()
        self.leafwatch("run", "--once", "--config", config, "--state", state, "--listen", "127.0.0.1:0", env=self.env)
        self.assertLess(time.monotonic() - begun, 90)
        out = self.leafwatch("list", "--config", config, "--state", state, "-o", "jsonl").stdout.decode()
        records = [json.loads(line) for line in out.splitlines()]
        said = {p["location"]["uri"]: (p["reason"], p["message"]) for p in problems(records)}
        for uri, reason, text in bad:
            self.assertEqual(said[uri.split("?")[0]][0], reason, said)
            self.assertIn(text, said[uri.split("?")[0]][1])
        by_name = {e.get("server_name"): e for e in endpoints(records)}
        for n in range(len(bad) + 2):
            self.assertEqual(by_name[f"t{n}"]["client_certificate"], "required")
            self.assertEqual("presented" in by_name[f"t{n}"], n >= len(bad), (by_name[f"t{n}"], said))
        # Its certificate is known from the file, and watched.
        self.assertIn("did not answer within 20 s", by_name[f"t{len(bad)}"]["presented"]["evidence"])
        self.assertIn(f"file://{chain}", [c["location"]["uri"] for c in certificates(records)])
        self.assertTrue(by_name[f"t{len(bad) + 1}"]["presented"]["accepted"])
        self.assertEqual(by_name[None]["handshake"], "ok")
        self.assertNotIn("4321", out)

    def test_a_module_that_crashes(self):
        library, _ = self.module("sign-crash")
        endpoint, records = self.present(self.serve(), "--client-cert", self.uri("token=keys;object=ec", library))
        place, reason, message = self.only(records)
        self.assertEqual((place, reason), ("pkcs11:token=keys;object=ec", "module-crashed"))
        self.assertIn("signal 6", message)
        self.assertEqual(endpoint["client_certificate"], "required")

    def test_what_its_module_may_do(self):
        """It is confined as one that is only looked at; the network is its own with a word for it."""
        for network, wanted in (("no", "97"), ("yes", "0")):
            library, folder = self.module("forbidden")
            config = self.folder / "leafwatch.yml"
            config.write_text(f"""trust: {{system: no}}
scanners:
  endpoints: [{{targets: ["127.0.0.1:1"], client_network: {network}, client_cert: '{self.uri("token=keys;object=ec", library)}'}}]
exporters: {{prometheus: []}}
""")
            self.leafwatch("run", "--once", "--config", config, "--state", self.folder / network, "--listen", "127.0.0.1:0", env=self.env)
            tried = dict(line.split() for line in (folder / "tried").read_text().splitlines())
            self.assertEqual((tried["inet"], tried["inet6"], tried["unix"]), (wanted, wanted, "0"))
            if test_tokens.has_landlock():
                self.assertEqual((tried["write"], tried["exec"]), ("13", "13"))
            (folder / "tried").unlink()

    def test_a_module_that_stops_signing(self):
        """In the middle of the work: what waits is told so, what comes later does not wait again."""
        library, folder = self.module("sign-slow")
        port = self.serve()
        targets = [f"t{i}@127.0.0.1:{port}" for i in range(8)]
        scan = self.start(os.environ.get("LEAFWATCH_BINARY", "leafwatch"), "scan", "-o", "jsonl", "--no-system-trust", "--timeout", "12s",
                          "--concurrency", "4", "--client-cert", self.uri("token=keys;object=ec", library), *targets,
                          env={**os.environ, **self.env}, stdout=subprocess.PIPE)
        wait_for(lambda: (folder / "signatures").exists() and len((folder / "signatures").read_text()) >= 3, 30, "some signatures")
        self.module("sign-hang")
        begun = time.monotonic()
        out = scan.communicate(timeout=120)[0].decode()
        self.assertLess(time.monotonic() - begun, 40)
        records = [json.loads(line) for line in out.splitlines()]
        place, reason, message = self.only(records)
        self.assertEqual(reason, "timeout", message)
        said = [e["presented"] for e in endpoints(records)]
        self.assertEqual(len(said), 8)
        self.assertTrue(any(s.get("accepted") for s in said), said)
        self.assertTrue(any("did not answer within 5 s" in s["evidence"] for s in said), said)

    def test_a_refused_pin_is_given_once(self):
        library, folder = self.module()
        wrong = self.folder / "wrong"
        wrong.write_text("4321")
        port = self.serve()
        agent = self.agent(f"""
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
trust: {{system: no}}
scanners:
  endpoints: [{{targets: ["localhost:{port}"], every: 1s, client_cert: "{self.uri('token=keys;object=ec', library, wrong)}"}}]
""", env={**os.environ, **self.env})

        def success():
            return [line for line in self.metrics(agent).splitlines() if line.startswith("leafwatch_scan_last_success_timestamp_seconds")]
        first = wait_for(success, 30, "a first pass")
        wait_for(lambda: success() != first, 20, "a second pass")
        second = success()
        wait_for(lambda: success() != second, 20, "a third pass")
        self.assertEqual((folder / "logins").read_text(), "x")
        self.assertIn('leafwatch_problems{scanner="endpoints",reason="wrong-password"} 1', self.metrics(agent))
        wrong.write_text("1234\n")
        wait_for(lambda: "object=ec" in self.metrics(agent), 20, "the certificate")

    # --- usage

    def test_usage(self):
        for option in ("--client-cert", "--client-key"):
            for uri, text in (("pkcs11:token=a?pin-value=1", b"seen by everybody"), ("pkcs11:tokne=a", b"no path attribute"),
                              ("pkcs11:", b"names neither"), ("pkcs11:token=a;type=public", b"of the types")):
                done = self.leafwatch("scan", option, uri, "localhost:1", code=2)
                self.assertIn(text, done.stderr)
                self.assertIn(option.encode(), done.stderr)
        config = self.folder / "leafwatch.yml"
        for entry, text in ((f"cert: '{self.uri('token=keys;object=ec')}', password_file: {self.pin}", b"pin-source"),
                            (f"cert: '{self.uri('token=keys;object=ec')}', key: {self.ec.key_file}", b"is in a token too"),
                            (f"cert: {self.ec.pem_file}, key: 'pkcs11:token=keys;type=cert'", b"of the types"),
                            (f"cert: 'pkcs11:token=keys?pin-source=file:{self.folder}/no-such-pin'", b"no-such-pin")):
            config.write_text(f"scanners:\n  endpoints: [{{targets: [localhost], client_certificates: [{{{entry}}}]}}]\n")
            self.assertIn(text, self.leafwatch("check-config", config, code=2).stderr)
        config.write_text(f"scanners:\n  endpoints: [{{targets: [localhost], client_cert: '{self.uri('token=keys;object=ec')}'}}]\n")
        self.leafwatch("check-config", config)


if __name__ == "__main__":
    unittest.main()
