"""The scan of a large imzML file says what the parser says, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imzml_equal import assert_equal, assert_scan_is_right, parsed, read
from imzml_forge import Forge, cv, spectra
from test_imzml_conformance import FILES, SHARED
from test_imzml_reading import test_headers_may_vary as varied_headers
from test_imzml_refusals import LAUGHS, STRUCTURAL, VALUES, XXE, ids, swap

from corespot.io import imzml_scan, imzml_scan_form, imzml_xml
from corespot.io.imzml import check_imzml, write_imzml, write_processed_imzml
from corespot.io.imzml_index import ImzMLIndex
from corespot.io.imzml_scan import scan_index


@pytest.fixture(autouse=True)
def scan_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imzml_xml, "SCAN_FROM_BYTES", 0)


def assert_no_difference(path: Path) -> bool:
    """Index or refusal are the same as the parser's; whether the scan gave the index."""
    understood = assert_scan_is_right(path)
    expected, ours = parsed(path), read(path)
    if isinstance(expected, ImzMLIndex):
        assert isinstance(ours, ImzMLIndex)
        assert_equal(ours, expected)
    else:
        assert ours == expected
    return understood


@pytest.mark.parametrize("name", FILES or ["conformance"])
def test_real_files(name: str, shared_data: Callable[[str], Path]) -> None:
    shared_data("conformance")
    assert assert_no_difference(SHARED / name)


@pytest.mark.parametrize("block", [1 << 12, 5000, 1 << 22])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("groups", [False, True])
@pytest.mark.parametrize("continuous", [False, True])
def test_forged_files(
    continuous: bool,
    groups: bool,
    packed: bool,
    block: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imzml_scan, "BLOCK_BYTES", block)
    forge = Forge(spectra(40), continuous=continuous, groups=groups, packed=packed)
    assert assert_no_difference(forge.write(tmp_path))


def test_our_own_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 50
    at = np.stack([np.arange(n) + 1, np.ones(n, int), rng.integers(1, 4, n)], axis=1)
    mz = np.linspace(100, 200, 30)
    write_imzml(tmp_path / "a.imzML", coordinates=at, blocks=[rng.random((n, 30))], mz=mz)
    pairs = [(mz[:k], np.ones(k)) for k in rng.integers(0, 30, n)]
    write_processed_imzml(tmp_path / "b.imzML", coordinates=at, spectra=pairs)
    for name in ("a.imzML", "b.imzML"):
        assert assert_no_difference(tmp_path / name)
        excerpt = scan_index(tmp_path / name).excerpt
        assert excerpt.rows[0] == 0 and excerpt.rows[-1] == n - 1
        assert excerpt.xml.count(b"</spectrum>") == len(excerpt.rows) < n


@pytest.mark.parametrize(
    ("code", "what", "forge"), STRUCTURAL + VALUES, ids=ids(STRUCTURAL + VALUES)
)
def test_refusals_are_the_same(code: str, what: str, forge: Forge, tmp_path: Path) -> None:
    path = forge.write(tmp_path)
    assert_no_difference(path)
    ours = check_imzml(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imzml_xml, "SCAN_FROM_BYTES", 1 << 60)
        assert ours == check_imzml(path)


def test_headers_that_vary(tmp_path: Path) -> None:
    (mark,) = (m for m in varied_headers.pytestmark if m.name == "parametrize")
    understood = [assert_no_difference(forge.write(tmp_path)) for forge in mark.args[1]]
    # UTF-16 is not.
    assert sum(understood) == len(understood) - 1


OTHER = Forge(spectra(3, seed=1)).write
LIST = re.compile(r"<spectrumList.*</spectrumList>", re.S)
FIRST = re.compile(r"<spectrum id.*?</spectrum>\n", re.S)
GROUPS = re.compile(r"<referenceableParamGroupList.*</referenceableParamGroupList>", re.S)


