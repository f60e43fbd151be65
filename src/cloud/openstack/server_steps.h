/* Steps of recipes that speak to Nova about one server, and the reading of its answers. OFF_STEPS is how a replacement
 * begins, once it is known that the server is ours to replace: it is stopped, its power-off proven, its data volumes
 * taken away. Whatever is gone already, or never ran, leads on to the step "off"; a server that is off already is left
 * alone when a person stopped it (step "who-stopped"). STILL_OFF_STEPS is the last look
 * before the replacement itself, which may be long after the stop: the stack was busy.
 *
 * A server that Heat once replaced half-way has a twin of the same name, which is in the stack in its place. Then both
 * are stopped, the twin in facts.new_server after the other, and the twin is what is replaced. */
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
/* Another server than we meant, or one that is locked: then the op is to be left. */
bool server_is_foreign(struct op *, const struct machine *);
enum verdict server_still(struct op *, const struct machine *, const char *what); /* V_AGAIN, with a note */

/* A server that is off is left alone when a person stopped it (law L11): by what Nova has written down of it. Not asked
 * when this case may have stopped it itself: with application credentials a person's user may be ours. */
void ask_who_stopped(const struct op *, struct arena *, struct ask *out);
enum verdict hear_who_stopped(struct op *, const struct answer *);
enum verdict hear_who_stopped_off(struct op *, const struct answer *); /* a server that is gone is off */
void ask_start(const struct op *, struct arena *, struct ask *out);

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
enum verdict hear_off(struct op *, const struct answer *);
enum verdict hear_look_off(struct op *, const struct answer *);

#define LIMIT_ANSWER (5 * MINUTE) /* for a step that only needs an answer */
#define LIMIT_TASK (3 * MINUTE)   /* for what somebody else is doing to the server */
#define LIMIT_OFF (3 * MINUTE)    /* a guest has a minute to shut down; longer: its compute host may be down */
#define LIMIT_BOOT (5 * MINUTE)   /* a soft reboot becomes a hard one by itself after two; longer: the same */
#define TRIES_IN_TIME 1000 /* only the step's time counts: a cloud that stumbles is no reason to give up half-way */

#define OFF_STEPS                                                                                                      \
	{ "look-stop", ask_server, hear_look_stop, .limit_ms = LIMIT_TASK },                                           \
		{ "look-live", ask_live, hear_live, .limit_ms = LIMIT_ANSWER },                                        \
		{ "stop",    ask_stop, hear_stop, .limit_ms = LIMIT_ANSWER, .is_once = true, .look = "look-stop",      \
		  .tries = 3 },                                                                                        \
		{ "who-stopped", ask_who_stopped, hear_who_stopped_off, .limit_ms = LIMIT_ANSWER,                      \
		  .tries = TRIES_IN_TIME },                                                                            \
		{ "prove-off", ask_server, hear_prove_off, .limit_ms = LIMIT_OFF, .tries = TRIES_IN_TIME },            \
		{ "list-volumes", ask_volumes, hear_list_volumes, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME },  \
		{ "detach-volume", ask_detach, hear_detach, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME },        \
		{ "wait-volume", ask_volumes, hear_wait_volume, .limit_ms = 3 * MINUTE, .tries = TRIES_IN_TIME },      \
	{                                                                                                              \
		"off", ask_nothing, hear_off                                                                           \
	}

#define STILL_OFF_STEPS                                                                                                \
	{ "look-still", ask_live, hear_live, .limit_ms = LIMIT_ANSWER, .tries = TRIES_IN_TIME, .is_exclusive = true }, \
	{                                                                                                              \
		"look-off", ask_server, hear_look_off, .limit_ms = LIMIT_TASK, .tries = TRIES_IN_TIME,                 \
						       .is_exclusive = true                                            \
	}

#endif
