/* What unpack.c and unpack_source.c share: an archive being read. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_UNPACK_INTERNAL_H
#define LEAFWATCH_SCANNERS_FORMATS_UNPACK_INTERNAL_H

#include "scanners/formats/format.h"

#include "scanners/images/layers.h"

#include <archive.h>
#include <stdbool.h>
#include <stdint.h>

/* What libarchive gets at once: between two of these the time is looked at. */
#define UNPACK_BLOCK_BYTES (64 * 1024)
#define UNPACK_MESSAGE_BYTES 512
#define UNPACK_NAME_BYTES 160
#define UNPACK_NUMBER_BYTES 32
/* libarchive leaves zstd's own ceiling as it is. */
#define LIBARCHIVE_ZSTD_BYTES_MAX (128ULL * 1024 * 1024)

/* Members of one archive for which the same is to be said, told once. */
struct tally {
	size_t count;
	char first[UNPACK_NAME_BYTES];
	char message[UNPACK_MESSAGE_BYTES / 2];
};

struct unpack {
	const struct format_input *in;
	const struct format_sink *sink;
	struct format_budget *budget;
	struct unpack *outer;        /* whose member this is; NULL: in->file, or in->bytes */
	const struct layers *layers; /* that members are, or NULL */
	struct archive *archive;
	uint64_t at;    /* in in->file or in->bytes */
	uint64_t start; /* where in them it begins */
	struct slice
		head; /* of a member: the bytes taken out of it already; of what is behind another: its first */
	uint8_t *block;          /* owned; of a member or a file: what comes next */
	uint64_t charged;        /* bytes of a filter that the budget knows of */
	uint64_t directory_left; /* bytes that may be read before the first member */
	bool has_member;         /* one has come */
	size_t headers;          /* of so many members: the one under way is the last */
	bool holds_images;       /* left at the first member, to be read with their layers known */
	bool holds_cpio;         /* the same of a cpio archive, which others may follow */
	bool is_behind;          /* another archive in the same content */
	bool is_over; /* a cpio archive has come to its end: what follows it, in `ahead` or from `behind_at` on */
	uint64_t behind_at;
	bool keeps_ahead;    /* its owner will ask, and wipes `ahead`: ... */
	struct buffer ahead; /* ... of a member, what libarchive was given and has not used */
	bool holds_zip; /* left there too: a zip that was compressed as a whole, see run_packed */
	bool is_lzma;   /* and only that is unpacked: see set_lzma */
	bool is_packed; /* only what is compressed is taken out, whatever it is */
	struct buffer begin; /* wiped: of a member, the bytes up to its own first member */
	bool is_zip;         /* that is read as it comes out of `outer` ... */
	bool is_between;     /* ... and libarchive looks for the next member */
	uint64_t taken;      /* bytes that libarchive was given of a member */
	struct buffer tail;  /* wiped: the last of them, and all since the last member, ... */
	size_t tail_at;      /* ... which ended here ... */
	bool is_cut;         /* ... or, as that was more than a member may be, the last of it */
	uint8_t *content;    /* owned, wiped: of the member being looked at ... */
	size_t size;         /* ... so much is there */
	size_t capacity;
	struct slice piece; /* borrowed: what libarchive gave of it, and nobody has taken yet ... */
	uint64_t piece_at;  /* ... and where in the member that begins */
	uint64_t given;     /* bytes of it that were taken */
	const char *name;   /* of that member; "" where there is none */
	char number[UNPACK_NUMBER_BYTES]; /* what stands for a name that cannot be written */
	size_t read;                      /* members looked at */
	bool is_raw;                      /* not an archive: one compressed content */
	struct tally locked;              /* encrypted */
	struct tally failed;              /* damaged, or packed by a method that is not known */
	enum err status;                  /* of the sink: ends everything */
};

/* Has libarchive ready to read. False: told why not, or `status` says. */
bool unpack_open(struct unpack *u);
void unpack_close(struct unpack *u);
void unpack_problem(struct unpack *u, enum reason reason, const char *message);
/* Is there anything left to spend? Tells of the first ceiling that is reached. */
bool unpack_may_go_on(struct unpack *u);
/* A zip that comes out of an archive: from here on all is kept, up to the next member or the list of them. */
void unpack_begin_tail(struct unpack *u);
/* `bytes` came out of a member; what a filter has given meanwhile counts in their place. */
bool unpack_charge(struct unpack *u, size_t bytes);
/* ARCHIVE_FORMAT_... */
int unpack_kind(const struct unpack *u);
/* As archive_read_data of the member at hand, but what came before a failure is not lost. */
la_ssize_t unpack_read(struct unpack *u, uint8_t *to, size_t want);
/* What libarchive says is wrong. */
const char *unpack_error(struct unpack *u);

/* An archive, from its opening to its end. */
void unpack_run(struct unpack *u);
/* The same, and the archives that follow it in the same content, at the same place and depth. */
void unpack_in_row(struct unpack *u);
/* Called before libarchive is given these bytes of a member. */
void unpack_keep_ahead(struct unpack *u, const uint8_t *bytes, size_t size);
/* Notes where the archive that `from` has read has ended, for `to`. */
void unpack_note_end(struct unpack *to, struct unpack *from);

/* Does it begin as a cpio archive? */
bool unpack_is_cpio(struct slice head);

/* Archives of images begin with one of few members: is this one? No other is read twice. */
bool unpack_may_hold_images(const char *name);
/* Of such an archive: which member is which layer. Others add nothing. It is opened anew, as that may stand behind
 * the layers, with all that it lies in (`like->outer`). The sink hears when time was up. */
enum err unpack_image_layers(const struct unpack *like, struct layers *out) MUST_CHECK;
/* What a member belongs to; NULL for none. */
const char *unpack_image_label(const struct layers *l, const char *name);

/* Does it begin as something compressed, which libarchive unpacks? */
bool unpack_is_compressed(struct slice head);
/* The dictionary that an .lzma file asks for; 0 where that is not one. */
uint64_t unpack_lzma_dictionary(struct slice head);
/* The memory that the first block of an .xz, .lzma or .zst file asks for; 0 where that is not one. */
uint64_t unpack_memory(struct slice head);
/* More than libarchive ever gives? */
bool unpack_is_beyond_libarchive(struct slice head);

/* Where a text that goes on may be cut in two, so that what lies before is looked at by itself: behind the last
 * byte that stands in no base64 and no block of PEM; at its end where its second half has none. */
size_t unpack_text_cut(struct slice text);

#endif
