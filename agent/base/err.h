/* The one error type: what failed, for code; and the sentence that says why, for a human. */
#ifndef LEAFWATCH_BASE_ERR_H
#define LEAFWATCH_BASE_ERR_H

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* name, text */
#define ERR_LIST(X)                                 \
	X(ERR_OK, "no error")                       \
	X(ERR_MEMORY, "out of memory")              \
	X(ERR_IO, "input or output failed")         \
	X(ERR_MALFORMED, "malformed")               \
	X(ERR_LIMIT, "limit reached")               \
	X(ERR_UNSUPPORTED, "not supported")         \
	X(ERR_NOT_FOUND, "not found")               \
	X(ERR_DENIED, "permission denied")          \
	X(ERR_TIMEOUT, "timed out")                 \
	X(ERR_PASSWORD, "password needed or wrong") \
	X(ERR_USAGE, "wrong usage")                 \
	X(ERR_CONFIG, "wrong configuration")        \
	X(ERR_CLOSED, "closed")                     \
	X(ERR_END, "no more")                       \
	X(ERR_BUSY, "busy")                         \
	X(ERR_NETWORK, "network failure")           \
	X(ERR_STORE, "inventory failure")

enum err {
#define ERR_ENUM(name, text) name,
	ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

#define WHY_TEXT_BYTES 512

/* The sentence for a human. Whoever declares one starts it with {0}; every function takes NULL. */
struct why {
	char text[WHY_TEXT_BYTES];
};

/* The text of an error, never NULL. */
const char *err_text(enum err e);

/* Writes the sentence (valid UTF-8, cut at the buffer) and returns `e`, so that a failing function
 * can leave with `return why_fail(why, ERR_X, "...")`. */
enum err why_fail(struct why *why, enum err e, const char *format, ...) PRINTF_LIKE(3, 4);

/* The sentence, or the text of `e` where nobody wrote one. */
const char *why_text(const struct why *why, enum err e);

#endif
