/* Every key of the schema is misspelt in every usual way, one at a time, in a file that has all keys. Each slip must be
 * caught at its place, with the right key suggested, and nothing else may be said. */
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A value that is right for the key. */
static const char *sample(const struct schema_key *key)
{
	switch (key->kind) {
	case VALUE_URL:
		return "https://k/v3";
	case VALUE_TEXT:
	case VALUE_SECRET:
		return key->initial[0] != '\0' ? key->initial : "some-text";
	case VALUE_HOST:
		return "some.name";
	case VALUE_LADDER:
		return "[start, hard-reboot 3m]";
	case VALUE_LIMIT:
		return key->initial[0] != '\0' ? key->initial : "3";
	case VALUE_CHOICE:
	case VALUE_PLACE:
	case VALUE_BOOL:
	case VALUE_INT:
	case VALUE_DURATION:
	case VALUE_NEEDS:
	case VALUE_LABELS:
	case VALUE_STATUSES:
	case VALUE_STATES:
	case VALUE_PATHS:
	case VALUE_CODES:
		return key->initial;
	case VALUE_TYPE:
	case VALUE_CHECKS:
	case VALUE_PARAMS:
	case VALUE_SECTION:
		return "";
	}
	return "";
}

/* The file, and where the key in question came to stand. */
struct writer {
	struct buf text;
	const struct schema_key *victim;
	const char *misspelt;
	unsigned line;
	unsigned victim_line, victim_column;
};

static void write_key(struct writer *w, unsigned indent, const char *dash, const struct schema_key *key,
		      const char *value)
{
	bool is_victim = key == w->victim && w->victim_line == 0;
	w->line++;
	if (is_victim) {
		w->victim_line = w->line;
		w->victim_column = indent + (unsigned)strlen(dash) + 1;
	}
	assert_true(buf_printf(&w->text, "%*s%s%s:%s%s\n", (int)indent, "", dash, is_victim ? w->misspelt : key->name,
			       value[0] != '\0' ? " " : "", value));
}

static void write_section(struct writer *w, enum section section, unsigned indent);

/* A check of each type; NeverJoined is for workers. */
static void write_checks(struct writer *w, unsigned indent, enum role role)
{
	for (int i = 0; i < SECTIONS_COUNT; i++) {
		const char *type = section_check_type((enum section)i);
		if (type[0] == '\0' || (role == ROLE_MASTER && i == SECTION_NEVER_JOINED))
			continue;
		write_key(w, indent, "- ", schema_find(SECTION_CHECK, "type"), type);
		write_key(w, indent + 2, "", schema_find(SECTION_CHECK, "params"), "");
		write_section(w, (enum section)i, indent + 4);
	}
}

static void write_section(struct writer *w, enum section section, unsigned indent)
{
	for (size_t i = 0; i < schema_keys_count(); i++) {
		const struct schema_key *key = &schema_keys()[i];
		if (key->section != section)
			continue;
		write_key(w, indent, "", key, sample(key));
		if (key->kind == VALUE_SECTION)
			write_section(w, key->inner, indent + 2);
		if (key->kind == VALUE_CHECKS)
			write_checks(w, indent + 2, (enum role)key->at);
	}
}

/* What else a missing key brings about; it stands at another place than the slip. */
static bool is_consequence(const struct writer *w, const struct conf_problem *problem)
{
	static const struct {
		const char *key, *says;
	} known[] = {
		{ "cluster-name", "cluster-name is missing" },
		{ "type", "a check without a type" },
		{ "cert-file", "cert-file and key-file go together" },
		{ "key-file", "cert-file and key-file go together" },
		{ "master", "healthcheck.master has no checks" },
		{ "worker", "healthcheck.worker has no checks" },
		{ "healthcheck", "healthcheck." },
		{ "require-token", "token is not used" },
	};
	for (size_t i = 0; i < COUNT(known); i++) {
		if (strcmp(known[i].key, w->victim->name) == 0 && text_starts(problem->text, known[i].says))
			return true;
	}
	/* The file has every kind of credentials, without which one may be incomplete. */
	return text_starts(problem->text, "openstack: ") &&
	       (w->victim->section == SECTION_OPENSTACK || strcmp(w->victim->name, "openstack") == 0);
}

