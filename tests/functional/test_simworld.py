#!/usr/bin/env python3
"""The served world over real sockets: TLS, keep-alive, streams, delays, lost and cut answers, the control interface.

Needs only the standard library and openssl(1). SIMWORLD names the binary (default: the newest one in a build directory
of the tree).
"""
import glob
import http.client
import json
import os
import signal
import ssl
import subprocess
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROTOBUF = "application/vnd.kubernetes.protobuf"
MERGE = "application/merge-patch+json"
NODES = "/api/v1/nodes"


def binary():
    if "SIMWORLD" in os.environ:
        return os.environ["SIMWORLD"]
    found = glob.glob(os.path.join(ROOT, "*", "sim", "simworld"))
    if not found:
        raise unittest.SkipTest("simworld is not built")
    return max(found, key=os.path.getmtime)


class World:
    """A running simworld."""

    def __init__(self, *args, certs=None):
        command = [binary(), "--workers", "3", "--seed", "7", "--pace", "0.01", "--grace", "1s", *args]
        if certs:
            command += ["--cert", certs + "/cert.pem", "--key", certs + "/key.pem"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=certs + "/ca.pem") if certs else None

    def connect(self):
        if self.context:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=self.context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method, path, body=None, headers=None, connection=None):
        """(status, headers, bytes)"""
        c = connection or self.connect()
        try:
            c.request(method, path, body, headers or {})
            answer = c.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            if connection is None:
                c.close()

    def json(self, method, path, body=None, headers=None):
        status, _, content = self.ask(method, path, body, headers)
        return status, json.loads(content)

    def control(self, path):
        status, answer = self.json("POST", "/sim/" + path)
        assert status == 200, (path, answer)
        return answer

    def worker(self):
        servers = self.json("GET", "/sim/servers")[1]["servers"]
        return next(s["node"] for s in servers if s["role"] == "worker")

    def stream(self, query):
        """An open watch: (connection, response)."""
        c = self.connect()
        c.request("GET", NODES + "?watch=1&" + query)
        return c, c.getresponse()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.stdout.close()
        return self.process.wait(timeout=20)


def condition(node, kind="Ready"):
    return next(c for c in node["status"]["conditions"] if c["type"] == kind)


