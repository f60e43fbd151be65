/* The state of the simulated API server: Nodes, what kubelets and administrators do to them, and the controllers' part.
 *
 *   kubelet reports ──▶ Ready True ◀──────────────┐
 *        │ is_ready=false                         │ next report
 *        ▼                                        │
 *   Ready False, taint not-ready ── dies ──▶ grace_ms ──▶ Ready Unknown, taint unreachable:NoSchedule
 *                                                              └─ one node each 10 s ──▶ unreachable:NoExecute
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/jsonx.h"
#include "base/mem.h"
#include "sim/kube_impl.h"

#define EXECUTE_EVERY_MS (10 * SEC) /* the real controller's 0.1 nodes a second in a zone */
#define FRAME_BYTES_MAX (8U << 20)  /* a ConfigMap has at most 1 MiB, which escapes may double */

struct sim_kube *sim_kube_new(const struct sim_kube_opts *opts, struct now now)
{
	struct sim_kube *kube = xcalloc(1, sizeof *kube);
	kube->opts = *opts;
	kube->opts.token = NULL;
	kube->token = xstrdup(opts->token);
	kube->now = now;
	kube->rng.state = UINT64_C(0x6b7562656c6162);
	kube->rv = 100; /* a real one's first Node is never number 1 */
	kube->compacted_rv = kube->rv;
	kube->maps_compacted_rv = kube->rv;
	kube->silent_ms = NEVER;
	kube->date_s = -1;
	buf_init(&kube->frame_pb, FRAME_BYTES_MAX);
	buf_init(&kube->frame_json, FRAME_BYTES_MAX);
	buf_init(&kube->text, KUBE_BODY_BYTES_MAX * 2);
	return kube;
}

void sim_kube_free(struct sim_kube *kube)
{
	if (kube == NULL)
		return;
	for (size_t i = 0; i < kube->entries_count; i++)
		knode_unref(kube->entries[i].node);
	free(kube->entries);
	kube_watch_done(kube);
	kube_objects_done(kube);
	buf_done(&kube->frame_pb);
	buf_done(&kube->frame_json);
	buf_done(&kube->text);
	free(kube->token);
	free(kube);
}

void sim_kube_set_token(struct sim_kube *kube, const char *token)
{
	free(kube->token);
	kube->token = xstrdup(token);
}

void sim_kube_set_watch_list(struct sim_kube *kube, bool has_watch_list)
{
	kube->opts.has_watch_list = has_watch_list;
}

void kube_uid(struct sim_kube *kube, char out[40])
{
	uint64_t a = rng_next(&kube->rng);
	uint64_t b = rng_next(&kube->rng);
	(void)snprintf(out, 40, "%08x-%04x-4%03x-%04x-%012" PRIx64, (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
		       (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 48 & 0x3fff)), b & UINT64_C(0xffffffffffff));
}

/* ---- the table of nodes -------------------------------------------------------------------------------------------
 */

