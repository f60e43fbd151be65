/* The operator's switches: what is read, what is written again, whom it holds, to the very second; and whatever is not
 * understood pauses everything. */
#include "core_fixture.h"

#include "core/switches.h"

#define NOON INT64_C(1795003200000) /* 2026-11-18T12:00:00Z */
static const struct wall noon = { NOON };

static const char *time_text(int64_t ms)
{
	static char text[WALL_TEXT_BYTES];
	return wall_format((struct wall){ ms }, text);
}

static struct node node_of(const char *name, const char *group)
{
	return (struct node){ .name = name, .group = group, .role = ROLE_WORKER };
}

/* ---- reading ------------------------------------------------------------------------------------------------------
 */

static void what_is_understood(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t count;
	} cases[] = {
		{ "", 0 },
		{ " \n\t\r ", 0 },
		{ "[]", 0 },
		{ " [ ] ", 0 },
		{ "[{\"what\":\"cluster\"}]", 1 },
		{ "[{\"what\":\"cluster\",\"name\":\"\",\"until\":null,\"since\":\"\"}]", 1 },
		{ "[{\"what\":\"group\",\"name\":\"g\"},{\"what\":\"node\",\"name\":\"n\",\"more\":7}]", 2 },
		{ "[{\"what\":\"node\",\"name\":\"n\",\"until\":\"2026-11-23T06:00:00+02:00\"}]", 1 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct switches switches = { .count = 9, .is_garbled = true };
		struct err err = { 0 };
		CHECK(switches_read(str_of(cases[i].text), &switches, &err), "%s: %s", cases[i].text, err.text);
		CHECK(!switches.is_garbled && switches.count == cases[i].count, "%s", cases[i].text);
	}
}

static void what_is_not(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "x", "" },
		{ "{}", "not a list" },
		{ "\"\"", "" },
		{ "null", "" },
		{ "[", "" },
		{ "[]]", "" },
		{ "[null]", "pause 1" },
		{ "[{}]", "\"what\"" },
		{ "[{\"what\":\"clusters\"}]", "\"what\"" },
		{ "[{\"what\":\"Cluster\"}]", "\"what\"" },
		{ "[{\"what\":1}]", "\"what\"" },
		{ "[{\"what\":\"group\"}]", "which group" },
		{ "[{\"what\":\"node\",\"name\":\"\"}]", "which node" },
		{ "[{\"what\":\"node\",\"name\":7}]", "which node" },
		{ "[{\"what\":\"cluster\"},{\"what\":\"node\"}]", "pause 2" },
		{ "[{\"what\":\"cluster\",\"until\":\"tomorrow\"}]", "\"until\"" },
		{ "[{\"what\":\"cluster\",\"until\":1795003200}]", "\"until\"" },
		{ "[{\"what\":\"cluster\",\"since\":\"06:00\"}]", "\"since\"" },
		{ "[{\"what\":\"cluster\",\"what\":\"node\",\"name\":\"n\"}]", "" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct switches switches = { 0 };
		struct err err = { 0 };
		CHECK(!switches_read(str_of(cases[i].text), &switches, &err), "%s", cases[i].text);
		CHECK(err.code == ERR_INPUT && strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].text,
		      err.text);
		CHECK(switches.is_garbled && switches.trouble[0] != '\0', "%s", cases[i].text);
		/* somebody meant to switch something off: everything is */
		struct node node = node_of("any", "any");
		CHECK(switches_is_paused(&switches, NULL, noon) && switches_is_paused(&switches, &node, noon), "%s",
		      cases[i].text);
	}
}

