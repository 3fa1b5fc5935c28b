"""Tests of cama.jpeg.imitation: the files that are written have the codings of a profile, each as often as the camera."""

from collections import Counter

import numpy as np
import pytest

from cama.core.errors import CamaError
from cama.jpeg.coding import describe, read_coding
from cama.jpeg.imitation import Imitation
from cama.jpeg.profile import Profile
from cama.jpeg.segments import read_segments
from cama.photo.profile import learn_profile
from tests.jpeg.helpers import scene
from tests.photo.helpers import camera_file

QUALITIES = (90, 90, 90, 95)


@pytest.fixture
def profile(tmp_path) -> Profile:
    """Of a camera that takes one table in three of four photographs, and another, with other sampling, in the fourth."""
    paths = [tmp_path / f"{number}.jpg" for number in range(len(QUALITIES))]
    for number, (path, quality) in enumerate(zip(paths, QUALITIES, strict=True)):
        sampling = "4:2:2" if quality == 95 else "4:2:0"
        path.write_bytes(camera_file("Dorado_D5", number, quality=quality, subsampling=sampling))
    return learn_profile(paths)


def traits(data: bytes) -> str:
    return str(describe(read_coding(read_segments(data))))


def test_a_file_has_exactly_the_traits_of_a_coding_of_the_profile_drawn_as_often_as_the_camera_has_it(profile):
    codings = [str(seen.value.model_dump()) for seen in profile.codings]
    assert [seen.count for seen in profile.codings] == [3, 1]
    imitation, picture = Imitation(profile), scene(32, 48)
    found = Counter(traits(imitation.encode(picture, seed)) for seed in range(200))
    assert set(found) == set(codings)
    assert 0.65 < found[codings[0]] / 200 < 0.85


def test_the_seed_alone_decides_which(profile):
    imitation, other = Imitation(profile), Imitation(profile)
    for seed in range(8):
        first, second = imitation.encode(scene(32, 48), seed), other.encode(scene(48, 32, seed=1), seed)
        assert traits(first) == traits(second)
        assert imitation.encode(scene(32, 48), seed) == first


def with_components(profile: Profile, *places: int) -> Profile:
    """The profile with codings of a single component, which cannot be imitated, in these places."""
    codings = list(profile.codings)
    for place in places:
        value = codings[place].value
        grey = value.model_copy(update={"components": value.components[:1]})
        codings[place] = codings[place].model_copy(update={"value": grey})
    return profile.model_copy(update={"codings": codings})


def test_a_coding_that_cannot_be_imitated_is_left_out_and_a_profile_of_such_alone_is_an_error(profile):
    imitation = Imitation(with_components(profile, 0))
    found = {traits(imitation.encode(np.zeros((16, 16, 3), np.uint8), seed)) for seed in range(8)}
    assert found == {str(profile.codings[1].value.model_dump())}
    with pytest.raises(CamaError, match="found 1 components, expected 3: a picture in colour"):
        Imitation(with_components(profile, 0, 1))
