"""Frames to files: an animated GIF always, MP4 and WebM where an encoder is installed."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from ffenergy.errors import OutputError

LIMIT_BYTES: Final = 5_000_000
NEARLY_WHITE: Final = 248
HOLD_SECONDS: Final = 2.0  # the last frame stays
CODECS: Final[dict[str, dict[str, Any]]] = {
    ".mp4": {"codec": "libx264", "ffmpeg_params": ["-crf", "20", "-fflags", "+bitexact"]},
    ".webm": {"codec": "libvpx-vp9", "ffmpeg_params": ["-crf", "30", "-fflags", "+bitexact"]},
}


def gif(frames: Sequence[np.ndarray], fps: float) -> tuple[bytes, int]:
    """Encode frames (height, width, 3) uint8 as a looping GIF of at most 5 MB.

    All frames share one palette of 256 colours, chosen over all of them, without dithering:
    colours mean something here, and a colour that flickers from frame to frame would not.

    Returns the file's content and the step from one frame shown to the next: 1 if all are shown;
    2, 3 and so on, counted back from the last, where more of them would be too large. The film
    takes as long either way.

    Raises OutputError if two frames alone, or the only one, are too large.
    """
    palette = _palette(frames)
    images = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    ]
    for step in range(1, max(2, len(images))):
        content = _encoded(images[::-step][::-1], fps / step)
        if len(content) <= LIMIT_BYTES:
            return content, step
    raise OutputError(
        f"a GIF of these frames has {len(content) / 1e6:.1f} MB however few are shown, more than "
        f"{LIMIT_BYTES / 1e6:g} MB; pip install 'ffenergy[film]' for MP4 and WebM"
    )


def _encoded(images: Sequence[Image.Image], fps: float) -> bytes:
    # GIF counts hundredths of a second
    shown = [max(2, round(100 / fps)) * 10] * len(images)
    shown[-1] += round(1000 * HOLD_SECONDS)
    stream = io.BytesIO()
    images[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=shown,
        loop=0,
        optimize=False,
    )
    return stream.getvalue()


def _palette(frames: Sequence[np.ndarray]) -> Image.Image:
    """At most 256 colours for all frames: by median cut, and white for all that is nearly white."""
    found = Image.fromarray(np.vstack(frames)).quantize(255, method=Image.Quantize.MEDIANCUT)
    colours = np.reshape(found.getpalette() or [], (-1, 3))
    coloured = colours[colours.min(axis=1) < NEARLY_WHITE]
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 255, 255, *coloured.ravel().tolist()])
    return palette


def has_encoder() -> bool:
    """Tell whether MP4 and WebM can be made here."""
    return find_spec("imageio_ffmpeg") is not None


def videos(stem: str, frames: Sequence[np.ndarray], fps: float) -> dict[str, bytes]:
    """Return the film as ``stem``.mp4 and ``stem``.webm."""
    import imageio.v2 as imageio

    held: list[Any] = [*frames, *[frames[-1]] * round(HOLD_SECONDS * fps)]
    found = {}
    with tempfile.TemporaryDirectory() as folder:  # the encoder writes to files alone
        for suffix, options in CODECS.items():
            path = Path(folder) / f"{stem}{suffix}"
            imageio.mimwrite(path, held, format="FFMPEG", fps=fps, **options)
            found[path.name] = path.read_bytes()
    return found
