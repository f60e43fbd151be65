/* Servers that never joined: of the cluster by their name, and no Node speaks for them. They are shown to the decision
 * as Nodes that are not there, so that checks, ladder and brakes need no second language for them.
 *
 * A server taken for one that never joined would be replaced although it works; one overlooked stays as it is. So any
 * sign of a Node counts: one of its three ids, its name with or without a domain, its address. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemon_int.h"

#define PHANTOMS_MAX 64 /* so many at once are no broken servers: nothing that is done one by one would help */

struct phantom {
	struct node node; /* first: what is freed as a node is this */
	char name[NODE_NAME_BYTES];
	char id[SERVER_ID_BYTES];
	char provider[SERVER_ID_BYTES + 16];
	char address[46];
	char group[GROUP_NAME_BYTES];
};

/* What the Nodes say of themselves. */
struct signs {
	bool *is_spoken_for; /* by id, for each machine */
	char **words;        /* sorted: short names in lower case, and addresses */
	size_t words_count;
};

/* Heat names the workers of Magnum's templates so: STACK-node-3, STACK-minion-3. Masters are no phantoms: whether one
 * that never joined may be touched is a question of etcd, which only a Node of it answers. */
static bool is_worker_of(const char *stack, const char *name)
{
	static const char *const kinds[] = { "-node-", "-minion-" };
	size_t n = strlen(stack);
	if (n == 0 || strncmp(name, stack, n) != 0)
		return false;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const char *number = name + n + strlen(kinds[i]);
		if (text_starts(name + n, kinds[i]) && *number != '\0' && number[strspn(number, "0123456789")] == '\0')
			return true;
	}
	return false;
}

/* Up to the first dot, in lower case: as kubelets register. An address keeps its dots. */
static char *word_of(struct arena *arena, const char *text, bool is_address)
{
	char *word = arena_strdup(arena, text);
	if (!is_address)
		word[strcspn(word, ".")] = '\0';
	for (char *c = word; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return word;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void speak(struct signs *signs, const struct snapshot *snapshot, const char *id)
{
	const struct machine *machine = snapshot_machine(snapshot, id);
	if (machine != NULL)
		signs->is_spoken_for[machine - snapshot->machines] = true;
}

static struct signs signs_of(const struct snapshot *snapshot, struct arena *arena)
{
	struct signs signs = { .is_spoken_for = arena_array(arena, bool, snapshot->machines_count + 1),
			       .words = arena_array(arena, char *, 2 * snapshot->nodes_count + 1) };
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		const char *slash = strrchr(node->provider_id, '/');
		speak(&signs, snapshot, slash != NULL ? slash + 1 : node->provider_id);
		speak(&signs, snapshot, node->system_uuid);
		speak(&signs, snapshot, node->machine_id);
		signs.words[signs.words_count++] = word_of(arena, node->name, false);
		if (node->internal_ip[0] != '\0')
			signs.words[signs.words_count++] = word_of(arena, node->internal_ip, true);
	}
	qsort(signs.words, signs.words_count, sizeof *signs.words, by_text);
	return signs;
}

static bool has_word(const struct signs *signs, const char *word)
{
	return bsearch(&word, signs->words, signs->words_count, sizeof *signs->words, by_text) != NULL;
}

static bool is_deleted(const struct machine *machine)
{
	return strcmp(machine->status, "DELETED") == 0 || strcmp(machine->status, "SOFT_DELETED") == 0;
}

static bool is_phantom(const struct snapshot *snapshot, const struct signs *signs, const struct machine *machine,
		       struct arena *arena)
{
	if (signs->is_spoken_for[machine - snapshot->machines] || is_deleted(machine) ||
	    !is_worker_of(snapshot->cluster->stack_name, machine->name) || strlen(machine->name) >= NODE_NAME_BYTES)
		return false;
	if (has_word(signs, word_of(arena, machine->name, false)))
		return false;
	for (size_t i = 0; i < COUNT(machine->addresses) && machine->addresses[i][0] != '\0'; i++) {
		if (has_word(signs, word_of(arena, machine->addresses[i], true)))
			return false;
	}
	return true;
}

/* The one group of workers whose servers the cluster's own stack makes; "" when that is not clear. */
static const char *group_of(const struct cluster_view *cluster)
{
	const char *name = "";
	for (size_t i = 0; i < cluster->groups_count; i++) {
		const struct group *group = &cluster->groups[i];
		bool is_own = group->stack_id[0] == '\0' || strcmp(group->stack_id, cluster->stack_id) == 0;
		if (group->role != ROLE_WORKER || !is_own)
			continue;
		if (name[0] != '\0')
			return "";
		name = group->name;
	}
	return name;
}

static struct node *phantom_new(const struct machine *machine, const char *group)
{
	struct phantom *phantom = xcalloc(1, sizeof *phantom);
	(void)TEXT_COPY(phantom->name, machine->name); /* its length was checked */
	(void)TEXT_COPY(phantom->id, machine->id);
	(void)TEXT_COPY(phantom->group, group);
	(void)TEXT_COPY(phantom->address, machine->addresses[0]);
	(void)snprintf(phantom->provider, sizeof phantom->provider, "openstack:///%s", machine->id);
	phantom->node = (struct node){
		.name = phantom->name,
		.uid = phantom->id,
		.resource_version = "",
		.provider_id = phantom->provider,
		.machine_id = "",
		.system_uuid = phantom->id,
		.boot_id = "",
		.internal_ip = phantom->address,
		.group = phantom->group,
		.zone = "",
		.cordon_mark = "",
		.created = machine->created,
		.role = ROLE_WORKER,
		.is_phantom = true,
	};
	return &phantom->node;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->name, (*(struct node *const *)b)->name);
}

