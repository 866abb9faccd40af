#!/bin/sh
# Makes the small seeds of the fuzz harnesses: sh tests/fuzz/make_corpus.sh (needs openssl, keytool is optional).
set -eu
cd "$(dirname "$0")/corpus" || exit 1
mkdir -p pem der pkcs12 jks frames dialogue config
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/key.pem" \
	-out "$tmp/ca.pem" -days 3650 -subj "/CN=Fuzz Root" 2>/dev/null
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/leaf.key" \
	-out "$tmp/leaf.csr" -subj "/O=Fuzz/CN=fuzz.example.org" 2>/dev/null
printf 'subjectAltName=DNS:fuzz.example.org,IP:192.0.2.1,email:a@example.org,URI:spiffe://x/y\n' >"$tmp/ext"
openssl x509 -req -in "$tmp/leaf.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/key.pem" -set_serial 2 -days 3650 \
	-extfile "$tmp/ext" -out "$tmp/leaf.pem" 2>/dev/null

# PEM
cat "$tmp/leaf.pem" "$tmp/leaf.key" "$tmp/ca.pem" >pem/bundle
sed 's/$/\r/' "$tmp/leaf.pem" >pem/crlf
sed 's/^/# /' "$tmp/leaf.pem" >pem/commented
head -n 5 "$tmp/leaf.pem" >pem/cut-off
awk '{printf "%s\\n", $0}' "$tmp/leaf.pem" | sed 's/^/{"cert":"/; s/$/"}/' >pem/json
sed 's/.*/"&\\n" +/' "$tmp/leaf.pem" >pem/source
openssl x509 -in "$tmp/ca.pem" -trustout -addtrust serverAuth -out pem/trusted
{ printf 'data:\n  tls.crt: '; base64 -w0 "$tmp/leaf.pem"; printf '\n  ca.crt: |\n'
	base64 -w60 "$tmp/ca.pem" | sed 's/^/    /'; } >pem/kubernetes
openssl crl2pkcs7 -nocrl -certfile "$tmp/ca.pem" -out pem/pkcs7
printf 'starts with -----BEGIN CERTIFICATE----- and ends with -----END CERTIFICATE-----\n' >pem/mention

# DER
openssl x509 -in "$tmp/leaf.pem" -outform DER -out der/leaf
openssl x509 -in "$tmp/ca.pem" -outform DER -out der/root
head -c 200 der/leaf >der/cut-off
cat der/leaf der/root >der/two
openssl req -in "$tmp/leaf.csr" -outform DER -out der/request
openssl crl2pkcs7 -nocrl -certfile "$tmp/ca.pem" -certfile "$tmp/leaf.pem" -outform DER -out der/pkcs7
printf 'text' >"$tmp/text"
openssl cms -sign -in "$tmp/text" -signer "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -outform DER -stream -out der/cms-ber

mkdir -p crl
: >"$tmp/index"
printf '[ca]\ndefault_ca=c\n[c]\ndatabase=%s\ncrlnumber=%s\ndefault_md=sha256\ndefault_crl_days=30\n' \
	"$tmp/index" "$tmp/crlnumber" >"$tmp/ca.conf"
echo 0a >"$tmp/crlnumber"
crl() { openssl ca -config "$tmp/ca.conf" -gencrl -cert "$tmp/ca.pem" -keyfile "$tmp/key.pem" -out "$tmp/crl.pem"; }
crl && openssl crl -in "$tmp/crl.pem" -outform DER -out crl/empty
openssl ca -config "$tmp/ca.conf" -revoke "$tmp/leaf.pem" -crl_reason keyCompromise -cert "$tmp/ca.pem" \
	-keyfile "$tmp/key.pem" 2>/dev/null
crl && openssl crl -in "$tmp/crl.pem" -outform DER -out crl/revoked
cp "$tmp/crl.pem" crl/pem
head -c 150 crl/revoked >crl/cut-off

# PKCS#12, with few iterations so that fuzzing is fast
p12() {
	name=$1
	shift
	openssl pkcs12 -export -in "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -certfile "$tmp/ca.pem" -name fuzz \
		-passout pass:secret -iter 1 -out "pkcs12/$name" "$@"
}
p12 pbes2
p12 pbes2-128 -certpbe AES-128-CBC -macalg sha1
p12 3des -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES
p12 rc2-40 -legacy
p12 no-mac -nomac
p12 plain -certpbe NONE -keypbe NONE
openssl pkcs12 -export -nokeys -in "$tmp/ca.pem" -passout pass: -iter 1 -out pkcs12/empty-password

# Java keystores
if command -v keytool >/dev/null; then
	for type in jks jceks; do
		keytool -importcert -noprompt -alias ca -file "$tmp/ca.pem" -keystore "$tmp/store.$type" \
			-storetype "$type" -storepass changeit 2>/dev/null
		keytool -genkeypair -alias key -keyalg EC -dname CN=java -keystore "$tmp/store.$type" \
			-storetype "$type" -storepass changeit -keypass changeit 2>/dev/null
	done
	keytool -genseckey -alias secret -keyalg AES -keysize 128 -keystore "$tmp/store.jceks" \
		-storetype jceks -storepass changeit -keypass changeit 2>/dev/null
	cp "$tmp/store.jks" jks/jks
	cp "$tmp/store.jceks" jks/jceks
