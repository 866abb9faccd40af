/* The languages of configurations: text in, references out; what only looks like one gives nothing. */
#include "scanners/formats/config.h"
#include "scanners/formats/java_stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct told {
	struct buffer out;
	const struct format *format;
	size_t count;
	size_t problems;
};

static void on_format(void *arg, const struct format *format)
{
	struct told *t = arg;

	t->format = format;
}

static enum err on_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	(void)arg;
	(void)der;
	(void)alias;
	(void)integrity;
	return ERR_OK;
}

static enum err on_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	struct told *t = arg;

	(void)reason;
	(void)bytes;
	(void)message;
	t->problems++;
	return ERR_OK;
}

static enum err on_nested(void *arg, const char *member, struct slice bytes)
{
	(void)arg;
	(void)member;
	(void)bytes;
	return ERR_NOT_FOUND;
}

/* "nginx:3 server-certificate /etc/ssl/a.pem a.example.org,b.example.org :443 (password /p) idle\n" */
static enum err on_reference(void *arg, const struct reference_record *r)
{
	struct told *t = arg;
	struct buffer *b = &t->out;

	t->count++;
	buffer_format(b, "%s:%u %s", t->format->name, r->line, reference_role_word(r->role));
	if (r->file)
		buffer_format(b, " %s%s", r->file + strlen("file://"), r->is_folder ? "/" : "");
	for (size_t i = 0; i < r->names.count; i++)
		buffer_format(b, "%s%s", i ? "," : " ", r->names.items[i]);
	for (size_t i = 0; i < r->ports_count; i++)
		buffer_format(b, " :%u", r->ports[i]);
	if (r->password_file)
		buffer_format(b, " password %s", r->password_file + strlen("file://"));
	buffer_text(b, r->is_active ? "\n" : " idle\n");
	return ERR_OK;
}

static void on_password(void *arg, const char *file, struct slice password)
{
	struct told *t = arg;

	buffer_format(&t->out, "+ %s %.*s\n", file + strlen("file://"), (int)password.size,
		(const char *)password.data);
}

/* Whoever does not ask is told no password. */
static void parse_as(struct told *t, const char *uri, struct slice text, bool with_passwords)
{
	const struct format_sink sink = { .arg = t,
		.certificate = on_certificate,
		.problem = on_problem,
		.nested = on_nested,
		.reference = on_reference,
		.password = with_passwords ? on_password : NULL,
		.format = on_format };
	/* A copy of just this size, so that a sanitizer sees each read behind it. */
	uint8_t *copy = malloc(text.size + 1);
	struct format_input in = { .uri = uri };
	const struct format *which;

	assert_non_null(copy);
	memcpy(copy, text.data, text.size);
	in.bytes = slice_of(copy, text.size);
	*t = (struct told){ .count = 0 };
	buffer_init(&t->out, 16 * 1024 * 1024);
	(void)!formats_parse(&in, &sink, &which);
	free(copy);
}

static void parse(struct told *t, const char *uri, struct slice text)
{
	parse_as(t, uri, text, false);
}

static void says(const char *uri, const char *text, const char *wanted)
{
	struct told t;

	parse_as(&t, uri, slice_text(text), true);
	assert_string_equal(buffer_string(&t.out), wanted);
	buffer_fini(&t.out);
}

static void gives(const char *uri, const char *text, const char *wanted)
{
	struct told t;

	parse(&t, uri, slice_text(text));
	assert_string_equal(buffer_string(&t.out), wanted);
	buffer_fini(&t.out);
}

#define NOTHING(text) gives("file:///etc/x.conf", text, "")

