/* Archives: members in members, ceilings, damage at every byte. */
#include "collect.h"

#include "agent/base/wire.h"
#include "scanners/formats/unpack.h"
#include "scanners/formats/unpack_internal.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/mman.h>
#include <unistd.h>

#define PLACES_BYTES 4096
#define ARCHIVE_BYTES_MAX (8 * 1024 * 1024)

struct member {
	const char *name;
	struct slice content;
};

/* Where things were found: "a!/b c!/d", and problems as "reason@a!/b". */
struct seen {
	char at[PLACES_BYTES];
	char places[PLACES_BYTES];
	char problems[PLACES_BYTES];
	size_t fails_at; /* after so many certificates telling fails; 0 = never */
	size_t certificates;
	bool may_differ;
	struct format_budget *budget;
	const struct format *label;
};

static gnutls_datum_t certificate;
static struct buffer pem;

static void add(char to[PLACES_BYTES], const char *what, const char *at)
{
	size_t size = strlen(to);

	(void)snprintf(to + size, PLACES_BYTES - size, "%s%s%s", size ? " " : "", what, at);
}

static enum err on_certificate(
	void *arg, struct slice der, const char *alias, const char *integrity)
{
	struct seen *s = arg;

	(void)alias;
	(void)integrity;
	if (!s->may_differ) {
		assert_int_equal(der.size, certificate.size);
		assert_memory_equal(der.data, certificate.data, der.size);
	}
	add(s->places, "", *s->at ? s->at : ".");
	return ++s->certificates == s->fails_at ? ERR_IO : ERR_OK;
}

static enum err on_problem(void *arg, enum reason reason, struct slice bytes, const char *message)
{
	struct seen *s = arg;
	char what[64];

	(void)bytes;
	assert_true(strlen(message) > 10);
	(void)snprintf(what, sizeof(what), "%s@", reason_word(reason));
	add(s->problems, what, s->at);
	return ERR_OK;
}

static enum err on_enter(void *arg, const char *member)
{
	struct seen *s = arg;
	size_t size = strlen(s->at);

	assert_true((size_t)snprintf(s->at + size, sizeof(s->at) - size, "%s%s", size ? "!/" : "",
			    member) < sizeof(s->at) - size);
	return ERR_OK;
}

static void on_leave(void *arg)
{
	struct seen *s = arg;
	char *last = NULL;

	for (char *at = s->at; (at = strstr(at, "!/")); at++)
		last = at;
	assert_true(s->at[0]);
	*(last ? last : s->at) = 0;
}

static void on_format(void *arg, const struct format *format)
{
	struct seen *s = arg;

	s->label = format;
}

static enum err look_with(struct seen *s, struct slice bytes, const struct format_file *file);

static enum err on_nested(void *arg, const char *member, struct slice bytes)
{
	struct seen *s = arg;
	enum err e;

	assert_null(member);
	e = look_with(arg, bytes, NULL);
	if (s->budget && s->budget->is_spent)
		return ERR_LIMIT;
	return s->fails_at && s->certificates >= s->fails_at ? ERR_IO : e;
}

static enum err look_with(struct seen *s, struct slice bytes, const struct format_file *file)
{
	const struct format_sink sink = { .arg = s,
		.certificate = on_certificate,
		.problem = on_problem,
		.nested = on_nested,
		.enter = on_enter,
		.leave = on_leave,
		.format = on_format };
	const struct format_input in = {
		.bytes = bytes, .file = file, .depth = s->at[0] ? 1 : 0, .budget = s->budget
	};
	const struct format *which;

	return formats_parse(&in, &sink, &which);
}

static enum err look(struct seen *s, struct slice bytes)
{
	return look_with(s, bytes, NULL);
}

/* The same content where it lies, in a file: what is found is what was found in memory. */
static void see_file(
	struct slice bytes, const struct format_limits *limits, const struct seen *want)
{
	struct format_file file = { .fd = memfd_create("archive", MFD_CLOEXEC),
		.size = bytes.size };
	struct slice head =
		slice_of(bytes.data, bytes.size < SNIFF_HEAD_BYTES ? bytes.size : SNIFF_HEAD_BYTES);
	struct seen s = { .may_differ = want->may_differ };
	struct format_budget budget;

	assert_true(file.fd >= 0);
	assert_int_equal(write(file.fd, bytes.data, bytes.size), bytes.size);
	format_budget_init(&budget, limits, bytes.size);
	s.budget = limits ? &budget : NULL;
	(void)!look_with(&s, head, &file);
	assert_string_equal(s.places, want->places);
	assert_string_equal(s.problems, want->problems);
	assert_string_equal(s.at, "");
	(void)close(file.fd);
}

/* Parses an exact copy, so that reading past the end is seen. */
static struct seen see_with(struct slice bytes, const struct format_limits *limits)
{
	struct seen s = { 0 };
	struct format_budget budget;
	uint8_t *exact = malloc(bytes.size ? bytes.size : 1);

	assert_non_null(exact);
	if (bytes.size)
		memcpy(exact, bytes.data, bytes.size);
	format_budget_init(&budget, limits, bytes.size);
	s.budget = limits ? &budget : NULL;
	(void)!look(&s, slice_of(exact, bytes.size));
	assert_string_equal(s.at, "");
	assert_int_equal(budget.depth, 0);
	see_file(slice_of(exact, bytes.size), limits, &s);
	free(exact);
	return s;
}

static struct seen see(struct slice bytes)
{
	return see_with(bytes, NULL);
}

/* --- making archives -------------------------------------------------------------------------- */

