/* One version of a simulated Node: plain data, immutable once published, shared by the table of current nodes, the
 * watch history and the snapshots of paged lists. And its two encodings. */
#ifndef MAH_SIM_KUBE_NODE_H
#define MAH_SIM_KUBE_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "base/time.h"

enum knode_ready { KNODE_READY, KNODE_NOT_READY, KNODE_UNKNOWN };

/* The taints that controllers put on and take away: key, effect. */
#define KNODE_TAINTS(X)                                                                                                \
	X(KT_UNREACHABLE, "node.kubernetes.io/unreachable", "NoSchedule")                                              \
	X(KT_UNREACHABLE_EXECUTE, "node.kubernetes.io/unreachable", "NoExecute")                                       \
	X(KT_NOT_READY, "node.kubernetes.io/not-ready", "NoSchedule")                                                  \
	X(KT_NOT_READY_EXECUTE, "node.kubernetes.io/not-ready", "NoExecute")                                           \
	X(KT_UNSCHEDULABLE, "node.kubernetes.io/unschedulable", "NoSchedule")
#define AS_KTAINT(id, ...) id,
enum knode_taint { KNODE_TAINTS(AS_KTAINT) KT_COUNT };

struct knode {
	unsigned refs;
	char name[254];
	char uid[40];
	char provider_id[64];
	char machine_id[40];
	char system_uuid[40];
	char boot_id[40];
	char address[46];
	char message[256]; /* of condition Ready while it is False */
	bool is_unschedulable;
	uint64_t rv;
	struct wall created;
	struct wall heartbeat;
	struct wall network_since;
	struct wall ready_since;
	struct wall pressure_since;
	enum knode_ready ready;
	struct wall taint_since[KT_COUNT]; /* 0: not there */
	json_t *labels;      /* name → text, sorted; versions share these three, so change them by replacing */
	json_t *annotations; /* the same */
	json_t *taints;      /* what others put there: array of {key, value, effect, timeAdded} */
};

struct knode *knode_new(const char *name);
struct knode *knode_copy(const struct knode *); /* a version to edit before it is published */
struct knode *knode_ref(struct knode *);
void knode_unref(struct knode *);

/* A row of status.conditions. */
struct knode_condition {
	const char *type, *status, *reason, *message;
	struct wall heartbeat, since;
};
#define KNODE_CONDITIONS 5
struct knode_condition knode_condition(const struct knode *, int i);
const char *knode_taint_key(enum knode_taint);
const char *knode_taint_effect(enum knode_taint);
/* A key that KNODE_TAINTS has. */
bool knode_taint_is_ours(const char *key);

/* status.images: name and bytes, so that readers have something to skip. */
struct knode_image {
	const char *name;
	int64_t bytes;
};
#define KNODE_IMAGES 3
extern const struct knode_image knode_images[KNODE_IMAGES];
#define KNODE_MANAGED_FIELDS                                                                                           \
	"{\"f:metadata\":{\"f:annotations\":{\".\":{},\"f:volumes.kubernetes.io/controller-managed-attach-detach\":"   \
	"{}},\"f:labels\":{\".\":{},\"f:kubernetes.io/arch\":{},\"f:kubernetes.io/hostname\":{}}},\"f:spec\":{"        \
	"\"f:providerID\":{}}}"
#define KNODE_KERNEL "6.8.9-300.fc40.x86_64"
#define KNODE_OS "Fedora CoreOS 40.20240519.3.0"
#define KNODE_RUNTIME "containerd://1.7.22"
#define KNODE_VERSION "v1.35.4"

/* The object; `with_kind` false: as an item of a list. */
void knode_json(struct buf *, const struct knode *, bool with_kind);

#endif
