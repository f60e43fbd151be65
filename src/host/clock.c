/* The only place that reads a clock. CLOCK_BOOTTIME goes on while a machine sleeps, so that after a resume every
 * deadline and every lease is seen to have passed. */
#include "host/host.h"

#include <assert.h>
#include <time.h>

static int64_t read_ms(clockid_t clock)
{
	struct timespec ts;
	int rc = clock_gettime(clock, &ts);
	assert(rc == 0); /* both clocks exist on every kernel that has pidfds */
	return (int64_t)ts.tv_sec * SEC + ts.tv_nsec / 1000000;
}

struct now clock_now(void)
{
	/* 0 means "unset" everywhere, and right after boot the clock really is there. */
	return (struct now){ .mono = { read_ms(CLOCK_BOOTTIME) + 1 }, .wall = { read_ms(CLOCK_REALTIME) } };
}
