/* Records: what scanners find and exporters tell. Field by field the JSON of the documentation.
 * A record owns all it points to; record_fini frees it. Text in a record is clean (base/text.h):
 * valid UTF-8 without control characters, whatever the certificate held. */
#ifndef LEAFWATCH_CERTIFICATE_RECORD_H
#define LEAFWATCH_CERTIFICATE_RECORD_H

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/err.h"
#include "agent/base/strings.h"
#include "agent/base/wire.h"
#include "agent/certificate/rules.h"

#include <stdbool.h>
#include <stdint.h>

#define FINGERPRINT_BYTES 32
#define FINGERPRINT_TEXT_BYTES (2 * FINGERPRINT_BYTES + 1)

/* Ceilings of what a record may hold; beyond them the parser cuts and reports `limit-reached`. */
#define RECORD_NAMES_MAX 100000
#define RECORD_TEXT_BYTES_MAX 65536
#define RECORD_CHAIN_MAX 64
#define RECORD_CAS_MAX 21845 /* of three bytes each, what RFC 8446 4.2.4 has room for */
#define RECORD_USAGES_MAX 4096
#define RECORD_URLS_MAX 8
#define RECORD_URL_BYTES_MAX 2048
/* Of one reference: names that its server answers to, ports that it listens on. */
#define REFERENCE_NAMES_MAX 10000
#define REFERENCE_PORTS_MAX 64
/* Of one certificate that is kept whole. */
#define RECORD_DER_BYTES_MAX (64 * 1024)
#define RECORD_STORES_MAX 64
#define RECORD_BYTES_MAX (16 * 1024 * 1024)

/* What verdict.trust calls the operating system's store. */
#define TRUST_SYSTEM "system"
/* The scanner of this host's own listening sockets. */
#define SCANNER_LISTENERS "listeners"

enum problem {
#define PROBLEM(name, word, served, any, meaning) name,
#include "agent/certificate/words.def"
#undef PROBLEM
	PROBLEM_COUNT
};
#define PROBLEM_BIT(p) (UINT32_C(1) << (p))

enum reason {
#define REASON(name, word, keeps, meaning) name,
#include "agent/certificate/words.def"
#undef REASON
	REASON_COUNT
};

enum status {
	STATUS_OK,
	STATUS_WARNING,
	STATUS_CRITICAL,
	STATUS_EXPIRED,
	STATUS_BROKEN,
	STATUS_UNCHECKED,
	STATUS_COUNT
};
enum client_certificate {
	CLIENT_CERTIFICATE_UNKNOWN,
	CLIENT_CERTIFICATE_NONE,
	CLIENT_CERTIFICATE_OPTIONAL,
	CLIENT_CERTIFICATE_REQUIRED,
	CLIENT_CERTIFICATE_COUNT
};
/* What a configuration uses a file for. */
enum reference_role {
#define REFERENCE_ROLE(name, word, use) name,
#include "agent/certificate/words.def"
#undef REFERENCE_ROLE
	REFERENCE_ROLE_COUNT
};
/* Did a server take the certificate that was presented to it? */
enum acceptance { ACCEPTANCE_UNKNOWN, ACCEPTANCE_REFUSED, ACCEPTANCE_ACCEPTED, ACCEPTANCE_COUNT };
enum stapled_ocsp {
	STAPLED_OCSP_UNKNOWN,
	STAPLED_OCSP_NONE,
	STAPLED_OCSP_GOOD,
	STAPLED_OCSP_REVOKED,
	STAPLED_OCSP_STALE,
	STAPLED_OCSP_INVALID,
	STAPLED_OCSP_COUNT
};

/* The words of the enums; the *_parse functions give ERR_NOT_FOUND for a word that is none. */
const char *problem_word(enum problem p);
const char *problem_meaning(enum problem p);
const char *reason_word(enum reason r);
const char *reason_meaning(enum reason r);
/* Does a problem with this reason leave what was known at its place standing? */
bool reason_keeps_known(enum reason r);
const char *status_word(enum status s);
const char *client_certificate_word(enum client_certificate c);
const char *stapled_ocsp_word(enum stapled_ocsp s);
const char *reference_role_word(enum reference_role r);
/* "the server certificate of": what the file is to who names it. */
const char *reference_role_use(enum reference_role r);