static struct buffer make(int (*format)(struct archive *), int (*filter)(struct archive *),
	const struct member *members, size_t count)
{
	struct archive *a = archive_write_new();
	struct buffer out;
	size_t size = 0;

	buffer_init(&out, ARCHIVE_BYTES_MAX);
	assert_true(buffer_reserve(&out, ARCHIVE_BYTES_MAX));
	assert_int_equal(format(a), ARCHIVE_OK);
	if (filter)
		assert_int_equal(filter(a), ARCHIVE_OK);
	assert_int_equal(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
	assert_int_equal(
		archive_write_open_memory(a, out.data, ARCHIVE_BYTES_MAX - 1, &size), ARCHIVE_OK);
	for (size_t i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();

		archive_entry_set_pathname(entry, members[i].name);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (la_int64_t)members[i].content.size);
		assert_int_equal(archive_write_header(a, entry), ARCHIVE_OK);
		assert_int_equal(
			archive_write_data(a, members[i].content.data, members[i].content.size),
			members[i].content.size);
		archive_entry_free(entry);
	}
	assert_int_equal(archive_write_close(a), ARCHIVE_OK);
	assert_int_equal(archive_write_free(a), ARCHIVE_OK);
	out.size = size;
	return out;
}

static int set_up(void **state)
{
	(void)state;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	make_certificate("In an archive", &certificate);
	buffer_init(&pem, TEST_BYTES_MAX);
	put_pem(&pem, "CERTIFICATE", slice_datum(&certificate));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gnutls_free(certificate.data);
	buffer_fini(&pem);
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static int (*const zip)(struct archive *) = archive_write_set_format_zip;
static int zip_stored(struct archive *a)
{
	int r = archive_write_set_format_zip(a);

	return r == ARCHIVE_OK ? archive_write_zip_set_compression_store(a) : r;
}

static int (*const tar)(struct archive *) = archive_write_set_format_pax_restricted;
static int (*const gzip)(struct archive *) = archive_write_add_filter_gzip;

static void test_members(void **state)
{
	const struct member members[] = { { "etc/a.pem", buffer_bytes(&pem) },
		{ "b.der", slice_datum(&certificate) }, { "é.pem", buffer_bytes(&pem) },
		{ "text", slice_text("nothing") }, { "empty", slice_text("") } };
	int (*const formats_written[])(struct archive *) = { zip, tar,
		archive_write_set_format_ustar, archive_write_set_format_gnutar,
		archive_write_set_format_v7tar, archive_write_set_format_cpio,
		archive_write_set_format_cpio_newc };

	(void)state;
	for (size_t i = 0; i < sizeof(formats_written) / sizeof(formats_written[0]); i++) {
		struct buffer bytes = make(formats_written[i], NULL, members, 5);
		struct seen s = see(buffer_bytes(&bytes));

		assert_string_equal(s.places, "etc/a.pem b.der é.pem");
		assert_string_equal(s.problems, "");
		buffer_fini(&bytes);
	}
}

static int (*const compressions[])(struct archive *) = { archive_write_add_filter_gzip,
	archive_write_add_filter_bzip2, archive_write_add_filter_xz, archive_write_add_filter_zstd,
	archive_write_add_filter_lz4, archive_write_add_filter_lzma,
	archive_write_add_filter_compress };
#define COMPRESSIONS (sizeof(compressions) / sizeof(compressions[0]))

static void test_filters(void **state)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };

	(void)state;
	for (size_t i = 0; i < COMPRESSIONS; i++) {
		struct buffer bytes = make(tar, compressions[i], one, 1);
		struct buffer alone = make(archive_write_set_format_raw, compressions[i], one, 1);

		struct buffer cpio =
			make(archive_write_set_format_cpio_newc, compressions[i], one, 1);
		const struct member inner[] = { { "a.pem.x", buffer_bytes(&alone) },
			{ "a.tar.x", buffer_bytes(&bytes) }, { "b.pem", buffer_bytes(&pem) } };
		struct buffer outer = make(tar, gzip, inner, 3);

		assert_string_equal(see(buffer_bytes(&bytes)).places, "a.pem");
		assert_string_equal(see(buffer_bytes(&cpio)).places, "a.pem");
		assert_string_equal(see(buffer_bytes(&alone)).places, ".");
		assert_string_equal(
			see(buffer_bytes(&outer)).places, "a.pem.x a.tar.x!/a.pem b.pem");
		assert_string_equal(see(buffer_bytes(&outer)).problems, "");
		buffer_fini(&bytes);
		buffer_fini(&alone);
		buffer_fini(&cpio);
		buffer_fini(&outer);
	}
}

/* What is in each other, whatever the order; libarchive is asked for lzma only where it begins a content. */
static void test_filters_in_filters(void **state)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };

	(void)state;
	for (size_t i = 0; i < COMPRESSIONS; i++) {
		struct buffer inner = make(tar, compressions[i], one, 1);
		const struct member packed[] = { { "x", buffer_bytes(&inner) } };

		for (size_t j = 0; j < COMPRESSIONS; j++) {
			struct buffer outer =
				make(archive_write_set_format_raw, compressions[j], packed, 1);
			struct seen s = see(buffer_bytes(&outer));

			assert_string_equal(s.places, "a.pem");
			assert_string_equal(s.problems, "");
			buffer_fini(&outer);
		}
		buffer_fini(&inner);
	}
}

static void put(struct buffer *out, const struct buffer *what, size_t zeros)
{
	buffer_slice(out, buffer_bytes(what));
	while (zeros--)
		buffer_byte(out, 0);
}

/* As in an initrd: cpio archives one behind another, compressed or not, with zeros between them or not, in a file, in
 * another archive and compressed once more. */
