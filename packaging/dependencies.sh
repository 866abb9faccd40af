# Which Debian packages are needed for what, and a function that installs the missing ones. Sourced.

build_packages="build-essential cmake ninja-build pkg-config git
libgnutls28-dev libcurl4-gnutls-dev libcjson-dev libuv1-dev libc-ares-dev libsqlite3-dev
libmicrohttpd-dev libyaml-dev libcap-ng-dev libarchive-dev zlib1g-dev libpsl-dev nettle-dev"

# What the tests are built with, and what they meet when they run.
test_build_packages="libcmocka-dev python3 mold xz-utils"
test_packages="clang libclang-rt-14-dev clang-format clang-tidy openssl gnutls-bin
nginx-light prometheus curl procps iproute2 ca-certificates default-jre-headless
apache2 haproxy postfix dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-managesieved
vsftpd slapd ldap-utils postgresql mariadb-server redis-server stunnel4 etcd-server prosody ngircd
xrdp telnetd-ssl inspircd unbound tinyproxy microsocks
tomcat10-user softhsm2 opensc p11-kit p11-kit-modules libp11-kit-dev libnss3-tools gnupg gpgsm openssh-client
python3-cryptography prometheus-alertmanager prometheus-blackbox-exporter jq zstd lz4 ncompress rpm cpio zip bzip2 apksigner
swtpm tpm2-tools tpm2-abrmd libtpm2-pkcs11-1 libtpm2-pkcs11-tools libtss2-tcti-tabrmd0 dbus"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		echo "This needs root or sudo: $*" >&2
		return 1
	fi
}

# install_missing PACKAGE...: asks apt only for what is not there.
install_missing() {
	missing=
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
			missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	echo "==> installing:$missing"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
	# No service is to start by itself on this host: tests start their own, on ports of their own.
	policy=/usr/sbin/policy-rc.d
	made_policy=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
		made_policy=yes
	fi
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
	installed=$?
	[ -z "$made_policy" ] || as_root rm -f "$policy"
	return $installed
}
