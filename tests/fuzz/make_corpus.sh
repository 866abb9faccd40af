#!/bin/sh
# Makes the small seeds of the fuzz harnesses: sh tests/fuzz/make_corpus.sh (needs openssl, python3; what keytool,
# libbcprov-java, certutil, gpgsm and ssh-keygen make is optional, but tests/scanners/formats wants it).
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

# Archives: small, each kind once, one in another, a bomb, one that is cut off.
mkdir -p archive "$tmp/a/META-INF"
cp "$tmp/leaf.pem" "$tmp/a/leaf.pem"
printf text >"$tmp/text"
openssl cms -sign -in "$tmp/text" -signer "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -outform DER -out "$tmp/a/META-INF/X.EC"
tar --format=ustar -C "$tmp/a" -cf archive/tar leaf.pem
for kind in newc odc bin; do
	(cd "$tmp/a" && echo leaf.pem | cpio --quiet -o -H $kind) >archive/cpio-$kind
done
python3 - "$tmp/a" <<'EOF'
import sys, zipfile
folder = sys.argv[1]
with zipfile.ZipFile("archive/zip", "w", zipfile.ZIP_DEFLATED) as z:
    z.write(folder + "/leaf.pem", "leaf.pem")
    z.write(folder + "/META-INF/X.EC", "META-INF/X.EC")
    z.writestr("bytes", bytes(100))
with zipfile.ZipFile("archive/nested", "w") as z:
    z.write("archive/zip", "a.jar")
    z.write("archive/tar", "a.tar")
EOF
rm -f archive/locked && (cd "$tmp/a" && zip -q -P secret - leaf.pem) >archive/locked
gzip -nc archive/tar >archive/tar-gz && head -c 300 archive/tar-gz >archive/cut-off
gzip -nc "$tmp/leaf.pem" >archive/gz && xz -c archive/tar >archive/tar-xz
zstd -qc archive/tar >archive/tar-zst && bzip2 -c archive/tar >archive/tar-bz2
xz --format=lzma -c archive/tar >archive/tar-lzma && lz4 -qc archive/tar >archive/tar-lz4
lz4 -qlc archive/tar >archive/tar-lz4-legacy && compress -fc archive/tar >archive/tar-z
{ cat archive/cpio-newc; head -c 300 /dev/zero; gzip -nc archive/cpio-odc; cat archive/cpio-odc; zstd -qc archive/cpio-newc; } >archive/initrd
head -c 30000000 /dev/zero | tr '\0' A | gzip -9nc >archive/bomb
mkdir -p "$tmp/d/DEBIAN" && cp "$tmp/leaf.pem" "$tmp/d/"
printf 'Package: a\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n' >"$tmp/d/DEBIAN/control"
dpkg-deb -Zgzip -b "$tmp/d" archive/deb >/dev/null

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

# Paths: size and bytes of the leaf, its CAs, a CRL (fuzz_path.c).
mkdir -p path
sized() { for f in "$@"; do s=$(wc -c <"$f"); printf "\\$(printf %03o $((s / 256)))\\$(printf %03o $((s % 256)))"; cat "$f"; done; }
printf '%s\n' 'basicConstraints=critical,CA:TRUE,pathlen:0' 'keyUsage=critical,keyCertSign,cRLSign' \
	'nameConstraints=critical,permitted;DNS:example.org,permitted;IP:192.0.2.0/255.255.255.0,permitted;email:example.org,excluded;DNS:bad.example.org,excluded;dirName:dn,permitted;URI:.example.org' \
	'certificatePolicies=1.2.3.4,2.5.29.32.0' 'policyConstraints=critical,requireExplicitPolicy:0,inhibitPolicyMapping:0' \
	'policyMappings=1.2.3.4:1.2.3.5' 'inhibitAnyPolicy=critical,1' 'subjectKeyIdentifier=hash' \
	'authorityKeyIdentifier=keyid' '[dn]' 'O=Excluded' >"$tmp/sub.ext"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/sub.key" \
	-out "$tmp/sub.csr" -subj "/O=Fuzz/CN=Fuzz Sub" 2>/dev/null
openssl x509 -req -in "$tmp/sub.csr" -CA "$tmp/ca.pem" -CAkey "$tmp/key.pem" -set_serial 3 -days 3650 \
	-extfile "$tmp/sub.ext" -outform DER -out "$tmp/sub.der" 2>/dev/null
openssl x509 -inform DER -in "$tmp/sub.der" -out "$tmp/sub.pem"
printf '%s\n' 'subjectAltName=DNS:fuzz.example.org,IP:192.0.2.1,email:a@example.org,URI:https://fuzz.example.org/x' \
	'certificatePolicies=1.2.3.5' 'extendedKeyUsage=serverAuth,clientAuth' 'keyUsage=digitalSignature' \
	'authorityKeyIdentifier=keyid,issuer' 'crlDistributionPoints=URI:http://example.org/c.crl' >"$tmp/end.ext"
