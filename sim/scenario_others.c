/* What other people and other programs do: it is theirs, and stays so (law L11); and the operator's switches (law L8).
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "core/switches.h"
#include "sim/laws_int.h"
#include "sim/scenario_int.h"

#define PERSONS_MINUTES_MAX 60
/* Left as it is: beyond every run. */
#define FOR_EVER_MS (1000 * HOUR)

static int64_t persons_time(struct run *run)
{
	return run_between(run, 3, PERSONS_MINUTES_MAX) * MINUTE;
}

/* People need the API as everybody does. */
static bool is_api_up(struct run *run)
{
	struct sim_etcd etcd;
	world_etcd(run->world, &etcd);
	bool is_any_well = false;
	run->masters_at.ms = 0; /* as it is now */
	masters_look(run);
	for (size_t i = 0; i < run->masters_count; i++)
		is_any_well = is_any_well || run->masters[i].is_endpoint_well;
	return etcd.has_quorum && is_any_well;
}

/* ---- people --------------------------------------------------------------------------------------------------------
 */

static void healing_off(struct run *run)
{
	if (scenario_has(run, END_LABEL, 0, NULL))
		return;
	run_trace(run, "operator: healing off");
	world_set_healing_label(run->world, false);
	laws_label_changed(run, false);
	scenario_ends(run, END_LABEL, 0, "", persons_time(run));
}

static void stops(struct run *run, const char *node)
{
	if (!scenario_may_break(run, false) || scenario_has(run, END_STOP, 0, node) ||
	    !world_person_stops(run->world, run->now, node))
		return;
	run_trace(run, "operator: stops the server of %s", node);
	run->scenario->broken = run->now.mono;
	scenario_ends(run, END_STOP, 0, node, rng_chance(&run->rng, 0.8) ? persons_time(run) : FOR_EVER_MS);
}

static void locks(struct run *run, const char *node)
{
	if (scenario_has(run, END_LOCK, 0, node) || !world_lock(run->world, node, true))
		return;
	run_trace(run, "operator: locks the server of %s", node);
	laws_lock(run, node, true);
	scenario_ends(run, END_LOCK, 0, node, rng_chance(&run->rng, 0.8) ? persons_time(run) : FOR_EVER_MS);
}

static void cordons(struct run *run, const char *node)
{
	if (scenario_has(run, END_CORDON, 0, node) || !world_cordon(run->world, run->now, node, true))
		return;
	run_trace(run, "operator: cordons %s", node);
	scenario_ends(run, END_CORDON, 0, node, rng_chance(&run->rng, 0.7) ? persons_time(run) : FOR_EVER_MS);
}

static void person_acts(struct run *run, const char *node)
{
	char volume[40];
	switch (rng_below(&run->rng, 7)) {
	case 0:
		healing_off(run);
		break;
	case 1:
		run_trace(run, "operator: updates the cluster");
		world_owner_updates(run->world, run->now, run_between(run, 1, 15) * MINUTE);
		break;
	case 2:
		cordons(run, node);
		break;
	case 3:
		stops(run, node);
		break;
	case 4:
		locks(run, node);
		break;
	case 5:
		if (world_person_migrates(run->world, run->now, node))
			run_trace(run, "operator: migrates the server of %s", node);
		break;
	default:
		if (world_attach_volume(run->world, node, volume))
			run_trace(run, "operator: attaches a volume to %s", node);
		break;
	}
}

/* ---- programs ------------------------------------------------------------------------------------------------------
 */

static void autoscaler_acts(struct run *run, const char *node)
{
	struct scenario *scenario = run->scenario;
	if (scenario->removed >= 2 || scenario->workers - scenario->removed <= 2 ||
	    !world_autoscaler_removes(run->world, run->now, node))
		return;
	scenario->removed++;
	run_trace(run, "autoscaler: removes %s", node);
}

static void other_healer_acts(struct run *run, const char *node)
{
	if (rng_chance(&run->rng, 0.5) && scenario_may_break(run, false)) {
		run_trace(run, "fault: kubelet of %s dies", node);
		(void)world_break_kubelet(run->world, run->now, node, CURE_REBOOT, 0);
		run->scenario->broken = run->now.mono;
	}
	if (world_other_healer(run->world, run->now, node))
		run_trace(run, "another healer works on %s", node);
}

void others_act(struct run *run)
{
	const char *node = scenario_node(run, false);
	uint64_t dice = rng_below(&run->rng, 100);
	if (node == NULL)
		return;
	if (dice < 60) {
		person_acts(run, node);
	} else if (dice < 72) {
		autoscaler_acts(run, node);
	} else if (dice < 88) {
		other_healer_acts(run, node);
	} else if (dice < 93 && !run->scenario->is_upgraded) {
		run->scenario->is_upgraded = true;
		run_trace(run, "operator: upgrades the workers");
		world_upgrade(run->world, run->now);
	} else {
		run_trace(run, "operator: revokes all tokens");
		world_revoke_tokens(run->world);
	}
}

/* ---- pauses --------------------------------------------------------------------------------------------------------
 */

