/* One ConfigMap of which one key is read: the state ConfigMap with the operator's switches. A target for the reflector;
 * everything else in it (the journal, which may be large) is stepped over by its length. */
#ifndef MAH_KUBE_STATE_OBJECT_H
#define MAH_KUBE_STATE_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "kube/reflector.h"

#define STATE_TEXT_BYTES_MAX ((size_t)64 << 10)

struct state_object;
/* Of the ConfigMap NS/NAME the text under KEY, and whether it has anything under BESIDE. */
struct state_object *state_object_new(const char *ns, const char *name, const char *key, const char *beside);
void state_object_free(struct state_object *);
/* For reflector_new_for(); lives as long as the object. */
const struct reflector_target *state_object_target(const struct state_object *);

/* Decodes one ConfigMap (protobuf message, without envelope). One of another name is passed over: a proxy that does not
 * know field selectors sends them all. False: not a ConfigMap; nothing changed. */
bool state_object_put(struct state_object *, struct str configmap_pb, struct err *err);

bool state_object_exists(const struct state_object *);
bool state_object_has_beside(const struct state_object *);     /* the other key, whatever is under it */
const char *state_object_version(const struct state_object *); /* its resourceVersion, "" when there is none */
/* The text under the key; empty when there is none. A text beyond the limit is not there either, but does not go
 * unnoticed: see state_object_is_too_long(). Valid until the next change. */
struct str state_object_text(const struct state_object *);
bool state_object_is_too_long(const struct state_object *);
/* Grows whenever that text changes, or comes or goes. */
uint64_t state_object_changes(const struct state_object *);

#endif
