"""What configurations name, and the names that their servers are asked for: real nginx and Apache."""
import subprocess
import unittest

import servers
from harness import Case, certificates, endpoints, free_port, is_open, own_network, problems, wait_for


def references(records):
    return [r for r in records if r["type"] == "reference"]


def uri(path):
    return f"file://{path}"


class DovecotByName(servers.Dovecot):
    """One that has a certificate of its own for a name."""

    def configure(self):
        super().configure()
        other = self.case.other
        for name in ("other.pem", "other.key"):
            (self.folder / name).write_text(other.pem if name.endswith("pem") else other.key)
            (self.folder / name).chmod(0o600)
        self.conf.write_text(self.conf.read_text() + f"""local_name other.example.org {{
  ssl_cert = <{self.folder}/other.pem
  ssl_key = <{self.folder}/other.key
}}
""")


class PostfixByName(servers.Postfix):
    def configure(self):
        super().configure()
        other = self.case.other
        chain, names = self.folder / "other.pem", self.folder / "sni"
        chain.write_text(other.key + other.pem)
        chain.chmod(0o600)
        # The second is a name that no certificate here has.
        names.write_text(f"# by name\nother.example.org {chain}\ntable.example.org\n\t{chain}\n")
        main = self.folder / "main.cf"
        main.write_text(main.read_text() + f"tls_server_sni_maps = hash:{names}\n")
        subprocess.run(["/usr/sbin/postmap", "-c", self.folder, "-F", f"hash:{names}"], check=True)


