"""`python -m toy.maker`: one replica of it."""

from shared.process.run import run
from toy.services import TOPOLOGY, maker

if __name__ == "__main__":
    run(maker, topology=TOPOLOGY)