/* Of two servers with one name nobody knows which is meant. It is told of, and names neither: nothing is done to it. */
static void share_name(struct node *node)
{
	node->uid = node->name; /* whichever of them was found first: the same story */
	node->provider_id = node->system_uuid = node->internal_ip = "";
}

/* One of each name; the first PHANTOMS_MAX. */
static void keep_some(struct daemon *daemon)
{
	struct node **list = daemon->phantoms;
	size_t kept = 0;
	for (size_t i = 0, next = 0; i < daemon->phantoms_count; i = next) {
		for (next = i + 1; next < daemon->phantoms_count && by_name(&list[i], &list[next]) == 0; next++)
			free(list[next]);
		if (next > i + 1)
			share_name(list[i]);
		if (kept < PHANTOMS_MAX)
			list[kept++] = list[i];
		else
			free(list[i]);
	}
	daemon->phantoms_count = kept;
}

/* A repair of it has ended since the listing began. */
static bool is_outdated(const struct daemon *daemon, const char *server)
{
	for (size_t i = 0; i < TOUCHED_KEPT; i++) {
		const struct touched *touched = &daemon->touched[i];
		if (touched->at.ms >= daemon->cluster->at.ms && touched->at.ms != 0 &&
		    strcmp(touched->server, server) == 0)
			return true;
	}
	return false;
}

static void find_phantoms(struct daemon *daemon, const struct snapshot *snapshot)
{
	struct signs signs = signs_of(snapshot, &daemon->arena);
	daemon->phantoms = xmalloc((snapshot->machines_count + 1) * sizeof *daemon->phantoms);
	for (size_t i = 0; i < snapshot->machines_count; i++) {
		if (!is_outdated(daemon, snapshot->machines[i].id) &&
		    is_phantom(snapshot, &signs, &snapshot->machines[i], &daemon->arena))
			daemon->phantoms[daemon->phantoms_count++] =
				phantom_new(&snapshot->machines[i], group_of(snapshot->cluster));
	}
	if (daemon->phantoms_count > 1)
		qsort(daemon->phantoms, daemon->phantoms_count, sizeof *daemon->phantoms, by_name);
	keep_some(daemon);
}

void phantoms_done(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->phantoms_count; i++)
		free(daemon->phantoms[i]);
	free(daemon->phantoms);
	daemon->phantoms = NULL;
	daemon->phantoms_count = 0;
	daemon->phantoms_seen = (struct mono){ 0 };
}

/* Both sorted by name. Where a Node has the name by now, it has joined. */
static void merge(struct daemon *daemon, struct snapshot *snapshot)
{
	size_t all = 0;
	size_t at = 0;
	daemon->nodes_and_phantoms =
		arena_array(&daemon->arena, const struct node *, snapshot->nodes_count + daemon->phantoms_count);
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		int order = -1;
		while (at < daemon->phantoms_count &&
		       (order = strcmp(daemon->phantoms[at]->name, snapshot->nodes[i]->name)) <= 0) {
			if (order < 0)
				daemon->nodes_and_phantoms[all++] = daemon->phantoms[at];
			at++;
		}
		daemon->nodes_and_phantoms[all++] = snapshot->nodes[i];
	}
	while (at < daemon->phantoms_count)
		daemon->nodes_and_phantoms[all++] = daemon->phantoms[at++];
	snapshot->nodes = daemon->nodes_and_phantoms;
	snapshot->nodes_count = all;
}

void phantoms_join(struct daemon *daemon, struct snapshot *snapshot)
{
	if (!snapshot->is_leader || !checks_need_phantoms(daemon->checks)) { /* a standby does not see the cloud */
		phantoms_done(daemon);
		return;
	}
	/* While one of the two views is stale, what was found in them stays: gone from sight is not gone, and the case
	 * of a server must not end because the cloud did not answer once. */
	uint64_t version = store_version(daemon->store);
	bool has_changed = daemon->phantoms_seen.ms != daemon->cluster->at.ms || daemon->phantoms_version != version;
	if (has_changed && snapshot->is_cloud_fresh && snapshot->is_nodes_fresh) {
		phantoms_done(daemon);
		find_phantoms(daemon, snapshot);
		daemon->phantoms_seen = daemon->cluster->at;
		daemon->phantoms_version = version;
	}
	if (daemon->phantoms_count > 0)
		merge(daemon, snapshot);
}
