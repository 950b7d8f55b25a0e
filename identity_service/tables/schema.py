"""The one metadata of identity's tables."""

from shared.schema import named_metadata

metadata = named_metadata()
