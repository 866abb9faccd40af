"""What the agent tells, through real HTTP: alerts once and resolved, tries again, hostile receivers."""
import json
import signal
import time
import unittest

from agents import CONFIG, WEBHOOK, AgentCase, value
from harness import wait_for


class Notifications(AgentCase):
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


if __name__ == "__main__":
    unittest.main()
