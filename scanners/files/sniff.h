/* May this file hold certificates? By its content, never by its name. */
#ifndef LEAFWATCH_SCANNERS_FILES_SNIFF_H
#define LEAFWATCH_SCANNERS_FILES_SNIFF_H

#include "agent/base/err.h"
#include "scanners/formats/format.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* Of one thread's buffer: a file up to this size is read once. */
#define SNIFF_BUFFER_BYTES (64 * 1024)

/* What to look for; shared by the threads. */
struct sniffer {
	bool deep;                  /* search binary files to the end too */
	uint64_t file_bytes_max;    /* sent as a whole up to this size */
	uint64_t text_bytes_max;    /* searched up to this size */
	uint64_t config_bytes_max;  /* read as a configuration up to this size */
	uint64_t archive_bytes_max; /* an archive is looked into up to this size; 0: none is */
};

enum sniff_answer {
	SNIFF_NOTHING,
	SNIFF_WHOLE,     /* send the whole content */
	SNIFF_SPANS,     /* too large for that, but text: send what stands around the markers */
	SNIFF_TOO_LARGE, /* a format that must be read whole, and larger than the limit */
	SNIFF_LIMIT,     /* nothing up to the limit of a text; the rest was not searched */
	SNIFF_FAILED,    /* errno says why */
};

/* A file being looked at. */
struct sniff {
	int fd;
	const struct stat *st; /* sniff_glance does without */
	uint8_t *buffer;       /* SNIFF_BUFFER_BYTES, borrowed */
	size_t size;           /* bytes of the file's start that are in the buffer ... */
	bool is_whole;         /* ... which are all there are */
	bool is_archive; /* with SNIFF_WHOLE: read member after member, by whoever gets the file */
	uint64_t region_at;  /* with SNIFF_WHOLE, where ... */
	uint64_t region_end; /* ... only this part is to be sent; 0 = all */
	uint64_t whole_max;  /* with SNIFF_WHOLE: what may be sent; 0 = the limit for files */
	/* A configuration's marker may stand in its start: with SNIFF_SPANS that is sent too, longer than one that is
	 * read, so that the parser knows it for one that is not. */
	bool may_be_config;
	atomic_uint *steps; /* counts what came back from the kernel */
};

/* Reads the head, without knowing anything of the file. true when there is nothing in it, of whatever
 * size it is; else sniff_file goes on with what was read. `is_plain`: a short read is the end. */
bool sniff_glance(const struct sniffer *s, struct sniff *f, bool is_plain);
/* Reads the head unless it was, and a text to its end. The offset of `fd` moves. */
enum sniff_answer sniff_file(const struct sniffer *s, struct sniff *f);

/* Where the search for spans stands. Each span begins at the start of a marker's line and ends after
 * the END line that belongs to it, or where the base64 ends, or after SPAN_BYTES_MAX of anything else. */
#define SPAN_BYTES_MAX (1024 * 1024)
struct spans {
	const struct sniffer *sniffer;
	struct sniff *file; /* its buffer is used up */
	uint64_t offset;    /* of the buffer's start in the file */
	size_t at;          /* in the buffer */
	uint64_t span_left; /* bytes that the span under way may still have; 0 = none under way */
	bool is_pem;
	bool is_head;    /* the span under way is the text's start */
	bool is_start;   /* the piece last given begins a span */
	bool is_limited; /* the text goes on behind text_bytes_max */
};
void spans_init(struct spans *s, const struct sniffer *sniffer, struct sniff *file);
/* The next piece of a span, valid until the next call; empty at the end. ERR_IO with errno. */
enum err spans_next(struct spans *s, struct slice *out) MUST_CHECK;

#endif
