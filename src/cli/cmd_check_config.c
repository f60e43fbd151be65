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
		(void)fputs(buf_cstr(&line), stderr);
		buf_done(&line);
	}
	conf_problems_done(&problems);
	return config;
}

/* Beside the answer, not in it: what the probes believe, which nobody should have to guess. */
static void tell_verified(const struct config *config, const char *path)
{
	for (enum role role = ROLE_MASTER; role <= ROLE_WORKER; role++) {
		for (size_t i = 0; i < config->checks_count[role]; i++) {
			const struct conf_check *check = &config->checks[role][i];
			struct buf text;
			buf_init(&text, (size_t)3 * CONF_TEXT_BYTES_MAX);
			if (conf_check_verifies(check, &text))
				(void)fprintf(stderr, "%s:%u: note: %s check of the %ss: %s\n", path, check->line,
					      check->type, role_name(role), buf_cstr(&text));
			buf_done(&text);
		}
	}
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
	if (session == NULL) {
		(void)fprintf(stderr, "%s: %s\n", path, err.text);
	} else {
		tell_verified(config, path);
		(void)printf("%s: ok\n", path);
	}
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