def nth(old: str, new: str, n: int) -> Callable[[str], str]:
    """Replace the n-th occurrence of `old`."""

    def edit(text: str) -> str:
        parts = text.split(old)
        assert len(parts) > n + 1
        return old.join(parts[: n + 1]) + new + old.join(parts[n + 1 :])

    return edit


def moved_groups(text: str) -> str:
    groups = GROUPS.search(text)[0]
    return text.replace(groups, "").replace("</run>", f"</run>{groups}")


def quoted_spectra(text: str) -> str:
    first = FIRST.search(text)[0]
    return text.replace("<spectrumList", f"<!-- {first}{first} --><spectrumList", 1)


def commented_first(text: str) -> str:
    first = FIRST.search(text)[0]
    return text.replace(first, f"<!-- {first}{first}{first} -->{first}", 1)


def data_first(text: str) -> str:
    first = FIRST.search(text)[0]
    return text.replace("<spectrumList", f"<x><![CDATA[{first}{first}]]></x><spectrumList", 1)


def attribute_first(text: str) -> str:
    first = FIRST.search(text)[0].replace("<", "&lt;")
    return text.replace("<spectrumList", f"<x y='{first}'/><spectrumList", 1)


def two_lists(text: str) -> str:
    found = LIST.search(text)[0]
    again = found.replace("spectrum=", "other=").replace('"IMS:1000050"', '"IMS:1000050" ')
    return text.replace(found, found + again)


def in_settings(text: str) -> str:
    found = LIST.search(text)[0]
    return text.replace(found, "").replace("</scanSettings>", f"{found}</scanSettings>")


def nested(text: str) -> str:
    first = FIRST.search(text)[0]
    return text.replace(first, first.replace("<scanList>", f"{first}<scanList>"), 1)


def redefined(text: str) -> str:
    group = re.search(r'<referenceableParamGroup id="intensity".*?Group>', text)[0]
    other = group.replace("MS:1000521", "MS:1000519").replace("32-bit float", "32-bit integer")
    return text.replace("</spectrum>\n", other + "</spectrum>\n", 1)


