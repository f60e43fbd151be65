/* Reads the fields of a Node that the healer needs, out of its protobuf message (without envelope). In two steps, so
 * that the store can compare and can reuse memory: first a view that borrows from the message, then one block. */
#ifndef MAH_KUBE_NODE_PB_H
#define MAH_KUBE_NODE_PB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "core/facts.h"
#include "kube/intern.h"

/* What a kubelet says of its own node can hurt only that node: more than that is left out, a node without its Ready
 * condition is unknown and so never repaired. */
#define NODE_CONDITIONS_MAX 128
#define NODE_TAINTS_MAX 64
#define NODE_TEXT_BYTES_MAX 1024 /* longer strings count as absent: a cut identifier is another identifier */

struct condition_view {
	struct str type, reason;
	enum status status;
	struct wall transition, heartbeat;
};
struct taint_view {
	struct str key, value, effect;
};
/* Everything borrowed from the message. No string has a NUL byte inside. */
struct node_view {
	struct str name, uid, resource_version, provider_id, machine_id, system_uuid, boot_id, internal_ip;
	struct str group, zone, cordon_mark;
	struct wall created, deleted;
	enum role role;
	bool is_cordoned;
	size_t conditions_count, taints_count;
	struct condition_view conditions[NODE_CONDITIONS_MAX];
	struct taint_view taints[NODE_TAINTS_MAX];
};

/* False: not a Node, or one whose name could not be asked for. */
bool node_view_read(struct str message, struct node_view *out, struct err *err);

/* Bytes of the block that node_build() needs: strings that the table will not take are counted in. */
size_t node_block_bytes(const struct node_view *, struct intern *);
/* Writes the node and all that belongs to it to BLOCK (aligned for struct node, of node_block_bytes() bytes). */
struct node *node_build(const struct node_view *, struct intern *, void *block, size_t block_bytes);

/* Is there a difference that could matter to a decision? Not: heartbeats and the resourceVersion. */
bool node_differs(const struct node *, const struct node_view *);

#endif