/* Where. `index` is the position within the place, 0 first. */
struct location {
	char *scanner;   /* name in scanners.def */
	char *uri;       /* RFC 3986; member of a container after "!/" */
	char *format;    /* name in formats.def, or NULL */
	char *alias;     /* the name the container gives it, or NULL */
	char *integrity; /* "unverified" where a keystore's integrity could not be checked, or NULL */
	uint32_t index;
	char *trust_flags; /* what the container says of trusting it ("CT,C,C"), or NULL */
};

struct fingerprints {
	uint8_t (*items)[FINGERPRINT_BYTES]; /* owned */
	size_t count;
};

/* The facts of RFC 5280 that the record shows. Dates are Unix seconds or TIME_UNKNOWN. */
struct certificate {
	uint8_t fingerprint[FINGERPRINT_BYTES]; /* SHA-256 of the DER */
	uint8_t spki_sha256[FINGERPRINT_BYTES]; /* SHA-256 of SubjectPublicKeyInfo */
	char *subject;                          /* RFC 4514; "" for an empty one */
	char *issuer;
	char *subject_cn; /* the last CN, or NULL */
	char *issuer_cn;
	char *serial; /* lower hex, "-" before a negative one */
	int64_t not_before;
	int64_t not_after;
	struct strings names; /* "dns:", "ip:", "email:", "uri:", "other:" and the value */
	char *key_algorithm;
	uint32_t key_bits; /* 0 = not known */
	char *signature_algorithm;
	bool is_ca;
	bool is_self_issued;
	struct strings key_usage;          /* RFC 5280 names */
	struct strings extended_key_usage; /* RFC 5280 names, else dotted OIDs */
	/* Where its issuer says to ask (RFC 5280 4.2.1.13, 4.2.2.1); as written there, of any scheme. */
	struct strings crl_urls;
	struct strings ocsp_urls;
	struct strings issuer_urls;
};

/* SHA-1 of an issuer's Name and key bits: how OCSP names it (RFC 6960 4.1.1). No security rests on it:
 * the answer's signature is verified against the issuer itself. */
#define ISSUER_HASH_BYTES 20
struct issuer_id {
	uint8_t name_sha1[ISSUER_HASH_BYTES];
	uint8_t key_sha1[ISSUER_HASH_BYTES];
};

/* What one configured trust store makes of a certificate. */
struct store_verdict {
	char *store;       /* its name */
	uint32_t problems; /* without those that the clock adds */
	int64_t expires;   /* when the best path to it breaks, or TIME_UNKNOWN */
};
struct store_verdicts {
	struct store_verdict *items; /* owned */
	size_t count;
};

/* What follows from facts, trust stores and neighbours. PROBLEM_EXPIRED and PROBLEM_NOT_YET_VALID are
 * never stored: record_problems_at adds them for a time. */
struct verdict {
	bool is_checked;
	bool is_anchor; /* a configured trust store holds this very certificate */
	bool is_bundled; /* a root among many in one file: somebody's trust store, not a CA of this host */
	char *trust; /* name of the store that validated it, or NULL */
	uint32_t problems;
	struct fingerprints chain; /* leaf first, anchor last; empty where none was built */
	int64_t expires;           /* when the best path breaks, or TIME_UNKNOWN */
	uint8_t expires_because[FINGERPRINT_BYTES];
	int64_t starts; /* when the last of its path became valid, or TIME_UNKNOWN */
	int64_t boundary; /* the next time at which this verdict may change by itself, or TIME_UNKNOWN */
	/* A CA of the chain says where its own revocation is told. Only for who has just judged: not encoded. */
	bool is_revocable;
	bool has_issuer_id; /* the chain holds its issuer: */
	struct issuer_id issuer_id;
	struct rules violations; /* why its path is no good */
	struct rules lint;       /* what else is not as it should be with the certificate itself */
	struct store_verdicts stores; /* each store alone; empty where only one was asked */
	uint64_t judging; /* which stores counted, as struct judging calls it (scanners/parser.h) */
};