static void annotate(struct run *run, const char *node)
{
	struct pause_truth pause = { .what = PAUSE_NODE, .is_annotation = true };
	char until[WALL_TEXT_BYTES];
	char value[120];
	int64_t for_ms = persons_time(run);
	switch (rng_below(&run->rng, 3)) {
	case 0:
		pause.until.ms = run->now.wall.ms + for_ms;
		(void)snprintf(value, sizeof value, "disk swap; until=%s", wall_format(pause.until, until));
		break;
	case 1:
		(void)snprintf(value, sizeof value, "under test");
		break;
	default: /* not understood: somebody meant to switch something off */
		(void)snprintf(value, sizeof value, "disk swap; until=next tuesday");
		break;
	}
	(void)TEXT_COPY(pause.name, node);
	if (scenario_has(run, END_ANNOTATION, 0, node) ||
	    !world_annotate(run->world, run->now, node, ANNOTATION_PAUSED, value))
		return;
	run_trace(run, "operator: annotates %s as paused: %s", node, value);
	laws_paused(run, &pause);
	if (pause.until.ms == 0 && rng_chance(&run->rng, 0.15))
		for_ms = FOR_EVER_MS;
	else if (pause.until.ms != 0)
		for_ms += 5 * MINUTE; /* the annotation stays, the pause is over */
	scenario_ends(run, END_ANNOTATION, 0, node, for_ms);
}

void others_pause(struct run *run)
{
	const char *node = scenario_node(run, rng_chance(&run->rng, 0.2));
	struct pause_truth pause = { 0 };
	if (node == NULL || scenario_has(run, END_PAUSES, 0, "") || !is_api_up(run))
		return;
	uint64_t dice = rng_below(&run->rng, 100);
	if (dice < 40) {
		annotate(run, node);
		return;
	}
	pause.what = dice < 60 ? PAUSE_CLUSTER : dice < 75 ? PAUSE_GROUP : PAUSE_NODE;
	if (pause.what == PAUSE_GROUP)
		(void)TEXT_COPY(pause.name, rng_chance(&run->rng, 0.8) ? "default-worker" : "extra");
	else if (pause.what == PAUSE_NODE)
		(void)TEXT_COPY(pause.name, node);
	pause.is_garbage = rng_chance(&run->rng, 0.1);
	int64_t for_ms = persons_time(run);
	if (!pause.is_garbage && rng_chance(&run->rng, 0.4))
		pause.until.ms = run->now.wall.ms + for_ms;
	char json[700];
	char text[WALL_TEXT_BYTES];
	int n = snprintf(json, sizeof json,
			 "[{\"what\":\"%s\",\"name\":\"%s\",\"reason\":\"maintenance\",\"by\":\"kim\"",
			 pause_what_name(pause.what), pause.name);
	if (pause.until.ms != 0)
		n += snprintf(json + n, sizeof json - (size_t)n, ",\"until\":\"%s\"", wall_format(pause.until, text));
	(void)snprintf(json + n, sizeof json - (size_t)n, "%s", pause.is_garbage ? "" : "}]"); /* cut short: garbage */
	run_trace(run, "operator: pauses %s", json);
	world_write_pauses(run->world, run->now, json);
	laws_paused(run, &pause);
	bool is_for_ever = pause.until.ms == 0 && rng_chance(&run->rng, 0.1);
	scenario_ends(run, END_PAUSES, 0, "", is_for_ever ? FOR_EVER_MS : for_ms + MINUTE);
}

/* ---- ends ----------------------------------------------------------------------------------------------------------
 */

void others_end(struct run *run, const struct end *end)
{
	bool needs_api = end->kind == END_CORDON || end->kind == END_PAUSES || end->kind == END_ANNOTATION;
	if (needs_api && !is_api_up(run)) {
		scenario_ends(run, end->kind, end->index, end->node, MINUTE);
		return;
	}
	if (end->kind == END_LABEL) {
		run_trace(run, "operator: healing on");
		world_set_healing_label(run->world, true);
		laws_label_changed(run, true);
	} else if (end->kind == END_LOCK) {
		run_trace(run, "operator: unlocks the server of %s", end->node);
		(void)world_lock(run->world, end->node, false);
		laws_lock(run, end->node, false);
	} else if (end->kind == END_STOP) {
		if (world_person_starts(run->world, run->now, end->node))
			run_trace(run, "operator: starts the server of %s", end->node);
	} else if (end->kind == END_CORDON) {
		run_trace(run, "operator: uncordons %s", end->node);
		(void)world_cordon(run->world, run->now, end->node, false);
	} else if (end->kind == END_PAUSES) {
		run_trace(run, "operator: ends the pauses");
		world_write_pauses(run->world, run->now, "");
		laws_unpaused(run, NULL);
	} else if (end->kind == END_ANNOTATION) {
		run_trace(run, "operator: ends the pause of %s", end->node);
		(void)world_annotate(run->world, run->now, end->node, ANNOTATION_PAUSED, NULL);
		laws_unpaused(run, end->node);
	}
}
