/* Two kinds of time that do not mix. Only src/host/clock.c (and the simulator) makes a "now"; everybody else gets it as
 * an argument. */
#ifndef MAH_BASE_TIME_H
#define MAH_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

/* For "how long" and for deadlines: never jumps. Milliseconds since an unknown moment; 0 = never/unset. */
struct mono {
	int64_t ms;
};
/* For timestamps that came from outside or go there: milliseconds since 1970 UTC; 0 = unset. May jump. */
struct wall {
	int64_t ms;
};
struct now {
	struct mono mono;
	struct wall wall;
};

#define MSEC INT64_C(1)
#define SEC (1000 * MSEC)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define NEVER INT64_MAX /* a due time that does not come */

/* RFC 3339 as Kubernetes and OpenStack write it: 2026-11-22T15:47:10Z, with fraction, with offset, and without zone
 * (OpenStack; taken as UTC). */
bool wall_parse(struct str text, struct wall *out);

#define WALL_TEXT_BYTES 32
const char *wall_format(struct wall, char out[WALL_TEXT_BYTES]);       /* 2026-11-22T15:43:33Z */
const char *wall_format_micro(struct wall, char out[WALL_TEXT_BYTES]); /* 2026-11-22T15:43:33.123000Z (MicroTime) */

/* Go's duration syntax ("90s", "1h30m", "1.5m", "250ms"; "0"). Negative values and values over ten years are refused.
 */
bool duration_parse(struct str text, int64_t *out_ms);
#define DURATION_TEXT_BYTES 32
const char *duration_format(int64_t ms, char out[DURATION_TEXT_BYTES]); /* "5m", "1h30m", "1.5s" */

#endif
