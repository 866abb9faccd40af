/* A container format: bytes in, certificates out. One file with one of these, one line in formats.def.
 * Formats run in the parser: memory only. They answer as p11-kit's do: broken, not mine, mine. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_FORMAT_H
#define LEAFWATCH_SCANNERS_FORMATS_FORMAT_H

#include "agent/base/err.h"
#include "agent/base/slice.h"
#include "agent/base/strings.h"
#include "agent/certificate/record.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a file's head that sniffing sees, and that a format may count on. */
#define SNIFF_HEAD_BYTES 4096
/* Bytes of the end of a script that sniffing sees. */
#define SNIFF_END_BYTES 22

/* Ceilings, named once: the standard of what `limits` in the configuration sets. Reaching one is a problem
 * `limit-reached` that names its key. */
#define FORMAT_CERTIFICATES_MAX 1000000
/* Of contents in one another, as base64 in base64. */
#define FORMAT_DEPTH_MAX 3
#define FORMAT_PROBLEMS_MAX 10000
#define FORMAT_KEYS_MAX 1000
#define FORMAT_REFERENCES_MAX 10000
/* Of one server that a configuration describes. */
#define FORMAT_REFERENCE_NAMES_MAX 256
/* For which one listener is asked, and all of this host together. */
#define FORMAT_LISTENER_NAMES_MAX 256
#define FORMAT_LISTENER_NAMES_TOTAL_MAX 10000
#define FORMAT_LISTENER_NAMES_CEILING 20000
/* TLS servers of this host that are asked for names. */
#define FORMAT_LISTENERS_MAX 4096
#define FORMAT_LISTENERS_CEILING 65536
/* Files that the configurations of one pass name and that are looked for; and as many whose passwords they say. */
#define FORMAT_NAMED_FILES_MAX 10000
#define FORMAT_NAMED_FILES_CEILING 100000
/* Files of which each says a password of one keystore. */
#define FORMAT_PASSWORD_SOURCES_MAX 8
#define FORMAT_PASSWORD_SOURCES_CEILING 32
/* Ports of one server that a configuration describes. */
#define FORMAT_REFERENCE_PORTS_MAX 16
/* Settings in one another, as in YAML. */
#define FORMAT_CONFIG_DEPTH_MAX 32
#define FORMAT_CONFIG_DEPTH_CEILING 128
/* Settings of Java keystores in one text. */
#define FORMAT_JAVA_SETTINGS_MAX 512
/* Of one host: keys, certificates and lines of configurations that are compared with one another, and its own TLS
 * servers whose certificates are compared with those on disk. */
#define FORMAT_COMPARED_KEYS_MAX 20000
#define FORMAT_COMPARED_CERTIFICATES_MAX 200000
#define FORMAT_COMPARED_REFERENCES_MAX 20000
#define FORMAT_COMPARED_SERVERS_MAX 8192
/* Certificates of one key that are compared with one another, each with each. */
#define FORMAT_COMPARED_SHARERS_MAX 500
#define FORMAT_COMPARED_SHARERS_CEILING 5000
/* Places of one text where base64 begins. */
#define FORMAT_PLACES_MAX 100000
#define FORMAT_PASSWORDS_MAX 1000
/* Of one derivation. */
#define FORMAT_KDF_ITERATIONS_MAX 1000000
/* All iterations spent on one file, whatever parts it has and passwords there are: about a second, and
 * eleven passwords on a file that asks for 600,000 as new ones do. */
#define FORMAT_KDF_ITERATIONS_TOTAL_MAX 8000000
/* A longer configuration is told, but not read. */
#define FORMAT_CONFIG_BYTES_MAX (1024 * 1024)
/* What one format decodes or decrypts at once. */
#define FORMAT_BYTES_MAX (16 * 1024 * 1024)
/* A revocation list, which large CAs let grow. */
#define FORMAT_CRL_BYTES_MAX (48 * 1024 * 1024)
/* Archives in archives, members of all archives of one file, bytes that come out of them, how many for each
 * byte of the file (beyond the free ones), bytes of one member, and the time that a file may take. */