static void check_caught(const struct writer *w, const struct conf_problems *problems)
{
	char suggestion[80];
	unsigned caught = 0;
	(void)snprintf(suggestion, sizeof suggestion, "\"%s\"", w->victim->name);
	for (size_t i = 0; i < problems->count; i++) {
		const struct conf_problem *problem = &problems->list[i];
		const char *meant = strstr(problem->text, "did you mean ");
		bool is_it = text_starts(problem->text, "unknown key ") && problem->line == w->victim_line &&
			     problem->column == w->victim_column;
		bool is_known = is_it || is_consequence(w, problem) || text_starts(problem->text, "cloud") ||
				strstr(problem->text, " is not used with");
		if (!is_known)
			fail_msg("%s: also says %u:%u: %s", w->misspelt, problem->line, problem->column, problem->text);
		if (is_it && (meant == NULL || strstr(meant, suggestion) == NULL))
			fail_msg("%s in place of %s: says %s", w->misspelt, w->victim->name, problem->text);
		caught += is_it;
	}
	if (caught != 1)
		fail_msg("%s in place of %s: caught %u times", w->misspelt, w->victim->name, caught);
}

static void try_misspelt(const struct schema_key *victim, const char *misspelt)
{
	struct conf_problems problems;
	struct writer w = { .victim = victim, .misspelt = misspelt };
	buf_init(&w.text, 20000);
	write_section(&w, SECTION_TOP, 0);
	assert_int_not_equal(w.victim_line, 0);
	struct config *conf = conf_parse(buf_str(&w.text), "f", &problems);
	assert_null(conf);
	check_caught(&w, &problems);
	conf_problems_done(&problems);
	buf_done(&w.text);
}

/* The n-th way to get a name wrong: a letter dropped, doubled, replaced, swapped with the next. False: no more. */
static bool misspell(const char *name, size_t n, char out[80])
{
	size_t len = strlen(name);
	size_t at = n / 4;
	if (at >= len)
		return false;
	(void)snprintf(out, 80, "%s", name);
	if (n % 4 == 0) {
		memmove(out + at, out + at + 1, len - at);
	} else if (n % 4 == 1) {
		memmove(out + at + 1, out + at, len - at + 1);
	} else if (n % 4 == 2) {
		out[at] = 'q';
	} else if (at + 1 < len) {
		out[at] = name[at + 1];
		out[at + 1] = name[at];
	}
	return true;
}

static void test_every_key(void **state)
{
	(void)state;
	size_t tried = 0;
	for (size_t i = 0; i < schema_keys_count(); i++) {
		const struct schema_key *key = &schema_keys()[i];
		char misspelt[80];
		size_t tried_before = tried;
		for (size_t n = 0; misspell(key->name, n, misspelt); n++) {
			/* A dash more or less, or two equal letters swapped, is no slip. */
			if (misspelt[0] == '-' || schema_find(key->section, misspelt) != NULL)
				continue;
			try_misspelt(key, misspelt);
			tried++;
		}
		assert_true(tried > tried_before + 4);
	}
	assert_true(tried > 2000);
}

static void test_camel_case_too(void **state)
{
	(void)state;
	static const struct {
		enum section section;
		const char *key, *misspelt;
	} cases[] = {
		{ SECTION_TOP, "monitor-interval", "monitorIntervall" },
		{ SECTION_CONDITION, "unhealthy-duration", "unhealtyDuration" },
		{ SECTION_ENDPOINT, "ok-codes", "OKCode" },
		{ SECTION_OPENSTACK, "auth-url", "AUTH_ULR" },
		{ SECTION_POLICY, "max-concurrent-repairs", "maxConcurentRepairs" },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		try_misspelt(schema_find(cases[i].section, cases[i].key), cases[i].misspelt);
}

/* The file itself is right: what the tests above see comes from the slips alone. */
static void test_without_a_slip(void **state)
{
	(void)state;
	struct conf_problems problems;
	struct writer w = { 0 };
	buf_init(&w.text, 20000);
	write_section(&w, SECTION_TOP, 0);
	struct config *conf = conf_parse(buf_str(&w.text), "f", &problems);
	for (size_t i = 0; i < problems.count; i++) {
		if (!problems.list[i].is_warning)
			fail_msg("%u:%u: %s", problems.list[i].line, problems.list[i].column, problems.list[i].text);
	}
	assert_non_null(conf);
	conf_free(conf);
	conf_problems_done(&problems);
	buf_done(&w.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_slip),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_camel_case_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
