/* Makes the benchmark's tree: the same for the same seed, with a list of what is in it. */
#include "corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 200000
#define FOLDERS 14285
#define HOLDERS 2000
#define DISTINCT 2050
#define SPARSE_FILES 4
#define SPARSE_BYTES (INT64_C(1) << 30)
#define FOLDER_FANOUT 9
#define POOL_BYTES (8 * 1024 * 1024)
#define FILE_BYTES_MAX (48 * 1024 * 1024)
#define PATH_BYTES 512
/* As in /usr, /etc and /var/lib of a Debian host: half of the files are text, with a fifth of the bytes. */
#define TEXT_PERCENT 52
#define TEXT_MEDIAN 2300.0
#define TEXT_SIGMA 1.82
#define BINARY_MEDIAN 2000.0
#define BINARY_SIGMA 2.6

struct corpus {
	const char *root;
	uint64_t random;
	size_t folders_count;
	char (*folders)[PATH_BYTES];
	char *text; /* pools that contents are cut from */
	char *binary;
	struct certificates certificates;
	size_t next_new;
	FILE *manifest;
	uint64_t bytes;
	size_t held;
};

static uint64_t below(struct corpus *c, uint64_t bound)
{
	return corpus_random(&c->random) % bound;
}

static double uniform(struct corpus *c)
{
	return ((double)(corpus_random(&c->random) >> 11) + 0.5) / 9007199254740992.0;
}

static size_t log_normal(struct corpus *c, double median, double sigma)
{
	double z = sqrt(-2 * log(uniform(c))) * cos(2 * M_PI * uniform(c));
	double size = median * exp(sigma * z);

	return size > FILE_BYTES_MAX ? FILE_BYTES_MAX : (size_t)size;
}

static void make_folders(struct corpus *c)
{
	c->folders = calloc(c->folders_count, sizeof(*c->folders));
	if (!c->folders)
		corpus_die("out of memory");
	(void)snprintf(c->folders[0], PATH_BYTES, "%s/tree", c->root);
	for (size_t i = 0; i < c->folders_count; i++) {
		char path[PATH_BYTES];

		/* By way of a copy: that parent and child are not the same the compiler cannot know. */
		if (i && snprintf(path, sizeof(path), "%.400s/folder-%zu",
				 c->folders[(i - 1) / FOLDER_FANOUT], i) < 0)
			corpus_die("a path");
		if (i)
			memcpy(c->folders[i], path, sizeof(path));
		if (mkdir(c->folders[i], 0755) != 0)
			corpus_die(strerror(errno));
	}
}

static void make_pools(struct corpus *c)
{
	static const char *const words[] = { "the", "server", "listen", "option", "certificate",
		"value", "return", "if", "static", "include", "path", "begin", "end", "log",
		"debug", "user", "--", "=", "{", "}", "0x1f", "2026-01-01", "http", "key", "public",
		"-----", "BEGIN" };
	size_t at = 0;
	size_t column = 0;

	c->text = malloc(POOL_BYTES);
	c->binary = malloc(POOL_BYTES);
	if (!c->text || !c->binary)
		corpus_die("out of memory");
	while (at < POOL_BYTES) {
		const char *word = words[below(c, sizeof(words) / sizeof(words[0]))];

		for (; *word && at < POOL_BYTES; column++)
			c->text[at++] = *word++;
		if (at < POOL_BYTES)
			c->text[at++] = column > 60 ? '\n' : ' ';
		column = column > 60 ? 0 : column;
	}
	/* No marker by chance. */
	for (char *hit = c->text;
		(hit = memmem(hit, POOL_BYTES - (size_t)(hit - c->text), "----- B", 7));)
		hit[0] = '+';
	for (at = 0; at < POOL_BYTES; at += 8) {
		uint64_t word = corpus_random(&c->random);

		memcpy(c->binary + at, &word, 8);
	}
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		corpus_die(strerror(errno));
	return fd;
}

static void write_all(int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size) {
		ssize_t n = write(fd, at, size);

		if (n <= 0)
			corpus_die(strerror(errno));
		at += n;
		size -= (size_t)n;
	}
}

static void write_from_pool(struct corpus *c, int fd, const char *pool, size_t size)
{
	while (size) {
		size_t start = below(c, POOL_BYTES / 2);
		size_t n = size < POOL_BYTES / 2 ? size : POOL_BYTES / 2;

		write_all(fd, pool + start, n);
		size -= n;
	}
}

static void make_plain(struct corpus *c, size_t number)
{
	static const char *const text_suffixes[] = { ".txt", ".c", ".conf", ".py", ".md", "",
		".html", ".json" };
	static const char *const binary_suffixes[] = { ".so", ".o", ".png", ".gz", ".mo", "",
		".pyc", ".bin" };
	static const char elf[16] = "\177ELF\2\1\1";
	bool is_text = below(c, 100) < TEXT_PERCENT;
	const char *suffix = is_text ? text_suffixes[below(c, 8)] : binary_suffixes[below(c, 8)];
	size_t size = is_text ? log_normal(c, TEXT_MEDIAN, TEXT_SIGMA)
			      : log_normal(c, BINARY_MEDIAN, BINARY_SIGMA);
	char path[PATH_BYTES + 64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/file-%zu%s", c->folders[below(c, c->folders_count)],
		number, suffix);
	fd = create(path);
	if (!is_text && size >= sizeof(elf))
		write_all(fd, elf, sizeof(elf));
	write_from_pool(c, fd, is_text ? c->text : c->binary, size);
	(void)close(fd);
	c->bytes += size;
}

