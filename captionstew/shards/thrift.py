"""Thrift's compact protocol, as much as a Parquet page header needs, over bytes that nobody vouches for."""

import struct
from typing import Any

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)  # 16, 32 and 64 bits: all zigzag varints
_DEEPEST = 16


class ThriftError(ValueError):
    """The bytes are not a whole Thrift value."""


class Compact:
    """Reads values one after the other from `position`; past the end of the data is a ThriftError."""

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data, self.position = data, position

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields of a struct by their numbers."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            delta, kind = head >> 4, head & 15
            number = number + delta if delta else self._zigzag()
            fields[number] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)
        return fields

    def varint(self) -> int:
        """An unsigned number, seven bits a byte."""
        value = shift = 0
        while shift < 64:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
        raise ThriftError("a number of more than 64 bits")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > len(self.data) - self.position:
            raise ThriftError("the data ends inside a value")
        self.position += size
        return self.data[self.position - size : self.position]

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ThriftError("values nested too deep")
        if kind in _INTEGERS:
            return self._zigzag()
        if kind in (_TRUE, _FALSE, _BYTE):  # a bool inside a list is a byte of its own
            return self._byte()
        if kind == _BINARY:
            return self.take(self.varint())
        return self._wide(kind, depth)

    def _wide(self, kind: int, depth: int) -> Any:
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        if kind == _DOUBLE:
            return struct.unpack("<d", self.take(8))[0]
        raise ThriftError(f"unknown type {kind}")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = self.varint() if head >> 4 == 15 else head >> 4
        return [self._value(head & 15, depth + 1) for _ in range(self._affordable(size))]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        if not (size := self._affordable(self.varint())):
            return []
        kinds = self._byte()
        return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(size)]

    def _affordable(self, size: int) -> int:
        """A count of values is believed only if so many bytes are left: each takes one at least."""
        if size > len(self.data) - self.position:
            raise ThriftError(f"{size} values announced, {len(self.data) - self.position} bytes left")
        return size

    def _zigzag(self) -> int:
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def _byte(self) -> int:
        if self.position >= len(self.data):
            raise ThriftError("the data ends inside a value")
        self.position += 1
        return self.data[self.position - 1]