X2 = cv("IMS:1000050", "position x", 2)
EDITS: dict[str, tuple[bool, Callable[[str], str]]] = {
    # What the scan takes in its stride.
    "crlf": (True, lambda t: t.replace("\n", "\r\n")),
    "tabs": (True, lambda t: t.replace("><", ">\t<")),
    "plus": (True, nth(X2, X2.replace('"2"', '"+2"'), 0)),
    "zeros": (True, nth(X2, X2.replace('"2"', '"002"'), 0)),
    "other-order": (
        True,
        nth(X2, '<cvParam value="2" name="position x" accession="IMS:1000050" cvRef="IMS"/>', 1),
    ),
    "user-param": (True, nth(X2, f'{X2}<userParam name="a" value="b"/>', 0)),
    "other-param": (True, nth(X2, X2 + cv("MS:1000285", "total ion current", "1.5e3"), 0)),
    "indexed": (
        True,
        lambda t: t.replace("<mzML", "<indexedmzML><mzML") + "<index/></indexedmzML>",
    ),
    "chromatograms": (
        True,
        lambda t: t.replace("</run>", f"<chromatogramList><chromatogram>{X2}</chromatogram>"
                            "</chromatogramList></run>"),
    ),
    "comment-before": (True, lambda t: t.replace("<run", "<!-- <spectrum> --><run")),
    # What it leaves to the parser.
    "comment": (False, nth(X2, f"<!-- a -->{X2}", 0)),
    "comment-between": (False, lambda t: t.replace("</spectrum>\n", "</spectrum>\n<!-- -->\n", 3)),
    "comment-out": (False, nth(X2, f"<!-- {X2} --> {X2}", 1)),
    "instruction": (False, nth(X2, f"<?a b?>{X2}", 0)),
    "cdata": (False, nth(X2, f"<![CDATA[{X2}]]>{X2}", 0)),
    "text-between": (False, lambda t: t.replace("</spectrum>\n", "</spectrum>a\n", 2)),
    "single-quotes": (False, nth(X2, X2.replace('"', "'"), 0)),
    "reference": (False, nth(X2, X2.replace('"2"', '"&#50;"'), 0)),
    "spaces": (False, nth(X2, X2.replace('"2"', '" 2 "'), 0)),
    "underscore": (False, nth(X2, X2.replace('"2"', '"1_0"'), 0)),
    "other-digits": (False, nth(X2, X2.replace('"2"', '"&#x0662;"'), 0)),
    "long-number": (False, nth(X2, X2.replace('"2"', f'"{10**16}"'), 0)),
    "exponent": (False, nth(X2, X2.replace('"2"', '"2e0"'), 0)),
    "twice-in-spectrum": (False, nth(X2, X2 + cv("IMS:1000050", "position x", 7), 0)),
    "twice-in-array": (
        False,
        lambda t: t.replace("<binary/>", cv("IMS:1000102", "external offset", 16) + "<binary/>", 3),
    ),
    "spaced-end": (False, lambda t: t.replace("</spectrum>", "</spectrum >", 2)),
    "empty-element": (False, swap("</spectrum>\n", '</spectrum><spectrum id="a"/>', 1)),
    "prefix": (False, nth(X2, X2.replace("<cvParam", '<a:cvParam xmlns:a="b"'), 0)),
    "xml-id": (False, nth(X2, X2.replace("<cvParam", '<cvParam xml:id="b"'), 0)),
    "umlaut": (False, nth(X2, X2.replace("position x", "positiön x"), 0)),
    "attribute-twice": (False, nth(X2, X2.replace("/>", ' value="3"/>'), 0)),
    "two-lists": (False, two_lists),
    "quoted": (False, quoted_spectra),
    "commented-first": (False, commented_first),
    "data-first": (False, data_first),
    "attribute-first": (True, attribute_first),
    "in-settings": (False, in_settings),
    "nested": (False, nested),
    "group-in-spectrum": (False, redefined),
    "groups-afterwards": (False, moved_groups),
    "doctype-in-spectrum": (False, nth(X2, "<!DOCTYPE a>" + X2, 0)),
    "doctype-in-tail": (False, lambda t: t.replace("</run>", "</run><!-- <!DOCTYPE a> -->")),
    "xxe": (False, swap("<mzML", XXE, 1)),
    "laughs": (False, swap("<mzML", LAUGHS, 1)),
    "nul": (False, lambda t: t.replace("</run>", "\0</run>")),
    "declared-late": (False, swap('encoding="', " " * 1100 + 'encoding="')),
}  # fmt: skip


@pytest.mark.parametrize("block", [1 << 12, 1 << 22])
@pytest.mark.parametrize("what", EDITS)
def test_edited_files(
    what: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imzml_scan, "BLOCK_BYTES", block)
    understood, edit = EDITS[what]
    path = Forge(spectra(12), edit_xml=edit).write(tmp_path)
    assert assert_no_difference(path) == understood


def test_a_file_written_in_many_ways_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter(range(100))

    def edit(text: str) -> str:
        return re.sub("<scan>", lambda _: f'<scan><userParam name="{next(numbers)}"/>', text)

    path = Forge(spectra(8), edit_xml=edit).write(tmp_path)
    assert assert_no_difference(path)
    numbers = iter(range(100))
    monkeypatch.setattr(imzml_scan, "MOST_FORMS", 7)
    path = Forge(spectra(8), edit_xml=edit).write(tmp_path)
    assert not assert_no_difference(path)


