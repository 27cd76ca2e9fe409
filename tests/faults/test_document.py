"""docs/faults.csv is what the tests say."""


def test_the_table_holds_a_row_for_every_fault(reliability):
    written, wanted = reliability
    assert written == wanted, "run `make reliability`"
