/* What the files of the TLS session share: tls.c (life), tls_step.c (stages), tls_wire.c (socket and
 * handshake messages), tls_report.c (the record). */
#ifndef LEAFWATCH_SCANNERS_NETWORK_TLS_INTERNAL_H
#define LEAFWATCH_SCANNERS_NETWORK_TLS_INTERNAL_H

#include "agent/base/buffer.h"
#include "scanners/network/evidence.h"
#include "scanners/network/tls.h"
#include "scanners/network/tls_own.h"

#include <errno.h>
#include <gnutls/dtls.h>
#include <gnutls/gnutls.h>

#define TLS_HEAD_BYTES 64 /* of the first answer, to name what is not TLS */

struct tls_shared {
	gnutls_certificate_credentials_t credentials; /* owned */
	gnutls_priority_t priority;                   /* owned */
	gnutls_priority_t priority_12;                /* owned: TLS 1.2 at most */
	gnutls_priority_t priority_dtls;              /* owned */
	char *http_path;                              /* owned, or NULL */
	char *http_question;                          /* owned: "GET /", or NULL */
	bool is_certificates_only;
	struct tls_own *owns; /* owned */
	size_t owns_count;
};

/* Why there are several connections, in their order. */
enum round {
	ROUND_FIRST,
	ROUND_CONFIRM, /* was it chance that it closed on us? */
	ROUND_NAMES,   /* TLS 1.3 brought no list of CAs: does 1.2? */
	ROUND_PRESENT, /* does it take a certificate of ours? */
	ROUND_COUNT
};

enum stage {
	STAGE_HANDSHAKE,
	STAGE_LISTEN, /* for the server's first word after Finished */
	STAGE_ASK,    /* the question goes out */
	STAGE_ANSWER,
	STAGE_REPLY, /* a certificate is asked for after the handshake: we reply */
};

struct tls {
	const struct tls_shared *shared; /* borrowed */
	struct tls_target target;
	const struct tls_own *own; /* borrowed: what this server is shown, or NULL */
	enum round round;
	bool is_without_alpn; /* the server refused the one we offered */
	bool is_out_of_memory;
	bool has_heard; /* bytes came, on whichever connection */
	/* This connection. */
	gnutls_session_t session;    /* owned */
	struct transport *transport; /* borrowed */
	enum stage stage;
	int error;    /* GnuTLS's, for ENDING_FAILED */
	int io_errno; /* of the socket, for ENDING_RESET */
	size_t received;
	size_t ceiling; /* of `received` */
	size_t budget;  /* bytes that this step may still read */
	unsigned non_fatal;
	unsigned recalls;
	bool is_over_ceiling;
	bool is_renegotiating;
	size_t head_size;
	uint8_t head[TLS_HEAD_BYTES];
	const struct protocol *inside;   /* what is spoken inside TLS, or NULL: not known */
	const struct question *question; /* of it, or NULL */
	bool is_http;
	struct buffer out;    /* owned: what is left of the question to send */
	struct buffer answer; /* owned */
	/* All connections. */
	struct sight sights[ROUND_COUNT];
	char *answer_texts[ROUND_COUNT]; /* owned: sight.answer_text */
	char *label;                     /* owned: sight.question, of what is not HTTP */
	size_t certificates_sent;        /* how many the server sent, kept or not */
	bool is_certificate_large;       /* one of them is over TLS_CERTIFICATE_BYTES_MAX */
	struct blobs certificates;
	struct blobs authorities;
	bool are_authorities_of_12; /* they came in ROUND_NAMES */
	struct blob ocsp_response;
	bool is_staple_known; /* it is there, or would have come by now */
	/* The first connection, once it is over. */
	const char *protocol;     /* static, or NULL */
	const char *cipher_suite; /* static, or NULL */
	enum reason reason;
	char *failure; /* owned: what went wrong, or NULL */
	char *word;    /* owned: for facts.handshake */
	/* A key in a token, at work for this connection. */
	gnutls_privkey_t sign_key; /* owned, or NULL */
	int64_t sign_until_ms;
	char sign_failure[REMOTE_KEY_TEXT_BYTES]; /* why it did not sign, or empty */
};

static inline struct sight *tls_sight(struct tls *t)
{
	return &t->sights[t->round];
}

static inline bool tls_is_datagram(const struct tls *t)
{
	return t->target.protocol->is_datagram;
}

/* Has its socket failed, rather than made us wait? */
static inline bool tls_is_io_broken(const struct tls *t)
{
	return t->io_errno && t->io_errno != EAGAIN && t->io_errno != EINTR;
}

/* tls_wire.c */
void tls_wire_attach(struct tls *t);
/* The CertificateRequest of GnuTLS's callback: offers nothing. */
int tls_wire_on_request(gnutls_session_t session, const gnutls_datum_t *names, int names_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_retr2_st *answer);
/* Keeps more of an answer that is no TLS, to name it by. */
void tls_wire_peek(struct tls *t);

/* tls_report.c: what the connection that just ended says of protocol and failure. */
void tls_note_first(struct tls *t);

#endif