static void test_in_row(void **state)
{
	static uint8_t noise[400000];
	const struct member early[] = { { "early/a.pem", buffer_bytes(&pem) },
		{ "early/noise", slice_of(noise, sizeof(noise)) } };
	const struct member late[] = { { "late/b.pem", buffer_bytes(&pem) },
		{ "noise", slice_of(noise, sizeof(noise)) }, { "late/c.pem", buffer_bytes(&pem) } };
	static const size_t gaps[] = { 0, 4, 508, 70000, 300000 };
	struct buffer first = make(archive_write_set_format_cpio_newc, NULL, early, 2);

	(void)state;
	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, noise, sizeof(noise)), 0);
	for (size_t i = 0; i <= COMPRESSIONS; i++) {
		struct buffer main = make(archive_write_set_format_cpio_newc,
			i ? compressions[i - 1] : NULL, late, 3);
		struct buffer row;
		struct seen s;

		buffer_init(&row, ARCHIVE_BYTES_MAX);
		put(&row, &first, gaps[i % 5]);
		put(&row, &first, gaps[(i + 1) % 5]);
		put(&row, &main, 0);
		s = see(buffer_bytes(&row));
		assert_string_equal(s.places, "early/a.pem early/a.pem late/b.pem late/c.pem");
		assert_string_equal(s.problems, "");
		for (size_t j = i % 3; j <= COMPRESSIONS; j += 3) {
			const struct member members[] = { { "initrd", buffer_bytes(&row) },
				{ "z.pem", buffer_bytes(&pem) } };
			struct buffer outer = j ? make(archive_write_set_format_raw,
							  compressions[j - 1], members, 1)
						: make(tar, gzip, members, 2);

			s = see(buffer_bytes(&outer));
			assert_string_equal(s.places,
				j ? "early/a.pem early/a.pem late/b.pem late/c.pem"
				  : "initrd!/early/a.pem initrd!/early/a.pem initrd!/late/b.pem "
				    "initrd!/late/c.pem z.pem");
			assert_string_equal(s.problems, "");
			buffer_fini(&outer);
		}
		buffer_fini(&row);
		buffer_fini(&main);
	}
	buffer_fini(&first);
}

/* What follows and is none, or is cut off; and the ceilings, which are of all of them together. */
static void test_in_row_limits(void **state)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };
	struct buffer plain = make(archive_write_set_format_cpio_newc, NULL, one, 1);
	struct buffer packed = make(archive_write_set_format_cpio_newc, gzip, one, 1);
	struct format_limits limits = format_limits_standard;
	struct buffer row;
	struct seen s;
	size_t size;

	(void)state;
	buffer_init(&row, ARCHIVE_BYTES_MAX);
	put(&row, &plain, 300);
	size = row.size;
	assert_string_equal(see(buffer_bytes(&row)).problems, "");
	buffer_text(&row, "kernel.panic = 1\n#BOOTCONFIG\n");
	assert_string_equal(see(buffer_bytes(&row)).problems, "");
	row.size = size;
	buffer_append(&row, "\x89LZO\0\r\n\x1a\n", 9);
	s = see(buffer_bytes(&row));
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "unsupported@");
	row.size = size;
	put(&row, &packed, 8);
	put(&row, &packed, 0);
	put(&row, &plain, 0);
	s = see(buffer_bytes(&row));
	assert_string_equal(s.places, "a.pem a.pem a.pem a.pem");
	assert_string_equal(s.problems, "");
	s = see(slice_of(row.data, row.size - 60));
	assert_string_equal(s.problems, "malformed@");
	s = see(slice_of(row.data, size + packed.size / 2));
	assert_string_equal(s.problems, "malformed@");
	limits.members = 3;
	s = see_with(buffer_bytes(&row), &limits);
	assert_string_equal(s.places, "a.pem a.pem");
	assert_string_equal(s.problems, "limit-reached@");
	/* Archives of nothing but their end count too. */
	row.size = 0;
	buffer_fini(&plain);
	plain = make(archive_write_set_format_cpio_newc, NULL, one, 0);
	for (int i = 0; i < 50; i++)
		put(&row, &plain, 0);
	assert_string_equal(see(buffer_bytes(&row)).problems, "");
	assert_string_equal(see_with(buffer_bytes(&row), &limits).problems, "limit-reached@");
	limits = format_limits_standard;
	limits.depth = 1;
	row.size = 0;
	put(&row, &plain, 0);
	put(&row, &packed, 0);
	s = see_with(buffer_bytes(&row), &limits);
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "");
	buffer_fini(&row);
	buffer_fini(&plain);
	buffer_fini(&packed);
}

/* Cut off anywhere: never silent, but for what compress leaves of less than a tar's head, as it has no mark of its
 * end. What came before is found. */
static void test_filters_cut_off(void **state)
{
	static uint8_t noise[300000];
	const struct member members[] = { { "a.pem", buffer_bytes(&pem) },
		{ "noise", slice_of(noise, sizeof(noise)) }, { "b.pem", buffer_bytes(&pem) } };

	(void)state;
	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, noise, sizeof(noise)), 0);
	for (size_t i = 4; i < COMPRESSIONS; i++) {
		struct buffer bytes = make(tar, compressions[i], members, 3);

		for (size_t size = bytes.size / 2; size < bytes.size - 2000; size += 5003) {
			struct seen s = see(slice_of(bytes.data, size));

			assert_string_equal(s.problems, "malformed@");
			/* LZ4 comes in blocks of which each is whole or nothing. */
			if (compressions[i] != archive_write_add_filter_lz4)
				assert_string_equal(s.places, "a.pem");
		}
		for (size_t size = 15;
			compressions[i] != archive_write_add_filter_compress && size < 300;
			size += 7)
			assert_string_equal(see(slice_of(bytes.data, size)).problems, "malformed@");
		buffer_fini(&bytes);
	}
}

/* `levels` archives around a certificate: zip in tar.gz in zip ... */
static struct buffer make_deep(unsigned levels)
{
	struct buffer bytes;

	buffer_init(&bytes, TEST_BYTES_MAX);
	buffer_slice(&bytes, buffer_bytes(&pem));
	for (unsigned i = 0; i < levels; i++) {
		const struct member members[] = { { "m", buffer_bytes(&bytes) },
			{ "last", buffer_bytes(&pem) } };
		struct buffer outer = make(i % 2 ? tar : zip, i % 2 ? gzip : NULL, members, 2);

		buffer_fini(&bytes);
		bytes = outer;
	}
	return bytes;
}

