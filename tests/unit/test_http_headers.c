/* Headers of an answer, dates, Retry-After in both forms. */
#include "core_fixture.h"

#include "base/http.h"

static struct http_answer with(const char *headers)
{
	return (struct http_answer){ .status = 429, .headers = str_of(headers) };
}

static void finds_headers(void **state)
{
	(void)state;
	static const struct {
		const char *headers, *name, *value;
	} cases[] = {
		{ "", "etag", "" },
		{ "etag: x\n", "etag", "x" },
		{ "etag: x", "etag", "x" },
		{ "etag:x\n", "etag", "x" },
		{ "etag:\n", "etag", "" },
		{ "etag", "etag", "" },
		{ "x-etag: a\netag: b\netag: c\n", "etag", "b" }, /* the first one counts */
		{ "etagger: a\n", "etag", "" },
		{ "a: etag: x\n", "etag", "" },
		{ "location: http://h:1/p?q=a:b\n", "location", "http://h:1/p?q=a:b" },
		{ "a: 1\n\n\nb: 2\n", "b", "2" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_answer answer = with(cases[i].headers);
		CHECK(str_eq(http_header(&answer, cases[i].name), cases[i].value), "case %zu", i);
	}
	struct http_answer none = { .status = 0 }; /* no answer came: there is not even an empty text */
	assert_int_equal(http_header(&none, "etag").n, 0);
	assert_int_equal(http_retry_after_ms(&none), -1);
}

static void reads_dates(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000) },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sun, 22 Nov 2026 15:47:10 GMT", INT64_C(1795362430000) },
		{ "Sun Nov  6 08:49:37 1994", -1 },
		{ "", -1 },
		{ "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 anF 1994 08:49:37 GMT", -1 },
		{ "Sun, 31 Feb 1994 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 25:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT and then so much more that it cannot be a date at all", -1 },
	};
	for (size_t i = 0; i < COUNT(cases); i++)
		CHECK(http_date_ms(str_of(cases[i].text)) == cases[i].ms, "%s: %lld", cases[i].text,
		      (long long)http_date_ms(str_of(cases[i].text)));
	assert_int_equal(http_date_ms((struct str){ NULL, 0 }), -1);
}

static void reads_retry_after(void **state)
{
	(void)state;
#define DATE "date: Sun, 22 Nov 2026 15:47:10 GMT\n"
	static const struct {
		const char *headers;
		int64_t ms;
	} cases[] = {
		{ "", -1 },
		{ "retry-after:\n", -1 },
		{ "retry-after: 0\n", 0 },
		{ "retry-after: 7\n", 7 * SEC },
		{ "retry-after: 0120\n", 120 * SEC },
		{ "retry-after: 3600\n", HOUR },
		{ "retry-after: 3601\n", HOUR },
		{ "retry-after: 99999999999999999999999999\n", HOUR },
		{ "retry-after: -5\n", -1 },
		{ "retry-after: 1.5\n", -1 },
		{ "retry-after: soon\n", -1 },
		{ DATE "retry-after: Sun, 22 Nov 2026 15:47:40 GMT\n", 30 * SEC },
		{ DATE "retry-after: Sun, 22 Nov 2026 15:47:00 GMT\n", 0 },
		{ DATE "retry-after: Mon, 23 Nov 2026 15:47:00 GMT\n", HOUR },
		{ "retry-after: Sun, 22 Nov 2026 15:47:40 GMT\n", -1 }, /* relative to what? */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_answer answer = with(cases[i].headers);
		CHECK(http_retry_after_ms(&answer) == cases[i].ms, "%s: %lld", cases[i].headers,
		      (long long)http_retry_after_ms(&answer));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_headers),
		cmocka_unit_test(reads_dates),
		cmocka_unit_test(reads_retry_after),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
