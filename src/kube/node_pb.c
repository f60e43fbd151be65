/* Node in protobuf → struct node. Field numbers: facts/kubernetes-api.md section 4. status.images and managedFields, 85
 * % of the bytes, are stepped over by their length. */
#include "kube/node_pb.h"

#include <assert.h>
#include <ctype.h>
#include <stdalign.h>
#include <string.h>

#include "base/pb.h"
#include "core/marks.h"
#include "kube/wire.h"

/* Labels that name the node group, best first: Magnum itself, then its Cluster API drivers. */
static const char *const group_labels[] = { "magnum.openstack.org/nodegroup", "capi.stackhpc.com/node-group",
					    "node.cluster.x-k8s.io/nodegroup" };
#define GROUP_LABELS_COUNT (sizeof group_labels / sizeof group_labels[0])

/* A string as it may be kept: without NUL bytes and not absurdly long; "" otherwise. */
static struct str kept(struct str text)
{
	bool is_usable = text.n <= NODE_TEXT_BYTES_MAX && (text.n == 0 || memchr(text.p, '\0', text.n) == NULL);
	return is_usable ? text : STR("");
}

struct label_reading {
	struct str groups[GROUP_LABELS_COUNT];
};

static void label_heard(struct node_view *view, struct label_reading *reading, struct str key, struct str value)
{
	if (str_eq(key, "node-role.kubernetes.io/master") || str_eq(key, "node-role.kubernetes.io/control-plane"))
		view->role = ROLE_MASTER;
	else if (str_eq(key, "topology.kubernetes.io/zone"))
		view->zone = kept(value);
	for (size_t i = 0; i < GROUP_LABELS_COUNT; i++) {
		if (str_eq(key, group_labels[i]))
			reading->groups[i] = kept(value);
	}
}

static bool is_wanted(const struct wanted_keys *keys, struct str key)
{
	if (mark_is_wanted(key))
		return true;
	for (size_t i = 0; i < keys->count; i++) {
		if (str_eq(key, keys->list[i]))
			return true;
	}
	return false;
}

/* Without NUL bytes, and cut at a character. What begins with a NUL is still a value: not none, and not "false". */
static struct str cut_value(struct str text)
{
	const char *nul = text.n > 0 ? memchr(text.p, '\0', text.n) : NULL;
	size_t n = nul != NULL ? (size_t)(nul - text.p) : text.n;
	if (n == 0)
		return nul != NULL ? STR("?") : STR("");
	if (n > NODE_ANNOTATION_BYTES_MAX) {
		n = NODE_ANNOTATION_BYTES_MAX;
		while (n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
			n--;
		n = n > 0 ? n : NODE_ANNOTATION_BYTES_MAX; /* no UTF-8 at all */
	}
	return (struct str){ text.p, n };
}

/* The larger stays when there are too many. */
static int weight_of(struct str key)
{
	size_t n = sizeof ANNOTATION_PREFIX - 1;
	if (str_eq(key, ANNOTATION_PAUSED))
		return 2;
	return key.n >= n && memcmp(key.p, ANNOTATION_PREFIX, n) == 0;
}

/* Where an annotation goes: to the one of its key, to a free place, or to that of a lesser one. NULL: nowhere. */
static struct annotation_view *annotation_place(struct node_view *view, struct str key)
{
	struct annotation_view *lightest = NULL;
	for (size_t i = 0; i < view->annotations_count; i++) {
		struct annotation_view *at = &view->annotations[i];
		if (str_same(at->key, key))
			return at;
		if (lightest == NULL || weight_of(at->key) <= weight_of(lightest->key))
			lightest = at;
	}
	if (view->annotations_count < NODE_ANNOTATIONS_MAX)
		return &view->annotations[view->annotations_count++];
	return weight_of(key) > weight_of(lightest->key) ? lightest : NULL;
}

static void annotation_heard(struct node_view *view, const struct wanted_keys *keys, struct str key, struct str value)
{
	if (str_eq(key, ANNOTATION_CORDONED)) {
		view->cordon_mark = kept(value);
		return;
	}
	/* Keys have at most 253 + 1 + 63 characters, and no NUL. */
	if (kept(key).n == 0 || !is_wanted(keys, key))
		return;
	struct annotation_view *place = annotation_place(view, key);
	if (place != NULL)
		*place = (struct annotation_view){ .key = key, .value = cut_value(value) };
}

static bool metadata_bytes(struct node_view *view, const struct wanted_keys *keys, struct label_reading *reading,
			   const struct pb_field *f)
{
	struct str key;
	struct str value;
	switch (f->number) {
	case 1:
		view->name = f->bytes;
		return true;
	case 5:
		view->uid = kept(f->bytes);
		return true;
	case 6:
		view->resource_version = kept(f->bytes);
		return true;
	case 8:
		return time_read(f->bytes, &view->created);
	case 9:
		return time_read(f->bytes, &view->deleted);
	case 11:
		if (!entry_read(f->bytes, &key, &value))
			return false;
		label_heard(view, reading, key, value);
		return true;
	case 12:
		if (!entry_read(f->bytes, &key, &value))
			return false;
		annotation_heard(view, keys, key, value);
		return true;
	default:
		return true;
	}
}

static bool metadata_read(struct node_view *view, const struct wanted_keys *keys, struct str message)
{
	struct label_reading reading = { 0 };
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (pb_is_bytes(&f) && !metadata_bytes(view, keys, &reading, &f))
			return false;
	}
	for (size_t i = 0; i < GROUP_LABELS_COUNT && view->group.n == 0; i++) {
		if (reading.groups[i].n > 0)
			view->group = reading.groups[i];
	}
	return !pb.is_bad;
}

