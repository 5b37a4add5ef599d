"""What a FiftyOne dataset remembers of a protection: fields, runs, and plots of embeddings.

The only part of the library that imports FiftyOne.
"""

from __future__ import annotations
