"""Small ONNX networks, made by hand, and the YAML files of judges around them."""

from pathlib import Path

import numpy as np
import yaml
from onnx import TensorProto, helper, load, numpy_helper, save
from onnx.external_data_helper import set_external_data

LABELS = ("Red_R1", "Green_G1", "Blue_B1")
IMAGES, FLOAT = ["n", 3, "h", "w"], TensorProto.FLOAT


def write_network(
    path: Path, nodes: list, output: list, constants: dict[str, np.ndarray] | None = None, shape: list | None = None
) -> Path:
    """An ONNX file: `nodes` lead from `x`, of this shape, to `y`."""
    values = [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    outputs = [helper.make_tensor_value_info("y", FLOAT, output)]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", FLOAT, shape or IMAGES)], outputs, values)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def colour_network(path: Path, shape: list | None = None) -> Path:
    """Logits (N, 3) that are eight times the mean of each channel."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Mul", ["f", "eight"], ["y"]),
    ]
    return write_network(path, nodes, ["n", 3], {"eight": np.array(8, np.float32)}, shape)


def residual_network(path: Path) -> Path:
    """Residuals (N, 1, H, W): the Laplacian of the mean of the channels."""
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32) / 3
    node = helper.make_node("Conv", ["x", "k"], ["y"], pads=[1, 1, 1, 1])
    return write_network(path, [node], ["n", 1, "h", "w"], {"k": np.repeat(kernel[None, None], 3, 1)})


def endless_network(path: Path) -> Path:
    """A loop that does not end in a lifetime."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", FLOAT, None),
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("w", FLOAT, None)],
    )
    nodes = [helper.make_node("Loop", ["count", "true", "x"], ["y"], body=body)]
    return write_network(path, nodes, IMAGES, {"count": np.array(2**62), "true": np.array(True)})


def greedy_network(path: Path) -> Path:
    """Each input repeated 10^7 times along its channels."""
    repeats = {"r": np.array([1, 10**7, 1, 1])}
    return write_network(path, [helper.make_node("Tile", ["x", "r"], ["y"])], ["n", "c", "h", "w"], repeats)


def absolute_network(path: Path) -> Path:
    """As `scattered_network`, which names the file by its whole path."""
    return scattered_network(path, str(path.parent / "secret.bin"))


def scattered_network(path: Path, name: str = "secret.bin") -> Path:
    """A network whose weights lie in `secret.bin` beside it, where the file exists."""
    kernel = np.ones((3, 3, 1, 1), np.float32)
    graph = [helper.make_node("Conv", ["x", "k"], ["c"]), helper.make_node("GlobalAveragePool", ["c"], ["y"])]
    write_network(path, graph, ["n", 3, 1, 1], {"k": kernel})
    model = load(path)
    (path.parent / "secret.bin").write_bytes(kernel.tobytes())
    set_external_data(model.graph.initializer[0], name)
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return path


def foreign_network(path: Path) -> Path:
    """A network with an operator that nobody knows."""
    return write_network(path, [helper.make_node("Divination", ["x"], ["y"])], ["n", 3])


def many_inputs(path: Path) -> Path:
    """A network with 3,000 inputs."""
    inputs = [helper.make_tensor_value_info(f"x{number}", FLOAT, IMAGES) for number in range(3000)]
    nodes = [helper.make_node("Identity", ["x0"], ["y"])]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("y", FLOAT, IMAGES)])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def narrow_network(path: Path) -> Path:
    """A convolution of 8 x 8 pixels, which smaller pictures do not fit."""
    kernel = {"k": np.ones((3, 3, 8, 8), np.float32)}
    return write_network(path, [helper.make_node("Conv", ["x", "k"], ["y"])], ["n", 3, "h2", "w2"], kernel)


def two_outputs(path: Path) -> Path:
    """A network with a second output."""
    values = [helper.make_tensor_value_info(name, FLOAT, IMAGES) for name in ("y", "z")]
    nodes = [helper.make_node("Identity", ["x"], [name]) for name in ("y", "z")]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", FLOAT, IMAGES)], values)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def write_judge(path: Path, **settings: object) -> Path:
    """The YAML file of a judge; by default a classifier of colours with its network beside it."""
    if not {"network", "callable"} & set(settings):
        fingerprint = settings.get("kind") == "fingerprint"
        network = (residual_network if fingerprint else colour_network)(path.with_suffix(".onnx"))
        settings["network"] = network.name
    if settings.get("kind") != "fingerprint":
        settings.setdefault("labels", list(LABELS))
    path.write_text(yaml.safe_dump(settings))
    return path


def coloured(channel: int, height: int = 96, width: int = 128, seed: int = 0) -> np.ndarray:
    """A picture of noise that is brightest in this channel."""
    picture = np.random.default_rng(seed).integers(60, 120, (height, width, 3))
    picture[..., channel] += 80
    return picture.astype(np.uint8)
