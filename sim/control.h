/* The control interface of a served world, below /sim/: looking at it, breaking it, and what happened so far. Pure,
 * like the services; docs in the table of control.c. */
#ifndef MAH_SIM_CONTROL_H
#define MAH_SIM_CONTROL_H

#include "sim/world.h"

struct control;
struct control *control_new(void);
void control_free(struct control *);
void control_set_world(struct control *, struct world *);
/* Remembers the act; of more than CONTROL_ACTS_MAX the oldest are forgotten. */
#define CONTROL_ACTS_MAX 10000
void control_note(struct control *, struct now, const struct sim_act *);
void control_http(struct control *, struct now, const struct sim_request *, struct sim_response *out);

#endif
