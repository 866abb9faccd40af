"""PKCS#11 tokens: SoftHSM's, by discovery and by URI, with PINs right and wrong, and modules that hang and crash."""
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import Case, certificates, problems, wait_for
from pki import Pki

HERE = Path(__file__).resolve().parent
AT = ("--no-system-trust",)


def softhsm_module():
    for folder in ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/lib64/pkcs11", "/usr/lib/pkcs11"):
        path = Path(folder, "libsofthsm2.so")
        if path.exists():
            return path
    return None


SOFTHSM = softhsm_module()


def has_landlock():
    """Does the kernel know it: landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)."""
    import ctypes
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1) > 0


class Store:
    """SoftHSM with its tokens in a folder of the test's own."""

    def __init__(self, folder):
        self.tokens = folder / "tokens"
        conf = folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(conf)}

    def run(self, *args):
        done = subprocess.run([str(a) for a in args], env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60)
        if done.returncode:
            raise AssertionError(done.stdout.decode(errors="replace"))

    def make(self, label, pin):
        self.run("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "87654321")

    def put(self, token, pin, kind, file, label, number, *more):
        self.run("p11tool", "--batch", "--provider", SOFTHSM, "--login", "--set-pin", pin, "--write", f"--load-{kind}", file,
                 "--label", label, "--id", number, *(more or ("--no-mark-private",)), f"pkcs11:token={token}")


@unittest.skipUnless(SOFTHSM and shutil.which("softhsm2-util") and shutil.which("p11tool"), "SoftHSM is not there")
class Tokens(Case):
    @classmethod
    def setUpClass(cls):
        """One token and one module for all: each test has a copy of the token."""
        cls.made = Path(tempfile.mkdtemp(prefix="leafwatch-tokens-"))
        cls.addClassCleanup(shutil.rmtree, cls.made, ignore_errors=True)
        (cls.made / "tokens").mkdir()
        store = Store(cls.made)
        pki = Pki(cls.made / "pki")
        cls.ca = pki.make("Token CA", ca=True)
        cls.web = pki.make("web", cls.ca, names=("web.example.org",))
        cls.hidden = pki.make("hidden", cls.ca)
        store.make("one", "1234")
        store.put("one", "1234", "certificate", cls.web.pem_file, "web", "01")
        store.put("one", "1234", "certificate", cls.ca.pem_file, "ca", "02")
        store.put("one", "1234", "certificate", cls.hidden.pem_file, "hidden", "03", "--mark-private")
        cls.library = cls.made / "libtest.so"
        flags = subprocess.run(["pkg-config", "--cflags", "p11-kit-1"], stdout=subprocess.PIPE, check=True).stdout
        store.run("cc", "-shared", "-fPIC", "-O1", *flags.decode().split(), HERE / "pkcs11_module.c", "-o", cls.library, "-ldl")

    def setUp(self):
        super().setUp()
        shutil.copytree(self.made / "tokens", self.folder / "tokens")
        self.store = Store(self.folder)
        self.env = dict(self.store.env)
        self.pin = self.file("pin", "1234\n")

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def look(self, *args, **kwargs):
        return self.scan(*AT, *args, env={**self.env, **kwargs.pop("env", {})}, **kwargs)

    def uri(self, rest, module="module-name=softhsm2"):
        """Of the module that is there anyway; on this host there may be others."""
        return f"pkcs11:{rest}{'&' if '?' in rest else '?'}{module}"

    def only(self, records, reason):
        """The problems with this reason, by place."""
        return {p["location"]["uri"]: p["message"] for p in problems(records) if p["reason"] == reason}

    def module(self, order=""):
        """SoftHSM's module with a will of its own, and a folder that it may write."""
        folder = self.folder / "writable"
        folder.mkdir(exist_ok=True)
        orders = self.file("orders", f"{order or 'none'} {folder}\n")
        self.env |= {"LEAFWATCH_TEST_MODULE": str(orders), "LEAFWATCH_TEST_SOFTHSM": str(SOFTHSM),
                     "TPM2_PKCS11_STORE": str(folder)}
        return self.library, folder

    def config(self, job):
        path = self.folder / "leafwatch.yml"
        path.write_text("scanners:\n  tokens:\n    - {" + job + "}\nexporters: {}\n")
        return path

    # --- what is found

    def test_two_tokens(self):
        other = self.pki.make("other", self.ca)
        self.store.make("two words", "9876")
        self.store.put("two%20words", "9876", "certificate", other.pem_file, "a/b;c", "0aff")
        self.store.put("one", "1234", "privkey", self.web.key_file, "web", "01", "--mark-private")
        records = self.look(self.uri(f"token=one?pin-source=file:{self.pin}"), self.uri("token=two%20words"))
        found = {c["fingerprint"]: c for c in certificates(records)}
        self.assertEqual(set(found), {c.fingerprint for c in (self.web, self.ca, self.hidden, other)})
        place = found[self.web.fingerprint]["location"]
        self.assertRegex(place["uri"], r"^pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=[0-9a-f]+;"
                                       r"token=one;id=%01;object=web;type=cert$")
        self.assertEqual(place["alias"], "web")
        self.assertEqual(place["format"], "pkcs11")
        self.assertEqual(place["scanner"], "tokens")
        self.assertEqual(found[other.fingerprint]["location"]["alias"], "a/b;c")
        self.assertIn(";token=two%20words;id=%0A%FF;object=a%2Fb%3Bc;type=cert", found[other.fingerprint]["location"]["uri"])
        # The CA in the same token completes the chain.
        self.assertEqual(found[self.web.fingerprint]["verdict"]["chain"], [self.web.fingerprint, self.ca.fingerprint])
        keys = [r for r in records if r["type"] == "key"]
        self.assertEqual([k["key"]["spki_sha256"] if "key" in k else k["spki_sha256"] for k in keys],
                         [found[self.web.fingerprint]["key"]["spki_sha256"]])
        self.assertTrue(keys[0]["location"]["uri"].endswith(";id=%01;object=web;type=private"), keys[0])
        # Nothing is said of the one whose PIN was given, of the other that it may hold more.
        self.assertEqual([u.split("token=")[1] for u in self.only(records, "needs-password")], ["two%20words"])
        self.assertEqual(len(problems(records)), 1)
        self.assertNotIn("pin-source", str(records))

    def test_objects_by_uri(self):
        records = self.look(self.uri("token=one;object=web"))
        self.assertEqual([c["fingerprint"] for c in certificates(records)], [self.web.fingerprint])
        records = self.look(self.uri(f"object=hidden?pin-source={self.pin}"))
        self.assertEqual([c["fingerprint"] for c in certificates(records)], [self.hidden.fingerprint])
        records = self.look(self.uri("token=one;id=%09"))
        self.assertEqual(self.only(records, "missing"), {"pkcs11:token=one;id=%09": "no token that is there shows such a certificate"})
        self.assertEqual(certificates(records), [])

    def test_more_than_is_recorded(self):
        """One that says more than is recorded of it: that is told at its place."""
        wide = self.pki.make("wide", more=[f'crl_dist_points = "http://{i}.example.org/"' for i in range(9)])
        self.store.put("one", "1234", "certificate", wide.pem_file, "wide", "04")
        records = self.look(self.uri("token=one;object=wide"))
        place, = (c["location"]["uri"] for c in certificates(records))
        self.assertEqual(self.only(records, "limit-reached"),
                         {place: "it says more, or at greater length, than is recorded of it"})

    def test_limits(self):
        self.store.make("two", "1234")
        for number, certificate in enumerate((self.web, self.ca)):
            self.store.put("two", "1234", "certificate", certificate.pem_file, f"other{number}", f"0{number}")
        module, _ = self.module()
        config = self.config(f"modules: [{module}], discover: no")
        config.write_text(config.read_text() + "limits: {token_certificates: 1, tokens: 1}\n")
        records = self.look("--config", config, f"pkcs11:?module-path={module}")
        told = self.only(records, "limit-reached")
        certificate, = certificates(records)
        place = f"pkcs11:?module-path={module}"
        self.assertEqual(told.pop(place), "it has more than 1 tokens (limits.tokens)")
        (token, message), = told.items()
        self.assertEqual(message, "it holds more than 1 certificates (limits.token_certificates)")
        self.assertIn(token.rpartition("token=")[2], certificate["location"]["uri"])

    def test_limits_of_modules_and_certificates(self):
        """A module beyond the limit is not loaded, a certificate beyond it is not read: both are told."""
        wide = self.pki.make("wide", more=[f'crl_dist_points = "http://{i}.long-name.example.org/"' for i in range(30)])
        self.store.put("one", "1234", "certificate", wide.pem_file, "wide", "04")
        module, _ = self.module()
        config = self.config("discover: no")
        config.write_text(config.read_text() + "limits: {token_modules: 1, token_certificate_size: 1KiB}\n")
        records = self.look("--config", config, f"pkcs11:?module-path={module}")
        told = self.only(records, "limit-reached")
        # The source names one; p11-kit's configuration names others.
        self.assertRegex(told.pop("pkcs11:"), r"^not loaded: /\S+, and what is named behind it; "
                         r"there are more than 1 modules \(limits\.token_modules\)$")
        (token, message), = told.items()
        self.assertEqual(message, "1 of its certificates are larger than 1024 bytes (limits.token_certificate_size)")
        self.assertIn("token=one", token)
        self.assertIn(self.web.fingerprint, {c["fingerprint"] for c in certificates(records)})
        self.assertNotIn(wide.fingerprint, {c["fingerprint"] for c in certificates(records)})

    def test_a_token_that_others_use(self):
        """While another program logs in, SoftHSM's token may be gone, empty or without a user: it is asked again."""
        for order in ("busy", "empty", "gone"):
            with self.subTest(order=order):
                library, folder = self.module(order)
                for name in ("logins", "lists", "starts"):
                    (folder / name).unlink(missing_ok=True)
                records = self.look(f"pkcs11:token=one?module-path={library}&pin-source=file:{self.pin}")
                self.assertEqual({c["fingerprint"] for c in certificates(records)},
                                 {c.fingerprint for c in (self.web, self.ca, self.hidden)}, problems(records))
                self.assertEqual(problems(records), [])

    def test_an_unclear_failure_is_not_repeated(self):
        """Whoever does not say whether the PIN was wrong may have counted it."""
        library, folder = self.module("unclear")
        for what in ("token=one", "token=one;object=hidden"):
            (folder / "logins").unlink(missing_ok=True)
            records = self.look(f"pkcs11:{what}?module-path={library}&pin-source=file:{self.pin}")
            self.assertTrue(self.only(records, "unreadable"), records)
            self.assertEqual((folder / "logins").read_text(), "x")

    def test_the_same_label_twice(self):
        again = self.pki.make("web", self.ca, names=("web.example.org",), ends="+5 days")
        self.store.put("one", "1234", "certificate", again.pem_file, "web", "01")
        places = {(c["location"]["uri"], c["location"].get("index", 0)) for c in certificates(self.look(self.uri("token=one;object=web")))}
        self.assertEqual(len(places), 2)
        self.assertEqual({index for _, index in places}, {0, 1})

    def test_by_discovery(self):
        """All modules of p11-kit but trust stores; a scan without sources looks at tokens too."""
        records = self.look("pkcs11:")
        tokens = [c for c in certificates(records)]
        if not any("softhsm2.module" == p.name for p in Path("/usr/share/p11-kit/modules").glob("*")):
            self.skipTest("p11-kit does not know SoftHSM here")
        self.assertEqual({c["fingerprint"] for c in tokens}, {self.web.fingerprint, self.ca.fingerprint})
        self.assertNotIn("p11-kit-trust", str(records))
        self.assertNotIn("Trust", str([c["location"]["uri"] for c in tokens]).replace("Token CA", ""))

    def test_a_module_without_a_device(self):
        """What a package has configured is noted where it does not start; a problem only where it is asked for."""
        module = next((p for p in Path("/usr/lib").glob("*/pkcs11/libtpm2_pkcs11.so")), None)
        if not module or Path("/dev/tpm0").exists():
            self.skipTest("tpm2-pkcs11 is not here, or a TPM is")
        done = self.leafwatch("scan", "-o", "jsonl", *AT, "pkcs11:", env=self.env)
        self.assertIn(b"is left out", done.stderr)
        self.assertIn(module.name.encode(), done.stderr)
        self.assertNotIn(module.name.encode(), done.stdout)
        records = self.look(f"pkcs11:?module-path={module}")
        self.assertIn("no PKCS#11 module that starts", str(self.only(records, "unreadable")))

    def test_the_trust_store_when_it_is_named(self):
        trust = next((p for p in Path("/usr/lib").glob("*/pkcs11/p11-kit-trust.so")), None)
        if not trust:
            self.skipTest("p11-kit's trust module is not there")
        roots = certificates(self.look(f"pkcs11:?module-path={trust}"))
        self.assertGreater(len(roots), 50)

    # --- PINs

    def test_pins(self):
        records = self.look(self.uri("token=one"))
        (place,) = self.only(records, "needs-password")
        self.assertTrue(place.endswith(";token=one"), place)
        self.assertEqual({c["fingerprint"] for c in certificates(records)}, {self.web.fingerprint, self.ca.fingerprint})
        wrong = self.file("wrong", "4321")
        records = self.look(self.uri(f"token=one?pin-source=file:{wrong}"))
        self.assertEqual(self.only(records, "wrong-password"), {place: "the PIN given is not its PIN"})
        self.assertEqual({c["fingerprint"] for c in certificates(records)}, {self.web.fingerprint, self.ca.fingerprint})
        self.assertNotIn("4321", str(records))
        records = self.look(self.uri(f"token=one?pin-source=file:{self.folder}/none"))
        self.assertIn("No such file", self.only(records, "unreadable")["pkcs11:token=one"])
        self.assertIn(place, self.only(records, "needs-password"))
        self.assertEqual(len(certificates(records)), 2)

    def test_a_locked_pin_and_a_last_try(self):
        library, folder = self.module("locked")
        source = f"pkcs11:token=one?module-path={library}&pin-source={self.pin}"
        records = self.look(source)
        (message,) = self.only(records, "permission-denied").values()
        self.assertIn("locked", message.lower())
        self.assertEqual(len(certificates(records)), 2)
        logins = (folder / "logins").read_text()
        self.module("final")
        records = self.look(source)
        self.assertIn("would lock it", str(self.only(records, "wrong-password")))
        self.assertEqual((folder / "logins").read_text(), logins)

    def test_a_refused_pin_is_given_once(self):
        library, folder = self.module()
        wrong = self.file("wrong", "4321")
        agent = self.agent(f"""
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
trust: {{system: no}}
scanners:
  tokens: [{{modules: [{library}], discover: no, pin_file: {wrong}, every: 1s, writable: [{folder}]}}]
""", env={**os.environ, **self.env})
        logins = folder / "logins"
        wait_for(logins.exists, 30, "the first try")

        def passes():
            text = self.metrics(agent)
            return [line for line in text.splitlines() if line.startswith("leafwatch_scan_last_success_timestamp_seconds")]
        first = wait_for(passes, 30, "a first pass")
        wait_for(lambda: passes() != first, 20, "a second pass")
        second = passes()
        wait_for(lambda: passes() != second, 20, "a third pass")
        self.assertEqual(logins.read_text(), "x")
        self.assertIn('leafwatch_problems{scanner="tokens",reason="wrong-password"} 1', self.metrics(agent))
        # The file changes: its PIN is given, and taken.
        wrong.write_text("1234\n")
        wait_for(lambda: self.hidden_is_known(agent), 20, "the hidden certificate")
        self.assertGreater(len(logins.read_text()), 1)

    def hidden_is_known(self, agent):
        return "object=hidden" in self.metrics(agent)

    # --- modules that are no good

    def test_modules_that_hang_and_crash(self):
        library, _ = self.module()
        start = self.start_s()
        for order, reason, text in (("hang", "timeout", "within 2 s"), ("crash", "module-crashed", "signal 6"),
                                    ("spin", "timeout", "within 2 s"), ("dead", "unreadable", "no PKCS#11 module that starts")):
            with self.subTest(order):
                self.module(order)
                begun = time.monotonic()
                records = self.look("--timeout", "2s" if reason == "timeout" else "20s", f"pkcs11:token=one?module-path={library}")
                self.assertLess(time.monotonic() - begun, 15 + 10 * start)
                ((place, message),) = [(p, m) for p, m in self.only(records, reason).items() if p != "pkcs11:token=one"]
                self.assertIn(text, message)
                self.assertIn(str(library), message)
                if order != "dead":
                    self.assertTrue(place.endswith(";token=one"), place)

    def test_other_modules_do_not_notice(self):
        library, _ = self.module("hang")
        records = self.look("--timeout", "8s", f"pkcs11:?module-path={library}", f"pkcs11:?module-path={SOFTHSM}",
                            f"pkcs11:?module-path={self.folder}/none.so")
        self.assertEqual({c["fingerprint"] for c in certificates(records)}, {self.web.fingerprint, self.ca.fingerprint})
        self.assertEqual(len(self.only(records, "timeout")), 1)
        self.assertIn("none.so", str(self.only(records, "missing")))

    def test_what_is_known_of_a_token_outlives_its_module(self):
        library, folder = self.module()
        agent = self.agent(f"""
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
trust: {{system: no}}
scanners:
  tokens: [{{modules: [{library}], discover: no, every: 1s, timeout: 20s, writable: [{folder}]}}]
""", env={**os.environ, **self.env})
        wait_for(lambda: "object=web" in self.metrics(agent), 30, "the certificate")
        self.module("dead")
        wait_for(lambda: 'leafwatch_problems{scanner="tokens",reason="unreadable"}' in self.metrics(agent), 20, "the problem")
        self.assertIn("object=web", self.metrics(agent))
        self.module("crash")
        wait_for(lambda: 'leafwatch_problems{scanner="tokens",reason="module-crashed"} 1' in self.metrics(agent), 20, "the crash")
        self.assertIn("object=web", self.metrics(agent))
        # Put in order, and the token taken away: what was in it is gone.
        self.module()
        shutil.rmtree(self.store.tokens)
        self.store.tokens.mkdir()
        wait_for(lambda: "object=web" not in self.metrics(agent), 20, "the end of it")

    def test_what_a_module_may_not_do(self):
        library, folder = self.module("forbidden")
        done = self.leafwatch("scan", *AT, f"pkcs11:?module-path={library}", env=self.env)
        tried = dict(line.split() for line in (folder / "tried").read_text().splitlines())
        self.assertEqual(tried["inet"], "97")
        self.assertEqual(tried["inet6"], "97")
        self.assertEqual(tried["unix"], "0")
        if has_landlock():
            self.assertEqual(tried["write"], "13")
            self.assertEqual(tried["exec"], "13")
            self.assertFalse((self.folder / "outside").exists())
        self.assertNotIn(b"module says", done.stderr)

    # --- usage

    def test_usage(self):
        for source, text in (("pkcs11:token=a?pin-value=1", b"seen by everybody"), ("pkcs11:tokne=a", b"no path attribute"),
                             ("pkcs11:slot-id=1", b"slot"), ("pkcs11:token=%", b"percent")):
            self.assertIn(text, self.leafwatch("scan", source, code=2).stderr)
        config = self.config(f"uris: ['pkcs11:token=one'], pin_file: {self.folder}/no-such-pin")
        self.assertIn(b"no-such-pin", self.leafwatch("check-config", config, code=2).stderr)
        config = self.config(f"uris: ['pkcs11:token=one'], pin_file: {self.pin}")
        self.leafwatch("check-config", config)
        self.assertIn(b"pkcs11", self.leafwatch("formats").stdout)


def tpm_module():
    return next(iter(Path("/usr/lib").glob("*/pkcs11/libtpm2_pkcs11.so")), None)


TPM_TOOLS = ("swtpm", "tpm2_ptool", "tpm2-abrmd", "dbus-daemon")


@unittest.skipUnless(tpm_module() and all(shutil.which(t, path=f"{os.environ['PATH']}:/usr/sbin") for t in TPM_TOOLS),
                     "a TPM in software is not there")
class Tpm(Case):
    """tpm2-pkcs11 over a TPM in software and its resource manager, which are reached by Unix sockets."""

    def setUp(self):
        super().setUp()
        sock, bus, state, self.store = (self.folder / n for n in ("tpm", "bus", "state", "store"))
        state.mkdir()
        self.store.mkdir()
        self.env = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}", "TPM2TOOLS_TCTI": "tabrmd:bus_type=session",
                    "TPM2_PKCS11_TCTI": "tabrmd:bus_type=session", "TPM2_PKCS11_STORE": str(self.store),
                    "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        self.start("dbus-daemon", "--session", "--nofork", f"--address=unix:path={bus}")
        self.start("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--server", f"type=unixio,path={sock}",
                   "--ctrl", f"type=unixio,path={sock}.ctrl", "--flags", "not-need-init,startup-clear")
        wait_for(lambda: bus.exists() and sock.exists(), 10, "the TPM")
        self.manager = self.start("/usr/sbin/tpm2-abrmd", "--session", "--allow-root", "--tcti", f"swtpm:path={sock}",
                                  env={**os.environ, **self.env})
        wait_for(self.is_managed, 20, "the resource manager")

    def is_managed(self):
        done = subprocess.run(["tpm2_getcap", "properties-fixed"], env={**os.environ, **self.env}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20)
        return done.returncode == 0

    def tool(self, *args):
        done = subprocess.run(["tpm2_ptool", *map(str, args), "--path", str(self.store)], env={**os.environ, **self.env},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout.decode(errors="replace"))

    def test_a_token_of_a_tpm(self):
        web = self.pki.make("web")
        pin = self.folder / "pin"
        pin.write_text("1234\n")
        self.tool("init")
        self.tool("addtoken", "--pid", "1", "--sopin", "12345678", "--userpin", "1234", "--label", "tpm")
        self.tool("import", "--label", "tpm", "--userpin", "1234", "--privkey", web.key_file, "--algorithm", "ecc",
                  "--key-label", "web")
        self.tool("addcert", "--label", "tpm", "--key-label", "web", web.pem_file)
        records = self.scan(*AT, f"pkcs11:token=tpm?module-path={tpm_module()}&pin-source={pin}", env=self.env)
        (found,) = certificates(records)
        self.assertEqual(found["fingerprint"], web.fingerprint)
        self.assertIn(";token=tpm;", found["location"]["uri"])
        self.assertEqual(problems(records), [])
        self.assertEqual(len([r for r in records if r["type"] == "key"]), 1)
        # Without the manager there is no TPM to ask: the module says so, or the token is not there.
        self.stop(self.manager)
        records = self.scan(*AT, f"pkcs11:token=tpm?module-path={tpm_module()}", env=self.env)
        self.assertEqual(certificates(records), [])
        self.assertGreater(len(problems(records)), 0)


if __name__ == "__main__":
    unittest.main()
