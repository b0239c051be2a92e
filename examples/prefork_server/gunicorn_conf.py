"""gunicorn's settings: preload the application, then fork workers from a heap that stays shared.

In the environment, PREFORK says how the master prepares: "tenure"; "freeze", which is what the documentation of
gc.freeze() advises and nothing else; or "nothing". With PREFORK_WARM, the application has answered some
requests before. PREFORK_READY names a file that appears when the server listens: as JSON, the port and
what tenure.prefork() reported.
"""

import gc
import json
import os

preload_app = True
bind = "127.0.0.1:0"
workers = int(os.environ.get("PREFORK_WORKERS", 2))
worker_class = "sync"
loglevel = "warning"
control_socket_disable = True

way = os.environ.get("PREFORK", "tenure")
if way == "freeze":
    # No holes where garbage was: workers would fill them.
    gc.disable()


def when_ready(server):
    """gunicorn's master calls this right before it forks the first worker."""
    if os.environ.get("PREFORK_WARM"):
        import application

        application.warm_up()
    report = ""
    if way == "tenure":
        import tenure

        report = str(tenure.prefork())
    elif way == "freeze":
        gc.freeze()
    if path := os.environ.get("PREFORK_READY"):
        port = server.LISTENERS[0].sock.getsockname()[1]
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump({"port": port, "report": report}, file)
        os.replace(path + ".part", path)


def post_fork(server, worker):
    """In each worker, first thing."""
    if way == "freeze":
        gc.enable()