class Served(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.certs = cls.folder.name
        subprocess.run(["sh", os.path.join(ROOT, "sim", "mkcert.sh"), cls.certs], check=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.world = World(certs=self.certs)
        self.addCleanup(self.end)

    def end(self):
        if self.world:
            self.assertEqual(self.world.stop(), 0)

    def test_tls_is_verified(self):
        self.assertTrue(self.world.url.startswith("https://127.0.0.1:"))
        self.assertEqual(self.world.ask("GET", "/healthz")[0], 200)
        strict = http.client.HTTPSConnection("127.0.0.1", self.world.port, timeout=20, context=ssl.create_default_context())
        with self.assertRaises(ssl.SSLCertVerificationError):
            strict.request("GET", "/healthz")
        named = http.client.HTTPSConnection("localhost", self.world.port, timeout=20, context=self.world.context)
        self.assertEqual(self.world.ask("GET", "/livez", connection=named)[0], 200)
        named.close()

    def test_one_connection_serves_many(self):
        c = self.world.connect()
        for path in ["/healthz", "/version", NODES, "/sim/servers", NODES + "/nobody", "/identity/v3"]:
            before = c.sock
            status, _, _ = self.world.ask("GET", path, connection=c)
            self.assertIn(status, (200, 404), path)
            self.assertTrue(before is None or c.sock is before, path)
        c.close()

    def test_nodes_in_both_forms(self):
        status, nodes = self.world.json("GET", NODES + "?limit=500")
        self.assertEqual(status, 200)
        names = [n["metadata"]["name"] for n in nodes["items"]]
        self.assertEqual(names, sorted(names))
        servers = self.world.json("GET", "/sim/servers")[1]["servers"]
        self.assertEqual(sorted(s["node"] for s in servers), names)
        status, headers, content = self.world.ask("GET", NODES, headers={"Accept": PROTOBUF + ",application/json"})
        self.assertEqual((status, headers["Content-Type"], content[:4]), (200, PROTOBUF, b"k8s\0"))
        self.assertTrue(all(n.encode() in content for n in names))
        status, answer = self.world.json("GET", "/sim/object?path=" + NODES + "/" + names[0])
        self.assertEqual(answer["metadata"]["name"], names[0])

    def test_a_silent_stream_begins_at_once_and_ends_cleanly(self):
        start = time.monotonic()
        c, answer = self.world.stream("resourceVersion=99999999&timeoutSeconds=1")
        self.assertEqual(answer.status, 200)
        self.assertLess(time.monotonic() - start, 0.9)
        self.assertEqual(answer.read(), b"")
        self.assertGreater(time.monotonic() - start, 0.9)
        self.assertEqual(self.world.ask("GET", "/healthz", connection=c)[0], 200)  # the connection lives on
        c.close()

    def test_events_arrive(self):
        node = self.world.worker()
        c, answer = self.world.stream("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true")
        seen = set()
        while True:
            event = json.loads(answer.readline())
            if event["type"] == "BOOKMARK":
                self.assertEqual(event["object"]["metadata"]["annotations"], {"k8s.io/initial-events-end": "true"})
                break
            seen.add(event["object"]["metadata"]["name"])
        self.assertIn(node, seen)
        self.world.control(f"break?node={node}&how=kubelet&cure=replace")
        while True:
            event = json.loads(answer.readline())
            if event["object"]["metadata"]["name"] == node and condition(event["object"])["status"] == "Unknown":
                break
        status, patched = self.world.json("PATCH", f"{NODES}/{node}", '{"spec":{"unschedulable":true}}',
                                          {"Content-Type": MERGE, "User-Agent": "tester/1"})
        self.assertEqual((status, patched["spec"]["unschedulable"]), (200, True))
        while True:
            event = json.loads(answer.readline())
            if event["object"]["spec"].get("unschedulable"):
                break
        act = self.world.json("GET", "/sim/acts")[1]["acts"][-1]
        self.assertEqual((act["kind"], act["node"], act["status"], act["client"]), ("cordon", node, 200, "tester/1"))
        self.world.control("watches/drop?clean=0")
        with self.assertRaises(http.client.IncompleteRead):
            answer.read()
        c.close()

    def test_expired_watch(self):
        rv = self.world.json("GET", NODES + "?limit=1")[1]["metadata"]["resourceVersion"]
        node = self.world.worker()
        self.world.control(f"cordon?node={node}&on=1")
        self.world.control("compact")
        c, answer = self.world.stream(f"resourceVersion={rv}")
        self.assertEqual(answer.status, 200)
        event = json.loads(answer.read())
        self.assertEqual((event["type"], event["object"]["code"]), ("ERROR", 410))
        c.close()

    def test_troubles(self):
        self.world.control("trouble?service=kube&delay_min_ms=400&delay_max_ms=400")
        start = time.monotonic()
        self.assertEqual(self.world.ask("GET", NODES)[0], 200)
        self.assertGreater(time.monotonic() - start, 0.39)
        node = self.world.worker()
        self.world.control("trouble?service=kube&lost_answer=1")
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError)):
            self.world.ask("PATCH", f"{NODES}/{node}", '{"spec":{"unschedulable":true}}', {"Content-Type": MERGE})
        self.world.control("trouble?service=kube&cut_answer=1")
        with self.assertRaises(http.client.IncompleteRead):
            self.world.ask("GET", NODES)
        self.world.control("trouble?service=kube&error_503=1")
        self.assertEqual(self.world.ask("GET", NODES)[0], 503)
        self.world.control("trouble?service=kube")
        self.assertTrue(self.world.json("GET", f"{NODES}/{node}")[1]["spec"]["unschedulable"])  # done, though lost

    def test_control_refuses(self):
        for method, path, status in [
            ("POST", "break?node=nobody&how=kubelet", 404),
            ("POST", "break?node=x&how=hammer", 400),
            ("POST", "break?node=x&hwo=kubelet", 400),
            ("POST", "trouble?service=kube&error_500=7", 400),
            ("POST", "trouble?service=kube&error_500=often", 400),
            ("POST", "trouble?service=cube", 400),
            ("GET", "compact", 405),
            ("POST", "servers", 405),
            ("GET", "nothing", 404),
            ("GET", "object?path=/api/v1/nodes/nobody", 404),
        ]:
            self.assertEqual(self.world.ask(method, "/sim/" + path)[0], status, path)

    def test_large_request(self):
        self.assertEqual(self.world.ask("POST", "/identity/v3/auth/tokens", b"x" * (5 << 20))[0], 413)
        data = json.dumps({"metadata": {"name": "big"}, "data": {"v": "x" * 900000}})
        maps = "/api/v1/namespaces/kube-system/configmaps"
        self.assertEqual(self.world.json("POST", maps, data, {"Content-Type": "application/json"})[0], 201)
        self.assertEqual(len(self.world.json("GET", maps + "/big")[1]["data"]["v"]), 900000)

    def test_stops_with_everything_open(self):
        self.world.control("trouble?service=nova&delay_min_ms=60000&delay_max_ms=60000")
        late = self.world.connect()
        late.request("GET", "/compute/v2.1/servers/detail")
        idle = self.world.connect()
        idle.connect()
        c, answer = self.world.stream("timeoutSeconds=300")
        json.loads(answer.readline())
        self.assertEqual(self.world.stop(), 0)
        self.world = None
        for connection in (late, idle, c):
            connection.close()


class Plain(unittest.TestCase):
    def test_token(self):
        world = World("--token", "sesame")
        self.addCleanup(world.stop)
        self.assertEqual(world.ask("GET", NODES)[0], 403)
        self.assertEqual(world.ask("GET", NODES, headers={"Authorization": "Bearer other"})[0], 401)
        self.assertEqual(world.ask("GET", NODES, headers={"Authorization": "Bearer sesame"})[0], 200)

    def test_without_kubernetes_and_watch_list(self):
        world = World("--no-kube")
        self.addCleanup(world.stop)
        self.assertEqual(world.ask("GET", NODES)[0], 404)
        self.assertEqual(world.ask("GET", "/healthz")[0], 404)
        self.assertEqual(world.ask("GET", "/sim/servers")[0], 200)
        world = World("--no-watch-list")
        self.addCleanup(world.stop)
        query = "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        self.assertEqual(world.ask("GET", NODES + query)[0], 422)

    def test_clients_that_leave_are_noticed(self):
        world = World()
        self.addCleanup(world.stop)
        for i in range(300):  # more than the API server allows at a time
            c, answer = world.stream("resourceVersion=99999999")
            self.assertEqual(answer.status, 200, i)
            answer.close()
            c.close()

    def test_bad_arguments(self):
        for args in [["--workers", "many"], ["--port", "70000"], ["--nonsense"], ["--cert", "/nonexistent"], ["rest"],
                     ["--grace", "long"], ["--cert", os.path.join(ROOT, "VERSION")]]:
            done = subprocess.run([binary(), *args], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 1, args)
            self.assertTrue(done.stderr.startswith("simworld: "), done.stderr)
        done = subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--no-kube", done.stdout)


if __name__ == "__main__":
    unittest.main()
