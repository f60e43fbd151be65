/* Versions of a simulated Node and their JSON form. The protobuf form is in kube_pb.c. */
#include "sim/kube_node.h"

#include <assert.h>
#include <inttypes.h>

#include "base/jsonx.h"
#include "base/mem.h"

const struct knode_image knode_images[KNODE_IMAGES] = {
	{ "registry.k8s.io/kube-proxy@sha256:5c1a2b1bbcbdc8ad9b9b4c4a5ea8e0a3c5a7e4cd0a3d3ac9d1c0b4e6f0a1b2c3",
	  30214341 },
	{ "quay.io/calico/node:v3.28.2", 125811742 },
	{ "registry.k8s.io/pause:3.10", 320368 },
};

static const struct {
	const char *key, *effect;
} taints[KT_COUNT] = {
#define AS_KTAINT_ROW(id, key, effect) [id] = { key, effect },
	KNODE_TAINTS(AS_KTAINT_ROW)
};

const char *knode_taint_key(enum knode_taint taint)
{
	return taints[taint].key;
}

const char *knode_taint_effect(enum knode_taint taint)
{
	return taints[taint].effect;
}

bool knode_taint_is_ours(const char *key)
{
	for (int i = 0; i < KT_COUNT; i++) {
		if (text_eq(key, taints[i].key))
			return true;
	}
	return false;
}

struct knode *knode_new(const char *name)
{
	struct knode *node = xcalloc(1, sizeof *node);
	node->refs = 1;
	bool fits = TEXT_COPY(node->name, name);
	assert(fits && name[0] != '\0');
	node->labels = json_object();
	node->annotations = json_object();
	node->taints = json_array();
	return node;
}

struct knode *knode_copy(const struct knode *from)
{
	struct knode *node = xmalloc(sizeof *node);
	*node = *from;
	node->refs = 1;
	json_incref(node->labels);
	json_incref(node->annotations);
	json_incref(node->taints);
	return node;
}

struct knode *knode_ref(struct knode *node)
{
	node->refs++;
	return node;
}

void knode_unref(struct knode *node)
{
	if (node == NULL || --node->refs > 0)
		return;
	json_decref(node->labels);
	json_decref(node->annotations);
	json_decref(node->taints);
	free(node);
}

struct knode_condition knode_condition(const struct knode *node, int i)
{
	static const struct {
		const char *type, *reason, *message;
	} pressure[] = {
		{ "MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available" },
		{ "DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure" },
		{ "PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available" },
	};
	struct knode_condition c = { .heartbeat = node->heartbeat };
	if (i == 0) {
		c = (struct knode_condition){ "NetworkUnavailable", "False",
					      "CalicoIsUp",         "Calico is running on this node",
					      node->network_since,  node->network_since };
	} else if (i < KNODE_CONDITIONS - 1) {
		c.type = pressure[i - 1].type;
		c.status = "False";
		c.reason = pressure[i - 1].reason;
		c.message = pressure[i - 1].message;
		c.since = node->pressure_since;
	} else {
		bool is_ready = node->ready == KNODE_READY;
		c.type = "Ready";
		c.status = is_ready ? "True" : "False";
		c.reason = is_ready ? "KubeletReady" : "KubeletNotReady";
		c.message = is_ready ? "kubelet is posting ready status" : node->message;
		c.since = node->ready_since;
	}
	if (i > 0 && node->ready == KNODE_UNKNOWN) {
		c.status = "Unknown";
		c.reason = "NodeStatusUnknown";
		c.message = "Kubelet stopped posting node status.";
	}
	return c;
}

static void json_time(struct buf *out, const char *key, struct wall at)
{
	char text[WALL_TEXT_BYTES];
	(void)buf_printf(out, ",\"%s\":\"%s\"", key, wall_format(at, text));
}

static void json_metadata(struct buf *out, const struct knode *node)
{
	(void)buf_text(out, "\"metadata\":{\"name\":");
	(void)buf_json(out, node->name);
	(void)buf_printf(out, ",\"uid\":\"%s\",\"resourceVersion\":\"%" PRIu64 "\"", node->uid, node->rv);
	json_time(out, "creationTimestamp", node->created);
	(void)buf_text(out, ",\"labels\":");
	(void)buf_json_doc(out, node->labels);
	if (json_object_size(node->annotations) > 0) {
		(void)buf_text(out, ",\"annotations\":");
		(void)buf_json_doc(out, node->annotations);
	}
	(void)buf_text(out,
		       ",\"managedFields\":[{\"manager\":\"kubelet\",\"operation\":\"Update\",\"apiVersion\":\"v1\"");
	json_time(out, "time", node->created);
	(void)buf_text(out, ",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":" KNODE_MANAGED_FIELDS "}]}");
}

