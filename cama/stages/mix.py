"""Stage `mix`: trained generators and a linear filter as one mixture, with the shares that judges give each target."""

from pathlib import Path

from cama.attacks.mixing import mix as mix_generators
from cama.compute.device import Compute
from cama.core.errors import CamaError
from cama.models.classifiers import load_classifier
from cama.models.fused_norms import fuse_batch_norms_
from cama.models.generator import Generator, save_generator
from cama.models.mixture import load_generator
from cama.settings.networks import MixtureNetSpec
from cama.settings.stages import MixSpec
from cama.storage.files import write_text


def mix(spec: MixSpec, patches: Path, members: list[Path], judges: list[Path], out: Path, table: Path) -> None:
    """Write the mixture of the generators `members`, as a generator, and the table of what the `judges` gave each share."""
    loaded = [load_generator(path) for path in members]
    judging = [load_classifier(path) for path in judges]
    labels = loaded[0][2]
    for path, found in [
        *zip(members, (one[2] for one in loaded), strict=True),
        *zip(judges, (one[1] for one in judging), strict=True),
    ]:
        if found != labels:
            raise CamaError(f"{path}: found the labels {list(found)}, expected {list(labels)} as in {members[0]}")
    for path, (network, net, _) in zip(members, loaded, strict=True):
        if not isinstance(network, Generator) or net.input != "rgb":
            raise CamaError(
                f"{path}: found a mixture or a generator of remosaiced pictures, expected one that takes `rgb`"
            )
    net = MixtureNetSpec(members=tuple(net for _, net, _ in loaded), taps=spec.mixture.taps)
    compute = Compute(spec.compute)
    networks = [compute.to_device(fuse_batch_norms_(judge)) for judge, _ in judging]
    mixture, found = mix_generators(
        patches, [network for network, *_ in loaded], net, networks, spec.mixture.psnr, spec.mixture.parts, compute
    )
    save_generator(out, mixture.cpu(), net, labels, {"spec": spec.model_dump(mode="json")})
    write_text(table, found.to_csv(index=False, float_format="%.5g"))
