"""`python -m bench.desk`: become gunicorn, in the environment whose Python DESK_PYTHON names."""

import os
from typing import Final

# Faster than the sync worker, and than two threads.
WORKER: Final = ("--workers", "1", "--worker-class", "gthread", "--threads", "4")

if __name__ == "__main__":
    python, address = os.environ["DESK_PYTHON"], f"127.0.0.1:{os.environ['AFTERCARE_PORT']}"
    application = "django.core.wsgi:get_wsgi_application()"
    os.execv(python, [python, "-m", "gunicorn", "--bind", address, *WORKER, application])
