"""Pictures of diagrams, measured as they are drawn: nothing overlaps, all can be read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import matplotlib as mpl
import numpy as np
import pytest
from drawn_diagrams import DIAGRAMS, SHORT
from matplotlib import pyplot
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from mtl_utils import diagrams, plots
from mtl_utils.diagrams.theme import DARK, LIGHT, contrast, mix

PHONE = 390
SLACK = 0.75  # pixels, of 900 in a diagram's width


@pytest.fixture(autouse=True, scope="module")
def _style() -> Iterator[None]:
    with mpl.rc_context():
        plots.use_style()
        yield


@dataclass(frozen=True)
class Drawn:
    """What stands in a figure, in pixels."""

    figure: Figure
    texts: list[tuple[str, Text]]
    extents: list[Bbox]  # of the texts
    outlines: dict[str, Patch]  # of boxes and frames
    places: dict[str, Bbox]  # of the outlines
    lines: dict[str, np.ndarray]  # of arrows: points along the line, its head's tip at last
    starts: dict[str, np.ndarray]

    def extent(self, name: str) -> Bbox:
        """Return where a box or frame stands."""
        return self.places[name]

    def measured(self) -> list[tuple[str, Text, Bbox]]:
        """Return names, texts and where these stand."""
        return [(*text, extent) for text, extent in zip(self.texts, self.extents, strict=True)]


def _measured(figure: Figure, texts: bool = True) -> Drawn:
    FigureCanvasAgg(figure)  # otherwise each measurement makes one
    (axes,) = figure.axes
    axes.apply_aspect()
    named = [(str(text.get_gid()), text) for text in axes.texts]
    extents = [text.get_window_extent() for _, text in named if texts]
    patches = {str(patch.get_gid()): patch for patch in axes.patches if patch.get_gid()}
    lines, starts = {}, {}
    for name, patch in patches.items():
        kind, _, arrow = name.partition(" ")
        if kind == "arrow":
            line = _points(patch)
            tip = _points(patches[f"head {arrow}"])[0]
            lines[arrow], starts[arrow] = np.vstack([line, tip]), line[0]
    outlines = {k: p for k, p in patches.items() if k.startswith(("box ", "frame "))}
    places = {name: patch.get_window_extent() for name, patch in outlines.items()}
    return Drawn(figure, named, extents, outlines, places, lines, starts)


def _points(patch: Patch) -> np.ndarray:
    path = patch.get_path().interpolated(20) if patch.get_path().codes is None else patch.get_path()
    (points,) = path.to_polygons(closed_only=False)
    return patch.get_data_transform().transform(points)


def _dense(points: np.ndarray) -> np.ndarray:
    """Return points along a line, at most a pixel apart."""
    parts = [np.linspace(a, b, int(np.abs(b - a).max()) + 2) for a, b in pairwise(points)]
    return np.vstack(parts)


def _inside(extent: Bbox, points: np.ndarray, slack: float) -> np.ndarray:
    low = (points > np.array([extent.x0, extent.y0]) + slack).all(axis=1)
    return low & (points < np.array([extent.x1, extent.y1]) - slack).all(axis=1)


def _on_border(extent: Bbox, point: np.ndarray) -> bool:
    (x, y), gap = point, 1.5
    beside = min(abs(x - extent.x0), abs(x - extent.x1)) < gap
    over = min(abs(y - extent.y0), abs(y - extent.y1)) < gap
    return bool(
        (beside and extent.y0 - gap < y < extent.y1 + gap)
        or (over and extent.x0 - gap < x < extent.x1 + gap)
    )


def _apart(first: Bbox, second: Bbox) -> bool:
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    return bool(min(width, height) < SLACK)


def _holds(outer: Bbox, inner: Bbox) -> bool:
    return bool(
        outer.x0 <= inner.x0 + SLACK
        and outer.y0 <= inner.y0 + SLACK
        and outer.x1 >= inner.x1 - SLACK
        and outer.y1 >= inner.y1 - SLACK
    )


@pytest.fixture(scope="module", params=DIAGRAMS)
def case(request: pytest.FixtureRequest) -> tuple[diagrams.Diagram, dict[bool, Drawn]]:
    """A diagram, and it drawn for a light (False) and a dark page (True)."""
    diagram = DIAGRAMS[request.param]
    return diagram, {d: _measured(diagram.draw(dark=d), texts=not d) for d in (False, True)}


Draw = Callable[[Sequence[str]], diagrams.Diagram]
Case = tuple[diagrams.Diagram, dict[bool, Drawn]]


def test_both_pages_have_the_same_picture_in_other_colours(case: Case) -> None:
    """So that what is measured below in one is true of both."""
    light, dark = case[1][False], case[1][True]
    for (_, one), (_, other) in zip(light.texts, dark.texts, strict=True):
        assert one.get_text() == other.get_text()
        assert one.get_position() == other.get_position()
        assert one.get_fontproperties() == other.get_fontproperties()
    assert light.outlines.keys() == dark.outlines.keys()
    for name in light.outlines:
        assert np.array_equal(light.extent(name).bounds, dark.extent(name).bounds)
    assert light.lines.keys() == dark.lines.keys()
    for name, line in light.lines.items():
        assert np.array_equal(line, dark.lines[name])


def test_no_two_texts_overlap(case: Case) -> None:
    drawn = case[1][False]
    for (_, first, one), (_, second, other) in combinations(drawn.measured(), 2):
        assert _apart(one, other), (first.get_text(), second.get_text())


def test_text_stays_in_its_box_and_in_the_figure(case: Case) -> None:
    drawn = case[1][False]
    for name, text, extent in drawn.measured():
        assert _holds(drawn.figure.bbox, extent), text.get_text()
        if name in drawn.outlines:
            assert _holds(drawn.extent(name), extent), text.get_text()
    for name in drawn.outlines:
        assert _holds(drawn.figure.bbox, drawn.extent(name)), name


def test_every_word_of_the_description_is_drawn(case: Case) -> None:
    diagram, drawn = case[0], case[1][False]
    for box in diagram.boxes:
        lines = [t.get_text() for n, t in drawn.texts if n == f"box {box.name}"]
        assert _bare("".join(lines)) == _bare(box.label)
    for frame in diagram.frames:
        lines = [t.get_text() for n, t in drawn.texts if n == f"frame {frame.name}"]
        assert _bare("".join(lines)) == _bare(frame.caption)


def _bare(text: str) -> str:
    return "".join(text.split()).replace("-", "")


def test_boxes_stand_apart_and_in_their_frames(case: Case) -> None:
    diagram, drawn = case[0], case[1][False]
    names = [name for name in drawn.outlines if name.startswith("box ")]
    for one, other in combinations(names, 2):
        assert _apart(drawn.extent(one), drawn.extent(other)), (one, other)
    for frame in diagram.frames:
        outer = drawn.extent(f"frame {frame.name}")
        for name in names:
            inside = name.removeprefix("box ") in frame.boxes
            extent = drawn.extent(name)
            assert _holds(outer, extent) if inside else _apart(outer, extent), (frame, name)


def test_arrows_run_from_border_to_border_through_nothing(case: Case) -> None:
    diagram, drawn = case[0], case[1][False]
    frames = {frame.name for frame in diagram.frames}
    for arrow in diagram.arrows:
        name = f"{arrow.start} > {arrow.end}, {arrow.kind}"
        ends = [f"{'frame' if n in frames else 'box'} {n}" for n in (arrow.start, arrow.end)]
        assert _on_border(drawn.extent(ends[0]), drawn.starts[name]), name
        assert _on_border(drawn.extent(ends[1]), drawn.lines[name][-1]), name
        line = _dense(drawn.lines[name])
        for other in drawn.outlines:
            if other.startswith("box "):
                # Half of a border's width, and the head's, lie in the box it starts or ends at.
                slack = 2.0 if other in ends else -2.0
                assert not _inside(drawn.extent(other), line, slack).any(), (name, other)
        for _, text, extent in drawn.measured():
            assert not _inside(extent, line, 0.0).any(), (name, text.get_text())


def test_arrows_of_two_directions_are_not_drawn_over_one_another(case: Case) -> None:
    diagram, drawn = case[0], case[1][False]
    for one, other in combinations(diagram.arrows, 2):
        if (one.start, one.end) != (other.end, other.start):
            continue
        names = [f"{a.start} > {a.end}, {a.kind}" for a in (one, other)]
        lines = [_dense(drawn.lines[name]) for name in names]
        distances = np.linalg.norm(lines[0][:, None] - lines[1][None], axis=-1)
        assert distances.min() > 8, names


@pytest.mark.parametrize("draw", [diagrams.layered_extraction, diagrams.low_rank_additions])
def test_arrows_from_different_boxes_share_no_stretch(draw: Draw) -> None:
    """Where two run on one line, each seems to lead where the other does."""
    diagram = draw(SHORT[:2])
    drawn = _measured(diagram.draw())
    lines = {a: _dense(drawn.lines[f"{a.start} > {a.end}, {a.kind}"]) for a in diagram.arrows}
    for one, other in combinations(diagram.arrows, 2):
        if one.start != other.start:
            distances = np.linalg.norm(lines[one][:, None] - lines[other][None], axis=-1)
            assert (distances.min(axis=1) < 2).sum() < 12, (one, other)  # a crossing has a few
            heads = np.linalg.norm(lines[one][-1] - lines[other][-1])
            assert heads > 12, (one, other)


def test_letters_are_large_enough_on_a_phone(case: Case) -> None:
    """A figure 390 pixels wide: letters of a mathematical index aside, 8 pixels at least."""
    for drawn in case[1].values():
        inches = drawn.figure.get_figwidth()
        for _, text in drawn.texts:
            pixels = text.get_fontsize() / 72 / inches * PHONE
            assert pixels >= 8, (text.get_text(), pixels)
            assert pixels * 0.7 >= 6.5  # an index


def test_text_stands_out_from_its_ground_and_lines_from_the_paper(case: Case) -> None:
    for dark, drawn in case[1].items():
        paper = to_hex(drawn.figure.get_facecolor())
        assert paper == (DARK if dark else LIGHT).paper
        for name, text in drawn.texts:
            ground = paper
            if name.startswith("box ") and name in drawn.outlines:
                ground = to_hex(drawn.outlines[name].get_facecolor())
            assert contrast(to_hex(text.get_color()), ground) >= 4.5, (name, dark)
        for name, patch in drawn.outlines.items():
            assert contrast(to_hex(patch.get_edgecolor()), paper) >= 3, (name, dark)
        for patch in drawn.figure.axes[0].patches:
            if str(patch.get_gid()).startswith("arrow "):
                assert contrast(to_hex(patch.get_edgecolor()), paper) >= 3, patch.get_gid()


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)],
)
def test_contrast_is_that_of_wcag(first: str, second: str, expected: float) -> None:
    """Values that the tables of WebAIM give."""
    assert contrast(first, second) == pytest.approx(expected, abs=0.005)
    assert contrast(second, first) == contrast(first, second)


def test_a_task_has_the_colour_that_it_has_in_plots_and_what_is_shared_is_grey() -> None:
    drawn = _measured(diagrams.hard_sharing(SHORT).draw(dark=False))
    for task in range(3):
        colour = drawn.outlines[f"box head {task}"].get_facecolor()
        assert to_hex(colour) == mix(plots.PALETTE[task], "#ffffff", LIGHT.strong)
    red, green, blue, _ = drawn.outlines["box encoder"].get_facecolor()
    assert red == green == blue
    assert plots.PALETTE[-1] == "#4D4D4D"


def test_the_same_description_gives_the_same_picture() -> None:
    def pixels() -> bytes:
        file = io.BytesIO()
        diagrams.shared_private(SHORT).draw().savefig(file, format="rgba")
        return file.getvalue()

    assert diagrams.shared_private(SHORT) == diagrams.shared_private(list(SHORT))
    first = pixels()
    with mpl.rc_context():  # what a reader set before plays no part
        mpl.rcParams["lines.linewidth"] = 9
        mpl.rcParams["font.size"] = 20
        mpl.rcParams["figure.autolayout"] = True
        mpl.rcParams["mathtext.fontset"] = "cm"
        assert pixels() == first


def test_without_a_choice_the_page_is_that_of_the_style() -> None:
    diagram = diagrams.encoder_decoder()
    assert to_hex(diagram.draw().get_facecolor()) == LIGHT.paper
    with mpl.rc_context({"figure.facecolor": "#111111"}):
        assert to_hex(diagram.draw().get_facecolor()) == DARK.paper


def test_a_figure_is_as_wide_as_the_books_and_left_to_the_caller() -> None:
    before = pyplot.get_fignums()
    figure = diagrams.encoder_decoder().draw()
    assert pyplot.get_fignums() == before
    assert figure.get_figwidth() == mpl.rcParams["figure.figsize"][0]


@pytest.mark.parametrize("size", [(9, 9), (4, 2)])
def test_text_keeps_its_proportion_in_axes_of_another_size(size: tuple[float, float]) -> None:
    figure, axes = pyplot.subplots(1, 2, figsize=size)
    diagram = diagrams.hard_sharing(SHORT)
    try:
        assert diagram.draw(ax=axes[1]) is figure
        figure.draw_without_rendering()
        patches = {patch.get_gid(): patch for patch in axes[1].patches}
        for text in axes[1].texts:
            if str(text.get_gid()).startswith("box "):
                outer = patches[text.get_gid()].get_window_extent()
                extent = text.get_window_extent()
                assert _holds(outer, extent)
                assert extent.width / outer.width > 0.1
        assert all(_holds(figure.bbox, text.get_window_extent()) for text in axes[1].texts)
    finally:
        pyplot.close(figure)


def test_stacked_diagrams_are_as_large_as_alone_and_in_their_order() -> None:
    makers = diagrams.mixture_of_experts, diagrams.layered_extraction
    pair = [make(SHORT[:2]) for make in makers]
    together, alone = diagrams.draw_stacked(pair), [diagram.draw() for diagram in pair]
    assert not pyplot.fignum_exists(together.number)
    heights = [figure.get_figheight() for figure in alone]
    assert together.get_figheight() == pytest.approx(sum(heights))
    assert together.get_figwidth() == alone[0].get_figwidth()
    upper, lower = together.axes
    assert upper.get_position().y0 == pytest.approx(lower.get_position().y1)
    for axes, figure in zip(together.axes, alone, strict=True):
        FigureCanvasAgg(figure), FigureCanvasAgg(together)
        of_both = [
            [(text.get_text(), text.get_window_extent().size) for text in one.texts]
            for one in (axes, figure.axes[0])
        ]
        assert [text for text, _ in of_both[0]] == [text for text, _ in of_both[1]]
        sizes = [np.array([size for _, size in part]) for part in of_both]
        np.testing.assert_allclose(*sizes, atol=2)
