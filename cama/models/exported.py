"""Networks as ONNX, for the tool, which works without torch: G, the gradient of each classifier of E, and judges."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch.fx.experimental.proxy_tensor import make_fx

from cama.core.errors import CamaError
from cama.core.packages import needed_by
from cama.models.classifiers import Classifier
from cama.models.evaluator import Evaluator
from cama.models.generator import Generator
from cama.models.padding import traced

SIDE = 128  # pixels, of the picture that the exporter traces; other sizes work too
LEAST_SIDE = 4  # sixteenths of a side, of which a picture that a classifier sees has as many at least
LARGE = 256  # values of a tensor that is stored in half precision; others matter little
aten = torch.ops.aten


def export_generator(generator: Generator, about: Mapping[str, str]) -> bytes:
    """G: `images` (N, 3, H, W), float32 in [-1, 1], and `labels` (N,), int64, to `changed` (N, 3, H, W). Sides are multiples of
    16 pixels. Where G filters, N is 1. `about` goes to the file's metadata.
    """
    count = 1 if generator.filtering else 2  # with other filters for each picture
    images, labels = torch.zeros(count, 3, SIDE, SIDE), torch.zeros(count, dtype=torch.int64)
    batch = {} if generator.filtering else {0: torch.export.Dim("batch")}
    shapes = {**batch, **_sides()}, batch
    return _exported(generator, (images, labels), ("images", "labels"), "changed", shapes, about)


def export_scores(classifier: Classifier) -> bytes:
    """A classifier: `images` (N, 3, H, W), float32 in [-1, 1], to `scores` (N, L), the logarithms of its probabilities. Sides
    are multiples of 16 pixels, at least 64.
    """

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = classifier

        def forward(self, images: Tensor) -> Tensor:
            return self.classifier(images).float().log_softmax(1)

    shapes = {0: torch.export.Dim("batch"), **_sides(LEAST_SIDE)}
    images = torch.zeros(2, 3, SIDE, SIDE)
    neural = any(True for _ in classifier.parameters())  # the constants of features are not as tolerant as weights
    return _exported(Scores().eval(), (images,), ("images",), "scores", (shapes,), halved=neural)


def export_gradient(evaluator: Evaluator, name: str) -> bytes:
    """Of E's classifier `name`: `images` (1, 3, H, W), float32 in [-1, 1], and `target` (1,), int64, to `gradient`
    (1, 3, H, W), along which its probability of the target falls. Sides are multiples of 16 pixels, at least 64.
    """

    def gradient(images: Tensor, target: Tensor) -> Tensor:
        images = images.detach().requires_grad_(True)
        score = evaluator(images, [name])[name].gather(1, target[:, None]).sum()
        return -torch.autograd.grad(score, images)[0]

    inputs = torch.zeros(1, 3, SIDE, SIDE), torch.zeros(1, dtype=torch.int64)
    with _explained(f"the gradient of {name}"), traced():
        trace = make_fx(gradient, _decompositions(), "symbolic", _allow_non_fake_inputs=True)
        graph = trace(*inputs)
    return _exported(graph, inputs, ("images", "target"), "gradient", (_sides(LEAST_SIDE), None))


def _sides(least: int = 1) -> dict[int, Any]:
    """Any rows and columns that are multiples of 16."""
    return {axis: 16 * torch.export.Dim(name, min=least) for axis, name in ((2, "rows"), (3, "columns"))}


def _decompositions() -> dict[Any, Callable[..., Any]]:
    """What gradients are made of, as operations that ONNX has, and which runtimes do quickly."""
    known = {
        operation: made
        for operation, made in core_aten_decompositions().items()
        if operation != aten.reflection_pad2d.default  # ONNX has it
    }
    return {
        **known,
        aten.convolution_backward.default: _convolution_backward,
        aten.reflection_pad2d_backward.default: _reflection_backward,
        aten.threshold_backward.default: lambda gradient, x, least: gradient * (x > least).to(gradient.dtype),
    }


def _convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Any,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    mask: list[bool],
) -> tuple[Tensor, None, None]:
    """The gradient of a convolution's input: a convolution again, transposed where there are strides or groups."""
    if transposed:
        raise NotImplementedError("the gradient of a transposed convolution")
    kernel = weight.shape[2:]
    if set(stride) == set(dilation) == {1} and groups == 1:
        mirrored = weight.transpose(0, 1).flip(2, 3)
        around = [kernel[axis] - 1 - padding[axis] for axis in range(2)]
        return (
            aten.convolution.default(gradient, mirrored, None, stride, around, dilation, False, [0, 0], 1),
            None,
            None,
        )
    reached = [
        (gradient.shape[2 + axis] - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel[axis] - 1) + 1
        for axis in range(2)
    ]
    missing = [x.shape[2 + axis] - reached[axis] for axis in range(2)]
    back = aten.convolution.default(gradient, weight, None, stride, padding, dilation, True, missing, groups)
    return back, None, None


def _reflection_backward(gradient: Tensor, x: Tensor, padding: list[int]) -> Tensor:
    """What pixels receive from their reflections, by slices: index lists take ten times as long."""
    left, right, top, bottom = padding
    return _folded(_folded(gradient, 3, left, right), 2, top, bottom)


def _folded(gradient: Tensor, axis: int, before: int, after: int) -> Tensor:
    length = gradient.shape[axis] - before - after
    none = torch.zeros_like(gradient.narrow(axis, 0, 1))
    first = gradient.narrow(axis, 0, before).flip(axis), torch.zeros_like(gradient.narrow(axis, 0, length - 1 - before))
    last = torch.zeros_like(gradient.narrow(axis, 0, length - 2 - after)), gradient.narrow(axis, before + length, after)
    received = torch.cat([none, *first], axis) + torch.cat([none, last[0], last[1].flip(axis), none], axis)
    return gradient.narrow(axis, before, length) + received


def _exported(
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    names: tuple[str, ...],
    output: str,
    shapes: tuple[Any, ...],
    about: Mapping[str, str] = MappingProxyType({}),
    halved: bool = True,
) -> bytes:
    with needed_by("a model file"):
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    with _explained(output), warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            inputs,
            input_names=list(names),
            output_names=[output],
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
            optimize=False,  # what it would compute beforehand, as mirrored weights, need not be stored: who runs it does that
        )
    program.model.metadata_props.update(about)
    proto = program.model_proto
    _strip(proto.graph)
    if halved:
        _halve(proto.graph)
    return proto.SerializeToString()


def _strip(graph: Any) -> None:
    """Leave out what only tells how the graph was made."""
    del graph.value_info[:]
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]


def _halve(graph: Any) -> None:
    """Store the weights of an ONNX graph in half precision, in which they change a picture by far less than rounding does."""
    from onnx import TensorProto, helper, numpy_helper

    whole = [one for one in graph.initializer if one.data_type == TensorProto.FLOAT and np.prod(one.dims) >= LARGE]
    casts = [helper.make_node("Cast", [f"{one.name}.half"], [one.name], to=TensorProto.FLOAT) for one in whole]
    for one in whole:
        half = numpy_helper.from_array(numpy_helper.to_array(one).astype(np.float16), f"{one.name}.half")
        one.CopyFrom(half)
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, NotImplementedError, torch.onnx.OnnxExporterError) as error:
        raise CamaError(f"{what} cannot be written as ONNX ({' '.join(str(error).split())[:300]})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter prints."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)
