/* What the other files of the shell need of the loop. */
#ifndef MAH_HOST_LOOP_H
#define MAH_HOST_LOOP_H

#include <event2/event.h>

#include "host/host.h"

struct event_base *loop_base(struct loop *);

/* event_new() and evtimer_new() fail only for lack of memory, which ends the process like everywhere. */
struct event *event_or_abort(struct event_base *, evutil_socket_t fd, short what, event_callback_fn fn, void *arg);
/* Arms a timer MS from now; negative counts as 0. Arming again moves it. */
void timer_arm(struct event *, int64_t ms);
/* Deletes and frees; NULL is fine. Leaves NULL behind. */
void event_drop(struct event **);

#endif
