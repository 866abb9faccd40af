/* The .socket units of systemd, as their files say. */
#include "scanners/network/socket_units.h"

#include "agent/base/log.h"
#include "agent/base/text.h"
#include "agent/config/read_file.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define UNIT_BYTES_MAX ((size_t)64 * 1024)
#define PATH_BYTES 1024
#define VALUE_BYTES 128
#define ADDRESSES_MAX 64 /* of one unit */
#define DROP_INS_MAX 64
#define SUFFIX ".socket"

/* systemd.unit(5), "System Unit Search Path". */
const char *const socket_unit_folders[] = { "/etc/systemd/system.control",
	"/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early",
	"/etc/systemd/system", "/run/systemd/system", "/run/systemd/generator",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
	"/run/systemd/generator.late" };
const size_t socket_unit_folders_count = sizeof(socket_unit_folders) / sizeof(char *);

struct reading {
	const char *const *folders;
	size_t folders_count;
	struct socket_units *out;
	/* The unit under way. */
	struct unit_address addresses[ADDRESSES_MAX];
	size_t addresses_count;
};

static bool ends_in(const char *name, const char *suffix)
{
	size_t size = strlen(name);

	return size > strlen(suffix) && strcmp(name + size - strlen(suffix), suffix) == 0;
}

/* ---- addresses -------------------------------------------------------------------------------- */

static bool read_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port == 0 || port > UINT16_MAX)
		return false;
	*out = (uint16_t)port;
	return true;
}

static void map_v4(const struct in_addr *v4, struct in6_addr *out)
{
	*out = (struct in6_addr){ .s6_addr32 = { 0, 0, htonl(0xffff), v4->s_addr } };
}

/* "22", "127.0.0.1:22", "[::1]:22", "[fe80::1%eth0]:22"; false for paths and whatever else is no TCP port. */
static bool read_address(char *text, struct unit_address *out)
{
	bool is_v6 = *text == '[';
	char *end = is_v6 ? strstr(text, "]:") : strrchr(text, ':');
	struct in_addr v4;

	*out = (struct unit_address){ 0 };
	if (!end) {
		out->is_any = true;
		return read_port(text, &out->port);
	}
	*end = '\0';
	if (!read_port(end + (is_v6 ? 2 : 1), &out->port))
		return false;
	if (is_v6) {
		text[strcspn(text, "%")] = '\0';
		return inet_pton(AF_INET6, text + 1, &out->address) == 1;
	}
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	map_v4(&v4, &out->address);
	return true;
}

/* An empty value takes back what was said before. */
static void take_stream(struct reading *r, struct slice value)
{
	char text[VALUE_BYTES];
	struct unit_address *to = &r->addresses[r->addresses_count];

	if (!value.size) {
		r->addresses_count = 0;
		return;
	}
	if (r->addresses_count == ADDRESSES_MAX)
		log_warn("a socket unit has more than %d addresses: the rest is not known",
			ADDRESSES_MAX);
	if (value.size >= sizeof(text) || r->addresses_count == ADDRESSES_MAX)
		return;
	memcpy(text, value.data, value.size);
	text[value.size] = '\0';
	r->addresses_count += read_address(text, to);
}

/* ---- files ------------------------------------------------------------------------------------ */

static struct slice trimmed(struct slice s)
{
	while (s.size && strchr(" \t\r", s.data[0]))
		s = slice_after(s, 1);
	while (s.size && strchr(" \t\r", s.data[s.size - 1]))
		s.size--;
	return s;
}

static bool is(struct slice s, const char *word)
{
	return s.size == strlen(word) && memcmp(s.data, word, s.size) == 0;
}

static void read_lines(struct reading *r, struct slice text)
{
	bool is_section = false;

	while (text.size) {
		const uint8_t *end = memchr(text.data, '\n', text.size);
		size_t size = end ? (size_t)(end - text.data) : text.size;
		struct slice line = trimmed(slice_of(text.data, size));
		const uint8_t *equals = line.size ? memchr(line.data, '=', line.size) : NULL;

		text = slice_after(text, size + 1);
		if (line.size && line.data[0] == '[')
			is_section = is(line, "[Socket]");
		else if (is_section && equals &&
			 is(trimmed(slice_of(line.data, (size_t)(equals - line.data))),
				 "ListenStream"))
			take_stream(
				r, trimmed(slice_after(line, (size_t)(equals - line.data) + 1)));
	}
}

/* Is there such a file, be it unreadable or a link to /dev/null (a unit that is masked)? */
static bool read_unit(struct reading *r, const char *folder, const char *name)
{
	char path[PATH_BYTES];
	struct buffer text;
	struct stat s;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) ||
		lstat(path, &s) != 0)
		return false;
	if (read_file(path, UNIT_BYTES_MAX, &text, NULL) == ERR_OK)
		read_lines(r, buffer_bytes(&text));
	buffer_fini(&text);
	return true;
}

static int is_drop_in(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && ends_in(entry->d_name, ".conf");
}

/* A name in a folder that counts more hides the same name in others. */
static enum err find_drop_ins(const struct reading *r, const char *unit, struct strings *names)
{
	char path[PATH_BYTES];
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < r->folders_count; i++) {
		struct dirent **entries = NULL;
		int count;

		(void)snprintf(path, sizeof(path), "%s/%s.d", r->folders[i], unit);
		count = scandir(path, &entries, is_drop_in, alphasort);
		for (int k = 0; k < count; k++) {
			if (e == ERR_OK && names->count < DROP_INS_MAX &&
				!strings_contain(names, entries[k]->d_name))
				e = strings_add(names, entries[k]->d_name);
			free(entries[k]);
		}
		free(entries);
	}
	return e;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted by their names, whatever their folders. */
