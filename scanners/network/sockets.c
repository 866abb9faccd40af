/* The kernel's listening sockets: sock_diag first, /proc/net where there is none. */
#include "scanners/network/sockets.h"

#include "agent/base/log.h"
#include "agent/base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define LINE_BYTES_MAX 512
#define STATE_LISTEN 10 /* TCP_LISTEN of include/net/tcp_states.h */
#define STATE_LISTEN_HEX "0A"
#define STATE_OPEN 7 /* TCP_CLOSE: of UDP, not connected to anybody */
#define STATE_OPEN_HEX "07"
#define PORT_RANGE_PATH "/proc/sys/net/ipv4/ip_local_port_range"
#define ANSWER_BYTES (32 * 1024)
#define ANSWER_WAIT_S 2
#define SOCKETS_FIRST 64

static enum err add(struct sockets *s, const struct listening_socket *found)
{
	/* Doubles at each power of two from SOCKETS_FIRST on. */
	bool is_full = s->count == 0 || (s->count >= SOCKETS_FIRST && !(s->count & (s->count - 1)));

	if (s->count == SOCKETS_MAX)
		return ERR_LIMIT;
	if (is_full) {
		size_t room = s->count ? 2 * s->count : SOCKETS_FIRST;
		struct listening_socket *items = reallocarray(s->items, room, sizeof(*items));

		if (!items)
			return ERR_MEMORY;
		s->items = items;
	}
	s->items[s->count++] = *found;
	return ERR_OK;
}

void sockets_fini(struct sockets *s)
{
	free(s->items);
	*s = (struct sockets){ 0 };
}

/* ---- sock_diag -------------------------------------------------------------------------------- */

static uint8_t state_of(const struct sockets_kind *kind)
{
	return kind->is_datagram ? STATE_OPEN : STATE_LISTEN;
}

static bool send_question(int fd, const struct sockets_kind *kind)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 question;
	} message = {
		.head = { .nlmsg_len = sizeof(message),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.question = { .sdiag_family = (uint8_t)kind->family,
			.sdiag_protocol = kind->is_datagram ? IPPROTO_UDP : IPPROTO_TCP,
			.idiag_states = UINT32_C(1) << state_of(kind) },
	};
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(fd, &message, sizeof(message), 0, (struct sockaddr *)&kernel,
		       sizeof(kernel)) == (ssize_t)sizeof(message);
}

static enum err take_socket(
	const struct nlmsghdr *head, const struct sockets_kind *kind, struct sockets *out)
{
	const struct inet_diag_msg *m = NLMSG_DATA(head);
	struct listening_socket found = { .family = kind->family,
		.is_datagram = kind->is_datagram };

	if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*m)) || m->idiag_family != kind->family ||
		m->idiag_state != state_of(kind) || !m->id.idiag_sport || m->id.idiag_dport)
		return ERR_OK;
	memcpy(&found.address, m->id.idiag_src, sizeof(found.address));
	found.port = ntohs(m->id.idiag_sport);
	found.interface = m->id.idiag_if;
	found.inode = m->idiag_inode;
	return add(out, &found);
}

/* One datagram of the answer; `*is_over` when it was the last. */
static enum err take_answer(const struct nlmsghdr *head, size_t size,
	const struct sockets_kind *kind, struct sockets *out, bool *is_over)
{
	enum err e = ERR_OK;

	while (e == ERR_OK && size >= sizeof(*head) && head->nlmsg_len >= sizeof(*head) &&
		head->nlmsg_len <= size) {
		size_t step = NLMSG_ALIGN((size_t)head->nlmsg_len);

		if (head->nlmsg_type == NLMSG_DONE) {
			*is_over = true;
			return ERR_OK;
		}
		/* A kernel without the module for this family. */
		if (head->nlmsg_type == NLMSG_ERROR)
			return ERR_UNSUPPORTED;
		if (head->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			e = take_socket(head, kind, out);
		if (step >= size)
			break;
		size -= step;
		head = (const void *)((const uint8_t *)head + step);
	}
	return e;
}

static enum err read_answers(
	int fd, const struct sockets_kind *kind, struct sockets *out, struct why *why)
{
	union {
		struct nlmsghdr head;
		uint8_t bytes[ANSWER_BYTES];
	} answer;
	bool is_over = false;
	enum err e = ERR_OK;

	while (e == ERR_OK && !is_over) {
		struct sockaddr_nl from = { 0 };
		socklen_t from_size = sizeof(from);
		ssize_t size = recvfrom(fd, &answer, sizeof(answer), MSG_TRUNC,
			(struct sockaddr *)&from, &from_size);

		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0 || (size_t)size > sizeof(answer))
			return why_fail(why, ERR_IO, "sock_diag: %s",
				size < 0 ? strerror(errno) : "an answer that is cut off");
		/* Only the kernel has port 0. */
		if (from.nl_pid == 0)
			e = take_answer(&answer.head, (size_t)size, kind, out, &is_over);
	}
	return e;
}

enum err sockets_ask(const struct sockets_kind *kind, struct sockets *out, struct why *why)
{
	const struct timeval wait = { .tv_sec = ANSWER_WAIT_S };
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	enum err e;

	if (fd < 0)
		return ERR_UNSUPPORTED;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	e = send_question(fd, kind) ? read_answers(fd, kind, out, why) : ERR_UNSUPPORTED;
	(void)close(fd);
	return e;
}

/* ---- /proc/net -------------------------------------------------------------------------------- */

