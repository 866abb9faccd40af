/* What is said and not yet delivered. */
#include "agent/outbox.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* An entry with more failed attempts than this does not hold up younger ones while it waits. */
#define STUCK_ATTEMPTS 3
/* When the store failed to take a result, the lane rests this long: no flood of repeated messages. */
#define STORE_REST_S 60
/* SQLite: the flag that notification_encode puts second. */
#define IS_REPEAT "substr(body, 2, 1) = x'01'"

static const int64_t retry_steps_s[] = { 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600 };
#define RETRY_STEPS (sizeof(retry_steps_s) / sizeof(retry_steps_s[0]))

enum question {
	ASK_KNOW,
	ASK_RECEIVERS,
	ASK_COUNT,
	ASK_DROP_REPEAT,
	ASK_ADD,
	ASK_HEAD,
	ASK_WAKE,
	ASK_BODY,
	ASK_ENTRY,
	ASK_DELETE,
	ASK_RETRY,
	ASK_SENT,
	ASK_RELEASE,
	ASK_FAILED,
	ASK_DISABLE,
	ASK_ENABLE,
	ASK_DUE_NOW,
	ASK_DROP_ENTRIES,
	ASK_DROP_RECEIVER,
	ASK_DROP_FAILURES,
	ASK_STATES,
	ASK_FAILURES,
	QUESTIONS
};

static const char *const questions[QUESTIONS] = {
	[ASK_KNOW] = "INSERT OR IGNORE INTO receiver(name) VALUES(?1)",
	[ASK_RECEIVERS] = "SELECT name, disabled_reason FROM receiver ORDER BY name",
	[ASK_COUNT] = "SELECT count(*) FROM outbox WHERE receiver=?1",
	[ASK_DROP_REPEAT] =
		"DELETE FROM outbox WHERE rowid=(SELECT rowid FROM outbox WHERE receiver=?1"
		" AND " IS_REPEAT " AND id IS NOT ?2 ORDER BY rowid LIMIT 1)",
	[ASK_ADD] = "INSERT INTO outbox(id, receiver, created, next_attempt, body)"
		    " VALUES(?1, ?2, ?3, ?3, ?4)",
	/* The oldest, unless it is stuck and waiting. */
	[ASK_HEAD] = "SELECT id, next_attempt FROM outbox WHERE receiver=?1 AND"
		     " (attempts<=?2 OR next_attempt<=?3) ORDER BY rowid LIMIT 1",
	/* Stuck ones older than the first that is not stuck may go when they are due. */
	[ASK_WAKE] = "SELECT min(next_attempt) FROM outbox WHERE receiver=?1 AND rowid<=coalesce("
		     "(SELECT min(rowid) FROM outbox WHERE receiver=?1 AND attempts<=?2),"
		     " 9223372036854775807)",
	[ASK_BODY] = "SELECT body FROM outbox WHERE id=?1",
	[ASK_ENTRY] = "SELECT receiver, created, attempts FROM outbox WHERE id=?1",
	[ASK_DELETE] = "DELETE FROM outbox WHERE id=?1",
	[ASK_RETRY] = "UPDATE outbox SET attempts=attempts+1, next_attempt=?2, last_error=?3"
		      " WHERE id=?1",
	[ASK_SENT] = "UPDATE receiver SET sent=sent+1 WHERE name=?1",
	[ASK_RELEASE] = "UPDATE outbox SET next_attempt=?2 WHERE receiver=?1 AND next_attempt>?2",
	[ASK_FAILED] = "INSERT INTO receiver_failure(receiver, reason, count) VALUES(?1, ?2, 1)"
		       " ON CONFLICT(receiver, reason) DO UPDATE SET count=count+1",
	[ASK_DISABLE] = "UPDATE receiver SET disabled_reason=?2 WHERE name=?1",
	[ASK_ENABLE] = "UPDATE receiver SET disabled_reason=NULL",
	[ASK_DUE_NOW] = "UPDATE outbox SET next_attempt=?1 WHERE next_attempt>?1",
	[ASK_DROP_ENTRIES] = "DELETE FROM outbox WHERE receiver=?1",
	[ASK_DROP_RECEIVER] = "DELETE FROM receiver WHERE name=?1",
	[ASK_DROP_FAILURES] = "DELETE FROM receiver_failure WHERE receiver=?1",
	[ASK_STATES] =
		"SELECT r.name, r.sent, r.disabled_reason, count(o.id), min(o.created),"
		" (SELECT last_error FROM outbox WHERE receiver=r.name AND last_error IS NOT NULL"
		" ORDER BY rowid LIMIT 1)"
		" FROM receiver r LEFT JOIN outbox o ON o.receiver=r.name"
		" GROUP BY r.name ORDER BY r.name",
	[ASK_FAILURES] = "SELECT receiver, reason, count FROM receiver_failure"
			 " ORDER BY receiver, reason",
};

