"""Put the contents into the testbed: seed.py identity | cloud | ready | cluster"""
import json
import os
import sys
import time

import osapi
from osapi import AUTH, PASSWORD, REGION, Session, url, wait

STATE = os.environ["OSTB_STATE"]
CINDER = os.environ.get("OSTB_WITH_CINDER", "1") == "1"
CLUSTER = os.environ.get("OSTB_CLUSTER", "k8s")
MASTERS = int(os.environ.get("OSTB_MASTERS", "1"))
WORKERS = int(os.environ.get("OSTB_WORKERS", "3"))
CIDR = os.environ.get("OSTB_CLUSTER_CIDR", "")  # e.g. 127.40.0.0/24: the cluster's network, on loopback


def identity():
    admin = Session("admin", "admin")
    admin.login()

    def ident(kind, kinds, body):
        try:
            return admin.post("identity/" + kinds, {kind: body})[kind]["id"]
        except osapi.Error as e:
            if e.status != 409:
                raise
        found = admin.get("identity/%s?name=%s%s" % (
            kinds, body["name"],
            "&domain_id=" + body["domain_id"] if "domain_id" in body else ""))[kinds]
        return found[0]["id"]

    roles = {r["name"]: r["id"] for r in admin.get("identity/roles")["roles"]}
    for name in ("service", "heat_stack_owner", "heat_stack_user"):
        if name not in roles:
            roles[name] = ident("role", "roles", {"name": name})

    def grant(where, user, role):
        admin.call("PUT", "identity/%s/users/%s/roles/%s" % (where, user, roles[role]))

    service = ident("project", "projects", {"name": "service", "domain_id": "default"})
    for name in ("glance", "placement", "neutron", "nova", "cinder", "heat", "magnum"):
        user = ident("user", "users", {"name": name, "password": PASSWORD,
                                       "domain_id": "default", "default_project_id": service})
        grant("projects/" + service, user, "admin")
        grant("projects/" + service, user, "service")

    for name in ("heat", "magnum"):
        domain = ident("domain", "domains", {"name": name})
        user = ident("user", "users", {"name": name + "_domain_admin", "password": PASSWORD,
                                       "domain_id": domain})
        grant("domains/" + domain, user, "admin")

    # The tenant, two users in it, and one user outside for trusts.
    demo = ident("project", "projects", {"name": "demo", "domain_id": "default"})
    for name in ("demo", "viewer", "healer"):
        user = ident("user", "users", {"name": name, "password": PASSWORD,
                                       "domain_id": "default"})
        if name == "demo":
            grant("projects/" + demo, user, "member")
        if name == "viewer":
            grant("projects/" + demo, user, "reader")

    known = {s["type"]: s["id"] for s in admin.get("identity/services")["services"]}
    have = {e["service_id"] for e in admin.get("identity/endpoints")["endpoints"]}
    for kind, name, address in (
            ("image", "glance", url(9292)),
            ("placement", "placement", url(8778)),
            ("network", "neutron", url(9696)),
            ("compute", "nova", url(8774, "/v2.1")),
            ("block-storage", "cinder", url(8776, "/v3")),
            ("orchestration", "heat", url(8004, "/v1/%(tenant_id)s")),
            ("container-infra", "magnum", url(9511, "/v1"))):
        if kind == "block-storage" and not CINDER:
            continue
        if kind not in known:
            known[kind] = ident("service", "services", {"name": name, "type": kind})
        if known[kind] in have:
            continue
        for interface in ("public", "internal"):
            admin.post("identity/endpoints", {"endpoint": {
                "service_id": known[kind], "interface": interface,
                "region_id": REGION, "url": address}})
    credentials()


