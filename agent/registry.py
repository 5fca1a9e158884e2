"""Opens the adapter registry where the settings say: its database, and the files of its adapters."""

from agent.settings import Settings
from agent.standard_variables import StorageVariables
from memory.adapters.mlflow import ADAPTERS, MlflowAdapterRegistry
from memory.adapters.store import AdapterStore, BucketStore, FolderStore
from memory.records.base import Digest


def open_registry(settings: Settings, base: Digest) -> MlflowAdapterRegistry:
    """The registry for a base model. Blocking. Raises StoreUnavailable."""
    root, url = settings.path(ADAPTERS), settings.adapters_url
    store: AdapterStore = FolderStore(root)
    if url is not None:
        store = BucketStore(url, root, endpoint=StorageVariables().endpoint_url)
    return MlflowAdapterRegistry(settings.home, settings.registry_url, base=base, store=store)