static void test_depth(void **state)
{
	struct format_limits limits = format_limits_standard;
	struct buffer three = make_deep(3), four = make_deep(4);
	struct seen s = see(buffer_bytes(&three));

	(void)state;
	assert_string_equal(s.places, "m!/m!/m m!/m!/last m!/last last");
	assert_string_equal(s.problems, "");
	/* The others of the same archives are found all the same. */
	s = see(buffer_bytes(&four));
	assert_string_equal(s.places, "m!/m!/last m!/last last");
	assert_string_equal(s.problems, "limit-reached@m!/m!/m");
	limits.depth = 4;
	s = see_with(buffer_bytes(&four), &limits);
	assert_string_equal(s.problems, "");
	limits.depth = 0;
	s = see_with(buffer_bytes(&four), &limits);
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "limit-reached@");
	buffer_fini(&three);
	buffer_fini(&four);
}

static void test_ceilings(void **state)
{
	static uint8_t zeros[7 * 1024 * 1024], text[3 * 1024 * 1024];
	struct format_limits limits = format_limits_standard;
	const struct member members[] = { { "a.pem", buffer_bytes(&pem) },
		{ "zeros", slice_of(zeros, sizeof(zeros)) }, { "b.pem", buffer_bytes(&pem) } };
	struct buffer bytes = make(tar, gzip, members, 3), left;
	struct slice all = buffer_bytes(&bytes);

	(void)state;
	assert_string_equal(see(all).places, "a.pem b.pem");
	limits.members = 2;
	assert_string_equal(see_with(all, &limits).places, "a.pem");
	assert_string_equal(see_with(all, &limits).problems, "limit-reached@");
	limits = format_limits_standard;
	limits.unpacked_bytes = 1024 * 1024;
	assert_string_equal(see_with(all, &limits).places, "a.pem");
	assert_string_equal(see_with(all, &limits).problems, "limit-reached@");
	/* Where a text is left, the part that is there is looked at, and refused. */
	memset(text, 'x', sizeof(text));
	left = make(tar, gzip, &(const struct member){ "a.txt", slice_of(text, sizeof(text)) }, 1);
	assert_string_equal(see_with(buffer_bytes(&left), &limits).problems, "limit-reached@");
	buffer_fini(&left);
	limits = format_limits_standard;
	limits.time_ms = -1;
	assert_string_equal(see_with(all, &limits).places, "");
	assert_string_equal(see_with(all, &limits).problems, "limit-reached@");
	buffer_fini(&bytes);
}

/* Seven MiB of zeros are few bytes as gzip, and twice that again is a bomb. */
static void test_ratio(void **state)
{
	static uint8_t zeros[7 * 1024 * 1024];
	const struct member members[] = { { "1", slice_of(zeros, sizeof(zeros)) },
		{ "2", slice_of(zeros, sizeof(zeros)) }, { "3", slice_of(zeros, sizeof(zeros)) },
		{ "a.pem", buffer_bytes(&pem) } };
	int (*const kinds[])(struct archive *) = { tar, zip };
	struct format_limits limits = format_limits_standard;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buffer bytes = make(kinds[i], gzip, members, 4);

		if (i == 0)
			assert_string_equal(
				see_with(buffer_bytes(&bytes), &limits).problems, "limit-reached@");
		limits.ratio = INT32_MAX;
		assert_string_equal(see_with(buffer_bytes(&bytes), &limits).places, "a.pem");
		limits.ratio = format_limits_standard.ratio;
		buffer_fini(&bytes);
	}
}

static void test_member_size(void **state)
{
	struct format_limits limits = format_limits_standard;
	uint8_t keystore[9000] = { 0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2 };
	const struct member members[] = { { "keystore", slice_of(keystore, sizeof(keystore)) },
		{ "a.pem", buffer_bytes(&pem) } };
	struct buffer bytes = make(zip, NULL, members, 2);
	struct seen s;

	(void)state;
	limits.member_bytes = 8192;
	s = see_with(buffer_bytes(&bytes), &limits);
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "too-large@keystore");
	buffer_fini(&bytes);
}

/* A text that is longer than a member may be is searched to its end, wherever its pieces are cut: in front of
 * certificates, in them and behind them. */
static void test_long_texts(void **state)
{
	struct format_limits limits = format_limits_standard;

	(void)state;
	limits.member_bytes = 8192;
	for (size_t at = 4096; at < 9000; at += 97) {
		struct buffer text;
		struct buffer bytes;
		struct seen s;

		buffer_init(&text, TEST_BYTES_MAX);
		while (text.size < at)
			buffer_text(&text, "text. ");
		buffer_byte(&text, '\n');
		for (size_t i = 0; i < 20; i++)
			buffer_slice(&text, buffer_bytes(&pem));
		while (text.size < 50000)
			buffer_text(&text, "# more\n");
		buffer_slice(&text, buffer_bytes(&pem));
		{
			const struct member one[] = { { "t", buffer_bytes(&text) } };

			bytes = make(tar, gzip, one, 1);
		}
		s = see_with(buffer_bytes(&bytes), &limits);
		assert_int_equal(s.certificates, 21);
		assert_string_equal(s.problems, "");
		buffer_fini(&bytes);
		buffer_fini(&text);
	}
}

