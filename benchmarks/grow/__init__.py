"""Growing: a small domain moves from one base model to another; people's questions say whether it paid."""
