/* For the tests of the configuration: texts to start from, and what is said of them, to the letter. */
#ifndef MAH_TESTS_CONF_FIXTURE_H
#define MAH_TESTS_CONF_FIXTURE_H

#include "base/mem.h"
#include "base/time.h"
#include "conf/conf.h"
#include "conf/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OPENSTACK                                                                                                      \
	"openstack: {auth-url: 'https://k/v3', user-id: u, password: p, project-id: pr}\n"                             \
	"healthcheck: {master: [{type: NodeCondition}], worker: [{type: NodeCondition}]}\n"

/* NodeCondition for both, and an openstack section; the checks under test are added to the workers' or masters'. */
#define WORKER                                                                                                         \
	"cluster-name: c\nopenstack: {auth-url: 'https://k', user-id: u, password: p, project-id: "                    \
	"pr}\nhealthcheck:\n  master: [{type: NodeCondition}]\n  worker:\n"
#define MASTER                                                                                                         \
	"cluster-name: c\nopenstack: {auth-url: 'https://k', user-id: u, password: p, project-id: "                    \
	"pr}\nhealthcheck:\n  worker: [{type: NodeCondition}]\n  master:\n"

#define C "cluster-name: c\n" OPENSTACK

/* As check-config prints them; to be freed. */
static inline void print(const struct conf_problems *problems, struct buf *out)
{
	buf_init(out, 100000);
	for (size_t i = 0; i < problems->count; i++)
		conf_problem_print(&problems->list[i], "f", out);
}

struct bad {
	const char *text, *says;
};

/* The whole output, to the letter: places, order, suggestions. */
static inline void check_says(const struct bad *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct conf_problems problems;
		struct buf out;
		struct config *conf = conf_parse(str_of(cases[i].text), "f", &problems);
		print(&problems, &out);
		if (strcmp(buf_cstr(&out), cases[i].says) != 0)
			fail_msg("case %zu:\n%s--- says:\n%s--- instead of:\n%s", i, cases[i].text, buf_cstr(&out),
				 cases[i].says);
		assert_int_equal(conf == NULL, problems.errors_count > 0);
		conf_free(conf);
		conf_problems_done(&problems);
		buf_done(&out);
	}
}

/* "reboot 3m, replace" */
static inline void check_ladder(const struct ladder *ladder, const char *expected)
{
	struct buf text;
	buf_init(&text, 400);
	for (size_t i = 0; i < ladder->count; i++) {
		char limit[DURATION_TEXT_BYTES];
		const struct ladder_rung *rung = &ladder->rungs[i];
		(void)buf_printf(&text, "%s%s%s%s", i > 0 ? ", " : "", rung_name(rung->rung),
				 rung->limit_ms != 0 ? " " : "",
				 rung->limit_ms != 0 ? duration_format(rung->limit_ms, limit) : "");
	}
	assert_string_equal(buf_cstr(&text), expected);
	buf_done(&text);
}

#endif
