"""A copy of a .pt2 archive that holds nothing but what our own export writes.

The file is read once, into memory, and torch reads the copy: it cannot see other members than those
that were checked. What is not known is refused, so a new version of torch may need a new entry.
"""

import io
import json
import keyword
import math
import re
import zipfile
from pathlib import Path
from typing import Any

_MEMBER = re.compile(
    r"[\w-]+/(data/weights/(weight_\d+|model_weights_config\.json)"
    r"|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|models/model\.json"
    r"|archive_format|archive_version|byteorder|\.data/(version|serialization_id))",
    re.ASCII,
)
_SYMBOL = re.compile(r"Symbol\('[A-Za-z]\w*'(, (positive|integer)=True)*\)", re.ASCII)
"""A size that is not known: the number of images. Loading evaluates it."""
_INTEGER = re.compile(r"Integer\(\d{1,18}\)", re.ASCII)
_OF_SIZES = re.compile(r"(?:Mul|Add|Min|Max)\(#(?:, #)*\)", re.ASCII)
"""A size that is computed from others, each written as #."""
_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*", re.ASCII)
_EINSUM = re.compile(r"[A-Za-z]+( [A-Za-z]+)*(, ?[A-Za-z]+( [A-Za-z]+)*)*( ?-> ?[A-Za-z ]*)?")
"""What einsum is to add up."""
_PLACE = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)*", re.ASCII)
"""A module or a weight in the network, such as RegNet's `block1.block1-0`. It is no code: torch
takes it apart at the dots, and reads a part that is no identifier with getattr."""
_PLACES = ("fqn", "parameter_name", "buffer_name", "tensor_constant_name")
_VERSION = re.compile(r"[\w.+]+", re.ASCII)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KEYS = _words(
    "arg as_bool as_bools as_device as_expr as_float as_int as_ints as_layout as_memory_format "
    "as_name as_none as_optional_tensors as_scalar_type as_string as_sym_bool as_sym_int "
    "as_sym_ints as_tensor as_tensors buffer buffer_name config device dtype expr_str "
    "forward_arg_names fqn graph graph_module hint in_spec index input_specs inputs is_param "
    "is_single_tensor_return kind layout major max_val metadata min_val minor module_call_graph "
    "name nodes opset_version out_spec output_specs outputs parameter parameter_name path_name "
    "persistent range_constraints requires_grad schema_version signature sizes storage_offset "
    "strides sym_int_values target tensor_constant tensor_constant_name tensor_meta "
    "tensor_values torch_version type user_input "
    "user_output verifiers"
)
_NAMED_BY_THE_GRAPH = (
    "tensor_values",
    "sym_int_values",
    "range_constraints",
    "opset_version",
    "config",
)
"""Entries whose keys are names of tensors, sizes or modules."""

_TARGETS = {"_operator.mul"} | {
    f"torch.ops.aten.{name}"
    for name in _words(
        "abs.default adaptive_avg_pool1d.default adaptive_avg_pool2d.default "
        "adaptive_max_pool2d.default add.Scalar add.Tensor add_.Scalar add_.Tensor "
        "alias.default amax.default _assert_tensor_metadata.default avg_pool1d.default "
        "avg_pool2d.default batch_norm.default bmm.default cat.default celu.default "
        "channel_shuffle.default chunk.default clamp.default clamp_min.default clone.default "
        "contiguous.default conv1d.default conv2d.default conv2d.padding "
        "conv_transpose2d.input cos.default div.Scalar div.Tensor div_.Tensor "
        "dropout.default dropout_.default einsum.default elu.default elu_.default eq.Scalar "
        "exp.default expand.default expand_as.default feature_dropout.default fill_.Tensor "
        "flatten.using_ints flip.default gelu.default gelu_.default glu.default "
        "group_norm.default hardsigmoid.default hardsigmoid_.default hardswish.default "
        "hardswish_.default hardtanh.default hardtanh_.default index.Tensor "
        "instance_norm.default layer_norm.default leaky_relu.default leaky_relu_.default "
        "lift_fresh_copy.default linalg_vector_norm.default linear.default log_softmax.int "
        "masked_fill.Scalar matmul.default max_pool2d.default maximum.default mean.default "
        "mean.dim mish.default mish_.default mm.default mul.Scalar mul.Tensor mul_.Tensor "
        "ne.Scalar neg.default new_zeros.default ones.default pad.default permute.default "
        "pixel_shuffle.default pixel_unshuffle.default pow.Tensor_Scalar prelu.default "
        "reciprocal.default relu.default relu6.default relu_.default repeat.default "
        "reshape.default reshape_as.default rms_norm.default roll.default rsqrt.default "
        "scaled_dot_product_attention.default select.int selu.default selu_.default "
        "sigmoid.default sigmoid_.default silu.default silu_.default sin.default "
        "slice.Tensor softmax.int softplus.default split.Tensor split_with_sizes.default "
        "sqrt.default squeeze.default squeeze.dim squeeze.dims stack.default sub.Scalar "
        "sub.Tensor sum.dim_IntList swapaxes.default sym_size.int t.default tanh.default "
        "tanh_.default to.dtype transpose.int unbind.int unflatten.int unsqueeze.default "
        "upsample_bilinear2d.vec upsample_nearest2d.vec var_mean.correction view.default "
        "zero_.default zeros.default"
    )
}
"""Operations that networks of this program consist of. None reads or writes a file."""

