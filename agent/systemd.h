/* What systemd is told: readiness, one line of status, that the watchdog need not bite. */
#ifndef LEAFWATCH_AGENT_SYSTEMD_H
#define LEAFWATCH_AGENT_SYSTEMD_H

#include "agent/base/err.h"

#include <stdint.h>

/* One datagram of "KEY=VALUE" lines to $NOTIFY_SOCKET (sd_notify(3)); nothing where there is none. */
void systemd_notify(const char *format, ...) PRINTF_LIKE(1, 2);
/* How often WATCHDOG=1 is due, half of what systemd allows; 0 = no watchdog. */
int64_t systemd_watchdog_ms(void);

#endif
