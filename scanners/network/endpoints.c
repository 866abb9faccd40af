/* The scanner of TLS endpoints that the user names: plans the work, the probe does it. */
#include "scanners/network/discovered.h"
#include "scanners/network/discovery.h"
#include "scanners/network/dns.h"
#include "scanners/network/exclude.h"
#include "scanners/network/item.h"
#include "scanners/network/probe.h"
#include "scanners/network/route.h"
#include "scanners/network/target_trust.h"
#include "scanners/network/targets.h"
#include "scanners/scanner.h"

#include <stdlib.h>
#include <string.h>

#define HTTP_NO_PATH "none" /* web servers are not asked */
#define AHEAD 4096          /* targets handed out beyond those that may be under way */

struct endpoints_conf {
	struct scan_job job;
	struct strings targets;
	struct sections discoveries; /* of struct discovery_conf */
	int64_t timeout_ms;
	int64_t concurrency;
	int64_t rate;
	char *http_path;
	bool is_certificates_only;
	struct sections identities; /* of struct identity_conf */
	/* One for all targets, after those. */
	char *client_cert;
	char *client_key;
	struct secret client_password;
	bool is_client_networked;
	int64_t per_address;
	int64_t per_address_rate;
	struct strings exclude;
	int64_t dns_timeout_ms;
	struct strings resolvers;
	struct secret proxy;
	struct strings no_proxy;
};

struct plan {
	const struct endpoints_conf *conf; /* borrowed */
	struct targets *targets;           /* owned */
	struct discovered *discovered;     /* owned */
	bool has_followed;
	struct exclusions *except; /* owned */
	struct strings owns;       /* places of the client certificates of ours */
	size_t next_own;
};

static enum err check_target(const char *value, struct why *why)
{
	if (strcmp(value, "-") == 0)
		return why_fail(
			why, ERR_CONFIG, "\"-\" (standard input) is for the command line only");
	return target_check(value, why);
}

static enum err check_path(const char *value, struct why *why)
{
	size_t size = strlen(value);

