/* The .socket units of systemd: folders that count before others, drop-ins, addresses, and what stays unknown. */
#include "scanners/network/socket_units.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define FOLDERS 2 /* the first counts before the second */

struct tree {
	char root[64];
	char paths[FOLDERS][128];
	const char *folders[FOLDERS];
};

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

static int make(void **state)
{
	struct tree *t = calloc(1, sizeof(*t));

	(void)snprintf(t->root, sizeof(t->root), "/tmp/leafwatch-units-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	for (size_t i = 0; i < FOLDERS; i++) {
		(void)snprintf(t->paths[i], sizeof(t->paths[i]), "%s/%zu", t->root, i);
		assert_int_equal(mkdir(t->paths[i], 0755), 0);
		t->folders[i] = t->paths[i];
	}
	*state = t;
	return 0;
}

static int unmake(void **state)
{
	struct tree *t = *state;

	(void)nftw(t->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(t);
	return 0;
}

static void put(const struct tree *t, size_t folder, const char *name, const char *text)
{
	char path[512];
	char *slash;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", t->paths[folder], name);
	slash = strrchr(path, '/');
	*slash = '\0';
	(void)mkdir(path, 0755);
	*slash = '/';
	f = fopen(path, "we");
	assert_non_null(f);
	(void)fputs(text, f);
	(void)fclose(f);
}

static void is_found(const struct tree *t, const char *address, uint16_t port, const char *unit)
{
	struct socket_units u = { 0 };
	struct listening_socket s = { .port = port };
	const char *found;

	s.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(s.family, address, &s.address), 1);
	assert_int_equal(socket_units_read(t->folders, FOLDERS, &u), ERR_OK);
	found = socket_units_find(&u, &s);
	if (unit) {
		assert_non_null(found);
		assert_string_equal(found, unit);
	} else {
		assert_null(found);
	}
	socket_units_fini(&u);
}

static void test_addresses(void **state)
{
	const struct tree *t = *state;

	put(t, 1, "any.socket",
		"[Unit]\nListenStream=1\n[Socket]\n ListenStream = 22 \nListenStream=/run/x\n");
	put(t, 1, "one.socket", "[Socket]\nListenStream=127.0.0.1:631\nListenStream=[::1]:631\n");
	put(t, 1, "zone.socket", "[Socket]\nListenStream=[fe80::1%eth0]:70\nListenDatagram=69\n");
	put(t, 1, "bad.socket",
		"[Socket]\nListenStream=70000\nListenStream=x:1\nListenStream=vsock::9\nListenStream\n");
	put(t, 1, "model@.socket", "[Socket]\nListenStream=23\n");
	is_found(t, "::", 22, "any.socket");
	is_found(t, "0.0.0.0", 22, "any.socket");
	is_found(t, "127.0.0.1", 22, NULL);
	is_found(t, "127.0.0.1", 631, "one.socket");
	is_found(t, "::ffff:127.0.0.1", 631, "one.socket");
	is_found(t, "::1", 631, "one.socket");
	is_found(t, "0.0.0.0", 631, NULL);
	is_found(t, "fe80::1", 70, "zone.socket");
	is_found(t, "::", 69, NULL);
	is_found(t, "::", 1, NULL);
	is_found(t, "::", 23, NULL);
}

static void test_which_file_counts(void **state)
{
	const struct tree *t = *state;
	char path[256];

	put(t, 1, "a.socket", "[Socket]\nListenStream=22\n");
	put(t, 0, "a.socket", "[Socket]\nListenStream=2222\n");
	is_found(t, "::", 22, NULL);
	is_found(t, "::", 2222, "a.socket");
	/* What a drop-in says comes on top, unless it takes back what was said. */
	put(t, 1, "a.socket.d/20.conf", "[Socket]\nListenStream=24\n");
	is_found(t, "::", 2222, "a.socket");
	is_found(t, "::", 24, "a.socket");
	put(t, 1, "a.socket.d/10.conf", "[Socket]\nListenStream=\nListenStream=25\n");
	is_found(t, "::", 2222, NULL);
	is_found(t, "::", 25, "a.socket");
	is_found(t, "::", 24, "a.socket");
	put(t, 0, "a.socket.d/20.conf", "[Socket]\nListenStream=26\n");
	is_found(t, "::", 24, NULL);
	is_found(t, "::", 26, "a.socket");
	/* Masked. */
	put(t, 1, "b.socket", "[Socket]\nListenStream=30\n");
	is_found(t, "::", 30, "b.socket");
	(void)snprintf(path, sizeof(path), "%s/b.socket", t->paths[0]);
	assert_int_equal(symlink("/dev/null", path), 0);
	is_found(t, "::", 30, NULL);
}

static void test_two_of_one_address(void **state)
{
	const struct tree *t = *state;

	put(t, 1, "a.socket", "[Socket]\nListenStream=22\nListenStream=22\n");
	is_found(t, "::", 22, "a.socket");
	put(t, 1, "b.socket", "[Socket]\nListenStream=22\n");
	is_found(t, "::", 22, NULL);
	put(t, 0, "sockets.target.wants/b.socket", "");
	is_found(t, "::", 22, "b.socket");
	put(t, 0, "x.service.requires/a.socket", "");
	is_found(t, "::", 22, NULL);
}

static void test_nothing_there(void **state)
{
	const char *const folders[] = { "/nonexistent/a" };
	struct listening_socket s = { .family = AF_INET, .port = 22 };
	struct socket_units u = { 0 };

	(void)state;
	assert_int_equal(socket_units_read(folders, 1, &u), ERR_OK);
	assert_null(socket_units_find(&u, &s));
	socket_units_fini(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, make, unmake),
		cmocka_unit_test_setup_teardown(test_which_file_counts, make, unmake),
		cmocka_unit_test_setup_teardown(test_two_of_one_address, make, unmake),
		cmocka_unit_test(test_nothing_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
