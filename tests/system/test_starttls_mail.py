"""STARTTLS and kin against the real servers: the chain is recorded, in both TLS versions, and who offers none says so."""
import unittest

import servers
from starttls import StarttlsCase


class Starttls(StarttlsCase):
    def test_smtp_postfix(self):
        self.check(servers.Postfix)

    def test_imap_pop3_sieve_lmtp_dovecot(self):
        self.check(servers.Dovecot)

    def test_ftp_vsftpd(self):
        self.check(servers.Vsftpd)

    def test_ldap_slapd(self):
        self.check(servers.Slapd)

    def test_xmpp_and_xmpp_server_prosody(self):
        self.check(servers.Prosody)


if __name__ == "__main__":
    unittest.main()
