#!/usr/bin/env python3
"""Joins a cloud and the simulated kubelets: what happens to a server in Nova happens to the kubelet on it.

    server in Nova                              kubelet (kubenodes)
    SHUTOFF                                     poweroff
    ACTIVE again                                poweron
    one more reboot among its actions           reboot (asked for broken nodes only)
    ACTIVE, with an id not seen before          replace of the node of that name, or a node of a new name joins
    gone                                        delete, the Node object stays (nobody tells Kubernetes)

As a program: bridge.py AUTH-URL REGION USER-ID PROJECT-ID KUBENODES-ADDRESS [CA-FILE], password in $OS_PASSWORD.
"""
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from cloud import Cloud, CloudError


class Kubenodes:
    """The control port of kubenodes."""

    def __init__(self, address):
        self.base = "http://" + address
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, path, **query):
        url = self.base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        try:
            with self.opener.open(urllib.request.Request(url, method=method), timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                raise RuntimeError("%s %s: %s %s" % (method, url, e.code, e.read().decode(errors="replace"))) from e

    def nodes(self):
        return self.call("GET", "/nodes")

    def node(self, name):
        return self.call("GET", "/nodes/" + name)

    def act(self, node, action, **query):
        return self.call("POST", "/nodes/%s/%s" % (node, action), **query)


class Bridge:
    """Follows the cloud until stop(). `events` tells what it saw: (seconds since start, text)."""

    def __init__(self, cloud, kubenodes, interval=1.0, reboot_down="2s", echo=None):
        self.cloud, self.kubenodes, self.interval = cloud, kubenodes, interval
        self.reboot_down, self.echo = reboot_down, echo
        self.before = None   # id → server, as it was at the last look
        self.retired = set() # ids whose node runs on another server now
        self.reboots = {}    # id → reboots that Nova has on record, of nodes that are broken
        self.events, self.began = [], time.monotonic()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(timeout=120)

    def tell(self, text):
        self.events.append((time.monotonic() - self.began, text))
        if self.echo:
            print("%7.1f  bridge: %s" % self.events[-1], file=self.echo, flush=True)

    def _run(self):
        while not self.stopping.wait(self.interval):
            try:
                self.look()
            except (CloudError, RuntimeError, OSError, ValueError, KeyError) as e:
                self.tell("failed: %s" % e)

    def look(self):
        servers = {s["id"]: s for s in self.cloud.servers()}
        nodes = {n["serverID"]: n for n in self.kubenodes.nodes()}
        first, before = self.before is None, self.before or {}
        for server in servers.values():
            old = before.get(server["id"])
            if old is None or (old["status"], old["task"]) != (server["status"], server["task"]):
                if not first:
                    self.tell("%s %s %s %s" % (server["name"], server["id"][:8], server["status"], server["task"]))
            if server["id"] in nodes:
                self._follow(server, old, nodes[server["id"]])
            elif server["status"] == "ACTIVE" and server["id"] not in self.retired:
                self._join(server, nodes)
        for known, node in nodes.items():
            if known not in servers and known in before:
                self.tell("%s %s is gone" % (node["name"], known[:8]))
                self.kubenodes.act(node["name"], "delete", object="keep")
        self.before = servers

    def _follow(self, server, old, node):
        if not node["kubelet"] or node["bad"] or self._endpoint_fails(node):
            # By the record and not by the status: a quick reboot falls between two looks.
            count = self.cloud.actions(server["id"]).count("reboot")
            if count > self.reboots.setdefault(server["id"], count):
                self.reboots[server["id"]] = count
                self.tell("%s reboots" % node["name"])
                self.kubenodes.act(node["name"], "reboot", down=self.reboot_down)
                return
        else:
            self.reboots.pop(server["id"], None)
        if server["status"] == "SHUTOFF" and node["power"]:
            self.kubenodes.act(node["name"], "poweroff")
        elif server["status"] == "ACTIVE" and not node["power"] and old is not None and old["status"] == "SHUTOFF":
            self.kubenodes.act(node["name"], "poweron")

    @staticmethod
    def _endpoint_fails(node):
        endpoint = node.get("healthz") or {"mode": "ok", "code": 200}
        return endpoint["mode"] != "ok" or endpoint["code"] != 200

    def _join(self, server, nodes):
        same_name = [n for n in nodes.values() if n["name"] == server["name"]]
        if same_name:
            self.retired.add(same_name[0]["serverID"])
            self.tell("%s runs on %s now" % (server["name"], server["id"][:8]))
            self.kubenodes.act(server["name"], "replace", id=server["id"], object="keep")
        else:
            self.tell("%s joins, on %s" % (server["name"], server["id"][:8]))
            role = "master" if "-master-" in server["name"] else "worker"
            self.kubenodes.call("POST", "/nodes", name=server["name"], role=role, id=server["id"], ip=server["address"])


def inventory(servers):
    """The servers as lines for kubenodes -inventory."""
    return "".join("%s %s %s %s\n" % (s["name"], "master" if "-master-" in s["name"] else "worker", s["id"], s["address"])
                   for s in servers)


def main():
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    auth_url, region, user, project, address = sys.argv[1:6]
    cloud = Cloud(auth_url, region, user, os.environ["OS_PASSWORD"], project, ca=(sys.argv + [None])[6])
    bridge = Bridge(cloud, Kubenodes(address), echo=sys.stdout).start()
    try:
        while bridge.thread.is_alive():
            time.sleep(1)
    except KeyboardInterrupt:
        bridge.stop()


if __name__ == "__main__":
    main()