static void nginx(void **state)
{
	(void)state;
	gives("file:///etc/nginx/sites-enabled/api",
		"# main\n"
		"map $http_upgrade $c { default upgrade; '' close; }\n"
		"server {\n"
		"\tlisten 443 ssl http2; listen [::]:8443 ssl;\n\tlisten 80;\n"
		"\tserver_name API.example.org .example.net\n\t\t_ \"~^x\\.(?<n>.+)$\" www.example.*;\n"
		"\tssl_certificate ssl/api.pem;\n"
		"\tssl_certificate_key '/etc/ssl/my key';\n"
		"\tssl_password_file /etc/keys/pass;\n"
		"\t#ssl_trusted_certificate /etc/old.pem;\n"
		"\tssl_client_certificate /etc/ssl/ca.pem; # why\n"
		"\tlocation / { proxy_ssl_certificate /etc/ssl/client.pem; return 200 \"a;b}\"; }\n"
		"\tlocation /l { content_by_lua_block { if x then { y } end } }\n"
		"\tssl_crl $crl; ssl_trusted_certificate engine:x:y;\n"
		"}\n"
		"server { listen 9443 ssl; server_name other.example.org; include snippets/tls.conf; }\n"
		"server { listen 81; server_name plain.example.org; }\n",
		"nginx:8 server-certificate /etc/nginx/ssl/api.pem api.example.org,*.example.net,example.net :443 :8443\n"
		"nginx:9 server-key /etc/ssl/my%20key api.example.org,*.example.net,example.net :443 :8443 password /etc/keys/pass\n"
		"nginx:12 client-ca /etc/ssl/ca.pem api.example.org,*.example.net,example.net :443 :8443\n"
		"nginx:13 client-certificate /etc/ssl/client.pem api.example.org,*.example.net,example.net :443 :8443\n"
		"nginx:17 server other.example.org :9443\n");
	gives("file:///etc/nginx/snippets/snakeoil.conf",
		"ssl_certificate /etc/ssl/a.pem;\nssl_certificate_key /etc/ssl/a.key;\n",
		"nginx:1 server-certificate /etc/ssl/a.pem\nnginx:2 server-key /etc/ssl/a.key\n");
	gives("file:///etc/nginx/sites-available/off", "ssl_certificate a.pem;\n",
		"nginx:1 server-certificate /etc/nginx/a.pem idle\n");
	gives("file:///srv/image/etc/nginx/nginx.conf", "ssl_certificate /etc/a.pem;",
		"nginx:1 server-certificate /etc/a.pem idle\n");
}

static void nginx_look_alikes(void **state)
{
	(void)state;
	NOTHING("Put ssl_certificate /etc/ssl/a.pem; into the server block.\n");
	NOTHING("# Title\n\nWrite:\n\n    ssl_certificate /etc/a.pem;\n\nand restart\n");
	NOTHING("# ssl_certificate /etc/a.pem;\n");
	NOTHING("server { ssl_certificate /etc/a.pem; ");
	NOTHING("ssl_certificate /etc/a.pem; }");
	NOTHING("int main(void) { ssl_certificate /etc/a.pem; }");
	NOTHING("ssl_certificate \"/etc/a.pem;");
	NOTHING("server_name a.example.org;");
}

static void apache(void **state)
{
	(void)state;
	gives("file:///etc/apache2/sites-enabled/default-ssl.conf",
		"<IfModule mod_ssl.c>\n<VirtualHost _default_:443 *:8443>\n"
		"ServerName https://www.example.org:443\n  ServerAlias example.org *.example.org\n"
		"SSLEngine on\nSSLCertificateFile \"/etc/ssl/a b.pem\"\nSSLCertificateKeyFile keys/a.key\n"
		"#SSLCACertificateFile /etc/no.pem\nSSLCACertificatePath /etc/ssl/ca\n"
		"BrowserMatch \"MSIE [2-6]\" \\\n\t\tnokeepalive\n"
		"SSLProxyMachineCertificateFile /etc/ssl/client.pem\n"
		"</VirtualHost>\n</IfModule>\n",
		"apache:6 server-certificate /etc/ssl/a%20b.pem www.example.org,example.org,*.example.org :443 :8443\n"
		"apache:7 server-key /etc/apache2/keys/a.key www.example.org,example.org,*.example.org :443 :8443\n"
		"apache:9 client-ca /etc/ssl/ca/ www.example.org,example.org,*.example.org :443 :8443\n"
		"apache:12 client-certificate /etc/ssl/client.pem www.example.org,example.org,*.example.org :443 :8443\n");
	gives("file:///etc/httpd/conf.d/ssl.conf",
		"ServerRoot /usr/local/apache\nSSLCertificateFile a.pem\n",
		"apache:2 server-certificate /usr/local/apache/a.pem\n");
	NOTHING("Use SSLCertificateFile /etc/a.pem and so on.\nthen restart it.\n");
	NOTHING("SSLCertificateFile /etc/a.pem\n</VirtualHost>\n");
	NOTHING("<html>\nSSLCertificateFile /etc/a.pem\n</html>\n");
}

