/* From plan to deeds: begins operations, walks them, ends them, and tells the operator. */
#include <assert.h>
#include <string.h>

#include "base/jsonx.h"
#include "daemon/daemon_int.h"

#define ACT_KUBE_TIMEOUT_MS (10 * SEC)
#define ACT_TIMEOUT_MS (10 * SEC)
#define CLOCK_SETTLE_MS (90 * SEC) /* after a jump of the clock nothing is begun for so long */
#define ASK_AGAIN_MS (1 * SEC)
#define JOURNAL_WAIT_MS (100 * MSEC)
#define TIDY_REFUSED_MS (60 * SEC)
#define TIDY_PAUSE_MS (5 * SEC) /* the watch has to tell of the uncordoning that has just been done */
#define FROZEN_MS (90 * SEC)    /* as core/history.c has it; a turn is due every minute at the latest */

void snapshot_take(struct daemon *daemon, struct snapshot *out)
{
	*out = (struct snapshot){
		.now = fair_now(daemon),
		.is_nodes_fresh = reflector_is_fresh(daemon->reflector, daemon->now),
		.machines = daemon->machines,
		.machines_count = daemon->machines_count,
		.is_cloud_fresh = cloud_is_fresh(daemon),
		.cluster = daemon->cluster,
		.checker = &daemon->checker,
		.is_leader = lease_leads(&daemon->lease, daemon->now.mono),
		.is_journal_safe = daemon->is_journal_loaded && daemon->is_journal_safe,
		.has_clock_jumped = daemon->jumped.ms != 0 && daemon->now.mono.ms - daemon->jumped.ms < CLOCK_SETTLE_MS,
		.switches = &daemon->switches,
		.is_switches_fresh = switch_is_fresh(daemon),
	};
	out->nodes = store_nodes(daemon->store, &out->nodes_count);
	out->is_api_troubled = reach_is_troubled(daemon, out->api_trouble, sizeof out->api_trouble);
	heartbeats_count(daemon, out, &out->leases_total, &out->leases_late);
	phantoms_join(daemon, out);
	daemon->facts =
		(struct check_facts){ .snapshot = out, .probes = daemon->probes, .heartbeats = &daemon->heartbeats };
	checks_observe(daemon->checks, &daemon->facts);
}

static bool can_repair_here(const void *ctx, enum rung rung, const struct node *node, const struct machine *machine,
			    const char **out_why)
{
	const struct daemon *daemon = ctx;
	return daemon->provider->repair(rung, &daemon->opts.config->policy, daemon->cluster, node, machine, out_why) !=
	       NULL;
}

/* ---- telling ------------------------------------------------------------------------------------------------------
 */

static void tell_hold(struct daemon *daemon, const struct line *line)
{
	struct record *record = history_find(&daemon->history, line->node->name);
	if (record == NULL || record->shown_hold == (int)line->hold || line->hold == HOLD_NONE ||
	    line->hold == HOLD_REPAIRING)
		return;
	record->shown_hold = (int)line->hold;
	LOG(daemon->opts.log, LOG_INFO, "decide", "held", { "node", line->node->name },
	    { "case", record->case_id[0] != '\0' ? record->case_id : NULL }, { "hold", hold_name(line->hold) },
	    { "why", hold_help(line->hold) }, { "detail", line->detail[0] != '\0' ? line->detail : NULL },
	    { "next", line->rung != RUNG_NONE ? rung_name(line->rung) : NULL }, { "witness", record->why });
	if (line->hold == HOLD_DURATION || line->hold == HOLD_STANDBY || !daemon->is_journal_safe)
		return;
	event_tell(daemon, line->node->name, line->node->uid, line->hold == HOLD_GIVEN_UP, "RepairHeld", "Hold",
		   "%s: %s%s%s%s", hold_name(line->hold), hold_help(line->hold), line->detail[0] != '\0' ? " (" : "",
		   line->detail, line->detail[0] != '\0' ? ")" : "");
}

static void tell_begin(struct daemon *daemon, const struct op *op, const struct record *record)
{
	LOG(daemon->opts.log, LOG_INFO, "repair", "begun", { "node", op->facts.node }, { "case", op->facts.case_id },
	    { "rung", rung_name(op->rung) }, { "server", op->facts.server },
	    { "check", record != NULL ? record->check : NULL }, { "witness", record != NULL ? record->why : NULL });
	event_tell(daemon, op->facts.node, op->facts.node_uid, true, "RepairStarted", rung_event(op->rung),
		   "%s of server %s: %s %s", rung_name(op->rung), op->facts.server, record != NULL ? record->check : "",
		   record != NULL ? record->why : "");
}

