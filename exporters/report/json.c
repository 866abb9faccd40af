/* -o json: one document. */
#include "exporters/report/json_stream.h"

static enum err text(FILE *to, const char *s)
{
	return fputs(s, to) == EOF ? ERR_IO : ERR_OK;
}

static enum err json_write(const struct view *view, const struct report_options *options,
	const struct report_summary *summary, FILE *to)
{
	struct json_counts counts;
	enum err e = text(to, "{\"records\":[\n");

	(void)options;
	if (e == ERR_OK)
		e = json_stream_records(view, ",\n", "", to, &counts);
	if (e == ERR_OK)
		e = text(to, "\n]");
	if (e == ERR_OK && summary) {
		e = text(to, ",\"summary\":");
		if (e == ERR_OK)
			e = json_stream_summary(&counts, summary, to);
	}
	if (e == ERR_OK)
		e = text(to, "}\n");
	if (e == ERR_OK && fflush(to) != 0)
		e = ERR_IO;
	return e;
}

const struct report json_report = {
	.name = "json",
	.help = "one JSON document: {\"records\":[...],\"summary\":{...}}",
	.write = json_write,
};
