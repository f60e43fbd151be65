/* Which clouds there are. */
#include "base/str.h"
#include "cloud/provider.h"

static const struct provider_ops *const providers[] = { &provider_openstack };

const struct provider_ops *provider_find(const char *name)
{
	for (size_t i = 0; i < COUNT(providers); i++) {
		if (text_eq(providers[i]->name, name))
			return providers[i];
	}
	return NULL;
}
