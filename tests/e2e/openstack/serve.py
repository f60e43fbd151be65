"""Serve one OpenStack WSGI application on loopback.

usage: serve.py NAME PORT MODULE [THREADS] [-- ARGS...]

MODULE is imported in the worker process with sys.argv set to [NAME, ARGS...]
because the OpenStack modules parse sys.argv when they are imported.  One
worker process, several threads.
"""
import importlib
import logging
import os
import sys


def main():
    own, _, rest = " ".join(sys.argv[1:]).partition(" -- ")
    fields = own.split()
    name, port, module = fields[:3]
    threads = int(fields[3]) if len(fields) > 3 else 8
    sys.argv = [name] + rest.split()

    if module.startswith("nova."):
        from nova import monkey_patch
        monkey_patch.patch(backend="threading")

    from gunicorn.app.base import BaseApplication

    class App(BaseApplication):
        def load_config(self):
            for key, value in {
                "bind": "127.0.0.1:" + port,
                "workers": 1,
                "worker_class": "gthread",
                "threads": threads,
                "timeout": 300,
                "graceful_timeout": 2,
                "keepalive": 5,
                "proc_name": name,
                "control_socket_disable": True,
                # What arrived, one line a request: status, request line, user agent.
                "accesslog": os.path.join(os.environ["OSTB_STATE"], "log", name + ".access"),
                "access_log_format": '%(t)s %(s)s "%(r)s" "%(a)s"',
            }.items():
                if key in self.cfg.settings:
                    self.cfg.set(key, value)

        def load(self):
            logging.captureWarnings(True)
            return importlib.import_module(module).application

    App().run()


main()
