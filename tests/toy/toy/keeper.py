"""`python -m toy.keeper`: one replica of it."""

from shared.process.run import run
from toy.services import TOPOLOGY, keeper

if __name__ == "__main__":
    run(keeper, topology=TOPOLOGY)
