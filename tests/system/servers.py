"""Real servers that speak TLS after a dialogue of their own, one small class each. Every one starts on free ports
of the loopback with a configuration made in the test's folder, and is stopped by its pid when the test ends.

    server = Postfix(case, certificate, ca=root, verify="require", version="1.2")
    server.uri          smtp://localhost:PORT
    server.tls_port     where it speaks TLS from the first byte, or None

`verify` is none, request (ask, do not insist) or require. `ca` is what clients' certificates are to come from.
`version` pins TLS to 1.2 or 1.3. `offer=False` leaves STARTTLS out. What a server cannot do raises Unable."""
import grp
import os
import pwd
import random
import shutil
import socket
import struct
import subprocess
import threading
from pathlib import Path

from harness import free_port, is_open, wait_for


class Unable(Exception):
    """This server has no such setting."""


class Server:
    scheme = None
    binary = None
    patience = 60

    def __init__(self, case, certificate, ca=None, verify="none", version=None, offer=True):
        self.case, self.certificate, self.ca, self.verify, self.version, self.offer = case, certificate, ca, verify, version, offer
        self.folder = case.folder / f"{type(self).__name__.lower()}-{free_port()}"
        self.folder.mkdir()
        self.port, self.tls_port = free_port(), None
        self.environment = {}
        case.folder.chmod(0o755)
        self.write_identity()
        if version:
            self.pin_openssl()
        self.configure()
        self.process = self.run()
        wait_for(self.is_ready, self.patience, f"{type(self).__name__}, {self.log()}")

    @property
    def uri(self):
        return f"{self.scheme}://localhost:{self.port}"

    def write_identity(self):
        """The server's own copies of key, chain and CA, readable to whom it runs as."""
        self.pem, self.key, self.ca_pem = (self.folder / name for name in ("chain.pem", "key.pem", "ca.pem"))
        self.pem.write_text(self.certificate.chain() or self.certificate.pem)
        self.key.write_text(self.certificate.key)
        self.key.chmod(0o600)
        if self.ca:
            self.ca_pem.write_text(self.ca.pem)

    def pin_openssl(self):
        """OpenSSL's own configuration pins every server that uses it."""
        conf = self.folder / "openssl.cnf"
        conf.write_text(f"openssl_conf = init\n[init]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n[tls]\n"
                        f"MinProtocol = TLSv{self.version}\nMaxProtocol = TLSv{self.version}\n")
        self.environment["OPENSSL_CONF"] = str(conf)

    def configure(self):
        pass

    def command(self):
        raise NotImplementedError

    def run(self):
        return self.case.start(*self.command(), cwd=self.folder, env={**os.environ, **self.environment})

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{type(self).__name__} ended: {self.log()}")
        return is_open(self.port)

    def log(self):
        return self.case.log_of(self.process)[-3000:] if getattr(self, "process", None) else ""

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return path

    def give_to(self, user):
        """The folder to the user it will run as, where that is not us."""
        if os.geteuid() != 0:
            return
        uid, gid = pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, uid, gid)

    def as_user(self, user):
        return ["setpriv", f"--reuid={user}", f"--regid={grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name}", "--clear-groups"] \
            if os.geteuid() == 0 else []


class Postfix(Server):
    scheme = "smtp"

    def configure(self):
        self.tls_port = free_port()
        queue = self.folder / "queue"
        for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "private", "public",
                     "saved", "trace"):
            (queue / name).mkdir(parents=True)
            shutil.chown(queue / name, "postfix")
        (queue / "pid").mkdir()
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")
        level = "none" if not self.offer else "encrypt" if self.verify == "require" else "may"
        self.write("main.cf", f"""compatibility_level = 3.6
queue_directory = {self.folder}/queue
data_directory = {self.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
myhostname = localhost.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /dev/stdout
smtpd_tls_security_level = {level}
smtpd_tls_cert_file = {self.pem}
smtpd_tls_key_file = {self.key}
smtpd_tls_ask_ccert = {"yes" if self.verify == "request" else "no"}
smtpd_tls_req_ccert = {"yes" if self.verify == "require" else "no"}
{f"smtpd_tls_CAfile = {self.ca_pem}" if self.ca else ""}
""")
        pin = f" -o smtpd_tls_protocols={self.pin()} -o smtpd_tls_mandatory_protocols={self.pin()}" if self.version else ""
        self.write("master.cf", f"""127.0.0.1:{self.port} inet n - n - - smtpd{pin}
127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes{pin}
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
""")

    def pin(self):
        return ",".join(f"!TLSv{v}" for v in ("1", "1.1", "1.2", "1.3") if v != self.version)

    def command(self):
        # Not "postfix start-fg", whose checks of every folder take seconds.
        return ["/usr/lib/postfix/sbin/master", "-c", self.folder, "-s"]


