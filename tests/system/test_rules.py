"""The alert rules for Prometheus, by promtool: which of them fire on which series."""
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness

API = 'instance="host:9947",location="tls://api:443"'
PEM = 'instance="host:9947",location="file:///etc/client.pem",subject_cn="service-a"'
DAY = 86400


class Rules(unittest.TestCase):
    """Series are flat over half an hour that starts at the epoch; times are given in days from then."""

    def fires(self, alert, series, labels):
        rules = (harness.SOURCE / "etc/leafwatch.rules.yml").resolve()
        lines = [f"rule_files: ['{rules}']", "evaluation_interval: 1m", "tests:", "- interval: 1m", "  input_series:"]
        for name, value in series:
            lines += [f"  - series: '{name}'", f"    values: '{value}+0x300'"]
        lines += ["  alert_rule_test:", f"  - alertname: {alert}", "    eval_time: 2h", "    exp_alerts: []"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "test.yml"
            path.write_text("\n".join(lines) + "\n")
            done = subprocess.run(["promtool", "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        text = done.stdout.decode()
        self.assertNotIn("WARNING", text)
        if done.returncode:
            self.assertIn(f'alertname="{alert}"', text)
            self.assertIn(labels, text)
        return done.returncode != 0

    def test_weakened(self):
        name = f"leafwatch_endpoint_client_certificate_weakened{{{API}}}"
        self.assertTrue(self.fires("LeafwatchMtlsWeakened", [(name, 1)], "tls://api:443"))
        self.assertFalse(self.fires("LeafwatchMtlsWeakened", [(name, 0)], "tls://api:443"))

    def test_list_changed(self):
        name = f"leafwatch_endpoint_acceptable_cas_changed_timestamp_seconds{{{API}}}"
        self.assertTrue(self.fires("LeafwatchMtlsCasChanged", [(name, 0)], "tls://api:443"))
        self.assertFalse(self.fires("LeafwatchMtlsCasChanged", [(name, -2 * DAY)], "tls://api:443"))

    def test_client_ca(self):
        name = f"leafwatch_endpoint_client_ca_expires_timestamp_seconds{{{API}}}"
        self.assertTrue(self.fires("LeafwatchClientCaExpiresSoon", [(name, 20 * DAY)], "tls://api:443"))
        self.assertFalse(self.fires("LeafwatchClientCaExpiresSoon", [(name, 40 * DAY)], "tls://api:443"))

    def test_client_certificate_in_use(self):
        def series(days, accepting):
            return [(f"leafwatch_certificate_not_after_timestamp_seconds{{{PEM}}}", days * DAY),
                    (f"leafwatch_certificate_not_before_timestamp_seconds{{{PEM}}}", (days - 90) * DAY),
                    ('leafwatch_certificate_accepting_endpoints{instance="host:9947",location="file:///etc/client.pem"}', accepting)]
        self.assertTrue(self.fires("LeafwatchClientCertificateExpiresSoon", series(5, 2), "service-a"))
        self.assertFalse(self.fires("LeafwatchClientCertificateExpiresSoon", series(5, 0), "service-a"))
        self.assertFalse(self.fires("LeafwatchClientCertificateExpiresSoon", series(50, 2), "service-a"))


if __name__ == "__main__":
    unittest.main()
