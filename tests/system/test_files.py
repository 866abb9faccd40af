"""Files: every format, and every trap of a file system."""
import base64
import json
import os
import socket
import subprocess
import unittest

from harness import Case, certificates, problems
from pki import run


class Files(Case):
    def found(self, *args):
        records = self.scan(self.tree, *args)
        return {(r["location"]["uri"].rsplit("/", 1)[1], r["fingerprint"]) for r in certificates(records)}, records

    def test_formats(self):
        root = self.pki.make("root", ca=True)
        leaf = self.pki.make("leaf.example", root, names=["leaf.example", "192.0.2.1"])
        both = leaf.pem + root.pem
        (self.tree / "pem").write_text(both)
        (self.tree / "crlf.txt").write_bytes(both.replace("\n", "\r\n").encode())
        (self.tree / "bom.log").write_bytes(b"\xef\xbb\xbf" + both.encode())
        (self.tree / "with-key").write_text(leaf.key + leaf.pem)
        (self.tree / "text.md").write_text("word " * 40000 + "\n" + leaf.pem + "after\n")
        (self.tree / "der").write_bytes(leaf.der())
        (self.tree / "json").write_text(json.dumps({"cert": leaf.pem}))
        (self.tree / "yaml").write_text("data:\n  tls.crt: " + base64.b64encode(both.encode()).decode() + "\n")
        (self.tree / "trusted").write_bytes(run("openssl", "x509", "-trustout", input=leaf.pem.encode()))
        (self.tree / "p7.pem").write_bytes(run("openssl", "crl2pkcs7", "-nocrl", "-certfile", self.tree / "pem"))
        (self.tree / "p7.der").write_bytes(run("openssl", "crl2pkcs7", "-nocrl", "-certfile", self.tree / "pem", "-outform", "DER"))
        self.pki.pkcs12(self.tree / "empty.p12", leaf, "")
        self.pki.pkcs12(self.tree / "secret.p12", leaf, "geheim")
        (self.folder / "passwords").write_text("wrong\ngeheim\n")
        found, records = self.found("--password-file", self.folder / "passwords")
        for name in ("pem", "crlf.txt", "bom.log", "p7.pem", "p7.der", "yaml"):
            self.assertIn((name, leaf.fingerprint), found)
            self.assertIn((name, root.fingerprint), found)
        for name in ("with-key", "text.md", "der", "json", "trusted", "empty.p12", "secret.p12"):
            self.assertIn((name, leaf.fingerprint), found)
        self.assertEqual([], problems(records))
        record = next(r for r in certificates(records) if r["location"]["uri"].endswith("/der"))
        self.assertEqual(record["names"], ["dns:leaf.example", "ip:192.0.2.1"])
        self.assertEqual(record["subject"], "CN=leaf.example")
        self.assertEqual(record["key"]["bits"], 256)
        self.assertFalse(record["is_ca"])

    @unittest.skipUnless(subprocess.run(["sh", "-c", "command -v keytool"], stdout=subprocess.DEVNULL).returncode == 0,
                         "keytool is not installed")
    def test_java_keystores(self):
        leaf = self.pki.make("java.example")
        for kind in ("jks", "jceks"):
            run("keytool", "-importcert", "-noprompt", "-storetype", kind, "-storepass", "changeit", "-alias", "mine",
                "-keystore", self.tree / f"store.{kind}", "-file", leaf.pem_file)
        records = certificates(self.scan(self.tree))
        self.assertEqual({r["fingerprint"] for r in records}, {leaf.fingerprint})
        self.assertEqual({r["location"]["format"] for r in records}, {"jks", "jceks"})
        for record in records:
            self.assertEqual(record["location"]["integrity"], "unverified")
            self.assertEqual(record["location"]["alias"], "mine")

    def test_needs_and_wrong_password(self):
        leaf = self.pki.make("leaf")
        self.pki.pkcs12(self.tree / "x.p12", leaf, "geheim")
        self.assertEqual([p["reason"] for p in problems(self.scan(self.tree))], ["needs-password"])
        (self.folder / "passwords").write_text("wrong\n")
        records = self.scan(self.tree, "--password-file", self.folder / "passwords")
        self.assertEqual([p["reason"] for p in problems(records)], ["wrong-password"])

    def test_verdicts(self):
        root = self.pki.make("root", ca=True)
        middle = self.pki.make("middle", root, ca=True, ends="+20 days")
        leaf = self.pki.make("leaf", middle, names=["leaf"])
        orphan = self.pki.make("orphan", self.pki.make("nowhere here", root, ca=True))
        lonely = self.pki.make("lonely", names=["lonely"])
        expired = self.pki.make("expired", root, begins="-90 days", ends="-1 day")
        (self.tree / "chain.pem").write_text(leaf.pem + middle.pem)
        (self.tree / "leaf.pem").write_text(leaf.pem)
        (self.tree / "orphan.pem").write_text(orphan.pem)
        (self.tree / "lonely.pem").write_text(lonely.pem)
        (self.tree / "expired.pem").write_text(expired.pem)
        records = {(r["location"]["uri"].rsplit("/", 1)[1], r["location"]["index"]): r["verdict"]
                   for r in certificates(self.scan("--trust", root.pem_file, self.tree))}
        chain = records[("chain.pem", 0)]
        self.assertEqual(chain["problems"], [])
        self.assertEqual(chain["chain"], [leaf.fingerprint, middle.fingerprint, root.fingerprint])
        self.assertEqual(chain["expires_because"], middle.fingerprint)
        self.assertEqual(records[("leaf.pem", 0)], chain, "its issuer lies in the other file")
        self.assertEqual(records[("orphan.pem", 0)]["problems"], ["incomplete-chain"])
        self.assertIn("self-signed", records[("lonely.pem", 0)]["problems"])
        self.assertEqual(records[("expired.pem", 0)]["status"], "expired")
        untrusted = {r["location"]["uri"].rsplit("/", 1)[1]: r["verdict"]["problems"] for r in certificates(self.scan(self.tree))
                     if r["location"]["index"] == 0}
        self.assertTrue({"incomplete-chain", "untrusted-issuer"} & set(untrusted["chain.pem"]))

    def test_traps(self):
        leaf = self.pki.make("leaf")
        deep = self.tree
        for _ in range(60):
            deep = deep / "d"
        deep.mkdir(parents=True)
        (deep / "x.pem").write_text(leaf.pem)
        os.mkfifo(self.tree / "fifo.pem")
        listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(listening.close)
        listening.bind(str(self.tree / "s"))
        (self.tree / "empty.pem").touch()
        (self.tree / "folder.pem").mkdir()
        os.symlink(self.tree, self.tree / "loop")
        os.symlink("nowhere", self.tree / "dangling.pem")
        os.symlink(leaf.pem_file, self.tree / "outside.pem")
        (self.tree / "key.pem").write_text(leaf.key)
        os.makedirs(os.fsencode(self.tree) + b"/\xff\xfe\n")
        with open(os.fsencode(self.tree) + b"/\xff\xfe\n/a!b#c.pem", "w") as f:
            f.write(leaf.pem)
        with open(self.tree / "sparse", "wb") as f:
            f.truncate(1 << 40)
        records = self.scan(self.tree)
        uris = sorted(r["location"]["uri"].split("/tree/")[1] for r in certificates(records))
        self.assertEqual(uris, ["%FF%FE%0A/a%21b%23c.pem", "d/" * 60 + "x.pem"])
        self.assertEqual(problems(records), [])

    def test_links_inside_the_tree_are_places_of_their_own(self):
        leaf = self.pki.make("leaf")
        (self.tree / "archive").mkdir()
        (self.tree / "live").mkdir()
        (self.tree / "archive/cert1.pem").write_text(leaf.pem)
        os.symlink("../archive/cert1.pem", self.tree / "live/cert.pem")
        uris = {r["location"]["uri"].split("/tree/")[1] for r in certificates(self.scan(self.tree))}
        self.assertEqual(uris, {"archive/cert1.pem", "live/cert.pem"})

    def test_damaged_are_never_silent(self):
        leaf = self.pki.make("leaf")
        (self.tree / "cut.pem").write_text(leaf.pem[: len(leaf.pem) // 2])
        (self.tree / "cut.der").write_bytes(leaf.der()[:-20])
        (self.tree / "docs.md").write_text("The file starts with -----BEGIN CERTIFICATE----- and so on.\n")
        records = self.scan(self.tree)
        self.assertEqual({p["location"]["uri"].rsplit("/", 1)[1] for p in problems(records)}, {"cut.pem", "cut.der"})
        for p in problems(records):
            self.assertEqual(p["reason"], "malformed")

    def test_cut_by_a_limit(self):
        """What the limit cuts off is told as that alone, not as damage; what is damaged is told all the same."""
        ca = self.pki.make("ca", ca=True)
        long = self.pki.long_crl(ca, 8000)
        self.assertGreater(len(long), 200000)
        for folder in ("file", "text", "damaged"):
            (self.tree / folder).mkdir()
            (self.tree / folder / "crl.pem").write_bytes(ca.pem.encode() + long)
        (self.tree / "damaged" / "crl.pem").write_bytes(ca.pem.encode() + long[:-60])
        job = "    - {{name: {0}, paths: [{1}/{0}], {2}}}\n"
        agent = self.agent("trust: {system: no}\n"
                           "exporters: {prometheus: [{listen: [\"127.0.0.1:PORT\"]}]}\n"
                           "scanners:\n"
                           "  files:\n"
                           + job.format("file", self.tree, "max_file_size: 128KiB")
                           + job.format("text", self.tree, "max_file_size: 210KiB, max_text_size: 128KiB")
                           + job.format("damaged", self.tree, "max_file_size: 8MiB"))
        self.ready(agent)
        said = {}
        for line in self.leafwatch("list", "-o", "jsonl", "--state", self.folder / "state").stdout.splitlines():
            record = json.loads(line)
            if record["type"] in ("certificate", "problem", "crl"):
                place = record["location"]["uri"].removeprefix(f"file://{self.tree}/").removesuffix("/crl.pem")
                said.setdefault(place, []).append((record["type"], record.get("reason"), record.get("message", "").rpartition(" ")[2]))
        self.assertEqual(sorted(said["file"]), [("certificate", None, ""), ("problem", "limit-reached", "(max_file_size)")])
        self.assertEqual(sorted(said["text"]), [("certificate", None, ""), ("problem", "limit-reached", "(max_text_size)")])
        self.assertIn("malformed", {reason for _, reason, _ in said["damaged"]})

    def test_hostile_names_reach_no_output_raw(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            self.folder / "k", "-out", self.tree / "h.pem", "-days", "10", "-utf8", "-subj", "/CN=a\nFAKE\x1b[31m\u202eexe")
        for form in ("table", "jsonl", "csv", "json"):
            out = self.leafwatch("scan", "-o", form, self.tree).stdout
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn("\u202e".encode(), out)
            self.assertNotIn(b"\nFAKE", out)

    def test_permission_denied(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to become somebody else")
        leaf = self.pki.make("leaf")
        (self.tree / "a.pem").write_text(leaf.pem)
        (self.tree / "locked").mkdir(mode=0o700)
        (self.tree / "secret.pem").write_text(leaf.pem)
        os.chmod(self.tree / "secret.pem", 0o600)
        os.chmod(self.folder, 0o755)
        os.chmod(self.tree, 0o755)

        def become_nobody():
            os.setgid(65534)
            os.setuid(65534)
        import harness
        done = subprocess.run([harness.BINARY, "scan", "-o", "jsonl", str(self.tree)], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, preexec_fn=become_nobody, timeout=60, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(len(certificates(records)), 1)
        self.assertEqual(sorted(p["location"]["uri"].rsplit("/", 1)[1] for p in problems(records)), ["locked", "secret.pem"])
        self.assertEqual({p["reason"] for p in problems(records)}, {"permission-denied"})

    def test_unchanged_changed_and_gone(self):
        first, second = self.pki.make("first"), self.pki.make("second")
        a, b = self.tree / "a.pem", self.tree / "b.pem"
        a.write_text(first.pem)
        b.write_text(first.pem)
        past = 1700000000
        state = ("--state", self.folder / "state")

        def fingerprints():
            return sorted(r["fingerprint"] for r in certificates(self.scan(*state, self.tree)))
        self.assertEqual(fingerprints(), [first.fingerprint] * 2)
        self.assertEqual(fingerprints(), [first.fingerprint] * 2)
        a.write_text(second.pem)
        self.assertEqual(fingerprints(), sorted([first.fingerprint, second.fingerprint]))
        b.unlink()
        self.assertEqual(fingerprints(), [second.fingerprint])
        os.utime(a, (past, past))
        self.assertEqual(fingerprints(), [second.fingerprint])

    def test_kubernetes_swap_is_seen(self):
        first, second = self.pki.make("first"), self.pki.make("second")
        for name, certificate in (("..1", first), ("..2", second)):
            (self.tree / name).mkdir()
            (self.tree / name / "tls.crt").write_text(certificate.pem)
        os.symlink("..1", self.tree / "..data")
        os.symlink("..data/tls.crt", self.tree / "tls.crt")
        state = ("--state", self.folder / "state")

        def at_link():
            return [r["fingerprint"] for r in certificates(self.scan(*state, self.tree))
                    if r["location"]["uri"].endswith("/tree/tls.crt")]
        self.assertEqual(at_link(), [first.fingerprint])
        os.symlink("..2", self.tree / "..tmp")
        os.rename(self.tree / "..tmp", self.tree / "..data")
        self.assertEqual(at_link(), [second.fingerprint])

    def test_iteration_bomb(self):
        leaf = self.pki.make("leaf")
        self.pki.pkcs12(self.tree / "bomb.p12", leaf, "x")
        data = (self.tree / "bomb.p12").read_bytes()
        # The default 2048 iterations (02 02 08 00) become 2^31-1 by DER surgery in the fixture's own script.
        from bomb import with_iterations
        (self.tree / "bomb.p12").write_bytes(with_iterations(data, 2**31 - 1))
        (self.folder / "p").write_text("x\n")
        import time
        before = time.monotonic()
        records = self.scan(self.tree, "--password-file", self.folder / "p")
        self.assertEqual([p["reason"] for p in problems(records)], ["limit-reached"])
        # So many rounds would take half an hour.
        self.assertLess(time.monotonic() - before, 60)


if __name__ == "__main__":
    unittest.main()
