"""A Pulsar function that answers each message with an exclamation mark after it."""


class {{class}}:
    """Pulsar makes one object of this class, without arguments, and calls `process` for each message."""

    def process(self, input, context):
        return f"{input}!"
