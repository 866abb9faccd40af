/* What main and its roles say to each other. A frame is u32 payload length, u16 type, payload.
 * Each struct below has one encoder and one decoder; decoders treat bytes as hostile. */
#ifndef LEAFWATCH_PROCESS_MESSAGES_H
#define LEAFWATCH_PROCESS_MESSAGES_H

#include "agent/base/buffer.h"
#include "agent/base/err.h"
#include "agent/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Ceiling of one frame's payload, either way. A finding's bytes travel in pieces, and so does a record
 * that is larger than one: of a certificate with tens of thousands of names. */
#define FRAME_BYTES_MAX (512 * 1024)
#define FINDING_PIECE_BYTES (256 * 1024)
#define RECORD_PIECE_BYTES (256 * 1024)
#define PLACE_BYTES_MAX (64 * 1024)
#define FINDING_LABEL_BYTES_MAX (4 * 1024)

/* The life of a reader or probe process is one pass: SETUP, MEMORY*, WORK*, FINISH from main; it
 * answers with FINDING, RECORD (problems), UNCHANGED, WORK_DONE, PROGRESS, then MEMORY*, FINISHED.
 * A parser lives on: SETUP, then FINDING pieces; it answers (RECORD_PIECE* RECORD)* and FINDING_DONE in
 * order. */
enum message {
	MESSAGE_SETUP = 1,    /* main: struct setup */
	MESSAGE_MEMORY,       /* both: raw bytes of what a scanner remembers between passes */
	MESSAGE_WORK,         /* main: struct work */
	MESSAGE_FINISH,       /* main: no more work comes */
	MESSAGE_WORK_DONE,    /* role: u64 id */
	MESSAGE_FINDING,      /* role to main to parser: struct finding_piece */
	MESSAGE_FINDING_DONE, /* parser: u64 id */
	MESSAGE_RECORD,       /* reader, probe, parser: record_encode's bytes */
	MESSAGE_UNCHANGED,    /* reader: text uri; what was known there still holds */
	MESSAGE_PROGRESS,     /* role: struct progress, at least each second while it works */
	MESSAGE_FINISHED,     /* role: its last word */
	MESSAGE_SANDBOX,      /* role: struct sandbox_layer, after SETUP */
	MESSAGE_KEPT, /* probe: text uri; it could not be looked at: what was known is kept as such */
	MESSAGE_WANT,         /* probe: u64, connections it would begin, where there is a rate */
	MESSAGE_GRANT,        /* main: u64, so many of them it may */
	MESSAGE_RECORD_PIECE, /* parser: what stands before the next RECORD's bytes */
	MESSAGE_PLAN, /* probe: what the scanner's plan in main may go on with, in its own encoding */
	MESSAGE_KEY_OPEN, /* probe: u64, which client key in a token will be needed; main to token: an order */
	MESSAGE_KEY,    /* token to main to probe: struct key_answer */
	MESSAGE_SIGN,   /* probe to main to token: struct sign_request */
	MESSAGE_SIGNED, /* token to main to probe: struct sign_answer */
};

struct setup {
	int64_t pinned_now; /* TIME_UNKNOWN = the clock runs */
	uint8_t log_level;
	bool is_transient;  /* nothing is remembered for a next pass: no MEMORY is wanted */
	uint16_t processes; /* that share the work of the pass; at least 1 */
	struct slice
		options; /* the role's own: scanner options, or the parser's trust and passwords */
};
void setup_encode(struct buffer *out, const struct setup *s);
enum err setup_decode(struct slice bytes, struct setup *out) MUST_CHECK;

/* One unit of work: a root to walk, a target to probe. */
struct work {
	uint64_t id;
	struct slice place; /* uri that a problem with this work names */
	struct slice item;  /* the scanner's own encoding */
};
void work_encode(struct buffer *out, const struct work *w);
enum err work_decode(struct slice bytes, struct work *out) MUST_CHECK;

enum finding_kind {
	FINDING_FILE = 1,
	FINDING_ENDPOINT,
	FINDING_VERIFY,
	FINDING_FETCHED,
	FINDING_COMPLETION,
	FINDING_TOKEN,
	FINDING_LOCKED,
	FINDING_KINDS_END
};

