"""Makes thumbnails of real photographs as cameras and programs do, edits the photographs, and counts the verdicts of
`cama.photo.likeness`. Thresholds were chosen on parts 0 and 1 of the cameras; `--part 2`, the default, reports on the others.

    uv run python -m tests.photo.measure_thumbnails ../shared/data/cameras --edited 500 --untouched 300
"""

import argparse
import io
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from cama.photo.likeness import Picture
from cama.photo.thumbnail import read_thumbnail

Box = tuple[int, int, int, int]

FRAMES = ("own", "own", "letterbox", "letterbox", "crop")
RESAMPLERS = ("nearest", "box", "bilinear", "bicubic", "lanczos", "reduced")


def make_thumbnail(picture: Image.Image, rng: random.Random) -> tuple[bytes, dict]:
    """A thumbnail as cameras and programs make them: the JPEG, and how it was made."""
    how = {
        "resampler": rng.choice(RESAMPLERS),
        "quality": rng.randint(70, 95),
        "frame": rng.choice(FRAMES),
    }
    picture = picture.convert("RGB")
    if rng.random() < 0.25:
        how["turn"] = rng.choice(list(Image.Transpose))
        picture = picture.transpose(how["turn"])
        how["turn"] = how["turn"].name
    width, height = picture.size
    bound = rng.choice([(160, 120), (160, 120), (160, 120), (160, 160), (256, 192), (320, 240)])
    if height > width:
        bound = bound[::-1]
    scale = min(bound[0] / width, bound[1] / height)
    if how["frame"] == "crop":
        cut = rng.uniform(0, 0.01)
        picture = picture.crop(
            (round(width * cut), round(height * cut), width - round(width * cut), height - round(height * cut))
        )
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if how["resampler"] == "reduced":
        small = picture.reduce(max(1, picture.width // size[0] // 2)).resize(size, Image.Resampling.BILINEAR)
    else:
        small = picture.resize(size, Image.Resampling[how["resampler"].upper()])
    if rng.random() < 0.35:
        how["sharpen"] = rng.choice([50, 100, 150])
        small = small.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 1.5), how["sharpen"], 0))
    small = tone(small, rng, how)
    if how["frame"] == "letterbox":
        framed = Image.new("RGB", bound)
        framed.paste(small, ((bound[0] - size[0]) // 2, (bound[1] - size[1]) // 2))
        small = framed
    if how.get("tone") == "grey" and rng.random() < 0.5:
        small = small.convert("L")
    buffer = io.BytesIO()
    options = {} if small.mode == "L" else {"subsampling": rng.choice(["4:2:0", "4:2:2", "4:4:4"])}
    small.save(buffer, "JPEG", quality=how["quality"], **options)
    return buffer.getvalue(), how


def tone(small: Image.Image, rng: random.Random, how: dict) -> Image.Image:
    if rng.random() > 0.35:
        return small
    how["tone"] = rng.choice(["gamma", "brighter", "contrast", "curve", "saturation", "warm", "grey"])
    values = np.asarray(small, float) / 255
    if how["tone"] == "gamma":
        values = values ** rng.choice([0.6, 0.75, 1.3, 1.6])
    elif how["tone"] == "brighter":
        values = values * rng.uniform(0.75, 1.35)
    elif how["tone"] == "contrast":
        values = (values - 0.5) * rng.uniform(0.7, 1.4) + 0.5
    elif how["tone"] == "curve":
        values = values + rng.uniform(0.05, 0.12) * np.sin(2 * np.pi * (values - 0.5))
    elif how["tone"] == "warm":
        values = values * [rng.uniform(1, 1.15), 1, rng.uniform(0.85, 1)]
    small = Image.fromarray((np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8))
    if how["tone"] == "saturation":
        small = ImageEnhance.Color(small).enhance(rng.uniform(0.6, 1.5))
    if how["tone"] == "grey":
        small = ImageOps.grayscale(small).convert("RGB")
    return small


def region(size: tuple[int, int], share: float, rng: random.Random) -> tuple[Box, Image.Image]:
    """A box of `share` of the area, and a mask of the region, which is the box or an ellipse of the share."""
    ellipse = rng.random() < 0.4
    aspect = rng.uniform(0.6, 1.6)
    area = share * size[0] * size[1] * (4 / np.pi if ellipse else 1)
    width = min(int(np.sqrt(area * aspect)), size[0] - 2)
    height = min(int(area / width), size[1] - 2)
    left, top = rng.randint(0, size[0] - width), rng.randint(0, size[1] - height)
    box = (left, top, left + width, top + height)
    mask = Image.new("L", size)
    draw = ImageDraw.Draw(mask)
    (draw.ellipse if ellipse else draw.rectangle)((left, top, left + width - 1, top + height - 1), fill=255)
    if rng.random() < 0.3:
        mask = mask.filter(ImageFilter.GaussianBlur(rng.uniform(2, 8)))
    return box, mask


def edit(picture: Image.Image, kind: str, share: float, rng: random.Random) -> tuple[Image.Image, Box, str]:
    """The picture with a part of `share` of its area edited; where; and how."""
    width, height = picture.size
    if kind == "crop":
        side = rng.choice(["left", "top", "right", "bottom", "all", "black"])
        if side == "all":
            x, y = round(width * (1 - np.sqrt(1 - share)) / 2), round(height * (1 - np.sqrt(1 - share)) / 2)
            return picture.crop((x, y, width - x, height - y)), (0, 0, width, height), side
        if side == "black":
            after = picture.copy()
            box = (0, 0, round(width * share), height)
            after.paste((0, 0, 0), box)
            return after, box, side
        x, y = round(width * share), round(height * share)
        boxes = {
            "left": (x, 0, width, height),
            "top": (0, y, width, height),
            "right": (0, 0, width - x, height),
            "bottom": (0, 0, width, height - y),
        }
        return picture.crop(boxes[side]), (0, 0, width, height), side
    box, mask = region(picture.size, share, rng)
    how = ""
    if kind == "blur":
        how = rng.choice(["gauss", "gauss", "gauss", "pixels"])
        if how == "gauss":
            strength = rng.choice([6, 10, 16, 25, 40])
            how += str(strength)
            other = picture.filter(ImageFilter.GaussianBlur(strength))
        else:
            cell = rng.choice([12, 20, 32])
            other = picture.resize((width // cell, height // cell), Image.Resampling.BOX).resize(
                picture.size, Image.Resampling.NEAREST
            )
    elif kind == "paint":
        how = rng.choice(["black", "white", "mean", "mean", "random"])
        mean = tuple(int(v) for v in np.asarray(picture.crop(box)).mean((0, 1)))
        colour = {
            "black": (0, 0, 0),
            "white": (255, 255, 255),
            "mean": mean,
            "random": tuple(rng.randint(0, 255) for _ in range(3)),
        }[how]
        other = Image.new("RGB", picture.size, colour)
    else:
        for _ in range(50):
            dx, dy = (
                rng.randint(0, width - (box[2] - box[0])) - box[0],
                rng.randint(0, height - (box[3] - box[1])) - box[1],
            )
            if abs(dx) >= (box[2] - box[0]) or abs(dy) >= (box[3] - box[1]):
                break
        how = f"{dx},{dy}"
        other = Image.fromarray(np.roll(np.asarray(picture), (-dy, -dx), (0, 1)))
    return Image.composite(other, picture, mask), box, how


def saved(picture: Image.Image, rng: random.Random) -> np.ndarray:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=rng.choice([80, 88, 92, 95]))
    return np.asarray(Image.open(buffer).convert("RGB"))


def frame(picture: Image.Image, rng: random.Random) -> Image.Image:
    """The photograph, or its middle in another shape."""
    width, height = picture.size
    shape = rng.choice([(1, 1), (1, 1), (4, 3), (3, 2), (3, 4), (16, 9)])
    scale = min(width / shape[0], height / shape[1])
    across, down = int(shape[0] * scale), int(shape[1] * scale)
    left, top = (width - across) // 2, (height - down) // 2
    return picture.crop((left, top, left + across, top + down))


KINDS = ("blur", "paint", "clone", "crop")


def sample(path: Path, number: int, edited: bool) -> dict:
    """One photograph with a thumbnail, edited afterwards or not, and the verdict."""
    rng = random.Random(number)
    before = frame(Image.open(path).convert("RGB"), rng)
    thumbnail, how = make_thumbnail(before, rng)
    kind, share, box, edit_how = "", 0.0, None, ""
    if edited:
        kind, share = KINDS[number % len(KINDS)], float(np.exp(rng.uniform(np.log(0.01), np.log(0.2))))
        after, box, edit_how = edit(before, kind, share, rng)
        pixels = saved(after, rng)
    else:
        pixels = saved(before, rng) if rng.random() < 0.3 else np.asarray(before)
    found = read_thumbnail(thumbnail)
    result = Picture(pixels).compare(found)
    hit = box is not None and result.box is not None and _overlap(box, result.box)
    how |= {"edit": edit_how, "reason": result.reason}
    return {"path": path, "kind": kind, "share": share, "how": how, "verdict": result.verdict, "hit": hit}


def _overlap(one: Box, other: list[int]) -> bool:
    return max(one[0], other[0]) < min(one[2], other[2]) and max(one[1], other[1]) < min(one[3], other[3])


def measure(paths: list[Path], edited: int, untouched: int, seed: int, jobs: int) -> None:
    random.Random(seed).shuffle(paths)
    numbers = [(seed * 1_000_000 + n, n < edited) for n in range(edited + untouched)]
    files = [paths[n % len(paths)] for n in range(len(numbers))]
    with ProcessPoolExecutor(jobs) as pool:
        rows = list(pool.map(sample, files, [n for n, _ in numbers], [e for _, e in numbers], chunksize=2))
    changed, kept = [row for row in rows if row["kind"]], [row for row in rows if not row["kind"]]
    for kind in KINDS:
        print(f"{kind:10}", dict(Counter(row["verdict"] for row in changed if row["kind"] == kind)))
    print("untouched ", dict(Counter(row["verdict"] for row in kept)))
    large = [row for row in changed if row["share"] > 0.02]
    found = sum(row["verdict"] == "differs" and row["hit"] for row in large)
    print(f"edited, called same: {sum(row['verdict'] == 'same' for row in changed)} of {len(changed)} (none)")
    print(f"edits over 2 %, called differs with a box on the edit: {found} of {len(large)} (80 %)")
    print(f"untouched, called differs: {sum(row['verdict'] == 'differs' for row in kept)} of {len(kept)} (at most 2 %)")
    print(f"untouched, called same: {sum(row['verdict'] == 'same' for row in kept)} of {len(kept)} (at least 90 %)")
    for row in rows:
        if row["verdict"] == ("same" if row["kind"] else "differs"):
            print("wrong:", row["kind"] or "untouched", f"{row['share']:.3f}", row["path"], row["how"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs as MODEL/PART/NAME.jpg")
    parser.add_argument("--part", nargs="+", default=["2"], help="parts of each model that are used")
    parser.add_argument("--edited", type=int, default=500)
    parser.add_argument("--untouched", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    paths = sorted(path for path in given.folder.glob("*/*/*.jpg") if path.parent.name in given.part)
    measure(paths, given.edited, given.untouched, given.seed, given.jobs)


if __name__ == "__main__":
    main()