/* What a server of this host must do to serve the newer certificate that lies on its disk. */
enum served_needs { SERVED_NEEDS_RELOAD, SERVED_NEEDS_CONFIGURATION, SERVED_NEEDS_COUNT };
const char *served_needs_word(enum served_needs n);

/* The newer one, of a certificate with PROBLEM_SERVED_DIFFERS. Found by comparing what is in the
 * inventory: it does not travel with a record. */
struct served_differs {
	char *file;     /* uri of the place that holds it */
	uint32_t index; /* in it */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_after;
	int64_t since; /* when the file came to hold it, or TIME_UNKNOWN */
	enum served_needs needs;
	char *message; /* the sentence */
};

/* What is known of a certificate's private key. Found by comparing what is in the inventory: it does not
 * travel with a record. */
struct key_note {
	enum problem problem; /* PROBLEM_COUNT: worth a word, no problem */
	char *uri;     /* of the key's place; with PROBLEM_KEY_SHARED, of the other certificate's */
	char *message; /* the sentence */
};
struct key_notes {
	struct key_note *items; /* owned */
	size_t count;
};

struct certificate_record {
	struct certificate facts;
	struct verdict verdict;
	bool is_served;                 /* seen on the wire, not in a file */
	struct served_differs *differs; /* owned, or NULL */
	/* Itself, where it may be missing elsewhere (a CA) or misses an issuer; else NULL. The inventory keeps
	 * it once, not with each place. */
	uint8_t *der; /* owned */
	size_t der_size;
	struct key_notes key_notes;
};

/* Who listens at an endpoint of this host. */
struct process {
	uint32_t pid;           /* 0 = not known */
	char *name;             /* of its program */
	char *unit;             /* of systemd, or NULL */
	char *container;        /* id or name of the container it runs in, or NULL */
	int64_t started;        /* TIME_UNKNOWN where it is not known */
	int64_t worker_started; /* of the youngest other process that listens with it, or TIME_UNKNOWN */
};

/* A client certificate of ours that an endpoint was shown. */
struct presented {
	bool is_given; /* else nothing was presented */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	enum acceptance accepted;
	char *evidence; /* or NULL */
};

struct endpoint_record {
	char *address; /* numeric, or NULL when none was reached */
	uint16_t port;
	char *server_name; /* the SNI, or NULL */
	char *protocol;    /* "TLS1.3", or NULL */
	char *cipher_suite;
	bool is_reachable;
	char *handshake; /* "ok", or what ended it: the reason word or the alert's name */
	enum client_certificate client_certificate;
	char *client_certificate_evidence;
	struct strings acceptable_cas; /* RFC 4514 */
	struct fingerprints chain;     /* as sent, leaf first */
	enum stapled_ocsp stapled_ocsp;
	char *stapled_ocsp_detail;        /* why it is stale or invalid, or NULL */
	int64_t stapled_ocsp_next_update; /* TIME_UNKNOWN unless it was stapled */
	char *acceptable_cas_from;        /* the protocol in which the list came, or NULL */
	struct presented presented;
	char *proxy; /* what it was reached through, without credentials, or NULL */
	struct process process;
	/* What the probe took for it, over all its connections, from the first one on; neither waiting for its turn nor
	 * resolving its name is part of it. */
	uint32_t duration_ms;
};

/* What could not be seen, and why. */
struct problem_record {
	enum reason reason;
	char *message;
	bool has_fingerprint; /* the bytes are evidently a certificate that cannot be parsed */
	uint8_t fingerprint[FINGERPRINT_BYTES];
	int64_t not_before; /* where the bytes give it */
	int64_t not_after;
};

