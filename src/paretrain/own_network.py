"""Networks of your own in a space: `network=own_network(build, width=32)`.

The function, or the class of the network, takes `num_classes` and plain values, and gives an
`nn.Module` that maps images (N, 3, H, W) to logits (N, num_classes). Its file travels with the
configuration, so whoever has the configuration can build the network.
"""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from paretrain.cli import UserError
from paretrain.network_config import MOST_SOURCE, NetworkConfig, OwnConfig, OwnFile, digest_of
from paretrain.own_files import FILES, SOURCE, from_folder, imported_files
from paretrain.trusted_code import is_trusted, place_of, trust

FROM_THE_RUN = ("num_classes", "image_size")
"""Arguments that the images decide. The second one is given to functions that have it."""


def own_network(function: Callable[..., Any], **arguments: Any) -> OwnConfig:
    """Describe a network that `function(num_classes=..., **arguments)` builds.

    `function` is a function or class at the top level of a file: the space's own, or one that it
    imports. A parameter `image_size` gets the side of the images, in pixels. `arguments` are
    numbers, text, True, False, None, and lists of these. Raises UserError for anything else.
    """
    name = getattr(function, "__qualname__", type(function).__name__)
    where = _line(function)
    if not name.isidentifier():
        raise UserError(
            f"own_network: {name}{where} is no function or class at the top level of a file: "
            "move it there"
        )
    file, source, files = _source(function, name)
    length = len(source) + sum(len(each.source) for each in files)
    if length > MOST_SOURCE:
        imported = f", with {len(files)} that it imports from its folder," if files else ""
        raise UserError(
            f"own_network: {file}{imported} has {length:,} characters, at most {MOST_SOURCE:,} "
            f"travel with a network: move {name} into a file of its own that imports less"
        )
    _check_arguments(function, f"{name}{where}", arguments)
    digest = digest_of(source, files)
    trust(digest, file)  # its code is running
    return OwnConfig(
        file=file.name,
        function=name,
        arguments=arguments,  # type: ignore[arg-type]  # a validator sorts them
        sha256=digest,
        source=source,
        files=files,
    )


def trust_code_of(network: NetworkConfig) -> None:
    """Let the code that a network brings along run in this process, as its user has asked for."""
    if isinstance(network, OwnConfig):
        trust(network.sha256)


def refuse_untrusted(network: NetworkConfig, place: str, how: str = "give --trust") -> None:
    """Raise UserError for a network that brings code along which this user does not trust yet.

    `place` says where the network comes from, `how` what to do after reading the code.
    """
    if isinstance(network, OwnConfig) and not is_trusted(network.sha256):
        raise UserError(
            f"{place} holds code: its network is made by {network.function} of {network.file}, "
            "with which you have not searched on this machine. Code can do whatever you can: read "
            f"network.source{' and network.files' if network.files else ''}, then {how}"
        )


def line_of(network: OwnConfig, line: int | None = None) -> str:
    """Return `file:line`, with the folder where the user has named the file in this process."""
    file = place_of(network.sha256) or network.file
    return str(file) if line is None else f"{file}:{line}"


def _source(function: Callable[..., Any], name: str) -> tuple[Path, str, tuple[OwnFile, ...]]:
    """Return the file that a function comes from, the text that was run, and the files that it
    imports from its folder, as they were when a network of it was first described."""
    module = sys.modules.get(function.__module__)
    namespaces = [
        getattr(function, "__globals__", None),
        getattr(getattr(function, "__init__", None), "__globals__", None),  # of a class
        vars(module) if module else None,
    ]
    namespace = next((n for n in namespaces if n and n.get(name) is function), {})
    file = Path(str(namespace.get("__file__", "")))
    if namespace.get(name) is not function or file.suffix != ".py":
        raise UserError(
            f"own_network: {name} cannot be found by its name in {file.name or 'a file'}: give a "
            "function or class that is written there, without a decorator"
        )
    if namespace.get("__package__"):
        raise UserError(
            f"own_network: {name} belongs to the package {namespace['__package__']}, of which one "
            f"file alone is of no use: write a function in the space that builds and returns it"
        )
    source = namespace.get(SOURCE)
    if source is None:
        try:
            source = file.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"own_network: cannot read {file}: {error}") from None
    files = namespace.get(FILES)
    if files is None:
        found = imported_files(str(source), from_folder(file.parent))
        try:
            files = tuple(OwnFile(place=p, source=text) for p, text in found.items())
        except ValidationError:
            raise UserError(
                f"own_network: {file} imports from its folder {', '.join(found)}, of which one has "
                f"more than {MOST_SOURCE:,} characters: move what the network needs into smaller "
                "files"
            ) from None
        if SOURCE in namespace:  # they were run together, and are to stay as they were then
            namespace[FILES] = files
    return file, str(source), files


def _line(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return "" if code is None else f" ({Path(code.co_filename).name}:{code.co_firstlineno})"


def _check_arguments(function: Callable[..., Any], name: str, arguments: dict[str, Any]) -> None:
    for given in FROM_THE_RUN:
        if given in arguments:
            raise UserError(f"own_network: {given} is given by the run: leave it out for {name}")
    taken = inspect.signature(function).parameters
    anything = any(p.kind == inspect.Parameter.VAR_KEYWORD for p in taken.values())
    if "num_classes" not in taken and not anything:
        raise UserError(
            f"own_network: {name} has no parameter num_classes, by which it is told how many "
            f"numbers to return for an image; it has {', '.join(taken) or 'none'}"
        )
    size = {"image_size": 0} if "image_size" in taken else {}
    try:
        inspect.signature(function).bind(num_classes=0, **size, **arguments)
    except TypeError as error:
        raise UserError(f"own_network: {name} does not take these arguments: {error}") from None
