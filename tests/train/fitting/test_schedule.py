"""The learning rate: a rise, a fall, and no run too short for it."""

import pytest
from networks import tiny_network
from training import small_recipe

from ase_eqtensor.train.fitting.module import TensorModule


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 400])
def test_any_number_of_steps_has_a_schedule(steps):
    module = TensorModule(tiny_network(), small_recipe(), steps)
    configured = module.configure_optimizers()
    schedule, rates = configured["lr_scheduler"]["scheduler"], []
    for _ in range(steps):
        configured["optimizer"].step()
        rates.append(schedule.get_last_lr()[0])
        if len(rates) < steps:
            schedule.step()
    assert 0 < max(rates) <= small_recipe().learning_rate * 1.001
    assert steps < 20 or rates[-1] < rates[0] < max(rates)
