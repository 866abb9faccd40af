/* From what was seen to a verdict on client certificates. */
#include "scanners/network/evidence.h"

#include <stdarg.h>
#include <stdio.h>

/* RFC 8446 B.2, RFC 5246 A.3, and those that they name reserved. */
static const struct {
	int alert;
	const char *word;
	/* Servers of the field answer with it to a client certificate that is missing or not taken. */
	bool is_about_certificate;
} alerts[] = {
	{ 0, "close_notify", false },
	{ 10, "unexpected_message", false },
	{ 20, "bad_record_mac", false },
	{ 21, "decryption_failed", false },
	{ 22, "record_overflow", false },
	{ 30, "decompression_failure", false },
	{ 40, "handshake_failure", true },
	{ 41, "no_certificate", true },
	{ 42, "bad_certificate", true },
	{ 43, "unsupported_certificate", true },
	{ 44, "certificate_revoked", true },
	{ 45, "certificate_expired", true },
	{ 46, "certificate_unknown", true },
	{ 47, "illegal_parameter", false },
	{ 48, "unknown_ca", true },
	{ 49, "access_denied", true },
	{ 50, "decode_error", true }, /* GnuTLS's own server, TLS 1.2 */
	{ 51, "decrypt_error", false },
	{ 60, "export_restriction", false },
	{ 70, "protocol_version", false },
	{ 71, "insufficient_security", false },
	{ 80, "internal_error", false },
	{ 86, "inappropriate_fallback", false },
	{ 90, "user_canceled", false },
	{ 100, "no_renegotiation", false },
	{ 109, "missing_extension", false },
	{ 110, "unsupported_extension", false },
	{ 111, "certificate_unobtainable", false },
	{ 112, "unrecognized_name", false },
	{ 113, "bad_certificate_status_response", false },
	{ 114, "bad_certificate_hash_value", false },
	{ 115, "unknown_psk_identity", false },
	{ 116, "certificate_required", true },
	{ 120, "no_application_protocol", false },
};
#define ALERT_TEXT_BYTES 64
#define ALERTS_COUNT (sizeof(alerts) / sizeof(alerts[0]))

const char *evidence_alert_word(int alert)
{
	for (size_t i = 0; i < ALERTS_COUNT; i++)
		if (alerts[i].alert == alert)
			return alerts[i].word;
	return NULL;
}

static bool is_about_certificate(int alert)
{
	for (size_t i = 0; i < ALERTS_COUNT; i++)
		if (alerts[i].alert == alert)
			return alerts[i].is_about_certificate;
	return false;
}

static void PRINTF_LIKE(2, 3) say(char text[EVIDENCE_BYTES], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, EVIDENCE_BYTES, format, args);
	va_end(args);
}

/* "alert 116 (certificate_required)" */
static void name_alert(int alert, char out[ALERT_TEXT_BYTES])
{
	const char *word = evidence_alert_word(alert);

	(void)snprintf(out, ALERT_TEXT_BYTES, "alert %d%s%s%s", alert, word ? " (" : "",
		word ? word : "", word ? ")" : "");
}

/* Up to where the session had come when it ended. */
static const char *stage(const struct sight *s)
{
	if (s->was_asked_later)
		return "after a certificate was asked for in answer to the request";
	return s->is_finished ? "after Finished" : "after an empty client certificate";
}

/* An end without a word. */
static const char *parting(enum ending ending)
{
	switch (ending) {
	case ENDING_CLOSED:
		return "closed without an alert";
	case ENDING_RESET:
		return "reset without an alert";
	case ENDING_GOODBYE:
		return "close_notify";
	default:
		return NULL;
	}
}

/* Silent ends in the place where a server judges an empty certificate, before it went on with us. */
static bool has_turned_away(const struct sight *s)
{
	bool has_gone_on = s->has_ticket || s->has_spoken || s->retort != RETORT_NONE;

	if (!parting(s->ending) || !s->was_asked || !s->has_replied || has_gone_on)
		return false;
	/* RFC 5246 7.4.9: in TLS 1.2 the server's Finished is the word that it goes on; what comes after
	 * is the application's, and an application may have reasons of its own. */
	if (s->is_finished && (!s->is_13 || s->question))
		return s->drops_in_silence;
	return true;
}

bool evidence_wants_second_look(const struct sight *s)
{
	return has_turned_away(s);
}

/* "HTTP 200 to GET /", or the sentence that says it all. */
static const char *reply(const struct sight *s, char text[EVIDENCE_BYTES])
{
	if (s->is_sentence)
		say(text, "%s", s->answer);
	else
		say(text, "%s to %s", s->answer, s->question);
	return text;
}

/* ---- without a certificate -------------------------------------------------------------------- */

/* Nothing was asked for, not even after the question. */
static enum client_certificate never_asked(const struct sight *s, char text[EVIDENCE_BYTES])
{
	if (!s->is_finished && s->ending != ENDING_ENOUGH) {
		text[0] = '\0';
		return CLIENT_CERTIFICATE_UNKNOWN;
	}
	if (s->was_recalled)
		say(text, "no CertificateRequest in the handshake, nor in the one after %s",
			s->question ? s->question : "it");
	else if (s->retort != RETORT_NONE && !s->is_sentence)
		say(text, "no CertificateRequest in the handshake, nor after %s (%s)", s->question,
			s->answer);
	else
		say(text, "no CertificateRequest in the handshake");
	return CLIENT_CERTIFICATE_NONE;
}

