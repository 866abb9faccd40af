/* A chat service: how a notification looks there. One file with one of these, one line in services.def. */
#ifndef LEAFWATCH_EXPORTERS_WEBHOOKS_SERVICE_H
#define LEAFWATCH_EXPORTERS_WEBHOOKS_SERVICE_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "exporters/notification.h"

#include <stdbool.h>
#include <stddef.h>

/* Ceiling of what is sent. */
#define WEBHOOK_BODY_BYTES_MAX (1024 * 1024)

struct service {
	const char *content_type;
	/* Appends the body. ERR_MEMORY, or ERR_LIMIT when it cannot be made to fit. */
	enum err (*render)(const struct notification *n, struct buffer *out);
	/* Does this body of a 2xx answer mean that it was taken? NULL = any does. */
	bool (*accepts)(struct slice body);
};

extern const struct service *const services[];
extern const size_t services_count;
/* The words of `format:`, in the order of `services`, NULL-terminated. */
extern const char *const service_words[];

#endif
