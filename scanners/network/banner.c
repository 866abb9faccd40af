/* Names for what answers on a port without speaking TLS. */
#include "scanners/network/banner.h"

#include "agent/base/text.h"

#include <stdio.h>

#define SHOWN_BYTES_MAX 40

/* Record types from change_cipher_spec to application_data, and the major version of all of TLS. */
#define RECORD_TYPE_MIN 20
#define RECORD_TYPE_MAX 23
#define RECORD_MAJOR 3
#define DATAGRAM_MAJOR 0xfe

static const struct {
	const char *prefix;
	const char *name;
} banners[] = {
	{ "HTTP/", "HTTP without TLS" },
	{ "SSH-", "SSH" },
	{ "+OK", "POP3 without TLS" },
	{ "* OK", "IMAP without TLS" },
	{ "* PREAUTH", "IMAP without TLS" },
	{ "RFB ", "VNC" },
	{ "<?xml", "XMPP without TLS" },
	{ "<stream", "XMPP without TLS" },
	{ "-ERR", "Redis without TLS" },
	{ "AMQP", "AMQP without TLS" },
	{ "\"IMPLEMENTATION\"", "ManageSieve without TLS" },
	{ "@RSYNCD:", "rsync" },
	{ "INFO {", "NATS without TLS" },
	{ "\xff", "telnet" },
	{ "200 ", "NNTP without TLS" },
	{ "201 ", "NNTP without TLS" },
	{ "220 ", "SMTP or FTP without TLS" },
	{ "220-", "SMTP or FTP without TLS" },
	{ "421 ", "SMTP or FTP without TLS" },
	{ "554 ", "SMTP without TLS" },
	{ "554-", "SMTP without TLS" },
};

bool banner_is_not_tls(struct slice head)
{
	if (head.size == 0)
		return false;
	if (head.data[0] < RECORD_TYPE_MIN || head.data[0] > RECORD_TYPE_MAX)
		return true;
	return head.size > 1 && head.data[1] != RECORD_MAJOR;
}

bool banner_is_not_dtls(struct slice head)
{
	if (head.size == 0)
		return false;
	if (head.data[0] < RECORD_TYPE_MIN || head.data[0] > RECORD_TYPE_MAX)
		return true;
	return head.size > 1 && head.data[1] != DATAGRAM_MAJOR;
}

/* A MySQL packet: u24 length, sequence 0, protocol 10 or an error (0xff). */
static bool is_mysql(struct slice head)
{
	return head.size >= 5 && head.data[2] == 0 && head.data[3] == 0 &&
	       (head.data[4] == 0x0a || head.data[4] == 0xff);
}

static const char *name_of(struct slice head)
{
	for (size_t i = 0; i < sizeof(banners) / sizeof(banners[0]); i++)
		if (slice_starts(head, banners[i].prefix, strlen(banners[i].prefix)))
			return banners[i].name;
	return is_mysql(head) ? "MySQL without TLS" : NULL;
}

void banner_describe(struct slice head, char *out, size_t size)
{
	const char *name = name_of(head);
	struct buffer shown;

	buffer_init(&shown, (size_t)4 * SHOWN_BYTES_MAX + 1);
	if (head.size > SHOWN_BYTES_MAX)
		head.size = SHOWN_BYTES_MAX;
	text_escape(&shown, head);
	if (name)
		(void)snprintf(out, size, "it looks like %s: \"%s\"", name, buffer_string(&shown));
	else
		(void)snprintf(
			out, size, "the answer is no TLS record: \"%s\"", buffer_string(&shown));
	buffer_fini(&shown);
}
