/* What an alert says when it leaves: one message to one receiver, whatever the chat service. */
#ifndef LEAFWATCH_EXPORTERS_NOTIFICATION_H
#define LEAFWATCH_EXPORTERS_NOTIFICATION_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFICATION_ALERTS_MAX 1000

enum alert_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };
enum alert_event { ALERT_FIRED, ALERT_ESCALATED, ALERT_REPEATED, ALERT_RENEWED, ALERT_GONE, ALERT_RECOVERED, ALERT_TEST, ALERT_EVENT_COUNT };

const char *severity_word(enum alert_severity s);
/* "fired", "escalated", "repeated", "resolved: renewed", "resolved: gone", "resolved: recovered", "test" */
const char *alert_event_word(enum alert_event e);
bool alert_event_is_resolved(enum alert_event e);

/* One alert: one certificate however many places hold it, or one endpoint's trouble. */
struct alert {
	char *key;    /* stable identity: kind and fingerprint, or kind and uri */
	char *kind;   /* "certificate-expiry", "certificate-problem", "endpoint-trouble", ... */
	enum alert_severity severity;
	enum alert_event event;
	char *summary;	      /* one clean sentence */
	char *subject;	      /* certificate subject or endpoint uri */
	char *subject_cn;     /* short name for titles */
	char *issuer;	      /* or NULL */
	char *fingerprint;    /* hex, or NULL */
	int64_t not_before;
	int64_t not_after;    /* TIME_UNKNOWN for none */
	int64_t renewed_not_after; /* of the successor, for ALERT_RENEWED */
	int64_t started;      /* when it first fired */
	struct strings locations;
	struct strings problems; /* words */
};

struct notification {
	char *id;	/* stable for ever: UUID; the receiver may dedupe by it */
	char *receiver; /* exporter name from the configuration */
	char *host;	/* this host's name */
	int64_t created;
	struct alert *alerts; /* owned array; worst first */
	size_t count;
};

void alert_fini(struct alert *a);
void notification_fini(struct notification *n);
void notification_encode(struct buffer *out, const struct notification *n);
enum err notification_decode(struct slice bytes, struct notification *out) MUST_CHECK;

#endif