openssl x509 -req -in "$tmp/leaf.csr" -CA "$tmp/sub.pem" -CAkey "$tmp/sub.key" -set_serial 4 -days 3650 \
	-extfile "$tmp/end.ext" -outform DER -out "$tmp/end.der" 2>/dev/null
: >"$tmp/index"
openssl ca -config "$tmp/ca.conf" -gencrl -cert "$tmp/sub.pem" -keyfile "$tmp/sub.key" -out "$tmp/sub.crl.pem" 2>/dev/null
openssl crl -in "$tmp/sub.crl.pem" -outform DER -out "$tmp/sub.crl"
sized "$tmp/end.der" "$tmp/sub.der" "$tmp/sub.crl" der/root >path/chain
sized der/leaf crl/revoked der/root >path/revoked
sized der/root >path/root

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
p12 rc4-40 -legacy -certpbe PBE-SHA1-RC4-40 -keypbe PBE-SHA1-RC4-128
p12 pbes1-des -legacy -certpbe PBE-MD5-DES -keypbe PBE-SHA1-DES
p12 pbes1-rc2 -legacy -certpbe PBE-SHA1-RC2-64 -keypbe PBE-MD5-RC2-64
p12 no-mac -nomac
p12 plain -certpbe NONE -keypbe NONE
openssl pkcs12 -export -nokeys -in "$tmp/ca.pem" -passout pass: -iter 1 -out pkcs12/empty-password
# Nothing but a key, as GnuTLS' certtool writes one too; and the same, encrypted with what nobody knows.
openssl pkcs12 -export -nocerts -inkey "$tmp/leaf.key" -passout pass:secret -iter 1 -out pkcs12/key-alone
python3 - <<'EOF2'
data = open("pkcs12/key-alone", "rb").read()
pbes2 = bytes.fromhex("06092a864886f70d01050d")
at = data.rindex(pbes2)
open("pkcs12/key-unsupported", "wb").write(data[:at + len(pbes2) - 1] + b"\x7f" + data[at + len(pbes2):])
EOF2
# The same as pbes2 in BER: what is of one piece there comes in two.
python3 - <<'EOF'
def header(tag, size):
    return bytes([tag, 0x82, size >> 8, size & 255]) if size > 127 else bytes([tag, size])


def take(at, data):
    size, at = data[at + 1], at + 2
    if size & 0x80:
        n = size & 0x7f
        size, at = int.from_bytes(data[at:at + n], "big"), at + n
    return at, at + size


data = open("pkcs12/pbes2", "rb").read()
start, _ = take(0, data)
_, info = take(start, data)                     # behind the version
inside, after = take(info, data)                # ContentInfo
_, explicit = take(inside, data)                # behind the type
octets, _ = take(explicit, data)
begin, end = take(octets, data)
half = (begin + end) // 2
pieces = b"".join(header(4, len(p)) + p for p in (data[begin:half], data[half:end]))
open("pkcs12/ber", "wb").write(b"\x30\x80" + data[start:info] + b"\x30\x80" + data[inside:explicit] + b"\xa0\x80\x24\x80"
                               + pieces + bytes(6) + data[after:] + bytes(2))
EOF

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
printf '# x\na.example /k.key, /a.pem\n.b.example\n\t/b.crt\n' >config/postfix-sni
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
printf '<Server><Connector port="1"><Certificate certificateKeystoreFile="k" certificateKeystorePassword="a&amp;b"/></Connector></Server>' >config/tomcat-passwords
printf '<server xmlns="urn:jboss:domain:1"><key-store><credential-reference clear-text="a"/><file path="/k"/></key-store></server>' >config/wildfly
printf 'ssl.keystore.location=/k\nssl.keystore.password=kafka\\:secret\na=\\\n b\n' >config/properties
printf -- '--module=ssl\njetty.sslContext.keyStorePath=j\njetty.sslContext.keyStorePassword=OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4\n' >config/properties-jetty
printf 'server:\n  ssl:\n    key-store: "file:/k"\n    key-store-password: a # x\n' >config/yaml-spring

