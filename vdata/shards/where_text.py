"""The text of a filter, turned into an Arrow expression: `motion_score > 0.2 and label in (1, 2)`.

Python's own parser reads it, and this module translates node by node; nothing of it is ever evaluated as Python.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds

from vdata.config import check
from vdata.errors import ConfigError, UnknownNameError

__all__ = ["parse_where"]

_ALLOWED = (
    "allowed are column names, numbers, 'text', True, False, + - * /, comparisons, `in (...)`, 'text' in LIST, `is None`, "
    "and, or, not, brackets"
)
_EXAMPLE = "write it as motion_score > 0.2 and label in (1, 2)"
_MARK = "\x1f"
"""Between the items of a list: the character that ASCII has for it, which no name of a split holds."""
_INT64 = range(-(2**63), 2**63)


def parse_where(text: str, schema: pa.Schema) -> tuple[pc.Expression, list[str]]:
    """The filter as an Arrow expression, and the columns of `schema` that it names.

    Raises:
        UnknownNameError: a column that the schema does not have.
        ConfigError: the text is not of the language; the message shows the place and what is allowed.
    """
    text = text.replace("\n", " ").strip()
    parser = _Parser(text, schema)
    try:
        with warnings.catch_warnings():
            # A number that runs into a word, an unknown escape: errors here, and no lines on the terminal.
            warnings.simplefilter("error")
            tree = ast.parse(text, mode="eval")
        expression = parser.condition(tree.body)
    except SyntaxError as error:
        place = f" at character {error.offset}" if error.offset else ""
        raise ConfigError(f"where ({text!r}) cannot be read{place}: {error.msg}; {_EXAMPLE}") from error
    except RecursionError as error:
        raise ConfigError(f"where ({text[:40]!r} ...) cannot be read: it is nested too deep; {_EXAMPLE}") from error
    check(bool(parser.names), "where", text, f"names no column; {_EXAMPLE}")
    return expression, list(parser.names)


Kind = Literal["a number", "text", "a truth"]


@dataclass(frozen=True, slots=True)
class _Value:
    """A part of a filter."""

    expression: pc.Expression
    kind: Kind
    whole: bool = False
    """A number that is an integer as it stands."""


class _Parser:
    """Turns the nodes of one filter into Arrow."""

    def __init__(self, text: str, schema: pa.Schema) -> None:
        self.names: dict[str, None] = {}
        """The columns met so far, in order."""
        self._text, self._schema = text, schema

    def condition(self, node: ast.expr) -> pc.Expression:
        """A part that is true, false or null of a clip."""
        value = self._value(node)
        if value.kind != "a truth":
            raise self._error(node, f"is {value.kind}, no truth: compare it with something")
        return value.expression

    def _value(self, node: ast.expr) -> _Value:
        match node:
            case ast.Name() | ast.Attribute():
                return self._column(node)
            case ast.Constant():
                return self._constant(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BinOp():
                return self._binary(node)
            case ast.BoolOp():
                return self._bool(node)
            case ast.Compare():
                return self._compare(node)
        raise self._error(node, f"is no part of a filter: {_ALLOWED}")

    def _number(self, node: ast.expr) -> pc.Expression:
        """A part to calculate with, float64: Arrow's own integers wrap around and divide without a rest."""
        value = self._value(node)
        if value.kind != "a number":
            raise self._error(node, f"is {value.kind}, no number")
        return value.expression.cast(pa.float64(), safe=False)

    def _column(self, node: ast.expr) -> _Value:
        path, kind = self._field(node)
        expression = pc.field(*path)
        if kinds.is_boolean(kind):
            return _Value(expression, "a truth")
        if kinds.is_integer(kind) or kinds.is_floating(kind):
            return _Value(expression, "a number", whole=kinds.is_integer(kind))
        if kinds.is_string(kind) or kinds.is_large_string(kind):
            return _Value(expression, "text")
        hint = f"name one of its parts, as {'.'.join(path)}.{kind[0].name}" if kinds.is_struct(kind) else "it can only be None"
        raise self._error(node, f"holds {kind}, which is neither number, text nor truth: {hint}")

    def _field(self, node: ast.expr) -> tuple[tuple[str, ...], pa.DataType]:
        """Path and type of the column, or the part of one, that a name or a dotted name means."""
        if isinstance(node, ast.Name):
            if node.id not in self._schema.names:
                raise UnknownNameError("column", node.id, self._schema.names)
            if kinds.is_null(self._schema.field(node.id).type):
                raise self._error(node, "holds values of several types, or of one that a filter cannot compare")
            self.names[node.id] = None
            return (node.id,), self._schema.field(node.id).type
        if not isinstance(node, ast.Attribute):
            raise self._error(node, f"is no column: {_ALLOWED}")
        path, kind = self._field(node.value)
        if not kinds.is_struct(kind):
            raise self._error(node.value, f"holds {kind}, which has no parts")
        parts = [field.name for field in kind]
        if node.attr not in parts:
            raise UnknownNameError(f"part of the column '{'.'.join(path)}'", node.attr, parts)
        return (*path, node.attr), kind.field(node.attr).type

    def _constant(self, node: ast.Constant) -> _Value:
        kind = _kind(node.value)
        if kind is None:
            hint = "ask with `is None` or `is not None`" if node.value is None else _ALLOWED
            raise self._error(node, f"is no part of a filter: {hint}")
        return _Value(pc.scalar(self._literal(node, kind)), kind, whole=isinstance(node.value, int))

    def _unary(self, node: ast.UnaryOp) -> _Value:
        if isinstance(node.op, ast.Not):
            return _Value(~self.condition(node.operand), "a truth")
        if not isinstance(node.op, ast.USub):
            raise self._error(node, f"is no part of a filter: {_ALLOWED}")
        if isinstance(node.operand, ast.Constant):
            number = self._literal(node, "a number")
            return _Value(pc.scalar(number), "a number", whole=isinstance(number, int))
        return _Value(pc.negate(self._number(node.operand)), "a number")

    def _binary(self, node: ast.BinOp) -> _Value:
        operator = _ARITHMETIC.get(type(node.op))
        if operator is None:
            raise self._error(node, f"is no part of a filter: {_ALLOWED}")
        return _Value(operator(self._number(node.left), self._number(node.right)), "a number")

    def _bool(self, node: ast.BoolOp) -> _Value:
        join = pc.and_kleene if isinstance(node.op, ast.And) else pc.or_kleene
        first, *rest = (self.condition(part) for part in node.values)
        for part in rest:
            first = join(first, part)
        return _Value(first, "a truth")

    def _compare(self, node: ast.Compare) -> _Value:
        """Each neighbouring pair of a chain, all of which must hold."""
        sides = [node.left, *node.comparators]
        first, *rest = (self._pair(*pair) for pair in zip(sides, node.ops, sides[1:], strict=False))
        for pair in rest:
            first = pc.and_kleene(first, pair)
        return _Value(first, "a truth")

    def _pair(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> pc.Expression:
        match operator:
            case ast.In():
                return self._among(left, right)
            case ast.NotIn():
                return ~self._among(left, right)
            case ast.Is():
                return self._is_none(left, right)
            case ast.IsNot():
                return ~self._is_none(left, right)
        one, other = self._value(left), self._value(right)
        if one.kind != other.kind:
            raise self._error(right, f"is {other.kind}, which cannot be compared with {one.kind}")
        if one.kind == "a truth" and not isinstance(operator, ast.Eq | ast.NotEq):
            raise self._error(right, "is a truth, which can only be compared by == and !=")
        return _COMPARISONS[type(operator)](one.expression, other.expression)

    def _is_none(self, left: ast.expr, right: ast.expr) -> pc.Expression:
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise self._error(right, "cannot stand behind `is`, only None can: compare with ==")
        path, _ = self._field(left)
        return pc.field(*path).is_null()

    def _among(self, left: ast.expr, right: ast.expr) -> pc.Expression:
        """Whether the left part is one of the values on the right; null where it is null, which Arrow's own `isin` is not."""
        if isinstance(right, ast.Name | ast.Attribute):
            return self._held(left, right)
        one = self._value(left)
        if not isinstance(right, ast.Tuple | ast.List | ast.Set):
            raise self._error(right, "cannot stand behind `in`: write the values in brackets, as label in (1, 2)")
        values = [self._literal(item, one.kind) for item in right.elts]
        whole = one.whole and all(isinstance(value, int) for value in values)
        kind = pa.int64() if whole else {"a truth": pa.bool_(), "text": pa.string(), "a number": pa.float64()}[one.kind]
        expression = one.expression.cast(kind, safe=whole)
        return pc.if_else(expression.is_valid(), expression.isin(pa.array(values, kind)), _null(pa.bool_()))

    def _held(self, left: ast.expr, right: ast.expr) -> pc.Expression:
        """Whether a list column holds a value written out, as 'train2' in splits; null where the list is."""
        path, kind = self._field(right)
        items = kind.value_type if kinds.is_list(kind) else None
        if items is None or not (kinds.is_string(items) or kinds.is_integer(items)):
            raise self._error(right, f"holds {kind}, no list of text or of whole numbers; brackets hold values: label in (1, 2)")
        value = self._literal(left, "text" if kinds.is_string(items) else "a number")
        if isinstance(value, float):
            raise self._error(left, f"is no whole number, as {'.'.join(path)} holds")
        # Arrow's expressions know no search in lists: they are joined to a text in which each item stands between two marks.
        joined = pc.binary_join(pc.field(*path).cast(pa.list_(pa.string())), _MARK)
        framed = pc.binary_join_element_wise(pc.scalar(""), joined, pc.scalar(""), pc.scalar(_MARK))
        return pc.match_substring(framed, f"{_MARK}{value}{_MARK}")

    def _literal(self, node: ast.expr, kind: Kind) -> Any:  # noqa: ANN401 - bool, int, float or str
        """A value of that kind, written out, a number with or without a minus."""
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if _kind(number) == kind:
                value: object = -number
            case ast.Constant(value=value) if _kind(value) == kind:
                pass
            case _:
                raise self._error(node, f"is not {kind}, written out, as is asked for here")
        if type(value) is int and value not in _INT64:
            raise self._error(node, "does not fit into 64 bits")
        return value

    def _error(self, node: ast.expr, what: str) -> ConfigError:
        segment = ast.get_source_segment(self._text, node) or self._text
        # The parser counts bytes.
        place = len(self._text.encode()[: node.col_offset].decode()) + 1
        return ConfigError(f"where ({self._text!r}): `{segment}` at character {place} {what}")


def _divided(left: pc.Expression, right: pc.Expression) -> pc.Expression:
    """Left by right; null where that is nothing, so that `not` cannot turn it into a match."""
    return pc.if_else(pc.not_equal(right, 0.0), pc.divide(left, right), _null(pa.float64()))


def _null(kind: pa.DataType) -> pc.Expression:
    return pc.scalar(pa.scalar(None, kind))


def _kind(value: object) -> Kind | None:
    """None for what no filter may hold, as bytes and complex numbers."""
    kinds_of: dict[type, Kind] = {bool: "a truth", str: "text", int: "a number", float: "a number"}
    return kinds_of.get(type(value))


_ARITHMETIC = {ast.Add: pc.add, ast.Sub: pc.subtract, ast.Mult: pc.multiply, ast.Div: _divided}
_COMPARISONS = {
    ast.Eq: pc.equal,
    ast.NotEq: pc.not_equal,
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
}
