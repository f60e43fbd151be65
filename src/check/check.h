/* Health checks. A check either judges facts that are there already, or reads what a probe (probe.h) brought. To add
 * one: a file like node_condition.c and a line in registry.c. */
#ifndef MAH_CHECK_CHECK_H
#define MAH_CHECK_CHECK_H

#include "check/probe.h"
#include "conf/conf.h"
#include "core/snapshot.h"

/* Heartbeats: one entry per Lease of kube-node-lease, sorted by node. Ages are by our own clock: since when the same
 * renewTime has been seen (a kubelet's clock may be wrong). */
struct heartbeat {
	char node[NODE_NAME_BYTES];
	int64_t renewed;     /* renewTime in microseconds: compared for equality only */
	struct mono seen;    /* when this Lease was first listed */
	struct mono changed; /* when it was first seen with this renewTime; 0: it has not been seen to change yet */
};
struct heartbeats {
	bool is_fresh; /* listed lately and completely */
	struct mono listed;
	const struct heartbeat *list;
	size_t count;
};

/* What checks look at beside the node itself. Members may be NULL: then the checks that need them say unknown. */
struct check_facts {
	const struct snapshot *snapshot; /* machines, freshness of the views, now */
	const struct probes *probes;
	const struct heartbeats *heartbeats;
};

/* What a request is made of beside the configuration. */
struct probe_ask {
	const char *address;        /* of the node, ready for a URL: IPv6 in brackets */
	const struct tls_opts *tls; /* outlives the request */
	const char *token;          /* the service account's; NULL: there is none now */
	size_t path;                /* index among the endpoints: one request each, in order */
};

struct check_ops {
	const char *type; /* as in the configuration */
	/* Pure: facts in, finding out. *out may be NULL when only the health is wanted. `check` is the check's index
	 * among its role's. */
	enum health (*judge)(const struct conf_check *, size_t check, const struct check_facts *, const struct node *,
			     struct finding *out);
	/* What to ask the node, for checks that probe; NULL: it judges facts. False: it cannot be asked now, and
	 * finding->why says why. The request's texts live in the arena. */
	bool (*ask)(const struct conf_check *, const struct probe_ask *, struct arena *, struct http_request *out,
		    struct finding *finding);
	/* Reads the answer: health, symptom and why. Pure. The node is well when each of its paths is. */
	void (*hear)(const struct conf_check *, size_t path, const struct http_answer *, struct finding *out);
	bool has_paths; /* each of `endpoints` is asked for, not only the first */
};
extern const struct check_ops check_node_condition;
extern const struct check_ops check_endpoint;
extern const struct check_ops check_kubelet;
extern const struct check_ops check_node_lease;
extern const struct check_ops check_cloud_server;
extern const struct check_ops check_never_joined;
const struct check_ops *check_find(const char *type); /* NULL: unknown */

/* The configured checks as the core's judge wants them. */
struct checks;
struct checks *checks_new(const struct config *);
void checks_free(struct checks *);
/* Valid until the next call; to be given before each judging. */
void checks_observe(struct checks *, const struct check_facts *);
void checks_checker(const struct checks *, struct checker *out);
bool checks_need_heartbeats(const struct checks *);
bool checks_need_phantoms(const struct checks *); /* NeverJoined is configured */
bool checks_need_cloud(const struct checks *); /* a check looks at the servers: they are to be seen at each interval */

#endif