# NSS databases, with and without trust; the old kind where certutil still makes it
if command -v certutil >/dev/null; then
	mkdir -p nss "$tmp/nss" "$tmp/nss8"
	certutil -N -d "sql:$tmp/nss" --empty-password
	certutil -A -d "sql:$tmp/nss" -n 'Fuzz Root' -t CT,C,C -i "$tmp/ca.pem"
	certutil -A -d "sql:$tmp/nss" -n 'fuzz leaf' -t ,, -i "$tmp/leaf.pem"
	cp "$tmp/nss/cert9.db" nss/cert9
	if command -v pk12util >/dev/null; then
		openssl pkcs12 -export -in "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -passout pass: -out "$tmp/key4.p12"
		pk12util -i "$tmp/key4.p12" -d "sql:$tmp/nss" -W '' -K '' >/dev/null
		cp "$tmp/nss/key4.db" nss/key4
	fi
	python3 - nss/cert9 nss/wal nss/damaged nss/view <<'EOF'
import sqlite3, sys
source, wal, damaged, view = sys.argv[1:]
data = bytearray(open(source, "rb").read())
data[18] = data[19] = 2
open(wal, "wb").write(data)
data[18] = data[19] = 1
data[4096:] = b"\xff" * (len(data) - 4096)
open(damaged, "wb").write(data)
db = sqlite3.connect(":memory:")
db.execute("CREATE VIEW nssPublic AS WITH RECURSIVE n(a0) AS (SELECT x'00000001' UNION ALL SELECT a0 FROM n)"
           " SELECT a0, a0 AS a3, a0 AS a11, a0 AS a81, a0 AS a82 FROM n")
open(view, "wb").write(db.serialize() if hasattr(db, "serialize") else b"SQLite format 3\0nssPublic")
EOF
	if certutil -N -d "dbm:$tmp/nss8" --empty-password 2>/dev/null; then
		mkdir -p nss_legacy
		certutil -A -d "dbm:$tmp/nss8" -n 'Fuzz Root' -t CT,C,C -i "$tmp/ca.pem"
		cp "$tmp/nss8/cert8.db" nss_legacy/cert8
		cp "$tmp/nss8/key3.db" nss_legacy/key3
	fi
fi

# GnuPG keybox
if command -v gpgsm >/dev/null; then
	mkdir -p keybox "$tmp/gnupg"
	chmod 700 "$tmp/gnupg"
	cat "$tmp/ca.pem" "$tmp/leaf.pem" | GNUPGHOME="$tmp/gnupg" gpgsm --batch --quiet --import 2>/dev/null || true
	cp "$tmp/gnupg/pubring.kbx" keybox/two
	size=$(wc -c <keybox/two)
	head -c $((size - 20)) keybox/two >keybox/cut-off
	gpgconf --homedir "$tmp/gnupg" --kill all 2>/dev/null || true
fi

# Bouncy Castle's keystores (Debian: libbcprov-java)
provider=/usr/share/java/bcprov.jar
if command -v keytool >/dev/null && [ -f $provider ]; then
	for type in BKS BKS-V1 UBER BCFKS; do
		folder=$(echo $type | tr 'A-Z' 'a-z' | sed 's/-v1//')
		name=$(echo $type | tr 'A-Z' 'a-z')
		mkdir -p "$folder"
		bc() {
			keytool -J-Dorg.bouncycastle.bks.enable_v1=true "$@" -keystore "$tmp/$name" -storetype $type -storepass secret \
				-providerclass org.bouncycastle.jce.provider.BouncyCastleProvider -providerpath $provider 2>/dev/null
		}
		bc -importcert -noprompt -alias ca -file "$tmp/ca.pem"
		bc -genkeypair -alias key -keyalg EC -dname CN=java -keypass secret
		cp "$tmp/$name" "$folder/$name"
	done
	cat >"$tmp/Scrypt.java" <<'EOF'
import java.io.*;
import java.security.*;
import java.security.cert.*;
import org.bouncycastle.crypto.util.*;
import org.bouncycastle.jcajce.*;
public class Scrypt {
	public static void main(String[] a) throws Exception {
		Security.addProvider(new org.bouncycastle.jce.provider.BouncyCastleProvider());
		java.security.cert.Certificate c = CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(a[0]));
		for (boolean wrap : new boolean[] { false, true }) {
			KeyStore s = KeyStore.getInstance("BCFKS", "BC");
			s.load(null, null);
			s.setCertificateEntry("ca", c);
			OutputStream out = new FileOutputStream(a[wrap ? 2 : 1]);
			s.store(new BCFKSLoadStoreParameter.Builder(out, "secret".toCharArray())
				.withStorePBKDFConfig(wrap ? new PBKDF2Config.Builder().withIterationCount(16).withSaltLength(20)
					.withPRF(PBKDF2Config.PRF_SHA512).build() : new ScryptConfig.Builder(64, 8, 2).withSaltLength(20).build())
				.withStoreEncryptionAlgorithm(wrap ? BCFKSLoadStoreParameter.EncryptionAlgorithm.AES256_KWP
					: BCFKSLoadStoreParameter.EncryptionAlgorithm.AES256_CCM).build());
			out.close();
		}
	}
}
EOF
	java -cp $provider "$tmp/Scrypt.java" "$tmp/ca.pem" bcfks/scrypt bcfks/wrapped