static void tell_end(struct daemon *daemon, const struct op *op)
{
	bool is_done = op->state == OP_DONE;
	LOG(daemon->opts.log, is_done ? LOG_INFO : LOG_WARN, "repair", op_state_name(op->state),
	    { "node", op->facts.node }, { "case", op->facts.case_id }, { "rung", rung_name(op->rung) },
	    { "step", op_step(op)->name }, { "server", op->facts.server },
	    { "newServer", op->facts.new_server[0] != '\0' ? op->facts.new_server : NULL },
	    { "why", op->note[0] != '\0' ? op->note : NULL });
	const char *reason = is_done ? "RepairSucceeded" : op->is_left ? "RepairLeft" : "RepairFailed";
	event_tell(daemon, op->facts.node, op->facts.node_uid, !is_done && !op->is_left, reason, rung_event(op->rung),
		   "%s of server %s %s%s%s", rung_name(op->rung), op->facts.server, op_state_name(op->state),
		   op->note[0] != '\0' ? ": " : "", op->note);
}

/* ---- beginning and ending ------------------------------------------------------------------------------------------
 */

/* By its case: a resize ends under another node's name. */
static struct record *record_of(struct daemon *daemon, const struct op *op)
{
	for (size_t i = 0; op->facts.case_id[0] != '\0' && i < daemon->history.count; i++) {
		if (strcmp(daemon->history.records[i].case_id, op->facts.case_id) == 0)
			return &daemon->history.records[i];
	}
	return history_find(&daemon->history, op->facts.node);
}

static void note_touched(struct daemon *daemon, const char *server)
{
	struct touched *touched = &daemon->touched[daemon->touched_count++ % TOUCHED_KEPT];
	*touched = (struct touched){ .at = daemon->now.mono };
	(void)TEXT_COPY(touched->server, server);
	daemon->phantoms_seen = (struct mono){ 0 }; /* to be looked for anew */
}

static void op_end(struct daemon *daemon, struct op *op)
{
	assert(op_is_over(op));
	call_cancel(daemon, op->call);
	struct record *record = record_of(daemon, op);
	tell_end(daemon, op);
	if (op->is_touched)
		note_touched(daemon, op->facts.server);
	if (record != NULL && op->rung != RUNG_UNCORDON) {
		history_ended(&daemon->history, record, &daemon->opts.config->policy, op, op->rung, daemon->now);
		record->shown_hold = HOLD_NONE;
		if (record->state == CASE_GIVEN_UP)
			event_tell(daemon, record->node, record->uid, true, "RepairGivenUp", rung_event(RUNG_GIVE_UP),
				   "%s (tried %s)", rung_help(RUNG_GIVE_UP), record->tried);
	}
	bool is_refused = op->rung == RUNG_UNCORDON && op->state != OP_DONE;
	ops_remove(&daemon->ops, op);
	daemon->tidy_due.ms = daemon->now.mono.ms + (is_refused ? TIDY_REFUSED_MS : TIDY_PAUSE_MS);
	daemon->dirty++;
}

/* What is to be done to whom. */
struct deed {
	enum rung rung, top;
	int64_t limit_ms;
	const struct node *node;
	const struct match *match;
	struct record *record; /* NULL: of no case */
};

