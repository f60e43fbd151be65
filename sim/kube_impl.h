/* The inside of the simulated API server, shared by kube.c (state, kubelets, controllers), kube_watch.c (history,
 * streams, pages), kube_nodes.c, kube_objects.c and kube_call.c (requests). Nobody else includes this. */
#ifndef MAH_SIM_KUBE_IMPL_H
#define MAH_SIM_KUBE_IMPL_H

#include "base/err.h"
#include "base/rand.h"
#include "sim/kube.h"
#include "sim/kube_node.h"
#include "sim/kube_pb.h"
#include "sim/target.h"

#include <time.h>

#define KUBE_HISTORY 1024                 /* watch events that can be replayed */
#define KUBE_MAP_HISTORY 64               /* the same of ConfigMaps, which are large */
#define KUBE_WATCHES_MAX 256              /* more are refused with 429 */
#define KUBE_SNAPSHOTS 4                  /* paged lists that can go on at the same time; the oldest gives way */
#define KUBE_OBJECTS_MAX 500              /* of one kind */
#define KUBE_EVENTS_KEPT 200              /* the real ones live an hour */
#define KUBE_BODY_BYTES_MAX (3U << 20)    /* of a request, as the real one: 413 */
#define KUBE_STREAM_BYTES_MAX (64U << 20) /* one watch's initial events */
#define BOOKMARK_MS MINUTE

/* ---- state --------------------------------------------------------------------------------------------------------
 */

/* A current Node and what its kubelet is like. */
struct kentry {
	struct knode *node;
	char server_id[40];
	struct mono died_at;       /* 0: its kubelet is alive */
	struct mono alive_since;   /* it renews its Lease since then */
	struct mono ready_since;   /* 0: Ready is not True */
	struct mono unready_since; /* 0: Ready is True */
	unsigned ready_changes;    /* how often it became True or ceased to be */
	bool is_last_ready;        /* what the kubelet said last */
	bool awaits_execute;       /* its NoExecute taint is still to come */
};

enum kevent_type { KEVENT_ADDED, KEVENT_MODIFIED, KEVENT_DELETED };
struct kevent {
	enum kevent_type type;
	struct knode *node;
};

enum kwatch_kind { KWATCH_NODES, KWATCH_MAPS };

/* A watch. Dead ones stay until the next request or advance, because a callback may be running on them. */
struct kwatch {
	uint64_t id; /* 0: dead */
	enum kwatch_kind kind;
	char ns[64], only[254]; /* of ConfigMaps; "": all of the namespace */
	bool is_pb;
	bool has_bookmarks;
	uint64_t after_rv; /* events up to this one are not for it */
	struct mono ends_at;
	struct mono bookmark_at;
	bool ends_after_pending;
	struct buf pending; /* what goes out with the next advance, when the caller knows the stream's number */
};

/* The rest of a list that is fetched in pages. */
struct ksnapshot {
	uint64_t rv; /* 0: free */
	struct knode **nodes;
	size_t count;
};

enum kobject_kind { KOBJECT_LEASE, KOBJECT_CONFIGMAP, KOBJECT_EVENT, KOBJECT_KINDS };
struct kobject {
	char ns[64];
	char name[254];
	uint64_t rv;
	json_t *doc;
	struct buf text; /* the doc as it is answered; empty: not made yet */
};
struct kobjects {
	struct kobject *rows; /* in order of creation */
	size_t count;
};

/* A version of a ConfigMap that watches may ask for again. */
struct kmap_event {
	enum kevent_type type;
	uint64_t rv;
	char ns[64], name[254];
	json_t *doc;
};

struct sim_kube {
	struct sim_kube_opts opts;
	char *token;
	struct now now;
	struct rng rng; /* uids */
	uint64_t rv;
	uint64_t compacted_rv; /* history starts after this */

	struct kentry *entries; /* sorted by name */
	size_t entries_count, entries_cap;
	size_t dying_count; /* dead and not yet Unknown */
	int64_t silent_ms;  /* none of them turns Unknown before */
	bool is_down;
	struct mono down_at, up_at; /* of the last time: nothing was written from down_at to up_at */
	size_t awaiting_count;
	struct mono execute_at; /* the next NoExecute taint */