static void texts_that_are_too_long(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		size_t most;
		bool is_refused;
	} cases[] = { { "name", NODE_NAME_BYTES - 1, true },
		      { "reason", PAUSE_REASON_BYTES - 1, false },
		      { "by", 79, false } };
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t more = 0; more < 3; more++) {
			char text[600] = "";
			char value[400] = "";
			memset(value, 'a', cases[i].most + more);
			if (more == 2) /* cut before a character, not inside of it */
				(void)snprintf(value + cases[i].most - 1, 3, "\xc3\xa9");
			(void)snprintf(text, sizeof text, "[{\"what\":\"node\",%s\"%s\":\"%s\"}]",
				       cases[i].is_refused ? "" : "\"name\":\"n\",", cases[i].key, value);
			struct switches switches = { 0 };
			struct err err = { 0 };
			bool is_read = switches_read(str_of(text), &switches, &err);
			CHECK(is_read == (more == 0 || !cases[i].is_refused), "%s + %zu: %s", cases[i].key, more,
			      err.text);
			if (!is_read)
				continue;
			const struct pause *pause = &switches.list[0];
			size_t n = strlen(i == 0 ? pause->name : i == 1 ? pause->reason : pause->by);
			CHECK(n == cases[i].most - (more == 2), "%s + %zu: %zu", cases[i].key, more, n);
		}
	}
}

static void pauses_are_bounded(void **state)
{
	(void)state;
	for (int count = PAUSES_MAX; count <= PAUSES_MAX + 1; count++) {
		struct buf text;
		buf_init(&text, 8192);
		(void)buf_char(&text, '[');
		for (int i = 0; i < count; i++)
			(void)buf_printf(&text, "%s{\"what\":\"node\",\"name\":\"n-%d\"}", i > 0 ? "," : "", i);
		(void)buf_char(&text, ']');
		struct switches switches = { 0 };
		struct err err = { 0 };
		assert_int_equal(switches_read(buf_str(&text), &switches, &err), count == PAUSES_MAX);
		assert_int_equal(switches.is_garbled, count > PAUSES_MAX);
		assert_int_equal(switches.count, count == PAUSES_MAX ? PAUSES_MAX : 0);
		buf_done(&text);
	}
}

/* ---- writing ------------------------------------------------------------------------------------------------------
 */

static void what_is_written_is_read_again(void **state)
{
	(void)state;
	struct switches a = { .count = 3 };
	a.list[0] = (struct pause){ .what = PAUSE_CLUSTER, .reason = "say \"no\"\n\\", .by = "kim", .since = noon };
	a.list[1] = (struct pause){ .what = PAUSE_GROUP, .name = "g", .until = { NOON + SEC } };
	a.list[2] = (struct pause){ .what = PAUSE_NODE, .name = "n.example", .until = { NOON } }; /* over */
	struct buf text;
	buf_init(&text, 4096);
	switches_write(&a, noon, &text);
	assert_false(text.is_over);
	struct switches b = { 0 };
	struct err err = { 0 };
	assert_true(switches_read(buf_str(&text), &b, &err));
	assert_int_equal(b.count, 2);
	for (size_t i = 0; i < b.count; i++) {
		assert_int_equal(b.list[i].what, a.list[i].what);
		assert_string_equal(b.list[i].name, a.list[i].name);
		assert_string_equal(b.list[i].reason, a.list[i].reason);
		assert_string_equal(b.list[i].by, a.list[i].by);
		assert_int_equal(b.list[i].since.ms, a.list[i].since.ms);
		assert_int_equal(b.list[i].until.ms, a.list[i].until.ms);
	}
	buf_clear(&text);
	a.count = 0;
	switches_write(&a, noon, &text);
	assert_string_equal(buf_cstr(&text), "[]");
	buf_done(&text);
	buf_init(&text, 10);
	a.count = 1;
	switches_write(&a, noon, &text);
	assert_true(text.is_over);
	buf_done(&text);
}

/* ---- whom it holds ------------------------------------------------------------------------------------------------
 */

