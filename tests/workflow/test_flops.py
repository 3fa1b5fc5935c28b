"""Operations of networks, against counts by hand."""

import pytest

from cama.settings.networks import BodySpec, ClassifierNetSpec, DiscriminatorSpec, GeneratorSpec
from cama.workflow import flops

BODY = BodySpec(features=4, downsamplings=1, blocks=1, kernel=3)
HIGH, LOW = (ClassifierNetSpec(frontend=name, architecture="small", width=4) for name in ("prnu_lp", "prnu_lp_low"))


def test_operations_of_two_convolutions_by_hand():
    features, kernel, side = 6, 5, 32
    body = BodySpec(features=features, downsamplings=0, blocks=0, kernel=kernel)
    one = 2 * kernel**2 * 3 * features * side**2  # a multiplication and an addition for each weight and pixel
    assert flops.estimator_forward(body, side) == 2 * one
    assert flops.estimator_training(body, side) == 5 * one  # the picture's gradient is not computed


def test_a_larger_picture_costs_in_proportion():
    spec = GeneratorSpec(**BODY.model_dump())
    assert flops.generator_forward(2, spec, 64) == 4 * flops.generator_forward(2, spec, 32) > 0


def test_filters_of_each_picture_cost_their_products_forward_and_back():
    def step(taps: int) -> float:
        spec = GeneratorSpec(features=4, downsamplings=0, blocks=0, kernel=3, output="filters", filters=8, taps=taps)
        return flops.generator_training(2, spec, (DiscriminatorSpec(features=4),), (), BODY, 32)

    # for each weight and pixel a multiplication and an addition, and as many for the gradients of the weights
    assert step(7) - step(5) == 4 * 3 * 3 * 8 * (7**2 - 5**2) * 32**2


def test_an_estimator_costs_its_forward_pass_in_training_and_use():
    rgb = HIGH.model_copy(update={"frontend": "rgb"})
    estimator = flops.estimator_forward(BODY, 32)
    for count in (flops.classifier_training, flops.classifier_forward):
        assert count(2, HIGH, BODY, 32) == count(2, rgb, BODY, 32) + estimator


def test_adversarial_training_costs_the_way_back_to_the_picture_too():
    step = flops.classifier_training(2, HIGH, BODY, 32)
    assert flops.classifier_training(2, HIGH, BODY, 32, True) == step + flops.gradient_step(2, (HIGH,), BODY, 32)


def test_what_is_no_network_has_none_of_its_operations():
    net = ClassifierNetSpec(architecture="cooccurrences")
    assert flops.classifier_training(3, net, BODY, 64) == flops.classifier_forward(3, net, BODY, 64) == 0


@pytest.mark.parametrize("count", ["generator", "gradient"])
def test_the_estimator_that_classifiers_share_is_counted_once(count):
    networks = (GeneratorSpec(**BODY.model_dump()), (DiscriminatorSpec(features=4),))

    def counted(*evaluators: ClassifierNetSpec) -> float:
        if count == "gradient":
            return flops.gradient_step(2, evaluators, BODY, 32)
        return flops.generator_training(2, *networks, evaluators, BODY, 32)

    alone = counted() if count == "generator" else 0
    assert counted(HIGH, LOW) < counted(HIGH) + counted(LOW) - alone


def test_networks_of_the_same_settings_are_counted_once(monkeypatch):
    net = HIGH.model_copy(update={"width": 5})
    first = flops.classifier_training(2, net, BODY, 32)
    monkeypatch.setattr(flops, "_count", None)
    assert flops.classifier_training(2, net.model_copy(), BODY.model_copy(), 32) == first
