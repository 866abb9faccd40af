/* leafwatch formats: what is read, what of it needs a password, what is only named. */
#include "agent/commands/command.h"

#include "scanners/formats/format.h"

#include <stdio.h>
#include <string.h>

#define PASSWORD_CELLS 18

static const char *password_of(const struct format *f)
{
	return f->is_named_only ? "(named only)" : f->password ? f->password : "";
}

static int run(const struct options *o)
{
	size_t width = strlen("FORMAT");

	(void)o;
	for (size_t i = 0; i < formats_count; i++)
		if (strlen(formats[i]->name) > width)
			width = strlen(formats[i]->name);
	(void)printf("%-*s  %-*s  WHAT IT IS\n", (int)width, "FORMAT", PASSWORD_CELLS, "PASSWORD");
	for (size_t i = 0; i < formats_count; i++)
		(void)printf("%-*s  %-*s  %s\n", (int)width, formats[i]->name, PASSWORD_CELLS,
			password_of(formats[i]), formats[i]->help);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

const struct command formats_command = {
	.name = "formats",
	.arguments = "",
	.help = "what is read in files, what needs a password, what is only named",
	.details =
		"PASSWORD says what of it needs one. What is named only is recognised and reported as\n"
		"unsupported, or holds no dates.\n",
	.run = run,
};