static void haproxy(void **state)
{
	(void)state;
	gives("file:///etc/haproxy/haproxy.cfg",
		"# x\nglobal\n    crt-base /etc/ssl/private\n    ca-base /etc/ssl/certs\n"
		"frontend f\n  bind :443,[::]:8443 ssl crt api.pem crt /etc/ssl/many ca-file ca.pem verify required\n"
		"  # bind :1 ssl crt /no.pem\nbackend b\n"
		"  server s1 10.0.0.1:443 ssl crt /etc/ssl/client.pem ca-file @system-ca # why\n",
		"haproxy:6 server-certificate /etc/ssl/private/api.pem :443 :8443\n"
		"haproxy:6 server-certificate /etc/ssl/many/ :443 :8443\n"
		"haproxy:6 client-ca /etc/ssl/certs/ca.pem :443 :8443\n"
		"haproxy:9 client-certificate /etc/ssl/client.pem\n");
	NOTHING("bind :443 ssl crt /etc/a.pem\n");
	NOTHING("Write this:\n\nfrontend f\n  bind :443 ssl crt /etc/a.pem\n");
}

static void lines(void **state)
{
	(void)state;
	gives("file:///etc/postfix/main.cf",
		"smtpd_banner = $myhostname ESMTP\nsmtpd_tls_cert_file=/etc/ssl/m.pem\n"
		"smtpd_tls_key_file = /etc/ssl/m.key\nsmtp_tls_cert_file = /etc/ssl/c.pem\n"
		"smtp_tls_CApath=/etc/ssl/certs\n#smtp_tls_key_file = /no\nmynetworks = 127.0.0.0/8\n\t[::1]/128\n"
		"smtpd_tls_eccert_file = none\n",
		"postfix:2 server-certificate /etc/ssl/m.pem\npostfix:3 server-key /etc/ssl/m.key\n"
		"postfix:4 client-certificate /etc/ssl/c.pem\npostfix:5 trust /etc/ssl/certs/\n");
	gives("file:///etc/postfix/main.cf",
		"smtpd_tls_chain_files = /etc/rsa-key.pem, /etc/rsa.pem\n# x\n  /etc/ec.pem ,/etc/$x,\n\n"
		"mydestination = a\n  /etc/no.pem\nsmtp_tls_chain_files =\n\t/etc/c.pem\nx = y\n /etc/no.pem\n",
		"postfix:1 server-certificate /etc/rsa-key.pem\n"
		"postfix:1 server-certificate /etc/rsa.pem\n"
		"postfix:3 server-certificate /etc/ec.pem\npostfix:8 client-certificate /etc/c.pem\n");
	gives("file:///etc/postfix/sni",
		"# by name\nMail.example.org  /etc/m/privkey.pem, /etc/m/fullchain.pem\n\n"
		".example.net /etc/n.pem\n   # of the entry above:\n\t,/etc/n2.crt\n"
		"a.example.com\n /etc/a.pem\n",
		"postfix-sni:2 server-key /etc/m/privkey.pem mail.example.org\n"
		"postfix-sni:2 server-certificate /etc/m/fullchain.pem mail.example.org\n"
		"postfix-sni:4 server-certificate /etc/n.pem *.example.net\n"
		"postfix-sni:6 server-certificate /etc/n2.crt *.example.net\n"
		"postfix-sni:8 server-certificate /etc/a.pem a.example.com\n");
	gives("file:///etc/dovecot/conf.d/10-ssl.conf",
		"ssl = required\nssl_cert = </etc/d.pem\nssl_key = <keys/d.key\nlocal_name imap.example.org \"POP.example.org\" {\n"
		"  protocol imap {\n    ssl_cert = </etc/i.pem\n  }\n}\nssl_ca = </etc/ca.pem\n!include_try x.ext\n",
		"dovecot:2 server-certificate /etc/d.pem\ndovecot:3 server-key /etc/dovecot/keys/d.key\n"
		"dovecot:6 server-certificate /etc/i.pem imap.example.org,pop.example.org\n"
		"dovecot:9 client-ca /etc/ca.pem\n");
	gives("file:///etc/postgresql/15/main/postgresql.conf",
		"data_directory = '/var/lib/pg'\t\t# use data in another\nssl = on\n"
		"ssl_cert_file = '/etc/pg.pem'  # x\nssl_key_file 'server.key'\n#ssl_ca_file = 'no'\nwork_mem = 4MB\n",
		"postgresql:3 server-certificate /etc/pg.pem\npostgresql:4 server-key /var/lib/pg/server.key\n");
	gives("file:///etc/mysql/my.cnf",
		"!includedir /etc/mysql/conf.d/\n[mysqld]\nskip-external-locking\nssl-cert=/etc/m.pem\n"
		"[client]\nssl_cert = /etc/c.pem\nssl-ca=/etc/ca.pem\n[other]\nssl-cert=/no\n",
		"mysql:4 server-certificate /etc/m.pem\nmysql:6 client-certificate /etc/c.pem\n"
		"mysql:7 trust /etc/ca.pem\n");
	gives("file:///etc/redis/redis.conf",
		"port 0\ntls-port 6379\ntls-cert-file /etc/r.pem\ntls-ca-cert-dir \"/etc/ca\"\nsave 60 1\n",
		"redis:3 server-certificate /etc/r.pem\nredis:4 client-ca /etc/ca/\n");
	gives("file:///etc/vsftpd.conf", "listen=YES\nrsa_cert_file=/etc/v.pem\n",
		"vsftpd:2 server-certificate /etc/v.pem\n");
	gives("file:///etc/stunnel/s.conf",
		"pid = /run/s\n[x]\nclient = yes\naccept = 1\nconnect = h:2\ncert = /etc/c.pem\nCAfile = /etc/ca.pem\n",
		"stunnel:6 client-certificate /etc/c.pem\nstunnel:7 trust /etc/ca.pem\n");
	gives("file:///etc/stunnel/s.conf", "[x]\naccept = 1\ncert = /etc/c.pem\n",
		"stunnel:3 server-certificate /etc/c.pem\n");
	gives("file:///etc/openvpn/client.conf",
		"client\ndev tun\nremote vpn.example.org 1194\nca ca.crt\ncert client.crt\nkey client.key # x\n"
		"<tls-auth>\n0123abcd\n</tls-auth>\n",
		"openvpn:4 trust /etc/openvpn/ca.crt\nopenvpn:5 client-certificate /etc/openvpn/client.crt\n"
		"openvpn:6 client-key /etc/openvpn/client.key\n");
	gives("file:///etc/openvpn/server.conf",
		"port 1194\ndev tun\nserver 10.8.0.0 255.255.255.0\ncert server.crt\n",
		"openvpn:4 server-certificate /etc/openvpn/server.crt\n");
	gives("file:///etc/ldap/slapd.conf",
		"include /etc/ldap/schema/core.schema\nTLSCertificateFile /etc/l.pem\ndatabase mdb\n"
		"access to *\n\tby * read\n",
		"slapd:2 server-certificate /etc/l.pem\n");
	gives("file:///etc/ldap/slapd.d/cn%3Dconfig.ldif",
		"# AUTO\ndn: cn=config\nobjectClass: olcGlobal\nolcTLSCertificateFile: /etc/l.pem\n"
		"olcTLSCACertificateFile: /etc/ca.pem\n",
		"slapd:4 server-certificate /etc/l.pem\nslapd:5 client-ca /etc/ca.pem\n");
	gives("file:///etc/systemd/system/x.service",
		"[Unit]\nDescription=x\n[Service]\nExecStart=/bin/x \\\n  --y\nLoadCredential=key:/etc/x.key\n"
		"LoadCredential=stored\n[Install]\nWantedBy=multi-user.target\n",
		"systemd:6 credential /etc/x.key\n");
}