fi

# OpenSSH certificates
if command -v ssh-keygen >/dev/null; then
	mkdir -p openssh
	ssh-keygen -q -t ed25519 -N '' -C ca -f "$tmp/ssh-ca"
	for type in ed25519 rsa ecdsa; do
		ssh-keygen -q -t $type -N '' -C "a comment" -f "$tmp/ssh-$type"
	done
	ssh-keygen -q -s "$tmp/ssh-ca" -I 'alice@laptop' -n alice,root -z 66051 -V 20260101000000Z:20260401000000Z "$tmp/ssh-ed25519.pub"
	ssh-keygen -q -s "$tmp/ssh-ca" -I host1 -h -n host1.example.org -V 20260101000000Z:20260401000000Z "$tmp/ssh-rsa.pub"
	ssh-keygen -q -s "$tmp/ssh-ca" -I forever -n bob "$tmp/ssh-ecdsa.pub"
	for type in ed25519 rsa ecdsa; do
		cp "$tmp/ssh-$type-cert.pub" openssh/$type
	done
	head -c 200 openssh/rsa >openssh/cut-off
fi

# XML: SAML metadata
mkdir -p xml
element() { openssl x509 -in "$1" | sed '/-----/d'; }
{ printf '<md:EntityDescriptor entityID="https://idp.example.org/saml"><md:KeyDescriptor use="signing">'
	printf '<ds:X509Certificate>\n'; element "$tmp/leaf.pem"; printf '</ds:X509Certificate></md:KeyDescriptor>'
	printf '<md:KeyDescriptor use="encryption"><X509Certificate>'; element "$tmp/ca.pem" | sed 's/$/\&#13;/'
	printf '</X509Certificate></md:KeyDescriptor></md:EntityDescriptor>\n'; } >xml/saml
{ printf '<a><X509Certificate><![CDATA[\n'; element "$tmp/leaf.pem"; printf ']]></X509Certificate><X509Certificate>'
	element "$tmp/ca.pem" | sed 's/+/\&#x2B;/g' | tr '\n' '\1' | sed 's/\x01/\&#10;/g'
	printf '<!-- x --></X509Certificate></a>\n'; } >xml/markup
printf '<ds:X509Certificate>MIIC...</ds:X509Certificate> <ds:X509Certificate>%s' \
	"$(element "$tmp/leaf.pem" | head -c 200)" >xml/placeholder

# p11-kit
mkdir -p p11kit
{ printf '# made by hand\n[p11-kit-object-v1]\nlabel: "Fuzz%%20Root"\nclass: x-certificate\ntrusted: true\n'
	cat "$tmp/ca.pem"
	printf '[p11-kit-object-v1]\nclass: certificate\nlabel: "leaf"\nx-distrusted: true\nvalue: "'
	od -An -v -tx1 der/leaf | tr -d '\n' | sed 's/ /%/g'; printf '"\n'; } >p11kit/two

# S/MIME
mkdir -p smime
openssl smime -sign -in "$tmp/text" -signer "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -out smime/signed

