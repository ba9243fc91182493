"""The strategies that come along, and where a trader's own is found."""
