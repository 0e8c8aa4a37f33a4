"""Every refusal has a code, and `alarmnet.errors.CODES` lists every code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import alarmnet
from alarmnet.errors import CODES

PACKAGE = Path(alarmnet.__file__).parent
PASSED_ON = {"beyond_float32", "database", "infinite_value", "invalid"}
"""Codes that stand in a variable, and that of errors without one."""


def refusals() -> Iterator[tuple[str, ast.expr | None]]:
    """Where an `InputError` is made, and its code."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("InputError", "InputTypeError"):
                code = next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", code


def test_every_refusal_has_a_code() -> None:
    assert [place for place, code in refusals() if code is None] == []


def test_every_code_is_listed_and_no_other() -> None:
    used = {str(code.value) for _, code in refusals() if isinstance(code, ast.Constant)} | PASSED_ON
    assert list(CODES) == sorted(used)
