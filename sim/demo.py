#!/usr/bin/env python3
"""A failed worker is healed, as an operator would see it: a simulated Magnum cluster of three masters and three workers,
served over HTTPS on this machine, and the real magnum-auto-healer beside it. The kubelet of minion-1 is stopped.

    demo.py [--build DIR]

What the table shows is what the simulated Nova answers; what stands between the tables is the healer's own log, shortened,
and what the simulated API server says of the node. Exit status 0: the node was healed in time, and nothing else was touched.
"""
import argparse
import json
import os
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
LIMIT_S = 58
PACE = "0.08"  # the simulated cloud and its guests, against a real one
GRACE = "2s"  # node-monitor-grace-period: 40 s and more in a real cluster
TICK_S = 0.12
PREFIX = "kube-cluster"
BROKEN = PREFIX + "-minion-1"
# As in sim/world.h.
USER = "8c8c1f0e7d6b4a5f93e2d1c0b9a87654"
PROJECT = "3a8b6d0c2f5e4b1f9a7d8e6c5b4a3f21"
PASSWORD = "demo-secret"
NODE = "/api/v1/nodes/" + BROKEN
STATE = "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/magnum-auto-healer"
# Key of the announcement's configuration: its value there, its value here. Every other key stays as it is.
SCALED = [("monitor-interval", "15s", "1s"), ("unhealthyDuration", "1m", "3s")]
ADDED = "rebuild-delay-after-reboot: 6s\npolicy: {probation: 2s}\n"


class Failed(Exception):
    """What the demo was to show did not happen."""


# ---- what is written ----------------------------------------------------------------------------------------------------


class Screen:
    """Lines as they come; on a terminal in colours, with a line at the end that tells what is going on."""

    COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}

    def __init__(self):
        self.is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.has_colours = self.is_terminal and "NO_COLOR" not in os.environ
        self.began = time.monotonic()

    def width(self):
        return shutil.get_terminal_size((120, 40)).columns if self.is_terminal else 120

    def paint(self, text, colour):
        if not self.has_colours or not colour:
            return text
        return "\033[%sm%s\033[0m" % (self.COLOURS[colour], text)

    def wipe(self):
        if self.is_terminal:
            sys.stdout.write("\r\033[K")

    def line(self, text=""):
        self.wipe()
        print(text, flush=True)

    def live(self, text):
        if self.is_terminal:
            text = "%6.1f s  %s" % (self.seconds(), text)
            sys.stdout.write("\r\033[K" + self.paint(text[:self.width() - 1], "dim"))
            sys.stdout.flush()

    def seconds(self):
        return time.monotonic() - self.began

    def tell(self, who, text, colour=None, at=None):
        """One line of the story; wrapped, never cut."""
        head = "%6.1f s  %-7s" % (self.seconds() if at is None else at, who)
        room = max(self.width() - len(head) - 1, 30)
        words, rows = text.split(" "), [""]
        for word in words:
            if rows[-1] and len(rows[-1]) + 1 + len(word) > room:
                rows.append("")
            rows[-1] += (" " if rows[-1] else "") + word
        for i, row in enumerate(rows):
            self.line((head if i == 0 else " " * len(head)) + " " + self.paint(row, colour))

    def table(self, title, servers, changed=()):
        """As `openstack server list` prints it."""
        heads = ["ID", "Name", "Status", "Networks"]
        rows = [[s["id"], s["name"], s["status"], s["networks"]] for s in servers]
        widths = [max(len(r[i]) for r in [heads] + rows) for i in range(4)]
        over = sum(widths) + 13 - self.width()
        if over > 0:  # a narrow terminal: the ids give way
            widths[0] = max(widths[0] - over, 8)
        rule = "+" + "+".join("-" * (w + 2) for w in widths) + "+"
        self.line()
        self.line(self.paint("$ openstack server list", "bold") + "   # " + title)
        self.line(rule)
        self.line("| " + " | ".join(h.ljust(w) for h, w in zip(heads, widths)) + " |")
        self.line(rule)
        for row in rows:
            cells = [c[:w].ljust(w) for c, w in zip(row, widths)]
            colour = {"ACTIVE": "green", "SHUTOFF": "red", "ERROR": "red"}.get(row[2], "yellow")
            cells[2] = self.paint(cells[2], colour)
            if row[1] in changed:
                cells[1] = self.paint(cells[1], "bold")
            self.line("| " + " | ".join(cells) + " |")
        self.line(rule)
        self.line()


# ---- the world, seen through its public interfaces ----------------------------------------------------------------------


