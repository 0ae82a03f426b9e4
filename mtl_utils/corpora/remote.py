"""Reading data sets over the network: from the Hub, a source repository, or by a join."""

from __future__ import annotations

import warnings
from typing import Any

import datasets
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from mtl_utils.corpora.entry import Config, Entry, Join, SourceFiles
from mtl_utils.corpora.errors import DownloadError
from mtl_utils.corpora.join import join_annotations
from mtl_utils.corpora.sources import load_source_files

__all__ = ["SMALLEST_JOINED_SHARE", "download", "join_splits"]

PROBE_SECONDS = 10.0

# Two releases of a treebank may split a few words differently, so that a sentence finds no
# partner. More than that would be another treebank.
SMALLEST_JOINED_SHARE = 0.95


def download(entry: Entry, config_name: str, looked_in: str) -> datasets.DatasetDict:
    """Load a configuration from where it is published.

    Args:
        entry: The data set.
        config_name: One of its configurations, not a join.
        looked_in: Where a local copy was looked for, for the message.

    Raises:
        DownloadError: If the source cannot be reached or does not deliver.
    """
    config = entry.config(config_name)
    try:
        if isinstance(config.source, SourceFiles):
            return load_source_files(config.source, config)
        return _from_hub(entry, config_name, config)
    except DownloadError as error:
        raise DownloadError(_no_data_message(entry, config_name, looked_in, error)) from error


def _no_data_message(entry: Entry, config_name: str, looked_in: str, error: DownloadError) -> str:
    return (
        f"Data set {entry.name!r}, configuration {config_name!r} (licence: {entry.licence}) has no "
        f"local copy ({looked_in}) and could not be read from {entry.origin(config_name)}: {error} "
        "Connect to the network, or set the environment variable MTL_DATA_DIR to a folder that "
        f"holds {entry.name}/{config_name}/<split>-00000-of-00001.parquet."
    )


def _from_hub(entry: Entry, config_name: str, config: Config) -> datasets.DatasetDict:
    _probe(entry)
    wanted: dict[str, Any] = {"name": config_name}
    if entry.revision and entry.revision.startswith("refs/"):
        # The Hub's own conversion has one folder a configuration and split, and no data card.
        wanted = {"data_files": {s: f"{config_name}/{s}/*.parquet" for s in config.rows}}
    try:
        loaded = datasets.load_dataset(entry.hub_id, revision=entry.revision, **wanted)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise DownloadError(f"{type(error).__name__}: {reason}.") from error
    return datasets.DatasetDict(loaded)


def _probe(entry: Entry) -> None:
    """Ask the Hub once whether it has the data set.

    ``load_dataset`` alone would retry for half a minute without network, printing each time.
    """
    try:
        HfApi().dataset_info(str(entry.hub_id), revision=entry.revision, timeout=PROBE_SECONDS)
    except OfflineModeIsEnabled:
        return  # load_dataset then reads its own cache, or says at once that it is empty
    except HfHubHTTPError as error:
        raise DownloadError(f"the Hub answered: {str(error).splitlines()[0]}.") from error
    except Exception as error:
        raise DownloadError(
            f"no connection to the Hub ({type(error).__name__}: {error}). If it was downloaded "
            "before, set HF_HUB_OFFLINE=1 to use that."
        ) from error


def join_splits(
    entry: Entry,
    config_name: str,
    entities: datasets.DatasetDict,
    syntax: datasets.DatasetDict,
) -> datasets.DatasetDict:
    """Join the two sources of a joined data set, split by split.

    Args:
        entry: The joined data set.
        config_name: One of its configurations, with a join as its source.
        entities: The same configuration of the data set that brings the entity tags.
        syntax: The same configuration of the one that brings the syntax.

    Raises:
        DownloadError: If less than 95% of the sentences of a split find their partner.
    """
    config = entry.config(config_name)
    source = config.source
    if not isinstance(source, Join):
        raise TypeError(f"{entry.name!r} {config_name!r} is not a join but {source!r}.")
    splits = {}
    for split in config.rows:
        joined = join_annotations(entities[split].to_dict(), syntax[split].to_dict(), source.key)
        left_out, total = len(joined.unmatched), entities[split].num_rows
        if left_out > (1 - SMALLEST_JOINED_SHARE) * total:
            raise DownloadError(
                f"{entry.name!r} {config_name!r}, split {split!r}: {left_out:,} of {total:,} "
                f"sentences of {source.entities!r} have no partner in {source.syntax!r}; expected "
                f"at most {1 - SMALLEST_JOINED_SHARE:.0%}. The two are of different releases."
            )
        if left_out:
            warnings.warn(
                f"{entry.name} {config_name}, split {split}: {left_out:,} of {total:,} sentences "
                "are split into other words by the two sources and are left out.",
                stacklevel=2,
            )
        splits[split] = datasets.Dataset.from_dict(joined.columns, features=config.features)
    return datasets.DatasetDict(splits)
