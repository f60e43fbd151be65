/* One value of the configuration: from YAML into the field that its row of the schema names. */
#ifndef MAH_CONF_VALUE_H
#define MAH_CONF_VALUE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/schema.h"
#include "conf/yaml.h"

/* base: the struct that the row's offset counts from. Not for sections, checks and params. An empty text is as good as
 * none. False: a problem was added, and the field is as it was. */
bool value_read(struct conf_problems *, const struct schema_key *, const struct ynode *, void *base);
/* Reads the row's `initial`. */
void value_initial(const struct schema_key *, void *base);
/* Frees what value_read() made in the field. */
void value_free(const struct schema_key *, void *base);

#endif