/* A receiver as this process knows it. */
struct lane {
	char *receiver;     /* owned */
	char *flight;       /* owned: id in flight, or NULL */
	char *settled;      /* owned: id that was delivered but could not be struck off, or NULL */
	int64_t hold_until; /* nothing is sent before: Retry-After, or the store failed */
	bool is_disabled;
};

struct outbox {
	struct store *store; /* borrowed */
	sqlite3_stmt *statements[QUESTIONS];
	struct lane *lanes; /* owned */
	size_t lanes_count;
};

/* ---- statements ------------------------------------------------------------------------------- */

static sqlite3_stmt *ask(struct outbox *o, enum question q)
{
	sqlite3_stmt *s = o->statements[q];

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return s;
}

static void bind_text(sqlite3_stmt *s, int at, const char *text)
{
	(void)sqlite3_bind_text(s, at, text, -1, SQLITE_TRANSIENT);
}

/* A statement that gives no rows. */
static enum err run(struct outbox *o, sqlite3_stmt *s, struct why *why)
{
	int code = sqlite3_step(s);

	(void)sqlite3_reset(s);
	return code == SQLITE_DONE ? ERR_OK : store_fail(o->store, why, "update the outbox");
}

static enum err run_text(struct outbox *o, enum question q, const char *text, struct why *why)
{
	sqlite3_stmt *s = ask(o, q);

	bind_text(s, 1, text);
	return run(o, s, why);
}

/* ERR_OK with a row, ERR_END without. */
static enum err next_row(struct outbox *o, sqlite3_stmt *s, struct why *why)
{
	switch (sqlite3_step(s)) {
	case SQLITE_ROW:
		return ERR_OK;
	case SQLITE_DONE:
		return ERR_END;
	default:
		return store_fail(o->store, why, "read the outbox");
	}
}

static const char *column_text(sqlite3_stmt *s, int at)
{
	const char *text = (const char *)sqlite3_column_text(s, at);

	return text ? text : "";
}

/* ---- lanes ------------------------------------------------------------------------------------ */

static struct lane *lane_find(struct outbox *o, const char *receiver)
{
	for (size_t i = 0; i < o->lanes_count; i++)
		if (strcmp(o->lanes[i].receiver, receiver) == 0)
			return &o->lanes[i];
	return NULL;
}

static enum err lane_add(struct outbox *o, const char *receiver, bool is_disabled)
{
	struct lane *more;
	char *name;

	if (lane_find(o, receiver))
		return ERR_OK;
	more = reallocarray(o->lanes, o->lanes_count + 1, sizeof(*more));
	if (!more)
		return ERR_MEMORY;
	o->lanes = more;
	name = strdup(receiver);
	if (!name)
		return ERR_MEMORY;
	more[o->lanes_count++] = (struct lane){
		.receiver = name, .hold_until = TIME_UNKNOWN, .is_disabled = is_disabled
	};
	return ERR_OK;
}

