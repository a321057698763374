"""Worker-count expressions such as "2 * cpus + 1": a small, closed arithmetic on named CPU counts."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping

from harness.deployment import CpuCounts
from harness.planning.suggestions import unknown

MAX_LENGTH = 200
MAX_WORKERS = 1024
"""A rule of 2n + 1 on the largest machines there are; more is a slip of the pen."""

NAMES = ("cpus", "host", "affinity", "quota")

_OPERATORS: Mapping[type[ast.AST], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.USub: operator.neg,
}
_OF_ONE: Mapping[str, Callable[..., float]] = {"int": int, "floor": math.floor, "ceil": math.ceil}
_OF_SEVERAL: Mapping[str, Callable[..., float]] = {"min": min, "max": max}
_FUNCTIONS = {**_OF_SEVERAL, **_OF_ONE}

Rule = Callable[[Mapping[str, float]], float]
"""An expression, ready to be given the counts."""


class ExpressionError(ValueError):
    """The expression is not one, or does not come to a usable number of workers."""


def check_expression(text: str) -> None:
    """Raise ExpressionError unless `text` uses known names, functions and operators only.

    What it evaluates to depends on the machine, and is not looked at.
    """
    _compiled(_parse(text), text)


def worker_count(rule: int | str, counts: CpuCounts, *, cpus: str) -> int:
    """The number of workers a rule evaluates to; `cpus` says which count the bare name `cpus` stands for."""
    value = float(rule) if isinstance(rule, int) else _value(rule, counts, cpus)
    if not value.is_integer():
        raise ExpressionError(
            f"{rule!r} evaluates to {value:g}, not a whole number; wrap it in int() or ceil()"
        )
    if not 1 <= value <= MAX_WORKERS:
        within = f"max({rule}, 1)" if value < 1 else f"min({rule}, {MAX_WORKERS})"
        raise ExpressionError(
            f"{rule!r} evaluates to {value:g} workers; it must lie between 1 and {MAX_WORKERS}, "
            f"for example {within}"
        )
    return int(value)


def _value(text: str, counts: CpuCounts, cpus: str) -> float:
    named: dict[str, float] = {"host": counts.host, "affinity": counts.affinity, "quota": counts.quota}
    rule = _compiled(_parse(text), text)
    try:
        value = float(rule({**named, "cpus": named[cpus]}))
    except (ArithmeticError, ValueError) as error:
        raise ExpressionError(f"{text!r} has no finite value ({error})") from error
    if not math.isfinite(value):
        raise ExpressionError(f"{text!r} has no finite value (it evaluates to {value})")
    return value


def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"longer than {MAX_LENGTH} characters")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{text!r} is not an expression; write for example 2 * cpus + 1") from error


def _compiled(node: ast.expr, text: str) -> Rule:
    """Everything about the form is refused here, so that only a value can fail later."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return lambda _: value
        case ast.Name(id=name):
            _refuse_unknown("count", name, NAMES, text)
            return lambda counts: counts[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], (left, right), text)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _applied(_OPERATORS[type(op)], (operand,), text)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _refuse_unknown("function", name, _FUNCTIONS, text)
            if len(arguments) == 1 if name in _OF_ONE else len(arguments) > 1:
                return _applied(_FUNCTIONS[name], arguments, text)
    raise ExpressionError(
        f"{text!r}: only + - * / //, {' and '.join(_OF_SEVERAL)} of several values, {', '.join(_OF_ONE)} "
        f"of one value, and the counts {', '.join(NAMES)} are allowed"
    )


def _applied(function: Callable[..., float], arguments: Iterable[ast.expr], text: str) -> Rule:
    rules = [_compiled(argument, text) for argument in arguments]
    return lambda counts: function(*[rule(counts) for rule in rules])


def _refuse_unknown(kind: str, name: str, known: Iterable[str], text: str) -> None:
    if name not in known:
        raise ExpressionError(f"{text!r}: {unknown(kind, name, known)}")
