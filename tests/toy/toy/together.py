"""`python -m toy.together`: both in one process, as the all-in-one is."""

from shared.process.run import run
from toy.services import TOPOLOGY, keeper, maker

if __name__ == "__main__":
    run(maker, keeper, topology=TOPOLOGY)
