"""``mlp-ref cite`` and what else says which versions these are: all of it agrees."""

from __future__ import annotations

import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

import mlp_ref
from mlp_ref.cli import main
from mlp_ref.corpus import find, load
from mlp_ref.corpus.folder import LICENCE, MANIFEST

ROOT = Path(__file__).parents[1]
CORPUS = load()


@pytest.fixture
def text(capsys: pytest.CaptureFixture[str]) -> str:
    """What the command prints."""
    assert main(["cite"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def entries(text: str) -> dict[str, dict[str, str]]:
    """The fields of the BibTeX entries by key."""
    found = re.findall(r"^@(?:software|misc)\{(\w+),\n(.*?)\n\}$", text, re.MULTILINE | re.DOTALL)
    return {
        key: dict(re.findall(r"^  (\w+) += \{(.*)\},?$", body, re.MULTILINE)) for key, body in found
    }


def references() -> list[dict[str, str]]:
    """The references of CITATION.cff, without what is nested in them."""
    _, _, below = (ROOT / "CITATION.cff").read_text("utf-8").partition("\nreferences:\n")
    return [
        dict(re.findall(r"^ {4}([\w-]+): \"?(.*?)\"?$", "    " + entry, re.MULTILINE))
        for entry in below.split("  - type: ")[1:]
    ]


def test_software_and_corpus_are_cited_apart(text: str) -> None:
    """Two entries, whose braces close, with the versions and licences of both."""
    software, corpus = entries(text)["mlp_ref"], entries(text)["mlp_ref_corpus"]
    assert text.count("{") == text.count("}")
    assert software["version"] == mlp_ref.__version__
    assert software["license"] == "BSD-3-Clause"
    assert corpus["version"] == CORPUS.version
    assert LICENCE in corpus["howpublished"]
    for fields in (software, corpus):
        assert fields["author"] == r"{mlp\_ref maintainers}"  # braces: no first and last name
        assert fields["title"].startswith(r"mlp\_ref: ")
        assert CORPUS.version.startswith(fields["year"] + ".")


def test_the_digest_is_that_of_the_manifest(text: str) -> None:
    """So that anyone can compare it by sha256sum."""
    digest = sha256((find() / MANIFEST).read_bytes()).hexdigest()
    assert entries(text)["mlp_ref_corpus"]["note"] == f"SHA-256 of MANIFEST.json: {digest}"
    assert text.count(digest) == 2


def test_one_sentence_says_what_was_used(text: str) -> None:
    """Versions, number of cases and digest, after the entries."""
    corpus = CORPUS
    _, _, sentence = text.rpartition("}\n\n")
    assert sentence.replace("\n", " ") == (
        f"We used mlp_ref {mlp_ref.__version__} and its certified corpus {corpus.version} "
        f"({len(corpus.records):,} cases), SHA-256 {corpus.sha256}. "
    )


def test_citation_cff_names_the_same_versions(text: str) -> None:
    """CITATION.cff, the package, the corpus and the command are in step."""
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {mlp_ref.__version__}\n" in citation
    (entry,) = (r for r in references() if "certified values" in r["title"])
    corpus = entries(text)["mlp_ref_corpus"]
    assert corpus["version"] == entry["version"] == CORPUS.version
    assert corpus["title"].replace("\\", "") == entry["title"]
    assert corpus["year"] == entry["year"]
    assert entry["license"] == LICENCE
    assert 'title: "mlp_ref: ' in citation
    assert entries(text)["mlp_ref"]["title"].replace("\\", "") in citation
    assert entries(text)["mlp_ref"]["license"] in citation


def test_the_version_of_the_corpus_is_quoted_in_yaml() -> None:
    """2026.10 without quotes would be the number 2026.1."""
    assert f'    version: "{CORPUS.version}"\n' in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_vectors_come_with_their_licence() -> None:
    """CC0-1.0, with the legal text a link away, in the folder that is shipped."""
    words = (find() / "LICENSE").read_text("ascii")
    assert LICENCE in words
    assert "https://creativecommons.org/publicdomain/zero/1.0/" in words
    assert f'"licence": "{LICENCE}"' in (find() / MANIFEST).read_text("ascii")


def test_a_damaged_corpus_is_not_cited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 4: its digest would not be that of what was published."""
    shutil.copytree(find(), tmp_path / "vectors")
    (tmp_path / "vectors" / "loss.json").write_text("{}", "ascii")
    monkeypatch.setattr("mlp_ref.corpus.folder.find", lambda: tmp_path / "vectors")
    assert main(["cite"]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert "loss.json' must have the SHA-256 digest in the manifest" in err
