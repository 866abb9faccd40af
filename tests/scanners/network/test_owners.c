/* Sockets to processes, in a made-up /proc and in the real one. */
#include "scanners/network/owners.h"

#include "proc.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

static void test_master_and_workers(void **state)
{
	static const uint64_t inodes[] = { 100, 200, 300, 400 };
	struct owners o = { 0 };
	struct proc p;

	(void)state;
	proc_new(&p);
	proc_add(&p, 1, "systemd", 1, "0::/init.scope\n");
	proc_link(&p, 1, "fd/5", "socket:[200]");
	proc_link(&p, 1, "fd/6", "socket:[300]");
	proc_add(&p, 40, "nginx", 90, "0::/system.slice/nginx.service\n");
	proc_add(&p, 30, "nginx", 50, "0::/system.slice/nginx.service\n");
	proc_add(&p, 41, "nginx", 95, "0::/system.slice/nginx.service\n");
	for (unsigned pid = 40; pid; pid = pid == 40 ? 30 : pid == 30 ? 41 : 0) {
		proc_link(&p, pid, "fd/3", "/dev/null");
		proc_link(&p, pid, "fd/6", "socket:[100]");
		proc_link(&p, pid, "fd/7", "socket:[100]");
		proc_link(&p, pid, "fd/8", "pipe:[100]");
	}
	proc_add(&p, 50, "evil ) S 7 (x", 60, NULL);
	proc_link(&p, 50, "fd/0", "socket:[200]");
	assert_int_equal(owners_find(p.root, inodes, 4, &o, NULL), ERR_OK);
	assert_int_equal(o.denied, 0);
	/* The master. */
	assert_int_equal(o.items[0].pid, 30);
	assert_string_equal(o.items[0].name, "nginx");
	assert_string_equal(o.items[0].unit, "nginx.service");
	assert_null(o.items[0].container);
	assert_int_equal(o.items[0].started, PROC_BOOTED + 50);
	assert_int_equal(o.items[0].worker_started, PROC_BOOTED + 95);
	/* The service, not the init that opened its socket. */
	assert_int_equal(o.items[1].pid, 50);
	assert_string_equal(o.items[1].name, "evil ) S 7 (x");
	assert_null(o.items[1].unit);
	assert_int_equal(o.items[1].worker_started, TIME_UNKNOWN);
	/* Nobody but init: it is activated when somebody connects. */
	assert_int_equal(o.items[2].pid, 1);
	assert_int_equal(o.items[3].pid, 0);
	owners_fini(&o);
	proc_free(&p);
}

/* The kernel cuts a process's name; its program's file has the whole. */
static void test_long_names(void **state)
{
	static const uint64_t inodes[] = { 100, 200 };
	struct owners o = { 0 };
	struct proc p;

	(void)state;
	proc_new(&p);
	proc_add(&p, 10, "blackbox_export", 5, NULL);
	proc_link(&p, 10, "exe", "/usr/bin/blackbox_exporter");
	proc_link(&p, 10, "fd/3", "socket:[100]");
	proc_add(&p, 11, "a-name-of-its-o", 5, NULL);
	proc_link(&p, 11, "exe", "/usr/bin/python3.11");
	proc_link(&p, 11, "fd/3", "socket:[200]");
	assert_int_equal(owners_find(p.root, inodes, 2, &o, NULL), ERR_OK);
	assert_string_equal(o.items[0].name, "blackbox_exporter");
	assert_string_equal(o.items[1].name, "a-name-of-its-o");
	owners_fini(&o);
	proc_free(&p);
}

/* What is broken or gone in between is nobody. */
static void test_broken(void **state)
{
	static const uint64_t inodes[] = { 100, 200 };
	struct owners o = { 0 };
	struct why why = { 0 };
	struct proc p;

	(void)state;
	proc_new(&p);
	proc_add(&p, 10, "a", 5, NULL);
	proc_write(&p, "10/stat", "10 (a");
	proc_link(&p, 10, "fd/3", "socket:[100]");
	proc_add(&p, 11, "b", 5, NULL);
	proc_write(&p, "11/stat", "11 (b) S 1");
	proc_link(&p, 11, "fd/3", "socket:[200]");
	proc_add(&p, 12, "c", 5, NULL);
	proc_link(&p, 12, "fd/3", "socket:[");
	proc_link(&p, 12, "fd/4", "socket:[x]");
	assert_int_equal(owners_find(p.root, inodes, 2, &o, NULL), ERR_OK);
	assert_int_equal(o.items[0].pid, 0);
	assert_int_equal(o.items[1].pid, 0);
	owners_fini(&o);
	proc_free(&p);
	assert_int_equal(owners_find("/nonexistent", inodes, 2, &o, &why), ERR_IO);
	assert_non_null(strstr(why.text, "/nonexistent"));
}

/* A folder that may not be read: only another user than root can tell. */
static void test_denied(void **state)
{
	static const uint64_t inodes[] = { 100 };
	struct owners o = { 0 };
	char path[128];
	struct proc p;
	bool is_root = geteuid() == 0;

	(void)state;
	proc_new(&p);
	(void)chmod(p.root, 0755);
	proc_add(&p, 10, "a", 5, NULL);
	proc_link(&p, 10, "fd/3", "socket:[100]");
	(void)snprintf(path, sizeof(path), "%s/10/fd", p.root);
	assert_int_equal(chmod(path, 0), 0);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(owners_find(p.root, inodes, 1, &o, NULL), ERR_OK);
	assert_int_equal(o.denied, 1);
	assert_int_equal(o.items[0].pid, 0);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	owners_fini(&o);
	(void)chmod(path, 0755);
	proc_free(&p);
}

static void test_real(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct owners o = { 0 };
	struct stat st;
	uint64_t inode;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(fstat(fd, &st), 0);
	inode = st.st_ino;
	assert_int_equal(owners_find("/proc", &inode, 1, &o, NULL), ERR_OK);
	assert_int_equal(o.items[0].pid, (uint32_t)getpid());
	assert_string_equal(o.items[0].name, "scanners_network_test_owners");
	assert_true(o.items[0].started <= clock_now_s() + 2);
	assert_true(o.items[0].started > clock_now_s() - 3600);
	owners_fini(&o);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_master_and_workers),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
