#!/usr/bin/env python3
"""Each lint can fail: a small tree is made that breaks one rule, and the lint must say so, at the right line; a tree that
obeys must pass."""
import contextlib
import io
import os
import subprocess
import tempfile
import unittest

import lint

GOOD = {
    "src/base/a.h": "#ifndef A_H\n#define A_H\n#include <stdbool.h>\nbool a(void);\n#endif\n",
    "src/base/a.c": '#include "base/a.h"\n\nbool a(void)\n{\n\treturn true;\n}\n',
    "src/core/b.c": '/* time() and log_info() are only words here */\n#include "base/a.h"\n\nstatic const char *s = "printf(";\n',
    "src/daemon/d.c": '#include "core/b.h"\n#include "kube/k.h"\n',
    "sim/world.c": '#include "base/a.h"\n#include "sim/world.h"\n',
    "sim/run.c": '#include "daemon/d.h"\n',
}


def function(lines):
    return "int f(void)\n{\n" + "\t;\n" * (lines - 4) + "\treturn 0;\n}\n"


# rule, file, content, what the lint must print (None: nothing)
CASES = [
    ("includes", None, None, None),
    ("includes", "src/base/bad.c", '#include "core/b.h"\n', "src/base/bad.c:1: layer base may not include core/b.h"),
    ("includes", "src/core/bad.c", '\n#include "conf/c.h"\n', "src/core/bad.c:2: layer core may not include conf/c.h"),
    ("includes", "src/conf/bad.c", '#include "kube/k.h"\n', "layer conf may not include kube/k.h"),
    ("includes", "src/kube/bad.c", '#include "cloud/s.h"\n', "layer kube may not include cloud/s.h"),
    ("includes", "src/host/bad.c", '#include "daemon/d.h"\n', "layer host may not include daemon/d.h"),
    ("includes", "src/daemon/bad.c", '#include "cli/c.h"\n', "layer daemon may not include cli/c.h"),
    ("includes", "sim/world.c", '#include "core/facts.h"\n', "layer sim may not include core/facts.h"),
    ("includes", "src/core/bad.c", '#include "b.h"\n', 'include "b.h" by its folder'),
    ("includes", "src/other/bad.c", "\n", "is no layer that this lint knows"),
    ("includes", "src/core/bad.c", "long t(void) { return time(0); }\n", "src/core/bad.c:1: time() in a pure layer"),
    ("includes", "src/core/bad.c", "\n\nint r(void) { return rand(); }\n", "src/core/bad.c:3: rand() in a pure layer"),
    ("includes", "src/core/bad.c", 'char *e(void) { return getenv("X"); }\n', "getenv() in a pure layer"),
    ("includes", "src/core/bad.c", 'void p(void) { printf("x"); }\n', "printf() in a pure layer"),
    ("includes", "src/core/bad.c", "void l(void) { log_info(0); }\n", "core does not log (log_info)"),
    ("includes", "src/core/bad.c", '#include "base/log.h"\n', "core does not log (log.h)"),
    ("includes", "src/cloud/bad.c", "#include <curl/curl.h>\n", "a pure layer may not use"),
    ("includes", "src/core/fine.c", "void f(struct p *p) { p->read(p); p->x.time(0); timed(); }\n", None),
    ("includes", "src/core/fine.c", "static int send(int x)\n{\n\treturn x;\n}\nint g(void) { return send(1); }\n", None),
    ("headers", None, None, None),
    ("headers", "src/core/bad.h", "bool f(void);\n", "src/core/bad.h:1: does not compile alone"),
    ("headers", "src/core/bad.h", "enum unguarded { UNGUARDED };\n", "src/core/bad.h:1: does not compile alone"),
    ("functions", None, None, None),
    ("functions", "src/core/long.c", function(101), "src/core/long.c:1: f() has 101 lines, at most 100"),
    ("functions", "src/core/fine.c", function(100), None),
    ("built", "tests/unit/test_x.c", "\n", "tests/unit/test_x.c:1: is not in ./meson.build"),
    ("paths", None, None, None),
    ("paths", "README.md", "see\n/home/" + "somebody/notes\n", "README.md:2: path of a machine: /home/" + "somebody"),
    ("paths", "src/base/x.c", '"/root/' + '.cache"\n', "src/base/x.c:1: path of a machine"),
    ("paths", "README.md", "under ${HOME}/work/x or $(pwd)/work or docs/home/page\n", None),
]


