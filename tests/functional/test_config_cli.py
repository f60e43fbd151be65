#!/usr/bin/env python3
"""The command line of the real program: check-config, flags in all their spellings, what it says and how it exits."""
import os
import shutil
import signal
import subprocess
import unittest

from harness import ROOT, Case, Healer, healer_program

DATA = os.path.join(ROOT, "tests", "data", "conf")

GOOD = """\
cluster-name: it
healthcheck:
  master: [{type: NodeCondition}]
  worker: [{type: NodeCondition}]
openstack: {auth-url: "https://127.0.0.1:1/v3", user-id: u, password: p, project-id: q}
"""

BAD = """\
cluster-name: it
monitor-intreval: 15s
dryRun: perhaps
leader-elect: true
leaderElect: false
check-delay-after-add: 20
healthcheck:
  master: [{type: NodeCondition}]
  worker:
    - type: NodeConditon
    - type: NodeCondition
      params:
        unhealthyDuration: 1m
        okValues: ["Yes"]
openstack:
  auth-url: https://127.0.0.1:1/v3
  user-id: u
  pasword: p
  project-id: q
"""

# line:column of BAD, and a text that must be in that line of the answer
BAD_PLACES = [
    ("2:1", 'did you mean "monitor-interval"'),
    ("3:9", "perhaps"),
    ("5:1", "leaderElect"),
    ("6:24", "20"),
    ("10:13", 'did you mean "NodeCondition"'),
    ("14:20", "Yes"),
    ("18:3", 'did you mean "password"'),
]


def run(*args, env=None, cwd=None):
    return subprocess.run([healer_program(), *args], capture_output=True, text=True, timeout=20, env=env, cwd=cwd)


class CheckConfig(Case):
    def test_good_files(self):
        for name in sorted(os.listdir(DATA)):
            if name == "everything.yaml":  # names files that are not on this machine
                continue
            path = os.path.join(DATA, name)
            done = run("check-config", path)
            self.assertEqual((done.returncode, done.stdout), (0, path + ": ok\n"), done.stderr)

    def test_every_error_in_one_run(self):
        path = self.write("bad.yaml", BAD)
        done = run("check-config", path)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("ok\n", done.stdout)
        for place, text in BAD_PLACES:
            found = [line for line in done.stderr.splitlines() if line.startswith("%s:%s: " % (path, place))]
            self.assertTrue(found and text in found[0], "%s %s in:\n%s" % (place, text, done.stderr))

    def test_the_daemon_refuses_what_check_config_refuses(self):
        path = self.write("bad.yaml", BAD)
        done = run("--config", path)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, run("check-config", "--config", path).stderr)

    def test_files_that_cannot_be_read(self):
        for name, content in [("empty.yaml", ""), ("list.yaml", "- 1\n"), ("torn.yaml", 'a: "\n'), ("nul.yaml", "a: \0\n"),
                              ("tab.yaml", "a:\n\t- b\n")]:
            path = self.write(name, content)
            done = run("check-config", path)
            self.assertEqual(done.returncode, 1, name)
            self.assertIn(path, done.stderr, name)
        done = run("check-config", self.folder + "/nowhere.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere.yaml", done.stderr)
        self.assertIn("No such file", done.stderr)

    def test_a_secret_is_not_repeated(self):
        path = self.write("bad.yaml", GOOD.replace("password: p", "password: [hunter2-hunter2]"))
        done = run("check-config", path)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("hunter2", done.stderr + done.stdout)

    def test_default_path(self):
        shutil.copy(self.write("good.yaml", GOOD), self.folder + "/.kube_autohealer_config.yaml")
        done = run("check-config", env={"HOME": self.folder})
        self.assertEqual((done.returncode, done.stdout), (0, self.folder + "/.kube_autohealer_config.yaml: ok\n"))


class Flags(Case):
    def test_refused(self):
        for args, text in [(["--nonsense"], "--nonsense"), (["-x"], "-x"), (["dance"], "dance"), (["--v"], "value"),
                           (["--v", "much"], "number"), (["--v="], "number"), (["--config"], "value"),
                           (["--log-format", "xml"], "json"), (["check-config", "a", "b"], "b"), (["version", "it"], "it")]:
            done = run(*args)
            self.assertEqual((done.returncode, done.stdout), (2, ""), args)
            self.assertIn(text, done.stderr, args)

    def test_help_and_version(self):
        with open(os.path.join(ROOT, "VERSION"), encoding="utf-8") as f:
            version = "magnum-auto-healer %s" % f.read().strip()
        for args in (["version"], ["--version"], ["-version"]):
            done = run(*args)
            self.assertEqual((done.returncode, done.stdout.strip()), (0, version), args)
        for args in (["--help"], ["-h"], ["run", "--help"]):
            done = run(*args)
            self.assertEqual(done.returncode, 0, args)
            for word in ("run", "check-config", "version", "--config", "--v"):
                self.assertIn(word, done.stdout)

    def test_verbosity_is_understood_in_every_spelling(self):
        path = self.write("good.yaml", GOOD)
        for args in (["--v", "2"], ["--v=2"], ["-v", "2"], ["-v=2"], ["-v=0"]):
            done = run("check-config", "--config=" + path, *args)
            self.assertEqual(done.returncode, 0, (args, done.stderr))

    def config_into_nowhere(self):
        """Nobody listens at the API server's address, nor at the cloud's."""
        kubeconfig = self.write("kubeconfig", {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "here", "user": "healer"}}],
            "clusters": [{"name": "here", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "healer", "user": {}}]})
        return self.write("config.yaml", GOOD + "kubernetes: {kubeconfig: %s}\n" % kubeconfig)

    def test_flags_of_klog_are_taken_with_one_warning_each(self):
        path = self.config_into_nowhere()
        healer = self.healer(path, "--logtostderr=true", "-alsologtostderr", "--stderrthreshold", "2", "--skip_headers",
                             "--vmodule=a=2", "-v=2")
        healer.wait(component="daemon", limit=10)
        self.assertEqual([line["flag"].split("=")[0] for line in healer.find(component="cli", level="warn")],
                         ["--logtostderr", "-alsologtostderr", "--stderrthreshold", "--skip_headers", "--vmodule"])
        self.assertEqual(healer.stop(), 0)

    def test_stops_on_both_signals_while_nothing_answers(self):
        """Neither the API server nor the cloud is there: it waits for them, and ends when told."""
        path = self.config_into_nowhere()
        for number in (signal.SIGTERM, signal.SIGINT):
            healer = Healer(path, "--log-format=json")
            healer.wait(component="daemon", limit=10)
            self.assertEqual(healer.stop(number), 0)
            self.assertTrue(all(line.startswith("{") for line in healer.raw if line and not line.startswith(path)))


if __name__ == "__main__":
    unittest.main()