	/* RFC 3986 3.3: what else there is has to be percent-encoded. */
	for (size_t i = 0; i < size; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return why_fail(why, ERR_CONFIG,
				"\"%s\": blanks and other characters than ASCII have to be written as %%XX",
				value);
	if (size >= PROBE_HTTP_PATH_BYTES_MAX)
		return why_fail(why, ERR_CONFIG, "longer than %d characters",
			PROBE_HTTP_PATH_BYTES_MAX - 1);
	if (value[0] != '/' && strcmp(value, HTTP_NO_PATH) != 0)
		return why_fail(why, ERR_CONFIG, "\"%s\" does not begin with / and is not %s",
			value, HTTP_NO_PATH);
	return ERR_OK;
}

static const struct schema_field fields[] = {
	{ .key = "targets",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct endpoints_conf, targets),
		.check = check_target,
		.help = "Hosts, host:port, [v6]:port, networks (10.0.0.0/24:443,8443), name@address:port, or @FILE "
			"with one of these a line; required where there is no http_sd." },
	{ .key = "http_sd",
		.type = SCHEMA_SECTIONS,
		.offset = offsetof(struct endpoints_conf, discoveries),
		.fields = discovery_fields,
		.section_bytes = sizeof(struct discovery_conf),
		.help = "Lists of further targets, fetched at each pass as Prometheus does (HTTP service "
			"discovery)." },
	SCAN_JOB_FIELDS(struct endpoints_conf, "1h"),
	SCAN_TRUST_FIELD(struct endpoints_conf),
	SCAN_COMMON_NAME_FIELD(struct endpoints_conf),
	{ .key = "target_trust",
		.type = SCHEMA_SECTIONS,
		.offset = offsetof(struct endpoints_conf, job.target_trust),
		.fields = target_trust_fields,
		.section_bytes = sizeof(struct target_trust),
		.help = "What some of the targets trust instead of the job's trust; the first that fits counts." },
	{ .key = "timeout",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct endpoints_conf, timeout_ms),
		.standard = "10s",
		.minimum = PROBE_TIMEOUT_MS_MIN,
		.maximum = PROBE_TIMEOUT_MS_MAX,
		.help = "Time for one address, over connecting, handshake and reading." },
	{ .key = "concurrency",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct endpoints_conf, concurrency),
		.standard = "1000",
		.minimum = 1,
		.maximum = PROBE_CONCURRENCY_MAX,
		.help = "Addresses under way at once." },
	{ .key = "rate",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct endpoints_conf, rate),
		.standard = "0",
		.minimum = 0,
		.maximum = PROBE_RATE_MAX,
		.help = "Connections begun in a second at most; 0 is no limit." },
	{ .key = "per_address",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct endpoints_conf, per_address),
		.standard = "0",
		.minimum = 0,
		.maximum = PROBE_CONCURRENCY_MAX,
		.help = "Connections to one address at once; 0 is 8, and no limit on loopback." },
	{ .key = "per_address_rate",
		.type = SCHEMA_INTEGER,
		.offset = offsetof(struct endpoints_conf, per_address_rate),
		.standard = "0",
		.minimum = 0,
		.maximum = PROBE_RATE_MAX,
		.help = "Connections to one address begun in a second at most, second looks included; 0 is no "
			"limit." },
	{ .key = "exclude",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct endpoints_conf, exclude),
		.check = exclusion_check,
		.help = "Never connected to: names, *.suffix, addresses, networks, each with :ports or without, or "
			":ports alone." },
	{ .key = "dns_timeout",
		.type = SCHEMA_DURATION,
		.offset = offsetof(struct endpoints_conf, dns_timeout_ms),
		.standard = "5s",
		.minimum = PROBE_TIMEOUT_MS_MIN,
		.maximum = PROBE_TIMEOUT_MS_MAX,
		.help = "Time for resolving one name; it is not part of timeout." },
	{ .key = "resolvers",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct endpoints_conf, resolvers),
		.check = dns_check_server,
		.help = "Name servers, ADDRESS or ADDRESS:PORT; without any, those of resolv.conf." },
	{ .key = "proxy",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct endpoints_conf, proxy),
		.check = route_check,
		.help = "http:// or socks5://[USER:PASSWORD@]HOST:PORT to connect through, or none; without it, what "
			"https_proxy, all_proxy and no_proxy say." },
	{ .key = "no_proxy",
		.type = SCHEMA_TEXTS,
		.offset = offsetof(struct endpoints_conf, no_proxy),
		.help = "Connected to directly: names with all below them, addresses, networks, or *." },
	{ .key = "http_path",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct endpoints_conf, http_path),
		.standard = "/",
		.check = check_path,
		.help = "What HTTP servers are asked for, to learn whether they insist on a client certificate; none: "
			"they are not asked." },
	{ .key = "certificates_only",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct endpoints_conf, is_certificates_only),
		.standard = "false",
		.help = "Leave as soon as certificate and certificate request are known: half the cost, and no "
			"verdict on whether a client certificate is required." },
	{ .key = "client_cert",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct endpoints_conf, client_cert),
		.check = identity_check_certificate,
		.help = "File with a client certificate to present (PEM, DER or PKCS#12), or the pkcs11: URI of one in "
			"a token: the record says whether servers accept it, and it is watched itself." },
	{ .key = "client_key",
		.type = SCHEMA_TEXT,
		.offset = offsetof(struct endpoints_conf, client_key),
		.check = identity_check_key,
		.help = "Its private key, where that is in another file, or in a token." },
	{ .key = "client_password",
		.type = SCHEMA_SECRET,
		.offset = offsetof(struct endpoints_conf, client_password),
		.help = "The password of key or PKCS#12." },
	{ .key = "client_network",
		.type = SCHEMA_BOOL,
		.offset = offsetof(struct endpoints_conf, is_client_networked),
		.standard = "no",
		.help = "Let the module of a key in a token use the network, as those of network HSMs must." },
	{ .key = "client_certificates",
		.type = SCHEMA_SECTIONS,
		.offset = offsetof(struct endpoints_conf, identities),
		.fields = identity_fields,
		.section_bytes = sizeof(struct identity_conf),
		.help = "Client certificates for some of the targets; the first that fits is presented." },
	{ .key = NULL },
};

static enum err add_source(void *arg, const char *source, struct why *why)
{
	struct endpoints_conf *conf = arg;
	enum err e = target_check(source, why);

	return e == ERR_OK ? strings_add(&conf->targets, source) : e;
}

static enum err check_conf(const void *arg, struct why *why)
{
	const struct endpoints_conf *conf = arg;

	if (!conf->targets.count && !conf->discoveries.count)
		return why_fail(why, ERR_CONFIG, "\"targets\" is missing, or \"http_sd\"");
	return discoveries_check(&conf->discoveries, why);
}

static char *http_path_of(const struct endpoints_conf *conf)
{
	bool is_none = !conf->http_path || strcmp(conf->http_path, HTTP_NO_PATH) == 0;

	return is_none ? NULL : conf->http_path;
}

