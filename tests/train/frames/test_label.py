"""The crystals of the piezoelectric set are labelled, whatever the frame of their tensors."""

from ase.build import bulk

from ase_eqtensor.train.data.sources.matminer import MatminerSource
from ase_eqtensor.train.frames.label import main
from ase_eqtensor.train.record import Record
from ase_eqtensor.train.teacher.labels import read_labels


def test_rows_of_any_frame_are_labelled(tmp_path, monkeypatch):
    tensor = [[0.1 * i + j for j in range(6)] for i in range(3)]  # breaks every point group
    rows = [
        Record(atoms, "piezoelectric", "test", name, {"piezoelectric_tensor": tensor})
        for name, atoms in (("hcp", bulk("Cu", "hcp", a=2.6)), ("fcc", bulk("Cu")))
    ]
    monkeypatch.setattr(MatminerSource, "_read", lambda self, datasets: iter(rows))
    output = tmp_path / "labels.jsonl"
    done = main(output, calculator="ase.calculators.emt:EMT", level="made up")
    assert done.labels == 2
    assert [label.id for label in read_labels(output)] == ["fcc", "hcp"]
    assert read_labels(output)[1].internal_strain is not None
