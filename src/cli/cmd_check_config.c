#include <stdio.h>

#include "base/port.h"
#include "cli/cli.h"
#include "cloud/session.h"
#include "conf/problem.h"
#include "host/host.h"

struct config *cli_config(const char *path)
{
	struct conf_problems problems = { 0 };
	struct config *config = conf_load(file_port_real(), path, &problems);
	for (size_t i = 0; i < problems.count; i++) {
		struct buf line;
		buf_init(&line, 8192);
		conf_problem_print(&problems.list[i], path, &line);
		(void)fprintf(stderr, "%s\n", buf_cstr(&line));
		buf_done(&line);
	}
	conf_problems_done(&problems);
	return config;
}

static int check_config(const struct cli_flags *flags)
{
	const char *path = flags->argument != NULL ? flags->argument : flags->config;
	struct config *config = cli_config(path);
	if (config == NULL)
		return 1;
	struct err err = { 0 };
	bool is_good = !config->openstack.uses_clouds || conf_clouds(&config->openstack, file_port_real(), &err);
	struct session *session = is_good ? session_new(&config->openstack, &err) : NULL;
	if (session == NULL)
		(void)fprintf(stderr, "%s: %s\n", path, err.text);
	else
		(void)printf("%s: ok\n", path);
	is_good = session != NULL;
	session_free(session);
	conf_free(config);
	return is_good ? 0 : 1;
}

const struct command command_check_config = {
	.name = "check-config",
	.argument = "[FILE]",
	.help = "read the configuration and report everything that is wrong with it",
	.run = check_config,
};
