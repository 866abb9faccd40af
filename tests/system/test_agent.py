"""The agent: schedule, /metrics, reload, alerts through real HTTP, an orderly and a violent end."""
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
import unittest
import urllib.error

import harness
from harness import Case, Receiver, get, wait_for

CONFIG = """
scanners:
  files: [{{paths: [{tree}], every: {every}, jitter: 0s}}]
trust: {{system: false}}
alerts: {{renotify: 24h}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
"""
WEBHOOK = """  webhooks: [{{name: ops, format: {format}, url: "http://127.0.0.1:{port}/hook"}}]
"""


def value(metrics, name):
    for line in metrics.splitlines():
        if line.startswith(name):
            return float(line.rsplit(" ", 1)[1])
    return None


class Agent(Case):
    def run_agent(self, every="1h", receiver=None, form="slack"):
        config = CONFIG.format(tree=self.tree, every=every)
        if receiver:
            config += WEBHOOK.format(format=form, port=receiver.port)
        agent = self.agent(config)
        self.ready(agent)
        return agent

    def receiver(self, *script):
        receiver = Receiver(script)
        self.addCleanup(receiver.close)
        return receiver

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
        before = time.monotonic()
        self.leafwatch("--version")
        start = time.monotonic() - before  # what the machine takes for next to nothing
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

    def test_slack_message_and_quiet_restart(self):
        (self.tree / "a.pem").write_text(self.pki.make("soon.example", begins="-85 days", ends="+5 days", names=["soon.example"]).pem)
        (self.tree / "copy.pem").write_text((self.tree / "a.pem").read_text())
        receiver = self.receiver((200, {}, b"ok", 0))
        agent = self.run_agent(receiver=receiver)
        wait_for(lambda: receiver.requests, 20, "the message")
        body = json.loads(receiver.requests[0]["body"])
        self.assertIn("text", body)
        self.assertIn("soon.example", receiver.requests[0]["body"].decode())
        self.assertIn("copy.pem", receiver.requests[0]["body"].decode())
        self.stop(agent)
        (self.tree / "b.pem").write_text(self.pki.make("other.example", begins="-85 days", ends="+5 days", names=["other.example"]).pem)
        self.run_agent(receiver=receiver).send_signal(signal.SIGUSR1)
        # Had the restart repeated anything, it would have gone out before this or with it.
        wait_for(lambda: "other.example" in receiver.requests[-1]["body"].decode(), what="the message of what is new")
        self.assertEqual(len(receiver.requests), 2)
        self.assertNotIn("soon.example", receiver.requests[1]["body"].decode(), "a restart repeats nothing")

    def test_renewed_and_gone_are_resolved(self):
        path, other = self.tree / "a.pem", self.tree / "b.pem"
        path.write_text(self.pki.make("soon.example", begins="-85 days", ends="+5 days", names=["soon.example"]).pem)
        other.write_text(self.pki.make("gone.example", begins="-85 days", ends="+5 days", names=["gone.example"]).pem)
        receiver = self.receiver((200, {}, b"", 0))
        self.run_agent(every="1s", receiver=receiver, form="alertmanager")
        wait_for(lambda: receiver.requests, 20, "the firing")
        first = json.loads(receiver.requests[0]["body"])
        self.assertEqual(first["version"], "4")
        self.assertEqual(first["status"], "firing")
        self.assertEqual(len(first["alerts"]), 2)
        path.write_text(self.pki.make("soon.example", ends="+90 days", names=["soon.example"]).pem)
        other.unlink()

        def resolved():
            return [a for r in receiver.requests for a in json.loads(r["body"])["alerts"] if a["status"] == "resolved"]
        wait_for(lambda: len(resolved()) == 2, 30, "both to be resolved")
        self.assertEqual({a["labels"]["alertname"] for a in resolved()}, {a["labels"]["alertname"] for a in first["alerts"]})
        self.assertEqual({a["fingerprint"] for a in resolved()}, {a["fingerprint"] for a in first["alerts"]})

    def soon(self):
        (self.tree / "a.pem").write_text(self.pki.make("soon.example", begins="-85 days", ends="+5 days").pem)

    def test_retry_after_is_obeyed_and_the_id_stays(self):
        self.soon()
        receiver = self.receiver((429, {"Retry-After": "3"}, b"", 0), (200, {}, b"ok", 0))
        self.run_agent(receiver=receiver, form="alertmanager")
        wait_for(lambda: len(receiver.requests) == 2, 30, "the second try")
        first, second = receiver.requests
        self.assertGreaterEqual(second["time"] - first["time"], 2.9)
        self.assertEqual(first["body"], second["body"])
        self.assertEqual(first["headers"].get("Webhook-Id"), second["headers"].get("Webhook-Id"))

    def test_server_error_is_retried(self):
        self.soon()
        receiver = self.receiver((500, {}, b"", 0), (200, {}, b"ok", 0))
        agent = self.run_agent(receiver=receiver)
        wait_for(lambda: len(receiver.requests) == 2, 60, "the second try")
        self.assertIn("leafwatch_notifications_failed_total", self.metrics(agent))

    def test_not_found_disables_the_receiver(self):
        self.soon()
        receiver = self.receiver((404, {}, b"", 0))
        agent = self.run_agent(receiver=receiver)
        wait_for(lambda: receiver.requests, 20, "the try")
        wait_for(lambda: value(self.metrics(agent), 'leafwatch_outbox_entries{receiver="ops"}') == 1, 20, "the entry that waits")
        time.sleep(7)
        self.assertEqual(len(receiver.requests), 1)

    def test_outbox_survives_kill(self):
        self.soon()
        receiver = self.receiver((503, {"Retry-After": "2"}, b"", 0), (200, {}, b"ok", 0))
        agent = self.run_agent(receiver=receiver)
        wait_for(lambda: receiver.requests, 20, "the first try")
        time.sleep(0.5)
        agent.kill()
        agent.wait()
        self.run_agent(receiver=receiver)
        wait_for(lambda: len(receiver.requests) == 2, 30, "the message after the restart")

    def test_notify_test(self):
        receiver = self.receiver((200, {}, b"ok", 0))
        config = self.folder / "c.yml"
        config.write_text(CONFIG.format(tree=self.tree, every="1h") .replace("PORT", "1") + WEBHOOK.format(format="slack", port=receiver.port))
        self.assertIn(b"ops: delivered", self.leafwatch("notify", "test", "--config", config).stdout)
        self.assertEqual(len(receiver.requests), 1)
        receiver.script = [(404, {}, b"", 0)]
        self.assertIn(b"FAILED", self.leafwatch("notify", "test", "ops", "--config", config, code=1).stdout)
        self.leafwatch("notify", "test", "nobody", "--config", config, code=2)

    def test_hostile_receivers(self):
        self.soon()
        for script in ((200, {}, b"x" * 50_000_000, 0), (302, {"Location": "http://127.0.0.1:1/"}, b"", 0)):
            receiver = self.receiver(script)
            config = self.folder / "c.yml"
            config.write_text(WEBHOOK.format(format="slack", port=receiver.port).replace("  webhooks", "exporters:\n  webhooks"))
            self.leafwatch("notify", "test", "--config", config, code=1)


