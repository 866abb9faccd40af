"""The agent: schedule, /metrics, reload, its state, an orderly end."""
import signal
import subprocess
import time
import unittest
import urllib.error

import harness
from agents import AgentCase, value
from harness import get, wait_for


class Agent(AgentCase):
    def test_metrics_are_what_promtool_wants(self):
        (self.tree / "a.pem").write_text(self.pki.make("a.example", names=["a.example"]).pem)
        (self.tree / "hostile.pem").write_text(self.pki.make('x\\"y{}', names=["h.example"]).pem)
        agent = self.run_agent()
        status, headers, body = get(f"http://127.0.0.1:{agent.port}/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        done = subprocess.run(["promtool", "check", "metrics"], input=body, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        text = body.decode()
        for name in ("leafwatch_build_info", "leafwatch_certificate_not_after_timestamp_seconds", "leafwatch_scanner_up",
                     "leafwatch_certificates", "leafwatch_sandbox", "process_resident_memory_bytes",
                     "leafwatch_scan_last_success_timestamp_seconds", "leafwatch_config_last_reload_successful"):
            self.assertIn(name, text)
        self.assertIn('leafwatch_sandbox{role="parser",layer="no_new_privs"} 1', text)

    def test_http_surface(self):
        agent = self.run_agent()
        base = f"http://127.0.0.1:{agent.port}"
        self.assertEqual(get(base + "/-/healthy")[0], 200)
        self.assertIn(b"/metrics", get(base + "/")[2])
        self.assertEqual(get(base + "/metrics", method="HEAD")[2], b"")
        for path, method, code in (("/nothing", "GET", 404), ("/metrics", "DELETE", 405)):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                get(base + path, method=method)
            self.assertEqual(caught.exception.code, code)
        packed = get(base + "/metrics", {"Accept-Encoding": "gzip"})
        self.assertEqual(packed[1].get("Content-Encoding"), "gzip")
        om = get(base + "/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"})
        self.assertTrue(om[2].endswith(b"# EOF\n"))

    def test_scrapes_go_on_during_a_pass(self):
        for i in range(300):
            (self.tree / f"d{i}").mkdir()
            for j in range(20):
                (self.tree / f"d{i}" / f"f{j}").write_text("nothing here\n" * 200)
        (self.tree / "a.pem").write_text(self.pki.make("a").pem)
        agent = self.run_agent(every="1s")
        worst = 0
        for _ in range(40):
            before = time.monotonic()
            text = self.metrics(agent)
            worst = max(worst, time.monotonic() - before)
            self.assertIn("leafwatch_certificate_not_after_timestamp_seconds", text, "no gap during a pass")
            time.sleep(0.05)
        # Not what a busy machine makes of it, but no waiting for a pass to end.
        self.assertLess(worst, max(1.0, value(text, "leafwatch_scan_duration_seconds") / 2))

    def test_deleted_file_leaves_the_metrics(self):
        path = self.tree / "a.pem"
        path.write_text(self.pki.make("a").pem)
        agent = self.run_agent(every="1s")
        self.assertIn("a.pem", self.metrics(agent))
        path.unlink()
        wait_for(lambda: "a.pem" not in self.metrics(agent), 20, "the series to go")

    def test_reload_good_and_bad(self):
        agent = self.run_agent()
        good = agent.config.read_text()
        agent.config.write_text(good + "nonsense: 1\n")
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda: value(self.metrics(agent), "leafwatch_config_last_reload_successful") == 0, 20, "the failed reload")
        other = self.folder / "other"
        other.mkdir()
        (other / "b.pem").write_text(self.pki.make("b").pem)
        agent.config.write_text(good.replace(str(self.tree), str(other)))
        agent.send_signal(signal.SIGHUP)
        wait_for(lambda: value(self.metrics(agent), "leafwatch_config_last_reload_successful") == 1, 20, "the good reload")
        agent.send_signal(signal.SIGUSR1)
        wait_for(lambda: "b.pem" in self.metrics(agent), 20, "the new place")
        self.assertIn("leafwatch.yml", self.log_of(agent))

    def test_sigterm_ends_within_five_seconds_with_everything_stored(self):
        certificate = self.pki.make("a")
        (self.tree / "a.pem").write_text(certificate.pem)
        agent = self.run_agent()
        start = self.start_s()
        before = time.monotonic()
        self.assertEqual(self.stop(agent), 0, self.log_of(agent))
        self.assertLess(time.monotonic() - before, 5 + 10 * start)
        self.assertIn(certificate.fingerprint[:16],
                      self.leafwatch("list", "-o", "jsonl", "--state", self.folder / "state").stdout.decode())

    def test_state_is_held_by_one(self):
        self.run_agent()
        done = self.leafwatch("run", "--once", "--listen", f"127.0.0.1:{harness.free_port()}", "--state", self.folder / "state", code=1)
        self.assertIn(b"another leafwatch (process ", done.stderr)

    def test_port_in_use_is_a_clear_error(self):
        agent = self.run_agent()
        done = self.leafwatch("run", "--listen", f"127.0.0.1:{agent.port}", "--state", self.folder / "other", code=1)
        self.assertIn(f"127.0.0.1:{agent.port}".encode(), done.stderr)

    def test_damaged_database_is_refused_and_kept(self):
        state = self.folder / "state"
        state.mkdir()
        (state / "inventory.db").write_bytes(b"this is not a database, but it may be precious" * 100)
        before = (state / "inventory.db").read_bytes()
        done = self.leafwatch("run", "--once", "--state", state, code=1)
        self.assertIn(b"inventory.db", done.stderr)
        self.assertEqual((state / "inventory.db").read_bytes(), before)


if __name__ == "__main__":
    unittest.main()
