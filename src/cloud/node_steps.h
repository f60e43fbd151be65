/* The steps of a repair that speak to Kubernetes: the same for every cloud. For use in step tables (core/op.h).
 *
 *   NODE_CORDON_STEPS    look-node, cordon: goes on to the step after them in any case but these: the Node is gone or
 * is another one by now (fails), or is being deleted (left). Masters, and nodes that somebody else cordoned, are left
 * as they are. The cordon is only put on the very Node that look-node saw: a person's cordon in between is not taken
 * for ours. For a phantom (a server that never joined: facts.node_uid is facts.server) there is nothing to cordon, look
 * at, uncordon or forget; a Node that has come meanwhile fails the repair. NODE_UNCORDON_STEPS  look-cordon, uncordon,
 * done: always the end of a recipe. Takes away our own cordon only.
 */
#ifndef MAH_CLOUD_NODE_STEPS_H
#define MAH_CLOUD_NODE_STEPS_H

#include "core/op.h"

void ask_memory(const struct op *, struct arena *, struct ask *out); /* ASK_NODE */
void ask_nothing(const struct op *, struct arena *, struct ask *out);
enum verdict hear_nothing(struct op *, const struct answer *);

enum verdict hear_look_node(struct op *, const struct answer *);
void ask_cordon(const struct op *, struct arena *, struct ask *out);
enum verdict hear_cordon(struct op *, const struct answer *);
/* The Node as the API server has it now, not as the watch last told: right before what cannot be taken back. Fails when
 * the node is healthy again or another one; an op whose Node is being deleted is left. A Node that is gone: go on, ...
 */
void ask_live(const struct op *, struct arena *, struct ask *out);
enum verdict hear_live(struct op *, const struct answer *);
/* ... or fail, where there must be one (a phantom has none). */
enum verdict hear_live_there(struct op *, const struct answer *);
enum verdict hear_look_cordon(struct op *, const struct answer *);
void ask_uncordon(const struct op *, struct arena *, struct ask *out);
enum verdict hear_uncordon(struct op *, const struct answer *);
void ask_forget_node(const struct op *, struct arena *, struct ask *out);
enum verdict hear_forget_node(struct op *, const struct answer *); /* gone, or another one of that name: done */

/* The node is Ready again: by a reboot after facts.acted, ... */
enum verdict hear_rebooted(struct op *, const struct answer *);
/* ... or it now runs on facts.new_server. */
enum verdict hear_replaced(struct op *, const struct answer *);

/* "cordoned" is the step that follows: where look-node goes when there is nothing to cordon. */
#define STEP_CORDONED "cordoned"
#define NODE_CORDON_STEPS                                                                                              \
	{ "look-node", ask_memory, hear_look_node, .limit_ms = 2 * MINUTE },                                           \
		{ "cordon", ask_cordon, hear_cordon, .limit_ms = 2 * MINUTE },                                         \
	{                                                                                                              \
		STEP_CORDONED, ask_nothing, hear_nothing                                                               \
	}
#define NODE_UNCORDON_STEPS                                                                                            \
	{ "look-cordon", ask_memory, hear_look_cordon, .limit_ms = 2 * MINUTE },                                       \
		{ "uncordon", ask_uncordon, hear_uncordon, .limit_ms = 2 * MINUTE },                                   \
	{                                                                                                              \
		"done", ask_nothing, hear_nothing                                                                      \
	}

extern const struct recipe recipe_uncordon;

#endif
