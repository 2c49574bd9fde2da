"""Pictures of the app for the README, and the script that takes them."""
