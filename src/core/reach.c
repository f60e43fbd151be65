#include "core/reach.h"

#include <stdio.h>

#define WINDOW_MS (60 * SEC)
#define ANSWERS_MIN 4 /* fewer say nothing: one lost request in a quiet minute is not an outage */
#define QUIET_MS (30 * SEC)
#define RARE_ANSWERS_MIN 8
#define GOOD_MIN 2
/* Nobody was asked for so long: the old trouble says nothing about now, and must not hold everything back for ever. */
#define FORGET_MS (5 * MINUTE)

static size_t kept(const struct reach *reach)
{
	return reach->count < REACH_RING ? reach->count : REACH_RING;
}

/* The answer that came I answers before the last one. */
static const struct reach_answer *back(const struct reach *reach, size_t i)
{
	return &reach->list[(reach->count - 1 - i) % REACH_RING];
}

static void count_window(const struct reach *reach, struct mono now, size_t *out_all, size_t *out_bad)
{
	*out_all = *out_bad = 0;
	for (size_t i = 0; i < kept(reach) && now.ms - back(reach, i)->at.ms < WINDOW_MS; i++) {
		*out_all += 1;
		*out_bad += back(reach, i)->is_bad;
	}
}

static bool begins(const struct reach *reach, struct mono now)
{
	size_t all = 0;
	size_t bad = 0;
	count_window(reach, now, &all, &bad);
	return all >= ANSWERS_MIN && 2 * bad >= all;
}

static bool ends(const struct reach *reach, struct mono now)
{
	size_t good = 0;
	while (good < kept(reach) && !back(reach, good)->is_bad)
		good++;
	if (kept(reach) == 0 || now.ms - back(reach, 0)->at.ms >= FORGET_MS)
		return true;
	bool is_quiet = good == kept(reach) || now.ms - back(reach, good)->at.ms >= QUIET_MS;
	size_t all = 0;
	size_t bad = 0;
	count_window(reach, now, &all, &bad);
	bool is_rare = all >= RARE_ANSWERS_MIN && 4 * bad < all; /* one request that always fails is no outage */
	return (is_quiet && good >= GOOD_MIN) || is_rare;
}

/* Being quiet wins: what was bad half a minute ago and is good since is over, whatever the minute's share. */
static bool is_troubled(const struct reach *reach, struct mono now)
{
	return !ends(reach, now) && (reach->is_troubled || begins(reach, now));
}

void reach_take(struct reach *reach, struct mono now, int64_t took_ms, int status)
{
	bool is_bad = status == 0 || status == 429 || status >= 500 || took_ms > REACH_SLOW_MS;
	reach->list[reach->count % REACH_RING] =
		(struct reach_answer){ .at = now, .took_ms = took_ms, .is_bad = is_bad };
	reach->count++;
	reach->is_troubled = is_troubled(reach, now);
}

bool reach_troubled(const struct reach *reach, struct mono now, char *out_why, size_t out_bytes)
{
	if (!is_troubled(reach, now))
		return false;
	size_t all = 0;
	size_t bad = 0;
	count_window(reach, now, &all, &bad);
	if (out_why != NULL && bad > 0)
		(void)snprintf(out_why, out_bytes, "%zu of the last %zu requests failed or took longer than 5 s", bad,
			       all);
	else if (out_why != NULL)
		(void)snprintf(out_why, out_bytes, "requests failed, and too few were answered since");
	return true;
}
