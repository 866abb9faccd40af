"""Served differs from disk: real servers whose certificate was renewed under them."""
import os
import signal
import subprocess
import time
import unittest

import harness
from harness import Case, Receiver, certificates, free_port, is_open, own_network, wait_for

WORD = "served-differs-from-disk"


class Served(Case):
    def setUp(self):
        super().setUp()
        self.ca = self.pki.make("Root", ca=True)
        self.old = self.make("-60 days", "+30 days")
        self.new = self.make("-1 hour", "+89 days")
        self.file = self.tree / "live" / "api.pem"
        self.file.parent.mkdir()
        self.put(self.old)

    def make(self, begins, ends):
        return self.pki.make("api.example.org", issuer=self.ca, names=["api.example.org"], begins=begins, ends=ends)

    def put(self, certificate):
        """As a renewal does: whole, in one step, with its key."""
        beside = self.file.with_suffix(".tmp")
        beside.write_text(certificate.pem + certificate.key)
        beside.rename(self.file)

    def served(self, port, *sources):
        """The record of what is served at a port."""
        def look():  # again where a busy host did not answer in the time that listeners have
            records = self.scan("--trust", self.ca.pem_file, "listeners:", *(sources or [self.tree]))
            return [c for c in certificates(records) if c["location"]["uri"] == f"tls://127.0.0.1:{port}"
                    and c["location"]["index"] == 0]
        leaf, = wait_for(look, 90, f"the certificate at port {port}")
        return leaf

    def assert_differs(self, leaf, process, needs="reload"):
        self.assertIn(WORD, leaf["verdict"]["problems"])
        differs = leaf["served_differs"]
        self.assertEqual(differs["file"], f"file://{self.file}")
        self.assertEqual(differs["fingerprint"], self.new.fingerprint)
        self.assertEqual(differs["needs"], needs)
        self.assertLess(abs(time.time() - time.mktime(time.strptime(differs["since"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone), 120)
        self.assertIn(f"{self.file}", differs["message"])
        self.assertRegex(differs["message"], rf"{process} \(pid \d+")
        return differs

    def assert_same(self, leaf):
        self.assertNotIn(WORD, leaf["verdict"]["problems"])
        self.assertNotIn("served_differs", leaf)

    def start_nginx(self):
        port = self.nginx(f"""server {{ listen 127.0.0.1:PORT1 ssl; ssl_certificate {self.file}; ssl_certificate_key {self.file}; }}""")["PORT1"]
        text = wait_for(next(self.folder.glob("nginx-*/pid")).read_text, 20, "the process's number")
        return port, int(text)

    def test_nginx_until_it_is_reloaded(self):
        port, pid = self.start_nginx()
        self.assert_same(self.served(port))
        time.sleep(1.1)  # times of processes and files are told by the second
        self.put(self.new)
        leaf = self.served(port)
        self.assertEqual(leaf["fingerprint"], self.old.fingerprint)
        self.assertEqual(leaf["verdict"]["status"], "warning")
        differs = self.assert_differs(leaf, "nginx")
        self.assertIn(f"(pid {pid}", differs["message"])
        self.assertIn("reload it", differs["message"])
        shown = self.leafwatch("scan", "listeners:", self.tree, "-o", "detail").stdout.decode()
        self.assertIn("newer on disk", shown)
        # By its name, too: with the listener's process, and without a look at listeners of nobody's.
        named = f"tls://api.example.org@127.0.0.1:{port}"
        for sources, said in ((["listeners:"], "nginx"), ([], "its process still serves this one")):
            records = self.scan("--trust", self.ca.pem_file, *sources, self.tree, f"api.example.org@127.0.0.1:{port}")
            by_name, = [c for c in certificates(records) if c["location"] | {"index": 0} == c["location"] and c["location"]["uri"] == named]
            self.assertIn(WORD, by_name["verdict"]["problems"])
            self.assertIn(said, by_name["served_differs"]["message"])
        table = self.leafwatch("scan", "listeners:", self.tree).stdout.decode()
        self.assertRegex(table, rf"(?m)^127\.0\.0\.1:{port} +nginx {pid} .*{WORD}")
        os.kill(pid, signal.SIGHUP)

        def reloaded():
            leaf = self.served(port)
            return leaf["fingerprint"] == self.new.fingerprint and leaf
        self.assert_same(wait_for(reloaded, 60, "the reload"))

    def test_nginx_that_reloaded_with_another_file_in_its_configuration(self):
        copy = self.folder / "copy.pem"
        copy.write_text(self.old.pem + self.old.key)
        self.file, kept = copy, self.file
        port, pid = self.start_nginx()
        self.file = kept
        self.put(self.new)
        time.sleep(1.1)
        workers = subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE).stdout
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE).stdout.split() not in ([], workers.split())
                 and not set(workers.split()) & set(subprocess.run(["pgrep", "-P", str(pid)], stdout=subprocess.PIPE).stdout.split()),
                 30, "new workers")
        differs = self.assert_differs(self.served(port), "nginx", "configuration")
        self.assertIn("has started workers", differs["message"])

    def test_apache_until_it_is_reloaded(self):
        port = free_port()
        base = self.folder / "apache"
        base.mkdir()
        conf = base / "httpd.conf"
        modules = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
                            for m in ("mpm_event", "authz_core", "ssl", "socache_shmcb"))
        conf.write_text(f"ServerRoot {base}\nServerName localhost\nPidFile {base}/pid\nErrorLog {base}/log\nMutex file:{base}\n"
                        f"{modules}\nListen 127.0.0.1:{port}\n<VirtualHost 127.0.0.1:{port}>\n ServerName api.example.org\n"
                        f" SSLEngine on\n SSLCertificateFile {self.file}\n SSLCertificateKeyFile {self.file}\n</VirtualHost>\n")
        process = self.start("apache2", "-f", conf, "-DFOREGROUND")
        wait_for(lambda: is_open(port), 20, "apache")
        time.sleep(1.1)
        self.put(self.new)
        differs = self.assert_differs(self.served(port), "apache2")
        self.assertIn(f"(pid {process.pid}", differs["message"])
        process.send_signal(signal.SIGUSR1)  # graceful

        def reloaded():
            leaf = self.served(port)
            return leaf["fingerprint"] == self.new.fingerprint and leaf
        self.assert_same(wait_for(reloaded, 60, "the reload"))

    def test_haproxy_until_it_is_restarted(self):
        """The one that is served is due: nobody reloads in time."""
        self.old = self.make("-80 days", "+10 days")
        self.put(self.old)
        port = free_port()
        conf = self.folder / "haproxy.cfg"
        conf.write_text(f"""defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend f
    bind 127.0.0.1:{port} ssl crt {self.file}
    http-request return status 200
""")
        process = self.start("haproxy", "-f", conf)
        wait_for(lambda: is_open(port), 20, "haproxy")
        self.assert_same(self.served(port))
        time.sleep(1.1)
        self.put(self.new)
        leaf = self.served(port)
        self.assertEqual(leaf["verdict"]["status"], "critical")
        differs = self.assert_differs(leaf, "haproxy")
        self.assertIn(f"(pid {process.pid}", differs["message"])
        self.stop(process)
        self.start("haproxy", "-f", conf)
        wait_for(lambda: is_open(port), 20, "haproxy")
        self.assert_same(self.served(port))

    def test_a_process_that_holds_the_deleted_file(self):
        """Another CA issues the new one: only that the process names the file and holds what was there proves it."""
        other = self.pki.make("Other Root", ca=True)
        self.new = self.pki.make("api.example.org", issuer=other, names=["api.example.org"], begins="-1 hour", ends="+89 days")
        with open(self.file) as held:
            port = free_port()
            self.start("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.file, "-key", self.file, "-www",
                       pass_fds=[held.fileno()])
            wait_for(lambda: is_open(port), 10, "s_server")
        time.sleep(1.1)
        self.put(self.new)
        differs = self.assert_differs(self.served(port), "openssl")
        self.assertIn("it has the file open that was deleted there", differs["message"])

    def test_two_servers_with_a_certificate_each(self):
        """The same name, the same CA, two files: each serves its own, and nothing is wrong."""
        port = self.s_server(self.old)
        elsewhere = self.tree / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "b.pem").write_text(self.new.pem)
        self.assert_same(self.served(port))

    def test_the_agent_tells_and_takes_it_back(self):
        port, pid = self.start_nginx()
        receiver = Receiver([(200, {}, b"ok", 0)])
        self.addCleanup(receiver.close)
        agent = self.agent(f"""
scanners:
  files: [{{paths: [{self.tree}], every: 2s, jitter: 0s}}]
  listeners: [{{every: 3s, jitter: 0s}}]
trust: {{system: false, bundles: [{self.ca.pem_file}]}}
alerts: {{warning: 1%, critical: 1%, renotify: 24h}}
exporters:
  prometheus: [{{listen: ["127.0.0.1:PORT"]}}]
  webhooks: [{{name: ops, format: slack, url: "http://127.0.0.1:{receiver.port}/hook"}}]
""")
        self.ready(agent, 120)
        series = f'leafwatch_certificate_problem{{location="tls://127.0.0.1:{port}",problem="{WORD}"}} 1'
        self.assertNotIn(series, self.metrics(agent))
        time.sleep(1.1)
        self.put(self.new)

        def said(*words):
            return lambda: any(all(w in r["body"].decode() for w in words) for r in receiver.requests)
        wait_for(said(WORD, str(self.file), "where this one was, holds a newer one since", f"nginx (pid {pid}", "reload it"),
                 120, "the alert")
        wait_for(lambda: series in self.metrics(agent), 30, "the metric")
        os.kill(pid, signal.SIGHUP)
        wait_for(lambda: series not in self.metrics(agent), 120, "the metric to go")
        wait_for(said("api.example.org", "renewed"), 120, "the resolution")


if __name__ == "__main__":
    own_network()
    unittest.main()
