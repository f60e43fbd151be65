#include "conf/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static const char *const kinds[] = { "null", "scalar", "list", "map" };

/* The tree as text: kind@line:column, texts in their quotes. */
static void show(const struct ynode *node, struct buf *out)
{
	assert_true(buf_printf(out, "%s@%u:%u", kinds[node->kind], node->line, node->column));
	if (node->kind == Y_SCALAR)
		assert_true(buf_printf(out, node->is_quoted ? "\"%s\"" : "'%s'", node->text));
	for (size_t i = 0; i < node->count; i++) {
		assert_true(buf_char(out, i > 0 ? ',' : '('));
		if (node->kind == Y_MAP) {
			show(node->keys[i], out);
			assert_true(buf_char(out, '='));
		}
		show(node->items[i], out);
	}
	if (node->count > 0)
		assert_true(buf_char(out, ')'));
}

static void test_trees(void **state)
{
	(void)state;
	static const struct {
		const char *text, *tree;
	} cases[] = {
		{ "", "null@1:1" },
		{ "# only a comment\n", "null@1:1" },
		{ "a", "scalar@1:1'a'" },
		{ "~", "null@1:1" },
		{ "'~'", "scalar@1:1\"~\"" },
		{ "a: 1\nb:\n", "map@1:1(scalar@1:1'a'=scalar@1:4'1',scalar@2:1'b'=null@2:3)" },
		{ "a: [1, \"x\"]", "map@1:1(scalar@1:1'a'=list@1:4(scalar@1:5'1',scalar@1:8\"x\"))" },
		{ "- a\n- {b: c}\n", "list@1:1(scalar@1:3'a',map@2:3(scalar@2:4'b'=scalar@2:7'c'))" },
		{ "---\na: b\n...\n", "map@2:1(scalar@2:1'a'=scalar@2:4'b')" },
		{ "\xc3\xa4: \xc3\xb6\n", "map@1:1(scalar@1:1'\xc3\xa4'=scalar@1:4'\xc3\xb6')" },
		{ "a: &x 5\nb: *x\n", "map@1:1(scalar@1:1'a'=scalar@1:4'5',scalar@2:1'b'=scalar@2:4'5')" },
		{ "a: !!str 5\n", "map@1:1(scalar@1:1'a'=scalar@1:4\"5\")" },
		{ "a: 1\na: 2\n", "map@1:1(scalar@1:1'a'=scalar@1:4'1',scalar@2:1'a'=scalar@2:4'2')" },
		{ "a: []\nb: {}\n", "map@1:1(scalar@1:1'a'=list@1:4,scalar@2:1'b'=map@2:4)" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		struct buf out;
		buf_init(&out, 1000);
		struct ydoc *doc = yaml_parse(str_of(cases[i].text), "t", &err);
		if (doc == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
		show(yaml_root(doc), &out);
		assert_string_equal(buf_cstr(&out), cases[i].tree);
		assert_string_equal(yaml_name(doc), "t");
		yaml_free(doc);
		buf_done(&out);
	}
}

static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "a: [1, 2\nb: 3\n",
		  "t:2:2: did not find expected ',' or ']' (while parsing a flow sequence from line 1)" },
		{ "a: b: c\n", "t:1:5: mapping values are not allowed in this context" },
		{ "a:\n\tb: c\n", "t:2:1: found character that cannot start any token" },
		{ "a: &x [1]\nb: *x\n", "t:1:4: an anchor on a list or mapping" },
		{ "a: &x {b: *x}\n", "t:1:4: an anchor on a list or mapping" },
		{ "a: *nothing\n", "t:1:4: an alias of nothing" },
		{ "a: !thing 5\n", "t:1:4: an unknown tag" },
		{ "a: !!binary aGFsbG8=\n", "t:1:4: an unknown tag" },
		{ "[a]: b\n", "t:1:1: a key must be a plain text" },
		{ "? {a: b}\n: c\n", "t:1:3: a key must be a plain text" },
		{ "~: x\n", "t:1:1: an empty key" },
		{ "a: \"x\\0y\"\n", "t:1:4: a NUL character in a text" },
		{ "a: 1\n---\nb: 2\n", "t:2:1: a second document begins" },
		{ "a: b\nc: \xff\n", "t:2:4: invalid leading UTF-8 octet" },
		{ "a: \x01\n", "t:1:4: control characters are not allowed" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		struct ydoc *doc = yaml_parse(str_of(cases[i].text), "t", &err);
		if (doc != NULL)
			fail_msg("accepted: %s", cases[i].text);
		if (!text_starts(err.text, cases[i].says))
			fail_msg("%s: says %s", cases[i].text, err.text);
		assert_int_equal(err.code, ERR_INPUT);
	}
}

static struct ydoc *parse_repeated(const char *piece, size_t times, struct err *err)
{
	struct buf text;
	buf_init(&text, YAML_BYTES_MAX + 10000);
	for (size_t i = 0; i < times; i++)
		assert_true(buf_text(&text, piece));
	struct ydoc *doc = yaml_parse(buf_str(&text), "t", err);
	buf_done(&text);
	return doc;
}

static void test_limits(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_null(parse_repeated("[", YAML_DEPTH_MAX + 1, &err));
	assert_non_null(strstr(err.text, "t:1:33: nested too deeply"));
	assert_null(parse_repeated("- 1\n", YAML_NODES_MAX, &err));
	assert_non_null(strstr(err.text, "more than 100000 values"));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_null(parse_repeated("# 3456789\n", YAML_BYTES_MAX / 10 + 1, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_null(parse_repeated("- &a 1\n", 101, &err));
	assert_non_null(strstr(err.text, "t:101:3: too many anchors"));
	struct ydoc *doc = parse_repeated("- 1\n", 90000, &err);
	assert_non_null(doc);
	assert_int_equal(yaml_root(doc)->count, 90000);
	yaml_free(doc);
}

static void test_getters(void **state)
{
	(void)state;
	struct ydoc *doc = yaml_parse(STR("a: x\nb: [1]\nyes: On\nno: OFF\nquoted: \"true\"\nnull_: ~\n"), "t", NULL);
	assert_non_null(doc);
	const struct ynode *root = yaml_root(doc);
	assert_string_equal(yaml_text(root, "a"), "x");
	assert_null(yaml_text(root, "A"));
	assert_null(yaml_text(root, "b"));
	assert_null(yaml_text(root, "null_"));
	assert_int_equal(yaml_get(root, "b")->count, 1);
	assert_null(yaml_get(yaml_get(root, "b"), "a"));
	assert_null(yaml_get(NULL, "a"));
	assert_true(yaml_bool(root, "yes", false));
	assert_false(yaml_bool(root, "no", true));
	assert_false(yaml_bool(root, "quoted", false));
	assert_true(yaml_bool(root, "absent", true));
	assert_true(yaml_bool(root, "b", true));
	yaml_free(doc);
	yaml_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_getters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