# Base64 in texts, each with a name for the place
mkdir -p base64
digits() { openssl x509 -in "$1" -outform DER | base64 -w0; }
folded() { openssl x509 -in "$1" -outform DER | base64 -w52; }
pem() { { printf "$2"; cat "$1"; } | base64 -w0; }
{ printf 'apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: '; pem "$tmp/ca.pem" ''
	printf '\n  name: prod\nkind: Config\nusers:\n- name: admin\n  user:\n    client-certificate-data: '
	pem "$tmp/leaf.pem" x; printf '\n'; } >base64/kubeconfig
{ printf 'data:\n  tls.crt: '; pem "$tmp/leaf.pem" '#x'; printf '\n  ca.der: '; digits "$tmp/ca.pem"
	printf '\n  trust.p12: '; base64 -w0 pkcs12/plain; printf '\n  trust.jks: '; base64 -w0 jks/jks
	printf '\nkind: Secret\nmetadata:\n  name: web\n'; } >base64/secret
{ printf 'kind: ConfigMap\nmetadata:\n  name: one\ndata:\n  ca.crt: |\n'; sed 's/^/    /' "$tmp/ca.pem"
	printf -- '---\ndata:\n  tls.crt: >-\n'; base64 -w60 "$tmp/leaf.pem" | sed 's/^/    /'
	printf 'metadata:\n  name: two\n'; } >base64/documents
{ printf '{"kind":"List","items":[{"data":{"a":"'; digits "$tmp/ca.pem"; printf '"},"metadata":{"name":"one"}},'
	printf '{"metadata":{"name":"two"},"data":{"b":"'; pem "$tmp/leaf.pem" ''; printf '"}}]}'; } >base64/list
{ printf '{"keys":[{"kty":"EC","x5c":["'; digits "$tmp/leaf.pem" | sed 's,/,\\/,g'; printf '",\n"'
	digits "$tmp/ca.pem"; printf '"],"kid":"signing"}]}'; } >base64/jwks
{ printf '{\n "outputs": {"cert": {"value": "'; awk '{printf "%s\\n", $0}' "$tmp/leaf.pem"
	printf '"}},\n "resources": [{"type": "pkcs12", "name": "bundle", "instances": [{"attributes": {"result": "'
	base64 -w0 pkcs12/pbes2; printf '"}}]}]}\n'; } >base64/terraform
{ printf '#cloud-config\nwrite_files:\n- encoding: b64\n  content: '; pem "$tmp/leaf.pem" ''
	printf '\n  path: /etc/x.pem\nca_certs:\n  trusted:\n  - |\n'; sed 's/^/    /' "$tmp/ca.pem"; } >base64/cloud-config
{ printf 'client\n<ca>\n'; cat "$tmp/ca.pem"; printf '</ca>\n<pkcs12>\n'; base64 -w64 pkcs12/plain
	printf '</pkcs12>\n'; } >base64/openvpn
{ printf '<?xml version="1.0"?>\n<plist version="1.0"><dict><key>PayloadContent</key><array><dict><key>PayloadContent</key>\n'
	printf '<data>\n'; folded "$tmp/ca.pem" | sed 's/^/\t/'
	printf '</data><key>PayloadDisplayName</key><string>Root</string></dict></array></dict></plist>\n'; } >base64/mobileconfig
openssl smime -sign -nodetach -binary -in base64/mobileconfig -signer "$tmp/leaf.pem" -inkey "$tmp/leaf.key" \
	-outform DER -out base64/mobileconfig-signed
{ printf 'dn: uid=alice,o=x\nuserCertificate;binary:: '; folded "$tmp/leaf.pem" | sed '2,$s/^/ /'
	printf 'cn: alice\n'; } >base64/ldif
printf '{"url":"%s"}' "$(digits "$tmp/leaf.pem" | tr '+/' '-_' | tr -d =)" >base64/url
printf 'x5c: %s...\n[%s]\n' "$(digits "$tmp/leaf.pem" | head -c 200)" "$(digits "$tmp/leaf.pem" | head -c 60)" >base64/sketch
printf '{"c":"%s"}' "$(digits "$tmp/leaf.pem" | head -c 400)" >base64/cut-off
{ openssl crl2pkcs7 -nocrl -certfile "$tmp/ca.pem" -outform DER | base64 -w76; } >base64/pkcs7

# What has no version in front, Java's and Bouncy Castle's other keystores, revocation lists
for key in rsa:2048 ec; do
	openssl req -new -newkey $key -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$tmp/old.key" -out "$tmp/old.csr" \
		-subj "/CN=old-${key%:*}" 2>/dev/null || openssl req -new -newkey $key -nodes -keyout "$tmp/old.key" \
		-out "$tmp/old.csr" -subj "/CN=old-${key%:*}" 2>/dev/null
	openssl x509 -req -in "$tmp/old.csr" -signkey "$tmp/old.key" -days 3650 -out "$tmp/old-${key%:*}.pem" 2>/dev/null
done
{ printf '{"rsa":"'; digits "$tmp/old-rsa.pem"; printf '","list":"'; base64 -w0 crl/revoked; printf '","key":"'
	openssl req -in "$tmp/old.csr" -pubkey -noout | openssl pkey -pubin -outform DER | base64 -w0
	printf '","ec":"'; digits "$tmp/old-ec.pem" | sed 's,/,\\/,g'; printf '"}\n'; } >base64/old
{ printf 'data:\n  a.jceks: '; base64 -w0 jks/jceks; printf '\n  b.bks: '; base64 -w0 bks/bks
	printf '\n  c.bks: '; base64 -w0 bks/bks-v1; printf '\n'; } >base64/keystores

# Compressed in base64: a Helm release as it lies in its Secret, cloud-init, Terraform; a bomb, one cut off, a sketch
/usr/bin/python3 - "$tmp/leaf.pem" "$tmp/ca.pem" <<'EOF'
import base64, gzip, json, sys
leaf, ca = (open(f, "rb").read() for f in sys.argv[1:])
b64 = lambda b: base64.b64encode(b).decode()
packed = lambda b: b64(gzip.compress(b, mtime=0))
release = {"name": "web", "info": {"status": "deployed"}, "chart": {"metadata": {"name": "web"}, "templates": [
    {"name": "templates/secret.yaml", "data": b64(b"kind: Secret\ndata:\n  ca.crt: {{ .Values.ca }}\n")}],
    "files": [{"name": "certs/ca.pem", "data": b64(ca)}]},
    "manifest": "---\nkind: Secret\nmetadata:\n  name: web\ndata:\n  tls.crt: " + b64(leaf) + "\n", "version": 1}
