"""The benchmark: ledgerpi, devpi-server and nginx side by side."""
