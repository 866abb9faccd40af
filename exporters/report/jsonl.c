/* -o jsonl: one JSON object a line, the summary last. */
#include "exporters/report/json_stream.h"

static enum err jsonl_write(const struct view *view, const struct report_options *options,
	const struct report_summary *summary, FILE *to)
{
	struct json_counts counts;
	enum err e = json_stream_records(view, "", "\n", to, &counts);

	(void)options;
	if (e == ERR_OK && summary) {
		e = json_stream_summary(&counts, summary, to);
		if (e == ERR_OK && fputc('\n', to) == EOF)
			e = ERR_IO;
	}
	if (e == ERR_OK && fflush(to) != 0)
		e = ERR_IO;
	return e;
}

const struct report jsonl_report = {
	.name = "jsonl",
	.help = "one JSON object a line: certificates, endpoints, problems, a summary",
	.write = jsonl_write,
};