static void op_begin(struct daemon *daemon, const struct recipe *recipe, const struct deed *deed)
{
	const struct node *node = deed->node;
	const struct match *match = deed->match;
	struct record *record = deed->record;
	struct op *op = ops_add(&daemon->ops);
	if (op == NULL)
		return; /* every slot is taken: the budget is far below that; next turn again */
	struct op_facts facts = { .is_worker = node->role == ROLE_WORKER, .ready_limit_ms = deed->limit_ms };
	(void)TEXT_COPY(facts.node, node->name);
	(void)TEXT_COPY(facts.node_uid, node->uid);
	(void)TEXT_COPY(facts.boot_id, node->boot_id);
	(void)TEXT_COPY(facts.machine_id, node->machine_id);
	(void)TEXT_COPY(facts.server, match->machine != NULL ? match->machine->id : match->missing);
	(void)TEXT_COPY(facts.server_name, match->machine != NULL ? match->machine->name : node->name);
	facts.may_have_stopped = record != NULL && record_has_stopped(record, facts.server);
	(void)TEXT_COPY(facts.case_id, record != NULL ? record->case_id : node->cordon_mark);
	(void)TEXT_COPY(facts.cluster, daemon->cluster->id);
	daemon->provider->facts(daemon->cluster, node, match->machine, &facts);
	op_init(op, recipe, &facts, fair_now(daemon));
	op->rung = deed->rung;
	if (record != NULL && deed->rung != RUNG_UNCORDON) {
		record->next_try.ms = 0;
		history_began(&daemon->history, record, deed->rung, deed->top, facts.server);
		record->shown_hold = HOLD_NONE;
	}
	op->changed = ++daemon->dirty;
	tell_begin(daemon, op, record);
}

static void act_on_line(struct daemon *daemon, const struct line *line)
{
	struct record *record = history_find(&daemon->history, line->node->name);
	const char *why = NULL;
	const struct recipe *recipe = daemon->provider->repair(line->rung, &daemon->opts.config->policy,
							       daemon->cluster, line->node, line->match.machine, &why);
	if (recipe != NULL && record != NULL)
		op_begin(daemon, recipe,
			 &(struct deed){ line->rung, line->top, line->limit_ms, line->node, &line->match, record });
}

/* Law L13: our cordon on a node that is fine is taken away, whoever of us put it there and whenever. */
static void tidy(struct daemon *daemon, const struct snapshot *snapshot)
{
	const struct policy *policy = &daemon->opts.config->policy;
	daemon->has_marks = false;
	for (size_t i = 0; i < snapshot->nodes_count && !daemon->has_marks; i++)
		daemon->has_marks = snapshot->nodes[i]->cordon_mark[0] != '\0';
	if (!daemon->has_marks || daemon->now.mono.ms < daemon->tidy_due.ms)
		return;
	if (brake_gate(snapshot, &daemon->history, policy, &daemon->ops, NULL) != HOLD_NONE)
		return;
	for (size_t i = 0; i < snapshot->nodes_count; i++) {
		const struct node *node = snapshot->nodes[i];
		if (node->cordon_mark[0] == '\0' || ops_of_node_const(&daemon->ops, node->name) != NULL ||
		    switches_is_paused(snapshot->switches, node, snapshot->now.wall))
			continue;
		const struct record *record = history_find(&daemon->history, node->name);
		if (record != NULL && record->is_bad_now)
			continue;
		const char *why = NULL;
		const struct recipe *recipe =
			daemon->provider->repair(RUNG_UNCORDON, policy, daemon->cluster, node, NULL, &why);
		struct match match = match_node(snapshot, node);
		if (recipe != NULL)
			op_begin(daemon, recipe,
				 &(struct deed){ RUNG_UNCORDON, RUNG_NONE, policy->rebuild_delay_after_reboot_ms, node,
						 &match, NULL });
	}
}

/* ---- walking -------------------------------------------------------------------------------------------------------
 */

static void hear_refusal(struct daemon *daemon, struct op *op, const struct err *why)
{
	op_hear(op, daemon->now, &daemon->rng, &(struct answer){ .why = *why, .location = "", .retry_after_ms = -1 });
}

static void ask_node(struct daemon *daemon, const struct snapshot *snapshot, struct op *op)
{
	const struct node *node = snapshot_node(snapshot, op->facts.node);
	struct answer answer = { .status = node != NULL ? 200 : 404,
				 .location = "",
				 .retry_after_ms = -1,
				 .node = node,
				 .is_view_fresh = snapshot->is_nodes_fresh };
	if (node != NULL) {
		struct match match = match_node(snapshot, node);
		answer.machine = match.is_verified ? match.machine : NULL;
	}
	op_hear(op, daemon->now, &daemon->rng, &answer);
}

/* Law L3, also for acts that may be repeated: the journal knows the op as it is now. */
static bool is_stored(struct daemon *daemon, const struct op *op)
{
	if (op->changed <= daemon->saved)
		return true;
	if (daemon->writing == 0)
		daemon->journal_due = daemon->now.mono;
	return false;
}

static void op_changed(struct daemon *daemon, struct op *op)
{
	op->changed = ++daemon->dirty;
}

