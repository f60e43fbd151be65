"""A small OpenStack client for the suites: Keystone, Nova, Heat, Magnum with the standard library, the same against the
real services and against the simulated ones."""
import json
import ssl
import threading
import urllib.error
import urllib.request


class CloudError(Exception):
    def __init__(self, method, url, status, text):
        super().__init__("%s %s: %s %s" % (method, url, status, text[:500]))
        self.status = status


class Cloud:
    SERVICES = {"compute": ("compute",), "orchestration": ("orchestration",), "container-infra": ("container-infra",),
                "network": ("network",)}
    VERSIONS = {"compute": "compute 2.79", "container-infra": "container-infra latest"}

    def __init__(self, auth_url, region, user_id, password, project_id, ca=None):
        self.auth_url, self.region, self.project = auth_url.rstrip("/"), region, project_id
        self.body = {"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"id": user_id, "password": password}}},
            "scope": {"project": {"id": project_id}}}}
        self.lock = threading.Lock()
        self.token, self.catalog = None, {}
        handlers = [urllib.request.ProxyHandler({})]
        if auth_url.startswith("https"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
        self.opener = urllib.request.build_opener(*handlers)

    def _send(self, method, url, body, headers):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data=data, method=method, headers=dict(headers, Accept="application/json"))
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.headers, e.read()

    def login(self):
        status, headers, text = self._send("POST", self.auth_url + "/auth/tokens", self.body, {})
        if status != 201:
            raise CloudError("POST", "auth/tokens", status, text.decode(errors="replace"))
        self.token = headers["X-Subject-Token"]
        for service in json.loads(text)["token"]["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public" and endpoint.get("region_id", endpoint.get("region")) == self.region:
                    self.catalog[service["type"]] = endpoint["url"].rstrip("/")

    def call(self, method, service, path, body=None, ok=()):
        """The parsed answer. ok: error statuses that are an answer too (then None)."""
        with self.lock:
            if self.token is None:
                self.login()
        for attempt in (1, 2):
            headers = {"X-Auth-Token": self.token}
            if service in self.VERSIONS:
                headers["OpenStack-API-Version"] = self.VERSIONS[service]
            url = self.catalog[service] + path
            status, _, text = self._send(method, url, body, headers)
            if status != 401 or attempt == 2:
                break
            with self.lock:
                self.login()
        if status in ok:
            return None
        if status >= 400:
            raise CloudError(method, url, status, text.decode(errors="replace"))
        return json.loads(text) if text.strip() else None

    def servers(self):
        """Every server: id, name, status, task, address ("" before it has one), in order of creation."""
        found, path = [], "/servers/detail?limit=1000"
        while path:
            page = self.call("GET", "compute", path)
            found += page["servers"]
            following = [link["href"] for link in page.get("servers_links", []) if link["rel"] == "next"]
            path = "/servers/detail?" + following[0].partition("?")[2] if following else None
        found.sort(key=lambda s: (s.get("created", ""), s["id"]))
        return [{"id": s["id"], "name": s["name"], "status": s["status"], "task": s.get("OS-EXT-STS:task_state") or "",
                 "address": next((a["addr"] for net in s["addresses"].values() for a in net), "")} for s in found]

    def actions(self, server):
        """What was done to a server, oldest first: ["create", "reboot", "stop"]; also of one that is gone."""
        found = self.call("GET", "compute", "/servers/%s/os-instance-actions" % server, ok=(404,))
        return [a["action"] for a in reversed(found["instanceActions"])] if found else []
