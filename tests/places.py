"""Where the checkout keeps what tests read."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
CIFS = EXAMPLES / "crystals"
DATA = ROOT / "tests" / "data"