/* The one for all targets. */
static struct identity_conf common_identity(const struct endpoints_conf *conf)
{
	return (struct identity_conf){ .cert = conf->client_cert,
		.key = conf->client_key,
		.password = conf->client_password,
		.network = conf->is_client_networked };
}

static enum err read_identities(
	const struct endpoints_conf *conf, struct identities *out, struct why *why)
{
	const struct identity_conf common = common_identity(conf);
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < conf->identities.count; i++)
		e = identities_read(out, conf->identities.items[i], why);
	if (e == ERR_OK && conf->client_cert)
		e = identities_read(out, &common, why);
	else if (e == ERR_OK && conf->client_key)
		e = why_fail(why, ERR_CONFIG, "client_key without client_cert");
	return e;
}

/* By its number among those of read_identities. */
static enum err key_order(
	const void *arg, uint16_t number, struct token_order *out, struct why *why)
{
	const struct endpoints_conf *conf = arg;
	const struct identity_conf common = common_identity(conf);
	size_t own = conf->identities.count;

	*out = (struct token_order){ 0 };
	if (number >= 1 && number <= own)
		return identity_order(conf->identities.items[number - 1U], out, why);
	if (number == own + 1 && common.cert)
		return identity_order(&common, out, why);
	return ERR_NOT_FOUND;
}

/* For check-config: a PIN that cannot be read, too. */
static enum err check_order(const struct endpoints_conf *conf, uint16_t number, struct why *why)
{
	struct token_order order;
	enum err e = key_order(conf, number, &order, why);

	if (e == ERR_OK && order.work.pin.complaint)
		e = why_fail(why, ERR_CONFIG, "%s", order.work.pin.complaint);
	token_order_fini(&order);
	return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static enum err encode_options(const void *arg, struct buffer *out, struct why *why)
{
	const struct endpoints_conf *conf = arg;
	struct probe_options routes = { 0 };
	char name[] = "endpoints";
	enum err e = route_choose(&conf->proxy, &conf->no_proxy, &routes, why);
	struct probe_options options = { .scanner = name,
		.timeout_ms = conf->timeout_ms,
		.concurrency = (uint32_t)conf->concurrency,
		.is_paced = conf->rate > 0,
		.per_address = (uint32_t)conf->per_address,
		.per_address_rate = (uint32_t)conf->per_address_rate,
		.dns_timeout_ms = conf->dns_timeout_ms,
		.resolvers = conf->resolvers,
		.exclusions = conf->exclude,
		.proxy_tls = routes.proxy_tls,
		.proxy_other = routes.proxy_other,
		.is_proxy_meant = routes.is_proxy_meant,
		.is_direct = routes.is_direct,
		.no_proxy = routes.no_proxy,
		.http_path = http_path_of(conf),
		.is_certificates_only = conf->is_certificates_only };

	if (e == ERR_OK)
		e = read_identities(conf, &options.identities, why);
	options.discoveries.refresh_ms = conf->job.every_ms;
	if (e == ERR_OK)
		e = discoveries_read(&conf->discoveries, &options.discoveries, why);
	if (e == ERR_OK)
		probe_options_encode(out, &options);
	identities_fini(&options.identities);
	discoveries_fini(&options.discoveries);
	probe_options_fini(&routes);
	return e == ERR_OK ? buffer_status(out) : e;
}

static enum err check_files(const void *arg, struct why *why)
{
	const struct endpoints_conf *conf = arg;
	struct buffer out;
	enum err e;

	buffer_init(&out, FRAME_BYTES_MAX);
	e = encode_options(conf, &out, why);
	for (uint16_t number = 1; e == ERR_OK && number <= conf->identities.count + 1; number++)
		e = check_order(conf, number, why);
	buffer_wipe(&out);
	return e;
}

/* Beyond what may be under way: names that are being resolved, and what waits for its address, must not
 * keep the others from being begun. */
static unsigned window_of(const void *arg)
{
	const struct endpoints_conf *conf = arg;

	return (unsigned)conf->concurrency + AHEAD;
}

static double rate_of(const void *arg)
{
	const struct endpoints_conf *conf = arg;

	return (double)conf->rate;
}

/* Each has a share of what one address may get, which is one connection at least. */
static unsigned processes_of(const void *arg)
{
	const struct endpoints_conf *conf = arg;
	int64_t most = conf->per_address ? conf->per_address : PROBE_PER_ADDRESS;

	if (conf->per_address_rate && conf->per_address_rate < most)
		most = conf->per_address_rate;
	return (unsigned)most;
}

static void close_plan(void *arg)
{
	struct plan *plan = arg;

	if (!plan)
		return;
	targets_free(plan->targets);
	discovered_free(plan->discovered);
	strings_fini(&plan->owns);
	exclusions_free(plan->except);
	free(plan);
}

/* Each once, however many targets it is for. */
static enum err plan_own(struct plan *plan, const char *path)
{
	char *uri = path ? identity_uri(path) : NULL;

