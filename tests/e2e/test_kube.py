"""The daemon against a real etcd, kube-apiserver and kube-controller-manager, with the simulated cloud: service account with
the least rights, watch, bookmarks, compaction, restarts of the API server, hand-over of the Lease, a thousand nodes."""
import os
import signal
import sys
import time
import unittest

import lab
from bridge import Bridge, Kubenodes
from lab import within

# A world's own name for the cluster (sim/world.h).
CLUSTER = "c418c335-0e52-42fc-bd68-baa8d264e072"


class Site:
    """One cluster: the control plane, the kubelets, the cloud, and what joins them."""

    def __init__(self, name, port, workers, grace, lease, interval, masters_at=None, endpoints=0, sim=()):
        """masters_at: beginning of the masters' addresses where they serve https on the port `endpoints`."""
        self.folder = lab.Folder(name)
        self.is_kept = False
        self.sim = lab.Sim(self.folder.path, masters=3, workers=workers, args=sim)
        self.kube = lab.Kube(self.folder.path, port, grace).up()
        path = os.path.join(self.folder.path, "inventory")
        with open(path, "w", encoding="utf-8") as f:
            for i, s in enumerate(sorted(self.sim.servers(), key=lambda s: (s["role"], s["node"]))):
                address = masters_at + str(i + 1) if masters_at and s["role"] == "master" else s["address"]
                f.write("%s %s %s %s\n" % (s["node"], s["role"], s["id"], address))
        served = ["-healthz", "masters", "-healthz-port", str(endpoints)] if endpoints else ["-healthz", "none"]
        self.kube.nodes_up("-inventory", path, "-lease", lease, "-tick", "1s", *served)
        self.kubenodes = Kubenodes(self.kube.control)
        self.told = open(os.path.join(self.folder.path, "bridge.log"), "w", encoding="utf-8")  # pylint: disable=R1732
        self.bridge = Bridge(self.sim.cloud(), self.kubenodes, interval, reboot_down="1s", echo=self.told).start()
        self.daemons = []

    def down(self):
        for daemon in self.daemons:
            daemon.stop()
        self.bridge.stop()
        self.told.close()
        self.kube.down()
        self.sim.process.stop()
        self.folder.done(self.is_kept)

    def daemon(self, name, **settings):
        port = settings.pop("port", 0)
        config = lab.config(CLUSTER, self.sim.openstack(), settings.pop("policy", None), **settings)
        found = lab.daemon(name, self.folder.path, self.kube, config, port=port).start()
        self.daemons.append(found)
        return found

    def acts_on(self, server, since=0):
        """How often each kind of act was sent to a server, after the first `since` acts."""
        counts = {}
        for act in self.sim.acts()[since:]:
            if act["server"] == server:
                counts[act["kind"]] = counts.get(act["kind"], 0) + 1
        return counts

    def server(self, node):
        return next(s for s in reversed(self.sim.servers()) if s["node"] == node)

    def workers(self):
        return [n["name"] for n in self.kubenodes.nodes() if not n["master"]]

    def break_kubelet(self, node, is_sticky=False):
        """Its kubelet stops. is_sticky: no reboot helps. The id of its server."""
        within(60, "%s is Ready" % node, lambda: self.kube.ready(node) == "True")
        self.kubenodes.act(node, "stop", sticky=1 if is_sticky else 0)
        return self.kubenodes.node(node)["serverID"]

    def is_well(self, node):
        """Ready, not cordoned, and on the server that the kubelet runs on."""
        found = self.kube.node(node)
        if not found or found["spec"].get("unschedulable") or self.kube.ready(node) != "True":
            return False
        return found["status"]["nodeInfo"]["systemUUID"].lower() == self.kubenodes.node(node)["serverID"]

    def heals(self, node, seconds=120):
        within(40, "%s is seen to be broken" % node, lambda: self.kube.ready(node) != "True")
        within(seconds, lambda: "%s is well again; acts: %s" % (node, self.sim.acts()), lambda: self.is_well(node))
        within(30, lambda: "the journal is at rest: %s" % self.kube.journal(), self.kube.is_at_rest)


class Case(unittest.TestCase):
    site = None

    @classmethod
    def tearDownClass(cls):
        if cls.site:
            cls.site.down()

    def tearDown(self):
        if not self._outcome.success:
            self.site.is_kept = True
            for daemon in self.site.daemons:
                print("---- the end of %s:\n%s" % (daemon.log, lab.tail(daemon.log, 40)), file=sys.stderr)