static void lines_look_alikes(void **state)
{
	(void)state;
	NOTHING("Set smtpd_tls_cert_file:\n\nsmtpd_tls_cert_file = /etc/m.pem\n");
	NOTHING("#smtpd_tls_cert_file = /etc/m.pem\n");
	NOTHING("ssl_cert = </etc/d.pem\nAnd then restart it.\n");
	NOTHING("ssl_cert = </etc/d.pem\n}\n");
	NOTHING("ssl-cert=/etc/m.pem\n");
	NOTHING("cert = /etc/c.pem\nkey = 1\n");
	NOTHING("a story\ncert c.pem\n");
	NOTHING("A LoadCredential=key:/etc/x.key line\n");
	NOTHING("[Service]\nLoadCredential=key:/etc/x.key\nand more words\n");
	NOTHING("TLSCertificateFile /etc/a.pem\n");
	NOTHING("example.org /srv/www/example\n# see /etc/a.pem\n");
	NOTHING("example.org /etc/a.pem\nexample.net\n/etc/b.pem\n");
	NOTHING("example.org /etc/a.pem or\n /etc/b.pem\n");
	NOTHING("example.org /etc/a.pem\nuser@example.net /etc/b.pem\n");
	NOTHING("localhost /etc/a.pem\n");
	NOTHING("192.0.2.1 /etc/a.pem\n");
	NOTHING("example.org a.pem\n");
	NOTHING("example.org\n# /etc/a.pem\n");
	NOTHING(" /etc/a.pem\n");
	NOTHING("/etc/a.pem\n/etc/b.pem\n");
	NOTHING("/etc/a.pem example.org\n/etc/b.pem\n");
	NOTHING("int tls-cert-file = 1;\nif (x) {\n");
}