/* What an active line of a server's or client's configuration names. The location is the line's:
 * `uri` the configuration file, `format` its language, `index` counts its references. A file named as
 * REFERENCE_CLIENT_CERTIFICATE is presented to servers, whatever its extended key usage says; one named
 * as REFERENCE_CLIENT_CA is what a server here accepts client certificates of. Match `file` with a
 * certificate's location: equal to its uri, or (is_folder) its parent; inventory_filter.file asks so. */
struct reference_record {
	enum reference_role role;
	char *directive; /* as it is written, "ssl_certificate" */
	uint32_t line;   /* of the directive, 1 first */
	char *file; /* file: uri, made absolute as the program does; NULL for REFERENCE_SERVER */
	bool is_folder;       /* every file in it is meant */
	bool is_active;       /* false: an example, a backup, a disabled site; nobody reads it */
	char *password_file;  /* file: uri of where its password is, or NULL */
	struct strings names; /* DNS names of the server that uses it, wildcards too */
	uint16_t ports[REFERENCE_PORTS_MAX]; /* on which that server speaks TLS */
	size_t ports_count;
};

/* A revocation list (RFC 5280 5): what watching it takes, not its entries. */
struct crl_record {
	uint8_t fingerprint[FINGERPRINT_BYTES]; /* SHA-256 of the DER */
	char *issuer;
	char *issuer_cn; /* the last CN, or NULL */
	char *number;    /* lower hex, or NULL */
	char *signature_algorithm;
	int64_t this_update;
	int64_t next_update; /* TIME_UNKNOWN where it promises none */
	uint64_t revoked_count;
	bool is_delta;
};

/* A private key. Of its bytes nothing leaves the parser: the hash is of the public half. */
struct key_record {
	bool is_known;                          /* its public half could be read: */
	uint8_t spki_sha256[FINGERPRINT_BYTES]; /* as that of a certificate */
	char *algorithm;                        /* as that of a certificate, or NULL */
	uint32_t bits;                          /* 0 = not known */
	bool is_encrypted; /* a password protects it, whether or not it was opened */
	bool has_owner;    /* whose the file is, is known: */
	uint16_t mode;     /* permission bits */
	uint32_t uid;
	uint32_t gid;
};

enum revocation_status {
	REVOCATION_UNKNOWN, /* it could not be learnt */
	REVOCATION_GOOD,
	REVOCATION_REVOKED,
	REVOCATION_STATUS_COUNT
};
const char *revocation_status_word(enum revocation_status s);

/* What one source (a CRL, an OCSP responder) says of the certificates it was asked about. Its location's
 * uri is the source. It is never shown by itself: it becomes part of the certificates. */
struct revocation_result {
	uint8_t fingerprint[FINGERPRINT_BYTES];
	enum revocation_status status;
	uint8_t reason;     /* CRLReason (RFC 5280 5.3.1) */
	int64_t revoked_at; /* TIME_UNKNOWN unless revoked */
};
struct revocation_record {
	char *etag;          /* for the next question, or NULL */
	char *last_modified; /* likewise */
	bool is_unmodified;  /* what it said before still holds; the rest is empty */
	int64_t this_update; /* these two may be TIME_UNKNOWN */
	int64_t next_update;
	char *message;                     /* why it is not known, or NULL */
	struct revocation_result *results; /* owned */
	size_t count;
};
#define RECORD_RESULTS_MAX 4000

enum record_kind {
	RECORD_CERTIFICATE = 1,
	RECORD_ENDPOINT,
	RECORD_PROBLEM,
	RECORD_REFERENCE,
	RECORD_CRL,
	RECORD_KEY,
	RECORD_REVOCATION
};
#define RECORD_KIND_LAST RECORD_KEY /* of those that are stored and told by themselves */

struct record {
	enum record_kind kind;
	struct location location;
	union {
		struct certificate_record certificate;
		struct endpoint_record endpoint;
		struct problem_record problem;
		struct reference_record reference;
		struct crl_record crl;
		struct key_record key;
		struct revocation_record revocation;
	};
};

