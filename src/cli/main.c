#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

static int version(const struct cli_flags *flags)
{
	(void)flags;
	(void)printf("magnum-auto-healer %s\n", MAH_VERSION);
	return 0;
}

const struct command command_version = { .name = "version", .help = "print the version", .run = version };

static const struct command *const commands[] = { &command_run, &command_check_config, &command_version };

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COUNT(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	return NULL;
}

/* ---- flags ----------------------------------------------------------------------------------------------------------
 */

enum flag_kind { FLAG_CONFIG, FLAG_V, FLAG_FORMAT, FLAG_HELP, FLAG_VERSION, FLAG_IGNORED, FLAG_IGNORED_BOOL };
static const struct {
	const char *name; /* as typed, '_' taken for '-' */
	enum flag_kind kind;
	const char *help; /* NULL: not shown */
} flags_known[] = {
	{ "config", FLAG_CONFIG, "FILE        the configuration (default: $HOME/.kube_autohealer_config.yaml)" },
	{ "v", FLAG_V, "N                how much to log: 4 and up shows every step" },
	{ "log-format", FLAG_FORMAT, "FORMAT  text (logfmt) or json" },
	{ "version", FLAG_VERSION, "            print the version" },
	{ "help", FLAG_HELP, "               print this" },
	{ "h", FLAG_HELP, NULL },
	/* klog's: accepted, and without meaning for a program that writes its lines to stderr */
	{ "logtostderr", FLAG_IGNORED_BOOL, NULL },
	{ "alsologtostderr", FLAG_IGNORED_BOOL, NULL },
	{ "add-dir-header", FLAG_IGNORED_BOOL, NULL },
	{ "skip-headers", FLAG_IGNORED_BOOL, NULL },
	{ "skip-log-headers", FLAG_IGNORED_BOOL, NULL },
	{ "one-output", FLAG_IGNORED_BOOL, NULL },
	{ "log-dir", FLAG_IGNORED, NULL },
	{ "log-file", FLAG_IGNORED, NULL },
	{ "log-file-max-size", FLAG_IGNORED, NULL },
	{ "log-backtrace-at", FLAG_IGNORED, NULL },
	{ "log-flush-frequency", FLAG_IGNORED, NULL },
	{ "stderrthreshold", FLAG_IGNORED, NULL },
	{ "vmodule", FLAG_IGNORED, NULL },
};

static void usage(FILE *out)
{
	(void)fprintf(out, "usage: magnum-auto-healer [COMMAND] [FLAGS]\n\ncommands:\n");
	for (size_t i = 0; i < COUNT(commands); i++) {
		char left[64];
		(void)snprintf(left, sizeof left, "%s %s", commands[i]->name,
			       commands[i]->argument != NULL ? commands[i]->argument : "");
		(void)fprintf(out, "  %-22s%s\n", left, commands[i]->help);
	}
	(void)fprintf(out, "\nflags:\n");
	for (size_t i = 0; i < COUNT(flags_known); i++) {
		if (flags_known[i].help != NULL)
			(void)fprintf(out, "  --%s %s\n", flags_known[i].name, flags_known[i].help);
	}
}

static bool name_matches(const char *typed, size_t n, const char *known)
{
	if (strlen(known) != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((typed[i] == '_' ? '-' : typed[i]) != known[i])
			return false;
	}
	return true;
}

static bool complain(const char *what, const char *flag)
{
	(void)fprintf(stderr, "magnum-auto-healer: %s: %s\nTry: magnum-auto-healer --help\n", flag, what);
	return false;
}

static bool set_flag(struct cli_flags *flags, enum flag_kind kind, const char *typed, const char *value)
{
	char *end = NULL;
	switch (kind) {
	case FLAG_CONFIG:
		flags->config = value;
		return true;
	case FLAG_V:
		flags->verbosity = (int)strtol(value, &end, 10);
		return *value != '\0' && *end == '\0' ? true : complain("a number is wanted, such as 2", typed);
	case FLAG_FORMAT:
		flags->is_json = strcmp(value, "json") == 0;
		return flags->is_json || strcmp(value, "text") == 0 ? true : complain("text or json is wanted", typed);
	case FLAG_IGNORED:
	case FLAG_IGNORED_BOOL:
		if (flags->ignored_count < (int)COUNT(flags->ignored))
			flags->ignored[flags->ignored_count++] = typed;
		return true;
	case FLAG_VERSION:
		exit(version(flags));
	case FLAG_HELP:
		usage(stdout);
		exit(0);
	}
	return false;
}

/* One flag, in any of the ways that the Go program takes it: --v=2, --v 2, -v=2, -v 2. */
static bool take_flag(struct cli_flags *flags, int argc, char **argv, int *at)
{
	const char *typed = argv[*at];
	const char *name = typed + (typed[1] == '-' ? 2 : 1);
	size_t n = strcspn(name, "=");
	const char *value = name[n] == '=' ? name + n + 1 : NULL;
	for (size_t i = 0; i < COUNT(flags_known); i++) {
		if (!name_matches(name, n, flags_known[i].name))
			continue;
		enum flag_kind kind = flags_known[i].kind;
		bool wants_value = kind != FLAG_HELP && kind != FLAG_VERSION && kind != FLAG_IGNORED_BOOL;
		if (wants_value && value == NULL) {
			if (*at + 1 >= argc)
				return complain("a value is wanted after it", typed);
			value = argv[++*at];
		}
		return set_flag(flags, kind, typed, value != NULL ? value : "");
	}
	return complain("there is no such flag", typed);
}

static const char *default_config(void)
{
	static char path[4096];
	const char *home = getenv("HOME");
	(void)snprintf(path, sizeof path, "%s/.kube_autohealer_config.yaml", home != NULL ? home : "");
	return path;
}

int main(int argc, char **argv)
{
	struct cli_flags flags = { .config = default_config() };
	const struct command *command = NULL;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1] != '\0') {
			if (!take_flag(&flags, argc, argv, &i))
				return 2;
		} else if (command == NULL) {
			command = find_command(argv[i]);
			if (command == NULL)
				return complain("there is no such command", argv[i]), 2;
		} else if (flags.argument == NULL && command->argument != NULL) {
			flags.argument = argv[i];
		} else {
			return complain("this word is too much", argv[i]), 2;
		}
	}
	return (command != NULL ? command : &command_run)->run(&flags);
}
