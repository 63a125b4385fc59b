"""Fit and rates of the likely-metal score of `ase_eqtensor.crystal.metals`.

    python -m studies.metal_rates crystals.db

prints how often the shipped weights flag an insulator and miss a metal, on fold 0's test part and
on the rest, and the weights that a fit to the rest gives. Each composition counts once.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from ase import Atoms
from pymatgen.core import Composition, Element
from scipy.optimize import minimize
from scipy.special import expit

from ase_eqtensor.crystal.chemistry import CHEMICAL_CLASSES, chemical_class
from ase_eqtensor.crystal.metals import (
    BLOCK_WEIGHTS,
    TERM_WEIGHTS,
    composition_features,
    is_likely_metal,
)
from ase_eqtensor.train.data.database import read_database
from ase_eqtensor.train.folds import fold_of

TEST_FOLD = 0
RIDGE = 1e-3  # on standardised weights, chosen by cross-validation over folds 1 to 4

# Metallic and semimetallic compounds with non-metals, from textbooks and handbooks; the tensor sets
# do not say which of their carbides, nitrides, borides, ... are metals.
KNOWN_METALS = """
TiC ZrC HfC VC NbC TaC Mo2C MoC WC W2C Cr3C2 Cr23C6 Cr7C3 Fe3C Fe5C2 Co2C Ni3C Mn5C2 Ta2C Nb2C V2C
UC UC2 ThC LaC2 YC2 CeC2 Y2C YCoC LaNiC2 ScCoC2 TiN ZrN HfN VN NbN TaN CrN MoN WN Mo2N Fe4N Fe2N
Mn4N UN ThN Nb2N Ta2N Ti2N V2N Co4N Ni3N Co2N MgB2 AlB2 TiB2 ZrB2 HfB2 VB2 NbB2 TaB2 CrB2 MoB2 WB
ReB2 OsB2 RuB2 FeB Fe2B CoB Co2B NiB Ni2B Ni3B MnB CrB MoB Mo2B W2B TiB NbB TaB Ta3B4 Nb3B4 YB4
YB6 LaB6 CeB6 PrB6 NdB6 GdB6 ThB6 YB12 ZrB12 LuB12 UB2 UB4 UB12 LaB4 ScB2 YB2 ScB12 Cr2B V3B4
LaRh3B3 CeRh3B2 Ni4B3 WB4 MoAlB Mo2FeB2 Nb2FeB2 Fe14Nd2B TiSi2 ZrSi2 HfSi2 VSi2 NbSi2 TaSi2 MoSi2
WSi2 CoSi2 NiSi2 NiSi CoSi PtSi PdSi Pd2Si Pt2Si YSi2 LaSi2 CeSi2 ThSi2 USi2 U3Si2 Ti5Si3 Zr5Si3
Mo5Si3 Mo3Si V3Si Cr3Si Cr5Si3 Nb5Si3 Ta5Si3 W5Si3 Fe3Si Fe5Si3 MnSi Mn5Si3 Mn3Si Ni2Si Ni3Si
Co2Si TiSi ZrSi HfSi ScSi YSi IrSi RhSi Zr2Si Hf2Si Cu3Si Cu15Si4 CaSi2 CeCu2Si2 CeRu2Si2 URu2Si2
YbRh2Si2 CeCo2Si2 YNi2Si2 LaCu2Si2 CaAl2Si2 Ti3SiC2 Co2MnSi Co2FeSi Fe2MnSi NiTiSi CoTiSi V3Ge
Nb3Ge Cr3Ge NiGe CoGe MnGe FeGe Mn5Ge3 Ti5Ge3 ZrGe2 Ni3Ge Fe3Ge Cu3Ge PdGe PtGe YGe2 CaGe2 LaGe2
Co2MnGe Nb5Ge3 Ni2P Ni3P Co2P CoP FeP Fe2P Fe3P MnP VP TiP MoP WP NbP TaP ZrP CrP Ni12P5 Mo3P Ti3P
LaFe4P12 BaNi2P2 SrNi2P2 CaFe2P2 LaRu2P2 BaRh2P2 Rh2P Pd3P Mn2P Cr3P NbAs TaAs MnAs CrAs FeAs NiAs
CoAs TiAs VAs Co2As Fe2As Mn2As BaFe2As2 SrFe2As2 CaFe2As2 LiFeAs NaFeAs KFe2As2 BaNi2As2 LaFeAsO
LaFePO LaNiAsO BaCr2As2 ZrAs MnSb CrSb FeSb NiSb CoSb PdSb PtSb TiSb Ti3Sb V3Sb Nb3Sb AuSb2 Cu2Sb
Mn2Sb NiMnSb CoMnSb PtMnSb Zr5Sb3 La3Sb YCuSb2 NbCoSb KV3Sb5 CsV3Sb5 TiS VS NbS2 TaS2 NbSe2 TaSe2
VS2 VSe2 TiTe2 NbTe2 TaTe2 ZrTe2 NiTe NiTe2 CoTe CoTe2 PdTe PdTe2 PtTe2 IrTe2 PtTe FeSe FeTe NiSe
CoSe NiS CoS CrSe CrTe VSe VTe TiSe TiTe CoS2 CuS CuSe CuTe CuSe2 CuS2 AuTe2 LaS LaSe LaTe YS YSe
CeS CeSe PrS NdS NdSe GdS ThS US USe UTe Ni3S2 Co9S8 RhTe RhTe2 Mo6S8 Mo6Se8 PbMo6S8 Fe3Se4 Cr3Te4
Cr2Te3 Fe3GeTe2 WTe2 VTe2 NbSe3 ScS ScSe LuS HfTe2 ZrSe ZrS Ni3Te2 Co3Se4 CuCo2S4 CuRh2S4 CuV2S4
CuTi2S4 NiCo2S4 KNi2Se2 TlNi2Se2 RbCo2Se2 TlCo2S2 Ta2S Nb21S8 Ti2S Hf2S La3S4 La3Te4 LaTe2 Pd4S
RhSe2 RuO2 IrO2 OsO2 RhO2 ReO2 ReO3 MoO2 CrO2 NbO TiO VO SrRuO3 CaRuO3 BaRuO3 SrVO3 CaVO3 LaNiO3
SrMoO3 BaMoO3 CaMoO3 NaWO3 SrCrO3 SrFeO3 SrCoO3 PdCoO2 PtCoO2 PdCrO2 Sr2RuO4 LiTi2O4 LaCuO3 SrNbO3
BaNbO3 BaPbO3 BaVO3 YBa2Cu3O7 Tl2Ru2O7 Bi2Ru2O7 Pb2Ru2O7 LaRuO3 Ti2O Ti3O Ti6O Zr3O Zr6O Cs11O3
Rb9O2 Cr3O K3C60 V4O7 Nb12O29 Sr3Ru2O7 LiV2O4 TiH2 ZrH2 HfH2 VH VH2 NbH NbH2 TaH PdH NiH LaH2 YH2
ScH2 CeH2 PrH2 ThH2 UH3 CrH GdH2 Ag2F ZrCl ZrBr ScCl LaI2 CeI2 PrI2 YCl LaI Ti2AlC Ti3AlC2 Cr2AlC
V2AlC Nb2AlC Ta2AlC Ti2AlN Zr2AlC Ti4AlN3 Mo2GaC Ti2SC Ti2GeC Nb2SnC Ti2InC Ti2SnC Hf2SnC Zr2SnC
V2GeC Cr2GeC V2PC Nb2PC Nb2AsC V2AsC Zr2InC Ti2GaC Mn2GaC Sc2InC Ti2TlC Ti2CdC MgNi3C ZnNi3C
Fe3AlC Ti3AlN Mn3GaN Mn3CuN Mn3ZnN Mn3SnC Mn3AlC Mn3GaC GaNi3N InNi3N CuNi3N ZnNi3N Fe3PtN Fe3SnC
AlCo3C Cr3GaN Mn3NiN YRh3C Sc3AlC YNi2B2C LuNi2B2C YPd2B2C LaPt2B2C LaNiBN Ti3TlN La3InN La3AlC
"""


class Labelled(NamedTuple):
    """Reduced formulas of known insulators and metals; no formula is in two of the lists."""

    insulators: list[str]  # the dielectric set
    alloys: list[str]  # compositions of the stiffness set that hold metallic elements only
    compounds: list[str]  # KNOWN_METALS

    def part(self, test: bool) -> "Labelled":
        """The formulas inside (`test`) or outside the test part of fold 0."""
        return Labelled(*([f for f in kind if (fold_of(f) == TEST_FOLD) == test] for kind in self))


def labelled(database: Path) -> Labelled:
    """Labelled compositions of a training database."""
    records = read_database(database, ["dielectric", "elastic"])
    insulators = {r.reduced_formula for r in records if r.dataset == "dielectric"}
    elastic = {r.reduced_formula for r in records if r.dataset == "elastic"}
    alloys = {f for f in elastic if all(e.is_metal for e in Composition(f).elements)}
    compounds = {Composition(f).reduced_formula for f in KNOWN_METALS.split()}
    return Labelled(
        sorted(insulators), sorted(alloys - insulators), sorted(compounds - insulators - alloys)
    )


def flagged(formulas: Iterable[str]) -> np.ndarray:
    """Whether each formula is a likely metal by the shipped weights; bool (formulas,)."""
    return np.array([is_likely_metal(Atoms(_numbers(f))) for f in formulas])


def fit_weights(formulas: Labelled) -> dict[str, float]:
    """Weights by name of the ridge-regularised logistic regression of metals against insulators.

    Block fractions add up to one, so the intercept is added to the weight of every block.
    """
    metals = [f for f in formulas.alloys + formulas.compounds if len(Composition(f)) > 1]
    x = np.array([composition_features(_numbers(f)) for f in metals + formulas.insulators])
    y = np.arange(len(x)) < len(metals)
    mean, width = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / np.where(width > 0, width, 1)

    def loss(w):
        logit = z @ w[:-1] + w[-1]
        value = np.mean(np.logaddexp(0, logit) - y * logit) + RIDGE * w[:-1] @ w[:-1]
        slope = (expit(logit) - y) / len(y)
        return value, np.append(z.T @ slope + 2 * RIDGE * w[:-1], slope.sum())

    w = minimize(loss, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weights = w[:-1] / np.where(width > 0, width, 1)
    weights[: len(BLOCK_WEIGHTS)] += w[-1] - weights @ mean
    return dict(zip([*BLOCK_WEIGHTS, *TERM_WEIGHTS], weights.tolist(), strict=True))


def main(
    database: Annotated[Path, typer.Argument(help="Training database of `eqtensor data build`.")],
) -> None:
    """Print the rates of the shipped metal score, and the weights that the data give."""
    formulas = labelled(database)
    tested, rest = formulas.part(test=True), formulas.part(test=False)
    for name, part in (("test part of fold 0", tested), ("the rest", rest)):
        insulators, alloys, compounds = (flagged(kind) for kind in part)
        print(f"{name}:")
        print(f"  insulators flagged (false alarms)  {_rate(insulators)}")
        print(f"  all-metal compositions missed      {_rate(~alloys)}")
        print(f"  known metallic compounds missed    {_rate(~compounds)}")
        for kind in CHEMICAL_CLASSES[1:]:  # of metals nothing but alloys is known
            alarms, missed = (
                flags[[chemical_class(_numbers(f)) == kind for f in formulas]]
                for flags, formulas in ((insulators, part.insulators), (~compounds, part.compounds))
            )
            print(f"  {kind}: insulators flagged {_rate(alarms)}, metals missed {_rate(missed)}")
    print("weights fitted on the rest:")
    for name, weight in fit_weights(rest).items():
        print(f'    "{name}": {weight:.1f},')


def _rate(hits: np.ndarray) -> str:
    share = f" ({100 * hits.mean():.1f} %)" if len(hits) else ""
    return f"{hits.sum():4d} of {len(hits):4d}{share}"


def _numbers(formula: str) -> np.ndarray:
    counts = Composition(formula).get_el_amt_dict()
    return np.repeat([Element(s).Z for s in counts], [int(n) for n in counts.values()])


if __name__ == "__main__":
    typer.run(main)
