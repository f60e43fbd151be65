/* When does the API server count as troubled, and when no longer? */
#include "core_fixture.h"

#include "base/mem.h"
#include "core/reach.h"

/* One character per answer, a pause of GAP seconds after each: g good, f failed (0), t throttled, e 503, s slow,
 * n 404, - only the pause. */
struct story {
	const char *name;
	const char *answers;
	int gap_s;
	bool is_troubled;
	const char *why;
};

#define DASHES "---------------"
static const struct story stories[] = {
	{ "nothing was asked", "", 5, false, NULL },
	{ "all is well", "gggggggggggg", 5, false, NULL },
	{ "refusals are answers", "nnnnnnnn", 5, false, NULL },
	{ "three failures are too few", "fff", 5, false, NULL },
	{ "four are enough", "ffff", 5, true, "4 of the last 4 requests failed or took longer than 5 s" },
	{ "half is enough", "ggffgfgf", 5, true, "4 of the last 8 requests failed or took longer than 5 s" },
	{ "less than half is not", "gggffgf", 5, false, NULL },
	{ "throttled, failing, slow", "gtes", 5, true, "3 of the last 4 requests failed or took longer than 5 s" },
	{ "the window is a minute", "ffff-------------", 5, true, "requests failed, and too few were answered since" },
	{ "old failures do not count", "ff---------ff", 6, false, NULL },
	{ "good answers alone do not end it at once", "ffffgggg", 5, true,
	  "4 of the last 8 requests failed or took longer than 5 s" },
	{ "half a minute without a bad one ends it", "ffffggggg", 5, false, NULL },
	{ "one good answer does not", "ffff-----g--", 5, true,
	  "3 of the last 4 requests failed or took longer than 5 s" },
	{ "two do", "ffff-----gg", 5, false, NULL },
	{ "a failure now and then keeps it up", "ffffggfggfggfggf", 5, true,
	  "4 of the last 11 requests failed or took longer than 5 s" },
	{ "a quarter of them does", "ffffffffgggfgggf", 7, true,
	  "2 of the last 8 requests failed or took longer than 5 s" },
	{ "fewer do not", "ffffggggfggggfgggg", 5, false, NULL },
	{ "of fewer than eight nothing is said", "ffff------gfggg-", 5, true,
	  "1 of the last 5 requests failed or took longer than 5 s" },
	{ "silence alone does not end it", "ffff" DASHES DASHES DASHES, 5, true,
	  "requests failed, and too few were answered since" },
	{ "silence for minutes does", "ffff" DASHES DASHES DASHES DASHES, 5, false, NULL },
	{ "troubled again", "ffffggggggggfgfffff", 5, true,
	  "6 of the last 11 requests failed or took longer than 5 s" },
};

static void tell(struct reach *reach, const struct story *story, struct mono *now)
{
	for (const char *c = story->answers; *c != '\0'; c++) {
		int status = *c == 'f' ? 0 : *c == 't' ? 429 : *c == 'e' ? 503 : *c == 'n' ? 404 : 200;
		if (*c != '-')
			reach_take(reach, *now, *c == 's' ? 5001 : 5000, status);
		now->ms += story->gap_s * SEC;
	}
}

static void tells_trouble(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(stories); i++) {
		struct reach reach = { .count = 0 };
		struct mono now = { 1000 };
		char why[80] = "";
		tell(&reach, &stories[i], &now);
		bool is = reach_troubled(&reach, now, why, sizeof why);
		if (is != stories[i].is_troubled || strcmp(why, stories[i].why != NULL ? stories[i].why : "") != 0)
			fail_msg("%s: %s, \"%s\"", stories[i].name, is ? "troubled" : "well", why);
		assert_true(reach_troubled(&reach, now, NULL, 0) == is);
	}
}

/* The ring turns over; what fell out of it is forgotten, what it led to is not. */
static void ring_turns_over(void **state)
{
	(void)state;
	struct reach reach = { .count = 0 };
	struct mono now = { 1000 };
	char why[80];
	for (int i = 0; i < 40; i++) {
		reach_take(&reach, now, 1, 500);
		now.ms += 100;
	}
	assert_true(reach_troubled(&reach, now, why, sizeof why));
	for (int i = 0; i < 5 * REACH_RING; i++) {
		reach_take(&reach, now, 1, i % 4 == 0 ? 500 : 200);
		now.ms += 10;
	}
	assert_true(reach_troubled(&reach, now, why, sizeof why));
	assert_string_equal(why, "16 of the last 64 requests failed or took longer than 5 s");
	for (int i = 0; i < 2 * REACH_RING; i++) { /* so many good ones in a row are enough */
		reach_take(&reach, now, 1, 200);
		now.ms += 10;
	}
	assert_false(reach_troubled(&reach, now, why, sizeof why));
}

/* One request that always fails (a right that is missing answers 403, but a webhook may answer 500) beside many that
 * are answered: no trouble that lasts. */
static void one_request_that_always_fails(void **state)
{
	(void)state;
	struct reach reach = { .count = 0 };
	struct mono now = { HOUR };
	for (int i = 0; i < 8; i++) {
		now.ms += 5 * SEC;
		reach_take(&reach, now, 10, 500);
	}
	assert_true(reach_troubled(&reach, now, NULL, 0));
	for (int i = 0; i < 180; i++) {
		now.ms += 20 * SEC;
		for (int k = 0; k < 20; k++)
			reach_take(&reach, now, 10, 200);
		reach_take(&reach, now, 10, 500);
		assert_true(!reach_troubled(&reach, now, NULL, 0) || i < 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tells_trouble), cmocka_unit_test(ring_turns_over),
					    cmocka_unit_test(one_request_that_always_fails) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
