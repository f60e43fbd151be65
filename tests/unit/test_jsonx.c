/* Foreign JSON: paths, types, depth, and writing texts that are no UTF-8. */
#include "core_fixture.h"

#include "base/jsonx.h"

static void reads_by_path(void **state)
{
	(void)state;
	struct err err = { 0 };
	json_t *json = json_parse(STR("{\"a\":{\"b\":[{\"c\":\"x\"},{\"c\":7},null]},\"t\":true,\"f\":false,"
				      "\"n\":-5,\"r\":1.5,\"s\":\"\",\"big\":9223372036854775807,\"\":\"empty\"}"),
				  &err);
	assert_non_null(json);
	assert_string_equal(json_text(json, "a.b.0.c"), "x");
	assert_int_equal(json_int(json, "a.b.1.c", -1), 7);
	assert_null(json_text(json, "a.b.1.c")); /* a number is no text */
	assert_int_equal(json_count(json, "a.b"), 3);
	assert_int_equal(json_count(json, "a"), 0);
	static const char *const missing[] = {
		"x", "a.x", "a.b.3", "a.b.x", "a.b.-1", "a.b.0.c.d", "t.x", "a..b", "a.b.99999999999999999999", ".a"
	};
	for (size_t i = 0; i < COUNT(missing); i++) {
		CHECK(json_at(json, missing[i]) == NULL, "%s", missing[i]);
		assert_string_equal(json_text_or(json, missing[i], "otherwise"), "otherwise");
		assert_int_equal(json_int(json, missing[i], 3), 3);
	}
	assert_ptr_equal(json_at(json, ""), json);
	assert_true(json_bool(json, "t", false));
	assert_false(json_bool(json, "f", true));
	assert_true(json_bool(json, "n", true)); /* a number is no truth value */
	assert_int_equal(json_int(json, "n", 0), -5);
	assert_int_equal(json_int(json, "r", 3), 3);
	assert_true(json_int(json, "big", 0) == INT64_MAX);
	assert_string_equal(json_text(json, "s"), "");
	char path[300];
	memset(path, 'k', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_null(json_at(json, path));
	assert_null(json_at(NULL, "a"));
	json_decref(json);
}

static void refuses_what_is_no_json(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"", "{", "{\"a\":1,\"a\":2}", "{} x", "[1,]", "nul", "\"\\u0000\"", "\"\xff\"", "99999999999999999999"
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = { 0 };
		json_t *json = json_parse(str_of(cases[i]), &err);
		CHECK(json == NULL, "%s", cases[i]);
		CHECK(err.code == ERR_REMOTE && err.text[0] != '\0', "%s", cases[i]);
	}
	assert_null(json_parse((struct str){ NULL, 0 }, NULL));
}

static void refuses_deep_documents(void **state)
{
	(void)state;
	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		char text[2 * JSON_DEPTH_MAX + 3];
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		struct err err = { 0 };
		json_t *json = json_parse((struct str){ text, 2 * depth }, &err);
		assert_int_equal(json != NULL, depth <= JSON_DEPTH_MAX);
		assert_int_equal(err.code, depth <= JSON_DEPTH_MAX ? ERR_NONE : ERR_LIMIT);
		json_decref(json);
	}
	/* brackets inside of strings, after escaped quotes too, do not count */
	struct buf buf;
	buf_init(&buf, 4096);
	(void)buf_text(&buf, "[\"\\\"\\\\\", \"");
	for (int i = 0; i < 500; i++)
		(void)buf_char(&buf, '[');
	(void)buf_text(&buf, "\"]");
	json_t *json = json_parse(buf_str(&buf), NULL);
	assert_non_null(json);
	json_decref(json);
	buf_done(&buf);
}

static void writes_texts(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ NULL, "\"\"" },
		{ "", "\"\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "\n\t\x01", "\"\\u000a\\u0009\\u0001\"" },
		{ "ä€😀", "\"ä€😀\"" },
		{ "a\xff", "\"a\xef\xbf\xbd\"" },
		{ "\xc3", "\"\xef\xbf\xbd\"" },                                 /* cut off */
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },                 /* overlong */
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf;
		buf_init(&buf, 100);
		assert_true(buf_json(&buf, cases[i].in));
		assert_string_equal(buf_cstr(&buf), cases[i].out);
		buf_done(&buf);
	}
	struct buf small;
	buf_init(&small, 4);
	assert_false(buf_json(&small, "abcd"));
	buf_done(&small);
}

static void any_bytes_become_json(void **state)
{
	(void)state;
	struct rng rng = { 9 };
	for (int i = 0; i < 3000; i++) {
		char text[24];
		size_t n = rng_below(&rng, sizeof text);
		for (size_t k = 0; k < n; k++)
			text[k] = (char)(1 + rng_below(&rng, 255));
		text[n] = '\0';
		struct buf buf;
		buf_init(&buf, 1000);
		assert_true(buf_json(&buf, text));
		json_t *json = json_parse(buf_str(&buf), NULL);
		CHECK(json_is_string(json), "%s", buf_cstr(&buf));
		buf_clear(&buf);
		assert_true(buf_json_doc(&buf, json));
		json_decref(json);
		buf_done(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_by_path),          cmocka_unit_test(refuses_what_is_no_json),
		cmocka_unit_test(refuses_deep_documents), cmocka_unit_test(writes_texts),
		cmocka_unit_test(any_bytes_become_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