static void whom_a_pause_holds(void **state)
{
	(void)state;
	static const struct {
		enum pause_what what;
		const char *name;
		int64_t until_ms; /* from noon; 0: no end */
		unsigned held;    /* 1: the cluster as such, 2: node a of group x, 4: node b of group y */
	} cases[] = {
		{ PAUSE_CLUSTER, "", 0, 7 },       { PAUSE_CLUSTER, "", 1, 7 },
		{ PAUSE_CLUSTER, "", -1, 0 },      { PAUSE_GROUP, "x", 0, 2 },
		{ PAUSE_GROUP, "y", 0, 4 },        { PAUSE_GROUP, "a", 0, 0 }, /* a node's name is no group's */
		{ PAUSE_GROUP, "x", -1, 0 },       { PAUSE_NODE, "a", 0, 2 },
		{ PAUSE_NODE, "b", 1, 4 },         { PAUSE_NODE, "x", 0, 0 },
		{ PAUSE_NODE, "a.example", 0, 0 }, { PAUSE_NODE, "a", -1, 0 },
	};
	struct arena arena;
	arena_init(&arena);
	struct node nodes[] = { node_of("a", "x"), node_of("b", "y") };
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct switches switches = { .count = 2 };
		switches.list[0] = (struct pause){ .what = PAUSE_NODE, .name = "another" };
		switches.list[1] = (struct pause){ .what = cases[i].what };
		(void)TEXT_COPY(switches.list[1].name, cases[i].name);
		switches.list[1].until.ms = cases[i].until_ms != 0 ? NOON + cases[i].until_ms : 0;
		for (unsigned who = 0; who < 3; who++) {
			const struct node *node = who > 0 ? &nodes[who - 1] : NULL;
			bool is_held = cases[i].held >> who & 1;
			CHECK(switches_is_paused(&switches, node, noon) == is_held, "case %zu, %u", i, who);
			CHECK((switches_hold(&switches, node, noon, &arena) != NULL) == is_held, "case %zu, %u", i,
			      who);
		}
	}
	arena_done(&arena);
}