static void lane_fini(struct lane *l)
{
	free(l->receiver);
	free(l->flight);
	free(l->settled);
}

static void lane_remove(struct outbox *o, size_t at)
{
	lane_fini(&o->lanes[at]);
	o->lanes[at] = o->lanes[--o->lanes_count];
}

static struct lane *lane_of_flight(struct outbox *o, const char *id)
{
	for (size_t i = 0; i < o->lanes_count; i++)
		if (o->lanes[i].flight && strcmp(o->lanes[i].flight, id) == 0)
			return &o->lanes[i];
	return NULL;
}

static void land(struct lane *l)
{
	free(l->flight);
	l->flight = NULL;
}

static enum err lanes_load(struct outbox *o, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_RECEIVERS);
	enum err e;

	while ((e = next_row(o, s, why)) == ERR_OK) {
		bool is_disabled = sqlite3_column_type(s, 1) != SQLITE_NULL;

		e = lane_add(o, column_text(s, 0), is_disabled);
		if (e != ERR_OK)
			break;
	}
	(void)sqlite3_reset(s);
	return e == ERR_END ? ERR_OK : e;
}

/* ---- life ------------------------------------------------------------------------------------- */

enum err outbox_new(struct store *store, struct outbox **out, struct why *why)
{
	struct outbox *o = calloc(1, sizeof(*o));
	enum err e = ERR_OK;

	if (!o)
		return ERR_MEMORY;
	o->store = store;
	for (size_t q = 0; e == ERR_OK && q < QUESTIONS; q++)
		e = store_prepare(store, questions[q], &o->statements[q], why);
	if (e == ERR_OK)
		e = lanes_load(o, why);
	if (e != ERR_OK) {
		outbox_free(o);
		return e;
	}
	*out = o;
	return ERR_OK;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	for (size_t q = 0; q < QUESTIONS; q++)
		(void)sqlite3_finalize(o->statements[q]);
	for (size_t i = 0; i < o->lanes_count; i++)
		lane_fini(&o->lanes[i]);
	free(o->lanes);
	free(o);
}

static enum err drop_receiver(struct outbox *o, const char *receiver, struct why *why)
{
	enum err e = run_text(o, ASK_DROP_ENTRIES, receiver, why);
	int dropped = e == ERR_OK ? sqlite3_changes(o->store->db) : 0;

	if (e == ERR_OK)
		e = run_text(o, ASK_DROP_FAILURES, receiver, why);
	if (e == ERR_OK)
		e = run_text(o, ASK_DROP_RECEIVER, receiver, why);
	if (e == ERR_OK && dropped)
		log_warn("receiver %s is no longer configured: %d notifications dropped", receiver,
			dropped);
	return e;
}

enum err outbox_retain(struct outbox *o, const struct strings *receivers, struct why *why)
{
	enum err e = store_begin(o->store, why);

	for (size_t i = 0; e == ERR_OK && i < o->lanes_count; i++)
		if (!strings_contain(receivers, o->lanes[i].receiver))
			e = drop_receiver(o, o->lanes[i].receiver, why);
	for (size_t i = 0; e == ERR_OK && i < receivers->count; i++) {
		e = run_text(o, ASK_KNOW, receivers->items[i], why);
		if (e == ERR_OK)
			e = lane_add(o, receivers->items[i], false);
	}
	if (e == ERR_OK)
		e = store_commit(o->store, true, why);
	for (size_t i = o->lanes_count; e == ERR_OK && i-- > 0;)
		if (!strings_contain(receivers, o->lanes[i].receiver))
			lane_remove(o, i);
	return e;
}

/* ---- adding ----------------------------------------------------------------------------------- */

static enum err count_of(struct outbox *o, const char *receiver, int64_t *count, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_COUNT);
	enum err e;

	bind_text(s, 1, receiver);
	e = next_row(o, s, why);
	if (e == ERR_OK)
		*count = sqlite3_column_int64(s, 0);
	(void)sqlite3_reset(s);
	return e;
}

