/* The options of the command line. */
#include "agent/commands/options.h"

#include "agent/base/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_TEXTS };

struct option_row {
	const char *name;
	char letter;       /* or 0 */
	const char *value; /* how help calls it; NULL for a flag */
	enum option_kind kind;
	size_t offset;
	unsigned use;
	const char *help;
};

#define AT(member) offsetof(struct options, member)
#define USE_SCANNING (USE_SCAN | USE_RUN)

static const struct option_row rows[] = {
	{ "config", 'c', "FILE", OPTION_TEXT, AT(config),
		USE_SCANNING | USE_LIST | USE_SHOW | USE_NOTIFY | USE_VERIFY,
		"configuration (standard: /etc/leafwatch/leafwatch.yml)" },
	{ "state", 0, "DIR", OPTION_TEXT, AT(state),
		USE_SCANNING | USE_LIST | USE_SHOW | USE_NOTIFY,
		"folder of the inventory; a scan without it remembers nothing" },
	{ "output", 'o', "FORMAT", OPTION_TEXT, AT(output),
		USE_SCANNING | USE_LIST | USE_SHOW | USE_VERIFY,
		"table, detail, json, jsonl or csv (standard: table); of verify text or json" },
	{ "trust", 0, "FILE|DIR", OPTION_TEXTS, AT(trust), USE_SCANNING | USE_VERIFY,
		"CAs trusted besides those of the system; may be given often" },
	{ "untrusted", 0, "FILE", OPTION_TEXTS, AT(untrusted), USE_VERIFY,
		"certificates that may be issuers; may be given often" },
	{ "crl", 0, "FILE", OPTION_TEXTS, AT(crls), USE_VERIFY,
		"revocation lists, PEM or DER; may be given often" },
	{ "name", 0, "KIND:NAME", OPTION_TEXT, AT(name), USE_VERIFY,
		"dns:X, ip:X, email:X, uri:X, or cn:X (dns, and the commonName where it names no host)" },
	{ "purpose", 0, "WORD", OPTION_TEXT, AT(purpose), USE_VERIFY,
		"server, client, ca, email, code, timestamp or any (standard: what --name is for)" },
	{ "max-depth", 0, "N", OPTION_TEXT, AT(max_depth), USE_VERIFY,
		"CAs there may be between it and the anchor, self-issued ones not counted" },
	{ "revocation", 0, "MODE", OPTION_TEXT, AT(revocation), USE_VERIFY,
		"off, soft or hard: whether it must be known (standard: where a --crl is given)" },
	{ "no-system-trust", 0, NULL, OPTION_FLAG, AT(no_system_trust), USE_SCANNING | USE_VERIFY,
		"do not trust the CAs of the system" },
	{ "password-file", 0, "FILE", OPTION_TEXTS, AT(password_files), USE_SCANNING | USE_VERIFY,
		"passwords to try on keystores, one a line; may be given often" },
	{ "timeout", 0, "TIME", OPTION_TEXT, AT(timeout), USE_SCAN,
		"deadline of one target, like 5s" },
	{ "concurrency", 0, "N", OPTION_TEXT, AT(concurrency), USE_SCAN, "targets probed at once" },
	{ "rate", 0, "N", OPTION_TEXT, AT(rate), USE_SCAN,
		"connections begun in a second at most" },
	{ "per-address", 0, "N", OPTION_TEXT, AT(per_address), USE_SCAN,
		"connections to one address at once (standard: 8; no limit on loopback)" },
	{ "per-address-rate", 0, "N", OPTION_TEXT, AT(per_address_rate), USE_SCAN,
		"connections to one address begun in a second at most (standard: no limit)" },
	{ "exclude", 0, "WHAT", OPTION_TEXTS, AT(exclude), USE_SCAN,
		"never connect to it: a name, *.suffix, address, network, or :port; may be given often" },
	{ "resolver", 0, "ADDRESS", OPTION_TEXTS, AT(resolvers), USE_SCAN,
		"name server to ask instead of those of resolv.conf; may be given often" },
	{ "proxy", 0, "URL", OPTION_TEXT, AT(proxy), USE_SCAN,
		"http://HOST:PORT or socks5://HOST:PORT to connect through, or none" },
	{ "http-path", 0, "PATH", OPTION_TEXT, AT(http_path), USE_SCAN,
		"what HTTP servers are asked for (standard: /); none: they are not asked" },
	{ "client-cert", 0, "FILE", OPTION_TEXT, AT(client_cert), USE_SCAN,
		"client certificate to present (PEM, DER, PKCS#12, pkcs11:); do servers accept it?" },
	{ "client-key", 0, "FILE", OPTION_TEXT, AT(client_key), USE_SCAN,
		"its private key, where that is in another file, or a pkcs11: URI" },
	{ "client-password-file", 0, "FILE", OPTION_TEXT, AT(client_password_file), USE_SCAN,
		"file with the password of that key or PKCS#12" },
	{ "certificates-only", 0, NULL, OPTION_FLAG, AT(certificates_only), USE_SCAN,
		"leave servers as soon as their certificate is known: half the cost" },
	{ "at", 0, "TIME", OPTION_TEXT, AT(at), USE_SCANNING | USE_LIST | USE_SHOW | USE_VERIFY,
		"verdicts as of this time (RFC 3339, or @ and Unix seconds)" },
	{ "fail-within", 0, "SPAN", OPTION_TEXT, AT(fail_within), USE_SCAN,
		"exit 4 when something is broken, expired or due within 30d (or 33% of its lifetime)" },
	{ "all", 'a', NULL, OPTION_FLAG, AT(all), USE_SCANNING | USE_LIST,
		"show the public roots of trust stores too" },
	{ "gone", 0, NULL, OPTION_FLAG, AT(gone), USE_LIST, "show what is gone too" },
	{ "listen", 0, "ADDRESS", OPTION_TEXT, AT(listen), USE_RUN,
		"where /metrics and the page are served (standard: 127.0.0.1:9947)" },
	{ "once", 0, NULL, OPTION_FLAG, AT(once), USE_RUN,
		"end after the first pass of every job" },
	{ "print", 0, NULL, OPTION_FLAG, AT(print), USE_RUN,
		"show a progress bar, and print what was found after the first pass" },
	{ "show", 0, NULL, OPTION_FLAG, AT(show), USE_CHECK_CONFIG,
		"print the configuration with all defaults; secrets are masked" },
	{ "color", 0, "WHEN", OPTION_TEXT, AT(color), USE_SCANNING | USE_LIST | USE_SHOW,
		"auto, always or never; NO_COLOR is honoured" },
	{ "no-progress", 0, NULL, OPTION_FLAG, AT(no_progress), USE_SCAN, "no progress bar" },
	{ "single", 0, NULL, OPTION_FLAG, AT(single), USE_SCANNING | USE_VERIFY,
		"one process, no separation: for debugging only" },
	{ "log-level", 0, "LEVEL", OPTION_TEXT, AT(log_level),
		USE_SCANNING | USE_NOTIFY | USE_VERIFY, "error, warn, info or debug" },
	{ "help", 'h', NULL, OPTION_FLAG, AT(help), (unsigned)USE_ANY, "this text" },
	{ "version", 0, NULL, OPTION_FLAG, AT(version), (unsigned)USE_ANY,
		"version and libraries" },
};
#define ROWS_COUNT (sizeof(rows) / sizeof(rows[0]))

