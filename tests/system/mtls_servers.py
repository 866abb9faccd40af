"""Real servers on loopback that ask clients for certificates, each in TLS 1.2 or 1.3. They return a port.

`case` is the test (harness.Case), `served` and `ca` certificates of its PKI, `mode` one of none, optional
and required; a server that has no such mode says so by KeyError.
"""
import os
import shutil

from harness import free_port, is_open, wait_for

OPENSSL = {"1.2": "-tls1_2", "1.3": "-tls1_3"}
NGINX = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


def folder_of(case, name):
    """A folder that servers which give root away can enter."""
    folder = case.folder / f"{name}-{free_port()}"
    folder.mkdir()
    for each in (case.folder, folder):
        each.chmod(0o755)
    return folder


def materials(folder, served, ca, owner=None):
    """The PEM files of one server: certificate with chain, key, both, CA."""
    files = {"cert": served.chain(), "key": served.key, "both": served.chain() + served.key, "ca": ca.pem}
    paths = {}
    for name, text in files.items():
        paths[name] = folder / f"{name}.pem"
        paths[name].write_text(text)
        paths[name].chmod(0o600 if name in ("key", "both") else 0o644)
        if owner:
            shutil.chown(paths[name], owner)
    return paths


def started(case, port, name, *command, **kwargs):
    process = case.start(*command, **kwargs)
    try:
        wait_for(lambda: is_open(port) or process.poll() is not None, 30, name)
    except AssertionError:
        raise AssertionError(f"{name}: {case.log_of(process)[-2000:]}") from None
    if process.poll() is not None and not is_open(port):
        raise AssertionError(f"{name} ended: {case.log_of(process)[-2000:]}")
    return port


def s_server(case, served, ca, mode, version):
    verify = {"none": [], "optional": ["-verify", "1"], "required": ["-Verify", "1"]}[mode]
    return case.s_server(served, OPENSSL[version], *verify, *(["-CAfile", ca.pem_file] if verify else []))


def gnutls_serv(case, served, ca, mode, version):
    port = free_port()
    more = {"none": ["--disable-client-cert"], "optional": [], "required": ["--require-client-cert"]}[mode]
    return started(case, port, "gnutls-serv", "gnutls-serv", "--http", "-p", port, "--x509certfile", served.pem_file, "--x509keyfile",
                   served.key_file, "--x509cafile", ca.pem_file, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}", *more)


def nginx(case, served, ca, mode, version):
    ask = {"none": "", "optional": "optional", "required": "on"}[mode]
    if ask:
        ask = f"ssl_client_certificate {ca.pem_file}; ssl_verify_client {ask};"
    return case.nginx(f"""server {{ listen 127.0.0.1:PORT1 ssl; ssl_protocols {NGINX[version]}; {ask}
        ssl_certificate {served.pem_file}; ssl_certificate_key {served.key_file}; }}""")["PORT1"]


def apache(case, served, ca, mode, version):
    """`location`: required below /inner/ only."""
    verify = {"none": "", "optional": "SSLVerifyClient optional", "required": "SSLVerifyClient require",
              "location": "<Location /inner>\nSSLVerifyClient require\n</Location>"}[mode]
    folder, port = folder_of(case, "apache"), free_port()
    files = materials(folder, served, ca)
    for page in (folder / "pages", folder / "pages" / "inner"):
        page.mkdir()
        (page / "index.html").write_text("hello")
    modules = "mpm_event authn_core authz_core authz_host dir mime ssl socache_shmcb unixd"
    loads = "\n".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so" for m in modules.split()
                      if os.path.exists(f"/usr/lib/apache2/modules/mod_{m}.so"))
    conf = folder / "apache.conf"
    conf.write_text(f"""{loads}
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
DocumentRoot {folder}/pages
TypesConfig /etc/mime.types
DirectoryIndex index.html
Mutex file:{folder} default
User www-data
Group www-data
Listen 127.0.0.1:{port}
<Directory {folder}/pages>
Require all granted
</Directory>
SSLEngine on
SSLProtocol {NGINX[version]}
SSLCertificateFile {files['cert']}
SSLCertificateKeyFile {files['key']}
SSLCACertificateFile {files['ca']}
{verify}
""")
    return started(case, port, "apache2", "apache2", "-X", "-f", conf)


def haproxy(case, served, ca, mode, version):
    verify = {"none": "", "optional": f"ca-file {{ca}} verify optional", "required": "ca-file {ca} verify required"}[mode]
    folder, port = folder_of(case, "haproxy"), free_port()
    files = materials(folder, served, ca)
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend f
    bind 127.0.0.1:{port} ssl crt {files['both']} ssl-min-ver TLSv{version} ssl-max-ver TLSv{version} {verify.format(**files)}
    http-request return status 200 content-type text/plain string hello
""")
    return started(case, port, "haproxy", "haproxy", "-db", "-f", conf)


def redis(case, served, ca, mode, version):
    word = {"none": "no", "optional": "optional", "required": "yes"}[mode]
    folder, port = folder_of(case, "redis"), free_port()
    files = materials(folder, served, ca)
    return started(case, port, "redis", "redis-server", "--port", "0", "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file",
                   files["cert"], "--tls-key-file", files["key"], "--tls-ca-cert-file", files["ca"], "--tls-auth-clients", word,
                   "--tls-protocols", f"TLSv{version}", "--save", "", "--dir", folder)


def stunnel(case, served, ca, mode, version):
    ask = {"none": "", "required": "verifyChain = yes\nCAfile = {ca}"}[mode]
    folder, port = folder_of(case, "stunnel"), free_port()
    files = materials(folder, served, ca)
    conf = folder / "stunnel.conf"
    conf.write_text(f"""foreground = yes
pid =
[s]
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{free_port()}
cert = {files['cert']}
key = {files['key']}
sslVersion = TLSv{version}
{ask.format(**files)}
""")
    return started(case, port, "stunnel", "stunnel4", conf)


def etcd(case, served, ca, mode, version):
    """Go speaks what the client offers: `version` is not the server's to choose."""
    folder, port, peer = folder_of(case, "etcd"), free_port(), free_port()
    files = materials(folder, served, ca)
    ask = {"none": [], "required": ["--client-cert-auth", "--trusted-ca-file", files["ca"]]}[mode]
    return started(case, port, "etcd", "etcd", "--data-dir", folder / "data", "--cert-file", files["cert"], "--key-file", files["key"],
                   "--listen-client-urls", f"https://127.0.0.1:{port}", "--advertise-client-urls", f"https://127.0.0.1:{port}",
                   "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                   "--initial-cluster", f"default=http://127.0.0.1:{peer}", *ask)
