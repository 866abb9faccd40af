/* Archives by libarchive, member after member, without a file and without a program. */
#ifndef LEAFWATCH_SCANNERS_FORMATS_UNPACK_H
#define LEAFWATCH_SCANNERS_FORMATS_UNPACK_H

#include "scanners/formats/format.h"

/* The label of a JAR's signatures. */
extern const struct format format_jar_signature;
extern const struct format format_archive;
extern const struct format format_apk_signature;

/* Looks into the members of an archive that is in memory, and into archives among them, which are read as
 * they come out. FORMAT_BROKEN: told what is wrong. The budget is not NULL. */
enum format_answer unpack(const struct format_input *in, const struct format_sink *sink);

/* Tells the certificates of a zip's APK signing block, if it has one. */
enum err apk_signatures(const struct format_input *in, const struct format_sink *sink) MUST_CHECK;
/* The same of a zip in an archive `in`: `tail` is what stands behind its last member, and ends in its list of them.
 * `is_cut`: only the last of that, as it is larger than a member may be. */
enum err apk_signatures_behind(const struct format_input *in, struct slice tail, bool is_cut,
	const struct format_sink *sink) MUST_CHECK;

#endif