	struct kevent history[KUBE_HISTORY]; /* a ring: history_next is the oldest once it is full */
	size_t history_next, history_count;
	struct kmap_event maps[KUBE_MAP_HISTORY]; /* the same */
	size_t maps_next, maps_count;
	uint64_t maps_compacted_rv;
	struct kwatch *watches[KUBE_WATCHES_MAX];
	size_t watches_count;
	uint64_t stream_last;
	struct ksnapshot snapshots[KUBE_SNAPSHOTS];
	size_t snapshot_next;

	struct kobjects objects[KOBJECT_KINDS];
	struct buf frame_pb, frame_json; /* of the event that is going out */
	struct buf text;                 /* of sim_kube_object() */
	time_t date_s;                   /* whose text is date, for the header of that name */
	char date[40];
};

struct kentry *kube_find(const struct sim_kube *, const char *name);
/* Makes VERSION (whose ownership passes here) the current one, with a new resourceVersion, and tells the watches. */
void kube_publish(struct sim_kube *, struct kentry *, struct knode *version, enum kevent_type);
void kube_delete(struct sim_kube *, struct kentry *);
/* Puts the unschedulable taint on or away, as the controller does; for a version that is not published yet. */
void kube_cordon_version(struct sim_kube *, struct knode *, bool is_unschedulable);
void kube_uid(struct sim_kube *, char out[40]);
json_t *kube_sorted(json_t *object); /* takes it, gives a copy sorted by key */

/* ---- one request --------------------------------------------------------------------------------------------------
 */

struct kcall {
	struct sim_kube *kube;
	const struct sim_request *request;
	struct sim_response *out;
	struct target target;
	bool is_pb;
};
const char *kcall_param(const struct kcall *, const char *key); /* NULL: not there */
bool kcall_is(const struct kcall *, const char *method);
bool kcall_is_dry(const struct kcall *);
void kcall_header(struct kcall *, int status, const char *content_type);
void kcall_status(struct kcall *, const struct kstatus *);
void kcall_fail(struct kcall *, int code, const char *reason, const char *fmt, ...) PRINTF(4, 5);
void kcall_not_found(struct kcall *, const char *group, const char *kind, const char *name);
void kcall_conflict(struct kcall *, const char *group, const char *kind, const char *name, const char *why);
void kcall_invalid(struct kcall *, const char *kind, const char *name, const char *field, const char *why);
void kcall_json(struct kcall *, int status, const json_t *);
/* The body as a JSON object; NULL: answered with 400, 413 or 415. The caller owns it. */
json_t *kcall_body(struct kcall *, const char *content_type);

/* A page's token: base64url of a text. */
void kube_token_encode(char *out, size_t out_bytes, const char *text);
bool kube_token_decode(const char *token, char *out, size_t out_bytes);
/* A number of a query parameter; absent or empty: otherwise. False: not a number. */
bool kube_number(const char *text, uint64_t otherwise, uint64_t *out);

void kube_nodes_call(struct kcall *); /* /api/v1/nodes... except lists and watches */
void kube_list_call(struct kcall *);  /* GET /api/v1/nodes */
/* GET /api/v1/nodes?watch=1; or of the ConfigMaps of a namespace */
void kube_watch_call(struct kcall *, enum kwatch_kind, const char *ns);
void kube_maps_list(struct kcall *, const char *ns);
void kube_leases_call(struct kcall *, const char *name /* or NULL */); /* the kubelets' own */
void kube_object_call(struct kcall *, enum kobject_kind, const char *ns, const char *name /* or NULL */);

/* ---- watches ------------------------------------------------------------------------------------------------------
 */

void kube_watch_event(struct sim_kube *, enum kevent_type, struct knode *); /* history and streams */
void kube_watch_advance(struct sim_kube *);
int64_t kube_watch_next_ms(const struct sim_kube *); /* NEVER: nothing */
void kube_watch_done(struct sim_kube *);             /* frees all of it */
void kube_watch_send(struct sim_kube *, struct kwatch *, const struct buf *frame);

/* kube_maps.c */
void kube_map_event(struct sim_kube *, enum kevent_type, const struct kobject *);
void kube_maps_first(const struct sim_kube *, struct kwatch *); /* all there are, as ADDED */
void kube_maps_replay(const struct sim_kube *, struct kwatch *, uint64_t after_rv);
bool kube_maps_selector(struct kcall *, char out_name[254]); /* false: answered */
void kube_maps_forget(struct sim_kube *);                    /* the history */
void kube_map_answer(struct kcall *, int status, const json_t *doc);

const struct kobject *kube_object_find(const struct sim_kube *, enum kobject_kind, const char *ns, const char *name);
void kube_objects_done(struct sim_kube *);

#endif
