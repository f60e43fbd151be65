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
/* Annotations that somebody asks for. Their values are read by people and compared with short words: a longer one is
 * cut, never dropped, because a pause must not vanish. */
#define NODE_ANNOTATIONS_MAX 16
#define NODE_ANNOTATION_BYTES_MAX 512

struct condition_view {
	struct str type, reason;
	enum status status;
	struct wall transition, heartbeat;
};
struct taint_view {
	struct str key, value, effect;
};
struct annotation_view {
	struct str key, value;
};
/* Annotations that are kept beside those of mark_is_wanted(): keys of the configuration. */
#define WANTED_KEYS_MAX 32
struct wanted_keys {
	size_t count;
	char *list[WANTED_KEYS_MAX];
};
/* Everything borrowed from the message. No string has a NUL byte inside. */
struct node_view {
	struct str name, uid, resource_version, provider_id, machine_id, system_uuid, boot_id, internal_ip;
	struct str group, zone, cordon_mark;
	struct wall created, deleted;
	enum role role;
	bool is_cordoned;
	size_t conditions_count, taints_count, annotations_count;
	struct condition_view conditions[NODE_CONDITIONS_MAX];
	struct taint_view taints[NODE_TAINTS_MAX];
	struct annotation_view annotations[NODE_ANNOTATIONS_MAX];
};

/* False: not a Node, or one whose name could not be asked for. More annotations than there is room for: a pause is kept
 * before our other ones, and those before everybody else's. */
bool node_view_read(struct str message, const struct wanted_keys *, struct node_view *out, struct err *err);

/* Bytes of the block that node_build() needs: strings that the table will not take are counted in. */
size_t node_block_bytes(const struct node_view *, struct intern *);
/* Writes the node and all that belongs to it to BLOCK (aligned for struct node, of node_block_bytes() bytes). */
struct node *node_build(const struct node_view *, struct intern *, void *block, size_t block_bytes);

/* Is there a difference that could matter to a decision? Not: heartbeats and the resourceVersion. */
bool node_differs(const struct node *, const struct node_view *);

#endif
