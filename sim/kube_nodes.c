/* One Node over HTTP: GET, merge PATCH and DELETE, with their preconditions. Cordons and deletions are reported as
 * acts, the refused ones too. */
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube_impl.h"

#define ANNOTATIONS_BYTES_MAX (256U << 10) /* of all together, as the real one */
#define TAINTS_MAX 100

static void report(struct kcall *call, enum sim_act_kind kind, const char *name)
{
	const struct sim_kube_opts *opts = &call->kube->opts;
	const struct kentry *entry = kube_find(call->kube, name);
	if (opts->on_act == NULL)
		return;
	opts->on_act(opts->ctx, &(struct sim_act){ .kind = kind,
						   .at = call->kube->now.mono,
						   .client = call->request->client != NULL ? call->request->client : "",
						   .server = entry != NULL ? entry->server_id : "",
						   .node = name,
						   .status = call->out->status });
}

static void answer_node(struct kcall *call, const struct knode *node)
{
	kcall_header(call, 200, call->is_pb ? "application/vnd.kubernetes.protobuf" : "application/json");
	if (!call->is_pb) {
		knode_json(&call->out->body, node, true);
		return;
	}
	size_t envelope = pb_envelope_open(&call->out->body, "v1", "Node");
	knode_pb(&call->out->body, node);
	pb_envelope_close(&call->out->body, envelope);
}

/* ---- PATCH --------------------------------------------------------------------------------------------------------
 */

static const char *unknown_field(const json_t *body)
{
	static const struct {
		const char *at;
		const char *names[12];
	} known[] = {
		{ "", { "kind", "apiVersion", "metadata", "spec", "status" } },
		{ "metadata",
		  { "name", "uid", "resourceVersion", "labels", "annotations", "namespace", "generation",
		    "creationTimestamp", "managedFields", "finalizers", "ownerReferences" } },
		{ "spec", { "unschedulable", "taints", "providerID", "podCIDR", "podCIDRs" } },
	};
	for (size_t i = 0; i < COUNT(known); i++) {
		const char *key = NULL;
		json_t *value = NULL;
		json_object_foreach(json_at(body, known[i].at), key, value) {
			size_t n = 0;
			while (n < COUNT(known[i].names) && known[i].names[n] != NULL &&
			       strcmp(known[i].names[n], key) != 0)
				n++;
			if (n == COUNT(known[i].names) || known[i].names[n] == NULL)
				return key;
		}
	}
	return NULL;
}

/* Merges texts into one of the shared maps. NULL: a value is neither a text nor null. */
static json_t *merge_map(const json_t *old, const json_t *patch)
{
	json_t *merged = json_copy((json_t *)old);
	const char *key = NULL;
	json_t *value = NULL;
	json_object_foreach((json_t *)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(merged, key);
		} else if (json_is_string(value)) {
			json_object_set(merged, key, value);
		} else {
			json_decref(merged);
			return NULL;
		}
	}
	return kube_sorted(merged);
}

static bool patch_map(struct kcall *call, json_t **map, const json_t *metadata, const char *key, const char *name)
{
	const json_t *patch = json_object_get(metadata, key);
	if (patch == NULL)
		return true;
	json_t *merged = json_is_null(patch) ? json_object() : json_is_object(patch) ? merge_map(*map, patch) : NULL;
	if (merged == NULL) {
		kcall_invalid(call, "Node", name, "patch",
			      "json: cannot unmarshal into Go struct field of type string");
		return false;
	}
	json_decref(*map);
	*map = merged;
	size_t bytes = 0;
	const char *k = NULL;
	json_t *v = NULL;
	json_object_foreach(merged, k, v) {
		bytes += strlen(k) + json_string_length(v);
	}
	if (bytes <= ANNOTATIONS_BYTES_MAX)
		return true;
	kcall_invalid(call, "Node", name, "metadata.annotations", "Too long: may not be more than 262144 bytes");
	return false;
}

