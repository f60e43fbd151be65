/* What people and programs that nobody watches do to the objects of the simulated API server. */
#include <string.h>

#include "base/jsonx.h"
#include "sim/kube_impl.h"

void sim_kube_cordon(struct sim_kube *kube, struct now now, const char *name, bool cordoned)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, name);
	if (entry == NULL || entry->node->is_unschedulable == cordoned)
		return;
	struct knode *version = knode_copy(entry->node);
	kube_cordon_version(kube, version, cordoned);
	kube_publish(kube, entry, version, KEVENT_MODIFIED);
}

bool sim_kube_annotate(struct sim_kube *kube, struct now now, const char *name, const char *key, const char *value)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, name);
	if (entry == NULL || kube->is_down)
		return false;
	const char *old = json_string_value(json_object_get(entry->node->annotations, key));
	if (old == NULL ? value == NULL : text_eq(old, value))
		return true;
	json_t *annotations = json_copy(entry->node->annotations);
	if (value != NULL)
		json_object_set_new(annotations, key, json_string(value));
	else
		json_object_del(annotations, key);
	struct knode *version = knode_copy(entry->node);
	json_decref(version->annotations);
	version->annotations = kube_sorted(annotations);
	kube_publish(kube, entry, version, KEVENT_MODIFIED);
	return true;
}

void sim_kube_taint(struct sim_kube *kube, struct now now, const char *name, const char *key, const char *value,
		    const char *effect)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, name);
	if (entry == NULL || kube->is_down)
		return;
	json_t *taints = json_array();
	size_t i = 0;
	json_t *taint = NULL;
	json_array_foreach(entry->node->taints, i, taint) {
		if (!text_eq(json_text(taint, "key"), key))
			json_array_append(taints, taint);
	}
	if (value != NULL) {
		char at[WALL_TEXT_BYTES];
		json_array_append_new(taints, json_pack("{s:s, s:s, s:s, s:s}", "key", key, "value", value, "effect",
							effect, "timeAdded", wall_format(now.wall, at)));
	}
	if (json_equal(taints, entry->node->taints)) {
		json_decref(taints);
		return;
	}
	struct knode *version = knode_copy(entry->node);
	json_decref(version->taints);
	version->taints = taints;
	kube_publish(kube, entry, version, KEVENT_MODIFIED);
}

void sim_kube_forget(struct sim_kube *kube, struct now now, const char *name)
{
	kube->now = now;
	struct kentry *entry = kube_find(kube, name);
	if (entry != NULL && !kube->is_down)
		kube_delete(kube, entry);
}