helm = packed(json.dumps(release).encode())
open("base64/helm", "w").write("apiVersion: v1\ndata:\n  release: " + b64(helm.encode()) + "\nkind: Secret\nmetadata:\n"
    "  name: sh.helm.release.v1.web.v1\ntype: helm.sh/release.v1\n")
open("base64/helm.json", "w").write(json.dumps({"kind": "List", "items": [{"data": {"release": helm},
    "metadata": {"name": "sh.helm.release.v1.web.v1"}}]}, indent=4))
text = packed(b"# of nginx\n" + leaf + ca)
open("base64/cloud-gzip", "w").write("#cloud-config\nwrite_files:\n- encoding: gz+b64\n  content: !!binary |\n"
    + "".join("    " + text[i:i + 72] + "\n" for i in range(0, len(text), 72)) + "  path: /etc/x.pem\n")
open("base64/terraform-gzip", "w").write('user_data = "' + text + '"\n')
open("base64/gzip-bomb", "w").write("".join(f"{i}: " + packed(b"%d" % i * 9000000) + "\n" for i in range(9)))
open("base64/gzip-cut-off", "w").write("a: " + text[:300] + "\n")
open("base64/gzip-sketch", "w").write("a: " + text[:300] + "...\nb: H4sI\nc: xH4sIAAAAAAAC/wAAAAAAAAAAAAA\n")
EOF

# Keys that a password opens, in each way of lying in a text
openssl pkey -in "$tmp/leaf.key" -aes256 -passout pass:secret -out pem/locked-key
openssl pkcs8 -topk8 -in "$tmp/leaf.key" -passout pass:secret -outform DER -out der/locked-key
{ printf 'kind: Secret\ndata:\n  value: '; base64 -w0 base64/kubeconfig; printf '\n  jwks: >-\n'
	base64 -w64 base64/jwks | sed 's/^/    /'; printf '  saml: '; base64 -w0 xml/saml; printf '\n'; } >base64/texts
{ printf '{"a":"'; digits "$tmp/leaf.pem" | sed 's,/,\\u002f,g;s,+,\\u002B,g'; printf '","b":"'
	digits "$tmp/leaf.pem" | sed 's,/,%2F,g;s,+,%2b,g'; printf '"}\n'; } >base64/escaped
iconv -t UTF-16 base64/mobileconfig >base64/utf16
{ iconv -t UTF-16BE "$tmp/leaf.pem"; printf x; } >base64/utf16-be
iconv -t UTF-16 pem/locked-key >base64/utf16-locked
{ printf 'key: '; base64 -w0 pem/locked-key; printf '\n'; } >base64/locked-key
{ printf 'key: '; gzip -nc pem/locked-key | base64 -w0; printf '\n'; } >base64/locked-gzip

mkdir -p base64_gzip
{ printf '\001'; cat base64/secret; } >base64_gzip/twice
{ printf '\002'; cat "$tmp/leaf.pem"; } >base64_gzip/folded
{ printf '\004'; gzip -nc "$tmp/ca.pem"; } >base64_gzip/packed
{ printf '\007'; cat archive/nested | gzip -nc; } >base64_gzip/nested
{ printf '\006'; gzip -nc "$tmp/ca.pem" | head -c 200; } >base64_gzip/cut-off

mkdir -p outline
printf '{"a":[1,{"name":"b","c":[[{"d":"\\"' >outline/json
printf 'a:\n- b: |\n    x: y\n   z\n- - c\n  - "d": e\n---\nmetadata:\n  name: f\nk = v\n<ca>\nx\n</ca>\ndn: g\n h\n' >outline/lines
printf '<plist><dict><key>a</key><array><string>b</string><dict><key>PayloadDisplayName</key><string>c</string><data>' >outline/plist

# Windows' serialised stores: properties (a hash, a name), then what they are of
mkdir -p sst
python3 - der/leaf der/root crl/revoked <<'EOF'
import hashlib, struct, sys
leaf, root, crl = (open(f, "rb").read() for f in sys.argv[1:])
def entry(kind, value):
    return struct.pack("<III", kind, 1, len(value)) + value
def element(kind, der, name=None):
    named = entry(11, (name + "\0").encode("utf-16-le")) if name else b""
    return entry(3, hashlib.sha1(der).digest()) + named + entry(kind, der)