/* Frees everything and leaves {0}. */
void record_fini(struct record *r);
void location_fini(struct location *l);
void certificate_fini(struct certificate *c);
void crl_fini(struct crl_record *c);
void verdict_fini(struct verdict *v);
void served_differs_fini(struct served_differs *d);
void key_notes_fini(struct key_notes *n);
/* Adds a note with copies of the texts. */
enum err key_notes_add(
	struct key_notes *n, enum problem problem, const char *uri, const char *message) MUST_CHECK;
void store_verdicts_fini(struct store_verdicts *s);
void process_fini(struct process *p);
enum err process_copy(struct process *to, const struct process *from) MUST_CHECK;
enum err location_copy(struct location *to, const struct location *from) MUST_CHECK;

/* An endpoint found by a listening socket of this host; and one that speaks no TLS, or that could not be
 * reached, which is no trouble: most never meant to. */
bool record_is_listener(const struct record *r);
bool record_is_plain_listener(const struct record *r);

/* Does a verdict end below an anchor, so that an issuer that lies elsewhere may better it? */
bool verdict_lacks_issuer(const struct verdict *v);
/* Or is something wrong with what stands above it, or ends sooner than the certificate itself, so that another
 * path may be better? */
bool verdict_may_be_bettered(const struct verdict *v);

/* A problem ready to send: strings are copied. `message` is escaped here. */
enum err record_problem(struct record *out, const char *scanner, const char *uri,
	enum reason reason, const char *message) MUST_CHECK;

/* The bytes of a record, appended; and back. Decoding treats the bytes as hostile: unknown enum
 * values, text that is not clean and anything over the ceilings are ERR_MALFORMED. `out` is written
 * only on success. */
void record_encode(struct buffer *out, const struct record *r);
void process_encode(struct buffer *out, const struct process *p);
/* For decoders of what holds one: to be freed by the caller whatever happens. */
void process_decode(struct wire *w, struct process *out);
enum err record_decode(struct slice bytes, struct record *out) MUST_CHECK;

/* Thresholds of a status: shares of the lifetime, or fixed spans, or the smaller of the two. */
struct threshold {
	double share;    /* of the lifetime, 0 to 1; 0 = none */
	int64_t seconds; /* 0 = none */
};
struct thresholds {
	struct threshold warning;
	struct threshold critical;
	bool is_unknown_broken; /* what is served and `revocation-unknown` is broken */
};
/* 33 % and 10 % of the lifetime. */
extern const struct thresholds thresholds_default;
/* Reads "33%", "30d" or "min(30d, 33%)". */
enum err threshold_parse(const char *text, struct threshold *out, struct why *why) MUST_CHECK;
/* A share is taken of at most this lifetime, the longest a public leaf ever had since 2020: a third of a
 * CA's 20 years would be a warning for seven. */
#define THRESHOLD_LIFETIME_MAX_S (398LL * 86400)
/* Seconds before not_after at which the threshold is reached. */
int64_t threshold_span(const struct threshold *t, int64_t not_before, int64_t not_after);

/* The problems of a certificate at a time: those stored, and what the clock adds. */
uint32_t record_problems_at(const struct certificate_record *r, int64_t now);
/* A root that others publish and renew: of the system's store, or of a bundle of roots that a program
 * brought along. It is kept, but has no series and raises no alert of its own. */
bool verdict_is_public_root(const struct verdict *v);
/* Its status: expired, broken, critical, warning, ok, unchecked, the first that holds. The time that
 * counts is the earlier of not_after and, for a trusted chain, verdict.expires. */
enum status record_status_at(
	const struct certificate_record *r, const struct thresholds *t, int64_t now);
/* Does a path of valid certificates lead to an anchor at this time, and nothing forbid its use? That the
 * revocation is not known forbids nothing. */
bool verdict_is_valid_at(const struct verdict *v, int64_t now);
/* What a store makes of it at this time: "ok", or the word of its first problem. */
const char *store_verdict_word(const struct store_verdict *v, int64_t now);
/* The earlier of not_after and verdict.expires; TIME_UNKNOWN where no date is known. */
int64_t record_breaks(const struct certificate_record *r);

#endif
