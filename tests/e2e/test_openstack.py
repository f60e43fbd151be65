"""A worker is healed with everything real: the daemon, kube-apiserver, Keystone, Nova, Heat and Magnum. Only the machines
are not: Nova's fake driver runs no guests, so kubenodes plays their kubelets, and the bridge tells it what Nova did.

The first run installs OpenStack from packages (a minute) and makes the cluster (two minutes); both are kept in the user's
cache, and a later run starts in half a minute."""
import atexit
import json
import os
import re
import subprocess
import sys
import time
import unittest

import lab
from bridge import Bridge, Kubenodes, inventory
from cloud import Cloud
from lab import within

TESTBED = os.path.join(lab.HERE, "openstack")
CLUSTER = "k8s"
ENV = {"OSTB_CLUSTER_CIDR": "127.40.0.0/24", "OSTB_MASTERS": "1", "OSTB_WORKERS": "3", "OSTB_CLUSTER": CLUSTER}

world = None


class World:
    def __init__(self):
        self.folder = lab.Folder("openstack")
        self.state = subprocess.run(["bash", "-c", '. ./env.sh; echo "$OSTB_STATE"'], cwd=TESTBED, capture_output=True,
                                    text=True, check=True).stdout.strip()
        self.kube = self.bridge = None
        self.is_down = False
        atexit.register(self.down, True)  # does nothing when it is down already

    def testbed(self, *command):
        log = os.path.join(self.folder.path, "openstack.log")
        with open(log, "ab") as out:
            done = subprocess.run(list(command), cwd=TESTBED, env=dict(os.environ, **ENV), stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, check=False)
        if done.returncode:
            raise RuntimeError("%s: exit status %d\n%s" % (" ".join(command), done.returncode, lab.tail(log)))

    def up(self):
        self.testbed("./install")
        self.testbed("./up")
        if not self.is_whole():  # what an interrupted run left behind
            self.testbed("./down", "--wipe")
            self.testbed("./up")
            if not self.is_whole():
                raise RuntimeError("the cluster is not whole: %s" % self.cloud.servers())
        self.fault("soft-reboot.all", "sleep 2")
        self.fault("reboot.all", "sleep 2")
        self.kube = lab.Kube(self.folder.path, 26443)
        self.kube.up()
        path = os.path.join(self.folder.path, "inventory")
        with open(path, "w", encoding="utf-8") as f:
            f.write(inventory(self.cloud.servers()))
        self.kube.nodes_up("-inventory", path, "-lease", "3s", "-tick", "1s")
        self.kubenodes = Kubenodes(self.kube.control)
        self.told = open(os.path.join(self.folder.path, "bridge.log"), "a", encoding="utf-8")  # pylint: disable=R1732
        self.bridge = Bridge(self.cloud, self.kubenodes, reboot_down="1s", echo=self.told).start()

    def is_whole(self):
        with open(os.path.join(self.state, "facts.json"), encoding="utf-8") as f:
            self.facts = json.load(f)
        self.cloud = Cloud(self.facts["auth_url"], self.facts["region"], self.facts["user_id"], self.facts["password"],
                           self.facts["project_id"])
        found = self.cluster()
        self.uuid = found["uuid"]
        servers = self.cloud.servers()
        return (found["status"].endswith("_COMPLETE") and len(servers) == 4 and
                all(s["status"] == "ACTIVE" and s["address"].startswith("127.40.") for s in servers) and
                self.stack()["stack_status"].endswith("_COMPLETE"))

    def cluster(self):
        return self.cloud.call("GET", "container-infra", "/clusters/" + CLUSTER)

    def stack(self):
        wanted = self.cluster()["stack_id"]
        return next(s for s in self.cloud.call("GET", "orchestration", "/stacks")["stacks"] if s["id"] == wanted)

    def fault(self, name, what):
        path = os.path.join(self.state, "faults", name)
        if what is None:
            if os.path.exists(path):
                os.unlink(path)
        else:
            with open(path, "w", encoding="utf-8") as f:
                f.write(what)

    def workers(self):
        return [s for s in self.cloud.servers() if "-node-" in s["name"]]

    def marks(self):
        """How far the access logs of the services are, for arrived()."""
        return {s: os.path.getsize(self.access(s)) for s in ("nova-api", "heat-api", "magnum-api")}

    def access(self, service):
        return os.path.join(self.state, "log", service + ".access")

    def arrived(self, since):
        """The daemon's requests that ask for a change: (status, "METHOD path"), but for logins and health reports."""
        out = []
        for service, offset in since.items():
            with open(self.access(service), encoding="utf-8", errors="replace") as f:
                f.seek(offset)
                for line in f:
                    found = re.search(r'\] (\d+) "(\S+) (\S+) HTTP/1\.\d" "magnum-auto-healer', line)
                    if found and found.group(2) != "GET":
                        path = re.sub(r"\?.*", "", found.group(3))
                        if not (found.group(2) == "PATCH" and re.fullmatch(r"/v1/clusters/[^/]+", path)):
                            out.append((int(found.group(1)), "%s %s" % (found.group(2), path)))
        return out

    def config(self, replacement):
        return lab.config(self.uuid, {
            "auth-url": self.facts["auth_url"], "region": self.facts["region"], "user-id": self.facts["user_id"],
            "password": self.facts["password"], "project-id": self.facts["project_id"]},
            {"worker-replacement": replacement})

    def down(self, is_kept):
        if self.is_down:
            return
        self.is_down = True
        if self.bridge:
            self.bridge.stop()
            self.told.close()
        if self.kube:
            self.kube.down()
        for name in ("soft-reboot.all", "reboot.all"):
            self.fault(name, None)
        self.testbed("./down")
        self.folder.done(is_kept)