static void ask_leaves(struct daemon *daemon, const struct snapshot *snapshot, struct op *op, const struct ask *ask)
{
	struct mono due = { daemon->now.mono.ms + ASK_AGAIN_MS };
	int64_t timeout_ms = ask->timeout_ms > 0 ? ask->timeout_ms : ACT_TIMEOUT_MS;
	if (ask->is_act &&
	    (brake_gate(snapshot, &daemon->history, &daemon->opts.config->policy, &daemon->ops, op) != HOLD_NONE ||
	     !lease_has_authority(&daemon->lease, daemon->now.mono, timeout_ms))) {
		op_unask(op, due);
		return;
	}
	if (ask->is_act && !op_step(op)->is_once && !is_stored(daemon, op)) {
		op_unask(op, (struct mono){ daemon->now.mono.ms + JOURNAL_WAIT_MS });
		return;
	}
	uint64_t id = 0;
	struct err err = { 0 };
	enum leave leave = LEAVE_LATER;
	if (ask->kind == ASK_CLOUD) {
		leave = cloud_start(daemon, OWN_OP, ask, &id, &due, &err);
	} else if (kube_start(daemon, OWN_OP, ask->method, ask->path, ask->content_type, ask->body,
			      ask->timeout_ms > 0 ? ask->timeout_ms : ACT_KUBE_TIMEOUT_MS, ask->is_act, &id)) {
		leave = LEAVE_LEFT;
	}
	switch (leave) {
	case LEAVE_LEFT:
		op->call = id;
		if (ask->is_act)
			op_left(op);
		LOG(daemon->opts.log, ask->is_act ? LOG_INFO : LOG_DEBUG, "repair", ask->is_act ? "act" : "look",
		    { "node", op->facts.node }, { "case", op->facts.case_id }, { "step", op_step(op)->name },
		    { "method", ask->method },
		    { "service", ask->kind == ASK_CLOUD ? service_name(ask->service) : "kubernetes" },
		    { "path", ask->path });
		break;
	case LEAVE_LATER:
		op_unask(op, due);
		break;
	case LEAVE_REFUSED:
		hear_refusal(daemon, op, &err);
		break;
	}
}

/* Counted for the hour with the intent of its first act, so that whoever leads next counts it too. */
static void count_repair(struct daemon *daemon, struct op *op)
{
	if (op->is_counted || !op->facts.is_worker || op->rung == RUNG_UNCORDON)
		return;
	op->is_counted = true;
	history_note_begun(&daemon->history, daemon->now.mono);
}

static void op_walk(struct daemon *daemon, const struct snapshot *snapshot, struct op *op)
{
	struct ask ask = { 0 };
	for (int i = 0; i < 8 && !op_is_over(op); i++) { /* questions to memory are answered at once */
		size_t at = op->at;
		bool was_sent = op->is_sent;
		bool may = ops_may_enter(&daemon->ops, op);
		bool is_asking = may && op_poll(op, daemon->now, &daemon->rng, &daemon->arena, &ask);
		if (!may) { /* its turn in the queue: the step's time has not begun */
			op->due.ms = daemon->now.mono.ms + ASK_AGAIN_MS;
			op->entered = daemon->now.mono;
		}
		if (is_asking && ask.kind == ASK_NODE)
			ask_node(daemon, snapshot, op);
		else if (is_asking)
			ask_leaves(daemon, snapshot, op, &ask);
		if (op->is_sent && !was_sent)
			count_repair(daemon, op);
		if (op->at != at || op->is_sent != was_sent)
			op_changed(daemon, op);
		if (!is_asking || ask.kind != ASK_NODE)
			return;
	}
}