static bool patch_preconditions(struct kcall *call, const struct knode *node, const json_t *body)
{
	char rv[24];
	const char *uid = json_text(body, "metadata.uid");
	const char *version = json_text(body, "metadata.resourceVersion");
	const char *name = json_text(body, "metadata.name");
	const char *provider_id = json_text(body, "spec.providerID");
	(void)snprintf(rv, sizeof rv, "%llu", (unsigned long long)node->rv);
	if (uid != NULL && strcmp(uid, node->uid) != 0)
		kcall_invalid(call, "Node", node->name, "metadata.uid", "Invalid value: field is immutable");
	else if (name != NULL && strcmp(name, node->name) != 0)
		kcall_fail(call, 400, "BadRequest",
			   "the name of the object (%.200s) does not match the name on the URL (%.200s)", name,
			   node->name);
	else if (version != NULL && strcmp(version, rv) != 0)
		kcall_conflict(
			call, "", "nodes", node->name,
			"the object has been modified; please apply your changes to the latest version and try again");
	else if (provider_id != NULL && strcmp(provider_id, node->provider_id) != 0)
		kcall_invalid(call, "Node", node->name, "spec.providerID",
			      "Forbidden: node updates may not change providerID except from \"\" to valid");
	else
		return true;
	return false;
}

/* The whole list is replaced; the controllers' own taints stay, as they would put them back at once. */
static bool patch_taints(struct kcall *call, struct knode *node, const json_t *patch)
{
	if (patch == NULL)
		return true;
	json_t *kept = json_array();
	size_t i = 0;
	json_t *taint = NULL;
	bool is_list = json_is_null(patch) || (json_is_array(patch) && json_array_size(patch) <= TAINTS_MAX);
	json_array_foreach((json_t *)patch, i, taint) {
		const char *effect = json_text(taint, "effect");
		const char *key = json_text(taint, "key");
		if (key == NULL || effect == NULL ||
		    (strcmp(effect, "NoSchedule") != 0 && strcmp(effect, "NoExecute") != 0 &&
		     strcmp(effect, "PreferNoSchedule") != 0))
			is_list = false;
		else if (!knode_taint_is_ours(key))
			json_array_append(kept, taint);
	}
	json_decref(node->taints);
	node->taints = kept;
	if (!is_list)
		kcall_invalid(call, "Node", node->name, "spec.taints", "Unsupported value");
	return is_list;
}

/* Applies BODY to NODE, a version of its own. False: answered. */
static bool patch_apply(struct kcall *call, struct knode *node, const json_t *body)
{
	const json_t *unschedulable = json_at(body, "spec.unschedulable");
	const json_t *metadata = json_object_get(body, "metadata");
	const char *unknown = unknown_field(body);
	if (unknown != NULL && text_eq(kcall_param(call, "fieldValidation"), "Strict")) {
		kcall_invalid(call, "Node", node->name, "patch", "strict decoding error: unknown field");
		return false;
	}
	if (unknown != NULL && !text_eq(kcall_param(call, "fieldValidation"), "Ignore") &&
	    strpbrk(unknown, "\r\n") == NULL)
		(void)buf_printf(&call->out->headers, "warning: 299 - \"unknown field \\\"%.100s\\\"\"\n", unknown);
	if (unschedulable != NULL && !json_is_boolean(unschedulable) && !json_is_null(unschedulable)) {
		kcall_invalid(call, "Node", node->name, "patch",
			      "json: cannot unmarshal into Go struct field of type bool");
		return false;
	}
	if (!patch_preconditions(call, node, body) || !patch_taints(call, node, json_at(body, "spec.taints")) ||
	    !patch_map(call, &node->labels, metadata, "labels", node->name) ||
	    !patch_map(call, &node->annotations, metadata, "annotations", node->name))
		return false;
	if (unschedulable != NULL)
		kube_cordon_version(call->kube, node, json_is_true(unschedulable));
	return true;
}

static bool is_same(const struct knode *a, const struct knode *b)
{
	return a->is_unschedulable == b->is_unschedulable && json_equal(a->labels, b->labels) &&
	       json_equal(a->annotations, b->annotations) && json_equal(a->taints, b->taints);
}

