"""Each case of the acceptance set has its test."""

import ast

import pytest

from tests.acceptance_cases import CASES, STACK


@pytest.mark.parametrize("case", CASES)
def test_a_case_of_the_acceptance_set_has_tests_that_exist(case):
    assert CASES[case]
    for file, name in CASES[case]:
        tree = ast.parse((STACK / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_file_of_the_acceptance_folder_plays_a_case():
    files = {file for tests in CASES.values() for file, _ in tests}
    assert files >= {f"acceptance/{path.name}" for path in STACK.glob("acceptance/test_*.py")}
