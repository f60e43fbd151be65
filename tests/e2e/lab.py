"""What the suites share: the real Kubernetes control plane, the simulated kubelets, the simulated cloud, the daemon.

Everything runs in folders below one temporary one and is ended by its process id."""
import atexit
import json
import os
import re
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
import urllib.request

from cloud import Cloud

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../.."))
BUILD = os.environ.get("MAH_BUILD", os.path.join(ROOT, "build"))
DAEMON = os.environ.get("MAH_BINARY", os.path.join(BUILD, "magnum-auto-healer"))
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
NAMESPACE = "kube-system"
NAME = "magnum-auto-healer"
# A slower machine is given more time: every deadline is multiplied.
PATIENCE = float(os.environ.get("MAH_PATIENCE", "1"))

AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  users: ["system:serviceaccount:%s:%s"]
- level: None
""" % (NAMESPACE, NAME)


def within(seconds, what, check, interval=0.2):
    """check() until it gives something true, which is returned. what: text or a function that gives it."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (seconds * PATIENCE, what() if callable(what) else what))
        time.sleep(interval)


def now_text():
    """The time as the API server's audit log writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".%06dZ" % (time.time() % 1 * 1e6)


def tail(path, lines=30):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return "".join(f.readlines()[-lines:])
    except OSError:
        return ""


class Process:
    """A child with its output in a file; ended by its id, killed when it does not end."""

    def __init__(self, name, argv, folder, env=None):
        self.name, self.argv, self.env = name, argv, dict(os.environ, **(env or {}))
        self.log = os.path.join(folder, name + ".log")
        self.child = None

    def start(self):
        atexit.register(self.stop)
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self.env,
                                          start_new_session=True)
        return self

    @property
    def pid(self):
        return self.child.pid

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    def signal(self, number, seconds=15):
        """Sends it and waits for the end; the exit status (negative: the signal that ended it)."""
        self.child.send_signal(number)
        return self.child.wait(timeout=seconds * PATIENCE)

    def stop(self):
        if not self.is_running():
            return self.child.returncode if self.child else None
        try:
            return self.signal(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            return self.signal(signal.SIGKILL)

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def says(self, pattern):
        return re.search(pattern, self.text())

    def is_sanitized(self):
        """Then its memory says nothing."""
        with open("/proc/%d/maps" % self.pid, encoding="utf-8") as f:
            return "libasan" in f.read()

    def rss_mib(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+) kB", f.read()).group(1)) / 1024

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.pid, encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Kube:
    """etcd, kube-apiserver and kube-controller-manager, by the scripts in kube/, on ports of their own."""

    def __init__(self, folder, port, grace="10s"):
        self.state = os.path.join(folder, "kube")
        self.port, self.control = port, "127.0.0.1:%d" % (port + 5)
        os.makedirs(self.state, exist_ok=True)
        self.audit = os.path.join(self.state, "audit.log")
        policy = os.path.join(self.state, "audit-policy.yaml")
        with open(policy, "w", encoding="utf-8") as f:
            f.write(AUDIT_POLICY)
        self.bin = os.environ.get("KUBELAB_BIN") or subprocess.run(
            [HERE + "/kube/build", "--where"], capture_output=True, text=True, check=True).stdout.strip()
        self.env = {"KUBELAB_STATE": self.state, "KUBELAB_PORT": str(port), "KUBELAB_GRACE": grace, "KUBELAB_MONITOR": "1s",
                    "KUBELAB_SCHEDULER": "0", "KUBELAB_BIN": self.bin,
                    "KUBELAB_APISERVER_ARGS": "--audit-policy-file=%s --audit-log-path=%s" % (policy, self.audit)}
        self.url = "https://127.0.0.1:%d" % port
        self.opener = None
        self.outages = []  # when the API server was being restarted: (from, to), in its own way of writing times

    def script(self, name, *args):
        done = subprocess.run([os.path.join(HERE, "kube", name)] + list(args), env=dict(os.environ, **self.env),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError("kube/%s: exit status %d\n%s%s" % (name, done.returncode, done.stdout, done.stderr))
        return done.stdout

    def up(self):
        self.script("build")
        atexit.register(self.down)
        self.script("up")
        context = ssl.create_default_context(cafile=self.state + "/pki/ca.crt")
        context.load_cert_chain(self.state + "/pki/admin.crt", self.state + "/pki/admin.key")
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                                  urllib.request.HTTPSHandler(context=context))
        return self

    def expire(self, *args):
        """Restarts the API server, and lets every resourceVersion up to now expire (but with --restart)."""
        began = now_text()
        try:
            self.script("expire", *args)
        finally:
            self.outages.append((began, now_text()))

    def down(self):
        if os.path.isdir(self.state):
            self.script("down")

    def nodes_up(self, *flags):
        self.script("nodes", *flags)

    def call(self, method, path, body=None, content_type="application/json"):
        """As administrator. None for 404."""
        request = urllib.request.Request(self.url + path, method=method, data=json.dumps(body).encode() if body else None,
                                         headers={"Content-Type": content_type})
        try:
            with self.opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                if e.code == 404:
                    return None
                raise RuntimeError("%s %s: %d %s" % (method, path, e.code, e.read().decode(errors="replace"))) from e

    def node(self, name):
        return self.call("GET", "/api/v1/nodes/" + name)

    def ready(self, name):
        """"True", "False", "Unknown", or "" when there is no such Node."""
        node = self.node(name)
        found = [c["status"] for c in node["status"].get("conditions", []) if c["type"] == "Ready"] if node else []
        return found[0] if found else ""

    def lease_holder(self):
        lease = self.call("GET", "/apis/coordination.k8s.io/v1/namespaces/%s/leases/%s" % (NAMESPACE, NAME))
        return (lease["spec"].get("holderIdentity") or "") if lease else ""

    def journal(self):
        """The healer's journal, parsed; None when there is none."""
        found = self.call("GET", "/api/v1/namespaces/%s/configmaps/%s-state" % (NAMESPACE, NAME))
        return json.loads(found["data"]["state.json"]) if found else None

    def is_at_rest(self):
        """By the journal no repair is running."""
        journal = self.journal()
        return journal is None or not journal["ops"]

    def events(self):
        return self.call("GET", "/apis/events.k8s.io/v1/events?limit=500")["items"]

    def audited(self, since=0):
        """What the healer's account asked, as the API server wrote it down, beginning at a byte offset."""
        out = []
        with open(self.audit, encoding="utf-8", errors="replace") as f:
            f.seek(since)
            for line in f:
                if line.endswith("\n"):
                    out.append(json.loads(line))
        return out

    def audit_size(self):
        return os.path.getsize(self.audit) if os.path.exists(self.audit) else 0

    def refused(self, since=0):
        """Requests of the healer that were answered 401 or 403. An API server that has only just begun to listen knows no
        roles yet and forbids everything: that is its start, and not a right that is missing."""
        return ["%s %s: %d" % (e["verb"], e["requestURI"], e["responseStatus"]["code"]) for e in self.audited(since)
                if e.get("responseStatus", {}).get("code") in (401, 403) and
                not any(began <= e["stageTimestamp"] <= ended for began, ended in self.outages)]


