"""Numbers as JSON.stringify of JavaScript writes them."""


def js_number(price: float) -> str:
    """Seven significant digits: ``68526.45``, ``97000``, ``0.0000119``, ``1.2e-7``."""
    text = f"{price:.7g}"
    if "e" not in text:
        return text
    value = float(text)
    if value >= 1:
        return str(int(value))
    if value >= 1e-6:
        return f"{value:.12f}".rstrip("0")
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}"


def js_value(value: float) -> float | int:
    """For an encoder that would write ``3.0`` where JavaScript writes ``3``."""
    return int(value) if value.is_integer() else value
