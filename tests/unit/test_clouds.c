#include "base/mem.h"
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A world of a few files and variables. */
struct thing {
	const char *name, *text;
};
struct things {
	struct thing files[4];
	struct thing vars[4];
};

static const char *find(const struct thing *list, const char *name)
{
	for (size_t i = 0; i < 4 && list[i].name != NULL; i++) {
		if (strcmp(list[i].name, name) == 0)
			return list[i].text;
	}
	return NULL;
}

static bool read_thing(void *ctx, const char *path, struct buf *out, struct err *err)
{
	const char *text = find(((const struct things *)ctx)->files, path);
	if (text == NULL)
		return (fail)(err, ERR_GONE, "%s: No such file or directory", path);
	if (strcmp(text, "EACCES") == 0)
		return (fail)(err, ERR_INPUT, "%s: Permission denied", path);
	return buf_text(out, text);
}

static const char *env_thing(void *ctx, const char *name)
{
	return find(((const struct things *)ctx)->vars, name);
}

/* The section as the program would read it. */
static struct config *parse(const char *keys)
{
	struct conf_problems problems;
	char text[600];
	(void)snprintf(text, sizeof text, "cluster-name: c\nopenstack: {use-clouds: true%s%s}\n",
		       keys[0] != '\0' ? ", " : "", keys);
	struct config *conf = conf_parse(str_of(text), "f", &problems);
	assert_non_null(conf);
	conf_problems_done(&problems);
	return conf;
}

static bool run(struct things *things, struct conf_openstack *os, struct err *err)
{
	struct file_port port = { .ctx = things, .read = read_thing, .env = env_thing };
	return conf_clouds(os, &port, err);
}

#define GOOD                                                                                                           \
	"clouds:\n"                                                                                                    \
	"  prod:\n"                                                                                                    \
	"    auth:\n"                                                                                                  \
	"      auth_url: https://k/v3\n"                                                                               \
	"      username: healer\n"                                                                                     \
	"      password: hidden\n"                                                                                     \
	"      project_name: demo\n"                                                                                   \
	"      user_domain_name: Default\n"                                                                            \
	"      project_domain_name: Default\n"                                                                         \
	"    region_name: RegionOne\n"                                                                                 \
	"    interface: internal\n"                                                                                    \
	"    cacert: ~/ca.pem\n"                                                                                       \
	"    identity_api_version: 3\n"

static void test_all_fields(void **state)
{
	(void)state;
	struct things things = { .files = { { "./clouds.yaml", GOOD } }, .vars = { { "HOME", "/home/me" } } };
	struct err err = { 0 };
	struct config *conf = parse("");
	struct conf_openstack *os = &conf->openstack;
	assert_null(os->os_endpoint_type);
	if (!run(&things, os, &err))
		fail_msg("%s", err.text);
	assert_string_equal(os->auth_url, "https://k/v3");
	assert_string_equal(os->username, "healer");
	assert_string_equal(os->password, "hidden");
	assert_string_equal(os->project_name, "demo");
	assert_string_equal(os->user_domain_name, "Default");
	assert_string_equal(os->region, "RegionOne");
	assert_string_equal(os->os_endpoint_type, "internal");
	assert_string_equal(os->ca_file, "/home/me/ca.pem");
	assert_false(os->is_tls_insecure);
	conf_free(conf);
}

static void test_own_keys_win(void **state)
{
	(void)state;
	struct things things = { .files = { { "./clouds.yaml", GOOD } } };
	struct err err = { 0 };
	struct config *conf = parse("user-id: me, region: Two, project-id: mine, os-endpoint-type: adminURL");
	struct conf_openstack *os = &conf->openstack;
	if (!run(&things, os, &err))
		fail_msg("%s", err.text);
	assert_string_equal(os->user_id, "me");
	assert_null(os->username); /* another user's name would go with somebody else's id */
	assert_null(os->project_name);
	assert_string_equal(os->password, "hidden");
	assert_string_equal(os->region, "Two");
	assert_string_equal(os->os_endpoint_type, "admin");
	assert_string_equal(os->ca_file, "~/ca.pem"); /* there is no HOME */
	conf_free(conf);
}

static void test_own_application_credential(void **state)
{
	(void)state;
	struct things things = { .files = { { "./clouds.yaml", GOOD } } };
	struct err err = { 0 };
	struct config *conf = parse("application-credential-id: i, application-credential-secret: s");
	if (!run(&things, &conf->openstack, &err))
		fail_msg("%s", err.text);
	assert_null(conf->openstack.password);
	assert_string_equal(conf->openstack.application_credential_id, "i");
	conf_free(conf);
}

