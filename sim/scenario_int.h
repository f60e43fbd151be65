/* Private to sim/scenario*.c: what goes wrong, and when it ends. */
#ifndef MAH_SIM_SCENARIO_INT_H
#define MAH_SIM_SCENARIO_INT_H

#include "sim/run.h"

/* Things that end, or happen once more, at their time. */
enum end_kind {
	END_SERVICE,    /* the trouble of service `index` */
	END_LABEL,      /* healing is switched on again */
	END_CUT_NODE,   /* the node reaches the API again */
	END_CUT_ZONE,   /* zone `index` does */
	END_HOST,       /* compute host `index` is up again */
	END_LOCK,       /* somebody unlocks the server */
	END_STOP,       /* somebody starts it again */
	END_CORDON,     /* somebody uncordons the node */
	END_PAUSES,     /* the pauses of the state ConfigMap are taken away */
	END_ANNOTATION, /* the pause on the node is */
	END_FLAP,       /* the kubelet of a flapping node falls silent once more */
};
struct end {
	enum end_kind kind;
	struct mono at; /* 0: free */
	int index;
	struct mono until; /* of flapping */
	char node[NODE_NAME_BYTES];
};
#define ENDS_MAX 48

struct scenario {
	struct mono next; /* the next fault */
	struct mono next_end;
	int64_t mean_ms; /* between faults */
	struct end ends[ENDS_MAX];
	struct mono broken; /* when something was last broken for good */
	int masters, workers, zones, hosts;
	bool has_etcd_volume;
	bool has_endpoint;         /* a check sees when the API server of a master is dead */
	bool are_masters_replaced; /* ... where etcd's data survives it */
	int removed;               /* by the autoscaler */
	bool is_upgraded;
	int step; /* of a script */
	struct mono step_at;
	char victim[NODE_NAME_BYTES];
	size_t cut_count;
	char cut[32][NODE_NAME_BYTES]; /* by the script */
	char config[6144];
};

void scenario_world(struct run *, struct world_opts *); /* chooses its size and shape */

/* scenario.c */
void scenario_ends(struct run *, enum end_kind, int index, const char *node, int64_t after_ms);
bool scenario_has(const struct run *, enum end_kind, int index, const char *node); /* node NULL: any */
/* A node that is there; the name stays valid until the next call. NULL: none. */
const char *scenario_node(struct run *, bool is_master);
/* So many of a role may be broken for good at once that policy still allows to heal them: beyond that the healer holds,
 * as it must, and the rest of the run would show nothing. */
bool scenario_may_break(struct run *, bool is_master);
bool scenario_is_current(const struct run *, const struct sim_server *);

/* scenario_faults.c: nodes, services, networks */
void fault_node(struct run *);
void fault_storm(struct run *);
void fault_service(struct run *);
void fault_overload(struct run *);
void fault_partition(struct run *);
void fault_cut(struct run *);
void fault_host(struct run *);
void fault_flapping(struct run *);
void fault_flap_again(struct run *, struct end *);
void fault_boots(struct run *);
void fault_replica(struct run *);

/* scenario_others.c: people, and other programs */
void others_act(struct run *);
void others_pause(struct run *);
void others_end(struct run *, const struct end *);

/* scenario_script.c */
void script_begin(struct run *);
void script_step(struct run *);
bool script_is_cut(const struct run *, const char *node); /* ... off, and nothing else is wrong with it */

#endif
