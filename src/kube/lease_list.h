/* The kubelets' Leases (namespace kube-node-lease), as one page of a listing: who renewed when. Only names and
 * renewTime are read. Pure. */
#ifndef MAH_KUBE_LEASE_LIST_H
#define MAH_KUBE_LEASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/http.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/facts.h"
#include "kube/split.h"

/* Protobuf is a third of the bytes; JSON is understood as well, because proxies may know nothing else. */
#define LEASES_ACCEPT "application/vnd.kubernetes.protobuf,application/json"

/* Kubernetes is built for 5,000 nodes; Leases of nodes that are gone may linger. */
#define LEASES_MAX 20000

struct lease_time {
	char node[NODE_NAME_BYTES];
	int64_t renewed; /* renewTime in microseconds since 1970; 0: none, or no time that RFC 3339 could write */
};

/* The Leases of a round, collected over its pages. */
struct lease_times {
	struct lease_time *list; /* malloc'd */
	size_t count, cap;
	char continue_token[SPLIT_CONTINUE_BYTES]; /* of the last page read; "": it was the last one */
};
void lease_times_done(struct lease_times *);

/* Where to ask for the next page; in the arena. */
const char *lease_times_path(struct arena *, const struct lease_times *);

/* Appends what the page (an answer of status 200) has. False: it is not a LeaseList, is broken, or there are more than
 * LEASES_MAX: then the round is not worth anything. A Lease whose name cannot be a node's is left out. */
bool lease_times_page(struct lease_times *, const struct http_answer *, struct err *err);

/* All pages are here: sorts by node. Of two entries of one name the later renewal counts. */
void lease_times_sort(struct lease_times *);

#endif
