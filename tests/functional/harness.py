"""A simulated world (simworld) and real daemons beside it, for the functional tests. Standard library and openssl only.

Everything waits for something to happen, with a deadline; nothing sleeps for a fixed time. Whatever is started here is
ended at the end of its test, by its process id. MAH_BUILD names the build directory (default: build/ in the tree).
"""
import atexit
import base64
import functools
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("MAH_BUILD", os.path.join(ROOT, "build"))
JSON = "application/json"
MERGE = "application/merge-patch+json"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/magnum-auto-healer"
STATE = "/api/v1/namespaces/kube-system/configmaps/magnum-auto-healer-state"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
NODES = "/api/v1/nodes"
PASSWORD = "demo-secret"  # sim/world.h
# What must never reach one server twice. (A mark may: it says the same thing again.)
ONCE = {"reboot-soft", "reboot-hard", "stop", "start", "resize"}
HEALER = "magnum-auto-healer"


def program(*places):
    for place in places:
        path = os.path.join(BUILD, place)
        if os.access(path, os.X_OK):
            return path
    raise unittest.SkipTest("%s is not built in %s" % (places[-1], BUILD))


def healer_program():
    return program("magnum-auto-healer", "src/cli/magnum-auto-healer")


_certs_lock = threading.Lock()


@functools.lru_cache(maxsize=None)
def _make_certs():
    folder = tempfile.mkdtemp(prefix="mah-certs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    subprocess.run(["sh", os.path.join(ROOT, "sim", "mkcert.sh"), folder], check=True)
    return folder


def certs():
    """A folder with ca.pem, cert.pem and key.pem, made once in a run."""
    with _certs_lock:
        return _make_certs()


def until(what, get, limit=30.0, pause=0.05, alive=()):
    """Waits until get() gives something true, and returns it. alive: processes that must not end meanwhile."""
    end = time.monotonic() + limit
    while True:
        found = get()
        if found:
            return found
        for one in alive:
            if one.process.poll() is not None:
                raise AssertionError("%s ended with %s while waiting for %s\n%s"
                                     % (one, one.process.returncode, what, one.tail()))
        if time.monotonic() > end:
            raise AssertionError("not within %.0f s: %s\n%s" % (limit, what, "\n".join(o.tail() for o in alive)))
        time.sleep(pause)


class World:
    """A running simworld: the cluster, its cloud, and the means to break them."""

    def __init__(self, *args, pace="0.04", grace="1s", seed=7, workers=3, masters=3, plain=False, port=0, log=None):
        command = [program("simworld", "sim/simworld"), "--workers", str(workers), "--masters", str(masters),
                   "--seed", str(seed), "--pace", pace, "--grace", grace, "--port", str(port), *args]
        self.ca = None if plain else certs() + "/ca.pem"
        if not plain:
            command += ["--cert", certs() + "/cert.pem", "--key", certs() + "/key.pem"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise AssertionError("simworld does not start: %s" % command)
        self.port = int(self.url.rpartition(":")[2])
        self.context = None if plain else ssl.create_default_context(cafile=self.ca)
        self.token = None

    def tail(self):
        return "simworld at %s" % self.url

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, bytes)"""
        headers = dict(headers or {})
        if self.token and not path.startswith("/sim/"):
            headers.setdefault("Authorization", "Bearer " + self.token)
        if self.context:
            c = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            c.request(method, path, body, headers)
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            c.close()

    def get(self, path):
        """The JSON document at PATH, or None."""
        status, _, content = self.ask("GET", path)
        return json.loads(content) if status == 200 else None

    def control(self, path):
        status, _, content = self.ask("POST", "/sim/" + path)
        if status != 200:
            raise AssertionError("/sim/%s: %d %s" % (path, status, content[:200]))
        return json.loads(content)

    def trouble(self, service, **rates):
        self.control("trouble?" + "&".join(["service=" + service] + ["%s=%s" % rate for rate in rates.items()]))

    def object(self, path):
        """A Kubernetes object as it is stored, past tokens and troubles; None when there is none."""
        return self.get("/sim/object?path=" + path)

    def servers(self):
        return self.get("/sim/servers")["servers"]

    def node_names(self, role="worker"):
        return [s["node"] for s in self.servers() if s["role"] == role]

    def server_of(self, node):
        """The newest server of that node."""
        found = [s for s in self.servers() if s["node"] == node]
        return found[-1] if found else None

    def node(self, name):
        return self.object(NODES + "/" + name)

    def is_ready(self, name):
        return self._is_ready(self.node(name))

    @staticmethod
    def _is_ready(node):
        conditions = node["status"]["conditions"] if node else []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def is_well(self, name):
        """Ready, and nothing is left on it of a repair."""
        node = self.node(name)
        return self._is_ready(node) and not node["spec"].get("unschedulable") and not self.marks(node)

    @staticmethod
    def marks(node):
        return [a for a in node["metadata"].get("annotations", {}) if HEALER in a or "autohealing" in a]

    def acts(self, *kinds):
        """What changed the world, refused attempts and the health report left out."""
        acts = self.get("/sim/acts")["acts"]
        return [a for a in acts if 200 <= a["status"] < 300
                and (a["kind"] in kinds if kinds else a["kind"] != "health-report")]

    def break_kubelet(self, node, cure):
        self.control("break?node=%s&how=kubelet&cure=%s" % (node, cure))

    def state(self):
        """What the healer has written down; None when there is nothing."""
        found = self.object(STATE)
        return json.loads(next(iter(found["data"].values()))) if found else None

    def holder(self):
        found = self.object(LEASE)
        return found["spec"].get("holderIdentity") if found else None

    def events(self):
        return (self.get(EVENTS) or {"items": []})["items"]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode


PAIR = re.compile(r' ?([A-Za-z0-9_./-]+)=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)')


def parse_logfmt(line):
    """A dict of one log line; ValueError when it is not logfmt."""
    found, at = {}, 0
    while at < len(line):
        pair = PAIR.match(line, at)
        if not pair or pair.group(1) in found:
            raise ValueError("not logfmt at %d: %r" % (at, line))
        value = pair.group(2)
        found[pair.group(1)] = json.loads(value) if value.startswith('"') else value
        at = pair.end()
    return found


class Healer:
    """A running daemon; its log is read as it grows."""

    def __init__(self, config, *args, env=None, name="healer", prefix=()):
        self.name = name
        self.lines, self.raw = [], []
        self._new = threading.Condition()
        command = [*prefix, healer_program(), "--config", config, *(args or ("--v", "4"))]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "KUBE"))}
        environment.update(env or {})
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                        env=environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __str__(self):
        return self.name

    def _read(self):
        for line in self.process.stderr:
            line = line.rstrip("\n")
            try:
                parsed = json.loads(line) if line.startswith("{") else parse_logfmt(line)
            except ValueError:
                parsed = None
            with self._new:
                self.raw.append(line)
                if parsed:
                    self.lines.append(parsed)
                    self.heard(parsed)
                self._new.notify_all()
        with self._new:
            self._new.notify_all()

    def heard(self, line):
        """For tests that act on a line the moment it comes."""

    def tail(self, count=40):
        return "%s:\n  %s" % (self.name, "\n  ".join(self.raw[-count:]))

    def find(self, **wanted):
        """The lines in which all these fields have these values."""
        with self._new:
            return [line for line in self.lines if all(line.get(k) == v for k, v in wanted.items())]

    def wait(self, limit=30.0, count=1, **wanted):
        """The count-th line in which all these fields have these values, as soon as there is one."""
        end = time.monotonic() + limit
        while True:
            found = self.find(**wanted)
            if len(found) >= count:
                return found[count - 1]
            with self._new:
                left = end - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    raise AssertionError("no line %s from %s\n%s" % (wanted, self.name, self.tail()))
                self._new.wait(min(left, 0.2))

    def stop(self, number=signal.SIGTERM, limit=15.0):
        """Ends it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("%s does not stop\n%s" % (self.name, self.tail())) from None
        self._reader.join(timeout=10)
        self.process.stderr.close()
        return self.process.returncode


class Case(unittest.TestCase):
    """A test with a folder and processes of its own. Tests of such a class run beside each other (tests/run.py)."""

    is_parallel = True

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mah-func-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(content if isinstance(content, str) else json.dumps(content, indent=1))
        os.replace(path + ".new", path)
        return path

    def world(self, *args, **options):
        world = World(*args, **options)
        self.addCleanup(world.stop)
        return world

    def kubeconfig(self, world, user=None, name="kubeconfig", **cluster):
        """With the CA inline, as kubeadm writes it."""
        cluster.setdefault("server", world.url)
        if world.ca and "certificate-authority" not in cluster:
            with open(world.ca, "rb") as f:
                cluster.setdefault("certificate-authority-data", base64.b64encode(f.read()).decode())
        return self.write(name, {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "here", "user": "healer"}}],
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "healer", "user": user or {}}]})

    def document(self, world, policy=None, openstack=None, **changes):
        """A configuration in which everything is quick."""
        check = [{"type": "NodeCondition", "params": {"unhealthy-duration": "1s", "types": ["Ready"],
                                                      "ok-values": ["True"]}}]
        cloud = {"auth-url": world.url + "/identity/v3", "user-id": "8c8c1f0e7d6b4a5f93e2d1c0b9a87654",
                 "project-id": "3a8b6d0c2f5e4b1f9a7d8e6c5b4a3f21", "password": PASSWORD, "region": "RegionOne"}
        if world.ca:
            cloud["ca-file"] = world.ca
        cloud.update(openstack or {})
        config = {"cluster-name": "c418c335-0e52-42fc-bd68-baa8d264e072", "monitor-interval": "1s",
                  "check-delay-after-add": "0s", "rebuild-delay-after-reboot": "5s",
                  "healthcheck": {"master": check, "worker": check}, "openstack": cloud,
                  "policy": {"probation": "2s", "retry-backoff": "2s", "storm-cooldown": "2s", **(policy or {})}}
        config.update(changes)
        return {k: v for k, v in config.items() if v is not None}

    def config(self, world, name="config.yaml", **changes):
        """Its file. (JSON is YAML.)"""
        if "kubernetes" not in changes:
            changes["kubernetes"] = {"kubeconfig": self.kubeconfig(world)}
        return self.write(name, self.document(world, **changes))

    def healer(self, config, *args, **options):
        healer = Healer(config, *args, **options)
        self.addCleanup(self._end, healer)
        return healer

    @staticmethod
    def _end(healer):
        if healer.process.poll() is None:
            healer.process.kill()
        healer.stop()

    def sees(self, healer, limit=30.0):
        """It leads, and has seen the cloud."""
        healer.wait(limit=limit, component="cloud", msg="the cluster is seen")

    def assert_touched_only(self, world, *nodes):
        """Nothing happened to any other node, and nothing twice that must not be."""
        seen = set()
        for act in world.acts():
            if act["kind"] != "stack-update":  # has neither server nor node
                self.assertIn(act["node"], nodes, act)
            key = (act["kind"], act["server"])
            if act["kind"] in ONCE:
                self.assertNotIn(key, seen, world.acts())
                seen.add(key)

    def wait_well(self, world, node, *healers, limit=60.0):
        until("%s is well" % node, lambda: world.is_well(node), limit, 0.1, healers)