/* Where NAME is, or would be. */
static size_t place(const struct sim_kube *kube, const char *name, bool *out_is_there)
{
	size_t low = 0;
	size_t high = kube->entries_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(kube->entries[middle].node->name, name);
		if (order == 0) {
			*out_is_there = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*out_is_there = false;
	return low;
}

struct kentry *kube_find(const struct sim_kube *kube, const char *name)
{
	bool is_there = false;
	size_t at = place(kube, name, &is_there);
	return is_there ? &kube->entries[at] : NULL;
}

void kube_publish(struct sim_kube *kube, struct kentry *entry, struct knode *version, enum kevent_type type)
{
	version->rv = ++kube->rv;
	knode_unref(entry->node);
	entry->node = version;
	kube_watch_event(kube, type, version);
}

/* A place in the table for a version that is still to be published; the entry's node is NULL until then, so nothing
 * else may happen in between. */
static struct kentry *insert(struct sim_kube *kube, const char *name)
{
	bool is_there = false;
	size_t at = place(kube, name, &is_there);
	assert(!is_there);
	if (kube->entries_count == kube->entries_cap) {
		kube->entries_cap = kube->entries_cap > 0 ? kube->entries_cap * 2 : 16;
		kube->entries = xrealloc(kube->entries, kube->entries_cap * sizeof kube->entries[0]);
	}
	memmove(&kube->entries[at + 1], &kube->entries[at], (kube->entries_count - at) * sizeof kube->entries[0]);
	kube->entries_count++;
	kube->entries[at] = (struct kentry){ 0 };
	return &kube->entries[at];
}

static void stop_dying(struct sim_kube *kube, struct kentry *entry)
{
	if (entry->died_at.ms != 0 && entry->node->ready != KNODE_UNKNOWN)
		kube->dying_count--;
	entry->died_at = (struct mono){ 0 };
}

static void stop_awaiting(struct sim_kube *kube, struct kentry *entry)
{
	if (entry->awaits_execute)
		kube->awaiting_count--;
	entry->awaits_execute = false;
}

void kube_delete(struct sim_kube *kube, struct kentry *entry)
{
	struct knode *last = knode_copy(entry->node);
	stop_dying(kube, entry);
	stop_awaiting(kube, entry);
	knode_unref(entry->node);
	size_t at = (size_t)(entry - kube->entries);
	memmove(entry, entry + 1, (kube->entries_count - at - 1) * sizeof *entry);
	kube->entries_count--;
	last->rv = ++kube->rv;
	kube_watch_event(kube, KEVENT_DELETED, last);
	knode_unref(last);
}

/* ---- conditions and taints ----------------------------------------------------------------------------------------
 */

static void set_taint(struct knode *node, enum knode_taint taint, bool wanted, struct wall at)
{
	if (!wanted)
		node->taint_since[taint] = (struct wall){ 0 };
	else if (node->taint_since[taint].ms == 0)
		node->taint_since[taint] = at;
}

void kube_cordon_version(struct sim_kube *kube, struct knode *node, bool is_unschedulable)
{
	node->is_unschedulable = is_unschedulable;
	set_taint(node, KT_UNSCHEDULABLE, is_unschedulable, kube->now.wall);
}

static void note_ready(struct kentry *entry, bool is_ready, struct mono now)
{
	struct mono none = { 0 };
	if (is_ready != (entry->ready_since.ms != 0) || (entry->ready_since.ms == 0 && entry->unready_since.ms == 0)) {
		entry->ready_since = is_ready ? now : none;
		entry->unready_since = is_ready ? none : now;
		entry->ready_changes++;
	}
}

/* Brings a version's Ready and what hangs on it to READY. A NoExecute taint is only asked for. */
static void set_ready(struct sim_kube *kube, struct kentry *entry, struct knode *node, enum knode_ready ready,
		      struct now at)
{
	if (node->ready == ready)
		return;
	if (node->ready == KNODE_UNKNOWN || ready == KNODE_UNKNOWN)
		node->pressure_since = at.wall;
	node->ready = ready;
	node->ready_since = at.wall;
	note_ready(entry, ready == KNODE_READY, at.mono);
	set_taint(node, KT_UNREACHABLE, ready == KNODE_UNKNOWN, at.wall);
	set_taint(node, KT_NOT_READY, ready == KNODE_NOT_READY, at.wall);
	bool was_executing =
		node->taint_since[KT_UNREACHABLE_EXECUTE].ms != 0 || node->taint_since[KT_NOT_READY_EXECUTE].ms != 0;
	set_taint(node, KT_UNREACHABLE_EXECUTE, was_executing && ready == KNODE_UNKNOWN, at.wall);
	set_taint(node, KT_NOT_READY_EXECUTE, was_executing && ready == KNODE_NOT_READY, at.wall);
	stop_awaiting(kube, entry);
	if (ready != KNODE_READY && !was_executing) {
		entry->awaits_execute = true;
		kube->awaiting_count++;
	}
}

/* ---- kubelets -----------------------------------------------------------------------------------------------------
 */

json_t *kube_sorted(json_t *object)
{
	json_t *sorted = json_object();
	const char *last = NULL;
	for (size_t n = json_object_size(object); n > 0; n--) {
		const char *next = NULL;
		const char *key = NULL;
		json_t *value = NULL;
		json_object_foreach(object, key, value) {
			if ((last == NULL || strcmp(key, last) > 0) && (next == NULL || strcmp(key, next) < 0))
				next = key;
		}
		json_object_set(sorted, next, json_object_get(object, next));
		last = next;
	}
	json_decref(object);
	return sorted;
}

static json_t *labels_of(const struct sim_kubelet *kubelet)
{
	const char *role = kubelet->is_master ? "master" : "worker";
	const char *group = kubelet->node_group;
	if (group == NULL || group[0] == '\0')
		group = kubelet->is_master ? "default-master" : "default-worker";
	json_t *labels =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "kubernetes.io/arch", "amd64", "kubernetes.io/os",
			  "linux", "kubernetes.io/hostname", kubelet->name, "magnum.openstack.org/nodegroup", group,
			  "magnum.openstack.org/role", role, "node.kubernetes.io/instance-type", "m1.medium",
			  "topology.kubernetes.io/region", "RegionOne");
	assert(labels != NULL); /* a name that is not UTF-8 */
	if (kubelet->zone != NULL && kubelet->zone[0] != '\0')
		json_object_set_new(labels, "topology.kubernetes.io/zone", json_string(kubelet->zone));
	if (kubelet->is_master) {
		json_object_set_new(labels, "node-role.kubernetes.io/control-plane", json_string(""));
		json_object_set_new(labels, "node-role.kubernetes.io/master", json_string(""));
	}
	return kube_sorted(labels);
}