web = element(32, leaf, "W\u00e9bserver")
store = b"\0\0\0\0CERT" + element(32, root) + web + element(33, crl)
open("sst/store", "wb").write(store + bytes(12))
open("sst/element", "wb").write(web)
open("sst/cut-off", "wb").write(store[:len(store) - len(web) - 40])
open("sst/element-cut-off", "wb").write(web[:-40])
EOF

# UEFI signature lists and a PE file of nothing but headers and a signature
mkdir -p uefi pe
openssl cms -sign -in "$tmp/text" -signer "$tmp/leaf.pem" -inkey "$tmp/leaf.key" -outform DER -out "$tmp/cms"
python3 - der/leaf der/root "$tmp/cms" <<'EOF'
import struct, sys
leaf, root, cms = (open(f, "rb").read() for f in sys.argv[1:])
X509 = bytes.fromhex("a159c0a5e494a74a87b5ab155c2bf072")
SHA256 = bytes.fromhex("2616c4c14c509240aca941f936934328")
OWNER = bytes.fromhex("bd9afa775903324dbd6028f4e78f784b")
def lists(kind, items):
    size = 16 + len(items[0])
    return kind + struct.pack("<III", 28 + size * len(items), 0, size) + b"".join(OWNER + i for i in items)
esl = lists(X509, [root]) + lists(SHA256, [b"\1" * 32, b"\2" * 32]) + lists(X509, [leaf])
open("uefi/esl", "wb").write(esl)
open("uefi/variable", "wb").write(b"\x27\0\0\0" + esl)
open("uefi/auth", "wb").write(bytes(16) + struct.pack("<IHH", 24 + len(cms), 0x200, 0xef1) + bytes(16) + cms + esl)
open("uefi/cut-off", "wb").write(esl[:-30])
table = struct.pack("<IHH", 8 + len(cms), 0x200, 2) + cms
table += bytes(-len(table) % 8)
def pe(at):
    optional = struct.pack("<H", 0x20b) + bytes(106) + struct.pack("<I", 16) + bytes(32)
    optional += struct.pack("<II", at, len(table)) + bytes(88)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH", 0x8664, 0) + bytes(12)
    head += struct.pack("<HH", len(optional), 0x22) + optional
    return head.ljust(at, b"\0")
open("pe/signed", "wb").write(pe(512) + table)
open("pe/table", "wb").write(table)
open("pe/cut-off", "wb").write((pe(512) + table)[:-50])
EOF

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

# Files with what may open them, as the reader sends them: u8 kind (1 configuration, 2 passwords), a text, bytes; u8 0,
# the file. The place is file:///fuzz.
mkdir -p locked
/usr/bin/python3 - <<'EOF'
import struct
part = lambda b: struct.pack("<I", len(b)) + b
source = lambda kind, uri, b: bytes([kind]) + b"\1" + part(uri) + part(b)
store = open("pkcs12/pbes2", "rb").read()
xml = b"<Server><Connector port='1' keystoreFile='/fuzz' keystorePass='sec&#114;et'/></Server>"
lines = b"ssl.keystore.location=/fuzz\nssl.keystore.password=secret\nssl.truststore.location=/x\n"
yml = b"server:\n  ssl:\n    key-store: /fuzz\n    key-store-password: OBF:1vny1zlo1x8e1vnw1vn61x8g1zlu1vn4\n"
fly = b"<server xmlns='urn:jboss:domain:1'><key-store><credential-reference clear-text='secret'/><file path='/fuzz'/></key-store></server>"
open("locked/xml", "wb").write(source(1, b"file:///etc/x", xml) + b"\0" + store)
open("locked/all", "wb").write(source(1, b"file:///etc/x", lines) + source(1, b"file:///etc/y", yml)
    + source(1, b"file:///etc/z", fly) + source(2, b"file:///p", b"a\r\nsecret\n\n") + b"\0" + store)
open("locked/cut-off", "wb").write(source(2, b"file:///p", b"secret")[:-3])
EOF

# Trust stores, and certificates with issuers from elsewhere: of the DER above.
mkdir -p trust completion
python3 - <<'EOF'
import base64, struct
leaf, root = (open(f"der/{name}", "rb").read() for name in ("leaf", "root"))


def pem(label, der):
    return f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n"


def parts(der):
    """Serial number, issuer and SubjectPublicKeyInfo, with their headers."""
    def element(at):
        size, head = der[at + 1], 2
        if size & 0x80:
            head += size & 0x7F
            size = int.from_bytes(der[at + 2:at + head], "big")
        return head, at + head + size

    at = element(0)[0]
    at += element(at)[0]
    found = []
    while at < len(der) and len(found) < 7:
        end = element(at)[1]
        found.append(der[at:end])
        at = end
    return found[1], found[3], found[6]


