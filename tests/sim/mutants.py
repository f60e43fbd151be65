#!/usr/bin/env python3
"""A law that no mutation of the program can break is not tested. This takes a guard away, builds, and lets the simulation
find out: every mutant must be killed by a violated law within some seeds. Guards against what the simulated world does not
have (a MachineHealthCheck), or that another guard stands behind, so that only many more seeds would tell, are killed by the
unit test that is named.

  mutants.py [--seeds 300] [--jobs 2] [NAME ...]     all of them, or those named; prints the table, exit 1 if one lives
  mutants.py --check                                 only: is every text there exactly once?

Each mutant is one or more replacements of exact text; a text that is not found is an error, so that the list keeps in
step with the code.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# name, the law that should find it, [(file, text, replacement)]
MUTANTS = [
    ("no-journal-before-act", "L3", [
        ("src/core/op.c", "\t\tif (op->needs_journal)\n\t\t\treturn false;\n", "\t\top->needs_journal = false;\n")]),
    ("journal-not-written", "L3", [
        ("src/daemon/journal_io.c", "\tdaemon->writing = ++daemon->writes;\n",
         "\tdaemon->writing = ++daemon->writes;\n\tfor (size_t i = 0; i < daemon->ops.count; i++)\n"
         "\t\top_journalled(&daemon->ops.list[i]);\n")]),
    ("facts-not-stored-before-act", "L3", [
        ("src/daemon/repair.c", "\tif (op->changed <= daemon->saved)\n\t\treturn true;\n", "\treturn true;\n")]),
    ("no-look-before-reboot", "L4", [
        ("src/core/op.c", "\tenter(op, step_index(op->recipe, step->look), now.mono,\n\t      "
         "pause_ms > OP_LOST_PAUSE_MS ? pause_ms : OP_LOST_PAUSE_MS);\n",
         "\tenter(op, op->at, now.mono, pause_ms > OP_LOST_PAUSE_MS ? pause_ms : OP_LOST_PAUSE_MS);\n")]),
    ("no-look-before-resize", "L4", [
        ("src/cloud/openstack/recipes_heat.c",
         "\tbool is_first = op->facts.baseline[0] == '\\0';\n\tif (status_is_busy(cluster.status))\n"
         "\t\treturn op_goto(op, is_first ? \"stack-idle\" : \"wait-settled\");\n",
         "\tbool is_first = true;\n")]),
    ("acts-on-reused-connections", "L4", [
        ("src/daemon/cloud_side.c", "\t\trequest.is_once = true;\n", "\t\trequest.is_once = false;\n")]),
    ("no-storm-brake", "L7", [
        ("src/core/outage.c", "\tif (bad > limit_of(policy->storm_threshold, grown))\n", "\tif (bad > 1000 + grown)\n")]),
    ("no-budget", "L6", [
        ("src/core/budget.c", "\tif (!has_slot && slots->count >= limit)\n", "\tif (!has_slot && slots->count >= limit + 100)\n")]),
    ("no-quorum", "L5", [
        ("src/core/masters.c", "\tif (!is_single_reboot && masters->healthy < quorum_of(masters->members))\n"
         "\t\treturn HOLD_QUORUM;\n", "\t(void)is_single_reboot;\n"),
        ("src/core/outage.c", "\t\tjudge_role(snapshot, policy, arena, plan, (enum role)role, history);\n",
         "\t\tif (role == ROLE_WORKER)\n\t\t\tjudge_role(snapshot, policy, arena, plan, (enum role)role, history);\n")]),
    ("acts-without-leading", "test_brake L3", [
        ("src/core/brake.c", "\tif (!snapshot->is_leader)\n\t\treturn HOLD_STANDBY;\n\tif (policy->is_dry_run)",
         "\tif (policy->is_dry_run)"),
        ("src/core/brake.c", "\tif (!snapshot->is_leader)\n\t\treturn HOLD_STANDBY;\n\tif (!snapshot->is_nodes_fresh)",
         "\tif (!snapshot->is_nodes_fresh)"),
        ("src/daemon/repair.c", "!lease_has_authority(&daemon->lease, daemon->now.mono, timeout_ms)", "timeout_ms < 0"),
        ("src/daemon/kube_side.c", "\tif (!is_leader)\n\t\tjournal_forget(daemon);\n", "")]),
    ("no-renew-deadline", "L3", [
        ("src/core/lease.c", "\treturn lease->is_leader && !lease->is_releasing && now.ms < lease->renewed.ms + "
         "lease->opts.renew_ms;\n", "\treturn lease->is_leader && !lease->is_releasing && now.ms > 0;\n"),
        ("src/core/lease.c", "\tif (lease->is_leader && now.mono.ms >= lease->renewed.ms + lease->opts.renew_ms) {",
         "\tif (lease->is_leader && now.mono.ms < 0) {"),
        ("src/core/lease.c", "\t       now.ms + timeout_ms + FENCE_MARGIN_MS <= lease->renewed.ms + lease->opts.duration_ms;\n",
         "\t       timeout_ms >= 0;\n")]),
    ("acts-on-a-stale-view", "L2", [
        ("src/kube/reflector.c", "bool reflector_is_fresh(const struct reflector *r, struct now now)\n{\n",
         "bool reflector_is_fresh(const struct reflector *r, struct now now)\n{\n\tif (now.mono.ms > 1)\n"
         "\t\treturn true;\n")]),
    ("goes-on-when-healthy-again", "L1", [
        ("src/core/brake.c", "\t\treturn \"the node is healthy again\";\n", "\t\treturn NULL;\n"),
        ("src/core/brake.c", "\tif (record->state == CASE_SUSPECT || !record->is_unhealthy)\n",
         "\tif (record->state == CASE_SUSPECT)\n")]),
    ("next-rung-after-success", "L14", [
        ("src/core/decide.c", " || !record->is_bad_now)\n", ")\n"),
        ("src/core/brake.c", "record->is_bad_now && (op_has_acted(op) || op->is_touched || record->is_unhealthy);", "record->node[0] != 0;"),
        ("src/core/brake.c", "\tif (record->state == CASE_SUSPECT || !record->is_unhealthy)\n",
         "\tif (record->state == CASE_SUSPECT)\n"),
        ("src/core/brake.c", "\t\treturn \"the node is healthy again\";\n", "\t\treturn NULL;\n")]),
    ("label-ignored", "test_brake L8", [
        ("src/core/brake.c", "\tif (!cluster->is_healing_enabled)\n\t\treturn HOLD_DISABLED;\n", ""),
        ("src/core/brake.c", "\t\treturn \"healing was switched off\";\n", "\t\treturn NULL;\n")]),
    ("dry-run-acts", "L8", [
        ("src/core/brake.c", "\tif (policy->is_dry_run)\n\t\treturn HOLD_DRY_RUN;\n", ""),
        ("src/core/brake.c", "i < plan->count && policy->is_dry_run; i++)", "i < 0 * plan->count; i++)"),
        ("src/core/brake.c", "\t\treturn \"dry-run was switched on\";\n", "\t\treturn NULL;\n")]),
    ("cordon-left-behind", "L13", [
        ("src/daemon/repair.c", "\tif (!daemon->is_stopping)\n\t\ttidy(daemon, &snapshot);\n", "\t(void)tidy;\n")]),
    ("says-nothing", "L9", [
        ("src/core/decide.c", "\t\tstruct line *line = &out->lines[out->count++];\n",
         "\t\tif (record->state == CASE_OPEN)\n\t\t\tcontinue;\n\t\tstruct line *line = &out->lines[out->count++];\n")]),
    ("twin-forgotten", "L10", [
        ("src/cloud/openstack/stack_steps.c", "\tif (twin.id[0] == '\\0' || op->facts.new_server[0] != '\\0')",
         "\tif (twin.id[0] == '\\0' || op->facts.new_server[0] != '\\0' || answer->status == 200)")]),
    ("taken-over-acts-unseen", "test_brake L8", [
        ("src/core/brake.c", "\tif (!snapshot->cluster->is_known || !snapshot->is_cloud_fresh)\n\t\treturn HOLD_CLOUD_STALE;\n"
         "\tif (!snapshot->cluster->is_healing_enabled)\n\t\treturn HOLD_DISABLED;\n", "")]),
    ("no-slot-between-rungs", "test_budget L6", [
        ("src/core/budget.c", "\treturn record->is_climbing && record->is_bad_now && ", "\treturn now.ms < 0 && ")]),
    ("rung-without-its-time", "test_op L14", [
        ("src/core/op.c", "\tbool counts_tries = !op->is_committed || step->is_once || step->limit_ms == 0;\n",
         "\tbool counts_tries = true;\n")]),
    ("node-deleted-unproven", "L12", [
        ("src/cloud/openstack/stack_steps.c", "\treturn nova_is_deleted(&m) ? V_NEXT : server_still(op, &m, \"the old server still exists\");",
         "\treturn V_NEXT;"),
        ("src/cloud/openstack/server_steps.c", "\tif (server_is(&m, \"ACTIVE\") || server_is(&m, \"ERROR\"))\n\t\treturn V_NEXT;\n"
         "\treturn not_now(op, &m);\n}\n\nvoid ask_stop", "\treturn op_goto(op, \"off\");\n}\n\nvoid ask_stop")]),
    # ---- looks and ways back of the recipes
    ("reboot-without-a-live-look", "test_recipes_heat", [
        ("src/cloud/openstack/server_steps.c", "{ \"look-live\", ask_live, hear_live_there, .limit_ms = LIMIT_ANSWER },",
         "{ \"look-live\", ask_nothing, hear_nothing },")]),
    ("started-again-unnoticed", "test_recipes_heat", [
        ("src/cloud/openstack/server_steps.c", "\t\treturn op_leave(op, \"somebody started the server again\");\n", "\t\treturn V_NEXT;\n")]),
    ("a-persons-stop-undone", "L11", [
        ("src/cloud/openstack/server_steps.c", "\t\treturn op_leave(op, \"somebody stopped the server (user %s, at %s)\", act.user, act.at);\n",
         "\t\treturn V_NEXT;\n")]),
    ("mark-left-behind", "test_recipes_heat", [
        ("src/cloud/openstack/stack_steps.c", "\treturn verdict == V_FAIL ? op_goto(op, \"unmark\") : verdict;\n", "\treturn verdict;\n")]),
    ("single-master-replaced", "test_recipes_master", [
        ("src/cloud/openstack/provider.c", "\tif (masters_of(view) == 1)\n", "\tif (masters_of(view) == -1)\n")]),
    ("master-without-its-etcd", "L5", [
        ("src/cloud/openstack/provider.c", "\tif (policy->master_replacement == MASTERS_AUTO && !view->has_etcd_volume)\n", "\tif (policy->master_replacement == MASTERS_AUTO && view == NULL)\n")]),
    # ---- outages (core/outage.c)
    ("no-zone-freeze", "L7", [
        ("src/core/outage.c", "\t\tif (zone->bad < 2)\n\t\t\tcontinue;\n", "\t\tif (zone->bad < 2 || limit_of(policy->zone_storm_threshold, 1) >= 0)\n\t\t\tcontinue;\n")]),
    ("zone-cools-down-at-once", "test_outage", [
        ("src/core/brake.c", "\tif (at.ms != 0 && snapshot->now.mono.ms - at.ms < policy->storm_cooldown_ms)\n\t\thold(", "\tif (at.ms < 0)\n\t\thold(")]),
    ("no-at-once", "L7", [
        ("src/core/outage.c", "\tif (count < 2)\n\t\treturn false;\n", "\tif (count < 2 || threshold.value > 0)\n\t\treturn false;\n")]),
    ("one-host-is-an-outage", "test_outage", [
        ("src/core/outage.c", "\t\tbool is_of_many = n < 2 || !is_one_host(&flips[first], (size_t)n);\n", "\t\tbool is_of_many = n > 0 || !is_one_host(&flips[first], (size_t)n);\n")]),
    ("api-trouble-ignored", "test_outage", [
        ("src/core/outage.c", "\tif (snapshot->is_api_troubled)\n", "\tif (snapshot->is_api_troubled && plan == NULL)\n")]),
    ("late-heartbeats-ignored", "test_outage", [
        ("src/core/outage.c", "\tif ((int)snapshot->leases_late > late_max && ", "\tif (plan == NULL && (int)snapshot->leases_late > late_max && ")]),
    ("no-cool-down", "test_brake", [
        ("src/core/brake.c", "\tif (history->storm_at.ms != 0 && snapshot->now.mono.ms - history->storm_at.ms < policy->storm_cooldown_ms)\n\t\treturn HOLD_COOLDOWN;\n", "")]),
    # ---- switches
    ("pause-ignored", "L8", [
        ("src/core/switches.c", "\treturn switches->is_garbled || holding(switches, node, now, &own) != NULL;\n", "\treturn switches->is_garbled && holding(switches, node, now, &own) != NULL;\n"),
        ("src/core/brake.c", "\tif (pause != NULL)\n\t\thold(line, HOLD_PAUSED, pause);\n", "\t(void)pause;\n")]),
    ("unseen-switches-ignored", "test_switches L8", [
        ("src/core/brake.c", "\tif (!snapshot->is_switches_fresh)\n\t\treturn HOLD_SWITCHES;\n\treturn switches_is_paused", "\treturn switches_is_paused"),
        ("src/core/brake.c", "\tif (!snapshot->is_switches_fresh)\n\t\treturn HOLD_SWITCHES;\n\tenum hold hold = cluster_hold", "\tenum hold hold = cluster_hold")]),
    ("garbled-pauses-ignored", "test_switches", [
        ("src/core/switches.c", "\treturn switches->is_garbled || holding(switches, node, now, &own) != NULL;\n", "\treturn holding(switches, node, now, &own) != NULL;\n")]),
    # ---- what belongs to others
    ("marks-ignored", "test_marks L11", [
        ("src/core/marks.c", "\tif (node->taints_count == 0 && node->annotations_count == 0)\n\t\treturn NULL;\n", "\tif (node->name != NULL)\n\t\treturn NULL;\n")]),
    ("cordons-ignored", "test_brake", [
        ("src/core/brake.c", "\tif (is_cordoned && line->node->role == ROLE_WORKER && !policy->is_cordoned_healed)\n\t\thold(line, HOLD_CORDONED, \"\");\n", "\t(void)is_cordoned;\n")]),
    ("deletion-ignored", "test_brake", [
        ("src/core/brake.c", "\tif (line->node->deleted.ms != 0)\n\t\thold(line, HOLD_DELETED, \"\");\n", "")]),
    ("machine-health-check-ignored", "test_brake", [
        ("src/core/brake.c", "\tif (is_machine_health_checks(snapshot, policy, line))\n", "\tif (line == NULL && is_machine_health_checks(snapshot, policy, line))\n")]),
    ("masakari-ignored", "test_brake", [
        ("src/core/brake.c", "\tif (machine != NULL && machine->has_ha && !record->has_acted &&\n", "\tif (machine == NULL && !record->has_acted &&\n")]),
    ("left-is-not-left", "test_history", [
        ("src/core/history.c", "\tif (op->is_left)\n\t\tleave(record, now);\n", "\t(void)leave;\n")]),
    # ---- masters
    ("two-masters-at-once", "test_masters", [
        ("src/core/masters.c", "\tif (masters->is_one_under_repair)\n\t\treturn HOLD_MASTER_BUSY;\n", "")]),
    ("quorum-of-the-nodes-there-are", "test_masters", [
        ("src/core/masters.c", "\t\tmasters.members = snapshot->cluster->masters_count;\n", "\t\tmasters.members += 0;\n")]),
    ("unknown-masters-count-as-well", "test_masters", [
        ("src/core/masters.c", "\t\tif (health != HEALTH_OK)\n", "\t\tif (health == HEALTH_BAD)\n")]),
    # ---- budgets
    ("no-budget-of-places", "L6", [
        ("src/core/budget.c", "\t\tif (used >= limit)\n\t\t\treturn arena_printf(", "\t\tif (used >= limit + 100)\n\t\t\treturn arena_printf(")]),
    ("no-limit-per-hour", "L6", [
        ("src/core/budget.c", "\t} else if (policy->max_repairs_per_hour > 0 && *hourly_left <= 0) {\n", "\t} else if (policy->max_repairs_per_hour > 0 && *hourly_left <= -100) {\n")]),
    ("others-take-no-slot", "test_budget", [
        ("src/core/budget.c", "\t\t\t       (node != NULL && is_others(snapshot, policy, record, node, machine));\n", "\t\t\t       (node == NULL && is_others(snapshot, policy, record, node, machine));\n")]),
    ("others-keep-their-slot", "test_budget", [
        ("src/core/budget.c", " || snapshot->now.mono.ms - record->first_seen.ms > OTHERS_MS)\n", ")\n")]),
    # ---- the verdict
    ("one-witness-is-enough", "test_history", [
        ("src/core/history.c", "\tverdict.is_unhealthy = verdict.is_bad && verdict.due >= needed(snapshot, policy, node);\n", "\tverdict.is_unhealthy = verdict.is_bad && verdict.due >= 1;\n\t(void)needed;\n")]),
    ("acts-on-unknown", "test_brake", [
        ("src/core/brake.c", "\treturn op == NULL || is_proven_bad(history, op) ? HOLD_NONE : HOLD_WITNESSES;\n", "\treturn op == NULL || is_proven_bad(history, op) ? HOLD_NONE : HOLD_NONE;\n")]),
    ("flapping-never-ends", "test_flapping", [
        ("src/core/history.c", "\t\tflips += now.ms - record->flips[i].ms < policy->flap_window_ms;\n", "\t\tflips += record->flips[i].ms != 0;\n\t(void)now;\n")]),
    ("no-flapping", "test_flapping", [
        ("src/core/history.c", "\treturn policy->flap_changes > 0 && history_flips(", "\treturn policy->flap_changes > 100 && history_flips(")]),
]


def copy_tree(to):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True, text=True,
                           capture_output=True).stdout.split("\n")
    for name in filter(None, names):
        source = os.path.join(TOP, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(os.path.join(to, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(to, name))


def build(folder, target):
    done = subprocess.run(["ninja", "-C", folder, target], text=True, capture_output=True, check=False)
    return None if done.returncode == 0 else done.stdout[-2000:]


class Tree:
    """A copy of the project, with a build for the simulation and one for the unit tests."""

    def __init__(self, path, args):
        self.path, self.args = path, args
        copy_tree(path)
        for folder, tests in (("b", "false"), ("u", "true")):
            subprocess.run(["meson", "setup", os.path.join(path, folder), path, "-Dbuildtype=release", "-Dtests=" + tests,
                            "-Dwerror=false", "-Db_ndebug=false"], check=True, stdout=subprocess.DEVNULL)

    def by_simulation(self):
        """None: it lives; else what killed it."""
        error = build(os.path.join(self.path, "b"), "sim/sim-run")
        if error:
            sys.exit("does not build:\n" + error)
        done = subprocess.run([os.path.join(self.path, "b", "sim", "sim-run"), "--seeds", str(self.args.seeds), "--jobs",
                               str(self.args.jobs), "--stop"], text=True, capture_output=True, check=False)
        found = re.findall(r"^seed (\d+): (.*)$", done.stderr, re.M)
        if done.returncode == 0:
            return None
        return "seed %s: %s" % found[0] if found else "the program died"

    def by_test(self, name):
        program = os.path.join("tests", "unit", name)
        error = build(os.path.join(self.path, "u"), program)
        if error:
            sys.exit("does not build:\n" + error)
        done = subprocess.run([os.path.join(self.path, "u", program)], text=True, capture_output=True, check=False)
        failed = re.findall(r"^\[  FAILED  \] (\w+)$", done.stderr + done.stdout, re.M)
        return None if done.returncode == 0 else failed[0] if failed else "it died"

    def kill(self, killers):
        """By the first of them that notices."""
        for killer in killers.split():
            how = self.by_test(killer) if killer.startswith("test_") else self.by_simulation()
            if how is not None:
                return killer, how
        return None


def apply(top, name, edits):
    """The texts as they were, by path."""
    saved = {}
    for path, old, new in edits:
        full = os.path.join(top, path)
        with open(full, encoding="utf-8") as f:
            text = f.read()
        saved.setdefault(full, text)
        if text.count(old) != 1:
            sys.exit("%s: the text to replace is there %d times in %s:\n%s" % (name, text.count(old), path, old))
        with open(full, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
    return saved


def restore(saved):
    for full, text in saved.items():
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    chosen = [m for m in MUTANTS if not args.names or m[0] in args.names]
    alive = []
    with tempfile.TemporaryDirectory() as path:
        if args.check:
            copy_tree(path)
            for name, _, edits in chosen:
                restore(apply(path, name, edits))
            print("%d mutants fit" % len(chosen))
            return
        tree = Tree(path, args)
        for killer in sorted({"L" if k.startswith("L") else k for _, ks, _ in chosen for k in ks.split()}):  # nothing may die of itself
            how = tree.kill(killer)
            if how is not None:
                sys.exit("without any mutation %s finds: %s" % ("the simulation" if killer == "L" else killer, how[1]))
        print("%-34s %-20s %s" % ("mutant", "killed by", "how"))
        for name, killer, edits in chosen:
            saved = apply(path, name, edits)
            how = tree.kill(killer)
            restore(saved)
            if how is None:
                alive.append(name)
            print("%-34s %-20s %s" % ((name, how[0], how[1][:110]) if how else (name, killer, "ALIVE")), flush=True)
    print("%d mutants, %d killed, %d alive%s" % (len(chosen), len(chosen) - len(alive), len(alive),
                                                 ": " + ", ".join(alive) if alive else ""))
    sys.exit(1 if alive else 0)


main()