static struct knode *first_version(struct sim_kube *kube, const struct sim_kubelet *kubelet)
{
	struct knode *node = knode_new(kubelet->name);
	kube_uid(kube, node->uid);
	(void)snprintf(node->provider_id, sizeof node->provider_id, "openstack:///%s", kubelet->server_id);
	node->created = kube->now.wall;
	node->network_since = kube->now.wall;
	node->pressure_since = kube->now.wall;
	node->ready_since = kube->now.wall;
	node->ready = kubelet->is_ready ? KNODE_READY : KNODE_NOT_READY;
	set_taint(node, KT_NOT_READY, !kubelet->is_ready, kube->now.wall);
	json_decref(node->labels);
	node->labels = labels_of(kubelet);
	json_object_set_new(node->annotations, "volumes.kubernetes.io/controller-managed-attach-detach",
			    json_string("true"));
	return node;
}

static void take_report(struct sim_kube *kube, struct kentry *entry, struct knode *node,
			const struct sim_kubelet *kubelet)
{
	bool fits = TEXT_COPY(entry->server_id, kubelet->server_id) &&
		    TEXT_COPY(node->system_uuid, kubelet->server_id) && TEXT_COPY(node->boot_id, kubelet->boot_id) &&
		    TEXT_COPY(node->address, kubelet->address);
	assert(fits);
	size_t n = 0;
	for (const char *at = kubelet->server_id; *at != '\0' && n + 1 < sizeof node->machine_id; at++) {
		if (*at != '-')
			node->machine_id[n++] = *at;
	}
	node->machine_id[n] = '\0';
	const char *message = kubelet->message != NULL ? kubelet->message : "";
	(void)snprintf(node->message, sizeof node->message, "%s", kubelet->is_ready ? "" : message);
	node->heartbeat = kube->now.wall;
	entry->is_last_ready = kubelet->is_ready;
	set_ready(kube, entry, node, kubelet->is_ready ? KNODE_READY : KNODE_NOT_READY, kube->now);
}

void sim_kube_kubelet(struct sim_kube *kube, struct now now, const struct sim_kubelet *kubelet)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, kubelet->name);
	if (kube->is_down || (entry == NULL && !kubelet->is_boot))
		return;
	struct knode *version = NULL;
	enum kevent_type type = KEVENT_MODIFIED;
	if (entry != NULL) {
		if (entry->died_at.ms != 0)
			entry->alive_since = now.mono;
		stop_dying(kube, entry);
		version = knode_copy(entry->node);
	} else {
		type = KEVENT_ADDED;
		version = first_version(kube, kubelet);
		entry = insert(kube, kubelet->name);
		entry->alive_since = now.mono;
		note_ready(entry, kubelet->is_ready, now.mono);
	}
	take_report(kube, entry, version, kubelet);
	kube_publish(kube, entry, version, type);
}