	if (!path)
		return ERR_OK;
	return uri ? strings_take(&plan->owns, uri) : ERR_MEMORY;
}

static enum err plan_owns(const struct endpoints_conf *conf, struct plan *plan)
{
	enum err e = ERR_OK;

	for (size_t i = 0; e == ERR_OK && i < conf->identities.count; i++)
		e = plan_own(plan, ((struct identity_conf *)conf->identities.items[i])->cert);
	return e == ERR_OK ? plan_own(plan, conf->client_cert) : e;
}

static size_t trust_of(const void *arg, struct slice place)
{
	const struct endpoints_conf *conf = arg;

	return target_trust_find(&conf->job.target_trust, place);
}

static enum err open_plan(const void *arg, const struct scan_hints *hints, void **out,
	uint64_t *expected, struct why *why)
{
	const struct endpoints_conf *conf = arg;
	struct plan *plan = calloc(1, sizeof(*plan));
	bool may_lose = hints && hints->holds && hints->holds(hints->ctx, conf->job.name);
	enum err e;

	if (!plan)
		return ERR_MEMORY;
	plan->conf = conf;
	e = exclusions_new(&conf->exclude, &plan->except, why);
	if (e == ERR_OK)
		e = targets_open(&conf->targets, plan->except, &plan->targets, expected, why);
	if (e == ERR_OK)
		e = plan_owns(conf, plan);
	if (e == ERR_OK)
		e = discovered_new(&conf->discoveries, may_lose, &plan->discovered, why);
	if (conf->discoveries.count)
		*expected = 0;
	if (e == ERR_OK)
		*out = plan;
	else
		close_plan(plan);
	return e;
}

/* The client certificates of ours; ERR_END after the last. One that stands there twice is told once. */
static enum err next_own(struct plan *plan, struct scan_item *out)
{
	while (plan->next_own < plan->owns.count) {
		size_t i = plan->next_own++;
		struct target target = { .host = plan->owns.items[i], .own = (uint16_t)(i + 1) };
		bool is_again = false;

		for (size_t k = 0; k < i; k++)
			is_again |= strcmp(plan->owns.items[k], plan->owns.items[i]) == 0;
		if (!is_again)
			return target_item(&target, out);
	}
	return ERR_END;
}

/* What targets that are written down end with is told when those of the lists are through, too. */
static enum err next_end(const struct plan *plan, enum err e, struct why *why)
{
	if (e != ERR_MEMORY && plan->conf->discoveries.count && !plan->has_followed)
		return ERR_END;
	if (e == ERR_END && discovered_lack(plan->discovered, why) != ERR_OK)
		return ERR_IO;
	return e;
}

static enum err next_item(void *arg, struct scan_item *out, struct why *why)
{
	struct plan *plan = arg;
	struct target target = { 0 };
	enum err e = next_own(plan, out);

	if (e == ERR_END)
		e = discovered_next(plan->discovered, out);
	if (e != ERR_END)
		return e;
	e = targets_next(plan->targets, &target, why);
	if (e != ERR_OK)
		return next_end(plan, e, why);
	e = target_item(&target, out);
	target_fini(&target);
	return e;
}

static enum err hear(void *arg, struct slice told)
{
	struct plan *plan = arg;

	return plan->has_followed ? ERR_MALFORMED : discovered_hear(plan->discovered, told);
}

static enum err follow(void *arg, const struct scan_hints *hints, struct why *why)
{
	struct plan *plan = arg;

	plan->has_followed = true;
	if (!plan->conf->discoveries.count)
		return ERR_OK;
	return discovered_settle(plan->discovered, plan->conf->job.name, hints, plan->targets, why);
}

const struct scanner endpoints_scanner = {
	.name = "endpoints",
	.help = "TLS servers by name, address or network",
	.role = &probe_role,
	.follows_itself = true,
	.is_parallel = true,
	.window = 1000,
	.window_of = window_of,
	.rate_of = rate_of,
	.processes_of = processes_of,
	.fields = fields,
	.conf_bytes = sizeof(struct endpoints_conf),
	.check = check_conf,
	.check_files = check_files,
	.key_order = key_order,
	.accepts = target_accepts,
	.add_source = add_source,
	.trust_of = trust_of,
	.encode_options = encode_options,
	.open = open_plan,
	.next = next_item,
	.follow = follow,
	.hear = hear,
	.close = close_plan,
};
