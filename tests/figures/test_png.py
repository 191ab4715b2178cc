"""PNG files packed here hold what matplotlib drew, pixel for pixel."""

from io import BytesIO

import numpy as np
from matplotlib.image import imread
from PIL import Image

from graftline.figures.png import figure_png, png_bytes
from graftline.figures.theme import new_figure, themed


def test_pixels_survive_any_reader() -> None:
    random = np.random.default_rng(3)
    pixels = random.integers(0, 256, (37, 53, 3), dtype=np.uint8)
    content = png_bytes(pixels, dpi=300)
    with Image.open(BytesIO(content)) as image:
        image.load()
        assert (image.mode, image.size) == ("RGB", (53, 37))
        assert round(image.info["dpi"][0]) == 300
        assert np.array_equal(np.asarray(image), pixels)
    read = imread(BytesIO(content))
    assert np.array_equal(np.round(255 * read).astype(np.uint8), pixels)


def test_a_figure_is_that_of_matplotlib() -> None:
    with themed():
        figure = new_figure(3.35, 2.717)  # no whole number of pixels
        axes = figure.subplots()
        axes.plot([1, 2, 3], [3, 1, 2], alpha=0.4)
        axes.set_title("A title")
        stream = BytesIO()
        figure.savefig(stream, format="png")
        own = figure_png(figure)
    with Image.open(stream) as theirs, Image.open(BytesIO(own)) as ours:
        assert np.array_equal(np.asarray(theirs.convert("RGB")), np.asarray(ours))
        assert ours.info["dpi"] == theirs.info["dpi"]
    assert len(own) < 1.3 * len(stream.getvalue())


def test_any_size_is_that_of_matplotlib() -> None:
    # sizes in inches whose product with the resolution lies a rounding error beside a whole number
    with themed():
        for height in (0.57, 1.1, 1.15, 2.3, 4.9, 4.35 + 0.55, 0.1 + 0.2, 0.7 + 0.1, 2.01):
            figure = new_figure(height, height)
            stream = BytesIO()
            figure.savefig(stream, format="png")
            with Image.open(stream) as theirs, Image.open(BytesIO(figure_png(figure))) as ours:
                assert ours.size == theirs.size