def children(pid):
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
            if int(stat[1]) != pid:
                continue
            words = open(f"/proc/{entry}/cmdline").read().split("\0")
            found[int(entry)] = words[2] if len(words) > 2 else ""
        except (OSError, IndexError):
            continue
    return found


class Kill(Case):
    """Every process is killed in the middle of its work; nothing is lost but what it held."""

    def fill(self, count):
        leaf = self.pki.make("leaf")
        for i in range(count):
            folder = self.tree / f"d{i % 200}"
            folder.mkdir(exist_ok=True)
            (folder / f"{i}.pem").write_text(leaf.pem)
        return count

    def scan_while_killing(self, role, *sources, number=signal.SIGKILL):
        """Starts a scan and sends one process of a role a signal as soon as it is seen."""
        process = self.start(harness.BINARY, "scan", "-o", "jsonl", *sources, stdout=open(self.folder / "out", "wb"))
        killed = 0
        while process.poll() is None and killed < 1:
            for pid, name in children(process.pid).items():
                if name == role and not killed:
                    time.sleep(random.random() * 0.1)
                    try:
                        os.kill(pid, number)
                        killed += 1
                    except ProcessLookupError:
                        pass
        self.assertEqual(process.wait(120), 0, self.log_of(process))
        return killed, [json.loads(line) for line in open(self.folder / "out")]

    def test_reader_is_replaced(self):
        count = self.fill(1500)
        killed, records = self.scan_while_killing("reader", self.tree)
        self.assertEqual(killed, 1)
        self.assertEqual(len(harness.certificates(records)), count)

    def test_parser_is_replaced_and_its_finding_is_a_problem(self):
        count = self.fill(1500)
        killed, records = self.scan_while_killing("parser", self.tree)
        self.assertEqual(killed, 1)
        lost = [p for p in harness.problems(records) if p["reason"] == "parser-crashed"]
        self.assertLessEqual(len(lost), 1)
        # Killed between the certificate and its last word, the place has both: never neither.
        self.assertEqual(len({r["location"]["uri"] for r in harness.certificates(records) + lost}), count)

    def test_parser_that_hangs_is_replaced(self):
        count = self.fill(1500)
        stopped, records = self.scan_while_killing("parser", self.tree, number=signal.SIGSTOP)
        self.assertEqual(stopped, 1)
        lost = [p for p in harness.problems(records) if p["reason"] == "timeout"]
        self.assertLessEqual(len(lost), 1)
        self.assertEqual(len({r["location"]["uri"] for r in harness.certificates(records) + lost}), count)

    def test_probe_is_replaced(self):
        root = self.pki.make("root", ca=True)
        leaf = self.pki.make("localhost", root, names=["localhost"])
        port = self.s_server(leaf)
        # One target that never answers keeps the probe at work until it is killed.
        silent = socket.socket()
        self.addCleanup(silent.close)
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        killed, records = self.scan_while_killing("probe", "--timeout", "3s", f"127.0.0.1:{silent.getsockname()[1]}",
                                                  f"127.0.0.0/24:{port}")
        self.assertEqual(killed, 1)
        self.assertEqual(len(harness.certificates(records)), 1)

    def test_main_at_random_moments(self):
        count = self.fill(600)
        state = self.folder / "state"
        for _ in range(6):
            process = self.start(harness.BINARY, "scan", "--state", state, "-o", "jsonl", self.tree)
            time.sleep(random.random() * 1.5)
            process.kill()
            process.wait()
            if (state / "inventory.db").exists():
                with sqlite3.connect(f"file:{state}/inventory.db?mode=ro", uri=True) as db:
                    self.assertEqual(db.execute("PRAGMA quick_check").fetchone()[0], "ok")
        self.assertEqual(len(harness.certificates(self.scan("--state", state, self.tree))), count)
        # Roles of a killed main do not live on.
        wait_for(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and self.is_orphan(p)], 10, "the roles to end")

    @staticmethod
    def is_orphan(pid):
        try:
            if "--role" not in open(f"/proc/{pid}/cmdline").read().split("\0"):
                return False
            return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1] == "1"
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
