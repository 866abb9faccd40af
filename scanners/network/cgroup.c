/* Units and containers in the paths of control groups. */
#include "scanners/network/cgroup.h"

#include <stdbool.h>
#include <string.h>

/* Container runtimes name a container by the 64 digits of its id, and people by the first twelve. */
#define ID_DIGITS 64
#define ID_DIGITS_SHOWN 12

/* Heads of the scopes and folders that hold one container. */
static const char *const runtimes[] = { "docker-", "libpod-", "libpod-payload-", "cri-containerd-",
	"crio-", "containerd-", "buildkit-", "machine-", "lxc.payload.", "lxc.payload/" };
/* Folders whose children are containers. */
static const char *const folders[] = { "docker", "lxc", "lxc.payload" };

static bool ends_in(struct slice s, const char *suffix)
{
	size_t size = strlen(suffix);

	return s.size > size && memcmp(s.data + s.size - size, suffix, size) == 0;
}

static bool is_id(struct slice s)
{
	if (s.size != ID_DIGITS)
		return false;
	for (size_t i = 0; i < s.size; i++)
		if (!strchr("0123456789abcdef", s.data[i]) || !s.data[i])
			return false;
	return true;
}

static void put(char out[CGROUP_NAME_BYTES], struct slice s)
{
	if (is_id(s))
		s.size = ID_DIGITS_SHOWN;
	if (!s.size || s.size >= CGROUP_NAME_BYTES)
		return;
	memcpy(out, s.data, s.size);
	out[s.size] = '\0';
}

/* "docker-<id>.scope", "machine-name.scope", "lxc.payload.name" */
static bool is_runtime_scope(struct slice part, struct slice *name)
{
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
		size_t size = strlen(runtimes[i]);

		if (!slice_starts(part, runtimes[i], size) || part.size <= size)
			continue;
		*name = slice_after(part, size);
		if (ends_in(*name, ".scope"))
			name->size -= strlen(".scope");
		/* "docker-compose.service" is none; machines and lxc have names, the others ids. */
		if (is_id(*name) ||
			(ends_in(part, ".scope") && slice_starts(part, "machine-", 8)) ||
			slice_starts(part, "lxc.", 4))
			return true;
	}
	return false;
}

static bool is_folder_of_containers(struct slice part)
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		if (part.size == strlen(folders[i]) &&
			memcmp(part.data, folders[i], part.size) == 0)
			return true;
	return false;
}

/* Part by part from the root: the deepest unit counts, and the deepest container. */
static void read_path(struct slice path, struct cgroup *out)
{
	bool is_inside = false; /* the part before holds containers */

	while (path.size) {
		const uint8_t *end = memchr(path.data, '/', path.size);
		struct slice part =
			slice_of(path.data, end ? (size_t)(end - path.data) : path.size);
		struct slice name;

		if (is_runtime_scope(part, &name) || is_id(part)) {
			put(out->container, is_id(part) ? part : name);
		} else if (is_inside && part.size) {
			put(out->container, part);
		} else if (ends_in(part, ".service") || ends_in(part, ".socket") ||
			   (ends_in(part, ".scope") && !slice_starts(part, "init.scope", 10))) {
			put(out->unit, part);
		}
		is_inside = is_folder_of_containers(part);
		path = slice_after(path, part.size + 1);
	}
}

/* "4:memory:/path", "1:name=systemd:/path", "0::/path": the hierarchy's name and the path. */
static bool split(struct slice line, struct slice *name, struct slice *path)
{
	const uint8_t *first = memchr(line.data, ':', line.size);
	const uint8_t *second =
		first ? memchr(first + 1, ':', line.size - (size_t)(first + 1 - line.data)) : NULL;

	if (!second)
		return false;
	*name = slice_of(first + 1, (size_t)(second - first) - 1);
	*path = slice_after(line, (size_t)(second - line.data) + 1);
	return true;
}

/* The better the name, the later it is read: what it says stands. */
static unsigned rank_of(struct slice name)
{
	static const char systemd[] = "name=systemd";

	if (name.size == 0)
		return 2;
	return name.size == sizeof(systemd) - 1 && memcmp(name.data, systemd, name.size) == 0;
}

void cgroup_read(struct slice text, struct cgroup *out)
{
	*out = (struct cgroup){ 0 };
	for (unsigned rank = 0; rank <= 2; rank++) {
		struct slice left = text;

		while (left.size) {
			const uint8_t *end = memchr(left.data, '\n', left.size);
			size_t size = end ? (size_t)(end - left.data) : left.size;
			struct slice name;
			struct slice path;

			if (split(slice_of(left.data, size), &name, &path) && rank_of(name) == rank)
				read_path(path, out);
			left = slice_after(left, size + 1);
		}
	}
}
