"""Before any trial a search knows which published weights it has."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from paretrain.cli import UserError
from paretrain.config import DataConfig, StartConfig
from paretrain.data.noise import noise
from paretrain.data.parts import ImageData
from paretrain.network_config import published_name
from paretrain.networks.weight_files import digest_of
from search.problem.baselines import load_baselines
from search.problem.refusals import OVER_FILE_SIZE, OVER_MAX_PARAMS, WITHOUT_WEIGHTS
from search.session.open_study import open_study, stored_settings
from search.session.plan import Plan
from search.session.prepared_run import PreparedRun
from search.session.weights import digests, names_needed, with_weights
from search.study.storage_url import StorageUrl

MakePlan = Callable[..., Plan]


@pytest.fixture
def data() -> ImageData:
    return noise(images=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of resnet18 alone."""
    from torchvision import models

    made = tmp_path_factory.mktemp("weights")
    torch.save(models.resnet18(num_classes=5).state_dict(), made / "resnet18.pth")
    return made


def test_the_networks_that_a_space_asks_for_are_found(plan: MakePlan, data: ImageData) -> None:
    scale = plan()
    assert list(names_needed(scale, scale.constraints(data), [])) == [
        "resnet18",
        "resnet34",
        "resnet50",
    ]
    fine = plan("finetune", data=DataConfig(image_size=64))
    assert len(names_needed(fine, fine.constraints(data), [])) == 12
    capped = replace(fine, max_params=10_000_000)
    small = ["efficientnet_b0", "googlenet", "mobilenet_v2"]
    assert list(names_needed(capped, capped.constraints(data), [])) == small
    assert names_needed(plan("resnet9"), plan("resnet9").constraints(data), []) == {}
    without = plan(pretrained=False)
    assert names_needed(without, without.constraints(data), []) == {}


def test_networks_without_a_file_in_the_folder_are_not_proposed(
    plan: MakePlan, data: ImageData, folder: Path
) -> None:
    chosen = plan(weights_dir=str(folder))
    constraints, notes = with_weights(chosen, chosen.constraints(data), [])
    assert notes == [f"no weights of resnet34, resnet50 in {folder}: they are not proposed"]
    found = {base.name: base for base in load_baselines(chosen.space, constraints, "nets")}
    assert found["ResNet18, all, batch 32 lr 1e-4"].obstacle == ""
    assert found["ResNet18, all, batch 32 lr 1e-4"].config.start.weights_dir == str(folder)
    assert found["ResNet50, all, batch 32 lr 1e-4"].obstacle == WITHOUT_WEIGHTS


def test_a_file_serves_the_network_that_it_fits(
    plan: MakePlan, data: ImageData, folder: Path
) -> None:
    chosen = plan(weights_dir=str(folder / "resnet18.pth"))
    constraints, notes = with_weights(chosen, chosen.constraints(data), [])
    assert constraints.without_weights == {"resnet34", "resnet50"} and len(notes) == 1


def test_a_folder_with_nothing_and_a_file_that_fits_nothing_are_refused(
    plan: MakePlan, data: ImageData, tmp_path: Path
) -> None:
    chosen = plan(weights_dir=str(tmp_path))
    with pytest.raises(UserError, match=r"no weights of resnet18, resnet34.*--pretrained no"):
        with_weights(chosen, chosen.constraints(data), [])
    torch.save({"a": torch.zeros(3)}, tmp_path / "resnet18.pth")
    for place in (tmp_path, tmp_path / "resnet18.pth"):
        chosen = plan(weights_dir=str(place))
        with pytest.raises(UserError, match=r"do not fit resnet18: conv1.weight is missing"):
            with_weights(chosen, chosen.constraints(data), [])
    torch.save({"a": torch.zeros(3)}, tmp_path / "mine.pth")
    chosen = plan(weights_dir=str(tmp_path / "mine.pth"))
    with pytest.raises(UserError, match=r"mine.pth fits none of resnet18, resnet34, resnet50"):
        with_weights(chosen, chosen.constraints(data), [])


