/* Which server is behind a node? */
#ifndef MAH_CORE_MATCH_H
#define MAH_CORE_MATCH_H

#include <stdbool.h>

#include "core/facts.h"
#include "core/snapshot.h"

/* Two UUIDs, with or without dashes, in any case. Empty texts are never the same. */
bool uuid_same(const char *a, const char *b);

enum match_how { MATCH_NONE, MATCH_PROVIDER_ID, MATCH_SYSTEM_UUID, MATCH_MACHINE_ID, MATCH_NAME };
struct match {
	const struct machine *machine; /* NULL: none of the cloud's servers */
	enum match_how how;
	bool is_verified; /* name or address agree */
	/* With machine NULL: the server id that the node names, "" if it names none that looks like one. In the
	 * node. A complete listing that lacks it means that the server is gone. */
	char missing[SERVER_ID_BYTES];
};

/* By providerID, then systemUUID, then machineID, then name; each verified by name or address. A server replaced in
 * place leaves the old providerID on its Node (it is immutable), so nodeInfo's word wins where both name servers of the
 * same name. */
struct match match_node(const struct snapshot *, const struct node *);

#endif
