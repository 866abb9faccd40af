"""Passwords that servers' configurations say: the keystores that they name open, and no other; none of them gets out."""
import os
import shutil
import subprocess
import unittest

from harness import Case, certificates, endpoints, free_port, is_open, problems, wait_for

STANDALONE = """<?xml version='1.0' encoding='UTF-8'?>
<server xmlns="urn:jboss:domain:20.0">
  <management><security-realms><security-realm name="Old"><server-identities><ssl>
    <keystore path="legacy.p12" relative-to="jboss.server.config.dir" keystore-password="legacy-word" alias="server"/>
  </ssl></server-identities></security-realm></security-realms></management>
  <profile><subsystem xmlns="urn:wildfly:elytron:15.1"><tls><key-stores><key-store name="applicationKS">
    <credential-reference clear-text="wild-word"/><implementation type="PKCS12"/>
    <file path="elytron.p12" relative-to="jboss.server.config.dir"/></key-store></key-stores></tls></subsystem></profile>
</server>
"""
SERVER = """<?xml version="1.0" encoding="UTF-8"?>
<Server port="8005" shutdown="SHUTDOWN"><Service name="Catalina">
  <Connector port="8443" SSLEnabled="true"><SSLHostConfig>
    <Certificate certificateKeystoreFile="conf/tom.p12" certificateKeystorePassword="tom&amp;cat-word"/>
    <Certificate certificateKeystoreFile="conf/file.p12" certificateKeystorePasswordFile="conf/pass.txt"/>
  </SSLHostConfig></Connector>
  <Connector port="9443" keystoreFile="${catalina.base}/conf/standard.p12"/>
</Service></Server>
"""


