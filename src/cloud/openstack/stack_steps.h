/* Steps that speak to Heat about a stack and the servers it owns: the same for workers and masters.
 *
 *   find-stack → ... → find-volume → ... → stack-idle → find-resource-again → mark-unhealthy → mark-volume →
 *   look-update → update-stack → wait-update → wait-stack → check-resource → wait-new → old-gone
 *
 * The hears lead, where it says so below, to steps that a recipe with them must have: "unmark" takes the marks in Heat
 * back (law L13), "step-back" does so because somebody else has begun an update around them. */
#ifndef MAH_CLOUD_STACK_STEPS_H
#define MAH_CLOUD_STACK_STEPS_H

#include "core/op.h"

/* The stack's "NAME/ID" goes to facts.stack. */
void ask_find_stack(const struct op *, struct arena *, struct ask *out);
enum verdict hear_find_stack(struct op *, const struct answer *);
void ask_stack(const struct op *, struct arena *, struct ask *out);
enum verdict hear_stack_idle(struct op *, const struct answer *); /* waits for others' updates */

void ask_resources(const struct op *, struct arena *, struct ask *out);
/* Where SERVER is in the stack; "" when it is not. False: *out_verdict says what to do instead. */
bool stack_resource(struct op *, const struct answer *, const char *server,
		    char out[static sizeof((struct op_facts *)0)->resource], enum verdict *out_verdict);
/* The server's resource in facts.resource: "find-volume". Not there: its twin (see server_steps.h) in facts.new_server.
 */
enum verdict hear_find_resource(struct op *, const struct answer *);
void ask_twins(const struct op *, struct arena *, struct ask *out);
enum verdict hear_find_twin(struct op *, const struct answer *);
enum verdict hear_check_twin(struct op *, const struct answer *);
/* Still the stack's: "mark-unhealthy"; replaced by somebody else meanwhile: "wait-new". */
enum verdict hear_find_again(struct op *, const struct answer *);

/* The resource of the root volume beside facts.resource, for a server that boots from one: facts.root_volume. */
void ask_root_volume(const struct op *, struct arena *, struct ask *out);
enum verdict hear_root_volume(struct op *, const struct answer *);

void ask_mark(const struct op *, struct arena *, struct ask *out);
void ask_mark_volume(const struct op *, struct arena *, struct ask *out);
enum verdict hear_mark_volume(struct op *, const struct answer *); /* refused: "unmark" */
enum verdict hear_mark(struct op *, const struct answer *);        /* refused: "unmark" */
enum verdict hear_look_update(struct op *, const struct answer *); /* "unmark", "step-back", "wait-stack" */
void ask_update(const struct op *, struct arena *, struct ask *out);
enum verdict hear_update(struct op *, const struct answer *); /* refused: "unmark" */
void ask_unmark(const struct op *, struct arena *, struct ask *out);
void ask_unmark_volume(const struct op *, struct arena *, struct ask *out);
/* Why it came to this is kept in facts.why. A mark that cannot be taken back is no reason to leave the next one:
 * V_NEXT. */
enum verdict hear_unmark(struct op *, const struct answer *);
enum verdict hear_wait_update(struct op *, const struct answer *); /* "unmark" */
enum verdict hear_wait_stack(struct op *, const struct answer *);  /* failed: "unmark" */
void ask_resource(const struct op *, struct arena *, struct ask *out);
enum verdict hear_check_resource(struct op *, const struct answer *); /* not replaced: "unmark" */
void ask_new_server(const struct op *, struct arena *, struct ask *out);
enum verdict hear_wait_new(struct op *, const struct answer *);
enum verdict hear_old_gone(struct op *, const struct answer *);

/* Keeps op->note in facts.why, unless there is something: the first reason counts; notes come and go with the steps. */
void keep_why(struct op *);

#define STACK_NONE "none" /* in facts.baseline: looked, and there was nothing */

#define LIMIT_UPDATE (90 * MINUTE)
#define LIMIT_BUSY HOUR          /* for somebody else's update */
#define LIMIT_JOIN (20 * MINUTE) /* a new server boots and joins; its stack already said that it is there */
#define POLL_UPDATE (5 * SEC)
/* For a step after the mark and before the new server: it ends with the mark taken back, not in failure. */
#define OR_UNMARK .tries = TRIES_IN_TIME, .otherwise = "unmark", .is_exclusive = true

#define FIND_STACK_STEP                                                                                                \
	{                                                                                                              \
		"find-stack", ask_find_stack, hear_find_stack, .limit_ms = LIMIT_ANSWER                                \
	}
/* The resources that are to be replaced. */
#define FIND_RESOURCE_STEPS                                                                                            \
	{ "find-resource", ask_resources, hear_find_resource, .limit_ms = LIMIT_ANSWER },                              \
		{ "find-twin", ask_twins, hear_find_twin, .limit_ms = LIMIT_ANSWER },                                  \
		{ "check-twin", ask_resources, hear_check_twin, .limit_ms = LIMIT_ANSWER },                            \
	{                                                                                                              \
		"find-volume", ask_root_volume, hear_root_volume, .limit_ms = LIMIT_ANSWER                             \
	}
#define MARK_STEPS                                                                                                     \
	{ "mark-unhealthy",     ask_mark, hear_mark, .limit_ms = LIMIT_ANSWER, .look = "find-resource-again",          \
	  .is_committed = true, OR_UNMARK },                                                                           \
	{                                                                                                              \
		"mark-volume", ask_mark_volume, hear_mark_volume,                                                      \
			.limit_ms = LIMIT_ANSWER, .look = "find-resource-again", .is_committed = true, OR_UNMARK       \
	}
/* Heat accepts the update once, and it is seen through. */
#define UPDATE_STEPS                                                                                                       \
	{ "look-update", ask_stack, hear_look_update, .limit_ms = 30 * MINUTE, OR_UNMARK },                                \
		{ "update-stack",        ask_update,           hear_update, .limit_ms = LIMIT_ANSWER, .is_once = true,     \
		  .look = "look-update", .is_committed = true, OR_UNMARK },                                                \
		{ "wait-update",       ask_stack, hear_wait_update, .limit_ms = 90 * SEC, .otherwise = "wait-stack",       \
		  .is_exclusive = true },                                                                                  \
		{ "wait-stack", ask_stack, hear_wait_stack, .limit_ms = LIMIT_UPDATE, .poll_ms = POLL_UPDATE, OR_UNMARK }, \
	{                                                                                                                  \
		"check-resource", ask_resource, hear_check_resource, .limit_ms = LIMIT_ANSWER, OR_UNMARK                   \
	}
#define NEW_SERVER_STEPS                                                                                               \
	{ "wait-new", ask_new_server, hear_wait_new, .limit_ms = 10 * MINUTE, .is_exclusive = true },                  \
	{                                                                                                              \
		"old-gone", ask_server, hear_old_gone, .limit_ms = 10 * MINUTE, .is_exclusive = true                   \
	}

#endif
