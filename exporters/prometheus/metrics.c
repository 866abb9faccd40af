/* A view as metrics. */
#include "exporters/prometheus/metrics_internal.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>

/* Of one family's lines. */
#define SAMPLES_BYTES_MAX ((size_t)512 * 1024 * 1024)
/* No time to tell: taken out before it is written. */
#define NEVER (-1.0)

const struct family metrics_families[METRICS_FAMILIES] = {
#define FAMILY(id, family_name, family_type, family_help) \
	[METRICS_##id] = { .name = (family_name), .help = (family_help), .type = (family_type) },
#include "exporters/prometheus/families.def"
#undef FAMILY
};

/* Failure reasons known in advance: a counter that starts at 0 shows its first increase. */
static const char *const failure_reasons[] = { "abandoned", "authError", "clientError", "other",
	"rateLimited", "serverError", "timeout" };

struct scanner_counts *rendering_scanner(struct rendering *r, const char *name)
{
	struct scanner_counts *found;

	for (size_t i = 0; i < r->scanners_count; i++)
		if (strcmp(r->scanners[i].name, name) == 0)
			return &r->scanners[i];
	if (r->scanners_count == SCANNERS_MAX)
		return NULL;
	found = &r->scanners[r->scanners_count];
	*found = (struct scanner_counts){ .name = strdup(name) };
	if (!found->name)
		return NULL;
	r->scanners_count++;
	return found;
}

static void put_least(struct rendering *r, enum metrics_family f, const char *scanner, double value)
{
	const struct tally_label labels[TALLY_LABELS_MAX] = { { "scanner", scanner } };

	tally_put(&r->tallies[f], labels, TALLY_LEAST, value);
}

static void put_sum(struct rendering *r, enum metrics_family f, const char *scanner, double value)
{
	const struct tally_label labels[TALLY_LABELS_MAX] = { { "scanner", scanner } };

	tally_put(&r->tallies[f], labels, TALLY_SUM, value);
}

static enum err each_scanner(void *arg, const struct scanner_state *s)
{
	struct rendering *r = arg;

	if (!rendering_scanner(r, s->scanner))
		return ERR_MEMORY;
	put_least(r, METRICS_SCANNER_UP, s->scanner, s->is_up ? 1 : 0);
	/* A job that never succeeded is the one for which it is longest ago. */
	put_least(r, METRICS_SCAN_LAST_SUCCESS, s->scanner,
		s->last_success == TIME_UNKNOWN ? NEVER : (double)s->last_success);
	if (s->last_success == TIME_UNKNOWN)
		return ERR_OK;
	put_sum(r, METRICS_SCAN_DURATION, s->scanner, s->duration_s);
	put_sum(r, METRICS_SCAN_ITEMS, s->scanner, (double)s->items);
	return ERR_OK;
}

static enum err each_receiver(void *arg, const struct receiver_state *s)
{
	struct rendering *r = arg;
	const struct tally_label labels[TALLY_LABELS_MAX] = { { "receiver", s->receiver } };

	tally_put(&r->tallies[METRICS_NOTIFICATIONS], labels, TALLY_SUM, (double)s->sent);
	tally_put(
		&r->tallies[METRICS_OUTBOX_ENTRIES], labels, TALLY_SUM, (double)s->outbox_entries);
	tally_put(
		&r->tallies[METRICS_RECEIVER_DISABLED], labels, TALLY_SUM, s->is_disabled ? 1 : 0);
	if (s->oldest_entry != TIME_UNKNOWN)
		tally_put(&r->tallies[METRICS_OUTBOX_OLDEST], labels, TALLY_LEAST,
			(double)s->oldest_entry);
	for (size_t i = 0; i < sizeof(failure_reasons) / sizeof(failure_reasons[0]); i++) {
		const struct tally_label failed[TALLY_LABELS_MAX] = { { "receiver", s->receiver },
			{ "reason", failure_reasons[i] } };

		tally_put(&r->tallies[METRICS_NOTIFICATIONS_FAILED], failed, TALLY_SUM, 0);
	}
	return ERR_OK;
}

static enum err each_failure(void *arg, const struct receiver_failure *s)
{
	struct rendering *r = arg;
	const struct tally_label labels[TALLY_LABELS_MAX] = { { "receiver", s->receiver },
		{ "reason", s->reason } };

	tally_put(&r->tallies[METRICS_NOTIFICATIONS_FAILED], labels, TALLY_SUM, (double)s->count);
	return ERR_OK;
}

static enum err each_alert(void *arg, const struct alert_state *s)
{
	struct rendering *r = arg;

	/* The other severities of a kind are known in advance too. */
	for (unsigned i = 0; i < SEVERITY_COUNT; i++) {
		const struct tally_label labels[TALLY_LABELS_MAX] = { { "kind", s->kind },
			{ "severity", severity_word((enum alert_severity)i) } };

		tally_put(&r->tallies[METRICS_ALERTS], labels, TALLY_SUM,
			i == (unsigned)s->severity ? (double)s->count : 0);
	}
	return ERR_OK;
}

static enum err each_sandbox(void *arg, const struct sandbox_state *s)
{
	struct rendering *r = arg;
	const struct tally_label labels[TALLY_LABELS_MAX] = { { "role", s->role },
		{ "layer", s->layer } };

	tally_put(&r->tallies[METRICS_SANDBOX], labels, TALLY_LEAST, s->is_active ? 1 : 0);
	return ERR_OK;
}

/* Every status and reason of every scanner, those that count 0 too. */
static void put_counts(struct rendering *r)
{
	for (size_t i = 0; i < r->scanners_count; i++) {
		const struct scanner_counts *s = &r->scanners[i];

		for (unsigned k = 0; k < STATUS_COUNT; k++) {
			const struct tally_label labels[TALLY_LABELS_MAX] = {
				{ "scanner", s->name }, { "status", status_word((enum status)k) }
			};

			tally_put(&r->tallies[METRICS_CERTIFICATES], labels, TALLY_SUM,
				(double)s->statuses[k]);
		}
		for (unsigned k = 0; k < REASON_COUNT; k++) {
			const struct tally_label labels[TALLY_LABELS_MAX] = {
				{ "scanner", s->name }, { "reason", reason_word((enum reason)k) }
			};

			tally_put(&r->tallies[METRICS_PROBLEMS], labels, TALLY_SUM,
				(double)s->reasons[k]);
		}
	}
}

static void put_singles(struct rendering *r)
{
	static const struct tally_label none[TALLY_LABELS_MAX];
	const struct tally_label build[TALLY_LABELS_MAX] = {
		{ "version", r->view->version },
		{ "revision", r->view->revision },
		{ "gnutls_version", gnutls_check_version(NULL) },
	};

	tally_put(&r->tallies[METRICS_BUILD_INFO], build, TALLY_LEAST, 1);
	tally_put(&r->tallies[METRICS_SERIES_DROPPED], none, TALLY_LEAST,
		(double)r->metrics->series_dropped);
	tally_put(&r->tallies[METRICS_CONFIG_RELOAD], none, TALLY_LEAST,
		r->view->config_reload_ok ? 1 : 0);
}

static enum err write_tallies(struct rendering *r)
{
	for (size_t i = 0; i < METRICS_FAMILIES; i++) {
		if (r->tallies[i].status != ERR_OK)
			return r->tallies[i].status;
		tally_write(&r->tallies[i], metrics_families[i].name, &r->metrics->samples[i]);
		if (buffer_status(&r->metrics->samples[i]) != ERR_OK)
			return buffer_status(&r->metrics->samples[i]);
	}
	return ERR_OK;
}

static enum err read_tables(struct rendering *r)
{
	const struct view *v = r->view;
	enum err e = v->each_scanner(v->ctx, each_scanner, r);

	if (e == ERR_OK)
		e = v->each_receiver(v->ctx, each_receiver, r);
	if (e == ERR_OK)
		e = v->each_failure(v->ctx, each_failure, r);
	if (e == ERR_OK)
		e = v->each_alert(v->ctx, each_alert, r);
	return e == ERR_OK ? v->each_sandbox(v->ctx, each_sandbox, r) : e;
}

enum err metrics_render(const struct view *v, uint64_t max_series, struct metrics *out)
{
	struct metrics metrics = { 0 };
	struct rendering r = { .view = v, .metrics = &metrics, .series_left = max_series };
	enum err e;

	for (size_t i = 0; i < METRICS_FAMILIES; i++) {
		buffer_init(&metrics.samples[i], SAMPLES_BYTES_MAX);
		tally_init(&r.tallies[i]);
	}
	e = read_tables(&r);
	if (e == ERR_OK)
		e = metrics_render_places(&r);
	if (e == ERR_OK) {
		put_counts(&r);
		put_singles(&r);
		tally_drop(&r.tallies[METRICS_SCAN_LAST_SUCCESS], NEVER);
		e = write_tallies(&r);
	}
	for (size_t i = 0; i < METRICS_FAMILIES; i++)
		tally_fini(&r.tallies[i]);
	for (size_t i = 0; i < r.scanners_count; i++)
		free(r.scanners[i].name);
	if (e == ERR_OK)
		*out = metrics;
	else
		metrics_fini(&metrics);
	return e;
}

void metrics_fini(struct metrics *m)
{
	for (size_t i = 0; i < METRICS_FAMILIES; i++)
		buffer_fini(&m->samples[i]);
}

void metrics_text(const struct metrics *m, bool is_openmetrics, struct buffer *out)
{
	for (size_t i = 0; i < METRICS_FAMILIES; i++) {
		if (!m->samples[i].size)
			continue;
		exposition_header(out, &metrics_families[i], is_openmetrics);
		buffer_slice(out, buffer_bytes(&m->samples[i]));
	}
}
