/* The command line: a table of subcommands, and the flags that the Go program of the same name knows. */
#ifndef MAH_CLI_CLI_H
#define MAH_CLI_CLI_H

#include <stdbool.h>

#include "conf/conf.h"

struct cli_flags {
	const char *config;      /* --config; never NULL after cli_parse */
	int verbosity;           /* --v */
	bool is_json;            /* --log-format json */
	const char *argument;    /* the first word after the subcommand; NULL: none */
	const char *ignored[16]; /* flags of klog that mean nothing here */
	int ignored_count;
};

struct command {
	const char *name;
	const char *argument; /* shown in the usage; NULL: takes none */
	const char *help;
	int (*run)(const struct cli_flags *);
};
extern const struct command command_run;
extern const struct command command_check_config;
extern const struct command command_version;

/* Reads the configuration and prints every problem to stderr. NULL: there was an error among them. */
struct config *cli_config(const char *path);

#endif