/* Which group a server that never joined is of is often not known: the pause of any group may be meant for it. */
static void a_server_that_never_joined(void **state)
{
	(void)state;
	static const struct {
		enum pause_what what;
		const char *name, *group;
		bool is_phantom, is_held;
	} cases[] = {
		{ PAUSE_GROUP, "g", "", true, true },   { PAUSE_GROUP, "g", "", false, false },
		{ PAUSE_GROUP, "g", "h", true, false }, { PAUSE_GROUP, "g", "g", true, true },
		{ PAUSE_NODE, "m", "", true, false },   { PAUSE_NODE, "n", "", true, true },
		{ PAUSE_CLUSTER, "", "", true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(1, 10);
		struct pause *pause = &lab->switches.list[lab->switches.count++];
		*pause = (struct pause){ .what = cases[i].what };
		(void)TEXT_COPY(pause->name, strcmp(cases[i].name, "n") == 0 ? lab->names[5] : cases[i].name);
		lab->nodes[5].is_phantom = cases[i].is_phantom;
		lab->nodes[5].group = cases[i].group;
		lab_break(lab, 1 << 5);
		lab_decide(lab);
		CHECK(lab_hold(lab, 5) == (cases[i].is_held ? HOLD_PAUSED : HOLD_NONE), "case %zu: %s", i,
		      hold_name(lab_hold(lab, 5)));
		lab_free(lab);
	}
}

static void a_pause_ends_at_its_very_second(void **state)
{
	(void)state;
	struct switches switches = { 0 };
	struct err err = { 0 };
	char text[120];
	(void)snprintf(text, sizeof text, "[{\"what\":\"cluster\",\"until\":\"%s\"}]", time_text(NOON));
	assert_true(switches_read(str_of(text), &switches, &err));
	assert_true(switches_is_paused(&switches, NULL, (struct wall){ NOON - 1 }));
	assert_false(switches_is_paused(&switches, NULL, (struct wall){ NOON }));
	assert_false(switches_is_paused(&switches, NULL, (struct wall){ NOON + 1 }));
	char value[60];
	(void)snprintf(value, sizeof value, "x; until=%s", time_text(NOON));
	struct annotation paused = { ANNOTATION_PAUSED, value };
	struct node node = { .name = "n", .group = "", .annotations = &paused, .annotations_count = 1 };
	switches.count = 0;
	assert_true(switches_is_paused(&switches, &node, (struct wall){ NOON - 1 }));
	assert_false(switches_is_paused(&switches, &node, (struct wall){ NOON }));
}

static void annotations(void **state)
{
	(void)state;
	static const struct {
		const char *value; /* TIME stands for an hour from noon */
		bool at_noon, later;
		const char *told;
	} cases[] = {
		{ "", true, true, "node" },
		{ "true", true, true, "node: true" },
		{ "false", false, false, NULL },
		{ "False", true, true, "node: False" }, /* in doubt: paused */
		{ "disk swap", true, true, "node: disk swap" },
		{ "disk swap; until=TIME", true, false, "node: disk swap, until TIME" },
		{ "disk swap;until=TIME", true, false, "node: disk swap, until TIME" },
		{ "disk swap until=TIME", true, false, "node: disk swap, until TIME" },
		{ "until=TIME", true, false, "node, until TIME" },
		{ "until=TIME; disk swap", true, false, "node, until TIME" },
		{ "\"until=TIME\"", true, true, "node: \"until=TIME\"" },
		{ "disk swap; until=\"TIME\"", true, true, "node: disk swap; until=\"TIME\"" },
		{ "disk swap; until=", true, true, "node: disk swap; until=" },
		{ "disk swap; until=tomorrow", true, true, "node: disk swap; until=tomorrow" },
		{ "disk swap; UNTIL=TIME", true, true, "node: disk swap; UNTIL=TIME" },
		{ "not-until=TIME", true, true, "node: not-until=TIME" },
		{ "disk swap; until=2026-11-18T11:59:59Z", false, false, NULL },
	};
	struct arena arena;
	arena_init(&arena);
	const struct switches none = { 0 };
	for (size_t i = 0; i < COUNT(cases); i++) {
		char texts[2][200] = { "", "" };
		const char *const raw[2] = { cases[i].value, cases[i].told != NULL ? cases[i].told : "" };
		for (int k = 0; k < 2; k++) {
			const char *at = strstr(raw[k], "TIME");
			size_t n = at != NULL ? (size_t)(at - raw[k]) : strlen(raw[k]);
			(void)snprintf(texts[k], sizeof texts[k], "%.*s%s%s", (int)n, raw[k],
				       at != NULL ? time_text(NOON + HOUR) : "", at != NULL ? at + 4 : "");
		}
		struct annotation paused = { ANNOTATION_PAUSED, texts[0] };
		struct node node = { .name = "n", .group = "", .annotations = &paused, .annotations_count = 1 };
		CHECK(switches_is_paused(&none, &node, noon) == cases[i].at_noon, "%s", texts[0]);
		CHECK(switches_is_paused(&none, &node, (struct wall){ NOON + HOUR }) == cases[i].later, "%s", texts[0]);
		const char *told = switches_hold(&none, &node, noon, &arena);
		CHECK((told != NULL) == (cases[i].told != NULL), "%s", texts[0]);
		CHECK(told == NULL || strcmp(told, texts[1]) == 0, "%s: %s", texts[0], told);
		CHECK(!switches_is_paused(&none, NULL, noon), "a node's own switch is not the cluster's");
	}
	arena_done(&arena);
}

static void a_long_annotation(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	const struct switches none = { 0 };
	char value[400];
	memset(value, 'x', sizeof value);
	(void)snprintf(value + 300, sizeof value - 300, "; until=%s", time_text(NOON + HOUR));
	struct annotation paused = { ANNOTATION_PAUSED, value };
	struct node node = { .name = "n", .group = "", .annotations = &paused, .annotations_count = 1 };
	assert_true(switches_is_paused(&none, &node, noon));
	assert_false(switches_is_paused(&none, &node, (struct wall){ NOON + HOUR }));
	assert_in_range(strlen(switches_hold(&none, &node, noon, &arena)), 100, 250);
	arena_done(&arena);
}

/* The widest pause is told, with all that is known of it. */
static void what_is_told(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena);
	struct annotation paused = { ANNOTATION_PAUSED, "mine" };
	struct node node = { .name = "n", .group = "g", .annotations = &paused, .annotations_count = 1 };
	struct switches switches = { .count = 3 };
	switches.list[0] = (struct pause){ .what = PAUSE_NODE, .name = "n", .reason = "theirs" };
	switches.list[1] = (struct pause){ .what = PAUSE_GROUP, .name = "g", .by = "kim" };
	switches.list[2] =
		(struct pause){ .what = PAUSE_CLUSTER, .by = "kim", .reason = "swap", .until = { NOON + 1 } };
	static const char *const wanted[] = { "cluster by kim: swap, until ", "group g by kim", "node: theirs",
					      "node: mine" };
	for (size_t i = 0; i < COUNT(wanted); i++) {
		const char *told = switches_hold(&switches, &node, noon, &arena);
		CHECK(told != NULL && text_starts(told, wanted[i]), "%s", told);
		switches.count -= switches.count > 0;
	}
	switches = (struct switches){ .is_garbled = true, .trouble = "line 3" };
	assert_non_null(strstr(switches_hold(&switches, NULL, noon, &arena), "line 3"));
	arena_done(&arena);
}