class Lint(unittest.TestCase):
    def run_rule(self, rule, tree):
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write(text)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                return lint.RULES[rule](root), out.getvalue()

    def test_cases(self):
        for rule, path, text, wanted in CASES:
            with self.subTest(rule=rule, path=path, text=text):
                bad, _ = self.run_rule(rule, dict(GOOD, **({path: text} if path else {})))
                if wanted is None:
                    self.assertEqual(bad, [])
                else:
                    self.assertTrue(any(wanted in line for line in bad), bad)

    def test_long_functions_are_listed(self):
        bad, out = self.run_rule("functions", {"src/core/long.c": function(61), "src/core/short.c": function(60)})
        self.assertEqual(bad, [])
        self.assertIn("warning: src/core/long.c:1: f() has 61 lines", out)
        self.assertNotIn("short.c", out)
        self.assertIn("2 functions", out)

    def test_built(self):
        tree = {
            "src/cloud/meson.build": "lib = library('cloud', 'a.c', 'some/b.c', # 'c.c'\n  include)\n",
            "src/cloud/a.c": "\n",
            "src/cloud/some/b.c": "\n",
            "tests/unit/meson.build": "unit_tests = { 'test_a': [core] }\n",
            "tests/unit/test_a.c": "\n",
            "tests/fuzz/meson.build": "fuzz_targets = { 'a': [core] }\nreplay = executable('r', 'replay.c')\n",
            "tests/fuzz/fuzz_a.c": "\n",
            "tests/fuzz/replay.c": "\n",
            "tests/fuzz/corpus/a/seed": "x",
        }
        self.assertEqual(self.run_rule("built", tree)[0], [])
        for path, wanted in (("src/cloud/c.c", "src/cloud/c.c:1: is not in src/cloud/meson.build"),
                             ("src/cloud/some/c.c", "src/cloud/some/c.c:1: is not in src/cloud/meson.build"),
                             ("tests/unit/test_b.c", "tests/unit/test_b.c:1: is not in tests/unit/meson.build"),
                             ("tests/fuzz/fuzz_b.c", "tests/fuzz/fuzz_b.c:1: is not in tests/fuzz/meson.build")):
            self.assertIn(wanted, self.run_rule("built", dict(tree, **{path: "\n"}))[0])
        del tree["tests/fuzz/corpus/a/seed"]
        self.assertEqual(self.run_rule("built", tree)[0], ["tests/fuzz/fuzz_a.c:1: has no seeds in corpus/a"])

    def test_symbols(self):
        def look(text):
            with tempfile.TemporaryDirectory() as root:
                subprocess.run(["cc", "-x", "c", "-", "-o", root + "/program"], input=text, text=True, check=True)
                return lint.RULES["symbols"](root)
        self.assertEqual(look("int mine(void) { return 0; }\nint main(void) { return mine(); }\n"), [])
        bad = look("int regcomp(void) { return 0; }\nint main(void) { return regcomp(); }\n")
        self.assertEqual(len(bad), 1, bad)
        self.assertIn("program: regcomp() is also in ", bad[0])

    def test_exit_status(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lint.py")
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(root + "/src/core")
            run = ["python3", program, "--root", root, "includes"]
            self.assertEqual(subprocess.run(run, check=False).returncode, 0)
            with open(root + "/src/core/bad.c", "w", encoding="utf-8") as f:
                f.write('#include "kube/k.h"\n')
            self.assertEqual(subprocess.run(run, check=False, stdout=subprocess.DEVNULL).returncode, 1)


if __name__ == "__main__":
    unittest.main()