static void test_secure(void **state)
{
	(void)state;
	struct things things = {
		.files = { { "/d/clouds.yaml",
			     "clouds:\n  a: {auth: {auth_url: 'https://k', user_id: u, password: old, "
			     "project_id: p}, verify: no}\n  b: {}\n" },
			   { "/d/secure.yaml", "clouds:\n  a:\n    auth: {password: new}\n" } },
		.vars = { { "OS_CLIENT_CONFIG_FILE", "/d/clouds.yaml" }, { "OS_CLOUD", "a" } },
	};
	struct err err = { 0 };
	struct config *conf = parse("");
	if (!run(&things, &conf->openstack, &err))
		fail_msg("%s", err.text);
	assert_string_equal(conf->openstack.password, "new");
	assert_string_equal(conf->openstack.user_id, "u");
	assert_string_equal(conf->openstack.os_endpoint_type, "public");
	assert_true(conf->openstack.is_tls_insecure);
	conf_free(conf);
}

static void test_places(void **state)
{
	(void)state;
	static const struct {
		const char *path, *var, *value, *keys;
		bool is_found;
	} cases[] = {
		{ "./clouds.yaml", "A", "", "", true },
		{ "/h/.config/openstack/clouds.yaml", "HOME", "/h", "", true },
		{ "/etc/openstack/clouds.yaml", "HOME", "/h", "", true },
		{ "/x/y", "OS_CLIENT_CONFIG_FILE", "/x/y", "", true },
		{ "/x/z", "OS_CLIENT_CONFIG_FILE", "/x/y", "clouds-file: /x/z", true },
		{ "./clouds.yaml", "OS_CLIENT_CONFIG_FILE", "/x/y", "", false },
		{ "/elsewhere/clouds.yaml", "HOME", "/h", "", false },
		{ "./clouds.yaml", "OS_CLOUD", "other", "", false },
		{ "./clouds.yaml", "OS_CLOUD", "other", "cloud: prod", true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct things things = { .files = { { cases[i].path, GOOD } },
					 .vars = { { cases[i].var, cases[i].value } } };
		struct err err = { 0 };
		struct config *conf = parse(cases[i].keys);
		if (run(&things, &conf->openstack, &err) != cases[i].is_found)
			fail_msg("%s: %s", cases[i].path, err.text);
		conf_free(conf);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "clouds: [\n", "./clouds.yaml:2:1: did not find expected node content" },
		{ "clouds: 5\n", "./clouds.yaml:1:9: which cloud?" },
		{ "", "./clouds.yaml:1:1: which cloud? say so with openstack.cloud or OS_CLOUD; there is: no cloud at "
		      "all" },
		{ "clouds:\n  a: {}\n  b: {}\n",
		  "./clouds.yaml:2:3: which cloud? say so with openstack.cloud or OS_CLOUD; "
		  "there is: a, b" },
		{ "clouds:\n  a: 5\n", "./clouds.yaml:2:6: a cloud must be a mapping" },
		{ "clouds:\n  a: {auth: x}\n", "./clouds.yaml:2:13: auth must be a mapping" },
		{ "clouds:\n  a: {auth: {password: [x]}}\n", "./clouds.yaml:2:24: password must be a single value" },
		{ "clouds:\n  a: {auth: {password: \"x\\ny\"}}\n", "./clouds.yaml:2:24: password must be one line" },
		{ "clouds:\n  a: {}\n", "./clouds.yaml:2:3: cloud \"a\": auth-url is missing" },
		{ "clouds:\n  a: {profile: vexxhost}\n",
		  "./clouds.yaml:2:3: cloud \"a\": auth-url is missing: the address "
		  "of Keystone (profiles are not looked up)" },
		{ "clouds:\n  a: {auth_type: v3oidcpassword}\n",
		  "./clouds.yaml:2:18: this auth_type is not supported" },
		{ "clouds:\n  a: {verify: /etc/ca}\n", "./clouds.yaml:2:15: verify is neither true nor false" },
		{ "clouds:\n  a: {interface: outside}\n", "./clouds.yaml:2:3: cloud \"a\": interface must be public" },
		{ "EACCES", "./clouds.yaml: Permission denied" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct things things = { .files = { { "./clouds.yaml", cases[i].text } } };
		struct err err = { 0 };
		struct config *conf = parse("");
		assert_false(run(&things, &conf->openstack, &err));
		if (!text_starts(err.text, cases[i].says))
			fail_msg("%s: says %s", cases[i].text, err.text);
		conf_free(conf);
	}
}

static void test_broken_secure(void **state)
{
	(void)state;
	struct things things = { .files = { { "./clouds.yaml", GOOD }, { "./secure.yaml", "clouds: {prod: []}\n" } } };
	struct err err = { 0 };
	struct config *conf = parse("");
	assert_false(run(&things, &conf->openstack, &err));
	assert_string_equal(err.text, "./secure.yaml:1:16: a cloud must be a mapping");
	conf_free(conf);
}

static void test_not_used(void **state)
{
	(void)state;
	struct conf_openstack os = { 0 };
	struct things things = { 0 };
	assert_true(run(&things, &os, NULL));
	os.uses_clouds = true;
	assert_false(run(&things, &os, NULL)); /* there is none; nobody wants to know why */
	free(os.os_endpoint_type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fields),
		cmocka_unit_test(test_own_keys_win),
		cmocka_unit_test(test_own_application_credential),
		cmocka_unit_test(test_secure),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_broken_secure),
		cmocka_unit_test(test_not_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