/* It said no: by an alert, by its answer, or by leaving twice. */
static bool is_refused(const struct sight *s, const struct sight *again, char text[EVIDENCE_BYTES])
{
	char alert[ALERT_TEXT_BYTES];
	char answer[EVIDENCE_BYTES];

	if (s->ending == ENDING_ALERT && s->has_replied && is_about_certificate(s->alert)) {
		name_alert(s->alert, alert);
		say(text, "%s %s", alert, stage(s));
		return true;
	}
	/* That the page refuses, though it asked for one because of this very request, is about it too. */
	if (s->retort == RETORT_DEMANDS || (s->was_asked_later && s->retort == RETORT_DENIES)) {
		say(text, "CertificateRequest%s; without a certificate: %s",
			s->was_asked_later ? " after the request" : "", reply(s, answer));
		return true;
	}
	if (has_turned_away(s) && again && has_turned_away(again)) {
		say(text, "%s %s%s, twice", parting(s->ending),
			s->question ? "instead of an answer to " : stage(s),
			s->question ? s->question : "");
		return true;
	}
	return false;
}

/* It went on without one. */
static bool is_let_in(const struct sight *s, char text[EVIDENCE_BYTES])
{
	char answer[EVIDENCE_BYTES];
	const char *word = NULL;

	if (s->retort == RETORT_PROCEEDS || s->retort == RETORT_DENIES)
		word = reply(s, answer);
	/* Where there is a question, only its answer counts: nginx hands out tickets before it refuses. */
	else if (s->question || s->is_unasked)
		return false;
	else if (s->has_spoken)
		word = "application data";
	/* RFC 8446 4.6.1: a ticket follows the client's Finished, hence its certificate. */
	else if (s->has_ticket)
		word = "a session ticket";
	else if (!s->is_13 && !parting(s->ending))
		word = "the server's Finished";
	if (word)
		say(text, "CertificateRequest%s; without a certificate: %s",
			s->was_asked_later ? " after the request" : "", word);
	return word;
}

static void doubt(const struct sight *s, char text[EVIDENCE_BYTES])
{
	const char *end = parting(s->ending);
	char alert[ALERT_TEXT_BYTES];
	char answer[EVIDENCE_BYTES];

	name_alert(s->alert, alert);
	if ((s->is_brief && s->ending == ENDING_ENOUGH) || (s->is_finished && s->is_unasked))
		say(text, "CertificateRequest; whether one is required was not asked");
	else if (!s->is_finished && s->has_replied && s->ending == ENDING_TIMEOUT)
		/* Over UDP it may have been lost, again and again. */
		say(text, "CertificateRequest; then silence %s", stage(s));
	else if (!s->has_replied || (!s->is_finished && !end && s->ending != ENDING_ALERT &&
					    s->retort != RETORT_UNCLEAR))
		say(text, "CertificateRequest in a handshake that failed");
	else if (s->ending == ENDING_ALERT)
		say(text, "CertificateRequest; then %s %s", alert, stage(s));
	else if (s->retort == RETORT_UNCLEAR)
		say(text, "CertificateRequest; undecided by %s", reply(s, answer));
	else if (end)
		say(text, "CertificateRequest; then %s %s%s", end,
			s->question ? "instead of an answer to " : stage(s),
			s->question ? s->question : "");
	else if (s->question)
		say(text, "CertificateRequest; no answer to %s", s->question);
	else
		say(text, "CertificateRequest; then silence");
}

enum client_certificate evidence_verdict(
	const struct sight *s, const struct sight *again, char text[EVIDENCE_BYTES])
{
	if (!s->was_asked && !s->was_asked_later)
		return never_asked(s, text);
	if (is_refused(s, again, text))
		return CLIENT_CERTIFICATE_REQUIRED;
	if (s->is_finished && s->decides_at_login) {
		say(text, "CertificateRequest; whether one is required is decided at login");
		return CLIENT_CERTIFICATE_UNKNOWN;
	}
	if (s->is_finished && is_let_in(s, text))
		return CLIENT_CERTIFICATE_OPTIONAL;
	doubt(s, text);
	return CLIENT_CERTIFICATE_UNKNOWN;
}

/* ---- with one --------------------------------------------------------------------------------- */

/* It went on with us; NULL where that is not known. */
static const char *welcome(const struct sight *s, char text[EVIDENCE_BYTES])
{
	if (s->retort == RETORT_PROCEEDS || s->retort == RETORT_DENIES)
		return reply(s, text);
	if (!s->is_finished || s->question || s->is_unasked)
		return NULL;
	if (s->has_spoken)
		return "application data";
	if (s->has_ticket)
		return "a session ticket";
	return !s->is_13 && !parting(s->ending) ? "the server's Finished" : NULL;
}

enum acceptance evidence_acceptance(const struct sight *s, char text[EVIDENCE_BYTES])
{
	char said[EVIDENCE_BYTES];
	const char *word;

	if (!s->has_presented) {
		say(text, s->was_asked || s->was_asked_later
				  ? "the server takes no certificate of this kind"
				  : "the server asked for none");
		return ACCEPTANCE_UNKNOWN;
	}
	if (s->ending == ENDING_ALERT && is_about_certificate(s->alert)) {
		name_alert(s->alert, said);
		say(text, "%.64s after the certificate", said);
		return ACCEPTANCE_REFUSED;
	}
	if (s->retort == RETORT_DEMANDS || (s->was_asked_later && s->retort == RETORT_DENIES)) {
		say(text, "with the certificate: %s", reply(s, said));
		return ACCEPTANCE_REFUSED;
	}
	if (has_turned_away(s)) {
		say(text, "%s after the certificate", parting(s->ending));
		return ACCEPTANCE_REFUSED;
	}
	word = welcome(s, said);
	if (word) {
		say(text, "with the certificate: %s", word);
		return ACCEPTANCE_ACCEPTED;
	}
	say(text, s->is_finished ? "no answer after the certificate" : "the handshake failed");
	return ACCEPTANCE_UNKNOWN;
}