def credentials():
    """openrc, clouds.yaml, an application credential and a trust for the tenant."""
    demo = Session("demo", "demo")
    demo.login()
    # Both are made afresh: the secret of an existing one cannot be read back.
    for old in demo.get("identity/users/%s/application_credentials" % demo.user)[
            "application_credentials"]:
        demo.call("DELETE", "identity/users/%s/application_credentials/%s"
                  % (demo.user, old["id"]))
    made = {}
    for name, unrestricted in (("healer", False), ("healer-unrestricted", True)):
        made[name] = demo.post("identity/users/%s/application_credentials" % demo.user, {
            "application_credential": {"name": name, "secret": "s3cret-" + name,
                                       "unrestricted": unrestricted}})["application_credential"]
    admin = Session("admin", "admin")
    healer = admin.get("identity/users?name=healer&domain_id=default")["users"][0]["id"]
    trust = demo.post("identity/OS-TRUST/trusts", {"trust": {
        "trustor_user_id": demo.user, "trustee_user_id": healer, "project_id": demo.project,
        "impersonation": True, "roles": [{"name": "member"}]}})["trust"]

    with open(STATE + "/openrc", "w") as f:
        f.write("""export OS_AUTH_URL=%s OS_IDENTITY_API_VERSION=3 OS_REGION_NAME=%s
export OS_USERNAME=demo OS_PASSWORD=%s OS_PROJECT_NAME=demo
export OS_USER_DOMAIN_NAME=Default OS_PROJECT_DOMAIN_NAME=Default
""" % (AUTH, REGION, PASSWORD))
    common = "    region_name: %s\n    identity_api_version: 3\n" % REGION
    with open(STATE + "/clouds.yaml", "w") as f:
        f.write("clouds:\n")
        for cloud, user, project in (("demo", "demo", "demo"), ("viewer", "viewer", "demo"),
                                     ("admin", "admin", "admin")):
            f.write("""  %s:
    auth:
      auth_url: %s
      username: %s
      password: %s
      project_name: %s
      user_domain_name: Default
      project_domain_name: Default
%s""" % (cloud, AUTH, user, PASSWORD, project, common))
        f.write("""  appcred:
    auth_type: v3applicationcredential
    auth:
      auth_url: %s
      application_credential_id: %s
      application_credential_secret: s3cret-healer
%s""" % (AUTH, made["healer"]["id"], common))
    with open(STATE + "/facts.json", "w") as f:
        json.dump({"auth_url": AUTH, "region": REGION, "password": PASSWORD,
                   "project_id": demo.project, "user_id": demo.user,
                   "application_credential_id": made["healer"]["id"],
                   "application_credential_secret": "s3cret-healer",
                   "application_credential_unrestricted_id": made["healer-unrestricted"]["id"],
                   "application_credential_unrestricted_secret": "s3cret-healer-unrestricted",
                   "trust_id": trust["id"], "trustee_user_id": healer,
                   "discovery_url": url(8087)}, f, indent=1)


