"""`python -m bench.maker`: one process of it."""

from bench.services import TOPOLOGY, maker
from shared.process.run import run

if __name__ == "__main__":
    run(maker, topology=TOPOLOGY)