def test_a_scan_that_errs_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the form on purpose: the comparison with the parser sees it."""
    learn = imzml_scan_form.learn_form

    def mistaken(*args: object) -> object:
        form = learn(*args)  # type: ignore[arg-type]
        roles = list(form.roles)
        x, y = roles.index(0), roles.index(1)
        roles[x], roles[y] = roles[y], roles[x]
        return type(form)(form.pieces, tuple(roles), form.constant, form.dtypes, form.compressed)

    monkeypatch.setattr(imzml_scan, "learn_form", mistaken)
    path = Forge(spectra(8)).write(tmp_path)
    assert scan_index(path) is None
    assert_no_difference(path)


TOKENS = [
    "<", ">", "/", '"', "'", "&", "&amp;", "<!--", "-->", "<![CDATA[", "]]>", "<?x ?>", " ", "\n",
    "\t", "\0", "ä", "-", "0", "7", "99999999999999999999", "<spectrum ", "</spectrum>",
    '<spectrum id="a">', "<spectrum/>", "</spectrumList>", '<spectrumList count="3">', "<run>",
    "</run>", "<binary/>", "<binaryDataArray>", "</binaryDataArray>", 'value="3"', 'id="x"',
    'accession="IMS:1000102"', '<referenceableParamGroupRef ref="mz"/>', "<!DOCTYPE", X2,
    cv("IMS:1000103", "external array length", 6), cv("MS:1000574", "zlib compression"),
    cv("MS:1000523", "64-bit float"), cv("IMS:1000052", "position z", 2),
]  # fmt: skip
BASES = [
    Forge(spectra(9)),
    Forge(spectra(9), continuous=False, groups=False),
    Forge(spectra(7), packed=True, encoding="UTF-8", state_encoded=True),
]


@st.composite
def mutations(draw: st.DrawFn) -> Callable[[str], str]:
    """Some changes at random places: bytes, tokens, slices and attributes."""
    n = draw(st.integers(1, 3))
    kinds = st.sampled_from(["token", "cut", "copy", "swap", "end", "attribute", "byte", "number"])
    share = st.floats(0, 1, exclude_max=True)
    steps = [
        (draw(kinds), draw(share), draw(share), draw(share), draw(st.sampled_from(TOKENS)))
        for _ in range(n)
    ]

    def edit(text: str) -> str:
        for step in steps:
            text = _mutated(text, *step)
        return text

    return edit


def _mutated(text: str, kind: str, a: float, b: float, c: float, token: str) -> str:
    # Mostly among the spectra, where the scan is at work.
    low = text.find("<spectrumList") if c > 0.2 else 0
    i = low + int(a * (len(text) - low))
    j = min(len(text), i + 1 + int(b * b * 300))
    if kind == "token":
        return text[:i] + token + text[i:]
    if kind == "byte":
        return text[:i] + token[0] + text[i + 1 :]
    if kind == "cut":
        return text[:i] + text[j:]
    if kind == "copy":
        return text[:j] + text[i:j] + text[j:]
    if kind == "swap":
        k = min(len(text), j + (j - i))
        return text[:i] + text[j:k] + text[i:j] + text[k:]
    if kind == "end":
        return text[:i]
    if kind == "number":
        return re.sub(r'(?<=value=")\d+', str(int(b * 20) - 3), text, count=int(c * 20) + 1)
    # Two attributes of one tag change places.
    tags = list(re.finditer(r'(\w+="[^"]*") (\w+="[^"]*")', text))
    tag = tags[int(a * len(tags))] if tags else None
    return text if tag is None else text[: tag.start()] + f"{tag[2]} {tag[1]}" + text[tag.end() :]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("scan")


@settings(max_examples=300, deadline=None)
@given(
    base=st.sampled_from(BASES), edit=mutations(), block=st.sampled_from([2500, 1 << 12, 1 << 20])
)
def test_mutated_files(base: Forge, edit: Callable[[str], str], block: int, folder: Path) -> None:
    whole = Forge(**{**vars(base), "edit_xml": edit})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imzml_xml, "SCAN_FROM_BYTES", 0)
        patch.setattr(imzml_scan, "BLOCK_BYTES", block)
        try:
            path = whole.write(folder)
        except UnicodeEncodeError:
            return
        assert_no_difference(path)
