#!/usr/bin/env python3
"""The real program against the simulated world over loopback HTTPS: what it heals, what it leaves alone, how it gets in,
what it says, and what it does when the services do not behave."""
import json
import os
import subprocess
import unittest

from harness import EVENTS, LEASE, NODES, PASSWORD, Case, until

EXEC_API = "client.authentication.k8s.io/v1"


class Heals(Case):
    def healed(self, world, healer, node, cure, limit=60.0):
        """Breaks it, waits until it is well again and the case is closed; returns what was done."""
        world.break_kubelet(node, cure)
        until("%s is noticed" % node, lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer, limit=limit)
        until("the case is closed", lambda: world.state() and world.state()["past"], alive=[healer])
        self.assert_touched_only(world, node)
        return [a["kind"] for a in world.acts()]

    def test_by_a_reboot(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        before = world.servers()
        self.assertEqual(self.healed(world, healer, node, "reboot"), ["cordon", "reboot-soft", "uncordon"])
        self.assertEqual([s["id"] for s in world.servers()], [s["id"] for s in before])
        self.assertEqual(world.state()["past"][0]["tried"], "reboot")

    def test_a_master_by_a_reboot(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names("master")[2]
        acts = self.healed(world, healer, node, "reboot")
        self.assertIn("reboot-soft", acts)
        self.assertFalse(set(acts) - {"reboot-soft", "cordon", "uncordon"})

    def test_a_server_that_is_off_by_starting_it(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[0]
        world.control("break?node=%s&how=SHUTOFF" % node)
        until("it is noticed", lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer)
        self.assertEqual([a["kind"] for a in world.acts("start", "stop", "reboot-soft", "reboot-hard")], ["start"])
        self.assert_touched_only(world, node)

    def test_by_a_new_server_in_its_place(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        old = world.server_of(node)
        acts = self.healed(world, healer, node, "replace")
        new = world.server_of(node)
        self.assertNotEqual(new["id"], old["id"])
        self.assertEqual((new["name"], new["address"]), (old["name"], old["address"]))
        self.assertEqual(sorted(world.node_names()), sorted(set(world.node_names())))
        self.assertEqual(acts, ["cordon", "reboot-soft", "stop", "mark-unhealthy", "stack-update", "uncordon"])
        self.assertEqual(world.state()["past"][0]["tried"], "reboot,replace")
        self.assertEqual((world.state()["ops"], world.state()["cases"]), ([], []))

    def test_with_its_data_volume_taken_away_first(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        world.control("attach-volume?node=%s" % node)
        acts = self.healed(world, healer, node, "replace")
        self.assertEqual([a for a in acts if a in ("stop", "detach-volume", "stack-update")],
                         ["stop", "detach-volume", "stack-update"])

    def test_by_a_resize(self):
        world = self.world()
        healer = self.healer(self.config(world, policy={"worker-replacement": "resize"}))
        self.sees(healer)
        names = world.node_names()
        node, old = names[1], world.server_of(names[1])
        world.break_kubelet(node, "replace")
        fresh = until("there is a new node", lambda: set(world.node_names()) - set(names), 60, 0.2, [healer]).pop()
        self.wait_well(world, fresh, healer)
        until("the old Node is gone", lambda: world.node(node) is None, alive=[healer])
        healer.wait(msg="done", rung="replace")
        self.assertNotIn(old["id"], [s["id"] for s in world.servers()])
        self.assertEqual(len(world.node_names()), 3)
        self.assert_touched_only(world, node, fresh)
        self.assertEqual([a["kind"] for a in world.acts("stop", "resize", "delete-node")], ["stop", "resize", "delete-node"])

    def test_every_fresh_start_finds_the_case_it_left(self):
        """It is stopped and started again in the middle of a repair: the journal goes on."""
        world = self.world()
        config = self.config(world)
        first = self.healer(config, name="first")
        self.sees(first)
        node = world.node_names()[1]
        world.break_kubelet(node, "replace")
        first.wait(msg="act", step="stop", limit=40)
        self.assertEqual(first.stop(), 0)
        second = self.healer(config, name="second")
        second.wait(msg="taken over", node=node)
        self.wait_well(world, node, second)
        self.assert_touched_only(world, node)
        self.assertEqual(len(world.acts("reboot-soft")), 1)


class Holds(Case):
    def test_dry_run_says_and_does_nothing(self):
        world = self.world()
        healer = self.healer(self.config(world, **{"dry-run": True}))
        self.sees(healer)
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        line = healer.wait(msg="held", hold="dry-run", node=node)
        self.assertEqual(line["next"], "reboot")
        until("its event", lambda: [e for e in world.events() if e["reason"] == "RepairHeld"], alive=[healer])
        until("two more rounds of observation", self.rounds(world, 2), alive=[healer])
        self.assertEqual(world.acts(), [])
        self.assertEqual(self.marks(world), [])

    @staticmethod
    def rounds(world, count):
        """True when the healer has renewed its Lease so many times since."""
        seen = set()

        def look():
            seen.add((world.object(LEASE) or {"spec": {}})["spec"].get("renewTime"))
            return len(seen) > count
        return look

    @staticmethod
    def marks(world):
        return [n for n in world.node_names() if world.marks(world.node(n))]

    def test_the_label_switches_it_off_and_on(self):
        world = self.world()
        world.control("label?enabled=0")
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[2]
        world.break_kubelet(node, "reboot")
        healer.wait(msg="held", hold="disabled", node=node)
        until("two renewals", self.rounds(world, 2), alive=[healer])
        self.assertEqual(world.acts(), [])
        world.control("label?enabled=1")
        self.wait_well(world, node, healer)
        self.assertEqual(len(world.acts("reboot-soft")), 1)

    def test_switched_off_in_the_middle_it_stops(self):
        """What has been sent is waited for, as the outcome must be known; nothing more is sent."""
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[2]
        world.break_kubelet(node, "replace")
        healer.wait(msg="act", step="reboot", node=node)
        world.control("label?enabled=0")
        healer.wait(msg="held", hold="disabled", node=node)
        until("two renewals", self.rounds(world, 2), alive=[healer])
        self.assertEqual(world.acts("stop", "stack-update"), [])

    def test_a_storm(self):
        world = self.world(workers=6)
        healer = self.healer(self.config(world))
        self.sees(healer)
        nodes = world.node_names()
        for node in nodes[:5]:
            world.control("break?node=%s&how=kubelet&cure=self&self-ms=8000" % node)
        healer.wait(msg="held", hold="storm")
        until("all are back", lambda: all(world.is_ready(n) for n in nodes), alive=[healer])
        self.assertEqual(world.acts(), [])
        # and one that stays broken is healed when the storm is over
        world.break_kubelet(nodes[5], "reboot")
        until("it is noticed", lambda: not world.is_ready(nodes[5]), alive=[healer])
        self.wait_well(world, nodes[5], healer)
        self.assert_touched_only(world, nodes[5])

    def test_others_at_work(self):
        """Locked, being updated by its owner: each hold has its own name."""
        world = self.world(workers=5)
        locked, owned = world.node_names()[:2]
        world.control("lock?node=%s&on=1" % locked)
        healer = self.healer(self.config(world, policy={"max-concurrent-repairs": 3, "storm-threshold": "90%"}))
        self.sees(healer)
        world.break_kubelet(locked, "reboot")
        healer.wait(msg="held", hold="server-locked", node=locked)
        world.control("owner-update?ms=8000")
        world.break_kubelet(owned, "reboot")
        healer.wait(msg="held", hold="cluster-busy", node=owned)
        self.assertEqual(world.acts(), [])
        self.wait_well(world, owned, healer)
        world.control("lock?node=%s&on=0" % locked)
        self.wait_well(world, locked, healer)
        self.assert_touched_only(world, locked, owned)

    def test_a_young_node(self):
        world = self.world()
        healer = self.healer(self.config(world, **{"check-delay-after-add": "72h"}))  # the world's are two days old
        self.sees(healer)
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        healer.wait(msg="held", hold="young", node=node)
        self.assertEqual(world.acts(), [])


class Leads(Case):
    def test_gives_the_lease_back_and_another_goes_on(self):
        world = self.world()
        config = self.config(world)
        first = self.healer(config, name="first")
        self.sees(first)
        holder = world.holder()
        self.assertEqual(first.find(msg="this replica leads now")[0]["identity"], holder)
        second = self.healer(config, name="second")
        second.wait(component="daemon")
        self.assertEqual(first.stop(), 0)
        self.assertNotEqual(world.holder(), holder)
        second.wait(msg="this replica leads now", limit=12)  # not the 20 s after which a Lease expires
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        until("it is noticed", lambda: not world.is_ready(node), alive=[second])
        self.wait_well(world, node, second)
        self.assert_touched_only(world, node)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(world.holder() or "", "")

    def test_only_one_of_three_acts(self):
        world = self.world()
        config = self.config(world)
        three = [self.healer(config, name="replica-%d" % i) for i in range(3)]
        until("somebody leads", lambda: any(h.find(msg="the cluster is seen") for h in three), alive=three)
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        until("it is noticed", lambda: not world.is_ready(node), alive=three)
        self.wait_well(world, node, *three)
        self.assertEqual(len(world.acts("reboot-soft")), 1)
        self.assertEqual(sum(bool(h.find(msg="this replica leads now")) for h in three), 1)
        self.assertEqual([h.stop() for h in three], [0, 0, 0])


class GetsIn(Case):
    """Credentials of the Kubernetes API."""

    def reaches(self, world, kubernetes, env=None, limit=20, prefix=()):
        healer = self.healer(self.config(world, kubernetes=kubernetes), env=env, prefix=prefix)
        self.sees(healer, limit)
        return healer

    def heals(self, world, healer):
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        until("it is noticed", lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer)

    def guarded(self, token):
        world = self.world("--token", token)
        world.token = token
        return world

    def refused(self, world, kubernetes):
        healer = self.healer(self.config(world, kubernetes=kubernetes))
        until("it says so", lambda: healer.find(level="error") + healer.find(level="warn"), 15, alive=[healer])
        self.assertFalse(healer.find(msg="this replica leads now"))
        return healer

    def test_token(self):
        world = self.guarded("sesame-4711")
        healer = self.reaches(world, {"kubeconfig": self.kubeconfig(world, {"token": "sesame-4711"})})
        self.heals(world, healer)
        self.assertFalse([line for line in healer.raw if "sesame-4711" in line])

    def test_wrong_token(self):
        world = self.guarded("sesame-4711")
        self.refused(world, {"kubeconfig": self.kubeconfig(world, {"token": "open-up-4711"})})

    def test_token_file_that_changes(self):
        world = self.guarded("second-4711")
        path = self.write("token", "first-4711\n")
        kubeconfig = self.kubeconfig(world, {"tokenFile": path})
        healer = self.refused(world, {"kubeconfig": kubeconfig})
        self.write("token", "second-4711\n")
        self.sees(healer, 90)

    def make_certificate(self, subject):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", subject, "-keyout", self.folder + "/key", "-out", self.folder + "/crt"],
                       check=True, capture_output=True)

    def test_client_certificate_that_nobody_asks_for(self):
        world = self.world()
        self.make_certificate("/O=system:masters/CN=healer")
        kubeconfig = self.kubeconfig(world, {"client-certificate": "crt", "client-key": "key"})  # beside the kubeconfig
        self.heals(world, self.reaches(world, {"kubeconfig": kubeconfig}))

    def test_another_authority(self):
        """A server whose certificate is not signed by the CA of the kubeconfig is not spoken to."""
        world = self.world()
        self.make_certificate("/CN=other")
        other = {"certificate-authority": self.folder + "/crt"}
        healer = self.refused(world, {"kubeconfig": self.kubeconfig(world, name="other", **other)})
        self.assertIn("certificate", healer.tail().lower())
        insecure = {"insecure-skip-tls-verify": True, "certificate-authority-data": ""}
        self.reaches(world, {"kubeconfig": self.kubeconfig(world, name="insecure", **insecure)})

    def test_exec_plugin(self):
        world = self.guarded("from-exec-4711")
        answer = {"apiVersion": EXEC_API, "kind": "ExecCredential", "status": {"token": "from-exec-4711"}}
        plugin = self.write("plugin.sh", "#!/bin/sh\necho asked >>%s/asked\n[ \"$WHO\" = it ] && cat <<'E'\n%s\nE\n"
                            % (self.folder, json.dumps(answer)))
        os.chmod(plugin, 0o755)
        user = {"exec": {"apiVersion": EXEC_API, "command": plugin, "args": ["get-token"], "interactiveMode": "Never",
                         "env": [{"name": "WHO", "value": "it"}]}}
        self.heals(world, self.reaches(world, {"kubeconfig": self.kubeconfig(world, user)}))
        with open(self.folder + "/asked", encoding="utf-8") as f:
            self.assertEqual(f.read(), "asked\n")

    def test_exec_plugin_that_fails(self):
        world = self.guarded("from-exec-4711")
        user = {"exec": {"apiVersion": EXEC_API, "command": "/bin/false", "interactiveMode": "Never"}}
        self.refused(world, {"kubeconfig": self.kubeconfig(world, user)})

    def test_in_the_cluster(self):
        """The service account's files, in a mount namespace of its own."""
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
            self.skipTest("needs root and unshare(1)")
        world = self.guarded("in-cluster-4711")
        account = "/var/run/secrets/kubernetes.io/serviceaccount"
        self.write("token", "in-cluster-4711")
        self.write("namespace", "kube-system")
        script = self.write("inside.sh", "set -e\nmount -t tmpfs none /run\nmkdir -p %s\ncp %s/token %s/namespace %s\n"
                            "cp %s %s/ca.crt\nexec \"$@\"\n"
                            % (account, self.folder, self.folder, account, world.ca, account))
        healer = self.reaches(world, None, {"KUBERNETES_SERVICE_HOST": "127.0.0.1",
                                            "KUBERNETES_SERVICE_PORT": str(world.port)},
                              prefix=["unshare", "-m", "sh", script])
        self.heals(world, healer)


class Endures(Case):
    """The services do not behave."""

    def test_tokens_revoked_in_the_middle_of_a_repair(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        world.break_kubelet(node, "replace")
        for step in ("reboot", "stop", "update-stack"):
            healer.wait(msg="act", step=step, limit=40)
            world.control("tokens/revoke")
        self.wait_well(world, node, healer)
        self.assert_touched_only(world, node)
        self.assertEqual(len(world.acts("stack-update")), 1)

    def test_watches_dropped_and_compacted(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        first, second = world.node_names()[:2]
        world.control("watches/drop?clean=0")
        world.break_kubelet(first, "reboot")
        until("it is noticed", lambda: not world.is_ready(first), alive=[healer])
        self.wait_well(world, first, healer)
        world.control("compact")
        world.control("watches/drop?clean=1")
        world.control("compact")
        world.break_kubelet(second, "reboot")
        until("it is noticed", lambda: not world.is_ready(second), alive=[healer])
        self.wait_well(world, second, healer)
        self.assert_touched_only(world, first, second)

    def test_api_server_without_watch_list(self):
        world = self.world("--no-watch-list")
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        until("it is noticed", lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer)

    def test_a_service_goes_down_and_comes_back(self):
        """Nova does not answer when the node breaks: nothing is done, it says why, and it heals afterwards."""
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        world.trouble("nova", is_down=1)
        node = world.node_names()[0]
        world.break_kubelet(node, "reboot")
        healer.wait(component="cloud", level="warn", limit=20)
        self.assertEqual(world.acts("reboot-soft"), [])
        world.trouble("nova")
        self.wait_well(world, node, healer, limit=90)
        self.assert_touched_only(world, node)

    def test_keystone_down_at_the_start(self):
        world = self.world()
        world.trouble("keystone", error_503=1)
        healer = self.healer(self.config(world))
        healer.wait(component="cloud", msg="login failed")
        world.trouble("keystone")
        self.sees(healer, 60)

    def test_answers_that_are_lost(self):
        """Every act is done, and its answer is lost: it looks, and does nothing twice."""
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        world.break_kubelet(node, "replace")
        healer.wait(msg="act", step="reboot")
        world.trouble("nova", lost_answer=0.3)
        world.trouble("heat", lost_answer=0.3)
        healer.wait(msg="begun", rung="replace", limit=60)
        self.wait_well(world, node, healer, limit=100)
        self.assert_touched_only(world, node)

    def test_api_server_away_for_a_while(self):
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[0]
        world.trouble("kube", error_500=1)
        world.control("watches/drop?clean=0")
        world.break_kubelet(node, "reboot")
        healer.wait(component="lease", msg="this replica leads no longer", limit=30)
        self.assertEqual(world.acts(), [])
        world.trouble("kube")
        until("it is noticed", lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer, limit=60)
        self.assert_touched_only(world, node)


class Says(Case):
    def story(self, *args):
        world = self.world()
        healer = self.healer(self.config(world), *args)
        until("it leads", lambda: healer.find(msg="the cluster is seen"), alive=[healer])
        node = world.node_names()[1]
        world.break_kubelet(node, "replace")
        until("it is noticed", lambda: not world.is_ready(node), alive=[healer])
        self.wait_well(world, node, healer)
        until("the case is closed", lambda: world.state()["past"], alive=[healer])
        until("the last event", lambda: [e for e in world.events() if e["reason"] == "RepairSucceeded"], alive=[healer])
        self.assertEqual(healer.stop(), 0)
        return world, healer, node

    def check(self, world, healer, node):
        self.assertEqual(len(healer.lines), len([line for line in healer.raw if line]), healer.tail())
        for line in healer.lines:
            self.assertTrue({"time", "level", "component", "msg"} <= set(line), line)
        # nothing secret, anywhere
        everything = "\n".join(healer.raw) + json.dumps(world.events()) + json.dumps(world.state())
        self.assertNotIn(PASSWORD, everything)
        self.assertNotIn("gAAAA", everything)  # how Keystone's tokens begin
        # the story in the node's events
        events = [(e["reason"], e["action"]) for e in world.events() if e["regarding"]["name"] == node]
        wanted = [("RepairStarted", "Reboot"), ("RepairFailed", "Reboot"), ("RepairStarted", "Replace"),
                  ("RepairSucceeded", "Replace")]
        self.assertEqual([e for e in events if e in wanted], wanted)
        for event in world.events():
            self.assertEqual(event["regarding"]["kind"], "Node")
            self.assertTrue(event["reportingController"] and event["reportingInstance"] and event["note"])
        # and in the journal
        state = world.state()
        self.assertEqual((state["v"], state["ops"], state["cases"]), (1, [], []))
        past = state["past"][-1]
        self.assertEqual((past["node"], past["tried"]), (node, "reboot,replace"))
        self.assertIn("Ready=Unknown", past["why"])
        self.assertLess(past["opened"], past["closed"])
        begun = healer.find(msg="begun", rung="reboot")
        self.assertEqual([line["case"] for line in begun], [past["case"]])

    def test_in_logfmt(self):
        self.check(*self.story("--v", "4"))

    def test_in_json(self):
        world, healer, node = self.story("--v=4", "--log-format", "json")
        self.check(world, healer, node)
        for line in healer.raw:
            self.assertTrue(json.loads(line)["time"].endswith("Z"))

    def test_where_it_stands(self):
        """While a repair runs, the journal shows it, and the Node carries its mark."""
        world = self.world()
        healer = self.healer(self.config(world))
        self.sees(healer)
        node = world.node_names()[1]
        world.break_kubelet(node, "replace")
        healer.wait(msg="act", step="stop", limit=40)
        op = until("the op is stored", lambda: world.state()["ops"])[0]
        self.assertEqual((op["node"], op["rung"], op["server"]), (node, "replace", world.server_of(node)["id"]))
        found = world.node(node)
        self.assertTrue(found["spec"]["unschedulable"])
        self.assertEqual(world.marks(found), ["autohealing.openstack.org/cordoned"])
        self.assertEqual([n for n in world.node_names() if world.node(n)["spec"].get("unschedulable")], [node])


class Answers(Case):
    """What the harness itself relies on."""

    def test_the_world_answers_as_kubernetes(self):
        world = self.world()
        self.assertEqual(world.get(EVENTS)["items"], [])
        self.assertEqual(len(world.get(NODES)["items"]), 6)


if __name__ == "__main__":
    unittest.main()
