"""Workers on the machines of a Ray cluster; nobody else knows of Ray."""
