"""How much of labelled plans the importer reads right: at least 98 % of the fields, and nothing that nobody wrote."""

import pytest

from tests.rules.corpus import plans, scores


def test_at_least_98_percent_of_the_labelled_fields_are_right_and_none_is_invented() -> None:
    found = scores()

    wrong = [line for score in found.values() for line in score.wrong]
    stated = sum(score.stated for score in found.values())
    assert [line for score in found.values() for line in score.invented] == []
    assert len(wrong) <= 0.02 * stated, "\n".join(wrong)


def test_there_are_enough_plans_and_each_has_labels() -> None:
    assert len(plans()) >= 25
    assert all(path.with_suffix(".labels").exists() for path in plans())


@pytest.mark.parametrize("suffix", [".md", ".txt", ".csv", ".tsv", ".opml", ".taskpaper"])
def test_every_kind_of_file_is_among_them(suffix: str) -> None:
    assert any(path.suffix == suffix for path in plans())
