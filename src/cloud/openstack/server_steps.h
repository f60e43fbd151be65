/* Steps of recipes that speak to Nova about one server, and the reading of its answers. OFF_STEPS is how a replacement
 * begins: the node is cordoned, the server stopped, its power-off proven, its data volumes taken away. Whatever is gone
 * already leads on to the step "find-stack", which must follow. */
#ifndef MAH_CLOUD_SERVER_STEPS_H
#define MAH_CLOUD_SERVER_STEPS_H

#include "core/op.h"

/* An act's answer: done, refused for now, or refused, with what the service says in the note. Silence and 5xx never
 * come here: core/op.c sends them to the look. */
enum verdict op_act(struct op *, const struct answer *, const char *what);
bool answer_is_404(const struct answer *);
/* The server of an answer. False: *out_verdict says what to do instead. 404 is the caller's. */
bool server_read(struct op *, const struct answer *, struct machine *out, enum verdict *out_verdict);
bool server_is(const struct machine *, const char *status);
enum verdict server_still(struct op *, const struct machine *, const char *what); /* V_AGAIN, with a note */

void ask_server(const struct op *, struct arena *, struct ask *out);
enum verdict hear_look_stop(struct op *, const struct answer *);
void ask_stop(const struct op *, struct arena *, struct ask *out);
enum verdict hear_stop(struct op *, const struct answer *);
enum verdict hear_prove_off(struct op *, const struct answer *);
void ask_volumes(const struct op *, struct arena *, struct ask *out);
enum verdict hear_list_volumes(struct op *, const struct answer *);
void ask_detach(const struct op *, struct arena *, struct ask *out);
enum verdict hear_detach(struct op *, const struct answer *);
enum verdict hear_wait_volume(struct op *, const struct answer *);

#define LIMIT_ANSWER (5 * MINUTE) /* for a step that only needs an answer */
#define LIMIT_TASK (3 * MINUTE)   /* for what somebody else is doing to the server */

#define OFF_STEPS                                                                                                      \
	NODE_CORDON_STEPS, { "look-stop", ask_server, hear_look_stop, .limit_ms = LIMIT_TASK },                        \
		{ "stop",                                                                                              \
		  ask_stop,                                                                                            \
		  hear_stop,                                                                                           \
		  .limit_ms = LIMIT_ANSWER,                                                                            \
		  .is_once = true,                                                                                     \
		  .look = "look-stop",                                                                                 \
		  .is_committed = true,                                                                                \
		  .tries = 3 },                                                                                        \
		{ "prove-off", ask_server, hear_prove_off, .limit_ms = 3 * MINUTE },                                   \
		{ "list-volumes", ask_volumes, hear_list_volumes, .limit_ms = LIMIT_ANSWER },                          \
		{ "detach-volume", ask_detach, hear_detach, .limit_ms = LIMIT_ANSWER },                                \
	{                                                                                                              \
		"wait-volume", ask_volumes, hear_wait_volume, .limit_ms = 3 * MINUTE                                   \
	}

#endif
