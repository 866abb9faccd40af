/* 10,000 certificates as metrics against snprintf writing the same lines; and as JSON lines.
 * Interleaved rounds, medians; both sides must give the same bytes. */
#include "agent/base/text.h"
#include "exporters/prometheus/metrics.h"
#include "exporters/report/report.h"
#include "tests/exporters/report/fake_view.h"

#include <inttypes.h>
#include <time.h>

#define CERTIFICATES 10000
#define ROUNDS 9
#define SERIES 1000000
#define FLOOR_BYTES ((size_t)64 * 1024 * 1024)

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	const double *x = a;
	const double *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(double), compare);
	return values[ROUNDS / 2];
}

static void fill(struct fake_view *f)
{
	char uri[128];
	char name[64];

	fake_view_init(f);
	for (int i = 0; i < CERTIFICATES; i++) {
		(void)snprintf(uri, sizeof(uri), "file:///srv/tenants/%05d/tls/server.pem", i);
		(void)snprintf(name, sizeof(name), "host-%05d.example.org", i);
		(void)fake_certificate(f, uri, name, 30, 60);
		if (i % 10 == 0)
			f->items[i].record.certificate.verdict.problems =
				PROBLEM_BIT(PROBLEM_INCOMPLETE_CHAIN);
	}
}

struct floor {
	char *text; /* FLOOR_BYTES */
	size_t size;
};

static void line(struct floor *to, const char *family, const char *uri, const char *more,
	const char *value, int64_t number)
{
	to->size += (size_t)snprintf(to->text + to->size, FLOOR_BYTES - to->size,
		"%s{location=\"%s\"%s%s%s} %" PRId64 "\n", family, uri, more, value,
		*more ? "\"" : "", number);
}

static void floor_info(struct floor *to, const char *uri, const struct certificate *c)
{
	char fingerprint[FINGERPRINT_TEXT_BYTES];

	text_hex(fingerprint, c->fingerprint, FINGERPRINT_BYTES);
	to->size += (size_t)snprintf(to->text + to->size, FLOOR_BYTES - to->size,
		"leafwatch_certificate_info{location=\"%s\",fingerprint=\"%s\",subject=\"%s\","
		"issuer=\"%s\",serial=\"%s\",key_algorithm=\"%s\",key_bits=\"%u\","
		"signature_algorithm=\"%s\"} 1\n",
		uri, fingerprint, c->subject, c->issuer, c->serial, c->key_algorithm, c->key_bits,
		c->signature_algorithm);
}

/* One loop a family, as the format wants them together. */
static void write_floor(const struct fake_view *f, struct floor *to)
{
	static const char *const timed[] = { "leafwatch_certificate_not_after_timestamp_seconds",
		"leafwatch_certificate_not_before_timestamp_seconds",
		"leafwatch_certificate_renewal_due_timestamp_seconds" };

	to->size = 0;
	for (size_t k = 0; k < 3; k++) {
		for (size_t i = 0; i < f->count; i++) {
			const struct record *r = &f->items[i].record;
			const struct certificate *c = &r->certificate.facts;
			int64_t due = c->not_after - threshold_span(&f->view.thresholds.warning,
							     c->not_before, c->not_after);

			line(to, timed[k], r->location.uri, ",subject_cn=\"", c->subject_cn,
				k == 0   ? c->not_after
				: k == 1 ? c->not_before
					 : due);
		}
	}
	for (size_t i = 0; i < f->count; i++)
		floor_info(
			to, f->items[i].record.location.uri, &f->items[i].record.certificate.facts);
	for (size_t i = 0; i < f->count; i++)
		line(to, "leafwatch_certificate_chain_expires_timestamp_seconds",
			f->items[i].record.location.uri, "", "",
			f->items[i].record.certificate.verdict.expires);
	for (size_t i = 0; i < f->count; i++)
		if (f->items[i].record.certificate.verdict.problems)
			line(to, "leafwatch_certificate_problem", f->items[i].record.location.uri,
				",problem=\"", "incomplete-chain", 1);
}

/* Do the families of single certificates hold exactly the floor's bytes? */
static bool is_same(const struct metrics *m, const struct floor *to)
{
	size_t at = 0;

	for (unsigned i = METRICS_NOT_AFTER; i <= METRICS_CERTIFICATE_PROBLEM; i++) {
		struct slice s = buffer_bytes(&m->samples[i]);

		if (to->size - at < s.size || memcmp(to->text + at, s.data, s.size) != 0)
			return false;
		at += s.size;
	}
	return at == to->size;
}

static double time_floor(const struct fake_view *f, struct floor *to)
{
	double start = now_s();

	write_floor(f, to);
	return now_s() - start;
}

static double time_render(const struct fake_view *f, const struct floor *to)
{
	double start = now_s();
	struct metrics m;
	double took;

	if (metrics_render(&f->view, SERIES, &m) != ERR_OK)
		return -1;
	took = now_s() - start;
	if (!is_same(&m, to))
		took = -1;
	metrics_fini(&m);
	return took;
}

static double time_jsonl(const struct fake_view *f)
{
	const struct report_options options = { 0 };
	FILE *to = fopen("/dev/null", "w");
	double start = now_s();
	enum err e;

	if (!to)
		return -1;
	e = report_find("jsonl")->write(&f->view, &options, NULL, to);
	(void)fclose(to);
	return e == ERR_OK ? now_s() - start : -1;
}

int main(void)
{
	struct floor to = { .text = malloc(FLOOR_BYTES) };
	double floors[ROUNDS];
	double renders[ROUNDS];
	double jsonl[ROUNDS];
	struct fake_view f;
	bool is_good = to.text != NULL;

	fill(&f);
	for (size_t i = 0; is_good && i < ROUNDS; i++) {
		floors[i] = time_floor(&f, &to);
		renders[i] = time_render(&f, &to);
		jsonl[i] = time_jsonl(&f);
		is_good = renders[i] >= 0 && jsonl[i] >= 0;
	}
	if (is_good) {
		double floor = median(floors);
		double render = median(renders);

		printf("metrics: %d certificates, %.1f MiB: render %.1f ms, snprintf floor %.1f ms, "
		       "ratio %.2f (medians of %d)\n",
			CERTIFICATES, (double)to.size / 1048576, render * 1000, floor * 1000,
			render / floor, ROUNDS);
		printf("jsonl: %d records in %.1f ms (median of %d)\n", CERTIFICATES,
			median(jsonl) * 1000, ROUNDS);
	} else {
		(void)fputs("bench_metrics: the renderings differ, or memory is out\n", stderr);
	}
	fake_view_fini(&f);
	free(to.text);
	return is_good ? 0 : 1;
}
