/* What a process gives away before it loads foreign code. */
#include "agent/process/confine.h"

#include "agent/process/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FILE_BYTES_MAX (16 * 1024 * 1024) /* of one that it writes */
#define DESCRIPTORS_MAX 256

#define X32_CALLS 0x40000000 /* x86-64's second set of call numbers */

#if defined(__x86_64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static bool limit(__rlimit_resource_t what, rlim_t value)
{
	const struct rlimit l = { .rlim_cur = value, .rlim_max = value };
	struct rlimit now;

	/* One that is lower already stays. */
	if (getrlimit(what, &now) == 0 && now.rlim_max < value)
		return true;
	return setrlimit(what, &l) == 0;
}

static bool limit_all(const struct confine *c)
{
	return limit(RLIMIT_CORE, 0) && limit(RLIMIT_CPU, c->cpu_s) &&
	       limit(RLIMIT_FSIZE, FILE_BYTES_MAX) && limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
}

static bool limit_writes(const struct confine *c)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_STORE_RIGHTS };
	int version = landlock_version();
	bool is_closed;
	int ruleset;

	if (version < 1)
		return true;
	attr.handled_access_fs &= landlock_rights(version);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return false;
	for (size_t i = 0; i < c->writable->count; i++)
		(void)landlock_allow(ruleset, c->writable->items[i], attr.handled_access_fs);
	is_closed = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
	(void)close(ruleset);
	return is_closed;
}

/* Sockets of other families are refused as if the kernel had none. Calls of another architecture's numbers
 * could mean anything, so they end the process. */
static bool forbid_network(void)
{
#ifdef NATIVE_ARCHITECTURE
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCHITECTURE, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_CALLS, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
	};
	const struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0)
		return true;
	/* EINVAL: a kernel without it. */
	return errno == EINVAL;
#else
	return true;
#endif
}

/* What it prints is of no use to anybody, and standard input might be the user's terminal. */
static bool close_descriptors(int keep)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool is_good = null >= 0;

	for (int fd = 0; is_good && fd <= STDERR_FILENO; fd++)
		is_good = dup2(null, fd) == fd;
	if (keep > STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 1, (unsigned)keep - 1, 0);
	(void)close_range((unsigned)keep + 1, ~0U, 0);
	return is_good;
}

enum err confine_process(const struct confine *c, int fd, struct why *why)
{
	if (!close_descriptors(fd))
		return why_fail(why, ERR_IO, "its descriptors cannot be closed: %m");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return why_fail(why, ERR_IO, "its privileges cannot be dropped: %m");
	if (!limit_all(c))
		return why_fail(why, ERR_IO, "its limits cannot be set: %m");
	if (!limit_writes(c))
		return why_fail(why, ERR_IO, "its files cannot be limited: %m");
	if (!c->has_network && !forbid_network())
		return why_fail(why, ERR_IO, "its sockets cannot be limited: %m");
	return ERR_OK;
}
