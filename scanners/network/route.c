/* Proxies by configuration and environment, as curl has them. */
#include "scanners/network/route.h"

#include "scanners/network/exclude.h"
#include "scanners/network/protocol.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS ", \t"

struct routes {
	struct proxy tls; /* no kind: none */
	struct proxy other;
	struct exclusions *direct; /* owned */
};

/* ---- in main ---------------------------------------------------------------------------------- */

enum err route_check(const char *url, struct why *why)
{
	struct proxy p = { 0 };
	enum err e = strcmp(url, "none") == 0 ? ERR_OK : proxy_parse(url, &p, why);

	proxy_fini(&p);
	return e;
}

/* A name stands for what is below it, too; what cannot be a rule is passed over, as it always was. */
static enum err add_direct(struct strings *rules, const char *entry, size_t size)
{
	char rule[EXCLUSION_BYTES_MAX] = "*.";
	enum err e;

	while (size && *entry == '.') {
		entry++;
		size--;
	}
	if (!size || size + 3 > sizeof(rule))
		return ERR_OK;
	memcpy(rule + 2, entry, size);
	rule[size + 2] = '\0';
	if (exclusion_check(rule + 2, NULL) != ERR_OK)
		return ERR_OK;
	e = strings_add(rules, rule + 2);
	return e == ERR_OK && exclusion_check(rule, NULL) == ERR_OK ? strings_add(rules, rule) : e;
}

static enum err add_list(const char *list, struct probe_options *out)
{
	enum err e = ERR_OK;

	for (const char *at = list; at && *at && e == ERR_OK;) {
		size_t size = strcspn(at, BLANKS);

		if (size == 1 && *at == '*')
			out->is_direct = true;
		else
			e = add_direct(&out->no_proxy, at, size);
		at += size;
		at += strspn(at, BLANKS);
	}
	return e;
}

static const char *environment(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	if (!value || !*value)
		value = getenv(upper);
	return value && *value ? value : NULL;
}

static enum err set_proxy(char **to, const char *name, const char *url, struct why *why)
{
	struct why inner = { 0 };
	enum err e = url ? route_check(url, &inner) : ERR_OK;

	if (e != ERR_OK)
		return why_fail(why, ERR_CONFIG, "%s: %s", name, why_text(&inner, e));
	free(*to);
	*to = url && strcmp(url, "none") != 0 ? strdup(url) : NULL;
	return !url || strcmp(url, "none") == 0 || *to ? ERR_OK : ERR_MEMORY;
}

static enum err from_environment(struct probe_options *out, struct why *why)
{
	static const char *const loopback[] = { "localhost", "127.0.0.0/8", "::1/128" };
	const char *all = environment("all_proxy", "ALL_PROXY");
	const char *https = environment("https_proxy", "HTTPS_PROXY");
	enum err e = set_proxy(&out->proxy_other, "all_proxy", all, why);

	if (e == ERR_OK)
		e = set_proxy(&out->proxy_tls, https ? "https_proxy" : "all_proxy",
			https ? https : all, why);
	for (size_t i = 0; e == ERR_OK && i < sizeof(loopback) / sizeof(loopback[0]); i++)
		e = add_direct(&out->no_proxy, loopback[i], strlen(loopback[i]));
	return e == ERR_OK ? add_list(environment("no_proxy", "NO_PROXY"), out) : e;
}

enum err route_choose(const struct secret *configured, const struct strings *no_proxy,
	struct probe_options *out, struct why *why)
{
	struct buffer url;
	enum err e;

	if (!secret_is_set(configured)) {
		e = from_environment(out, why);
	} else {
		e = secret_read(configured, PROXY_BYTES_MAX, &url, why);
		if (e == ERR_OK)
			e = set_proxy(&out->proxy_tls, "proxy", buffer_string(&url), why);
		if (e == ERR_OK)
			e = set_proxy(&out->proxy_other, "proxy", buffer_string(&url), why);
		out->is_proxy_meant = out->proxy_tls;
		buffer_wipe(&url);
	}
	for (size_t i = 0; e == ERR_OK && i < no_proxy->count; i++)
		e = add_list(no_proxy->items[i], out);
	return e;
}

/* ---- in the probe ----------------------------------------------------------------------------- */

void routes_free(struct routes *r)
{
	if (!r)
		return;
	proxy_fini(&r->tls);
	proxy_fini(&r->other);
	exclusions_free(r->direct);
	free(r);
}

enum err routes_new(const struct probe_options *options, struct routes **out, struct why *why)
{
	struct routes *r = calloc(1, sizeof(*r));
	enum err e = r ? ERR_OK : ERR_MEMORY;

	if (e == ERR_OK && options->proxy_tls && !options->is_direct)
		e = proxy_parse(options->proxy_tls, &r->tls, why);
	if (e == ERR_OK && options->proxy_other && !options->is_direct)
		e = proxy_parse(options->proxy_other, &r->other, why);
	if (e == ERR_OK)
		e = exclusions_new(&options->no_proxy, &r->direct, why);
	if (e == ERR_OK)
		*out = r;
	else
		routes_free(r);
	return e;
}

const struct proxy *routes_for(const struct routes *r, const struct target *t)
{
	const struct proxy *p = target_protocol(t)->states ? &r->other : &r->tls;

	if (!p->kind || exclusions_cover(r->direct, t->host, t->port))
		return NULL;
	return p;
}