static void *field(struct options *o, const struct option_row *row)
{
	return (char *)o + row->offset;
}

void options_fini(struct options *o)
{
	for (size_t i = 0; i < ROWS_COUNT; i++) {
		if (rows[i].kind == OPTION_TEXT)
			free(*(char **)field(o, &rows[i]));
		else if (rows[i].kind == OPTION_TEXTS)
			strings_fini(field(o, &rows[i]));
	}
	strings_fini(&o->words);
	*o = (struct options){ 0 };
}

static const struct option_row *find_long(const char *name, size_t size)
{
	for (size_t i = 0; i < ROWS_COUNT; i++)
		if (strlen(rows[i].name) == size && strncmp(rows[i].name, name, size) == 0)
			return &rows[i];
	return NULL;
}

static const struct option_row *find_letter(char letter)
{
	for (size_t i = 0; i < ROWS_COUNT; i++)
		if (letter && rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static enum err unknown(unsigned use, const char *word, struct why *why)
{
	const char *names[ROWS_COUNT];
	size_t count = 0;
	const char *near;

	for (size_t i = 0; i < ROWS_COUNT; i++)
		if (rows[i].use & use)
			names[count++] = rows[i].name;
	near = text_nearest(word + strspn(word, "-"), names, count);
	if (near)
		return why_fail(why, ERR_USAGE, "there is no option \"%s\"; did you mean --%s?",
			word, near);
	return why_fail(why, ERR_USAGE, "there is no option \"%s\"", word);
}

static enum err set(struct options *o, const struct option_row *row, const char *value)
{
	char **text = field(o, row);

	if (row->kind == OPTION_FLAG) {
		*(bool *)field(o, row) = true;
		return ERR_OK;
	}
	if (row->kind == OPTION_TEXTS)
		return strings_add(field(o, row), value);
	free(*text);
	*text = strdup(value);
	return *text ? ERR_OK : ERR_MEMORY;
}

/* One option at argv[*i]; moves *i over a value that stands apart. */
static enum err parse_one(
	unsigned use, int argc, char **argv, int *i, struct options *o, struct why *why)
{
	const char *word = argv[*i];
	const char *equals = strchr(word, '=');
	const char *value = NULL;
	const struct option_row *row;

	if (word[1] == '-') {
		row = find_long(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
		value = equals ? equals + 1 : NULL;
	} else {
		row = find_letter(word[1]);
		value = word[2] ? word + 2 : NULL;
	}
	if (!row)
		return unknown(use, word, why);
	if (!(row->use & use))
		return why_fail(why, ERR_USAGE, "--%s does not belong to this command", row->name);
	if (row->kind == OPTION_FLAG && value)
		return why_fail(why, ERR_USAGE, "--%s takes no value", row->name);
	if (row->kind != OPTION_FLAG && !value) {
		if (*i + 1 >= argc)
			return why_fail(
				why, ERR_USAGE, "--%s needs a value (%s)", row->name, row->value);
		value = argv[++*i];
	}
	return set(o, row, value);
}

enum err options_parse(unsigned use, int argc, char **argv, struct options *out, struct why *why)
{
	bool only_words = false;
	enum err e = ERR_OK;

	for (int i = 0; e == ERR_OK && i < argc; i++) {
		if (only_words || argv[i][0] != '-' || !argv[i][1])
			e = strings_add(&out->words, argv[i]);
		else if (strcmp(argv[i], "--") == 0)
			only_words = true;
		else
			e = parse_one(use, argc, argv, &i, out, why);
	}
	return e;
}

void options_help(unsigned use, FILE *to)
{
	for (size_t i = 0; i < ROWS_COUNT; i++) {
		const struct option_row *row = &rows[i];
		char left[48];
		char letter[8] = "";

		if (!(row->use & use))
			continue;
		if (row->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		(void)snprintf(left, sizeof(left), "%4s--%s%s%s", letter, row->name,
			row->value ? " " : "", row->value ? row->value : "");
		(void)fprintf(to, "  %-28s %s\n", left, row->help);
	}
}
