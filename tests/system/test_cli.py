"""The command line: help, usage, exit codes, configuration errors."""
import json
import os
import subprocess
import unittest

import harness
from harness import Case, certificates


class CommandLine(Case):
    def test_help_on_every_level(self):
        self.assertIn(b"leafwatch scan", self.leafwatch("--help").stdout)
        for command in ("scan", "run", "list", "show", "check-config", "notify"):
            out = self.leafwatch(command, "--help").stdout.decode()
            self.assertIn(f"usage: leafwatch {command}", out)
            self.assertIn("--help", out)

    def test_help_before_a_command(self):
        self.assertEqual(self.leafwatch("help", "scan").stdout, self.leafwatch("scan", "--help").stdout)
        self.assertIn(b'did you mean "scan"', self.leafwatch("help", "scna", code=2).stderr)

    def test_a_reader_that_leaves_is_no_failure(self):
        (self.tree / "a.pem").write_text(self.pki.make("left.example").pem)
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run([harness.BINARY, "scan", self.tree], stdout=write, stderr=subprocess.PIPE, timeout=60)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_check_config_shows_what_the_agent_would_run(self):
        path = self.folder / "empty.yml"
        path.write_text("")
        out = self.leafwatch("check-config", "--show", path).stdout
        for word in (b"files:", b"listeners:", b"127.0.0.1:9947"):
            self.assertIn(word, out)

    def test_version_names_libraries(self):
        out = self.leafwatch("--version").stdout.decode()
        for word in ("leafwatch ", "GnuTLS 3.", "libcurl ", "SQLite 3.", "libmicrohttpd "):
            self.assertIn(word, out)

    def test_wrong_usage_exits_2_and_suggests(self):
        self.assertIn(b'did you mean "scan"', self.leafwatch("scna", code=2).stderr)
        self.assertIn(b"did you mean --timeout", self.leafwatch("scan", "--timeuot", "5s", code=2).stderr)
        self.leafwatch(code=2)
        self.leafwatch("scan", "--output", "xml", self.tree, code=2)
        self.leafwatch("scan", "--timeout", "5", "127.0.0.1:1", code=2)
        self.leafwatch("scan", "--at", "tomorrow", self.tree, code=2)
        self.leafwatch("scan", "not a source", code=2)
        self.leafwatch("show", code=2)

    def test_config_errors_name_the_place(self):
        path = self.folder / "bad.yml"
        for text, wanted in (
            ("scanners:\n  files:\n    - pahts: [/etc]\n", 'bad.yml:3:7: unknown key "pahts"'),
            ("alerts:\n  renotify: 24\n", "bad.yml:2:13: "),
            ("alerts: {warning: 33}\n", "bad.yml:1:19: "),
            ("scaners: {}\n", "bad.yml:1:1: "),
            ("scanners:\n  fils: []\n", 'did you mean "files"'),
            ("a: [1\n", "bad.yml:2:1: "),
            ("limits: {kdf_iterations: 0}\n", "bad.yml:1:26: "),
            ("exporters:\n  webhooks: [{format: slakc, name: x, url: 'http://x/'}]\n", 'did you mean "slack"'),
        ):
            path.write_text(text)
            done = self.leafwatch("check-config", path, code=2)
            self.assertIn(wanted, done.stderr.decode())

    def test_shipped_configuration_is_good(self):
        self.leafwatch("check-config", harness.SOURCE / "etc/leafwatch.yml")

    def test_show_masks_secrets(self):
        path = self.folder / "c.yml"
        path.write_text("exporters:\n  webhooks: [{name: x, format: slack, url: 'https://secret.example/T0'}]\n")
        out = self.leafwatch("check-config", "--show", path).stdout
        self.assertNotIn(b"secret.example", out)

    def test_list_without_inventory_says_so(self):
        done = self.leafwatch("list", "--state", self.folder / "nothing", code=1)
        self.assertIn(b"no inventory", done.stderr)

    def test_fail_within(self):
        (self.tree / "a.pem").write_text(self.pki.make("soon", ends="+5 days").pem)
        self.leafwatch("scan", "--fail-within", "30d", self.tree, code=4)
        self.leafwatch("scan", "--fail-within", "1d", self.tree, code=0)
        self.leafwatch("scan", self.tree, code=0)

    def test_at_moves_the_clock(self):
        (self.tree / "a.pem").write_text(self.pki.make("soon", ends="+5 days").pem)
        record = certificates(self.scan("--at", "2035-01-01", self.tree))[0]
        self.assertEqual(record["verdict"]["status"], "expired")
        self.assertIn("expired", record["verdict"]["problems"])

    def test_outputs(self):
        (self.tree / "a.pem").write_text(self.pki.make("shown.example", names=["shown.example"]).pem)
        table = self.leafwatch("scan", self.tree).stdout.decode()
        self.assertIn("shown.example", table)
        self.assertNotIn("\033", table)
        self.assertIn("\033", self.leafwatch("scan", "--color", "always", self.tree).stdout.decode())
        document = json.loads(self.leafwatch("scan", "-o", "json", self.tree).stdout)
        self.assertEqual(document["summary"]["certificates"], 1)
        csv = self.leafwatch("scan", "-o", "csv", self.tree).stdout.decode().splitlines()
        self.assertEqual(len(csv), 2)

    def test_list_and_show(self):
        certificate = self.pki.make("kept.example", names=["kept.example"])
        (self.tree / "a.pem").write_text(certificate.pem)
        state = self.folder / "state"
        self.leafwatch("scan", "--state", state, self.tree)
        self.assertIn(b"kept.example", self.leafwatch("list", "--state", state).stdout)
        for what in (certificate.fingerprint, certificate.fingerprint[:12], self.tree / "a.pem"):
            out = self.leafwatch("show", "--state", state, what).stdout.decode()
            self.assertIn(certificate.fingerprint, out)
            self.assertIn("kept.example", out)
        self.leafwatch("show", "--state", state, "abcdefabcdef", code=1)
        self.assertIn(b"nothing is known", self.leafwatch("show", "--state", state, "host.example", code=1).stderr)


if __name__ == "__main__":
    unittest.main()
