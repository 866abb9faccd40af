/* What a server showed about client certificates, and what follows from it. Pure: no TLS library, no
 * socket, no clock. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_EVIDENCE_H
#define LEAFWATCH_SCANNERS_NETWORK_EVIDENCE_H

#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stddef.h>

#define EVIDENCE_BYTES 512

/* How a connection ended. */
enum ending {
	ENDING_NONE,
	ENDING_DONE,    /* all was seen */
	ENDING_ENOUGH,  /* left by us: the rest was not wanted */
	ENDING_SILENCE, /* Finished, and then nothing in time */
	ENDING_TIMEOUT,
	ENDING_NOT_TLS,
	ENDING_LIMIT,
	ENDING_ALERT,
	ENDING_CLOSED,  /* without an alert */
	ENDING_GOODBYE, /* with close_notify */
	ENDING_RESET,
	ENDING_FAILED, /* the library gave up */
};

/* What the protocol's own answer says about client certificates. */
enum retort {
	RETORT_NONE,     /* no answer, or not enough of it yet */
	RETORT_PROCEEDS, /* it goes on with us as we are */
	RETORT_DEMANDS,  /* it says that it wants a certificate, or another one */
	RETORT_DENIES,   /* it refuses, and does not say why */
	RETORT_UNCLEAR,  /* it may mean either */
};

/* One connection, as far as it tells. */
struct sight {
	enum ending ending;
	int alert;            /* RFC 8446 6, for ENDING_ALERT */
	bool is_13;           /* TLS 1.3: the server sees our certificate after we are done */
	bool was_asked;       /* CertificateRequest in the handshake */
	bool was_recalled;    /* HelloRequest or a certificate asked for after the handshake */
	bool was_asked_later; /* CertificateRequest after the handshake */
	bool has_replied;     /* our Certificate went out: an empty one, unless one is presented */
	bool has_presented;   /* it held one */
	bool is_finished;
	bool has_ticket; /* NewSessionTicket after our Certificate */
	bool has_spoken; /* application data came */
	bool is_brief;   /* we were told not to look further than the request */
	/* The protocol. */
	const char *question;  /* borrowed: what was asked, "GET /"; NULL where nothing was */
	bool decides_at_login; /* certificates are demanded when a user logs in, if at all */
	bool drops_in_silence; /* closing instead of answering means no */
	bool is_unasked;       /* there is a question, and we were told not to ask it */
	enum retort retort;
	const char *
		answer; /* borrowed, clean: "HTTP 200", or a sentence where the protocol has more to say */
	bool is_sentence; /* it names the question already */
};

/* The name of an alert as RFC 8446 6 writes it, "certificate_required"; NULL for one it does not know. */
const char *evidence_alert_word(int alert);

/* The verdict on what the server wants of clients, and the sentence it rests on ("" where nothing was
 * seen). `again` is the same server looked at a second time, or NULL. */
enum client_certificate evidence_verdict(
	const struct sight *s, const struct sight *again, char text[EVIDENCE_BYTES]);
/* Did it close on our empty certificate without a word? Then a second look tells chance from rule. */
bool evidence_wants_second_look(const struct sight *s);

/* Did it take the certificate that was presented? */
enum acceptance evidence_acceptance(const struct sight *s, char text[EVIDENCE_BYTES]);

#endif
