"""What strangers may send: files, messages and addresses that are generated from a seed."""