static enum err read_drop_ins(struct reading *r, const char *unit)
{
	struct strings names = { 0 };
	char folder[PATH_BYTES];
	enum err e = find_drop_ins(r, unit, &names);

	if (e == ERR_OK && names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t k = 0; e == ERR_OK && k < names.count; k++)
		for (size_t i = 0; i < r->folders_count; i++) {
			(void)snprintf(folder, sizeof(folder), "%s/%s.d", r->folders[i], unit);
			if (read_unit(r, folder, names.items[k]))
				break;
		}
	strings_fini(&names);
	return e;
}

/* ---- units ------------------------------------------------------------------------------------ */

static enum err keep_addresses(struct reading *r, const char *name)
{
	struct socket_units *u = r->out;
	struct unit_address *items;
	enum err e;

	if (!r->addresses_count)
		return ERR_OK;
	items = reallocarray(u->items, u->count + r->addresses_count, sizeof(*items));
	if (!items)
		return ERR_MEMORY;
	u->items = items;
	e = strings_add(&u->names, name);
	for (size_t i = 0; e == ERR_OK && i < r->addresses_count; i++) {
		items[u->count] = r->addresses[i];
		items[u->count++].unit = u->names.count - 1;
	}
	return e;
}

static enum err read_one(struct reading *r, const char *name)
{
	enum err e = ERR_OK;

	r->addresses_count = 0;
	for (size_t i = 0; i < r->folders_count; i++)
		if (read_unit(r, r->folders[i], name))
			break;
	e = read_drop_ins(r, name);
	return e == ERR_OK ? keep_addresses(r, name) : e;
}

/* The addresses of a template ("ssh@.socket") are not in its file. */
static int is_unit(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && ends_in(entry->d_name, SUFFIX) &&
	       !ends_in(entry->d_name, "@" SUFFIX);
}

static int is_wants(const struct dirent *entry)
{
	return ends_in(entry->d_name, ".wants") || ends_in(entry->d_name, ".requires");
}

static enum err list(
	const char *folder, int (*filter)(const struct dirent *), size_t max, struct strings *out)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, filter, alphasort);
	enum err e = ERR_OK;

	for (int i = 0; i < count; i++) {
		if (e == ERR_OK && out->count < max &&
			text_is_clean(slice_text(entries[i]->d_name)) &&
			!strings_contain(out, entries[i]->d_name)) {
			e = strings_add(out, entries[i]->d_name);
			if (out->count == max)
				log_warn("%s: no more than %zu socket units are read", folder, max);
		}
		free(entries[i]);
	}
	free(entries);
	return e;
}

/* systemctl enable makes a link in "sockets.target.wants". */
static enum err find_enabled(const char *folder, struct strings *out)
{
	struct strings wants = { 0 };
	char path[PATH_BYTES];
	enum err e = list(folder, is_wants, SOCKET_UNITS_MAX, &wants);

	for (size_t i = 0; e == ERR_OK && i < wants.count; i++)
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, wants.items[i]) <
			sizeof(path))
			e = list(path, is_unit, SOCKET_UNITS_MAX, out);
	strings_fini(&wants);
	return e;
}

enum err socket_units_read(const char *const *folders, size_t count, struct socket_units *out)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct strings names = { 0 };
	enum err e = r ? ERR_OK : ERR_MEMORY;

	if (r)
		*r = (struct reading){ .folders = folders, .folders_count = count, .out = out };
	for (size_t i = 0; e == ERR_OK && i < count; i++) {
		e = list(folders[i], is_unit, SOCKET_UNITS_MAX, &names);
		if (e == ERR_OK)
			e = find_enabled(folders[i], &out->enabled);
	}
	for (size_t i = 0; e == ERR_OK && i < names.count; i++)
		e = read_one(r, names.items[i]);
	strings_fini(&names);
	free(r);
	if (e != ERR_OK)
		socket_units_fini(out);
	return e;
}

void socket_units_fini(struct socket_units *u)
{
	strings_fini(&u->names);
	strings_fini(&u->enabled);
	free(u->items);
	*u = (struct socket_units){ 0 };
}

/* ---- asking ----------------------------------------------------------------------------------- */

static bool is_bound_to_any(const struct in6_addr *a)
{
	return IN6_IS_ADDR_UNSPECIFIED(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr32[3] == 0);
}

static bool is_at(const struct unit_address *a, const struct listening_socket *s)
{
	struct in6_addr bound = s->address;

	if (a->port != s->port)
		return false;
	if (s->family == AF_INET)
		map_v4(&(struct in_addr){ .s_addr = s->address.s6_addr32[0] }, &bound);
	if (a->is_any)
		return is_bound_to_any(&bound);
	return memcmp(&a->address, &bound, sizeof(bound)) == 0;
}

const char *socket_units_find(const struct socket_units *u, const struct listening_socket *s)
{
	const char *found[2] = { NULL, NULL }; /* any; one that is enabled */
	unsigned count[2] = { 0, 0 };

	for (size_t i = 0; i < u->count; i++) {
		const char *name = u->names.items[u->items[i].unit];
		bool is_enabled = strings_contain(&u->enabled, name);

		if (!is_at(&u->items[i], s))
			continue;
		/* A unit may say one address twice. */
		for (unsigned k = 0; k <= is_enabled; k++) {
			count[k] += found[k] != name;
			found[k] = name;
		}
	}
	if (count[1] == 1)
		return found[1];
	return count[0] == 1 ? found[0] : NULL;
}
