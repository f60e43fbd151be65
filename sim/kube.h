/* The simulated API server: Nodes, Leases, ConfigMaps, Events; list in pages, watch with and without initial events,
 * bookmarks, 410, 409, 422; protobuf and JSON. And the part of kube-controller-manager that marks silent nodes Unknown.
 * As facts/kubernetes-api.md has it from the real one. */
#ifndef MAH_SIM_KUBE_H
#define MAH_SIM_KUBE_H

#include "sim/world.h"

struct sim_kube;

struct sim_kube_opts {
	int64_t grace_ms;    /* silent for longer: Ready and pressure conditions Unknown */
	bool has_watch_list; /* sendInitialEvents is understood (default); else 422 */
	const char *token;   /* bearer token that is accepted; NULL: any, none too */
	void *ctx;
	void (*stream_bytes)(void *ctx, uint64_t stream, struct str bytes);
	void (*stream_end)(void *ctx, uint64_t stream, bool is_clean);
	void (*on_act)(void *ctx, const struct sim_act *); /* cordon, uncordon, delete-node */
};
struct sim_kube *sim_kube_new(const struct sim_kube_opts *, struct now);
void sim_kube_free(struct sim_kube *);

/* A watch: out->stream is set and body stays empty; its first bytes come with the next sim_kube_advance() (which is due
 * at once), so that the caller knows the stream's number by then. Later events come whenever something changes, from
 * inside the call that changed it. stream_end is the last call for a stream; not called for one that was closed by the
 * client. The callbacks may call sim_kube_stream_closed(), and nothing else of this. */
void sim_kube_http(struct sim_kube *, struct now, const struct sim_request *, struct sim_response *out);
void sim_kube_stream_closed(struct sim_kube *, uint64_t stream);
void sim_kube_advance(struct sim_kube *, struct now); /* grace periods, bookmarks, watch timeouts */
struct mono sim_kube_next(const struct sim_kube *);

/* Changes of the options while it runs (world_opts has no place for them). NULL: any token is accepted. */
void sim_kube_set_token(struct sim_kube *, const char *token);
void sim_kube_set_watch_list(struct sim_kube *, bool has_watch_list);

/* A kubelet writes its status: once right after its guest booted or it was restarted (is_boot), then at each heartbeat
 * (5 min) and when its readiness changes. The first report creates the Node when there is none (fresh uid); a plain one
 * for a Node that was deleted does nothing, as a running kubelet does not re-create its Node. A Node that is there
 * keeps its providerID, labels, cordon and annotations, and gets the new machine's nodeInfo. A report implies that it
 * is alive. */
struct sim_kubelet {
	const char *name;
	const char *server_id; /* machineID (without dashes), systemUUID, providerID follow from it */
	const char *boot_id;
	const char *address;
	const char *node_group; /* label magnum.openstack.org/nodegroup */
	const char *zone;       /* label topology.kubernetes.io/zone; NULL, "": none */
	bool is_master;
	bool is_boot;  /* the first report since the kubelet started: may create the Node */
	bool is_ready; /* false: Ready=False/KubeletNotReady */
	const char *message;
};
void sim_kube_kubelet(struct sim_kube *, struct now, const struct sim_kubelet *);
/* The kubelet's own Lease (renewed each 10 s in reality) as one bit: call it with false at the moment a kubelet or its
 * guest dies; grace_ms after that its Node turns Unknown, until it reports again. true without a report means: it
 * renews its Lease again and its last status is taken to hold (a short hang). Unknown names do nothing. */
void sim_kube_kubelet_alive(struct sim_kube *, const char *name, bool alive, struct now);

/* The API server does not work: nothing that kubelets report arrives, watches are cut, no Node turns Unknown. When it
 * is back, the controller gives every silent Node a whole grace period anew; the caller has the kubelets report again.
 */
void sim_kube_set_down(struct sim_kube *, struct now, bool is_down);

#define SIM_KUBE_MARK "autohealing.openstack.org/cordoned" /* the annotation that sim_kube_is_cordoned() gives */
bool sim_kube_node_exists(const struct sim_kube *, const char *name);
/* What the API says about Ready: True since when? 0: not True, or no such node. */
struct mono sim_kube_unready_since(const struct sim_kube *, const char *name); /* not True since when? */
struct mono sim_kube_ready_since(const struct sim_kube *, const char *name);
unsigned sim_kube_ready_changes(const struct sim_kube *, const char *name); /* to True or from it, ever */
bool sim_kube_is_cordoned(const struct sim_kube *, const char *name, char *out_mark, size_t out_mark_bytes);
void sim_kube_cordon(struct sim_kube *, struct now, const char *name, bool cordoned); /* by an administrator */
/* By somebody who is not watched: annotations (value NULL: away; false: no such Node), taints (value NULL: away), the
 * Node deleted, a key of a ConfigMap written (made when it is not there; text NULL: away). */
bool sim_kube_annotate(struct sim_kube *, struct now, const char *name, const char *key, const char *value);
void sim_kube_taint(struct sim_kube *, struct now, const char *name, const char *key, const char *value,
		    const char *effect);
void sim_kube_forget(struct sim_kube *, struct now, const char *name);
void sim_kube_write_map(struct sim_kube *, struct now, const char *ns, const char *name, const char *key,
			const char *text);
void sim_kube_set_created(struct sim_kube *, const char *name,
			  struct wall created); /* so that it is not a young node */
void sim_kube_drop_watches(struct sim_kube *, bool is_clean);
void sim_kube_compact(struct sim_kube *);
/* A stored object as JSON (Node, ConfigMap, Lease, Event), for tests; "" when there is none. Valid until the next call.
 */
const char *sim_kube_object(struct sim_kube *, const char *path);

#endif