class Forward:
    """A way to the API server: everything that comes to an address is carried to its port, until it is cut."""

    def __init__(self, host, port, to_port):
        self.to, self.pairs, self.is_open = ("127.0.0.1", to_port), [], True
        self.listener = socket.create_server((host, port))
        self.port = self.listener.getsockname()[1]
        self.carried = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.to)
            except OSError:
                return
            self.pairs.append((near, far))
            self.carried += 1
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """The address dies: its connections too, and new ones are refused."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for pair in self.pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()


class Sim:
    """The simulated cloud (build/sim/simworld) on a loopback port, without its Kubernetes part."""

    def __init__(self, folder, masters, workers, pace=0.1, args=()):
        pki = os.path.join(folder, "sim-pki")
        subprocess.run([os.path.join(ROOT, "sim/mkcert.sh"), pki], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
        self.ca = pki + "/ca.pem"
        self.process = Process("simworld", [
            os.path.join(BUILD, "sim/simworld"), "--no-kube", "--cert=%s/cert.pem" % pki, "--key=%s/key.pem" % pki,
            "--masters=%d" % masters, "--workers=%d" % workers, "--pace=%g" % pace] + list(args), folder).start()
        self.url = within(20, lambda: "simworld's URL: " + self.process.text(),
                          lambda: (self.process.says(r"^(https://\S+)") or [None, None])[1])
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self.ca)))
        with open(os.path.join(ROOT, "sim/world.h"), encoding="utf-8") as f:
            self.known = dict(re.findall(r'^#define SIM_(\w+)\s+"([^"]*)"', f.read(), re.M))

    def get(self, path):
        with self.opener.open(self.url + "/sim/" + path, timeout=30) as answer:
            return json.load(answer)

    def servers(self):
        return self.get("servers")["servers"]

    def acts(self):
        """What changed the world, oldest first, but for health reports."""
        return [a for a in self.get("acts")["acts"] if a["kind"] != "health-report"]

    def cloud(self):
        return Cloud(self.url + "/identity/v3", self.known["REGION"], self.known["USER_ID"], self.known["PASSWORD"],
                     self.known["PROJECT_ID"], self.ca)

    def openstack(self):
        """The section of the daemon's configuration."""
        return {"auth-url": self.url + "/identity/v3", "region": self.known["REGION"], "user-id": self.known["USER_ID"],
                "password": self.known["PASSWORD"], "project-id": self.known["PROJECT_ID"], "ca-file": self.ca}


