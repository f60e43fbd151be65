/* Feeds core/reach.h with what the API server answered. Watches do not count: they answer when something happens. */
#include "daemon/daemon_int.h"

void reach_heard(struct daemon *daemon, const struct call *call)
{
	if (call->way != 0) /* it went to the API server */
		reach_take(&daemon->reach, daemon->now.mono, daemon->now.mono.ms - call->started.ms,
			   call->answer.status);
}

bool reach_is_troubled(const struct daemon *daemon, char *out_why, size_t out_bytes)
{
	return reach_troubled(&daemon->reach, daemon->now.mono, out_why, out_bytes);
}