/* A controller that starts anew takes the Node for heard of at that moment. */
static int64_t silent_at(const struct sim_kube *kube, const struct kentry *entry)
{
	bool is_anew = !kube->is_down && kube->up_at.ms > entry->died_at.ms;
	return (is_anew ? kube->up_at.ms : entry->died_at.ms) + kube->opts.grace_ms;
}

void sim_kube_kubelet_alive(struct sim_kube *kube, const char *name, bool alive, struct now now)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, name);
	if (entry == NULL || alive == (entry->died_at.ms == 0) || (alive && kube->is_down))
		return;
	if (!alive) {
		entry->died_at = now.mono.ms != 0 ? now.mono : (struct mono){ 1 };
		if (entry->node->ready == KNODE_UNKNOWN)
			return;
		kube->dying_count++;
		if (silent_at(kube, entry) < kube->silent_ms)
			kube->silent_ms = silent_at(kube, entry);
		return;
	}
	entry->alive_since = now.mono;
	bool was_unknown = entry->node->ready == KNODE_UNKNOWN;
	stop_dying(kube, entry);
	if (!was_unknown)
		return;
	struct knode *version = knode_copy(entry->node);
	version->heartbeat = now.wall;
	set_ready(kube, entry, version, entry->is_last_ready ? KNODE_READY : KNODE_NOT_READY, now);
	kube_publish(kube, entry, version, KEVENT_MODIFIED);
}

/* ---- controllers --------------------------------------------------------------------------------------------------
 */

static void mark_silent(struct sim_kube *kube)
{
	if (kube->now.mono.ms < kube->silent_ms)
		return;
	kube->silent_ms = NEVER;
	for (size_t i = 0; i < kube->entries_count && kube->dying_count > 0; i++) {
		struct kentry *entry = &kube->entries[i];
		int64_t due_ms = silent_at(kube, entry);
		if (entry->died_at.ms == 0 || entry->node->ready == KNODE_UNKNOWN)
			continue;
		if (due_ms > kube->now.mono.ms) {
			kube->silent_ms = due_ms < kube->silent_ms ? due_ms : kube->silent_ms;
			continue;
		}
		kube->dying_count--;
		int64_t late_ms = kube->now.mono.ms - due_ms;
		struct now then = { { due_ms }, { kube->now.wall.ms - late_ms } };
		struct knode *version = knode_copy(entry->node);
		set_ready(kube, entry, version, KNODE_UNKNOWN, then);
		kube_publish(kube, entry, version, KEVENT_MODIFIED);
	}
}

static void add_execute_taint(struct sim_kube *kube)
{
	if (kube->awaiting_count == 0 || kube->now.mono.ms < kube->execute_at.ms)
		return;
	for (size_t i = 0; i < kube->entries_count; i++) {
		struct kentry *entry = &kube->entries[i];
		if (!entry->awaits_execute)
			continue;
		stop_awaiting(kube, entry);
		kube->execute_at.ms = kube->now.mono.ms + EXECUTE_EVERY_MS;
		struct knode *version = knode_copy(entry->node);
		set_taint(version, version->ready == KNODE_UNKNOWN ? KT_UNREACHABLE_EXECUTE : KT_NOT_READY_EXECUTE,
			  true, kube->now.wall);
		kube_publish(kube, entry, version, KEVENT_MODIFIED);
		return;
	}
}

void sim_kube_advance(struct sim_kube *kube, struct now now)
{
	kube->now = now;
	if (kube->dying_count > 0 && !kube->is_down)
		mark_silent(kube);
	if (!kube->is_down)
		add_execute_taint(kube);
	kube_watch_advance(kube);
}

struct mono sim_kube_next(const struct sim_kube *kube)
{
	int64_t next_ms = kube_watch_next_ms(kube);
	if (kube->is_down)
		return (struct mono){ next_ms };
	if (kube->dying_count > 0 && kube->silent_ms < next_ms)
		next_ms = kube->silent_ms;
	if (kube->awaiting_count > 0 && kube->execute_at.ms < next_ms)
		next_ms = kube->execute_at.ms > kube->now.mono.ms ? kube->execute_at.ms : kube->now.mono.ms;
	return (struct mono){ next_ms };
}