static bool taint_read(struct node_view *view, struct str message)
{
	struct taint_view taint = { .key = STR(""), .value = STR(""), .effect = STR("") };
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			taint.key = kept(f.bytes);
		else if (f.number == 2 && pb_is_bytes(&f))
			taint.value = kept(f.bytes);
		else if (f.number == 3 && pb_is_bytes(&f))
			taint.effect = kept(f.bytes);
	}
	if (view->taints_count < NODE_TAINTS_MAX)
		view->taints[view->taints_count++] = taint;
	return !pb.is_bad;
}

static bool spec_read(struct node_view *view, struct str message)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 3 && pb_is_bytes(&f))
			view->provider_id = kept(f.bytes);
		else if (f.number == 4 && pb_is_varint(&f))
			view->is_cordoned = f.value != 0;
		else if (f.number == 5 && pb_is_bytes(&f) && !taint_read(view, f.bytes))
			return false;
	}
	return !pb.is_bad;
}

static bool condition_read(struct node_view *view, struct str message)
{
	struct condition_view condition = { .type = STR(""), .reason = STR(""), .status = STATUS_UNKNOWN };
	struct pb pb = pb_of(message);
	struct pb_field f;
	bool ok = true;
	while (ok && pb_next(&pb, &f)) {
		if (!pb_is_bytes(&f))
			continue;
		if (f.number == 1)
			condition.type = kept(f.bytes);
		else if (f.number == 2 && !status_parse(f.bytes, &condition.status))
			condition.status = STATUS_UNKNOWN;
		else if (f.number == 3)
			ok = time_read(f.bytes, &condition.heartbeat);
		else if (f.number == 4)
			ok = time_read(f.bytes, &condition.transition);
		else if (f.number == 5)
			condition.reason = kept(f.bytes);
	}
	if (view->conditions_count < NODE_CONDITIONS_MAX)
		view->conditions[view->conditions_count++] = condition;
	return ok && !pb.is_bad;
}

static bool address_read(struct node_view *view, struct str message)
{
	struct str type;
	struct str address;
	if (!entry_read(message, &type, &address)) /* NodeAddress has the shape of a map entry */
		return false;
	if (str_eq(type, "InternalIP") && view->internal_ip.n == 0)
		view->internal_ip = kept(address);
	return true;
}

static bool info_read(struct node_view *view, struct str message)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	while (pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			view->machine_id = kept(f.bytes);
		else if (f.number == 2 && pb_is_bytes(&f))
			view->system_uuid = kept(f.bytes);
		else if (f.number == 3 && pb_is_bytes(&f))
			view->boot_id = kept(f.bytes);
	}
	return !pb.is_bad;
}