/* "0100007F" or 32 such digits: the address as words of the host's byte order, each in hex. */
static bool read_address(const char *hex, int family, struct in6_addr *out)
{
	size_t words = family == AF_INET ? 1 : 4;
	uint32_t *to = out->s6_addr32;

	if (strlen(hex) != 8 * words)
		return false;
	for (size_t i = 0; i < words; i++) {
		uint8_t bytes[4];
		char digits[9] = { 0 };

		memcpy(digits, hex + 8 * i, 8);
		if (!text_unhex(bytes, sizeof(bytes), digits))
			return false;
		to[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
			(uint32_t)bytes[2] << 8 | bytes[3];
	}
	return true;
}

static bool read_port(const char *hex, uint16_t *out)
{
	uint8_t bytes[2];

	if (strlen(hex) != 4 || !text_unhex(bytes, sizeof(bytes), hex))
		return false;
	*out = (uint16_t)(bytes[0] << 8 | bytes[1]);
	return *out != 0;
}

/* number, local, remote, state, queues, timer, retransmits, uid, timeout, inode */
enum { FIELD_LOCAL = 1, FIELD_STATE = 3, FIELD_INODE = 9, FIELDS };

/* "  0: 0100007F:1F90 00000000:0000 0A ..." */
static enum err read_line(char *line, const struct sockets_kind *kind, struct sockets *out)
{
	struct listening_socket found = { .family = kind->family,
		.is_datagram = kind->is_datagram };
	const char *state = kind->is_datagram ? STATE_OPEN_HEX : STATE_LISTEN_HEX;
	char *fields[FIELDS] = { 0 };
	char *rest = line;
	char *colon;

	for (size_t i = 0; i < FIELDS && rest; i++) {
		do {
			fields[i] = strsep(&rest, " \n");
		} while (fields[i] && !*fields[i]);
	}
	if (!fields[FIELD_STATE] || strcmp(fields[FIELD_STATE], state) != 0)
		return ERR_OK;
	colon = strchr(fields[FIELD_LOCAL], ':');
	if (!colon)
		return ERR_OK;
	*colon = '\0';
	if (!read_address(fields[FIELD_LOCAL], kind->family, &found.address) ||
		!read_port(colon + 1, &found.port))
		return ERR_OK;
	if (fields[FIELD_INODE])
		found.inode = strtoull(fields[FIELD_INODE], NULL, 10);
	return add(out, &found);
}

enum err sockets_read_table(FILE *table, const struct sockets_kind *kind, struct sockets *out)
{
	char line[LINE_BYTES_MAX];
	enum err e = ERR_OK;
	size_t count = 0;

	for (; e == ERR_OK && count < SOCKETS_LINES_MAX && fgets(line, sizeof(line), table);
		count++)
		e = read_line(line, kind, out);
	if (count == SOCKETS_LINES_MAX)
		log_warn(
			"of a table of this host's sockets %d lines are read; there may be more listening ones",
			SOCKETS_LINES_MAX);
	return e;
}

static enum err read_table(
	const char *path, const struct sockets_kind *kind, struct sockets *out, struct why *why)
{
	FILE *table = fopen(path, "re");
	enum err e;

	if (!table) {
		/* A kernel without IPv6 has no such table. */
		if (errno == ENOENT && kind->family == AF_INET6)
			return ERR_OK;
		return why_fail(why, ERR_IO, "%s: %s", path, strerror(errno));
	}
	e = sockets_read_table(table, kind, out);
	(void)fclose(table);
	return e;
}

/* ---- both ------------------------------------------------------------------------------------- */

/* The ports that the kernel gives to who binds none. */
static void read_port_range(unsigned long *first, unsigned long *last)
{
	char line[LINE_BYTES_MAX] = "";
	FILE *f = fopen(PORT_RANGE_PATH, "re");
	char *rest = line;

	*first = 32768;
	*last = 60999;
	if (!f)
		return;
	if (fgets(line, sizeof(line), f)) {
		*first = strtoul(line, &rest, 10);
		*last = strtoul(rest, NULL, 10);
	}
	(void)fclose(f);
}

static void leave_out_clients(struct sockets *s)
{
	unsigned long first, last;
	size_t kept = 0;

	read_port_range(&first, &last);
	for (size_t i = 0; i < s->count; i++) {
		const struct listening_socket *one = &s->items[i];

		if (!one->is_datagram || one->port < first || one->port > last)
			s->items[kept++] = *one;
	}
	s->count = kept;
}

enum err sockets_read(struct sockets *out, struct why *why)
{
	static const struct {
		struct sockets_kind kind;
		const char *table;
	} ways[] = { { { AF_INET, false }, "/proc/net/tcp" },
		{ { AF_INET6, false }, "/proc/net/tcp6" }, { { AF_INET, true }, "/proc/net/udp" },
		{ { AF_INET6, true }, "/proc/net/udp6" } };
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < sizeof(ways) / sizeof(ways[0]); i++) {
		size_t before = out->count;

		e = sockets_ask(&ways[i].kind, out, NULL);
		if (e == ERR_UNSUPPORTED || e == ERR_IO) {
			out->count = before;
			e = read_table(ways[i].table, &ways[i].kind, out, why);
		}
	}
	if (e == ERR_OK)
		leave_out_clients(out);
	if (e == ERR_LIMIT)
		return why_fail(why, e, "more than %d listening sockets", SOCKETS_MAX);
	return e;
}
