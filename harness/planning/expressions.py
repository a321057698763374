"""Worker-count expressions such as "2 * cpus + 1": a small, closed arithmetic on named CPU counts."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import TypeVar

from harness.model import CpuCounts
from harness.planning.suggestions import unknown

T = TypeVar("T")

MAX_LENGTH = 200
MAX_WORKERS = 64

NAMES = ("cpus", "host", "affinity", "quota")

_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.USub: operator.neg,
}
_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "int": int,
    "floor": math.floor,
    "ceil": math.ceil,
}


class ExpressionError(ValueError):
    """The expression is not one, or does not come to a usable number of workers."""


def check_expression(text: str) -> None:
    """Raise ExpressionError unless `text` uses known names, functions and operators only."""
    _evaluate(_parse(text), dict.fromkeys(NAMES, 1.0), text)


def worker_count(rule: int | str, counts: CpuCounts, *, cpus: str) -> int:
    """The number of workers a rule comes to; `cpus` says which count the bare name `cpus` stands for."""
    if isinstance(rule, int):
        value: float = rule
    else:
        named = {"host": counts.host, "affinity": counts.affinity, "quota": counts.quota}
        value = _evaluate(_parse(rule), {**named, "cpus": named[cpus]}, rule)
    if value != int(value):
        raise ExpressionError(f"{rule!r} comes to {value:g}, not a whole number; wrap it in int() or ceil()")
    if not 1 <= value <= MAX_WORKERS:
        raise ExpressionError(
            f"{rule!r} comes to {value:g} workers; it must lie between 1 and {MAX_WORKERS}, "
            f"for example max({rule}, 1)"
        )
    return int(value)


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"{text!r} is not an expression; write for example 2 * cpus + 1") from error


def _evaluate(node: ast.expr, names: Mapping[str, float], text: str) -> float:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.Name(id=name):
            return _known(name, names, "count", text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            try:
                return _OPERATORS[type(op)](_evaluate(left, names, text), _evaluate(right, names, text))
            except (ZeroDivisionError, OverflowError) as error:
                raise ExpressionError(f"{text!r} has no finite value ({error})") from error
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_evaluate(operand, names, text))
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as arguments, keywords=[]):
            function = _known(name, _FUNCTIONS, "function", text)
            try:
                return function(*(_evaluate(argument, names, text) for argument in arguments))
            except (TypeError, ValueError, OverflowError) as error:
                raise ExpressionError(f"{text!r}: {error}") from error
    raise ExpressionError(
        f"{text!r}: only + - * / //, {', '.join(_FUNCTIONS)} and the counts {', '.join(NAMES)} are allowed"
    )


def _known(name: str, table: Mapping[str, T], kind: str, text: str) -> T:
    if name in table:
        return table[name]
    raise ExpressionError(f"{text!r}: {unknown(kind, name, table)}")
