"""What a potential's word is worth beside a model, in a JSON file.

Such files lie beside the models, `NAME.POTENTIAL.partner.json`, or are a user's own, by `eqtensor
calibrate-partner`.
"""

import json
from pathlib import Path

import msgspec
import torch

from ..errors import ModelError
from .card import Calibrated, Shares
from .charges import BornCharges
from .mixture import IonicMixture, StiffnessMixture

PARTNER_FORMAT = 1


class PartnerCard(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a model and a potential are combined, and how far off the results may be.

    model, sha256: name and hash of the model's weights.
    calculator: name of the potential, or "module:callable" of any other calculator.
    library: that it comes from, with its version. level_of_theory: of the calculator.
    reference_ev: what it says of a crystal of silicon, see `potential.calculators.reference`, by
        which it is recognised; None where it cannot say anything.
    stiffness, ionic: how tensors are combined; None where too few crystals are known.
    charges: parameters of `BornCharges`, name -> nested lists; empty without `ionic`.
    uncertainty: quantity -> error estimates of the combined tensors.
    calibration: quantity -> how often these bounds hold.
    figures: what was measured out of fold, see train/partner/scores.py.
    """

    model: str
    sha256: str
    calculator: str
    library: str
    level_of_theory: str
    reference_ev: float | None
    stiffness: StiffnessMixture | None
    ionic: IonicMixture | None
    charges: dict[str, list]
    uncertainty: dict[str, Calibrated]
    calibration: dict[str, dict[str, Shares]]
    figures: dict[str, dict[str, float]]
    format: int = PARTNER_FORMAT

    def born_charges(self) -> BornCharges:
        """The network of the charges, in evaluation mode."""
        state = {name: torch.tensor(values) for name, values in self.charges.items()}
        with torch.random.fork_rng(devices=[]):  # initial weights are drawn and thrown away
            network = BornCharges(len(state["pull"]))
        network.load_state_dict(state)
        return network.eval().requires_grad_(False)


def read_partner(path: Path) -> PartnerCard:
    """The card in a file. Raises ModelError, naming the file, for one that cannot be used."""
    try:
        card = msgspec.json.decode(path.read_bytes(), type=PartnerCard, strict=False)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{path} is not a file of `eqtensor calibrate-partner`, or damaged: {error}"
        ) from error
    if card.format != PARTNER_FORMAT:
        raise ModelError(
            f"{path} has format {card.format}, this version reads {PARTNER_FORMAT}: make it anew "
            "with `eqtensor calibrate-partner`"
        )
    return card


def write_partner(card: PartnerCard, path: Path) -> None:
    """Write a card as JSON, a field on each line."""
    fields = msgspec.to_builtins(card, str_keys=True).items()
    lines = [f"{json.dumps(key)}: {json.dumps(x, ensure_ascii=False)}" for key, x in fields]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
