"""What the room needs and the package does not bring: Optuna, imported when it is asked for."""

from __future__ import annotations

from types import ModuleType


def optuna() -> ModuleType:
    """Return the module ``optuna``, which says nothing but warnings from now on.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import optuna as found
    except ImportError as error:
        raise ImportError(
            "A search needs Optuna, which is not installed: pip install optuna scikit-learn, or "
            'pip install "mtl_utils[tuning]"'
        ) from error
    found.logging.set_verbosity(found.logging.WARNING)
    return found