fi
printf '\376\355\376\355\000\000\000\002\377\377\377\377' >jks/count

# Configurations, one a language and some that are cut or odd
printf 'http { map $a $b { default x; }\nserver { listen 443 ssl; server_name a.b .c.d ~x$;\n ssl_certificate "a\\"b"; ssl_certificate_key /k; location / { proxy_ssl_certificate c; x_by_lua_block { { } } } } }\n' >config/nginx
printf 'server { listen 443 ssl; server_name a.b; ssl_certificate "a' >config/nginx-cut
printf '<IfModule x>\n<VirtualHost *:443>\nServerName a.b:443\nServerAlias *.c.d \\\n e\nSSLEngine on\nSSLCertificateFile "/a b"\n</VirtualHost>\n</IfModule>\n' >config/apache
printf 'global\n crt-base /x\nfrontend f\n bind :443,[::]:8443 ssl crt a.pem ca-file @x crl-file /l #c\nbackend b\n server s h:1 ssl crt c.pem\n' >config/haproxy
printf 'smtpd_tls_cert_file = /a\nsmtp_tls_cert_file=c\n x\n' >config/postfix
printf 'ssl_cert = </a\nlocal x {\n ssl_key = <k\n}\n!include y\n' >config/dovecot
printf "data_directory = '/d' # x\nssl_cert_file = 'a'\nssl_key_file k\n" >config/postgresql
printf '[mysqld]\nssl-cert=/a\n[client]\nssl_cert = "c"\n' >config/mysql
printf 'tls-cert-file /a\ntls-ca-cert-dir "c"\n' >config/redis
printf '[x]\nclient = yes\naccept = 1\ncert = /a\n' >config/stunnel
printf 'dev tun\nclient\ncert a\n<ca>\nx\n</ca>\n' >config/openvpn
printf 'include x\nTLSCertificateFile /a\n y\n' >config/slapd
printf 'dn: cn=config\nolcTLSCertificateFile: /a\n b\n-\n' >config/ldif
printf '[Service]\nExecStart=x \\\n y\nLoadCredential=a:/b\n[Install]\n' >config/systemd
printf 'a:\n  - tls_config:\n      "cert_file": /a\n  b: |\n    cert_file: x\nkind: Config\nx:\n  client-certificate: c # y\n' >config/yaml
printf '<?xml a="b"?><Server><!-- x --><Connector port="1" keystoreFile="${catalina.base}/k"><Certificate certificateFile="c"/></Connector></Server>' >config/tomcat

# Frames: the chosen reader, then a little of everything
i=0
while [ $i -lt 8 ]; do
	{ printf "\\00$i"; printf '\001\000\000\000\001\005\000\000\000files'; printf '\000%.0s' 1 2 3 4 5 6 7 8; } >frames/reader-$i
	i=$((i + 1))
done
printf '\007\004\000\000\000\006\000abcd\000\000\000\000\011\000' >frames/two-frames

# Dialogues: the protocol's place in its table, the size of the pieces (0: whole), what the server says
say() { # NAME NUMBER BYTES (octal escapes)
	printf "\\$(printf %03o "$2")\\000$3" >"dialogue/$1"
}
say smtp 1 '220 x\r\n250-x\r\n250-STARTTLS\r\n250 OK\r\n220 go\r\n'
say lmtp 2 '220 x LMTP\r\n250-STARTTLS\r\n250 OK\r\n220 go\r\n'
say imap 3 '* OK x\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK\r\na2 OK\r\n'
say pop3 4 '+OK x\r\n+OK\r\n'
say ftp 5 '220-x\r\ny\r\n220 x\r\n234-x\r\n234 go\r\n'
say ldap 6 '0\014\002\001\001x\007\012\001\000\004\000\004\000'
say xmpp 7 "<?xml version='1.0'?><stream:stream id='a>'><stream:features><starttls/></stream:features><proceed></proceed>"
say xmpp-server 8 '<stream:stream><stream:error><host-unknown/>'
say nntp 9 '200 x\r\n101 x\r\nSTARTTLS\r\n.\r\n382 go\r\n'
say sieve 10 '"SIEVE" "x"\r\n"STARTTLS"\r\nOK\r\nOK\r\n'
say irc 11 '@a=b :x NOTICE * :x\r\n:x CAP * LS * :a\r\n:x CAP * LS :tls\r\n:x 670 * :go\r\n'
say telnet 12 '\377\375\047\377\376\056\377\375\045\377\372\045\001\007\000\377\360\377\372\045\002\007\000\002\377\360'
say postgres 13 'E\000\000\000\022SFATAL\000Mno\000\000'
say mysql 14 '\041\000\000\000\0128.0.36\000\001\000\000\000scramble\000\377\377\055\002\000\377\377\025\000\000\000\000'
say rdp 15 '\003\000\000\023\016\320\000\000\022\064\000\003\000\010\000\002\000\000\000'
say tds 16 '\004\001\000\032\000\000\001\000\000\000\013\000\006\001\000\021\000\001\377\020\000\000\000\000\000\001'
say http 0 'HTTP/1.1 400 Bad Request\r\n\r\nNo required SSL certificate was sent'
chmod 644 ./*/*
