"""Cards of older models in today's form. Nothing else knows how they looked.

Format 2 (joint-v2) named quantities by the network's outputs, had the trace of a permittivity as
"trace_third", and a network had all heads, none of which knew of the volume. Up to format 3 bounds
were symmetric, each one factor times the scale of the error, and single networks had a spread. Up
to format 4 a network could not have heads of odd parity.
"""

from math import log

CARD_FORMAT = 5

_QUANTITIES = {
    "stiffness": "elasticity_tensor",
    "electronic": "electronic_dielectric_tensor",
    "dielectric": "dielectric_tensor",
}
_TRACE = {"electronic_dielectric_tensor": "eps_inf", "dielectric_tensor": "eps_total"}
_FIGURES = {
    "k_vrh_mae_gpa": "k_vrh_gpa_mae",
    "g_vrh_mae_gpa": "g_vrh_gpa_mae",
    "k_vrh_median_relative": "k_vrh_gpa_median_relative",
    "g_vrh_median_relative": "g_vrh_gpa_median_relative",
    "entries_mae_gpa": "entries_mae",
    "indefinite": "unphysical",
    "below_one": "unphysical",
}
_ODD = "32x0e + 16x1o + 16x2o + 16x3o"  # without a meaning in networks that have no odd heads
_HEADS = ["stiffness", "electronic", "ionic", "formation_energy"]
_DEFAULTS = {
    "package_version": "",
    "recipe": {},
    "figures": {},
    "by_fold": [],
    "uncertainty": {},
    "calibration": {},
    "data_citation": [],
    "intended_use": "",
    "limits": [],
}


def upgrade(card: dict) -> dict:
    """The content of a card in today's format; the argument is left alone.

    Raises ValueError where this version can no longer build the network.
    """
    if card.get("format") == 2:
        card = _renamed_quantities(card)
    if card.get("format") == 3:
        card = _symmetric_bounds(card)
    if card.get("format") == 4:
        card = card | {"format": 5, "architecture": upgrade_architecture(card["architecture"])}
    return card


def _symmetric_bounds(card: dict) -> dict:
    """A card of format 3 in format 4."""
    uncertainty = {
        name: entry
        | {
            "scales": {
                error: {
                    "coefficients": _coefficients(scale["coefficients"], len(card["members"])),
                    "quantiles": _ends(error, scale["quantiles"]),
                }
                for error, scale in entry["scales"].items()
            }
        }
        for name, entry in card["uncertainty"].items()
    }
    return card | {"format": 4, "uncertainty": uncertainty, "suspicions": {}, "measured": {}}


def _coefficients(coefficients: dict[str, float], members: int) -> dict[str, float]:
    """The spread of a single network, always the logarithm of its least value, is a constant."""
    if members > 1:
        return coefficients
    alone = {k: c for k, c in coefficients.items() if not k.endswith(" spread")}
    lost = sum(c for k, c in coefficients.items() if k not in alone)
    return alone | {"constant": alone.get("constant", 0.0) + lost * log(1e-3)}


def _ends(error: str, quantiles: dict[str, float]) -> dict[str, dict]:
    """Ends of an error between plus and minus a factor; that of a tensor has no sign."""
    return {
        level: {"high": {"constant": factor}}
        | ({} if error == "relative_error" else {"low": {"constant": -factor}})
        for level, factor in quantiles.items()
    }


def _renamed_quantities(card: dict) -> dict:
    """A card of format 2 in format 3."""
    card = _DEFAULTS | card | {"format": 3}
    if isinstance(architecture := card.get("architecture"), dict):
        card["architecture"] = upgrade_architecture(architecture)
    if isinstance(elements := card.get("elements"), dict):
        card["elements"] = {_QUANTITIES.get(key, key): value for key, value in elements.items()}
    card["figures"] = {
        part: {name: _figures(name, figures) for name, figures in targets.items()}
        for part, targets in card["figures"].items()
    }
    card["by_fold"] = [
        {name: _figures(name, value) for name, value in fold.items()} for fold in card["by_fold"]
    ]
    card["calibration"] = {
        name: _renamed(entry, {"trace_third": _TRACE.get(name, "")})
        for name, entry in card["calibration"].items()
    }
    card["uncertainty"] = {
        name: entry | {"scales": _scales(name, entry["scales"])}
        for name, entry in card["uncertainty"].items()
    }
    # a single run told its minutes and data for itself
    minutes, data = card.pop("minutes", None), card.pop("data", {})
    if isinstance(members := card.get("members"), list):
        card["members"] = [
            {"minutes": minutes, "data": data} | member | {"val": _val(member)}
            for member in members
        ]
    return card


def upgrade_architecture(architecture: dict) -> dict:
    """An architecture as it is written today.

    Raises ValueError where this version can no longer build the network.
    """
    architecture = dict(architecture)
    if architecture.pop("products", 0):
        raise ValueError("its products of messages are gone; use the version that trained it")
    new = {"heads": _HEADS, "densities": False, "descriptors": "shells", "odd": _ODD}
    return new | architecture


def upgrade_record(record: dict) -> dict:
    """The record of a prediction (`Prediction.record`), as a file has it, in today's form."""
    uncertainty = {
        name: entry | {"scalars": _renamed(entry["scalars"], {"trace_third": _TRACE.get(name, "")})}
        for name, entry in record["uncertainty"].items()
    }
    return record | {"uncertainty": uncertainty}


def _val(member: dict) -> dict:
    return {name: _figures(name, figures) for name, figures in member.get("val", {}).items()}


def _figures(name: str, figures):
    if not isinstance(figures, dict):
        return figures
    names = _FIGURES | {"trace_mae": f"{_TRACE.get(name)}_mae"}
    figures = _renamed(figures, names)
    if isinstance(constant := figures.get("constant"), dict):
        figures["constant"] = _renamed(constant, names)
    return figures


def _scales(name: str, scales: dict) -> dict:
    scales = _renamed(scales, {"trace_third": _TRACE.get(name, "")})
    rarity = {f"{old} rarity": f"{new} rarity" for old, new in _QUANTITIES.items()}
    return {
        key: scale | {"coefficients": _renamed(scale["coefficients"], rarity)}
        for key, scale in scales.items()
    }


def _renamed(entries: dict, names: dict[str, str]) -> dict:
    return {names.get(key, key): value for key, value in entries.items()}