static bool status_read(struct node_view *view, struct str message)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	bool ok = true;
	while (ok && pb_next(&pb, &f)) {
		if (f.number == 4 && pb_is_bytes(&f))
			ok = condition_read(view, f.bytes);
		else if (f.number == 5 && pb_is_bytes(&f))
			ok = address_read(view, f.bytes);
		else if (f.number == 7 && pb_is_bytes(&f))
			ok = info_read(view, f.bytes);
	}
	return ok && !pb.is_bad;
}

/* The API server lets only DNS subdomains through. Whatever else comes is not worth an URL. */
static bool is_node_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];
		if (!(isalnum(c) && c < 0x80) && c != '-' && c != '.')
			return false;
	}
	return name.n > 0 && name.n < NODE_NAME_BYTES && isalnum((unsigned char)name.p[0]);
}

bool node_view_read(struct str message, const struct wanted_keys *keys, struct node_view *out, struct err *err)
{
	struct pb pb = pb_of(message);
	struct pb_field f;
	bool ok = true;
	/* not the arrays: they are valid up to their counts only */
	memset(out, 0, offsetof(struct node_view, conditions));
	out->role = ROLE_WORKER;
	while (ok && pb_next(&pb, &f)) {
		if (f.number == 1 && pb_is_bytes(&f))
			ok = metadata_read(out, keys, f.bytes);
		else if (f.number == 2 && pb_is_bytes(&f))
			ok = spec_read(out, f.bytes);
		else if (f.number == 3 && pb_is_bytes(&f))
			ok = status_read(out, f.bytes);
	}
	if (!ok || pb.is_bad)
		return fail(err, ERR_REMOTE, "broken protobuf in a Node");
	if (out->name.n == 0)
		return fail(err, ERR_REMOTE, "a Node without a name");
	if (!is_node_name(out->name))
		return fail(err, ERR_REMOTE, "a Node whose name is not a DNS name of at most %d characters",
			    NODE_NAME_BYTES - 1);
	return true;
}

/* Lays strings behind each other in the block; with p NULL it only measures. */
struct layout {
	char *p;
	size_t used, bytes;
	struct intern *intern;
};

static const char *lay(struct layout *layout, struct str text)
{
	if (text.n == 0)
		return "";
	char *to = NULL;
	if (layout->p != NULL) {
		assert(layout->bytes - layout->used > text.n);
		to = layout->p + layout->used;
		memcpy(to, text.p, text.n);
		to[text.n] = '\0';
	}
	layout->used += text.n + 1;
	return to;
}

static const char *lay_shared(struct layout *layout, struct str text)
{
	const char *shared = intern_text(layout->intern, text);
	return shared != NULL ? shared : lay(layout, text);
}

static void lay_strings(struct layout *layout, const struct node_view *view, struct node *node)
{
	node->name = lay(layout, view->name);
	node->uid = lay(layout, view->uid);
	node->resource_version = lay(layout, view->resource_version);
	node->provider_id = lay(layout, view->provider_id);
	node->machine_id = lay(layout, view->machine_id);
	node->system_uuid = lay(layout, view->system_uuid);
	node->boot_id = lay(layout, view->boot_id);
	node->internal_ip = lay(layout, view->internal_ip);
	node->cordon_mark = lay(layout, view->cordon_mark);
	node->group = lay_shared(layout, view->group);
	node->zone = lay_shared(layout, view->zone);
}

static struct condition lay_condition(struct layout *layout, const struct condition_view *view)
{
	return (struct condition){ .type = lay_shared(layout, view->type),
				   .reason = lay_shared(layout, view->reason),
				   .status = view->status,
				   .transition = view->transition,
				   .heartbeat = view->heartbeat };
}

static struct taint lay_taint(struct layout *layout, const struct taint_view *view)
{
	return (struct taint){ .key = lay_shared(layout, view->key),
			       .value = lay_shared(layout, view->value),
			       .effect = lay_shared(layout, view->effect) };
}

/* The key is of a small set; a value is prose of a person, which would fill the table of shared strings for ever. */
static struct annotation lay_annotation(struct layout *layout, const struct annotation_view *view)
{
	return (struct annotation){ .key = lay_shared(layout, view->key), .value = lay(layout, view->value) };
}

static_assert(alignof(struct node) >= alignof(struct condition) && alignof(struct condition) >= alignof(struct taint) &&
		      alignof(struct taint) >= alignof(struct annotation),
	      "node, conditions, taints, annotations, strings: each may follow the one before");