/* ---- in the decision ----------------------------------------------------------------------------------------------
 */

static void the_gate_and_what_runs(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_gate_shut, is_op_shut; /* for acts of no op, and of the op of node 0 */
	} cases[] = {
		{ "[]", false, false },
		{ "[{\"what\":\"cluster\"}]", true, true },
		{ "[{\"what\":\"group\",\"name\":\"default-worker\"}]", false, true },
		{ "[{\"what\":\"group\",\"name\":\"another\"}]", false, false },
		{ "[{\"what\":\"node\",\"name\":\"n-000\"}]", false, true },
		{ "[{\"what\":\"node\",\"name\":\"n-001\"}]", false, false },
		{ "[{", true, true },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lab *lab = lab_new(0, 4);
		lab_break(lab, 1);
		struct op *op = lab_repair(lab, 0);
		struct err err = { 0 };
		(void)switches_read(str_of(cases[i].text), &lab->switches, &err);
		const struct snapshot *snapshot = lab_look(lab);
		enum hold shut = HOLD_PAUSED;
		CHECK(brake_gate(snapshot, &lab->history, &lab->policy, &lab->ops, NULL) ==
			      (cases[i].is_gate_shut ? shut : HOLD_NONE),
		      "%s", cases[i].text);
		CHECK(brake_gate(snapshot, &lab->history, &lab->policy, &lab->ops, op) ==
			      (cases[i].is_op_shut ? shut : HOLD_NONE),
		      "%s", cases[i].text);
		const char *why = brake_cancel(snapshot, &lab->history, &lab->policy, op);
		CHECK((why != NULL) == cases[i].is_op_shut, "%s", cases[i].text);
		op->is_committed = true; /* what has left is finished */
		CHECK(brake_gate(snapshot, &lab->history, &lab->policy, &lab->ops, op) == HOLD_NONE, "%s",
		      cases[i].text);
		/* not known: nothing leaves, but what runs is not cancelled for it either */
		op->is_committed = false;
		lab->snapshot.is_switches_fresh = false;
		CHECK(brake_gate(lab_look(lab), &lab->history, &lab->policy, &lab->ops, op) == HOLD_SWITCHES, "%s",
		      cases[i].text);
		CHECK(brake_cancel(lab_look(lab), &lab->history, &lab->policy, op) == NULL, "%s", cases[i].text);
		lab_free(lab);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_understood),
		cmocka_unit_test(what_is_not),
		cmocka_unit_test(texts_that_are_too_long),
		cmocka_unit_test(pauses_are_bounded),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(whom_a_pause_holds),
		cmocka_unit_test(a_server_that_never_joined),
		cmocka_unit_test(a_pause_ends_at_its_very_second),
		cmocka_unit_test(annotations),
		cmocka_unit_test(a_long_annotation),
		cmocka_unit_test(what_is_told),
		cmocka_unit_test(the_gate_and_what_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
