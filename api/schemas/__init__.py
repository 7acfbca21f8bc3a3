"""What goes over the wire, as pydantic models: they check requests and describe answers. No other
package knows of them."""