def cloud():
    admin = Session("admin", "admin")
    demo = Session("demo", "demo")
    demo.login()
    image = admin.post("image/v2/images", {
        "name": "fedora-coreos", "disk_format": "raw", "container_format": "bare",
        "visibility": "public", "os_distro": "fedora-coreos", "os_version": "42",
        "min_disk": 1, "min_ram": 1})["id"]
    admin.call("PUT", "image/v2/images/%s/file" % image, b"\0" * 512,
               headers={"Content-Type": "application/octet-stream"})
    for name, ram, cpus in (("m1.small", 2048, 1), ("m1.medium", 4096, 2)):
        admin.post("compute/flavors", {"flavor": {"name": name, "ram": ram, "vcpus": cpus,
                                                  "disk": 10}})
    public = admin.post("network/v2.0/networks", {"network": {
        "name": "public", "router:external": True, "provider:network_type": "flat",
        "provider:physical_network": "public"}})["network"]["id"]
    admin.post("network/v2.0/subnets", {"subnet": {
        "network_id": public, "name": "public", "ip_version": 4, "cidr": "198.51.100.0/24",
        "enable_dhcp": False}})
    demo.post("compute/os-keypairs", {"keypair": {
        "name": "demo", "public_key":
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f demo"}})
    if CINDER:
        types = admin.get("block-storage/types")["volume_types"]
        if not any(t["name"] == "fake" for t in types):
            admin.post("block-storage/types", {"volume_type": {"name": "fake"}})


def ready():
    admin = Session("admin", "admin")

    def compute():
        up = {(s["binary"], s["state"]) for s in admin.get("compute/os-services")["services"]}
        return ({("nova-compute", "up"), ("nova-scheduler", "up"), ("nova-conductor", "up")} <= up
                and admin.get("compute/os-hypervisors")["hypervisors"])
    t0 = time.time()

    def wait(what, seconds, check):
        osapi.wait(what, seconds, check)
        print("%s after %.1f s" % (what, time.time() - t0), flush=True)
    wait("nova services", 180, compute)
    wait("heat engine", 120, lambda: any(
        s["status"] == "up" for s in admin.get("orchestration/services", ok=(500, 503)).get(
            "services", [])))
    wait("magnum conductor", 120, lambda: any(
        s["state"] == "up" for s in admin.get("container-infra/mservices")["mservices"]))
    if CINDER:
        wait("cinder services", 120, lambda: {"cinder-scheduler", "cinder-volume"} <= {
            s["binary"] for s in admin.get("block-storage/os-services")["services"]
            if s["state"] == "up"})


def cluster():
    demo = Session("demo", "demo")
    labels = {"auto_healing_enabled": "true", "auto_healing_controller": "magnum-auto-healer",
              "kube_tag": "v1.32.0", "cloud_provider_enabled": "true",
              "cinder_csi_enabled": "false", "monitoring_enabled": "false",
              "keystone_auth_enabled": "false"}
    # Leftovers of an attempt that failed.
    for kind in ("clusters", "clustertemplates"):
        for old in demo.get("container-infra/" + kind)[kind]:
            if old["name"] == CLUSTER:
                where = "container-infra/%s/%s" % (kind, old["uuid"])
                demo.call("DELETE", where)
                wait("deletion", 300, lambda: "errors" in demo.get(where, ok=(404,)), 1)
    network = {}
    if CIDR:
        # Without DHCP Neutron accepts a subnet inside 127.0.0.0/8: the nodes' addresses are then real ones here.
        net = demo.post("network/v2.0/networks", {"network": {"name": CLUSTER}})["network"]["id"]
        subnet = demo.post("network/v2.0/subnets", {"subnet": {
            "network_id": net, "name": CLUSTER, "ip_version": 4, "cidr": CIDR,
            "enable_dhcp": False}})["subnet"]["id"]
        network = {"fixed_network": net, "fixed_subnet": subnet}
    template = demo.post("container-infra/clustertemplates", {
        "name": CLUSTER, "image_id": "fedora-coreos", "keypair_id": "demo",
        "external_network_id": "public", "flavor_id": "m1.small",
        "master_flavor_id": "m1.small", "coe": "kubernetes", "network_driver": "calico",
        "server_type": "vm", "floating_ip_enabled": False, "master_lb_enabled": MASTERS > 1,
        "tls_disabled": False, "dns_nameserver": "192.0.2.53", "labels": labels, **network})["uuid"]
    t0 = time.time()
    uuid = demo.post("container-infra/clusters", {
        "name": CLUSTER, "cluster_template_id": template, "master_count": MASTERS,
        "node_count": WORKERS, "keypair": "demo", "create_timeout": 20, **network})["uuid"]
    last = [None]

    def done():
        c = demo.get("container-infra/clusters/" + uuid)
        if c["status"] != last[0]:
            last[0] = c["status"]
            print("%6.1f s %s %s" % (time.time() - t0, c["status"], c.get("status_reason")),
                  flush=True)
        if c["status"].endswith("FAILED"):
            sys.exit(json.dumps(c, indent=1))
        return c["status"] == "CREATE_COMPLETE" and c
    c = wait("cluster", 900, done, 1)
    print(json.dumps(c, indent=1))


{"identity": identity, "cloud": cloud, "ready": ready, "cluster": cluster,
 "credentials": credentials}[sys.argv[1]]()
