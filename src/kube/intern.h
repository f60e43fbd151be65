/* Strings of which a cluster has few but repeats many (condition types, reasons, zones): each is kept once and lives as
 * long as the table. Bounded: what a remote can invent without end is not taken in. */
#ifndef MAH_KUBE_INTERN_H
#define MAH_KUBE_INTERN_H

#include <stddef.h>

#include "base/str.h"

#define INTERN_COUNT_MAX 4096 /* a cluster of 100,000 nodes needs about 50; beyond that somebody plays games */
#define INTERN_BYTES_MAX 256  /* of one string */

struct intern;
struct intern *intern_new(void);
void intern_free(struct intern *);
/* The kept copy of TEXT (taking it in if there is room), or NULL when it must be kept elsewhere. */
const char *intern_text(struct intern *, struct str text);
size_t intern_count(const struct intern *);

/* FNV-1a: for tables whose keys nobody gains by making collide. */
unsigned hash_bytes(struct str text);

#endif