class Configs(Case):
    def setUp(self):
        super().setUp()
        self.root = self.pki.make("Fan Root", ca=True)
        self.usual = self.pki.make("default.example.org", self.root, names=["default.example.org"])
        self.good = self.pki.make("good.example.org", self.root, names=["good.example.org", "*.wild.example.org"])
        self.other = self.pki.make("other.example.org", self.root, names=["other.example.org"])
        # On disk, but served by nobody.
        self.idle = self.pki.make("idle.example.org", self.root, names=["idle.example.org", "*.idle.example.org"])

    def vhost(self, certificate, *names, more=""):
        return (f"server {{ listen 127.0.0.1:PORT1 ssl{more}; server_name {' '.join(names)};\n"
                f" ssl_certificate {certificate.pem_file};\n ssl_certificate_key {certificate.key_file};\n return 204; }}\n")

    def seen(self, records, port):
        """Problems of the leaf at each place of a port, by the name that was asked for."""
        out = {}
        for r in certificates(records):
            place = r["location"]["uri"]
            if place.endswith(f"127.0.0.1:{port}") and r["location"]["index"] == 0:
                name = place[len("tls://"):].rpartition("@")[0]
                out[name] = [p for p in r["verdict"]["problems"] if p == "name-mismatch"]
        return out

    def test_nginx(self):
        ports = self.nginx(self.vhost(self.usual, "default.example.org", more=" default_server") +
                           self.vhost(self.good, "good.example.org", "*.wild.example.org", "localhost") +
                           self.vhost(self.other, "wrong.example.org"))
        port = ports["PORT1"]
        records = self.scan("--trust", self.root.pem_file, self.folder, "listeners:")
        self.assertEqual(self.seen(records, port), {
            "": [], "default.example.org": [], "good.example.org": [], "leafwatch.wild.example.org": [],
            # The one finding: a virtual host that shows another's certificate. The names of certificates
            # that nobody serves here are none.
            "wrong.example.org": ["name-mismatch"]})
        self.assertEqual([p for p in problems(records) if str(port) in p["location"]["uri"]], [])
        server = [r for r in references(records) if r["role"] == "server-certificate"]
        self.assertEqual([(r["file"], r["names"], r["ports"], r["active"]) for r in server], [
            (uri(self.usual.pem_file), ["default.example.org"], [port], True),
            (uri(self.good.pem_file), ["good.example.org", "*.wild.example.org", "localhost"], [port], True),
            (uri(self.other.pem_file), ["wrong.example.org"], [port], True)])
        # Only on the ports that they name, and not without the configuration.
        records = self.scan("--trust", self.root.pem_file, "listeners:")
        self.assertEqual(self.seen(records, port), {"": []})

    def test_usage(self):
        """What a configuration presents to servers must be good for clients, what it serves for servers."""
        client = self.pki.make("client", self.root, usage=("tls_www_client",))
        both = self.pki.make("both.example.org", self.root, names=["both.example.org"], usage=("tls_www_client", "tls_www_server"))
        upstream = " location {} {{ proxy_pass https://127.0.0.1:9; proxy_ssl_certificate {}; proxy_ssl_certificate_key {}; }}\n"
        self.nginx(self.vhost(client, "wrong.example.org").replace("return 204;", "".join(
            upstream.format(path, c.pem_file, c.key_file) for path, c in (("/a", self.good), ("/b", client), ("/c", both)))) +
            self.vhost(both, "both.example.org"))
        found = {c["fingerprint"]: c["verdict"] for c in certificates(self.scan("--trust", self.root.pem_file, self.folder))}
        # The client's certificate is served, and the server's presented.
        for certificate in (self.good, client):
            self.assertEqual(found[certificate.fingerprint]["problems"], ["wrong-usage"])
            self.assertEqual(found[certificate.fingerprint]["violations"], ["wrong-purpose"])
        for certificate in (both, self.usual):
            self.assertEqual(found[certificate.fingerprint]["problems"], [])

    def missing(self, records):
        return {p["location"]["uri"]: p["message"] for p in problems(records) if p["reason"] == "missing"}

    def test_longer_than_is_read(self):
        """What a long configuration names is not known, and that is said, until the limit is raised."""
        etc, config = self.folder / "etc", self.folder / "leafwatch.yml"
        etc.mkdir()
        server = (f"server {{ listen 443 ssl; server_name %s;\n ssl_certificate {self.good.pem_file};\n"
                  f" ssl_certificate_key {self.good.key_file};\n}}\n")
        noise = "# " + 60 * "x" + "\n"
        (etc / "long.conf").write_text(30000 * noise + server % "long.example.org")
        (etc / "huge.conf").write_text(server % "huge.example.org" + 150000 * noise)
        (etc / "apache.conf").write_text(30000 * noise + "<VirtualHost *:443>\nServerName apache.example.org\n"
                                         f"SSLCertificateFile {self.good.pem_file}\n</VirtualHost>\n")
        # No configuration is what only mentions what one says.
        (etc / "some.log").write_text(30000 * f"2026-01-01 error: no ssl_certificate for {noise}")
        (etc / "large.log").write_text(150000 * f"2026-01-01 error: no ssl_certificate for {noise}")
        records = self.scan(etc)
        self.assertEqual(references(records), [])
        self.assertEqual(sorted((r["location"]["uri"].removeprefix(uri(etc)), r["location"]["format"], r["reason"],
                                 r["message"].rpartition(" ")[2]) for r in problems(records)),
                         [("/apache.conf", "apache", "limit-reached", "(limits.config_size)"),
                          ("/huge.conf", "nginx", "limit-reached", "(limits.config_size)"),
                          ("/long.conf", "nginx", "limit-reached", "(limits.config_size)")])
        (etc / "large.log").unlink()
        config.write_text("limits: {config_size: 12MiB}\n")
        records = self.scan("--config", config, etc)
        self.assertEqual({n for r in references(records) for n in r.get("names", ())},
                         {"long.example.org", "apache.example.org", "huge.example.org"})
        # Of one that is longer than max_file_size the start is read.
        self.assertEqual([(r["location"]["uri"], r["reason"], r["message"].rpartition(" ")[2]) for r in problems(records)],
                         [(uri(etc / "huge.conf"), "limit-reached", "(max_file_size)")])

    def test_missing(self):
        """A server runs on, but the next start would fail: the file that its configuration names is gone."""
        self.nginx(self.vhost(self.usual, "default.example.org") + self.vhost(self.good, "good.example.org"))
        conf = next(self.folder.glob("nginx-*/nginx.conf"))
        self.assertEqual(self.missing(self.scan(self.folder)), {})
        self.good.key_file.unlink()
        line = conf.read_text().splitlines().index(f" ssl_certificate_key {self.good.key_file};") + 1
        self.assertEqual(self.missing(self.scan(self.folder)), {
            uri(self.good.key_file): "it is not there, but named as the server key of nginx "
                                     f"{conf}:{line} (ssl_certificate_key)"})
        table = self.leafwatch("scan", self.folder).stdout.decode()
        self.assertIn("missing 1  a configuration names it, and it is not there", table)
        # Not below another root, nor where the program puts the name together itself, nor in what nobody reads.
        root = self.folder / "images" / "etc" / "nginx"
        root.mkdir(parents=True)
        (root / "nginx.conf").write_text(conf.read_text())
        (self.folder / "old.conf.bak").write_text(conf.read_text())
        conf.write_text(conf.read_text().replace(str(self.good.key_file), "keys/$ssl_server_name.key"))
        self.assertEqual(self.missing(self.scan(self.folder)), {})

    def test_a_certificate_alone_suggests_a_name(self):
        # The configuration lies where nobody looks: only certificates in files suggest names.
        ports = self.nginx(self.vhost(self.usual, "default.example.org", more=" default_server") +
                           self.vhost(self.good, "good.example.org") + self.vhost(self.other, "idle.example.org"))
        port = ports["PORT1"]
        records = self.scan("--trust", self.root.pem_file, self.pki.folder, "listeners:")
        self.assertEqual(self.seen(records, port),
                         {"": [], "good.example.org": [], "idle.example.org": ["name-mismatch"]})

    def test_names_after_starttls(self):
        """Mail servers, too, have certificates by name; who asks for none sees the usual one."""
        dovecot, postfix = DovecotByName(self, self.usual), PostfixByName(self, self.usual)
        places = [f"imap://NAME127.0.0.1:{dovecot.port}", f"pop3://NAME127.0.0.1:{dovecot.pop3_port}",
                  f"smtp://NAME127.0.0.1:{postfix.port}",
                  f"tls://NAME127.0.0.1:{postfix.tls_port}"]
        usual = {p.replace("NAME", ""): self.usual.fingerprint for p in places}
        named = {p.replace("NAME", "other.example.org@"): self.other.fingerprint for p in places}
        wrong = {p.replace("NAME", "table.example.org@"): self.other.fingerprint for p in places[2:]}

        def look():  # again where a busy host did not answer in the time that listeners have
            records = self.scan("--trust", self.root.pem_file, self.pki.folder, dovecot.folder, postfix.folder, "listeners:")
            leafs = {c["location"]["uri"]: c for c in certificates(records) if c["location"]["index"] == 0}
            return {**usual, **named, **wrong}.keys() <= leafs.keys() and (records, leafs)
        records, leafs = wait_for(look, 180, "an answer from each server")
        # Names that nobody has there are no finding.
        ports = tuple(p.rpartition(":")[2] for p in places)
        found = {u: c for u, c in leafs.items() if u.startswith(("imap:", "pop3:", "smtp:", "tls:")) and u.endswith(ports)}
        self.assertEqual({u: c["fingerprint"] for u, c in found.items()}, {**usual, **named, **wrong})
        self.assertEqual([found[u]["verdict"]["problems"] for u in named], [[]] * len(named))
        # Only Postfix's table leads to that one.
        self.assertEqual([found[u]["verdict"]["problems"] for u in wrong], [["name-mismatch"]] * len(wrong))
        # Dovecot keeps a link to its configuration.
        self.assertEqual({r["file"] for r in references(records)
                          if r.get("names") == ["other.example.org"] and r["role"] == "server-certificate"},
                         {uri(dovecot.folder / "other.pem"), uri(postfix.folder / "other.pem")})
        self.assertEqual([(r["location"]["format"], r["directive"], r["line"], r["file"]) for r in references(records)
                          if r.get("names") == ["table.example.org"]],
                         [("postfix-sni", "table.example.org", 4, uri(postfix.folder / "other.pem"))])

    def test_apache(self):
        port = free_port()
        base = self.folder / "apache"
        base.mkdir()
        conf = base / "httpd.conf"
        modules = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so"
                            for m in ("mpm_event", "authz_core", "ssl", "socache_shmcb"))
        hosts = "\n".join(f"<VirtualHost 127.0.0.1:{port}>\n ServerName {name}\n SSLEngine on\n"
                          f" SSLCertificateFile {c.pem_file}\n SSLCertificateKeyFile \"{c.key_file}\"\n</VirtualHost>"
                          for name, c in (("default.example.org", self.usual), ("good.example.org", self.good),
                                          ("wrong.example.org", self.other)))
        conf.write_text(f"ServerRoot {base}\nServerName localhost\nPidFile {base}/pid\nErrorLog {base}/log\n"
                        f"Mutex file:{base}\n{modules}\nListen 127.0.0.1:{port}\n{hosts}\n")
        self.start("apache2", "-f", conf, "-DFOREGROUND")
        wait_for(lambda: is_open(port), 20, "apache")
        records = self.scan("--trust", self.root.pem_file, self.folder, "listeners:")
        self.assertEqual(self.seen(records, port), {
            "": [], "default.example.org": [], "good.example.org": [], "wrong.example.org": ["name-mismatch"]})
        self.assertEqual({r["location"]["format"] for r in references(records)}, {"apache"})

    def test_agent(self):
        """What is suggested no more is asked no more; a certificate says who uses it."""
        ports = self.nginx(self.vhost(self.usual, "default.example.org", more=" default_server") +
                           self.vhost(self.other, "wrong.example.org"))
        port = ports["PORT1"]
        self.agent(f"""
scanners:
  files: [{{paths: [{self.folder}], every: 1s, exclude: ["{self.folder}/state"]}}]
  listeners: [{{every: 1s}}]
trust: {{system: false, bundles: [{self.root.pem_file}]}}
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
""")

        def shown(place):
            done = self.leafwatch("show", place, "--state", self.folder / "state", code=None)
            return done.stdout.decode()

        place = f"tls://wrong.example.org@127.0.0.1:{port}"
        wait_for(lambda: "name-mismatch" in shown(place), 60, "the finding")
        text = shown(self.other.pem_file)
        self.assertIn(f"{self.folder}/nginx-", text)
        self.assertIn(f"the server certificate of wrong.example.org on port {port}", text)
        for conf in self.folder.glob("nginx-*/nginx.conf"):
            conf.write_text(conf.read_text().replace("wrong.example.org", "other.example.org"))
        wait_for(lambda: "gone" in shown(place), 60, "its end")
        key = self.other.key_file
        aside = key.rename(key.with_suffix(".aside"))
        wait_for(lambda: "missing" in shown(key), 60, "the missing key")
        self.assertRegex(shown(key), r"named as the server key of nginx \S+/nginx.conf:\d+ \(ssl_certificate_key\)")
        aside.rename(key)
        wait_for(lambda: "missing" not in shown(key), 60, "its return")


if __name__ == "__main__":
    own_network()
    unittest.main()