static void json_taints(struct buf *out, const struct knode *node)
{
	const char *before = ",\"taints\":[";
	size_t i = 0;
	json_t *foreign = NULL;
	json_array_foreach(node->taints, i, foreign) {
		(void)buf_text(out, before);
		(void)buf_json_doc(out, foreign);
		before = ",";
	}
	for (i = 0; i < KT_COUNT; i++) {
		if (node->taint_since[i].ms == 0)
			continue;
		(void)buf_printf(out, "%s{\"key\":\"%s\",\"effect\":\"%s\"", before, taints[i].key, taints[i].effect);
		json_time(out, "timeAdded", node->taint_since[i]);
		(void)buf_char(out, '}');
		before = ",";
	}
	if (before[1] == '\0')
		(void)buf_char(out, ']');
}

static void json_spec(struct buf *out, const struct knode *node)
{
	(void)buf_text(out,
		       ",\"spec\":{\"podCIDR\":\"10.100.0.0/24\",\"podCIDRs\":[\"10.100.0.0/24\"],\"providerID\":");
	(void)buf_json(out, node->provider_id);
	if (node->is_unschedulable)
		(void)buf_text(out, ",\"unschedulable\":true");
	json_taints(out, node);
	(void)buf_char(out, '}');
}

static void json_conditions(struct buf *out, const struct knode *node)
{
	(void)buf_text(out, ",\"conditions\":[");
	for (int i = 0; i < KNODE_CONDITIONS; i++) {
		struct knode_condition c = knode_condition(node, i);
		(void)buf_printf(out, "%s{\"type\":\"%s\",\"status\":\"%s\"", i > 0 ? "," : "", c.type, c.status);
		json_time(out, "lastHeartbeatTime", c.heartbeat);
		json_time(out, "lastTransitionTime", c.since);
		(void)buf_printf(out, ",\"reason\":\"%s\",\"message\":", c.reason);
		(void)buf_json(out, c.message);
		(void)buf_char(out, '}');
	}
	(void)buf_char(out, ']');
}

static void json_status(struct buf *out, const struct knode *node)
{
	(void)buf_text(out, ",\"status\":{\"capacity\":{\"cpu\":\"4\",\"memory\":\"8144364Ki\",\"pods\":\"110\"}");
	json_conditions(out, node);
	(void)buf_text(out, ",\"addresses\":[{\"type\":\"InternalIP\",\"address\":");
	(void)buf_json(out, node->address);
	(void)buf_text(out, "},{\"type\":\"Hostname\",\"address\":");
	(void)buf_json(out, node->name);
	(void)buf_text(out,
		       "}],\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":10250}},\"nodeInfo\":{\"machineID\":");
	(void)buf_json(out, node->machine_id);
	(void)buf_text(out, ",\"systemUUID\":");
	(void)buf_json(out, node->system_uuid);
	(void)buf_text(out, ",\"bootID\":");
	(void)buf_json(out, node->boot_id);
	(void)buf_text(out, ",\"kernelVersion\":\"" KNODE_KERNEL "\",\"osImage\":\"" KNODE_OS
			    "\",\"containerRuntimeVersion\":\"" KNODE_RUNTIME "\",\"kubeletVersion\":\"" KNODE_VERSION
			    "\",\"kubeProxyVersion\":\"\",\"operatingSystem\":\"linux\",\"architecture\":\"amd64\"}"
			    ",\"images\":[");
	for (int i = 0; i < KNODE_IMAGES; i++)
		(void)buf_printf(out, "%s{\"names\":[\"%s\"],\"sizeBytes\":%" PRId64 "}", i > 0 ? "," : "",
				 knode_images[i].name, knode_images[i].bytes);
	(void)buf_text(out, "]}}");
}

void knode_json(struct buf *out, const struct knode *node, bool with_kind)
{
	(void)buf_text(out, with_kind ? "{\"kind\":\"Node\",\"apiVersion\":\"v1\"," : "{");
	json_metadata(out, node);
	json_spec(out, node);
	json_status(out, node);
}
