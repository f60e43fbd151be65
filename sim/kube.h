/* The simulated API server: Nodes, Leases, ConfigMaps, Events; list in pages, watch with and without initial events,
 * bookmarks, 410, 409, 422; protobuf and JSON. And the part of kube-controller-manager that marks silent nodes Unknown.
 * As facts/kubernetes-api.md has it from the real one. */
#ifndef MAH_SIM_KUBE_H
#define MAH_SIM_KUBE_H

#include "sim/world.h"

struct sim_kube;

struct sim_kube_opts {
	int64_t grace_ms;        /* silent for longer: Ready and pressure conditions Unknown */
	bool has_watch_list;     /* sendInitialEvents is understood (default); else 422 */
	const char *token;       /* bearer token that is accepted; NULL: any, none too */
	void *ctx;
	void (*stream_bytes)(void *ctx, uint64_t stream, struct str bytes);
	void (*stream_end)(void *ctx, uint64_t stream, bool is_clean);
	void (*on_act)(void *ctx, const struct sim_act *); /* cordon, uncordon, delete-node */
};
struct sim_kube *sim_kube_new(const struct sim_kube_opts *, struct now);
void sim_kube_free(struct sim_kube *);

void sim_kube_http(struct sim_kube *, struct now, const struct sim_request *, struct sim_response *out);
void sim_kube_stream_closed(struct sim_kube *, uint64_t stream);
void sim_kube_advance(struct sim_kube *, struct now); /* grace periods, bookmarks, watch timeouts */
struct mono sim_kube_next(const struct sim_kube *);

/* A kubelet speaks. Creates the Node when there is none (fresh uid); a Node that is there keeps its providerID, labels,
 * cordon and annotations, and gets the new machine's nodeInfo. */
struct sim_kubelet {
	const char *name;
	const char *server_id;    /* machineID (without dashes), systemUUID, providerID follow from it */
	const char *boot_id;
	const char *address;
	const char *node_group;   /* label magnum.openstack.org/nodegroup */
	bool is_master;
	bool is_ready;            /* false: Ready=False/KubeletNotReady */
	const char *message;
};
void sim_kube_kubelet(struct sim_kube *, struct now, const struct sim_kubelet *);

bool sim_kube_node_exists(const struct sim_kube *, const char *name);
/* What the API says about Ready: True since when? 0: not True, or no such node. */
struct mono sim_kube_ready_since(const struct sim_kube *, const char *name);
bool sim_kube_is_cordoned(const struct sim_kube *, const char *name, char *out_mark, size_t out_mark_bytes);
void sim_kube_cordon(struct sim_kube *, struct now, const char *name, bool cordoned); /* by an administrator */
void sim_kube_set_created(struct sim_kube *, const char *name, struct wall created); /* so that it is not a young node */
void sim_kube_drop_watches(struct sim_kube *, bool is_clean);
void sim_kube_compact(struct sim_kube *);
/* A stored object as JSON (ConfigMap, Lease), for tests; "" when there is none. Valid until the next call. */
const char *sim_kube_object(struct sim_kube *, const char *path);

#endif