/* Makes room in a full queue; `*is_refused`: what was to be added is what goes. */
static enum err make_room(
	struct outbox *o, const struct notification *n, bool *is_refused, struct why *why)
{
	const struct lane *l = lane_find(o, n->receiver);
	int64_t count = 0;
	enum err e = count_of(o, n->receiver, &count, why);
	sqlite3_stmt *s;

	if (e != ERR_OK || count < OUTBOX_ENTRIES_MAX)
		return e;
	s = ask(o, ASK_DROP_REPEAT);
	bind_text(s, 1, n->receiver);
	if (l && l->flight)
		bind_text(s, 2, l->flight);
	e = run(o, s, why);
	if (e != ERR_OK)
		return e;
	*is_refused = sqlite3_changes(o->store->db) == 0 && notification_only_repeats(n);
	log_warn("receiver %s has %lld notifications waiting: a repetition was dropped",
		n->receiver, (long long)count);
	return ERR_OK;
}

static enum err insert(struct outbox *o, const struct notification *n, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_ADD);
	struct buffer body;
	enum err e;

	buffer_init(&body, NOTIFICATION_BYTES_MAX);
	notification_encode(&body, n);
	e = buffer_status(&body);
	if (e == ERR_OK) {
		bind_text(s, 1, n->id);
		bind_text(s, 2, n->receiver);
		(void)sqlite3_bind_int64(s, 3, n->created);
		(void)sqlite3_bind_blob64(s, 4, body.data, body.size, SQLITE_TRANSIENT);
		e = run(o, s, why);
	} else {
		e = why_fail(why, e, "a notification is too large for the outbox");
	}
	buffer_fini(&body);
	return e;
}

enum err outbox_add(struct outbox *o, const struct notification *n, struct why *why)
{
	bool is_refused = false;
	enum err e = run_text(o, ASK_KNOW, n->receiver, why);

	if (e == ERR_OK)
		e = lane_add(o, n->receiver, false);
	if (e == ERR_OK)
		e = make_room(o, n, &is_refused, why);
	if (e != ERR_OK || is_refused)
		return e;
	return insert(o, n, why);
}

/* ---- sending ---------------------------------------------------------------------------------- */

struct head {
	char *id; /* owned */
	int64_t due;
};

/* ERR_END when the lane has nothing, or nothing that may go. */
static enum err head_of(
	struct outbox *o, const struct lane *l, int64_t now, struct head *out, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_HEAD);
	enum err e;

	bind_text(s, 1, l->receiver);
	(void)sqlite3_bind_int(s, 2, STUCK_ATTEMPTS);
	(void)sqlite3_bind_int64(s, 3, now);
	e = next_row(o, s, why);
	if (e == ERR_OK) {
		out->id = strdup(column_text(s, 0));
		out->due = sqlite3_column_int64(s, 1);
		if (out->due < l->hold_until)
			out->due = l->hold_until;
		e = out->id ? ERR_OK : ERR_MEMORY;
	}
	(void)sqlite3_reset(s);
	return e;
}

static enum err body_of(struct outbox *o, const char *id, struct notification *out, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_BODY);
	enum err e;

	bind_text(s, 1, id);
	e = next_row(o, s, why);
	if (e == ERR_OK) {
		const void *bytes = sqlite3_column_blob(s, 0);
		size_t size = (size_t)sqlite3_column_bytes(s, 0);

		e = notification_decode(slice_of(bytes, size), out);
	}
	(void)sqlite3_reset(s);
	return e;
}

static enum err drop_unreadable(
	struct outbox *o, const struct lane *l, const char *id, struct why *why)
{
	enum err e = store_begin(o->store, why);

	log_error(
		"a notification to %s cannot be read from the outbox and is dropped", l->receiver);
	if (e == ERR_OK)
		e = run_text(o, ASK_DELETE, id, why);
	return e == ERR_OK ? store_commit(o->store, true, why) : e;
}

