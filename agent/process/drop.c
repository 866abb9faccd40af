/* What a process gives away before it touches input: privileges it never needs. */
#include "agent/process/drop.h"

#include "agent/process/landlock.h"
#include "agent/process/role.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool drop_new_privileges(const struct role *role)
{
	(void)role;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool drop_core(const struct role *role)
{
	const struct rlimit none = { 0 };

	(void)role;
	/* Both: a core pattern that is a pipe ignores the limit. */
	return setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool drop_capabilities(const struct role *role)
{
	capng_clear(CAPNG_SELECT_BOTH);
	if (role->needs & ROLE_NEEDS_READ_FILES)
		(void)capng_update(
			CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
	/* The bounding set needs CAP_SETPCAP, which an unprivileged agent has not; with no_new_privs and
	 * no permitted capability it has nothing left to give. */
	if (capng_apply(CAPNG_SELECT_BOTH) == 0)
		return true;
	return capng_apply(CAPNG_SELECT_CAPS) == 0 ||
	       capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE;
}

static bool drop_files(const struct role *role)
{
	static const char *const resolver_files[] = { "/etc", "/run", "/usr/share", "/proc" };
	const __u64 read_only = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
	int version = landlock_version();
	struct landlock_ruleset_attr attr = { 0 };
	bool is_closed;
	int ruleset;

	if (version < 1)
		return false;
	attr.handled_access_fs = landlock_rights(version);
	/* Who may read everything is not asked about what an open for reading may do: each one would climb to
	 * the root of the file system to learn that it may (a quarter of a scan's time). */
	if (role->needs & ROLE_NEEDS_READ_FILES)
		attr.handled_access_fs &= ~(read_only | LANDLOCK_TRUNCATE);
	if (role->needs & ROLE_NEEDS_MODULES)
		attr.handled_access_fs &= ~(read_only | LANDLOCK_STORE_RIGHTS);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return false;
	if (role->needs & ROLE_NEEDS_NETWORK)
		for (size_t i = 0; i < sizeof(resolver_files) / sizeof(resolver_files[0]); i++)
			(void)landlock_allow(ruleset, resolver_files[i], read_only);
	is_closed = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	(void)close(ruleset);
	return is_closed;
}

const struct drop_layer drop_layers[] = {
	{ "no_new_privs", drop_new_privileges },
	{ "no_core", drop_core },
	{ "landlock", drop_files },
	{ "capabilities", drop_capabilities },
};
const size_t drop_layers_count = sizeof(drop_layers) / sizeof(drop_layers[0]);