class Dovecot(Server):
    """IMAP; the other protocols are at .pop3_port, .sieve_port and .lmtp_port."""
    scheme = "imap"

    def configure(self):
        self.tls_port, self.pop3_port, self.sieve_port, self.lmtp_port = (free_port() for _ in range(4))
        (self.folder / "mail").mkdir()
        ssl = f"""ssl = yes
ssl_cert = <{self.pem}
ssl_key = <{self.key}
ssl_min_protocol = TLSv1.2""" if self.offer else "ssl = no"
        if self.verify != "none":
            ssl += f"\nssl_ca = <{self.ca_pem}\nssl_verify_client_cert = yes\nssl_require_crl = no"
        if self.verify == "require":
            ssl += "\nauth_ssl_require_client_cert = yes"
        login = "\n".join(f"""service {name}-login {{
  inet_listener {name} {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener {name}s {{
    address = 127.0.0.1
    port = {self.tls_port if name == "imap" else 0}
    ssl = yes
  }}
  chroot =
}}""" for name, port in (("imap", self.port), ("pop3", self.pop3_port)))
        self.conf = self.write("dovecot.conf", f"""base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = /dev/stderr
protocols = imap pop3 lmtp sieve
listen = 127.0.0.1
{ssl}
mail_location = maildir:{self.folder}/mail
import_environment = OPENSSL_CONF={self.environment.get("OPENSSL_CONF", "")}
{login}
service managesieve-login {{
  inet_listener sieve {{
    address = 127.0.0.1
    port = {self.sieve_port}
  }}
  chroot =
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp_port}
  }}
}}
passdb {{
  driver = static
  args = password=x
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self.folder}/mail
}}
""")

    def is_ready(self):
        return super().is_ready() and all(is_open(p) for p in (self.pop3_port, self.sieve_port, self.lmtp_port))

    def command(self):
        return ["dovecot", "-F", "-c", self.conf]


class Vsftpd(Server):
    scheme = "ftp"

    def configure(self):
        (self.folder / "empty").mkdir()
        ssl = f"""ssl_enable=YES
rsa_cert_file={self.pem}
rsa_private_key_file={self.key}
ssl_ciphers=HIGH
require_ssl_reuse=NO
ssl_request_cert={"NO" if self.verify == "none" else "YES"}
require_cert={"YES" if self.verify == "require" else "NO"}
validate_cert={"YES" if self.verify == "require" else "NO"}
{f"ca_certs_file={self.ca_pem}" if self.ca else ""}""" if self.offer else "ssl_enable=NO"
        self.conf = self.write("vsftpd.conf", f"""listen=YES
listen_address=127.0.0.1
listen_port={self.port}
background=NO
anonymous_enable=YES
local_enable=NO
secure_chroot_dir={self.folder}/empty
anon_root={self.folder}/empty
isolate_network=NO
isolate=NO
seccomp_sandbox=NO
{ssl}
""")

    def command(self):
        return ["vsftpd", self.conf]


def ldaps_address():
    """A loopback address whose port 636 is free: there LDAP is known by its port. None where it may not be had."""
    address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.1"
    with socket.socket() as s:
        try:
            s.bind((address, 636))
        except OSError:
            return None
    return address


