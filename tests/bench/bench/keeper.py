"""`python -m bench.keeper`: one process of it."""

from bench.services import TOPOLOGY, keeper
from shared.process.run import run

if __name__ == "__main__":
    run(keeper, topology=TOPOLOGY)
