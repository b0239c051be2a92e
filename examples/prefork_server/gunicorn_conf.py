"""gunicorn's settings: preload the application, then fork workers from a heap that stays shared.

In the environment, PREFORK says how the master prepares: "tenure", "freeze" (gc.freeze() alone, as the
documentation of gc advises) or "nothing"; PREFORK_READY names a file that appears when it listens, with
the port and what tenure.prefork() reported.
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


def prepare(way):
    """Called once before the first fork. Returns what there is to say."""
    if way == "tenure":
        import tenure

        return str(tenure.prefork())
    if way == "freeze":
        gc.collect()
        gc.freeze()
    return ""


def when_ready(server):
    """gunicorn's master calls this right before it forks the first worker."""
    if os.environ.get("PREFORK_WARM"):
        import application

        application.warm_up()
    said = prepare(os.environ.get("PREFORK", "tenure"))
    if path := os.environ.get("PREFORK_READY"):
        port = server.LISTENERS[0].sock.getsockname()[1]
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump({"port": port, "said": said}, file)
        os.replace(path + ".part", path)