class Slapd(Server):
    scheme = "ldap"

    def configure(self):
        self.tls_port = free_port()
        self.ldaps = ldaps_address()
        (self.folder / "db").mkdir()
        word = {"none": "never", "request": "allow", "try": "try", "require": "demand"}[self.verify]
        tls = f"""TLSCertificateFile {self.pem}
TLSCertificateKeyFile {self.key}
TLSVerifyClient {word}
{f"TLSCACertificateFile {self.ca_pem}" if self.ca else ""}
{f"TLSCipherSuite NORMAL:-VERS-ALL:+VERS-TLS{self.version}" if self.version else ""}""" if self.offer else ""
        self.conf = self.write("slapd.conf", f"""include /etc/ldap/schema/core.schema
pidfile {self.folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
{tls}
database mdb
suffix "dc=example,dc=org"
directory {self.folder}/db
""")

    def command(self):
        hosts = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if self.offer else "")
        hosts += f" ldaps://{self.ldaps}:636/" if self.offer and self.ldaps else ""
        return ["slapd", "-d", "0", "-h", hosts, "-f", self.conf]


class Prosody(Server):
    """Streams of clients; those of servers are at .server_port."""
    scheme = "xmpp"

    def configure(self):
        self.tls_port, self.server_port = free_port(), free_port()
        verify = {"none": '"none"', "request": '"peer"', "require": '"peer", "fail_if_no_peer_cert"'}[self.verify]
        modules = '"tls"; "saslauth"; "disco"; "dialback"' if self.offer else '"saslauth"; "disco"'
        self.conf = self.write("prosody.cfg.lua", f"""
run_as_root = true
pidfile = "{self.folder}/pid"
data_path = "{self.folder}/data"
log = {{ info = "*console" }}
interfaces = {{ "127.0.0.1" }}
modules_enabled = {{ {modules} }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ {self.tls_port if self.offer else ""} }}
s2s_ports = {{ {self.server_port} }}
s2s_secure_auth = false
{"c2s_require_encryption = false s2s_require_encryption = false" if not self.offer else ""}
http_ports = {{ }} https_ports = {{ }}
ssl = {{ key = "{self.key}"; certificate = "{self.pem}"; verify = {{ {verify} }};
  {f'protocol = "tlsv{self.version.replace(".", "_")}";' if self.version else ""}
  {f'cafile = "{self.ca_pem}";' if self.ca else ""} }}
c2s_direct_tls_ssl = ssl
VirtualHost "localhost"
""")
        (self.folder / "data").mkdir()

    def is_ready(self):
        return super().is_ready() and is_open(self.server_port)

    def command(self):
        return ["prosody", "-F", "--config", self.conf]


class Inspircd(Server):
    scheme = "irc"

    def configure(self):
        self.tls_port = free_port()
        for name in ("data", "log", "run"):
            (self.folder / name).mkdir()
        ask = "no" if self.verify == "none" else "yes"
        priority = f'priority="NORMAL:-VERS-ALL:+VERS-TLS{self.version}"' if self.version else ""
        tls = f"""<module name="ssl_gnutls">
<sslprofile name="own" provider="gnutls" certfile="{self.pem}" keyfile="{self.key}" requestclientcert="{ask}"
 {f'cafile="{self.ca_pem}"' if self.ca else ""} {priority}>
<bind address="127.0.0.1" port="{self.tls_port}" type="clients" sslprofile="own">
<module name="starttls">
<starttls provider="own">""" if self.offer else ""
        if self.verify == "require":
            raise Unable("inspircd asks for certificates and takes every client")
        self.conf = self.write("inspircd.conf", f"""<config format="xml">
<server name="irc.example.org" description="test" network="Test" id="97K">
<admin name="a" nick="a" email="a@example.org">
<path configdir="{self.folder}" datadir="{self.folder}/data" logdir="{self.folder}/log" runtimedir="{self.folder}/run"
 moduledir="/usr/lib/inspircd/modules">
<bind address="127.0.0.1" port="{self.port}" type="clients">
<module name="cap">
{tls}
<connect name="main" allow="*" resolvehostnames="no" useident="no">
<pid file="{self.folder}/pid">
<log method="file" type="*" level="default" target="{self.folder}/log/log">
""")

    def command(self):
        return ["inspircd", "--nofork", "--runasroot", "--nopid", f"--config={self.conf}"]