void sim_kube_set_down(struct sim_kube *kube, struct now now, bool is_down)
{
	kube->now = now;
	if (is_down == kube->is_down)
		return;
	kube->is_down = is_down;
	if (is_down) {
		kube->down_at = now.mono;
		kube->up_at = (struct mono){ NEVER };
		sim_kube_drop_watches(kube, false);
		return;
	}
	kube->up_at = now.mono;
	kube->silent_ms = now.mono.ms; /* to be looked at anew */
}

/* ---- views and knobs ----------------------------------------------------------------------------------------------
 */

bool sim_kube_node_exists(const struct sim_kube *kube, const char *name)
{
	return kube_find(kube, name) != NULL;
}

struct mono sim_kube_unready_since(const struct sim_kube *kube, const char *name)
{
	const struct kentry *entry = kube_find(kube, name);
	return entry != NULL ? entry->unready_since : (struct mono){ 0 };
}

unsigned sim_kube_ready_changes(const struct sim_kube *kube, const char *name)
{
	const struct kentry *entry = kube_find(kube, name);
	return entry != NULL ? entry->ready_changes : 0;
}

struct mono sim_kube_ready_since(const struct sim_kube *kube, const char *name)
{
	const struct kentry *entry = kube_find(kube, name);
	return entry != NULL ? entry->ready_since : (struct mono){ 0 };
}

bool sim_kube_is_cordoned(const struct sim_kube *kube, const char *name, char *out_mark, size_t out_mark_bytes)
{
	const struct kentry *entry = kube_find(kube, name);
	if (entry == NULL || !entry->node->is_unschedulable)
		return false;
	const char *mark = json_string_value(json_object_get(entry->node->annotations, SIM_KUBE_MARK));
	if (out_mark != NULL)
		(void)text_copy(out_mark, out_mark_bytes, mark); /* too long: "" */
	return true;
}

void sim_kube_set_created(struct sim_kube *kube, const char *name, struct wall created)
{
	struct kentry *entry = kube_find(kube, name);
	if (entry == NULL)
		return;
	struct knode *version = knode_copy(entry->node);
	version->created = created;
	version->network_since = created;
	version->pressure_since = version->ready == KNODE_UNKNOWN ? version->pressure_since : created;
	if (version->ready == KNODE_READY)
		version->ready_since = created;
	kube_publish(kube, entry, version, KEVENT_MODIFIED);
}

const char *sim_kube_object(struct sim_kube *kube, const char *path)
{
	static const struct {
		const char *prefix, *collection;
		enum kobject_kind kind;
	} roots[] = {
		{ "/apis/coordination.k8s.io/v1/namespaces/", "leases", KOBJECT_LEASE },
		{ "/apis/events.k8s.io/v1/namespaces/", "events", KOBJECT_EVENT },
		{ "/api/v1/namespaces/", "configmaps", KOBJECT_CONFIGMAP },
	};
	char ns[64];
	char collection[64];
	char name[254];
	for (size_t i = 0; i < COUNT(roots); i++) {
		if (!text_starts(path, roots[i].prefix) ||
		    sscanf(path + strlen(roots[i].prefix), "%63[^/]/%63[^/]/%253[^/]", ns, collection, name) != 3 ||
		    !text_eq(collection, roots[i].collection))
			continue;
		const struct kobject *object = kube_object_find(kube, roots[i].kind, ns, name);
		buf_clear(&kube->text);
		if (object != NULL)
			(void)buf_json_doc(&kube->text, object->doc);
		return buf_cstr(&kube->text);
	}
	const struct kentry *entry =
		text_starts(path, "/api/v1/nodes/") ? kube_find(kube, path + strlen("/api/v1/nodes/")) : NULL;
	buf_clear(&kube->text);
	if (entry != NULL)
		knode_json(&kube->text, entry->node, true);
	return buf_cstr(&kube->text);
}
