"""Servers of ill will: each ends by its deadline, costs little, and the others do not notice."""
import time
import unittest

import hostile
from harness import Case, certificates, endpoints, problems

TIMEOUT_S = 10
SLACK_S = 20  # processes that start, a sanitizer, a busy machine; the deadline itself is measured in the record


class HostileServers(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Test Root", ca=True)
        self.server = self.pki.make("localhost", self.root, names=["localhost", "127.0.0.1"])

    def hostile(self, name):
        server = hostile.Hostile(hostile.ALL[name], self.server)
        self.addCleanup(server.close)
        return ("smtp://" if name in hostile.IN_DIALOGUE else "") + f"127.0.0.1:{server.port}"

    def test_each_ends_in_time_and_is_told(self):
        places = {self.hostile(name): name for name in hostile.ALL}
        before = time.monotonic()
        records = self.scan("--timeout", f"{TIMEOUT_S}s", *places)
        self.assertLess(time.monotonic() - before, TIMEOUT_S + SLACK_S)
        told = {e["location"]["uri"].split("://")[1] for e in endpoints(records)}
        for place, name in places.items():
            self.assertIn(place.split("://")[-1], told, name)
        # Who got as far as Finished is no problem; all others are, each with its reason.
        finished = {"endless_answer", "mute_after_handshake"}
        reasons = {p["location"]["uri"].split("://")[1]: p["reason"] for p in problems(records)}
        for place, name in places.items():
            self.assertEqual(place.split("://")[-1] in reasons, name not in finished, (name, reasons))
        by_name = {name: reasons.get(place.split("://")[-1]) for place, name in places.items()}
        for name in ("silent", "drip", "zero_window"):
            self.assertEqual(by_name[name], "timeout")
        self.assertEqual(by_name["large_message"], "limit-reached")
        self.assertEqual(by_name["http"], "not-tls")

    def test_a_thousand_others_do_not_notice(self):
        ports = self.nginx(f"""server {{ listen 127.0.0.1:PORT1 ssl backlog=4096; ssl_certificate {self.server.pem_file};
            ssl_certificate_key {self.server.key_file}; }}""")
        # 980 addresses of one good server, and every hostile one among them
        good = [f"127.0.0.1:{ports['PORT1']}"]
        targets = self.folder / "targets"
        bad = [self.hostile(name) for name in hostile.ALL if name not in hostile.IN_DIALOGUE]
        names = [f"name{i}.example@{good[0]}" for i in range(1000 - len(bad))]
        lines = []
        for i, name in enumerate(names):
            lines.append(name)
            if i % 50 == 0 and bad:
                lines.append(bad.pop())
        targets.write_text("\n".join(lines + bad) + "\n")
        records = self.scan("--timeout", "60s", "--http-path", "none", f"@{targets}", timeout=280)
        seen = [e for e in endpoints(records) if e["port"] == ports["PORT1"]]
        self.assertEqual(len(seen), len(names))
        self.assertEqual({e["handshake"] for e in seen}, {"ok"})
        self.assertEqual({e["client_certificate"] for e in seen}, {"none"})

    def test_chains_of_41_certificates_arrive_whole(self):
        last = self.root
        made = []
        for i in range(40):
            last = self.pki.make(f"CA {i}", last, ca=True)
            made.append(last)
        leaf = self.pki.make("localhost", last, names=["localhost"])
        port = self.s_server(leaf, chain="".join(c.pem for c in reversed(made)))
        records = self.scan(f"localhost:{port}")
        self.assertEqual(len(endpoints(records)[0]["chain"]), 41)
        self.assertEqual(len(certificates(records)), 41)


if __name__ == "__main__":
    unittest.main()