class Postgres(Server):
    scheme = "postgres"

    def configure(self):
        if self.verify == "require":
            raise Unable("PostgreSQL insists by user and database, after the login has begun")
        tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.postgres = tools / "postgres"
        self.give_to("postgres")
        subprocess.run([*self.as_user("postgres"), tools / "initdb", "-D", self.folder / "db", "--no-sync", "--no-instructions", "-A", "trust"],
                       check=True, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)
        pin = f"-c ssl_min_protocol_version=TLSv{self.version} -c ssl_max_protocol_version=TLSv{self.version}".split() if self.version else []
        ca = ["-c", f"ssl_ca_file={self.ca_pem}"] if self.verify == "request" else []
        self.args = ["-c", f"ssl={'on' if self.offer else 'off'}", "-c", f"ssl_cert_file={self.pem}",
                     "-c", f"ssl_key_file={self.key}", *ca, *pin]

    def command(self):
        return [*self.as_user("postgres"), self.postgres, "-D", self.folder / "db", "-h", "127.0.0.1", "-p", self.port,
                "-k", self.folder, *self.args]


class Mariadb(Server):
    scheme = "mysql"

    def configure(self):
        if self.verify == "require":
            raise Unable("MariaDB insists by user, after the login has begun")
        (self.folder / "db").mkdir()
        self.give_to("mysql")

    def command(self):
        tls = [f"--ssl-cert={self.pem}", f"--ssl-key={self.key}"] if self.offer else ["--skip-ssl"]
        if self.verify == "request":
            tls.append(f"--ssl-ca={self.ca_pem}")
        if self.version:
            tls.append(f"--tls-version=TLSv{self.version}")
        return ["mariadbd", "--no-defaults", f"--datadir={self.folder}/db", "--skip-grant-tables", "--bind-address=127.0.0.1",
                f"--port={self.port}", f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid", "--innodb-buffer-pool-size=8M",
                f"--plugin-maturity=unknown", *(["--user=mysql"] if os.geteuid() == 0 else []), *tls]


class Xrdp(Server):
    scheme = "rdp"

    def configure(self):
        if self.verify != "none":
            raise Unable("xrdp asks for no certificates")
        versions = f"TLSv{self.version}" if self.version else "TLSv1.2, TLSv1.3"
        self.conf = self.write("xrdp.ini", f"""[Globals]
ini_version=1
fork=true
port=tcp://127.0.0.1:{self.port}
use_vsock=false
security_layer={"tls" if self.offer else "rdp"}
crypt_level=high
certificate={self.pem}
key_file={self.key}
ssl_protocols={versions}
[Logging]
LogFile={self.folder}/log
LogLevel=INFO
EnableConsole=true
ConsoleLevel=INFO
""")

    def command(self):
        return ["xrdp", "--nodaemon", "--config", self.conf]