void repair_heard(struct daemon *daemon, const struct call *call)
{
	struct op *op = NULL;
	for (size_t i = 0; i < daemon->ops.count; i++) {
		if (daemon->ops.list[i].call == call->id)
			op = &daemon->ops.list[i];
	}
	if (op == NULL || op->state != OP_WAITING)
		return; /* the ticket is torn */
	op->call = 0;
	struct ask ask = { 0 };
	op_step(op)->ask(op, &daemon->arena, &ask); /* pure: the same question as was asked */
	bool is_worth_repeating = false;
	if (ask.kind == ASK_CLOUD)
		is_worth_repeating = session_heard(daemon->session, &ask, &call->answer);
	else if (call->answer.status == 401)
		access_refused(daemon->access, daemon->now), is_worth_repeating = true;
	if (is_worth_repeating && op->reasked++ == 0) {
		op_unask(op, daemon->now.mono);
		return;
	}
	op->reasked = 0;
	CLEANUP(json_decrefp) json_t *json = call_json(call);
	struct answer answer = answer_of(call, json, &daemon->arena);
	size_t at = op->at;
	struct op_facts facts = op->facts;
	op_hear(op, daemon->now, &daemon->rng, &answer);
	if (op->at != at)
		LOG(daemon->opts.log, LOG_DEBUG, "repair", "step done", { "node", op->facts.node },
		    { "step", op->recipe->steps[at].name },
		    { "status", arena_printf(&daemon->arena, "%d", answer.status) });
	/* A poll that found nothing new is not worth a write; padding could only lead to a needless one. */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
	if (op->at != at || op_is_over(op) || memcmp(&facts, &op->facts, sizeof facts) != 0)
		op_changed(daemon, op);
}

static void ops_turn(struct daemon *daemon, const struct snapshot *snapshot)
{
	int64_t blind_ms =
		snapshot->is_nodes_fresh || daemon->walked.ms == 0 ? 0 : daemon->now.mono.ms - daemon->walked.ms;
	daemon->walked = daemon->now.mono;
	for (size_t i = daemon->ops.count; i-- > 0;) {
		struct op *op = &daemon->ops.list[i];
		if (blind_ms > 0)
			op_pause(op, blind_ms); /* what cannot be seen is not late */
		/* A repair ends when its reason ends; the uncordoning has none to end. */
		const char *why = op->rung == RUNG_UNCORDON
					  ? NULL
					  : brake_cancel(snapshot, &daemon->history, &daemon->opts.config->policy, op);
		if (why != NULL)
			(void)op_cancel(op, why); /* false: committed, it is finished instead */
		if (!daemon->is_stopping)
			op_walk(daemon, snapshot, op);
		(void)ops_may_enter(&daemon->ops, op); /* gives the lock back when it has left the exclusive steps */
		if (op_is_over(op))
			op_end(daemon, op);
	}
}

void repair_turn(struct daemon *daemon)
{
	struct snapshot snapshot;
	snapshot_take(daemon, &snapshot);
	uint64_t version = store_version(daemon->store);
	/* No turn for so long, although one is due every minute: a frozen process has seen nothing meanwhile. */
	if (daemon->history.observed.ms != 0 && daemon->now.mono.ms - daemon->history.observed.ms > FROZEN_MS)
		daemon->history.is_blind = true;
	bool is_quiet = version == daemon->judged_version && daemon->findings_version == daemon->judged_findings &&
			daemon->history.count == 0 && daemon->ops.count == 0 && !daemon->has_marks &&
			!(daemon->history.is_blind && snapshot.is_nodes_fresh);
	daemon->plan = (struct plan){ 0 };
	if (is_quiet) {
		if (snapshot.is_nodes_fresh && !daemon->history.is_blind)
			daemon->history.observed = daemon->now.mono;
		else if (!snapshot.is_nodes_fresh)
			daemon->history.is_blind = daemon->history.observed.ms != 0;
		return;
	}
	if (snapshot.is_nodes_fresh) {
		daemon->judged_version = version;
		daemon->judged_findings = daemon->findings_version;
	}
	/* A standby judges too, so that it can show what it sees; it forgets when it is elected. */
	const struct policy *policy = &daemon->opts.config->policy;
	history_observe(&daemon->history, &snapshot, policy, &daemon->ops, &daemon->rng);
	decide(&snapshot, &daemon->history, policy, &daemon->ops, can_repair_here, daemon, &daemon->arena,
	       &daemon->plan);
	history_note_outage(&daemon->history, &daemon->plan.outage, daemon->now.mono);
	for (size_t i = 0; i < daemon->plan.count && !daemon->is_stopping; i++) {
		if (daemon->plan.lines[i].hold == HOLD_NONE)
			act_on_line(daemon, &daemon->plan.lines[i]);
		else if (snapshot.is_leader)
			tell_hold(daemon, &daemon->plan.lines[i]);
	}
	if (!daemon->is_stopping)
		tidy(daemon, &snapshot);
	ops_turn(daemon, &snapshot);
}