static void documents(void **state)
{
	(void)state;
	gives("file:///etc/prometheus/prometheus.yml",
		"global:\n  scrape_interval: 15s\nscrape_configs:\n  - job_name: a\n    scheme: https\n"
		"    tls_config:\n      ca_file: ca.pem\n      cert_file: /etc/c.pem # x\n"
		"      key_file: '/etc/c.key'\n    static_configs:\n      - targets: ['h:1']\n  - job_name: b\n    cert_file: /no\n",
		"tls-yaml:7 trust /etc/prometheus/ca.pem\ntls-yaml:8 client-certificate /etc/c.pem\n"
		"tls-yaml:9 client-key /etc/c.key\n");
	gives("file:///etc/prometheus/web.yml",
		"tls_server_config:\n  cert_file: s.pem\n  key_file: s.key\n  client_ca_file: ca.pem\n",
		"tls-yaml:2 server-certificate /etc/prometheus/s.pem\ntls-yaml:3 server-key /etc/prometheus/s.key\n"
		"tls-yaml:4 client-ca /etc/prometheus/ca.pem\n");
	gives("file:///home/a/.kube/config",
		"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority: ca.crt\n    server: https://h:6443\n"
		"kind: Config\nusers:\n- name: m\n  user:\n    client-certificate: c.crt\n    client-key: /home/a/c.key\n",
		"tls-yaml:4 trust /home/a/.kube/ca.crt\ntls-yaml:10 client-certificate /home/a/.kube/c.crt\n"
		"tls-yaml:11 client-key /home/a/c.key\n");
	gives("file:///home/b/.kube/config",
		"apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority: /etc/k/ca.crt\n  name: c\n"
		"kind: Config\nusers:\n- name: m\n  user:\n    token: t\n",
		"tls-yaml:4 trust /etc/k/ca.crt\n");
	NOTHING("Some text\n\ntls_config:\n  cert_file: /etc/c.pem\n");
	NOTHING("a: |\n  tls_config:\n    cert_file: /etc/c.pem\n");
	gives("file:///opt/tomcat/conf/server.xml",
		"<?xml version='1.0'?>\n<Server port=\"8005\">\n<!-- <Connector keystoreFile=\"no\"/> -->\n"
		"<Connector port=\"8443\"\n  SSLEnabled=\"true\" keystoreFile=\"conf/k.jks\">\n<SSLHostConfig>"
		"<Certificate certificateFile=\"${catalina.base}/conf/c.pem\"\n certificateKeyFile=\"/etc/k.pem\"/>"
		"</SSLHostConfig></Connector></Server>\n",
		"tomcat:5 keystore /opt/tomcat/conf/k.jks :8443 password /opt/tomcat/conf/server.xml\n"
		"tomcat:6 server-certificate /opt/tomcat/conf/c.pem :8443\ntomcat:7 server-key /etc/k.pem :8443\n");
	NOTHING("<p>keystoreFile=\"/etc/k.jks\"</p>");
	NOTHING("<Server><Connector keystoreFile=\"/etc/k.jks");
}

