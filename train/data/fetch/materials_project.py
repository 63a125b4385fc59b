"""Elasticity and dielectric documents of the Materials Project (CC BY 4.0), through mp-api.

A dielectric document holds no structure and no functional. Both are those of the task that its
`origins` name, so tasks are asked for, too. Where there is none, the summary's structure is asked
for instead, although it is of another relaxation and possibly of another functional.
"""

import os
from importlib.metadata import version

import pymatgen.core
from rich.progress import Progress

from ase_eqtensor.errors import DataError
from ase_eqtensor.extras import extra
from ase_eqtensor.train.data.fetch.file import Key

TIMEOUT = 20.0  # s
TASKS = 100  # the longest page of tasks that the server gives
FIELDS = {
    "elasticity": (
        "material_id formula_pretty structure elastic_tensor order state fitting_method "
        "deprecated warnings last_updated builder_meta"
    ).split(),
    "dielectric": (
        "material_id formula_pretty total ionic electronic origins "
        "deprecated warnings last_updated builder_meta"
    ).split(),
}
CITE = (
    "A. Jain et al., APL Mater. 1, 011002 (2013); stiffness: M. de Jong et al., Sci. Data 2, "
    "150009 (2015); dielectric tensors: I. Petousis et al., Sci. Data 4, 160134 (2017)"
)


class MaterialsProject:
    """Asks the Materials Project, with the user's key.

    Raises DataError without a key or when the server cannot be reached, MissingExtraError without
    mp-api.
    """

    name = "materials-project"

    def __init__(self):
        with extra("fetch"):
            from mp_api.client import MPRester
            from mp_api.client.core.exceptions import MPRestError
            from mp_api.client.core.settings import MAPI_CLIENT_SETTINGS
            from mp_api.client.core.utils import validate_ids
            from requests import RequestException
        key = api_key()
        # ValueError: the answer is no JSON
        self._failures = (MPRestError, RequestException, ValueError)
        self._validate_ids = validate_ids
        _check_reachable(MAPI_CLIENT_SETTINGS.ENDPOINT)
        try:
            rester = MPRester(key, use_document_model=False, mute_progress_bars=True)
        except self._failures as error:
            raise self._no_answer(error) from error
        self._materials = rester.materials
        self._version = rester.db_version

    def header(self) -> dict[str, str]:
        """Database version (a date), library, licence and citation."""
        return {
            "database_version": self._version,
            "library": f"mp-api {version('mp-api')}",
            "licence": "CC BY 4.0",
            "cite": CITE,
        }

    def wanted(self, bar: Progress) -> list[Key]:
        """Materials with elasticity or dielectric documents.

        Deprecated ones are left out, and those of the GNoME set, whose licence forbids commercial
        use.
        """
        keys = []
        for name in FIELDS:
            task = bar.add_task(f"materials with {name}", total=None)
            rows = self._search(
                "summary", has_props=[name], deprecated=False, include_gnome=False,
                fields=["material_id"],
            )  # fmt: skip
            keys += [(name, self._canonical(row["material_id"])) for row in rows]
            bar.update(task, total=1, completed=1)
        return keys

    def ask(self, property_set: str, ids: list[str]) -> dict[str, dict]:
        """Id -> {"documents": [...]}; dielectric: also "tasks", and "summary" where there are none.

        Tensors are as the server gives them; sources/materials_project.py tells their units, frames
        and order.
        """
        rows = self._search(property_set, material_ids=ids, fields=FIELDS[property_set])
        documents = self._by_id(rows, "material_id")
        answers = {material: {"documents": documents.get(material, [])} for material in ids}
        if property_set == "dielectric":
            self._add_calculations(answers)
        return answers

    def _add_calculations(self, answers: dict[str, dict]) -> None:
        origins = {material: task_ids(answer["documents"]) for material, answer in answers.items()}
        ids = sorted({task for tasks in origins.values() for task in tasks})
        tasks = self._by_id(self._tasks(ids) if ids else [], "task_id")
        for material, answer in answers.items():
            answer["tasks"] = [
                task for id in map(self._canonical, origins[material]) for task in tasks.get(id, [])
            ]
        without_task = [m for m, a in answers.items() if a["documents"] and not a["tasks"]]
        if without_task:
            fields = ["material_id", "structure"]
            rows = self._search("summary", material_ids=without_task, fields=fields)
            summaries = self._by_id(rows, "material_id")
            for material in without_task:
                answers[material]["summary"] = summaries.get(material, [])

    def _tasks(self, ids: list[str]) -> list[dict]:
        fields = ["task_id", "run_type", "input.structure"]
        return self._search("tasks", task_ids=ids, fields=fields, chunk_size=TASKS)

    def _search(self, endpoint: str, **criteria) -> list[dict]:
        try:
            return getattr(self._materials, endpoint).search(**criteria)
        except self._failures as error:
            raise self._no_answer(error) from error

    def _by_id(self, rows: list[dict], key: str) -> dict[str, list[dict]]:
        grouped: dict[str, list[dict]] = {}
        for row in rows:
            grouped.setdefault(self._canonical(row[key]), []).append(row)
        return grouped

    def _canonical(self, identifier: str) -> str:
        """One spelling of an id: mp-149 is also written mp-aaaaaaft."""
        return self._validate_ids([identifier])[0]

    @staticmethod
    def _no_answer(error: Exception) -> DataError:
        first, *rest = (str(error) or type(error).__name__).splitlines()
        reason = " ".join([first.split(" on URL ")[0], *rest])  # the URL lists a hundred ids
        return DataError(f"the Materials Project did not answer as expected: {reason}")


def api_key() -> str:
    """The user's key: MP_API_KEY in the environment, or PMG_MAPI_KEY in pymatgen's settings.

    Raises DataError if there is none.
    """
    key = os.environ.get("MP_API_KEY") or pymatgen.core.SETTINGS.get("PMG_MAPI_KEY")
    if not key:
        raise DataError(
            "no key for the Materials Project: get one (free account) at "
            "https://materialsproject.org/api and set it as the environment variable MP_API_KEY, "
            "or as PMG_MAPI_KEY in ~/.config/.pmgrc.yaml (pmg config --add PMG_MAPI_KEY KEY)"
        )
    return key


def task_ids(documents: list[dict]) -> list[str]:
    """Ids of the tasks that the documents' tensors come from."""
    origins = [o for document in documents for o in document.get("origins") or []]
    return list(dict.fromkeys(origin["task_id"] for origin in origins))


def _check_reachable(endpoint: str) -> None:
    # MPRester's own first request has no timeout and would wait for ever on a dead connection
    import requests

    try:
        requests.get(endpoint.rstrip("/") + "/heartbeat", timeout=TIMEOUT)
    except requests.RequestException as error:
        raise DataError(
            f"the Materials Project ({endpoint}) cannot be reached ({type(error).__name__}): check "
            "the network, or run the command on a machine that has one and copy the file"
        ) from error
