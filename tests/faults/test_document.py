"""docs/reliability.md is what the tests say."""


def test_the_document_holds_a_row_for_every_fault(reliability):
    written, wanted = reliability
    assert written == wanted, "run `make reliability`"
