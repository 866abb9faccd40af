/* Units and containers, from the control groups of real hosts. */
#include "scanners/network/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHORT_ID "0123456789ab"

static const struct {
	const char *text;
	const char *unit;
	const char *container;
} cases[] = {
	{ "0::/system.slice/nginx.service\n", "nginx.service", "" },
	{ "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
		"postgresql@15-main.service", "" },
	{ "0::/user.slice/user-1000.slice/user@1000.service/app.slice/caddy.service\n",
		"caddy.service", "" },
	{ "0::/user.slice/user-0.slice/session-3.scope\n", "session-3.scope", "" },
	{ "0::/system.slice/docker.service\n", "docker.service", "" },
	{ "0::/system.slice/docker-" ID ".scope\n", "", SHORT_ID },
	{ "0::/system.slice/docker-compose.service\n", "docker-compose.service", "" },
	{ "0::/machine.slice/libpod-" ID ".scope/container\n", "", SHORT_ID },
	{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope\n",
		"user@1000.service", SHORT_ID },
	{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-" ID
	  ".scope\n",
		"", SHORT_ID },
	{ "0::/kubepods/besteffort/pod12-34/" ID "\n", "", SHORT_ID },
	{ "0::/machine.slice/machine-web.scope\n", "", "web" },
	{ "0::/lxc.payload.mail/system.slice/postfix.service\n", "postfix.service", "mail" },
	{ "12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n0::/\n", "", SHORT_ID },
	{ "11:memory:/system.slice/other.service\n1:name=systemd:/system.slice/apache2.service\n",
		"apache2.service", "" },
	{ "4:memory:/system.slice/a.service\n0::/system.slice/b.service\n", "b.service", "" },
	{ "0::/init.scope\n", "", "" },
	{ "0::/\n", "", "" },
	{ "", "", "" },
	{ "nothing\n:\n::\n0::", "", "" },
	{ "0::/system.slice/no-newline.service", "no-newline.service", "" },
	{ "0::/x/.service\n", "", "" },
};

static void test_groups(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cgroup group;

		cgroup_read(slice_text(cases[i].text), &group);
		print_message("%s", cases[i].text);
		assert_string_equal(group.unit, cases[i].unit);
		assert_string_equal(group.container, cases[i].container);
	}
}

/* A name too long for its field is left out, not cut. */
static void test_long(void **state)
{
	char text[600] = "0::/";
	struct cgroup group;

	(void)state;
	memset(text + 4, 'a', 500);
	memcpy(text + 504, ".service", 9);
	cgroup_read(slice_text(text), &group);
	assert_string_equal(group.unit, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
