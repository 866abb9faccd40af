/* What systemd is told. */
#include "agent/systemd.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NOTIFY_BYTES 1024

void systemd_notify(const char *format, ...)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	char message[NOTIFY_BYTES];
	va_list args;
	size_t size;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(to.sun_path))
		return;
	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	size = strlen(path);
	memcpy(to.sun_path, path, size);
	if (path[0] == '@')
		to.sun_path[0] = 0; /* the abstract name space */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
		(struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
	(void)close(fd);
}

int64_t systemd_watchdog_ms(void)
{
	const char *microseconds = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	long long value;

	if (!microseconds || (pid && strtoll(pid, NULL, 10) != getpid()))
		return 0;
	value = strtoll(microseconds, NULL, 10);
	return value > 0 ? value / 2000 : 0;
}