static size_t head_bytes(const struct node_view *view)
{
	return sizeof(struct node) + view->conditions_count * sizeof(struct condition) +
	       view->taints_count * sizeof(struct taint) + view->annotations_count * sizeof(struct annotation);
}

size_t node_block_bytes(const struct node_view *view, struct intern *intern)
{
	struct node unused;
	struct layout layout = { .intern = intern, .used = head_bytes(view) };
	lay_strings(&layout, view, &unused);
	for (size_t i = 0; i < view->conditions_count; i++)
		(void)lay_condition(&layout, &view->conditions[i]);
	for (size_t i = 0; i < view->taints_count; i++)
		(void)lay_taint(&layout, &view->taints[i]);
	for (size_t i = 0; i < view->annotations_count; i++)
		(void)lay_annotation(&layout, &view->annotations[i]);
	return layout.used;
}

struct node *node_build(const struct node_view *view, struct intern *intern, void *block, size_t block_bytes)
{
	struct layout layout = { .p = block, .used = head_bytes(view), .bytes = block_bytes, .intern = intern };
	struct node *node = block;
	struct condition *conditions = (struct condition *)(node + 1);
	struct taint *taints = (struct taint *)(conditions + view->conditions_count);
	struct annotation *annotations = (struct annotation *)(taints + view->taints_count);
	assert(block_bytes >= layout.used);
	*node = (struct node){ .created = view->created,
			       .deleted = view->deleted,
			       .role = view->role,
			       .is_cordoned = view->is_cordoned,
			       .conditions_count = (uint16_t)view->conditions_count,
			       .taints_count = (uint16_t)view->taints_count,
			       .annotations_count = (uint16_t)view->annotations_count,
			       .conditions = conditions,
			       .taints = taints,
			       .annotations = annotations };
	lay_strings(&layout, view, node);
	for (size_t i = 0; i < view->conditions_count; i++)
		conditions[i] = lay_condition(&layout, &view->conditions[i]);
	for (size_t i = 0; i < view->taints_count; i++)
		taints[i] = lay_taint(&layout, &view->taints[i]);
	for (size_t i = 0; i < view->annotations_count; i++)
		annotations[i] = lay_annotation(&layout, &view->annotations[i]);
	return node;
}

static bool condition_differs(const struct condition *a, const struct condition_view *b)
{
	return a->status != b->status || a->transition.ms != b->transition.ms || !str_eq(b->type, a->type) ||
	       !str_eq(b->reason, a->reason);
}

static bool taint_differs(const struct taint *a, const struct taint_view *b)
{
	return !str_eq(b->key, a->key) || !str_eq(b->value, a->value) || !str_eq(b->effect, a->effect);
}

static bool annotation_differs(const struct annotation *a, const struct annotation_view *b)
{
	return !str_eq(b->key, a->key) || !str_eq(b->value, a->value);
}

static bool strings_differ(const struct node *node, const struct node_view *view)
{
	return !str_eq(view->name, node->name) || !str_eq(view->uid, node->uid) ||
	       !str_eq(view->provider_id, node->provider_id) || !str_eq(view->machine_id, node->machine_id) ||
	       !str_eq(view->system_uuid, node->system_uuid) || !str_eq(view->boot_id, node->boot_id) ||
	       !str_eq(view->internal_ip, node->internal_ip) || !str_eq(view->group, node->group) ||
	       !str_eq(view->zone, node->zone) || !str_eq(view->cordon_mark, node->cordon_mark);
}

bool node_differs(const struct node *node, const struct node_view *view)
{
	if (node->created.ms != view->created.ms || node->deleted.ms != view->deleted.ms || node->role != view->role ||
	    node->is_cordoned != view->is_cordoned || node->conditions_count != view->conditions_count ||
	    node->taints_count != view->taints_count || node->annotations_count != view->annotations_count ||
	    strings_differ(node, view))
		return true;
	for (size_t i = 0; i < view->conditions_count; i++) {
		if (condition_differs(&node->conditions[i], &view->conditions[i]))
			return true;
	}
	for (size_t i = 0; i < view->taints_count; i++) {
		if (taint_differs(&node->taints[i], &view->taints[i]))
			return true;
	}
	for (size_t i = 0; i < view->annotations_count; i++) {
		if (annotation_differs(&node->annotations[i], &view->annotations[i]))
			return true;
	}
	return false;
}