_DAMAGED = (
    *(zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, RecursionError),
    *(KeyError, AttributeError, TypeError),
)
"""Errors of an archive that is cut off or encrypted, and of JSON of another structure."""

_SPEC_TYPES = (None, "builtins.tuple", "builtins.list", "builtins.dict")


def checked_copy(path: Path) -> io.BytesIO:
    """Return a copy of an archive, for `torch.export.load`.

    Raises ValueError for an archive with anything that our export does not write, and for one that
    is damaged; OSError when the file cannot be read.
    """
    try:
        members = _members(path)
        for name, content in members.items():
            if name.endswith(".json"):
                members[name] = _checked_json(name, content, members)
    except _DAMAGED as error:
        raise ValueError(f"it is no whole torch.export archive ({error})") from None
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    copy.seek(0)
    return copy


def _members(path: Path) -> dict[str, bytes]:
    """Read all members: each once, uncompressed, together no larger than the file."""
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        for info in infos:
            if not _MEMBER.fullmatch(info.filename):
                raise ValueError(f"it holds {info.filename!r}, which no export of a network has")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise ValueError(f"{info.filename} is compressed, which no export writes")
        if len({info.filename for info in infos}) < len(infos):
            raise ValueError("it holds two members of the same name")
        if len({info.filename.split("/")[0] for info in infos}) > 1:
            raise ValueError("it holds more than one archive")
        if sum(info.file_size for info in infos) > path.stat().st_size:
            raise ValueError("its members are larger than the file")
        members = {info.filename: archive.read(info) for info in infos}
    for name in members:
        if name.endswith("sample_inputs/model.pt"):
            members[name] = b""  # a pickle, and nothing computes with it
    return members


def _checked_json(name: str, content: bytes, members: dict[str, bytes]) -> bytes:
    """Return a member as it is to be read: checked, without what only tells of its making."""
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError(f"{name} is no mapping")
    if name.endswith("_config.json"):
        _check_tensors(name, document, members)
    _check(document, "")
    return json.dumps(document).encode()


def _check_tensors(name: str, document: dict[str, Any], members: dict[str, bytes]) -> None:
    """Refuse pickles, and tensors of more numbers than their member has bytes."""
    folder = name.rpartition("/")[0]
    for entry in document["config"].values():
        if entry.get("use_pickle"):
            raise ValueError(f"{name} asks for a pickle, which could run code")
        content, sizes = members[f"{folder}/{entry['path_name']}"], entry["tensor_meta"]["sizes"]
        sides = [size.get("as_int") for size in sizes]
        if not all(isinstance(side, int) and side >= 0 for side in sides):
            raise ValueError(f"{entry['path_name']} has a size that is no number")
        if math.prod(sides) > len(content):
            raise ValueError(f"{entry['path_name']} is shorter than its tensor")


def _check(node: dict[str, Any], inside: str) -> None:
    """Refuse a mapping, or what it holds, that our export does not write."""
    for key, value in node.items():
        if inside in _NAMED_BY_THE_GRAPH:
            if not _is_name(key, _PLACE if inside == "config" else _NAME):
                raise ValueError(f"it names a part {key!r}")
        elif key not in _KEYS:
            if value not in (None, False, "", [], {}):
                raise ValueError(f"it holds {key!r}, which no export of a network has")
            continue
        elif key == "metadata":
            node[key] = {}  # where in whose source code a node comes from
            continue
        _check_value(key, value)


def _check_value(key: str, value: object) -> None:
    if isinstance(value, dict):
        _check(value, key)
    elif isinstance(value, list):
        for entry in value:
            _check_value(key, entry)
    elif isinstance(value, str) and not _is_expected(key, value):
        raise ValueError(f"its graph holds {value[:80]!r} as {key}")


def _is_expected(key: str, text: str) -> bool:
    if key == "target":
        return text in _TARGETS
    if key == "expr_str":
        return _is_size(text)
    if key in ("in_spec", "out_spec"):
        return _is_plain_spec(json.loads(text))
    if key == "torch_version":
        return _VERSION.fullmatch(text) is not None
    if key == "as_string" and _EINSUM.fullmatch(text):
        return True
    return text == "" or _is_name(text, _PLACE if key in _PLACES else _NAME)


def _is_size(text: str) -> bool:
    """Whether a text is a product, sum, least or largest of numbers and unknown sizes."""
    if "#" in text:
        return False
    text, found = _SYMBOL.sub("#", _INTEGER.sub("#", text)), 1
    while found:
        text, found = _OF_SIZES.subn("#", text)
    return text == "#"


def _is_plain_spec(spec: object) -> bool:
    """Whether the structure of inputs or outputs consists of tuples, lists and dictionaries."""
    version, top = spec if isinstance(spec, list) and len(spec) == 2 else (None, None)
    if version != 1:
        return False
    todo = [top]
    while todo:
        now = todo.pop()
        if not isinstance(now, dict) or now.keys() != {"type", "context", "children_spec"}:
            return False
        if now["type"] not in _SPEC_TYPES or now["context"] not in (None, "null", "[]"):
            return False
        if not isinstance(now["children_spec"], list):
            return False
        todo += now["children_spec"]
    return True


def _is_name(text: str, form: re.Pattern[str]) -> bool:
    """Whether a text is a name, or names joined by dots, and so cannot be an expression."""
    return form.fullmatch(text) is not None and not any(
        keyword.iskeyword(part) or part.startswith("__") for part in text.split(".")
    )
