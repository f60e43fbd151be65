/* Any bytes as the configuration, and the same as clouds.yaml. */
#include "conf/conf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_input(void *ctx, const char *path, struct buf *out, struct err *err)
{
	const struct str *input = ctx;
	return strstr(path, "clouds") != NULL ? buf_add(out, input->p, input->n)
					      : fail(err, ERR_GONE, "%s: not there", path);
}

static const char *env_input(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "OS_CLOUD") == 0 ? "a" : NULL;
}

static void use_as_clouds(struct str input)
{
	struct file_port port = { .ctx = &input, .read = read_input, .env = env_input };
	struct conf_problems problems;
	struct err err = { 0 };
	struct config *conf = conf_parse(STR("cluster-name: c\nopenstack: {use-clouds: true, clouds-file: clouds}\n"),
					 "f", &problems);
	if (conf == NULL)
		abort();
	if (conf_clouds(&conf->openstack, &port, &err) != (err.code == ERR_NONE))
		abort();
	conf_free(conf);
	conf_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str input = { (const char *)data, size };
	struct conf_problems problems;
	struct buf out;
	buf_init(&out, (size_t)1 << 20);
	struct config *conf = conf_parse(input, "f", &problems);
	if ((conf == NULL) != (problems.errors_count > 0) || problems.count > CONF_PROBLEMS_MAX)
		abort();
	if (conf != NULL && (conf->cluster_name == NULL || conf->cloud_provider == NULL))
		abort();
	for (size_t i = 0; i < problems.count; i++) {
		if (problems.list[i].line == 0 || problems.list[i].column == 0)
			abort();
		conf_problem_print(&problems.list[i], "f", &out);
	}
	for (size_t i = 0; i + 1 < out.n; i++) { /* nothing in a message can steer a terminal */
		if ((unsigned char)out.p[i] < 0x20 && out.p[i] != '\n')
			abort();
	}
	conf_free(conf);
	conf_problems_done(&problems);
	buf_done(&out);
	use_as_clouds(input);
	return 0;
}