class World:
    def __init__(self, program, folder):
        subprocess.run(["sh", os.path.join(HERE, "mkcert.sh"), folder], check=True)
        self.ca = folder + "/ca.pem"
        self.process = subprocess.Popen(
            [program, "--masters", "3", "--workers", "3", "--pace", PACE, "--grace", GRACE, "--seed", "3",
             "--node-prefix", PREFIX, "--worker-word", "minion", "--cert", folder + "/cert.pem",
             "--key", folder + "/key.pem"], stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise Failed("the simulated cloud does not start")
        direct = urllib.request.ProxyHandler({})  # a proxy of the environment is not for loopback
        secure = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca))
        self.opener = urllib.request.build_opener(direct, secure)
        self.token = ""

    def ask(self, path, body=None, headers=None, method=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers or {}, method=method)
        request.add_header("Content-Type", "application/json")
        with self.opener.open(request, timeout=10) as answer:
            return answer.headers, json.loads(answer.read() or b"null")

    def login(self):
        user = {"id": USER, "password": PASSWORD}
        headers, _ = self.ask("/identity/v3/auth/tokens", {"auth": {
            "identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {"id": PROJECT}}}})
        self.token = headers["X-Subject-Token"]

    def servers(self):
        found = self.ask("/compute/v2.1/servers/detail", headers={"X-Auth-Token": self.token})[1]["servers"]
        rows = []
        for s in found:
            networks = ["%s=%s" % (n, ", ".join(a["addr"] for a in at)) for n, at in s["addresses"].items()]
            rows.append({"id": s["id"], "name": s["name"], "status": s["status"], "networks": "; ".join(networks)})
        return sorted(rows, key=lambda r: ("-master-" not in r["name"], r["name"], r["status"] != "SHUTOFF"))

    def object(self, path):
        try:
            return self.ask("/sim/object?path=" + path)[1]
        except urllib.error.HTTPError:
            return None

    def stop_kubelet(self):
        self.ask("/sim/break?node=%s&how=kubelet&cure=replace" % BROKEN, method="POST")

    def acts(self):
        return [a for a in self.ask("/sim/acts")[1]["acts"] if a["kind"] != "health-report"]


class Masters:
    """The API servers of the masters, on their own addresses: what comes there is carried to the simulated one."""

    def __init__(self, world):
        self.to = urllib.parse.urlsplit(world.url)
        self.port = 0  # a free one, the same on all of them
        for server in world.servers():
            if "-master-" in server["name"]:
                listener = socket.create_server((server["networks"].rpartition("=")[2], self.port))
                self.port = listener.getsockname()[1]
                threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            near, _ = listener.accept()
            far = socket.create_connection((self.to.hostname, self.to.port))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def readiness(node):
    if node is None:
        return "gone"
    ready = next((c for c in node["status"]["conditions"] if c["type"] == "Ready"), {"status": "?"})
    text = {"True": "Ready", "False": "NotReady", "Unknown": "NotReady (its kubelet is silent)"}.get(ready["status"], "?")
    return text + (", SchedulingDisabled" if node["spec"].get("unschedulable") else "")


# ---- the healer ---------------------------------------------------------------------------------------------------------

DEEDS = {
    "cordon": "cordon the node: no new pods go there",
    "uncordon": "uncordon the node",
    "reboot": "ask Nova for a soft reboot",
    "stop": "ask Nova to stop the server: the old machine must not come back",
    "mark-unhealthy": "mark the server unhealthy in Heat",
    "update-stack": "update the stack: Heat builds a new server in its place",
}


class Healer:
    def __init__(self, program, config):
        self.process = subprocess.Popen([program, "--config=" + config, "--v", "4"], stderr=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, start_new_session=True)
        os.set_blocking(self.process.stderr.fileno(), False)
        self.rest = b""
        self.raw = []
        self.step = "is starting"

    def lines(self, wait_s):
        """What it has written since, as dicts; waits for it a while."""
        if select.select([self.process.stderr], [], [], wait_s)[0]:
            self.rest += self.process.stderr.read() or b""
        *whole, self.rest = self.rest.split(b"\n")
        for text in (w.decode() for w in whole):
            self.raw.append(text)
            pairs = re.findall(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|\S+)', text)
            line = {k: json.loads(v) if v.startswith('"') else v for k, v in pairs}
            if "msg" in line:
                yield line


def short(name):
    return name[len(PREFIX) + 1:] if name.startswith(PREFIX + "-") else name


def retell(line):
    """(text, colour) of a log line for people; None: not for them."""
    msg, part = line["msg"], line["component"]
    node = short(line.get("node", ""))
    if part == "lease" and msg == "this replica leads now":
        return "leads now: holds the Lease kube-system/magnum-auto-healer", None
    if part == "cloud" and msg == "the cluster is seen":
        return "sees cluster %s: %s, %s servers, auto healing %s" % (
            line["cluster"], line["status"], line["servers"], line["healing"]), None
    if msg == "held":
        return "%s: %s -> %s next, but hold (%s): %s" % (node, line["witness"], line.get("next", "?"), line["hold"],
                                                         line["why"]), "yellow"
    if msg == "begun":
        return "%s: %s for long enough -> %s server %s" % (node, line["witness"], line["rung"], line["server"][:8]), "cyan"
    if msg == "act":
        return "- %s" % DEEDS.get(line["step"], line["step"]), None
    if part == "repair" and msg == "done":
        new = line.get("newServer", "")[:8]
        return "%s: %s done%s" % (node, line["rung"], ", server %s -> %s" % (line["server"][:8], new) if new else ""), "green"
    if part == "repair" and msg == "failed":
        return "%s: %s did not help: %s" % (node, line["rung"], line.get("why", "?").rpartition("last: ")[2]), "yellow"
    if line["level"] in ("warn", "error"):
        return "%s: %s%s" % (line["level"], msg, ": " + line["why"] if "why" in line else ""), "yellow"
    return None


def write_config(world, port, folder):
    """The announcement's configuration, pointed at the simulated world and scaled."""
    with open(os.path.join(ROOT, "tests", "data", "conf", "announcement.yaml"), encoding="utf-8") as f:
        text = f.read()
    for key, was, now in SCALED:
        if "%s: %s\n" % (key, was) not in text:
            raise Failed("%s: %s is not in the announcement's configuration" % (key, was))
        text = text.replace("%s: %s\n" % (key, was), "%s: %s\n" % (key, now))
    for key, value in [("auth-url", world.url + "/identity/v3"), ("user-id", USER), ("project-id", PROJECT),
                       ("password", PASSWORD), ("port", str(port))]:
        text = re.sub(r"(?m)^(\s+%s:).*$" % key, r"\1 " + value, text)
    text += "  ca-file: %s\nkubernetes:\n  kubeconfig: %s/kubeconfig\n%s" % (world.ca, folder, ADDED)
    with open(folder + "/config.yaml", "w", encoding="utf-8") as f:
        f.write(text)
    with open(folder + "/kubeconfig", "w", encoding="utf-8") as f:
        json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "demo",
                   "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "healer"}}],
                   "clusters": [{"name": "demo", "cluster": {"server": world.url, "certificate-authority": world.ca}}],
                   "users": [{"name": "healer", "user": {}}]}, f)
    return folder + "/config.yaml"


# ---- the demonstration --------------------------------------------------------------------------------------------------


class Demo:
    def __init__(self, screen, world, healer):
        self.screen, self.world, self.healer = screen, world, healer
        self.node_was = self.states_were = None
        self.before = world.servers()
        self.old = next(s for s in self.before if s["name"] == BROKEN)

    def turn(self):
        """Takes in what happened; the servers as they are now."""
        for line in self.healer.lines(TICK_S):
            told = retell(line)
            if told:
                self.screen.tell("healer", *told)
            if "step" in line and line["msg"] in ("act", "look"):
                self.healer.step = "at " + line["step"]
            elif told:
                self.healer.step = "watches"
        if self.healer.process.poll() is not None:
            raise Failed("the healer ended with status %d" % self.healer.process.returncode)
        now = readiness(self.world.object(NODE))
        if self.node_was not in (None, now):
            self.screen.tell("kube", "%s is %s" % (short(BROKEN), now), "green" if now == "Ready" else None)
        self.node_was = now
        servers = self.world.servers()
        states = " beside ".join(s["status"] for s in servers if s["name"] == BROKEN)
        if self.states_were not in (None, states):
            self.screen.tell("nova", "server of %s is %s" % (short(BROKEN), states))
        self.states_were = states
        self.check_others(servers)
        if self.screen.seconds() > LIMIT_S:
            raise Failed("not healed within %d s" % LIMIT_S)
        brief = now.replace(" (its kubelet is silent)", "")
        self.screen.live("%s: server %s, node %s; healer %s" % (short(BROKEN), states, brief, self.healer.step))
        return servers

    def check_others(self, servers):
        others = [s for s in servers if s["name"] != BROKEN]
        if others != [s for s in self.before if s["name"] != BROKEN]:
            self.screen.table("something else was touched", servers)
            raise Failed("a server that was healthy has changed")

    def until(self, is_reached):
        """The servers, as soon as is_reached(the servers called minion-1)."""
        while True:
            servers = self.turn()
            if is_reached([s for s in servers if s["name"] == BROKEN]):
                return servers

    def play(self):
        show = lambda title, servers: self.screen.table(title, servers, (BROKEN,))
        self.until(lambda _: any('msg="the cluster is seen"' in text for text in self.healer.raw))
        show("before: three masters and three minions", self.world.servers())
        self.screen.tell("you", "$ ssh %s sudo systemctl stop kubelet" % BROKEN, "bold")
        self.world.stop_kubelet()
        show("the old server is switched off", self.until(lambda s: s[0]["status"] == "SHUTOFF"))
        show("a new one in BUILD; the old one lost its networks",
             self.until(lambda s: len(s) == 2 and s[0]["status"] == "SHUTOFF" and s[1]["status"] == "BUILD" and
                        not s[0]["networks"]))
        after = self.until(lambda s: len(s) == 1 and s[0]["status"] == "ACTIVE" and self.node_was == "Ready")
        show("after: same name, same address, another server", after)
        past = self.wait_closed()
        self.screen.tell("journal", "case %s of %s is closed: tried %s" % (past["case"], short(past["node"]), past["tried"]))
        return after

    def wait_closed(self):
        while True:
            self.turn()
            state = self.world.object(STATE)
            past = json.loads(next(iter(state["data"].values())))["past"] if state else []
            if past:
                return past[-1]

    def judge(self, after):
        """What must be true in the end."""
        new = next(s for s in after if s["name"] == BROKEN)
        if new["id"] == self.old["id"]:
            raise Failed("%s is still the old server" % BROKEN)
        if new["networks"] != self.old["networks"]:
            raise Failed("%s has another address: %s" % (BROKEN, new["networks"]))
        acts = self.world.acts()
        for act in acts:
            if act["node"] not in (BROKEN, "") or act["server"] not in (self.old["id"], new["id"], ""):
                raise Failed("another node was touched: %s" % act)
        done = sorted(a["kind"] for a in acts if a["kind"] in ("reboot-soft", "stop", "stack-update"))
        if done != ["reboot-soft", "stack-update", "stop"]:
            raise Failed("not exactly one reboot, stop and stack update, but: %s" % ", ".join(done))

    def leave(self):
        """SIGTERM; the Lease is free for the next one."""
        self.healer.process.send_signal(signal.SIGTERM)
        if self.healer.process.wait(timeout=10) != 0:
            raise Failed("the healer ended with status %d" % self.healer.process.returncode)
        if self.world.object(LEASE)["spec"].get("holderIdentity"):
            raise Failed("the healer did not give its Lease back")


def find_program(build, *places):
    for place in places:
        if os.access(os.path.join(build, place), os.X_OK):
            return os.path.join(build, place)
    raise Failed("%s is not built; try: make build" % os.path.join(build, places[0]))


def end(*running):
    """Ends what was started, by its process id."""
    for one in running:
        if one is None or one.process.poll() is not None:
            continue
        one.process.terminate()
        try:
            one.process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            one.process.kill()
            one.process.wait()


def run(screen, build, folder, running):
    programs = [find_program(build, "simworld", "sim/simworld"),
                find_program(build, "magnum-auto-healer", "src/cli/magnum-auto-healer")]
    world = World(programs[0], folder)
    running.append(world)
    world.login()
    masters = Masters(world)
    screen.line("A simulated Magnum cluster over HTTPS, and the real program with the announcement's configuration.")
    screen.line("Scaled down: %s, rebuild-delay-after-reboot 5m -> 6s," % ", ".join("%s %s -> %s" % s for s in SCALED))
    screen.line("probation 10m -> 2s; node-monitor-grace-period 40s -> %s; the cloud is %g times as fast as a real one." %
                (GRACE, 1 / float(PACE)))
    screen.line()
    healer = Healer(programs[1], write_config(world, masters.port, folder))
    running.append(healer)
    demo = Demo(screen, world, healer)
    try:
        demo.judge(demo.play())
        demo.leave()
    except Failed:
        screen.line("The end of the healer's log:\n  " + "\n  ".join(healer.raw[-15:]))
        raise
    screen.wipe()
    story = "healed in %.0f s: a new server, same name and address; nothing else was touched"
    screen.line(screen.paint(story % screen.seconds(), "green"))


def give_up(_number, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="build directory (default: build)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, give_up)
    screen, running = Screen(), []
    folder = tempfile.mkdtemp(prefix="mah-demo-")
    status = 1
    try:
        run(screen, args.build, folder, running)
        status = 0
    except Failed as why:
        screen.line("demo: FAILED: %s" % why)
    except (OSError, subprocess.SubprocessError) as why:
        screen.line("demo: FAILED: %s: %s" % (type(why).__name__, why))
    except KeyboardInterrupt:
        screen.line("demo: interrupted")
        status = 130
    finally:
        end(*reversed(running))
        shutil.rmtree(folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