static void passwords_in_xml(void **state)
{
	(void)state;
	says("file:///opt/t/conf/server.xml",
		"<Server><Connector port='1'><Certificate certificateKeystoreFile='a'"
		" certificateKeystorePassword='p&amp;q&#x2F;&#228;&nope;' certificateKeyPassword=\"k\"/>"
		"<Certificate certificateKeystoreFile='b' certificateKeystorePasswordFile='conf/c'/>"
		"<Certificate certificateFile='d' certificateKeyFile='e' certificateKeyPassword='f'/>"
		"</Connector><Connector keystoreFile='g' truststoreFile='h'/></Server>",
		"tomcat:1 keystore /opt/t/a :1 password /opt/t/conf/server.xml\n"
		"+ /opt/t/a p&q/\u00e4&nope;\n+ /opt/t/a k\n"
		"tomcat:1 keystore /opt/t/b :1 password /opt/t/conf/c\n"
		"tomcat:1 server-certificate /opt/t/d :1\n"
		"tomcat:1 server-key /opt/t/e :1 password /opt/t/conf/server.xml\n+ /opt/t/e f\n"
		"tomcat:1 keystore /opt/t/g :1 password /opt/t/conf/server.xml\n+ /opt/t/g changeit\n"
		"tomcat:1 truststore /opt/t/h :1\n");
	says("file:///opt/w/standalone/configuration/standalone.xml",
		"<server xmlns='urn:jboss:domain:20.0'>\n<key-store name='a'>"
		"<credential-reference clear-text='p'/>\n<file path='a.p12'"
		" relative-to='jboss.server.data.dir'/></key-store>\n<key-store name='b'>"
		"<credential-reference clear-text='${VAULT::x}'/><file path='/b'/></key-store>\n"
		"<key-store name='c'><file path='c' relative-to='nowhere'/></key-store>\n"
		"<truststore path='t' relative-to='jboss.server.config.dir' keystore-password='q'/></server>",
		"wildfly:3 keystore /opt/w/standalone/data/a.p12 password "
		"/opt/w/standalone/configuration/standalone.xml\n+ /opt/w/standalone/data/a.p12 p\n"
		"wildfly:4 keystore /b\n"
		"wildfly:6 truststore /opt/w/standalone/configuration/t password "
		"/opt/w/standalone/configuration/standalone.xml\n"
		"+ /opt/w/standalone/configuration/t q\n");
	NOTHING("<server xmlns='urn:other'><keystore path='/a'/></server>");
}

