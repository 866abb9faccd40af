/* Which file systems a walk does not enter by itself. */
#include "scanners/files/mounts.h"

#include "agent/base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOUNTINFO_BYTES_MAX (8 * 1024 * 1024)
#define MOUNTINFO_READ_BYTES (64 * 1024)

/* As mountinfo names them: what the kernel makes up, and what another host answers for. */
static const char *const skipped_types[] = { "9p", "afs", "autofs", "binder", "binfmt_misc", "bpf",
	"ceph", "cgroup", "cgroup2", "cifs", "coda", "configfs", "debugfs", "devpts", "devtmpfs",
	"efivarfs", "fuse.ceph-fuse", "fuse.curlftpfs", "fuse.davfs2", "fuse.gcsfuse",
	"fuse.glusterfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fuse.rclone",
	"fuse.s3fs", "fuse.sshfs", "fusectl", "gfs2", "hugetlbfs", "lustre", "mqueue", "ncpfs",
	"nfs", "nfs4", "nfsd", "ocfs2", "orangefs", "proc", "pstore", "resctrl", "rpc_pipefs",
	"securityfs", "selinuxfs", "smb3", "smbfs", "sysfs", "tracefs" };

/* linux/magic.h and the sources of the file systems that it leaves out. */
static const uint32_t skipped_magics[] = {
	0x01021997, /* 9p */
	0x5346414f, /* afs */
	0x0187,     /* autofs */
	0x6c6f6f70, /* binder */
	0x42494e4d, /* binfmt_misc */
	0xcafe4a11, /* bpf */
	0x00c36400, /* ceph */
	0x27e0eb,   /* cgroup */
	0x63677270, /* cgroup2 */
	0xff534d42, /* cifs */
	0x73757245, /* coda */
	0x62656570, /* configfs */
	0x64626720, /* debugfs */
	0x1cd1,     /* devpts */
	0xde5e81e4, /* efivarfs */
	0x65735543, /* fusectl */
	0x958458f6, /* hugetlbfs */
	0x0bd00bd0, /* lustre */
	0x19800202, /* mqueue */
	0x564c,     /* ncpfs */
	0x6969,     /* nfs */
	0x6e667364, /* nfsd */
	0x9fa0,     /* proc */
	0x6165676c, /* pstore */
	0x7655821,  /* resctrl */
	0x67596969, /* rpc_pipefs */
	0x73636673, /* securityfs */
	0xf97cff8c, /* selinuxfs */
	0xfe534d42, /* smb2 */
	0x517b,     /* smbfs */
	0x62656572, /* sysfs */
	0x74726163, /* tracefs */
};
#define FUSE_MAGIC 0x65735546U

/* Reads of these come from the page cache. */
static const uint32_t plain_magics[] = {
	0xef53,     /* ext2, ext3, ext4 */
	0x58465342, /* xfs */
	0x9123683e, /* btrfs */
	0xca451a4e, /* bcachefs */
	0xf2f52010, /* f2fs */
	0x2fc12fc1, /* zfs */
	0x01021994, /* tmpfs */
	0x858458f6, /* ramfs */
	0x794c7630, /* overlay */
	0x73717368, /* squashfs */
	0xe0f5e1e2, /* erofs */
	0x9660,     /* iso9660 */
	0x4d44,     /* vfat */
};

void mounts_fini(struct mounts *m)
{
	strings_fini(&m->skipped);
	*m = (struct mounts){ 0 };
}

static bool is_skipped_type(struct slice type)
{
	for (size_t i = 0; i < sizeof(skipped_types) / sizeof(skipped_types[0]); i++)
		if (type.size && strlen(skipped_types[i]) == type.size &&
			slice_starts(type, skipped_types[i], type.size))
			return true;
	return false;
}

/* Cuts the next field off, up to a blank. */
static struct slice field(struct slice *line)
{
	const uint8_t *end = line->size ? memchr(line->data, ' ', line->size) : NULL;
	size_t size = end ? (size_t)(end - line->data) : line->size;
	struct slice f = slice_of(line->data, size);

	*line = slice_after(*line, size + 1);
	return f;
}

/* Blanks and such are written as a backslash and three octal digits. */
static void unescape(struct buffer *out, struct slice s)
{
	for (size_t i = 0; i < s.size; i++) {
		const uint8_t *c = s.data + i;

		if (*c == '\\' && s.size - i > 3) {
			buffer_byte(out,
				(uint8_t)((c[1] - '0') << 6 | (c[2] - '0') << 3 | (c[3] - '0')));
			i += 3;
		} else {
			buffer_byte(out, *c);
		}
	}
}

/* 36 35 98:0 /root /mount/point options [optional...] - type source options */
static enum err parse_line(struct mounts *m, struct slice line)
{
	struct slice point;
	struct slice f;
	struct buffer path;
	enum err e;

	for (unsigned i = 0; i < 4; i++)
		(void)field(&line);
	point = field(&line);
	do {
		f = field(&line);
	} while (line.size && !(f.size == 1 && f.data[0] == '-'));
	if (!is_skipped_type(field(&line)))
		return ERR_OK;
	buffer_init(&path, MOUNTINFO_BYTES_MAX);
	unescape(&path, point);
	e = buffer_status(&path);
	if (e == ERR_OK)
		e = strings_add_slice(&m->skipped, buffer_bytes(&path));
	buffer_fini(&path);
	return e;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

enum err mounts_parse(struct mounts *m, struct slice text)
{
	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		enum err e = parse_line(m, slice_of(text.data, size));

		if (e != ERR_OK)
			return e;
		text = slice_after(text, size + 1);
	}
	m->is_known = true;
	if (m->skipped.count)
		qsort(m->skipped.items, m->skipped.count, sizeof(*m->skipped.items), compare);
	return ERR_OK;
}

enum err mounts_load(struct mounts *m)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	struct buffer text;
	enum err e = ERR_OK;
	ssize_t n = 1;

	if (fd < 0)
		return ERR_OK;
	buffer_init(&text, MOUNTINFO_BYTES_MAX);
	while (n > 0) {
		uint8_t *to = buffer_reserve(&text, MOUNTINFO_READ_BYTES);

		n = to ? read(fd, to, MOUNTINFO_READ_BYTES) : -1;
		if (n > 0)
			text.size += (size_t)n;
	}
	(void)close(fd);
	if (n == 0)
		e = mounts_parse(m, buffer_bytes(&text));
	buffer_fini(&text);
	return e;
}

bool mounts_skip(const struct mounts *m, const char *path)
{
	return m->skipped.count && bsearch(&path, m->skipped.items, m->skipped.count,
					   sizeof(*m->skipped.items), compare);
}

static bool has_magic(const struct statfs *fs, const uint32_t *magics, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if ((uint32_t)fs->f_type == magics[i])
			return true;
	return false;
}

bool mounts_skip_fd(const struct mounts *m, int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	/* All FUSE file systems share one magic number: only the table can tell them apart. */
	if ((uint32_t)fs.f_type == FUSE_MAGIC)
		return !m->is_known;
	return has_magic(&fs, skipped_magics, sizeof(skipped_magics) / sizeof(skipped_magics[0]));
}

bool mounts_is_plain_fd(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       has_magic(&fs, plain_magics, sizeof(plain_magics) / sizeof(plain_magics[0]));
}
