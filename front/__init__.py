"""What stands before the app in some deployments."""