static enum err sent(
	struct outbox *o, const char *receiver, const char *id, int64_t now, struct why *why)
{
	enum err e = run_text(o, ASK_DELETE, id, why);
	sqlite3_stmt *s;

	if (e == ERR_OK)
		e = run_text(o, ASK_SENT, receiver, why);
	if (e != ERR_OK)
		return e;
	/* It takes messages again: what waits for a retry goes now, the oldest first. */
	s = ask(o, ASK_RELEASE);
	bind_text(s, 1, receiver);
	(void)sqlite3_bind_int64(s, 2, now);
	return run(o, s, why);
}

/* Strikes off what was delivered while the store could not be written. */
static enum err settle(struct outbox *o, struct lane *l, int64_t now, struct why *why)
{
	enum err e;

	if (now < l->hold_until)
		return ERR_END;
	e = store_begin(o->store, why);
	if (e == ERR_OK)
		e = sent(o, l->receiver, l->settled, now, why);
	if (e == ERR_OK)
		e = store_commit(o->store, true, why);
	if (e != ERR_OK) {
		l->hold_until = now + STORE_REST_S;
		return e;
	}
	free(l->settled);
	l->settled = NULL;
	return ERR_OK;
}

/* ERR_END when this lane has nothing to send now. */
static enum err lane_due(
	struct outbox *o, struct lane *l, int64_t now, struct notification *out, struct why *why)
{
	struct head head = { 0 };
	enum err e = ERR_OK;

	if (l->flight || l->is_disabled)
		return ERR_END;
	if (l->settled)
		e = settle(o, l, now, why);
	if (e == ERR_OK)
		e = head_of(o, l, now, &head, why);
	while (e == ERR_OK && head.due <= now) {
		e = body_of(o, head.id, out, why);
		if (e == ERR_OK) {
			l->flight = head.id;
			return ERR_OK;
		}
		if (e == ERR_MALFORMED)
			e = drop_unreadable(o, l, head.id, why);
		free(head.id);
		head.id = NULL;
		if (e == ERR_OK)
			e = head_of(o, l, now, &head, why);
	}
	free(head.id);
	return e == ERR_OK ? ERR_END : e;
}

enum err outbox_due(struct outbox *o, int64_t now, struct notification *out, struct why *why)
{
	for (size_t i = 0; i < o->lanes_count; i++) {
		enum err e = lane_due(o, &o->lanes[i], now, out, why);

		if (e != ERR_END)
			return e;
	}
	return ERR_END;
}

static enum err lane_wake(struct outbox *o, const struct lane *l, int64_t *wake, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_WAKE);
	enum err e;

	bind_text(s, 1, l->receiver);
	(void)sqlite3_bind_int(s, 2, STUCK_ATTEMPTS);
	e = next_row(o, s, why);
	if (e == ERR_OK && sqlite3_column_type(s, 0) != SQLITE_NULL) {
		int64_t due = sqlite3_column_int64(s, 0);

		if (due < l->hold_until)
			due = l->hold_until;
		if (*wake == TIME_UNKNOWN || due < *wake)
			*wake = due;
	}
	(void)sqlite3_reset(s);
	return e;
}

enum err outbox_wake(struct outbox *o, int64_t *out, struct why *why)
{
	int64_t wake = TIME_UNKNOWN;
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < o->lanes_count; i++)
		if (!o->lanes[i].flight && !o->lanes[i].is_disabled)
			e = lane_wake(o, &o->lanes[i], &wake, why);
	if (e == ERR_OK)
		*out = wake;
	return e;
}

/* ---- results ---------------------------------------------------------------------------------- */

struct entry {
	int64_t created;
	int64_t attempts; /* that failed before this one */
};

