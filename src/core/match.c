#include "core/match.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool uuid_same(const char *a, const char *b)
{
	if (*a == '\0' || *b == '\0')
		return false;
	while (*a != '\0' || *b != '\0') {
		if (*a == '-') {
			a++;
		} else if (*b == '-') {
			b++;
		} else {
			if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
				return false;
			a++;
			b++;
		}
	}
	return true;
}

/* As Nova writes it: lower case, with dashes. False: not a UUID. */
static bool canonical(const char *id, char out[SERVER_ID_BYTES])
{
	size_t digits = 0;
	size_t n = 0;
	for (; *id != '\0'; id++) {
		if (*id == '-')
			continue;
		if (!isxdigit((unsigned char)*id) || digits == 32)
			return false;
		if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
			out[n++] = '-';
		out[n++] = (char)tolower((unsigned char)*id);
		digits++;
	}
	out[n] = '\0';
	return digits == 32;
}

static int by_id(const void *key, const void *machine)
{
	return strcmp(key, ((const struct machine *)machine)->id);
}

const struct machine *snapshot_machine(const struct snapshot *snapshot, const char *id)
{
	char wanted[SERVER_ID_BYTES];
	if (snapshot->machines_count == 0 || !canonical(id, wanted))
		return NULL;
	return bsearch(wanted, snapshot->machines, snapshot->machines_count, sizeof *snapshot->machines, by_id);
}

const struct node *snapshot_node(const struct snapshot *snapshot, const char *name)
{
	size_t low = 0;
	size_t high = snapshot->nodes_count;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(snapshot->nodes[mid]->name, name);
		if (order == 0)
			return snapshot->nodes[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static bool is_uuid(const char *text)
{
	size_t digits = 0;
	for (; *text != '\0'; text++) {
		if (isxdigit((unsigned char)*text))
			digits++;
		else if (*text != '-')
			return false;
	}
	return digits == 32;
}

/* openstack:///UUID, openstack://REGION/UUID, or the bare id of old clusters. */
static const char *provider_uuid(const char *provider_id)
{
	const char *slash = strrchr(provider_id, '/');
	const char *id = slash != NULL ? slash + 1 : provider_id;
	return is_uuid(id) ? id : "";
}

static bool agrees(const struct node *node, const struct machine *machine)
{
	if (strcmp(node->name, machine->name) == 0)
		return true;
	/* The kubelet may register under the host name, without or with a domain. */
	size_t n = strlen(node->name);
	size_t m = strlen(machine->name);
	if ((n > m && strncmp(node->name, machine->name, m) == 0 && node->name[m] == '.') ||
	    (m > n && strncmp(node->name, machine->name, n) == 0 && machine->name[n] == '.'))
		return true;
	for (size_t i = 0; i < sizeof machine->addresses / sizeof machine->addresses[0]; i++) {
		if (machine->addresses[i][0] != '\0' && strcmp(machine->addresses[i], node->internal_ip) == 0)
			return true;
	}
	return false;
}

static struct match found(const struct node *node, const struct machine *machine, enum match_how how)
{
	return (struct match){ .machine = machine, .how = how, .is_verified = agrees(node, machine) };
}

static struct match by_name(const struct snapshot *snapshot, const struct node *node)
{
	struct match match = { 0 };
	size_t same = 0;
	for (size_t i = 0; i < snapshot->machines_count; i++) {
		if (strcmp(snapshot->machines[i].name, node->name) == 0) {
			match = found(node, &snapshot->machines[i], MATCH_NAME);
			same++;
		}
	}
	return same == 1 ? match : (struct match){ 0 }; /* of two with one name, nobody knows which */
}

/* Here the kubelets name their servers: that of another node does. */
static bool is_system_uuid_told(const struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (!node->is_phantom && snapshot_machine(snapshot, node->system_uuid) != NULL)
			return true;
	}
	return false;
}

/* The kubelet's ids are those of a server that is gone, and this one is older than its last word: a server that was
 * replaced half-way and left behind, switched off. It is not the node's, although the Node keeps the providerID of its
 * first server, and Heat gives the same name again: nobody would ever start it. */
static bool is_left_behind(const struct snapshot *snapshot, const struct node *node, const struct machine *machine)
{
	const struct condition *ready = node_condition(node, "Ready");
	struct wall spoken = node->created;
	if (ready != NULL && ready->heartbeat.ms > spoken.ms)
		spoken = ready->heartbeat;
	bool is_older = machine->created.ms > 0 && machine->created.ms < spoken.ms;
	return strcmp(machine->status, "SHUTOFF") == 0 && is_older && is_uuid(node->system_uuid) &&
	       uuid_same(node->system_uuid, node->machine_id) && is_system_uuid_told(snapshot);
}

static struct match gone(const struct node *node)
{
	const char *provider = provider_uuid(node->provider_id);
	struct match match = { 0 };
	const char *missing = is_uuid(node->system_uuid) ? node->system_uuid : provider;
	if (provider[0] != '\0' && !uuid_same(provider, missing) && !uuid_same(node->system_uuid, node->machine_id))
		missing = provider; /* systemUUID is nobody's server id here (other hypervisors) */
	TEXT_COPY(match.missing, missing);
	return match;
}

struct match match_node(const struct snapshot *snapshot, const struct node *node)
{
	const char *provider = provider_uuid(node->provider_id);
	const struct machine *by_provider = provider[0] != '\0' ? snapshot_machine(snapshot, provider) : NULL;
	const struct machine *by_system = snapshot_machine(snapshot, node->system_uuid);
	const struct machine *by_machine = snapshot_machine(snapshot, node->machine_id);
	const struct machine *by_info = by_system != NULL ? by_system : by_machine;
	enum match_how info_how = by_system != NULL ? MATCH_SYSTEM_UUID : MATCH_MACHINE_ID;
	if (by_provider != NULL && by_info != NULL && by_provider != by_info && agrees(node, by_info))
		return found(node, by_info, info_how);
	if (by_provider != NULL && (by_info != NULL || !is_left_behind(snapshot, node, by_provider)))
		return found(node, by_provider, MATCH_PROVIDER_ID);
	if (by_info != NULL)
		return found(node, by_info, info_how);
	struct match match = by_name(snapshot, node);
	return match.machine != NULL && !is_left_behind(snapshot, node, match.machine) ? match : gone(node);
}