def test_weights_that_cannot_be_downloaded_end_the_run_before_it_begins(
    plan: MakePlan, data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(UserError, match=r"weights of resnet18 .*no route to host.*--weights-dir"):
        with_weights(plan(), plan().constraints(data), [])
    assert with_weights(plan("vgg_reduce"), plan("vgg_reduce").constraints(data), [])[1] == []


SPACE = """
from paretrain.config import SGDConfig, StartConfig, TrainConfig
from paretrain.network_config import TimmConfig, ZooConfig

def suggest(trial):
    name = trial.suggest_categorical("network", NAMES)
    network = ZooConfig.of(name) if name == "squeezenet1_1" else TimmConfig.of(name)
    return TrainConfig(network=network, optimizer=SGDConfig(lr=0.1),
                       start=StartConfig(pretrained=True))
"""


def test_weights_for_another_size_of_images_are_seen_before_any_trial(
    plan: MakePlan, data: ImageData, tmp_path: Path
) -> None:
    from torchvision import models

    (tmp_path / "weights").mkdir()
    state = models.squeezenet1_1().state_dict()
    torch.save(state, tmp_path / "weights" / "squeezenet1_1.pth")
    names = ["vit_tiny_patch16_224", "squeezenet1_1"]
    for listed in (names, names[:1]):
        file = tmp_path / f"space{len(listed)}.py"
        file.write_text(SPACE.replace("NAMES", repr(listed)))
        chosen = plan(str(file), weights_dir=str(tmp_path / "weights"))
        if len(listed) == 1:
            with pytest.raises(UserError, match=r"of another size: pos_embed .*--image-size 224"):
                with_weights(chosen, chosen.constraints(data), [])
            continue
        constraints, notes = with_weights(chosen, chosen.constraints(data), [])
        assert constraints.without_weights == {"timm/vit_tiny_patch16_224"}
        assert len(notes) == 1 and "it is not proposed with them" in notes[0]


def test_without_pretrained_every_proposal_has_random_weights(
    plan: MakePlan, data: ImageData
) -> None:
    chosen = plan("finetune", pretrained=False, weights_dir="anywhere")
    constraints, notes = with_weights(chosen, chosen.constraints(data), [])
    assert notes == []
    for base in load_baselines(chosen.space, constraints, "all"):
        assert base.config.start == StartConfig()
        assert published_name(base.config.network)


def test_a_limit_on_the_file_counts_bytes_of_weights_and_statistics(
    plan: MakePlan, data: ImageData
) -> None:
    constraints = plan("resnet9", max_size_mb=100.0).constraints(data)
    found = {base.name: base for base in load_baselines(plan("resnet9").space, constraints, "nets")}
    assert found["ResNet9"].obstacle == OVER_FILE_SIZE
    assert found["ResNet9 halved"].obstacle == ""
    size = constraints.size(found["ResNet9 halved"].config)
    from paretrain.networks.build import build_network

    network = build_network(found["ResNet9 halved"].config.network, 10, 32)
    numbers = [*network.parameters(), *network.buffers()]
    assert constraints.file_bytes(found["ResNet9 halved"].config) == 4 * sum(
        t.numel() for t in numbers
    )
    assert size is not None and size < constraints.file_bytes(found["ResNet9 halved"].config) / 4
    both = replace(constraints, max_params=1_000_000)
    assert both.obstacle(found["ResNet9 halved"].config, size) == OVER_MAX_PARAMS


def test_a_study_remembers_where_its_weights_lie(
    plan: MakePlan, data: ImageData, tmp_path: Path
) -> None:
    chosen = plan("vgg_reduce", storage=StorageUrl.of(tmp_path / "s.db"), weights_dir="/weights")
    open_study(chosen, data)
    stored = stored_settings(chosen.storage, "x")
    assert stored is not None and stored.settings["weights_dir"] == "/weights"


def test_what_other_machines_must_have_is_what_trials_may_ask_for(
    plan: MakePlan, data: ImageData, folder: Path
) -> None:
    chosen = plan(weights_dir=str(folder))
    constraints, _ = with_weights(chosen, chosen.constraints(data), [])
    run = PreparedRun(chosen, data, constraints, ())
    assert digests(run) == {"resnet18": digest_of(folder / "resnet18.pth")}
    assert digests(replace(run, plan=replace(chosen, pretrained=False))) == {}