static void patch_node(struct kcall *call, const char *name)
{
	json_t *body = kcall_body(call, "application/merge-patch+json");
	if (body == NULL)
		return;
	struct kentry *entry = kube_find(call->kube, name);
	struct knode *version = entry != NULL ? knode_copy(entry->node) : NULL;
	bool is_changed = false;
	if (entry == NULL)
		kcall_not_found(call, "", "nodes", name);
	else if (patch_apply(call, version, body))
		is_changed = !kcall_is_dry(call) && !is_same(version, entry->node);
	bool is_good = call->out->status == 0;
	if (is_good)
		call->out->status = 200; /* what the act will be answered with */
	const json_t *unschedulable = json_at(body, "spec.unschedulable");
	if (unschedulable != NULL && !kcall_is_dry(call))
		report(call, json_is_true(unschedulable) ? ACT_CORDON : ACT_UNCORDON, name);
	else if (json_at(body, "metadata.annotations") != NULL && !kcall_is_dry(call))
		report(call, ACT_ANNOTATE, name);
	if (is_changed)
		kube_publish(call->kube, entry, knode_ref(version), KEVENT_MODIFIED);
	if (is_good)
		answer_node(call, version);
	knode_unref(version);
	json_decref(body);
}

/* ---- DELETE -------------------------------------------------------------------------------------------------------
 */

static bool delete_preconditions(struct kcall *call, const struct knode *node, const json_t *options)
{
	char rv[24];
	char why[300];
	const char *uid = json_text(options, "preconditions.uid");
	const char *version = json_text(options, "preconditions.resourceVersion");
	(void)snprintf(rv, sizeof rv, "%llu", (unsigned long long)node->rv);
	if (uid != NULL && strcmp(uid, node->uid) != 0)
		(void)snprintf(why, sizeof why,
			       "Precondition failed: UID in precondition: %.60s, UID in object meta: %s", uid,
			       node->uid);
	else if (version != NULL && strcmp(version, rv) != 0)
		(void)snprintf(why, sizeof why,
			       "Precondition failed: ResourceVersion in precondition: %.60s, ResourceVersion in object "
			       "meta: %s",
			       version, rv);
	else
		return true;
	kcall_conflict(call, "", "nodes", node->name, why);
	return false;
}

static void delete_node(struct kcall *call, const char *name)
{
	json_t *options = NULL;
	if (call->request->body.n > 0 && (options = kcall_body(call, "application/json")) == NULL)
		return;
	/* The trap of the real one: with a body, the query's dryRun does not count. */
	bool is_dry = options != NULL ? json_count(options, "dryRun") > 0 : kcall_is_dry(call);
	struct kentry *entry = kube_find(call->kube, name);
	if (entry == NULL) {
		kcall_not_found(call, "", "nodes", name);
	} else if (delete_preconditions(call, entry->node, options)) {
		kcall_status(call,
			     &(struct kstatus){ .code = 200, .name = name, .kind = "nodes", .uid = entry->node->uid });
	}
	if (!is_dry)
		report(call, ACT_DELETE_NODE, name);
	if (call->out->status == 200 && !is_dry)
		kube_delete(call->kube, entry);
	json_decref(options);
}

void kube_nodes_call(struct kcall *call)
{
	const char *name = call->target.parts_count > 3 ? call->target.parts[3] : NULL;
	if (name == NULL) {
		kcall_fail(call, 405, "MethodNotAllowed",
			   "the server does not allow this method on the requested resource");
	} else if (kcall_is(call, "GET")) {
		const struct kentry *entry = kube_find(call->kube, name);
		if (entry != NULL)
			answer_node(call, entry->node);
		else
			kcall_not_found(call, "", "nodes", name);
	} else if (kcall_is(call, "PATCH")) {
		patch_node(call, name);
	} else if (kcall_is(call, "DELETE")) {
		delete_node(call, name);
	} else {
		kcall_fail(call, 405, "MethodNotAllowed",
			   "the server does not allow this method on the requested resource");
	}
}