def quoted(data):
    return '"' + "".join(f"%{byte:02x}" for byte in data) + '"'


mark = "[p11-kit-object-v1]\n"
serial, issuer, _ = parts(leaf)
files = {
    "trusted": mark + 'label: "Root"\ntrusted: true\nnss-server-distrust-after: "%32%36%30201000000Z"\n' + pem("CERTIFICATE", root),
    "distrusted": mark + "class: certificate\nx-distrusted: true\nvalue: " + quoted(root) + "\n" + pem("CERTIFICATE", leaf),
    "by-number": pem("CERTIFICATE", root) + pem("CERTIFICATE", leaf) + "\0" + mark +
                 f"class: certificate\nissuer: {quoted(issuer)}\nserial-number: {quoted(serial)}\nx-distrusted: true\n",
    "attached": mark + "trusted: true\n" + pem("CERTIFICATE", root) + mark +
                "class: x-certificate-extension\nobject-id: 2.5.29.30\nvalue: "
                '"%30%1a%06%03%55%1d%1e%04%13%30%11%a0%0f%30%0d%82%0bexample.org"\n' + pem("PUBLIC KEY", parts(root)[2]) + pem("CERTIFICATE", leaf),
    "openssl": pem("TRUSTED CERTIFICATE", root + bytes.fromhex("300c300a06082b06010505070301")) + pem("CERTIFICATE", leaf),
}
for name, text in files.items():
    with open(f"trust/{name}", "wb") as f:
        f.write(text.encode())


def case(purpose, certificate, issuers, shunned):
    sized = lambda data: struct.pack("<I", len(data)) + data
    return bytes([purpose]) + sized(certificate) + struct.pack("<II", len(issuers), shunned) + b"".join(map(sized, issuers))


for name, data in {"whole": case(1, leaf, [root], 0), "shunned": case(0, leaf, [root, leaf, root], 1), "alone": case(2, root, [], 0),
                   "cut-off": case(1, leaf, [root], 0)[:-9]}.items():
    with open(f"completion/{name}", "wb") as f:
        f.write(data)
EOF

# Tokens: URIs (RFC 7512), frames of a module's process (u32 length, u16 type, payload), what the role remembers; parts
# of lists of targets.
mkdir -p token_uri module discovery
printf 'pkcs11:token=My%%20token;manufacturer=Example;serial=01;object=web;id=%%01%%00%%ff;type=cert?pin-source=file:/etc/pin&module-name=softhsm2\npkcs11:token=My%%20token' >token_uri/full
printf 'pkcs11:\npkcs11:?module-path=/usr/lib/x.so' >token_uri/any
printf 'pkcs11:slot-id=1?pin-value=1234\npkcs11:object=a;object=b' >token_uri/forbidden
printf 'pkcs11:id=%%zz;x-own=1\npkcs11:library-version=3;library-description=%%00' >token_uri/odd
/usr/bin/python3 - <<'EOF'
import struct
some = lambda b: struct.pack("<I", len(b)) + b
text = lambda t: b"\1" + some(t.encode())
frame = lambda kind, b=b"": struct.pack("<IH", len(b), kind) + b
der = open("der/leaf", "rb").read()
certificate = text("pkcs11:token=t;object=a") + text("a") + b"\0" + b"\0" + some(der)
told = frame(1, text("pkcs11:token=t")) + frame(3, text("pkcs11:token=t") + b"\4" + text("why")) + frame(4,
    text("pkcs11:token=t") + text("stamp")) + frame(5, certificate) * 2 + frame(6)
open("module/whole", "wb").write(b"\0" + told + frame(7))
open("module/cut-off", "wb").write(b"\0" + told[:-9])
open("module/disorder", "wb").write(b"\0" + frame(5, certificate) + frame(6) + frame(2, struct.pack("<I", 7)) + frame(99))
strings = lambda *t: struct.pack("<I", len(t)) + b"".join(text(i) for i in t)
open("module/memory", "wb").write(b"\1\1" + strings("pkcs11:token=a") + strings("stamp") + strings("/m.so") + strings("pkcs11:token=b"))
open("module/work", "wb").write(b"\2\1" + strings("/m.so") + struct.pack("<II", 1, 1) + text("pkcs11:token=a") + text("1234")
    + text("stamp") + b"\0" + b"\0\0\0" + strings() + b"\0" + struct.pack("<q", 1000) + b"\0")
open("discovery/part", "wb").write(b"\0" + struct.pack("<H", 1) + b"\1\0" + some(b"a.example:443\n[::1]:8443\n"))
open("discovery/settings", "wb").write(b"\1" + struct.pack("<I", 1) + text("https://x/") + b"\0" * 5 + struct.pack("<q", 1000))
EOF
