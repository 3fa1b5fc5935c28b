"""A small model file, and photographs whose metadata tells."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from torch import nn

from cama.models import packing
from cama.models.classifiers import save_classifier
from cama.models.generator import Generator, save_generator
from cama.models.packaged import Header, save_anonymizer
from cama.photo.profile import learn_profile
from cama.reporting.model_card import model_card
from cama.settings.networks import GeneratorSpec
from tests.jpeg.helpers import jpeg, scene
from tests.models.helpers import net_spec, shake, tiny_classifier
from tests.warm import keep_operations

keep_operations()
LABELS = ("Alcyon_A10", "Borealis_B2", "Corvus_C300")
SPEC = GeneratorSpec(features=4, downsamplings=0, blocks=1, kernel=3, output="residual", input="rgb")


def camera_file(model: str, number: int = 0, size: tuple[int, int] = (48, 64), **options: object) -> bytes:
    """A photograph of a camera that writes what its firmware, its owner and the moment say."""
    exif = Image.Exif()
    make, _, name = model.partition("_")
    exif[0x010F], exif[0x0110], exif[0x0131], exif[0x013B] = make, name, "1.0", "Jorunn Dahl"
    exif[0x0112], exif[0x011A], exif[0x0132] = 1, 72.0, f"2026:11:25 12:00:{number:02d}"
    details = exif.get_ifd(0x8769)
    details[0xA431], details[0x9003], details[0xA001] = "SN0042", f"2026:11:25 12:00:{number:02d}", 1
    details[0x9000], details[0xA002], details[0xA003] = b"0220", size[1], size[0]
    return jpeg(scene(*size, seed=number), exif=exif.tobytes(), **{"quality": 93, **options})


def once(export: Callable[..., bytes]) -> Callable[..., bytes]:
    """The export of a network, made once for the same structure and weights, since it takes seconds."""
    known: dict[str, bytes] = {}

    @functools.wraps(export)
    def exported(network: nn.Module, *others: object) -> bytes:
        plain = (bool, int, float, str, tuple)
        settings = [[item for item in vars(m).items() if isinstance(item[1], plain)] for m in network.modules()]
        digest = hashlib.sha256(repr((network, settings, others)).encode())
        for tensor in network.state_dict().values():
            digest.update(tensor.numpy().tobytes())
        key = digest.hexdigest()
        if key not in known:
            known[key] = export(network, *others)
        return known[key]

    return exported


for name in ("export_generator", "export_gradient", "export_scores"):
    setattr(packing, name, once(getattr(packing, name)))


def model_file(
    folder: Path,
    change: float = 0.03,
    dataset: str = "simulated",
    profiles: bool = True,
    judges: bool = False,
    **header: object,
) -> Path:
    """A model file for `LABELS` whose G changes a picture by about `change`, with profiles of all but the first of its cameras;
    beside it E's only classifier, `e.safetensors`, which also judges where `judges` are wanted.
    """
    torch.manual_seed(0)
    g, e, out = folder / "g.safetensors", folder / "e.safetensors", folder / "model.safetensors"
    save_generator(g, shake(Generator(3, SPEC), change).eval(), SPEC, LABELS, {})
    save_classifier(e, shake(tiny_classifier("rgb"), 0.2).eval(), net_spec("rgb"), LABELS, {})
    level = {name: float(header.pop(name, 0)) for name in ("psnr", "refine")}
    networks, parts = packing.pack_networks(
        g, {"rgb": e}, {"judge": e} if judges else {}, level["psnr"], int(level["refine"])
    )
    found = {}
    for label in LABELS[1:] if profiles else ():
        path = folder / f"{label}.jpg"
        path.write_bytes(camera_file(label, subsampling="4:2:2"))
        found[label] = learn_profile([path])
        path.unlink()
    values = {"name": "cama", "dataset": dataset, "photographs": dict.fromkeys(LABELS, 5), "profiles": found, **header}
    made = Header(**parts, **values)
    save_anonymizer(out, networks, made.model_copy(update={"card": model_card(made)}))
    return out
