"""`python -m bench.embedded_run`: becomes `aftercare run` in the folder named by BENCH_FOLDER.

It imports nothing of ours: that would count as the suite's own start and weight.
"""

import os
import sys
from typing import Final

FOLDER: Final = "BENCH_FOLDER"

if __name__ == "__main__":
    os.chdir(os.environ[FOLDER])
    os.environ["PORT"] = os.environ["AFTERCARE_PORT"]
    os.execv(sys.executable, [sys.executable, "-m", "allinone.cli", "run"])