static void passwords_in_lines(void **state)
{
	(void)state;
	says("file:///etc/k.properties",
		"# c\n! c\nssl.keystore.location = /k\nssl.keystore.password=a\\:b\\\\c\\t\n"
		"ssl.key.password =kp\nlistener.name.x.ssl.truststore.location=/t\n"
		"listener.name.x.ssl.truststore.password=tp\nother.ssl.truststore.password=no\n"
		"a=b \\\n  ssl.keystore.password=continued\nmail.ssl.keystore.location=relative\n",
		"properties:3 keystore /k password /etc/k.properties\n+ /k a:b\\c\t\n+ /k kp\n"
		"properties:6 truststore /t password /etc/k.properties\n+ /t tp\n");
	says("file:///etc/j/start.d/ssl.ini",
		"--module=ssl\n-Xmx1g\njetty.sslContext.keyStorePath=etc/k\n"
		"jetty.sslContext.keyStorePassword=OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4\n"
		"jetty.sslContext.trustStorePath=/t\njetty.sslContext.trustStorePassword=OBF:1v!\n",
		"properties:3 keystore /etc/j/etc/k password /etc/j/start.d/ssl.ini\n+ /etc/j/etc/k storepwd\n"
		"properties:5 truststore /t\n");
	says("file:///etc/z", "ssl.keyStore.location=/k\nssl.keyStore.passwordPath=/p\n",
		"properties:1 keystore /k password /p\n");
	says("file:///etc/a.yml",
		"server:\n  ssl:\n    key-store: \"file:///k\"\n    key-store-password: 'p q' # x\n"
		"xpack.security.http.ssl.keystore.path: h.p12\n"
		"xpack.security.http.ssl.keystore.password: e\n"
		"client:\n  ssl:\n    trust-store: classpath:t\n",
		"tls-yaml:3 keystore /k password /etc/a.yml\n+ /k p q\n"
		"tls-yaml:5 keystore /etc/h.p12 password /etc/a.yml\n+ /etc/h.p12 e\n");
	says("file:///etc/o.conf", "dev tun\nclient\npkcs12 k\n;\ncert c\naskpass p\n",
		"openvpn:3 keystore /etc/k password /etc/p\nopenvpn:5 client-certificate /etc/c\n");
	says("file:///etc/dovecot.conf",
		"ssl_cert = </c\nssl_key = </k\nssl_key_password = \"s w\"\n",
		"dovecot:1 server-certificate /c\n"
		"dovecot:2 server-key /k password /etc/dovecot.conf\n+ /k s w\n");
	says("file:///etc/dovecot.conf", "ssl_cert = </c\nssl_key = </k\nssl_key_password = </p\n",
		"dovecot:1 server-certificate /c\ndovecot:2 server-key /k password /p\n");
	NOTHING("This keystore.location=/x is a\nsentence, key-store and all.\n");
}

static void paths(void **state)
{
	(void)state;
	gives("file:///etc/x.conf", "ssl_certificate ../a/./b//c.pem; ssl_crl ../../../../c;",
		"nginx:1 server-certificate /a/b/c.pem\nnginx:1 crl /c\n");
	gives("file:///etc/a%2fb%00c", "ssl_certificate c.pem;", "");
	gives("tls://h:443", "ssl_certificate c.pem;", "");
	gives("file:///etc/old.conf~", "ssl_certificate /c;",
		"nginx:1 server-certificate /c idle\n");
	gives("file:///usr/share/doc/x/n.conf", "ssl_certificate /c;",
		"nginx:1 server-certificate /c idle\n");
}

/* More servers than are kept, each with more names than are kept. */
static void ceilings(void **state)
{
	struct buffer text;
	struct told t;

	(void)state;
	buffer_init(&text, 2 * FORMAT_CONFIG_BYTES_MAX);
	for (unsigned i = 0; i < FORMAT_REFERENCES_MAX + 2; i++)
		buffer_format(&text, "ssl_certificate /etc/%u.pem;\n", i);
	parse(&t, "file:///etc/x", buffer_bytes(&text));
	assert_int_equal(t.count, FORMAT_REFERENCES_MAX);
	assert_int_equal(t.problems, 1);
	buffer_fini(&t.out);
	buffer_clear(&text);
	buffer_text(&text, "server { listen 1 ssl; ssl_certificate /c; server_name");
	for (unsigned i = 0; i < 3 * FORMAT_REFERENCE_NAMES_MAX; i++)
		buffer_format(&text, " h%u.example.org", i);
	buffer_text(&text, "; }");
	parse(&t, "file:///etc/x", buffer_bytes(&text));
	assert_int_equal(t.count, 1);
	assert_int_equal(t.problems, 1);
	assert_non_null(strstr(buffer_string(&t.out), "h255.example.org :1"));
	buffer_fini(&t.out);
	/* Settings of keystores that belong together, as far as they are kept. */
	buffer_clear(&text);
	for (unsigned i = 0; i < FORMAT_JAVA_SETTINGS_MAX + 1; i++)
		buffer_format(&text, "a%u.ssl.keystore.location=/%u.jks\n", i, i);
	parse(&t, "file:///etc/x", buffer_bytes(&text));
	assert_int_equal(t.count, FORMAT_JAVA_SETTINGS_MAX);
	assert_int_equal(t.problems, 1);
	buffer_fini(&t.out);
	/* A text as long as a configuration may be. */
	buffer_clear(&text);
	buffer_text(&text, "ssl_certificate /c;");
	while (text.size < FORMAT_CONFIG_BYTES_MAX)
		buffer_byte(&text, ' ');
	parse(&t, "file:///etc/x", buffer_bytes(&text));
	assert_int_equal(t.count, 1);
	assert_int_equal(t.problems, 0);
	buffer_fini(&t.out);
	buffer_fini(&text);
}

