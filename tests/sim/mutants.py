#!/usr/bin/env python3
"""A law that no mutation of the program can break is not tested. This takes a guard away, builds, and lets the simulation
find out: every mutant must be killed by a violated law within some seeds.

  mutants.py [--seeds 100] [--jobs 2] [NAME ...]     all of them, or those named; prints the table, exit 1 if one lives

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
        ("src/core/decide.c", "\t\t\treturn true;\n\t}\n\treturn false;\n", "\t\t\treturn false;\n\t}\n\treturn false;\n")]),
    ("no-budget", "L6", [
        ("src/core/brake.c", "\t\t\tif (used >= limit) {", "\t\t\tif (used >= limit + 100) {")]),
    ("no-quorum", "L5", [
        ("src/core/brake.c", "\tif (!is_single_reboot && masters->healthy < quorum_of(masters->total))\n"
         "\t\treturn HOLD_QUORUM;\n", "\t(void)is_single_reboot;\n"),
        ("src/core/decide.c", "\t\t\treturn true;\n\t}\n\treturn false;\n",
         "\t\t\treturn role == ROLE_WORKER;\n\t}\n\treturn false;\n")]),
    ("acts-without-leading", "L3", [
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
        ("src/core/brake.c", "\tif (record->state == CASE_SUSPECT || !record->is_unhealthy)\n\t\treturn HOLD_DURATION;\n",
         "\tif (record->state == CASE_SUSPECT)\n\t\treturn HOLD_DURATION;\n")]),
    ("next-rung-after-success", "L14", [
        ("src/core/decide.c", " || !record->is_bad_now)\n", ")\n"),
        ("src/core/brake.c", "\tif (record->state == CASE_SUSPECT || !record->is_unhealthy)\n\t\treturn HOLD_DURATION;\n",
         "\tif (record->state == CASE_SUSPECT)\n\t\treturn HOLD_DURATION;\n"),
        ("src/core/brake.c", "\t\treturn \"the node is healthy again\";\n", "\t\treturn NULL;\n")]),
    ("label-ignored", "L8", [
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
        ("src/cloud/openstack/recipes_heat.c", "\tif (twin.id[0] == '\\0' || op->facts.new_server[0] != '\\0')",
         "\tif (twin.id[0] == '\\0' || op->facts.new_server[0] != '\\0' || answer->status == 200)")]),
    ("taken-over-acts-unseen", "L8", [
        ("src/core/brake.c", "\tif (!snapshot->cluster->is_known || !snapshot->is_cloud_fresh)\n\t\treturn HOLD_CLOUD_STALE;\n"
         "\treturn snapshot->cluster->is_healing_enabled ? HOLD_NONE : HOLD_DISABLED;\n", "\treturn HOLD_NONE;\n")]),
    ("no-slot-between-rungs", "L6", [
        ("src/core/brake.c", "\treturn record->is_climbing && record->is_bad_now;\n", "\treturn false;\n")]),
    ("rung-without-its-time", "L14", [
        ("src/core/op.c", "\tbool counts_tries = !op->is_committed || step->is_once || step->limit_ms == 0;\n",
         "\tbool counts_tries = true;\n")]),
    ("node-deleted-unproven", "L12", [
        ("src/cloud/openstack/recipes_heat.c", "\treturn nova_is_deleted(&m) ? V_NEXT : server_still(op, &m, \"the old server still exists\");",
         "\treturn V_NEXT;"),
        ("src/cloud/openstack/server_steps.c", "\tif (server_is(&m, \"ACTIVE\") || server_is(&m, \"ERROR\"))\n\t\treturn V_NEXT;\n"
         "\treturn op_fail(op, \"the server is %s: left alone\", m.status);\n}\n\nvoid ask_stop",
         "\treturn op_goto(op, \"off\");\n}\n\nvoid ask_stop")]),
]


def copy_tree(to):
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=TOP, check=True, text=True,
                           capture_output=True).stdout.split("\n")
    for name in filter(None, names):
        source = os.path.join(TOP, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(os.path.join(to, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(to, name))


def build(tree):
    done = subprocess.run(["ninja", "-C", os.path.join(tree, "b"), "sim/sim-run"], text=True, capture_output=True)
    return None if done.returncode == 0 else done.stdout[-2000:]


def run(tree, seeds, jobs):
    done = subprocess.run([os.path.join(tree, "b", "sim", "sim-run"), "--seeds", str(seeds), "--jobs", str(jobs), "--stop"],
                          text=True, capture_output=True)
    found = re.findall(r"^seed (\d+): (.*)$", done.stderr, re.M)
    return done.returncode, found


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seeds", type=int, default=100)
    args.add_argument("--jobs", type=int, default=2)
    args.add_argument("names", nargs="*")
    args = args.parse_args()
    alive = 0
    tried = 0
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        subprocess.run(["meson", "setup", os.path.join(tree, "b"), tree, "-Dbuildtype=release", "-Dtests=false", "-Dwerror=false"],
                       check=True, stdout=subprocess.DEVNULL)
        error = build(tree)
        if error:
            sys.exit("the unmutated program does not build:\n" + error)
        print("%-32s %-5s %-8s %s" % ("mutant", "law", "seed", "violation"))
        for name, law, edits in MUTANTS:
            if args.names and name not in args.names:
                continue
            tried += 1
            saved = {}
            for path, old, new in edits:
                full = os.path.join(tree, path)
                text = open(full).read()
                saved.setdefault(full, text)
                if text.count(old) != 1:
                    sys.exit("%s: the text to replace is there %d times in %s:\n%s" % (name, text.count(old), path, old))
                open(full, "w").write(text.replace(old, new))
            error = build(tree)
            if error:
                sys.exit("%s does not build:\n%s" % (name, error))
            status, found = run(tree, args.seeds, args.jobs)
            if status == 0:
                alive += 1
                print("%-32s %-5s %-8s %s" % (name, law, "-", "ALIVE after %d seeds" % args.seeds), flush=True)
            else:
                seed, violation = found[0] if found else ("?", "the program died")
                print("%-32s %-5s %-8s %s" % (name, law, seed, violation[:100]), flush=True)
            for full, text in saved.items():
                open(full, "w").write(text)
    print("%d mutants, %d killed, %d alive" % (tried, tried - alive, alive))
    sys.exit(1 if alive else 0)


main()