static void test_cuts(void **state)
{
	static const struct {
		const char *text;
		size_t cut;
	} cases[] = {
		{ "a; b; c; d. MIIBszCC", 11 },
		{ "a; b; c;\nd; key: MI", 9 },
		{ "x\n-----BEGIN A-----\nMIIMIIMIIMIIMIIMII\n-----END A-----\n-----BEGIN A-----\nM",
			55 },
		{ "one line of nothing but letters", 31 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(unpack_text_cut(slice_text(cases[i].text)), cases[i].cut);
}

/* A zip whose list of members alone would fill memory is not begun. */
static void test_directory(void **state)
{
	static char name[60000];
	struct format_limits limits = format_limits_standard;
	struct member members[40];
	struct buffer bytes;
	struct seen s;

	(void)state;
	(void)memset(name, 'n', sizeof(name) - 1);
	for (size_t i = 0; i < 40; i++)
		members[i] = (struct member){ i ? name : "a.pem", buffer_bytes(&pem) };
	bytes = make(zip, NULL, members, 40);
	limits.members = 1;
	s = see_with(buffer_bytes(&bytes), &limits);
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "limit-reached@");
	buffer_fini(&bytes);
	bytes = make(zip, NULL, members, 1);
	assert_string_equal(see_with(buffer_bytes(&bytes), &limits).places, "a.pem");
	buffer_fini(&bytes);
}

static void test_telling_fails(void **state)
{
	const struct member members[] = { { "a", buffer_bytes(&pem) },
		{ "b", buffer_bytes(&pem) } };
	struct buffer bytes = make(zip, NULL, members, 2);
	struct seen s = { .fails_at = 1 };

	(void)state;
	(void)!look(&s, buffer_bytes(&bytes));
	assert_int_equal(s.certificates, 1);
	assert_string_equal(s.at, "");
	buffer_fini(&bytes);
}

/* Whatever is cut off, what comes before is kept, and nothing is read that is not there. */
static void test_cut_off(void **state)
{
	const struct member members[] = { { "a", buffer_bytes(&pem) },
		{ "b", buffer_bytes(&pem) } };
	int (*const filters[])(
		struct archive *) = { NULL, NULL, gzip, archive_write_add_filter_xz };

	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct buffer bytes = make(i == 1 ? tar : zip, filters[i], members, 2);
		size_t step = bytes.size > 1500 ? 31 : 3;

		for (size_t size = 0; size < bytes.size; size += step)
			(void)see(slice_of(bytes.data, size));
		if (i == 1) {
			size_t first = 512 + (pem.size + 511) / 512 * 512;
			struct seen s = see(slice_of(bytes.data, first + 512 + 10));

			assert_string_equal(s.places, "a");
			assert_string_equal(s.problems, "malformed@");
			/* All of the second is there, but what fills its last block is not. */
			s = see(slice_of(bytes.data, first + 512 + pem.size));
			assert_string_equal(s.places, "a b");
			assert_string_equal(s.problems, "malformed@");
		}
		buffer_fini(&bytes);
	}
}

/* A program that is a shell's script and a zip. */
static void test_script(void **state)
{
	static const char script[] = "#!/bin/sh\nexec java -jar \"$0\"\n";
	const struct member members[] = { { "a", buffer_bytes(&pem) },
		{ "b", slice_datum(&certificate) } };
	struct buffer bytes = make(zip, NULL, members, 2);

	(void)state;
	for (size_t lines = 1; lines < 10000; lines *= 100) {
		struct buffer all;
		struct seen s;

		buffer_init(&all, TEST_BYTES_MAX);
		for (size_t i = 0; i < lines; i++)
			buffer_text(&all, script);
		s = see(buffer_bytes(&all));
		assert_string_equal(s.places, "");
		buffer_slice(&all, buffer_bytes(&bytes));
		s = see(buffer_bytes(&all));
		assert_string_equal(s.places, "a b");
		assert_string_equal(s.problems, "");
		buffer_fini(&all);
	}
	buffer_fini(&bytes);
}

/* Every byte changed in turn. */
static void test_damaged(void **state)
{
	const struct member members[] = { { "a", buffer_bytes(&pem) }, { "b", slice_text("x") } };
	struct buffer bytes = make(zip, NULL, members, 2);

	(void)state;
	for (size_t i = 0; i < bytes.size; i++) {
		uint8_t was = bytes.data[i];

		bytes.data[i] ^= 0xff;
		struct seen s = { .may_differ = true };

		(void)!look(&s, buffer_bytes(&bytes));
		assert_string_equal(s.at, "");
		see_file(buffer_bytes(&bytes), NULL, &s);
		bytes.data[i] = was;
	}
	buffer_fini(&bytes);
}

/* --- signed ones -------------------------------------------------------------------------------- */

static struct buffer read_corpus(const char *name)
{
	const char *source = getenv("LEAFWATCH_SOURCE");
	struct buffer out;
	char path[512];
	ssize_t n;
	int fd;

	(void)snprintf(
		path, sizeof(path), "%s/tests/fuzz/corpus/archive/%s", source ? source : ".", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	buffer_init(&out, ARCHIVE_BYTES_MAX);
	assert_true(buffer_reserve(&out, ARCHIVE_BYTES_MAX));
	n = read(fd, out.data, ARCHIVE_BYTES_MAX);
	assert_true(n > 0);
	out.size = (size_t)n;
	(void)close(fd);
	return out;
}

static struct seen see_any(struct slice bytes)
{
	struct seen s = { .may_differ = true };
	uint8_t *exact = malloc(bytes.size);

	assert_non_null(exact);
	memcpy(exact, bytes.data, bytes.size);
	(void)!look(&s, slice_of(exact, bytes.size));
	see_file(bytes, NULL, &s);
	free(exact);
	return s;
}

static struct slice find_bytes(const struct buffer *in, const char *what)
{
	uint8_t *at = memmem(in->data, in->size, what, strlen(what));