def daemon(name, folder, kube, config, args=(), port=0):
    """The healer, as it runs in a pod: the service account's folder is mounted where the kubelet puts it, in a mount
    namespace of its own, and there is no kubeconfig. port: of the API server, where it is not its own. Not started yet."""
    path = os.path.join(folder, name + ".yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(config)
    unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    # The place is below /run, so an empty file system over it leaves nothing behind on the machine.
    script = 'mount -t tmpfs none /run && mkdir -p "$2" && mount --bind "$1" "$2" && shift 2 && exec "$@"'
    argv = unshare + ["sh", "-c", script, "sh", kube.state + "/serviceaccount", SERVICE_ACCOUNT, DAEMON, "run",
                      "--config=" + path] + list(args)
    process = Process(name, argv, folder, {"KUBERNETES_SERVICE_HOST": "127.0.0.1",
                                           "KUBERNETES_SERVICE_PORT": str(port or kube.port)})
    process.env.pop("KUBECONFIG", None)
    return process


ENDPOINT = """    - type: Endpoint
      params:
        unhealthy-duration: 4s
        protocol: HTTPS
        port: %d
        endpoints: ["/healthz"]
        ok-codes: [200]
        timeout: 2s
        ca-file: %s
"""


def config(cluster, openstack, policy=None, masters="", kubernetes=None, **top):
    """A configuration file. openstack, policy, kubernetes: keys and values of these sections; masters: further checks."""
    settings = {"cluster-name": cluster, "dry-run": "false", "monitor-interval": "2s", "check-delay-after-add": "1s",
                "rebuild-delay-after-reboot": "12s", "leader-elect": "true"}
    settings.update({k.replace("_", "-"): v for k, v in top.items()})
    check = ("    - type: NodeCondition\n      params:\n        unhealthy-duration: 3s\n"
             "        types: [\"Ready\"]\n        ok-values: [\"True\"]\n")
    section = lambda name, keys: "%s:\n" % name + "".join("  %s: %s\n" % item for item in keys.items())
    careful = {"probation": "5s", "retry-backoff": "10s", "storm-cooldown": "5s"}
    careful.update(policy or {})
    return ("".join("%s: %s\n" % item for item in settings.items()) +
            (section("kubernetes", kubernetes) if kubernetes else "") + "healthcheck:\n  master:\n" + check + masters +
            "  worker:\n" + check + section("policy", careful) + section("openstack", openstack))


class Folder:
    """A temporary folder; kept, and its place told, when the tests failed or $MAH_KEEP is set."""

    def __init__(self, name):
        self.path = tempfile.mkdtemp(prefix="mah-%s-" % name)

    def done(self, is_kept=False):
        if is_kept or os.environ.get("MAH_KEEP"):
            print("logs are in %s" % self.path, file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)
