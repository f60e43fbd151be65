/* What Nova and Magnum may say: every reader on any JSON document, and a whole round of the observer that is answered
 * with the parts of one document (an array of bodies). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonx.h"
#include "cloud/openstack/magnum.h"
#include "cloud/openstack/nova.h"
#include "cloud/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_alone(const json_t *json)
{
	struct machine m;
	struct cluster_view view = { 0 };
	char id[64];
	size_t n;
	if (nova_machine(json, &m))
		(void)nova_name_index(m.name, &n);
	(void)nova_machine(json_object_get(json, "server"), &m);
	(void)nova_has_next_page(json);
	if (nova_newest_action(json, id, sizeof id))
		(void)nova_acted_since(json, id, "reboot");
	struct power_act act;
	if (nova_newest_power(json, &act) && act.action[0] == '\0' && (act.user[0] != '\0' || act.at[0] != '\0'))
		abort();
	const char *volume = nova_data_volume(json);
	if (volume != NULL && !nova_has_volume(json, volume))
		abort();
	if (magnum_cluster_read(json, &view, NULL) && view.masters_count < 0)
		abort();
	if (magnum_groups_read(json, &view, NULL) && view.groups_count > GROUPS_MAX)
		abort();
}

static void observe(const json_t *bodies, struct arena *arena)
{
	struct observer *o = provider_openstack.observer_new("k8s", (struct mono){ 1 });
	struct err err;
	struct ask ask;
	size_t i = 0;
	enum observe what;
	while ((what = provider_openstack.observer_next(o, arena, &ask, &err)) == OBSERVE_ASK && i < 300) {
		const json_t *body =
			json_array_get(bodies, i < json_array_size(bodies) ? i : json_array_size(bodies) - 1);
		const char *location = json_text_or(body, "location", "");
		provider_openstack.observer_hear(o, &(struct answer){ .status = location[0] != '\0' ? 302 : 200,
								      .json = body,
								      .location = location });
		i++;
	}
	if (what == OBSERVE_ASK)
		abort(); /* it would never end */
	if (what == OBSERVE_DONE) {
		struct cluster_view view;
		struct machine *machines;
		size_t count;
		provider_openstack.observer_take(o, &view, &machines, &count);
		for (size_t k = 1; k < count; k++) {
			if (strcmp(machines[k - 1].id, machines[k].id) >= 0)
				abort();
		}
		free(machines);
	}
	provider_openstack.observer_free(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena;
	json_t *json = json_parse((struct str){ (const char *)data, size }, NULL);
	if (json == NULL)
		return 0;
	arena_init(&arena);
	read_alone(json);
	if (json_array_size(json) > 0)
		observe(json, &arena);
	arena_done(&arena);
	json_decref(json);
	return 0;
}
