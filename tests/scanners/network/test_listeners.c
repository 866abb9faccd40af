/* Listening sockets to listeners with their processes, and the scanner that plans from them. */
#include "scanners/network/item.h"
#include "scanners/network/listeners.h"
#include "scanners/scanner.h"

#include "proc.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

extern const struct scanner listeners_scanner;

static struct listening_socket sock(const char *address, uint16_t port, uint64_t inode)
{
	struct listening_socket s = { .port = port, .inode = inode };

	s.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(s.family, address, &s.address), 1);
	return s;
}

static void test_places(void **state)
{
	struct listening_socket items[] = {
		sock("0.0.0.0", 443, 1),
		sock("::", 443, 2), /* the same process: a twin */
		sock("0.0.0.0", 80, 3),
		sock("::", 80, 4), /* another process */
		sock("127.0.0.1", 8080, 5),
		sock("10.0.0.10", 22, 6),
		sock("::", 25, 7),
		sock("2001:db8::1", 81, 8),
		sock("::ffff:127.0.0.1", 82, 9),
		sock("fe80::1", 83, 10), /* of no known interface: there is no way to it */
		sock("fe80::2", 83, 11),
	};
	static const struct {
		const char *host;
		uint16_t port;
		uint32_t pid;
	} wanted[] = {
		{ "10.0.0.10", 22, 0 },
		{ "127.0.0.1", 80, 20 },
		{ "127.0.0.1", 443, 10 },
		{ "127.0.0.1", 8080, 0 },
		{ "::1", 25, 0 },
		{ "::1", 80, 21 },
		{ "2001:db8::1", 81, 0 },
		{ "127.0.0.1", 82, 0 },
		{ "fe80::2%lo", 83, 0 },
	};
	struct sockets sockets = { .items = items, .count = sizeof(items) / sizeof(items[0]) };
	const struct socket_units units = { 0 };
	struct listeners l = { 0 };
	struct proc p;

	(void)state;
	items[10].interface = if_nametoindex("lo");
	assert_int_not_equal(items[10].interface, 0);
	proc_new(&p);
	proc_add(&p, 10, "nginx", 5, NULL);
	proc_link(&p, 10, "fd/1", "socket:[1]");
	proc_link(&p, 10, "fd/2", "socket:[2]");
	proc_add(&p, 20, "old", 5, NULL);
	proc_link(&p, 20, "fd/1", "socket:[3]");
	proc_add(&p, 21, "new", 5, NULL);
	proc_link(&p, 21, "fd/1", "socket:[4]");
	assert_int_equal(listeners_from(&sockets, &units, p.root, &l, NULL), ERR_OK);
	assert_int_equal(l.count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < l.count; i++) {
		assert_string_equal(l.items[i].host, wanted[i].host);
		assert_int_equal(l.items[i].port, wanted[i].port);
		assert_int_equal(l.items[i].process.pid, wanted[i].pid);
	}
	assert_int_equal(l.unowned, 0);
	listeners_fini(&l);
	proc_free(&p);
}

/* SO_REUSEPORT: a socket a worker, the oldest process is the one, the youngest tells of a reload. */
static void test_shared_port(void **state)
{
	struct listening_socket items[] = { sock("0.0.0.0", 443, 30), sock("0.0.0.0", 443, 10),
		sock("0.0.0.0", 443, 20) };
	struct sockets sockets = { .items = items, .count = 3 };
	const struct socket_units units = { 0 };
	struct listeners l = { 0 };
	struct proc p;

	(void)state;
	proc_new(&p);
	proc_add(&p, 7, "haproxy", 70, NULL);
	proc_link(&p, 7, "fd/1", "socket:[10]");
	proc_add(&p, 8, "haproxy", 60, NULL);
	proc_link(&p, 8, "fd/1", "socket:[20]");
	proc_add(&p, 9, "haproxy", 90, NULL);
	proc_link(&p, 9, "fd/1", "socket:[30]");
	assert_int_equal(listeners_from(&sockets, &units, p.root, &l, NULL), ERR_OK);
	assert_int_equal(l.count, 1);
	assert_int_equal(l.items[0].process.pid, 8);
	assert_int_equal(l.items[0].process.worker_started, PROC_BOOTED + 90);
	listeners_fini(&l);
	proc_free(&p);
}

/* What systemd alone holds is its .socket unit's; a service that has it too is the one. */
static void test_socket_activation(void **state)
{
	struct listening_socket items[] = { sock("::", 22, 1), sock("::", 631, 2),
		sock("::", 99, 3) };
	struct sockets sockets = { .items = items, .count = 3 };
	char name[] = "ssh.socket";
	char *names[] = { name };
	struct unit_address addresses[] = { { .is_any = true, .port = 22 },
		{ .is_any = true, .port = 631 } };
	const struct socket_units units = {
		.names = { .items = names, .count = 1 }, .items = addresses, .count = 2
	};
	struct listeners l = { 0 };
	struct proc p;

	(void)state;
	proc_new(&p);
	proc_add(&p, 1, "systemd", 1, "0::/init.scope\n");
	proc_link(&p, 1, "fd/1", "socket:[1]");
	proc_link(&p, 1, "fd/2", "socket:[2]");
	proc_link(&p, 1, "fd/3", "socket:[3]");
	proc_add(&p, 30, "cupsd", 9, "0::/system.slice/cups.service\n");
	proc_link(&p, 30, "fd/3", "socket:[2]");
	assert_int_equal(listeners_from(&sockets, &units, p.root, &l, NULL), ERR_OK);
	assert_int_equal(l.count, 3);
	assert_string_equal(l.items[0].process.unit, "ssh.socket");
	assert_int_equal(l.items[0].process.pid, 1);
	assert_int_equal(l.items[1].port, 99);
	assert_null(l.items[1].process.unit);
	assert_string_equal(l.items[2].process.unit, "cups.service");
	listeners_fini(&l);
	proc_free(&p);
}

/* A socket that this test opens is in the plan, once, as this process's. */
static void test_plan(void **state)
{
	const struct scanner *s = &listeners_scanner;
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_ANY) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char wanted[64];
	struct scan_item item;
	void *plan = NULL;
	uint64_t expected = 0, count = 0, found = 0;
	enum err e;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	(void)snprintf(wanted, sizeof(wanted), "tls://127.0.0.1:%u", ntohs(address.sin_port));
	assert_true(s->accepts("listeners:"));
	assert_false(s->accepts("listeners:x"));
	assert_int_equal(s->open(NULL, NULL, &plan, &expected, NULL), ERR_OK);
	while ((e = s->next(plan, &item, NULL)) == ERR_OK) {
		struct target target;

		assert_int_equal(target_decode(buffer_bytes(&item.item), &target), ERR_OK);
		if (target.complaint) {
			/* Said of others' sockets, where this user may not look. */
			assert_int_equal(target.complaint_kind, COMPLAINT_DENIED);
			assert_string_equal(item.place, "listeners:");
		} else {
			assert_true(target.is_quiet);
			count++;
		}
		if (strcmp(item.place, wanted) == 0) {
			assert_int_equal(target.process.pid, (uint32_t)getpid());
			found++;
		}
		target_fini(&target);
		free(item.place);
		buffer_fini(&item.item);
	}
	assert_int_equal(e, ERR_END);
	assert_int_equal(count, expected);
	assert_int_equal(found, 1);
	s->close(plan);
	s->close(NULL);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_shared_port),
		cmocka_unit_test(test_socket_activation),
		cmocka_unit_test(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