static enum err entry_of(struct outbox *o, const char *id, struct entry *out, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_ENTRY);
	enum err e;

	bind_text(s, 1, id);
	e = next_row(o, s, why);
	if (e == ERR_OK) {
		out->created = sqlite3_column_int64(s, 1);
		out->attempts = sqlite3_column_int64(s, 2);
	}
	(void)sqlite3_reset(s);
	return e == ERR_END ? ERR_NOT_FOUND : e;
}

/* Full jitter: anywhere up to the step, so that many agents do not return together. */
static int64_t backoff_s(int64_t attempts)
{
	size_t step = attempts < 0 ? 0 : (size_t)attempts;
	uint64_t random = 0;
	int64_t span = retry_steps_s[step < RETRY_STEPS ? step : RETRY_STEPS - 1];

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return span;
	return 1 + (int64_t)(random % (uint64_t)span);
}

static enum err count_failure(
	struct outbox *o, const char *receiver, const char *reason, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_FAILED);

	bind_text(s, 1, receiver);
	bind_text(s, 2, reason ? reason : "other");
	return run(o, s, why);
}

static enum err give_up(struct outbox *o, struct lane *l, const char *message, struct why *why)
{
	enum err e = run_text(o, ASK_DELETE, l->flight, why);

	log_error("receiver %s: notification %s is given up: %s", l->receiver, l->flight, message);
	return e;
}

static enum err postpone(
	struct outbox *o, struct lane *l, const char *message, int64_t next, struct why *why)
{
	sqlite3_stmt *s = ask(o, ASK_RETRY);

	bind_text(s, 1, l->flight);
	(void)sqlite3_bind_int64(s, 2, next);
	bind_text(s, 3, message);
	return run(o, s, why);
}

static enum err retry(struct outbox *o, struct lane *l, const struct delivery_result *result,
	int64_t now, struct why *why)
{
	const char *message = result->message ? result->message : "delivery failed";
	struct entry entry = { 0 };
	int64_t wait;
	enum err e = entry_of(o, l->flight, &entry, why);

	if (e != ERR_OK)
		return e;
	if (now - entry.created >= OUTBOX_GIVE_UP_S) {
		e = give_up(o, l, message, why);
		return e == ERR_OK ? count_failure(o, l->receiver, "abandoned", why) : e;
	}
	wait = backoff_s(entry.attempts);
	if (result->retry_after_s > 0) {
		wait = result->retry_after_s;
		if (wait > OUTBOX_RETRY_AFTER_MAX_S)
			wait = OUTBOX_RETRY_AFTER_MAX_S;
		l->hold_until = now + wait;
	}
	log_warn("receiver %s: %s; next attempt in %lld s", l->receiver, message, (long long)wait);
	return postpone(o, l, message, now + wait, why);
}

static enum err disable(struct outbox *o, struct lane *l, const struct delivery_result *result,
	int64_t now, struct why *why)
{
	const char *message = result->message ? result->message : "delivery refused";
	sqlite3_stmt *s = ask(o, ASK_DISABLE);
	enum err e;

	log_error("receiver %s is disabled until the configuration is reloaded: %s", l->receiver,
		message);
	bind_text(s, 1, l->receiver);
	bind_text(s, 2, message);
	e = run(o, s, why);
	return e == ERR_OK ? postpone(o, l, message, now, why) : e;
}

static enum err take_result(struct outbox *o, struct lane *l, const struct delivery_result *result,
	int64_t now, struct why *why)
{
	enum err e = ERR_OK;

	if (result->outcome == DELIVERY_OK)
		return sent(o, l->receiver, l->flight, now, why);
	e = count_failure(o, l->receiver, result->reason, why);
	if (e != ERR_OK)
		return e;
	if (result->outcome == DELIVERY_RETRY)
		return retry(o, l, result, now, why);
	if (result->outcome == DELIVERY_DISABLE)
		return disable(o, l, result, now, why);
	return give_up(o, l, result->message ? result->message : "refused", why);
}

