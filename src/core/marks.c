#include "core/marks.h"

#include <string.h>

#include "base/mem.h"

static const struct mark table[] = {
	{ MARK_TAINT, "ToBeDeletedByClusterAutoscaler", NULL, "the cluster autoscaler", HOLD_AUTOSCALER, true },
	{ MARK_TAINT, "karpenter.sh/disrupted", NULL, "Karpenter", HOLD_AUTOSCALER, true },
	{ MARK_TAINT, "karpenter.sh/disruption", NULL, "Karpenter", HOLD_AUTOSCALER, true },
	{ MARK_TAINT, "aws-node-termination-handler/*", NULL, "the node termination handler", HOLD_AUTOSCALER, true },
	{ MARK_TAINT, "medik8s.io/remediation", NULL, "medik8s", HOLD_OTHER_HEALER, true },
	{ MARK_TAINT, "medik8s.io/drain", NULL, "the node maintenance operator", HOLD_OTHER_HEALER, true },
	{ MARK_TAINT, "node.kubernetes.io/out-of-service", NULL, "whoever declared it out of service",
	  HOLD_OTHER_HEALER, true },
	{ MARK_ANNOTATION, "weave.works/kured-reboot-in-progress", NULL, "kured", HOLD_UPGRADE, true },
	{ MARK_ANNOTATION, "flatcar-linux-update.v1.flatcar-linux.net/reboot-in-progress", NULL,
	  "the Flatcar update operator", HOLD_UPGRADE, true },
	{ MARK_ANNOTATION, "machineconfiguration.openshift.io/state", "Working", "the machine config operator",
	  HOLD_UPGRADE, true },
};

size_t marks_count(void)
{
	return COUNT(table);
}

const struct mark *marks(void)
{
	return table;
}

static bool key_fits(const char *pattern, struct str key)
{
	size_t n = strlen(pattern);
	if (n > 0 && pattern[n - 1] == '*')
		return key.n >= n - 1 && memcmp(key.p, pattern, n - 1) == 0;
	return str_eq(key, pattern);
}

static bool value_fits(const struct mark *mark, const char *value)
{
	if (mark->value != NULL)
		return strcmp(value, mark->value) == 0;
	return mark->where == MARK_TAINT || (value[0] != '\0' && strcmp(value, "false") != 0);
}

static bool is_on(const struct mark *mark, const struct node *node)
{
	for (size_t i = 0; mark->where == MARK_TAINT && i < node->taints_count; i++) {
		if (key_fits(mark->key, str_of(node->taints[i].key)) && value_fits(mark, node->taints[i].value))
			return true;
	}
	for (size_t i = 0; mark->where == MARK_ANNOTATION && i < node->annotations_count; i++) {
		if (key_fits(mark->key, str_of(node->annotations[i].key)) &&
		    value_fits(mark, node->annotations[i].value))
			return true;
	}
	return false;
}

const struct mark *mark_of_others(const struct node *node)
{
	if (node->taints_count == 0 && node->annotations_count == 0)
		return NULL;
	for (size_t i = 0; i < COUNT(table); i++) {
		if (is_on(&table[i], node))
			return &table[i];
	}
	return NULL;
}

bool mark_is_wanted(struct str key)
{
	if (key.n >= sizeof ANNOTATION_PREFIX - 1 &&
	    memcmp(key.p, ANNOTATION_PREFIX, sizeof ANNOTATION_PREFIX - 1) == 0)
		return !str_eq(key, ANNOTATION_CORDONED); /* which the node has as its cordon_mark */
	if (str_eq(key, ANNOTATION_CAPI_MACHINE))
		return true;
	for (size_t i = 0; i < COUNT(table); i++) {
		if (table[i].where == MARK_ANNOTATION && key_fits(table[i].key, key))
			return true;
	}
	return false;
}
