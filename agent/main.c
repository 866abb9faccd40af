/* Arguments to subcommand, or to the role this process was started as. */
#include "agent/commands/command.h"
#include "agent/process/role.h"
#include "scanners/scanner.h"

#include "scanners/parser.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static int run_role(const char *name)
{
	if (strcmp(name, parser_role.name) == 0)
		return role_main(&parser_role);
	for (size_t i = 0; i < scanners_count; i++)
		if (strcmp(name, scanners[i]->role->name) == 0)
			return role_main(scanners[i]->role);
	(void)fprintf(stderr, "leafwatch: there is no role \"%s\"\n", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	/* For names in archives, which libarchive converts to the locale's characters; a role that has dropped
	 * its rights could not load it any more. Nothing else depends on the locale. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (argc == 3 && strcmp(argv[1], "--role") == 0)
		return run_role(argv[2]);
	return command_line(argc, argv);
}