#define FORMAT_ARCHIVE_DEPTH_MAX 3
#define FORMAT_MEMBERS_MAX 100000
#define FORMAT_UNPACKED_BYTES_MAX (4ULL * 1024 * 1024 * 1024)
#define FORMAT_RATIO_MAX 200
#define FORMAT_RATIO_FREE_BYTES (16 * 1024 * 1024)
#define FORMAT_MEMBER_BYTES_MAX (8 * 1024 * 1024)
#define FORMAT_TIME_MS_MAX 15000
/* What one step may take that is told in advance how much it needs: the dictionary of xz and zstd (twice of what
 * xz uses at its highest level), scrypt. */
#define FORMAT_MEMORY_BYTES_MAX (128 * 1024 * 1024)
/* No configuration allows more archives in archives, more contents in one another, more work at once, or more time. */
#define FORMAT_ARCHIVE_DEPTH_CEILING 8
#define FORMAT_DEPTH_CEILING 8
#define FORMAT_KDF_ITERATIONS_CEILING 10000000
#define FORMAT_TIME_MS_CEILING (60 * 60 * 1000)
#define FORMAT_MEMORY_BYTES_CEILING (1024 * 1024 * 1024)
/* Of what is decoded at once, and of a member. */
#define FORMAT_BYTES_CEILING (64 * 1024 * 1024)
#define FORMAT_IMAGE_STORES_CEILING 100000
#define FORMAT_IMAGE_LISTS_BYTES_CEILING (1024 * 1024 * 1024)
#define FORMAT_IMAGE_LAYERS_CEILING 1000000
#define FORMAT_LAYERS_PER_IMAGE_CEILING 20000

struct format;

struct file_size_hint {
	uint64_t size;
	bool is_known;
};

/* Ceilings that the configuration sets; types as its schema writes them. */
struct format_limits {
	int64_t certificates; /* told of one file */
	int64_t depth;
	int64_t members;
	uint64_t unpacked_bytes;
	int64_t ratio;
	uint64_t member_bytes;
	int64_t time_ms;
	int64_t nesting;
	int64_t problems;
	int64_t keys;
	int64_t references;
	int64_t reference_names;
	int64_t places;
	uint64_t decoded_bytes;
	int64_t kdf_iterations;
	int64_t kdf_iterations_total;
	int64_t passwords;
	uint64_t memory_bytes;
	uint64_t config_bytes;
	int64_t image_stores;
	uint64_t image_list_bytes;
	int64_t image_layers;
	int64_t tokens;
	int64_t token_certificates;
	int64_t listener_names;
	int64_t listener_names_total;
	int64_t listeners;
	int64_t layers_per_image;
	int64_t named_files;
	int64_t password_sources;
	int64_t reference_ports;
	int64_t config_depth;
	int64_t java_settings;
	int64_t token_modules;
	uint64_t token_certificate_bytes;
	int64_t compared_keys;
	int64_t compared_certificates;
	int64_t compared_references;
	int64_t compared_servers;
	int64_t compared_sharers;
};
extern const struct format_limits format_limits_standard;

#define FORMAT_LEFT_BYTES 512

/* What one file has cost so far. */
struct format_budget {
	const struct format_limits *limits; /* borrowed */
	uint64_t file_bytes;
	int64_t start_ms;  /* of clock_monotonic_ms */
	int64_t depth;     /* archives that are open */
	int64_t looked_ms; /* spent on finding out of which images layers are */
	int64_t members;
	uint64_t unpacked_bytes;
	bool is_spent;           /* a ceiling was reached, and told: nothing more is taken out */
	uint64_t kdf_iterations; /* that are left */
	/* How an archive was left, told by the outermost: what it holds behind was not looked at, and what is known of
	 * that stays known. "" where none was, or it is told. */
	char left[FORMAT_LEFT_BYTES];
	enum reason left_reason;
	/* The key of the limit that a derivation of the format at work has met, or NULL. */
	const char *locked_by;
};
void format_budget_init(
	struct format_budget *b, const struct format_limits *limits, uint64_t file_bytes);

