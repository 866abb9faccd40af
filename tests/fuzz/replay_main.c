/* Runs a fuzz harness over the files of its corpus: replay FOLDER [FOLDER OF THE VECTORS]... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define PATH_BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	struct stat st;
	uint8_t *data;
	FILE *f = fopen(path, "re");
	int done = 0;

	if (!f)
		return 0;
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size < FILE_BYTES_MAX) {
		size_t size = (size_t)st.st_size;

		/* Exactly as large as the content, so that a sanitizer sees one byte too many. */
		data = malloc(size ? size : 1);
		if (data && fread(data, 1, size, f) == size) {
			(void)LLVMFuzzerTestOneInput(data, size);
			done = 1;
		}
		free(data);
	}
	(void)fclose(f);
	return done;
}

static int replay_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_BYTES_MAX];
	int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		int n = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

		if (n > 0 && (size_t)n < sizeof(path))
			count += replay(path);
	}
	(void)closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	const char *vectors = getenv("LEAFWATCH_VECTORS_DIR");
	char folder[PATH_BYTES_MAX];
	int own, others = 0;

	if (argc < 2) {
		(void)fputs("usage: replay FOLDER [FOLDER OF THE VECTORS]...\n", stderr);
		return 2;
	}
	own = replay_folder(argv[1]);
	for (int i = 2; vectors && i < argc; i++) {
		int n = snprintf(folder, sizeof(folder), "%s/%s", vectors, argv[i]);

		if (n > 0 && (size_t)n < sizeof(folder))
			others += replay_folder(folder);
	}
	(void)printf("%d inputs of %s, %d of the vectors\n", own, argv[1], others);
	return own ? 0 : 1;
}
