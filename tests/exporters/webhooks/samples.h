/* Notifications for the tests of the chat services. */
#ifndef LEAFWATCH_TESTS_EXPORTERS_WEBHOOKS_SAMPLES_H
#define LEAFWATCH_TESTS_EXPORTERS_WEBHOOKS_SAMPLES_H

#include "agent/base/clock.h"
#include "exporters/notification.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_NOW INT64_C(1800000000)
/* What a certificate may say to hurt a chat. */
#define HOSTILE_NAME \
	"<!channel> <@U1> &amp; `x` *b* _i_ [a](http://evil) \"\\\" </script> \xf0\x9f\x92\xa5"

/* `count` alerts; `name` is in every text of each; `places` places each. */
static inline struct notification sample(size_t count, const char *name, size_t places)
{
	struct notification n = { .id = strdup("01930000-0000-7000-8000-000000000001"),
		.receiver = strdup("ops"),
		.host = strdup("web01"),
		.created = SAMPLE_NOW,
		.count = count };

	n.alerts = calloc(count + 1, sizeof(*n.alerts));
	for (size_t i = 0; i < count; i++) {
		struct alert *a = &n.alerts[i];
		char key[96];

		(void)snprintf(key, sizeof(key), "certificate-expiry:%064zx", i);
		a->key = strdup(key);
		a->fingerprint = strdup(strchr(key, ':') + 1);
		a->kind = strdup("certificate-expiry");
		a->severity = i % 2 ? SEVERITY_WARNING : SEVERITY_CRITICAL;
		a->event = ALERT_FIRED;
		a->summary = strdup(name);
		a->subject = strdup(name);
		a->subject_cn = strdup(name);
		a->issuer = strdup(name);
		a->not_before = SAMPLE_NOW - 86400;
		a->not_after = SAMPLE_NOW + 86400;
		a->renewed_not_after = TIME_UNKNOWN;
		a->started = SAMPLE_NOW;
		for (size_t p = 0; p < places; p++)
			if (strings_add(&a->locations, name) != ERR_OK)
				abort();
		if (strings_add(&a->problems, "expired") != ERR_OK)
			abort();
	}
	return n;
}

/* A clean text of `size` bytes. */
static inline char *long_name(size_t size)
{
	char *text = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		text[i] = "&<>`\"ab"[i % 7];
	text[size] = 0;
	return text;
}

#endif
