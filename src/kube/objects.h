/* Small Kubernetes objects as JSON: written for our requests, read from answers. All pure; texts live in the arena. */
#ifndef MAH_KUBE_OBJECTS_H
#define MAH_KUBE_OBJECTS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "core/lease.h"

/* Merge patches of a Node; uid "" = no precondition. Content type PATCH_MERGE. */
#define PATCH_MERGE "application/merge-patch+json"
const char *patch_cordon(struct arena *, const char *uid, const char *case_id); /* unschedulable + our annotation */
const char *patch_uncordon(struct arena *, const char *uid);                    /* both away */
const char *patch_annotation(struct arena *, const char *uid, const char *key, const char *value); /* NULL: away */
const char *delete_node_body(struct arena *, const char *uid); /* DeleteOptions with preconditions */
const char *node_path(struct arena *, const char *name);       /* /api/v1/nodes/NAME?fieldManager=... */

/* Lease (coordination.k8s.io/v1). What was read is kept and edited, so that unknown fields survive. */
const char *lease_path(struct arena *, const char *ns, const char *name);
const char *leases_path(struct arena *, const char *ns);
bool lease_read(const json_t *object, struct lease_record *out, struct err *err);
const char *lease_body(struct arena *, const char *ns, const char *name,
		       const json_t *read_before /* or NULL: create */, const struct lease_record *);

/* ConfigMap with one data key: the whole of a new one, and the merge patch that writes the key and nothing else of one
 * that is there in just that version (409 if it is not). */
const char *configmap_path(struct arena *, const char *ns, const char *name);
const char *configmaps_path(struct arena *, const char *ns);
const char *configmap_body(struct arena *, const char *ns, const char *name, const char *key, const char *value);
const char *configmap_patch(struct arena *, const char *resource_version, const char *key, const char *value);

/* events.k8s.io/v1. */
struct event_text {
	const char *node, *node_uid;
	bool is_warning;
	const char *reason;   /* CamelCase, "NodeRebooted" */
	const char *action;   /* "Reboot" */
	const char *note;     /* cut to 1024 bytes at a character boundary */
	const char *instance; /* pod name */
	struct wall at;
	uint64_t unique; /* makes the object's name */
};
#define EVENTS_PATH "/apis/events.k8s.io/v1/namespaces/default/events"
const char *event_body(struct arena *, const struct event_text *);

/* An error answer's sentence: Status.message, or the plain text, or "HTTP 500". In the arena. */
const char *status_message(struct arena *, int status, const json_t *json, struct str body);

#endif
