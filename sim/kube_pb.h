/* Protobuf as the API server writes it: Node, NodeList, Status, watch frames. Field numbers and the habit of writing
 * empty strings are those of the published generated.proto files (gogo, proto2, non-nullable). Encoders only. */
#ifndef MAH_SIM_KUBE_PB_H
#define MAH_SIM_KUBE_PB_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "sim/kube_node.h"

/* The wire. A message is opened, filled, closed; its length is put in front when it is closed. */
void pb_uint(struct buf *, unsigned field, uint64_t value);
void pb_text(struct buf *, unsigned field, const char *text);
size_t pb_open(struct buf *, unsigned field);
void pb_close(struct buf *, size_t opened);

/* "k8s\0" and the envelope around an object; what is written between the two is the object. */
size_t pb_envelope_open(struct buf *, const char *api_version, const char *kind);
void pb_envelope_close(struct buf *, size_t opened);

/* A watch frame: length, WatchEvent, envelope; what is written between is the object. */
struct pb_frame {
	size_t start, event, raw, object;
};
struct pb_frame pb_frame_open(struct buf *, const char *type, const char *kind);
void pb_frame_close(struct buf *, const struct pb_frame *);

void knode_pb(struct buf *, const struct knode *); /* the message alone */
/* A Node that has nothing but its resourceVersion: a bookmark. */
void bookmark_pb(struct buf *, const char *rv, bool is_initial_end, bool is_node);
void configmap_pb(struct buf *, const json_t *doc);
/* A kubelet's Lease; the message alone. */
struct klease {
	const char *name, *ns, *rv, *holder;
	int duration_s;
	struct wall renewed;
};
void lease_pb(struct buf *, const struct klease *);
/* ListMeta (field 1 of every list); remaining -1: not told. */
void list_meta_pb(struct buf *, const char *rv, const char *next, int64_t remaining);

/* What an error answer (or the answer to a DELETE) is made of. */
struct kstatus {
	int code; /* 200: Success */
	const char *reason;
	const char *message;
	const char *group, *kind, *name, *uid;                  /* details; NULL: not there */
	const char *cause_reason, *cause_message, *cause_field; /* one cause; NULL: none */
	int retry_after_s;
};
void kstatus_pb(struct buf *, const struct kstatus *); /* the message alone */
void kstatus_json(struct buf *, const struct kstatus *);

#endif
