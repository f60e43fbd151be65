/* Replacing a master whose server a Heat stack owns (Magnum's Heat driver). See recipes_master.c. */
#ifndef MAH_CLOUD_RECIPES_MASTER_H
#define MAH_CLOUD_RECIPES_MASTER_H

#include "core/op.h"

extern const struct recipe recipe_replace_master;

#endif
