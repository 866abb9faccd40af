"""Ceilings of what one configuration and one host may have: lowered by its key, each is told with its place."""
import subprocess
import unittest

from harness import Case, certificates, problems

KAFKA = "ssl.keystore.location={0}\nssl.keystore.password={1}\n"


class Limits(Case):
    def setUp(self):
        super().setUp()
        self.tree = self.folder / "server"
        self.tree.mkdir()
        self.leaf = self.pki.make("a.example.org", names=["a.example.org"])
        self.other = self.pki.make("b.example.org", names=["b.example.org"])

    def put(self, name, text):
        (self.tree / name).write_text(text)

    def store(self, name, certificate):
        pem, store = self.folder / f"{name}.pem", self.tree / name
        pem.write_text(certificate.pem)
        subprocess.run(["openssl", "pkcs12", "-export", "-in", pem, "-inkey", certificate.key_file,
                        "-passout", f"pass:word of {name}", "-out", store], check=True, stderr=subprocess.DEVNULL)
        return store

    def told(self, **limits):
        """Places of limit-reached with their key, the rest of the records, and the log."""
        config = self.folder / "leafwatch.yml"
        config.write_text("".join(["limits:\n"] + [f"  {k}: {v}\n" for k, v in limits.items()]) if limits else "{}\n")
        records = self.scan("--no-system-trust", "--config", config, self.tree)
        return records, sorted((p["location"]["uri"].rpartition("/server/")[2], p["message"].rpartition(" ")[2])
                               for p in problems(records) if p["reason"] == "limit-reached")

    def test_configurations(self):
        server = ("server {{ listen 443 ssl; listen 8443 ssl; server_name {0};\n"
                  " ssl_certificate {1};\n ssl_certificate_key {2};\n}}\n")
        self.put("nginx.conf", server.format("a.example.org", self.tree / "a.pem", self.tree / "a.key"))
        self.put("prometheus.yml", "scrape_configs:\n  - job_name: x\n    tls_config:\n      cert_file: a.pem\n"
                 "      more:\n        of: this\n")
        self.put("server.properties", KAFKA.format(self.tree / "x.p12", "one"))
        for name, text in (("a.pem", self.leaf.pem), ("a.key", self.leaf.key), ("x.p12", self.leaf.pem)):
            self.put(name, text)
        self.assertEqual(self.told()[1], [])
        for key, value, place in (("reference_ports", 1, "nginx.conf"), ("config_depth", 2, "prometheus.yml"),
                                  ("java_settings", 1, "server.properties"), ("named_files", 1, "a.pem")):
            records, told = self.told(**{key: value})
            self.assertEqual(told, [(place, f"(limits.{key})")])
            # What is within the limit is told nonetheless.
            self.assertIn("ssl_certificate", {r.get("directive") for r in records})
        ports = [r["ports"] for r in self.told(reference_ports=1)[0] if r.get("directive") == "ssl_certificate"]
        self.assertEqual(ports, [[443]])

    def test_passwords_of_configurations(self):
        first, second = self.store("one.p12", self.leaf), self.store("two.p12", self.other)
        self.put("a.properties", KAFKA.format(first, "wrong"))
        self.put("b.properties", KAFKA.format(first, "word of one.p12"))
        self.put("c.properties", KAFKA.format(second, "word of two.p12"))

        def found(records):
            return sorted(c["subject"] for c in certificates(records))
        records, told = self.told()
        self.assertEqual((found(records), told), (["CN=a.example.org", "CN=b.example.org"], []))
        records, told = self.told(password_sources=1)
        self.assertEqual((found(records), told), (["CN=b.example.org"], [("one.p12", "(limits.password_sources)")]))
        # One file is looked for, and one is opened; both are told at the second, as one problem.
        records, told = self.told(named_files=1)
        self.assertEqual((found(records), told), (["CN=a.example.org"], [("two.p12", "(limits.named_files)")]))

    def test_comparisons(self):
        """Where there is no place the log has the key."""
        self.put("a.pem", self.leaf.pem)
        self.put("a.key", self.other.key)
        self.put("b.pem", self.other.pem + self.leaf.key)
        self.put("nginx.conf", f"server {{ listen 443 ssl;\n ssl_certificate {self.tree}/a.pem;\n"
                 f" ssl_certificate_key {self.tree}/a.key;\n}}\n")
        config = self.folder / "leafwatch.yml"
        for key, what in (("compared_keys", "private keys"), ("compared_certificates", "certificates"),
                          ("compared_references", "lines of configurations")):
            config.write_text(f"limits: {{{key}: 1}}\n")
            log = self.leafwatch("scan", "--config", config, self.tree).stderr.decode()
            self.assertIn(f"1 {what} of this host were not compared", log)
            self.assertIn(f"(limits.{key})", log)
        config.write_text("{}\n")
        self.assertNotIn("not compared", self.leafwatch("scan", "--config", config, self.tree).stderr.decode())


if __name__ == "__main__":
    unittest.main()
