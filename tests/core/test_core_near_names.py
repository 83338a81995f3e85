"""What is not there is answered with what is: near names as a question, others as a list."""

from luban.core.errors import NotFound


def test_only_near_names_are_taken_for_what_was_meant() -> None:
    assert NotFound.named("model", "adlut", ["adult", "wine"]).remedy == "Did you mean: adult?"
    assert NotFound.named("sheet", "zzz", ["Data", "Notes"]).remedy == "There is: Data, Notes."
    assert (
        NotFound.named("column", "zzz", [f"c{i}" for i in range(9)]).remedy
        == "There is: c0, c1, c2, c3, c4, and 4 more."
    )
    assert NotFound.named("model", "zzz", []).remedy == "There is no model yet."