class RealApiServer(Case):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("kube", 27443, workers=4, grace="16s", lease="3s", interval=0.5)
        cls.first = cls.site.daemon("first")
        cls.second = None

    def leader(self, daemon, seconds=40):
        """That daemon holds the Lease: its own log says who it is."""
        def look():
            holder = self.site.kube.lease_holder()
            return holder if holder and holder in daemon.text() else None
        return within(seconds, lambda: "%s leads; the holder is %r" % (daemon.name, self.site.kube.lease_holder()), look)

    def assert_others_untouched(self, node, since):
        nodes = {a["node"] for a in self.site.sim.acts()[since:] if a["node"]}
        self.assertLessEqual(nodes, {node})

    def reboot_heals(self, node):
        since = len(self.site.sim.acts())
        server = self.site.break_kubelet(node)
        self.site.heals(node)
        self.assertEqual(self.site.acts_on(server, since), {"reboot-soft": 1})
        self.assert_others_untouched(node, since)

    def test_1_it_watches_with_the_rights_it_has(self):
        within(40, "a leader", self.site.kube.lease_holder)
        time.sleep(8)
        self.assertTrue(self.first.is_running())
        self.assertEqual(self.site.sim.acts(), [])
        asked = [e["requestURI"] for e in self.site.kube.audited()]
        watches = [uri for uri in asked if uri.startswith("/api/v1/nodes?") and "watch=" in uri]
        self.assertTrue(any("sendInitialEvents=true" in uri and "allowWatchBookmarks=true" in uri for uri in watches), asked)
        self.assertEqual(self.site.kube.refused(), [])

    def test_2_a_stopped_kubelet_is_healed_by_a_reboot(self):
        self.reboot_heals(self.site.workers()[0])

    def test_3_the_watch_survives_a_restart_of_the_api_server(self):
        self.site.kube.expire("--restart")
        self.reboot_heals(self.site.workers()[1])

    def test_4_the_watch_survives_compaction(self):
        """Everything that the watch could go on from is gone: 410, and a new list."""
        self.site.kube.expire()
        self.reboot_heals(self.site.workers()[2])

    def test_5_a_node_that_no_reboot_cures_is_replaced(self):
        node, since = self.site.workers()[3], len(self.site.sim.acts())
        server = self.site.break_kubelet(node, is_sticky=True)
        self.site.heals(node, 180)
        self.assertNotEqual(self.site.kubenodes.node(node)["serverID"], server)
        self.assertEqual(self.site.acts_on(server, since), {"reboot-soft": 1, "stop": 1, "mark-unhealthy": 1})
        self.assertEqual([a["kind"] for a in self.site.sim.acts()[since:]].count("stack-update"), 1)
        self.assert_others_untouched(node, since)

    def test_6_the_standby_finishes_what_a_killed_leader_began(self):
        node, since = self.site.workers()[0], len(self.site.sim.acts())
        RealApiServer.second = self.site.daemon("second")
        before = self.leader(self.first)
        server = self.site.break_kubelet(node, is_sticky=True)
        within(120, "the replacement began", lambda: self.site.acts_on(server, since).get("stop"))
        self.first.signal(signal.SIGKILL)
        self.assertNotEqual(self.leader(self.second, 60), before)
        self.site.heals(node, 180)
        self.assertEqual(self.site.acts_on(server, since), {"reboot-soft": 1, "stop": 1, "mark-unhealthy": 1})
        self.assertEqual([a["kind"] for a in self.site.sim.acts()[since:]].count("stack-update"), 1)

    def test_7_a_clean_end_hands_the_lease_over_at_once(self):
        if self.second is None or not self.second.is_running():  # the test before did not get that far
            RealApiServer.second = self.site.daemon("second")
            self.first.stop()
        third = self.site.daemon("third")
        within(20, "the third daemon is up", lambda: third.is_running() and third.text())
        time.sleep(3)  # it waits for the Lease by now
        self.leader(self.second, 60)
        began = time.monotonic()
        self.assertEqual(self.second.signal(signal.SIGTERM), 0)
        self.leader(third, 12)
        print("hand-over after %.1f s" % (time.monotonic() - began))
        self.reboot_heals(self.site.workers()[1])

    def test_8_nothing_was_ever_refused(self):
        self.assertEqual(self.site.kube.refused(), [])


class ThousandNodes(Case):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("thousand", 28443, workers=997, grace="40s", lease="10s", interval=2)

    def test_a_thousand_nodes(self):
        site = self.site
        daemon = site.daemon("thousand")
        within(60, "a leader", site.kube.lease_holder)
        time.sleep(15)
        self.assertTrue(daemon.is_running())
        self.assertEqual(site.sim.acts(), [])
        began, cpu = time.monotonic(), daemon.cpu_seconds()
        time.sleep(10)
        cpu = (daemon.cpu_seconds() - cpu) / (time.monotonic() - began)
        print("1,000 nodes: %.1f MiB resident, %.1f %% of a processor" % (daemon.rss_mib(), 100 * cpu))
        node = site.workers()[500]
        server = site.break_kubelet(node)
        within(90, "the node is Unknown", lambda: site.kube.ready(node) != "True")
        within(120, lambda: "it is healed; acts: %s" % site.sim.acts(), lambda: site.is_well(node), 1)
        self.assertEqual([(a["kind"], a["server"]) for a in site.sim.acts()], [("reboot-soft", server)])
        if not daemon.is_sanitized():
            self.assertLess(daemon.rss_mib(), 64)
        self.assertEqual(site.kube.refused(), [])


if __name__ == "__main__":
    unittest.main()