	assert_non_null(at);
	return slice_of(at, strlen(what));
}

/* As apksigner and jarsigner have made them. */
static void test_signed(void **state)
{
	struct buffer apk = read_corpus("apk-v1-v2-v3"), old = read_corpus("apk-lineage");
	struct buffer jar = read_corpus("jarsigner");
	struct seen s = see_any(buffer_bytes(&apk));

	(void)state;
	/* Two schemes have the same signer, who is told once. */
	assert_string_equal(s.places, "META-INF/ONE.RSA .");
	assert_string_equal(s.problems, "");
	assert_ptr_equal(s.label, &format_apk_signature);
	/* The signer and the one before. */
	s = see_any(buffer_bytes(&old));
	assert_string_equal(s.places, ". .");
	assert_string_equal(s.problems, "");
	s = see_any(buffer_bytes(&jar));
	assert_string_equal(s.places, "META-INF/TWO.EC");
	buffer_fini(&apk);
	buffer_fini(&old);
	buffer_fini(&jar);
}

/* The same where an APK lies in an archive, and is read as it comes out of that. */
static void test_signed_inside(void **state)
{
	int (*const formats_written[])(struct archive *) = { tar, zip };
	static uint8_t zeros[200000];
	struct buffer apk = read_corpus("apk-v1-v2-v3"), old = read_corpus("apk-lineage");
	const struct member members[] = { { "zeros", slice_of(zeros, sizeof(zeros)) },
		{ "old.apk", buffer_bytes(&old) }, { "new.apk", buffer_bytes(&apk) },
		{ "a.pem", buffer_bytes(&pem) } };
	uint8_t *magic;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct buffer outer =
			make(formats_written[i % 2], i == 2 ? gzip : NULL, members, 4);
		struct seen s = see_any(buffer_bytes(&outer));

		assert_string_equal(
			s.places, "old.apk old.apk new.apk!/META-INF/ONE.RSA new.apk a.pem");
		assert_string_equal(s.problems, "");
		buffer_fini(&outer);
	}
	/* In an APK as well: what is the inner's is not the outer's. */
	{
		const struct member one[] = { { "old.apk", buffer_bytes(&old) } };
		struct buffer stored = make(zip_stored, NULL, one, 1);
		const struct member two[] = { { "x.zip", buffer_bytes(&stored) } };
		struct buffer outer = make(tar, NULL, two, 1);
		struct seen s = see_any(buffer_bytes(&outer));

		assert_string_equal(s.places, "x.zip!/old.apk x.zip!/old.apk");
		buffer_fini(&outer);
		buffer_fini(&stored);
	}
	magic = (uint8_t *)(uintptr_t)find_bytes(&old, "APK Sig Block 42").data;
	magic[-8] ^= 0x80;
	{
		struct buffer outer = make(tar, NULL, members, 4);
		struct seen s = see_any(buffer_bytes(&outer));

		assert_string_equal(s.places, "new.apk!/META-INF/ONE.RSA new.apk a.pem");
		assert_string_equal(s.problems, "malformed@old.apk");
		buffer_fini(&outer);
	}
	buffer_fini(&apk);
	buffer_fini(&old);
}

/* A block of several of the pieces in which an archive's member comes: by a pair that nobody knows, as padding is. */
static void test_large_block(void **state)
{
	enum { PADDING = 300000, PAIR_HEAD = 12 };
	struct buffer old = read_corpus("apk-lineage"), large, outer;
	const uint8_t *magic = find_bytes(&old, "APK Sig Block 42").data;
	uint64_t size = wire_number(magic - 8, 8);
	const uint8_t *pairs = magic + 16 - size;
	struct format_limits limits = format_limits_standard;
	struct seen s = { .may_differ = true };
	struct format_budget budget;

	(void)state;
	buffer_init(&large, ARCHIVE_BYTES_MAX);
	buffer_append(&large, old.data, (size_t)(pairs - 8 - old.data));
	wire_put_u64(&large, size + PAIR_HEAD + PADDING);
	wire_put_u64(&large, 4 + PADDING);
	wire_put_u32(&large, 0x42726577);
	memset(buffer_reserve(&large, PADDING), 0, PADDING);
	large.size += PADDING;
	buffer_append(&large, pairs, (size_t)(magic - 8 - pairs));
	wire_put_u64(&large, size + PAIR_HEAD + PADDING);
	buffer_append(&large, magic, (size_t)(old.data + old.size - magic));
	{
		const struct member members[] = { { "x.apk", buffer_bytes(&large) },
			{ "a.pem", buffer_bytes(&pem) } };

		outer = make(tar, NULL, members, 2);
	}
	s = see_any(buffer_bytes(&outer));
	assert_string_equal(s.places, "x.apk x.apk a.pem");
	assert_string_equal(s.problems, "");
	limits.member_bytes = 100000;
	format_budget_init(&budget, &limits, outer.size);
	s = (struct seen){ .may_differ = true, .budget = &budget };
	(void)!look(&s, buffer_bytes(&outer));
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "limit-reached@x.apk");
	buffer_fini(&outer);
	buffer_fini(&large);
	buffer_fini(&old);
}

/* What is not found out about images in time is said; their members are looked at all the same. */
static void test_late_images(void **state)
{
	static uint8_t noise[7 * 1024 * 1024];
	const struct member members[] = { { "blobs/sha256/x", slice_of(noise, sizeof(noise)) },
		{ "manifest.json", slice_text("[]") } };
	const struct format_sink sink = { .problem = on_problem,
		.arg = &(struct seen){ .fails_at = 0 } };
	struct seen *said = sink.arg;
	struct format_limits limits = format_limits_standard;
	struct format_budget budget;
	struct layers layers = { 0 };
	struct buffer bytes;
	struct format_input in = { .budget = &budget };
	const struct unpack like = { .in = &in, .sink = &sink, .budget = &budget, .name = "" };

	(void)state;
	assert_int_equal(gnutls_rnd(GNUTLS_RND_NONCE, noise, sizeof(noise)), 0);
	/* What cannot be compressed is stored, and copied out within a millisecond. */
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] &= 0x3f;
	bytes = make(tar, gzip, members, 2);
	in.bytes = buffer_bytes(&bytes);
	format_budget_init(&budget, &limits, bytes.size);
	assert_int_equal(unpack_image_layers(&like, &layers), ERR_OK);
	assert_string_equal(said->problems, "");
	/* No time for looking; all of it for the file. */
	limits.time_ms = 0;
	budget.start_ms += 3600000;
	assert_int_equal(unpack_image_layers(&like, &layers), ERR_OK);
	assert_string_equal(said->problems, "limit-reached@");
	layers_fini(&layers);
	buffer_fini(&bytes);
}

