"""Fine-tune a text classifier, and have pytest measure what that was worth."""

__version__ = "0.1.0"
