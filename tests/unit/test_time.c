/* RFC 3339, Go's durations: tables of what is taken, what is refused, and round trips. */
#include "core_fixture.h"

static void reads_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59Z", -1000 },
		{ "2026-11-22T15:47:10Z", INT64_C(1795362430000) },
		{ "2026-11-22T15:47:10z", INT64_C(1795362430000) },
		{ "2026-11-22 15:47:10Z", INT64_C(1795362430000) },
		{ "2026-11-22t15:47:10", INT64_C(1795362430000) },
		{ "2026-11-22T15:47:10.000000", INT64_C(1795362430000) },
		{ "2026-11-22T15:47:10.5Z", INT64_C(1795362430500) },
		{ "2026-11-22T15:47:10.123456Z", INT64_C(1795362430123) },
		{ "2026-11-22T15:47:10.123999999Z", INT64_C(1795362430123) },
		{ "2026-11-22T17:47:10+02:00", INT64_C(1795362430000) },
		{ "2026-11-22T10:17:10-05:30", INT64_C(1795362430000) },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800000) },
		{ "2000-02-29T00:00:00Z", INT64_C(951782400000) },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800000) },   /* the leap second is the next one's first */
		{ "0001-01-01T00:00:00Z", INT64_C(-62135596800000) }, /* Go's zero time */
		{ "9999-12-31T23:59:59Z", INT64_C(253402300799000) },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct wall wall = { -7 };
		CHECK(wall_parse(str_of(cases[i].text), &wall), "%s", cases[i].text);
		CHECK(wall.ms == cases[i].ms, "%s: %lld", cases[i].text, (long long)wall.ms);
	}
}

static void refuses_what_is_no_time(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",
		"2026",
		"2026-11-22",
		"2026-11-22T15:47",
		"2026-11-22T15:47:1",
		"2026-11-22X15:47:10Z",
		"2026-11-22T15:47:10ZZ",
		"2026-11-22T15:47:10 ",
		" 2026-11-22T15:47:10Z",
		"2026-13-22T15:47:10Z",
		"2026-00-22T15:47:10Z",
		"2026-11-00T15:47:10Z",
		"2026-11-31T15:47:10Z",
		"2026-02-29T15:47:10Z",
		"2100-02-29T15:47:10Z",
		"2026-11-22T24:00:00Z",
		"2026-11-22T15:60:10Z",
		"2026-11-22T15:47:61Z",
		"2026-11-22T15:47:10+2:00",
		"2026-11-22T15:47:10+0200",
		"2026-11-22T15:47:10+24:00",
		"2026-11-22T15:47:10+02:60",
		"2026-11-22T15:47:10+02",
		"-026-11-22T15:47:10Z",
		"2026-1a-22T15:47:10Z",
		"9999-12-31T23:59:59-01:00", /* the year 10000 */
		"0000-01-01T00:59:59+01:00",
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct wall wall = { -7 };
		CHECK(!wall_parse(str_of(cases[i]), &wall), "%s", cases[i]);
		CHECK(wall.ms == -7, "%s: written on failure", cases[i]);
	}
	struct wall wall = { -7 };
	assert_false(wall_parse((struct str){ NULL, 0 }, &wall));
}

static void writes_what_it_reads(void **state)
{
	(void)state;
	char text[WALL_TEXT_BYTES];
	assert_string_equal(wall_format((struct wall){ INT64_C(1795362430999) }, text), "2026-11-22T15:47:10Z");
	assert_string_equal(wall_format_micro((struct wall){ INT64_C(1795362430007) }, text),
			    "2026-11-22T15:47:10.007000Z");
	assert_string_equal(wall_format_micro((struct wall){ -1 }, text), "1969-12-31T23:59:59.999000Z");
	struct rng rng = { 11 };
	for (int i = 0; i < 20000; i++) { /* years 0000 to 9999 */
		struct wall wall = { INT64_C(-62167219200000) + (int64_t)rng_below(&rng, UINT64_C(315569520000000)) };
		struct wall again = { 0 };
		CHECK(wall_parse(str_of(wall_format_micro(wall, text)), &again), "%s", text);
		CHECK(again.ms == wall.ms, "%s", text);
	}
}

static void reads_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
		const char *shown;
	} cases[] = {
		{ "0", 0, "0s" },
		{ "0s", 0, "0s" },
		{ "90s", 90 * SEC, "1m30s" },
		{ "5m", 5 * MINUTE, "5m" },
		{ "1h", HOUR, "1h" },
		{ "1h30m", 90 * MINUTE, "1h30m" },
		{ "1h0m5s", HOUR + 5 * SEC, "1h5s" },
		{ "1.5m", 90 * SEC, "1m30s" },
		{ ".5s", 500, "0.5s" },
		{ "1.s", 1000, "1s" },
		{ "250ms", 250, "0.25s" },
		{ "1500ms", 1500, "1.5s" },
		{ "1m1m", 2 * MINUTE, "2m" },
		{ "999us", 1, "0.001s" },
		{ "1000000ns", 1, "0.001s" },
		{ "2000µs", 2, "0.002s" },
		{ "87600h", 87600 * HOUR, "87600h" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = -7;
		char text[DURATION_TEXT_BYTES];
		CHECK(duration_parse(str_of(cases[i].text), &ms), "%s", cases[i].text);
		CHECK(ms == cases[i].ms, "%s: %lld", cases[i].text, (long long)ms);
		assert_string_equal(duration_format(ms, text), cases[i].shown);
	}
}

static void refuses_what_is_no_duration(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"",       "5",      "s",
		".s",     "-5s",    "+5s",
		"5 s",    " 5s",    "5s ",
		"5S",     "5d",     "1..5s",
		"1.5.5s", "1e3s",   "0x5s",
		"5m3",    "nan",    "inf",
		"00",     "87800h", "100000000000000000000000000000h",
		"1h-30m", "5msx",   "11111111111111111111111111111111111111111111111111111111111111111s", /* 66 bytes */
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t ms = -7;
		CHECK(!duration_parse(str_of(cases[i]), &ms), "%s", cases[i]);
		CHECK(ms == -7, "%s: written on failure", cases[i]);
	}
	int64_t ms = 0;
	assert_false(duration_parse((struct str){ NULL, 0 }, &ms));
}

static void whole_seconds_survive_the_round_trip(void **state)
{
	(void)state;
	struct rng rng = { 5 };
	for (int i = 0; i < 20000; i++) {
		int64_t ms = (int64_t)rng_below(&rng, 100 * 24 * 3600) * SEC;
		int64_t again = -1;
		char text[DURATION_TEXT_BYTES];
		CHECK(duration_parse(str_of(duration_format(ms, text)), &again), "%s", text);
		CHECK(again == ms, "%s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_times),
		cmocka_unit_test(refuses_what_is_no_time),
		cmocka_unit_test(writes_what_it_reads),
		cmocka_unit_test(reads_durations),
		cmocka_unit_test(refuses_what_is_no_duration),
		cmocka_unit_test(whole_seconds_survive_the_round_trip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
