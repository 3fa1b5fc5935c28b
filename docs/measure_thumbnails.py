"""Makes thumbnails of real photographs, edits some of the photographs, and counts what the comparison says.

    uv run python docs/measure_thumbnails.py ../shared/data/cameras
"""

import io
import random

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

RESAMPLERS = ("nearest", "box", "bilinear", "bicubic", "lanczos", "reduced")


def make_thumbnail(picture: Image.Image, rng: random.Random) -> tuple[bytes, dict]:
    """A thumbnail as cameras and programs make them: the JPEG, and how it was made."""
    how = {"resampler": rng.choice(RESAMPLERS), "quality": rng.randint(70, 95), "frame": rng.choice(["own", "own", "letterbox", "letterbox", "crop"])}
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
        picture = picture.crop((round(width * cut), round(height * cut), width - round(width * cut), height - round(height * cut)))
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


def region(size: tuple[int, int], share: float, rng: random.Random) -> tuple[tuple[int, int, int, int], Image.Image]:
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


def edit(picture: Image.Image, kind: str, share: float, rng: random.Random) -> tuple[Image.Image, tuple[int, int, int, int], str]:
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
        boxes = {"left": (x, 0, width, height), "top": (0, y, width, height), "right": (0, 0, width - x, height), "bottom": (0, 0, width, height - y)}
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
            other = picture.resize((width // cell, height // cell), Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)
    elif kind == "paint":
        how = rng.choice(["black", "white", "mean", "mean", "random"])
        mean = tuple(int(v) for v in np.asarray(picture.crop(box)).mean((0, 1)))
        colour = {"black": (0, 0, 0), "white": (255, 255, 255), "mean": mean, "random": tuple(rng.randint(0, 255) for _ in range(3))}[how]
        other = Image.new("RGB", picture.size, colour)
    else:
        for _ in range(50):
            dx, dy = rng.randint(0, width - (box[2] - box[0])) - box[0], rng.randint(0, height - (box[3] - box[1])) - box[1]
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
