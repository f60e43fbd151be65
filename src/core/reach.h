/* How well the API server answers, from its last answers (law L7): when it fails or is slow, the kubelets cannot report
 * either, and nodes look worse than they are. Pure; one entry per answer.
 *
 *   (well) ── at least half of the last minute's answers bad, and at least 4 of them ──▶ troubled
 *      ▲                                                                                    │
 *      └── half a minute without a bad one, and two good ones since; or nothing for long ◀──┘ */
#ifndef MAH_CORE_REACH_H
#define MAH_CORE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define REACH_SLOW_MS (5 * SEC) /* a healthy API server answers in milliseconds, a busy one within a second */
#define REACH_RING 64           /* a minute of a healer at work; more only sharpens the same picture */

struct reach {
	struct reach_answer {
		struct mono at; /* when it came */
		int64_t took_ms;
		bool is_bad; /* failed, throttled, or slow */
	} list[REACH_RING];
	size_t count;     /* answers ever taken; the last REACH_RING of them are kept */
	bool is_troubled; /* as of the last answer */
};

/* status 0: none came. Whatever the server says calmly (404, 409, 403) is a good answer. */
void reach_take(struct reach *, struct mono now, int64_t took_ms, int status);

/* Why may be NULL; written only when it is: "9 of the last 14 requests failed or took longer than 5 s". */
bool reach_troubled(const struct reach *, struct mono now, char *out_why, size_t out_bytes);

#endif
