"""What a run will do: options, then what the study has, then defaults."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig
from paretrain.data.noise import noise
from paretrain.networks.epoch_cost import CPU, GPU
from search.problem.space import load_space
from search.session.budget import Limits
from search.session.options import Options
from search.session.plan import (
    CPU_SIDE,
    VAL_LEAST,
    Plan,
    Stored,
    differences,
    settle,
    study_name_of,
)
from search.session.prepared_run import PreparedRun
from search.study.reader import read_name
from tests.makers import CONFIG

MakePlan = Callable[..., Plan]


def options(space: str = "data_scale", **changes: Any) -> Options:
    given: dict[str, Any] = {"space": load_space(space), "limits": Limits(5)}
    return Options(**({"data": DataConfig()} | given | changes))


def stored(identity: dict[str, Any], **changes: Any) -> Stored:
    return replace(Stored(identity, threads=1), **changes)


@pytest.mark.parametrize("folder", ["pets", "pe\x1b[2Jts", "pe\u202ets", "pets "])
def test_a_study_that_is_named_after_its_folder_can_be_read_again(folder: str) -> None:
    name = study_name_of(options(data=DataConfig(source=f"/images/{folder}")))
    assert read_name(name) == name
    assert name == "data_scale-pets" or folder != "pets"


def test_a_study_keeps_its_objective(plan: MakePlan) -> None:
    flops = plan(objective="flops")
    identity = flops.identity("f")
    assert settle(options(), stored(identity)).objective == "flops"
    assert settle(options(), None).objective == "params"
    assert settle(options(objective="latency"), None).objective == "latency"
    (said,) = differences(identity, plan().identity("f"))
    assert said == "objective (study: flops, now: params)"
    assert replace(flops, min_acc=0.5).target_words.startswith("least flops at 50%")


def test_deterministic_and_precision_are_of_a_study_and_older_studies_are_not_deterministic(
    plan: MakePlan,
) -> None:
    fixed = plan(deterministic=True, precision="bf16")
    assert fixed.complete(CONFIG).deterministic and fixed.complete(CONFIG).precision == "bf16"
    assert fixed.describe_device().endswith("bf16, deterministic")
    again = settle(options(), stored(fixed.identity("f")))
    assert again.deterministic and again.precision == "bf16"
    assert again.precision_fixed and settle(options(precision="fp32"), None).precision_fixed
    assert not settle(options(), None).precision_fixed
    said = [str(kept) for kept in again.kept]
    assert "--deterministic" in said and "--precision bf16" in said
    plain = plan().identity("f")
    old = {key: value for key, value in plain.items() if key != "deterministic"}
    assert differences(old, plain) == []
    (difference,) = differences(old, plan(deterministic=True).identity("f"))
    assert difference == "deterministic (study: False, now: True)"
    with pytest.raises(UserError, match="--precision bf16: cpu does not compute it natively"):
        settle(options(precision="bf16"), None)


def test_cuda_graphs_are_of_a_study_and_older_studies_have_none(
    plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphed = plan(cuda_graphs=True)
    assert graphed.complete(CONFIG).cuda_graphs
    again = settle(options(), stored(graphed.identity("f")))
    assert again.cuda_graphs and again.cuda_graphs_fixed
    assert "--cuda-graphs yes" in [str(kept) for kept in again.kept]
    plain = plan().identity("f")
    old = {key: value for key, value in plain.items() if key != "cuda_graphs"}
    assert differences(old, plain) == []
    assert differences(old, graphed.identity("f")) == ["cuda_graphs (study: False, now: True)"]
    with pytest.raises(UserError, match="--cuda-graphs yes: cpu has none: leave the option out"):
        settle(options(cuda_graphs=True), None)
    assert settle(options(), None).cuda_graphs_fixed
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    gpu = torch.device("cuda")
    assert not settle(options(device=gpu), None).cuda_graphs_fixed
    for given in (True, False):
        settled = settle(options(device=gpu, cuda_graphs=given), None)
        assert settled.cuda_graphs is given and settled.cuda_graphs_fixed
    assert not settle(options(device=gpu), stored(plain)).cuda_graphs


def test_pretrained_is_part_of_a_study_and_older_studies_have_it(plan: MakePlan) -> None:
    identity = plan().identity("f")
    assert settle(options(), stored(identity | {"pretrained": False})).pretrained is False
    old = {key: value for key, value in identity.items() if key != "pretrained"}
    assert settle(options(), stored(old)).pretrained is True
    assert differences(old, identity) == []
    assert "pretrained" in differences(identity, plan(pretrained=False).identity("f"))[0]


def test_a_study_from_before_images_could_be_skipped_goes_on() -> None:
    assert differences({"epochs": 2}, {"epochs": 2, "skip_broken": False}) == []
    (said,) = differences({"epochs": 2}, {"epochs": 2, "skip_broken": True})
    assert said == "skip_broken (study: False, now: True)"


def test_per_class_bounds_the_validation_images_of_new_studies_only(plan: MakePlan) -> None:
    assert settle(options(per_class=40), None).data.val_least == VAL_LEAST
    assert settle(options(), None).data.val_least is None
    begun = plan(data=DataConfig(per_class=40, val_least=300)).identity("f")
    assert settle(options(), stored(begun)).data.val_least == 300
    before = {key: value for key, value in begun.items() if key != "val_least"}
    again = settle(options(per_class=40), stored(before))
    assert again.data.per_class == 40 and again.data.val_least is None
    assert "val_least" not in " ".join(differences(before, again.identity("f")))


def test_threads_are_open_in_a_new_study_of_other_images_than_the_digits_alone(
    tmp_path: Path,
) -> None:
    folder = DataConfig(source=str(tmp_path))
    assert not settle(options(data=folder, image_size=32), None).threads_fixed
    given = settle(options(data=folder, image_size=32, threads=3), None)
    assert given.threads_fixed and given.threads == 3
    digits = settle(options(), None)
    assert digits.threads_fixed and digits.threads == 1
    again = settle(options(data=folder, image_size=32, threads=2), stored({}, threads=2))
    assert again.threads_fixed and again.threads == 2


def test_another_number_of_threads_than_the_studys_is_refused() -> None:
    with pytest.raises(UserError, match=r"threads \(study: 2, now: 1\): use the study's, or"):
        settle(options(threads=1), stored({}, threads=2))


def test_a_space_has_defaults_of_its_own() -> None:
    chosen = settle(options(), None)
    assert (chosen.epochs, chosen.max_params) == (5, None)
    assert any("no limit on parameters (default for data_scale" in note for note in chosen.notes)
    given = settle(options(epochs=9, max_params=7), None)
    assert (given.epochs, given.max_params) == (9, 7)
    assert settle(options("vgg_reduce"), None).max_params == 120_000


def test_a_limit_that_was_lifted_is_not_replaced_by_a_default() -> None:
    assert settle(options("vgg_reduce", max_params="none"), None).max_params is None


def test_threads_weights_and_accuracy_come_from_the_study_unless_they_are_given() -> None:
    has = stored({}, threads=3, settings={"min_acc": 0.8, "weights_dir": "/weights"})
    again = settle(options(), has)
    assert (again.threads, again.min_acc, again.weights_dir) == (3, 0.8, "/weights")
    given = settle(options(min_acc=0.9, weights_dir="/others"), has)
    assert (given.threads, given.min_acc, given.weights_dir) == (3, 0.9, "/others")
    assert settle(options(min_acc="none"), has).min_acc is None


@pytest.mark.parametrize(
    ("size", "chosen", "why"),
    [
        ((300, 200), CPU_SIDE, "default for a CPU"),
        ((50, 40), 40, "their own size"),
        ((20, 16), 32, "their own is 16"),
    ],
)
def test_small_images_are_not_enlarged(
    image_folder: Callable[..., Path], size: tuple[int, int], chosen: int, why: str
) -> None:
    data = DataConfig(source=str(image_folder(size=size)))
    settled = settle(options("vgg_reduce", data=data), None)
    assert settled.data.image_size == chosen
    assert any(f"images at {chosen}x{chosen} ({why}" in note for note in settled.notes)


def test_a_size_that_was_given_or_is_stored_stays(image_folder: Callable[..., Path]) -> None:
    small = DataConfig(source=str(image_folder(size=(20, 16))))
    given = options("vgg_reduce", data=small, image_size=48)
    assert settle(given, None).data.image_size == 48
    kept = settle(options("vgg_reduce", data=small), stored({"image_size": 64}))
    assert kept.data.image_size == 64


@pytest.mark.parametrize(
    ("device", "seconds", "changes", "measured"),
    [
        ("cuda", 60.0, {}, True),
        ("cuda", None, {}, False),
        ("cuda", 60.0, {"deterministic": True}, False),
        ("cpu", 60.0, {}, False),
    ],
)
def test_the_sampler_weighs_measured_seconds_only_where_time_is_the_price_on_a_gpu(
    plan: MakePlan, device: str, seconds: float | None, changes: dict[str, Any], measured: bool
) -> None:
    """Elsewhere the same seed is to give the same proposals, whatever the clock says."""
    made = plan(device=torch.device(device), limits=Limits(5, seconds), **changes)
    data = noise(side=32, images=64)
    run = PreparedRun(made, data, made.constraints(data), ())
    config = made.complete(CONFIG)
    guessed = run.constraints.cost(config)
    taught = run.with_costs_of([(config, 9 * guessed)]).constraints.cost(config)
    assert taught == (pytest.approx(9 * guessed, rel=0.01) if measured else guessed)
    assert made.speed == (CPU if device == "cpu" else GPU) == run.constraints.speed
    assert run.with_costs_of([]).constraints.cost(config) == guessed


def test_only_a_space_without_hints_has_its_networks_looked_at_before_they_train(
    plan: MakePlan,
) -> None:
    data, made = noise(side=32, images=64), plan()
    bare = replace(made, space=replace(made.space, hints={}))
    for each, looks in ((made, False), (bare, True), (replace(bare, sampler="tpe"), False)):
        proposer = PreparedRun(each, data, each.constraints(data), ()).proposer(0)
        assert (proposer._first_batch is not None) == looks


def test_a_gpu_finds_small_batches_dear_and_a_cpu_does_not(plan: MakePlan) -> None:
    data, ratios = noise(side=32, images=64), {}
    for name in ("cpu", "cuda"):
        made = plan(device=torch.device(name))
        limits = replace(made.constraints(data), images=50_000)
        costs = [
            limits.cost(made.complete(CONFIG).model_copy(update={"batch_size": size}))
            for size in (8, 512)
        ]
        ratios[name] = costs[0] / costs[1]
    assert ratios["cuda"] > 2 * ratios["cpu"]
