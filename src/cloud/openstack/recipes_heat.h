/* Repairs of nodes whose servers Nova runs and a Heat stack owns (Magnum's Heat driver). See recipes_heat.c. */
#ifndef MAH_CLOUD_RECIPES_HEAT_H
#define MAH_CLOUD_RECIPES_HEAT_H

#include "core/op.h"

extern const struct recipe recipe_start;
extern const struct recipe recipe_soft_reboot;
extern const struct recipe recipe_hard_reboot;
extern const struct recipe recipe_replace_in_place;
extern const struct recipe recipe_replace_by_resize;

#endif
