/* Nova's part of OpenStack: questions and the reading of answers; nothing else. All texts live in the arena. */
#ifndef MAH_CLOUD_NOVA_H
#define MAH_CLOUD_NOVA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/mem.h"
#include "core/ask.h"
#include "core/facts.h"

#define NOVA_PAGE 1000 /* Nova's own limit by default; an operator may have set a lower one */

void nova_servers(struct arena *, const char *marker /* "" first page */, struct ask *out);
void nova_servers_named(struct arena *, const char *prefix, struct ask *out); /* names PREFIX + digits */
/* Those of exactly that name: a failed replacement leaves two. */
void nova_servers_called(struct arena *, const char *name, struct ask *out);
void nova_server(struct arena *, const char *id, struct ask *out);
void nova_action(struct arena *, const char *id, const char *body, struct ask *out);
void nova_actions(struct arena *, const char *id, struct ask *out); /* what was done to it */
void nova_attachments(struct arena *, const char *id, struct ask *out);
void nova_detach(struct arena *, const char *id, const char *volume, struct ask *out);

/* One server of a listing, or the member "server" of a GET. False: it has no usable id or status. Only fixed addresses.
 */
bool nova_machine(const json_t *server, struct machine *out);
bool nova_has_next_page(const json_t *page);
/* Not present any more, or only as a soft-deleted memory. */
bool nova_is_deleted(const struct machine *);

/* The newest entry of os-instance-actions; out "none" when there is none. False: this is not such a list. */
bool nova_newest_action(const json_t *list, char *out_request_id, size_t bytes);
/* Is there an ACTION that came after the one with this request id ("none": after nothing)? When the list no longer has
 * that one, any ACTION counts: rather believe an act too many than repeat it. */
bool nova_acted_since(const json_t *list, const char *request_id, const char *action);

/* The newest of the actions that change whether the guest runs: who did it, and when. "" where there is none, or it is
 * not told; no user: Nova itself, which found the guest so (a power failure, its host was rebooted). False: this is not
 * such a list. */
struct power_act {
	char action[24]; /* "stop", "start", "reboot", "evacuate", ... */
	char user[65];
	char at[32];
};
bool nova_newest_power(const json_t *list, struct power_act *out);

/* The first attached volume that is not the root disk; NULL: none. Borrowed. */
const char *nova_data_volume(const json_t *list);
bool nova_has_volume(const json_t *list, const char *volume);

/* "k8s-abc-node-12": index 12, *out_prefix_bytes the length of "k8s-abc-node-". -1: no digits at the end. */
int nova_name_index(const char *name, size_t *out_prefix_bytes);

#endif
