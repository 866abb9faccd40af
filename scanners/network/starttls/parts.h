/* What the protocols' files share: cutting units off a stream, looking into them, refusing. */
#ifndef LEAFWATCH_SCANNERS_NETWORK_STARTTLS_PARTS_H
#define LEAFWATCH_SCANNERS_NETWORK_STARTTLS_PARTS_H

#include "scanners/network/protocol.h"

/* ASCII letters in either case. */
bool part_begins(struct slice s, const char *text);
/* Begins with the one and holds, after it, the other as a word (or NULL). */
bool part_fits(struct slice s, const char *begins, const char *holds);
/* `word` with no letter, digit, '-' or '_' beside it that would make it another one. */
bool part_holds(struct slice s, const char *word);
uint32_t part_number(const uint8_t *bytes, size_t size); /* big-endian, at most 4 bytes */

/* A line with its LF; at most PART_LINE_BYTES_MAX of them. */
#define PART_LINE_BYTES_MAX 8192
size_t part_line(struct slice got);
/* The first line of `got` without its end, whole or not. */
struct slice part_first_line(struct slice got);

/* MOVE_REFUSED with the sentence; `quoted` (may be empty) follows it, escaped, in quotes. */
int part_refuse(struct refusal *why, enum reason reason, const char *sentence, struct slice quoted);
/* The same for evidence: sentence and quote. */
void part_evidence(char out[PROTOCOL_SENTENCE_BYTES], const char *sentence, struct slice quoted);

/* ---- answers to a question, line by line ------------------------------------------------------- */

struct hint {
	const char *begins;
	const char *holds;
	enum learnt learnt;
	const char *sentence; /* the line is quoted after it */
};
/* By the first whole line that a hint fits, LEARNT_NOT_YET hints skip theirs; a line that none fits
 * teaches nothing. */
enum learnt part_learn(
	struct slice answer, const struct hint *hints, char evidence[PROTOCOL_SENTENCE_BYTES]);

#endif
