/* A cloud, as the healer sees it: how to look at its servers, and which recipe repairs what. No sockets here: a
 * provider says what to ask and reads what comes back. To add a cloud, write one of these and list it in registry.c. */
#ifndef MAH_CLOUD_PROVIDER_H
#define MAH_CLOUD_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/ask.h"
#include "core/facts.h"
#include "core/op.h"
#include "core/policy.h"
#include "core/rung.h"

/* One round of questions about the whole cluster; ends in a complete view and the list of machines, or in an error. */
struct observer;
enum observe { OBSERVE_ASK /* *out is the next question */, OBSERVE_DONE, OBSERVE_FAILED /* err says why */ };

struct provider_ops {
	const char *name; /* "openstack" */
	/* A round: observer_new → (next → hear)* → take → free. */
	struct observer *(*observer_new)(const char *cluster_name, struct mono began);
	enum observe (*observer_next)(struct observer *, struct arena *, struct ask *out, struct err *err);
	void (*observer_hear)(struct observer *, const struct answer *);
	/* After OBSERVE_DONE: hands the results over; *out_machines is malloc'd, sorted by id, the caller's. */
	void (*observer_take)(struct observer *, struct cluster_view *out_view, struct machine **out_machines,
			      size_t *out_count);
	void (*observer_free)(struct observer *);

	/* The recipe for a rung; NULL: this cloud (or this node) cannot do that. *out_why (may be NULL) says why not.
	 */
	const struct recipe *(*repair)(enum rung, const struct policy *, const struct cluster_view *,
				       const struct node *, const struct machine *, const char **out_why);
	/* Fills the facts that the recipe needs beside node, server and case, which the caller has set. */
	void (*facts)(const struct cluster_view *, const struct node *, const struct machine *, struct op_facts *);
	/* Every recipe there is, for resuming by name; ends with NULL. */
	const struct recipe *const *recipes;
	/* The health report to the cluster service; false: there is none to make. */
	bool (*report)(const struct cluster_view *, bool is_healthy, const char *const *bad_nodes, size_t bad_count,
		       struct arena *, struct ask *out);
};
extern const struct provider_ops provider_openstack;
const struct provider_ops *provider_find(const char *name); /* NULL: unknown */

#endif
