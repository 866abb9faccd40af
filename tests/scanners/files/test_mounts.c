/* The kernel's table of mounts. */
#include "scanners/files/mounts.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void test_parse(void **state)
{
	static const char text[] =
		"22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
		"23 27 0:21 / /proc rw,nosuid shared:14 - proc proc rw\n"
		"27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
		"40 27 0:40 / /mnt/with\\040blank rw master:1 propagate_from:2 - nfs4 host:/x rw\n"
		"41 27 0:41 / /tmp rw - tmpfs tmpfs rw\n"
		"42 27 0:42 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw\n"
		"43 27 0:43 / /media/ssh rw - fuse.sshfs host: rw\n"
		"44 27 0:44 / /media/disk rw - fuseblk /dev/sdb1 rw\n"
		"45 27 0:45 / /srv/auto rw - autofs /etc/auto.misc rw\n"
		"garbage\n"
		"\n";
	struct mounts m = { 0 };

	(void)state;
	assert_int_equal(mounts_parse(&m, slice_text(text)), ERR_OK);
	assert_true(m.is_known);
	assert_true(mounts_skip(&m, "/sys"));
	assert_true(mounts_skip(&m, "/proc"));
	assert_true(mounts_skip(&m, "/mnt/with blank"));
	assert_true(mounts_skip(&m, "/media/ssh"));
	assert_true(mounts_skip(&m, "/srv/auto"));
	assert_false(mounts_skip(&m, "/"));
	assert_false(mounts_skip(&m, "/tmp"));
	assert_false(mounts_skip(&m, "/media/disk"));
	assert_false(mounts_skip(&m, "/var/lib/docker/overlay2/x/merged"));
	assert_false(mounts_skip(&m, "/sys/kernel"));
	mounts_fini(&m);
}

static void test_real(void **state)
{
	struct mounts m = { 0 };
	int fd;

	(void)state;
	assert_int_equal(mounts_load(&m), ERR_OK);
	assert_true(m.is_known);
	assert_true(mounts_skip(&m, "/proc"));
	fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(mounts_skip_fd(&m, fd));
	assert_false(mounts_is_plain_fd(fd));
	(void)close(fd);
	fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_false(mounts_skip_fd(&m, fd));
	(void)close(fd);
	mounts_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_real),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
