import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchvision.models import alexnet

from cama.compute.psnr import psnr
from cama.core.errors import CamaError
from cama.evaluation.distortion import Lpips, area_shift, ms_ssim, ssim
from cama.storage.files import file_hash


def pair(spread, seed=0, size=(48, 64)):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    changed = np.clip(image + rng.integers(-spread, spread + 1, image.shape), 0, 255).astype(np.uint8)
    return image, changed


@pytest.mark.parametrize("spread", [1, 8, 60, 255])
def test_psnr_against_scikit_image(spread):
    image, changed = pair(spread)
    assert psnr(image, changed) == pytest.approx(peak_signal_noise_ratio(image, changed))


def test_psnr_of_known_differences():
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0)
    assert psnr(white, black) == pytest.approx(0)
    assert psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)


def test_equal_images_have_infinite_psnr_and_ssim_one():
    image, _ = pair(1)
    assert psnr(image, image.copy()) == math.inf
    assert ssim(image, image.copy()) == pytest.approx(1)


def test_ssim_falls_with_noise_and_is_symmetric():
    values = [ssim(*pair(spread)) for spread in (2, 20, 80, 255)]
    assert all(higher > lower for higher, lower in pairwise(values))
    assert values[-1] < 0.6
    image, changed = pair(20)
    assert ssim(image, changed) == pytest.approx(ssim(changed, image))


def test_ssim_of_two_constants_is_their_luminance_term():
    dark, light = np.full((32, 32, 3), 100, np.uint8), np.full((32, 32, 3), 120, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(dark, light) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-6)


def test_ms_ssim_by_its_definition():
    """Contrast and structure of five scales, halved by averaging, and the luminance of the last."""
    image, changed = pair(60, size=(176, 192))
    axis = np.arange(11) - 5
    window = np.exp(-(axis**2) / (2 * 1.5**2))
    window = torch.from_numpy(np.outer(window, window) / window.sum() ** 2)[None, None]
    x, y = (torch.from_numpy(i).permute(2, 0, 1)[:, None].double() for i in (image, changed))

    def smooth(t):
        return torch.nn.functional.conv2d(t, window)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    product = torch.ones(3).double()
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        if scale:
            x, y = (torch.nn.functional.avg_pool2d(t, 2) for t in (x, y))
        mean_x, mean_y = smooth(x), smooth(y)
        spread = smooth(x * x) - mean_x**2 + smooth(y * y) - mean_y**2
        term = (2 * (smooth(x * y) - mean_x * mean_y) + c2) / (spread + c2)
        if scale == 4:
            term = term * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        product = product * term.mean((1, 2, 3)) ** weight
    # it is computed in single precision
    assert ms_ssim(image, changed) == pytest.approx(float(product.mean()), abs=1e-5)


def test_ms_ssim_is_one_for_equal_pictures_and_undefined_for_small_ones():
    image, _ = pair(1, size=(161, 170))
    assert ms_ssim(image, image) == pytest.approx(1)
    assert math.isnan(ms_ssim(image[:160], image[:160]))


def test_area_shift_sees_colours_of_areas_and_no_texture():
    image = np.full((70, 64, 3), 100, np.uint8)
    moved = image.copy()
    moved[:32, :32, 0] += 6  # one of four areas, one of three channels
    moved[64:] = 0  # beyond the last whole area
    assert area_shift(image, moved) == pytest.approx((36 / 12) ** 0.5)
    checked = image.copy()
    checked[::2] += 9
    checked[1::2] -= 9
    assert area_shift(image[:64], checked[:64]) == 0
    assert area_shift(image[:20, :16], image[:20, :16] + np.uint8(3)) == pytest.approx(3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file as torchvision's, of a network that was never trained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "alexnet.pth"
    torch.save(alexnet().state_dict(), path)
    return path


def test_lpips_by_its_definition(weights):
    """Squared differences of unit features, weighted by the published heads, averaged over space and summed over layers."""
    image, changed = pair(40, size=(96, 96))
    measure = Lpips(weights, file_hash(weights)[:8])
    features = alexnet()
    features.load_state_dict(torch.load(weights, weights_only=True))
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, y = (
        ((torch.from_numpy(i) / 127.5 - 1 - shift) / scale).permute(2, 0, 1)[None].float() for i in (image, changed)
    )
    total, head = 0.0, 0
    for layer in features.features[:12]:
        x, y = layer(x), layer(y)
        if isinstance(layer, torch.nn.ReLU):
            unit_x, unit_y = (t / t.norm(dim=1, keepdim=True).clamp_min(1e-10) for t in (x, y))
            weight = getattr(measure.net, f"lin{head}").model[-1].weight
            total += torch.nn.functional.conv2d((unit_x - unit_y) ** 2, weight).mean().item()
            head += 1
    assert head == 5
    assert measure(image, changed) == pytest.approx(total, rel=1e-4)
    assert total > 0
    assert measure(image, image) == 0


def test_lpips_refuses_another_file(weights, tmp_path):
    with pytest.raises(
        CamaError, match=r"alexnet.pth: found SHA-256 [0-9a-f]{64}, expected one that begins with 7be5be79"
    ):
        Lpips(weights, "7be5be79")
    other = tmp_path / "other.pth"
    torch.save({"features.0.weight": torch.zeros(2)}, other)
    with pytest.raises(CamaError, match=r"other\.pth: found no weights of torchvision's AlexNet"):
        Lpips(other, file_hash(other))
    with pytest.raises(OSError, match=r"gone\.pth"):
        Lpips(tmp_path / "gone.pth", "7be5be79")
