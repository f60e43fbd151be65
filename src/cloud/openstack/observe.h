/* One round of questions to OpenStack: the cluster, its node groups, its stack, all servers of the project. */
#ifndef MAH_CLOUD_OBSERVE_H
#define MAH_CLOUD_OBSERVE_H

#include "cloud/provider.h"

struct observer *openstack_observer_new(const char *cluster_name, struct mono began);
enum observe openstack_observer_next(struct observer *, struct arena *, struct ask *out, struct err *err);
void openstack_observer_hear(struct observer *, const struct answer *);
void openstack_observer_take(struct observer *, struct cluster_view *out_view, struct machine **out_machines,
			     size_t *out_count);
void openstack_observer_free(struct observer *);

#endif