/* Has the file taken longer than it may? */
bool format_budget_is_late(const struct format_budget *b);

enum format_answer { FORMAT_BROKEN = -1, FORMAT_NOT_MINE = 0, FORMAT_MINE = 1 };

/* Where a format puts what it finds. All strings are borrowed for the call. */
struct format_sink {
	void *arg;
	/* One certificate's DER (with or without trailing bytes). `alias` and `integrity` may be NULL.
	 * Anything but ERR_OK ends the parse. */
	enum err (*certificate)(
		void *arg, struct slice der, const char *alias, const char *integrity);
	/* Something that could not be read; `bytes` are the evident certificate's or empty. */
	enum err (*problem)(void *arg, enum reason reason, struct slice bytes, const char *message);
	/* Bytes of a member to be tried with all formats, one level deeper; `member` goes into the uri
	 * after "!/" (percent-encoded by the callee), or is NULL to stay at the same place.
	 * ERR_NOT_FOUND = no format knows them, which ends nothing. */
	enum err (*nested)(void *arg, const char *member, struct slice bytes);
	/* What is told until `leave` lies in this member, which goes into the uri as above. After anything
	 * but ERR_OK it was not entered. Both may be NULL. */
	enum err (*enter)(void *arg, const char *member);
	void (*leave)(void *arg);
	/* Anything else that is to be told: a record of which kind and body are set. What the body owns
	 * is taken, whatever the outcome. May be NULL. */
	enum err (*record)(void *arg, struct record *r);
	/* What the container says of trusting the certificate that comes next ("CT,C,C"); may be NULL. */
	void (*trust)(void *arg, const char *flags);
	/* Where in the input's bytes lies what is told next: what the text around it calls that place becomes
	 * part of its alias. May be NULL. */
	void (*place)(void *arg, const uint8_t *at);
	/* Something that a configuration names; `r` and all in it are borrowed. NULL: not wanted. */
	enum err (*reference)(void *arg, const struct reference_record *r);
	/* What is told from now on is part of this image's layer; NULL: of none. May be NULL. */
	void (*layer)(void *arg, const char *label);
	/* A password that the text says itself for `file` (a file: uri), after the reference to it; borrowed, and
	 * nowhere else to be found. NULL: not wanted, as everywhere but where that file is read. */
	void (*password)(void *arg, const char *file, struct slice password);
	/* Told which format looks next, before it says anything, or NULL: what comes goes by the name of the
	 * format that is found in it. May be NULL. */
	void (*format)(void *arg, const struct format *format);
};

/* A content that is read where it lies, by pread alone. */
struct format_file {
	int fd; /* borrowed */
	uint64_t size;
};

struct format_input {
	struct slice bytes;              /* the whole content, or the head of `file` */
	const struct format_file *file;  /* or NULL; only archives are read so */
	const struct strings *passwords; /* candidates, tried in order after none and empty */
	size_t passwords_left_out;       /* candidates that the limit left out */
	unsigned depth;                  /* 0 = the file itself */
	bool is_cut; /* the content's end was left out, and that is told: what lacks there is no damage */
	const char *uri;              /* of the file, or NULL: relative names lie beside it */
	struct format_budget *budget; /* of the whole file, or NULL: one of its own */
};

