/* The Nodes of the cluster, kept sorted by name. Fed by the reflector, read by the decision. */
#ifndef MAH_KUBE_STORE_H
#define MAH_KUBE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "core/facts.h"

struct store;
struct store *store_new(void);
void store_free(struct store *);

/* Nodes keep this annotation too, beside those that mark_is_wanted() asks for. Before the first store_put(); a key that
 * is wanted already is not taken twice, and more than a few dozen different ones are a mistake of the caller. */
void store_want(struct store *, const char *key);

/* Decodes one Node (protobuf message, without envelope) and takes it in, replacing the one of that name. Bytes that are
 * not a Node: false, nothing changed. *out_changed (may be NULL): anything but heartbeats and resourceVersion moved. */
bool store_put(struct store *, struct str node_pb, bool *out_changed, struct err *err);
bool store_delete(struct store *, const char *name);
/* Around a full listing: what was not put between begin and end is gone. A listing that fails is abandoned: nothing is
 * swept (an incomplete list is not the truth). */
void store_list_begin(struct store *);
void store_list_end(struct store *);
void store_list_abandon(struct store *);

/* Sorted by name; valid until the next change. */
const struct node *const *store_nodes(const struct store *, size_t *out_count);
const struct node *store_find(const struct store *, const char *name);
/* Grows with each change that could matter to a decision (heartbeats alone do not count). */
uint64_t store_version(const struct store *);

#endif
