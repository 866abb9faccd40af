/* The end of a pass: chains across places. */
#include "agent/pass_internal.h"

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "scanners/completion_case.h"

void pass_complain(struct pass *p, enum err e, const struct why *why)
{
	log_error("job %s: chains across places: %s", pass_job(p)->name, why_text(why, e));
	completion_free(p->completion);
	p->completion = NULL;
}

static enum err send_case(struct pass *p, const char *place, uint8_t judging, struct why *why)
{
	const struct finding_piece head = { .kind = FINDING_COMPLETION,
		.scanner = slice_text(p->conf.scanner->name),
		.place = slice_text(place),
		.judging = judging };
	struct slice left = buffer_bytes(&p->completion_case);
	struct finding *finding;
	enum err e = parsers_open(p->conf.parsers, p, &head, &finding, why);

	if (e != ERR_OK)
		return e;
	p->outstanding_findings++;
	do {
		size_t size = left.size < FINDING_PIECE_BYTES ? left.size : FINDING_PIECE_BYTES;
		struct slice piece = slice_of(left.data, size);

		left = slice_after(left, size);
		e = parsers_piece(p->conf.parsers, finding, piece, !left.size, why);
	} while (e == ERR_OK && left.size);
	return e;
}

void pass_complete(struct pass *p)
{
	char place[COMPLETION_PLACE_BYTES];
	uint8_t judging;
	struct why why = { 0 };
	enum err e = ERR_OK;

	while (p->completion && e == ERR_OK &&
		parsers_outstanding_bytes(p->conf.parsers) < OUTSTANDING_BYTES_MAX) {
		e = completion_next(p->completion, place, &judging, &p->completion_case, &why);
		if (e == ERR_OK)
			e = send_case(p, place, judging, &why);
	}
	if (e == ERR_END) {
		completion_free(p->completion);
		p->completion = NULL;
	} else if (e != ERR_OK) {
		pass_complain(p, e, &why);
	}
}

void pass_begin_completion(struct pass *p)
{
	const struct completion_terms terms = {
		.context = p->conf.context, .now = clock_now_s(), .options = p->conf.options
	};
	struct why why = { 0 };
	enum err e = completion_new(p->conf.inventory, &terms, &p->completion, &why);

	if (e != ERR_OK)
		pass_complain(p, e, &why);
	pass_complete(p);
}
