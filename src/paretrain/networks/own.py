"""Networks that a file of the user builds: loaded, built, and measured without memory."""

import functools
import inspect
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from paretrain.cli import UserError
from paretrain.network_config import OwnConfig, OwnFile, digest_of
from paretrain.networks.cost import Costs
from paretrain.networks.measure import IMAGES, Measured, measure
from paretrain.own_files import SOURCE, run_file
from paretrain.own_network import line_of, refuse_untrusted


def build_own(config: OwnConfig, num_classes: int, image_size: int) -> nn.Module:
    """Build the network, on torch's current default device.

    Raises UserError when its code is not trusted, is broken, or builds no module; else what the
    function raises.
    """
    refuse_untrusted(config, "the configuration")
    function = _function(config)
    given: dict[str, Any] = {"num_classes": num_classes}
    if "image_size" in inspect.signature(function).parameters:
        given["image_size"] = image_size
    network = function(**given, **dict(config.arguments))
    if not isinstance(network, nn.Module):
        raise UserError(
            f"{_begin(config)}: {config.function} returns {type(network).__name__}, must return a "
            "torch.nn.Module"
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in network.parameters()):
        try:
            with torch.no_grad():
                network.eval()(torch.zeros(1, 3, image_size, image_size))
        except RuntimeError as error:  # the images are too small for it
            raise ValueError(str(error)) from error
        network.train()
    return network


def own_costs(config: OwnConfig, num_classes: int, image_size: int) -> Costs:
    """Return the costs of the network, for one image.

    Raises ValueError when it cannot be built with these arguments for images of this size,
    UserError when it is no classifier of that many classes, or has a fault.
    """
    return _measured(config, num_classes, image_size).costs


def own_batch_statistics(config: OwnConfig, num_classes: int, image_size: int) -> bool:
    """Whether it has BatchNorm. Raises as `own_costs` does."""
    return _measured(config, num_classes, image_size).batch_statistics


def _measured(config: OwnConfig, num_classes: int, image_size: int) -> Measured:
    refuse_untrusted(config, "the configuration")  # also where it has been measured before
    found = _measured_once(config, num_classes, image_size)
    if isinstance(found, ValueError):
        raise found
    return found


@functools.lru_cache(maxsize=4096)
def _measured_once(config: OwnConfig, num_classes: int, image_size: int) -> Measured | ValueError:
    """Return what is wrong as well, so that it is found once."""
    try:
        with torch.device("meta"):
            network = build_own(config, num_classes, image_size)
    except UserError:
        raise
    except ValueError as error:  # the function's own word that these arguments do not fit
        return ValueError(_failed(config, error))
    except (Exception, SystemExit) as error:
        if _needs_memory(error):
            raise UserError(
                f"{_failed(config, error)}: it is built on torch's meta device first, which counts "
                "parameters without memory: choose with Python's numbers, not with values of "
                "tensors (.item(), .tolist(), numpy)"
            ) from None
        raise UserError(_failed(config, error)) from None
    try:
        with torch.device("meta"):
            measured = measure(network, image_size)
    except (ValueError, RuntimeError, TypeError) as error:
        if _needs_memory(error):
            raise UserError(
                f"{_failed(config, error)}: its forward pass must not depend on values of tensors "
                "(.item(), .tolist(), numpy): its costs are counted without any"
            ) from None
        if isinstance(error, TypeError):
            raise UserError(_failed(config, error)) from None
        return ValueError(_failed(config, error))  # images that are too small, most likely
    except (Exception, SystemExit) as error:
        raise UserError(_failed(config, error)) from None
    if measured.shape != (IMAGES, num_classes):
        raise UserError(_wrong_output(config, measured, num_classes, image_size))
    if measured.costs.parameters == 0:
        raise UserError(f"{_begin(config)}: {config.function} has no parameters to train")
    return measured


def _wrong_output(config: OwnConfig, measured: Measured, num_classes: int, image_size: int) -> str:
    shape = measured.shape
    given = shape if isinstance(shape, str) else f"a tensor {'x'.join(map(str, shape)) or 'scalar'}"
    return (
        f"{_begin(config)}: the network of {config.function} returns {given} for {IMAGES} images "
        f"3x{image_size}x{image_size} and num_classes={num_classes}, must return a tensor "
        f"{IMAGES}x{num_classes}: one row of logits for each image"
    )


def _needs_memory(error: BaseException) -> bool:
    return "meta" in str(error).lower() and isinstance(
        error, RuntimeError | NotImplementedError | TypeError
    )


def _function(config: OwnConfig) -> Callable[..., Any]:
    function = getattr(
        _module(config.sha256, config.source, config.files, line_of(config)), config.function, None
    )
    if not callable(function):
        raise UserError(f"{line_of(config)} has no function or class {config.function}")
    found: Callable[..., Any] = function
    return found


@functools.lru_cache(maxsize=64)
def _module(digest: str, source: str, files: tuple[OwnFile, ...], name: str) -> types.ModuleType:
    """Run a file, once a process. `digest` has been checked to be that of it with its files."""
    assert digest_of(source, files) == digest
    module = types.ModuleType(f"paretrain_own_{digest[:16]}")
    module.__file__ = name
    vars(module)[SOURCE] = source
    sys.modules[module.__name__] = module  # dataclasses in the file look themselves up there
    try:
        run_file(module, source, name, {each.place: each.source for each in files}.get)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"{_line(name, error, files)} does not run: {type(error).__name__}: {error}: what it "
            "imports must be installed on this machine"
        ) from None
    return module


def _failed(config: OwnConfig, error: BaseException) -> str:
    name = line_of(config)
    where = _line(name, error, config.files)
    where = _begin(config) if where == name else where
    called = ", ".join(f"{name}={value!r}" for name, value in config.arguments)
    cause = " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(".")
    return f"{where}: {config.function}({called}) fails: {cause}"


def _begin(config: OwnConfig) -> str:
    """Return file and line where the function begins."""
    function = _function(config)
    try:
        code = getattr(function, "__code__", None) or function.__init__.__code__
        line: int | None = code.co_firstlineno
    except AttributeError:
        line = None
    return line_of(config, line)


def _line(name: str, error: BaseException, files: tuple[OwnFile, ...]) -> str:
    """Return `file:line` of the deepest frame in the file, or in one that it imports."""
    names = {name, *(str(Path(name).parent / each.place) for each in files)}
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename if error.filename in names else name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename in names]
    return lines[-1] if lines else name
