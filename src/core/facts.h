/* What is known of the world, as plain data. Filled by observers (src/kube, src/cloud, src/check), read by the
 * decision. */
#ifndef MAH_CORE_FACTS_H
#define MAH_CORE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "base/time.h"

enum role { ROLE_MASTER, ROLE_WORKER };
#define ROLES_COUNT 2
const char *role_name(enum role); /* "master", "worker" */

enum status { STATUS_FALSE, STATUS_TRUE, STATUS_UNKNOWN };
const char *status_name(enum status); /* "False", "True", "Unknown" */
bool status_parse(struct str text, enum status *out);

/* A condition of a Node. `type` and `reason` are interned by the store: they live as long as the process. */
struct condition {
	const char *type;
	const char *reason;
	enum status status;
	struct wall transition; /* lastTransitionTime: restarts at each flip, also False<->Unknown */
	struct wall heartbeat;  /* lastHeartbeatTime */
};

struct taint {
	const char *key; /* interned, as are value and effect */
	const char *value;
	const char *effect;
};

/* Node names are DNS subdomains: at most 253 characters. */
#define NODE_NAME_BYTES 254
#define SERVER_ID_BYTES 40
#define GROUP_NAME_BYTES 64

/* An annotation that says something to us: ours, or a mark of others (core/marks.h). Both interned. */
struct annotation {
	const char *key;
	const char *value;
};

#define ANNOTATION_PREFIX "autohealing.openstack.org/"
/* Ours, on a node that this healer cordoned; the value is the case's id. Whoever finds it may uncordon. */
#define ANNOTATION_CORDONED ANNOTATION_PREFIX "cordoned"

/* The operator's switch for one node: "REASON" or "REASON; until=2026-11-23T06:00:00Z" (core/switches.h). */
#define ANNOTATION_PAUSED ANNOTATION_PREFIX "paused"
/* Set by Cluster API on the nodes of its Machines. */
#define ANNOTATION_CAPI_MACHINE "cluster.x-k8s.io/machine"

/* A Kubernetes Node: one block of memory, strings inside it or interned. Never NULL: absent strings are "". */
struct node {
	const char *name;
	const char *uid;
	const char *resource_version; /* opaque; compare for equality only */
	const char *provider_id;
	const char *machine_id;
	const char *system_uuid;
	const char *boot_id;
	const char *internal_ip; /* the first InternalIP */
	const char *group; /* interned: label magnum.openstack.org/nodegroup, or the Cluster API drivers' labels */
	const char *zone;  /* interned: topology.kubernetes.io/zone */
	const char *cordon_mark; /* value of ANNOTATION_CORDONED, "" when it is not ours */
	struct wall created;
	struct wall deleted; /* deletionTimestamp; 0: none */
	enum role role;
	bool is_cordoned; /* spec.unschedulable */
	bool is_phantom;  /* there is no such Node: a server of the cluster that never joined it. uid is the server's id
			   */
	uint16_t conditions_count;
	uint16_t taints_count;
	uint16_t annotations_count;
	const struct condition *conditions;
	const struct taint *taints;
	const struct annotation *annotations; /* those that mark_is_wanted() asks for (core/marks.h) */
};
const char *node_annotation(const struct node *, const char *key);             /* NULL: it has none of that key */
const struct condition *node_condition(const struct node *, const char *type); /* NULL: it has none of that type */

/* A server, as Nova tells it. */
#define SERVER_NAME_BYTES 256
struct machine {
	char id[SERVER_ID_BYTES];
	char name[SERVER_NAME_BYTES];
	char status[24];       /* ACTIVE, SHUTOFF, ERROR, BUILD, REBOOT, ... */
	char task_state[40];   /* "" = null */
	char addresses[4][46]; /* the first fixed addresses, IPv4 or IPv6 text; "" from the end on */
	char fault[120];
	struct wall created;
	char host_id[60]; /* a hash of the compute host and the project; "" unknown */
	int power_state;  /* 0 none, 1 running, 4 shut down */
	bool is_locked;
	bool has_ha; /* metadata HA_Enabled=True: Masakari looks after it too */
};

/* What a check says of a node. Unknown is never unhealthy. */
enum health { HEALTH_UNKNOWN, HEALTH_OK, HEALTH_BAD };
const char *health_name(enum health);
/* What a probe could tell of the guest beside its verdict: chooses between a soft and a hard reboot. */
enum symptom {
	SYMPTOM_NONE,
	SYMPTOM_GUEST_ANSWERS, /* its network stack does (a refused connection, an HTTP answer): the program is dead */
	SYMPTOM_GUEST_SILENT,  /* nothing comes back at all */
};
#define FINDING_WHY_BYTES 120
struct finding {
	enum health health;
	enum symptom symptom;
	struct wall since; /* of BAD: since when, uninterrupted, as far as anybody knows */
	bool is_dated;     /* that is the cluster's own record of the change, not the beginning of our watch */
	char why[FINDING_WHY_BYTES]; /* one clause: "Ready=Unknown (NodeStatusUnknown)" */
};

/* A node group of the cluster, as the cloud's cluster service tells it. */
struct group {
	char name[GROUP_NAME_BYTES];
	char id[SERVER_ID_BYTES];
	char stack_id[80];
	char status[24];
	enum role role;
	int node_count;
};

/* The cloud's view of one cluster, from one complete round of questions. A round that failed anywhere changes nothing:
 * the old view grows older, and an old view is unknown (law L2). */
#define GROUPS_MAX 64
struct cluster_view {
	struct mono at; /* when the round began; 0: never */
	bool is_known;  /* false until the first complete round */
	char id[SERVER_ID_BYTES];
	char name[SERVER_NAME_BYTES];
	char stack_id[80]; /* "" where there is none (API 1.13 and up, or no Heat) */
	char stack_name[256];
	char status[24];       /* Magnum's */
	char stack_status[32]; /* Heat's; believed over Magnum's UPDATE_FAILED */
	bool has_healing_label;
	bool is_healing_enabled; /* label auto_healing_enabled */
	bool has_etcd_volume;    /* label etcd_volume_size above 0: a replaced master keeps its etcd data */
	int masters_count;       /* Magnum's master_count; 0: unknown */
	size_t groups_count;
	struct group groups[GROUPS_MAX];
};
const struct group *cluster_group(const struct cluster_view *, const char *name); /* by name or id; NULL: unknown */
bool cluster_is_busy(const struct cluster_view *);    /* something is being created, updated, deleted right now */
bool cluster_is_settled(const struct cluster_view *); /* in a state in which repairs may start */

#endif