/* Of a block that is damaged it is said, whichever byte of it is; its magic apart, without which there is none. */
static void test_damaged_block(void **state)
{
	struct buffer apk = read_corpus("apk-lineage");
	uint8_t *magic = (uint8_t *)(uintptr_t)find_bytes(&apk, "APK Sig Block 42").data;
	uint8_t sizes[8];
	struct seen s;

	(void)state;
	memcpy(sizes, magic - 8, 8);
	for (int i = 0; i < 8; i++) {
		magic[i - 8] ^= 0x80;
		s = see_any(buffer_bytes(&apk));
		assert_string_equal(s.places, "");
		assert_string_equal(s.problems, "malformed@");
		memcpy(magic - 8, sizes, 8);
	}
	/* The lengths in it: from the first pair on. */
	for (uint8_t *at = magic - 4096 + 32; at < magic - 8; at++) {
		*at ^= 0xff;
		s = (struct seen){ .may_differ = true };
		(void)!look(&s, buffer_bytes(&apk));
		assert_string_equal(s.at, "");
		*at ^= 0xff;
	}
	magic[0] = 'B';
	s = see_any(buffer_bytes(&apk));
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "");
	buffer_fini(&apk);
}

/* The same of .lzma. */
static void test_lzma_dictionary(void)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };
	struct buffer bytes =
		make(archive_write_set_format_raw, archive_write_add_filter_lzma, one, 1);
	struct format_limits limits = format_limits_standard;

	assert_int_equal(unpack_memory(buffer_bytes(&bytes)), 8 * 1024 * 1024);
	limits.memory_bytes = 1024 * 1024;
	assert_string_equal(see_with(buffer_bytes(&bytes), &limits).problems, "limit-reached@");
	limits.memory_bytes = 8 * 1024 * 1024;
	assert_string_equal(see_with(buffer_bytes(&bytes), &limits).places, ".");
	bytes.data[4] = 0x20; /* 512 MiB and 8: not what libarchive takes */
	assert_string_equal(see(buffer_bytes(&bytes)).problems, "");
	bytes.data[3] = 0;
	assert_string_equal(see(buffer_bytes(&bytes)).problems, "limit-reached@");
	buffer_fini(&bytes);
}

/* What would take more memory than is allowed to unpack is not begun. */
static void test_dictionary(void **state)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };
	struct buffer bytes =
		make(archive_write_set_format_raw, archive_write_add_filter_xz, one, 1);
	uint8_t *dictionary =
		bytes.data + 16; /* stream's head 12, block's size, flags, filter, its size */
	struct format_limits allowed = format_limits_standard;
	struct buffer outer;
	struct seen s;

	(void)state;
	test_lzma_dictionary();
	assert_true(unpack_memory(buffer_bytes(&bytes)) <= 64 * 1024 * 1024);
	assert_true(unpack_memory(buffer_bytes(&bytes)) >= 4096);
	for (size_t size = 0; size < 17; size++)
		assert_int_equal(unpack_memory(slice_of(bytes.data, size)), 0);
	*dictionary = 31; /* 192 MiB */
	assert_int_equal(unpack_memory(buffer_bytes(&bytes)), 192 * 1024 * 1024);
	s = see(buffer_bytes(&bytes));
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "limit-reached@");
	{
		const struct member members[] = { { "x.xz", buffer_bytes(&bytes) },
			{ "a.pem", buffer_bytes(&pem) } };

		outer = make(tar, NULL, members, 2);
	}
	s = see(buffer_bytes(&outer));
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "limit-reached@x.xz");
	allowed.memory_bytes = 192 * 1024 * 1024;
	assert_string_equal(see_with(buffer_bytes(&outer), &allowed).problems, "malformed@x.xz");
	*dictionary = 40;
	assert_int_equal(unpack_memory(buffer_bytes(&bytes)), UINT32_MAX);
	buffer_fini(&outer);
	buffer_fini(&bytes);
}

/* The window of zstd, or where there is none the size (RFC 8878 3.1.1.1). More than libarchive gives is not damage. */
static void test_window(void **state)
{
	static const struct {
		const char *head;
		size_t size;
		uint64_t memory;
	} cases[] = {
		{ "\x28\xb5\x2f\xfd\x00\x88", 6, 128 << 20 },
		{ "\x28\xb5\x2f\xfd\x84\x90", 6, 256 << 20 },
		{ "\x28\xb5\x2f\xfd\x00\x01", 6, 1152 },
		{ "\x28\xb5\x2f\xfd\x20\x07", 6, 7 },
		{ "\x28\xb5\x2f\xfd\xa1\x09\x00\x00\x00\x10", 10, 256 << 20 },
		{ "\x28\xb5\x2f\xfd\xe3\x09\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00", 17,
			UINT64_C(1) << 32 },
	};
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };
	struct buffer bytes =
		make(archive_write_set_format_raw, archive_write_add_filter_zstd, one, 1);
	struct format_limits limits = format_limits_standard;
	struct seen s = see(buffer_bytes(&bytes));

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice head = slice_of((const uint8_t *)cases[i].head, cases[i].size);

		assert_int_equal(unpack_memory(head), cases[i].memory);
		assert_int_equal(unpack_is_beyond_libarchive(head), cases[i].memory > 128 << 20);
		for (size_t size = 0; size < cases[i].size; size++)
			assert_int_equal(unpack_memory(slice_of(head.data, size)), 0);
	}
	assert_string_equal(s.places, ".");
	limits.memory_bytes = 1024;
	s = see_with(buffer_bytes(&bytes), &limits);
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "limit-reached@");
	assert_int_equal(bytes.data[4] & 0x20, 0);
	bytes.data[5] = 0x90;
	s = see(buffer_bytes(&bytes));
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "unsupported@");
	buffer_fini(&bytes);
}

