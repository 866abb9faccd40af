/* A protocol that certificates are served in: how its server is recognised, what is said before TLS, and
 * what is asked inside TLS to learn whether a client certificate is required. One file in starttls/
 * with one of these, one line in protocols.def. All of it is constant data and pure functions; what
 * runs them is dialogue.c (before TLS) and the TLS session (inside). */
#ifndef LEAFWATCH_SCANNERS_NETWORK_PROTOCOL_H
#define LEAFWATCH_SCANNERS_NETWORK_PROTOCOL_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/certificate/record.h"
#include "scanners/network/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_SENTENCE_BYTES 512
#define PROTOCOL_PORTS_MAX 10
#define PROTOCOL_QUOTE_BYTES 96 /* of what a server said, shown */
/* "[IPv6:...]": RFC 5321 4.1.3. */
#define PROTOCOL_OWN_BYTES 64

/* ---- what is sent ----------------------------------------------------------------------------- */

/* What stands for {host}, {own} and {path} in texts; the texts may not be NULL. */
struct words {
	const char *host; /* the name asked for, or the address */
	const char *own;  /* this end, as SMTP names it: "[192.0.2.1]" */
	const char *path; /* of an HTTP request, "/..." */
};

struct say {
	const char *text; /* NULL: nothing is sent */
	size_t size;      /* 0: a text with words in braces; else so many bytes as they are */
};
#define SAY(literal)              \
	{                         \
		.text = (literal) \
	}
#define SAY_BYTES(literal)                                       \
	{                                                        \
		.text = (literal), .size = sizeof((literal)) - 1 \
	}

/* Appends it, the words put in. */
void say_write(const struct say *say, const struct words *words, struct buffer *out);

/* ---- the dialogue before TLS ------------------------------------------------------------------ */

/* What follows an answer: a state (its index), or one of these. */
enum {
	MOVE_STAY = -1,   /* wait for the next unit in the same state */
	MOVE_TLS = -2,    /* TLS begins with the next byte */
	MOVE_REFUSED = -3 /* the dialogue has failed */
};

struct refusal {
	enum reason reason;
	char text[PROTOCOL_SENTENCE_BYTES]; /* clean */
};

/* One thing that may come. The first that fits counts; an entry that begins with NULL ends the table,
 * and what fits none is no answer of this protocol. Letters of ASCII count in either case. */
struct answer {
	const char *begins;
	const char *holds; /* and holds this word somewhere, or NULL */
	int next;
	/* Of MOVE_REFUSED: the sentence (`not-tls`); one that ends in a colon is followed by the unit. */
	const char *refusal;
};

/* Size of the first unit of what came; 0 while it is not whole. */
typedef size_t frame_fn(struct slice got);
#define FRAME_NEVER SIZE_MAX /* it can never become one */

struct state {
	const char *awaits; /* "the greeting": for the sentence when it does not come */
	struct say say;     /* on entering; not again on MOVE_STAY */
	frame_fn *frame;    /* NULL: nothing is awaited, `next` follows at once */
	int next;
	const struct answer *answers;
	/* Instead of answers; fills `why` for MOVE_REFUSED. */
	int (*judge)(struct slice unit, struct refusal *why);
};

/* ---- the question inside TLS ------------------------------------------------------------------ */

enum learnt {
	LEARNT_NOT_YET, /* read on */
	LEARNT_NOTHING, /* the answer says nothing on client certificates */
	LEARNT_REQUIRED,
	LEARNT_NOT_REQUIRED,
	LEARNT_DENIED, /* what was asked for is refused, and nothing says why */
};

/* Harmless, short, and answered differently where a client certificate is missed. */
struct question {
	struct say say;
	/* Looks at all that came since it was sent. Whatever it returns but LEARNT_NOT_YET comes with a
	 * clean sentence in `evidence`. Pure. */
	enum learnt (*read)(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES]);
	/* The same when no more comes; NULL: an answer that is cut off teaches nothing. */
	enum learnt (*end)(struct slice answer, char evidence[PROTOCOL_SENTENCE_BYTES]);
};

/* ---- the protocol ----------------------------------------------------------------------------- */

/* How its server greets. One that holds the word as well is surely it, else it may be. */
struct greeting {
	const char *begins;
	const char *holds;
};

struct protocol {
	const char *name;                   /* the scheme of its sources */
	uint16_t port;                      /* its standard one */
	uint16_t ports[PROTOCOL_PORTS_MAX]; /* others it is usually found on; zero ends */
	uint16_t tls_ports
		[PROTOCOL_PORTS_MAX];        /* where it is spoken inside TLS from the first byte */
	bool is_silent;                      /* its server waits for the client's first word */
	bool is_datagram;                    /* DTLS, over UDP */
	const struct greeting *greetings;    /* NULL begins ends; NULL: none */
	bool (*greets)(struct slice banner); /* for greetings that are no text, or NULL */
	const struct state *states;          /* the first is where it begins; NULL: TLS at once */
	size_t states_count;
	struct slice (*strip)(struct slice unit); /* what is before the word that counts, or NULL */
	/* How TLS travels until the handshake is complete; NULL: as it is. */
	transport_new_fn *transport;
	/* NULL: none is known that would be harmless and tell. */
	const struct question *question;
};

/* In the table's order; the first is "tls". */
extern const struct protocol *const protocols[];
extern const size_t protocols_count;

/* By scheme, letters in either case; NULL when there is none. */
const struct protocol *protocol_find(struct slice name);

/* What is spoken inside TLS on `port` from the first byte on; NULL: not known. */
const struct protocol *protocol_inside(uint16_t port);

/* The question of what is spoken on `port` of a server found with `p`: p's own, or for "tls" that of the
 * protocol whose port it is. NULL: none. */
const struct question *protocol_question(const struct protocol *p, uint16_t port);

/* The protocols worth trying on a port whose server does not speak TLS at once, the likeliest first;
 * `banner` is what it said unasked, empty for silence. Returns how many of `max`. */
size_t protocol_suggest(
	uint16_t port, struct slice banner, const struct protocol **out, size_t max);

#endif