def run(*command):
    subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Passwords(Case):
    def store(self, path, password):
        """A PKCS#12 file named as its certificate."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        leaf = self.pki.make(file.stem)
        pem = self.folder / f"{file.stem}.pem"
        pem.write_text(leaf.pem)
        run("openssl", "pkcs12", "-export", "-in", pem, "-inkey", leaf.key_file, "-passout", f"pass:{password}", "-out", file)
        return file

    def text(self, path, text):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("TREE", str(self.tree)))

    def names(self, records):
        return sorted(r["subject"].split("CN=")[1].split(",")[0] for r in certificates(records))

    def locked(self, records):
        return sorted((p["location"]["uri"].rsplit("/", 1)[1], p["reason"]) for p in problems(records))

    def test_each_language(self):
        self.store("tomcat/conf/tom.p12", "tom&cat-word")
        self.store("tomcat/conf/file.p12", "file-word")
        self.store("tomcat/conf/standard.p12", "changeit")
        self.text("tomcat/conf/server.xml", SERVER)
        self.text("tomcat/conf/pass.txt", "file-word\n")
        self.store("kafka/broker.p12", "kafka:word")
        self.store("kafka/unnamed.p12", "kafka:word")
        self.text("kafka/server.properties", "broker.id=0\n# by hand\nlisteners=SSL://:9093\nlog.dirs=/a,\\\n  /b\n"
                  "ssl.keystore.location=TREE/kafka/broker.p12\nssl.keystore.password=kafka\\:word\n")
        self.store("zk/quorum.p12", "quorum-word")
        self.text("zk/zoo.cfg", "tickTime=2000\nssl.quorum.keyStore.location=TREE/zk/quorum.p12\n"
                  "ssl.quorum.keyStore.passwordPath=TREE/zk/pass\n")
        self.text("zk/pass", "quorum-word\n")
        self.store("spring/boot.p12", "spring-word")
        self.text("spring/application.yml", "server:\n  port: 8443\n  ssl:\n    key-store: \"file:TREE/spring/boot.p12\"\n"
                  "    key-store-password: spring-word # by hand\n    key-store-type: PKCS12\n")
        self.store("jetty/etc/jetty.p12", "storepwd")
        self.text("jetty/start.d/ssl.ini", "--module=ssl\njetty.sslContext.keyStorePath=etc/jetty.p12\n"
                  "jetty.sslContext.keyStorePassword=OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4\n")
        self.store("elastic/http.p12", "elastic-word")
        self.text("elastic/elasticsearch.yml", "xpack.security.http.ssl:\n  keystore.path: http.p12\n"
                  "  keystore.password: elastic-word\n")
        self.store("wildfly/configuration/elytron.p12", "wild-word")
        self.store("wildfly/configuration/legacy.p12", "legacy-word")
        self.text("wildfly/configuration/standalone.xml", STANDALONE)
        self.store("openvpn/client.p12", "vpn-word")
        self.text("openvpn/client.conf", "client\ndev tun\nremote vpn.example.org\npkcs12 client.p12\naskpass word\n;\ncert client.p12\n")
        self.text("openvpn/word", "vpn-word\n")
        records = self.scan("--no-system-trust", self.tree)
        self.assertEqual(self.names(records), sorted([
            "tom", "file", "standard", "broker", "quorum", "boot", "jetty", "http", "elytron", "legacy", "client"]))
        self.assertEqual(self.locked(records), [("unnamed.p12", "needs-password")])
        said = [r for r in records if r["type"] == "reference" and r.get("password_file")]
        self.assertEqual(len(said), 11)
        self.assertNotIn("-word", str(records))
        self.assertNotIn("changeit", str(records))

    def test_a_key_of_nginx(self):
        """Its encrypted key opens by the second line of the file, and is the certificate's."""
        leaf = self.pki.make("web.example")
        self.text("nginx/web.pem", leaf.pem)
        run("openssl", "pkey", "-in", leaf.key_file, "-aes256", "-passout", "pass:nginx-word", "-out", self.tree / "nginx/web.key")
        self.text("nginx/pass", "not this\nnginx-word\n")
        self.text("nginx/nginx.conf", "server { listen 443 ssl; ssl_certificate TREE/nginx/web.pem;\n"
                  "ssl_certificate_key TREE/nginx/web.key; ssl_password_file TREE/nginx/pass; }\n")
        keys = [r for r in self.scan("--no-system-trust", self.tree) if r["type"] == "key"]
        self.assertEqual(len(keys), 1)
        self.assertTrue(keys[0].get("encrypted"), keys)
        self.assertTrue(keys[0].get("spki_sha256"), keys)

    @unittest.skipUnless(shutil.which("keytool"), "keytool is not there")
    def test_many_of_them(self):
        self.store("many.p12", "word-800")
        words = self.folder / "words"
        words.write_bytes(b"\xef\xbb\xbf" + b"".join(b"word-%d\r\n" % i for i in range(801, 1, -1)) + b"word\n" * 1500)
        records = self.scan("--no-system-trust", self.tree, "--password-file", words)
        self.assertEqual(self.names(records), ["many"])
        self.assertEqual(self.locked(records), [])
        words.write_text("first\n" + "x" * 1025 + "\n")
        done = self.leafwatch("scan", self.tree, "--password-file", words, code=1)
        self.assertIn(f"{words}:2: a password of more than 1024 bytes".encode(), done.stderr)

    def test_keytool(self):
        """JKS lists its certificates without a password; with the one of the configuration they are verified, and the key known."""
        file = self.tree / "broker.jks"
        run("keytool", "-genkeypair", "-alias", "broker", "-keyalg", "RSA", "-dname", "CN=broker", "-keystore", file, "-storetype", "JKS",
            "-storepass", "jks-word", "-keypass", "jks-word")
        before = self.scan("--no-system-trust", self.tree)
        self.assertEqual([r["location"].get("integrity") for r in certificates(before)], ["unverified"])
        self.text("server.properties", "ssl.keystore.location=TREE/broker.jks\nssl.keystore.password=jks-word\n")
        records = self.scan("--no-system-trust", self.tree)
        self.assertEqual([r["location"].get("integrity") for r in certificates(records)], [None])
        self.assertEqual([bool(r.get("spki_sha256")) for r in records if r["type"] == "key"], [True])

    @unittest.skipUnless(shutil.which("tomcat10-instance-create"), "tomcat10-user is not there")
    def test_tomcat(self):
        """A real Tomcat: what lies in the keystores of its connectors, opened by server.xml, is what they serve, and whether
        they demand a client certificate is what server.xml says."""
        home = self.tree / "tomcat"
        ports = {verification: free_port() for verification in ("none", "optional", "required")}
        run("tomcat10-instance-create", "-p", free_port(), "-c", free_port(), home)
        ca = self.pki.make("Tomcat CA", ca=True)
        connectors, served = "", {}
        for verification, port in ports.items():
            leaf = self.pki.make(f"{verification}.example.org", ca, names=(f"{verification}.example.org", "127.0.0.1"))
            # As everywhere where nobody said one, and as XML writes it.
            password, said = ("changeit", "") if verification == "none" else (
                "cat&mouse-word", 'certificateKeystorePassword="cat&amp;mouse-word"')
            run("openssl", "pkcs12", "-export", "-name", "tomcat", "-in", leaf.pem_file, "-inkey", leaf.key_file,
                "-certfile", ca.pem_file, "-passout", f"pass:{password}", "-out", home / "conf" / f"{verification}.p12")
            connectors += f"""<Connector port="{port}" address="127.0.0.1" SSLEnabled="true"><SSLHostConfig
                certificateVerification="{verification}" truststoreFile="conf/trust.jks" truststorePassword="trust-word">
                <Certificate certificateKeystoreFile="${{catalina.base}}/conf/{verification}.p12" {said}/>
                </SSLHostConfig></Connector>"""
            served[verification] = leaf.fingerprint
        run("keytool", "-importcert", "-noprompt", "-alias", "clients", "-file", ca.pem_file, "-storetype", "JKS",
            "-keystore", home / "conf" / "trust.jks", "-storepass", "trust-word")
        server = home / "conf" / "server.xml"
        xml = server.read_text()
        self.assertEqual(xml.count("</Service>"), 1)
        server.write_text(xml.replace("</Service>", connectors + "</Service>"))
        tomcat = self.start("/usr/share/tomcat10/bin/catalina.sh", "run", env={**os.environ, "CATALINA_BASE": str(home)})
        for port in ports.values():
            wait_for(lambda port=port: is_open(port) or tomcat.poll() is not None, what="tomcat")
        self.assertIsNone(tomcat.poll(), self.log_of(tomcat))
        records = self.scan("--no-system-trust", "--trust", ca.pem_file, self.tree,
                            *(f"127.0.0.1:{port}" for port in ports.values()))
        self.assertEqual(problems(records), [])
        for verification, port in ports.items():
            keystore = f"file://{home}/conf/{verification}.p12"
            places = {r["location"]["uri"] for r in certificates(records) if r["fingerprint"] == served[verification]}
            self.assertEqual(places, {keystore, f"tls://127.0.0.1:{port}"})
            (endpoint,) = [r for r in endpoints(records) if r["port"] == port]
            self.assertEqual(endpoint["client_certificate"], verification, endpoint)
            self.assertEqual(endpoint["acceptable_cas"], [] if verification == "none" else [f"CN={ca.name}"])
            (named,) = [r for r in records if r["type"] == "reference" and r.get("file") == keystore]
            self.assertEqual((named["role"], named["ports"], named["password_file"]), ("keystore", [port], f"file://{server}"))
        trusted = {r["location"]["uri"]: r["location"].get("integrity") for r in certificates(records) if r["fingerprint"] == ca.fingerprint}
        self.assertIsNone(trusted[f"file://{home}/conf/trust.jks"])
        self.assertNotIn("-word", str(records))

    def test_an_agent(self):
        """What changes is looked at again: the password where it was wrong, the keystore, the configuration."""
        properties = "ssl.keystore.location=TREE/first.p12\nssl.keystore.password={}\n"
        self.store("first.p12", "first-word")
        self.text("server.properties", properties.format("wrong-word"))
        agent = self.agent(f"""scanners: {{files: [{{paths: [{self.tree}], every: 1s, jitter: 0s}}]}}
trust: {{system: false}}
exporters: {{prometheus: [{{listen: ["127.0.0.1:PORT"]}}]}}
""")

        def has(text):
            return lambda: text in self.metrics(agent)
        wait_for(has('leafwatch_problems{scanner="files",reason="wrong-password"} 1'), what="a wrong password")
        self.text("server.properties", properties.format("first-word"))
        wait_for(has('subject_cn="first"'), what="the keystore opened")
        wait_for(lambda: 'reason="wrong-password"} 1' not in self.metrics(agent), what="the problem gone")
        second = self.store("second.p12", "first-word")
        second.rename(self.tree / "first.p12")
        wait_for(has('subject_cn="second"'), what="the renewed keystore opened")
        self.store("third.p12", "third-word").rename(self.tree / "first.p12")
        wait_for(has('leafwatch_problems{scanner="files",reason="wrong-password"} 1'), what="a wrong password again")
        self.stop(agent)
        stored = b"".join(f.read_bytes() for f in (self.folder / "state").rglob("*") if f.is_file())
        self.assertGreater(len(stored), 1000)
        self.assertNotIn(b"-word", stored)
        self.assertNotIn("-word", self.log_of(agent))


if __name__ == "__main__":
    unittest.main()
