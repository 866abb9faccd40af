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
/* Places and problem words that one alert lists; further places are only counted. */
#define ALERT_LOCATIONS_MAX 1000
#define ALERT_PROBLEMS_MAX 64
/* Bytes of one encoded alert, and of one encoded notification. */
#define ALERT_BYTES_MAX (1024 * 1024)
#define NOTIFICATION_BYTES_MAX (4 * 1024 * 1024)
#define NOTIFICATION_ID_BYTES 37

enum alert_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL, SEVERITY_COUNT };
enum alert_event {
	ALERT_FIRED,
	ALERT_ESCALATED,
	ALERT_REPEATED,
	ALERT_RENEWED,
	ALERT_GONE,
	ALERT_RECOVERED,
	ALERT_TEST,
	ALERT_EVENT_COUNT
};

const char *severity_word(enum alert_severity s);
/* "fired", "escalated", "repeated", "resolved: renewed", "resolved: gone", "resolved: recovered", "test" */
const char *alert_event_word(enum alert_event e);
bool alert_event_is_resolved(enum alert_event e);
enum err severity_parse(const char *word, enum alert_severity *out) MUST_CHECK;

/* One alert: one certificate however many places hold it, or one endpoint's trouble. */
struct alert {
	char *key;  /* stable identity: kind and fingerprint, or kind and uri */
	char *kind; /* "certificate-expiry", "certificate-problem", "endpoint-trouble", ... */
	enum alert_severity severity;
	enum alert_event event;
	char *summary;     /* one clean sentence */
	char *subject;     /* certificate subject or endpoint uri */
	char *subject_cn;  /* short name for titles */
	char *issuer;      /* or NULL */
	char *fingerprint; /* hex, or NULL */
	int64_t not_before;
	int64_t not_after;         /* TIME_UNKNOWN for none */
	int64_t renewed_not_after; /* of the successor, for ALERT_RENEWED */
	int64_t started;           /* when it first fired */
	struct strings locations;
	uint64_t locations_more; /* places beyond those listed */
	struct strings problems; /* words */
};

struct notification {
	char *id;       /* stable for ever: UUID; the receiver may dedupe by it */
	char *receiver; /* exporter name from the configuration */
	char *host;     /* this host's name */
	int64_t created;
	struct alert *alerts; /* owned array; worst first */
	size_t count;
};

/* Free everything and leave {0}. */
void alert_fini(struct alert *a);
void notification_fini(struct notification *n);
/* `to` is written only on success. */
enum err alert_copy(struct alert *to, const struct alert *from) MUST_CHECK;

/* A new UUIDv7 (RFC 9562 5.7) of this millisecond. ERR_IO when the kernel gives no random bytes. */
enum err notification_new_id(char out[NOTIFICATION_ID_BYTES]) MUST_CHECK;
/* The one alert of `notify test`: a notification to `receiver` from this host, ready to deliver. */
enum err notification_test(const char *receiver, int64_t now, struct notification *out) MUST_CHECK;
/* The name of this host, clean; "localhost" where it has none. Owned; NULL when out of memory. */
char *notification_host(void);
/* Holds nothing but repetitions: the first to go when an outbox is full. */
bool notification_only_repeats(const struct notification *n);

/* The bytes of an alert or a notification, appended; and back. The second byte of a notification is 1
 * when it holds only repetitions. Decoding treats the bytes as hostile: unknown enum values, text
 * that is not clean, and anything over the ceilings are ERR_MALFORMED. `out` is written only on success. */
void alert_encode(struct buffer *out, const struct alert *a);
enum err alert_decode(struct slice bytes, struct alert *out) MUST_CHECK;
void notification_encode(struct buffer *out, const struct notification *n);
enum err notification_decode(struct slice bytes, struct notification *out) MUST_CHECK;

#endif
