"""The remedies that the command line names."""

from __future__ import annotations

import pytest

from domain.errors import Misconfigured, Remedy
from pictograph.cli.remedies import REMEDIES, sentence_of


def test_every_remedy_has_a_sentence() -> None:
    assert set(Remedy) == set(REMEDIES)
    assert all(sentence.endswith(".") for sentence in REMEDIES.values())


def test_the_sentence_of_a_refusal_ends_with_its_remedy() -> None:
    refusal = Misconfigured("Everything would be deleted.").with_remedy(Remedy.CHECK_PLACE)
    assert sentence_of(refusal).startswith("Everything would be deleted. Check that the folder ")
    assert "Nothing works." == sentence_of(Misconfigured("Nothing works."))


@pytest.mark.parametrize(
    ("remedy", "way_out"),
    [
        (Remedy.START_SERVER, "PICTOGRAPH_MODEL"),
        (Remedy.SHOW_MODELS, "`pictograph models status`"),
        (Remedy.WATCH_MODELS, "`pictograph models status --watch`"),
        (Remedy.ADD_MODEL, "`pictograph models add`"),
        (Remedy.PROMOTE_INCOMPLETE, "--even-incomplete"),
    ],
)
def test_a_refused_change_of_model_names_a_setting_command_or_option(
    remedy: Remedy, way_out: str
) -> None:
    refusal = Misconfigured("The model cannot be changed.").with_remedy(remedy)
    assert way_out in sentence_of(refusal)
