"""STARTTLS and kin against the real servers: the chain is recorded, in both TLS versions, and who offers none says so."""
import unittest

import servers
import tds_server
from starttls import StarttlsCase


class Starttls(StarttlsCase):
    def test_nntp_nnrpd(self):
        self.check(servers.Nnrpd)

    def test_irc_inspircd(self):
        self.check(servers.Inspircd)

    def test_telnet_telnetd_ssl(self):
        self.check(servers.Telnetd, self.pki.make("localhost", self.middle, names=["localhost"], rsa=2048))

    def test_postgres_postgresql(self):
        self.check(servers.Postgres)

    def test_mysql_mariadb(self):
        self.check(servers.Mariadb)

    def test_rdp_xrdp(self):
        self.check(servers.Xrdp)

    def test_tds(self):
        self.check(tds_server.Tds)

    def test_tds_packets_of_every_size_and_word(self):
        server = tds_server.Tds(self, self.server)
        for packet in (9, 13, 512):
            server.packet = packet
            self.check_chain(self.look(server.uri), [server.uri], self.server)
        server.packet = tds_server.PACKET_BYTES
        for word in (tds_server.ENCRYPT_OFF, tds_server.ENCRYPT_REQ):
            server.encryption = word
            self.check_chain(self.look(server.uri), [server.uri], self.server)
        # What we say first says that we want encryption, and no more of our packets came after the handshake.
        self.assertIn(tds_server.ENCRYPT_ON, server.heard)
        self.assertIn("close_notify", server.heard)
        self.assertNotIn("packet of type", str(server.heard))


if __name__ == "__main__":
    unittest.main()
