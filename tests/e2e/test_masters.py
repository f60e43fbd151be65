"""Masters, switches and the way to the API server, against the real etcd, kube-apiserver and kube-controller-manager: an
Endpoint that fails, the address of the API server that dies, a pause. The cloud is the simulated one."""
import os
import time
import unittest

import lab
import test_kube
from lab import within

ENDPOINT_PORT = 26453  # of the masters' https endpoints
API_PORT = 26463       # where the API server can be reached on a master's own address
STATE = "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state"
MARK = "autohealing.openstack.org/unhealthy-timestamp"


class Masters(test_kube.Case):
    @classmethod
    def setUpClass(cls):
        cls.site = site = test_kube.Site("masters", 26443, workers=3, grace="16s", lease="3s", interval=0.5,
                                         masters_at="127.1.9.", endpoints=ENDPOINT_PORT)
        cls.ca = os.path.join(site.kube.state, "pki", "ca.crt")
        cls.masters = sorted(n["name"] for n in site.kubenodes.nodes() if n["master"])
        cls.first_way = lab.Forward("127.0.0.1", 0, site.kube.port)
        cls.other_ways = [lab.Forward("127.1.9.%d" % (i + 1), API_PORT, site.kube.port) for i in range(3)]
        cls.healer = site.daemon("healer", port=cls.first_way.port, masters=lab.ENDPOINT % (ENDPOINT_PORT, cls.ca),
                                 kubernetes={"api-port": API_PORT})

    def endpoint(self, master, **how):
        self.site.kubenodes.act(master, "healthz", **how)

    def marked(self, node):
        return (self.site.kube.node(node)["metadata"].get("annotations") or {}).get(MARK)

    def settles(self):
        within(60, lambda: "the journal is at rest: %s" % self.site.kube.journal(), self.site.kube.is_at_rest)
        within(40, "no mark is left", lambda: not any(self.marked(m) for m in self.masters))

    def heals(self, master, since, seconds=120):
        server = self.site.kubenodes.node(master)["serverID"]
        acts = within(seconds, lambda: "%s was repaired; acts: %s" % (master, self.site.sim.acts()[since:]),
                      lambda: self.site.acts_on(server, since))
        within(seconds, "the endpoint of %s is well" % master,
               lambda: self.site.kubenodes.node(master)["healthz"]["code"] == 200 and
               self.site.kubenodes.node(master)["healthz"]["mode"] == "ok")
        self.settles()
        touched = {a["node"] for a in self.site.sim.acts()[since:] if a["node"]}
        self.assertLessEqual(touched, {master}, "no other node was touched")
        return acts

    def test_1_all_is_well(self):
        within(40, "a leader", self.site.kube.lease_holder)
        time.sleep(12)
        self.assertTrue(self.healer.is_running())
        self.assertEqual(self.site.sim.acts(), [])
        hits = [self.site.kubenodes.node(m)["healthz"]["hits"] for m in self.masters]
        self.assertTrue(all(h >= 2 for h in hits), "every endpoint is probed: %s" % hits)

    def test_2_a_failing_endpoint_is_healed_by_a_reboot(self):
        master, since = self.masters[1], len(self.site.sim.acts())
        self.endpoint(master, code=500)
        within(30, "it is marked on the Node", lambda: self.marked(master))
        self.assertRegex(self.marked(master), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$")
        self.assertEqual(self.heals(master, since), {"reboot-soft": 1})
        told = [e["note"] for e in self.site.kube.events() if e["regarding"]["name"] == master]
        self.assertTrue(any("Endpoint" in note and "500" in note for note in told), told)

    def test_3_a_silent_master_is_rebooted_the_hard_way(self):
        master, since = self.masters[2], len(self.site.sim.acts())
        self.endpoint(master, mode="hang")
        self.assertEqual(self.heals(master, since), {"reboot-hard": 1})

    def test_4_two_of_three_are_left_alone(self):
        """The quorum is lost already: nothing that a reboot could not make worse."""
        since = len(self.site.sim.acts())
        self.endpoint(self.masters[0], code=500)
        self.endpoint(self.masters[1], code=500)
        time.sleep(20)
        self.assertEqual(self.site.sim.acts()[since:], [])
        told = [e["note"] for e in self.site.kube.events() if e["regarding"]["name"] == self.masters[0]]
        self.assertTrue(any("storm" in note or "outage" in note or "quorum" in note for note in told), told)
        self.endpoint(self.masters[0], code=200)
        self.endpoint(self.masters[1], code=200)
        self.settles()

    def test_5_the_address_of_the_api_server_dies(self):
        """The way that the healer was told is gone, in the middle of a repair: the masters' own addresses are there."""
        time.sleep(6)  # the storm before has cooled down
        node, since = self.site.workers()[0], len(self.site.sim.acts())
        self.site.break_kubelet(node)
        self.first_way.cut()
        self.site.heals(node, 180)
        self.assertGreater(sum(way.carried for way in self.other_ways), 0)
        self.assertTrue(self.healer.says("the API server is asked at"))
        self.assertEqual([a["kind"] for a in self.site.sim.acts()[since:]].count("reboot-soft"), 1)

    def pause(self, text):
        self.site.kube.call("PATCH", STATE, {"data": {"pauses.json": text}}, "application/merge-patch+json")

    def test_6_a_pause_holds_and_its_end_lets_go(self):
        node, since = self.site.workers()[1], len(self.site.sim.acts())
        self.pause('[{"what":"cluster","reason":"switch swap","by":"the test"}]')
        self.site.break_kubelet(node)
        within(40, "it is seen to be broken", lambda: self.site.kube.ready(node) != "True")
        time.sleep(15)
        self.assertEqual(self.site.sim.acts()[since:], [])
        told = [e["note"] for e in self.site.kube.events() if e["regarding"]["name"] == node]
        self.assertTrue(any("switch swap" in note for note in told), told)
        self.pause(None)
        self.site.heals(node, 120)
        self.assertEqual([a["kind"] for a in self.site.sim.acts()[since:]].count("reboot-soft"), 1)

    def test_7_a_node_is_paused_by_its_annotation(self):
        node, since = self.site.workers()[2], len(self.site.sim.acts())
        path = "/api/v1/nodes/" + node
        annotate = lambda value: self.site.kube.call("PATCH", path, {"metadata": {"annotations": {
            "autohealing.openstack.org/paused": value}}}, "application/merge-patch+json")
        annotate("disk swap; until=%s" % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 45)))
        self.site.break_kubelet(node)
        within(40, "it is seen to be broken", lambda: self.site.kube.ready(node) != "True")
        time.sleep(8)
        self.assertEqual(self.site.sim.acts()[since:], [])
        self.site.heals(node, 150)  # the pause ends by itself
        annotate(None)

    def test_8_a_master_that_no_reboot_cures_is_replaced(self):
        """Its etcd data is on a volume of its own: mark_unhealthy and a stack update, never two masters."""
        master, since = self.masters[0], len(self.site.sim.acts())
        server = self.site.break_kubelet(master, is_sticky=True)
        self.site.heals(master, 300)
        self.assertNotEqual(self.site.kubenodes.node(master)["serverID"], server)
        kinds = [a["kind"] for a in self.site.sim.acts()[since:]]
        self.assertEqual((kinds.count("stop"), kinds.count("stack-update")), (1, 1), kinds)
        self.assertNotIn("detach-volume", kinds)
        self.assertLessEqual({a["node"] for a in self.site.sim.acts()[since:] if a["node"]}, {master})

    def test_9_nothing_was_ever_refused(self):
        self.assertEqual(self.site.kube.refused(), [])


if __name__ == "__main__":
    unittest.main()
