/* The kernel's listening sockets: its tables as text, and what it says of itself. */
#include "scanners/network/sockets.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct sockets_kind tcp = { .family = AF_INET };
static const struct sockets_kind tcp6 = { .family = AF_INET6 };
static const struct sockets_kind udp = { .family = AF_INET, .is_datagram = true };

static const char udp_table[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	" 100: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 53 2\n"
	" 101: 0100007F:9C40 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 54 2\n";

static const char v4_table[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	"   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
	"   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1\n"
	"   2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 3 1\n"
	"   3: 0A00000A:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n"
	"   5: 0100007F 00000000:0000 0A\n"
	"   6: ZZ00007F:0001 00000000:0000 0A\n"
	"   7: 0100007F:00000001 00000000:0000 0A\n"
	"   8: 0100007F:0000 00000000:0000 0A\n"
	"   9:\n"
	"\n"
	"garbage";

static const char v6_table[] =
	"  sl  local_address                         remote_address                        st\n"
	"   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A x\n"
	"   2: B80D0120000000000000000001000000:0051 00000000000000000000000000000000:0000 0A x\n"
	"   4: 000080FE000000000000000001000000:0053 00000000000000000000000000000000:0000 0A x\n"
	"   5: 0000000000:0054 00000000000000000000000000000000:0000 0A x\n";

static FILE *table(const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(f);
	return f;
}

static void test_tables(void **state)
{
	static const struct {
		int family;
		const char *address;
		uint16_t port;
		uint64_t inode;
	} wanted[] = {
		{ AF_INET, "0.0.0.0", 443, 1 },
		{ AF_INET, "127.0.0.1", 8080, 2 },
		{ AF_INET, "10.0.0.10", 22, 4711 },
		{ AF_INET6, "::", 443, 0 },
		{ AF_INET6, "2001:db8::1", 81, 0 },
		{ AF_INET6, "fe80::1", 83, 0 },
	};
	struct sockets s = { 0 };
	FILE *v4 = table(v4_table), *v6 = table(v6_table);

	(void)state;
	assert_int_equal(sockets_read_table(v4, &tcp, &s), ERR_OK);
	assert_int_equal(sockets_read_table(v6, &tcp6, &s), ERR_OK);
	assert_int_equal(s.count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < s.count; i++) {
		char text[INET6_ADDRSTRLEN];

		assert_int_equal(s.items[i].family, wanted[i].family);
		assert_non_null(
			inet_ntop(s.items[i].family, &s.items[i].address, text, sizeof(text)));
		assert_string_equal(text, wanted[i].address);
		assert_int_equal(s.items[i].port, wanted[i].port);
		assert_int_equal(s.items[i].inode, wanted[i].inode);
	}
	sockets_fini(&s);
	(void)fclose(v4);
	(void)fclose(v6);
}

/* Of UDP those that are connected to somebody are clients. */
static void test_datagrams(void **state)
{
	struct sockets s = { 0 };
	FILE *f = table(udp_table);

	(void)state;
	assert_int_equal(sockets_read_table(f, &udp, &s), ERR_OK);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.items[0].port, 53);
	assert_int_equal(s.items[0].inode, 53);
	assert_true(s.items[0].is_datagram);
	sockets_fini(&s);
	(void)fclose(f);
}

/* One that this test opens is told by both ways; of what the kernel chose the port of, nothing is said. */
static void test_live_datagrams(void **state)
{
	struct sockaddr_in named = { .sin_family = AF_INET };
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockets s = { 0 };
	socklen_t size = sizeof(any);
	size_t found = 0, clients = 0;
	struct stat st;
	uint16_t port = 20000;

	(void)state;
	named.sin_addr.s_addr = any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	do {
		named.sin_port = htons(++port);
	} while (bind(fd, (struct sockaddr *)&named, sizeof(named)) != 0 && port < 30000);
	assert_int_equal(bind(other, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(other, (struct sockaddr *)&any, &size), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(sockets_read(&s, NULL), ERR_OK);
	for (size_t i = 0; i < s.count; i++) {
		found += s.items[i].is_datagram && s.items[i].port == port &&
			 s.items[i].inode == st.st_ino;
		clients += s.items[i].is_datagram && s.items[i].port == ntohs(any.sin_port);
	}
	assert_int_equal(found, 1);
	assert_int_equal(clients, 0);
	sockets_fini(&s);
	(void)close(fd);
	(void)close(other);
}

static void test_bounded(void **state)
{
	struct sockets s = { 0 };
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	for (unsigned i = 0; i < SOCKETS_MAX + 1; i++)
		(void)fprintf(f, "%u: %02X%02X%02X0A:0001 00000000:0000 0A\n", i, i & 255,
			i >> 8 & 255, i >> 16);
	rewind(f);
	assert_int_equal(sockets_read_table(f, &tcp, &s), ERR_LIMIT);
	assert_int_equal(s.count, SOCKETS_MAX);
	sockets_fini(&s);
	(void)fclose(f);
}

static size_t count_of(const struct sockets *s, int family, uint16_t port, uint64_t inode)
{
	size_t n = 0;

	for (size_t i = 0; i < s->count; i++)
		n += s->items[i].family == family && s->items[i].port == port &&
		     s->items[i].inode == inode;
	return n;
}

/* A socket that this test opens is told by both ways, with its inode. */
static void test_live(void **state)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	socklen_t size = sizeof(v4);
	socklen_t size6 = sizeof(v6);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int fd6 = socket(AF_INET6, SOCK_STREAM, 0);
	struct stat st;
	struct stat st6;
	struct sockets by_table = { 0 };
	struct sockets s = { 0 };
	FILE *f = fopen("/proc/net/tcp", "re");
	bool has_v6;
	enum err e;

	(void)state;
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&v4, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&v4, &size), 0);
	assert_int_equal(fstat(fd, &st), 0);
	has_v6 = fd6 >= 0 && bind(fd6, (struct sockaddr *)&v6, size6) == 0 && listen(fd6, 1) == 0 &&
		 getsockname(fd6, (struct sockaddr *)&v6, &size6) == 0 && fstat(fd6, &st6) == 0;
	assert_int_equal(sockets_read(&s, NULL), ERR_OK);
	assert_int_equal(count_of(&s, AF_INET, ntohs(v4.sin_port), st.st_ino), 1);
	if (has_v6)
		assert_int_equal(count_of(&s, AF_INET6, ntohs(v6.sin6_port), st6.st_ino), 1);
	else
		print_message("no IPv6 here: skipped in part\n");
	sockets_fini(&s);
	e = sockets_ask(&tcp, &s, NULL);
	if (e == ERR_OK)
		assert_int_equal(count_of(&s, AF_INET, ntohs(v4.sin_port), st.st_ino), 1);
	else
		print_message("this kernel has no sock_diag: skipped in part\n");
	assert_non_null(f);
	assert_int_equal(sockets_read_table(f, &tcp, &by_table), ERR_OK);
	assert_int_equal(count_of(&by_table, AF_INET, ntohs(v4.sin_port), st.st_ino), 1);
	(void)fclose(f);
	sockets_fini(&s);
	sockets_fini(&by_table);
	(void)close(fd);
	(void)close(fd6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_live_datagrams),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