/* Nothing that was compressed is nothing; what is cut off is not. */
static void test_empty(void **state)
{
	const struct member empty[] = { { "empty", slice_text("") } };

	(void)state;
	for (size_t i = 0; i < COMPRESSIONS; i++) {
		struct buffer bytes;

		/* Which libarchive 3.6 cannot write. */
		if (compressions[i] == archive_write_add_filter_lz4)
			continue;
		bytes = make(archive_write_set_format_raw, compressions[i], empty, 1);

		assert_string_equal(see(buffer_bytes(&bytes)).problems, "");
		buffer_fini(&bytes);
	}
	assert_string_equal(
		see(slice_of("\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0\x05\x5d\xcc\x02", 15)).problems,
		"");
	assert_string_equal(see(slice_of("\x1f\x8b\x08\0\0\0\0\0\0\3", 10)).problems, "malformed@");
}

/* A package whose payload is nothing that libarchive knows. */
static void test_odd_package(void **state)
{
	const struct member one[] = { { "a.pem", buffer_bytes(&pem) } };
	struct buffer payload =
		make(archive_write_set_format_cpio_newc, archive_write_add_filter_lzma, one, 1);
	struct buffer package;
	struct seen s;

	(void)state;
	buffer_init(&package, ARCHIVE_BYTES_MAX);
	buffer_append(&package, "\xed\xab\xee\xdb\3", 5);
	while (package.size < 96)
		buffer_byte(&package, 0);
	/* A header without entries. */
	buffer_append(&package, "\x8e\xad\xe8\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	buffer_slice(&package, buffer_bytes(&payload));
	s = see(buffer_bytes(&package));
	assert_string_equal(s.places, "a.pem");
	assert_string_equal(s.problems, "");
	memcpy(package.data + 96 + 16, "other", 5);
	s = see(buffer_bytes(&package));
	assert_string_equal(s.places, "");
	assert_string_equal(s.problems, "unsupported@");
	buffer_fini(&package);
	buffer_fini(&payload);
}

static void test_what_is_none(void **state)
{
	static const char *const texts[] = { "BZhello", "BZh91AY&S", "PK\3", "\x1f\x8b\x07",
		"07070", "!<arch>\nfoo.o/", "\x71\xc7 is no cpio of any kind",
		"\xed\xab\xee\xdb\2" };
	static const struct {
		const char *bytes;
		size_t size;
		bool is_one;
	} heads_of[] = {
#define LZMA(size, first) "\x5d\0\0\x80\0" size first
		{ LZMA("\xff\xff\xff\xff\xff\xff\xff\xff", "\0\x12"), 15, true },
		{ LZMA("\xff\xff\xff\xff\xff\xff\xff\xff", "\0\x12"), 14, false },
		{ LZMA("\xff\xff\xff\xff\xff\xff\xff\xff", "\1\x12"), 15, false },
		{ LZMA("\xff\xff\xff\xff\xff\xff\xff\xff", "\0\x92"), 15, false },
		{ LZMA("\xff\xff\xff\xff\xff\xff\xff\x7f", "\0\x12"), 15, false },
		{ LZMA("\0\x10\0\0\0\0\0\0", "\0\x12"), 15, true },
		{ LZMA("\0\0\0\0\0\0\0\0", "\0\x12"), 15, false },
		{ LZMA("\0\0\0\0\x40\0\0\0", "\0\x12"), 15, false },
		{ "\x5d\0\0\x81\0\0\x10\0\0\0\0\0\0\0\x12", 15, false },
		{ "\x5d\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x12", 15, false },
		{ "\x5d\0\0\0\x40\0\x10\0\0\0\0\0\0\0\x12", 15, false },
		{ "\x5e\0\0\x80\0\0\x10\0\0\0\0\0\0\0\x12", 15, false },
#undef LZMA
		{ "\x04\x22\x4d\x18\x64\x40\xa7\0\0\0\0", 11, true },
		{ "\x04\x22\x4d\x18\x64\x40\xa7\0\0\0", 10, false },
		{ "\x04\x22\x4d\x18\x24\x40\xa7\0\0\0\0", 11, false },
		{ "\x04\x22\x4d\x18\x66\x40\xa7\0\0\0\0", 11, false },
		{ "\x04\x22\x4d\x18\x64\x30\xa7\0\0\0\0", 11, false },
		{ "\x04\x22\x4d\x18\x64\xc0\xa7\0\0\0\0", 11, false },
		{ "\x02\x21\x4c\x18\x10\0\0\0\0\0\0", 11, true },
		{ "\x02\x21\x4c\x18\0\0\0\0\0\0\0", 11, false },
		{ "\x02\x21\x4c\x18\x10\0\0\1\0\0\0", 11, false },
		{ "\x1f\x9d\x90\x2d\x5a", 5, true },
		{ "\x1f\x9d\x90\x2d\x5b", 5, false },
		{ "\x1f\x9d\x91\x2d\x5a", 5, false },
		{ "\x1f\x9d\x88\x2d\x5a", 5, false },
		{ "\x1f\x9d\xb0\x2d\x5a", 5, false },
	};
	char block[513];
	struct file_size_hint size = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_null(formats_sniff(slice_text(texts[i]), size));
	for (size_t i = 0; i < sizeof(heads_of) / sizeof(heads_of[0]); i++) {
		struct slice head = slice_of((const uint8_t *)heads_of[i].bytes, heads_of[i].size);

		assert_int_equal(formats_sniff(head, size) == &format_archive, heads_of[i].is_one);
	}
	(void)memset(block, ' ', sizeof(block));
	block[512] = 0;
	assert_null(formats_sniff(slice_text(block), size));
	(void)memset(block, '0', sizeof(block) - 1);
	assert_null(formats_sniff(slice_text(block), size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_filters_in_filters),
		cmocka_unit_test(test_filters_cut_off),
		cmocka_unit_test(test_in_row),
		cmocka_unit_test(test_in_row_limits),
		cmocka_unit_test(test_odd_package),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_member_size),
		cmocka_unit_test(test_long_texts),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_telling_fails),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_script),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_signed_inside),
		cmocka_unit_test(test_large_block),
		cmocka_unit_test(test_late_images),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_dictionary),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