struct format {
	const char *name;     /* as in location.format */
	const char *help;     /* one line for `leafwatch formats` and the manual */
	const char *password; /* what of it needs one, for `leafwatch formats`, or NULL: nothing */
	bool is_named_only;   /* recognised, but nothing is taken out of it */
	/* Its certificates signed something once: that they expire is no event. They raise no alert. */
	bool is_signature;
	/* Its certificates name their key by another hash than that of a SubjectPublicKeyInfo. */
	bool has_other_key_hash;
	/* Holds members: read by parts, up to a limit of its own. */
	bool is_archive;
	/* A text that is this is nothing else besides: formats after it are not asked. */
	bool is_exclusive;
	/* Sent whole up to this size even where the limit for files is lower; 0 = that limit holds. Only for
	 * what is read without a copy and is large by nature. */
	uint64_t bytes_max;
	/* Cheap, on the first SNIFF_HEAD_BYTES at most: may this be mine? Runs in the reader too. NULL for a
	 * format that is only found by the text markers below, or never in a file: then nor is `parse` called. */
	bool (*sniff)(struct slice head, struct file_size_hint size);
	/* The same, on the last SNIFF_END_BYTES of a file that begins as a script does: what follows the script may be
	 * mine. May be NULL. */
	bool (*sniff_end)(struct slice end);
	/* Where in a file that starts so lies all that matters; false = it is to be read whole. Of a file that
	 * does not fit the buffer only this is sent. May be NULL. */
	bool (*region)(struct slice head, uint64_t *offset, uint64_t *size);
	/* Texts that one of which may stand anywhere in a text file, up to a NULL; or NULL. The reader searches
	 * text files to their end for them and sends the whole text region (see files/sniff.h). */
	const char *const *text_markers;
	/* Texts that one of which stands in every configuration of this language, up to a NULL; the reader
	 * searches texts for them. NULL for a container. */
	const char *const *config_markers;
	/* Looks for certificates. Sends all it can take out even when it then answers FORMAT_BROKEN (having
	 * sent the problem itself). Never keeps key material: wipes it. */
	enum format_answer (*parse)(const struct format_input *in, const struct format_sink *sink);
};

/* Tells why an encrypted store could not be opened: ERR_PASSWORD, ERR_LIMIT, ERR_UNSUPPORTED (with the
 * algorithm, or NULL), ERR_MALFORMED. */
enum format_answer format_locked(const struct format_input *in, const struct format_sink *sink,
	enum err why, const char *algorithm);
/* Tells that a limit was reached: what that means, and the key that sets it. */
enum err format_limited(
	const struct format_sink *sink, const char *what, const char *key) MUST_CHECK;
/* What the file may have; the standard where nothing is said. */
const struct format_limits *format_limits_of(const struct format_input *in);
/* The ceiling of what is decoded or decrypted at once. */
size_t format_bytes_max(const struct format_input *in);
/* Reads the DER of a revocation list and tells it, or what is wrong with it. */
enum err format_crl_tell(const struct format_sink *sink, struct slice der) MUST_CHECK;

/* Does the body of a signed mail (smime.c) begin at `at`? */
bool smime_has_body(struct slice text, size_t at);
/* Tells the sink where, if it wants to know. */
void format_place(const struct format_sink *sink, const uint8_t *at);

extern const struct format *const formats[];
extern const size_t formats_count;
/* The first whose sniff says that this may be its own; NULL for none. */
const struct format *formats_sniff(struct slice head, struct file_size_hint size);
/* Does it begin as a script (execve(2)), so that its end may tell more? */
bool formats_is_script(struct slice head);
/* The first whose sniff_end says that; `end` of any size. */
const struct format *formats_sniff_end(struct slice end);
/* Does one of the formats' text markers stand in it? */
bool formats_has_marker(struct slice text);
/* By name; NULL for none, or no name. */
const struct format *format_find(const char *name);

/* Tries the formats in table order until one says mine or broken; those with a text marker are all
 * asked, because one text may hold several kinds. `*which` is the first. ERR_NOT_FOUND = nobody's. */
enum err formats_parse(const struct format_input *in, const struct format_sink *sink,
	const struct format **which) MUST_CHECK;

#endif
