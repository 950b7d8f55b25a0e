"""google.protobuf.Struct to what a jsonb column keeps unchanged."""

from google.protobuf.struct_pb2 import Struct, Value

# jsonb writes numbers out: those beyond would take hundreds of digits for the dozen bytes they came in.
SMALLEST, LARGEST = 1e-30, 1e30


def json_object(struct: Struct, levels: int) -> dict[str, object]:
    """Objects and lists at most `levels` deep; ValueError says what is wrong."""
    if not levels:
        raise ValueError("more levels than are allowed")
    return {_text(key): _value(value, levels - 1) for key, value in struct.fields.items()}


def _value(value: Value, levels: int) -> object:
    match value.WhichOneof("kind"):
        case "struct_value":
            return json_object(value.struct_value, levels)
        case "list_value":
            if not levels:
                raise ValueError("more levels than are allowed")
            return [_value(item, levels - 1) for item in value.list_value.values]
        case "string_value":
            return _text(value.string_value)
        case "number_value":
            return _number(value.number_value)
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _text(text: str) -> str:
    if "\0" in text:  # PostgreSQL takes none
        raise ValueError("a NUL character is not allowed")
    return text


def _number(number: float) -> int | float:
    """Whole ones as int, as JSON has them too."""
    if number and not SMALLEST <= abs(number) <= LARGEST:  # nor NaN
        raise ValueError(f"a number is not finite, above {LARGEST:g} or nearer to 0 than {SMALLEST:g}")
    return int(number) if number.is_integer() else number