/* The store did not take the result. What was delivered must not be sent for ever because of that. */
static void keep_unrecorded(struct lane *l, const struct delivery_result *result, int64_t now)
{
	l->hold_until = now + STORE_REST_S;
	if (result->outcome != DELIVERY_OK)
		return;
	free(l->settled);
	l->settled = l->flight;
	l->flight = NULL;
}

enum err outbox_result(struct outbox *o, const char *id, const struct delivery_result *result,
	int64_t now, struct why *why)
{
	struct lane *l = lane_of_flight(o, id);
	enum err e;

	if (!l)
		return why_fail(why, ERR_NOT_FOUND, "notification %s is not in flight", id);
	l->hold_until = TIME_UNKNOWN;
	e = store_begin(o->store, why);
	if (e == ERR_OK)
		e = take_result(o, l, result, now, why);
	if (e == ERR_OK)
		e = store_commit(o->store, true, why);
	if (e == ERR_OK && result->outcome == DELIVERY_DISABLE)
		l->is_disabled = true;
	if (e != ERR_OK)
		keep_unrecorded(l, result, now);
	land(l);
	return e;
}

enum err outbox_enable_all(struct outbox *o, int64_t now, struct why *why)
{
	enum err e = store_begin(o->store, why);
	sqlite3_stmt *s;

	if (e == ERR_OK)
		e = run(o, ask(o, ASK_ENABLE), why);
	if (e == ERR_OK) {
		s = ask(o, ASK_DUE_NOW);
		(void)sqlite3_bind_int64(s, 1, now);
		e = run(o, s, why);
	}
	if (e == ERR_OK)
		e = store_commit(o->store, true, why);
	for (size_t i = 0; e == ERR_OK && i < o->lanes_count; i++) {
		o->lanes[i].is_disabled = false;
		o->lanes[i].hold_until = TIME_UNKNOWN;
	}
	return e;
}

void outbox_drop_flights(struct outbox *o)
{
	for (size_t i = 0; i < o->lanes_count; i++)
		land(&o->lanes[i]);
}

/* ---- metrics ---------------------------------------------------------------------------------- */

enum err outbox_each_receiver(
	struct outbox *o, enum err (*fn)(void *, const struct receiver_state *), void *arg)
{
	sqlite3_stmt *s = ask(o, ASK_STATES);
	enum err e;

	while ((e = next_row(o, s, NULL)) == ERR_OK) {
		bool is_disabled = sqlite3_column_type(s, 2) != SQLITE_NULL;
		bool is_empty = sqlite3_column_type(s, 4) == SQLITE_NULL;
		const char *error = (const char *)sqlite3_column_text(s, is_disabled ? 2 : 5);
		struct receiver_state state = {
			.receiver = column_text(s, 0),
			.sent = (uint64_t)sqlite3_column_int64(s, 1),
			.outbox_entries = (uint64_t)sqlite3_column_int64(s, 3),
			.oldest_entry = is_empty ? TIME_UNKNOWN : sqlite3_column_int64(s, 4),
			.is_disabled = is_disabled,
			.last_error = error,
		};

		e = fn(arg, &state);
		if (e != ERR_OK)
			break;
	}
	(void)sqlite3_reset(s);
	return e == ERR_END ? ERR_OK : e;
}

enum err outbox_each_failure(
	struct outbox *o, enum err (*fn)(void *, const struct receiver_failure *), void *arg)
{
	sqlite3_stmt *s = ask(o, ASK_FAILURES);
	enum err e;

	while ((e = next_row(o, s, NULL)) == ERR_OK) {
		struct receiver_failure failure = {
			.receiver = column_text(s, 0),
			.reason = column_text(s, 1),
			.count = (uint64_t)sqlite3_column_int64(s, 2),
		};

		e = fn(arg, &failure);
		if (e != ERR_OK)
			break;
	}
	(void)sqlite3_reset(s);
	return e == ERR_END ? ERR_OK : e;
}
