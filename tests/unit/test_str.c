/* Borrowed strings, copies into arrays, bounded buffers, percent-encoding. */
#include "core_fixture.h"

static void compares(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		bool is_same;
	} cases[] = {
		{ "", "", true },     { "a", "a", true },   { "a", "b", false },  { "a", "", false },
		{ "a", "aa", false }, { NULL, NULL, true }, { NULL, "a", false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(text_eq(cases[i].a, cases[i].b), cases[i].is_same);
		assert_int_equal(str_eq(str_of(cases[i].a), cases[i].b), cases[i].is_same);
		assert_int_equal(str_same(str_of(cases[i].b), str_of(cases[i].a)), cases[i].is_same);
	}
	assert_false(text_eq(NULL, "")); /* as texts they differ, as strings both are empty */
	assert_true(str_eq(str_of(NULL), ""));
	assert_true(str_same((struct str){ NULL, 0 }, STR("")));
	assert_true(text_starts("abc", "ab") && text_starts("abc", "") && !text_starts("ab", "abc"));
	assert_false(text_starts(NULL, ""));
}

static void copies_whole_or_not_at_all(void **state)
{
	(void)state;
	static const struct {
		struct str from;
		bool fits;
	} cases[] = {
		{ { "", 0 }, true },
		{ { NULL, 0 }, true },
		{ { "abc", 3 }, true },
		{ { "abcdefg", 7 }, true },
		{ { "abcdefgh", 8 }, false },
		{ { "a\0b", 3 }, false },
		{ { "abcdefghij", 10 }, false },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char out[8] = "xxxxxxx";
		assert_int_equal(str_copy(out, sizeof out, cases[i].from), cases[i].fits);
		assert_string_equal(out, cases[i].fits && cases[i].from.p != NULL ? cases[i].from.p : "");
	}
	char one[1] = { 'x' };
	assert_false(text_copy(one, sizeof one, "a"));
	assert_true(text_copy(one, sizeof one, NULL));
	assert_string_equal(one, "");
}

static void buffers_have_an_end(void **state)
{
	(void)state;
	struct buf buf;
	buf_init(&buf, 10);
	assert_string_equal(buf_cstr(&buf), "");
	assert_int_equal(buf_str(&buf).n, 0);
	assert_true(buf_text(&buf, "12345"));
	assert_true(buf_printf(&buf, "%d", 67890));
	assert_false(buf.is_over);
	assert_true(buf_add(&buf, NULL, 0)); /* full, but nothing is to be added */
	assert_false(buf_char(&buf, 'x'));
	assert_true(buf.is_over);
	assert_string_equal(buf_cstr(&buf), "1234567890");
	buf_clear(&buf);
	assert_false(buf.is_over);
	assert_string_equal(buf_cstr(&buf), "");
	assert_false(buf_printf(&buf, "%s", "12345678901")); /* one too many: nothing of it */
	assert_int_equal(buf.n, 0);
	assert_true(buf_printf(&buf, "%s", ""));
	buf_done(&buf);
	assert_int_equal(buf.bytes_max, 10); /* may be filled again */
	assert_true(buf_text(&buf, "ok"));
	buf_done(&buf);
}

static void buffers_grow(void **state)
{
	(void)state;
	struct rng rng = { 3 };
	for (int round = 0; round < 50; round++) {
		size_t max = 1 + rng_below(&rng, 5000);
		char *model = xcalloc(max + 1, 1);
		size_t n = 0;
		bool is_over = false;
		struct buf buf;
		buf_init(&buf, max);
		for (int i = 0; i < 100; i++) {
			char piece[128];
			size_t piece_n = rng_below(&rng, sizeof piece);
			memset(piece, 'a' + (int)rng_below(&rng, 26), sizeof piece);
			bool fits = n + piece_n <= max;
			assert_int_equal(buf_add(&buf, piece, piece_n), fits);
			if (fits)
				memcpy(model + n, piece, piece_n), n += piece_n;
			is_over = is_over || !fits;
		}
		assert_int_equal(buf.is_over, is_over);
		assert_int_equal(buf.n, n);
		assert_memory_equal(buf_cstr(&buf), model, n + 1);
		buf_done(&buf);
		free(model);
	}
}

static void encodes_for_urls(void **state)
{
	(void)state;
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "AZaz09-._~", "AZaz09-._~" },
		{ "a b", "a%20b" },
		{ "a/b?c=d&e#f", "a%2Fb%3Fc%3Dd%26e%23f" },
		{ "100%", "100%25" },
		{ "ä", "%C3%A4" },
		{ "\x01\xff\r\n", "%01%FF%0D%0A" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf buf;
		buf_init(&buf, 100);
		assert_true(buf_urlencode(&buf, cases[i].in));
		assert_string_equal(buf_cstr(&buf), cases[i].out);
		buf_done(&buf);
	}
	struct buf small;
	buf_init(&small, 4);
	assert_false(buf_urlencode(&small, "aa/b"));
	assert_true(small.is_over);
	buf_done(&small);
}

static void errors_have_a_code_and_a_sentence(void **state)
{
	(void)state;
	struct err err = { 0 };
	assert_false(fail(&err, ERR_GONE, "no %s", "file"));
	assert_int_equal(err.code, ERR_GONE);
	assert_false(err_while(&err, "reading %d", 7));
	assert_string_equal(err.text, "reading 7: no file");
	assert_int_equal(err.code, ERR_GONE);
	assert_false(fail(NULL, ERR_GONE, "nobody listens"));
	assert_false(err_while(NULL, "nobody listens"));
	char text[400];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_false(fail(&err, ERR_INPUT, "%s", text));
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_false(err_while(&err, "%s", text));
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
#define ROW(id, name) assert_string_equal(err_code_name(id), name);
	ERR_CODES(ROW)
#undef ROW
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compares),
		cmocka_unit_test(copies_whole_or_not_at_all),
		cmocka_unit_test(buffers_have_an_end),
		cmocka_unit_test(buffers_grow),
		cmocka_unit_test(encodes_for_urls),
		cmocka_unit_test(errors_have_a_code_and_a_sentence),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
