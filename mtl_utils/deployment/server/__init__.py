"""What answers for a model over HTTP: its limits, requests, batches of these, and counts.

``app`` and what it reads requests with need the extra ``serve``, and are imported when a server is
made.
"""

from mtl_utils.deployment.server.limits import ServerLimits
from mtl_utils.deployment.server.serving import create_app, serve

__all__ = ["ServerLimits", "create_app", "serve"]