class Inetd(Server):
    """Servers that get each connection as their standard input."""

    def run(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        # shutdown, for close alone does not end an accept.
        self.case.addCleanup(listener.close)
        self.case.addCleanup(lambda: listener.shutdown(socket.SHUT_RDWR))
        self.output = open(self.folder / "log", "wb")
        self.case.addCleanup(self.output.close)
        threading.Thread(target=self.serve, args=(listener,), daemon=True).start()
        return None

    def serve(self, listener):
        children = []
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                break
            children.append(subprocess.Popen([str(a) for a in self.command()], stdin=peer, stdout=peer, stderr=self.output,
                                             cwd=self.folder, env={**os.environ, **self.environment}))
            peer.close()
        for child in children:
            child.kill()
            child.wait()

    def is_ready(self):
        return True

    def log(self):
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""


class Telnetd(Inetd):
    scheme = "telnet"

    def configure(self):
        if "BEGIN RSA" not in self.certificate.key:
            raise Unable("telnetd-ssl takes RSA keys only")

    def command(self):
        if not self.offer:
            return ["in.telnetd", "-z", "nossl", "-L", "/bin/true"]
        ask = {"none": [], "request": ["-z", "verify=1"], "require": ["-z", "verify=3"]}[self.verify]
        ca = ["-z", f"cacert={self.ca_pem}"] if self.ca else []
        return ["in.telnetd", "-z", "secure", "-z", f"cert={self.pem}", "-z", f"key={self.key}", *ask, *ca, "-L", "/bin/true"]


class Nnrpd(Inetd):
    """The reader daemon of INN, from Debian's package without installing it: that wants a name for the host."""
    scheme = "nntp"

    def configure(self):
        if self.verify != "none":
            raise Unable("nnrpd asks for no certificates")
        root = unpacked(self.case, "inn2", "inn2-inews", "libcanlock3")
        self.root = root
        for name in ("spool", "db", "logs", "run", "tmp", "etc"):
            (self.folder / name).mkdir()
        self.environment["LD_LIBRARY_PATH"] = f"{root}/usr/lib/news:{next(root.glob('usr/lib/*-linux-gnu*'))}"
        self.environment["INNCONF"] = str(self.folder / "etc/inn.conf")
        tls = f"tlscertfile: {self.pem}\ntlskeyfile: {self.key}\ntlscafile: {self.ca_pem if self.ca else self.pem}" if self.offer else \
            "tlscertfile: /nowhere\ntlskeyfile: /nowhere"
        (self.folder / "etc/inn.conf").write_text(f"""organization: Test
server: 127.0.0.1
fromhost: localhost.example.org
domain: example.org
pathhost: localhost.example.org
nnrpdloadlimit: 0
mta: "/bin/false %s"
hismethod: hisv6
ovmethod: tradindexed
enableoverview: true
pathoverview: {self.folder}/spool
patharticles: {self.folder}/spool
pathnews: {root}/usr/lib/news
pathdb: {self.folder}/db
pathetc: {self.folder}/etc
pathrun: {self.folder}/run
pathtmp: {self.folder}/tmp
pathlog: {self.folder}/logs
runasuser: {"news" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name}
{tls}
tlsprotocols: [ {f"TLSv{self.version}" if self.version else "TLSv1.2 TLSv1.3"} ]
""")
        (self.folder / "etc/readers.conf").write_text('auth "all" { hosts: "*" default: "<anyone>" }\n'
                                                      'access "all" { users: "*" newsgroups: "*" }\n')
        (self.folder / "etc/storage.conf").write_text("method trash { newsgroups: * class: 0 }\n")
        # An empty index of tradindexed: its magic number, then no group in any of the table's 16384 slots and the free list.
        (self.folder / "spool/group.index").write_bytes(struct.pack("<I", ~0xF1F0F33D & 0xFFFFFFFF) + b"\xff" * 4 * (16384 + 1))
        (self.folder / "db/active").write_text("test 0000000000 0000000001 y\n")
        (self.folder / "db/newsgroups").write_text("test\tTest\n")
        self.give_to("news")

    def command(self):
        # It wants a host whose name has a domain: it gets one of its own.
        named = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--uts", "sh", "-c",
                 'hostname news.example.org && exec "$@"', "sh"]
        return [*named, *self.as_user("news"), self.root / "usr/lib/news/bin/nnrpd-ssl"]


def unpacked(case, *packages):
    """The files of Debian packages, kept beside the tests' build."""
    binary = Path(os.environ.get("LEAFWATCH_BINARY", "build/sanitize/leafwatch")).resolve()
    folder = binary.parent / "packages" / packages[0]
    if not folder.exists():
        work = folder.with_suffix(f".{os.getpid()}")
        work.mkdir(parents=True)
        done = subprocess.run(["apt-get", "download", *packages], cwd=work, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            shutil.rmtree(work)
            case.skipTest(f"cannot download {packages}: {done.stdout.decode()}")
        for package in work.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, work / "files"], check=True)
        (work / "files").rename(folder)
        shutil.rmtree(work)
    return folder