/* `begin`, and `line` until it is longer than is read, and `end`: references and problems that are told. */
static void long_one(const char *begin, const char *line, const char *end, unsigned problems)
{
	struct buffer text;
	struct told t;

	buffer_init(&text, 2 * FORMAT_CONFIG_BYTES_MAX);
	buffer_text(&text, begin);
	while (text.size <= FORMAT_CONFIG_BYTES_MAX)
		buffer_text(&text, line);
	buffer_text(&text, end);
	parse(&t, "file:///etc/x", buffer_bytes(&text));
	assert_int_equal(t.count, 0);
	if (t.problems != problems)
		fail_msg("%.40s...: %zu problems", begin, t.problems);
	buffer_fini(&t.out);
	buffer_fini(&text);
}

/* It is said of those that would name something, by all that is there or by their start alone. */
static void longer_than_is_read(void **state)
{
	(void)state;
	long_one("ssl_certificate /c;\n", "#\n", "", 1);
	long_one("server { ssl_certificate /c;\n", "# x\n", "}", 1);
	long_one("", "# x\n", "server {\nlisten 1 ssl;\nssl_certificate /c; }\n", 1);
	long_one("<VirtualHost *:443>\nSSLCertificateFile /c\n", "# x\n", "</VirtualHost>\n", 1);
	/* What is sent of a text of which only the start is. */
	long_one("server { ssl_certificate /c;\n", "# x\n", "\n-----BEGIN X-----\n", 1);
	long_one("<VirtualHost *:443>\nSSLCertificateFile /c\n", "# x\n", "\n-----BEGIN X-----\n",
		1);
	long_one("<Server><Connector port='1' keystoreFile='a'/>", "<!-- -->\n", "<!-- \n", 1);
	long_one("local_name a.example.org {\nssl_cert = </c\n", "# x\n", "-\n", 1);
	/* Not of those that name nothing, and of what only mentions them. */
	long_one("server { server_name ssl_certificate; }\n", "# x\n", "", 0);
	long_one("he said: put ssl_certificate /c; there\n", "and so on\n", "", 0);
	long_one("2026-01-01 error ssl_certificate /c;\n", "2026-01-01 again\n", "", 0);
}

/* Every beginning of a text is read to its end and no further. */
static void cut_anywhere(void **state)
{
	static const char *const texts[] = {
		"server { listen 443 ssl; server_name a.b \"c\\\"d\" ${x}y; ssl_certificate /a\\ b; }\n",
		"<VirtualHost *:443>\nServerName a.b\nSSLCertificateFile \"/a b\" \\\n</VirtualHost>\n",
		"global\ncrt-base /x\nlisten a\nbind :1,:2 ssl crt a.pem # x\n",
		"[mysqld]\nssl-cert = '/a'\n", "tls_config:\n  - cert_file: \"a\"\n",
		"<Server><Connector port='1' keystoreFile='a'/></Server>",
		"dn: x\nolcTLSCertificateFile: /a\n",
		"<server xmlns='urn:jboss:domain:1'><keystore path='a' keystore-password='&#1'/></server>",
		"ssl.keystore.location=/a\nssl.keystore.password=OBF:1vny1\\",
		"a.example /a.pem\n\n #\n\t,/k.pem,\n.b.example /b.crt\n"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t size = 1; size <= strlen(texts[i]); size++) {
			struct told t;

			parse(&t, "file:///etc/x", slice_of(texts[i], size));
			buffer_fini(&t.out);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nginx),
		cmocka_unit_test(nginx_look_alikes),
		cmocka_unit_test(apache),
		cmocka_unit_test(haproxy),
		cmocka_unit_test(lines),
		cmocka_unit_test(lines_look_alikes),
		cmocka_unit_test(documents),
		cmocka_unit_test(passwords_in_xml),
		cmocka_unit_test(passwords_in_lines),
		cmocka_unit_test(paths),
		cmocka_unit_test(ceilings),
		cmocka_unit_test(longer_than_is_read),
		cmocka_unit_test(cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