/* Every second certificate is one that another file holds, too. */
static const struct certificate_made *pick(struct corpus *c)
{
	const struct certificates *all = &c->certificates;

	if (c->next_new < all->count && (c->next_new == 0 || below(c, 2)))
		return &all->items[c->next_new++];
	return &all->items[below(c, c->next_new ? c->next_new : 1)];
}

static void make_holder(struct corpus *c, const struct kind *kind, size_t number)
{
	const struct certificate_made *items[HOLDER_CERTIFICATES_MAX];
	size_t count = kind->least + (size_t)below(c, kind->most - kind->least + 1);
	struct growing out = { 0 };
	char path[PATH_BYTES + 64];
	int fd;

	for (size_t i = 0; i < count; i++)
		items[i] = pick(c);
	kind->write(&out, &c->certificates, items, count);
	(void)snprintf(path, sizeof(path), "%s/item-%zu%s", c->folders[below(c, c->folders_count)],
		number, kind->suffix);
	fd = create(path);
	write_all(fd, out.data, out.size);
	(void)close(fd);
	(void)fprintf(c->manifest, "%s\t%s\t", path, kind->name);
	for (size_t i = 0; i < count; i++)
		(void)fprintf(c->manifest, "%s%s", i ? "," : "", items[i]->sha256);
	(void)fputc('\n', c->manifest);
	c->bytes += out.size;
	c->held += count;
	free(out.data);
}

static size_t make_holders(struct corpus *c, double scale)
{
	size_t number = 0;

	for (size_t k = 0; k < kinds_count; k++) {
		size_t files = (size_t)((double)kinds[k].share * scale + 0.5);

		if (files == 0)
			files = 1;
		for (size_t i = 0; i < files; i++)
			make_holder(c, &kinds[k], number++);
	}
	return number;
}

static void make_sparse(struct corpus *c)
{
	char path[PATH_BYTES + 64];

	for (unsigned i = 0; i < SPARSE_FILES; i++) {
		int fd;

		(void)snprintf(path, sizeof(path), "%s/sparse-%u.img", c->folders[0], i);
		fd = create(path);
		if (ftruncate(fd, SPARSE_BYTES) != 0)
			corpus_die(strerror(errno));
		(void)close(fd);
	}
}

static void make(struct corpus *c, double scale, uint64_t seed)
{
	char path[PATH_BYTES];
	size_t files = (size_t)(FILES * scale);
	size_t holders;

	c->random = seed;
	c->folders_count = (size_t)(FOLDERS * scale) + 1;
	certificates_make(&c->certificates, (size_t)(DISTINCT * scale) + 1, seed);
	make_folders(c);
	make_pools(c);
	(void)snprintf(path, sizeof(path), "%s/manifest.tsv", c->root);
	c->manifest = fopen(path, "we");
	if (!c->manifest)
		corpus_die(strerror(errno));
	holders = make_holders(c, scale);
	for (size_t i = holders + SPARSE_FILES; i < files; i++)
		make_plain(c, i);
	make_sparse(c);
	(void)fclose(c->manifest);
	(void)snprintf(path, sizeof(path), "%s/passwords", c->root);
	c->manifest = fopen(path, "we");
	if (!c->manifest || fputs(CORPUS_PASSWORD "\n", c->manifest) < 0 ||
		fclose(c->manifest) != 0)
		corpus_die(strerror(errno));
	printf("files=%zu folders=%zu bytes=%llu holders=%zu certificates=%zu distinct=%zu\n",
		files, c->folders_count, (unsigned long long)c->bytes, holders, c->held,
		c->next_new);
}

int main(int argc, char **argv)
{
	struct corpus c = { 0 };
	double scale = 1;
	uint64_t seed = 20260101;
	int option;

	while ((option = getopt(argc, argv, "s:r:")) > 0) {
		if (option == 's')
			scale = strtod(optarg, NULL);
		else if (option == 'r')
			seed = strtoull(optarg, NULL, 10) | 1;
		else
			return 2;
	}
	if (optind != argc - 1 || !(scale > 0 && scale <= 1)) {
		(void)fputs(
			"usage: make_corpus [-s SCALE] [-r SEED] NEW-FOLDER\n"
			"Writes NEW-FOLDER/tree, manifest.tsv (path, kind, sha256 of each certificate)\n"
			"and passwords. SCALE 1 is 200,000 files.\n",
			stderr);
		return 2;
	}
	c.root = argv[optind];
	if (mkdir(c.root, 0755) != 0)
		corpus_die(strerror(errno));
	make(&c, scale, seed);
	certificates_free(&c.certificates);
	free(c.folders);
	free(c.text);
	free(c.binary);
	return 0;
}