def setUpModule():
    global world
    world = World()
    try:
        world.up()
    except BaseException:
        world.down(True)
        raise


def tearDownModule():
    world.down(OpenStack.has_failed)


class OpenStack(unittest.TestCase):
    has_failed = False

    def setUp(self):
        self.daemon = None

    def tearDown(self):
        if self.daemon:
            self.daemon.stop()
        if not self._outcome.success:
            OpenStack.has_failed = True
            if self.daemon:
                print("---- the end of %s:\n%s" % (self.daemon.log, lab.tail(self.daemon.log, 60)), file=sys.stderr)

    def start(self, name, replacement):
        self.daemon = lab.daemon(name, world.folder.path, world.kube, world.config(replacement)).start()

        def leads():
            holder = world.kube.lease_holder()
            return holder and holder in self.daemon.text()
        within(60, "the daemon leads", leads)

    def broken(self):
        """Breaks the kubelet of the oldest worker so that no reboot cures it. Its server."""
        server = world.workers()[0]
        within(30, "the node is Ready", lambda: world.kube.ready(server["name"]) == "True")
        world.kubenodes.act(server["name"], "stop", sticky=1)
        return server

    def assert_ready_on(self, name, server_id):
        """The Node is Ready, runs on that server, and pods may come to it."""
        def look():
            node = world.kube.node(name)
            if not node or node["spec"].get("unschedulable") or world.kube.ready(name) != "True":
                return False
            return node["status"]["nodeInfo"]["systemUUID"].lower() == server_id
        within(90, "%s is Ready on %s and not cordoned" % (name, server_id), look)

    def assert_untouched(self, servers):
        for server in servers:
            self.assertNotIn("stop", world.cloud.actions(server["id"]), server["name"])
            self.assertNotIn("reboot", world.cloud.actions(server["id"]), server["name"])

    def assert_acts(self, since, server, wanted):
        """Exactly these changes arrived, each once (and the one reboot that was tried first); Nova's own record agrees."""
        within(30, "the case is closed in the journal", world.kube.is_at_rest)
        acts = [what for status, what in world.arrived(since) if status not in (302, 401, 406)]
        detail = "\n".join(acts)
        for pattern in wanted:
            self.assertEqual(len([a for a in acts if re.search(pattern, a)]), 1, "%s among\n%s" % (pattern, detail))
        self.assertEqual(len([a for a in acts if a.endswith("/servers/%s/action" % server["id"])]), 2, detail)
        self.assertEqual(len(acts), len(wanted) + 2, detail)
        recorded = world.cloud.actions(server["id"])
        self.assertEqual([recorded.count("reboot"), recorded.count("stop")], [1, 1], recorded)

    def test_1_nothing_happens_while_all_is_well(self):
        since, before = world.marks(), world.cloud.servers()
        self.start("calm", "in-place")
        time.sleep(15)
        self.assertTrue(self.daemon.is_running())
        self.assertEqual(world.arrived(since), [])
        self.assertEqual(world.cloud.servers(), before)
        self.assertEqual(world.kube.refused(), [])

    def test_2_a_worker_is_replaced_in_place(self):
        since = world.marks()
        self.start("in-place", "in-place")
        others = world.workers()
        old = self.broken()
        others = [s for s in others if s["id"] != old["id"]]

        def replaced():
            servers = world.cloud.servers()
            fresh = [s for s in servers if s["name"] == old["name"] and s["id"] != old["id"] and s["status"] == "ACTIVE"]
            return fresh and not any(s["id"] == old["id"] for s in servers) and fresh[0]
        new = within(300, lambda: "a new server of the same name; there is %s" % world.cloud.servers(), replaced, 1)
        self.assertEqual(new["address"], old["address"])
        self.assert_ready_on(old["name"], new["id"])
        within(60, "the stack is at rest", lambda: world.stack()["stack_status"] == "UPDATE_COMPLETE", 1)
        self.assert_acts(since, old, [r"^PATCH .*/resources/kube-minion$", r"^PATCH .*/stacks/[^/]+/[^/]+$"])
        self.assert_untouched(others)
        self.assertEqual(world.kube.refused(), [])

    def test_3_a_worker_is_replaced_by_resize(self):
        since = world.marks()
        self.start("resize", "resize")
        known = {s["id"] for s in world.workers()}
        old = self.broken()

        def replaced():
            servers = world.workers()
            fresh = [s for s in servers if s["id"] not in known and s["status"] == "ACTIVE"]
            return fresh and not any(s["id"] == old["id"] for s in servers) and fresh[0]
        new = within(300, lambda: "a new server; there is %s" % world.cloud.servers(), replaced, 1)
        self.assertNotEqual(new["name"], old["name"])
        self.assert_ready_on(new["name"], new["id"])
        within(90, "the old Node is deleted", lambda: world.kube.node(old["name"]) is None)
        cluster = within(120, "the cluster is at rest", lambda: next(
            (c for c in [world.cluster()] if c["status"] == "UPDATE_COMPLETE"), None), 1)
        self.assertEqual(cluster["node_count"], 3)
        self.assertEqual(len(world.workers()), 3)
        self.assert_acts(since, old, [r"^POST /v1/clusters/[^/]+/actions/resize$"])
        self.assert_untouched([s for s in world.workers() if s["id"] in known])
        self.assertEqual(world.kube.refused(), [])


if __name__ == "__main__":
    unittest.main()
