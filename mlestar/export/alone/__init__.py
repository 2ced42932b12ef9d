"""What an exported folder contains besides data: modules that need nothing else of this package."""
