"""Bring the catalogues of the named package folders up to date, the shared one when none is named."""

from __future__ import annotations

import sys
from pathlib import Path

from shared.i18n.catalogues import SHARED, update

if __name__ == "__main__":
    packages = [Path(name).resolve() for name in sys.argv[1:]] or [SHARED]
    left = [fault for package in packages for fault in update(package)]
    print("\n".join(left) or "complete")
    sys.exit(bool(left))