/* Whose a file is, and who may read it. */
struct file_owner {
	bool is_known; /* there is a file, and it was asked: */
	uint16_t mode; /* permission bits */
	uint32_t uid;
	uint32_t gid;
};

/* A finding in one or more pieces. Only the first piece carries kind, scanner, place, label, owner and total. */
struct finding_piece {
	uint64_t id; /* unique within the sending process; main renumbers */
	bool is_first;
	bool is_last;
	bool is_abandoned; /* the sender died before the last piece: forget it. Answered like a last one */
	/* The content is a file, open for reading, whose descriptor comes with the frame. Only a last piece
	 * without data has one, and only a finding without any other data. */
	bool has_file;
	/* The content's end was left out, and why is told: what its last part lacks is no damage. Only a last piece. */
	bool is_cut;
	uint8_t kind;
	uint64_t total; /* bytes of all pieces; 0 = not known yet */
	struct slice scanner;
	struct slice place;
	struct slice label; /* what the place belongs to, or empty */
	struct file_owner owner;
	uint8_t judging; /* set by main alone: by which of the parsers' struct judging */
	struct slice data;
};
void finding_piece_encode(struct buffer *out, const struct finding_piece *f);
enum err finding_piece_decode(struct slice bytes, struct finding_piece *out) MUST_CHECK;

struct progress {
	uint64_t items;    /* files read or targets tried so far in this pass */
	uint64_t expected; /* 0 = not known */
	struct slice at;   /* where it is, for the bar and for a crash report */
};
void progress_encode(struct buffer *out, const struct progress *p);
enum err progress_decode(struct slice bytes, struct progress *out) MUST_CHECK;

struct sandbox_layer {
	struct slice layer; /* "no_new_privs", "no_core", "capabilities", "landlock", "seccomp" */
	bool is_active;
};
void sandbox_layer_encode(struct buffer *out, const struct sandbox_layer *l);
enum err sandbox_layer_decode(struct slice bytes, struct sandbox_layer *out) MUST_CHECK;

/* A private key that stays in its token: the probe sees what it is, and asks for signatures by it. Numbers of
 * algorithms are those of GnuTLS, which all processes of one binary share. */
#define KEY_TEXT_BYTES_MAX 4096
#define KEY_CHAIN_BYTES_MAX (256 * 1024)
struct key_answer {
	uint16_t number; /* of the key among the job's, from 1 on; main's to say */
	bool is_usable;
	/* Usable: */
	uint32_t algorithm; /* gnutls_pk_algorithm_t */
	uint32_t bits;
	bool has_pss;     /* RSA: the module can do PSS, and its elder scheme */
	struct slice uri; /* of the certificate, where that is in the token too, with its chain: */
	struct slice chain; /* bytes (agent/base/wire.h) one after another, the leaf first */
	struct slice key_uri;
	/* Not usable: */
	uint8_t reason; /* enum reason */
	struct slice message;
	bool has_refused_pin;
};
void key_answer_encode(struct buffer *out, const struct key_answer *a);
enum err key_answer_decode(struct slice bytes, struct key_answer *out) MUST_CHECK;

/* What is signed is a digest, for GnuTLS gives no more to who signs; by EdDSA it is whole (in TLS 1.2 the handshake's
 * messages, lists of CAs included), and the role looks at it. */
#define SIGN_DATA_BYTES_MAX (256 * 1024)
#define SIGNATURE_BYTES_MAX 4096
struct sign_request {
	uint64_t id;
	uint16_t number;
	uint32_t scheme; /* gnutls_sign_algorithm_t */
	struct slice data;
};
void sign_request_encode(struct buffer *out, const struct sign_request *r);
enum err sign_request_decode(struct slice bytes, struct sign_request *out) MUST_CHECK;

struct sign_answer {
	uint64_t id;
	uint16_t number;
	bool is_signed;
	struct slice signature;
	/* Not signed: */
	uint8_t reason; /* enum reason */
	struct slice message;
	bool is_final; /* the key will sign no more in this pass */
};
void sign_answer_encode(struct buffer *out, const struct sign_answer *a);
enum err sign_answer_decode(struct slice bytes, struct sign_answer *out) MUST_CHECK;

#endif
